package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/jwt"
)

const (
	// freshFor is how long a discovery is believed, and so are the keys where the settings do not say.
	freshFor = 5 * time.Minute
	// usableFor is how long they are used on while the provider does not answer, so that a pause of it stops no program.
	usableFor = time.Hour
	// retryAfter is how soon a provider that does not answer is asked again while an older discovery can be used.
	retryAfter = 15 * time.Second
)

// found is what discovery, or the settings, say of the provider.
type found struct {
	endpoint    oauth2.Endpoint
	userInfo    string // asked without discovery, for groups, and where a renewal brings no ID token
	endSession  string
	introspects string   // asked whose a token is that is no JWT
	byForm      bool     // it takes the secret in the form alone when it is asked so
	scopes      []string // that the provider says it knows
	prompts     []string // that it says it knows; nil: it does not say
	issuer      string   // what an answer may call itself; empty: unknown
	provider    string   // the half of an identity beside the subject
	sendsIssuer bool     // RFC 9207
	keysAt      string
	keys        *jwt.Keys // nil: there are no tokens to verify

	tenants map[string]jwt.Tenant // by issuer; nil: there is one issuer. Till a token says which, issuer and provider are empty
	tenant  jwt.Tenant            // of the issuer; zero: it has none
}

// discovery is one attempt, which all who need it at the time share.
type discovery struct {
	done  chan struct{}
	found *found
	err   error
}

// configured takes the endpoints from the settings. There is no ID token then, and so no nonce and no signature: what keeps
// a stolen code from being used in another browser is the state and PKCE, which the provider has to support.
func (p *Provider) configured() *found {
	f := &found{issuer: p.settings.Issuer, provider: p.settings.Issuer, userInfo: p.settings.UserURL,
		endpoint: oauth2.Endpoint{AuthURL: p.settings.AuthorizationURL, TokenURL: p.settings.TokenURL}}
	if f.provider == "" {
		f.provider = p.settings.UserURL // whoever says who somebody is
	}
	return f
}

// discovered gives what is known of the provider, and asks it first when that is nothing, or too old.
func (p *Provider) discovered(ctx context.Context) (*found, error) {
	if p.settings.DiscoveryURL == "" {
		return p.configured(), nil
	}
	p.mu.Lock()
	now := p.now()
	known := p.found
	if known != nil && !now.Before(p.foundAt.Add(usableFor)) {
		known = nil
	}
	if known != nil && now.Before(p.askAgain) {
		p.mu.Unlock()
		return known, nil
	}
	if p.running == nil {
		p.running = &discovery{done: make(chan struct{})}
		go p.rediscover(p.running) //nolint:gosec // for all who wait, and not for this request alone
	}
	running := p.running
	p.mu.Unlock()

	var err error
	select {
	case <-running.done:
		if err = running.err; err == nil {
			return running.found, nil
		}
	case <-ctx.Done():
		err = ctx.Err()
	}
	if known != nil {
		return known, nil
	}
	if errors.Is(err, errTemplate) {
		return nil, errTemplate
	}
	return nil, unreachable(err)
}

// rediscover asks the provider. It does so for all who wait, and hence not in the context of the first of them.
func (p *Provider) rediscover(into *discovery) {
	f, err := p.discover(p.context(context.Background()))
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		p.found, p.foundAt, p.askAgain = f, p.now(), p.now().Add(freshFor)
	} else {
		p.askAgain = p.now().Add(retryAfter)
	}
	into.found, into.err, p.running = f, err, nil
	close(into.done)
}

func (p *Provider) discover(ctx context.Context) (*found, error) {
	issuer, ok := strings.CutSuffix(p.settings.DiscoveryURL, jwt.Wellknown)
	if !ok {
		issuer = strings.TrimSuffix(p.settings.DiscoveryURL, "/")
	}
	switch {
	case p.settings.Issuer != "":
		ctx = gooidc.InsecureIssuerURLContext(ctx, p.settings.Issuer) // the operator's word
	case len(p.settings.Tenants) > 0:
		ctx = gooidc.InsecureIssuerURLContext(ctx, p.settings.Expected()) // compared below
	}
	provider, err := gooidc.NewProvider(ctx, issuer)
	var mismatch *gooidc.IssuerMismatchError
	if errors.As(err, &mismatch) && strings.Contains(mismatch.Discovered, config.TenantPlace) {
		return nil, errTemplate
	}
	if mismatch != nil { // some issuers end in a slash; any other difference is refused again
		provider, err = gooidc.NewProvider(ctx, issuer+"/")
	}
	if err != nil {
		return nil, err
	}
	var says document
	if err := provider.Claims(&says); err != nil {
		return nil, err
	}
	if p.settings.Issuer != "" {
		says.Issuer = p.settings.Issuer
	}
	if err := says.check(); err != nil {
		return nil, err
	}
	f := &found{endpoint: provider.Endpoint(), endSession: says.EndSession, userInfo: says.userInfo(), introspects: says.Introspection, byForm: says.byForm(), scopes: says.Scopes, prompts: says.Prompts,
		issuer: says.Issuer, provider: says.Issuer, sendsIssuer: says.SendsIssuer, keysAt: says.Keys, keys: p.keysAt(says.Keys)}
	if len(p.settings.Tenants) > 0 {
		return f, p.divide(f)
	}
	return f, nil
}

