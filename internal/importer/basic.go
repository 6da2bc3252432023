package importer

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/takeover"
)

// basicRevisions are those of MLflow's basic-auth app (mlflow/server/auth/db/migrations), the oldest first.
var basicRevisions = []revision{
	{"8606fa83a998", "2.3 to 3.5"},
	{"0965eb92f5f0", "3"},
	{"a1b2c3d4e5f6", "3"},
	{"2ed73881770d", "3.10"},
	{rolesBegin, "3"},
	{"e5f6a7b8c9d0", "3"},
	{promptsApart, "3.17"},
}

// From rolesBegin there are roles beside the tables of before, which count no more after it; from promptsApart what is said of
// models is not said of prompts.
const (
	rolesBegin   = "c3d4e5f6a7b8"
	promptsApart = "f1a2b3c4d5e6"
)

// basicKinds are the tables of before there were roles, with the columns that name a resource.
var basicKinds = []struct {
	kind    kind.Name
	table   string
	columns []string
}{
	{kind.Experiment, "experiment_permissions", []string{"experiment_id"}},
	{kind.RegisteredModel, "registered_model_permissions", []string{"name"}},
	{kind.Scorer, "scorer_permissions", []string{"experiment_id", "scorer_name"}},
	{kind.GatewaySecret, "gateway_secret_permissions", []string{"secret_id"}},
	{kind.GatewayEndpoint, "gateway_endpoint_permissions", []string{"endpoint_id"}},
	{kind.GatewayModel, "gateway_model_definition_permissions", []string{"model_definition_id"}},
	{kind.Workspace, "workspace_permissions", []string{"workspace"}},
}

// weak are the passwords that MLflow gave its administrator by itself: the first until 2.21, the other until 3.5.
var weak = []string{"password", "password1234"}

// basic reads a database of MLflow's basic-auth app.
type basic struct {
	*Source
	ctx      context.Context
	db       *store.Foreign
	settings Settings
	users    map[int64]string
	roles    map[int64]takeover.Role
	old      *oldBasic
}

