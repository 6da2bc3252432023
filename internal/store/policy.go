package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/declared"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
)

// byRule is who sees to grants that a workspace rule gives.
func byRule(name string) string { return declared.Key{What: declared.Rule, Rule: name}.String() }

// byImport is who sees to patterns that could not be carried over, and refuse in their place.
const byImport = "an import, which set it aside"

// Settle reads all that is granted to whom, and makes the changes that decide finds, in one transaction: nothing is lost in
// between. Without any it has only read.
func (db *DB) Settle(ctx context.Context, decide func(declared.Policy) ([]declared.Change, error)) error {
	return db.sometimes(ctx, func(ctx context.Context, tx bun.Tx) (bool, error) {
		r := policyReader{db: db, tx: tx, policy: declared.Policy{}}
		for _, read := range []func(context.Context) error{r.users, r.groups, r.members, r.grants, r.patterns, r.roles, r.permissions, r.assignments, r.owners, r.workspaceRules} {
			if err := read(ctx); err != nil {
				return false, db.coded(err, "")
			}
		}
		changes, err := decide(r.policy)
		if err != nil {
			return false, err
		}
		if len(changes) > 0 {
			if err := db.watchMany(ctx, tx, len(changes)); err != nil {
				return false, err
			}
			if err := db.dropAllEnded(ctx, tx); err != nil {
				return false, err
			}
		}
		for _, change := range declared.Steps(changes) {
			if err := db.settle(ctx, tx, change); err != nil {
				return false, err
			}
		}
		return len(changes) > 0, nil
	})
}

// policyReader reads a policy, table by table.
type policyReader struct {
	db     *DB
	tx     bun.Tx
	policy declared.Policy
}

func (r policyReader) users(ctx context.Context) error {
	var rows []userRow
	if err := r.tx.NewSelect().Model(&rows).Scan(ctx); err != nil {
		return err
	}
	for _, u := range rows {
		r.policy[declared.Key{What: declared.User, User: u.Username}] = declared.Entry{By: u.ManagedBy,
			Value: declared.Value{DisplayName: u.DisplayName, Admin: u.IsAdmin, Inactive: !u.Active, Service: u.IsService}}
	}
	return nil
}

func (r policyReader) groups(ctx context.Context) error {
	var rows []groupRow
	if err := r.tx.NewSelect().Model(&rows).Column("g.id", "g.name").Scan(ctx); err != nil {
		return err
	}
	for _, g := range rows {
		r.policy[declared.Key{What: declared.Group, Group: g.Name}] = declared.Entry{}
	}
	return nil
}

// members are those by hand. A group that a provider gives anybody is the provider's.
func (r policyReader) members(ctx context.Context) error {
	var rows []struct{ Username, Name, ManagedBy string }
	err := r.tx.NewSelect().TableExpr("gw_memberships AS m").Column("u.username", "g.name", "m.managed_by").
		Join("JOIN gw_users AS u ON u.id = m.user_id").Join("JOIN gw_groups AS g ON g.id = m.group_id").Order("m.managed_by").Scan(ctx, &rows)
	for _, m := range rows {
		if m.ManagedBy == directory.Manual {
			r.policy[declared.Key{What: declared.Member, Group: m.Name, User: m.Username}] = declared.Entry{}
		} else {
			r.policy[declared.Key{What: declared.Group, Group: m.Name}] = declared.Entry{By: m.ManagedBy}
		}
	}
	return err
}

// ruleEntry is a grant or a pattern with the name of who holds it.
type ruleEntry struct {
	Username, GroupName, Kind, Workspace, Resource, Pattern, Level, RuleName string
	Priority                                                                 int
	ID, RuleID                                                               int64
	ExpiresAt                                                                time.Time
}

