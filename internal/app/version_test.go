package app

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/upstream"
)

func TestConcernsAboutVersions(t *testing.T) {
	for version, want := range map[string]string{
		"3.17.2": "", "3.17.1": "", "3.5.0": "", "2.22.0": "", "2.22.4": "", "3.17.2rc1": "", "3.0.0.dev0": "",
		"3.17.3": "newer", "3.18.0": "newer", "3.100.0": "newer", "4.0.0": "newer", "3.18.0.dev0": "newer", "10.0.0": "newer",
		"2.21.9": "older", "2.9.3": "older", "1.30.0": "older", "0.0.0": "older",
		"": "cannot be read", "3.17": "cannot be read", "v3.17.2": "cannot be read", "3.17.2-fork": "cannot be read", "<html>": "cannot be read",
		"3.17.2.4": "cannot be read", "3.99999999.0": "cannot be read", "٣.17.2": "cannot be read",
	} {
		if got := concern(version); (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", version, got, want)
		}
	}
}

func FuzzConcern(f *testing.F) {
	for _, seed := range []string{"3.17.2", "2.22.0rc1", "3.17.2\n", "1.2.3.post1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, version string) {
		if concern(version) == "" && !strings.HasPrefix(version, "3.") && !strings.HasPrefix(version, "2.") && !strings.HasPrefix(strings.TrimLeft(version, "0"), "3.") &&
			!strings.HasPrefix(strings.TrimLeft(version, "0"), "2.") {
			t.Fatalf("%q raises no concern", version)
		}
	})
}

type lines chan string

// Write sends the log to the test (io.Writer).
func (l lines) Write(line []byte) (int, error) { l <- string(line); return len(line), nil }

// told serves a version until it is stopped.
func told(t *testing.T, address, version string) (string, func()) {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, version) })}
	go func() { _ = server.Serve(listener) }()
	return listener.Addr().String(), func() { _ = server.Close() }
}

// Whoever updates MLflow alone is told what the gateway does about it, without a restart of the gateway.
func TestVersionIsAskedForAgainWhenMLflowIsBack(t *testing.T) {
	address, stop := told(t, "127.0.0.1:0", "3.17.2")
	log := make(lines, 10)
	mlflow, err := upstream.New(upstream.Options{Address: "http://" + address, ConnectTimeout: time.Second, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	a := &App{MLflow: mlflow, log: slog.New(slog.NewTextHandler(log, nil))}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); a.watchVersion(ctx) }()
	defer func() { cancel(); <-ended }()

	if said := <-log; !strings.Contains(said, "level=INFO") || !strings.Contains(said, "version=3.17.2") {
		t.Errorf("the log says %s", said)
	}
	stop()
	mlflow.Close()
	if mlflow.Healthy(t.Context()) == nil {
		t.Fatal("MLflow is healthy and gone")
	}
	_, stop = told(t, address, "3.18.0")
	defer stop()
	if err := mlflow.Healthy(t.Context()); err != nil {
		t.Fatal(err)
	}
	said := <-log
	for _, part := range []string{"level=WARN", "newer", "stays closed", "3.18.0", "table=3.17.2"} {
		if !strings.Contains(said, part) {
			t.Errorf("the log lacks %s: %s", part, said)
		}
	}
}
