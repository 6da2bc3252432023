package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/workspace"
)

func (a *API) mlflowRoles(second *registrar) {
	r := second.version("3.0")
	r.mlflow(theirs{method: http.MethodPost, path: "/roles/create", summary: "Make a role", fields: []string{"workspace", "name", "description?"}, do: a.createRole})
	r.mlflow(theirs{method: http.MethodGet, path: "/roles/get", summary: "One role", fields: []string{"role_id"}, do: a.getRole})
	r.mlflow(theirs{method: http.MethodGet, path: "/roles/list", summary: "The roles of workspaces, or all", fields: []string{"workspace?"}, do: a.listRoles})
	r.mlflow(theirs{method: http.MethodPatch, path: "/roles/update", summary: "Change a role's name or description", fields: []string{"role_id", "name?", "description?"}, do: a.updateRole})
	r.mlflow(theirs{method: http.MethodDelete, path: "/roles/delete", summary: "Delete a role", fields: []string{"role_id"}, do: a.deleteRole})
	r.mlflow(theirs{method: http.MethodPost, path: "/roles/permissions/add", summary: "Give a role a permission",
		fields: []string{"role_id", "resource_type", "resource_pattern", "permission"}, do: a.addRolePermission})
	r.mlflow(theirs{method: http.MethodGet, path: "/roles/permissions/list", summary: "The permissions of a role", fields: []string{"role_id"}, do: a.listRolePermissions})
	r.mlflow(theirs{method: http.MethodPatch, path: "/roles/permissions/update", summary: "Change a permission of a role", fields: []string{"role_permission_id", "permission"}, do: a.updateRolePermission})
	r.mlflow(theirs{method: http.MethodDelete, path: "/roles/permissions/remove", summary: "Take a permission from a role", fields: []string{"role_permission_id"}, do: a.removeRolePermission})
	r.mlflow(theirs{method: http.MethodPost, path: "/roles/assign", summary: "Assign a role to a user", fields: []string{"username", "role_id", "expires_at?"}, do: a.assignRole})
	r.mlflow(theirs{method: http.MethodDelete, path: "/roles/unassign", summary: "Take a role from a user", fields: []string{"username", "role_id"}, do: a.unassignRole})
	r.mlflow(theirs{method: http.MethodGet, path: "/roles/users/list", summary: "Who is assigned a role", fields: []string{"role_id"}, do: a.listRoleUsers})
	r.mlflow(theirs{method: http.MethodGet, path: "/users/roles/list", summary: "The roles of a user", fields: []string{"username"}, do: a.listUserRoles})
}

// roleRow is a role as MLflow's API shows it.
func roleRow(r directory.Role) row {
	return row{"id": r.ID, "name": r.Name, "workspace": r.Workspace, "description": r.Description, "permissions": permissionRows(r)}
}

func permissionRows(r directory.Role) []row {
	rows := make([]row, len(r.Permissions))
	for i, p := range r.Permissions {
		rows[i] = permissionRow(p)
	}
	return rows
}

func permissionRow(p directory.RolePermission) row {
	return row{"id": p.ID, "role_id": p.RoleID, "resource_type": p.Type, "resource_pattern": p.Pattern, "permission": p.Permission}
}

func (a *API) createRole(ctx context.Context, s *identity.Subject, in params) (any, error) {
	over, err := a.over(ctx, s)
	if err != nil {
		return nil, err
	}
	place, err := in.text("workspace")
	if err != nil {
		return nil, err
	}
	if !workspace.Valid(place) {
		return nil, errs.New(errs.Invalid, "%q is not the name of a workspace: 2 to 63 of a-z, 0-9 and inner hyphens", place)
	}
	if !over.workspace(place) {
		return nil, errPermission
	}
	name, err := in.text("name")
	if err != nil {
		return nil, err
	}
	description, err := in.optional("description")
	if err := first(err, directory.CheckRoleName(name), directory.CheckRoleDescription(description)); err != nil {
		return nil, err
	}
	role, err := a.Roles.CreateRole(ctx, directory.Role{Workspace: place, Name: name, Description: description})
	return row{"role": roleRow(role)}, a.changedRoles(ctx, err, s, "", "made "+about(role))
}

// about is a role in the words of events.
func about(r directory.Role) string {
	return fmt.Sprintf("role %d %q of %s", r.ID, r.Name, r.Workspace)
}

// administered finds the role that a request names, by its own id or by that of one of its permissions, for who administers
// its workspace. To others a role that they may not change is as one that does not exist.
func (a *API) administered(ctx context.Context, s *identity.Subject, in params, field string) (directory.Role, error) {
	role, over, err := a.asked(ctx, s, in, field)
	if err == nil && !over.workspace(role.Workspace) {
		err = errPermission
	}
	return role, err
}

