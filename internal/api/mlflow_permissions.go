package api

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/extract"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/workspace"
)

func (a *API) mlflowPermissions(second *registrar) {
	r := second.version("3.0")
	one := []string{"username", "resource_type", "resource_id"}
	r.mlflow(theirs{method: http.MethodPost, path: "/users/permissions/grant", summary: "Give a user a direct permission", fields: append(slices.Clone(one), "permission"), do: a.grantDirectly})
	r.mlflow(theirs{method: http.MethodPost, path: "/users/permissions/revoke", summary: "Take a direct permission from a user", fields: one, do: a.revokeDirectly})
	r.mlflow(theirs{method: http.MethodGet, path: "/users/permissions/get", summary: "What a user may do with a resource", fields: one, do: a.permissionOf})
	r.mlflow(theirs{method: http.MethodGet, path: "/users/permissions/list", summary: "What a user holds directly and by roles", fields: []string{"username"}, do: a.listPermissions})
	r.mlflow(theirs{method: http.MethodGet, path: "/users/current/permissions", summary: "What one holds oneself, directly and by roles", fields: nil,
		do: func(ctx context.Context, s *identity.Subject, in params) (any, error) {
			in.fields = map[string]any{"username": s.Username}
			in.many = nil
			return a.listPermissions(ctx, s, in)
		}})
}

// stored gives a permission as it is stored: MLflow's id of a resource of the workspace becomes what grants hold.
func (a *API) stored(ctx context.Context, in, of, pattern, permission string) (directory.RolePermission, error) {
	p := directory.RolePermission{Type: of, Pattern: pattern, Permission: permission}
	err := directory.CheckPermission(kind.Name(of), permission)
	if err == nil {
		p.Resource, err = a.held(ctx, in, of, pattern)
	}
	return p, err
}

// opaque are the kinds whose MLflow ids are not what grants hold.
var opaque = map[kind.Name]policy.Ref{kind.GatewaySecret: policy.GatewaySecret, kind.GatewayEndpoint: policy.GatewayEndpoint, kind.GatewayModel: policy.GatewayModel}

// held gives what grants hold of a resource that MLflow's API names. What cannot be one is refused, and so is a spelling that
// names none in MLflow: a DENY on it would deny nothing.
func (a *API) held(ctx context.Context, in, of, pattern string) (string, error) {
	k, ok := kind.Of(kind.Name(of))
	switch {
	case pattern == authz.Everything:
		return pattern, nil
	case !ok || k.Name == kind.Workspace:
		return "", errs.New(errs.Invalid, "Invalid resource_pattern '%s' for resource_type='%s'. This resource type supports only wildcard ('*') grants.", pattern, of)
	case len(pattern) > 255:
		return "", errs.New(errs.Invalid, "The id of the resource must be at most 255 bytes.")
	case k.Name == kind.Experiment && !extract.ExperimentID(pattern):
		return "", errs.New(errs.Invalid, "%q is not an experiment id: digits without a leading zero", pattern)
	case k.Name == kind.Scorer:
		return scorerOf(pattern)
	case opaque[k.Name] != 0:
		if !a.Rules.Workspaces && in != kind.DefaultWorkspace {
			return "", errs.New(errs.NotFound, "there is no workspace %s, and no %s %s in it", in, of, pattern)
		}
		return a.MLflow.Named(a.inside(ctx, in), opaque[k.Name], pattern)
	case k.Name == kind.Experiment:
		return pattern, nil
	}
	return pattern, extract.NameOf(k.Name, "resource_pattern", pattern)
}

// inside puts look-ups into a workspace.
func (a *API) inside(ctx context.Context, name string) context.Context {
	if !a.Rules.Workspaces {
		return ctx
	}
	return workspace.In(ctx, workspace.Scope{Name: name, Named: true})
}

// scorerOf reads <experiment_id>/<quoted name>.
func scorerOf(pattern string) (string, error) {
	experiment, quoted := kind.Parts(pattern)
	name, err := url.PathUnescape(quoted)
	if err != nil || quote(name) != quoted {
		return "", errs.New(errs.Invalid, "%q names no scorer: an experiment's id, a slash, and the scorer's name as urllib.parse.quote(name, safe='') writes it", pattern)
	}
	resource := kind.Within(experiment, name)
	return resource, extract.ScorerID(resource)
}