func (r policyReader) rules(ctx context.Context, table string, what declared.What) error {
	q := r.tx.NewSelect().TableExpr("? AS r", bun.Ident(table)).Column("r.id", "r.kind", "r.workspace", "r.level", "r.expires_at").Where(lasting("r"), r.db.now()).
		ColumnExpr("COALESCE(u.username, '') AS username, COALESCE(g.name, '') AS group_name").
		Join("LEFT JOIN gw_users AS u ON u.id = r.user_id").Join("LEFT JOIN gw_groups AS g ON g.id = r.group_id")
	if what == declared.Grant {
		q = q.Column("r.resource").ColumnExpr("COALESCE(r.rule_id, 0) AS rule_id, COALESCE(w.name, 'that is gone') AS rule_name").Join("LEFT JOIN ? AS w ON w.id = r.rule_id", bun.Ident(rulesTable))
	} else {
		q = q.Column("r.pattern", "r.priority")
	}
	var rows []ruleEntry
	if err := q.Scan(ctx, &rows); err != nil {
		return err
	}
	for _, row := range rows {
		if _, err := storedLevel(row.Level); err != nil {
			return err
		}
		e := declared.Entry{ID: row.ID, Value: declared.Value{Level: row.Level, Priority: row.Priority, Expires: toSecond(row.ExpiresAt)}}
		if row.RuleID != 0 {
			e.By = byRule(row.RuleName)
		}
		if what == declared.Pattern {
			if _, err := authz.CompilePattern(row.Pattern); err != nil {
				e.By = byImport
			}
		}
		r.policy[declared.Key{What: what, User: row.Username, Group: row.GroupName, Kind: row.Kind, Workspace: row.Workspace, Resource: row.Resource + row.Pattern}] = e
	}
	return nil
}

func (r policyReader) grants(ctx context.Context) error {
	return r.rules(ctx, grants, declared.Grant)
}

func (r policyReader) patterns(ctx context.Context) error {
	return r.rules(ctx, patterns, declared.Pattern)
}

func (r policyReader) roles(ctx context.Context) error {
	var rows []roleRow
	if err := r.tx.NewSelect().Model(&rows).Where("r.owner_id IS NULL").Scan(ctx); err != nil {
		return err
	}
	for _, role := range rows {
		e := declared.Entry{}
		if role.Description != nil {
			e.Description = *role.Description
		}
		r.policy[declared.Key{What: declared.Role, Workspace: role.Workspace, Role: role.Name}] = e
	}
	return nil
}

// permissions are those of roles, and of users' own, which are named by the user.
func (r policyReader) permissions(ctx context.Context) error {
	var rows []struct {
		ID                                                                             int64
		Username, Name, Workspace, ResourceType, ResourcePattern, Resource, Permission string
	}
	err := r.tx.NewSelect().TableExpr("gw_role_permissions AS p").Column("p.id", "r.name", "r.workspace", "p.resource_type", "p.resource_pattern", "p.resource", "p.permission").
		ColumnExpr("COALESCE(u.username, '') AS username").
		Join("JOIN gw_roles AS r ON r.id = p.role_id").Join("LEFT JOIN gw_users AS u ON u.id = r.owner_id").Scan(ctx, &rows)
	for _, p := range rows {
		k := declared.Key{What: declared.Permission, Workspace: p.Workspace, Role: p.Name, User: p.Username, Kind: p.ResourceType, Resource: p.ResourcePattern}
		if k.User != "" {
			k.Role = ""
		}
		r.policy[k] = declared.Entry{ID: p.ID, Value: declared.Value{Level: p.Permission, Held: p.Resource}}
	}
	return err
}

func (r policyReader) assignments(ctx context.Context) error {
	var rows []struct {
		Username, Name, Workspace string
		ExpiresAt                 time.Time
	}
	err := r.tx.NewSelect().TableExpr("gw_role_assignments AS a").Column("u.username", "r.name", "r.workspace", "a.expires_at").Where(lasting("a"), r.db.now()).
		Join("JOIN gw_users AS u ON u.id = a.user_id").Join("JOIN gw_roles AS r ON r.id = a.role_id").Scan(ctx, &rows)
	for _, a := range rows {
		r.policy[declared.Key{What: declared.Assignment, Workspace: a.Workspace, Role: a.Name, User: a.Username}] =
			declared.Entry{Value: declared.Value{Expires: toSecond(a.ExpiresAt)}}
	}
	return err
}

// toSecond gives an end as files write it.
func toSecond(at time.Time) time.Time { return ended(at).Truncate(time.Second) }

// watchMany watches all that many changes are about once, where each of them would else be watched by its own rows.
func (db *DB) watchMany(ctx context.Context, tx bun.Tx, changes int) error {
	if changes < oneByOne {
		return nil
	}
	for _, table := range []string{users, groupsTable, memberships, identitiesTable, serviceOwners, owners, grants, patterns, rolesTable, rolePermissions, assignments, rulesTable, requests} {
		if err := db.watchWide(ctx, tx, table, every); err != nil {
			return err
		}
	}
	return nil
}

