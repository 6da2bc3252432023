package login_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/devidp"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/token"
)

// Each fault by its name is among those that TestAttackTokenFaults has refused: none gets lost there.
func TestFaultsThatRefuseASignIn(t *testing.T) {
	for _, name := range []string{"wrong-issuer", "wrong-audience", "expired", "not-yet-valid", "issued-in-the-future", "wrong-nonce", "no-nonce", "no-expiry", "no-iat",
		"expiry-as-text", "no-subject", "bad-signature", "alg-none", "alg-hs256", "alg-hs256-public-key", "unknown-kid", "several-audiences-no-azp",
		"several-audiences-wrong-azp", "one-audience-wrong-azp", "azp-as-list", "wrong-at-hash", "no-id-token", "wrong-iss-parameter", "no-iss-parameter"} {
		t.Run(name, func(t *testing.T) {
			if !slices.Contains(devidp.TokenFaults, devidp.Fault(name)) {
				t.Error("no sign-in is tried with it")
			}
		})
	}
}

// keptOf gives what is stored of the one session, and its refresh and ID token.
func (w *world) keptOf() (record session.Record, refresh, id string) {
	w.t.Helper()
	names, err := filepath.Glob(filepath.Join(w.dir, "p_*.json"))
	w.must(err)
	if len(names) != 1 {
		w.t.Fatalf("%d sessions are stored", len(names))
	}
	text, err := os.ReadFile(names[0])
	w.must(err)
	w.must(json.Unmarshal(text, &record))
	keys, err := session.NewKeys(w.secrets)
	w.must(err)
	plain, err := keys.Open("refresh token", record.SealedRefresh)
	w.must(err)
	again, err := keys.Open("id token", record.SealedToken)
	w.must(err)
	return record, string(plain), string(again)
}

// The attack: bring a secret of one kind to the door of another. Each is good at its own door alone.
func TestAttackSecretsAtOtherDoors(t *testing.T) {
	w := newWorld(t, func(w *world) { following(w); w.settings.Audience = "mlflow-api" })
	b := w.browser()
	at := b.begin("/whoami")
	state, begun := b.cookie("mlflow_oidc_signin_"), query(t, at)
	code := query(t, b.choose(at, "s-ann")).Get("code") // which nobody redeems
	b = w.browser()
	b.mustSignIn("s-ann")
	record, refresh, id := w.keptOf()
	names, err := filepath.Glob(filepath.Join(w.dir, "p_*.json"))
	w.must(err)
	personal, hash := token.NewSecret()
	w.must(w.db.SetAccessToken(t.Context(), directory.AccessToken{UserID: record.UserID, Hash: hash, CreatedAt: w.clock.Now(), ExpiresAt: w.clock.Now().Add(time.Hour)}))
	secrets := map[string]string{
		"session id":             b.cookie("session"),
		"session's key":          strings.TrimSuffix(strings.TrimPrefix(filepath.Base(names[0]), "p_"), ".json"),
		"sign-in cookie":         state,
		"state":                  begun.Get("state"),
		"nonce":                  begun.Get("nonce"),
		"challenge":              begun.Get("code_challenge"),
		"code":                   code,
		"ID token":               id,
		"refresh token":          refresh,
		"access token":           w.idp.Token("s-ann", claims{"aud": "mlflow-api"}),
		"logout token":           w.idp.LogoutToken(claims{"sub": "s-ann"}),
		"logout token, as a JWT": w.idp.LogoutTokenAs("JWT", claims{"sub": "s-ann"}),
		"personal token":         personal,
		"client's secret":        w.settings.ClientSecret,
	}
	own := map[string][]string{"session id": {"cookie"}, "access token": {"bearer"}, "logout token": {"logout"}, "logout token, as a JWT": {"logout"},
		"personal token": {"bearer", "basic"}} // which are tested in internal/token
	for kind, secret := range secrets {
		if secret == "" {
			t.Fatalf("there is no %s", kind)
		}
		t.Run(kind, func(t *testing.T) {
			for door, opens := range w.doors() {
				if !slices.Contains(own[kind], door) && opens(secret) {
					t.Errorf("%s opens the door of %s", kind, door)
				}
			}
		})
	}
	doors := w.doors() // and each opens to what it is for, the logout last
	for _, kind := range []string{"session id", "access token", "logout token"} {
		if !doors[own[kind][0]](secrets[kind]) {
			t.Errorf("%s does not open its own door", kind)
		}
	}
}

