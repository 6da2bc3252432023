package oidc

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/devidp"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/jwt"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session/sessiontest"
)

// world is a provider at both ends.
type world struct {
	*Provider
	idp         *devidp.Provider
	url         string
	clock       *sessiontest.Clock
	discoveries atomic.Int64
	intercept   atomic.Pointer[http.HandlerFunc] // answers discovery in place of the provider
}

var key = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func newWorld(t *testing.T, change func(*config.OIDC)) *world {
	t.Helper()
	w := &world{clock: sessiontest.NewClock()}
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/.well-known/") {
			w.discoveries.Add(1)
			if intercept := w.intercept.Load(); intercept != nil {
				(*intercept)(rw, r)
				return
			}
		}
		handler.ServeHTTP(rw, r)
	}))
	t.Cleanup(server.Close)
	w.url = server.URL
	var err error
	if w.idp, err = devidp.New(devidp.Options{Issuer: w.url, ClientID: "gateway", ClientSecret: "client-secret", Now: w.clock.Now, Key: key()}); err != nil {
		t.Fatal(err)
	}
	handler = w.idp.Handler()
	settings := config.OIDC{DiscoveryURL: w.url + "/.well-known/openid-configuration", ClientID: "gateway", ClientSecret: "client-secret",
		UsernameClaims: []string{"email", "preferred_username"}, VerifyTLS: true, HTTPTimeout: 5 * time.Second}
	if change != nil {
		change(&settings)
	}
	w.Provider = New(settings, w.clock.Now)
	return w
}

func wantCode(t *testing.T, err error, code errs.Code) {
	t.Helper()
	if !errs.Is(err, code) {
		t.Errorf("error %v has code %d, want %d", err, errs.CodeOf(err), code)
	}
}

func TestBearer(t *testing.T) {
	w := newWorld(t, nil)
	b, err := w.Verify(t.Context(), w.idp.Token("s", nil))
	if want := (directory.Identity{Provider: w.url, Subject: "s"}); err != nil || b.Identity != want {
		t.Fatalf("%v, %v", b, err)
	}
	if left := b.Until.Sub(w.clock.Now()); left != 5*time.Minute+jwt.Leeway {
		t.Errorf("good for %v", left)
	}
}

// signInOnly are faults of a sign-in, which a bearer does not have or may show.
var signInOnly = map[devidp.Fault]string{
	devidp.WrongNonce: "no nonce", devidp.NoNonce: "no nonce", devidp.WrongAccessTokenHash: "no hash", devidp.NoIDToken: "no answer",
	devidp.WrongIssuerParameter: "no answer", devidp.NoIssuerParameter: "no answer",
	devidp.NoIssuedAt: "iat is optional in a JWT", devidp.OtherParty: "another client may get a token for us alone",
	devidp.PartyAsList: "azp counts only among several audiences",
}

func TestAttackBearerFaults(t *testing.T) {
	for _, fault := range devidp.TokenFaults {
		if signInOnly[fault] != "" {
			continue
		}
		t.Run(string(fault), func(t *testing.T) {
			w := newWorld(t, nil)
			w.idp.SetFaults(fault)
			_, err := w.Verify(t.Context(), w.idp.Token("s", nil))
			wantCode(t, err, errs.Unauthenticated)
		})
	}
}

func TestAttackBearers(t *testing.T) {
	w := newWorld(t, nil)
	good := w.idp.Token("s", nil)
	parts := strings.Split(good, ".")
	for name, raw := range map[string]string{
		"nothing": "", "no JWT": "a.b.c", "without signature": parts[0] + "." + parts[1] + ".",
		"payload of another": parts[0] + "." + strings.Split(w.idp.Token("root", nil), ".")[1] + "." + parts[2],
		"a logout token":     w.idp.Token("s", map[string]any{"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}}),
		"too long":           w.idp.Token("s", map[string]any{"x": strings.Repeat("x", (64 << 10))}),
		"a blank issuer":     w.idp.Token("s", map[string]any{"iss": ""}),
		"no audience":        w.idp.Token("s", map[string]any{"aud": nil}),
		"an empty audience":  w.idp.Token("s", map[string]any{"aud": []string{}}),
		"an algorithm named like a failure of the provider": `eyJhbGciOiJmZXRjaGluZyBrZXlzIn0.e30.AA`, // {"alg":"fetching keys"}
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.Verify(t.Context(), raw)
			wantCode(t, err, errs.Unauthenticated)
		})
	}
}

