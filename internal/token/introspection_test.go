package token_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/devidp"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/limit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/login/oidc"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/token"
)

// asks is a house whose provider is asked whose tokens are that are no JWTs.
func asks(t *testing.T, change func(*config.OIDC)) *house {
	t.Helper()
	h := newHouse(t)
	settings := config.OIDC{DiscoveryURL: h.idp.Issuer, ClientID: "me", ClientSecret: "client-secret", Introspection: true, GroupsClaim: "groups",
		Groups: []string{"mlflow"}, UsernameClaims: []string{"email"}, HTTPTimeout: 10 * time.Second, VerifyTLS: true}
	if change != nil {
		change(&settings)
	}
	provider := oidc.New(settings, h.clock.Now)
	h.authenticate(token.Options{Verifier: provider, Asking: provider})
	return h
}

// authenticate has credentials checked with these verifiers.
func (h *house) authenticate(o token.Options) {
	h.t.Helper()
	log := slog.New(slog.DiscardHandler)
	people, err := directory.NewCache(h.db, authz.DefaultOrder())
	if err != nil {
		h.t.Fatal(err)
	}
	counter, err := limit.NewMemory(perMinute, h.clock.Now)
	if err != nil {
		h.t.Fatal(err)
	}
	o.Sessions, o.People, o.Recorder, o.Audit, o.Failures = h.sessions, people, h.db, audit.NewLog(log), limit.NewFailures(counter, nil, log, h.clock.Now)
	o.Upgrades, o.Uses, o.Client, o.Log, o.Now = h.db, h.uses, (&httpx.Origin{}).Client, log, h.clock.Now
	if h.auth, err = token.New(o); err != nil {
		h.t.Fatal(err)
	}
}

func TestOpaqueTokens(t *testing.T) {
	h := asks(t, nil)
	ann, _ := h.person("ann")
	raw := h.idp.Opaque("sub-ann", nil)
	for i := range 3 {
		h.known(from(address(i), "Bearer "+raw), ann, identity.Bearer)
	}
	h.known(from(address(3), "Bearer "+h.idp.Token("sub-ann", nil)), ann, identity.Bearer) // its JWTs are good as ever
	if n := h.idp.Introspections(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	h.refused(from(address(4), "Bearer "+h.idp.Opaque("sub-nobody", nil)), errs.Unauthenticated)
	if err := h.db.SetActive(t.Context(), "ann", false); err != nil {
		t.Fatal(err)
	}
	h.refused(from(address(5), "Bearer "+raw), errs.Unauthenticated)
}

// A token that is revoked at its provider is good for a minute more, and one that has ended not for a moment.
func TestOpaqueTokensEnd(t *testing.T) {
	h := asks(t, nil)
	ann, _ := h.person("ann")
	raw := h.idp.Opaque("sub-ann", map[string]any{"exp": h.clock.Now().Add(time.Hour).Unix()})
	h.known(from(address(1), "Bearer "+raw), ann, identity.Bearer)
	h.idp.Revoke(raw)
	h.clock.Advance(59 * time.Second)
	h.known(from(address(1), "Bearer "+raw), ann, identity.Bearer)
	h.clock.Advance(time.Second)
	h.refused(from(address(1), "Bearer "+raw), errs.Unauthenticated)

	short := h.idp.Opaque("sub-ann", map[string]any{"exp": h.clock.Now().Add(5 * time.Second).Unix()})
	h.known(from(address(2), "Bearer "+short), ann, identity.Bearer)
	before := h.idp.Introspections()
	h.clock.Advance(36 * time.Second) // and the leeway of thirty
	h.refused(from(address(2), "Bearer "+short), errs.Unauthenticated)
	if h.idp.Introspections() != before+1 {
		t.Error("it was believed beyond its end")
	}
}

// The attacks: a token that the provider stands by, but that is no access token for us.
func TestAttackOpaqueTokens(t *testing.T) {
	now := func(h *house, by time.Duration) int64 { return h.clock.Now().Add(by).Unix() }
	for name, c := range map[string]struct {
		says     func(h *house) map[string]any
		audience string
	}{
		"not active":              {func(*house) map[string]any { return map[string]any{"active": false} }, ""},
		"for another audience":    {func(*house) map[string]any { return map[string]any{"aud": "another"} }, ""},
		"for others of several":   {func(*house) map[string]any { return map[string]any{"aud": []string{"a", "b"}} }, ""},
		"of another client":       {func(*house) map[string]any { return map[string]any{"client_id": "another"} }, ""},
		"of nobody's client":      {func(*house) map[string]any { return map[string]any{"client_id": nil} }, ""},
		"no audience, one is set": {func(*house) map[string]any { return map[string]any{} }, "mlflow-api"},
		"shared with a client":    {func(*house) map[string]any { return map[string]any{"aud": []string{"me", "b"}, "client_id": "b"} }, ""},
		"another issuer":          {func(*house) map[string]any { return map[string]any{"iss": "https://other.example"} }, ""},
		"issuer of a number":      {func(*house) map[string]any { return map[string]any{"iss": 7} }, ""},
		"ended":                   {func(h *house) map[string]any { return map[string]any{"exp": now(h, -31*time.Second)} }, ""},
		"without an end":          {func(*house) map[string]any { return map[string]any{"exp": nil} }, ""},
		"an end in words":         {func(*house) map[string]any { return map[string]any{"exp": "tomorrow"} }, ""},
		"not yet":                 {func(h *house) map[string]any { return map[string]any{"nbf": now(h, 31*time.Second)} }, ""},
		"of the future":           {func(h *house) map[string]any { return map[string]any{"iat": now(h, 31*time.Second)} }, ""},
		"no subject":              {func(*house) map[string]any { return map[string]any{"sub": nil} }, ""},
		"a refresh token":         {func(*house) map[string]any { return map[string]any{"token_type": nil} }, ""},
		"called a refresh token":  {func(*house) map[string]any { return map[string]any{"token_type": "refresh_token"} }, ""},
		"used to refresh":         {func(*house) map[string]any { return map[string]any{"token_use": "refresh_token"} }, ""},
		"bound to a key, DPoP":    {func(*house) map[string]any { return map[string]any{"token_type": "DPoP"} }, ""},
		"bound to a key":          {func(*house) map[string]any { return map[string]any{"cnf": map[string]any{"jkt": "x"}} }, ""},
		"a logout":                {func(*house) map[string]any { return map[string]any{"events": map[string]any{}} }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := asks(t, func(o *config.OIDC) { o.Audience = c.audience })
			h.person("ann")
			raw := h.idp.Opaque("sub-ann", c.says(h))
			for range 2 { // the second time from memory
				h.refused(from(address(1), "Bearer "+raw), errs.Unauthenticated)
			}
			if n := h.idp.Introspections(); n != 1 {
				t.Errorf("asked %d times", n)
			}
		})
	}
	t.Run("for us among others", func(t *testing.T) { // the other side of it
		h := asks(t, func(o *config.OIDC) { o.Audience = "mlflow-api" })
		ann, _ := h.person("ann")
		h.known(from(address(1), "Bearer "+h.idp.Opaque("sub-ann", map[string]any{"aud": []string{"mlflow-api", "b"}, "client_id": "notebook", "iss": nil, "token_use": "access_token"})), ann, identity.Bearer)
	})
}

