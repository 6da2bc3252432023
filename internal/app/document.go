package app

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/api"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
)

// OpenAPI writes the OpenAPI document of everything that a gateway can have. It reads no settings and opens nothing.
func OpenAPI(w io.Writer) error {
	log := slog.New(slog.DiscardHandler)
	document := api.New(api.Options{Rules: authz.Rules{Workspaces: true}, Origin: &httpx.Origin{}, Cookie: "session", Attacher: &api.Attacher{}, Audit: audit.NewLog(log), Log: log}).
		Mount(http.NewServeMux())
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	return encoder.Encode(document)
}
