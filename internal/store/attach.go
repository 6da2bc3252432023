package store

import (
	"context"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/attach"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

type workspaceRule struct {
	bun.BaseModel `bun:"table:gw_workspace_rules,alias:w"`
	ID            int64 `bun:",pk,autoincrement"`
	Name          string
	Pattern       string
	Level         string
	Enforced      bool
	Enabled       bool
	CreatedBy     string
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

func (w workspaceRule) rule() (attach.Rule, error) {
	level, err := storedLevel(w.Level)
	if err != nil {
		return attach.Rule{}, err
	}
	return attach.Rule{ID: w.ID, Name: w.Name, Pattern: w.Pattern, Level: level, Enforced: w.Enforced, Enabled: w.Enabled,
		CreatedBy: w.CreatedBy, CreatedAt: w.CreatedAt, UpdatedAt: w.UpdatedAt}, nil
}

// SaveWorkspaceRule makes a rule, or changes the one of its id.
func (db *DB) SaveWorkspaceRule(ctx context.Context, r attach.Rule) (attach.Rule, error) {
	row := workspaceRule{ID: r.ID, Name: r.Name, Pattern: r.Pattern, Level: r.Level.String(), Enforced: r.Enforced, Enabled: r.Enabled,
		CreatedBy: r.CreatedBy, CreatedAt: r.CreatedAt, UpdatedAt: db.now()}
	err := db.update(ctx, func(ctx context.Context, tx bun.Tx) error {
		err := db.watch(ctx, tx, rulesTable, "w.id = ? OR w.name = ?", r.ID, r.Name)
		if err != nil {
			return err
		}
		if r.ID == 0 {
			row.CreatedAt = db.now()
			_, err = tx.NewInsert().Model(&row).Exec(ctx)
		} else {
			result, failed := tx.NewUpdate().Model(&row).WherePK().Exec(ctx)
			err = db.changed(result, failed, "the rule")
		}
		if errs.Is(db.coded(err, ""), errs.Conflict) {
			return errs.New(errs.Conflict, "there is a rule of the name %s already", r.Name)
		}
		return err
	})
	if err != nil {
		return r, err
	}
	return row.rule()
}

// DeleteWorkspaceRule deletes a rule. What it has given is taken away by the next plan.
func (db *DB) DeleteWorkspaceRule(ctx context.Context, id int64) error {
	return db.update(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := db.watch(ctx, tx, rulesTable, "w.id = ?", id); err != nil {
			return err
		}
		result, err := tx.NewDelete().Model((*workspaceRule)(nil)).Where("id = ?", id).Exec(ctx)
		return db.changed(result, err, "the rule")
	})
}

// WorkspaceRules lists all rules, in the order of their ids.
func (db *DB) WorkspaceRules(ctx context.Context) ([]attach.Rule, error) {
	return db.workspaceRules(ctx, db.read)
}

func (db *DB) workspaceRules(ctx context.Context, from bun.IDB) ([]attach.Rule, error) {
	var rows []workspaceRule
	if err := from.NewSelect().Model(&rows).Order("w.id").Scan(ctx); err != nil {
		return nil, db.coded(err, "")
	}
	rules := make([]attach.Rule, len(rows))
	for i, row := range rows {
		var err error
		if rules[i], err = row.rule(); err != nil {
			return nil, err
		}
	}
	return rules, nil
}

// AttachState reads all that a plan is made from, but for the workspaces.
func (db *DB) AttachState(ctx context.Context) (attach.State, error) {
	return db.attachState(ctx, db.read)
}

func (db *DB) attachState(ctx context.Context, from bun.IDB) (attach.State, error) {
	s := attach.State{Groups: map[string][]string{}, Held: map[attach.Pair]attach.Held{}}
	var err error
	if s.Rules, err = db.workspaceRules(ctx, from); err != nil {
		return s, err
	}
	var named []struct{ Name, Source string }
	err = from.NewSelect().TableExpr("gw_groups AS g").Distinct().ColumnExpr("g.name AS name, COALESCE(m.managed_by, g.named_by) AS source"). // it stays its provider's when that empties it
																			Join("LEFT JOIN gw_memberships AS m ON m.group_id = g.id").Scan(ctx, &named)
	if err != nil {
		return s, db.coded(err, "")
	}
	for _, one := range named {
		if s.Groups[one.Name] = append([]string(nil), s.Groups[one.Name]...); one.Source != "" {
			s.Groups[one.Name] = append(s.Groups[one.Name], one.Source)
		}
	}
	var held []struct {
		Name, Resource, Level string
		Rule                  int64
	}
	err = from.NewSelect().TableExpr("gw_grants AS r").ColumnExpr("g.name AS name, r.resource AS resource, r.level AS level, COALESCE(r.rule_id, 0) AS rule").
		Join("JOIN gw_groups AS g ON g.id = r.group_id").Where("r.kind = ?", kind.Workspace).Where(lasting("r"), db.now()).Scan(ctx, &held)
	if err != nil {
		return s, db.coded(err, "")
	}
	for _, one := range held {
		level, err := storedLevel(one.Level)
		if err != nil {
			return s, err
		}
		s.Held[attach.Pair{Group: one.Name, Workspace: one.Resource}] = attach.Held{Level: level, Rule: one.Rule}
	}
	return s, nil
}

// Attach plans on what is stored now, and does what the plan says, in one transaction.
func (db *DB) Attach(ctx context.Context, plan func(attach.State) ([]attach.Change, error)) ([]attach.Change, error) {
	return db.attach(ctx, plan, func(context.Context, bun.Tx, []attach.Rule) error { return nil })
}

// AttachAll is Attach by a plan for all groups: it notes the rules as applied.
func (db *DB) AttachAll(ctx context.Context, plan func(attach.State) ([]attach.Change, error)) ([]attach.Change, error) {
	return db.attach(ctx, plan, noteRules)
}

type appliedRules struct {
	bun.BaseModel `bun:"table:gw_applied_rules"`
	Rules         string
}

// noteRules notes the rules by which all groups were last given what they want.
func noteRules(ctx context.Context, tx bun.Tx, rules []attach.Rule) error {
	_, err := tx.NewDelete().Model((*appliedRules)(nil)).Where("TRUE").Exec(ctx)
	if err == nil {
		_, err = tx.NewInsert().Model(&appliedRules{Rules: attach.Sum(rules)}).Exec(ctx)
	}
	return err
}

// RulesApplied tells whether all groups were given what the rules want, as they are now: they change by files and imports too, which
// do not know the workspaces.
func (db *DB) RulesApplied(ctx context.Context) (bool, error) {
	rules, err := db.WorkspaceRules(ctx)
	if err != nil {
		return false, err
	}
	var noted []string
	err = db.read.NewSelect().Model((*appliedRules)(nil)).Column("rules").Scan(ctx, &noted)
	if len(noted) == 0 {
		noted = []string{attach.Sum(nil)}
	}
	return noted[0] == attach.Sum(rules), db.coded(err, "")
}

func (db *DB) attach(ctx context.Context, plan func(attach.State) ([]attach.Change, error), note func(context.Context, bun.Tx, []attach.Rule) error) ([]attach.Change, error) {
	var lines []attach.Change
	err := db.sometimes(ctx, func(ctx context.Context, tx bun.Tx) (bool, error) {
		state, err := db.attachState(ctx, tx)
		if err != nil {
			return false, err
		}
		if lines, err = plan(state); err != nil {
			return false, err
		}
		if err := note(ctx, tx, state.Rules); err != nil {
			return false, err
		}
		lines := slices.DeleteFunc(slices.Clone(lines), func(line attach.Change) bool { return !line.Writes() })
		if len(lines) == 0 {
			return false, nil
		}
		// the levels of groups on workspaces, and what has ended of whatever the groups were given
		if err := db.watchWide(ctx, tx, grants, "r.group_id IS NOT NULL AND (r.kind = ? OR r.expires_at <= ?)", kind.Workspace, db.now()); err != nil {
			return false, err
		}
		for _, line := range lines {
			if err := db.attachOne(ctx, tx, line); err != nil {
				return false, err
			}
		}
		return true, nil
	})
	return lines, err
}

func (db *DB) attachOne(ctx context.Context, tx bun.Tx, line attach.Change) error {
	group, err := db.principal(ctx, tx, Principal{Group: line.Group})
	if err != nil {
		return err
	}
	if err := db.dropEnded(ctx, tx, grants, group); err != nil {
		return err
	}
	// what people have given meanwhile has no rule, and stays
	_, err = tx.NewDelete().Table(grants).Where("kind = ? AND group_id = ? AND resource = ? AND rule_id IS NOT NULL", kind.Workspace, group.id, line.Workspace).Exec(ctx)
	if err != nil || line.Action == attach.Remove {
		return err
	}
	values := map[string]any{"group_id": group.id, "kind": kind.Workspace, "workspace": "", "resource": line.Workspace, "level": line.Level.String(), "rule_id": line.Rule}
	_, err = tx.NewInsert().Model(&values).Table(grants).Exec(ctx)
	return err
}

// RuleOf gives the rules that have given groups their levels in a workspace.
func (db *DB) RuleOf(ctx context.Context, workspace string) (map[string]int64, error) {
	state, err := db.AttachState(ctx)
	rules := map[string]int64{}
	for pair, held := range state.Held {
		if pair.Workspace == workspace && held.Rule != 0 {
			rules[pair.Group] = held.Rule
		}
	}
	return rules, err
}

// Lower takes away what rules have given above a ceiling.
func (db *DB) Lower(ctx context.Context, ceiling kind.Level) error {
	ctx = audit.By(ctx, audit.Author{Cause: "the highest level of workspace rules"})
	_, err := db.Attach(ctx, func(s attach.State) ([]attach.Change, error) {
		var lines []attach.Change
		for pair, held := range s.Held {
			if held.Rule != 0 && held.Level > ceiling {
				lines = append(lines, attach.Change{Pair: pair, Action: attach.Remove, Level: held.Level, Rule: held.Rule})
			}
		}
		return lines, nil
	})
	return err
}
