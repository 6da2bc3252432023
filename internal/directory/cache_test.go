package directory_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
)

// source is a database that counts what it is asked, and can fail, wait, or be changed by another process.
type source struct {
	mu       sync.Mutex
	asked    int // all but the counter
	counter  int64
	down     error // of people and grants
	deaf     error // of the counter
	level    kind.Level
	admin    bool
	under    func() // called while a load is under way, after what it gives was read
	counting func() // called while the counter is read, after it was read
}

func (s *source) change(admin bool, level kind.Level) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counter, s.admin, s.level = s.counter+1, admin, level
}

func (s *source) set(f func(*source)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

// read gives what is stored, and lets a test do something before it is handed over.
func (s *source) read() (bool, kind.Level, error) {
	s.mu.Lock()
	s.asked++
	admin, level, down, under := s.admin, s.level, s.down, s.under
	s.under = nil
	s.mu.Unlock()
	if under != nil {
		under()
	}
	return admin, level, down
}

func (s *source) UserByToken(context.Context, [32]byte) (directory.TokenOwner, error) {
	admin, _, err := s.read()
	return directory.TokenOwner{User: directory.User{ID: 1, Admin: admin}}, err
}

func (s *source) CarriedOf(context.Context, string, string) (directory.Password, error) {
	return directory.Password{}, errs.New(errs.NotFound, "there is none")
}

func (s *source) PasswordOf(context.Context, string) (directory.Password, error) {
	admin, _, err := s.read()
	return directory.Password{User: directory.User{ID: 1, Admin: admin}}, err
}

func (s *source) UserByIdentity(context.Context, directory.Identity) (directory.User, error) {
	admin, _, err := s.read()
	return directory.User{ID: 1, Admin: admin}, err
}

func (s *source) User(context.Context, string) (directory.User, error) {
	admin, _, err := s.read()
	return directory.User{ID: 1, Admin: admin}, err
}

func (s *source) GrantsOf(context.Context, int64) ([]authz.Grant, error) {
	_, level, err := s.read()
	return []authz.Grant{{Source: authz.User, Kind: kind.Experiment, Resource: "1", Level: level}}, err
}

func (s *source) Change(context.Context) (int64, error) {
	s.mu.Lock()
	counter, deaf, counting := s.counter, s.deaf, s.counting
	s.counting = nil
	s.mu.Unlock()
	if counting != nil {
		counting()
	}
	return counter, deaf
}

func (s *source) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

func newCache(t *testing.T, from directory.Source) *directory.Cache {
	t.Helper()
	c, err := directory.NewCache(from, authz.DefaultOrder())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// watched runs a test with a cache that Watch keeps fresh, in a time of its own.
func watched(t *testing.T, test func(t *testing.T, s *source, c *directory.Cache)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &source{}
		c := newCache(t, s)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); c.Watch(ctx) }()
		synctest.Wait()
		test(t, s, c)
		stop()
		<-done
	})
}

// questions are all that the cache can be asked; each says whether it sees the administrator, or the grant, of the change.
var questions = map[string]func(context.Context, *directory.Cache) (bool, error){
	"identity": func(ctx context.Context, c *directory.Cache) (bool, error) {
		u, err := c.UserByIdentity(ctx, directory.Identity{Provider: "p", Subject: "s"})
		return u.Admin, err
	},
	"name": func(ctx context.Context, c *directory.Cache) (bool, error) {
		u, err := c.ByName(ctx, "ann")
		return u.Admin, err
	},
	"token": func(ctx context.Context, c *directory.Cache) (bool, error) {
		o, err := c.ByToken(ctx, [32]byte{1})
		return o.User.Admin, err
	},
	"password": func(ctx context.Context, c *directory.Cache) (bool, error) {
		p, err := c.PasswordOf(ctx, "ann")
		return p.User.Admin, err
	},
	"grants": func(ctx context.Context, c *directory.Cache) (bool, error) {
		g, err := c.Of(ctx, 1)
		if err != nil {
			return false, err
		}
		return authz.Rules{}.Decide(authz.Subject{Active: true}, g, authz.Resource{Kind: kind.Experiment, ID: "1"}, kind.Manage).Allowed, nil
	},
}

