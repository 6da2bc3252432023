package login_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/devidp"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
)

func TestSignInStoresWhoAndLeadsBack(t *testing.T) {
	w := newWorld(t, nil)
	b := w.browser()
	if says := status(t, b); says["authenticated"] != false || says["username"] != nil {
		t.Errorf("before signing in the status is %v", says)
	}
	page := b.get("/login?next=/whoami?x=1")
	if !strings.Contains(page.body, "Sign in with &lt;Example&gt;") || !strings.Contains(page.body, `href="/login/start?next=%2fwhoami%3fx%3d1"`) &&
		!strings.Contains(page.body, `href="/login/start?next=%2Fwhoami%3Fx%3D1"`) {
		t.Errorf("the sign-in page is %s", page.body)
	}
	b.mustSignIn("s-ann")
	if who := b.whoami(); who != "ann@example.com admin=false" {
		t.Errorf("signed in as %q", who)
	}
	ann := w.people()["ann@example.com"]
	if ann.DisplayName != "Ann Lee" || ann.Admin || !ann.Active {
		t.Errorf("stored %+v", ann)
	}
	if diff := cmp.Diff([]string{"mlflow", "red"}, w.groups("ann@example.com")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]any{"authenticated": true, "username": "ann@example.com", "provider": w.settings.DisplayName}, status(t, b)); diff != "" {
		t.Error(diff)
	}
	if _, err := w.db.UserByIdentity(t.Context(), directory.Identity{Provider: w.idpURL, Subject: "s-ann"}); err != nil {
		t.Errorf("the person is not known by issuer and subject: %v", err)
	}
}

func TestRequestToTheProvider(t *testing.T) {
	w := newWorld(t, nil)
	b := w.browser()
	first, second := query(t, b.begin("/")), query(t, b.begin("/"))
	for name, want := range map[string]string{"response_type": "code", "client_id": "gateway", "code_challenge_method": "S256",
		"redirect_uri": w.gateway.URL + "/callback", "scope": "openid email profile"} {
		if first.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, first.Get(name), want)
		}
	}
	for _, name := range []string{"state", "nonce", "code_challenge"} {
		if len(first.Get(name)) < 43 || first.Get(name) == second.Get(name) {
			t.Errorf("%s is %q, then %q: it must be random", name, first.Get(name), second.Get(name))
		}
	}
}

