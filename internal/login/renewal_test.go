package login_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/devidp"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/login"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session"
	redisstore "github.com/mlflow-oidc/mlflow-oidc-auth/internal/session/redis"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session/sessiontest"
)

// following has sessions follow the provider, whose tokens are good for devidp.Life.
func following(w *world) { w.settings.Refresh, w.settings.RefreshLeeway = true, 30*time.Second }

// later moves both clocks on.
func (w *world) later(by time.Duration) {
	w.clock.Advance(by)
	w.idpClock.Advance(by)
}

func changed(person devidp.Person, change func(*devidp.Person)) devidp.Person {
	change(&person)
	return person
}

func TestSessionFollowsTheProvider(t *testing.T) {
	w := newWorld(t, following)
	b := w.browser()
	b.mustSignIn("s-ann")
	w.idp.SetPerson(changed(ann, func(p *devidp.Person) { p.Groups = []string{"mlflow", "mlflow-admin", "green"} }))
	w.later(devidp.Life - 31*time.Second)
	if got := b.whoami(); got != "ann@example.com admin=false" || w.idp.Refreshes() != 0 {
		t.Errorf("before the leeway: %q, refreshed %d times", got, w.idp.Refreshes())
	}
	w.later(time.Second)
	if got := b.whoami(); got != "ann@example.com admin=true" || w.idp.Refreshes() != 1 {
		t.Errorf("in the leeway: %q, refreshed %d times", got, w.idp.Refreshes())
	}
	if diff := cmp.Diff([]string{"green", "mlflow", "mlflow-admin"}, w.groups("ann@example.com")); diff != "" {
		t.Error(diff)
	}
	w.idp.SetPerson(ann)
	for n := range 5 { // each with the token that the one before gave
		w.later(devidp.Life)
		if got := b.whoami(); got != "ann@example.com admin=false" || w.idp.Refreshes() != n+2 {
			t.Fatalf("renewal %d: %q, refreshed %d times", n, got, w.idp.Refreshes())
		}
	}
}

// A thousand requests at once must not look like a stolen refresh token, nor cost more than one call: at two replicas, with
// each of the stores. None of them is told to sign in again meanwhile.
func TestOneRefreshForAThousandRequests(t *testing.T) {
	for name, keep := range map[string]func(w *world) session.Store{
		"filesystem": func(*world) session.Store { return nil },
		"database":   func(w *world) session.Store { return w.db.Sessions(w.clock.Now) },
		"redis": func(w *world) session.Store {
			address, _ := sessiontest.Redis(w.t, "--port", sessiontest.Port)
			kept := redisstore.New(redis.NewClient(&redis.Options{Addr: address}), "p:", w.clock.Now)
			w.t.Cleanup(func() { _ = kept.Close() })
			return kept
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(w *world) { following(w); w.kept = keep(w) })
			b := w.browser()
			b.mustSignIn("s-ann")
			replicas := []http.Handler{*w.handler.Load()}
			w.restart()
			replicas = append(replicas, *w.handler.Load())
			for round := range 2 {
				w.later(devidp.Life)
				var wg sync.WaitGroup
				for n := range 1000 {
					wg.Go(func() {
						if status := ask(replicas[n%2], b.cookie("session")); status != http.StatusOK {
							t.Errorf("answered %d", status)
						}
					})
				}
				wg.Wait()
				if n := w.idp.Refreshes(); n != round+1 {
					t.Fatalf("after %d rounds: refreshed %d times", round+1, n)
				}
			}
		})
	}
}

// ask asks who one is, without a connection.
func ask(gateway http.Handler, id string) int {
	r, _ := http.NewRequest(http.MethodGet, "http://gateway/whoami", nil) // the address is good
	r.AddCookie(&http.Cookie{Name: "session", Value: id})
	answer := &discarded{header: http.Header{}, status: http.StatusOK}
	gateway.ServeHTTP(answer, r)
	return answer.status
}

// discarded is an answer of which the status alone is kept.
type discarded struct {
	header http.Header
	status int
}

func (d *discarded) Header() http.Header         { return d.header }
func (d *discarded) Write(b []byte) (int, error) { return len(b), nil }
func (d *discarded) WriteHeader(status int)      { d.status = status }

