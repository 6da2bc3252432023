package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/attach"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

type ruleRow struct {
	ID         int64  `json:"id"`
	Name       string `json:"name"`
	Pattern    string `json:"pattern"`
	Permission string `json:"permission"`
	Mode       string `json:"mode"`
	Enabled    bool   `json:"enabled"`
	CreatedBy  string `json:"created_by"`
	CreatedAt  string `json:"created_at"`
	UpdatedAt  string `json:"updated_at"`
}

type ruleList struct {
	Rules   []ruleRow `json:"rules"`
	Most    string    `json:"max_permission"`
	Allowed []string  `json:"allowed_permissions"`
}

type ruleChange struct {
	Action     string  `json:"action" doc:"grant, update, keep, remove, skip or shadowed"`
	Group      string  `json:"group"`
	Workspace  string  `json:"workspace"`
	Permission string  `json:"permission"`
	Reason     *string `json:"reason" nullable:"true"`
	Previous   *string `json:"previous" nullable:"true"`
	Applied    bool    `json:"applied"`
	Rule       int64   `json:"rule_id"`
}

type rulePlan struct {
	Rule    *ruleRow     `json:"rule"`
	Changes []ruleChange `json:"changes"`
	Error   *string      `json:"error" nullable:"true" doc:"the rule is saved, and what it gives is not"`
}

// RulePath names a rule. What is embedded has to be exported for huma to fill it.
type RulePath struct {
	ID int64 `path:"rule_id"`
}

type newRule struct {
	Body struct {
		_          struct{} `additionalProperties:"false"`
		Name       string   `json:"name" minLength:"1" maxLength:"255"`
		Pattern    string   `json:"pattern" doc:"RE2 that matches the whole name of a group, with a group (?P<ws>…) that matches the name of the workspace"`
		Permission string   `json:"permission"`
		Mode       string   `json:"mode,omitempty" default:"report" doc:"report or enforce"`
		Enabled    *bool    `json:"enabled,omitempty"`
	}
}

type changedRule struct {
	RulePath
	Body struct {
		_          struct{} `additionalProperties:"false"`
		Name       *string  `json:"name,omitempty" nullable:"true" minLength:"1" maxLength:"255"`
		Pattern    *string  `json:"pattern,omitempty" nullable:"true"`
		Permission *string  `json:"permission,omitempty" nullable:"true"`
		Mode       *string  `json:"mode,omitempty" nullable:"true"`
		Enabled    *bool    `json:"enabled,omitempty" nullable:"true"`
	}
}

type triedRule struct {
	Body struct {
		_          struct{} `additionalProperties:"false"`
		Pattern    string   `json:"pattern"`
		Permission string   `json:"permission"`
		Rule       *int64   `json:"rule_id,omitempty" nullable:"true" doc:"the rule that is about to be changed"`
	}
}

const (
	rulesAt = "/workspace-rules"
	report  = "report"
	enforce = "enforce"
)

// rules are for administrators: a rule gives whole workspaces away.
func (a *API) rules(r *registrar) {
	add(r, http.MethodGet, rulesAt, 200, "Rules that give groups a level in a workspace by their names", func(ctx context.Context, s *identity.Subject, _ *none) (ruleList, error) {
		all := ruleList{Rules: []ruleRow{}, Most: a.Attacher.Policy.Ceiling.String(), Allowed: kind.Levels()[1 : a.Attacher.Policy.Ceiling+1]}
		if err := administrator(s); err != nil {
			return all, err
		}
		rules, err := a.Attacher.Store.WorkspaceRules(ctx)
		for _, one := range rules {
			all.Rules = append(all.Rules, shownRule(one))
		}
		return all, err
	})
	add(r, http.MethodPost, rulesAt, 201, "Make a rule", a.makeRule)
	add(r, http.MethodPost, rulesAt+"/preview", 200, "What a rule would do", a.tryRule)
	add(r, http.MethodGet, rulesAt+"/{rule_id}", 200, "One rule", func(ctx context.Context, s *identity.Subject, in *RulePath) (ruleRow, error) {
		rule, err := a.rule(ctx, s, in.ID)
		return shownRule(rule), err
	})
	add(r, http.MethodGet, rulesAt+"/{rule_id}/preview", 200, "What a rule would do if it was enforced", func(ctx context.Context, s *identity.Subject, in *RulePath) (rulePlan, error) {
		rule, err := a.rule(ctx, s, in.ID)
		if err != nil {
			return rulePlan{}, err
		}
		lines, err := a.Attacher.preview(ctx, rule)
		shown := shownRule(rule)
		return rulePlan{&shown, changesOf(lines, false), nil}, err
	})
	add(r, http.MethodPatch, rulesAt+"/{rule_id}", 200, "Change a rule", a.changeRule)
	add(r, http.MethodDelete, rulesAt+"/{rule_id}", 200, "Delete a rule, and what it gives", func(ctx context.Context, s *identity.Subject, in *RulePath) (rulePlan, error) {
		rule, err := a.rule(ctx, s, in.ID)
		if err == nil {
			err = a.Attacher.Store.DeleteWorkspaceRule(ctx, in.ID)
		}
		if err != nil {
			return rulePlan{}, err
		}
		return a.attached(ctx, s, rule, false), nil
	})
}

// rule finds a rule for an administrator.
func (a *API) rule(ctx context.Context, s *identity.Subject, id int64) (attach.Rule, error) {
	if err := administrator(s); err != nil {
		return attach.Rule{}, err
	}
	rules, err := a.Attacher.Store.WorkspaceRules(ctx)
	for _, rule := range rules {
		if rule.ID == id {
			return rule, nil
		}
	}
	if err == nil {
		err = errs.New(errs.NotFound, "there is no rule %d", id)
	}
	return attach.Rule{}, err
}