func readBasic(ctx context.Context, db *store.Foreign, settings Settings) (*Source, error) {
	table := "alembic_version_auth"
	if there, err := db.Has(ctx, table); err != nil {
		return nil, err
	} else if !there { // until 3.5
		table = "alembic_version"
	}
	at, err := recognised(ctx, db, table, "MLflow's basic-auth", basicRevisions)
	if err != nil {
		return nil, err
	}
	b := &basic{Source: &Source{Name: BasicAuth, Revision: at.id, Means: "MLflow " + at.versions, Contents: takeover.New()}, ctx: ctx, db: db, settings: settings,
		users: map[int64]string{}, roles: map[int64]takeover.Role{}, old: newOldBasic(settings)}
	b.Old = b.old
	roles, err := db.Has(ctx, "roles")
	if err != nil {
		return nil, err
	}
	b.old.byRole = roles && at.id != rolesBegin
	steps := []func() error{b.readUsers}
	if !b.old.byRole {
		steps = append(steps, b.readBefore)
	}
	if roles {
		steps = append(steps, b.readRoles, b.readPermissions, b.readAssignments)
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return b.sorted(), nil
}

func (b *basic) each(table string, do func(store.Row) error) error {
	there, err := b.db.Has(b.ctx, table)
	if err != nil || !there {
		return err
	}
	rows, err := b.db.Rows(b.ctx, table, "")
	for _, row := range rows {
		if err == nil {
			err = do(row)
		}
	}
	return err
}

func (b *basic) readUsers() error {
	return b.each("users", func(row store.Row) error {
		id, admin := row.Number("id"), row.Truth("is_admin")
		u := takeover.User{DisplayName: row.Text("username"), Admin: admin, Active: true, ManagedBy: directory.Manual}
		if err := b.user(id, row.Text("username"), u, b.users); err != nil {
			return err
		}
		name := b.users[id]
		if name == "" {
			return nil
		}
		b.old.users[name] = oldUser{admin: admin, active: true}
		hash := row.Text("password_hash")
		switch {
		case hash == "":
			b.note("password", name, "there is none; give the account one, or an access token")
		case admin && b.settings.Guess != nil && slices.ContainsFunc(weak, func(one string) bool { return b.settings.Guess(hash, one) }):
			b.note("password", name, "it is the one that MLflow gives everybody, and is not carried over for an administrator; give the account another one")
		default:
			b.Contents.Passwords[name] = takeover.Password{Hash: hash, Kept: true}
		}
		return nil
	})
}

// readBefore reads what was granted before there were roles.
func (b *basic) readBefore() error {
	for _, k := range basicKinds {
		err := b.each(k.table, func(row store.Row) error {
			name := b.users[row.Number("user_id")]
			if name == "" {
				return nil
			}
			id := row.Text(k.columns[0])
			if len(k.columns) > 1 {
				id = kind.Within(id, row.Text(k.columns[1]))
			}
			level := b.level("grant", name+" on "+string(k.kind)+" "+id, row.Text("permission"))
			in := row.Text("workspace")
			if k.kind == kind.Workspace {
				in = ""
			}
			resource, err := b.resource(k.kind, in, id)
			if err != nil {
				return err
			}
			return b.direct(name, in, k.kind, id, resource, level)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// resource gives what grants call a resource: of the AI gateway its name, "" where it cannot be told.
func (b *basic) resource(k kind.Name, workspace, id string) (string, error) {
	entry, _ := kind.Of(k)
	if entry.MLflowID == "" {
		return id, nil
	}
	if b.settings.Names == nil {
		return "", nil
	}
	name, err := b.settings.Names(b.ctx, k, id)
	if err != nil {
		return "", fmt.Errorf("asking MLflow for the name of the %s %s: %w", entry.Title, id, err)
	}
	return name, nil
}

// direct takes in what one user is given on one resource.
func (b *basic) direct(name, in string, k kind.Name, id, resource, level string) error {
	if resource == "" {
		b.nameless("user "+name, k, id, level, func() {
			own := takeover.Role{Workspace: placeOf(in), Owner: name}
			b.Contents.Roles[own] = takeover.Described{}
			b.permit(own, string(k), authz.Everything, authz.Everything, directory.Deny)
		})
		return nil
	}
	place := in
	if in == kind.DefaultWorkspace || kind.Everywhere(k) {
		in = ""
	}
	g := takeover.Grant{Principal: takeover.Principal{User: name}, Kind: string(k.Kept()), Workspace: in, Resource: resource}
	b.old.direct(name, place, Resource{Kind: k.Kept(), Workspace: in, ID: resource}, level)
	b.grant(g, takeover.Given{Level: level})
	return nil
}

// nameless says that a resource of the AI gateway has no name that is known. What was given on it is not carried over; what was
// refused is, on all of the kind: nobody can tell which of them it is.
func (b *basic) nameless(whose string, k kind.Name, id, level string, refuse func()) {
	if level == directory.Deny || level == kind.NoPermissions.String() {
		refuse()
		b.note("grant", whose+" on "+string(k)+" "+id, "MLflow does not say which it is, so the refusal counts for all of the kind; import once more with MLFLOW_UPSTREAM set to the running MLflow")
		return
	}
	b.note("grant", whose+" on "+string(k)+" "+id, "MLflow does not say which it is, and it is not carried over; import once more with MLFLOW_UPSTREAM set to the running MLflow")
}

func placeOf(workspace string) string {
	if workspace == "" {
		return kind.DefaultWorkspace
	}
	return workspace
}

// own finds whose own role a role is.
func (b *basic) own(name string) (string, bool) {
	number, ok := strings.CutPrefix(name, "__user_")
	number, ends := strings.CutSuffix(number, "__")
	id, err := strconv.ParseInt(number, 10, 64)
	if !ok || !ends || err != nil {
		return "", false
	}
	return b.users[id], true
}

func (b *basic) readRoles() error {
	return b.each("roles", func(row store.Row) error {
		role := takeover.Role{Workspace: placeOf(row.Text("workspace")), Name: row.Text("name")}
		if owner, own := b.own(role.Name); own {
			if owner == "" {
				return nil // of nobody any more
			}
			role.Name, role.Owner = "", owner
		} else {
			b.Contents.Roles[role] = takeover.Described{Description: row.Text("description")}
		}
		b.roles[row.Number("id")] = role
		return nil
	})
}

func (b *basic) readPermissions() error {
	return b.each("role_permissions", func(row store.Row) error {
		role, ok := b.roles[row.Number("role_id")]
		if !ok {
			return nil
		}
		types := []string{row.Text("resource_type")}
		if b.Revision != promptsApart && types[0] == string(kind.RegisteredModel) {
			types = append(types, string(kind.Prompt))
		}
		for _, of := range types {
			if err := b.readPermission(role, of, row.Text("resource_pattern"), row.Text("permission")); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *basic) readPermission(role takeover.Role, of, pattern, permission string) error {
	called := role.Name + role.Owner + " on " + of + " " + pattern
	k, ok := kind.Of(kind.Name(of))
	if !ok {
		if _, part := kind.WithPart(of); !part {
			b.note("role permission", called, "its type %q is not known, and it is not carried over", of)
			return nil
		}
	}
	level, err := kind.ParseLevel(permission)
	if err != nil && permission != directory.Deny {
		b.note("role permission", called, "its permission %q is not known, so it denies", permission)
		permission = directory.Deny
	}
	resource := pattern
	if k.Name == kind.Scorer && pattern != authz.Everything {
		parent, quoted := kind.Parts(pattern)
		name, unquoted := url.PathUnescape(quoted)
		if unquoted != nil || parent == "" {
			b.note("role permission", called, "it names no scorer, and is not carried over")
			return nil
		}
		resource = kind.Within(parent, name)
	}
	if pattern != authz.Everything && ok {
		if resource, err = b.resource(k.Name, role.Workspace, resource); err != nil {
			return err
		}
	}
	if resource == "" {
		b.nameless("role "+role.Name+role.Owner, k.Name, pattern, permission, func() {
			b.permit(role, of, authz.Everything, authz.Everything, directory.Deny)
		})
		return nil
	}
	if role.Owner != "" && ok && pattern != authz.Everything && permission != directory.Deny {
		return b.direct(role.Owner, role.Workspace, k.Name, pattern, resource, level.String())
	}
	b.permit(role, of, pattern, resource, permission)
	return nil
}

// permit takes in a permission of a role; one that denies wins over another one on the same.
func (b *basic) permit(role takeover.Role, of, pattern, resource, permission string) {
	if role.Owner != "" {
		b.Contents.Roles[role] = takeover.Described{}
	}
	on := takeover.Permission{Role: role, Type: of, Pattern: pattern}
	if before, twice := b.Contents.Permissions[on]; twice && before.Level == directory.Deny {
		return
	}
	b.Contents.Permissions[on] = takeover.Permitted{Resource: resource, Level: permission}
	b.old.permit(role, of, resource, permission)
}

func (b *basic) readAssignments() error {
	return b.each("user_role_assignments", func(row store.Row) error {
		name, role := b.users[row.Number("user_id")], b.roles[row.Number("role_id")]
		if name == "" || role.Name == "" {
			return nil // the user's own: it is its owner's without that
		}
		b.Contents.Assignments[takeover.Assignment{User: name, Role: role}] = takeover.Held{}
		b.old.assigned[name] = append(b.old.assigned[name], role)
		return nil
	})
}