// watchRole watches what a change of a role is about, or of a user's own one.
func (db *DB) watchRole(ctx context.Context, tx bun.Tx, c declared.Change) error {
	which, args := "workspace = ? AND o.name = ? AND o.owner_id IS NULL", []any{c.Workspace, c.Role}
	if c.What == declared.Permission && c.User != "" {
		which, args = "workspace = ? AND o.owner_id = (SELECT u.id FROM gw_users AS u WHERE u.username = ?)", []any{c.Workspace, c.User}
	}
	in := " IN (SELECT o.id FROM gw_roles AS o WHERE o." + which + ")"
	return db.watchAll(ctx, tx, of(rolesTable, "r.id"+in, args...), of(rolePermissions, "p.role_id"+in, args...), of(assignments, "a.role_id"+in, args...))
}

// settle makes one change.
func (db *DB) settle(ctx context.Context, tx bun.Tx, c declared.Change) error {
	switch c.What {
	case declared.User:
		return db.settleUser(ctx, tx, c)
	case declared.Group:
		if c.Action == declared.Remove {
			return db.deleteGroup(ctx, tx, c.Group)
		}
		return db.createGroup(ctx, tx, c.Group)
	case declared.Member:
		if c.Action == declared.Remove {
			return db.removeMember(ctx, tx, c.Group, c.User)
		}
		return db.addMember(ctx, tx, c.Group, c.User)
	case declared.Grant, declared.Pattern:
		return db.settleRule(ctx, tx, c)
	case declared.Owner:
		return db.settleOwner(ctx, tx, c)
	case declared.Rule:
		return db.settleWorkspaceRule(ctx, tx, c)
	}
	return db.settleRole(ctx, tx, c)
}

func (db *DB) settleUser(ctx context.Context, tx bun.Tx, c declared.Change) error {
	switch c.Action {
	case declared.Remove:
		return db.deleteUser(ctx, tx, c.User)
	case declared.Add:
		user := directory.User{Username: c.User, DisplayName: c.After.DisplayName, Admin: c.After.Admin, Service: c.After.Service, ManagedBy: directory.Manual}
		if _, err := db.createUser(ctx, tx, user); err != nil || !c.After.Inactive {
			return err
		}
		return db.setActive(ctx, tx, c.User, false)
	}
	if c.Before.DisplayName != c.After.DisplayName {
		if err := db.watch(ctx, tx, users, "u.username = ?", c.User); err != nil {
			return err
		}
		result, err := tx.NewUpdate().Table("gw_users").Set("display_name = ?", c.After.DisplayName).Where("username = ?", c.User).Exec(ctx)
		if err := db.changed(result, err, "the user "+c.User); err != nil {
			return err
		}
	}
	if c.Before.Admin != c.After.Admin || c.Before.Service != c.After.Service {
		if err := db.setRoles(ctx, tx, c.User, c.After.Admin, c.After.Service); err != nil {
			return err
		}
	}
	switch {
	case c.Before.Inactive == c.After.Inactive:
		return nil
	case c.After.Inactive:
		return db.deactivate(ctx, tx, c.User)
	}
	return db.setActive(ctx, tx, c.User, true)
}

func (db *DB) settleRule(ctx context.Context, tx bun.Tx, c declared.Change) error {
	h, err := db.principal(ctx, tx, Principal{User: c.User, Group: c.Group})
	if err != nil {
		return err
	}
	table, column := grants, "resource"
	if c.What == declared.Pattern {
		table, column = patterns, "pattern"
	}
	if err := db.watch(ctx, tx, table, "r.? = ? AND r.kind = ? AND r.workspace = ? AND r.? = ?", bun.Ident(h.column), h.id, c.Kind, c.Workspace, bun.Ident(column), c.Resource); err != nil {
		return err
	}
	here := func(q bun.QueryBuilder) bun.QueryBuilder {
		return h.where(q).Where("kind = ? AND workspace = ? AND ? = ?", c.Kind, c.Workspace, bun.Ident(column), c.Resource)
	}
	switch c.Action {
	case declared.Add:
		values := map[string]any{h.column: h.id, "kind": c.Kind, "workspace": c.Workspace, column: c.Resource, "level": c.After.Level, "expires_at": end(c.After.Expires)}
		if c.What == declared.Pattern {
			values["priority"] = c.After.Priority
		}
		_, err = tx.NewInsert().Model(&values).Table(table).Exec(ctx)
		return db.coded(err, c.Key.String())
	case declared.Remove:
		result, err := tx.NewDelete().Table(table).ApplyQueryBuilder(here).Exec(ctx)
		return db.changed(result, err, c.Key.String())
	}
	q := tx.NewUpdate().Table(table).Set("level = ?", c.After.Level).Set("expires_at = ?", end(c.After.Expires)).ApplyQueryBuilder(here)
	if c.What == declared.Pattern {
		q = q.Set("priority = ?", c.After.Priority)
	} else {
		q = q.Set("rule_id = NULL")
	}
	result, err := q.Exec(ctx)
	return db.changed(result, err, c.Key.String())
}

