package api

import (
	"context"
	"log/slog"
	"slices"
	"sync"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/attach"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/upstream"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/workspace"
)

// AttachStore keeps workspace rules, and does what plans by them say.
type AttachStore interface {
	WorkspaceRules(ctx context.Context) ([]attach.Rule, error)
	SaveWorkspaceRule(ctx context.Context, r attach.Rule) (attach.Rule, error)
	DeleteWorkspaceRule(ctx context.Context, id int64) error
	AttachState(ctx context.Context) (attach.State, error)
	Attach(ctx context.Context, plan func(attach.State) ([]attach.Change, error)) ([]attach.Change, error)
	AttachAll(ctx context.Context, plan func(attach.State) ([]attach.Change, error)) ([]attach.Change, error)
	RulesApplied(ctx context.Context) (bool, error)
	RuleOf(ctx context.Context, workspace string) (map[string]int64, error)
}

// Attacher gives groups their levels in workspaces by the rules.
type Attacher struct {
	Store  AttachStore
	MLflow *upstream.MLflow
	Policy attach.Policy
	Audit  audit.Recorder
	Log    *slog.Logger

	mutex sync.Mutex
	known map[string]bool // groups that are no arrivals any more
}

// Know notes the groups that there are, which rules have been applied to.
func (a *Attacher) Know(ctx context.Context) error {
	state, err := a.Store.AttachState(ctx)
	if err != nil {
		return err
	}
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.known = map[string]bool{}
	for group := range state.Groups {
		a.known[group] = true
	}
	return nil
}

// Arrived applies the rules to those of the groups that have just been made; to all groups where the rules are others than those that
// were last applied: a file has changed them, or MLflow did not answer when an administrator did. A failure is logged and no more: it
// must not keep anybody from signing in, and the next sign-in tries again.
func (a *Attacher) Arrived(ctx context.Context, groups []string, by string) {
	done, err := a.Store.RulesApplied(ctx)
	if err != nil {
		a.Log.ErrorContext(ctx, "workspace rules could not be read", "error", err)
		return
	}
	if !done {
		if _, err := a.apply(ctx, nil, by); err != nil {
			a.Log.ErrorContext(ctx, "workspace rules could not be applied", "error", err)
			return
		}
	}
	a.mutex.Lock()
	arrived := slices.DeleteFunc(slices.Clone(groups), func(group string) bool { return a.known[group] })
	a.mutex.Unlock()
	if len(arrived) == 0 {
		return
	}
	if _, err := a.apply(ctx, arrived, by); err != nil {
		a.Log.ErrorContext(ctx, "workspace rules could not be applied to new groups", "groups", arrived, "error", err)
		return
	}
	a.mutex.Lock()
	defer a.mutex.Unlock()
	for _, group := range arrived {
		a.known[group] = true
	}
}

// apply makes what groups hold by rules what the rules want; nil groups are all.
func (a *Attacher) apply(ctx context.Context, groups []string, by string) ([]attach.Change, error) {
	workspaces, err := a.workspaces(ctx)
	if err != nil {
		return nil, err
	}
	do := a.Store.Attach
	if groups == nil {
		do = a.Store.AttachAll
	}
	lines, err := do(audit.By(ctx, audit.Author{By: by, Cause: "workspace rule"}), func(s attach.State) ([]attach.Change, error) {
		s.Workspaces = workspaces
		return a.Policy.Plan(s, groups)
	})
	if err != nil {
		return nil, err
	}
	for _, line := range lines {
		if line.Writes() {
			a.Audit.Record(ctx, audit.Event{Name: audit.WorkspaceAttached, By: by, Account: line.Group, Route: line.Workspace, Cause: line.Action, Reason: line.Level.String()})
		}
	}
	return lines, nil
}

// preview says what would be done if a rule was enforced; one without an id would be the last.
func (a *Attacher) preview(ctx context.Context, rule attach.Rule) ([]attach.Change, error) {
	workspaces, err := a.workspaces(ctx)
	if err != nil {
		return nil, err
	}
	state, err := a.Store.AttachState(ctx)
	if err != nil {
		return nil, err
	}
	state.Workspaces = workspaces
	rule.Enabled, rule.Enforced = true, true
	if at := slices.IndexFunc(state.Rules, func(r attach.Rule) bool { return r.ID == rule.ID }); at >= 0 && rule.ID != 0 {
		state.Rules[at] = rule
	} else {
		rule.ID = 1
		if n := len(state.Rules); n > 0 {
			rule.ID = state.Rules[n-1].ID + 1
		}
		state.Rules = append(state.Rules, rule)
	}
	lines, err := a.Policy.Plan(state, nil)
	return slices.DeleteFunc(lines, func(line attach.Change) bool { return line.Rule != rule.ID }), err
}

// workspaces are those that MLflow has. It does not answer: nothing is known, and nothing taken away.
func (a *Attacher) workspaces(ctx context.Context) (map[string]bool, error) {
	if workspace.Of(ctx).Name == "" {
		ctx = workspace.In(ctx, workspace.Scope{Name: kind.DefaultWorkspace})
	}
	items, err := a.MLflow.All(ctx, kind.Workspace)
	all := map[string]bool{}
	for _, item := range items {
		all[item.ID] = true
	}
	return all, err
}
