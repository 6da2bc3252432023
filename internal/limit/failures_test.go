package limit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/limit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/limit/limittest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session/sessiontest"
)

type inMemory struct {
	*limit.Memory
	clock *sessiontest.Clock
}

func (m inMemory) Advance(_ *testing.T, by time.Duration) { m.clock.Advance(by) }

func TestMemory(t *testing.T) {
	limittest.Run(t, func(t *testing.T, perMinute int) limittest.Counter {
		clock := sessiontest.NewClock()
		return inMemory{memory(t, perMinute, clock), clock}
	})
}

func memory(t *testing.T, perMinute int, clock *sessiontest.Clock) *limit.Memory {
	t.Helper()
	m, err := limit.NewMemory(perMinute, clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// common is a counter that all replicas ask, which can be away.
type common struct {
	limit.Counter
	away  atomic.Bool
	asked atomic.Int64
	names []string
}

func (c *common) Wait(ctx context.Context, names []string) (time.Duration, error) {
	c.asked.Add(1)
	if c.away.Load() {
		return 0, errors.New("away")
	}
	return c.Counter.Wait(ctx, names)
}

func (c *common) Count(ctx context.Context, names []string) error {
	c.asked.Add(1)
	c.names = append(c.names, names...)
	if c.away.Load() {
		return errors.New("away")
	}
	return c.Counter.Count(ctx, names)
}

func fail(f *limit.Failures, times int, client, account string) {
	for range times {
		f.Note(context.Background(), client, account)
	}
}

func limited(t *testing.T, f *limit.Failures, client, account string, want bool) {
	t.Helper()
	err := f.Allowed(t.Context(), client, account)
	var coded *errs.Error
	if want && (!errors.As(err, &coded) || coded.Code != errs.Limited || coded.After <= 0 || coded.After > time.Minute) || !want && err != nil {
		t.Errorf("%q, %q: %v, want limited %v", client, account, err, want)
	}
}

func TestFailuresAreCountedForAddressAndAccount(t *testing.T) {
	clock := sessiontest.NewClock()
	f := limit.NewFailures(memory(t, 3, clock), nil, slog.New(slog.DiscardHandler), clock.Now)
	fail(f, 3, "1.1.1.1", "ann")
	limited(t, f, "1.1.1.1", "", true)
	limited(t, f, "1.1.1.1", "bob", true)
	limited(t, f, "2.2.2.2", "ann", true)
	limited(t, f, "2.2.2.2", "", false)
	limited(t, f, "2.2.2.2", "bob", false)
	limited(t, f, "ann", "1.1.1.1", false)
	clock.Advance(21 * time.Second)
	limited(t, f, "1.1.1.1", "ann", false)
}

// The attack: spell the account, or the address, anew for each guess.
func TestAttackSpellingVariants(t *testing.T) {
	for name, variants := range map[string][][2]string{
		"case of the username":      {{"1.1.1.1", "ann"}, {"1.1.1.2", "ANN"}, {"1.1.1.3", "aNn"}},
		"case of an e-mail address": {{"1.1.1.1", "ann@example.com"}, {"1.1.1.2", "Ann@EXAMPLE.com"}, {"1.1.1.3", "ANN@Example.Com"}},
		"blanks":                    {{"1.1.1.1", "ann"}, {"1.1.1.2", " ann"}, {"1.1.1.3", "\tann\u00a0\n"}},
		"Kelvin for K":              {{"1.1.1.1", "kim"}, {"1.1.1.2", "\u212aim"}, {"1.1.1.3", "KIM"}},
		"IPv4 in IPv6":              {{"1.1.1.1", "ann"}, {"::ffff:1.1.1.1", "bob"}, {"::ffff:101:101", "cid"}},
		"spellings of IPv6":         {{"2001:db8::1", "ann"}, {"2001:0DB8:0:0::0001", "bob"}, {"2001:db8:0:0:0:0:0:1", "cid"}},
		"addresses of one network":  {{"2001:db8::1", "ann"}, {"2001:db8::2", "bob"}, {"2001:db8:0:0:ffff::3", "cid"}},
	} {
		t.Run(name, func(t *testing.T) {
			clock := sessiontest.NewClock()
			all := &common{Counter: memory(t, 2, clock)}
			log := slog.New(slog.DiscardHandler)
			f, other := limit.NewFailures(memory(t, 2, clock), all, log, clock.Now), limit.NewFailures(memory(t, 2, clock), all, log, clock.Now)
			fail(f, 1, variants[0][0], variants[0][1])
			fail(other, 1, variants[1][0], variants[1][1])
			limited(t, f, variants[2][0], variants[2][1], true)
			limited(t, other, variants[2][0], variants[2][1], true)
			limited(t, f, "2001:db8:0:1::1", "somebody else", false)
		})
	}
}

// The attack: fill the memory with claimed names, many or long.
func TestAttackMemoryOfFailures(t *testing.T) {
	clock := sessiontest.NewClock()
	all := &common{Counter: memory(t, 3, clock)}
	m := memory(t, 3, clock)
	f := limit.NewFailures(m, all, slog.New(slog.DiscardHandler), clock.Now)
	fail(f, 1, strings.Repeat("y", 1<<10), strings.Repeat("x", 16<<10))
	for _, name := range all.names {
		if len(name) != 64 {
			t.Errorf("a name has %d bytes", len(name))
		}
	}
	for i := range 120_000 {
		fail(f, 1, "1.1.1.1", fmt.Sprint(i))
	}
	if n := m.Size(); n > 100_000 {
		t.Errorf("%d names are kept", n)
	}
}

// When the common counter is away, attempts are neither unlimited nor refused to everybody, and the log does not fill with it.
func TestCommonCounterAway(t *testing.T) {
	clock := sessiontest.NewClock()
	all := &common{Counter: memory(t, 3, clock)}
	var log bytes.Buffer
	f := limit.NewFailures(memory(t, 3, clock), all, slog.New(slog.NewTextHandler(&log, nil)), clock.Now)
	all.away.Store(true)
	for range 60 {
		limited(t, f, "2.2.2.2", "bob", false)
		fail(f, 3, "1.1.1.1", "ann")
		limited(t, f, "1.1.1.1", "ann", true)
		clock.Advance(time.Second)
	}
	if n := strings.Count(log.String(), "\n"); n != 1 {
		t.Errorf("%d lines in the first minute:\n%s", n, log.String())
	}
	if n := all.asked.Load(); n > 60 {
		t.Errorf("it was asked %d times in a minute", n)
	}
	limited(t, f, "2.2.2.2", "bob", false)
	if n := strings.Count(log.String(), "\n"); n != 2 {
		t.Errorf("%d lines after a minute", n)
	}
	all.away.Store(false)
	clock.Advance(time.Second)
	before := all.asked.Load()
	limited(t, f, "2.2.2.2", "bob", false)
	if all.asked.Load() == before {
		t.Error("it is not asked again")
	}
}
