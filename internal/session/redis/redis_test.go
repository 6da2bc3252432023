package redis

import (
	"fmt"
	"net"
	"os/exec"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session/sessiontest"
)

// server starts a real Redis, and gives its address and what stops it.
func server(t *testing.T) (string, func()) {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Fatal("redis-server is needed on PATH; scripts/test.sh installs it")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	_ = listener.Close()
	command := exec.Command("redis-server", "--bind", "127.0.0.1", "--port", fmt.Sprint(port), "--save", "", "--dir", t.TempDir())
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	stop := func() { _ = command.Process.Kill(); _ = command.Wait() }
	t.Cleanup(stop)
	address := fmt.Sprintf("127.0.0.1:%d", port)
	for range 100 {
		if c, err := net.Dial("tcp", address); err == nil {
			_ = c.Close()
			return address, stop
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("redis-server did not start")
	return "", nil
}

func TestBehaviour(t *testing.T) {
	address, _ := server(t)
	clock := sessiontest.NewClock()
	sessiontest.Run(t, clock, func(t *testing.T) session.Store {
		s := New(redis.NewClient(&redis.Options{Addr: address}), t.Name()+":", clock.Now)
		t.Cleanup(func() { _ = s.Close() })
		return s
	})
}

// A store that cannot be asked is an error, never "no such session".
func TestRedisDownIsUnavailable(t *testing.T) {
	address, stop := server(t)
	s := New(redis.NewClient(&redis.Options{Addr: address, MaxRetries: -1}), "p:", time.Now)
	t.Cleanup(func() { _ = s.Close() })
	stop()
	_, err := s.Load(t.Context(), "x")
	if !errs.Is(err, errs.Unavailable) {
		t.Errorf("load gave %v", err)
	}
	if err := s.Save(t.Context(), "x", session.Record{ExpiresAt: time.Now().Add(time.Hour)}); !errs.Is(err, errs.Unavailable) {
		t.Errorf("save gave %v", err)
	}
}