// visible finds a role for who has one in its workspace, or administers it.
func (a *API) visible(ctx context.Context, s *identity.Subject, in params) (directory.Role, error) {
	role, over, err := a.asked(ctx, s, in, "role_id")
	if err != nil || over.workspace(role.Workspace) {
		return role, err
	}
	present, err := a.present(ctx, s)
	if err == nil && !present(role.Workspace) {
		err = errPermission
	}
	return role, err
}

// present tells in which workspaces a subject has a role.
func (a *API) present(ctx context.Context, s *identity.Subject) (func(workspace string) bool, error) {
	mine, err := a.Roles.RolesOf(ctx, s.UserID)
	return func(name string) bool {
		return s.Scope == nil && slices.ContainsFunc(mine, func(r directory.Role) bool { return r.Workspace == name })
	}, err
}

func (a *API) asked(ctx context.Context, s *identity.Subject, in params, field string) (directory.Role, over, error) {
	over, err := a.over(ctx, s)
	if err != nil {
		return directory.Role{}, over, err
	}
	id, err := in.id(field)
	if err != nil {
		return directory.Role{}, over, err
	}
	find := a.Roles.Role
	if field == "role_permission_id" {
		find = a.Roles.RoleOf
	}
	role, err := find(ctx, id)
	if errs.Is(err, errs.NotFound) && !s.Admin {
		err = errPermission
	}
	return role, over, err
}

func (a *API) getRole(ctx context.Context, s *identity.Subject, in params) (any, error) {
	role, err := a.visible(ctx, s, in)
	return row{"role": roleRow(role)}, err
}

func (a *API) listRoles(ctx context.Context, s *identity.Subject, in params) (any, error) {
	over, err := a.over(ctx, s)
	if err != nil {
		return nil, err
	}
	present, err := a.present(ctx, s)
	if err != nil {
		return nil, err
	}
	wanted := in.many["workspace"]
	if len(wanted) == 0 && !s.Admin {
		return nil, errPermission
	}
	for _, name := range wanted {
		if strings.TrimSpace(name) == "" {
			return nil, errs.New(errs.Invalid, "Parameter 'workspace' must be a non-empty string when provided.")
		}
		if !over.workspace(name) && !present(name) {
			return nil, errPermission
		}
	}
	roles, err := a.Roles.Roles(ctx, wanted...)
	return row{"roles": roleRows(roles)}, err
}

func roleRows(roles []directory.Role) []row {
	rows := make([]row, len(roles))
	for i, role := range roles {
		rows[i] = roleRow(role)
	}
	return rows
}

func (a *API) updateRole(ctx context.Context, s *identity.Subject, in params) (any, error) {
	role, err := a.administered(ctx, s, in, "role_id")
	if err != nil {
		return nil, err
	}
	name, err := in.optional("name")
	if err != nil {
		return nil, err
	}
	description, err := in.optional("description")
	if err == nil && name == nil && description == nil {
		err = errs.New(errs.Invalid, "At least one of 'name' or 'description' must be provided to update a role.")
	}
	if err == nil && name != nil {
		err = directory.CheckRoleName(*name)
	}
	if err := first(err, directory.CheckRoleDescription(description)); err != nil {
		return nil, err
	}
	err = a.Roles.UpdateRole(ctx, role.ID, name, description)
	if a.changedRoles(ctx, err, s, "", "changed "+about(role)) != nil {
		return nil, err
	}
	role, err = a.Roles.Role(ctx, role.ID)
	return row{"role": roleRow(role)}, err
}

func (a *API) deleteRole(ctx context.Context, s *identity.Subject, in params) (any, error) {
	role, err := a.administered(ctx, s, in, "role_id")
	if err != nil {
		return nil, err
	}
	return nil, a.changedRoles(ctx, a.Roles.DeleteRole(ctx, role.ID), s, "", "deleted "+about(role))
}

func (a *API) addRolePermission(ctx context.Context, s *identity.Subject, in params) (any, error) {
	role, err := a.administered(ctx, s, in, "role_id")
	if err != nil {
		return nil, err
	}
	given, err := in.texts("resource_type", "resource_pattern", "permission")
	if err != nil {
		return nil, err
	}
	p, err := a.stored(ctx, role.Workspace, given[0], given[1], given[2])
	if err != nil {
		return nil, err
	}
	p.RoleID = role.ID
	p, err = a.Roles.AddRolePermission(ctx, p)
	return row{"role_permission": permissionRow(p)}, a.changedRoles(ctx, err, s, "", "gave "+about(role)+" "+p.Permission+" on "+p.Type+" "+p.Pattern)
}

