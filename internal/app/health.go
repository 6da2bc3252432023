package app

import (
	"context"
	"net/http"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
)

func (a *App) mountHealth(mux *http.ServeMux) {
	up := func(w http.ResponseWriter, _ *http.Request) {
		httpx.WriteJSON(w, http.StatusOK, map[string]string{"status": "healthy"})
	}
	mux.HandleFunc("GET /health", up)
	mux.HandleFunc("GET /health/live", up)
	mux.HandleFunc("GET /health/ready", a.ready)
}

// ready tells whether requests can be served now: MLflow, the users database and the session store answer.
func (a *App) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	checks, status, code := map[string]string{}, "ready", http.StatusOK
	all := map[string]func(context.Context) error{"mlflow": a.MLflow.Healthy, "database": a.Store.Ping, "sessions": a.Sessions.Store.Ping}
	if a.settings.Workspaces.Enabled {
		all["workspaces"] = a.MLflow.HasWorkspaces
	}
	for name, check := range all {
		err := check(ctx)
		a.noteCheck(name, err)
		if checks[name] = "ok"; err != nil {
			checks[name], status, code = "unavailable", "not ready", http.StatusServiceUnavailable
		}
	}
	httpx.WriteJSON(w, code, map[string]any{"status": status, "checks": checks})
}

// compareWorkspaces asks MLflow, as soon as it answers, whether it has the workspaces that the settings say, and logs it
// where it has none: every request is refused then.
func (a *App) compareWorkspaces(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		err := a.MLflow.HasWorkspaces(ctx)
		if errs.Is(err, errs.Unavailable) {
			a.log.Error("MLflow and the settings differ", "error", err)
		}
		if !errs.Is(err, errs.BadGateway) || ctx.Err() != nil { // an MLflow without workspaces may not know the question
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// noteCheck logs a check that begins to fail, and one that succeeds again; a probe each second would bury the rest of the log.
func (a *App) noteCheck(name string, err error) {
	if err == nil {
		if _, failed := a.unready.LoadAndDelete(name); failed {
			a.log.Info("ready again", "check", name)
		}
		return
	}
	if _, failed := a.unready.Swap(name, struct{}{}); !failed {
		a.log.Warn("not ready", "check", name, "error", err)
	}
}
