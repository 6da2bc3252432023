package redis

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session/sessiontest"
)

func TestBehaviour(t *testing.T) {
	address, _ := sessiontest.Redis(t, "--port", sessiontest.Port)
	clock := sessiontest.NewClock()
	sessiontest.Run(t, clock, func(t *testing.T) session.Store {
		s := New(redis.NewClient(&redis.Options{Addr: address}), t.Name()+":", clock.Now)
		t.Cleanup(func() { _ = s.Close() })
		return s
	})
}

// A store that cannot be asked is an error, never "no such session".
func TestRedisDownIsUnavailable(t *testing.T) {
	address, stop := sessiontest.Redis(t, "--port", sessiontest.Port)
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
