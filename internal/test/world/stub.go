package world

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
)

// Stub is a server in MLflow's place, for what MLflow itself cannot be made to do. It says its version by itself, which the
// gateway asks for when it likes.
func Stub(t testing.TB, answer http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/version" {
			_, _ = io.WriteString(w, policy.Version)
			return
		}
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	return server
}
