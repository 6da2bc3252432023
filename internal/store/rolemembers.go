package store

import (
	"context"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
)

// RoleMembers lists who is assigned roles: a role, where its id is not 0, and to a user, where a name is given.
func (db *DB) RoleMembers(ctx context.Context, role int64, username string) ([]directory.RoleMember, error) {
	q := db.read.NewSelect().TableExpr("gw_role_assignments AS a").Join("JOIN gw_users AS u ON u.id = a.user_id").
		ColumnExpr("a.role_id, a.expires_at, u.username, u.is_service").Where(lasting("a"), db.now()).OrderExpr("u.username, a.role_id")
	if role != 0 {
		q = q.Where("a.role_id = ?", role)
	}
	if username != "" {
		q = q.Where("u.username = ?", username)
	}
	var rows []struct {
		RoleID    int64
		ExpiresAt time.Time `bun:",nullzero"`
		Username  string
		IsService bool
	}
	if err := q.Scan(ctx, &rows); err != nil {
		return nil, db.coded(err, "")
	}
	all := make([]directory.RoleMember, len(rows))
	for i, row := range rows {
		all[i] = directory.RoleMember{RoleID: row.RoleID, Username: row.Username, Service: row.IsService, ExpiresAt: ended(row.ExpiresAt)}
	}
	return all, nil
}