// The attack: whoever lost the right to be here stays signed in.
func TestAttackLeaverStaysSignedIn(t *testing.T) {
	for name, tc := range map[string]struct {
		happens func(w *world)
		says    string
	}{
		"disabled at the provider": {func(w *world) { w.idp.SetPerson(changed(ann, func(p *devidp.Person) { p.Disabled = true })) }, "the identity provider has ended it"},
		"in none of the groups": {func(w *world) {
			w.idp.SetPerson(changed(ann, func(p *devidp.Person) { p.Groups = []string{"others"} }))
		}, "in none of the groups"},
		"groups no list": {func(w *world) {
			w.idp.SetPerson(changed(ann, func(p *devidp.Person) { p.Claims = map[string]any{"groups": 7} }))
		}, "not a list of names"},
		"e-mail address taken away": {func(w *world) {
			w.idp.SetPerson(changed(ann, func(p *devidp.Person) { p.Claims = map[string]any{"email_verified": false} }))
		}, "not verified"},
		"deactivated here":       {func(w *world) { w.must(w.db.SetActive(w.t.Context(), "ann@example.com", false)) }, "is deactivated"},
		"deleted here":           {func(w *world) { w.must(w.db.DeleteUser(w.t.Context(), "ann@example.com")) }, "does not exist any more"},
		"another person":         {func(w *world) { w.idp.SetFaults(devidp.OtherSubject) }, "about somebody else"},
		"wrong nonce":            {func(w *world) { w.idp.SetFaults(devidp.WrongNonce) }, "another sign-in"},
		"wrong issuer":           {func(w *world) { w.idp.SetFaults(devidp.WrongIssuer) }, "not valid"},
		"wrong audience":         {func(w *world) { w.idp.SetFaults(devidp.WrongAudience) }, "not valid"},
		"alg none":               {func(w *world) { w.idp.SetFaults(devidp.AlgorithmNone) }, "not valid"},
		"public key as a secret": {func(w *world) { w.idp.SetFaults(devidp.PublicKeyAsSecret) }, "not valid"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, following)
			b, other := w.browser(), w.browser()
			b.mustSignIn("s-ann")
			other.mustSignIn("s-root")
			tc.happens(w)
			w.later(devidp.Life)
			if got := b.get("/login"); !strings.Contains(got.body, tc.says) {
				t.Errorf("the page does not say %q: %s", tc.says, got.body)
			}
			w.idp.SetFaults()
			w.idp.SetPerson(ann)
			if got := b.whoami(); got != "" {
				t.Errorf("still signed in as %q", got)
			}
			if n := w.sessionFiles(); n != 1 {
				t.Errorf("%d sessions are stored, want that of the other alone", n)
			}
			if _, there := w.people()["ann@example.com"]; there == (name == "deleted here") {
				t.Errorf("the account is there: %v", there)
			}
		})
	}
}

// The attack: a stolen refresh token is used beside ours. The provider notices, and both are out.
func TestAttackStolenRefreshToken(t *testing.T) {
	w := newWorld(t, following)
	b := w.browser()
	b.mustSignIn("s-ann")
	before, err := filepath.Glob(filepath.Join(w.dir, "p_*.json"))
	w.must(err)
	kept, err := os.ReadFile(before[0])
	w.must(err)
	w.later(devidp.Life)
	if b.whoami() == "" {
		t.Fatal("the renewal should work")
	}
	w.must(os.WriteFile(before[0], kept, 0o600)) // the session with the token that was used
	w.restart()
	if got := b.whoami(); got != "" {
		t.Errorf("a refresh token that was used twice kept %q signed in", got)
	}
}

func TestProviderDownWhileSignedIn(t *testing.T) {
	w := newWorld(t, following)
	b := w.browser()
	b.mustSignIn("s-ann")
	w.idpDown.Store(true)
	w.later(devidp.Life - time.Second)
	if b.whoami() == "" {
		t.Error("within the life of the token the session should go on")
	}
	w.later(6 * time.Second)
	if got := b.get("/auth/status"); got.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("past it: %d %s", got.StatusCode, got.body)
	}
	w.idpDown.Store(false)
	w.later(6 * time.Second)
	if b.whoami() == "" {
		t.Error("the session should go on when the provider is back")
	}
	w.idpDown.Store(true)
	w.later(time.Hour / 2)
	if got := b.do("POST", w.gateway.URL+"/logout", "", "Origin", w.gateway.URL); got.StatusCode != http.StatusSeeOther || w.sessionFiles() != 0 {
		t.Errorf("signing out without the provider: %d, %d sessions left", got.StatusCode, w.sessionFiles())
	}
}

