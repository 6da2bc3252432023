package app

import (
	"net/http"
	"strings"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/ui"
)

const uiPath = "/oidc/ui"

// mountUI adds the pages of permissions at the plugin's address, and what they and programs ask for to know how this server is
// set up. The files of the pages are the same for everybody; what they show comes from the API.
func (a *App) mountUI(mux *http.ServeMux, prefix string, pages *ui.UI, authenticate func(*http.Request) (*identity.Subject, error)) {
	mux.HandleFunc("GET "+uiPath+"/config.json", func(w http.ResponseWriter, r *http.Request) {
		subject, err := authenticate(r)
		if err != nil && !errs.Is(err, errs.Unauthenticated) {
			httpx.WriteError(w, r, a.log, err)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		httpx.WriteJSON(w, http.StatusOK, map[string]any{"basePath": prefix, "uiPath": prefix + uiPath, "provider": a.settings.OIDC.DisplayName,
			"authenticated": subject != nil, "gen_ai_gateway_enabled": true, "token_lifetime_days": int(a.settings.TokenLifetime.Hours() / 24), "workspaces_enabled": a.settings.Workspaces.Enabled})
	})
	mux.HandleFunc("GET "+uiPath, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, prefix+uiPath+"/", http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("GET "+uiPath+"/{filename...}", func(w http.ResponseWriter, r *http.Request) {
		if name := r.PathValue("filename"); strings.HasPrefix(name, "assets/") {
			pages.Asset(w, r, name)
			return
		}
		pages.Page(w)
	})
}

// script gives the address of the script that MLflow's page gets, with what it is to do; empty where it is to do nothing. What leads away
// from MLflow's pages of accounts comes with the rest, and never alone, as in the Python plugin.
func script(pages *ui.UI, c config.Pages) string {
	if !c.Menu && !c.SignInAgain {
		return ""
	}
	var does []string
	for _, one := range []struct {
		name string
		on   bool
	}{{"menu", c.Menu}, {"again", c.SignInAgain}, {"administer", c.Administer}} {
		if one.on {
			does = append(does, one.name)
		}
	}
	return pages.Script() + "?" + strings.Join(does, "&")
}

// landing is the page of whoever signs in and has asked for none.
func landing(c config.Pages) string {
	if c.Permissions {
		return uiPath + "/"
	}
	return "/"
}