// doors are where secrets are shown, and whether they open to one.
func (w *world) doors() map[string]func(secret string) bool {
	asks := func(headers ...string) bool {
		return w.browser().get("/whoami", headers...).StatusCode == http.StatusOK
	}
	return map[string]func(string) bool{
		"cookie":            func(secret string) bool { return asks("Cookie", "session="+secret) },
		"cookie of another": func(secret string) bool { return asks("Cookie", "mlflow_oidc_signin_0="+secret+"; token="+secret) },
		"bearer":            func(secret string) bool { return asks("Authorization", "Bearer "+secret) },
		"basic": func(secret string) bool {
			r, _ := http.NewRequest(http.MethodGet, "/", nil) // the address is good
			r.SetBasicAuth("ann@example.com", secret)
			return asks("Authorization", r.Header.Get("Authorization"))
		},
		"address": func(secret string) bool {
			return w.browser().get("/whoami?access_token="+url.QueryEscape(secret)).StatusCode == http.StatusOK
		},
		"logout": func(secret string) bool { status, _ := w.tell(secret); return status == http.StatusOK },
		"sign-in": func(secret string) bool {
			b := w.browser()
			q := query(w.t, b.choose(b.begin("/"), "s-ann"))
			q.Set("code", secret)
			return b.get("/callback?"+q.Encode()).StatusCode < 400 || b.cookie("session") != ""
		},
		"state": func(secret string) bool {
			b := w.browser()
			q := query(w.t, b.choose(b.begin("/"), "s-ann"))
			q.Set("state", secret)
			return b.get("/callback?"+q.Encode()).StatusCode < 400 || b.cookie("session") != ""
		},
	}
}

// The attack (RFC 9700 §4.11.1): have the sign-out lead to another site.
func TestAttackSignOutLeadsElsewhere(t *testing.T) {
	for name, change := range map[string]func(*world){"at the provider": nil, "here alone": withoutDiscovery} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, change)
			for _, to := range []string{"https://evil.example/", "//evil.example", `/\evil.example`, "/%2fevil.example", "https:evil.example", "\t//evil.example"} {
				b := w.browser()
				b.mustSignIn("s-ann")
				q := url.Values{"next": {to}, "rd": {to}, "returnTo": {to}, "post_logout_redirect_uri": {to}}.Encode()
				if page := b.get("/logout?" + q); strings.Contains(page.body, "evil") {
					t.Errorf("the question has %q: %s", to, page.body)
				}
				got := b.do("POST", w.gateway.URL+"/logout?"+q, q, "Origin", w.gateway.URL)
				if strings.Contains(got.leads()+got.Header.Get("Refresh")+got.body, "evil") || got.StatusCode >= http.StatusBadRequest || b.whoami() != "" {
					t.Errorf("%q leads to %d %q", to, got.StatusCode, got.leads())
				}
			}
		})
	}
}