func query(t *testing.T, address string) url.Values {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

func TestRestartKeepsPeopleSignedIn(t *testing.T) {
	w := newWorld(t, nil)
	b := w.browser()
	b.mustSignIn("s-ann")
	w.restart()
	if who := b.whoami(); who != "ann@example.com admin=false" {
		t.Errorf("after a restart signed in as %q", who)
	}
}

func TestSignInOverARestart(t *testing.T) {
	w := newWorld(t, nil)
	b := w.browser()
	back := b.choose(b.begin("/whoami"), "s-ann")
	w.secrets = []string{"the-second-secret-key", "the-first-secret-key"} // rotated meanwhile
	w.restart()
	if got := b.do("GET", back, ""); got.leads() != "/whoami" {
		t.Errorf("with the old secret second the sign-in gave %d %s", got.StatusCode, got.body)
	}
	back = b.choose(b.begin("/whoami"), "s-ann")
	w.secrets = []string{"the-third-secret-key"}
	w.restart()
	b.refused(b.do("GET", back, ""), http.StatusBadRequest, "start again")
}

func TestTwoTabsAtOnce(t *testing.T) {
	w := newWorld(t, nil)
	b := w.browser()
	one, two := b.begin("/whoami?tab=1"), b.begin("/whoami?tab=2")
	if got := b.do("GET", b.choose(two, "s-ann"), ""); got.leads() != "/whoami?tab=2" {
		t.Errorf("the second tab came to %q: %s", got.leads(), got.body)
	}
	if got := b.do("GET", b.choose(one, "s-ann"), ""); got.leads() != "/whoami?tab=1" {
		t.Errorf("the first tab came to %q: %s", got.leads(), got.body)
	}
}

// Abandoned sign-ins must not pile up in the cookies of every later request, nor push out the newest.
func TestManyTabsKeepTheNewest(t *testing.T) {
	w := newWorld(t, nil)
	b := w.browser()
	oldest := b.begin("/whoami")
	var newest string
	for range 9 {
		newest = b.begin("/whoami")
	}
	if n := len(b.client.Jar.Cookies(b.home())); n > 5 {
		t.Errorf("%d cookies of sign-ins under way", n)
	}
	b.refused(b.do("GET", b.choose(oldest, "s-ann"), ""), http.StatusBadRequest, "start again")
	if got := b.do("GET", b.choose(newest, "s-ann"), ""); got.leads() != "/whoami" {
		t.Errorf("the newest tab came to %q: %s", got.leads(), got.body)
	}
}

// The attack: send people to another site out of a sign-in that looks like ours.
func TestAttackOpenRedirect(t *testing.T) {
	w := newWorld(t, nil)
	for _, next := range []string{"https://evil.example/", "//evil.example", `/\evil.example`, `\\evil.example`, "/%5cevil.example", "/%2f/evil.example", "///evil.example",
		"javascript:alert(1)", "\t//evil.example", "/\t/evil.example", "/ok\r\nSet-Cookie: a=b", "http:evil.example", "@evil.example",
		"/" + strings.Repeat("x", 5000)} {
		b := w.browser()
		page := b.get("/login?next=" + url.QueryEscape(next))
		if strings.Contains(page.body, "evil") {
			t.Errorf("the page for %q is %s", next, page.body)
		}
		if got := b.do("GET", b.choose(b.begin(next), "s-ann"), ""); got.leads() != "/" || got.Header.Get("Set-Cookie") == "a=b" {
			t.Errorf("%q leads to %q", next, got.leads())
		}
	}
}

// Whoever asks for a page gets to it, with what no server sees of its address; and who asks for none to the one that is set.
func TestPageAfterSigningIn(t *testing.T) {
	w := newWorld(t, func(w *world) { w.landing = "/oidc/ui/" })
	for next, want := range map[string]string{"": "/oidc/ui/", "/": "/", "/oidc/ui/tokens": "/oidc/ui/tokens",
		"/#/experiments/1": "/#/experiments/1", "/?workspace=a#/experiments/1/runs?searchFilter=metrics.%22a%22%20%3E%201&x=[1]": "/?workspace=a#/experiments/1/runs?searchFilter=metrics.%22a%22%20%3E%201&x=[1]",
		"https://evil.example/": "/", "/" + strings.Repeat("x", 5000): "/"} {
		b := w.browser()
		if got := b.do("GET", b.choose(b.begin(next), "s-ann"), ""); got.leads() != want {
			t.Errorf("%q leads to %q", next, got.leads())
		}
	}
}

// The attack: use an answer of the provider twice.
func TestAttackAnswerReplayed(t *testing.T) {
	w := newWorld(t, nil)
	b := w.browser()
	back := b.choose(b.begin("/whoami"), "s-ann")
	kept := b.client.Jar.Cookies(b.home()) // a copy of the state, from before it was used
	if got := b.do("GET", back, ""); got.leads() != "/whoami" {
		t.Fatalf("%d %s", got.StatusCode, got.body)
	}
	b.refused(b.do("GET", back, ""), http.StatusBadRequest, "start again")
	thief := w.browser()
	thief.client.Jar.SetCookies(b.home(), kept)
	thief.refused(thief.do("GET", back, ""), http.StatusUnauthorized, "start again")
	if thief.whoami() != "" {
		t.Error("a code that was used signs in again")
	}
}

// The attack (login CSRF): make a victim finish a sign-in that the attacker began, and work in the attacker's account.
func TestAttackSignInBegunInAnotherBrowser(t *testing.T) {
	w := newWorld(t, nil)
	attacker, victim := w.browser(), w.browser()
	back := attacker.choose(attacker.begin("/"), "s-guest")
	victim.refused(victim.do("GET", back, ""), http.StatusBadRequest, "begun in another browser")
	victim.begin("/") // also with a sign-in of its own under way
	victim.refused(victim.do("GET", back, ""), http.StatusBadRequest, "begun in another browser")
	w.nobody(victim)
}

// The attack (code injection, RFC 9700 §4.5): use a stolen code in a sign-in of one's own. PKCE is what stops it, and so it
// has to without ID tokens too.
func TestAttackStolenCode(t *testing.T) {
	for name, change := range map[string]func(*world){"with discovery": nil, "without discovery": withoutDiscovery} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, change)
			victim, attacker := w.browser(), w.browser()
			stolen := query(t, victim.choose(victim.begin("/"), "s-root")).Get("code")
			own := query(t, attacker.choose(attacker.begin("/"), "s-ann"))
			own.Set("code", stolen)
			attacker.refused(attacker.get("/callback?"+own.Encode()), http.StatusUnauthorized, "refused the sign-in")
			w.nobody(attacker)
		})
	}
}

