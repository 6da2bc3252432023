package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/workspace"
)

// Principal is who holds a grant: a user or a group, by name.
type Principal struct {
	User  string
	Group string
}

// String names the principal in messages.
func (p Principal) String() string {
	if p.Group != "" {
		return "the group " + p.Group
	}
	return "the user " + p.User
}

// Holder is a principal with its level on one resource.
type Holder struct {
	Name    string
	Level   kind.Level
	Service bool
	Expires time.Time // zero: it has no end
}

// ruleRow is a grant or a pattern: the two tables have all but their key in common.
type ruleRow struct {
	ID        int64
	Kind      kind.Name
	Workspace string
	Resource  string
	Pattern   string
	Priority  int
	Level     string
	ExpiresAt time.Time
	ByGroup   string
}

// storedLevel reads a level. One that is not known is no level to decide by, and no lack of one either.
func storedLevel(name string) (kind.Level, error) {
	level, err := kind.ParseLevel(name)
	if err != nil {
		return level, errs.Wrap(errs.Unavailable, err, "the users database holds a permission that this program does not know")
	}
	return level, nil
}

func (r ruleRow) grant(source authz.Source) (authz.Grant, error) {
	level, err := storedLevel(r.Level)
	if err != nil {
		return authz.Grant{}, err
	}
	return authz.Grant{ID: r.ID, Source: source, Kind: r.Kind, Workspace: r.Workspace, Resource: r.Resource, Pattern: r.Pattern,
		Priority: r.Priority, Level: level, Expires: ended(r.ExpiresAt), Group: r.ByGroup}, nil
}

const (
	grants   = "gw_grants"
	patterns = "gw_patterns"
)

// principal finds the column and id by which rows refer to a principal.
func (db *DB) principal(ctx context.Context, from bun.IDB, p Principal) (holder, error) {
	h := holder{table: "gw_users", name: "username", column: "user_id", is: p.User}
	if !watchesOf(ctx, p) {
		return h, errs.New(errs.Internal, "what %s holds is changed and not watched", p)
	}
	if p.Group != "" {
		h = holder{table: "gw_groups", name: "name", column: "group_id", is: p.Group}
	}
	err := from.NewSelect().Table(h.table).Column("id").Where("? = ?", bun.Ident(h.name), h.is).Scan(ctx, &h.id)
	return h, db.coded(err, p.String())
}

// PrincipalID gives the id of a user or a group.
func (db *DB) PrincipalID(ctx context.Context, p Principal) (int64, error) {
	h, err := db.principal(ctx, db.read, p)
	return h.id, err
}

type holder struct {
	table, name, column, is string
	id                      int64
}

func (h holder) where(q bun.QueryBuilder) bun.QueryBuilder {
	return q.Where("? = ?", bun.Ident(h.column), h.id)
}

// columns selects the rules of a table that have not ended.
func (db *DB) columns(q *bun.SelectQuery, table string) *bun.SelectQuery {
	q = q.TableExpr("? AS r", bun.Ident(table)).Column("r.id", "r.kind", "r.workspace", "r.level", "r.expires_at").Where(lasting("r"), db.now())
	if table == patterns {
		return q.Column("r.pattern", "r.priority")
	}
	return q.Column("r.resource")
}

// GrantsOf gives all that is granted to a user, by itself, by its groups and by its roles, in one statement.
func (db *DB) GrantsOf(ctx context.Context, userID int64) ([]authz.Grant, error) {
	return db.grantsOf(ctx, db.read, userID)
}

