// Package sessiontest is the behaviour that every session store must show.
package sessiontest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session"
)

// Clock is a clock that a test moves.
type Clock struct {
	mu sync.Mutex
	at time.Time
}

// NewClock starts at the present, in whole seconds.
func NewClock() *Clock { return &Clock{at: time.Now().UTC().Truncate(time.Second)} }

// Now gives the clock's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// Advance moves the clock on.
func (c *Clock) Advance(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(by)
}

func key(n int) session.Key { return session.Key(fmt.Sprintf("%064x", n)) }

// Run runs the suite against stores that open makes on one and the same clock.
func Run(t *testing.T, clock *Clock, open func(t *testing.T) session.Store) {
	record := func() session.Record {
		now := clock.Now()
		return session.Record{UserID: 7, Provider: "oidc", Subject: "s", AtIssuer: "sid", Client: "192.0.2.1", SealedToken: []byte{0, 1, 255},
			SealedRefresh: []byte{9}, IssuedAt: now, RenewAt: now.Add(time.Minute), TrustedUntil: now.Add(2 * time.Minute), ClaimedUntil: now,
			CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(time.Hour), EndsAt: now.Add(2 * time.Hour)}
	}
	t.Run("saved is loaded", func(t *testing.T) {
		s, want := open(t), record()
		must(t, s.Save(t.Context(), key(1), want))
		got, err := s.Load(t.Context(), key(1))
		must(t, err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("unknown and deleted are not found", func(t *testing.T) {
		s := open(t)
		notFound(t, s, key(2))
		must(t, s.Save(t.Context(), key(2), record()))
		must(t, s.Delete(t.Context(), key(2)))
		must(t, s.Delete(t.Context(), key(2)))
		notFound(t, s, key(2))
	})
	t.Run("expired is not found", func(t *testing.T) {
		s := open(t)
		must(t, s.Save(t.Context(), key(3), record()))
		clock.Advance(time.Hour)
		notFound(t, s, key(3))
	})
	t.Run("replaced where it is there alone", func(t *testing.T) {
		s, want := open(t), record()
		if err := s.Replace(t.Context(), key(4), want); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("replacing what is not there gave %v", err)
		}
		notFound(t, s, key(4))
		must(t, s.Save(t.Context(), key(4), want))
		want.ExpiresAt = want.ExpiresAt.Add(time.Hour)
		want.Version++
		must(t, s.Replace(t.Context(), key(4), want))
		got, err := s.Load(t.Context(), key(4))
		must(t, err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		must(t, s.Delete(t.Context(), key(4)))
		want.Version++
		if err := s.Replace(t.Context(), key(4), want); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("replacing what was deleted gave %v", err)
		}
		notFound(t, s, key(4))
	})
	t.Run("replaced and deleted at once is gone", func(t *testing.T) {
		s, want := open(t), record()
		next := want
		next.Version++
		for n := range 50 {
			k := key(200 + n)
			must(t, s.Save(t.Context(), k, want))
			var wg sync.WaitGroup
			wg.Go(func() {
				if err := s.Replace(t.Context(), k, next); err != nil && !errors.Is(err, session.ErrNotFound) && !errors.Is(err, session.ErrChanged) {
					t.Error(err)
				}
			})
			wg.Go(func() {
				if err := s.Delete(t.Context(), k); err != nil {
					t.Error(err)
				}
			})
			wg.Wait()
			notFound(t, s, k)
		}
	})
	t.Run("replaced by one alone", func(t *testing.T) {
		s, next := open(t), record()
		must(t, s.Save(t.Context(), key(5), next))
		next.Version++
		var wg sync.WaitGroup
		var won atomic.Int64
		for range 20 {
			wg.Go(func() {
				switch err := s.Replace(t.Context(), key(5), next); {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, session.ErrChanged):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Errorf("%d of 20 changed the same version", won.Load())
		}
	})
	t.Run("replaced when expired is not found", func(t *testing.T) {
		s, next := open(t), record()
		must(t, s.Save(t.Context(), key(6), next))
		clock.Advance(time.Hour)
		next.Version, next.ExpiresAt = 1, clock.Now().Add(time.Hour)
		if err := s.Replace(t.Context(), key(6), next); !errors.Is(err, session.ErrNotFound) && !errors.Is(err, session.ErrChanged) {
			t.Errorf("an expired session came back: %v", err)
		}
		notFound(t, s, key(6))
	})
	t.Run("found by who and where", func(t *testing.T) { find(t, clock, open(t), record()) })
	t.Run("all of users", func(t *testing.T) { each(t, clock, open(t), record()) })
	t.Run("many at once", func(t *testing.T) {
		s := open(t)
		var wg sync.WaitGroup
		for n := range 40 {
			wg.Go(func() {
				k := key(100 + n%4)
				if err := s.Save(t.Context(), k, record()); err != nil {
					t.Error(err)
				}
				if _, err := s.Load(t.Context(), k); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
	t.Run("answers", func(t *testing.T) { must(t, open(t).Ping(t.Context())) })
}

// find saves sessions that differ, and looks for them.
func find(t *testing.T, clock *Clock, s session.Store, like session.Record) {
	for n, who := range []session.Record{
		{UserID: 7, Provider: "a", Subject: "s", AtIssuer: "1"},
		{UserID: 7, Provider: "a", Subject: "s", AtIssuer: "2"},
		{UserID: 8, Provider: "b", Subject: "s", AtIssuer: "1"},
		{UserID: 9, Provider: "a", Subject: "S"},
		{},
	} {
		like.UserID, like.Provider, like.Subject, like.AtIssuer = who.UserID, who.Provider, who.Subject, who.AtIssuer
		must(t, s.Save(t.Context(), key(300+n), like))
	}
	short := like
	short.UserID, short.ExpiresAt = 7, clock.Now().Add(time.Minute)
	must(t, s.Save(t.Context(), key(305), short))
	clock.Advance(time.Minute)
	wants := func(q session.Query, want ...int) {
		t.Helper()
		found, err := s.Find(t.Context(), q)
		must(t, err)
		got := map[session.Key]bool{}
		for _, f := range found {
			got[f.Key] = true
			if loaded, err := s.Load(t.Context(), f.Key); err != nil || !cmp.Equal(loaded, f.Record) {
				t.Errorf("%v was found as another than it is: %v", q, err)
			}
		}
		expected := map[session.Key]bool{}
		for _, n := range want {
			expected[key(n)] = true
		}
		if diff := cmp.Diff(expected, got); diff != "" {
			t.Errorf("%+v: %s", q, diff)
		}
	}
	wants(session.Query{UserID: 7}, 300, 301)
	wants(session.Query{UserID: 10})
	wants(session.Query{Provider: "a", Subject: "s"}, 300, 301)
	wants(session.Query{Provider: "a", Subject: "S"}, 303) // another person, whatever a database thinks of case
	wants(session.Query{Provider: "b", Subject: "s"}, 302) // a subject means nothing at another provider
	wants(session.Query{Provider: "a", AtIssuer: "1"}, 300)
	wants(session.Query{Provider: "a", AtIssuer: "2", Subject: "other"})
	wants(session.Query{Provider: "c", AtIssuer: "1"})
	wants(session.Query{}) // names nothing, and so not what is empty
	wants(session.Query{Provider: "a"})
	must(t, s.Delete(t.Context(), key(301)))
	wants(session.Query{UserID: 7}, 300)
}

// each saves more sessions than a store reads at once, of which some have ended, and one record that is of no user.
func each(t *testing.T, clock *Clock, s session.Store, like session.Record) {
	const most = 130
	want := map[session.Key]session.Record{}
	for n := range most {
		like.UserID = int64(n + 1)
		must(t, s.Save(t.Context(), key(1000+n), like))
		want[key(1000+n)] = like
	}
	nobodys, short := session.Record{ExpiresAt: like.ExpiresAt, EndsAt: like.EndsAt}, like
	short.ExpiresAt = clock.Now().Add(time.Minute)
	must(t, s.Save(t.Context(), key(2000), nobodys))
	must(t, s.Save(t.Context(), key(2001), short))
	must(t, s.Delete(t.Context(), key(1005)))
	delete(want, key(1005))
	clock.Advance(time.Minute)
	got := map[session.Key]session.Record{}
	collect := func(most int) {
		t.Helper()
		got = map[session.Key]session.Record{}
		must(t, s.Each(t.Context(), func(f session.Found) bool {
			if _, twice := got[f.Key]; twice {
				t.Errorf("%s comes twice", f.Key)
			}
			got[f.Key] = f.Record
			return len(got) < most
		}))
	}
	collect(most + 10)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if collect(7); len(got) != 7 {
		t.Errorf("told to stop at 7 it gave %d", len(got))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func notFound(t *testing.T, s session.Store, k session.Key) {
	t.Helper()
	if _, err := s.Load(t.Context(), k); !errors.Is(err, session.ErrNotFound) {
		t.Fatalf("load gave %v, want not found", err)
	}
}
