package store

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// ManagersOf names some of those who hold MANAGE on a resource itself, in the context's workspace: people whose accounts are active,
// and groups; and tells how many there are in all. Service accounts are nobody whom one could ask.
func (db *DB) ManagersOf(ctx context.Context, k kind.Name, resource string, most int) (users, groups []string, total int, err error) {
	named := func(q *bun.SelectQuery, most int) ([]string, error) {
		var names []string
		n, err := q.TableExpr("gw_grants AS r").Where("r.kind = ? AND r.workspace = ? AND r.resource = ? AND r.level = ?", k.Kept(), place(ctx, k), resource, kind.Manage.String()).
			Where(lasting("r"), db.now()).Order("name").Limit(int64(most)).ScanAndCount(ctx, &names)
		total += int(n)
		return names, db.coded(err, "")
	}
	users, err = named(db.read.NewSelect().ColumnExpr("u.username AS name").Join(byUser+"r.user_id").Where("u.active AND NOT u.is_service"), most)
	if err == nil {
		groups, err = named(db.read.NewSelect().ColumnExpr("g.name AS name").Join(byGroup+"r.group_id"), max(1, most-len(users)))
	}
	return users, groups, total, err
}
