// Package mlflowtest runs a real MLflow server for tests, one for each test binary.
package mlflowtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/supervise"
)

// Server is a running MLflow server, reached without the gateway.
type Server struct {
	Address  string // in the form of MLFLOW_UPSTREAM
	Socket   string
	Database string // the path of its SQLite database
	Client   *http.Client

	supervised *supervise.Server
	dir        string
}

type once struct {
	once   sync.Once
	server *Server
	err    error
}

// shared are the servers that a package's tests share: without workspaces, and with.
var shared, spaced once

func (o *once) get(t testing.TB, args ...string) *Server {
	t.Helper()
	o.once.Do(func() { o.server, o.err = start(args...) })
	if o.err != nil {
		t.Fatal(o.err)
	}
	return o.server
}

// Main runs a package's tests and stops the server that they shared; it gives the exit code.
func Main(m *testing.M) int {
	code := m.Run()
	for _, o := range []*once{&shared, &spaced} {
		if o.server == nil {
			continue
		}
		if err := o.server.stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}

// Shared gives the server that all tests of the package share, and starts it for the first. The package's TestMain has to
// be Main.
func Shared(t testing.TB) *Server {
	t.Helper()
	return shared.get(t)
}

// WithWorkspaces gives the server with workspaces that all tests of the package share; it is started for the first.
func WithWorkspaces(t testing.TB) *Server {
	t.Helper()
	return spaced.get(t, "--enable-workspaces")
}

// New starts a server of the test's own, for tests that kill it, or that need other settings: NAME=value.
func New(t testing.TB, settings ...string) *Server {
	t.Helper()
	s, err := start(settings...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// Root is the folder of the module.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no go.mod is above the working directory")
		}
		dir = filepath.Dir(dir)
	}
}

// start starts a server with settings: NAME=value of its environment, or flags.
func start(settings ...string) (*Server, error) {
	environment, err := pinned()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "mlflowtest-")
	if err != nil {
		return nil, err
	}
	output, err := os.Create(filepath.Join(dir, "mlflow.log"))
	if err != nil {
		return nil, err
	}
	// Its job workers are several processes that poll; on a small machine they cost more than all tests together.
	if err := os.Setenv("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false"); err != nil {
		return nil, err
	}
	// Providers that stand in for others listen on loopback, without TLS.
	for name, value := range map[string]string{"MLFLOW_GATEWAY_API_BASE_ALLOW_PRIVATE_IPS": "true", "MLFLOW_GATEWAY_API_BASE_ALLOWED_SCHEMES": "http,https"} {
		if err := os.Setenv(name, value); err != nil {
			return nil, err
		}
	}
	args := []string{"--workers", "1", "--backend-store-uri", "sqlite:///" + filepath.Join(dir, "mlflow.db"),
		"--artifacts-destination", filepath.Join(dir, "artifacts")}
	for _, setting := range settings {
		name, value, ok := strings.Cut(setting, "=")
		if !ok {
			args = append(args, setting)
			continue
		}
		if err := os.Setenv(name, value); err != nil {
			return nil, err
		}
	}
	supervised, err := supervise.Start(supervise.Options{Command: environment.Command("mlflow"), Log: slog.New(slog.DiscardHandler), Output: output, Grace: 10 * time.Second,
		Args: args})
	if err != nil {
		return nil, err
	}
	socket := strings.TrimPrefix(supervised.Address(), "unix://")
	s := &Server{Address: supervised.Address(), Socket: socket, Database: filepath.Join(dir, "mlflow.db"), dir: dir, supervised: supervised,
		Client: &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}}}}
	for deadline := time.Now().Add(5 * time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		answer, err := s.Client.Get("http://localhost/health")
		if err != nil {
			continue
		}
		_ = answer.Body.Close()
		if answer.StatusCode == http.StatusOK {
			return s, nil
		}
	}
	said, _ := os.ReadFile(output.Name())
	return nil, errors.Join(fmt.Errorf("MLflow did not become healthy; its log:\n%s", said), s.stop())
}

func (s *Server) stop() error {
	s.Client.CloseIdleConnections()
	if err := s.supervised.Stop(); err != nil {
		return fmt.Errorf("stopping MLflow: %w", err)
	}
	return os.RemoveAll(s.dir)
}

// Do asks MLflow itself, beside the gateway: a map or nil as the body for JSON, a url.Values as the query. It gives the
// answer's JSON, and fails the test when the status is not 200.
func (s *Server) Do(t testing.TB, method, path string, query url.Values, body any) map[string]any {
	t.Helper()
	var content io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		content = bytes.NewReader(raw)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, "http://localhost"+path+"?"+query.Encode(), content)
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := s.Client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	var said map[string]any
	if err := json.Unmarshal(raw, &said); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("MLflow answered %s %s with %d: %s", method, path, answer.StatusCode, raw)
	}
	return said
}