// keysAt gives the keys of an address: those that are known, if it is the same as before.
func (p *Provider) keysAt(address string) *jwt.Keys {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found != nil && p.found.keysAt == address {
		return p.found.keys
	}
	return jwt.NewKeys(jwt.KeysOptions{Locate: func(context.Context) (string, error) { return address, nil }, Client: p.client,
		TTL: p.settings.KeysTTL, Now: p.now})
}

// Keys is how many keys the provider has by which its tokens are verified.
func (p *Provider) Keys(ctx context.Context) (int, error) {
	f, err := p.discovered(ctx)
	if err != nil || f.keys == nil {
		return 0, err
	}
	return f.keys.Count(ctx)
}

// MaxSkew is by how much our clock may differ from a provider's before its tokens are refused.
const MaxSkew = jwt.Leeway

// ClockSkew is by how much our clock is ahead of the provider's, to the second, as the answer to discovery says.
func (p *Provider) ClockSkew(ctx context.Context) (time.Duration, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.settings.DiscoveryURL, nil)
	if err != nil {
		return 0, fmt.Errorf("asking the provider for the time: %w", err)
	}
	answer, err := p.client.Do(request)
	if err != nil {
		return 0, fmt.Errorf("asking the provider for the time: %w", err)
	}
	_ = answer.Body.Close()
	theirs, err := http.ParseTime(answer.Header.Get("Date"))
	if err != nil {
		return 0, fmt.Errorf("reading the provider's time: %w", err)
	}
	return p.now().Sub(theirs).Round(time.Second), nil
}

// document are the parts of a discovery document that are used (OpenID Connect Discovery 1.0 §3).
type document struct {
	Issuer        string `json:"issuer"`
	Authorization string `json:"authorization_endpoint"`
	Token         string `json:"token_endpoint"`
	Keys          string `json:"jwks_uri"`
	EndSession    string `json:"end_session_endpoint"`
	UserInfo      string `json:"userinfo_endpoint"`
	Introspection string `json:"introspection_endpoint"` // RFC 8414 §2
	ProvesBy      texts  `json:"introspection_endpoint_auth_methods_supported"`
	Scopes        texts  `json:"scopes_supported"`
	Prompts       texts  `json:"prompt_values_supported"` // Initiating User Registration 1.0 §4
	SendsIssuer   bool   `json:"authorization_response_iss_parameter_supported"`
}

// check refuses endpoints over plain HTTP: the client's secret, codes and keys travel there.
func (d document) check() error {
	for name, address := range map[string]string{"authorization_endpoint": d.Authorization, "token_endpoint": d.Token, "jwks_uri": d.Keys} {
		if u, err := url.Parse(address); err != nil || !jwt.Secure(u) {
			return fmt.Errorf("the discovery document's %s %q is no https:// address", name, address)
		}
	}
	return nil
}

// userInfo gives the endpoint where it may be used, "" else: signing in does without it.
func (d document) userInfo() string {
	if u, err := url.Parse(d.UserInfo); err != nil || !jwt.Secure(u) {
		return ""
	}
	return d.UserInfo
}

// byForm tells whether the introspection endpoint takes the secret in the form alone.
func (d document) byForm() bool {
	return !slices.Contains(d.ProvesBy, "client_secret_basic") && slices.Contains(d.ProvesBy, "client_secret_post")
}

// texts is a list of texts; what is none is no reason to do without the rest of the document.
type texts []string

// UnmarshalJSON takes a list of texts, and anything else for none (json.Unmarshaler).
func (t *texts) UnmarshalJSON(raw []byte) error {
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		*t = list
	}
	return nil
}
