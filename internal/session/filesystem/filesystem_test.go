package filesystem

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session/sessiontest"
)

func openAt(t *testing.T, dir string, clock *sessiontest.Clock) *Store {
	t.Helper()
	s, err := Open(dir, "mlflow_oidc:", slog.New(slog.DiscardHandler), clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestBehaviour(t *testing.T) {
	clock := sessiontest.NewClock()
	sessiontest.Run(t, clock, func(t *testing.T) session.Store { return openAt(t, filepath.Join(t.TempDir(), "s"), clock) })
}

func TestFilesAreThisUsersAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "s")
	clock := sessiontest.NewClock()
	s := openAt(t, dir, clock)
	key := session.Key(strings.Repeat("a", 64))
	if err := s.Save(t.Context(), key, session.Record{UserID: 1, ExpiresAt: clock.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{dir: 0o700, s.file(key): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, %v; want %v", path, info.Mode().Perm(), err, want)
		}
	}
}

// The attack: another user of the machine makes a session in a folder that anybody can write to.
func TestAttackWritableFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, "p", slog.New(slog.DiscardHandler), time.Now); err == nil {
		t.Fatal("a folder that others can write to was taken")
	}
}

// A folder that cannot be written to would be found by the first person who signs in.
func TestFolderThatCannotBeWrittenTo(t *testing.T) {
	// Not even root makes a file there (proc(5)).
	if _, err := Open("/proc/self/net", "p", slog.New(slog.DiscardHandler), time.Now); err == nil || !strings.Contains(err.Error(), "SESSION_FILE_DIR") {
		t.Errorf("opening gave %v", err)
	}
	s := &Store{dir: "/proc/self/net"}
	if err := s.Ping(t.Context()); !errs.Is(err, errs.Unavailable) {
		t.Errorf("ping gave %v", err)
	}
}

func TestSweepLeavesForeignFilesAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "[s]*") // a name that is a pattern too
	clock := sessiontest.NewClock()
	s := openAt(t, dir, clock)
	expired, live := session.Key(strings.Repeat("a", 64)), session.Key(strings.Repeat("b", 64))
	for key, life := range map[session.Key]time.Duration{expired: time.Minute, live: time.Hour} {
		if err := s.Save(t.Context(), key, session.Record{ExpiresAt: clock.Now().Add(life)}); err != nil {
			t.Fatal(err)
		}
	}
	foreign := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(foreign, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	clock.Advance(2 * time.Minute)
	if err := s.sweep(); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{s.file(expired): false, s.file(live): true, foreign: true} {
		if _, err := os.Stat(path); (err == nil) != want {
			t.Errorf("%s: %v, want it there: %v", path, err, want)
		}
	}
}

func TestCorruptFileIsNoSession(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "s"), sessiontest.NewClock())
	key := session.Key(strings.Repeat("c", 64))
	if err := os.WriteFile(s.file(key), []byte(`{"user_id":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load(t.Context(), key); !errors.Is(err, session.ErrNotFound) {
		t.Fatalf("load gave %v", err)
	}
}
