package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/workspace"
)

// OfPermissions tells whether a path is one of the operations on permissions that MLflow's basic-auth app up to 3.10 has among
// the paths of each kind, and that AuthServiceClient of those versions calls.
func OfPermissions(path string) bool {
	rest, ok := strings.CutPrefix(path, "/api/")
	if !ok {
		rest, ok = strings.CutPrefix(path, "/ajax-api/")
	}
	if !ok {
		return false
	}
	for _, prefix := range ofPermissions { // every request comes by here
		if strings.HasPrefix(rest, prefix) {
			return true
		}
	}
	name, ok := strings.CutPrefix(rest, "3.0/mlflow/workspaces/")
	name, permissions := strings.CutSuffix(name, "/permissions")
	return ok && permissions && !strings.Contains(name, "/")
}

// ofPermissions are where the paths of each kind begin.
var ofPermissions = func() (all []string) {
	for k := range kind.All() {
		if k.Basic[1] != "" {
			all = append(all, k.Basic[0]+"/mlflow"+k.Basic[1]+"/permissions/")
		}
	}
	return all
}()

// perKind derives the operations of each kind.
func (a *API) perKind(second *registrar) {
	for k := range kind.All() {
		if k.Basic[1] == "" {
			continue
		}
		r, base, one := second.version(k.Basic[0]), k.Basic[1]+"/permissions/", append(idFields(k), "username")
		with := append(append([]string{}, one...), "permission", "expires_at?")
		r.mlflow(theirs{method: http.MethodPost, path: base + "create", summary: "Give a user a permission on a " + k.Title, fields: with,
			do: func(ctx context.Context, s *identity.Subject, in params) (any, error) {
				return a.changeOn(k, a.Store.CreateGrant)(ctx, s, in)
			}})
		r.mlflow(theirs{method: http.MethodGet, path: base + "get", summary: "A user's permission on a " + k.Title, fields: one, do: a.getOn(k)})
		r.mlflow(theirs{method: http.MethodPatch, path: base + "update", summary: "Change a user's permission on a " + k.Title, fields: with,
			do: func(ctx context.Context, s *identity.Subject, in params) (any, error) {
				_, err := a.changeOn(k, a.Store.UpdateGrant)(ctx, s, in)
				return nil, err
			}})
		r.mlflow(theirs{method: http.MethodDelete, path: base + "delete", summary: "Take a user's permission on a " + k.Title + " away", fields: one, do: a.deleteOn(k)})
	}
	if a.Rules.Workspaces {
		a.onWorkspaces(second.version("3.0"))
	}
}

// idFields are those by which MLflow's API names a resource of a kind.
func idFields(k kind.Kind) []string {
	switch {
	case k.Parent != "":
		parent, _ := kind.Of(k.Parent)
		return []string{parent.Key, k.Key}
	case k.MLflowID != "":
		return []string{k.MLflowID}
	}
	return []string{k.Key}
}

// permissionAt is a user's permission on a resource: as a request names it, and as it is held.
type permissionAt struct {
	user     directory.User
	ids      []string
	resource string
}

// at reads which permission a request is about, for who has MANAGE on the resource.
func (a *API) at(ctx context.Context, s *identity.Subject, k kind.Kind, in params) (permissionAt, error) {
	var at permissionAt
	var err error
	if at.ids, err = in.texts(idFields(k)...); err != nil {
		return at, err
	}
	if k.Parent != "" {
		at.resource = kind.Within(at.ids[0], at.ids[1])
		if strings.Contains(at.ids[0], "/") {
			err = errs.New(errs.Invalid, "%q is not an experiment id: digits without a leading zero", at.ids[0])
		}
	} else {
		at.resource, err = a.held(ctx, here(ctx), string(k.Name), at.ids[0])
	}
	if errs.Is(err, errs.NotFound) && !s.Admin {
		err = errPermission
	}
	if err == nil && at.resource == authz.Everything {
		err = errs.New(errs.Invalid, "a permission of a user is on one %s; roles have those on all", k.Title)
	}
	if err == nil {
		err = a.manages(ctx, s, k, at.resource)
	}
	if err != nil {
		return at, err
	}
	at.user, err = a.named(ctx, in)
	return at, err
}

func (at permissionAt) shown(ctx context.Context, k kind.Kind, level kind.Level) row {
	one := row{"user_id": at.user.ID, "permission": level.String()}
	for i, field := range idFields(k) {
		one[field] = at.ids[i]
	}
	if !k.Everywhere {
		one["workspace"] = here(ctx)
	}
	return row{string(k.Name) + "_permission": one}
}

type changing = func(ctx context.Context, p store.Principal, k kind.Name, resource string, level kind.Level, until *time.Time) error

func (a *API) changeOn(k kind.Kind, change changing) func(context.Context, *identity.Subject, params) (any, error) {
	return func(ctx context.Context, s *identity.Subject, in params) (any, error) {
		at, err := a.at(ctx, s, k, in)
		if err != nil {
			return nil, err
		}
		level, err := levelOf(in)
		if err != nil {
			return nil, err
		}
		until, err := a.untilOf(in)
		if err != nil {
			return nil, err
		}
		err = change(ctx, store.Principal{User: at.user.Username}, k.Name, at.resource, level, until)
		return at.shown(ctx, k, level), a.changedRoles(ctx, err, s, at.user.Username, "gave "+level.String()+" on "+string(k.Name)+" "+at.resource)
	}
}