func (a *API) listRolePermissions(ctx context.Context, s *identity.Subject, in params) (any, error) {
	role, err := a.visible(ctx, s, in)
	return row{"role_permissions": permissionRows(role)}, err
}

// onePermission finds the permission of a role that a request names.
func (a *API) onePermission(ctx context.Context, s *identity.Subject, in params) (directory.Role, directory.RolePermission, error) {
	role, err := a.administered(ctx, s, in, "role_permission_id")
	if err != nil {
		return role, directory.RolePermission{}, err
	}
	id, _ := in.id("role_permission_id")
	for _, p := range role.Permissions {
		if p.ID == id {
			return role, p, nil
		}
	}
	return role, directory.RolePermission{}, errs.New(errs.NotFound, "Role permission with id=%d not found", id)
}

func (a *API) updateRolePermission(ctx context.Context, s *identity.Subject, in params) (any, error) {
	role, p, err := a.onePermission(ctx, s, in)
	if err != nil {
		return nil, err
	}
	if p.Permission, err = in.text("permission"); err != nil {
		return nil, err
	}
	if err := directory.CheckPermission(kind.Name(p.Type), p.Permission); err != nil {
		return nil, err
	}
	err = a.Roles.UpdateRolePermission(ctx, role.ID, p.ID, p.Permission)
	return row{"role_permission": permissionRow(p)}, a.changedRoles(ctx, err, s, "", "gave "+about(role)+" "+p.Permission+" on "+p.Type+" "+p.Pattern)
}

func (a *API) removeRolePermission(ctx context.Context, s *identity.Subject, in params) (any, error) {
	role, p, err := a.onePermission(ctx, s, in)
	if err != nil {
		return nil, err
	}
	err = a.Roles.RemoveRolePermission(ctx, role.ID, p.ID)
	return nil, a.changedRoles(ctx, err, s, "", "took from "+about(role)+" what it has on "+p.Type+" "+p.Pattern)
}

func (a *API) assignRole(ctx context.Context, s *identity.Subject, in params) (any, error) {
	role, err := a.administered(ctx, s, in, "role_id")
	if err != nil {
		return nil, err
	}
	user, err := a.named(ctx, in)
	if err != nil {
		return nil, err
	}
	until, err := a.untilOf(in)
	if err != nil {
		return nil, err
	}
	one, err := a.Roles.AssignRole(ctx, user.ID, role.ID, until)
	return row{"assignment": assignmentRow(one)}, a.changedRoles(ctx, err, s, user.Username, "assigned "+about(role))
}

func assignmentRow(one directory.Assignment) row {
	return lasting(row{"id": one.ID, "user_id": one.UserID, "role_id": one.RoleID}, one.ExpiresAt)
}

func (a *API) unassignRole(ctx context.Context, s *identity.Subject, in params) (any, error) {
	role, err := a.administered(ctx, s, in, "role_id")
	if err != nil {
		return nil, err
	}
	user, err := a.named(ctx, in)
	if err != nil {
		return nil, err
	}
	return nil, a.changedRoles(ctx, a.Roles.UnassignRole(ctx, user.ID, role.ID), s, user.Username, "took away "+about(role))
}

func (a *API) listRoleUsers(ctx context.Context, s *identity.Subject, in params) (any, error) {
	role, err := a.administered(ctx, s, in, "role_id")
	if err != nil {
		return nil, err
	}
	all, err := a.Roles.AssignmentsOf(ctx, role.ID)
	rows := make([]row, len(all))
	for i, one := range all {
		rows[i] = assignmentRow(one)
	}
	return row{"assignments": rows}, err
}

func (a *API) listUserRoles(ctx context.Context, s *identity.Subject, in params) (any, error) {
	roles, _, err := a.rolesOf(ctx, s, in)
	return row{"roles": roleRows(roles)}, err
}

// rolesOf gives the roles of the user that a request names, and as one of them in each workspace what the user is given
// directly: to oneself and administrators all, to who administers a workspace in which the user has a role those of there.
func (a *API) rolesOf(ctx context.Context, s *identity.Subject, in params) ([]directory.Role, directory.User, error) {
	name, err := in.text("username")
	if err != nil {
		return nil, directory.User{}, err
	}
	user, err := a.Store.User(ctx, canonical(name))
	if errs.Is(err, errs.NotFound) && !s.Admin {
		err = errPermission
	}
	if err != nil {
		return nil, user, err
	}
	over, err := a.over(ctx, s)
	if err != nil {
		return nil, user, err
	}
	roles, err := a.allRoles(ctx, user)
	if err != nil || s.Admin || user.ID == s.UserID {
		return roles, user, err
	}
	if !over.some(roles) {
		return nil, user, errPermission
	}
	return slices.DeleteFunc(roles, func(r directory.Role) bool { return !over.workspace(r.Workspace) }), user, nil
}
