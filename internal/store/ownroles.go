package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/uptrace/bun"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/workspace"
)

// What MLflow's API grants to a user directly is a grant of the user where grants have a place for it: a level on one
// resource. All else of it is in a role of the user's own, one in each workspace.

// OwnRole is the name of a user's own roles, as MLflow writes it.
func OwnRole(userID int64) string { return fmt.Sprintf("__user_%d__", userID) }

// OwnRoles lists a user's own roles.
func (db *DB) OwnRoles(ctx context.Context, userID int64) ([]directory.Role, error) {
	var rows []roleRow
	if err := db.read.NewSelect().Model(&rows).Where("r.owner_id = ?", userID).Order("r.id").Scan(ctx); err != nil {
		return nil, db.coded(err, "")
	}
	return db.withPermissions(ctx, db.read, rows)
}

// AllGrants lists a user's grants on single resources, of every kind and workspace.
func (db *DB) AllGrants(ctx context.Context, userID int64) ([]authz.Grant, error) {
	return db.rules(ctx, db.columns(db.read.NewSelect(), grants).Where("r.user_id = ?", userID).Order("r.id"), authz.User)
}

// GrantDirectly gives a user a permission in a workspace; one on the same there already is errs.Conflict, whichever way it is held.
func (db *DB) GrantDirectly(ctx context.Context, userID int64, workspace string, p directory.RolePermission) error {
	return db.update(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := db.dropEnded(ctx, tx, grants, holder{column: "user_id", id: userID}); err != nil {
			return err
		}
		if err := db.free(ctx, tx, userID, workspace, p); err != nil {
			return err
		}
		if err := db.watchDirect(ctx, tx, userID, workspace, p); err != nil {
			return err
		}
		k, level, plain := asGrant(p)
		if plain {
			values := map[string]any{"user_id": userID, "kind": k.Kept(), "workspace": within(k, workspace), "resource": p.Resource, "level": level.String()}
			_, err := tx.NewInsert().Model(&values).Table(grants).Exec(ctx)
			return err
		}
		role, err := db.makeOwnRole(ctx, tx, userID, workspace)
		if err != nil {
			return err
		}
		p.RoleID = role.ID
		_, err = db.addPermission(ctx, tx, p)
		return err
	})
}

// RevokeDirectly takes from a user what GrantDirectly has given, or what is held on the same as a grant.
func (db *DB) RevokeDirectly(ctx context.Context, userID int64, workspace string, p directory.RolePermission) error {
	return db.update(ctx, func(ctx context.Context, tx bun.Tx) error {
		missing := errs.New(errs.NotFound, "the user holds no permission on the %s %s", p.Type, p.Pattern)
		if err := db.watchDirect(ctx, tx, userID, workspace, p); err != nil {
			return err
		}
		role, err := db.ownRole(ctx, tx, userID, workspace)
		if err == nil {
			result, err := tx.NewDelete().Table("gw_role_permissions").
				Where("role_id = ? AND resource_type = ? AND resource_pattern = ?", role.ID, p.Type, p.Pattern).Exec(ctx)
			if err = db.changed(result, err, ""); !errs.Is(err, errs.NotFound) {
				return err
			}
		} else if !errs.Is(err, errs.NotFound) {
			return err
		}
		k, ok := kind.Of(kind.Name(p.Type))
		if !ok || p.Resource == authz.Everything {
			return missing
		}
		result, err := tx.NewDelete().Table(grants).Where("user_id = ? AND kind = ? AND workspace = ? AND resource = ?",
			userID, k.Name.Kept(), within(k.Name, workspace), p.Resource).Exec(ctx)
		if err = db.changed(result, err, ""); errs.Is(err, errs.NotFound) {
			return missing
		}
		return err
	})
}

// watchDirect has what becomes of a user's direct permissions be recorded, whichever way they are held.
func (db *DB) watchDirect(ctx context.Context, tx bun.Tx, userID int64, workspace string, p directory.RolePermission) error {
	own := "IN (SELECT o.id FROM gw_roles AS o WHERE o.owner_id = ? AND o.workspace = ?)"
	return db.watchAll(ctx, tx, of(rolesTable, "r.owner_id = ? AND r.workspace = ?", userID, workspace), of(rolePermissions, "p.role_id "+own, userID, workspace),
		of(grants, "r.user_id = ? AND r.kind = ? AND r.workspace = ? AND r.resource = ?", userID, kind.Name(p.Type).Kept(), within(kind.Name(p.Type), workspace), p.Resource))
}

// asGrant says what a permission is as a grant, where it can be one.
func asGrant(p directory.RolePermission) (kind.Name, kind.Level, bool) {
	k, ok := kind.Of(kind.Name(p.Type))
	level, err := kind.ParseLevel(p.Permission)
	return k.Name, level, ok && err == nil && p.Resource != authz.Everything
}