func TestBearerAudience(t *testing.T) {
	w := newWorld(t, func(o *config.OIDC) { o.Audience = "mlflow-api" })
	if _, err := w.Verify(t.Context(), w.idp.Token("s", map[string]any{"aud": []string{"mlflow-api", "account"}, "azp": "notebook"})); err != nil {
		t.Error(err)
	}
	_, err := w.Verify(t.Context(), w.idp.Token("s", nil)) // an ID token of ours is no access token then
	wantCode(t, err, errs.Unauthenticated)
}

func TestBearerWithoutDiscovery(t *testing.T) {
	w := newWorld(t, func(o *config.OIDC) { o.DiscoveryURL, o.UserURL = "", "http://127.0.0.1:1/user" })
	_, err := w.Verify(t.Context(), w.idp.Token("s", nil))
	wantCode(t, err, errs.Unauthenticated)
}

func TestBearerWhileTheKeysAreDown(t *testing.T) {
	w := newWorld(t, nil)
	w.idp.SetFaults(devidp.KeysDown)
	_, err := w.Verify(t.Context(), w.idp.Token("s", nil))
	wantCode(t, err, errs.Unavailable)
}

// The attack: go on with a key that was stolen, after the provider withdrew it.
func TestAttackWithdrawnKey(t *testing.T) {
	w := newWorld(t, nil)
	stolen := w.idp.Token("s", map[string]any{"exp": w.clock.Now().Add(24 * time.Hour).Unix()})
	if _, err := w.Verify(t.Context(), stolen); err != nil {
		t.Fatal(err)
	}
	if err := w.idp.RotateKey(); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(freshFor)
	_, err := w.Verify(t.Context(), stolen)
	wantCode(t, err, errs.Unauthenticated)
}

func TestProviderPausesWhileProgramsGoOn(t *testing.T) {
	w := newWorld(t, nil)
	token := w.idp.Token("s", map[string]any{"exp": w.clock.Now().Add(24 * time.Hour).Unix()})
	verify := func() error { _, err := w.Verify(t.Context(), token); return err }
	if err := verify(); err != nil {
		t.Fatal(err)
	}
	w.idp.SetFaults(devidp.DiscoveryDown, devidp.KeysDown)
	w.clock.Advance(freshFor)
	before := w.discoveries.Load()
	for range 5 {
		if err := verify(); err != nil {
			t.Errorf("while the provider pauses: %v", err)
		}
	}
	if asked := w.discoveries.Load() - before; asked != 1 {
		t.Errorf("the provider was asked %d times", asked)
	}
	w.clock.Advance(usableFor)
	wantCode(t, verify(), errs.Unavailable)
	w.idp.SetFaults()
	if err := verify(); err != nil {
		t.Errorf("when the provider is back: %v", err)
	}
}

// Sign-ins must not queue up behind each other at a provider that hangs.
func TestOneDiscoveryForAllWhoWait(t *testing.T) {
	w := newWorld(t, nil)
	arrived, release := make(chan struct{}, 10), make(chan struct{})
	hang := http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		arrived <- struct{}{}
		<-release
		rw.WriteHeader(http.StatusServiceUnavailable)
	})
	w.intercept.Store(&hang)
	first := make(chan error)
	go func() {
		_, err := w.Start(context.Background(), directory.SignIn{State: "s", Nonce: "n", Verifier: "v"})
		first <- err
	}()
	<-arrived
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := w.Start(impatient, directory.SignIn{State: "s", Nonce: "n", Verifier: "v"})
	wantCode(t, err, errs.Unavailable)
	close(release)
	wantCode(t, <-first, errs.Unavailable)
	if n := w.discoveries.Load(); n != 1 {
		t.Errorf("%d discoveries", n)
	}
}

