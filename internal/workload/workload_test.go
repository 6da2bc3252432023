package workload_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/devidp"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/workload"
)

var key = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// newIssuer is an issuer at both ends.
func newIssuer(t *testing.T, kind string, rules ...config.Rule) (*devidp.Provider, *workload.Issuer) {
	t.Helper()
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	idp, err := devidp.New(devidp.Options{Issuer: server.URL, ClientID: "mlflow", Key: key()})
	if err != nil {
		t.Fatal(err)
	}
	handler = idp.Handler()
	i, err := workload.New(config.Workload{Type: kind, Issuer: server.URL, Audience: "mlflow", DiscoveryURL: server.URL + "/.well-known/openid-configuration", Rules: rules}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return idp, i
}

func as(account string, claims, begins map[string]string) config.Rule {
	return config.Rule{Account: account, Claims: claims, Begins: begins}
}

type claims = map[string]any

// github are the claims of a job of GitHub Actions (docs.github.com, "OpenID Connect reference").
func github(changes claims) claims {
	all := claims{"sub": "repo:us/app:ref:refs/heads/main", "repository": "us/app", "repository_owner": "us", "repository_id": "74", "ref": "refs/heads/main", "environment": "prod"}
	for name, value := range changes {
		all[name] = value
	}
	return all
}

func pod(namespace, account, subject string) claims {
	return claims{"sub": subject, "kubernetes.io": claims{"namespace": namespace, "serviceaccount": claims{"name": account, "uid": "u"}, "pod": claims{"name": "p"}}}
}

func TestRules(t *testing.T) {
	ours := map[string]string{"repository_owner": "us", "repository": "us/app", "environment": "prod"}
	all := map[string]string{"repository_owner": "us"}
	below := map[string]string{"repository": "us/", "ref": "refs/tags/"}
	train := as("train", map[string]string{"namespace": "ml", "service_account": "trainer"}, nil)
	for name, c := range map[string]struct {
		kind  string
		rules []config.Rule
		token claims
		want  string // "": refused
	}{
		"exactly":                         {"github", []config.Rule{as("CI", ours, nil)}, github(nil), "ci"},
		"another repository":              {"github", []config.Rule{as("ci", ours, nil)}, github(claims{"repository": "us/other"}), ""},
		"a fork":                          {"github", []config.Rule{as("ci", ours, nil)}, github(claims{"repository": "eve/app", "repository_owner": "eve"}), ""},
		"another case":                    {"github", []config.Rule{as("ci", ours, nil)}, github(claims{"repository": "US/app"}), ""},
		"no environment":                  {"github", []config.Rule{as("ci", ours, nil)}, github(claims{"environment": nil}), ""},
		"a claim in a list":               {"github", []config.Rule{as("ci", ours, nil)}, github(claims{"repository": []string{"us/app"}}), ""},
		"beginning":                       {"github", []config.Rule{as("ci", all, below)}, github(claims{"ref": "refs/tags/v1"}), "ci"},
		"beginning of another":            {"github", []config.Rule{as("ci", all, below)}, github(nil), ""},
		"an owner that begins so":         {"github", []config.Rule{as("ci", all, below)}, github(claims{"repository": "us-evil/app", "repository_owner": "us-evil", "ref": "refs/tags/v1"}), ""},
		"the second rule":                 {"github", []config.Rule{as("a", ours, nil), as("b", all, below)}, github(claims{"ref": "refs/tags/v1", "environment": "test"}), "b"},
		"two rules of one account":        {"github", []config.Rule{as("a", ours, nil), as("a", all, below)}, github(claims{"ref": "refs/tags/v1"}), "a"},
		"rules of several accounts":       {"github", []config.Rule{as("a", ours, nil), as("b", all, below)}, github(claims{"ref": "refs/tags/v1"}), ""},
		"a rule of nothing":               {"jwt", []config.Rule{as("a", nil, nil)}, github(nil), ""},
		"GitLab":                          {"gitlab", []config.Rule{as("a", map[string]string{"project_path": "g/p", "ref_protected": "true"}, nil)}, claims{"sub": "x", "project_path": "g/p", "ref_protected": "true"}, "a"},
		"a service account":               {"kubernetes", []config.Rule{train}, pod("ml", "trainer", "system:serviceaccount:ml:trainer"), "train"},
		"of another namespace":            {"kubernetes", []config.Rule{train}, pod("evil", "trainer", "system:serviceaccount:evil:trainer"), ""},
		"another subject":                 {"kubernetes", []config.Rule{train}, pod("ml", "trainer", "system:serviceaccount:evil:trainer"), ""},
		"names as claims of their own":    {"kubernetes", []config.Rule{train}, claims{"sub": "system:serviceaccount:ml:trainer", "namespace": "ml", "service_account": "trainer"}, ""},
		"a colon in the namespace's name": {"kubernetes", []config.Rule{train}, pod("ml:x", "trainer", "system:serviceaccount:ml:x:trainer"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			idp, i := newIssuer(t, c.kind, c.rules...)
			b, err := i.Verify(t.Context(), idp.Token("x", c.token))
			if b.Account != c.want || (err == nil) != (c.want != "") || err != nil && !errs.Is(err, errs.Unauthenticated) {
				t.Errorf("%q, %v", b.Account, err)
			}
		})
	}
}

// The attack: every fault of a token, at the door for jobs.
func TestAttackWorkloadTokenFaults(t *testing.T) {
	for _, fault := range []devidp.Fault{devidp.WrongIssuer, devidp.WrongAudience, devidp.Expired, devidp.NotYetValid, devidp.NoExpiry, devidp.NoSubject,
		devidp.BadSignature, devidp.AlgorithmNone, devidp.PublicKeyAsSecret, devidp.UnknownKey} {
		t.Run(string(fault), func(t *testing.T) {
			idp, i := newIssuer(t, "jwt", as("a", map[string]string{"sub": "x"}, nil))
			if b, err := i.Verify(t.Context(), idp.Token("x", nil)); err != nil || b.Account != "a" {
				t.Fatalf("without the fault: %v", err)
			}
			idp.SetFaults(fault)
			if _, err := i.Verify(t.Context(), idp.Token("x", nil)); !errs.Is(err, errs.Unauthenticated) {
				t.Errorf("gave %v", err)
			}
		})
	}
}

// A cluster's keys come over TLS by its own authority, to whoever shows a token, which is read anew each time; and nothing
// else can be in its place.
func TestKeysOfACluster(t *testing.T) {
	idp, err := devidp.New(devidp.Options{Issuer: "https://cluster", ClientID: "mlflow", Key: key()})
	if err != nil {
		t.Fatal(err)
	}
	cluster := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/jwks" || r.Header.Get("Authorization") != "Bearer second" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		idp.Handler().ServeHTTP(w, r)
	}))
	defer cluster.Close()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	authority := file("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cluster.Certificate().Raw})))
	settings := config.Workload{Type: "kubernetes", Issuer: "https://cluster", Audience: "mlflow", KeysURL: cluster.URL + "/jwks", CAFile: authority,
		TokenFile: file("token", "first\n"), Rules: []config.Rule{as("train", map[string]string{"namespace": "ml", "service_account": "t"}, nil)}}
	verify := func(settings config.Workload) error {
		i, err := workload.New(settings, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		_, err = i.Verify(context.Background(), idp.Token("", pod("ml", "t", "system:serviceaccount:ml:t")))
		return err
	}
	if err := verify(settings); !errs.Is(err, errs.Unavailable) {
		t.Errorf("with a wrong token: %v", err)
	}
	file("token", "second\n")
	if err := verify(settings); err != nil {
		t.Errorf("with the right one: %v", err)
	}
	settings.CAFile = ""
	if err := verify(settings); !errs.Is(err, errs.Unavailable) {
		t.Errorf("with the system's authorities: %v", err)
	}
	for _, wrong := range []string{file("none.pem", "x"), filepath.Join(dir, "absent")} {
		settings.CAFile = wrong
		if _, err := workload.New(settings, time.Now); err == nil {
			t.Errorf("%s is taken for authorities", wrong)
		}
	}
}
