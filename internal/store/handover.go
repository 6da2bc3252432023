package store

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
)

// HandOver has another source manage an account, and its memberships where that is asked for.
func (db *DB) HandOver(ctx context.Context, username, to string, memberships bool) (directory.Handover, error) {
	var done directory.Handover
	err := db.update(ctx, func(ctx context.Context, tx bun.Tx) error {
		user, err := db.user(ctx, tx, "u.username = ?", username)
		if err != nil {
			return err
		}
		done.Previous = user.ManagedBy
		if err := db.watch(ctx, tx, users, "u.id = ?", user.ID); err != nil {
			return err
		}
		_, err = tx.NewUpdate().Table("gw_users").Set("managed_by = ?", to).Set("updated_at = ?", db.now()).Where("id = ?", user.ID).Exec(ctx)
		if err != nil || !memberships {
			return err
		}
		done.Memberships, err = db.handOverMemberships(ctx, tx, user.ID, to)
		return err
	})
	return done, err
}

// handOverMemberships makes one membership of each group, of the new source: a group that was held from several is held once.
func (db *DB) handOverMemberships(ctx context.Context, tx bun.Tx, userID int64, to string) ([]directory.Membership, error) {
	var rows []struct {
		GroupID   int64
		Name      string
		ManagedBy string
	}
	err := tx.NewSelect().TableExpr("gw_memberships AS m").Column("m.group_id", "g.name", "m.managed_by").
		Join("JOIN gw_groups AS g ON g.id = m.group_id").Where("m.user_id = ?", userID).Order("g.name", "m.managed_by").Scan(ctx, &rows)
	if err != nil {
		return nil, err
	}
	if err := db.watch(ctx, tx, memberships, "m.user_id = ?", userID); err != nil {
		return nil, err
	}
	if _, err := tx.NewDelete().Model((*membershipRow)(nil)).Where("user_id = ?", userID).Exec(ctx); err != nil {
		return nil, err
	}
	moved, given := []directory.Membership{}, map[int64]bool{}
	for _, row := range rows {
		moved = append(moved, directory.Membership{Group: row.Name, From: row.ManagedBy})
		if given[row.GroupID] {
			continue
		}
		given[row.GroupID] = true
		if _, err := tx.NewInsert().Model(&membershipRow{UserID: userID, GroupID: row.GroupID, ManagedBy: to}).Exec(ctx); err != nil {
			return nil, err
		}
	}
	return moved, nil
}

// ServiceSources gives the providers by whose JWTs service accounts, some of all, are known; those that have tokens alone are not there.
func (db *DB) ServiceSources(ctx context.Context, ids ...int64) (map[int64]string, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var rows []identityRow
	err := db.read.NewSelect().Model(&rows).Column("i.user_id", "i.provider").Join("JOIN gw_users AS u ON u.id = i.user_id").
		Where("u.is_service = ? AND u.id IN (?)", true, bun.List(ids)).Scan(ctx)
	sources := make(map[int64]string, len(rows))
	for _, row := range rows {
		sources[row.UserID] = row.Provider
	}
	return sources, db.coded(err, "")
}