func TestDiscoveryDocuments(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(map[string]any)
		issuer string // OIDC_ISSUER
		good   bool
	}{
		"as it is":                          {func(map[string]any) {}, "", true},
		"another issuer":                    {func(d map[string]any) { d["issuer"] = "https://evil.example" }, "", false},
		"the issuer with a slash":           {func(d map[string]any) { d["issuer"] = d["issuer"].(string) + "/" }, "", true},
		"the issuer with more":              {func(d map[string]any) { d["issuer"] = d["issuer"].(string) + "/x" }, "", false},
		"no issuer":                         {func(d map[string]any) { delete(d, "issuer") }, "", false},
		"another issuer that was set":       {func(d map[string]any) { d["issuer"] = "https://x.example/{tenant}" }, "https://x.example/7", true},
		"keys over plain HTTP":              {func(d map[string]any) { d["jwks_uri"] = "http://x.example/keys" }, "", false},
		"token endpoint over plain HTTP":    {func(d map[string]any) { d["token_endpoint"] = "http://x.example/token" }, "", false},
		"authorization over plain HTTP":     {func(d map[string]any) { d["authorization_endpoint"] = "http://x.example/" }, "", false},
		"no keys":                           {func(d map[string]any) { delete(d, "jwks_uri") }, "", false},
		"no token endpoint":                 {func(d map[string]any) { delete(d, "token_endpoint") }, "", false},
		"keys by a script":                  {func(d map[string]any) { d["jwks_uri"] = "javascript:x" }, "", false},
		"a sign-out endpoint by a script":   {func(d map[string]any) { d["end_session_endpoint"] = "javascript:x" }, "", true},
		"sign-out endpoint over plain HTTP": {func(d map[string]any) { d["end_session_endpoint"] = "http://x.example/" }, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(o *config.OIDC) { o.Issuer = tc.issuer })
			document := map[string]any{"issuer": w.url, "authorization_endpoint": w.url + "/authorize", "token_endpoint": w.url + "/token", "jwks_uri": w.url + "/jwks"}
			tc.change(document)
			serve := http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Content-Type", "application/json")
				_ = json.NewEncoder(rw).Encode(document)
			})
			w.intercept.Store(&serve)
			_, err := w.Start(t.Context(), directory.SignIn{State: "s", Nonce: "n", Verifier: "v"})
			if (err == nil) != tc.good || (err != nil && !errs.Is(err, errs.Unavailable)) {
				t.Errorf("start gave %v", err)
			}
			if to := w.Logout(t.Context(), "", "/", "s"); to != "" {
				t.Errorf("signing out leads to %q", to)
			}
		})
	}
}

func TestEmptyNonceIsNone(t *testing.T) {
	w := newWorld(t, nil)
	f, err := w.discovered(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	id, err := w.idTokens(f).Verify(t.Context(), w.idp.Token("s", nil))
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, w.checkIDToken(id, directory.SignIn{}, nil), errs.Unauthenticated)
}

func FuzzUsername(f *testing.F) {
	for _, seed := range []string{"Ann@Example.com", "\u212aelvin", "adm\u0130n", "a:b", "a/b", "x\u200by", "", "ß", "ǅ"} {
		f.Add(seed)
	}
	p := New(config.OIDC{UsernameClaims: []string{"name"}}, time.Now)
	f.Fuzz(func(t *testing.T, given string) {
		name, err := p.username(map[string]any{"name": given})
		if err != nil {
			wantCode(t, err, errs.Denied)
			return
		}
		again, err := p.username(map[string]any{"name": name})
		if err != nil || again != name || name != strings.ToLower(name) || len(name) > maxName || strings.ContainsAny(name, ":/\n\x00") || !utf8.ValidString(name) {
			t.Errorf("%q is %q, then %q, %v", given, name, again, err)
		}
		ascii := func(s string) int {
			return strings.Count(strings.Map(func(r rune) rune { return map[bool]rune{true: 'a', false: 'ä'}[r < 0x80] }, s), "a")
		}
		if ascii(name) > ascii(given) {
			t.Errorf("%q became %q: a letter became another", given, name)
		}
	})
}

func FuzzGroups(f *testing.F) {
	for _, seed := range []string{`["a","b"]`, `"a"`, `[""]`, `[1]`, `{"a":["b"]}`, `null`, `[["a"]]`, `["a",null]`} {
		f.Add(seed)
	}
	p := New(config.OIDC{GroupsClaim: "groups"}, time.Now)
	f.Fuzz(func(t *testing.T, value string) {
		claims, err := decode(strings.NewReader(`{"groups":` + value + `}`))
		if err != nil {
			return
		}
		groups, err := p.groups(t.Context(), claims, "")
		if err != nil && (len(groups) != 0 || !errors.Is(err, errNoGroups)) {
			t.Errorf("%s gives %q, %v", value, groups, err)
		}
		for _, name := range groups {
			if quoted, _ := json.Marshal(claims["groups"]); name == "" || !strings.Contains(string(quoted), strings.Trim(string(must(json.Marshal(name))), `"`)) {
				t.Errorf("%s gives a group %q that is not there", value, name)
			}
		}
	})
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}
