package login_test

import (
	"errors"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/devidp"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/login"
)

// notVerified is what the page of no other trouble says the most often.
const notVerified = "The identity provider says that your e-mail address is not verified; verify it there, or ask an administrator to take the username from another claim (OIDC_USERNAME_FIELD)."

// Every way in which a sign-in ends without a session has a page that says what happened, what can be done, and which request it was, and
// leads on to the page that was asked for. The attacks: have a page say what an address says, which groups may sign in, or more of an account
// than its own person may know.
func TestPagesOfTroubles(t *testing.T) {
	answered := func(code string) func(*world, *browser) answer {
		return func(w *world, b *browser) answer {
			q := query(w.t, b.choose(b.begin("/whoami"), "s-ann"))
			q.Set("error", code)
			q.Set("error_description", "Call-0800-EVIL")
			return b.get("/callback?" + q.Encode())
		}
	}
	faulty := func(fault devidp.Fault) func(*world, *browser) answer {
		return func(w *world, b *browser) answer {
			w.idp.SetFaults(fault)
			defer w.idp.SetFaults()
			return b.do("GET", b.choose(b.begin("/whoami"), "s-ann"), "")
		}
	}
	const next, again, other, back = "next=%2Fwhoami", ">Try again</a>", ">Sign in as somebody else</a>", ">Back to the sign-in page</a>"
	for name, c := range map[string]struct {
		change func(*world)
		do     func(*world, *browser) answer
		status int
		says   []string
	}{
		"in no group": {do: func(_ *world, b *browser) answer { return b.signIn("s-guest") },
			status: 403, says: []string{"You may not use MLflow here", "guest@example.com", other, "other=1", next}},
		"deactivated": {do: func(w *world, b *browser) answer {
			w.browser().mustSignIn("s-ann")
			w.must(w.db.SetActive(w.t.Context(), "ann@example.com", false))
			return b.signIn("s-ann")
		}, status: 403, says: []string{"Your account is deactivated", "ann@example.com", "Ask an administrator", other}},
		"name of another account": {do: func(w *world, b *browser) answer {
			w.browser().mustSignIn("s-ann")
			w.idp.SetPerson(devidp.Person{Subject: "s-evil", Email: "ANN@example.com", Groups: []string{"mlflow"}})
			return b.signIn("s-evil")
		}, status: 409, says: []string{"Your name belongs to somebody else here", "ann@example.com", "has to link them"}},
		"name of a service account": {do: func(w *world, b *browser) answer {
			_, err := w.db.CreateUser(w.t.Context(), directory.User{Username: "ann@example.com", Service: true, ManagedBy: directory.Manual})
			w.must(err)
			return b.signIn("s-ann")
		}, status: 409, says: []string{"Your name belongs to somebody else here", "ann@example.com", "has to link them"}},
		"an address that is not verified": {do: func(w *world, b *browser) answer {
			w.idp.SetPerson(changed(ann, func(p *devidp.Person) { p.Claims = map[string]any{"email_verified": false} }))
			return b.signIn("s-ann")
		}, status: 403, says: []string{"You are not signed in", notVerified, other}},
		"provider down": {do: func(w *world, b *browser) answer {
			w.idpDown.Store(true)
			return b.get("/login/start?next=/whoami")
		}, status: 503, says: []string{"The identity provider cannot be reached", "Sign in with &lt;Example&gt;", again, back, next}},
		"token endpoint down":        {do: faulty(devidp.TokensDown), status: 503, says: []string{"The identity provider cannot be reached", again, next}},
		"provider says it is down":   {do: answered("temporarily_unavailable"), status: 503, says: []string{"The identity provider cannot be reached", again}},
		"cancelled by the person":    {do: answered("access_denied"), status: 403, says: []string{"The identity provider did not sign you in", again, other}},
		"an error that nobody knows": {do: answered("<script>alert(1)</script>"), status: 403, says: []string{"The identity provider did not sign you in"}},
		"request not taken":          {do: answered("unauthorized_client"), status: 403, says: []string{"Signing in is not set up right", "For administrators"}},
		"wrong client secret": {change: func(w *world) { w.settings.ClientSecret = "another-secret" },
			do: func(_ *world, b *browser) answer { return b.signIn("s-ann") }, status: 401, says: []string{"Signing in is not set up right", "For administrators"}},
		"code used before": {do: func(_ *world, b *browser) answer {
			q := query(b.world.t, b.choose(b.begin("/whoami"), "s-ann"))
			q.Set("code", "x")
			return b.get("/callback?" + q.Encode())
		}, status: 401, says: []string{"The identity provider refused the sign-in", next}},
		"state expired": {do: func(w *world, b *browser) answer {
			to := b.choose(b.begin("/whoami"), "s-ann")
			w.clock.Advance(11 * time.Minute)
			return b.do("GET", to, "")
		}, status: 400, says: []string{"This sign-in took too long", ">Sign in again</a>", "/login/start?" + next}},
		"state unknown": {do: func(_ *world, b *browser) answer {
			b.begin("/whoami")
			return b.get("/callback?state=x&code=y")
		}, status: 400, says: []string{"This sign-in is over", ">Sign in again</a>"}},
		"state unknown, and signed in": {do: func(_ *world, b *browser) answer {
			b.mustSignIn("s-ann")
			return b.get("/callback?state=x&code=y")
		}, status: 400, says: []string{"This sign-in is over", ">Go on to MLflow</a>"}},
		"no cookie":           {do: func(_ *world, b *browser) answer { return b.get("/callback?state=x&code=y") }, status: 400, says: []string{"Your browser sent no cookie", "TRUSTED_PROXIES"}},
		"token of the future": {do: faulty(devidp.IssuedInFuture), status: 401, says: []string{"The clocks of this server and of the identity provider differ", again}},
		"token that expired":  {do: faulty(devidp.Expired), status: 401, says: []string{"The clocks of this server and of the identity provider differ"}},
		"token of another":    {do: faulty(devidp.WrongAudience), status: 401, says: []string{"The identity provider&#39;s answer was not accepted", again}},
		"sign-out from another site": {do: func(w *world, b *browser) answer {
			b.mustSignIn("s-ann")
			return b.do("POST", w.gateway.URL+"/logout", "", "Origin", "https://evil.example")
		}, status: 403, says: []string{"This came from another site", ">Go on to MLflow</a>"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.change)
			got := c.do(w, w.browser())
			for _, words := range append(c.says, "Request <code>request-7</code>", "<h1>") {
				if !strings.Contains(got.body, words) {
					t.Errorf("the page lacks %q", words)
				}
			}
			if got.StatusCode != c.status || got.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%d %v", got.StatusCode, got.Header)
			}
			for _, secret := range []string{"EVIL", "alert(1)", "client-secret", "another-secret", "mlflow-admin", "service account", "<nil>"} {
				if strings.Contains(got.body, secret) {
					t.Errorf("the page says %q", secret)
				}
			}
			if t.Failed() {
				t.Log(got.body)
			}
		})
	}
}

