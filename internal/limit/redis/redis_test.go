package redis

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/limit/limittest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session/sessiontest"
)

type counter struct{ *Counter }

// Advance has the keys age: Redis's clock cannot be moved.
func (c counter) Advance(t *testing.T, by time.Duration) {
	t.Helper()
	keys, err := c.client.Keys(t.Context(), c.prefix+"*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		left := c.client.PTTL(t.Context(), key).Val()
		if err := c.client.PExpire(t.Context(), key, left-by).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

func open(t *testing.T, address string, perMinute int) counter {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: address})
	t.Cleanup(func() { _ = client.Close() })
	return counter{New(client, t.Name()+":", perMinute)}
}

func TestBehaviour(t *testing.T) {
	address, _ := sessiontest.Redis(t, "--port", sessiontest.Port)
	limittest.Run(t, func(t *testing.T, perMinute int) limittest.Counter { return open(t, address, perMinute) })
}

// Nothing is left behind of who has stopped to try.
func TestKeysExpire(t *testing.T) {
	address, _ := sessiontest.Redis(t, "--port", sessiontest.Port)
	for _, perMinute := range []int{1, 7, 9000, 10000} {
		c := open(t, address, perMinute)
		for range 3 {
			if err := c.Count(t.Context(), []string{"a"}); err != nil {
				t.Fatal(err)
			}
		}
		if left := c.client.PTTL(t.Context(), c.prefix+"a").Val(); left > time.Minute || left == -1 {
			t.Errorf("%d a minute: the key lives for %v", perMinute, left)
		}
	}
}

func TestRedisDownIsAnError(t *testing.T) {
	address, stop := sessiontest.Redis(t, "--port", sessiontest.Port)
	c := open(t, address, 3)
	stop()
	if err := c.Count(t.Context(), []string{"a"}); err == nil {
		t.Error("counted nowhere")
	}
	if _, err := c.Wait(t.Context(), []string{"a"}); err == nil {
		t.Error("nobody was asked")
	}
}
