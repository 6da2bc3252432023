package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/uptrace/bun"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/takeover"
)

// Import is one taking over of a predecessor's database.
type Import struct {
	bun.BaseModel `bun:"table:gw_imports,alias:i"`
	ID            int64 `bun:",pk,autoincrement"`
	Source        string
	Address       string
	Own           bool // the predecessor's tables are in this database
	Revision      string
	DoneBy        string
	DoneAt        time.Time
	Report        string
}

// Imports lists what was taken over, the newest first.
func (db *DB) Imports(ctx context.Context) ([]Import, error) { return db.imports(ctx, db.read) }

func (db *DB) imports(ctx context.Context, from bun.IDB) ([]Import, error) {
	var all []Import
	err := from.NewSelect().Model(&all).Order("i.id DESC").Scan(ctx)
	return all, db.coded(err, "")
}

// SetAside is a pattern that could not be carried over, as it was, and whose it is.
type SetAside struct {
	Username, GroupName          string
	Kind, Pattern, Level, Reason string
}

// SetAsides lists the patterns that could not be carried over and still refuse in their place.
func (db *DB) SetAsides(ctx context.Context) ([]SetAside, error) {
	var all []SetAside
	err := db.read.NewSelect().TableExpr("gw_set_aside AS s").Join("JOIN gw_patterns AS r ON r.id = s.pattern_id").
		Join("LEFT JOIN gw_users AS u ON u.id = r.user_id").Join("LEFT JOIN gw_groups AS g ON g.id = r.group_id").
		ColumnExpr("COALESCE(u.username, '') AS username, COALESCE(g.name, '') AS group_name, r.kind, s.pattern, s.level, s.reason").
		Where("r.pattern = s.pattern OR r.pattern LIKE ?", Aside+"%"). // else somebody has mended it
		Order("r.id").Scan(ctx, &all)
	return all, db.coded(err, "")
}

// Aside begins what stands in place of a pattern that is set aside, where the pattern itself would be understood, as something
// else than it was meant. It is a comment of Python's, which is understood nowhere else.
const Aside = "(?#set aside)"

// Contents reads all that an import could change, and what was carried over before.
func (db *DB) Contents(ctx context.Context, source string) (takeover.Contents, takeover.Record, error) {
	return db.contents(ctx, db.read, source)
}

func (db *DB) contents(ctx context.Context, from bun.IDB, source string) (takeover.Contents, takeover.Record, error) {
	here, record := takeover.New(), takeover.Record{}
	read := reading{ctx: ctx, from: from, here: here}
	for _, one := range []func(*reading) error{(*reading).people, (*reading).memberships, (*reading).secrets, (*reading).grants, (*reading).patterns, (*reading).roles} {
		if err := one(&read); err != nil {
			return here, record, db.coded(err, "")
		}
	}
	var rows []struct{ Item, Content string }
	if err := from.NewSelect().Table("gw_imported").Column("item", "content").Where("source = ?", source).Scan(ctx, &rows); err != nil {
		return here, record, db.coded(err, "")
	}
	for _, row := range rows {
		record[row.Item] = row.Content
	}
	return here, record, nil
}

// reading reads the contents, all in one transaction or none.
type reading struct {
	ctx  context.Context
	from bun.IDB
	here takeover.Contents
}

func (r *reading) people() error {
	var users []userRow
	if err := r.from.NewSelect().Model(&users).Scan(r.ctx); err != nil {
		return err
	}
	for _, u := range users {
		r.here.Users[u.Username] = takeover.User{DisplayName: u.DisplayName, Admin: u.IsAdmin, Active: u.Active, Service: u.IsService, ManagedBy: u.ManagedBy}
	}
	var groups []groupRow
	if err := r.from.NewSelect().Model(&groups).Column("g.name", "g.external_id").Scan(r.ctx); err != nil {
		return err
	}
	for _, g := range groups {
		r.here.Groups[g.Name] = takeover.Group{ExternalID: g.ExternalID}
	}
	var rules []workspaceRule
	if err := r.from.NewSelect().Model(&rules).Scan(r.ctx); err != nil {
		return err
	}
	for _, w := range rules {
		r.here.Rules[w.Name] = takeover.Rule{Pattern: w.Pattern, Level: w.Level, Enforced: w.Enforced, Enabled: w.Enabled, CreatedBy: w.CreatedBy}
	}
	return nil
}

