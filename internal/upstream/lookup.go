package upstream

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/workspace"
)

// nameLifetime is how long an experiment's name is trusted: another replica, or an administrator beside us, may rename it.
const nameLifetime = time.Second

// traceLifetime is how long a trace's experiment is trusted. The ids are the clients' own: a trace that was deleted can come
// back in another experiment, by another replica.
const traceLifetime = time.Second

// lookupLimit bounds the answer to a look-up, in bytes: a run with all its metrics, params and tags fits.
const lookupLimit = 64 << 20

// Owned is what a run, a logged model, a trace and the like belongs to.
type Owned struct {
	Experiment string
	Artifacts  string // the root of its artifacts
}

// belonging is where MLflow says which experiment governs an id. It cannot change: MLflow moves none of these between
// experiments, but a trace that is written again, which the route table refuses, or whose id was free again.
type belonging struct {
	path       string // {} stands for the id
	query      string // the query field with the id, where it is not in the path
	id         string // where the answer repeats the id, with dots between the members
	experiment string
	artifacts  string        // the root of its artifacts; "" where it has none
	most       int           // how many are remembered
	lifetime   time.Duration // how long it is trusted; 0: as long as it is remembered
}

var belongings = map[policy.Ref]belonging{
	policy.Run:         {"/api/2.0/mlflow/runs/get", "run_id", "run.info.run_id", "run.info.experiment_id", "run.info.artifact_uri", 200_000, 0},
	policy.LoggedModel: {"/api/2.0/mlflow/logged-models/{}", "", "model.info.model_id", "model.info.experiment_id", "model.info.artifact_uri", 100_000, 0},
	policy.Trace: {"/api/3.0/mlflow/traces/{}", "", "trace.trace_info.trace_id",
		"trace.trace_info.trace_location.mlflow_experiment.experiment_id", "", 200_000, traceLifetime},
	policy.Issue:       {"/api/3.0/mlflow/issues/{}", "", "issue.issue_id", "issue.experiment_id", "", 50_000, 0},
	policy.LabelSchema: {"/api/3.0/mlflow/label-schemas/get", "schema_id", "label_schema.schema_id", "label_schema.experiment_id", "", 50_000, 0},
	policy.ReviewQueue: {"/api/3.0/mlflow/review-queues/get", "queue_id", "review_queue.queue_id", "review_queue.experiment_id", "", 50_000, 0},
}

// oldTrace is where MLflow says it of a trace in its older form, which all versions have.
var oldTrace = belonging{path: "/api/2.0/mlflow/traces/{}/info", id: "trace_info.request_id", experiment: "trace_info.experiment_id"}

// place is an id in a workspace: what MLflow says of it in one says nothing of it in another.
type place struct{ workspace, id string }

func in(ctx context.Context, id string) place { return place{workspace.Of(ctx).Name, id} }

// lookups remembers what MLflow said, as long as it cannot change.
type lookups struct {
	mlflow *MLflow
	owned  map[policy.Ref]*otter.Cache[place, Owned]
	names  *otter.Cache[place, string]

	kinds   *otter.Cache[place, kind.Name]        // of names of the model registry
	prompts *otter.Cache[string, map[string]bool] // all of them, by the workspace that they are in

	inOwned, inNames, inKinds told
}

// told is told whether a look-up in memory has found something; nil: nobody is.
type told func(hit bool)

func (t told) found(hit bool) {
	if t != nil {
		t(hit)
	}
}

func newLookups(m *MLflow, cached func(cache string) func(hit bool)) (lookups, error) {
	l := lookups{mlflow: m, owned: map[policy.Ref]*otter.Cache[place, Owned]{}}
	if cached != nil {
		l.inOwned, l.inNames, l.inKinds = cached(cacheOwned), cached(cacheNames), cached(cacheKinds)
	}
	for ref, b := range belongings {
		options := &otter.Options[place, Owned]{MaximumSize: b.most}
		if b.lifetime > 0 {
			options.ExpiryCalculator = otter.ExpiryWriting[place, Owned](b.lifetime)
		}
		cache, err := otter.New(options)
		if err != nil {
			return l, err
		}
		l.owned[ref] = cache
	}
	var err error
	if l.kinds, err = otter.New(&otter.Options[place, kind.Name]{
		MaximumSize: 100_000, ExpiryCalculator: otter.ExpiryWriting[place, kind.Name](nameLifetime)}); err != nil {
		return l, err
	}
	if l.prompts, err = otter.New(&otter.Options[string, map[string]bool]{
		MaximumSize: 1000, ExpiryCalculator: otter.ExpiryWriting[string, map[string]bool](nameLifetime)}); err != nil {
		return l, err
	}
	l.names, err = otter.New(&otter.Options[place, string]{
		MaximumSize: 100_000, ExpiryCalculator: otter.ExpiryWriting[place, string](nameLifetime)})
	return l, err
}