// The attack: have us hand secrets of ours, or of others, to the provider.
func TestAttackTokensThatNobodyIsAskedFor(t *testing.T) {
	h := asks(t, nil)
	_, secret := h.person("ann")
	for i, raw := range []string{secret + "x", "mlo_wrong-wrong-wrong-wrong", "MLO_" + secret[4:], "mlr_key.refresh-refresh-refresh", "mld_0123456789012345678901", "mlc_0123456789012345678901",
		"short", "with a blank between two", "ünïcode-ünïcode-ünïcode", "=======================", "eyJhbGciOiJSU0EifQ.a.b.c.d", strings.Repeat("x", 4097)} {
		h.refused(from(address(i), "Bearer "+raw), errs.Unauthenticated)
	}
	if n := h.idp.Introspections(); n != 0 {
		t.Errorf("asked %d times", n)
	}
	off := newHouse(t) // and where nobody is to be asked, nobody is
	off.person("ann")
	off.refused(from(address(1), "Bearer "+off.idp.Opaque("sub-ann", nil)), errs.Unauthenticated)
	if n := off.idp.Introspections(); n != 0 {
		t.Errorf("asked %d times, though it is off", n)
	}
}

// The attack: have us flood the provider with tokens that somebody makes up.
func TestAttackGuessedOpaqueTokens(t *testing.T) {
	h := asks(t, nil)
	ann, _ := h.person("ann")
	good := h.idp.Opaque("sub-ann", nil)
	h.known(from(address(1), "Bearer "+good), ann, identity.Bearer)
	for i := range 4 * perMinute {
		code := errs.Unauthenticated
		if i >= perMinute {
			code = errs.Limited
		}
		h.refused(from(address(1), "Bearer made-up-made-up-made-up-"+strings.Repeat("x", i)), code)
	}
	if n := h.idp.Introspections(); n != 1+perMinute {
		t.Errorf("asked %d times", n)
	}
	h.known(from(address(1), "Bearer "+good), ann, identity.Bearer) // who is known goes on
	h.known(from(address(2), "Bearer "+h.idp.Opaque("sub-ann", nil)), ann, identity.Bearer)
}

