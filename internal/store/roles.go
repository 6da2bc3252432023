package store

import (
	"context"
	"strconv"
	"time"

	"github.com/uptrace/bun"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

type roleRow struct {
	bun.BaseModel `bun:"table:gw_roles,alias:r"`
	ID            int64 `bun:",pk,autoincrement"`
	Workspace     string
	Name          string
	Description   *string
	OwnerID       int64 `bun:",nullzero"`
}

type rolePermissionRow struct {
	bun.BaseModel   `bun:"table:gw_role_permissions,alias:p"`
	ID              int64 `bun:",pk,autoincrement"`
	RoleID          int64
	ResourceType    string
	ResourcePattern string
	Resource        string
	Permission      string
}

func (p rolePermissionRow) permission() directory.RolePermission {
	return directory.RolePermission{ID: p.ID, RoleID: p.RoleID, Type: p.ResourceType, Pattern: p.ResourcePattern, Resource: p.Resource, Permission: p.Permission}
}

type assignmentRow struct {
	bun.BaseModel `bun:"table:gw_role_assignments,alias:a"`
	ID            int64 `bun:",pk,autoincrement"`
	UserID        int64
	RoleID        int64
	ExpiresAt     time.Time `bun:",nullzero"`
}

func (a assignmentRow) assignment() directory.Assignment {
	return directory.Assignment{ID: a.ID, UserID: a.UserID, RoleID: a.RoleID, ExpiresAt: ended(a.ExpiresAt)}
}

// ofRoles selects what the roles of a user give and deny, those that it is assigned and those of its own, in the columns of held.
func ofRoles(q *bun.SelectQuery, userID int64, now time.Time) *bun.SelectQuery {
	return q.TableExpr("gw_role_permissions AS p").Join("JOIN gw_roles AS r ON r.id = p.role_id").
		ColumnExpr("p.id, p.resource_type AS kind, r.workspace, p.permission AS level").
		ColumnExpr("(SELECT a.expires_at FROM gw_role_assignments AS a WHERE a.user_id = ? AND a.role_id = r.id) AS expires_at", userID).
		ColumnExpr("p.resource, '' AS pattern, 0 AS priority, '' AS by_group, r.name AS by_role").
		Where("r.owner_id = ? OR r.id IN (SELECT a.role_id FROM gw_role_assignments AS a WHERE a.user_id = ? AND "+lasting("a")+")", userID, userID, now)
}

// GeneralRoles gives what roles give and deny on all of a kind, or on a part of one, whoever has them. Users' own roles are left out.
func (db *DB) GeneralRoles(ctx context.Context) ([]authz.Grant, error) {
	var rows []heldRow
	err := db.read.NewSelect().TableExpr("gw_role_permissions AS p").Join("JOIN gw_roles AS r ON r.id = p.role_id").
		ColumnExpr("? AS source, p.id, p.resource_type AS kind, r.workspace, p.permission AS level, p.resource, '' AS pattern, 0 AS priority, '' AS by_group, r.name AS by_role", int(authz.Role)).
		Where("p.resource = ? AND r.owner_id IS NULL", authz.Everything).Order("p.id").Scan(ctx, &rows)
	if err != nil {
		return nil, db.coded(err, "")
	}
	all := make([]authz.Grant, len(rows))
	for i, row := range rows {
		if all[i], err = row.grant(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Assigned lists the users who have the role that a permission is of, by name.
func (db *DB) Assigned(ctx context.Context, permission int64) ([]directory.User, error) {
	var rows []userRow
	err := db.read.NewSelect().Model(&rows).Where("u.id IN (SELECT a.user_id FROM gw_role_assignments AS a JOIN gw_role_permissions AS p ON p.role_id = a.role_id WHERE p.id = ? AND "+
		lasting("a")+")", permission, db.now()).Order("u.username").Scan(ctx)
	users := make([]directory.User, len(rows))
	for i, row := range rows {
		users[i] = row.user()
	}
	return users, db.coded(err, "")
}

func (r heldRow) ofRole() (authz.Grant, error) {
	g := authz.Grant{ID: r.ID, Source: authz.Role, Kind: r.Kind, Workspace: r.Workspace, Resource: r.Resource, Role: r.ByRole, Expires: ended(r.ExpiresAt), Denies: r.Level == directory.Deny}
	if _, ok := kind.Of(g.Kind); !ok {
		entry, ok := kind.WithPart(string(r.Kind))
		if !ok {
			return g, errs.New(errs.Unavailable, "the users database holds a permission of a role on a %q, which this program does not know", r.Kind)
		}
		g.Kind, g.Part = entry.Name, string(r.Kind)
	}
	if g.Denies {
		return g, nil
	}
	var err error
	g.Level, err = storedLevel(r.Level)
	return g, err
}

// Role finds a role by id. Users' own roles are none to the callers of this and of all that follows, but where they say so.
func (db *DB) Role(ctx context.Context, id int64) (directory.Role, error) {
	all, err := db.roles(ctx, db.read, func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("r.id = ?", id) })
	if err == nil && len(all) == 0 {
		err = noRole(id)
	}
	if err != nil {
		return directory.Role{}, err
	}
	return all[0], nil
}

func noRole(id int64) error {
	return errs.New(errs.NotFound, "the role with the id %d does not exist", id)
}

// RoleOf finds the role that a permission is of.
func (db *DB) RoleOf(ctx context.Context, permission int64) (directory.Role, error) {
	var id int64
	err := db.read.NewSelect().Table("gw_role_permissions").Column("role_id").Where("id = ?", permission).Scan(ctx, &id)
	if err != nil {
		return directory.Role{}, db.coded(err, "the role permission with the id "+strconv.FormatInt(permission, 10))
	}
	role, err := db.Role(ctx, id)
	if errs.Is(err, errs.NotFound) {
		err = errs.New(errs.NotFound, "the role permission with the id %d does not exist", permission)
	}
	return role, err
}

// Roles lists the roles of some workspaces; of all when none is named.
func (db *DB) Roles(ctx context.Context, workspaces ...string) ([]directory.Role, error) {
	return db.roles(ctx, db.read, func(q *bun.SelectQuery) *bun.SelectQuery {
		if len(workspaces) > 0 {
			q = q.Where("r.workspace IN (?)", bun.List(workspaces))
		}
		return q
	})
}

// RolesOf lists the roles that a user is assigned.
func (db *DB) RolesOf(ctx context.Context, userID int64) ([]directory.Role, error) {
	return db.roles(ctx, db.read, func(q *bun.SelectQuery) *bun.SelectQuery {
		return q.Where("r.id IN (SELECT a.role_id FROM gw_role_assignments AS a WHERE a.user_id = ? AND "+lasting("a")+")", userID, db.now())
	})
}

func (db *DB) roles(ctx context.Context, from bun.IDB, which func(*bun.SelectQuery) *bun.SelectQuery) ([]directory.Role, error) {
	var rows []roleRow
	if err := which(from.NewSelect().Model(&rows)).Where("r.owner_id IS NULL").Order("r.id").Scan(ctx); err != nil {
		return nil, db.coded(err, "")
	}
	return db.withPermissions(ctx, from, rows)
}

func (db *DB) withPermissions(ctx context.Context, from bun.IDB, rows []roleRow) ([]directory.Role, error) {
	all, at, ids := make([]directory.Role, len(rows)), map[int64]int{}, make([]int64, len(rows))
	for i, row := range rows {
		all[i] = directory.Role{ID: row.ID, Workspace: row.Workspace, Name: row.Name, Description: row.Description}
		at[row.ID], ids[i] = i, row.ID
	}
	var permissions []rolePermissionRow
	if len(ids) == 0 {
		return all, nil
	}
	if err := from.NewSelect().Model(&permissions).Where("p.role_id IN (?)", bun.List(ids)).Order("p.id").Scan(ctx); err != nil {
		return nil, db.coded(err, "")
	}
	for _, p := range permissions {
		role := &all[at[p.RoleID]]
		role.Permissions = append(role.Permissions, p.permission())
	}
	return all, nil
}

// AssignmentsOf lists who is assigned a role.
func (db *DB) AssignmentsOf(ctx context.Context, role int64) ([]directory.Assignment, error) {
	var rows []assignmentRow
	if err := db.read.NewSelect().Model(&rows).Where("a.role_id = ?", role).Where(lasting("a"), db.now()).Order("a.id").Scan(ctx); err != nil {
		return nil, db.coded(err, "")
	}
	all := make([]directory.Assignment, len(rows))
	for i, row := range rows {
		all[i] = row.assignment()
	}
	return all, nil
}

// Assignments lists which users are assigned which roles, by the users' ids.
func (db *DB) Assignments(ctx context.Context) (map[int64][]int64, error) {
	var rows []assignmentRow
	if err := db.read.NewSelect().Model(&rows).Where(lasting("a"), db.now()).Order("a.id").Scan(ctx); err != nil {
		return nil, db.coded(err, "")
	}
	all := map[int64][]int64{}
	for _, row := range rows {
		all[row.UserID] = append(all[row.UserID], row.RoleID)
	}
	return all, nil
}

// CreateRole makes a role; a name that the workspace's roles have already is errs.Conflict.
func (db *DB) CreateRole(ctx context.Context, r directory.Role) (directory.Role, error) {
	err := db.update(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := db.watch(ctx, tx, rolesTable, "r.workspace = ? AND r.name = ?", r.Workspace, r.Name); err != nil {
			return err
		}
		row := roleRow{Workspace: r.Workspace, Name: r.Name, Description: r.Description}
		_, err := tx.NewInsert().Model(&row).Exec(ctx)
		r.ID = row.ID
		return db.taken(err, r.Name, r.Workspace)
	})
	return r, err
}

func (db *DB) taken(err error, name, workspace string) error {
	if errs.Is(db.coded(err, ""), errs.Conflict) {
		return errs.New(errs.Conflict, "the role %s exists already in the workspace %s", name, workspace)
	}
	return err
}

// UpdateRole changes a role's name and description, where they are given.
func (db *DB) UpdateRole(ctx context.Context, id int64, name, description *string) error {
	return db.changeRole(ctx, id, func(ctx context.Context, tx bun.Tx, role roleRow) error {
		q := tx.NewUpdate().Table("gw_roles").Where("id = ?", id)
		if name != nil {
			role.Name = *name
			q = q.Set("name = ?", role.Name)
		}
		if description != nil {
			q = q.Set("description = ?", *description)
		}
		_, err := q.Exec(ctx)
		return db.taken(err, role.Name, role.Workspace)
	})
}

// changeRole changes something about a role that is there and nobody's own.
func (db *DB) changeRole(ctx context.Context, id int64, change func(ctx context.Context, tx bun.Tx, role roleRow) error) error {
	return db.update(ctx, func(ctx context.Context, tx bun.Tx) error {
		var role roleRow
		err := db.coded(tx.NewSelect().Model(&role).Where("id = ? AND owner_id IS NULL", id).Scan(ctx), "")
		if errs.Is(err, errs.NotFound) {
			err = noRole(id)
		}
		if err == nil {
			err = db.watchAll(ctx, tx, of(rolesTable, "r.id = ?", id), of(rolePermissions, "p.role_id = ?", id))
		}
		if err != nil {
			return err
		}
		return change(ctx, tx, role)
	})
}

// DeleteRole deletes a role with its permissions and assignments.
func (db *DB) DeleteRole(ctx context.Context, id int64) error {
	return db.changeRole(ctx, id, func(ctx context.Context, tx bun.Tx, role roleRow) error {
		if err := db.watch(ctx, tx, assignments, "a.role_id = ?", id); err != nil {
			return err
		}
		_, err := tx.NewDelete().Model(&role).WherePK().Exec(ctx)
		return err
	})
}

// AddRolePermission gives a role a permission; one on the same there already is errs.Conflict.
func (db *DB) AddRolePermission(ctx context.Context, p directory.RolePermission) (directory.RolePermission, error) {
	err := db.changeRole(ctx, p.RoleID, func(ctx context.Context, tx bun.Tx, _ roleRow) error {
		var err error
		p, err = db.addPermission(ctx, tx, p)
		return err
	})
	return p, err
}

func (db *DB) addPermission(ctx context.Context, tx bun.Tx, p directory.RolePermission) (directory.RolePermission, error) {
	row := rolePermissionRow{RoleID: p.RoleID, ResourceType: p.Type, ResourcePattern: p.Pattern, Resource: p.Resource, Permission: p.Permission}
	_, err := tx.NewInsert().Model(&row).Exec(ctx)
	if errs.Is(db.coded(err, ""), errs.Conflict) {
		err = errs.New(errs.Conflict, "there is a permission on the %s %s already; change it instead", p.Type, p.Pattern)
	}
	p.ID = row.ID
	return p, err
}

// UpdateRolePermission changes one permission of a role.
func (db *DB) UpdateRolePermission(ctx context.Context, role, id int64, permission string) error {
	return db.changeRole(ctx, role, func(ctx context.Context, tx bun.Tx, _ roleRow) error {
		result, err := tx.NewUpdate().Table("gw_role_permissions").Set("permission = ?", permission).Where("id = ? AND role_id = ?", id, role).Exec(ctx)
		return db.changed(result, err, "the role permission")
	})
}

// RemoveRolePermission takes one permission from a role.
func (db *DB) RemoveRolePermission(ctx context.Context, role, id int64) error {
	return db.changeRole(ctx, role, func(ctx context.Context, tx bun.Tx, _ roleRow) error {
		result, err := tx.NewDelete().Table("gw_role_permissions").Where("id = ? AND role_id = ?", id, role).Exec(ctx)
		return db.changed(result, err, "the role permission")
	})
}

// AssignRole assigns a role to a user, until a time where one is given; one that the user has already is errs.Conflict.
func (db *DB) AssignRole(ctx context.Context, userID, role int64, until *time.Time) (directory.Assignment, error) {
	row := assignmentRow{UserID: userID, RoleID: role}
	if until != nil {
		row.ExpiresAt = ended(*until)
	}
	err := db.changeRole(ctx, role, func(ctx context.Context, tx bun.Tx, _ roleRow) error {
		if _, err := db.user(ctx, tx, "u.id = ?", userID); err != nil {
			return err
		}
		if err := db.watch(ctx, tx, assignments, "a.user_id = ? AND a.role_id = ?", userID, role); err != nil {
			return err
		}
		if err := db.dropEnded(ctx, tx, "gw_role_assignments", holder{column: "user_id", id: userID}); err != nil {
			return err
		}
		_, err := tx.NewInsert().Model(&row).Exec(ctx)
		if errs.Is(db.coded(err, ""), errs.Conflict) {
			err = errs.New(errs.Conflict, "the user has the role already")
		}
		return err
	})
	return row.assignment(), err
}

// UnassignRole takes a role from a user.
func (db *DB) UnassignRole(ctx context.Context, userID, role int64) error {
	return db.changeRole(ctx, role, func(ctx context.Context, tx bun.Tx, _ roleRow) error {
		if err := db.watch(ctx, tx, assignments, "a.user_id = ? AND a.role_id = ?", userID, role); err != nil {
			return err
		}
		result, err := tx.NewDelete().Table("gw_role_assignments").Where("user_id = ? AND role_id = ?", userID, role).Exec(ctx)
		return db.changed(result, err, "an assignment of the role to the user")
	})
}
