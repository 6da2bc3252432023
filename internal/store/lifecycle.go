package store

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// Share is what the groups of whoever makes a resource get on it.
type Share struct {
	Level  kind.Level // NoPermissions: nothing
	Except []string   // groups that get nothing, since everybody is in them, or needs none
}

// ShareNew says what the groups of creators get from now on. It is called before the database is used.
func (db *DB) ShareNew(s Share) { db.share = s }

// shared gives the groups of a creator their level. What lies in another resource is shared with that, and a workspace would open
// all that is in it.
func (db *DB) shared(ctx context.Context, tx bun.Tx, k kind.Name, resource string, userID int64) error {
	entry, _ := kind.Of(k)
	if db.share.Level == kind.NoPermissions || entry.Parent != "" || k == kind.Workspace {
		return nil
	}
	except := append([]string{""}, db.share.Except...) // SQL has no empty list
	_, err := tx.NewRaw("INSERT INTO gw_grants (group_id, kind, workspace, resource, level) SELECT DISTINCT m.group_id, ?, ?, ?, ? FROM gw_memberships AS m "+
		"JOIN gw_groups AS g ON g.id = m.group_id WHERE m.user_id = ? AND g.name NOT IN (?)",
		k.Kept(), place(ctx, k), resource, db.share.Level.String(), userID, bun.List(except)).Exec(ctx)
	return err
}

// Created gives the creator MANAGE on a new resource, and the creator's groups what is shared. What an earlier resource of the same name left behind is dropped:
// its holders must not inherit the new one.
func (db *DB) Created(ctx context.Context, k kind.Name, resource string, userID int64) error {
	return db.update(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := db.drop(ctx, tx, k, resource); err != nil {
			return err
		}
		values := map[string]any{"user_id": userID, "kind": k.Kept(), "workspace": place(ctx, k), "resource": resource, "level": kind.Manage.String()}
		if _, err := tx.NewInsert().Model(&values).Table(grants).Exec(ctx); err != nil {
			return err
		}
		return db.shared(ctx, tx, k, resource, userID)
	})
}

// Deleted drops all grants on a resource, so that its name's next owner does not inherit them.
func (db *DB) Deleted(ctx context.Context, k kind.Name, resource string) error {
	return db.update(ctx, func(ctx context.Context, tx bun.Tx) error { return db.drop(ctx, tx, k, resource) })
}

// ExperimentGone drops all grants on an experiment that is deleted for good, and on what has its name within it.
func (db *DB) ExperimentGone(ctx context.Context, id string) error {
	return db.update(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := db.drop(ctx, tx, kind.Experiment, id); err != nil {
			return err
		}
		if err := db.watch(ctx, tx, grants, "r.kind = ? AND r.resource LIKE ?", kind.Scorer, kind.Within(id, "%")); err != nil {
			return err
		}
		if _, err := tx.NewDelete().Table(grants).Where("kind = ? AND resource LIKE ?", kind.Scorer, kind.Within(id, "%")).Exec(ctx); err != nil {
			return err
		}
		return db.lapse(ctx, tx, "kind = ? AND resource LIKE ?", kind.Scorer, kind.Within(id, "%"))
	})
}

// Renamed moves all grants to the new name, and drops what an earlier resource left behind there.
func (db *DB) Renamed(ctx context.Context, k kind.Name, from, to string) error {
	return db.update(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := db.drop(ctx, tx, k, to); err != nil {
			return err
		}
		if err := db.followed(ctx, tx, k, from, to); err != nil {
			return err
		}
		if err := db.moveRequests(ctx, tx, k, from, to); err != nil {
			return err
		}
		if err := db.watchResource(ctx, tx, k, from); err != nil {
			return err
		}
		_, err := tx.NewUpdate().Table(grants).Set("resource = ?", to).
			Where("kind = ? AND workspace = ? AND resource = ?", k.Kept(), place(ctx, k), from).Exec(ctx)
		return err
	})
}

// watchResource has what becomes of the grants on a resource be recorded.
func (db *DB) watchResource(ctx context.Context, tx bun.Tx, k kind.Name, resource string) error {
	return db.watch(ctx, tx, grants, "r.kind = ? AND r.workspace = ? AND r.resource = ?", k.Kept(), place(ctx, k), resource)
}

func (db *DB) drop(ctx context.Context, tx bun.Tx, k kind.Name, resource string) error {
	if err := db.watchResource(ctx, tx, k, resource); err != nil {
		return err
	}
	if err := db.forgotten(ctx, tx, k, resource); err != nil {
		return err
	}
	if err := db.lapse(ctx, tx, oneResource, k.Kept(), place(ctx, k), resource); err != nil {
		return err
	}
	_, err := tx.NewDelete().Table(grants).Where("kind = ? AND workspace = ? AND resource = ?", k.Kept(), place(ctx, k), resource).Exec(ctx)
	return err
}

// WorkspaceDeleted drops all grants on a workspace, and all grants, patterns and roles inside it, so that the next one of its name
// begins with none.
func (db *DB) WorkspaceDeleted(ctx context.Context, name string) error {
	if name == "" || name == kind.DefaultWorkspace { // what is held in the default one has no name of it
		return errs.New(errs.Invalid, "the default workspace cannot be deleted")
	}
	return db.update(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := db.drop(ctx, tx, kind.Workspace, name); err != nil {
			return err
		}
		ofRoles := "IN (SELECT o.id FROM gw_roles AS o WHERE o.workspace = ?)"
		if err := db.watchAll(ctx, tx, of(grants, "r.workspace = ?", name), of(patterns, "r.workspace = ?", name), of(rolesTable, "r.workspace = ?", name),
			of(rolePermissions, "p.role_id "+ofRoles, name), of(assignments, "a.role_id "+ofRoles, name)); err != nil {
			return err
		}
		if err := db.lapse(ctx, tx, "workspace = ?", name); err != nil {
			return err
		}
		for _, table := range []string{grants, patterns, rolesTable} {
			if _, err := tx.NewDelete().Table(table).Where("workspace = ?", name).Exec(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}
