package store

import (
	"context"

	"github.com/uptrace/bun"
)

// owners are apart from grants: what they are of has no kind of its own, and nobody grants it to others. Nothing of them is
// remembered elsewhere, and so a change does not move the counter.
const owners = "gw_owners"

// Own notes who made something, in place of whoever was noted before.
func (db *DB) Own(ctx context.Context, kind, resource string, userID int64) error {
	return db.transaction(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := disown(ctx, tx, kind, resource); err != nil {
			return err
		}
		values := map[string]any{"kind": kind, "resource": resource, "user_id": userID}
		_, err := tx.NewInsert().Model(&values).Table(owners).Exec(ctx)
		return err
	})
}

// Disown forgets who made something.
func (db *DB) Disown(ctx context.Context, kind, resource string) error {
	return db.coded(disown(ctx, db.write, kind, resource), "")
}

func disown(ctx context.Context, in bun.IDB, kind, resource string) error {
	_, err := in.NewDelete().Table(owners).Where("kind = ? AND resource = ?", kind, resource).Exec(ctx)
	return err
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