// A provider that does not answer, or not to us, says nothing about a token: that is 503, and nobody's failed attempt.
func TestProviderThatDoesNotSay(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*config.OIDC)
		fault  devidp.Fault
		answer string // in place of the provider's
	}{
		"down":               {nil, devidp.IntrospectionDown, ""},
		"not to us":          {func(o *config.OIDC) { o.ClientSecret = "wrong" }, "", ""},
		"undiscovered":       {func(o *config.OIDC) { o.DiscoveryURL = "http://127.0.0.1:1" }, "", ""},
		"unreachable":        {func(o *config.OIDC) { o.IntrospectionURL = "http://127.0.0.1:1/introspect" }, "", ""},
		"over plain HTTP":    {func(o *config.OIDC) { o.IntrospectionURL = "http://idp.example/introspect" }, "", ""},
		"not JSON":           {nil, "", `<html>`},
		"active in words":    {nil, "", `{"active": "true", "sub": "sub-ann"}`},
		"of nothing":         {nil, "", `{"sub": "sub-ann"}`},
		"active, and twice":  {nil, "", `{"active": false, "active": true}`},
		"too much":           {nil, "", `{"active": true, "x": "` + strings.Repeat("x", 64<<10) + `"}`},
		"leads to elsewhere": {nil, "", "redirect"},
	} {
		t.Run(name, func(t *testing.T) {
			elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if c.answer == "redirect" {
					http.Redirect(w, r, "/again", http.StatusTemporaryRedirect)
					return
				}
				_, _ = w.Write([]byte(c.answer))
			}))
			t.Cleanup(elsewhere.Close)
			h := asks(t, func(o *config.OIDC) {
				if c.answer != "" {
					o.IntrospectionURL = elsewhere.URL
				}
				if c.change != nil {
					c.change(o)
				}
			})
			h.person("ann")
			raw := h.idp.Opaque("sub-ann", nil)
			if c.fault != "" {
				h.idp.SetFaults(c.fault)
			}
			for range perMinute + 1 {
				h.refused(from(address(1), "Bearer "+raw), errs.Unavailable)
			}
		})
	}
}

// waiting is a provider that answers when it is told to.
type waiting struct {
	asked  atomic.Int64
	answer chan struct{}
}

func (w *waiting) Introspect(context.Context, string) (directory.Bearer, error) {
	w.asked.Add(1)
	<-w.answer
	return directory.Bearer{}, errs.New(errs.Unauthenticated, "nobody's")
}

func (*waiting) Expects() ([]string, string) { return []string{"https://idp.example"}, "me" }

// The attack: so many questions at once that the provider, and all who wait for it, are kept busy.
func TestAttackManyQuestionsAtOnce(t *testing.T) {
	h := newHouse(t)
	slow := &waiting{answer: make(chan struct{})}
	h.authenticate(token.Options{Asking: slow})
	var all sync.WaitGroup
	var busy atomic.Int64
	for i := range 40 {
		all.Go(func() {
			_, err := h.auth.Authenticate(from(address(i), "Bearer made-up-made-up-made-up-"+strings.Repeat("x", i/2)))
			if errs.Is(err, errs.Unavailable) && busy.Add(1) == 4*2 {
				close(slow.answer)
			}
		})
	}
	all.Wait()
	// 20 tokens, each brought by two: 16 questions at once, and four that did not get their turn.
	if n := slow.asked.Load(); n != 16 || busy.Load() != 8 {
		t.Errorf("asked %d times, %d were told to come again", n, busy.Load())
	}
}

// Groups and new accounts go by the rules for JWTs of the issuer.
func TestOpaqueTokenMakesAnAccount(t *testing.T) {
	h := asks(t, func(o *config.OIDC) { o.Provision, o.TrustGroups = true, true })
	raw := h.idp.Opaque("new", map[string]any{"email": "new@example.com", "groups": []string{"mlflow", "red"}})
	subject, err := h.auth.Authenticate(from(address(1), "Bearer "+raw))
	if err != nil || subject.Username != "new@example.com" {
		t.Fatalf("%+v, %v", subject, err)
	}
	h.refused(from(address(2), "Bearer "+h.idp.Opaque("stranger", map[string]any{"email": "s@example.com", "groups": []string{"others"}})), errs.Denied)
	without := asks(t, nil)
	without.refused(from(address(1), "Bearer "+without.idp.Opaque("new", map[string]any{"email": "new@example.com", "groups": []string{"mlflow"}})), errs.Unauthenticated)
}
