package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
)

type roleMemberRow struct {
	RoleID    int64
	ExpiresAt time.Time `bun:",nullzero"`
	Username  string
	IsService bool
}

// RoleMembers lists a page of whom a role is assigned to, and says how many there are in all.
func (db *DB) RoleMembers(ctx context.Context, role int64, p Page) ([]directory.RoleMember, int, error) {
	var rows []roleMemberRow
	total, err := p.cut(db.assigned(), "u.username").Where("a.role_id = ?", role).Order("u.username").ScanAndCount(ctx, &rows)
	return roleMembers(rows), int(total), db.coded(err, "")
}

// RolesUntil says of each role that a user is assigned until when it is; zero is without an end.
func (db *DB) RolesUntil(ctx context.Context, userID int64) (map[int64]time.Time, error) {
	var rows []roleMemberRow
	err := db.assigned().Where("a.user_id = ?", userID).Scan(ctx, &rows)
	until := make(map[int64]time.Time, len(rows))
	for _, one := range roleMembers(rows) {
		until[one.RoleID] = one.ExpiresAt
	}
	return until, db.coded(err, "")
}

// RoleSizes counts to how many each role is assigned; those that nobody has are not in it.
func (db *DB) RoleSizes(ctx context.Context) (map[int64]int, error) {
	var rows []struct {
		RoleID  int64
		Members int
	}
	err := db.read.NewSelect().TableExpr("gw_role_assignments AS a").ColumnExpr("a.role_id, COUNT(*) AS members").Where(lasting("a"), db.now()).Group("a.role_id").Scan(ctx, &rows)
	sizes := make(map[int64]int, len(rows))
	for _, row := range rows {
		sizes[row.RoleID] = row.Members
	}
	return sizes, db.coded(err, "")
}

func (db *DB) assigned() *bun.SelectQuery {
	return db.read.NewSelect().TableExpr("gw_role_assignments AS a").Join("JOIN gw_users AS u ON u.id = a.user_id").
		ColumnExpr("a.role_id, a.expires_at, u.username, u.is_service").Where(lasting("a"), db.now())
}

func roleMembers(rows []roleMemberRow) []directory.RoleMember {
	all := make([]directory.RoleMember, len(rows))
	for i, row := range rows {
		all[i] = directory.RoleMember{RoleID: row.RoleID, Username: row.Username, Service: row.IsService, ExpiresAt: ended(row.ExpiresAt)}
	}
	return all
}
