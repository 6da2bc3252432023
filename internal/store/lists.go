package store

import (
	"context"
	"strings"

	"github.com/uptrace/bun"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
)

// Page chooses a part of a listing, which is in the order of names without regard to case. The zero value is all of it.
type Page struct {
	Search        string // a part of the name, in any case
	Limit, Offset int    // without a limit all comes, and the offset says nothing
}

// UsersQuery chooses users: all of them, or those that a field names.
type UsersQuery struct {
	Page
	Service *bool // the service accounts, or the people
}

// folded is a name without regard to case. The database holds it, as engines have different minds about case.
func folded(name string) string { return strings.ToLower(name) }

// newGroup is the row of a group that is made.
func newGroup(name string) groupRow { return groupRow{Name: name, Folded: folded(name)} }

// UsersPage lists a page of users, and says how many there are in all.
func (db *DB) UsersPage(ctx context.Context, q UsersQuery) ([]directory.User, int, error) {
	all := db.read.NewSelect()
	if q.Service != nil {
		all = all.Where("u.is_service = ?", *q.Service)
	}
	return db.usersOf(ctx, all, q.Page)
}

// fewMembers are looked at one by one and sorted. In a group of more, users are taken in their order, and it is seen of each whether it is one.
const fewMembers = 2000

// MembersPage lists a page of the members of a group, and says how many there are in all.
func (db *DB) MembersPage(ctx context.Context, group string, p Page) ([]directory.User, int, error) {
	g, err := db.principal(ctx, db.read, Principal{Group: group})
	if err != nil {
		return nil, 0, err
	}
	var all int
	if err := db.read.NewSelect().TableExpr("gw_memberships AS m").ColumnExpr("COUNT(DISTINCT m.user_id)").Where("m.group_id = ?", g.id).Scan(ctx, &all); err != nil {
		return nil, 0, db.coded(err, "")
	}
	members := "u.id IN (SELECT m.user_id FROM gw_memberships AS m WHERE m.group_id = ?)"
	if all > fewMembers {
		members = "EXISTS (SELECT 1 FROM gw_memberships AS m WHERE m.user_id = u.id AND m.group_id = ?)"
	}
	q := db.read.NewSelect().Where(members, g.id)
	if p.Search != "" {
		return db.usersOf(ctx, q, p)
	}
	var rows []userRow
	err = p.cut(q.Model(&rows), "u.username").Order("u.username").Scan(ctx)
	return people(rows), all, db.coded(err, "")
}

func (db *DB) usersOf(ctx context.Context, q *bun.SelectQuery, p Page) ([]directory.User, int, error) {
	var rows []userRow
	total, err := p.cut(q.Model(&rows), "u.username").Order("u.username").ScanAndCount(ctx)
	return people(rows), int(total), db.coded(err, "")
}

func people(rows []userRow) []directory.User {
	found := make([]directory.User, len(rows))
	for i, row := range rows {
		found[i] = row.user()
	}
	return found
}

// GroupNames lists a page of the names of groups, and says how many there are in all.
func (db *DB) GroupNames(ctx context.Context, p Page) ([]string, int, error) {
	names := []string{}
	total, err := p.groups(db).Column("g.name").ScanAndCount(ctx, &names)
	return names, int(total), db.coded(err, "")
}

// GroupsPage lists a page of groups with the number of their members, and says how many groups there are in all. Members are
// counted in the groups of the page alone.
func (db *DB) GroupsPage(ctx context.Context, p Page) ([]directory.Group, int, error) {
	var rows []groupRow
	total, err := p.groups(db).Column("g.id", "g.name", "g.external_id").ScanAndCount(ctx, &rows)
	if err != nil || len(rows) == 0 {
		return nil, int(total), db.coded(err, "")
	}
	var counted []struct {
		GroupID int64
		Members int
	}
	counts := db.read.NewSelect().TableExpr("gw_memberships AS m").Column("m.group_id").ColumnExpr("COUNT(DISTINCT m.user_id) AS members").Group("m.group_id")
	if p.Limit > 0 || p.Search != "" {
		ids := make([]int64, len(rows))
		for i, row := range rows {
			ids[i] = row.ID
		}
		counts = counts.Where("m.group_id IN (?)", bun.List(ids))
	}
	if err := counts.Scan(ctx, &counted); err != nil {
		return nil, 0, db.coded(err, "")
	}
	of := make(map[int64]int, len(counted))
	for _, one := range counted {
		of[one.GroupID] = one.Members
	}
	found := groups(rows)
	for i := range found {
		found[i].Members = of[found[i].ID]
	}
	return found, int(total), nil
}

// groups selects a page of the groups.
func (p Page) groups(db *DB) *bun.SelectQuery {
	return p.cut(db.read.NewSelect().TableExpr("gw_groups AS g"), "g.folded").Order("g.folded", "g.name")
}

// cut keeps the page of a query, which searches a column of folded names.
func (p Page) cut(q *bun.SelectQuery, column string) *bun.SelectQuery {
	if p.Search != "" {
		q = q.Where("? LIKE ? ESCAPE '!'", bun.Safe(column), part(folded(p.Search)))
	}
	if p.Limit > 0 {
		q = q.Limit(int64(p.Limit)).Offset(int64(p.Offset))
	}
	return q
}
