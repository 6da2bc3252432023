package login_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/devidp"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/login"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/token"
)

// heard is what the trials of a world show, in place of what the API makes of it.
type heard struct {
	Provider, Username, Groups, Refused string
	Claims, UserInfo                    map[string]any
	Secrets                             int
}

// mountTrials adds what the API has for trials.
func (w *world) mountTrials(mux *http.ServeMux, in *login.Login, auth *token.Authenticator) {
	in.Judge = func(_ context.Context, provider string, said directory.Heard) ([]byte, error) {
		h := heard{Provider: provider, Username: said.Login.Username, Groups: said.Groups, Claims: said.Claims, UserInfo: said.UserInfo}
		if said.Refused != nil {
			h.Refused = said.Refused.Error()
		}
		for _, secret := range said.Secrets {
			if secret != "" {
				h.Secrets++
			}
		}
		return json.Marshal(h)
	}
	as := func(do func(rw http.ResponseWriter, r *http.Request, by *identity.Subject) ([]byte, error)) http.HandlerFunc {
		return func(rw http.ResponseWriter, r *http.Request) {
			by, err := auth.Authenticate(r)
			if err == nil && by == nil {
				err = errs.New(errs.Unauthenticated, "sign in first")
			}
			var said []byte
			if err == nil {
				said, err = do(rw, r, by)
			}
			if err != nil {
				rw.WriteHeader(httpx.Status(err))
			}
			_, _ = rw.Write(said)
		}
	}
	mux.Handle("GET /try/{provider}", as(func(rw http.ResponseWriter, r *http.Request, by *identity.Subject) ([]byte, error) {
		to, err := in.Begin(rw, r, r.PathValue("provider"), by)
		return []byte(to), err
	}))
	mux.Handle("GET /outcome/{trial}", as(func(_ http.ResponseWriter, r *http.Request, by *identity.Subject) ([]byte, error) {
		return in.Outcome(r.Context(), by, r.PathValue("trial"))
	}))
}

// try begins a trial, and gives the address that the provider leads back to.
func (b *browser) try(provider, subject string) string {
	b.world.t.Helper()
	got := b.get("/try/" + provider)
	if got.StatusCode != http.StatusOK {
		b.world.t.Fatalf("the trial did not begin: %d", got.StatusCode)
	}
	return b.do("POST", got.body, "person="+url.QueryEscape(subject)).leads()
}

// outcome is where a callback leads to that ended a trial.
func (b *browser) outcome(got answer) string {
	b.world.t.Helper()
	id, ok := strings.CutPrefix(got.leads(), "/oidc/ui/providers?trial=")
	if got.StatusCode != http.StatusSeeOther || !ok {
		b.world.t.Fatalf("the trial ended with %d %q: %s", got.StatusCode, got.leads(), got.body)
	}
	return "/outcome/" + id
}

func (b *browser) sees(path string) heard {
	b.world.t.Helper()
	var h heard
	got := b.get(path)
	if got.StatusCode != http.StatusOK || json.Unmarshal([]byte(got.body), &h) != nil {
		b.world.t.Fatalf("the outcome is %d %s", got.StatusCode, got.body)
	}
	return h
}

// same fails where somebody was signed in, or anything stored, since it was called first.
func (w *world) same() func(b *browser, who string) {
	state := func() any {
		counter, err := w.db.Change(w.t.Context())
		w.must(err)
		groups, err := w.db.Groups(w.t.Context())
		w.must(err)
		return []any{counter, len(groups), w.people()}
	}
	before := state()
	return func(b *browser, who string) {
		w.t.Helper()
		if diff := cmp.Diff(before, state()); diff != "" {
			w.t.Errorf("a trial stored something: %s", diff)
		}
		if got := b.whoami(); got != who {
			w.t.Errorf("the browser is signed in as %q, and not as %q", got, who)
		}
	}
}

const rootIs = "root@example.com admin=true"