func (db *DB) settleRole(ctx context.Context, tx bun.Tx, c declared.Change) error {
	if err := db.watchRole(ctx, tx, c); err != nil {
		return err
	}
	if c.What == declared.Role && c.Action == declared.Add {
		row := roleRow{Workspace: c.Workspace, Name: c.Role}
		if c.After.Description != "" {
			row.Description = &c.After.Description
		}
		_, err := tx.NewInsert().Model(&row).Exec(ctx)
		return db.taken(err, c.Role, c.Workspace)
	}
	role, err := db.roleOf(ctx, tx, c)
	if err != nil {
		return err
	}
	switch {
	case c.What == declared.Permission:
		return db.settlePermission(ctx, tx, c, role)
	case c.What == declared.Assignment:
		return db.settleAssignment(ctx, tx, c, role)
	case c.Action == declared.Remove:
		_, err = tx.NewDelete().Model(&role).WherePK().Exec(ctx)
	default:
		_, err = tx.NewUpdate().Table("gw_roles").Set("description = ?", c.After.Description).Where("id = ?", role.ID).Exec(ctx)
	}
	return err
}

// roleOf finds the role that a change is about; a user's own is made where it is not there yet.
func (db *DB) roleOf(ctx context.Context, tx bun.Tx, c declared.Change) (roleRow, error) {
	if c.What == declared.Permission && c.User != "" {
		user, err := db.user(ctx, tx, "u.username = ?", c.User)
		if err != nil {
			return roleRow{}, err
		}
		return db.makeOwnRole(ctx, tx, user.ID, c.Workspace)
	}
	var role roleRow
	err := tx.NewSelect().Model(&role).Where("workspace = ? AND name = ? AND owner_id IS NULL", c.Workspace, c.Role).Scan(ctx)
	return role, db.coded(err, "the role "+c.Role)
}

func (db *DB) settlePermission(ctx context.Context, tx bun.Tx, c declared.Change, role roleRow) error {
	const here = "role_id = ? AND resource_type = ? AND resource_pattern = ?"
	switch c.Action {
	case declared.Add:
		p := directory.RolePermission{RoleID: role.ID, Type: c.Kind, Pattern: c.Resource, Resource: c.After.Held, Permission: c.After.Level}
		if role.OwnerID != 0 {
			if err := db.free(ctx, tx, role.OwnerID, role.Workspace, p); err != nil {
				return err
			}
		}
		_, err := db.addPermission(ctx, tx, p)
		return err
	case declared.Remove:
		result, err := tx.NewDelete().Table("gw_role_permissions").Where(here, role.ID, c.Kind, c.Resource).Exec(ctx)
		return db.changed(result, err, c.Key.String())
	}
	result, err := tx.NewUpdate().Table("gw_role_permissions").Set("permission = ?", c.After.Level).Set("resource = ?", c.After.Held).
		Where(here, role.ID, c.Kind, c.Resource).Exec(ctx)
	return db.changed(result, err, c.Key.String())
}

func (db *DB) settleAssignment(ctx context.Context, tx bun.Tx, c declared.Change, role roleRow) error {
	user, err := db.user(ctx, tx, "u.username = ?", c.User)
	if err != nil {
		return err
	}
	const here = "user_id = ? AND role_id = ?"
	switch c.Action {
	case declared.Remove:
		result, err := tx.NewDelete().Table("gw_role_assignments").Where(here, user.ID, role.ID).Exec(ctx)
		return db.changed(result, err, c.Key.String())
	case declared.Alter:
		result, err := tx.NewUpdate().Table("gw_role_assignments").Set("expires_at = ?", end(c.After.Expires)).Where(here, user.ID, role.ID).Exec(ctx)
		return db.changed(result, err, c.Key.String())
	}
	_, err = tx.NewInsert().Model(&assignmentRow{UserID: user.ID, RoleID: role.ID, ExpiresAt: c.After.Expires}).Exec(ctx)
	return db.coded(err, c.Key.String())
}
