package upstream

import (
	"context"
	"net/url"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
)

// ReviewQueue is what MLflow says of a review queue. All of it but the id may change.
type ReviewQueue struct {
	ID        string `json:"queue_id"`
	Type      string `json:"queue_type"`
	CreatedBy string `json:"created_by"`
	Users     []any  `json:"users"`
}

// ReviewQueue gives a review queue by its id.
func (l *lookups) ReviewQueue(ctx context.Context, id string) (ReviewQueue, error) {
	queue, err := l.reviewQueue(ctx, "get", url.Values{"queue_id": {id}})
	if err == nil && queue.ID != id {
		err = errs.New(errs.NotFound, "%s", policy.ReviewQueue.Missing(id))
	}
	return queue, err
}

// ReviewQueueByName gives a review queue of an experiment by its name.
func (l *lookups) ReviewQueueByName(ctx context.Context, experiment, name string) (ReviewQueue, error) {
	return l.reviewQueue(ctx, "get-by-name", url.Values{"experiment_id": {experiment}, "name": {name}})
}

func (l *lookups) reviewQueue(ctx context.Context, by string, query url.Values) (ReviewQueue, error) {
	var answer struct {
		Queue ReviewQueue `json:"review_queue"`
	}
	err := l.ask(ctx, "/api/3.0/mlflow/review-queues/"+by, query, &answer)
	return answer.Queue, err
}

// Scorer gives the definition of a version of a scorer, as MLflow would run it.
func (l *lookups) Scorer(ctx context.Context, experiment, name, version string) (string, error) {
	var answer map[string]any
	err := l.ask(ctx, "/api/3.0/mlflow/scorers/get", url.Values{"experiment_id": {experiment}, "name": {name}, "version": {version}}, &answer)
	if err == nil && at(answer, "scorer.scorer_name") != name { // a database that compares without case
		err = errs.New(errs.NotFound, "%s", policy.Scorer.Missing(kind.Within(experiment, name)))
	}
	return at(answer, "scorer.serialized_scorer"), err
}