func TestTrialShowsWhatWasSaidAndChangesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*world)
		subject string
		want    heard
	}{
		"of who would be let in": {nil, "s-ann", heard{Provider: "oidc", Username: "ann@example.com", Groups: "the claim groups", Secrets: 3}},
		"of who would not": {nil, "s-guest", heard{Provider: "oidc", Username: "guest@example.com", Groups: "the claim groups", Secrets: 3,
			Refused: "you are signed in at the identity provider, but in none of the groups that may use MLflow here; ask an administrator to add you to one"}},
		"without discovery":            {withoutDiscovery, "s-ann", heard{Provider: "oidc", Username: "ann@example.com", Groups: "the claim groups", Secrets: 3}},
		"with refresh tokens in use":   {func(w *world) { w.settings.Refresh = true }, "s-ann", heard{Provider: "oidc", Username: "ann@example.com", Groups: "the claim groups", Secrets: 3}},
		"with cookies that are strict": {func(w *world) { w.sameSite = http.SameSiteStrictMode }, "s-ann", heard{Provider: "oidc", Username: "ann@example.com", Groups: "the claim groups", Secrets: 3}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.change)
			b := w.browser()
			if got := b.signIn("s-root"); got.StatusCode >= 400 {
				t.Fatalf("%d %s", got.StatusCode, got.body)
			}
			unchanged := w.same()
			back := b.try("oidc", c.subject)
			got := b.sees(b.outcome(b.do("GET", back, "")))
			said := got.Claims
			if name == "without discovery" { // an ID token is kept from sight there, and never read
				if said != nil {
					t.Errorf("an ID token that nothing vouches for was read: %v", said)
				}
				said = got.UserInfo
			}
			if said["sub"] != c.subject {
				t.Errorf("the claims are %v", got)
			}
			got.Claims, got.UserInfo = nil, nil
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			unchanged(b, rootIs)
		})
	}
}

// The provider is asked who it is, for it is to be tried as others, and for nothing that outlives the trial.
func TestTrialAsksAnew(t *testing.T) {
	w := newWorld(t, func(w *world) { w.settings.Refresh = true })
	b := w.browser()
	b.mustSignIn("s-root")
	asked := query(t, b.get("/try/oidc").body)
	if asked.Get("prompt") != "login" || asked.Has("max_age") || strings.Contains(asked.Get("scope"), "offline") || asked.Has("access_type") {
		t.Errorf("it asks %v", asked)
	}
}

// The attacks: begin a trial without being an administrator in a browser. With a token nobody is shown what comes of it, and a trial of
// a member would be an oracle of what others may do.
func TestAttackTrialBegunByOthers(t *testing.T) {
	w := newWorld(t, nil)
	member, nobody, admin := w.browser(), w.browser(), w.browser()
	member.mustSignIn("s-ann")
	admin.mustSignIn("s-root")
	for _, b := range []*browser{member, nobody} {
		if got := b.get("/try/oidc"); got.StatusCode < 400 || got.body != "" || len(got.Cookies()) > 0 {
			t.Errorf("it begins: %d %s", got.StatusCode, got.body)
		}
	}
	if got := admin.get("/try/nowhere"); got.StatusCode != http.StatusNotFound {
		t.Errorf("at no provider: %d", got.StatusCode)
	}
}

// The attacks: make of a trial a session, or have it end in another browser than the one that began it.
func TestAttackTrialEndsElsewhere(t *testing.T) {
	w := newWorld(t, func(w *world) { second(w) })
	admin, thief, victim := w.browser(), w.browser(), w.browser()
	for b, who := range map[*browser]string{admin: "s-root", victim: "s-ann"} {
		b.do("GET", b.choose(b.beginAt("oidc"), who), "")
	}
	unchanged := w.same()
	const another = "is not signed in here any more"

	back := admin.try("oidc", "s-ann")
	thief.refused(thief.do("GET", back, ""), http.StatusBadRequest, "begun in another browser")
	// with the cookie of the trial in a browser of nobody, and in one of somebody else
	for _, b := range []*browser{thief, victim} {
		b.client.Jar.SetCookies(b.home(), trialCookies(admin))
		b.refused(b.do("GET", back, ""), http.StatusForbidden, another)
	}
	unchanged(thief, "")
	unchanged(victim, "ann@example.com admin=false")

	// at the page of another provider (mix-up)
	mixed := strings.Replace(admin.try("oidc", "s-ann"), "/callback?", "/callback/partner?", 1)
	admin.refused(admin.do("GET", mixed, ""), http.StatusUnauthorized, "not from the identity provider that was asked")

	// the answer to the one with the state of the other, and its cookie under the name of the other
	real, trial := victim.beginAt("oidc"), admin.get("/try/oidc").body
	code := query(t, victim.do("POST", real, "person=s-ann").leads()).Get("code")
	swapped := w.gateway.URL + "/callback?" + url.Values{"code": {code}, "state": {query(t, trial).Get("state")}}.Encode()
	if got := admin.sees(admin.outcome(admin.do("GET", swapped, ""))); got.Refused == "" || got.Username != "" || got.Claims != nil {
		t.Errorf("the code of somebody's sign-in shows %+v", got)
	}
	unchanged(admin, rootIs)
}