func (db *DB) grantsOf(ctx context.Context, from bun.IDB, userID int64) ([]authz.Grant, error) {
	var q *bun.SelectQuery
	for _, source := range authz.DefaultOrder() {
		if part := db.held(from, source, userID); q == nil {
			q = part
		} else {
			q = q.UnionAll(part)
		}
	}
	var rows []heldRow
	if err := q.Scan(ctx, &rows); err != nil {
		return nil, db.coded(err, "")
	}
	slices.SortFunc(rows, func(a, b heldRow) int { return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.ID, b.ID)) })
	all := make([]authz.Grant, len(rows))
	for i, row := range rows {
		var err error
		if all[i], err = row.grant(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// heldRow is what one source gives: a rule, or a permission of a role.
type heldRow struct {
	ruleRow
	Source authz.Source
	ByRole string
}

func (r heldRow) grant() (authz.Grant, error) {
	if r.Source == authz.Role {
		return r.ofRole()
	}
	return r.ruleRow.grant(r.Source)
}

// held selects what one source gives to a user. All sources have the same columns, in one order.
func (db *DB) held(from bun.IDB, source authz.Source, userID int64) *bun.SelectQuery {
	q := from.NewSelect().ColumnExpr("? AS source", int(source))
	switch source {
	case authz.Role:
		return ofRoles(q, userID, db.now())
	case authz.UserPattern, authz.GroupPattern:
		q = q.TableExpr("? AS r", bun.Ident(patterns)).Column("r.id", "r.kind", "r.workspace", "r.level", "r.expires_at").ColumnExpr("'' AS resource").Column("r.pattern", "r.priority")
	default:
		q = q.TableExpr("? AS r", bun.Ident(grants)).Column("r.id", "r.kind", "r.workspace", "r.level", "r.expires_at", "r.resource").ColumnExpr("'' AS pattern, 0 AS priority")
	}
	q = q.Where(lasting("r"), db.now())
	if source == authz.User || source == authz.UserPattern {
		return q.ColumnExpr("'' AS by_group, '' AS by_role").Where("r.user_id = ?", userID)
	}
	return q.ColumnExpr("g.name AS by_group, '' AS by_role").Join("JOIN gw_groups AS g ON g.id = r.group_id").Where(memberOf, userID)
}

func (db *DB) rules(ctx context.Context, q *bun.SelectQuery, source authz.Source) ([]authz.Grant, error) {
	var rows []ruleRow
	if err := q.Scan(ctx, &rows); err != nil {
		return nil, db.coded(err, "")
	}
	found := make([]authz.Grant, 0, len(rows))
	for _, row := range rows {
		grant, err := row.grant(source)
		if err != nil {
			return nil, err
		}
		found = append(found, grant)
	}
	return found, nil
}

// place is the workspace in which exact grants of a kind are held: that of the context, or none where the kind is one in all.
func place(ctx context.Context, k kind.Name) string {
	if kind.Everywhere(k) {
		return ""
	}
	return workspace.Stored(ctx)
}

// Grants lists a principal's grants on single resources of a kind, in the context's workspace.
func (db *DB) Grants(ctx context.Context, p Principal, k kind.Name) ([]authz.Grant, error) {
	here := func(q bun.QueryBuilder) bun.QueryBuilder { return q.Where("r.workspace = ?", place(ctx, k)) }
	return db.listed(ctx, p, k.Kept(), grants, "r.resource", here)
}

// Patterns lists a principal's patterns of a kind, those of every workspace.
func (db *DB) Patterns(ctx context.Context, p Principal, k kind.Name) ([]authz.Grant, error) {
	return db.listed(ctx, p, k, patterns, "r.priority", func(q bun.QueryBuilder) bun.QueryBuilder { return q })
}

func (db *DB) listed(ctx context.Context, p Principal, k kind.Name, table, order string, which func(bun.QueryBuilder) bun.QueryBuilder) ([]authz.Grant, error) {
	h, err := db.principal(ctx, db.read, p)
	if err != nil {
		return nil, err
	}
	q := db.columns(db.read.NewSelect(), table).ApplyQueryBuilder(h.where).ApplyQueryBuilder(which).Where("r.kind = ?", k).Order(order, "r.id")
	return db.rules(ctx, q, source(p, table))
}

func source(p Principal, table string) authz.Source {
	switch {
	case table == grants && p.Group == "":
		return authz.User
	case table == grants:
		return authz.Group
	case p.Group == "":
		return authz.UserPattern
	}
	return authz.GroupPattern
}

// HeldPattern is a pattern with the name of who holds it.
type HeldPattern struct {
	Name  string
	Grant authz.Grant
}

// PatternHolders lists the patterns of a kind of all users, or of all groups.
func (db *DB) PatternHolders(ctx context.Context, k kind.Name, ofGroups bool) ([]HeldPattern, error) {
	q, source := db.columns(db.read.NewSelect(), patterns).ColumnExpr("h.username AS by_group").Join("JOIN gw_users AS h ON h.id = r.user_id"), authz.UserPattern
	if ofGroups {
		q, source = db.columns(db.read.NewSelect(), patterns).ColumnExpr("h.name AS by_group").Join("JOIN gw_groups AS h ON h.id = r.group_id"), authz.GroupPattern
	}
	found, err := db.rules(ctx, q.Where("r.kind = ?", k).Order("r.id"), source)
	all := make([]HeldPattern, len(found))
	for i, g := range found {
		all[i] = HeldPattern{g.Group, g}
	}
	return all, err
}

// GrantsOn lists who holds a grant on one resource: users, then groups.
func (db *DB) GrantsOn(ctx context.Context, k kind.Name, resource string) (users, groups []Holder, err error) {
	type row struct {
		Name    string
		Level   string
		Service bool
		Expires time.Time
	}
	read := func(q *bun.SelectQuery) ([]Holder, error) {
		var rows []row
		q = q.TableExpr("gw_grants AS r").Column("r.level").ColumnExpr("r.expires_at AS expires").
			Where("r.kind = ? AND r.workspace = ? AND r.resource = ?", k.Kept(), place(ctx, k), resource).Where(lasting("r"), db.now())
		if err := q.Order("name").Scan(ctx, &rows); err != nil {
			return nil, db.coded(err, "")
		}
		holders := make([]Holder, len(rows))
		for i, row := range rows {
			level, err := storedLevel(row.Level)
			if err != nil {
				return nil, err
			}
			holders[i] = Holder{row.Name, level, row.Service, ended(row.Expires)}
		}
		return holders, nil
	}
	users, err = read(db.read.NewSelect().ColumnExpr("u.username AS name, u.is_service AS service").Join("JOIN gw_users AS u ON u.id = r.user_id"))
	if err != nil {
		return nil, nil, err
	}
	groups, err = read(db.read.NewSelect().ColumnExpr("g.name AS name").Join("JOIN gw_groups AS g ON g.id = r.group_id"))
	return users, groups, err
}

// CreateGrant gives a principal a level on a resource, until a time where one is given; one that is there already is
// errs.Conflict.
func (db *DB) CreateGrant(ctx context.Context, p Principal, k kind.Name, resource string, level kind.Level, until *time.Time) error {
	return db.update(ctx, func(ctx context.Context, tx bun.Tx) error {
		return db.createGrant(ctx, tx, p, k, resource, level, until)
	})
}

func (db *DB) createGrant(ctx context.Context, tx bun.Tx, p Principal, k kind.Name, resource string, level kind.Level, until *time.Time) error {
	values := map[string]any{"kind": k.Kept(), "workspace": place(ctx, k), "resource": resource, "level": level.String()}
	if until != nil {
		values["expires_at"] = end(*until)
	}
	return db.insert(ctx, tx, p, grants, values)
}

// CreatePattern gives a principal a level on the names that a pattern matches.
func (db *DB) CreatePattern(ctx context.Context, p Principal, g authz.Grant) error {
	if _, err := authz.CompilePattern(g.Pattern); err != nil {
		return errs.New(errs.Invalid, "%v", err)
	}
	return db.update(ctx, func(ctx context.Context, tx bun.Tx) error {
		return db.insert(ctx, tx, p, patterns, map[string]any{"kind": g.Kind, "workspace": g.Workspace, "pattern": g.Pattern, "priority": g.Priority, "level": g.Level.String(),
			"expires_at": end(g.Expires)})
	})
}

func (db *DB) insert(ctx context.Context, tx bun.Tx, p Principal, table string, values map[string]any) error {
	h, err := db.principal(ctx, tx, p)
	if err != nil {
		return err
	}
	what := "resource"
	if table == patterns {
		what = "pattern"
	}
	if err := db.watch(ctx, tx, table, "r.? = ? AND r.kind = ? AND r.workspace = ? AND r.? = ?", bun.Ident(h.column), h.id, values["kind"], values["workspace"],
		bun.Ident(what), values[what]); err != nil {
		return err
	}
	if err := db.dropEnded(ctx, tx, table, h); err != nil {
		return err
	}
	values[h.column] = h.id
	_, err = tx.NewInsert().Model(&values).Table(table).Exec(ctx)
	if errs.Is(db.coded(err, ""), errs.Conflict) {
		return errs.New(errs.Conflict, "%s holds a permission there already; change it instead", p)
	}
	return err
}

// UpdateGrant changes the level of a grant, and its end where one is given; the zero time is no end.
func (db *DB) UpdateGrant(ctx context.Context, p Principal, k kind.Name, resource string, level kind.Level, until *time.Time) error {
	return db.update(ctx, func(ctx context.Context, tx bun.Tx) error {
		return db.updateGrant(ctx, tx, p, k, resource, level, until)
	})
}

func (db *DB) updateGrant(ctx context.Context, tx bun.Tx, p Principal, k kind.Name, resource string, level kind.Level, until *time.Time) error {
	h, err := db.watchedGrant(ctx, tx, p, k, resource)
	if err != nil {
		return err
	}
	// from now on it is a person's, whatever rule has given it
	if err := db.dropEnded(ctx, tx, grants, h); err != nil {
		return err
	}
	q := tx.NewUpdate().Table(grants).Set("level = ?", level.String()).Set("rule_id = NULL").ApplyQueryBuilder(h.where).
		Where("kind = ? AND workspace = ? AND resource = ?", k.Kept(), place(ctx, k), resource)
	result, err := ending(q, until).Exec(ctx)
	return db.changed(result, err, "a permission of "+p.String()+" there")
}

// watchedGrant finds a principal whose grant on a resource is about to change.
func (db *DB) watchedGrant(ctx context.Context, tx bun.Tx, p Principal, k kind.Name, resource string) (holder, error) {
	h, err := db.principal(ctx, tx, p)
	if err == nil {
		err = db.watch(ctx, tx, grants, "r.? = ? AND r.kind = ? AND r.workspace = ? AND r.resource = ?", bun.Ident(h.column), h.id, k.Kept(), place(ctx, k), resource)
	}
	return h, err
}

// DeleteGrant takes a grant away.
func (db *DB) DeleteGrant(ctx context.Context, p Principal, k kind.Name, resource string) error {
	return db.update(ctx, func(ctx context.Context, tx bun.Tx) error {
		h, err := db.watchedGrant(ctx, tx, p, k, resource)
		if err != nil {
			return err
		}
		result, err := tx.NewDelete().Table(grants).ApplyQueryBuilder(h.where).
			Where("kind = ? AND workspace = ? AND resource = ?", k.Kept(), place(ctx, k), resource).Exec(ctx)
		return db.changed(result, err, "a permission of "+p.String()+" there")
	})
}

// UpdatePattern changes one of a principal's patterns of a kind, found by the grant's ID, and its end where one is given; the
// zero time is no end.
func (db *DB) UpdatePattern(ctx context.Context, p Principal, g authz.Grant, until *time.Time) error {
	if _, err := authz.CompilePattern(g.Pattern); err != nil {
		return errs.New(errs.Invalid, "%v", err)
	}
	return db.update(ctx, func(ctx context.Context, tx bun.Tx) error {
		h, err := db.principal(ctx, tx, p)
		if err == nil {
			err = db.watch(ctx, tx, patterns, "r.id = ?", g.ID)
		}
		if err != nil {
			return err
		}
		if err := db.dropEnded(ctx, tx, patterns, h); err != nil {
			return err
		}
		q := tx.NewUpdate().Table(patterns).Set("pattern = ?", g.Pattern).Set("priority = ?", g.Priority).
			Set("level = ?", g.Level.String()).ApplyQueryBuilder(h.where).Where("kind = ? AND id = ?", g.Kind, g.ID)
		result, err := ending(q, until).Exec(ctx)
		return db.changed(result, err, "such a pattern of "+p.String())
	})
}

// DeletePattern takes one of a principal's patterns of a kind away.
func (db *DB) DeletePattern(ctx context.Context, p Principal, k kind.Name, id int64) error {
	return db.update(ctx, func(ctx context.Context, tx bun.Tx) error {
		h, err := db.principal(ctx, tx, p)
		if err == nil {
			err = db.watch(ctx, tx, patterns, "r.id = ?", id)
		}
		if err != nil {
			return err
		}
		result, err := tx.NewDelete().Table(patterns).ApplyQueryBuilder(h.where).Where("kind = ? AND id = ?", k, id).Exec(ctx)
		return db.changed(result, err, "such a pattern of "+p.String())
	})
}