// quote is Python's urllib.parse.quote with safe="".
func quote(name string) string { return extract.Quote(name) }

// here is the workspace of a request.
func here(ctx context.Context) string {
	if name := workspace.Of(ctx).Name; name != "" {
		return name
	}
	return kind.DefaultWorkspace
}

// direct reads what a direct permission is about, and asks for the right to give it: MANAGE on the resource, or, since what
// is on all of a kind is on nobody's, to administer the workspace.
func (a *API) direct(ctx context.Context, s *identity.Subject, in params) (directory.RolePermission, error) {
	given, err := in.texts("resource_type", "resource_id")
	if err != nil {
		return directory.RolePermission{}, err
	}
	p := directory.RolePermission{Type: given[0], Pattern: given[1]}
	if p.Type == string(kind.Workspace) {
		return p, errs.New(errs.Invalid, "resource_type 'workspace' is not supported by the per-user permission convenience APIs.")
	}
	if err := directory.CheckPermission(kind.Name(p.Type), directory.Deny); err != nil {
		return p, err
	}
	p.Resource, err = a.held(ctx, here(ctx), p.Type, p.Pattern)
	if errs.Is(err, errs.NotFound) && !s.Admin {
		err = errPermission
	}
	if err != nil {
		return p, err
	}
	if k, ok := kind.Of(kind.Name(p.Type)); ok && p.Resource != authz.Everything {
		return p, a.manages(ctx, s, k, p.Resource)
	}
	over, err := a.over(ctx, s)
	if err == nil && !over.workspace(here(ctx)) {
		err = errPermission
	}
	return p, err
}

func (a *API) grantDirectly(ctx context.Context, s *identity.Subject, in params) (any, error) {
	p, err := a.direct(ctx, s, in)
	if err != nil {
		return nil, err
	}
	if p.Permission, err = in.text("permission"); err != nil {
		return nil, err
	}
	if err := directory.CheckPermission(kind.Name(p.Type), p.Permission); err != nil {
		return nil, err
	}
	user, err := a.named(ctx, in)
	if err != nil {
		return nil, err
	}
	err = a.Roles.GrantDirectly(ctx, user.ID, here(ctx), p)
	return nil, a.changedRoles(ctx, err, s, user.Username, "gave "+p.Permission+" on "+p.Type+" "+p.Pattern)
}

func (a *API) revokeDirectly(ctx context.Context, s *identity.Subject, in params) (any, error) {
	p, err := a.direct(ctx, s, in)
	if err != nil {
		return nil, err
	}
	user, err := a.named(ctx, in)
	if err != nil {
		return nil, err
	}
	err = a.Roles.RevokeDirectly(ctx, user.ID, here(ctx), p)
	return nil, a.changedRoles(ctx, err, s, user.Username, "took away what there was on "+p.Type+" "+p.Pattern)
}

// permissionOf says what a user may do with a resource of the request's workspace, by all sources: to oneself, and to who
// administers the workspace.
func (a *API) permissionOf(ctx context.Context, s *identity.Subject, in params) (any, error) {
	given, err := in.texts("username", "resource_type", "resource_id")
	if err != nil {
		return nil, err
	}
	if given[1] == string(kind.Workspace) {
		return nil, errs.New(errs.Invalid, "resource_type 'workspace' is not supported by the per-user permission convenience APIs.")
	}
	over, err := a.over(ctx, s)
	if err != nil {
		return nil, err
	}
	if canonical(given[0]) != s.Username && !over.workspace(here(ctx)) {
		return nil, errPermission
	}
	user, err := a.named(ctx, in)
	if err != nil {
		return nil, err
	}
	if err := directory.CheckPermission(kind.Name(given[1]), directory.Deny); err != nil {
		return nil, err
	}
	d, err := a.decided(ctx, s, user, given[1], given[2])
	name := d.Level.String()
	if d.Grant != nil && d.Grant.Denies {
		name = directory.Deny
	}
	return row{"allowed": d.Level >= kind.Use, "permission": name}, err
}

