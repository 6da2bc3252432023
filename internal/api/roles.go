package api

import (
	"context"
	"net/http"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/workspace"
)

// MLflow's API lists roles with all their permissions, and members by their ids. Here is the same in pages and with names.

type roleDetails struct {
	ID          int64   `json:"id"`
	Name        string  `json:"name"`
	Workspace   string  `json:"workspace"`
	Description *string `json:"description" nullable:"true"`
	Permissions int     `json:"permission_count"`
	Members     int     `json:"member_count"`
}

type heldRole struct {
	ID        int64  `json:"id"`
	Name      string `json:"name"`
	Workspace string `json:"workspace"`
	Expires   string `json:"expires_at,omitempty"`
}

type rolePermissionDetails struct {
	ID         int64  `json:"id"`
	Type       string `json:"resource_type" doc:"a kind, or a part of one, as MLflow calls it"`
	Pattern    string `json:"resource_pattern" doc:"the resource as MLflow calls it, or * for all"`
	Resource   string `json:"resource" doc:"the resource as permissions hold it, or * for all"`
	Permission string `json:"permission"`
}

type roleMember struct {
	Username string `json:"username"`
	Service  bool   `json:"is_service_account"`
	Expires  string `json:"expires_at,omitempty"`
}

// RolePath names a role.
type RolePath struct {
	ID int64 `path:"role_id"`
}

type rolePage struct {
	RolePath
	Paging
}

type rolesOfUser struct {
	Paging
	Username string `path:"username" maxLength:"255"`
}

func (a *API) roles(r *registrar) {
	addPaged(r, "/permissions/roles", "Roles, with how much they hold; where a workspace is named, those of it", cut(a.roleDetails))
	add(r, http.MethodGet, "/permissions/roles/{role_id}", 200, "One role, with how much it holds", func(ctx context.Context, s *identity.Subject, in *RolePath) (roleDetails, error) {
		role, err := a.roleFor(ctx, s, in.ID)
		if err != nil {
			return roleDetails{}, err
		}
		_, members, err := a.Roles.RoleMembers(ctx, in.ID, store.Page{Limit: 1})
		return detailsOf(role, members), err
	})
	addPaged(r, "/permissions/roles/{role_id}/permissions", "What a role holds", cut(a.rolePermissions))
	addPaged(r, "/permissions/roles/{role_id}/users", "Who is assigned a role", a.roleMembers)
	addPaged(r, "/users/{username}/roles", "The roles that a user is assigned", cut(a.rolesOfUser))
}

// roleFor finds a role for an administrator.
func (a *API) roleFor(ctx context.Context, s *identity.Subject, id int64) (directory.Role, error) {
	if err := administrator(s); err != nil {
		return directory.Role{}, err
	}
	return a.Roles.Role(ctx, id)
}

func detailsOf(r directory.Role, members int) roleDetails {
	return roleDetails{r.ID, r.Name, r.Workspace, r.Description, len(r.Permissions), members}
}

func (a *API) roleDetails(ctx context.Context, s *identity.Subject, _ *Paging) (listing[roleDetails], error) {
	all := listing[roleDetails]{name: func(r roleDetails) string { return r.Name }}
	if err := administrator(s); err != nil {
		return all, err
	}
	var in []string
	if scope := workspace.Of(ctx); scope.Named {
		in = append(in, scope.Name)
	}
	roles, err := a.Roles.Roles(ctx, in...)
	if err != nil {
		return all, err
	}
	sizes, err := a.Roles.RoleSizes(ctx)
	for _, role := range roles {
		all.rows = append(all.rows, detailsOf(role, sizes[role.ID]))
	}
	return all, err
}

func (a *API) rolePermissions(ctx context.Context, s *identity.Subject, in *rolePage) (listing[rolePermissionDetails], error) {
	all := listing[rolePermissionDetails]{name: func(p rolePermissionDetails) string { return p.Type + " " + p.Resource }}
	role, err := a.roleFor(ctx, s, in.ID)
	for _, p := range role.Permissions {
		all.rows = append(all.rows, rolePermissionDetails{p.ID, p.Type, p.Pattern, p.Resource, p.Permission})
	}
	return all, err
}

func (a *API) roleMembers(ctx context.Context, s *identity.Subject, in *rolePage) ([]roleMember, int, error) {
	if _, err := a.roleFor(ctx, s, in.ID); err != nil {
		return nil, 0, err
	}
	members, total, err := a.Roles.RoleMembers(ctx, in.ID, in.stored())
	rows := make([]roleMember, len(members))
	for i, one := range members {
		rows[i] = roleMember{one.Username, one.Service, shownEnd(one.ExpiresAt)}
	}
	return rows, total, err
}

func (a *API) rolesOfUser(ctx context.Context, s *identity.Subject, in *rolesOfUser) (listing[heldRole], error) {
	all := listing[heldRole]{name: func(r heldRole) string { return r.Name }}
	if err := administrator(s); err != nil {
		return all, err
	}
	user, err := a.Store.User(ctx, canonical(in.Username))
	if err != nil {
		return all, err
	}
	roles, err := a.Roles.RolesOf(ctx, user.ID)
	if err != nil || len(roles) == 0 {
		return all, err
	}
	until, err := a.Roles.RolesUntil(ctx, user.ID)
	for _, role := range roles {
		all.rows = append(all.rows, heldRole{role.ID, role.Name, role.Workspace, shownEnd(until[role.ID])})
	}
	return all, err
}