// The attack: change the state in the cookie, to lead elsewhere or to take a verifier that one knows.
func TestAttackStateTampered(t *testing.T) {
	w := newWorld(t, nil)
	for name, change := range map[string]func(string) string{
		"a bit":        func(v string) string { return v[:20] + string(v[20]^1) + v[21:] },
		"cut":          func(v string) string { return v[:len(v)/2] },
		"empty":        func(string) string { return "" },
		"not base64":   func(string) string { return "!!!" },
		"in the clear": func(string) string { return "eyJzdGF0ZSI6IngifQ" },
	} {
		t.Run(name, func(t *testing.T) {
			b := w.browser()
			back := b.choose(b.begin("/"), "s-ann")
			for _, c := range b.client.Jar.Cookies(b.home()) {
				b.client.Jar.SetCookies(b.home(), []*http.Cookie{{Name: c.Name, Value: change(c.Value), Path: "/"}})
			}
			b.refused(b.do("GET", back, ""), http.StatusBadRequest, "start again")
			w.nobody(b)
		})
	}
}

// The attack: bring the state of one sign-in under the name of another.
func TestAttackStateOfAnotherSignIn(t *testing.T) {
	w := newWorld(t, nil)
	b := w.browser()
	b.begin("/")
	first := b.client.Jar.Cookies(b.home())[0]
	back := b.choose(b.begin("/"), "s-ann")
	for _, c := range b.client.Jar.Cookies(b.home()) {
		b.client.Jar.SetCookies(b.home(), []*http.Cookie{{Name: c.Name, Value: first.Value, Path: "/"}})
	}
	b.refused(b.do("GET", back, ""), http.StatusBadRequest, "start again")
	w.nobody(b)
}

func TestAnswersThatAreNone(t *testing.T) {
	w := newWorld(t, nil)
	for name, change := range map[string]func(url.Values){
		"no state":    func(q url.Values) { q.Del("state") },
		"two states":  func(q url.Values) { q.Add("state", q.Get("state")) },
		"other state": func(q url.Values) { q.Set("state", "x") },
		"no code":     func(q url.Values) { q.Del("code") },
		"two codes":   func(q url.Values) { q.Add("code", q.Get("code")) },
		"two issuers": func(q url.Values) { q.Add("iss", q.Get("iss")) },
	} {
		t.Run(name, func(t *testing.T) {
			b := w.browser()
			q := query(t, b.choose(b.begin("/"), "s-ann"))
			change(q)
			b.refused(b.get("/callback?"+q.Encode()), http.StatusBadRequest, "")
			w.nobody(b)
		})
	}
}

