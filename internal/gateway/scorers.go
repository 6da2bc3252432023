package gateway

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
)

// scorer gives a scorer as a resource, with the experiment that decides where no grant speaks of the scorer.
func (c *call) scorer(ctx context.Context, id string) (authz.Resource, error) {
	experiment, name := kind.Parts(id)
	parents, err := c.experiments(ctx, experiment)
	if err != nil {
		return authz.Resource{}, err
	}
	return authz.Resource{Kind: kind.Scorer, ID: id, Name: name, Parent: &parents[0]}, nil
}

// readsScorer decides a row of an answer, by what the row says that it is.
func (c *call) readsScorer(experiment, name string) (bool, error) {
	if experiment == "" || name == "" {
		return false, nil
	}
	on, err := c.scorer(c.r.Context(), kind.Within(experiment, name))
	if errs.Is(err, errs.NotFound) { // the experiment is gone meanwhile
		return false, nil
	}
	return err == nil && c.gateway.Rules.Decide(c.decider(), c.grants, on, kind.Read).Allowed, err
}

// text gives a value that MLflow writes as text in one answer, and as a number in another.
func text(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

// keepScorers takes the versions of scorers out of an answer that the caller may not read. A database that compares without
// case finds another scorer than was decided on.
func (c *call) keepScorers(row object) (bool, error) {
	name, _ := row["scorer_name"].(string)
	return c.readsScorer(text(row["experiment_id"]), name)
}

// keepConfigs takes the configurations out of an answer whose scorer or experiment the caller may not read. They name
// scorers by ids, which never change hands; the list of the experiment has their names.
func (c *call) keepConfigs(row object) (bool, error) {
	experiment, id := text(row["experiment_id"]), text(row["scorer_id"])
	if c.scorers == nil {
		c.scorers = map[string]map[string]string{}
	}
	if c.scorers[experiment] == nil {
		known, err := c.readableScorers(experiment)
		if err != nil {
			return false, err
		}
		c.scorers[experiment] = known
	}
	return c.scorers[experiment][id] != "", nil
}

// readableScorers gives the names of an experiment's scorers by their ids: none where the experiment is not readable.
func (c *call) readableScorers(experiment string) (map[string]string, error) {
	names, ctx := map[string]string{}, c.r.Context()
	resources, err := c.experiments(ctx, experiment)
	if errs.Is(err, errs.NotFound) {
		return names, nil
	}
	if err != nil || !c.gateway.Rules.Decide(c.decider(), c.grants, resources[0], kind.Read).Allowed {
		return names, err
	}
	all, err := c.gateway.MLflow.Scorers(ctx, experiment)
	if errs.Is(err, errs.NotFound) {
		return names, nil
	}
	for _, one := range all {
		readable, err := c.readsScorer(experiment, one.Name)
		if err != nil {
			return nil, err
		}
		if readable {
			names[one.ID] = one.Name
		}
	}
	return names, err
}

// grantScorer gives whoever registers a scorer's first version MANAGE on it. A later one is a change, which gives nothing.
func (c *call) grantScorer(ctx context.Context, answer *http.Response) error {
	body, err := readAnswer(answer, c.gateway.MaxFiltered)
	if err != nil {
		return err
	}
	var made struct {
		Version    int    `json:"version"`
		Experiment string `json:"experiment_id"`
		Name       string `json:"name"`
	}
	if err := json.Unmarshal(body, &made); err != nil || made.Version < 1 || made.Experiment == "" || made.Name == "" {
		return errs.Wrap(errs.BadGateway, err, "MLflow's answer names no scorer")
	}
	if made.Version > 1 {
		return nil
	}
	cause := c.gateway.Lifecycle.Created(ctx, kind.Scorer, kind.Within(made.Experiment, made.Name), c.subject.UserID)
	if cause == nil {
		return nil
	}
	undo, _ := json.Marshal(map[string]any{"experiment_id": made.Experiment, "name": made.Name, "version": 1})
	return c.undo(ctx, cause, http.MethodDelete, "/api/3.0/mlflow/scorers/delete", undo)
}

// dropScorer drops the grants on a scorer that has no version left: whoever takes the name again starts anew. As long as
// there is one, refusals stay too.
func (c *call) dropScorer(ctx context.Context) error {
	for _, target := range c.targets {
		if target.Ref != policy.Scorer {
			continue
		}
		experiment, name := kind.Parts(target.Value)
		exists, err := c.gateway.MLflow.ScorerExists(ctx, experiment, name)
		if err != nil || exists {
			return err
		}
		return c.gateway.Lifecycle.Deleted(ctx, kind.Scorer, target.Value)
	}
	return nil
}
