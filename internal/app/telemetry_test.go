package app

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
)

// How long MLflow took is told without the time in which a client sent what it uploads.
func TestUploadsDoNotMakeMLflowSlow(t *testing.T) {
	m := newMetrics(&config.Config{}, "", "")
	synctest.Test(t, func(t *testing.T) {
		_, asked := upstreamWatch{&watch{metrics: m}}.Asks(t.Context(), true)
		time.Sleep(92 * time.Second)
		asked(http.StatusOK, 90*time.Second, nil)
	})
	said := httptest.NewRecorder()
	m.Handler().ServeHTTP(said, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if want := `upstream_duration_seconds_sum{purpose="forward"} 2` + "\n"; !strings.Contains(said.Body.String(), want) {
		t.Errorf("not %s", want)
	}
}