// A program gets troubles as before, in MLflow's form.
func TestTroublesOfPrograms(t *testing.T) {
	w := newWorld(t, nil)
	for _, path := range []string{"/callback?state=x", "/login/nobody"} {
		got := w.browser().get(path, "Accept", "application/json")
		if !strings.Contains(got.body, `"error_code"`) || got.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %s", path, got.body)
		}
	}
	if got := w.browser().get("/login/nobody?next=/whoami", "Accept", "text/html"); got.StatusCode != 404 || !strings.Contains(got.body, "There is no such identity provider") ||
		!strings.Contains(got.body, "/login?next=%2Fwhoami") {
		t.Errorf("a person gets %d %s", got.StatusCode, got.body)
	}
}

func TestTooManyAttemptsSayHowLong(t *testing.T) {
	err := errs.Later(90*time.Second, "too many failed attempts; try again in a while")
	if got := login.TroubleOf(err); got.Title != "Too many attempts" || got.Words != "Too many failed attempts; try again in a while." {
		t.Errorf("%+v", got)
	}
}

// What nobody has foreseen says nothing of its cause.
func TestAttackUnforeseenErrorsStayInside(t *testing.T) {
	for _, err := range []error{errors.New("dial tcp 10.0.0.7: password"), errs.Wrap(errs.Internal, errors.New("password"), "10.0.0.7"),
		errs.Wrap(errs.Unavailable, errors.New("10.0.0.7: password"), "the users database cannot be reached"), errs.Wrap(errs.Denied, errors.New("password"), "no")} {
		if got := login.TroubleOf(err); strings.Contains(got.Words, "10.0.0.7") || strings.Contains(got.Words, "password") || got.Title == "" || got.Words == "" {
			t.Errorf("%v: %+v", err, got)
		}
	}
}

// Somebody else can sign in than who is signed in at the provider.
func TestSignInAsSomebodyElse(t *testing.T) {
	w := newWorld(t, nil)
	b := w.browser()
	if prompt := query(t, b.get("/login/start?next=/&other=1").leads()).Get("prompt"); prompt != "select_account" {
		t.Errorf("prompt %q", prompt)
	}
	if prompt := query(t, b.get("/login/start?next=/").leads()); prompt.Has("prompt") {
		t.Errorf("without being asked for: %v", prompt)
	}
}

// Two session cookies are no sign-in, however often one signs in: the page says what to do.
func TestTwoSessionCookies(t *testing.T) {
	w := newWorld(t, nil)
	if got := w.browser().get("/login", "Cookie", "session=a; session=b"); !strings.Contains(got.body, "delete this site&#39;s cookies") {
		t.Errorf("%s", got.body)
	}
}

// The documentation has every page of a trouble, in its own words.
func TestTroublesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "\n"+notVerified+"\n") {
		t.Errorf("docs/troubleshooting.md lacks\n\n%s", notVerified)
	}
	for _, row := range login.Troubles() {
		if !strings.Contains(string(text), "### "+row.Title+"\n") || !strings.Contains(string(text), row.Words) || !strings.Contains(string(text), row.Admin) {
			t.Errorf("docs/troubleshooting.md lacks\n\n### %s\n\n%s\n\n%s", row.Title, row.Words, row.Admin)
		}
	}
}

// Whatever asks for a page to come to, the links of a page lead nowhere else.
func TestAttackNextOfATrouble(t *testing.T) {
	w := newWorld(t, nil)
	for _, next := range []string{"//evil.example", "https://evil.example", `/\evil.example`, "javascript:alert(1)"} {
		w.idpDown.Store(true)
		got := w.browser().get("/login/start?next=" + url.QueryEscape(next))
		if got.StatusCode != http.StatusServiceUnavailable || strings.Contains(got.body, "evil") || strings.Contains(got.body, "alert(") {
			t.Errorf("%s: %s", next, got.body)
		}
	}
}
