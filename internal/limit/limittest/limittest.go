// Package limittest is the behaviour that every counter of failures must show.
package limittest

import (
	"sync"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/limit"
)

// Counter is a counter whose time a test moves.
type Counter interface {
	limit.Counter
	Advance(t *testing.T, by time.Duration)
}

// Slack is how much later than it should something may be seen to be, by a counter with a clock of its own.
const Slack = 5 * time.Second

// Run runs the suite against counters that open makes.
func Run(t *testing.T, open func(t *testing.T, perMinute int) Counter) {
	t.Run("each name by itself", func(t *testing.T) {
		c := open(t, 3)
		for range 3 {
			waits(t, c, 0, "a", "b")
			count(t, c, "a")
		}
		waits(t, c, 20*time.Second, "a")
		waits(t, c, 20*time.Second, "b", "a")
		waits(t, c, 0, "b")
		count(t, c, "a", "b")
		count(t, c, "b")
		waits(t, c, 0, "b")
		count(t, c, "b")
		waits(t, c, 20*time.Second, "b")
	})
	t.Run("given back bit by bit", func(t *testing.T) {
		c := open(t, 3)
		for range 3 {
			count(t, c, "a")
		}
		c.Advance(t, 10*time.Second)
		waits(t, c, 10*time.Second, "a")
		c.Advance(t, 11*time.Second)
		waits(t, c, 0, "a")
		count(t, c, "a")
		waits(t, c, 19*time.Second, "a")
		c.Advance(t, time.Hour)
		for range 3 {
			waits(t, c, 0, "a")
			count(t, c, "a")
		}
		waits(t, c, 20*time.Second, "a")
	})
	t.Run("what fails while none is left costs nothing more", func(t *testing.T) {
		c := open(t, 3)
		for range 50 {
			count(t, c, "a")
		}
		waits(t, c, 20*time.Second, "a")
	})
	t.Run("one a minute", func(t *testing.T) {
		c := open(t, 1)
		waits(t, c, 0, "a")
		count(t, c, "a")
		waits(t, c, time.Minute, "a")
		c.Advance(t, time.Minute)
		waits(t, c, 0, "a")
	})
	t.Run("of those at once nobody is overlooked", func(t *testing.T) {
		c := open(t, 10)
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if err := c.Count(t.Context(), []string{"a"}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		waits(t, c, 6*time.Second, "a")
	})
}

func count(t *testing.T, c Counter, names ...string) {
	t.Helper()
	if err := c.Count(t.Context(), names); err != nil {
		t.Fatal(err)
	}
}

func waits(t *testing.T, c Counter, want time.Duration, names ...string) {
	t.Helper()
	got, err := c.Wait(t.Context(), names)
	if err != nil {
		t.Fatal(err)
	}
	if got > want || got < want-Slack || want > 0 && got <= 0 {
		t.Errorf("%v waits for %v, want %v", names, got, want)
	}
}