// The provider has taken the refresh token, and the users database cannot be asked: the next token is kept, or the next attempt
// would look like theft.
func TestUsersDatabaseDownWhileRenewing(t *testing.T) {
	var down atomic.Bool
	w := newWorld(t, func(w *world) {
		following(w)
		w.confirms = func(p login.People) login.People { return &failing{p, &down} }
	})
	b := w.browser()
	b.mustSignIn("s-ann")
	down.Store(true)
	w.later(devidp.Life)
	if got := b.get("/auth/status"); got.StatusCode != http.StatusServiceUnavailable || w.idp.Refreshes() != 1 {
		t.Fatalf("while it is down: %d, refreshed %d times", got.StatusCode, w.idp.Refreshes())
	}
	down.Store(false)
	w.later(6 * time.Second)
	if got := b.whoami(); got == "" || w.idp.Refreshes() != 2 {
		t.Errorf("afterwards: %q, refreshed %d times", got, w.idp.Refreshes())
	}
}

// failing is a users database that cannot store what a provider confirms.
type failing struct {
	login.People
	down *atomic.Bool
}

func (f *failing) ConfirmLogin(ctx context.Context, l directory.Login) (directory.User, error) {
	if f.down.Load() {
		return directory.User{}, errs.New(errs.Unavailable, "down")
	}
	return f.People.ConfirmLogin(ctx, l)
}

// Without a refresh token nobody can be asked: the session ends with what the provider said.
func TestProviderGivesNoRefreshToken(t *testing.T) {
	w := newWorld(t, func(w *world) { following(w); withoutDiscovery(w) }) // and so nothing says that offline_access is known
	b := w.browser()
	b.mustSignIn("s-ann")
	w.later(devidp.Life - time.Second)
	if b.whoami() == "" {
		t.Error("signed out too early")
	}
	w.later(time.Second)
	if got := b.whoami(); got != "" || w.idp.Refreshes() != 0 {
		t.Errorf("%q, refreshed %d times", got, w.idp.Refreshes())
	}
}

func TestRefreshByUserInfo(t *testing.T) {
	for name, change := range map[string]func(*world){
		"without discovery": func(w *world) {
			following(w)
			withoutDiscovery(w)
			w.settings.Scopes = append(w.settings.Scopes, "offline_access")
		},
		"without an ID token": following,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, change)
			b := w.browser()
			b.mustSignIn("s-ann")
			w.idp.SetFaults(devidp.NoIDToken)
			w.idp.SetPerson(changed(ann, func(p *devidp.Person) { p.Groups = []string{"mlflow-admin"} }))
			w.later(devidp.Life)
			if got := b.whoami(); got != "ann@example.com admin=true" || w.idp.Refreshes() != 1 {
				t.Errorf("%q, refreshed %d times", got, w.idp.Refreshes())
			}
		})
	}
}

// Tokens are sealed in the store; what an older secret sealed opens, and is sealed anew with the first.
func TestRefreshTokenIsSealedAndSecretsRotate(t *testing.T) {
	w := newWorld(t, following)
	b := w.browser()
	b.mustSignIn("s-ann")
	w.secrets = []string{"a-newer-secret-key-2", w.secrets[0]}
	w.restart()
	w.later(devidp.Life)
	if b.whoami() == "" {
		t.Fatal("what the older secret sealed should open")
	}
	w.secrets = w.secrets[:1]
	w.restart()
	w.later(devidp.Life)
	if b.whoami() == "" {
		t.Fatal("what was renewed should be sealed with the new secret")
	}
	w.secrets = []string{"another-secret-key-1"}
	w.restart()
	w.later(devidp.Life)
	if got := b.whoami(); got != "" || w.idp.Refreshes() != 2 {
		t.Errorf("without the secret: %q, refreshed %d times", got, w.idp.Refreshes())
	}
}

// Which scope and parameters bring a refresh token, as providers want them.
func TestOfflineAccessIsAskedFor(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*world)
		asks   bool
	}{
		"known to the provider": {following, true},
		"not followed":          {nil, false},
		"no discovery":          {func(w *world) { following(w); withoutDiscovery(w) }, false},
		"configured":            {func(w *world) { withoutDiscovery(w); w.settings.Scopes = []string{"offline_access"} }, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, tc.change)
			scopes := strings.Fields(query(t, w.browser().begin("/")).Get("scope"))
			n := 0
			for _, scope := range scopes {
				if scope == "offline_access" {
					n++
				}
			}
			if (n == 1) != tc.asks || n > 1 {
				t.Errorf("the scopes are %q", scopes)
			}
		})
	}
}