// decided decides for another than the caller. What does not exist gives nothing.
func (a *API) decided(ctx context.Context, s *identity.Subject, user directory.User, of, pattern string) (authz.Decision, error) {
	as := *s
	as.UserID, as.Admin, as.All, as.Scope, as.Active = user.ID, user.Admin, false, nil, user.Active
	grants, err := a.Grants.Of(ctx, user.ID)
	if err != nil {
		return authz.Decision{}, err
	}
	k, ok := kind.Of(kind.Name(of))
	if !ok {
		k, _ = kind.WithPart(of)
	}
	resource, err := a.held(ctx, here(ctx), of, pattern)
	on := authz.Resource{Kind: k.Name, ID: "\x00", Name: "\x00"} // no single one
	if err == nil && resource != authz.Everything {
		on, err = a.resource(ctx, &as, grants, k.Name, resource)
	}
	if errs.Is(err, errs.NotFound) {
		return authz.Decision{}, nil
	}
	if err != nil {
		return authz.Decision{}, err
	}
	return a.Rules.Decide(as.Decider(), grants, on, kind.Read), nil
}

func (a *API) listPermissions(ctx context.Context, s *identity.Subject, in params) (any, error) {
	roles, user, err := a.rolesOf(ctx, s, in)
	if err != nil {
		return nil, err
	}
	rows := []row{}
	for _, role := range roles {
		for _, p := range role.Permissions {
			rows = append(rows, row{"role_id": role.ID, "role_name": role.Name, "workspace": role.Workspace, "resource_type": p.Type,
				"resource_pattern": p.Pattern, "permission": p.Permission})
		}
	}
	admin := user.Admin
	if user.ID == s.UserID {
		admin = s.Admin // not with a narrowed token
	}
	return row{"is_admin": admin, "permissions": rows}, nil
}

// allRoles gives the roles that a user is assigned, and what the user is given directly as a role in each workspace, as
// MLflow has it.
func (a *API) allRoles(ctx context.Context, user directory.User) ([]directory.Role, error) {
	roles, err := a.Roles.RolesOf(ctx, user.ID)
	if err != nil {
		return nil, err
	}
	own, err := a.Roles.OwnRoles(ctx, user.ID)
	if err != nil {
		return nil, err
	}
	grants, err := a.Roles.AllGrants(ctx, user.ID)
	if err != nil {
		return nil, err
	}
	ids := map[string]map[kind.Name]map[string]string{}
	for _, g := range grants {
		in, p := inMLflow(g)
		if p.Pattern, err = a.called(ctx, ids, in, g, p.Pattern); err != nil {
			return nil, err
		}
		at := slices.IndexFunc(own, func(r directory.Role) bool { return r.Workspace == in })
		if at < 0 {
			at = len(own)
			own = append(own, directory.Role{Workspace: in, Name: store.OwnRole(user.ID)})
		}
		p.RoleID = own[at].ID
		own[at].Permissions = append(own[at].Permissions, p)
	}
	return append(roles, own...), nil
}

// inMLflow gives a user's grant as MLflow has it: its workspace, and a permission. Its id is below zero, as that of no
// permission that a request can name.
func inMLflow(g authz.Grant) (string, directory.RolePermission) {
	in, p := g.Workspace, directory.RolePermission{ID: -g.ID, Type: string(g.Kind), Pattern: g.Resource, Resource: g.Resource, Permission: g.Level.String()}
	switch {
	case g.Kind == kind.Workspace:
		in, p.Pattern = g.Resource, authz.Everything
	case g.Kind == kind.Scorer:
		experiment, name := kind.Parts(g.Resource)
		p.Pattern = experiment + "/" + quote(name)
	}
	if in == "" {
		in = kind.DefaultWorkspace
	}
	return in, p
}

// called gives MLflow's id of what a grant holds by its name; the name, where MLflow does not know it any more.
func (a *API) called(ctx context.Context, known map[string]map[kind.Name]map[string]string, in string, g authz.Grant, pattern string) (string, error) {
	if opaque[g.Kind] == 0 || !a.Rules.Workspaces && in != kind.DefaultWorkspace {
		return pattern, nil
	}
	if known[in] == nil {
		known[in] = map[kind.Name]map[string]string{}
	}
	if known[in][g.Kind] == nil {
		all, err := a.MLflow.All(a.inside(ctx, in), g.Kind)
		if errs.Is(err, errs.NotFound) { // the workspace is gone
			return pattern, nil
		}
		if err != nil {
			return "", err
		}
		known[in][g.Kind] = map[string]string{}
		for _, item := range all {
			known[in][g.Kind][item.Name] = item.Opaque
		}
	}
	if id := known[in][g.Kind][g.Resource]; id != "" {
		return id, nil
	}
	return pattern, nil
}
