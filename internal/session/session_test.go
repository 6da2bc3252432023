package session_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session/filesystem"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session/sessiontest"
)

func manager(t *testing.T, dir string, clock *sessiontest.Clock, change func(*session.Options)) *session.Manager {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	store, err := filesystem.Open(dir, "p:", log, clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	o := session.Options{Store: store, Log: log, CookieName: "session", Lifetime: time.Hour, MaxAge: 24 * time.Hour,
		SameSite: http.SameSiteLaxMode, Secure: func(r *http.Request) bool { return r.TLS != nil }, Now: clock.Now}
	if change != nil {
		change(&o)
	}
	m, err := session.NewManager(o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func request(cookies ...*http.Cookie) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	for _, c := range cookies {
		r.AddCookie(c)
	}
	return r
}

func start(t *testing.T, m *session.Manager, r *http.Request) *http.Cookie {
	t.Helper()
	w := httptest.NewRecorder()
	if err := m.Start(w, r, session.Record{UserID: 7}); err != nil {
		t.Fatal(err)
	}
	return w.Result().Cookies()[0]
}

func TestSessionSurvivesRestart(t *testing.T) {
	dir, clock := filepath.Join(t.TempDir(), "s"), sessiontest.NewClock()
	cookie := start(t, manager(t, dir, clock, nil), request())
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Secure || cookie.MaxAge != 0 {
		t.Errorf("cookie %+v", cookie)
	}
	record, _, err := manager(t, dir, clock, nil).Load(request(cookie))
	if err != nil || record.UserID != 7 {
		t.Fatalf("%+v, %v", record, err)
	}
}

func TestExpiryMovesWithUseUpToTheEnd(t *testing.T) {
	clock := sessiontest.NewClock()
	m := manager(t, filepath.Join(t.TempDir(), "s"), clock, nil)
	cookie := start(t, m, request())
	for range 46 { // half an hour each
		clock.Advance(30 * time.Minute)
		fresh, err := session.NewManager(m.Options) // without what this one remembers
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := fresh.Load(request(cookie)); err != nil {
			t.Fatalf("after use at %v: %v", clock.Now(), err)
		}
	}
	clock.Advance(time.Hour)
	if _, _, err := m.Load(request(cookie)); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("past its end the session gave %v", err)
	}
}

// The attack: make the victim sign in under an id that the attacker knows.
func TestAttackFixation(t *testing.T) {
	m := manager(t, filepath.Join(t.TempDir(), "s"), sessiontest.NewClock(), nil)
	planted := start(t, m, request())
	got := start(t, m, request(planted))
	if got.Value == planted.Value {
		t.Fatal("sign-in kept the id that the request brought")
	}
	if _, _, err := m.Load(request(planted)); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("the planted session still gives %v", err)
	}
}

// The attack: use a stolen cookie after its owner signed out.
func TestAttackReplayAfterLogout(t *testing.T) {
	m := manager(t, filepath.Join(t.TempDir(), "s"), sessiontest.NewClock(), nil)
	cookie := start(t, m, request())
	if _, _, err := m.Load(request(cookie)); err != nil { // now it is in memory
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	if _, err := m.End(w, request(cookie)); err != nil {
		t.Fatal(err)
	}
	if c := w.Result().Cookies()[0]; c.MaxAge >= 0 {
		t.Errorf("the cookie was not removed: %+v", c)
	}
	if _, _, err := m.Load(request(cookie)); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("the ended session gives %v", err)
	}
}

// meddling is a store in which something happens just after a record was read.
type meddling struct {
	session.Store
	after func()
}

func (m *meddling) Load(ctx context.Context, key session.Key) (session.Record, error) {
	record, err := m.Store.Load(ctx, key)
	if after := m.after; after != nil {
		m.after = nil
		after()
	}
	return record, err
}

// The attack: keep requests coming with a stolen cookie, so that one of them writes the session back after its owner
// signed out.
func TestAttackRequestUnderWayRevivesSession(t *testing.T) {
	clock, dir := sessiontest.NewClock(), filepath.Join(t.TempDir(), "s")
	store := &meddling{}
	m := manager(t, dir, clock, func(o *session.Options) { store.Store, o.Store = o.Store, store })
	cookie := start(t, m, request())
	clock.Advance(30 * time.Minute) // the next use moves the expiry
	store.after = func() {
		if _, err := m.End(httptest.NewRecorder(), request(cookie)); err != nil {
			t.Error(err)
		}
	}
	if _, _, err := m.Load(request(cookie)); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("the request under way got %v", err)
	}
	if _, _, err := manager(t, dir, clock, nil).Load(request(cookie)); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("after a restart the ended session gives %v", err)
	}
}

// The attack: the same, while the owner signs out at another replica.
func TestAttackRequestUnderWayRevivesSessionOfAnotherReplica(t *testing.T) {
	clock, dir := sessiontest.NewClock(), filepath.Join(t.TempDir(), "s")
	store := &meddling{}
	m := manager(t, dir, clock, func(o *session.Options) { store.Store, o.Store = o.Store, store })
	other := manager(t, dir, clock, nil)
	cookie := start(t, m, request())
	clock.Advance(30 * time.Minute) // the next use moves the expiry
	store.after = func() {
		if _, err := other.End(httptest.NewRecorder(), request(cookie)); err != nil {
			t.Error(err)
		}
	}
	if _, _, err := m.Load(request(cookie)); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("the request under way got %v", err)
	}
	if _, _, err := manager(t, dir, clock, nil).Load(request(cookie)); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("after a restart the ended session gives %v", err)
	}
}

// unavailable is a store that cannot be asked.
type unavailable struct{ session.Store }