func each(t *testing.T, test func(t *testing.T, s *source, c *directory.Cache, ask func() bool)) {
	t.Helper()
	for name, question := range questions {
		t.Run(name, func(t *testing.T) {
			watched(t, func(t *testing.T, s *source, c *directory.Cache) {
				test(t, s, c, func() bool {
					seen, err := question(t.Context(), c)
					if err != nil {
						t.Fatal(err)
					}
					return seen
				})
			})
		})
	}
}

func TestWarmAsksNothing(t *testing.T) {
	each(t, func(t *testing.T, s *source, _ *directory.Cache, ask func() bool) {
		ask()
		before := s.count()
		for range 100 {
			time.Sleep(300 * time.Millisecond) // half a minute in all
			ask()
		}
		if before != 1 || s.count() != before {
			t.Errorf("asked %d times at first and %d times later", before, s.count()-before)
		}
	})
}

func TestChangeOfThisProcessIsEffectiveAtOnce(t *testing.T) {
	each(t, func(t *testing.T, s *source, c *directory.Cache, ask func() bool) {
		ask()
		s.change(true, kind.Manage)
		if ask() {
			t.Fatal("the change was seen without having been told of: this proves nothing")
		}
		c.Invalidate()
		if !ask() {
			t.Error("the change is not effective")
		}
	})
}

// Each change counts once, wherever it was made. What was there at the start is none.
func TestChangesAreCountedOnce(t *testing.T) {
	s := &source{counter: 7}
	c := newCache(t, s)
	look := func(want int64, when string) {
		t.Helper()
		c.Look(t.Context())
		if got := c.Changes(); got != want {
			t.Errorf("%s: %d are counted, want %d", when, got, want)
		}
	}
	look(0, "at the start")
	look(0, "without any")
	s.change(true, kind.Manage)
	c.Invalidate() // as the store does at once
	look(1, "after one of this process")
	s.change(true, kind.Read)
	s.change(true, kind.Edit)
	look(3, "after two of another one")
	s.set(func(s *source) { s.counter = 2 })
	look(4, "after the database was put back")
}

// The attack: keep a right that was taken away, by asking at the very moment when it is taken.
func TestAttackLoadUnderWayDuringTheChange(t *testing.T) {
	each(t, func(t *testing.T, s *source, c *directory.Cache, ask func() bool) {
		s.change(true, kind.Manage)
		c.Invalidate()
		s.set(func(s *source) {
			s.under = func() { // the load has read the old state, and stores it after this
				s.change(false, kind.NoPermissions)
				c.Invalidate()
			}
		})
		if !ask() {
			t.Fatal("the load did not read the old state: this proves nothing")
		}
		if ask() {
			t.Error("the old state stayed in memory")
		}
	})
}

func TestChangeOfAnotherProcessIsEffectiveWithinASecond(t *testing.T) {
	each(t, func(t *testing.T, s *source, _ *directory.Cache, ask func() bool) {
		for i := range 20 { // at whatever moment between two readings
			s.change(false, kind.NoPermissions)
			time.Sleep(2 * time.Second)
			ask()
			time.Sleep(time.Duration(i) * 37 * time.Millisecond)
			s.change(true, kind.Manage)
			time.Sleep(time.Second)
			if !ask() {
				t.Fatalf("a change %v after the reading is not effective after a second", time.Duration(i)*37*time.Millisecond)
			}
		}
	})
}