func levelOf(in params) (kind.Level, error) {
	name, err := in.text("permission")
	if err != nil {
		return kind.NoPermissions, err
	}
	level, err := kind.ParseLevel(name)
	if err != nil {
		err = errs.New(errs.Invalid, "Invalid permission '%s'. Valid permissions are: %s", name, strings.Join(kind.Levels(), ", "))
	}
	return level, err
}

func (a *API) getOn(k kind.Kind) func(context.Context, *identity.Subject, params) (any, error) {
	return func(ctx context.Context, s *identity.Subject, in params) (any, error) {
		at, err := a.at(ctx, s, k, in)
		if err != nil {
			return nil, err
		}
		grants, err := a.Store.Grants(ctx, store.Principal{User: at.user.Username}, k.Name)
		for _, g := range grants {
			if g.Resource == at.resource {
				return at.shown(ctx, k, g.Level), err
			}
		}
		return nil, first(err, errs.New(errs.NotFound, "the user %s holds no permission on the %s %s", at.user.Username, k.Title, at.resource))
	}
}

func (a *API) deleteOn(k kind.Kind) func(context.Context, *identity.Subject, params) (any, error) {
	return func(ctx context.Context, s *identity.Subject, in params) (any, error) {
		at, err := a.at(ctx, s, k, in)
		if err != nil {
			return nil, err
		}
		err = a.Store.DeleteGrant(ctx, store.Principal{User: at.user.Username}, k.Name, at.resource)
		return nil, a.changedRoles(ctx, err, s, at.user.Username, "took away what there was on "+string(k.Name)+" "+at.resource)
	}
}

// onWorkspaces are the operations on permissions of workspaces.
func (a *API) onWorkspaces(r *registrar) {
	const path = "/workspaces/{workspace_name}/permissions"
	r.mlflow(theirs{method: http.MethodGet, path: path, summary: "Which users hold a permission on a workspace, in the form of MLflow", do: a.workspaceHolders})
	r.mlflow(theirs{method: http.MethodPost, path: path, summary: "Give a user a permission on a workspace, or change it", fields: []string{"username", "permission"}, do: a.setOnWorkspace})
	r.mlflow(theirs{method: http.MethodDelete, path: path, summary: "Take a user's permission on a workspace away", fields: []string{"username"}, do: a.deleteOnWorkspace, bare: true})
	r.mlflow(theirs{method: http.MethodGet, path: "/workspace-permissions", summary: "The permissions of a user on workspaces", fields: []string{"username"}, do: a.workspacesOf})
}

// onWorkspace reads the workspace of a path, for who has MANAGE on it.
func (a *API) onWorkspace(ctx context.Context, s *identity.Subject, in params) (string, error) {
	k, _ := kind.Of(kind.Workspace)
	name := in.r.PathValue("workspace_name")
	return name, a.manages(ctx, s, k, name)
}

func workspaceRow(name string, userID int64, level kind.Level) row {
	return row{"workspace": name, "user_id": userID, "permission": level.String(), "can_use": level >= kind.Use}
}

func (a *API) workspaceHolders(ctx context.Context, s *identity.Subject, in params) (any, error) {
	name, err := a.onWorkspace(ctx, s, in)
	if err != nil {
		return nil, err
	}
	users, _, err := a.Store.GrantsOn(ctx, kind.Workspace, name)
	rows := []row{}
	for _, h := range users {
		user, err := a.Store.User(ctx, h.Name)
		if err != nil {
			return nil, err
		}
		rows = append(rows, workspaceRow(name, user.ID, h.Level))
	}
	return row{"permissions": rows}, err
}

func (a *API) setOnWorkspace(ctx context.Context, s *identity.Subject, in params) (any, error) {
	name, err := a.onWorkspace(ctx, s, in)
	if err != nil {
		return nil, err
	}
	level, err := levelOf(in)
	if err != nil {
		return nil, err
	}
	user, err := a.named(ctx, in)
	if err != nil {
		return nil, err
	}
	holder := store.Principal{User: user.Username}
	err = a.Store.CreateGrant(ctx, holder, kind.Workspace, name, level, nil)
	if errs.Is(err, errs.Conflict) {
		err = a.Store.UpdateGrant(ctx, holder, kind.Workspace, name, level, nil)
	}
	return row{"permission": workspaceRow(name, user.ID, level)}, a.changedRoles(ctx, err, s, user.Username, "gave "+level.String()+" on workspace "+name)
}

func (a *API) deleteOnWorkspace(ctx context.Context, s *identity.Subject, in params) (any, error) {
	name, err := a.onWorkspace(ctx, s, in)
	if err != nil {
		return nil, err
	}
	user, err := a.named(ctx, in)
	if err != nil {
		return nil, err
	}
	err = a.Store.DeleteGrant(ctx, store.Principal{User: user.Username}, kind.Workspace, name)
	return nil, a.changedRoles(ctx, err, s, user.Username, "took away what there was on workspace "+name)
}

func (a *API) workspacesOf(ctx context.Context, s *identity.Subject, in params) (any, error) {
	name, err := in.text("username")
	if err != nil {
		return nil, err
	}
	if !s.Admin && canonical(name) != s.Username {
		return nil, errPermission
	}
	user, err := a.named(ctx, in)
	if err != nil {
		return nil, err
	}
	grants, err := a.Store.Grants(workspace.In(ctx, workspace.Scope{Name: kind.DefaultWorkspace}), store.Principal{User: user.Username}, kind.Workspace)
	rows := []row{}
	for _, g := range grants {
		rows = append(rows, workspaceRow(g.Resource, user.ID, g.Level))
	}
	return row{"permissions": rows}, err
}
