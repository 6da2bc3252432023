package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/app"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
)

// until keeps what is written, and says when all words are in it.
type until struct {
	mu    sync.Mutex
	text  bytes.Buffer
	words []string
	found chan struct{}
}

// Write keeps what is written (io.Writer).
func (u *until) Write(p []byte) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.text.Write(p)
	before := len(u.words)
	u.words = slices.DeleteFunc(u.words, func(word string) bool { return strings.Contains(u.text.String(), word) })
	if before > 0 && len(u.words) == 0 {
		close(u.found)
	}
	return len(p), nil
}

func (u *until) String() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.text.String()
}

// In a log of objects each line is one, in full mode as well, where MLflow writes to it too.
func TestEachLineOfFullModeIsAnObject(t *testing.T) {
	dir := t.TempDir()
	mlflow := filepath.Join(dir, "mlflow")
	if err := os.WriteFile(mlflow, []byte("#!/bin/sh\nprintf 'mlflow says\\r\\033[2J \"this\"\\n'\nexec sleep 600\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	settings := map[string]string{"MLFLOW_COMMAND": mlflow, "LISTEN_ADDR": "127.0.0.1:0", "LOG_FORMAT": "json", "SECRET_KEY": "nobody-guesses-this-one-4711", "SHUTDOWN_GRACE_SECONDS": "1",
		"OIDC_USERS_DB_URI": "sqlite:///" + filepath.Join(dir, "auth.db"), "SESSION_FILE_DIR": filepath.Join(dir, "sessions"),
		"OIDC_DISCOVERY_URL": "http://127.0.0.1:1/.well-known/openid-configuration", "OIDC_CLIENT_ID": "x", "OIDC_CLIENT_SECRET": "y"}
	c, err := config.Load(func(name string) (string, bool) { value, ok := settings[name]; return value, ok }, filepath.Join(dir, ".env"), nil)
	if err != nil {
		t.Fatal(err)
	}
	out := &until{words: []string{"mlflow says", `"msg":"serving"`}, found: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	served := make(chan error, 1)
	go func() { served <- app.Serve(ctx, c, nil, out) }()
	select {
	case <-out.found:
	case err := <-served:
		t.Fatalf("it ended with %v: %s", err, out)
	case <-time.After(time.Minute):
		t.Errorf("not all is said: %s", out)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
	said := 0
	for line := range strings.Lines(out.String()) {
		var one struct{ Time, Level, Msg, Source string }
		if err := json.Unmarshal([]byte(line), &one); err != nil || one.Msg == "" || one.Time == "" || one.Level == "" {
			t.Errorf("%q is no object with a message (%v)", line, err)
		}
		if one.Source == "mlflow" && one.Msg == "mlflow says\ufffd\ufffd[2J \"this\"" {
			said++
		}
	}
	if said != 1 {
		t.Errorf("MLflow's line is there %d times in %s", said, out)
	}
}
