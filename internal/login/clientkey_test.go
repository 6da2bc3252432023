package login_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/assertion"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/devidp"
)

// clientKey makes a key by which the client can prove itself.
func clientKey(t *testing.T) *assertion.Key {
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
	return key
}

// sentForms keeps the forms that come to the token endpoint.
func sentForms(w *world, into *[]url.Values) {
	w.front = func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/token" {
				body, err := io.ReadAll(r.Body)
				w.must(err)
				form, err := url.ParseQuery(string(body))
				w.must(err)
				if r.Header.Get("Authorization") != "" {
					form.Set("authorization", r.Header.Get("Authorization"))
				}
				*into = append(*into, form)
				r.Body = io.NopCloser(bytes.NewReader(body))
			}
			next.ServeHTTP(rw, r)
		})
	}
}

// proved has the client prove itself by a key, whose public half the provider knows.
func proved(key *assertion.Key, audience string) func(*world) {
	return func(w *world) {
		w.idp.ClientKey, w.idp.AtEndpoint = key.Public(), audience == config.ForEndpoint
		w.settings.Assertion = config.Assertion{Key: key, Audience: audience}
	}
}

func TestClientProvesItselfByItsKey(t *testing.T) {
	for name, c := range map[string]struct {
		audience string
		further  func(*world)
	}{
		"to the issuer":                   {config.ForIssuer, func(*world) {}},
		"to the endpoint":                 {config.ForEndpoint, func(*world) {}},
		"to the endpoint, no discovery":   {config.ForEndpoint, withoutDiscovery},
		"to a configured issuer":          {config.ForIssuer, func(w *world) { withoutDiscovery(w); w.settings.Issuer = w.idpURL }},
		"where a secret is there as well": {config.ForIssuer, func(w *world) { w.settings.ClientSecret = "client-secret" }},
	} {
		t.Run(name, func(t *testing.T) {
			var sent []url.Values
			w := newWorld(t, func(w *world) {
				following(w)
				w.settings.ClientSecret = ""
				proved(clientKey(t), c.audience)(w)
				c.further(w)
				w.settings.Scopes = append(w.settings.Scopes, "offline_access")
				sentForms(w, &sent)
			})
			b := w.browser()
			b.mustSignIn("s-ann")
			w.later(devidp.Life - time.Second)
			if who := b.whoami(); !strings.HasPrefix(who, "ann@") || w.idp.Refreshes() != 1 {
				t.Errorf("%q after %d renewals", who, w.idp.Refreshes())
			}
			if len(sent) != 2 || w.idp.Asserted() != 2 {
				t.Fatalf("%d requests, %d proofs", len(sent), w.idp.Asserted())
			}
			for _, form := range sent {
				if form.Has("client_secret") || form.Has("authorization") || len(form["client_assertion"]) != 1 || form.Get("client_id") != "gateway" {
					t.Errorf("sent %v", form)
				}
			}
			if sent[0].Get("client_assertion") == sent[1].Get("client_assertion") {
				t.Error("the same proof twice")
			}
		})
	}
}

// The attacks: whoever took a proof out of a log shows it again, signs with a key of one's own, or has one that is for somebody
// else. The provider of the tests refuses each; what is shown here is that ours are such that it can.
func TestAttackProofsOfTheClient(t *testing.T) {
	key := clientKey(t)
	for name, c := range map[string]struct {
		change func(w *world)
		asked  string // what audience ours are for
	}{
		"another key":                     {func(w *world) { w.idp.ClientKey = clientKey(t).Public() }, config.ForIssuer},
		"another key under the id":        {func(w *world) { other := clientKey(t).Public(); w.idp.ClientKey.Key = other.Key }, config.ForIssuer},
		"for the endpoint":                {func(*world) {}, config.ForEndpoint},
		"for the issuer":                  {func(w *world) { w.idp.AtEndpoint = true }, config.ForIssuer},
		"a secret, where there is a key":  {func(w *world) { w.settings.Assertion, w.settings.ClientSecret = config.Assertion{}, "client-secret" }, config.ForIssuer},
		"nothing, where there is a key":   {func(w *world) { w.settings.Assertion, w.settings.ClientSecret = config.Assertion{}, "" }, config.ForIssuer},
		"a clock two minutes before":      {func(w *world) { w.clock.Advance(-2 * time.Minute) }, config.ForIssuer},
		"a key, where there is a secret":  {func(w *world) { w.idp.ClientKey = jose.JSONWebKey{} }, config.ForIssuer},
		"an issuer that nobody has named": {func(w *world) { withoutDiscovery(w); w.settings.Issuer = "" }, config.ForIssuer},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(w *world) {
				w.settings.ClientSecret = ""
				proved(key, config.ForIssuer)(w)
				w.settings.Assertion.Audience = c.asked
				c.change(w)
			})
			b := w.browser()
			if got := b.signIn("s-ann"); got.StatusCode < 400 {
				t.Errorf("%d %s", got.StatusCode, got.body)
			}
			w.nobody(b)
			if w.idp.Asserted() != 0 {
				t.Error("a proof was taken")
			}
		})
	}
	t.Run("shown again", func(t *testing.T) {
		var sent []url.Values
		w := newWorld(t, func(w *world) {
			w.settings.ClientSecret = ""
			proved(key, config.ForIssuer)(w)
			sentForms(w, &sent)
		})
		w.browser().mustSignIn("s-ann")
		if len(sent) != 1 {
			t.Fatalf("%d requests", len(sent))
		}
		r := httptest.NewRequest(http.MethodPost, "/token", strings.NewReader(sent[0].Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		again := httptest.NewRecorder()
		w.idp.Handler().ServeHTTP(again, r)
		if !strings.Contains(again.Body.String(), "invalid_client") || w.idp.Asserted() != 1 {
			t.Errorf("answered %s", again.Body)
		}
	})
}
