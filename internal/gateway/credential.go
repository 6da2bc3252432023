package gateway

import (
	"net/http"
	"strings"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
)

// beside is where a client of the AI gateway says who it is when Authorization holds its own key of the provider
// (mlflow/gateway/constants.py, MLFLOW_GATEWAY_AUTH_HEADER).
const beside = "X-Mlflow-Authorization"

// callers gives a request whose Authorization is the caller's own credential. On a row that is not keyed the header beside
// it means nothing, and goes nowhere.
func callers(r *http.Request, route *policy.Route) (*http.Request, error) {
	values := r.Header[beside]
	if !route.Keyed || len(values) == 0 {
		return r, nil
	}
	if len(values) > 1 || len(r.Header["Authorization"]) > 1 {
		return nil, errs.New(errs.Invalid, "the request has several headers of one credential")
	}
	if scheme, _, _ := strings.Cut(values[0], " "); !strings.EqualFold(scheme, "Basic") {
		return nil, errs.New(errs.Unauthenticated, "X-MLflow-Authorization must be Basic, with your username and access token")
	}
	if key := r.Header.Get("Authorization"); key != "" && !foreign(key) {
		return nil, errs.New(errs.Invalid, "beside X-MLflow-Authorization, Authorization must be Bearer and the provider's own key: it is handed on")
	}
	own := r.Clone(r.Context())
	own.Header["Authorization"] = values
	return own, nil
}

// foreign tells whether a credential can be a provider's: those of the gateway are Basic, or begin in their own way.
func foreign(credential string) bool {
	scheme, key, _ := strings.Cut(credential, " ")
	return strings.EqualFold(scheme, "Bearer") && !identity.Ours(strings.TrimSpace(key))
}

// providers gives the Authorization that MLflow hands on to the provider; "" when the header was the caller's own credential.
func providers(r *http.Request, route *policy.Route) string {
	if !route.Keyed || len(r.Header[beside]) == 0 {
		return ""
	}
	return r.Header.Get("Authorization")
}
