package gateway

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/extract"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/workspace"
)

// Spaces are the settings of workspaces; whether there are any is among the rules of decisions.
type Spaces struct {
	NameToCreate bool // creating asks for a request that names its workspace
	NotDefault   bool // nothing is created in the default workspace
}

// place puts the request into its workspace, from here on to the last look-up and the last grant. Where workspaces are off,
// a request that names one is refused: it would be answered from another.
func (c *call) place() error {
	values := c.r.Header[workspace.Header]
	if !c.gateway.Rules.Workspaces {
		for _, value := range values {
			if strings.TrimSpace(value) != "" {
				return errs.New(errs.Invalid, "workspaces are not enabled on this server; do not send X-MLFLOW-WORKSPACE")
			}
		}
		return nil
	}
	scope, err := workspace.Read(values)
	if err != nil {
		return err
	}
	if c.match.Route.Anywhere() {
		scope = workspace.Scope{Name: kind.DefaultWorkspace}
	} else if err := sameInQuery(c.r.URL.RawQuery, scope.Name); err != nil {
		return err
	}
	c.r = c.r.WithContext(workspace.In(c.r.Context(), scope))
	return nil
}

// sameInQuery refuses a query that names another workspace than the header. MLflow 3.17.2 reads the header alone, and its
// pages have the field in their addresses.
func sameInQuery(raw, name string) error {
	if !strings.Contains(raw, "=") {
		return nil
	}
	query, err := url.ParseQuery(raw)
	if err != nil {
		return errs.New(errs.Invalid, "the query cannot be read: %v", err)
	}
	for _, value := range query["workspace"] {
		if value != "" && value != name {
			return errs.New(errs.Invalid, "the query and the header X-MLFLOW-WORKSPACE name different workspaces")
		}
	}
	return nil
}

// member answers whoever is in no way in the workspace of a request as MLflow does where there is none of that name. What
// the row's ids lead to is decided by grants of its own, and a search would tell of the workspace by not failing.
func (c *call) member() error {
	scope := workspace.Of(c.r.Context())
	route := c.match.Route
	if scope.Name == "" || c.subject.Admin || len(route.Needs) > 0 && route.Creates == "" || route.Anywhere() {
		return nil
	}
	if !c.gateway.Rules.Member(c.decider(), c.grants) {
		return hidden(extract.Target{Ref: policy.Workspace, Value: scope.Name})
	}
	return nil
}

// creatable refuses to create where the settings want none. Administrators are exempt.
func (c *call) creatable() error {
	scope := workspace.Of(c.r.Context())
	switch {
	case c.subject.Admin || scope.Name == "":
		return nil
	case c.gateway.Spaces.NameToCreate && !scope.Named:
		return errs.New(errs.Denied, "creating needs a workspace: name it by X-MLFLOW-WORKSPACE (mlflow.set_workspace)")
	case c.gateway.Spaces.NotDefault && scope.Name == kind.DefaultWorkspace:
		return errs.New(errs.Denied, "nothing is created in the default workspace; name another by X-MLFLOW-WORKSPACE (mlflow.set_workspace)")
	}
	return nil
}

// tree gives the experiment that governs a path of the artifact proxy. In a workspace MLflow keeps artifacts below
// workspaces/<its name>, and adds that to a path without it.
func (c *call) tree(path string) (string, error) {
	named, experiment, err := extract.Tree(path)
	if err != nil {
		return "", err
	}
	if own := workspace.Of(c.r.Context()).Name; named != "" && named != own {
		return "", errs.New(errs.Denied, "the artifact path must start with an experiment id, or with the request's own workspace")
	}
	return experiment, nil
}

// grantWorkspace gives the creator MANAGE. What is left of an earlier workspace of the name is dropped before.
func (c *call) grantWorkspace(ctx context.Context) error {
	return c.onName(func(name string) error {
		err := c.gateway.Lifecycle.WorkspaceDeleted(ctx, name)
		if err == nil {
			err = c.gateway.Lifecycle.Created(ctx, kind.Workspace, name, c.subject.UserID)
		}
		if err != nil {
			return c.undo(ctx, err, http.MethodDelete, "/api/3.0/mlflow/workspaces/"+name, nil)
		}
		return nil
	})
}

// dropWorkspace gives what follows the deletion of a workspace. Deleted with all that is in it, its experiments are gone for
// good, and SQLite uses their ids again (3.17.2, measured): their grants go too. They are asked for before.
func (c *call) dropWorkspace() (func(context.Context) error, error) {
	name := c.targets[0].Value
	var gone []string
	if c.read.Query.Get("mode") == "CASCADE" {
		inside := workspace.In(c.r.Context(), workspace.Scope{Name: name, Named: true})
		all, err := c.gateway.MLflow.All(inside, kind.Experiment)
		if errs.Is(err, errs.NotFound) {
			err = hidden(c.targets[0])
		}
		if err != nil {
			return nil, err
		}
		for _, item := range all {
			gone = append(gone, item.ID)
		}
	}
	return func(ctx context.Context) error {
		c.gateway.MLflow.ForgetListed(name)
		for _, id := range gone {
			if err := c.gateway.Lifecycle.Deleted(ctx, kind.Experiment, id); err != nil {
				return err
			}
		}
		return c.gateway.Lifecycle.WorkspaceDeleted(ctx, name)
	}, nil
}

// spaceOf is a workspace as a resource.
func spaceOf(name string) []authz.Resource {
	return []authz.Resource{{Kind: kind.Workspace, ID: name, Name: name}}
}