// RFC 9700 §4.12: 303 alone turns a form into a question without one; 307 and 308 would send it on.
func TestRedirectsAreSeeOther(t *testing.T) {
	w := newWorld(t, func(w *world) { w.settings.AutoRedirect = true })
	b := w.browser()
	page, start := b.get("/login"), b.get("/login/start")
	back := b.do("GET", b.choose(start.leads(), "s-ann"), "")
	out := b.do("POST", w.gateway.URL+"/logout", "a=b", "Origin", w.gateway.URL)
	nothing := b.do("POST", w.gateway.URL+"/logout", "a=b", "Origin", w.gateway.URL)
	for name, got := range map[string]answer{"sign-in page": page, "start": start, "callback": back, "sign-out": out, "sign-out of nothing": nothing} {
		if redirected := got.leads() != ""; redirected && got.StatusCode != http.StatusSeeOther || !redirected && name != "sign-out of nothing" {
			t.Errorf("%s: %d to %q", name, got.StatusCode, got.leads())
		}
	}
}

// OpenID Connect Core §3.1.2.1, RFC 9700 §2.1.2 and §2.4: the code flow, with what it needs and nothing else, and no token in an address.
func TestOnlyTheCodeFlowIsAskedFor(t *testing.T) {
	w := newWorld(t, nil)
	b := w.browser()
	q := query(t, b.begin("/"))
	for name := range q {
		if !slices.Contains([]string{"client_id", "response_type", "scope", "redirect_uri", "state", "nonce", "code_challenge", "code_challenge_method"}, name) {
			t.Errorf("the provider is told %s", name)
		}
	}
	if q.Get("response_type") != "code" {
		t.Errorf("response_type %q", q.Get("response_type"))
	}
	id := w.idp.Token("s-ann", claims{"nonce": q.Get("nonce")})
	for name, path := range map[string]string{
		"implicit": "/callback?" + url.Values{"state": {q.Get("state")}, "id_token": {id}, "access_token": {"x"}, "iss": {w.idpURL}}.Encode(),
		"a form":   "/callback",
	} {
		t.Run(name, func(t *testing.T) {
			method, form := "GET", ""
			if name == "a form" { // response_mode=form_post
				method, form = "POST", url.Values{"state": {q.Get("state")}, "id_token": {id}, "code": {"x"}}.Encode()
			}
			if got := b.do(method, w.gateway.URL+path, form); got.StatusCode < 400 {
				t.Errorf("answered with %d", got.StatusCode)
			}
			w.nobody(b)
		})
	}
}

// Over TLS the address that the provider leads back to is https, whatever a client says it came by.
func TestAttackRedirectURIOfAnotherHost(t *testing.T) {
	w := serveWorld(t, httptest.NewTLSServer, nil)
	b := w.browser()
	for _, headers := range [][]string{{"X-Forwarded-Proto", "http"}, {"X-Forwarded-Host", "evil.example"}, {"Forwarded", "host=evil.example;proto=http"}, {"X-Forwarded-Prefix", "/evil"}} {
		if uri := query(t, b.get("/login/start", headers...).leads()).Get("redirect_uri"); uri != w.gateway.URL+"/callback" {
			t.Errorf("with %v the redirect URI is %q", headers, uri)
		}
	}
}

// The attack: sign in with a provider's session that somebody left open, where the settings ask for a fresh one
// (OpenID Connect Core §3.1.2.1).
func TestAttackSignInOfLongAgo(t *testing.T) {
	for name, tc := range map[string]struct {
		at      any // int: seconds from now
		allowed bool
	}{
		"now":                       {0, true},
		"an hour ago":               {-3600, true},
		"an hour ago, by its clock": {-3630, true},
		"more than an hour ago":     {-3631, false},
		"it does not say":           {nil, false},
		"it says something else":    {"now", false},
		"before all calendars":      {-1e300, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(w *world) { w.settings.MaxAge = time.Hour })
			person := ann
			person.Claims = map[string]any{}
			switch at := tc.at.(type) {
			case int:
				person.Claims["auth_time"] = w.clock.Now().Unix() + int64(at)
			default:
				person.Claims["auth_time"] = at
			}
			w.idp.SetPerson(person)
			got := w.browser().signIn("s-ann")
			if allowed := got.StatusCode == http.StatusSeeOther; allowed != tc.allowed {
				t.Errorf("%d %s", got.StatusCode, got.body)
			}
		})
	}
}
