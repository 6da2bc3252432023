package upstream

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

// nameLifetime is how long an experiment's name is trusted: another replica, or an administrator beside us, may rename it.
const nameLifetime = time.Second

// lookupLimit bounds the answer to a look-up, in bytes: a run with all its metrics, params and tags fits.
const lookupLimit = 64 << 20

// Owned is what a run or logged model belongs to. It cannot change: MLflow moves neither between experiments.
type Owned struct {
	Experiment string
	Artifacts  string // the root of its artifacts
}

// lookups remembers what MLflow said, as long as it cannot change.
type lookups struct {
	mlflow *MLflow
	runs   *otter.Cache[string, Owned]
	models *otter.Cache[string, Owned]
	names  *otter.Cache[string, string]
}

func newLookups(m *MLflow) (lookups, error) {
	l := lookups{mlflow: m}
	var err error
	if l.runs, err = otter.New(&otter.Options[string, Owned]{MaximumSize: 200_000}); err != nil {
		return l, err
	}
	if l.models, err = otter.New(&otter.Options[string, Owned]{MaximumSize: 100_000}); err != nil {
		return l, err
	}
	l.names, err = otter.New(&otter.Options[string, string]{
		MaximumSize: 100_000, ExpiryCalculator: otter.ExpiryWriting[string, string](nameLifetime)})
	return l, err
}

// Run says which experiment governs a run.
func (l *lookups) Run(ctx context.Context, id string) (Owned, error) {
	if known, ok := l.runs.GetIfPresent(id); ok {
		return known, nil
	}
	var answer struct {
		Run struct {
			Info struct {
				RunID        string `json:"run_id"`
				ExperimentID string `json:"experiment_id"`
				ArtifactURI  string `json:"artifact_uri"`
			} `json:"info"`
		} `json:"run"`
	}
	if err := l.ask(ctx, "/api/2.0/mlflow/runs/get", url.Values{"run_id": {id}}, &answer); err != nil {
		return Owned{}, err
	}
	info := answer.Run.Info
	if info.RunID != id || info.ExperimentID == "" { // a database with case-insensitive ids would find another spelling
		return Owned{}, errs.New(errs.NotFound, "Run with id=%s not found", id)
	}
	owned := Owned{info.ExperimentID, info.ArtifactURI}
	l.runs.Set(id, owned)
	return owned, nil
}

// LoggedModel says which experiment governs a logged model.
func (l *lookups) LoggedModel(ctx context.Context, id string) (Owned, error) {
	if known, ok := l.models.GetIfPresent(id); ok {
		return known, nil
	}
	var answer struct {
		Model struct {
			Info struct {
				ModelID      string `json:"model_id"`
				ExperimentID string `json:"experiment_id"`
				ArtifactURI  string `json:"artifact_uri"`
			} `json:"info"`
		} `json:"model"`
	}
	if err := l.ask(ctx, "/api/2.0/mlflow/logged-models/"+id, nil, &answer); err != nil {
		return Owned{}, err
	}
	info := answer.Model.Info
	if info.ModelID != id || info.ExperimentID == "" {
		return Owned{}, errs.New(errs.NotFound, "Logged model with ID '%s' not found.", id)
	}
	owned := Owned{info.ExperimentID, info.ArtifactURI}
	l.models.Set(id, owned)
	return owned, nil
}

type experiment struct {
	Experiment struct {
		ID   string `json:"experiment_id"`
		Name string `json:"name"`
	} `json:"experiment"`
}

// ExperimentName gives the name of an experiment, which its patterns match.
func (l *lookups) ExperimentName(ctx context.Context, id string) (string, error) {
	if known, ok := l.names.GetIfPresent(id); ok {
		return known, nil
	}
	var answer experiment
	if err := l.ask(ctx, "/api/2.0/mlflow/experiments/get", url.Values{"experiment_id": {id}}, &answer); err != nil {
		return "", err
	}
	if answer.Experiment.ID != id {
		return "", errs.New(errs.NotFound, "No Experiment with id=%s exists", id)
	}
	l.names.Set(id, answer.Experiment.Name)
	return answer.Experiment.Name, nil
}

// RememberName notes a name that an answer of MLflow has just shown, so that it need not be asked for.
func (l *lookups) RememberName(id, name string) { l.names.Set(id, name) }

// ForgetName drops a name after a rename.
func (l *lookups) ForgetName(id string) { l.names.Invalidate(id) }

// ExperimentByName finds the id of an experiment. It is not remembered: names move.
func (l *lookups) ExperimentByName(ctx context.Context, name string) (string, error) {
	var answer experiment
	if err := l.ask(ctx, "/api/2.0/mlflow/experiments/get-by-name", url.Values{"experiment_name": {name}}, &answer); err != nil {
		return "", err
	}
	if answer.Experiment.Name == name {
		l.names.Set(answer.Experiment.ID, name)
	}
	return answer.Experiment.ID, nil
}

func (l *lookups) ask(ctx context.Context, path string, query url.Values, into any) error {
	raw, err := l.mlflow.call(ctx, http.MethodGet, path, query, nil, lookupLimit)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return errs.Wrap(errs.BadGateway, err, "MLflow's answer could not be read")
	}
	return nil
}
