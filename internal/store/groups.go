package store

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

func (db *DB) createGroup(ctx context.Context, tx bun.Tx, name string) error {
	if err := db.watch(ctx, tx, groupsTable, "g.name = ?", name); err != nil {
		return err
	}
	made := newGroup(name)
	_, err := tx.NewInsert().Model(&made).Exec(ctx)
	if errs.Is(db.coded(err, ""), errs.Conflict) {
		return errs.New(errs.Conflict, "the group %s exists already", name)
	}
	return err
}

// DeleteGroup removes a group with its members and all that is granted to it.
func (db *DB) DeleteGroup(ctx context.Context, name string) error {
	return db.update(ctx, func(ctx context.Context, tx bun.Tx) error { return db.deleteGroup(ctx, tx, name) })
}

func (db *DB) deleteGroup(ctx context.Context, tx bun.Tx, name string) error {
	g, err := db.principal(ctx, tx, Principal{Group: name})
	if err != nil {
		return err
	}
	if err := db.watchAll(ctx, tx, of(grants, "r.group_id = ?", g.id), of(patterns, "r.group_id = ?", g.id), of(memberships, "m.group_id = ?", g.id),
		of(groupsTable, "g.id = ?", g.id)); err != nil {
		return err
	}
	result, err := tx.NewDelete().Table("gw_groups").Where("id = ?", g.id).Exec(ctx)
	return db.changed(result, err, "the group "+name)
}

// AddMember puts a user into a group by hand; who is in it by hand already is errs.Conflict.
func (db *DB) AddMember(ctx context.Context, group, username string) error {
	return db.update(ctx, func(ctx context.Context, tx bun.Tx) error { return db.addMember(ctx, tx, group, username) })
}

func (db *DB) addMember(ctx context.Context, tx bun.Tx, group, username string) error {
	row, err := db.membership(ctx, tx, group, username)
	if err != nil {
		return err
	}
	_, err = tx.NewInsert().Model(&row).Exec(ctx)
	if errs.Is(db.coded(err, ""), errs.Conflict) {
		return errs.New(errs.Conflict, "%s is in the group %s already", username, group)
	}
	return err
}

// RemoveMember takes a user out of a group who is in it by hand. Where a provider has put the user into it too, the user stays.
func (db *DB) RemoveMember(ctx context.Context, group, username string) error {
	return db.update(ctx, func(ctx context.Context, tx bun.Tx) error { return db.removeMember(ctx, tx, group, username) })
}

func (db *DB) removeMember(ctx context.Context, tx bun.Tx, group, username string) error {
	row, err := db.membership(ctx, tx, group, username)
	if err != nil {
		return err
	}
	result, err := tx.NewDelete().Model(&row).WherePK().Exec(ctx)
	return db.changed(result, err, "a membership by hand of "+username+" in the group "+group)
}

// membership is that of a user in a group by hand.
func (db *DB) membership(ctx context.Context, tx bun.Tx, group, username string) (membershipRow, error) {
	row := membershipRow{ManagedBy: directory.Manual}
	in, err := db.principal(ctx, tx, Principal{Group: group})
	if err != nil {
		return row, err
	}
	user, err := db.principal(ctx, tx, Principal{User: username})
	if err != nil {
		return row, err
	}
	row.GroupID, row.UserID = in.id, user.id
	return row, db.watch(ctx, tx, memberships, "m.group_id = ? AND m.user_id = ?", row.GroupID, row.UserID)
}
