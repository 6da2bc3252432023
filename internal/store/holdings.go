package store

import (
	"context"
	"strings"

	"github.com/uptrace/bun"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// Holding is a grant or a pattern with who holds it.
type Holding struct {
	Holder  Principal
	Service bool   // the user is a service account
	Rule    string // the workspace rule that has given it; "" where none has
	Grant   authz.Grant
}

// HoldingsQuery chooses what a principal holds itself in all workspaces, or, without a principal, what is held on one resource in
// the context's workspace.
type HoldingsQuery struct {
	Holder        Principal
	Kind          kind.Name // of a principal's: empty for all
	Resource      string
	Search        string   // a part of the resource or the pattern; of a resource's, of the holder's name
	Named         []string // of a principal's: experiments whose names the search finds too
	Limit, Offset int
}

type holdingRow struct {
	ruleRow
	Username, GroupName string
	IsService           bool
	RuleName            string
}

func (r holdingRow) holding() (Holding, error) {
	h := Holding{Holder: Principal{User: r.Username, Group: r.GroupName}, Service: r.IsService, Rule: r.RuleName}
	table := grants
	if r.Pattern != "" {
		table = patterns
	}
	var err error
	h.Grant, err = r.grant(source(h.Holder, table))
	return h, err
}

// Holdings lists a page of what is held, and how much there is in all, in the order of kinds and names. Nothing beyond the page
// leaves the database.
func (db *DB) Holdings(ctx context.Context, q HoldingsQuery) ([]Holding, int, error) {
	var all *bun.SelectQuery
	var err error
	if q.Holder == (Principal{}) {
		all = containing(db.holdings(ctx, grants), "COALESCE(u.username, g.name)", q.Search).
			Where("r.kind = ? AND r.workspace = ? AND r.resource = ?", q.Kind.Kept(), place(ctx, q.Kind), q.Resource)
	} else if all, err = db.holdingsOf(ctx, q); err != nil {
		return nil, 0, err
	}
	var rows []holdingRow
	total, err := db.read.NewSelect().TableExpr("(?) AS x", all).Order("x.kind", "x.resource", "x.pattern", "x.group_name", "x.username", "x.id").
		Limit(int64(q.Limit)).Offset(int64(q.Offset)).ScanAndCount(ctx, &rows)
	if err != nil {
		return nil, 0, db.coded(err, "")
	}
	found := make([]Holding, len(rows))
	for i, row := range rows {
		if found[i], err = row.holding(); err != nil {
			return nil, 0, err
		}
	}
	return found, int(total), nil
}

// holdingsOf selects what one principal holds: single resources and patterns.
func (db *DB) holdingsOf(ctx context.Context, q HoldingsQuery) (*bun.SelectQuery, error) {
	h, err := db.principal(ctx, db.read, q.Holder)
	if err != nil {
		return nil, err
	}
	of := func(table, named string, k kind.Name) *bun.SelectQuery {
		s := db.holdings(ctx, table).Where("r.? = ?", bun.Ident(h.column), h.id)
		if table == grants && len(q.Named) > 0 {
			s = s.WhereGroup(" AND ", func(s *bun.SelectQuery) *bun.SelectQuery {
				return containing(s, "r."+named, q.Search).WhereOr("r.kind = ? AND r.resource IN (?)", kind.Experiment, bun.List(q.Named))
			})
		} else {
			s = containing(s, "r."+named, q.Search)
		}
		if k != "" {
			s = s.Where("r.kind = ?", k)
		}
		return s
	}
	return of(grants, "resource", q.Kind.Kept()).UnionAll(of(patterns, "pattern", q.Kind)), nil
}

// holdings selects the rules of a table that have not ended, with their holders, in columns that are the same for both tables.
func (db *DB) holdings(ctx context.Context, table string) *bun.SelectQuery {
	q := db.from(ctx).NewSelect().TableExpr("? AS r", bun.Ident(table)).Column("r.id", "r.kind", "r.workspace", "r.level", "r.expires_at").Where(lasting("r"), db.now())
	if table == grants {
		q = q.ColumnExpr("r.resource, '' AS pattern, 0 AS priority, CASE WHEN r.rule_id IS NULL THEN '' ELSE COALESCE(w.name, 'that is gone') END AS rule_name").
			Join("LEFT JOIN ? AS w ON w.id = r.rule_id", bun.Ident(rulesTable))
	} else {
		q = q.ColumnExpr("'' AS resource, r.pattern, r.priority, '' AS rule_name")
	}
	return q.ColumnExpr("COALESCE(u.username, '') AS username, COALESCE(g.name, '') AS group_name, COALESCE(u.is_service, ?) AS is_service", false).
		Join("LEFT JOIN gw_users AS u ON u.id = r.user_id").Join("LEFT JOIN gw_groups AS g ON g.id = r.group_id")
}

// containing keeps the rows of which a column has a text in it, in any case; some databases know only the cases of ASCII, and so also
// as it is written.
func containing(q *bun.SelectQuery, column, text string) *bun.SelectQuery {
	if text == "" {
		return q
	}
	return q.Where("(LOWER(?0) LIKE ?1 ESCAPE '!' OR ?0 LIKE ?2 ESCAPE '!')", bun.Safe(column), part(strings.ToLower(text)), part(text))
}

// part is the LIKE pattern of what contains a text.
func part(text string) string {
	return "%" + strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(text) + "%"
}
