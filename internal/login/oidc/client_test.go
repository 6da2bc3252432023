package oidc

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/assertion"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/jwt"
)

// proved has a provider asked with a key, and gives the key.
func proved(t *testing.T, o *config.OIDC, audience string) *assertion.Key {
	t.Helper()
	made, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(made)
	if err != nil {
		t.Fatal(err)
	}
	key, err := assertion.Parse(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), "", "")
	if err != nil {
		t.Fatal(err)
	}
	o.ClientSecret, o.Assertion = "", config.Assertion{Key: key, Audience: audience}
	return key
}

// audienceOf gives whom a proof is for.
func audienceOf(t *testing.T, form url.Values) string {
	t.Helper()
	_, audiences, err := jwt.Peek(form.Get("client_assertion"))
	if err != nil || len(audiences) != 1 {
		t.Fatalf("%v, %v", audiences, err)
	}
	return audiences[0]
}

// The attack: a provider gives another one's token endpoint for its own, or one of its endpoints among those of another, so that it
// gets, or has us send, what the other one takes for a proof of this client.
func TestAttackProviderWithTheEndpointOfAnother(t *testing.T) {
	for _, audience := range []string{config.ForIssuer, config.ForEndpoint} {
		t.Run(audience, func(t *testing.T) {
			var got url.Values
			honest := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_ = r.ParseForm()
				got = r.PostForm
				http.Error(w, "{}", http.StatusBadRequest)
			}))
			t.Cleanup(honest.Close)
			evil := newWorld(t, func(o *config.OIDC) { proved(t, o, audience) })
			discovery := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte(`{"issuer": "` + evil.url + `", "authorization_endpoint": "` + evil.url + `/authorize", "token_endpoint": "` + honest.URL + `/token", "jwks_uri": "` + evil.url + `/jwks"}`))
			})
			evil.intercept.Store(&discovery)
			_, _, err := evil.Finish(t.Context(), url.Values{"code": {"c"}, "iss": {evil.url}}, directory.SignIn{Redirect: "http://127.0.0.1/callback", Nonce: "n", Verifier: "v"})
			wantCode(t, err, errs.Unauthenticated)
			want := evil.url // which the honest one does not take
			if audience == config.ForEndpoint {
				want = honest.URL + "/token" // where it went, and nowhere else
			}
			if to := audienceOf(t, got); to != want {
				t.Errorf("a proof for %s, want %s", to, want)
			}
		})
	}
}

// What proves this client at the introspection endpoint is good there alone.
func TestIntrospectionAsTheClient(t *testing.T) {
	for name, audience := range map[string]string{"secret": "", "key for the issuer": config.ForIssuer, "key for the endpoint": config.ForEndpoint} {
		t.Run(name, func(t *testing.T) {
			var key *assertion.Key
			w := newWorld(t, func(o *config.OIDC) {
				if o.ClientSecret = "client secret+of:100%"; audience != "" {
					key = proved(t, o, audience)
				}
			})
			w.idp.ClientSecret, w.idp.AtEndpoint = "client secret+of:100%", audience == config.ForEndpoint
			if key != nil {
				w.idp.ClientKey = key.Public()
			}
			b, err := w.Introspect(t.Context(), w.idp.Opaque("s", map[string]any{"client_id": "gateway"}))
			if err != nil || b.Identity.Subject != "s" || b.Identity.Provider != w.url {
				t.Errorf("%+v, %v", b, err)
			}
		})
	}
}