func (r *reading) memberships() error {
	var members []takeover.Membership
	err := r.from.NewSelect().TableExpr("gw_memberships AS m").Join("JOIN gw_users AS u ON u.id = m.user_id").Join("JOIN gw_groups AS g ON g.id = m.group_id").
		ColumnExpr("u.username AS ?, g.name AS ?, m.managed_by AS source", bun.Ident("user"), bun.Ident("group")).Scan(r.ctx, &members)
	if err != nil {
		return err
	}
	for _, m := range members {
		r.here.Memberships[m] = takeover.Held{}
	}
	var identities []struct {
		Provider, Subject, Username string
		IsAdmin                     bool
	}
	err = r.from.NewSelect().TableExpr("gw_identities AS i").Join("JOIN gw_users AS u ON u.id = i.user_id").ColumnExpr("i.provider, i.subject, i.is_admin, u.username").Scan(r.ctx, &identities)
	for _, i := range identities {
		r.here.Identities[takeover.Identity{Provider: i.Provider, Subject: i.Subject}] = takeover.Whose{User: i.Username, Admin: i.IsAdmin}
	}
	return err
}

// secrets reads the secrets as a predecessor has hashed them. Others are there, and no more is told of them.
func (r *reading) secrets() error {
	var own []struct {
		Username, Carried string
		ExpiresAt         time.Time
	}
	err := r.from.NewSelect().TableExpr("gw_access_tokens AS t").Join("JOIN gw_users AS u ON u.id = t.user_id").ColumnExpr("u.username, t.carried, t.expires_at").Scan(r.ctx, &own)
	if err != nil {
		return err
	}
	for _, t := range own {
		if r.here.Passwords[t.Username] = (takeover.Password{}); t.Carried != "" {
			r.here.Passwords[t.Username] = takeover.Password{Hash: t.Carried, Expires: t.ExpiresAt.Unix()}
		}
	}
	var passwords []struct {
		Username, Hash string
		ExpiresAt      time.Time
		Kept           bool
	}
	err = r.from.NewSelect().TableExpr("gw_passwords AS p").Join("JOIN gw_users AS u ON u.id = p.user_id").ColumnExpr("u.username, p.hash, p.expires_at, p.kept").Scan(r.ctx, &passwords)
	if err != nil {
		return err
	}
	for _, p := range passwords {
		r.here.Passwords[p.Username] = takeover.Password{Hash: p.Hash, Expires: p.ExpiresAt.Unix(), Kept: p.Kept}
	}
	var tokens []struct {
		Username, Name, Prefix, Carried, CreatedBy string
		CreatedAt, ExpiresAt                       time.Time
	}
	err = r.from.NewSelect().TableExpr("gw_tokens AS t").Join("JOIN gw_users AS u ON u.id = t.user_id").
		ColumnExpr("u.username, t.name, t.prefix, t.carried, t.created_by, t.created_at, t.expires_at").Scan(r.ctx, &tokens)
	for _, t := range tokens {
		r.here.Tokens[takeover.Token{User: t.Username, Name: t.Name}] = takeover.Named{Prefix: t.Prefix, Hash: t.Carried, CreatedBy: t.CreatedBy,
			Created: t.CreatedAt.Unix(), Expires: t.ExpiresAt.Unix()}
	}
	return err
}

// held is a grant or a pattern with the names of whom and what it is of.
type importedRule struct {
	Username, GroupName       string
	Kind, Workspace, Resource string
	Pattern, Level, Rule      string
	Priority                  int
	AsideText, AsideLevel     string
	AsideReason               string
	ExpiresAt                 time.Time
}

// expires is the end as takeover has it.
func (h importedRule) expires() int64 {
	if h.ExpiresAt.IsZero() {
		return 0
	}
	return h.ExpiresAt.Unix()
}

func (h importedRule) principal() takeover.Principal {
	return takeover.Principal{User: h.Username, Group: h.GroupName}
}

// named joins who holds the rows of a table.
func named(q *bun.SelectQuery, table string) *bun.SelectQuery {
	return q.TableExpr("? AS r", bun.Ident(table)).Join("LEFT JOIN gw_users AS u ON u.id = r.user_id").Join("LEFT JOIN gw_groups AS g ON g.id = r.group_id").
		ColumnExpr("COALESCE(u.username, '') AS username, COALESCE(g.name, '') AS group_name, r.kind, r.workspace, r.level, r.expires_at")
}

