package upstream

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
)

// bulk is how MLflow is asked at once for several ids of a kind.
type bulk struct {
	path, list, id, experiment, artifacts string
	body                                  func(experiments, ids []string) any
	anywhere                              bool // without experiments too
}

// severalIDs is how many ids one call asks for.
const severalIDs = 100

var bulks = map[policy.Ref]bulk{
	policy.Run: {path: "/api/2.0/mlflow/runs/search", list: "runs", id: "info.run_id", experiment: "info.experiment_id", artifacts: "info.artifact_uri",
		body: func(experiments, ids []string) any {
			return map[string]any{"experiment_ids": experiments, "filter": "attributes.run_id IN (" + quoted(ids) + ")", "run_view_type": "ALL", "max_results": severalIDs}
		}},
	policy.LoggedModel: {path: "/api/2.0/mlflow/logged-models/search", list: "models", id: "info.model_id", experiment: "info.experiment_id", artifacts: "info.artifact_uri",
		body: func(experiments, ids []string) any {
			return map[string]any{"experiment_ids": experiments, "filter": "model_id IN (" + quoted(ids) + ")", "max_results": severalIDs}
		}},
	policy.Trace: {path: "/api/3.0/mlflow/traces/batchGetInfos", list: "trace_infos", id: "trace_id", experiment: "trace_location.mlflow_experiment.experiment_id",
		body: func(_, ids []string) any { return map[string]any{"trace_ids": ids} }, anywhere: true},
}

// quoted writes ids for a filter. They hold letters, digits, - and _ alone; a comma behind the last makes a list of one too.
func quoted(ids []string) string { return "'" + strings.Join(ids, "','") + "'" }

// Remember asks for what several ids belong to, in as few calls as MLflow takes, so that Owned need not ask for each. What
// is not found in the experiments is left to Owned, as all is when MLflow does not take the question.
func (l *lookups) Remember(ctx context.Context, ref policy.Ref, experiments, ids []string) {
	b, ok := bulks[ref]
	if !ok || len(experiments) == 0 && !b.anywhere {
		return
	}
	var unknown []string
	for _, id := range ids {
		if _, known := l.owned[ref].GetIfPresent(in(ctx, id)); !known {
			unknown = append(unknown, id)
		}
	}
	if len(unknown) < 2 {
		return
	}
	for some := range slices.Chunk(unknown, severalIDs) {
		if err := l.rememberSome(ctx, ref, b, experiments, some); err != nil {
			l.mlflow.log.InfoContext(ctx, "MLflow was asked for several ids at once in vain", "of", ref, "error", err)
			return
		}
	}
}

func (l *lookups) rememberSome(ctx context.Context, ref policy.Ref, b bulk, experiments, ids []string) error {
	question, err := json.Marshal(b.body(experiments, ids))
	if err != nil {
		return err
	}
	raw, err := l.mlflow.call(ctx, http.MethodPost, b.path, nil, question, lookupLimit)
	if err != nil {
		return err
	}
	var answer map[string]any
	if err := json.Unmarshal(raw, &answer); err != nil {
		return err
	}
	rows, _ := answer[b.list].([]any)
	for _, row := range rows {
		id, owned := at(row, b.id), Owned{Experiment: at(row, b.experiment)}
		if b.artifacts != "" {
			owned.Artifacts = at(row, b.artifacts)
		}
		if owned.Experiment != "" && slices.Contains(ids, id) {
			l.owned[ref].Set(in(ctx, id), owned)
		}
	}
	return nil
}
