package app

import (
	"context"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/api"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/attach"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
)

// arrivals is the store to whoever brings people in: groups that come with them get what workspace rules give.
type arrivals struct {
	*store.DB
	rules *api.Attacher // nil: there are no workspaces
}

func (a arrivals) came(ctx context.Context, login directory.Login) {
	if a.rules != nil && len(login.Groups) > 0 {
		a.rules.Arrived(ctx, login.Groups, login.Identity.Provider)
	}
}

// RecordLogin stores what a sign-in says (login.People).
func (a arrivals) RecordLogin(ctx context.Context, login directory.Login) (directory.User, error) {
	user, err := a.DB.RecordLogin(ctx, login)
	if err == nil {
		a.came(ctx, login)
	}
	return user, err
}

// ConfirmLogin stores what a provider says later (login.People).
func (a arrivals) ConfirmLogin(ctx context.Context, login directory.Login) (directory.User, error) {
	user, err := a.DB.ConfirmLogin(ctx, login)
	if err == nil {
		a.came(ctx, login)
	}
	return user, err
}

// RecordBearer stores what a token says (token.Recorder).
func (a arrivals) RecordBearer(ctx context.Context, b directory.Bearer) error {
	err := a.DB.RecordBearer(ctx, b)
	if err == nil && b.Says != nil && b.Groups {
		a.came(ctx, *b.Says)
	}
	return err
}

// attacher makes what applies workspace rules; nil where there are no workspaces. Only the first provider names groups for all.
func (a *App) attacher(ctx context.Context, p *providers, events audit.Recorder) (*api.Attacher, error) {
	if !a.settings.Workspaces.Enabled {
		return nil, nil
	}
	trusted := func(source string) bool {
		return source == directory.Manual || source == directory.SCIM || len(p.settings) > 0 && p.settings[0].ID == config.Single && p.all[0].Names(source)
	}
	rules := &api.Attacher{Store: a.Store, MLflow: a.MLflow, Policy: attach.Policy{Ceiling: a.settings.Workspaces.MostByRule, Trusted: trusted}, Audit: events, Log: a.log}
	if err := a.Store.Lower(ctx, a.settings.Workspaces.MostByRule); err != nil {
		return nil, err
	}
	return rules, rules.Know(ctx)
}