func TestStateExpires(t *testing.T) {
	w := newWorld(t, nil)
	b := w.browser()
	at := b.begin("/")
	w.clock.Advance(10*time.Minute + time.Second)
	w.idpClock.Advance(10*time.Minute + time.Second)
	b.refused(b.do("GET", b.choose(at, "s-ann"), ""), http.StatusBadRequest, "expired")
	w.nobody(b)
}

// The attack (session fixation): plant a session in the victim's browser, and use it once the victim has signed in.
func TestAttackFixation(t *testing.T) {
	w := newWorld(t, nil)
	attacker, victim := w.browser(), w.browser()
	attacker.mustSignIn("s-ann")
	planted := attacker.cookie("session")
	victim.client.Jar.SetCookies(victim.home(), []*http.Cookie{{Name: "session", Value: planted, Path: "/"}})
	victim.mustSignIn("s-root")
	if victim.cookie("session") == planted {
		t.Error("signing in kept the planted session")
	}
	if who := attacker.whoami(); who != "" {
		t.Errorf("the planted session is %q", who)
	}
	if who := victim.whoami(); who != "root@example.com admin=true" {
		t.Errorf("the victim is %q", who)
	}
	if n := w.sessionFiles(); n != 1 {
		t.Errorf("%d sessions", n)
	}
}

func TestCookies(t *testing.T) {
	for name, tc := range map[string]struct {
		serve  func(http.Handler) *httptest.Server
		secure bool
		prefix string
	}{
		"plain": {httptest.NewServer, false, ""},
		"TLS":   {httptest.NewTLSServer, true, "__Host-"},
	} {
		t.Run(name, func(t *testing.T) {
			w := serveWorld(t, tc.serve, nil)
			b := w.browser()
			started := b.get("/login/start")
			finished := b.do("GET", b.choose(started.leads(), "s-ann"), "")
			seen := map[string]bool{}
			for _, c := range append(started.Cookies(), finished.Cookies()...) {
				if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Secure != tc.secure || c.Path != "/" || c.Domain != "" {
					t.Errorf("cookie %s", c.Raw)
				}
				seen["session"] = seen["session"] || c.Name == tc.prefix+"session"
				seen["state"] = seen["state"] || strings.HasPrefix(c.Name, tc.prefix+"mlflow_oidc_signin_")
			}
			if !seen["session"] || !seen["state"] {
				t.Errorf("cookies %v", seen)
			}
			if b.cookie(tc.prefix+"mlflow_oidc_signin_") != "" {
				t.Error("the state outlives its use")
			}
		})
	}
}

// A strict cookie is not sent along redirects that another site began: the answer has to be a page.
func TestStrictCookieLandsOnAPage(t *testing.T) {
	w := newWorld(t, func(w *world) { w.sameSite = http.SameSiteStrictMode })
	b := w.browser()
	got := b.signIn("s-ann")
	if got.StatusCode != http.StatusOK || got.Header.Get("Refresh") != "0; url=/whoami" || !strings.Contains(got.body, `href="/whoami"`) {
		t.Errorf("%d, refresh %q: %s", got.StatusCode, got.Header.Get("Refresh"), got.body)
	}
	if b.whoami() == "" {
		t.Error("not signed in")
	}
}

func TestAutomaticRedirect(t *testing.T) {
	w := newWorld(t, func(w *world) { w.settings.AutoRedirect = true })
	b := w.browser()
	got := b.get("/login?next=/whoami")
	if got.StatusCode != http.StatusSeeOther || got.leads() != "/login/start?next=%2Fwhoami" {
		t.Fatalf("%d %q", got.StatusCode, got.leads())
	}
	if at := b.get(got.leads()).leads(); !strings.HasPrefix(at, w.idpURL+"/authorize?") {
		t.Errorf("leads to %q", at)
	}
	got = w.browser().get("/login?next=//evil.example")
	if got.leads() != "/login/start?next=%2F" {
		t.Errorf("leads to %q", got.leads())
	}
}

