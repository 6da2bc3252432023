package store

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/declared"
)

// owners are those of service accounts.
func (r policyReader) owners(ctx context.Context) error {
	var rows []struct{ Username, OwnerName string }
	err := r.tx.NewSelect().TableExpr("gw_service_owners AS o").ColumnExpr("u.username, w.username AS owner_name").
		Join(byUser+"o.user_id").Join("JOIN gw_users AS w ON w.id = o.owner_id").Scan(ctx, &rows)
	for _, o := range rows {
		r.policy[declared.Key{What: declared.Owner, User: o.Username}] = declared.Entry{Value: declared.Value{Owner: o.OwnerName}}
	}
	return err
}

// workspaceRules have their turns by their ids.
func (r policyReader) workspaceRules(ctx context.Context) error {
	rules, err := r.db.workspaceRules(ctx, r.tx)
	for i, rule := range rules {
		r.policy[declared.Key{What: declared.Rule, Rule: rule.Name}] = declared.Entry{ID: rule.ID,
			Value: declared.Value{Pattern: rule.Pattern, Level: rule.Level.String(), Enforced: rule.Enforced, Disabled: !rule.Enabled, Turn: i + 1}}
	}
	return err
}

func (db *DB) settleOwner(ctx context.Context, tx bun.Tx, c declared.Change) error {
	user, err := db.user(ctx, tx, "u.username = ?", c.User)
	if err != nil {
		return err
	}
	if c.Action == declared.Remove { // it may have left its owner by what it has become
		return db.disownService(ctx, tx, user.ID)
	}
	return db.own(ctx, tx, user, c.After.Owner)
}

// settleWorkspaceRule makes, changes or removes a rule. What it has given by another pattern is taken away with that, and what it gives
// is given by the gateway, which knows the workspaces that there are.
func (db *DB) settleWorkspaceRule(ctx context.Context, tx bun.Tx, c declared.Change) error {
	if err := db.watch(ctx, tx, rulesTable, "w.name = ?", c.Rule); err != nil {
		return err
	}
	row := workspaceRule{Name: c.Rule, Pattern: c.After.Pattern, Level: c.After.Level, Enforced: c.After.Enforced, Enabled: !c.After.Disabled,
		CreatedBy: audit.Authored(ctx, audit.Event{}).By, CreatedAt: db.now(), UpdatedAt: db.now()}
	if c.Action == declared.Add {
		_, err := tx.NewInsert().Model(&row).Exec(ctx)
		return db.coded(err, c.Key.String())
	}
	var before workspaceRule
	if err := tx.NewSelect().Model(&before).Where("w.name = ?", c.Rule).Scan(ctx); err != nil {
		return db.coded(err, "the "+c.Key.String())
	}
	if err := db.watch(ctx, tx, grants, "r.rule_id = ?", before.ID); err != nil {
		return err
	}
	if c.Action == declared.Alter && row.Enforced && row.Enabled && row.Pattern == before.Pattern {
		if _, err := tx.NewUpdate().Table(grants).Set("level = ?", row.Level).Where("rule_id = ?", before.ID).Exec(ctx); err != nil {
			return err
		}
	} else if _, err := tx.NewDelete().Table(grants).Where("rule_id = ?", before.ID).Exec(ctx); err != nil {
		return err
	}
	if c.Action == declared.Remove {
		_, err := tx.NewDelete().Model(&before).WherePK().Exec(ctx)
		return err
	}
	row.ID, row.CreatedBy, row.CreatedAt = before.ID, before.CreatedBy, before.CreatedAt
	result, err := tx.NewUpdate().Model(&row).WherePK().Exec(ctx)
	return db.changed(result, err, c.Key.String())
}