// within is how grants on a kind hold a workspace.
func within(k kind.Name, workspace string) string {
	if workspace == kind.DefaultWorkspace || kind.Everywhere(k) {
		return ""
	}
	return workspace
}

func (db *DB) ownRole(ctx context.Context, tx bun.Tx, userID int64, workspace string) (roleRow, error) {
	var role roleRow
	err := tx.NewSelect().Model(&role).Where("owner_id = ? AND workspace = ?", userID, workspace).Scan(ctx)
	return role, db.coded(err, "a role of the user's own")
}

// makeOwnRole gives a user's own role in a workspace, and makes it where it is not there.
func (db *DB) makeOwnRole(ctx context.Context, tx bun.Tx, userID int64, workspace string) (roleRow, error) {
	role, err := db.ownRole(ctx, tx, userID, workspace)
	if errs.Is(err, errs.NotFound) {
		role = roleRow{Workspace: workspace, Name: OwnRole(userID), OwnerID: userID}
		_, err = tx.NewInsert().Model(&role).Exec(ctx)
	}
	return role, err
}

// free refuses what is held already.
func (db *DB) free(ctx context.Context, tx bun.Tx, userID int64, workspace string, p directory.RolePermission) error {
	held, err := tx.NewSelect().TableExpr("gw_role_permissions AS p").Join("JOIN gw_roles AS r ON r.id = p.role_id").
		Where("r.owner_id = ? AND r.workspace = ? AND p.resource_type = ? AND p.resource_pattern = ?", userID, workspace, p.Type, p.Pattern).Exists(ctx)
	if k, ok := kind.Of(kind.Name(p.Type)); err == nil && !held && ok && p.Resource != authz.Everything {
		held, err = tx.NewSelect().Table(grants).Where("user_id = ? AND kind = ? AND workspace = ? AND resource = ?",
			userID, k.Name.Kept(), within(k.Name, workspace), p.Resource).Exists(ctx)
	}
	if held {
		return errs.New(errs.Conflict, "the user holds a permission on the %s %s already; revoke it first", p.Type, p.Pattern)
	}
	return err
}

// forgotten drops what roles give on a resource that is no more, or is a new one; what they deny stays.
func (db *DB) forgotten(ctx context.Context, tx bun.Tx, k kind.Name, resource string) error {
	all, err := onResource(ctx, tx, k, resource)
	if err != nil {
		return err
	}
	for _, p := range all {
		if p.Permission == directory.Deny {
			continue
		}
		if err := db.watch(ctx, tx, rolePermissions, "p.id = ?", p.ID); err != nil {
			return err
		}
		if _, err := tx.NewDelete().Model(&p).WherePK().Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

// onResource gives what roles of the context's workspace say of one resource, whichever of two kinds of shared names they
// call it.
func onResource(ctx context.Context, tx bun.Tx, k kind.Name, resource string) ([]rolePermissionRow, error) {
	var types []string
	for other := range kind.All() {
		if other.Name.Kept() == k.Kept() {
			types = append(types, string(other.Name))
		}
	}
	var rows []rolePermissionRow
	q := tx.NewSelect().Model(&rows).Where("p.resource_type IN (?) AND p.resource = ?", bun.List(types), resource)
	if !kind.Everywhere(k) {
		in := workspace.Stored(ctx)
		if in == "" {
			in = kind.DefaultWorkspace
		}
		q = q.Where("p.role_id IN (SELECT r.id FROM gw_roles AS r WHERE r.workspace = ?)", in)
	}
	return rows, q.Scan(ctx)
}

// followed moves what roles say of a resource to its new name, where they say nothing of that yet.
func (db *DB) followed(ctx context.Context, tx bun.Tx, k kind.Name, from, to string) error {
	there, err := onResource(ctx, tx, k, to)
	if err != nil {
		return err
	}
	moving, err := onResource(ctx, tx, k, from)
	if err != nil {
		return err
	}
	for _, p := range moving {
		if err := db.watch(ctx, tx, rolePermissions, "p.id = ?", p.ID); err != nil {
			return err
		}
		said := func(other rolePermissionRow) bool {
			return other.RoleID == p.RoleID && other.ResourceType == p.ResourceType
		}
		if slices.ContainsFunc(there, said) { // a DENY: forgotten has left nothing else
			_, err = tx.NewDelete().Model(&p).WherePK().Exec(ctx)
		} else {
			if p.ResourcePattern == p.Resource { // else it is an id, which stays
				p.ResourcePattern = to
			}
			p.Resource = to
			_, err = tx.NewUpdate().Model(&p).Column("resource", "resource_pattern").WherePK().Exec(ctx)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
