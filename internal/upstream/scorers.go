package upstream

import (
	"context"
	"net/url"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

// Scorer is the current version of a scorer.
type Scorer struct {
	ID         string `json:"scorer_id"`
	Experiment int64  `json:"experiment_id"`
	Name       string `json:"scorer_name"`
	Version    int64  `json:"scorer_version"`
	Serialized string `json:"serialized_scorer"`
	CreatedAt  int64  `json:"creation_time"`
}

// Scorers lists the scorers of an experiment.
func (l *lookups) Scorers(ctx context.Context, experiment string) ([]Scorer, error) {
	var answer struct {
		Scorers []Scorer `json:"scorers"`
	}
	err := l.ask(ctx, "/api/3.0/mlflow/scorers/list", url.Values{"experiment_id": {experiment}}, &answer)
	return answer.Scorers, err
}

// ScorerExists tells whether a scorer has a version left.
func (l *lookups) ScorerExists(ctx context.Context, experiment, name string) (bool, error) {
	var answer struct{}
	err := l.ask(ctx, "/api/3.0/mlflow/scorers/versions", url.Values{"experiment_id": {experiment}, "name": {name}}, &answer)
	if errs.Is(err, errs.NotFound) {
		return false, nil
	}
	return err == nil, err
}
