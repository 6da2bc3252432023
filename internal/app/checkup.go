package app

import (
	"context"
	"slices"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/api"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/upstream"
)

const (
	// lookFor is how long a look may take; lookAgain is from when a newer one is taken: each asks MLflow and all providers.
	lookFor   = 20 * time.Second
	lookAgain = 10 * time.Second
)

// checkup looks at the running gateway as the command doctor does (api.Doctor): one look at once, whoever asks.
type checkup struct {
	look func(ctx context.Context) []finding
	now  func() time.Time
	turn chan struct{}
	last api.Health // zero: there was none
}

func newCheckup(look func(ctx context.Context) []finding, now func() time.Time) *checkup {
	return &checkup{look: look, now: now, turn: make(chan struct{}, 1)}
}

// checkup is that of this gateway. What is open is looked at as it is.
func (a *App) checkup() *checkup {
	running := stranger(a.settings)
	running.version = a.Store.Version
	running.within = func(_ context.Context, do func(*store.DB) error) error { return do(a.Store) }
	running.mlflow = func() (*upstream.MLflow, func(), error) { return a.MLflow, func() {}, nil }
	running.redis = a.Sessions.Store.Ping
	return newCheckup(running.findings, time.Now)
}

// Look gives what is found, the worst first. Who asks soon after another gets the same answer.
func (c *checkup) Look(ctx context.Context) (api.Health, error) {
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return api.Health{}, ctx.Err()
	}
	defer func() { <-c.turn }()
	if now := c.now(); c.last.LookedAt.IsZero() || !now.Before(c.last.LookedAt.Add(lookAgain)) {
		looking, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookFor) // others get this answer too
		defer cancel()
		c.last = health(c.look(looking), c.now())
	}
	return c.last, nil
}

// severity is the order in which findings are shown.
var severity = []string{"fail", "look", "ok"}

func health(all []finding, at time.Time) api.Health {
	h := api.Health{LookedAt: at.UTC(), Findings: []api.Finding{}}
	for _, f := range all {
		h.Findings = append(h.Findings, api.Finding{What: f.what, Provider: f.provider, State: f.state(), Says: f.says, Mend: f.mend})
	}
	slices.SortStableFunc(h.Findings, func(a, b api.Finding) int {
		return slices.Index(severity, a.State) - slices.Index(severity, b.State)
	})
	return h
}
