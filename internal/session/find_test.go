package session_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session/sessiontest"
)

func startWith(t *testing.T, m *session.Manager, record session.Record) *http.Cookie {
	t.Helper()
	w := httptest.NewRecorder()
	if err := m.Start(w, request(), record); err != nil {
		t.Fatal(err)
	}
	return w.Result().Cookies()[0]
}

func end(t *testing.T, m *session.Manager, cookie *http.Cookie) {
	t.Helper()
	if _, err := m.End(httptest.NewRecorder(), request(cookie)); err != nil {
		t.Error(err)
	}
	if _, _, err := m.Load(request(cookie)); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("the session that was ended gives %v", err)
	}
}

func TestEndedSessionsAreThoseNamed(t *testing.T) {
	clock, dir := sessiontest.NewClock(), filepath.Join(t.TempDir(), "s")
	m, other := manager(t, dir, clock, nil), manager(t, dir, clock, nil)
	mine := startWith(t, m, session.Record{UserID: 7, Provider: "p", Subject: "s", AtIssuer: "1"})
	phone := startWith(t, other, session.Record{UserID: 7, Provider: "p", Subject: "s", AtIssuer: "2"})
	stranger := startWith(t, m, session.Record{UserID: 8, Provider: "q", Subject: "s", AtIssuer: "2"})
	n, err := m.EndAll(t.Context(), session.Query{Provider: "p", AtIssuer: "2"}, session.All)
	if err != nil || n != 1 {
		t.Fatalf("ended %d, %v", n, err)
	}
	for name, one := range map[string]struct {
		cookie *http.Cookie
		alive  bool
	}{"the other of the same person": {mine, true}, "the named one": {phone, false}, "that of another provider": {stranger, true}} {
		if _, _, err := m.Load(request(one.cookie)); (err == nil) != one.alive {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An empty query must not end everything, or what was never named.
func TestEmptyQueryEndsNothing(t *testing.T) {
	m := manager(t, filepath.Join(t.TempDir(), "s"), sessiontest.NewClock(), nil)
	cookie := startWith(t, m, session.Record{Provider: "p"})
	for _, q := range []session.Query{{}, {Provider: "p"}, {Subject: "s"}, {AtIssuer: "1"}, {UserID: 1, Provider: "p", Subject: "s"}} {
		if n, err := m.EndAll(t.Context(), q, session.All); err == nil || n != 0 {
			t.Errorf("%+v ended %d, %v", q, n, err)
		}
		if q.Names(session.Record{}) {
			t.Errorf("%+v names what has no name", q)
		}
	}
	if _, _, err := m.Load(request(cookie)); err != nil {
		t.Error(err)
	}
}

// What people see of a session does not lead to its cookie, and is a number that JavaScript keeps.
func TestNumberOfASession(t *testing.T) {
	key := session.Key("ffffffffffffffff" + strings.Repeat("0", 48))
	if n := key.Number(); n != 1<<52-1 || n >= 1<<53 {
		t.Errorf("%d", n)
	}
	if session.Key("short").Number() != 0 || session.Key(strings.Repeat("z", 64)).Number() != 0 || key.Prefix() != "ffffffff" || session.Key("ab").Prefix() != "ab" {
		t.Error("what is no key has a number")
	}
}

func TestTokensUsedOnce(t *testing.T) {
	clock, dir := sessiontest.NewClock(), filepath.Join(t.TempDir(), "s")
	m, other := manager(t, dir, clock, nil), manager(t, dir, clock, nil)
	used := func(want bool) {
		t.Helper()
		if got, err := other.Used(t.Context(), "token"); err != nil || got != want {
			t.Errorf("used %v, %v", got, err)
		}
	}
	used(false)
	if err := m.MarkUsed(t.Context(), "token", clock.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	used(true)
	clock.Advance(time.Minute)
	used(false)
	down := manager(t, dir, clock, func(o *session.Options) { o.Store = unavailable{o.Store} })
	if got, err := down.Used(t.Context(), "token"); err == nil || got {
		t.Errorf("without the store: %v, %v", got, err)
	}
}

// The attack: a cookie that was cut, lengthened or changed.
func TestAttackTamperedCookie(t *testing.T) {
	m := manager(t, filepath.Join(t.TempDir(), "s"), sessiontest.NewClock(), nil)
	good := start(t, m, request()).Value
	for name, value := range map[string]string{"cut": good[:len(good)-1], "half": good[:20], "longer": good + "A", "first changed": flip(good, 0),
		"last changed": flip(good, len(good)-1), "upper case": strings.ToUpper(good), "padded": good + "="} {
		if record, key, err := m.Load(request(&http.Cookie{Name: "session", Value: value})); err == nil {
			t.Errorf("%s: %+v %s", name, record, key)
		}
	}
}

// flip changes a character.
func flip(text string, at int) string {
	with := "A"
	if text[at] == 'A' {
		with = "B"
	}
	return text[:at] + with + text[at+1:]
}

// A list is no longer than is wanted and says so, and holds no tokens, which are of use to nobody who reads it.
func TestListIsBoundedAndHoldsNoTokens(t *testing.T) {
	m := manager(t, filepath.Join(t.TempDir(), "s"), sessiontest.NewClock(), nil)
	for range 3 {
		if err := m.Start(httptest.NewRecorder(), request(), session.Record{UserID: 7, SealedToken: []byte{1}, SealedRefresh: []byte{2}}); err != nil {
			t.Fatal(err)
		}
	}
	for most, want := range map[int]struct {
		n   int
		all bool
	}{2: {2, false}, 3: {3, true}, 4: {3, true}} {
		found, all, err := m.List(t.Context(), most)
		if err != nil || len(found) != want.n || all != want.all {
			t.Errorf("of %d at most it gives %d, all %v, %v", most, len(found), all, err)
		}
		for _, f := range found {
			if f.Record.SealedToken != nil || f.Record.SealedRefresh != nil {
				t.Error("it holds tokens")
			}
		}
	}
}