func TestFixedRedirectURI(t *testing.T) {
	w := newWorld(t, func(w *world) { w.settings.RedirectURI = w.gateway.URL + "/callback" })
	b := w.browser()
	got := b.do("GET", w.gateway.URL+"/login/start", "")
	if uri := query(t, got.leads()).Get("redirect_uri"); uri != w.gateway.URL+"/callback" {
		t.Errorf("redirect_uri %q", uri)
	}
	b.mustSignIn("s-ann")
}

func TestDeactivatedAccount(t *testing.T) {
	w := newWorld(t, nil)
	b := w.browser()
	b.mustSignIn("s-ann")
	w.must(w.db.SetActive(t.Context(), "ann@example.com", false))
	if who := b.whoami(); who != "" {
		t.Errorf("a deactivated account goes on as %q", who)
	}
	other := w.browser()
	other.refused(other.signIn("s-ann"), http.StatusForbidden, "deactivated")
	if other.cookie("session") != "" {
		t.Error("a deactivated account got a session")
	}
}

func TestRenamedPersonStaysTheSame(t *testing.T) {
	w := newWorld(t, nil)
	w.browser().mustSignIn("s-ann")
	before := w.people()["ann@example.com"]
	w.idp.SetPerson(devidp.Person{Subject: "s-ann", Email: "ann.smith@example.com", Name: "Ann Smith", Groups: []string{"mlflow"}})
	w.browser().mustSignIn("s-ann")
	people := w.people()
	if after := people["ann.smith@example.com"]; len(people) != 1 || after.ID != before.ID || after.DisplayName != "Ann Smith" {
		t.Errorf("people %v", people)
	}
}

// The attack: change one's address at the provider to somebody else's.
func TestAttackTakenUsername(t *testing.T) {
	w := newWorld(t, nil)
	w.browser().mustSignIn("s-ann")
	w.idp.SetPerson(devidp.Person{Subject: "s-evil", Email: "ANN@example.com", Name: "Evil", Groups: []string{"mlflow-admin"}})
	b := w.browser()
	b.refused(b.signIn("s-evil"), http.StatusConflict, "belongs to another account")
	if b.whoami() != "" || w.people()["ann@example.com"].Admin {
		t.Error("a second subject was let in as the first")
	}
}

func TestAdminComesAndGoes(t *testing.T) {
	w := newWorld(t, nil)
	b := w.browser()
	b.mustSignIn("s-root")
	if who := b.whoami(); who != "root@example.com admin=true" {
		t.Fatalf("signed in as %q", who)
	}
	demoted := root
	demoted.Groups = []string{"mlflow"}
	w.idp.SetPerson(demoted)
	b.mustSignIn("s-root")
	if who := b.whoami(); who != "root@example.com admin=false" {
		t.Errorf("without the admin group signed in as %q", who)
	}
	if diff := cmp.Diff([]string{"mlflow"}, w.groups("root@example.com")); diff != "" {
		t.Error(diff)
	}
}

func TestPages(t *testing.T) {
	w := newWorld(t, nil)
	b := w.browser()
	b.mustSignIn("s-ann")
	for name, page := range map[string]answer{"sign-in": b.get("/login"), "refusal": b.get("/callback"), "sign-out": b.get("/logout")} {
		for header, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
			"Content-Type": "text/html; charset=utf-8", "Referrer-Policy": "same-origin"} {
			if got := page.Header.Get(header); got != want {
				t.Errorf("%s: %s is %q, want %q", name, header, got, want)
			}
		}
		policy := page.Header.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "style-src 'sha256-", "script-src 'sha256-"} {
			if !strings.Contains(policy, part) {
				t.Errorf("%s: the policy %q lacks %q", name, policy, part)
			}
		}
		if strings.Contains(policy, "unsafe") || strings.Count(page.body, "<script") != 1 || strings.Contains(page.body, " style=") {
			t.Errorf("%s: policy %q: %s", name, policy, page.body)
		}
	}
}
