// Package workspace says in which of MLflow's workspaces a request is, and carries that in its context: to every look-up and
// every grant, so that none is made in another one.
package workspace

import (
	"context"
	"strings"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// Header is the request header by which MLflow's clients and pages name a workspace, in Go's spelling.
const Header = "X-Mlflow-Workspace"

// Scope is the workspace of a request.
type Scope struct {
	Name  string // "" where workspaces are off
	Named bool   // the request says so itself; without that it is in the default one
}

// reserved are the names that no workspace can have (mlflow/store/workspace/abstract_store.py, WorkspaceNameValidator).
var reserved = map[string]bool{"workspaces": true, "api": true, "ajax-api": true, "static-files": true}

// Valid tells whether MLflow takes the text for the name of a workspace: 2 to 63 of a-z, 0-9 and inner hyphens.
func Valid(name string) bool {
	if len(name) < 2 || len(name) > 63 || reserved[name] || name[0] == '-' || name[len(name)-1] == '-' {
		return false
	}
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// Read gives the workspace that the values of the header name. MLflow takes a blank one for none, and so for the default
// workspace; it also takes off what Python calls white space, which is refused here: two spellings would name one workspace.
func Read(values []string) (Scope, error) {
	if len(values) > 1 {
		return Scope{}, errs.New(errs.Invalid, "the header X-MLFLOW-WORKSPACE is there more than once")
	}
	if len(values) == 0 || strings.Trim(values[0], " \t") == "" {
		return Scope{Name: kind.DefaultWorkspace}, nil
	}
	if !Valid(values[0]) {
		return Scope{}, errs.New(errs.Invalid, "X-MLFLOW-WORKSPACE %q is not the name of a workspace: 2 to 63 of a-z, 0-9 and inner hyphens", values[0])
	}
	return Scope{Name: values[0], Named: true}, nil
}

type key struct{}

// In carries a scope in a context.
func In(ctx context.Context, s Scope) context.Context { return context.WithValue(ctx, key{}, s) }

// Of gives the scope of a context; its name is empty where workspaces are off.
func Of(ctx context.Context) Scope {
	s, _ := ctx.Value(key{}).(Scope)
	return s
}

// Stored is how the database names the workspace of a context in what is kept apart by workspaces: "" for the default one,
// where all is that was there before workspaces were turned on.
func Stored(ctx context.Context) string {
	if name := Of(ctx).Name; name != kind.DefaultWorkspace {
		return name
	}
	return ""
}
