package app

import (
	"log"
	"log/slog"
	"net/http"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
)

// Around puts around a handler what is around all of the gateway's, and gives what tells Prometheus of it.
func Around(next http.Handler, to *slog.Logger) (around, told http.Handler) {
	w := &watch{metrics: newMetrics(&config.Config{}, "", ""), access: to, origin: &httpx.Origin{}}
	return w.over(named(w.origin, to, next)), w.metrics.Handler()
}

// Named is what is around all of the gateway's handlers where nobody watches.
func Named(next http.Handler, to *slog.Logger) http.Handler {
	return named(&httpx.Origin{}, to, next)
}

// ServerLog is what takes the lines of net/http.
func ServerLog(to *slog.Logger) *log.Logger { return serverLog(to) }