func (a *API) makeRule(ctx context.Context, s *identity.Subject, in *newRule) (rulePlan, error) {
	if err := administrator(s); err != nil {
		return rulePlan{}, err
	}
	b := in.Body
	rule := attach.Rule{Name: strings.TrimSpace(b.Name), Pattern: b.Pattern, Enabled: b.Enabled == nil || *b.Enabled, CreatedBy: s.Username}
	if rule.Name == "" {
		return rulePlan{}, huma.Error422UnprocessableEntity("name must not be blank")
	}
	var err error
	if rule.Enforced, err = enforced(b.Mode); err != nil {
		return rulePlan{}, err
	}
	return a.saveRule(ctx, s, rule, b.Permission, true)
}

func (a *API) changeRule(ctx context.Context, s *identity.Subject, in *changedRule) (rulePlan, error) {
	rule, err := a.rule(ctx, s, in.ID)
	if err != nil {
		return rulePlan{}, err
	}
	b, permission := in.Body, rule.Level.String()
	attaches := b.Pattern != nil || b.Permission != nil || b.Mode != nil || b.Enabled != nil
	if b.Name != nil {
		if rule.Name = strings.TrimSpace(*b.Name); rule.Name == "" {
			return rulePlan{}, huma.Error422UnprocessableEntity("name must not be blank")
		}
	}
	if b.Pattern != nil {
		rule.Pattern = *b.Pattern
	}
	if b.Permission != nil {
		permission = *b.Permission
	}
	if b.Mode != nil {
		if rule.Enforced, err = enforced(*b.Mode); err != nil {
			return rulePlan{}, err
		}
	}
	if b.Enabled != nil {
		rule.Enabled = *b.Enabled
	}
	return a.saveRule(ctx, s, rule, permission, attaches)
}

// enforced reads a mode.
func enforced(mode string) (bool, error) {
	if mode != report && mode != enforce {
		return false, errs.New(errs.Invalid, "mode must be report or enforce")
	}
	return mode == enforce, nil
}

// saveRule stores a rule and, where that is asked for, has it give what it gives.
func (a *API) saveRule(ctx context.Context, s *identity.Subject, rule attach.Rule, permission string, attaches bool) (rulePlan, error) {
	var err error
	if rule.Level, err = parseLevel(permission); err == nil {
		err = rule.Check(a.Attacher.Policy.Ceiling)
	}
	if err != nil {
		return rulePlan{}, err
	}
	saved, err := a.Attacher.Store.SaveWorkspaceRule(ctx, rule)
	if err != nil {
		return rulePlan{}, err
	}
	shown := shownRule(saved)
	if !attaches {
		return rulePlan{&shown, []ruleChange{}, nil}, nil
	}
	plan := a.attached(ctx, s, saved, saved.Enabled && !saved.Enforced)
	plan.Rule = &shown
	return plan, nil
}

// attached does what all rules want, and shows what that was for one of them and what changed beside. The rule is saved,
// whatever comes of it.
func (a *API) attached(ctx context.Context, s *identity.Subject, rule attach.Rule, says bool) rulePlan {
	lines, err := a.Attacher.apply(ctx, nil, s.Username)
	plan := rulePlan{Changes: []ruleChange{}}
	for _, line := range lines {
		if line.Rule == rule.ID || line.Writes() {
			plan.Changes = append(plan.Changes, changesOf([]attach.Change{line}, true)...)
		}
	}
	if err == nil && says {
		lines, err = a.Attacher.preview(ctx, rule)
		plan.Changes = append(plan.Changes, changesOf(lines, false)...)
	}
	if err != nil {
		a.Log.ErrorContext(ctx, "a workspace rule was saved, and what it gives was not", "rule", rule.ID, "error", err)
		text := "the rule is saved, but the permissions by it are not: MLflow or the users database did not answer; save it again"
		plan.Error = &text
	}
	return plan
}

func (a *API) tryRule(ctx context.Context, s *identity.Subject, in *triedRule) (rulePlan, error) {
	if err := administrator(s); err != nil {
		return rulePlan{}, err
	}
	var rule attach.Rule
	var err error
	if in.Body.Rule != nil {
		if rule, err = a.rule(ctx, s, *in.Body.Rule); err != nil {
			return rulePlan{}, err
		}
	}
	rule.Pattern = in.Body.Pattern
	if rule.Level, err = parseLevel(in.Body.Permission); err == nil {
		err = rule.Check(a.Attacher.Policy.Ceiling)
	}
	if err != nil {
		return rulePlan{}, err
	}
	lines, err := a.Attacher.preview(ctx, rule)
	return rulePlan{nil, changesOf(lines, false), nil}, err
}

func shownRule(r attach.Rule) ruleRow {
	mode := report
	if r.Enforced {
		mode = enforce
	}
	return ruleRow{r.ID, r.Name, r.Pattern, r.Level.String(), mode, r.Enabled, r.CreatedBy, stamp(r.CreatedAt), stamp(r.UpdatedAt)}
}

func changesOf(lines []attach.Change, applied bool) []ruleChange {
	shown := make([]ruleChange, 0, len(lines))
	for _, line := range lines {
		one := ruleChange{line.Action, line.Group, line.Workspace, line.Level.String(), some(line.Reason), nil, applied && line.Writes(), line.Rule}
		if line.Previous != nil {
			previous := line.Previous.String()
			one.Previous = &previous
		}
		shown = append(shown, one)
	}
	return shown
}