// Owned says which experiment governs what an id names. The id must be free of characters that mean something in a path.
func (l *lookups) Owned(ctx context.Context, ref policy.Ref, id string) (Owned, error) {
	b, ok := belongings[ref]
	if !ok {
		return Owned{}, errs.New(errs.Internal, "nothing says which experiment a %s belongs to", ref)
	}
	known, ok := l.owned[ref].GetIfPresent(in(ctx, id))
	if l.inOwned.found(ok); ok {
		return known, nil
	}
	var query url.Values
	if b.query != "" {
		query = url.Values{b.query: {id}}
	}
	var answer map[string]any
	err := l.ask(ctx, strings.Replace(b.path, "{}", id, 1), query, &answer)
	if errs.Is(err, errs.NotFound) && ref == policy.Trace { // MLflow before 3.5 has no such route (measured: 2.22.0)
		b = oldTrace
		err = l.ask(ctx, strings.Replace(b.path, "{}", id, 1), nil, &answer)
	}
	if err != nil {
		return Owned{}, err
	}
	owned := Owned{at(answer, b.experiment), at(answer, b.artifacts)}
	if at(answer, b.id) != id || owned.Experiment == "" { // a database with case-insensitive ids would find another spelling
		return Owned{}, errs.New(errs.NotFound, "%s", ref.Missing(id))
	}
	l.owned[ref].Set(in(ctx, id), owned)
	return owned, nil
}

// at gives the text at a path of members, "" where there is none.
func at(value any, path string) string {
	for member := range strings.SplitSeq(path, ".") {
		object, _ := value.(map[string]any)
		value = object[member]
	}
	text, _ := value.(string)
	return text
}

// DatasetExperiments gives the experiments that a dataset is tied to. There may be several, and they
// change: they are asked for each time.
func (l *lookups) DatasetExperiments(ctx context.Context, id string) ([]string, error) {
	var answer struct {
		IDs []string `json:"experiment_ids"`
	}
	err := l.ask(ctx, "/api/3.0/mlflow/datasets/"+id+"/experiment-ids", nil, &answer)
	return answer.IDs, err
}

// namings are where MLflow says the name of an id, by which grants are held, or whether something of a name exists. Names
// change, and so are asked for each time. {} stands for the id where it is in the path.
var namings = map[policy.Ref]struct{ path, query, id, name string }{
	policy.GatewayEndpoint: {"/api/3.0/mlflow/gateway/endpoints/get", "endpoint_id", "endpoint.endpoint_id", "endpoint.name"},
	policy.GatewaySecret:   {"/api/3.0/mlflow/gateway/secrets/get", "secret_id", "secret.secret_id", "secret.secret_name"},
	policy.MCPServerOrNew:  {"/api/3.0/mlflow/mcp-servers/{}", "", "name", "name"},
	policy.GatewayModel: {"/api/3.0/mlflow/gateway/model-definitions/get", "model_definition_id", "model_definition.model_definition_id",
		"model_definition.name"},
}

// Named gives the name of what an id names.
func (l *lookups) Named(ctx context.Context, ref policy.Ref, id string) (string, error) {
	n, ok := namings[ref]
	if !ok {
		return "", errs.New(errs.Internal, "nothing says the name of a %s", ref)
	}
	var answer map[string]any
	var query url.Values
	if n.query != "" {
		query = url.Values{n.query: {id}}
	}
	if err := l.ask(ctx, strings.Replace(n.path, "{}", id, 1), query, &answer); err != nil {
		return "", err
	}
	name := at(answer, n.name)
	if at(answer, n.id) != id || name == "" {
		return "", errs.New(errs.NotFound, "%s", ref.Missing(id))
	}
	return name, nil
}

// SecretOf gives the id of the secret that a model definition uses; "" when it has none.
func (l *lookups) SecretOf(ctx context.Context, definition string) (string, error) {
	var answer map[string]any
	err := l.ask(ctx, "/api/3.0/mlflow/gateway/model-definitions/get", url.Values{"model_definition_id": {definition}}, &answer)
	return at(answer, "model_definition.secret_id"), err
}

type experiment struct {
	Experiment struct {
		ID   string `json:"experiment_id"`
		Name string `json:"name"`
	} `json:"experiment"`
}

// ExperimentName gives the name of an experiment, which its patterns match.
func (l *lookups) ExperimentName(ctx context.Context, id string) (string, error) {
	known, ok := l.names.GetIfPresent(in(ctx, id))
	if l.inNames.found(ok); ok {
		return known, nil
	}
	var answer experiment
	if err := l.ask(ctx, "/api/2.0/mlflow/experiments/get", url.Values{"experiment_id": {id}}, &answer); err != nil {
		return "", err
	}
	if answer.Experiment.ID != id {
		return "", errs.New(errs.NotFound, "No Experiment with id=%s exists", id)
	}
	l.names.Set(in(ctx, id), answer.Experiment.Name)
	return answer.Experiment.Name, nil
}

// RememberName notes a name that an answer of MLflow has just shown, so that it need not be asked for.
func (l *lookups) RememberName(ctx context.Context, id, name string) { l.names.Set(in(ctx, id), name) }

// ForgetName drops a name after a rename.
func (l *lookups) ForgetName(ctx context.Context, id string) { l.names.Invalidate(in(ctx, id)) }

// ExperimentByName finds the id of an experiment. It is not remembered: names move.
func (l *lookups) ExperimentByName(ctx context.Context, name string) (string, error) {
	var answer experiment
	if err := l.ask(ctx, "/api/2.0/mlflow/experiments/get-by-name", url.Values{"experiment_name": {name}}, &answer); err != nil {
		return "", err
	}
	if answer.Experiment.Name != name { // a database that compares without case found another spelling than patterns match
		return "", errs.New(errs.NotFound, "%s", policy.ExperimentName.Missing(name))
	}
	l.names.Set(in(ctx, answer.Experiment.ID), name)
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
