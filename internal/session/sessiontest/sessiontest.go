// Package sessiontest is the behaviour that every session store must show.
package sessiontest

import (
	"errors"
	"fmt"
	"sync"
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
		return session.Record{UserID: 7, Provider: "oidc", Subject: "s", SealedToken: []byte{0, 1, 255},
			CreatedAt: now, ExpiresAt: now.Add(time.Hour), EndsAt: now.Add(2 * time.Hour)}
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
		must(t, s.Replace(t.Context(), key(4), want))
		got, err := s.Load(t.Context(), key(4))
		must(t, err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		must(t, s.Delete(t.Context(), key(4)))
		if err := s.Replace(t.Context(), key(4), want); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("replacing what was deleted gave %v", err)
		}
		notFound(t, s, key(4))
	})
	t.Run("replaced and deleted at once is gone", func(t *testing.T) {
		s, want := open(t), record()
		for n := range 50 {
			k := key(200 + n)
			must(t, s.Save(t.Context(), k, want))
			var wg sync.WaitGroup
			wg.Go(func() {
				if err := s.Replace(t.Context(), k, want); err != nil && !errors.Is(err, session.ErrNotFound) {
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
