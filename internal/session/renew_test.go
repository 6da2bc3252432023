package session_test

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session/sessiontest"
)

// renewer is a provider that vouches for five minutes at a time, and gives a refresh token that is good once.
type renewer struct {
	clock *sessiontest.Clock
	asked atomic.Int64
	err   error
	mu    sync.Mutex
	good  string
	after func()
}

func (n *renewer) Renew(_ context.Context, record session.Record) (session.Record, error) {
	number := n.asked.Add(1)
	if n.after != nil {
		n.after()
	}
	if n.err != nil {
		return record, n.err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if string(record.SealedRefresh) != n.good {
		return record, errs.New(errs.Unauthenticated, "the refresh token was used already")
	}
	n.good = "token " + string(rune('0'+number))
	return n.vouched(record), nil
}

// vouched is a record of a session for which the provider has just vouched.
func (n *renewer) vouched(record session.Record) session.Record {
	record.SealedRefresh = []byte(n.good)
	record.TrustedUntil = n.clock.Now().Add(5 * time.Minute)
	record.RenewAt = record.TrustedUntil.Add(-30 * time.Second)
	return record
}

// renewed is a session whose renewal is due, at a number of replicas over one store.
func renewed(t *testing.T, replicas int) (*renewer, []*session.Manager, *http.Cookie) {
	t.Helper()
	clock, dir := sessiontest.NewClock(), filepath.Join(t.TempDir(), "s")
	n := &renewer{clock: clock, good: "token 0"}
	var managers []*session.Manager
	for range replicas {
		managers = append(managers, manager(t, dir, clock, func(o *session.Options) { o.Renewer = n }))
	}
	cookie := startWith(t, managers[0], n.vouched(session.Record{UserID: 7, Provider: "p", Subject: "s"}))
	clock.Advance(4*time.Minute + 30*time.Second)
	return n, managers, cookie
}

func TestRenewedOnceForAThousandRequests(t *testing.T) {
	n, managers, cookie := renewed(t, 3)
	var wg sync.WaitGroup
	for i := range 1000 {
		wg.Go(func() {
			if record, _, err := managers[i%3].Load(request(cookie)); err != nil || record.UserID != 7 {
				t.Errorf("%+v, %v", record, err)
			}
		})
	}
	wg.Wait()
	if asked := n.asked.Load(); asked != 1 {
		t.Errorf("the provider was asked %d times", asked)
	}
}

// Past the end of what the provider said, everybody waits for the one who asks, at whichever replica.
func TestEverybodyWaitsForTheOneWhoRenews(t *testing.T) {
	n, managers, cookie := renewed(t, 3)
	n.clock.Advance(time.Minute)
	all, came := make(chan struct{}), atomic.Int64{}
	n.after = func() { <-all }
	var wg sync.WaitGroup
	for i := range 300 {
		wg.Go(func() {
			if came.Add(1) == 300 {
				close(all)
			}
			if _, _, err := managers[i%3].Load(request(cookie)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if asked := n.asked.Load(); asked != 1 {
		t.Errorf("the provider was asked %d times", asked)
	}
}

func TestRotatedTokenIsUsedNext(t *testing.T) {
	n, managers, cookie := renewed(t, 2)
	for i := range 6 {
		if _, _, err := managers[i%2].Load(request(cookie)); err != nil {
			t.Fatalf("renewal %d: %v", i, err)
		}
		n.clock.Advance(5 * time.Minute)
	}
	if asked := n.asked.Load(); asked != 6 {
		t.Errorf("asked %d times", asked)
	}
}

// While the provider is down a session goes on for as long as it vouched, and no longer; it is then neither alive nor ended.
func TestProviderDown(t *testing.T) {
	n, managers, cookie := renewed(t, 1)
	m := managers[0]
	n.err = errs.New(errs.Unavailable, "down")
	for range 100 {
		if _, _, err := m.Load(request(cookie)); err != nil {
			t.Fatalf("within the trusted time: %v", err)
		}
	}
	if asked := n.asked.Load(); asked != 1 {
		t.Errorf("a provider that is down was asked %d times at once", asked)
	}
	n.clock.Advance(30 * time.Second)
	for range 100 {
		if _, _, err := m.Load(request(cookie)); !errs.Is(err, errs.Unavailable) {
			t.Fatalf("past the trusted time: %v", err)
		}
	}
	if asked := n.asked.Load(); asked != 2 {
		t.Errorf("a provider that is down was asked %d times in all", asked)
	}
	n.err = nil
	n.clock.Advance(5 * time.Second)
	if _, _, err := m.Load(request(cookie)); err != nil {
		t.Errorf("when the provider is back: %v", err)
	}
}

// Whom the provider does not know any more is out at once, everywhere, and is told why.
func TestProviderEndsTheSession(t *testing.T) {
	for name, code := range map[string]errs.Code{"signed out there": errs.Unauthenticated, "in no group": errs.Denied} {
		t.Run(name, func(t *testing.T) {
			n, managers, cookie := renewed(t, 2)
			n.err = errs.New(code, "you are in none of the groups")
			for range 2 {
				_, _, err := managers[0].Load(request(cookie))
				if !errors.Is(err, session.ErrNotFound) || !errs.Is(err, errs.Unauthenticated) || !strings.Contains(err.Error(), "you are in none of the groups") {
					t.Errorf("load gave %v", err)
				}
			}
			if _, _, err := managers[1].Load(request(cookie)); !errors.Is(err, session.ErrNotFound) {
				t.Errorf("the other replica gave %v", err)
			}
			if asked := n.asked.Load(); asked != 1 {
				t.Errorf("the provider was asked %d times", asked)
			}
		})
	}
}

// The attack: sign-out races with a renewal, which would write the session back.
func TestAttackRenewalRevivesSession(t *testing.T) {
	for name, at := range map[string]int{"at the same replica": 0, "at another replica": 1} {
		t.Run(name, func(t *testing.T) {
			n, managers, cookie := renewed(t, 2)
			n.after = func() {
				if ended, err := managers[at].EndAll(t.Context(), session.Query{UserID: 7}, session.All); err != nil || ended != 1 {
					t.Errorf("ended %d, %v", ended, err)
				}
			}
			for _, m := range managers {
				if _, _, err := m.Load(request(cookie)); !errors.Is(err, session.ErrNotFound) {
					t.Errorf("load gave %v", err)
				}
			}
		})
	}
}

// A replica that dies while it asks must not keep the session from being renewed for ever.
func TestClaimOfADeadReplicaEnds(t *testing.T) {
	n, managers, cookie := renewed(t, 1)
	m := managers[0]
	found, err := m.Find(t.Context(), session.Query{UserID: 7})
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	dead := found[0].Record
	dead.Version++
	dead.ClaimedUntil = n.clock.Now().Add(20 * time.Second)
	if err := m.Store.Replace(t.Context(), found[0].Key, dead); err != nil {
		t.Fatal(err)
	}
	if _, _, err := m.Load(request(cookie)); err != nil || n.asked.Load() != 0 {
		t.Errorf("within the trusted time nobody waits: %v, asked %d times", err, n.asked.Load())
	}
	n.clock.Advance(20 * time.Second)
	if _, _, err := m.Load(request(cookie)); err != nil || n.asked.Load() != 1 {
		t.Errorf("after the claim: %v, asked %d times", err, n.asked.Load())
	}
}

// Signing out asks nobody: it works while the provider is down, and longer than it vouched.
func TestSignOutDoesNotAskTheProvider(t *testing.T) {
	n, managers, cookie := renewed(t, 1)
	n.err = errs.New(errs.Unavailable, "down")
	n.clock.Advance(time.Hour / 2)
	end(t, managers[0], cookie)
	if n.asked.Load() != 0 {
		t.Error("the provider was asked")
	}
}

// Sessions of before, and those of a gateway that does not follow the provider, go by their own times.
func TestSessionsThatAreNotRenewed(t *testing.T) {
	n, managers, _ := renewed(t, 1)
	before := startWith(t, managers[0], session.Record{UserID: 8})
	n.clock.Advance(30 * time.Minute)
	if _, _, err := managers[0].Load(request(before)); err != nil || n.asked.Load() != 0 {
		t.Errorf("%v, asked %d times", err, n.asked.Load())
	}
	alone := managers[0].Options
	alone.Renewer = nil
	m, err := session.NewManager(alone)
	if err != nil {
		t.Fatal(err)
	}
	old := startWith(t, m, session.Record{UserID: 9, TrustedUntil: n.clock.Now()})
	n.clock.Advance(30 * time.Minute)
	if _, _, err := m.Load(request(old)); err != nil {
		t.Error(err)
	}
}

// counting counts how often its store is asked.
type counting struct {
	session.Store
	asked atomic.Int64
}

func (c *counting) Load(ctx context.Context, key session.Key) (session.Record, error) {
	c.asked.Add(1)
	return c.Store.Load(ctx, key)
}

// A warm session asks neither the provider nor, but for once a second, the store.
func TestWarmSessionAsksNobody(t *testing.T) {
	n, managers, _ := renewed(t, 1)
	options := managers[0].Options
	store := &counting{Store: options.Store}
	options.Store = store
	m, err := session.NewManager(options)
	if err != nil {
		t.Fatal(err)
	}
	cookie := startWith(t, m, n.vouched(session.Record{UserID: 7}))
	began := time.Now()
	for range 1000 {
		if _, _, err := m.Load(request(cookie)); err != nil {
			t.Fatal(err)
		}
	}
	if asked, most := store.asked.Load(), 1+int64(time.Since(began)/time.Second); asked > most || n.asked.Load() != 0 {
		t.Errorf("the store was asked %d times, at most %d are right; the provider %d times", asked, most, n.asked.Load())
	}
}