func (unavailable) Load(context.Context, session.Key) (session.Record, error) {
	return session.Record{}, errs.New(errs.Unavailable, "down")
}

func (unavailable) Save(context.Context, session.Key, session.Record) error {
	return errs.New(errs.Unavailable, "down")
}

func TestStoreDownIsNotSignedOut(t *testing.T) {
	clock, dir := sessiontest.NewClock(), filepath.Join(t.TempDir(), "s")
	cookie := start(t, manager(t, dir, clock, nil), request())
	down := manager(t, dir, clock, func(o *session.Options) { o.Store = unavailable{o.Store} })
	if _, _, err := down.Load(request(cookie)); !errs.Is(err, errs.Unavailable) {
		t.Errorf("load gave %v", err)
	}
	w := httptest.NewRecorder()
	if err := down.Start(w, request(), session.Record{UserID: 7}); !errs.Is(err, errs.Unavailable) || len(w.Result().Cookies()) != 0 {
		t.Errorf("start gave %v and cookies %v", err, w.Result().Cookies())
	}
}

func TestCookieOfAPermanentSessionOverTLS(t *testing.T) {
	m := manager(t, filepath.Join(t.TempDir(), "s"), sessiontest.NewClock(), func(o *session.Options) { o.Permanent = true })
	r := request()
	r.TLS = &tls.ConnectionState{}
	if c := start(t, m, r); !c.Secure || !c.HttpOnly || c.MaxAge != 24*60*60 || c.Path != "/" || c.Domain != "" {
		t.Errorf("cookie %s", c.Raw)
	}
}

func TestUnusedSessionExpires(t *testing.T) {
	clock := sessiontest.NewClock()
	m := manager(t, filepath.Join(t.TempDir(), "s"), clock, nil)
	cookie := start(t, m, request())
	if _, _, err := m.Load(request(cookie)); err != nil { // now it is in memory
		t.Fatal(err)
	}
	clock.Advance(time.Hour)
	if _, _, err := m.Load(request(cookie)); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("load gave %v", err)
	}
}

// The store holds no id: who reads it cannot sign in with what is there.
func TestAttackStoreRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "s")
	m := manager(t, dir, sessiontest.NewClock(), nil)
	cookie := start(t, m, request())
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(names) != 1 {
		t.Fatalf("%v, %v", names, err)
	}
	body, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(append(body, names[0]...), []byte(cookie.Value)) {
		t.Error("the store holds the id")
	}
	key := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(names[0]), "p_"), ".json")
	if _, _, err := m.Load(request(&http.Cookie{Name: "session", Value: key})); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("the key as a cookie gives %v", err)
	}
}

// What was sealed opens to itself, and with any byte changed or cut off to nothing.
func FuzzSealed(f *testing.F) {
	keys, err := session.NewKeys([]string{"the-first-secret-key", "the-second-secret-key"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("state"), 0, byte(0))
	f.Add([]byte("state"), 30, byte(1))
	f.Add([]byte{}, 5, byte(255))
	f.Fuzz(func(t *testing.T, plain []byte, at int, change byte) {
		sealed, err := keys.Seal("login", plain)
		if err != nil {
			t.Fatal(err)
		}
		if opened, err := keys.Open("login", sealed); err != nil || !bytes.Equal(opened, plain) {
			t.Errorf("%x opened to %x, %v", plain, opened, err)
		}
		at = int(uint(at) % uint(len(sealed)))
		if opened, err := keys.Open("login", sealed[:at]); err == nil {
			t.Errorf("cut at %d it opened to %x", at, opened)
		}
		if sealed[at] ^= change; change != 0 {
			if opened, err := keys.Open("login", sealed); err == nil {
				t.Errorf("changed at %d it opened to %x", at, opened)
			}
		}
		if opened, err := keys.Open("login", plain); err == nil {
			t.Errorf("what was never sealed opened to %x", opened)
		}
	})
}

func TestCookiesThatAreNoSession(t *testing.T) {
	m := manager(t, filepath.Join(t.TempDir(), "s"), sessiontest.NewClock(), nil)
	for _, value := range []string{"x", "../../../etc/passwd", "AAAA"} {
		if _, _, err := m.Load(request(&http.Cookie{Name: "session", Value: value})); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("cookie %q gives %v", value, err)
		}
	}
	a, b := start(t, m, request()), start(t, m, request())
	if _, _, err := m.Load(request(a, b)); !errs.Is(err, errs.Invalid) {
		t.Errorf("two sessions at once give %v", err)
	}
}

func TestSealedOpensForItsPurposeAlone(t *testing.T) {
	old, err := session.NewKeys([]string{"the-old-secret-key"})
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := old.Seal("login", []byte("state"))
	if err != nil {
		t.Fatal(err)
	}
	rotated, _ := session.NewKeys([]string{"the-new-secret-key", "the-old-secret-key"})
	if plain, err := rotated.Open("login", sealed); err != nil || string(plain) != "state" {
		t.Fatalf("%q, %v", plain, err)
	}
	other, _ := session.NewKeys([]string{"the-new-secret-key"})
	for name, open := range map[string]func() ([]byte, error){
		"another purpose": func() ([]byte, error) { return old.Open("token", sealed) },
		"another secret":  func() ([]byte, error) { return other.Open("login", sealed) },
		"tampered": func() ([]byte, error) {
			return old.Open("login", append(bytes.Clone(sealed[:len(sealed)-1]), sealed[len(sealed)-1]^1))
		},
		"short": func() ([]byte, error) { return old.Open("login", sealed[:4]) },
	} {
		if plain, err := open(); err == nil {
			t.Errorf("%s: opened to %q", name, plain)
		}
	}
}
