package app

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
)

func (a *App) mountHealth(mux *http.ServeMux) {
	says := func(status string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			httpx.WriteJSON(w, http.StatusOK, map[string]string{"status": status})
		}
	}
	mux.HandleFunc("GET /health", says("ok"))
	mux.HandleFunc("GET /health/live", says("live"))
	mux.HandleFunc("GET /health/ready", a.ready)
	mux.HandleFunc("GET /health/startup", a.startup)
}

// ready tells whether requests can be served now: MLflow, the users database and the session store answer. With without=mlflow it
// leaves MLflow out: while that is away, the gateway's own pages and API work, and all else is told so.
func (a *App) ready(w http.ResponseWriter, r *http.Request) {
	ask := a.checkAll
	if without := r.URL.Query()["without"]; slices.Equal(without, []string{"mlflow"}) {
		ask = func(ctx context.Context) (map[string]bool, bool) { return a.check(ctx, a.ownNeeds()) }
	} else if without != nil {
		httpx.WriteError(w, r, a.log, errs.New(errs.Invalid, "without can be mlflow, and nothing else"))
		return
	}
	checks, ready := ask(r.Context())
	status, code := "ready", http.StatusOK
	if !ready {
		status, code = "not_ready", http.StatusServiceUnavailable
	}
	httpx.WriteJSON(w, code, map[string]any{"status": status, "checks": checks})
}

// ownNeeds are what the gateway's own pages and API need, by the names of the checks.
func (a *App) ownNeeds() map[string]func(context.Context) error {
	return map[string]func(context.Context) error{"database": a.Store.Ping, "sessions": a.Sessions.Store.Ping}
}

// checkAll asks all that requests need.
func (a *App) checkAll(ctx context.Context) (map[string]bool, bool) {
	all := a.ownNeeds()
	all["mlflow"] = a.MLflow.Healthy
	if a.settings.Workspaces.Enabled {
		all["workspaces"] = a.MLflow.HasWorkspaces
	}
	checks, ready := a.check(ctx, all)
	if ready {
		a.started.Store(true)
	}
	return checks, ready
}

// check asks them, and gives what came of each, and whether all is well.
func (a *App) check(ctx context.Context, all map[string]func(context.Context) error) (map[string]bool, bool) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	checks, ready := map[string]bool{}, true
	for name, check := range all {
		err := check(ctx)
		a.noteCheck(name, err)
		checks[name], ready = err == nil, ready && err == nil
	}
	return checks, ready
}

// startup tells whether all that requests need has been there once since the start: an MLflow of full mode takes its time. The
// identity providers are not asked: whoever has a session or token does not need them.
func (a *App) startup(w http.ResponseWriter, r *http.Request) {
	type answer struct {
		Status    string          `json:"status"`
		OIDC      bool            `json:"oidc_initialized"`
		Providers map[string]bool `json:"providers"`
		Message   string          `json:"message,omitempty"`
	}
	says := answer{Status: "started", OIDC: true, Providers: map[string]bool{}}
	for _, one := range a.settings.Providers {
		says.Providers[one.ID] = true
	}
	if !a.started.Load() {
		if _, ready := a.checkAll(r.Context()); !ready {
			says.Status, says.Message = "initializing", "MLflow, the users database or the session store has not answered yet; /health/ready says which"
			httpx.WriteJSON(w, http.StatusServiceUnavailable, says)
			return
		}
	}
	httpx.WriteJSON(w, http.StatusOK, says)
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
