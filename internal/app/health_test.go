package app_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// A balancer that leaves MLflow out goes on sending requests here while MLflow is away, so that people are told, and not while the gateway
// itself cannot work.
func TestReadyWithoutMLflow(t *testing.T) {
	for name, tc := range map[string]struct {
		settings map[string]string
		status   int
		checks   map[string]bool
	}{
		"MLflow is away":                  {nil, http.StatusOK, map[string]bool{"database": true, "sessions": true}},
		"MLflow with workspaces is away":  {map[string]string{"MLFLOW_ENABLE_WORKSPACES": "true"}, http.StatusOK, map[string]bool{"database": true, "sessions": true}},
		"the sessions are away, likewise": {map[string]string{"SESSION_TYPE": "redis", "REDIS_HOST": "127.0.0.1", "REDIS_PORT": "1"}, http.StatusServiceUnavailable, map[string]bool{"database": true, "sessions": false}},
	} {
		t.Run(name, func(t *testing.T) {
			w := world.New(t, "http://127.0.0.1:1", tc.settings)
			got := w.Nobody(t).Do(t, http.MethodGet, "/health/ready?without=mlflow", nil)
			var said struct{ Checks map[string]bool }
			if err := json.Unmarshal(got.Body, &said); err != nil || got.Status != tc.status || !maps.Equal(said.Checks, tc.checks) {
				t.Errorf("answered %d %s, want %d", got.Status, got.Body, tc.status)
			}
			for _, path := range []string{"/health/ready", "/health/startup"} { // which say that all is there, or was once
				if got := w.Nobody(t).Do(t, http.MethodGet, path, nil); got.Status != http.StatusServiceUnavailable {
					t.Errorf("%s answered %d %s", path, got.Status, got.Body)
				}
			}
		})
	}
}