func TestMemoryIsNotTrustedWithoutTheCounter(t *testing.T) {
	each(t, func(t *testing.T, s *source, _ *directory.Cache, ask func() bool) {
		ask()
		s.set(func(s *source) { s.deaf = errors.New("down") })
		s.change(true, kind.Manage)
		time.Sleep(time.Second)
		if !ask() {
			t.Error("memory was trusted a second after the last reading of the counter")
		}
		before := s.count()
		ask()
		if s.count() == before {
			t.Error("memory was trusted again")
		}
		s.set(func(s *source) { s.deaf = nil })
		time.Sleep(time.Second)
		ask()
		before = s.count()
		ask()
		if s.count() != before {
			t.Error("memory is not used again after the counter came back")
		}
	})
}

func TestMemoryIsNotTrustedWhileTheCounterHangs(t *testing.T) {
	each(t, func(t *testing.T, s *source, _ *directory.Cache, ask func() bool) {
		ask()
		s.set(func(s *source) { s.counting = func() { time.Sleep(3 * time.Second) } })
		time.Sleep(500 * time.Millisecond)
		s.change(true, kind.Manage) // after the hanging reading had its value
		time.Sleep(time.Second)
		if !ask() {
			t.Error("memory was trusted while the counter hangs")
		}
		time.Sleep(1600 * time.Millisecond) // it ended, with a value of three seconds ago
		before := s.count()
		ask()
		if s.count() == before {
			t.Error("a reading counts as young because it ended late")
		}
	})
}

func TestMemoryIsNotTrustedBeforeTheFirstReading(t *testing.T) {
	s := &source{}
	c := newCache(t, s)
	for range 3 {
		if _, err := c.UserByIdentity(t.Context(), directory.Identity{Provider: "p", Subject: "s"}); err != nil {
			t.Fatal(err)
		}
	}
	if s.count() != 3 {
		t.Errorf("asked %d times for 3", s.count())
	}
}

func TestErrorsAreReturnedAndNotKept(t *testing.T) {
	for name, question := range questions {
		t.Run(name, func(t *testing.T) {
			watched(t, func(t *testing.T, s *source, c *directory.Cache) {
				for _, code := range []errs.Code{errs.Unavailable, errs.NotFound} {
					s.set(func(s *source) { s.down = errs.New(code, "no") })
					if seen, err := question(t.Context(), c); !errs.Is(err, code) || seen {
						t.Errorf("gave %v, %v", seen, err)
					}
				}
				s.set(func(s *source) { s.down = nil })
				if _, err := question(t.Context(), c); err != nil {
					t.Errorf("the error was kept: %v", err)
				}
				s.set(func(s *source) { s.down = errs.New(errs.Unavailable, "no") })
				if _, err := question(t.Context(), c); err != nil {
					t.Errorf("a warm question failed with the database: %v", err)
				}
				c.Invalidate()
				if _, err := question(t.Context(), c); !errs.Is(err, errs.Unavailable) {
					t.Errorf("after a change memory was used in place of a database that is down: %v", err)
				}
			})
		})
	}
}

// replica is one process: a handle on the database that all share, and its cache.
type replica struct {
	*store.DB
	cache *directory.Cache
}

func newReplica(t *testing.T, path string) replica {
	t.Helper()
	db, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	c := newCache(t, db)
	db.OnChange(c.Invalidate)
	c.Look(t.Context())
	return replica{db, c}
}

func TestTwoReplicasOnOneDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "auth.db")
	one, two := newReplica(t, path), newReplica(t, path)
	login := directory.Login{Identity: directory.Identity{Provider: "oidc", Subject: "ann"}, Username: "ann", Groups: []string{"red"}}
	ann, err := one.RecordLogin(t.Context(), login)
	if err != nil {
		t.Fatal(err)
	}
	hash := sha256.Sum256([]byte("secret"))
	setToken := func(hash [32]byte) error {
		return one.SetAccessToken(t.Context(), directory.AccessToken{UserID: ann.ID, Hash: hash, ExpiresAt: time.Now().Add(time.Hour)})
	}
	if err := setToken(hash); err != nil {
		t.Fatal(err)
	}
	allowed := func(r replica) bool {
		g, err := r.cache.Of(t.Context(), ann.ID)
		if err != nil {
			t.Fatal(err)
		}
		return authz.Rules{}.Decide(authz.Subject{Active: true}, g, authz.Resource{Kind: kind.Experiment, ID: "1"}, kind.Read).Allowed
	}
	active := func(r replica) bool {
		u, err := r.cache.UserByIdentity(t.Context(), login.Identity)
		return err == nil && u.Active
	}
	known := func(r replica) bool { _, err := r.cache.ByToken(t.Context(), hash); return err == nil }
	named := sha256.Sum256([]byte("named"))
	job, err := one.CreateToken(t.Context(), directory.Token{UserID: ann.ID, Name: "job", Hash: named, ExpiresAt: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	knownJob := func(r replica) bool { _, err := r.cache.ByToken(t.Context(), named); return err == nil }
	oneJob := func(r replica) bool {
		owner, err := r.cache.ByToken(t.Context(), named)
		return err == nil && owner.User.Active
	}
	identified := func(r replica) bool {
		_, err := r.cache.UserByIdentity(t.Context(), login.Identity)
		return err == nil
	}
	p, g := store.Principal{User: "ann"}, store.Principal{Group: "red"}
	for _, step := range []struct {
		name   string
		change func() error
		see    func(replica) bool
		want   bool
	}{
		{"a grant", func() error { return one.CreateGrant(t.Context(), p, kind.Experiment, "1", kind.Read, nil) }, allowed, true},
		{"its refusal", func() error { return one.UpdateGrant(t.Context(), p, kind.Experiment, "1", kind.NoPermissions, nil) }, allowed, false},
		{"its end", func() error { return one.DeleteGrant(t.Context(), p, kind.Experiment, "1") }, allowed, false},
		{"a group's grant", func() error { return one.CreateGrant(t.Context(), g, kind.Experiment, "1", kind.Edit, nil) }, allowed, true},
		{"the end of the membership", func() error {
			left := login
			left.Groups = []string{"blue"}
			_, err := one.RecordLogin(t.Context(), left)
			return err
		}, allowed, false},
		{"another token", func() error { return setToken([32]byte{7}) }, known, false},
		{"deactivation", func() error { return one.SetActive(t.Context(), "ann", false) }, active, false},
		{"activation for a token", func() error { return one.SetActive(t.Context(), "ann", true) }, oneJob, true},
		{"deactivation for a token", func() error { return one.SetActive(t.Context(), "ann", false) }, oneJob, false},
		{"the end of a token with a name", func() error { return one.DeleteToken(t.Context(), ann.ID, job.ID) }, knownJob, false},
		{"activation", func() error { return one.SetActive(t.Context(), "ann", true) }, active, true},
		{"deletion", func() error { return one.DeleteUser(t.Context(), "ann") }, identified, false},
	} {
		for _, r := range []replica{one, two} { // warm, with what holds before
			r.cache.Look(t.Context())
			step.see(r)
		}
		if err := step.change(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if got := step.see(one); got != step.want {
			t.Errorf("%s: here %v at once, want %v", step.name, got, step.want)
		}
		two.cache.Look(t.Context())
		if got := step.see(two); got != step.want {
			t.Errorf("%s: on the other replica %v, want %v", step.name, got, step.want)
		}
	}
}

func TestWarmNeedsNoSQL(t *testing.T) {
	r := newReplica(t, filepath.Join(t.TempDir(), "auth.db"))
	id := directory.Identity{Provider: "oidc", Subject: "ann"}
	ann, err := r.RecordLogin(t.Context(), directory.Login{Identity: id, Username: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	ask := func() {
		if _, err := r.cache.UserByIdentity(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if _, err := r.cache.Of(t.Context(), ann.ID); err != nil {
			t.Fatal(err)
		}
	}
	var statements int64
	for range 20 { // a slow machine may need more than the second in which memory is trusted
		r.cache.Look(t.Context())
		ask()
		before := r.Queries()
		ask()
		if statements = r.Queries() - before; statements == 0 {
			return
		}
	}
	t.Errorf("%d statements on the warm path", statements)
}
