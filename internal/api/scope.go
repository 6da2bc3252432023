package api

import (
	"github.com/danielgtaylor/huma/v2"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/extract"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/workspace"
)

// scopeBody is what a token is narrowed to. A field that is not known could be the one that narrows: it is refused.
type scopeBody struct {
	_         struct{}     `additionalProperties:"false"`
	ReadOnly  bool         `json:"read_only,omitempty" doc:"the token changes nothing"`
	Kinds     []string     `json:"kinds,omitempty" doc:"the token is about all of these kinds, and about the resources"`
	Resources []scopedBody `json:"resources,omitempty" doc:"the token is about these, and about all of the kinds"`
}

type scopedBody struct {
	_         struct{} `additionalProperties:"false"`
	Kind      string   `json:"kind"`
	ID        string   `json:"id" maxLength:"255" doc:"what permissions of the kind hold: an experiment's id, else a name"`
	Workspace string   `json:"workspace,omitempty" doc:"where the name is; without it in the default workspace"`
}

// scope reads what a new token is narrowed to.
func (a *API) scope(body *scopeBody) (*authz.Scope, error) {
	if body == nil {
		return nil, nil
	}
	s := &authz.Scope{ReadOnly: body.ReadOnly}
	for _, k := range body.Kinds {
		s.Kinds = append(s.Kinds, kind.Name(k))
	}
	for _, one := range body.Resources {
		switch {
		case one.Kind == string(kind.Experiment) && !extract.ExperimentID(one.ID):
			return nil, errs.New(errs.Invalid, "%q is not an experiment id: digits without a leading zero", one.ID)
		case one.Kind == string(kind.Scorer) && extract.ScorerID(one.ID) != nil:
			return nil, errs.New(errs.Invalid, "%q names no scorer: an experiment's id, a slash, and the scorer's name", one.ID)
		case one.Workspace != "" && (!a.Rules.Workspaces || !workspace.Valid(one.Workspace)):
			return nil, errs.New(errs.Invalid, "%q is not the name of a workspace of this server", one.Workspace)
		}
		s.Resources = append(s.Resources, authz.Scoped{Kind: kind.Name(one.Kind), Workspace: one.Workspace, ID: one.ID})
	}
	if err := s.Check(); err != nil {
		return nil, errs.New(errs.Invalid, "%v", err)
	}
	return s, nil
}

func scopeShown(s *authz.Scope) *scopeBody {
	if s == nil {
		return nil
	}
	body := &scopeBody{ReadOnly: s.ReadOnly}
	for _, k := range s.Kinds {
		body.Kinds = append(body.Kinds, string(k))
	}
	for _, one := range s.Resources {
		body.Resources = append(body.Resources, scopedBody{Kind: string(one.Kind), ID: one.ID, Workspace: one.Workspace})
	}
	return body
}

// forNarrowed are the operations that a narrowed token reaches: it may ask whose it is. Whatever is about people, tokens and
// permissions is outside of every scope.
var forNarrowed = map[string]bool{"GET /users/current": true}

// inScope refuses everything else with a narrowed token.
func inScope(s *identity.Subject, operation *huma.Operation, prefix string) error {
	if s.Scope == nil || forNarrowed[operation.Method+" "+operation.Path[len(prefix):]] {
		return nil
	}
	return errs.New(errs.Denied, "your token is narrowed, and reaches no users, tokens and permissions")
}
