package upstream

import (
	"context"
	"net/url"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/workspace"
)

// Registered says of which kind what has the name in the context's model registry is. It is trusted as long as an experiment's name.
func (l *lookups) Registered(ctx context.Context, name string) (kind.Name, error) {
	known, ok := l.kinds.GetIfPresent(in(ctx, name))
	if l.inKinds.found(ok); ok {
		return known, nil
	}
	var answer struct {
		Model found `json:"registered_model"`
	}
	if err := l.ask(ctx, "/api/2.0/mlflow/registered-models/get", url.Values{"name": {name}}, &answer); err != nil {
		return "", err
	}
	if answer.Model.Name != name { // a database that compares without case
		return "", errs.New(errs.NotFound, "%s", policy.Model.Missing(name))
	}
	k := answer.Model.item().Kind
	l.kinds.Set(in(ctx, name), k)
	return k, nil
}

// ForgetRegistered drops what was known of names after they were made, deleted or renamed.
func (l *lookups) ForgetRegistered(ctx context.Context, names ...string) {
	for _, name := range names {
		l.kinds.Invalidate(in(ctx, name))
	}
	l.prompts.Invalidate(workspace.Of(ctx).Name)
}

// Prompts gives the names of all prompts of the context's workspace, for whoever has to tell many names apart. They are trusted as long as one is.
func (m *MLflow) Prompts(ctx context.Context) (map[string]bool, error) {
	here := workspace.Of(ctx).Name
	known, ok := m.prompts.GetIfPresent(here)
	if m.inKinds.found(ok); ok {
		return known, nil
	}
	all, err := m.All(ctx, kind.Prompt)
	if err != nil {
		return nil, err
	}
	names := make(map[string]bool, len(all))
	for _, item := range all {
		names[item.Name] = true
	}
	m.prompts.Set(here, names)
	return names, nil
}