func (r *reading) grants() error {
	var rows []importedRule
	err := named(r.from.NewSelect(), grants).Join("LEFT JOIN gw_workspace_rules AS w ON w.id = r.rule_id").
		ColumnExpr("r.resource, COALESCE(w.name, '') AS rule").Scan(r.ctx, &rows)
	for _, g := range rows {
		r.here.Grants[takeover.Grant{Principal: g.principal(), Kind: g.Kind, Workspace: g.Workspace, Resource: g.Resource}] = takeover.Given{Level: g.Level, Rule: g.Rule, Expires: g.expires()}
	}
	return err
}

func (r *reading) patterns() error {
	var rows []importedRule
	err := named(r.from.NewSelect(), patterns).Join("LEFT JOIN gw_set_aside AS s ON s.pattern_id = r.id").
		ColumnExpr("r.pattern, r.priority, COALESCE(s.pattern, '') AS aside_text, COALESCE(s.level, '') AS aside_level, COALESCE(s.reason, '') AS aside_reason").Scan(r.ctx, &rows)
	for _, p := range rows {
		ruled := takeover.Ruled{Priority: p.Priority, Level: p.Level, Expires: p.expires()}
		if p.AsideReason != "" {
			ruled.Aside = takeover.Aside{Text: p.AsideText, Level: p.AsideLevel, Reason: p.AsideReason}
		}
		r.here.Patterns[takeover.Pattern{Principal: p.principal(), Kind: p.Kind, Workspace: p.Workspace, Text: p.Pattern}] = ruled
	}
	return err
}

func (r *reading) roles() error {
	var roles []struct {
		ID                                     int64
		Workspace, Name, Username, Description string
	}
	err := r.from.NewSelect().TableExpr("gw_roles AS r").Join("LEFT JOIN gw_users AS u ON u.id = r.owner_id").
		ColumnExpr("r.id, r.workspace, r.name, COALESCE(u.username, '') AS username, COALESCE(r.description, '') AS description").Scan(r.ctx, &roles)
	if err != nil {
		return err
	}
	at := map[int64]takeover.Role{}
	for _, one := range roles {
		role := takeover.Role{Workspace: one.Workspace, Name: one.Name, Owner: one.Username}
		if role.Owner != "" {
			role.Name = ""
		}
		at[one.ID], r.here.Roles[role] = role, takeover.Described{Description: one.Description}
	}
	var permissions []rolePermissionRow
	if err := r.from.NewSelect().Model(&permissions).Scan(r.ctx); err != nil {
		return err
	}
	for _, p := range permissions {
		r.here.Permissions[takeover.Permission{Role: at[p.RoleID], Type: p.ResourceType, Pattern: p.ResourcePattern}] = takeover.Permitted{Resource: p.Resource, Level: p.Permission}
	}
	var assigned []struct {
		Username string
		RoleID   int64
	}
	err = r.from.NewSelect().TableExpr("gw_role_assignments AS a").Join("JOIN gw_users AS u ON u.id = a.user_id").ColumnExpr("u.username, a.role_id").Scan(r.ctx, &assigned)
	for _, a := range assigned {
		r.here.Assignments[takeover.Assignment{User: a.Username, Role: at[a.RoleID]}] = takeover.Held{}
	}
	return err
}

// Import has what a plan says be done, in one transaction, and records it. The plan is made from what is here then. Where it changes nothing,
// nothing is recorded. The function may be called several times.
func (db *DB) Import(ctx context.Context, done Import, plan func(here takeover.Contents, before takeover.Record, earlier []Import) (takeover.Plan, error)) error {
	return db.sometimes(ctx, func(ctx context.Context, tx bun.Tx) (bool, error) {
		here, before, err := db.contents(ctx, tx, done.Source)
		if err != nil {
			return false, err
		}
		earlier, err := db.imports(ctx, tx)
		if err != nil {
			return false, err
		}
		p, err := plan(here, before, earlier)
		if err != nil {
			return false, err
		}
		if err := db.remember(ctx, tx, done.Source, before, p.Record); err != nil {
			return false, err
		}
		if noted, ok := ctx.Value(changesKey{}).(*changes); ok {
			noted.whole = true // a hundred thousand events would say no more than how many things came
		}
		first := true
		for _, one := range earlier {
			first = first && one.Source != done.Source
		}
		if !p.Changes() && !first {
			return false, nil
		}
		w := writing{db: db, ctx: ctx, tx: tx}
		if err := w.all(p); err != nil {
			return false, err
		}
		report, err := json.Marshal(p.Counts)
		if err != nil {
			return false, errs.Wrap(errs.Internal, err, "writing the report")
		}
		done.ID, done.DoneAt, done.Report = 0, db.now(), string(report)
		_, err = tx.NewInsert().Model(&done).Exec(ctx)
		return true, err
	})
}
