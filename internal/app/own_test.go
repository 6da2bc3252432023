package app_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// What the gateway answers itself is MLflow's error form throughout, and none of it needs MLflow.
func TestOwnPathsAnswerInOneForm(t *testing.T) {
	w := world.New(t, "http://127.0.0.1:1", nil)
	nobody := w.Nobody(t)
	for target, want := range map[string]int{
		"GET /health": http.StatusOK, "GET /health/live": http.StatusOK, "GET /health/ready": http.StatusServiceUnavailable,
		"GET /health/ready?without=database": http.StatusBadRequest, "GET /health/ready?without=": http.StatusBadRequest,
		"GET /health/ready?without=mlflow&without=database": http.StatusBadRequest, "GET /health/other": http.StatusNotFound,
		"POST /login": http.StatusNotFound, "GET /login/other": http.StatusNotFound, "GET /auth": http.StatusNotFound, "GET /auth/status": http.StatusOK, "GET /providers": http.StatusOK,
		"GET /api/2.0/mlflow/users/current": http.StatusUnauthorized, "GET /api/2.0/mlflow/permissions": http.StatusNotFound, "GET /openapi.json": http.StatusOK,
		"GET /.well-known/oauth-authorization-server": http.StatusOK, "GET /oauth": http.StatusNotFound, "GET /oauth/token": http.StatusNotFound, "GET /oauth/device": http.StatusSeeOther,
		// these only begin as ours do: they are MLflow's, and there in no table
		"GET /loginx": http.StatusForbidden, "GET /healthx": http.StatusForbidden, "GET /api/2.0/mlflow/users-of": http.StatusForbidden,
	} {
		method, path, _ := strings.Cut(target, " ")
		got := nobody.Do(t, method, path, nil)
		if got.Status != want || want >= 400 && want != http.StatusServiceUnavailable && got.Code() == "" {
			t.Errorf("%s: answered %d %s, want %d", target, got.Status, got.Body, want)
		}
	}
}
