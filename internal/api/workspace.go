package api

import (
	"context"
	"net/http"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/workspace"
)

// place puts a request into its workspace: permissions on names are those of the names there, and MLflow is asked there.
// Whoever is not in it gets the answer for one that does not exist.
func (a *API) place(r *http.Request, s *identity.Subject) (context.Context, error) {
	ctx := r.Context()
	if !a.Rules.Workspaces {
		return ctx, nil
	}
	scope, err := workspace.Read(r.Header[workspace.Header])
	if err != nil {
		return nil, err
	}
	return a.within(ctx, s, scope)
}

// within is a context in a workspace, for whoever is in it.
func (a *API) within(ctx context.Context, s *identity.Subject, scope workspace.Scope) (context.Context, error) {
	ctx = workspace.In(ctx, scope)
	if s.Admin || scope.Name == kind.DefaultWorkspace {
		return ctx, nil
	}
	grants, err := a.Grants.Of(ctx, s.UserID)
	if err == nil && !a.Rules.Member(s.Decider(), grants) {
		err = errs.New(errs.NotFound, "%s", policy.Workspace.Missing(scope.Name))
	}
	return ctx, err
}

// patternPlace is where a new pattern is for: the workspace that the request names, or all of them. Without workspaces it
// is for what there is, which will be in the default one when they are turned on.
func (a *API) patternPlace(ctx context.Context, k kind.Kind) string {
	switch scope := workspace.Of(ctx); {
	case k.Name == kind.Workspace || scope.Name == "":
		return ""
	case scope.Named:
		return workspace.Stored(ctx)
	}
	return authz.Everywhere
}

// shownPlace is a pattern's workspace in answers.
func (a *API) shownPlace(k kind.Name, stored string) string {
	switch {
	case stored != "":
		return stored
	case a.Rules.Workspaces && k != kind.Workspace:
		return kind.DefaultWorkspace
	}
	return authz.Everywhere
}
