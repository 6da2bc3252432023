package app_test

import (
	"net"
	"net/http"
	"strconv"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session/sessiontest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// The attack: spread guesses over the replicas, each of which would allow as many.
func TestAttackGuessesSpreadOverReplicas(t *testing.T) {
	address, stop := sessiontest.Redis(t, "--port", sessiontest.Port)
	_, port, _ := net.SplitHostPort(address) // it is one
	settings := map[string]string{"SESSION_TYPE": "redis", "REDIS_HOST": "127.0.0.1", "REDIS_PORT": port, "LOGIN_FAILURES_PER_MINUTE": "20", "TRUSTED_PROXIES": "127.0.0.1"}
	first, second := world.New(t, "http://127.0.0.1:1", settings), world.New(t, "http://127.0.0.1:1", settings)
	ann := first.Person(t, "ann", world.Members)
	guess := func(w *world.World, from, username string) world.Answer {
		t.Helper()
		c := world.Client{World: w, HTTP: &http.Client{}, Username: username, Token: "mlo_wrong"}
		r := c.Request(t, http.MethodGet, "/api/2.0/mlflow/users/current", nil)
		r.Header.Set("X-Forwarded-For", from)
		return c.Send(t, r)
	}
	for i := range 20 {
		w := []*world.World{first, second}[i%2]
		if got := guess(w, "192.0.2."+strconv.Itoa(i), []string{"ann@example.com", "ANN@example.com", " Ann@Example.com "}[i%3]); got.Status != http.StatusUnauthorized {
			t.Fatalf("guess %d: %d %s", i, got.Status, got.Body)
		}
	}
	for _, w := range []*world.World{first, second} {
		got := guess(w, "192.0.2.100", "ann@example.com")
		if seconds, err := strconv.Atoi(got.Header.Get("Retry-After")); got.Status != http.StatusTooManyRequests || err != nil || seconds < 1 || seconds > 60 {
			t.Errorf("the next guess: %d, Retry-After %q", got.Status, got.Header.Get("Retry-After"))
		}
		if got := guess(w, "192.0.2.101", "bob@example.com"); got.Status != http.StatusUnauthorized {
			t.Errorf("somebody else: %d %s", got.Status, got.Body)
		}
	}
	right := func() {
		t.Helper()
		if got := ann.Do(t, http.MethodGet, "/api/2.0/mlflow/users/current", nil); got.Status != http.StatusOK {
			t.Errorf("the right token: %d %s", got.Status, got.Body)
		}
	}
	right()
	// Without Redis each replica counts on alone: guesses are not unlimited, and nobody else is kept out.
	stop()
	right()
	if got := guess(second, "192.0.2.102", "cid@example.com"); got.Status != http.StatusUnauthorized {
		t.Errorf("somebody else without Redis: %d %s", got.Status, got.Body)
	}
	limited := 0
	for range 30 {
		if guess(second, "192.0.2.103", "dan@example.com").Status == http.StatusTooManyRequests {
			limited++
		}
	}
	if limited < 5 { // some may be given back meanwhile
		t.Errorf("%d of 30 guesses were refused without Redis", limited)
	}
}
