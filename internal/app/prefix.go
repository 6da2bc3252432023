package app

import (
	"net/http"
	"strings"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
)

// under serves everything below a prefix and nothing beside it, but for the health checks, which load balancers ask for at
// the root. The prefix is compared as it was sent: it has one spelling (httpx.ParsePrefix).
func (a *App) under(prefix string, own, all http.Handler) http.Handler {
	if prefix == "" {
		return all
	}
	below := http.StripPrefix(prefix, all)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.EscapedPath()
		switch {
		case strings.HasPrefix(path, prefix+"/"):
			below.ServeHTTP(w, r)
		case path == "/health" || strings.HasPrefix(path, "/health/"):
			own.ServeHTTP(w, r)
		case (path == prefix || path == "/") && (r.Method == http.MethodGet || r.Method == http.MethodHead):
			to := prefix + "/"
			if r.URL.RawQuery != "" {
				to += "?" + r.URL.RawQuery
			}
			http.Redirect(w, r, to, http.StatusSeeOther)
		default:
			httpx.WriteError(w, r, a.log, errs.New(errs.NotFound, "everything is below %s/ here", prefix))
		}
	})
}
