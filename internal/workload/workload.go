// Package workload lets in jobs by the tokens that their surroundings give them (GitHub Actions, GitLab, Kubernetes), as the
// service accounts that rules name.
package workload

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/jwt"
)

// timeout is how long a call to an issuer may take.
const timeout = 10 * time.Second

// keysFresh is how long keys are believed: one that the issuer withdraws stops working within this time.
const keysFresh = 5 * time.Minute

// Issuer verifies the tokens of one issuer of workloads.
type Issuer struct {
	settings config.Workload
	rules    jwt.Rules
}

// New makes an issuer from its settings; nothing is asked yet.
func New(settings config.Workload, now func() time.Time) (*Issuer, error) {
	client, err := newClient(settings.CAFile)
	if err != nil {
		return nil, err
	}
	types := settings.TokenTypes
	if types == nil {
		types = jwt.AccessTokens
	}
	keys := jwt.KeysOptions{Client: client, TTL: keysFresh, Now: now, Locate: locate(settings, client)}
	if settings.TokenFile != "" {
		keys.Bearer = func() (string, error) {
			text, err := os.ReadFile(settings.TokenFile)
			return string(text), err
		}
	}
	return &Issuer{settings, jwt.Rules{Issuer: settings.Issuer, Audience: settings.Audience, Algorithms: settings.Algorithms,
		Types: types, Keys: jwt.NewKeys(keys), Now: now}}, nil
}

func locate(settings config.Workload, client *http.Client) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		if settings.KeysURL != "" {
			return settings.KeysURL, nil
		}
		return jwt.Discover(ctx, client, settings.DiscoveryURL, settings.Issuer)
	}
}

func newClient(authorities string) (*http.Client, error) {
	settings := &tls.Config{MinVersion: tls.VersionTLS12}
	if authorities != "" {
		text, err := os.ReadFile(authorities)
		if err != nil {
			return nil, fmt.Errorf("WORKLOAD_IDENTITY_FILE: ca_file: %w", err)
		}
		settings.RootCAs = x509.NewCertPool()
		if !settings.RootCAs.AppendCertsFromPEM(text) {
			return nil, errors.New("WORKLOAD_IDENTITY_FILE: ca_file " + authorities + " has no certificate")
		}
	}
	return jwt.NewClient(timeout, settings), nil
}

// Expects gives the issuer, without a slash at the end, and the audience of the tokens that Verify can accept.
func (i *Issuer) Expects() (issuers []string, audience string) {
	return []string{strings.TrimSuffix(i.settings.Issuer, "/")}, i.settings.Audience
}

// Verify checks a token, and finds as which service account it acts. One that no rule matches is refused, and so is one that
// rules of different accounts match.
func (i *Issuer) Verify(ctx context.Context, raw string) (directory.Bearer, error) {
	token, err := i.rules.Verify(ctx, raw)
	if err != nil {
		return directory.Bearer{}, err
	}
	claims := token.Claims
	if i.settings.Type == "kubernetes" {
		if claims, err = podClaims(token); err != nil {
			return directory.Bearer{}, err
		}
	}
	account := ""
	for _, rule := range i.settings.Rules {
		if !matches(rule, claims) {
			continue
		}
		if account != "" && account != rule.Account {
			return directory.Bearer{}, refused("rules of several service accounts match it")
		}
		account = rule.Account
	}
	if account == "" {
		return directory.Bearer{}, refused("no rule matches it")
	}
	return directory.Bearer{Identity: directory.Identity{Provider: i.settings.Issuer, Subject: token.Subject}, Account: strings.ToLower(account), Until: token.Expires.Add(jwt.Leeway), Issued: token.Issued,
		Act: token.Claims["act"], MayAct: token.Claims["may_act"]}, nil
}

// matches tells whether claims are as a rule says. Only texts match: what a list holds, nobody has pinned.
func matches(rule config.Rule, claims map[string]any) bool {
	for name, want := range rule.Claims {
		if text, ok := claims[name].(string); !ok || text != want {
			return false
		}
	}
	for name, begin := range rule.Begins {
		if text, ok := claims[name].(string); !ok || !strings.HasPrefix(text, begin) || strings.Contains(text, "/../") {
			return false
		}
	}
	return len(rule.Claims) > 0
}

// podClaims are those of a Kubernetes service-account token: the namespace and the service account, which its subject has to
// say too, and the pod. Tokens that are bound to nothing do not say them in this place, and are not accepted.
func podClaims(token jwt.Token) (map[string]any, error) {
	says, _ := token.Claims["kubernetes.io"].(map[string]any)
	account, _ := says["serviceaccount"].(map[string]any)
	pod, _ := says["pod"].(map[string]any)
	namespace, _ := says["namespace"].(string)
	name, _ := account["name"].(string)
	if namespace == "" || name == "" || token.Subject != "system:serviceaccount:"+namespace+":"+name {
		return nil, refused("it names no service account")
	}
	return map[string]any{"sub": token.Subject, "namespace": namespace, "service_account": name, "service_account_uid": account["uid"], "pod": pod["name"]}, nil
}

func refused(why string) error {
	return errs.New(errs.Unauthenticated, "the token is not valid: %s", why)
}
