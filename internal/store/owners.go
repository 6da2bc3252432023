package store

import (
	"context"

	"github.com/uptrace/bun"
)

// owners are apart from grants: what they are of has no kind of its own, and nobody grants it to others. They give rights all the same, so
// that every change of them is an event. Nothing of them is remembered elsewhere, and so a change does not move the counter.
const owners = "gw_owners"

// Own notes who made something, in place of whoever was noted before.
func (db *DB) Own(ctx context.Context, kind, resource string, userID int64) error {
	return db.owning(ctx, kind, resource, func(ctx context.Context, tx bun.Tx) error {
		values := map[string]any{"kind": kind, "resource": resource, "user_id": userID}
		_, err := tx.NewInsert().Model(&values).Table(owners).Exec(ctx)
		return err
	})
}

// Disown forgets who made something.
func (db *DB) Disown(ctx context.Context, kind, resource string) error {
	return db.owning(ctx, kind, resource, func(context.Context, bun.Tx) error { return nil })
}

// owning forgets who made something, and does what is to be done then.
func (db *DB) owning(ctx context.Context, kind, resource string, then func(ctx context.Context, tx bun.Tx) error) error {
	return db.sometimes(ctx, func(ctx context.Context, tx bun.Tx) (bool, error) {
		if err := db.watch(ctx, tx, owners, "o.kind = ? AND o.resource = ?", kind, resource); err != nil {
			return false, err
		}
		if _, err := tx.NewDelete().Table(owners).Where("kind = ? AND resource = ?", kind, resource).Exec(ctx); err != nil {
			return false, err
		}
		return false, then(ctx, tx)
	})
}

// Owner gives the id of the user who made something; errs.NotFound when nobody is known to have.
func (db *DB) Owner(ctx context.Context, kind, resource string) (int64, error) {
	var user int64
	err := db.read.NewSelect().Table(owners).Column("user_id").Where("kind = ? AND resource = ?", kind, resource).Scan(ctx, &user)
	return user, db.coded(err, "an owner of the "+kind)
}

// Owned gives all of a kind that a user has made.
func (db *DB) Owned(ctx context.Context, kind string, userID int64) (map[string]bool, error) {
	var ids []string
	err := db.read.NewSelect().Table(owners).Column("resource").Where("user_id = ? AND kind = ?", userID, kind).Scan(ctx, &ids)
	owned := make(map[string]bool, len(ids))
	for _, id := range ids {
		owned[id] = true
	}
	return owned, db.coded(err, "")
}