// The attacks: end a trial twice, after the administrator has signed out, or is none any more; and see what came of it twice, or as another.
func TestAttackTrialAfterwards(t *testing.T) {
	w := newWorld(t, nil)
	one, two := w.browser(), w.browser()
	one.mustSignIn("s-root")
	two.mustSignIn("s-root")
	unchanged := w.same()
	back := one.try("oidc", "s-ann")
	cookies := trialCookies(one)
	path := one.outcome(one.do("GET", back, ""))
	if got := two.get(path); got.StatusCode != http.StatusNotFound {
		t.Errorf("another session of the same administrator sees %d %s", got.StatusCode, got.body)
	}
	one.sees(path)
	if got := one.get(path); got.StatusCode != http.StatusNotFound {
		t.Errorf("it is seen twice: %d %s", got.StatusCode, got.body)
	}
	one.client.Jar.SetCookies(one.home(), cookies) // which was kept
	one.refused(one.do("GET", back, ""), http.StatusBadRequest, "has ended already")

	path = one.outcome(one.do("GET", one.try("oidc", "s-ann"), ""))
	w.clock.Advance(6 * time.Minute)
	w.idpClock.Advance(6 * time.Minute)
	if got := one.get(path); got.StatusCode != http.StatusNotFound {
		t.Errorf("it is seen later: %d %s", got.StatusCode, got.body)
	}
	unchanged(one, rootIs)

	back = one.try("oidc", "s-root")
	one.do("POST", w.gateway.URL+"/logout", "", "Origin", w.gateway.URL)
	one.refused(one.do("GET", back, ""), http.StatusForbidden, "nobody was signed in by it")
	if who := one.whoami(); who != "" {
		t.Errorf("a trial has signed %q in", who)
	}

	back = two.try("oidc", "s-ann")
	w.idp.SetPerson(devidp.Person{Subject: root.Subject, Username: root.Username, Email: root.Email, Name: root.Name, Groups: []string{"mlflow"}})
	w.browser().mustSignIn("s-root") // who is no administrator from now on
	two.refused(two.do("GET", back, ""), http.StatusForbidden, "not signed in here any more")
}

// Where browsers keep a strict cookie back from the provider's redirect, the trial ends without it; and what came of it is for the session
// that began it all the same.
func TestAttackTrialWithStrictCookies(t *testing.T) {
	w := newWorld(t, func(w *world) { w.sameSite = http.SameSiteStrictMode })
	admin, bare, member := w.browser(), w.browser(), w.browser()
	admin.signIn("s-root")
	member.signIn("s-ann")
	back := admin.try("oidc", "s-guest")
	bare.client.Jar.SetCookies(bare.home(), trialCookies(admin)) // as the browser sends them then
	path := bare.outcome(bare.do("GET", back, ""))
	for _, b := range []*browser{bare, member} {
		if got := b.get(path); got.StatusCode < 400 || got.body != "" {
			t.Errorf("somebody else sees %d %s", got.StatusCode, got.body)
		}
	}
	if got := admin.sees(path); got.Username != "guest@example.com" {
		t.Errorf("%+v", got)
	}
	if who := bare.whoami(); who != "" {
		t.Errorf("a trial has signed %q in", who)
	}
}

// What is kept for the administrator is sealed: whoever reads the folder of sessions reads no claims.
func TestAttackTrialInTheStoreRead(t *testing.T) {
	w := newWorld(t, nil)
	b := w.browser()
	b.mustSignIn("s-root")
	b.outcome(b.do("GET", b.try("oidc", "s-ann"), ""))
	names, err := filepath.Glob(filepath.Join(w.dir, "*"))
	w.must(err)
	for _, name := range names {
		text, err := os.ReadFile(name)
		w.must(err)
		if bytes.Contains(text, []byte("ann@example.com")) || bytes.Contains(text, []byte("Ann Lee")) {
			t.Errorf("%s holds %s", name, text)
		}
	}
}

// trialCookies are those of trials and sign-ins under way.
func trialCookies(b *browser) []*http.Cookie {
	var all []*http.Cookie
	for _, c := range b.client.Jar.Cookies(b.home()) {
		if strings.HasPrefix(c.Name, "mlflow_oidc_signin_") {
			all = append(all, c)
		}
	}
	return all
}

// beginAt starts a sign-in at one of several providers.
func (b *browser) beginAt(provider string) string {
	b.world.t.Helper()
	return b.get("/login/" + provider + "?next=/whoami").leads()
}
