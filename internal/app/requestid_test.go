package app_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// Every answer says its request's name once: pages, API, errors, and what MLflow answers, which gets the name as well.
func TestEveryAnswerNamesItsRequest(t *testing.T) {
	var got http.Header
	stub := world.Stub(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("X-Request-Id", "of-the-upstream")
		if r.Header.Get("X-Early") != "" {
			w.WriteHeader(http.StatusEarlyHints)
		}
		_, _ = io.WriteString(w, "{}")
	})
	w := world.New(t, stub.URL, nil)
	ann, nobody := w.Person(t, "ann", world.Members), w.Nobody(t)
	seen := map[string]bool{}
	for _, c := range []struct {
		by     *world.Client
		target string
		header string
		status int
	}{
		{nobody, "GET /login", "", http.StatusOK},

		{nobody, "GET /login/nobody", "", http.StatusNotFound},
		{nobody, "GET /callback?state=x", "", http.StatusBadRequest},
		{nobody, "GET /health/live", "", http.StatusOK},
		{nobody, "GET /api/2.0/mlflow/users/current", "", http.StatusUnauthorized},
		{nobody, "GET /no/route", "", http.StatusForbidden},
		{nobody, "GET /oidc/ui/assets/none.js", "", http.StatusNotFound},
		{ann, "GET /api/2.0/mlflow/users/current", "", http.StatusOK},
		{ann, "GET /api/3.0/mlflow/server-info", "", http.StatusOK},
		{ann, "GET /api/3.0/mlflow/server-info", "X-Early", http.StatusOK},
		{ann, "GET /api/3.0/mlflow/server-info", "Expect", http.StatusOK},
	} {
		method, target, _ := strings.Cut(c.target, " ")
		request := c.by.Request(t, method, target, nil)
		request.Header.Set("X-Request-Id", "of-the-client")
		if c.header != "" {
			request.Header.Set(c.header, "100-continue")
		}
		answer := c.by.Send(t, request)
		names := answer.Header["X-Request-Id"]
		if answer.Status != c.status || len(names) != 1 || len(names[0]) < 5 || strings.Contains(names[0], "of-the") || seen[names[0]] {
			t.Errorf("%s %s: %d, named %q", c.target, c.header, answer.Status, names)
			continue
		}
		seen[names[0]] = true
		if strings.HasSuffix(target, "server-info") && fmt.Sprint(got["X-Request-Id"]) != fmt.Sprint(names) {
			t.Errorf("MLflow gets %q, the client %q", got["X-Request-Id"], names)
		}
		if c.status == http.StatusBadRequest && !strings.Contains(w.Logged(), "request="+names[0]) {
			t.Errorf("%s: no event has the name %q", c.target, names[0])
		}
	}
}
