package api

import (
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

type other struct{ method, path, summary, media string }

// others are the operations that other packages serve, for the OpenAPI document. Nobody has to be signed in for them.
var others = []other{
	{http.MethodGet, "/login", "The page to sign in", "text/html"},
	{http.MethodGet, "/login/{provider_id}", "Begin to sign in at an identity provider", ""},
	{http.MethodGet, "/callback", "The answer of the identity provider", ""},
	{http.MethodGet, "/callback/{provider_id}", "The answer of one of several identity providers", ""},
	{http.MethodGet, "/logout", "Ask whether to sign out", "text/html"},
	{http.MethodPost, "/logout", "Sign out", ""},
	{http.MethodGet, "/providers", "Where one can sign in", "application/json"},
	{http.MethodGet, "/auth/status", "Whether this browser is signed in", "application/json"},
	{http.MethodGet, "/health", "Whether the gateway runs", "application/json"},
	{http.MethodGet, "/health/live", "Whether the gateway runs", "application/json"},
	{http.MethodGet, "/health/ready", "Whether requests can be served now; `?without=mlflow` leaves MLflow out", "application/json"},
	{http.MethodGet, "/oidc/ui", "Leads to the page of permissions", ""},
	{http.MethodGet, "/oidc/ui/", "The page of permissions", "text/html"},
	{http.MethodGet, "/oidc/ui/{filename}", "The page of permissions", "text/html"},
	{http.MethodGet, "/oidc/ui/config.json", "How this server is set up", "application/json"},
	{http.MethodGet, "/health/startup", "Whether all that the gateway needs has been there once", "application/json"},
}

// tag says what such an operation is about.
func (o other) tag() string {
	switch {
	case strings.HasPrefix(o.path, "/health"):
		return "health"
	case strings.HasPrefix(o.path, "/oidc/ui"):
		return "pages"
	}
	return "signing in"
}

// elsewhere adds them to the document.
func elsewhere(document *huma.OpenAPI) {
	for _, o := range others {
		operation := &huma.Operation{OperationID: strings.ToLower(o.method) + strings.NewReplacer("/", "-", "{", "", "}", "").Replace(o.path),
			Method: o.method, Path: o.path, Summary: o.summary, Tags: []string{o.tag()}, Responses: map[string]*huma.Response{"200": {Description: "OK"}}}
		if o.media == "" {
			operation.Responses = map[string]*huma.Response{"303": {Description: "See Other"}}
		} else {
			operation.Responses["200"].Content = map[string]*huma.MediaType{o.media: {}}
		}
		for _, segment := range strings.Split(o.path, "/") {
			if name, ok := strings.CutPrefix(segment, "{"); ok {
				operation.Parameters = append(operation.Parameters, &huma.Param{Name: strings.TrimSuffix(name, "}"), In: "path", Required: true,
					Schema: &huma.Schema{Type: huma.TypeString}})
			}
		}
		document.AddOperation(operation)
	}
}
