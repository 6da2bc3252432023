package app

import (
	"html/template"
	"net/http"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/login"
)

const uiPath = "/oidc/ui"

var uiPage = template.Must(template.New("ui").Parse(`<!doctype html><html lang="en"><head><meta charset="utf-8"><title>MLflow permissions</title>` +
	`<meta name="viewport" content="width=device-width"><style>` + login.Style + `</style></head><body><main><h1>MLflow permissions</h1>` +
	`{{if .Username}}<p>You are signed in as {{.Username}}.</p>{{else}}<p><a class="button" href="{{.Prefix}}/login">Sign in</a></p>{{end}}` +
	`<p>Users, groups, tokens and permissions are managed by the REST API: <a href="{{.Prefix}}/openapi.json">its description</a>.</p>` +
	`<p><a class="button" href="{{.Prefix}}/">MLflow</a></p></main></body></html>`))

// mountUI adds what programs and pages ask for to know how this server is set up, and the page at the plugin's address.
func (a *App) mountUI(mux *http.ServeMux, prefix string, authenticate func(*http.Request) (*identity.Subject, error)) {
	who := func(w http.ResponseWriter, r *http.Request) (*identity.Subject, bool) {
		subject, err := authenticate(r)
		if err != nil && !errs.Is(err, errs.Unauthenticated) {
			httpx.WriteError(w, r, a.log, err)
			return nil, false
		}
		return subject, true
	}
	mux.HandleFunc("GET "+uiPath+"/config.json", func(w http.ResponseWriter, r *http.Request) {
		subject, ok := who(w, r)
		if !ok {
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		httpx.WriteJSON(w, http.StatusOK, map[string]any{"basePath": prefix, "uiPath": prefix + uiPath, "provider": a.settings.OIDC.DisplayName,
			"authenticated": subject != nil, "gen_ai_gateway_enabled": true, "workspaces_enabled": a.settings.Workspaces.Enabled})
	})
	mux.HandleFunc("GET "+uiPath, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, prefix+uiPath+"/", http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("GET "+uiPath+"/{filename...}", func(w http.ResponseWriter, r *http.Request) {
		subject, ok := who(w, r)
		if !ok {
			return
		}
		view := struct{ Prefix, Username string }{Prefix: prefix}
		if subject != nil {
			view.Username = subject.Username
		}
		login.Write(w, http.StatusOK, uiPage, view)
	})
}
