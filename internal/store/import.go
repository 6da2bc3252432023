package store

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/takeover"
)

// rowsAtOnce is how many rows a statement has: engines bound its length.
const rowsAtOnce = 500

func insertAll[T any](ctx context.Context, in bun.IDB, rows []T) error {
	for some := range slices.Chunk(rows, rowsAtOnce) {
		if _, err := in.NewInsert().Model(&some).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

type importedRow struct {
	bun.BaseModel `bun:"table:gw_imported"`
	Source        string
	Item          string
	Content       string
}

// remember keeps what was carried over.
func (db *DB) remember(ctx context.Context, tx bun.Tx, source string, before, after takeover.Record) error {
	var rows []importedRow
	var old []string
	for item, content := range before {
		if after[item] != content {
			old = append(old, item)
		}
	}
	for item, content := range after {
		if before[item] != content {
			rows = append(rows, importedRow{Source: source, Item: item, Content: content})
		}
	}
	for some := range slices.Chunk(old, rowsAtOnce) {
		if _, err := tx.NewDelete().Table("gw_imported").Where("source = ? AND item IN (?)", source, bun.List(some)).Exec(ctx); err != nil {
			return err
		}
	}
	return insertAll(ctx, tx, rows)
}

// writing does what a plan says. What was there before of the same is taken away first, but for users and groups, on which all else hangs.
type writing struct {
	db                   *DB
	ctx                  context.Context
	tx                   bun.Tx
	users, groups, rules map[string]int64
	roles                map[takeover.Role]int64
}

func (w *writing) all(p takeover.Plan) error {
	for _, step := range []func(takeover.Plan) error{w.people, w.workspaceRules, w.ids, w.ownRoles, w.memberships, w.identities, w.secrets, w.tokens, w.grants, w.patterns, w.rolePermissions, w.assignments} {
		if err := step(p); err != nil {
			return err
		}
	}
	return nil
}

func (w *writing) people(p takeover.Plan) error {
	here, err := idsBy(w, "gw_users", "username")
	if err != nil {
		return err
	}
	var users []userRow
	for name, u := range p.Users.Put {
		if id, ok := here[name]; ok {
			_, err := w.tx.NewUpdate().Table("gw_users").Set("display_name = ?", u.DisplayName).Set("is_admin = ?", u.Admin).Set("active = ?", u.Active).
				Set("is_service = ?", u.Service).Set("managed_by = ?", u.ManagedBy).Set("updated_at = ?", w.db.now()).Where("id = ?", id).Exec(w.ctx)
			if err != nil {
				return err
			}
			continue
		}
		users = append(users, userRow{Username: name, DisplayName: u.DisplayName, IsAdmin: u.Admin, Active: u.Active, IsService: u.Service, ManagedBy: u.ManagedBy,
			CreatedAt: w.db.now(), UpdatedAt: w.db.now()})
	}
	slices.SortFunc(users, func(a, b userRow) int { return strings.Compare(a.Username, b.Username) })
	if err := insertAll(w.ctx, w.tx, users); err != nil {
		return err
	}
	if here, err = idsBy(w, "gw_groups", "name"); err != nil {
		return err
	}
	var groups []groupRow
	for name, g := range p.Groups.Put {
		if id, ok := here[name]; ok {
			if _, err := w.tx.NewUpdate().Table("gw_groups").Set("external_id = ?", g.ExternalID).Where("id = ?", id).Exec(w.ctx); err != nil {
				return err
			}
			continue
		}
		made := newGroup(name)
		made.ExternalID = g.ExternalID
		groups = append(groups, made)
	}
	slices.SortFunc(groups, func(a, b groupRow) int { return strings.Compare(a.Name, b.Name) })
	return insertAll(w.ctx, w.tx, groups)
}

func (w *writing) workspaceRules(p takeover.Plan) error {
	here, err := idsBy(w, "gw_workspace_rules", "name")
	if err != nil {
		return err
	}
	for _, name := range p.Rules.Drop { // what it has given goes with it
		for _, table := range []struct{ name, column string }{{grants, "rule_id"}, {"gw_workspace_rules", "id"}} {
			if _, err := w.tx.NewDelete().Table(table.name).Where("? = ?", bun.Ident(table.column), here[name]).Exec(w.ctx); err != nil {
				return err
			}
		}
	}
	var rules []workspaceRule
	for name, r := range p.Rules.Put {
		row := workspaceRule{ID: here[name], Name: name, Pattern: r.Pattern, Level: r.Level, Enforced: r.Enforced, Enabled: r.Enabled, CreatedBy: r.CreatedBy,
			CreatedAt: w.db.now(), UpdatedAt: w.db.now()}
		if row.ID == 0 {
			rules = append(rules, row)
		} else if _, err := w.tx.NewUpdate().Model(&row).ExcludeColumn("created_at").WherePK().Exec(w.ctx); err != nil {
			return err
		}
	}
	slices.SortFunc(rules, func(a, b workspaceRule) int { return strings.Compare(a.Name, b.Name) })
	return insertAll(w.ctx, w.tx, rules)
}

// ids reads by which ids what is here now is named.
func (w *writing) ids(takeover.Plan) (err error) {
	if w.users, err = idsBy(w, "gw_users", "username"); err != nil {
		return err
	}
	if w.groups, err = idsBy(w, "gw_groups", "name"); err != nil {
		return err
	}
	w.rules, err = idsBy(w, "gw_workspace_rules", "name")
	return err
}

func idsBy(w *writing, table, column string) (map[string]int64, error) {
	var rows []struct {
		ID   int64
		Name string
	}
	err := w.tx.NewSelect().Table(table).Column("id").ColumnExpr("? AS name", bun.Ident(column)).Scan(w.ctx, &rows)
	ids := make(map[string]int64, len(rows))
	for _, row := range rows {
		ids[row.Name] = row.ID
	}
	return ids, err
}

func (w *writing) ownRoles(p takeover.Plan) error {
	if err := w.readRoles(); err != nil {
		return err
	}
	for _, role := range p.Roles.Drop {
		if _, err := w.tx.NewDelete().Table("gw_roles").Where("id = ?", w.roles[role]).Exec(w.ctx); err != nil {
			return err
		}
	}
	var rows []roleRow
	for role, said := range p.Roles.Put {
		row := roleRow{Workspace: role.Workspace, Name: role.Name}
		if said.Description != "" {
			row.Description = &said.Description
		}
		if role.Owner != "" {
			row.OwnerID = w.users[role.Owner]
			row.Name = OwnRole(row.OwnerID)
		}
		if id, ok := w.roles[role]; !ok {
			rows = append(rows, row)
		} else if _, err := w.tx.NewUpdate().Table("gw_roles").Set("description = ?", row.Description).Where("id = ?", id).Exec(w.ctx); err != nil {
			return err
		}
	}
	if err := insertAll(w.ctx, w.tx, rows); err != nil {
		return err
	}
	return w.readRoles()
}

func (w *writing) readRoles() error {
	var rows []struct {
		ID                        int64
		Workspace, Name, Username string
	}
	err := w.tx.NewSelect().TableExpr("gw_roles AS r").Join("LEFT JOIN gw_users AS u ON u.id = r.owner_id").
		ColumnExpr("r.id, r.workspace, r.name, COALESCE(u.username, '') AS username").Scan(w.ctx, &rows)
	w.roles = map[takeover.Role]int64{}
	for _, row := range rows {
		role := takeover.Role{Workspace: row.Workspace, Name: row.Name, Owner: row.Username}
		if role.Owner != "" {
			role.Name = ""
		}
		w.roles[role] = row.ID
	}
	return err
}

func (w *writing) memberships(p takeover.Plan) error {
	for _, m := range p.Memberships.Drop {
		if _, err := w.tx.NewDelete().Table("gw_memberships").Where("user_id = ? AND group_id = ? AND managed_by = ?", w.users[m.User], w.groups[m.Group], m.Source).Exec(w.ctx); err != nil {
			return err
		}
	}
	var rows []membershipRow
	for m := range p.Memberships.Put {
		rows = append(rows, membershipRow{UserID: w.users[m.User], GroupID: w.groups[m.Group], ManagedBy: m.Source})
	}
	return insertAll(w.ctx, w.tx, rows)
}

func (w *writing) identities(p takeover.Plan) error {
	gone := slices.Concat(p.Identities.Drop, p.Identities.Over)
	var rows []identityRow
	for i, whose := range p.Identities.Put {
		rows = append(rows, identityRow{Provider: i.Provider, Subject: i.Subject, UserID: w.users[whose.User], LastLoginAt: w.db.now(),
			IsAdmin: whose.Admin, SaidAt: time.Unix(0, 0).UTC()})
	}
	for _, i := range gone {
		if _, err := w.tx.NewDelete().Table("gw_identities").Where("provider = ? AND subject = ?", i.Provider, i.Subject).Exec(w.ctx); err != nil {
			return err
		}
	}
	return insertAll(w.ctx, w.tx, rows)
}

func (w *writing) secrets(p takeover.Plan) error {
	gone := slices.Concat(p.Passwords.Drop, p.Passwords.Over)
	var rows []passwordRow
	for name, secret := range p.Passwords.Put {
		rows = append(rows, passwordRow{UserID: w.users[name], Hash: secret.Hash, CreatedAt: w.db.now(), ExpiresAt: time.Unix(secret.Expires, 0).UTC(), Kept: secret.Kept})
	}
	for _, name := range gone {
		for _, table := range []string{"gw_access_tokens", "gw_passwords"} {
			if _, err := w.tx.NewDelete().Table(table).Where("user_id = ?", w.users[name]).Exec(w.ctx); err != nil {
				return err
			}
		}
	}
	return insertAll(w.ctx, w.tx, rows)
}

func (w *writing) tokens(p takeover.Plan) error {
	gone := slices.Concat(p.Tokens.Drop, p.Tokens.Over)
	var rows []tokenRow
	for t, named := range p.Tokens.Put {
		rows = append(rows, tokenRow{UserID: w.users[t.User], Name: t.Name, Prefix: named.Prefix, Hash: "carried " + rand.Text(), Carried: named.Hash,
			CreatedAt: time.Unix(named.Created, 0).UTC(), CreatedBy: named.CreatedBy, ExpiresAt: time.Unix(named.Expires, 0).UTC()})
	}
	for _, t := range gone {
		if _, err := w.tx.NewDelete().Table("gw_tokens").Where("user_id = ? AND name = ?", w.users[t.User], t.Name).Exec(w.ctx); err != nil {
			return err
		}
	}
	return insertAll(w.ctx, w.tx, rows)
}

// of gives the columns that name a principal.
func (w *writing) of(p takeover.Principal) (userID, groupID int64) {
	if p.Group != "" {
		return 0, w.groups[p.Group]
	}
	return w.users[p.User], 0
}

func (w *writing) held(q bun.QueryBuilder, p takeover.Principal) bun.QueryBuilder {
	if p.Group != "" {
		return q.Where("group_id = ?", w.groups[p.Group])
	}
	return q.Where("user_id = ?", w.users[p.User])
}

type grantRow struct {
	bun.BaseModel `bun:"table:gw_grants"`
	UserID        int64 `bun:",nullzero"`
	GroupID       int64 `bun:",nullzero"`
	Kind          string
	Workspace     string
	Resource      string
	Level         string
	RuleID        int64 `bun:",nullzero"`
}

func (w *writing) grants(p takeover.Plan) error {
	gone := slices.Concat(p.Grants.Drop, p.Grants.Over)
	var rows []grantRow
	for g, given := range p.Grants.Put {
		userID, groupID := w.of(g.Principal)
		rows = append(rows, grantRow{UserID: userID, GroupID: groupID, Kind: g.Kind, Workspace: g.Workspace, Resource: g.Resource, Level: given.Level, RuleID: w.rules[given.Rule]})
	}
	for _, g := range gone {
		if _, err := w.tx.NewDelete().Table(grants).ApplyQueryBuilder(func(q bun.QueryBuilder) bun.QueryBuilder { return w.held(q, g.Principal) }).
			Where("kind = ? AND workspace = ? AND resource = ?", g.Kind, g.Workspace, g.Resource).Exec(w.ctx); err != nil {
			return err
		}
	}
	return insertAll(w.ctx, w.tx, rows)
}

type patternRow struct {
	bun.BaseModel `bun:"table:gw_patterns"`
	ID            int64 `bun:",pk,autoincrement"`
	UserID        int64 `bun:",nullzero"`
	GroupID       int64 `bun:",nullzero"`
	Kind          string
	Workspace     string
	Pattern       string
	Priority      int
	Level         string
}

type setAsideRow struct {
	bun.BaseModel `bun:"table:gw_set_aside"`
	PatternID     int64 `bun:",pk"`
	Pattern       string
	Level         string
	Reason        string
}

func (w *writing) patterns(p takeover.Plan) error {
	for _, t := range slices.Concat(p.Patterns.Drop, p.Patterns.Over) {
		if err := w.removePattern(t); err != nil {
			return err
		}
	}
	var rows []patternRow
	for t, ruled := range p.Patterns.Put {
		userID, groupID := w.of(t.Principal)
		row := patternRow{UserID: userID, GroupID: groupID, Kind: t.Kind, Workspace: t.Workspace, Pattern: t.Text, Priority: ruled.Priority, Level: ruled.Level}
		if ruled.Aside.Reason == "" {
			rows = append(rows, row)
			continue
		}
		row.Level = kind.NoPermissions.String()
		if _, err := w.tx.NewInsert().Model(&row).Exec(w.ctx); err != nil {
			return err
		}
		kept := setAsideRow{PatternID: row.ID, Pattern: ruled.Aside.Text, Level: ruled.Aside.Level, Reason: ruled.Aside.Reason}
		if _, err := w.tx.NewInsert().Model(&kept).Exec(w.ctx); err != nil {
			return err
		}
	}
	return insertAll(w.ctx, w.tx, rows)
}

func (w *writing) removePattern(t takeover.Pattern) error {
	_, err := w.tx.NewDelete().Table(patterns).ApplyQueryBuilder(func(q bun.QueryBuilder) bun.QueryBuilder { return w.held(q, t.Principal) }).
		Where("kind = ? AND workspace = ? AND pattern = ?", t.Kind, t.Workspace, t.Text).Exec(w.ctx)
	return err
}

func (w *writing) rolePermissions(p takeover.Plan) error {
	gone := slices.Concat(p.Permissions.Drop, p.Permissions.Over)
	var rows []rolePermissionRow
	for t, permitted := range p.Permissions.Put {
		rows = append(rows, rolePermissionRow{RoleID: w.roles[t.Role], ResourceType: t.Type, ResourcePattern: t.Pattern, Resource: permitted.Resource, Permission: permitted.Level})
	}
	for _, t := range gone {
		if _, err := w.tx.NewDelete().Table("gw_role_permissions").Where("role_id = ? AND resource_type = ? AND resource_pattern = ?", w.roles[t.Role], t.Type, t.Pattern).Exec(w.ctx); err != nil {
			return err
		}
	}
	return insertAll(w.ctx, w.tx, rows)
}

func (w *writing) assignments(p takeover.Plan) error {
	for _, a := range p.Assignments.Drop {
		if _, err := w.tx.NewDelete().Table("gw_role_assignments").Where("user_id = ? AND role_id = ?", w.users[a.User], w.roles[a.Role]).Exec(w.ctx); err != nil {
			return err
		}
	}
	var rows []assignmentRow
	for a := range p.Assignments.Put {
		rows = append(rows, assignmentRow{UserID: w.users[a.User], RoleID: w.roles[a.Role]})
	}
	return insertAll(w.ctx, w.tx, rows)
}

// upgradeToken gives a token with a predecessor's hash that of ours, at its first use. Nothing happens when that hash is not the
// token's any more.
func (db *DB) upgradeToken(ctx context.Context, id int64, carried string, to [32]byte) error {
	return db.update(ctx, func(ctx context.Context, tx bun.Tx) error {
		// carried stays: by it an import sees that nobody has changed the token here
		result, err := tx.NewUpdate().Table("gw_tokens").Set("hash = ?", hashed(to)).Where("id = ? AND carried = ? AND hash LIKE 'carried %'", id, carried).Exec(ctx)
		return db.changed(result, err, "the token")
	})
}
