package gateway_test

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// links is an owner whose open work names their hidden work wherever MLflow lets it, and a colleague who may read the open
// work alone.
type links struct {
	*world.World
	recorder             *world.Recorder
	owner, colleague     *world.Client
	admin                *world.Client
	open, hidden         world.Work
	prompt, hiddenPrompt string
	linkedTrace, shared  string // a trace of the open experiment; a dataset of both
	issue, assessment    string
	versions             []string // of the open model, each with another kind of source
}

func newLinks(t *testing.T) *links {
	t.Helper()
	recorder := world.NewRecorder(t, mlflowtest.Shared(t))
	l := &links{World: world.New(t, recorder.URL, nil), recorder: recorder}
	l.owner, l.colleague, l.admin = l.Person(t, "owner", world.Members), l.Person(t, "colleague", world.Members), l.Person(t, "admin", world.Admins)
	l.open, l.hidden = l.owner.MakeWork(t), l.owner.MakeWork(t)
	l.linkRuns(t)
	l.linkModels(t)
	l.linkTraces(t)
	l.linkEvaluations(t)
	return l
}

func (l *links) post(t *testing.T, path string, body fields) fields {
	t.Helper()
	if !strings.HasPrefix(path, "/") {
		path = "/api/2.0/mlflow/" + path
	}
	return l.owner.JSON(t, http.MethodPost, path, body)
}

// grant gives the colleague a level on the open work.
func (l *links) grant(t *testing.T, k kind.Name, resource string, level kind.Level) {
	t.Helper()
	if err := l.App.Store.CreateGrant(t.Context(), store.Principal{User: l.colleague.Username}, k, resource, level, nil); err != nil {
		t.Fatal(err)
	}
}

func (l *links) linkRuns(t *testing.T) {
	open, hidden := l.open, l.hidden
	model := []any{fields{"model_id": hidden.LoggedModel, "step": 1}}
	l.post(t, "runs/outputs", fields{"run_id": open.Run, "models": model})
	dataset := fields{"dataset": fields{"name": "set", "digest": "1", "source_type": "mlflow_evaluation_dataset", "source": `{"dataset_id": "` + hidden.Dataset + `"}`}}
	l.post(t, "runs/log-inputs", fields{"run_id": open.Run, "models": []any{fields{"model_id": hidden.LoggedModel}}, "datasets": []any{dataset}})
	l.post(t, "runs/log-metric", fields{"run_id": open.Run, "model_id": hidden.LoggedModel, "key": "loss", "value": 0.5, "timestamp": 1, "step": 1})
	l.post(t, "runs/set-tag", fields{"run_id": open.Run, "key": "mlflow.parentRunId", "value": hidden.Run})
	l.post(t, "runs/log-metric", fields{"run_id": hidden.Run, "model_id": open.LoggedModel, "key": "loss", "value": 0.5, "timestamp": 1, "step": 1})
}

func (l *links) linkModels(t *testing.T) {
	open, hidden := l.open, l.hidden
	version := func(body fields) string {
		body["name"] = open.Model
		return l.post(t, "model-versions/create", body)["model_version"].(fields)["version"].(string)
	}
	l.versions = []string{
		version(fields{"source": "mlflow-artifacts:/" + hidden.Artifacts, "run_id": hidden.Run, "run_link": "http://mlflow.example/#/experiments/" + hidden.Experiment + "/runs/" + hidden.Run}),
		version(fields{"source": "models:/" + hidden.LoggedModel, "model_id": hidden.LoggedModel}),
		version(fields{"source": "runs:/" + hidden.Run + "/", "run_id": hidden.Run}),
		version(fields{"source": "models:/" + hidden.Model + "/1"}),
	}
	l.post(t, "registered-models/alias", fields{"name": open.Model, "alias": "champion", "version": l.versions[0]})
	l.post(t, "model-versions/create", fields{"name": hidden.Model, "source": "models:/" + open.LoggedModel, "model_id": open.LoggedModel})
}

func (l *links) linkTraces(t *testing.T) {
	open, hidden := l.open, l.hidden
	for _, name := range []*string{&l.prompt, &l.hiddenPrompt} {
		*name = world.Name("prompt")
		l.admin.JSON(t, http.MethodPost, "/api/2.0/mlflow/registered-models/create", fields{"name": *name, "tags": []any{fields{"key": "mlflow.prompt.is_prompt", "value": "true"},
			fields{"key": "_mlflow_experiment_ids", "value": "," + open.Experiment + "," + hidden.Experiment + ","}}})
		l.admin.JSON(t, http.MethodPost, "/api/2.0/mlflow/model-versions/create", fields{"name": *name, "source": "dummy-source", "tags": []any{fields{"key": "mlflow.prompt.text", "value": "hi"},
			fields{"key": "mlflow.prompt.is_prompt", "value": "true"},
			fields{"key": "mlflow.prompt.associatedRunIds", "value": hidden.Run + "," + open.Run}}})
		if err := l.App.Store.CreateGrant(t.Context(), store.Principal{User: l.owner.Username}, kind.RegisteredModel, *name, kind.Manage, nil); err != nil {
			t.Fatal(err)
		}
	}
	start := world.StartTrace(world.NewTrace(), open.Experiment)
	info := start["trace"].(fields)["trace_info"].(fields)
	l.linkedTrace = info["trace_id"].(string)
	info["trace_metadata"] = fields{"mlflow.sourceRun": hidden.Run, "mlflow.modelId": hidden.LoggedModel}
	prompts := `[{"name": "` + l.hiddenPrompt + `", "version": "1"}, {"name": "` + l.prompt + `", "version": "1"}]`
	info["tags"] = fields{"mlflow.linkedPrompts": prompts}
	l.post(t, "/api/3.0/mlflow/traces", start)
	spans := l.owner.Request(t, http.MethodPost, "/v1/traces", world.OneSpan(l.linkedTrace, nil))
	spans.Header.Set("X-Mlflow-Experiment-Id", open.Experiment)
	if got := l.owner.Send(t, spans); got.Status != http.StatusOK {
		t.Fatalf("a span was answered with %d %s", got.Status, got.Body)
	}
	made := l.post(t, "/api/3.0/mlflow/traces/"+l.linkedTrace+"/assessments", fields{"assessment": fields{"assessment_name": "good", "trace_id": l.linkedTrace,
		"source": fields{"source_type": "CODE", "source_id": "x"}, "create_time": "2026-01-01T00:00:00Z", "last_update_time": "2026-01-01T00:00:00Z",
		"feedback": fields{"value": true}, "metadata": fields{"mlflow.assessment.sourceRunId": hidden.Run, "mlflow.assessment.scorerTraceId": hidden.Trace}}})
	l.assessment = made["assessment"].(fields)["assessment_id"].(string)
	l.post(t, "runs/set-tag", fields{"run_id": open.Run, "key": "mlflow.linkedPrompts", "value": prompts})
}

func (l *links) linkEvaluations(t *testing.T) {
	open, hidden := l.open, l.hidden
	l.post(t, "/api/3.0/mlflow/datasets/"+open.Dataset+"/records", fields{"records": `[{"inputs": {"question": "q"}, "source": {"source_type": "TRACE", "source_data": {"trace_id": "` + hidden.Trace + `"}}}]`})
	made := l.post(t, "/api/3.0/mlflow/datasets/create", fields{"name": world.Name("dataset"), "experiment_ids": []string{open.Experiment, hidden.Experiment}})
	l.shared = made["dataset"].(fields)["dataset_id"].(string)
	issue := l.post(t, "/api/3.0/mlflow/issues", fields{"experiment_id": open.Experiment, "name": "issue", "description": "d", "source_run_id": hidden.Run})
	l.issue = issue["issue"].(fields)["issue_id"].(string)
	l.post(t, "/api/3.0/mlflow/review-queues/items/add", fields{"queue_id": open.ReviewQueue, "item_type": "TRACE", "item_ids": []string{open.Trace}})
	l.post(t, "/api/3.0/mlflow/gateway/endpoints/update", fields{"endpoint_id": open.EndpointID, "experiment_id": hidden.Experiment, "usage_tracking": true})
	l.admin.JSON(t, http.MethodPost, "/api/3.0/mlflow/gateway/endpoints/bindings/create", fields{"endpoint_id": open.EndpointID, "resource_type": "scorer", "resource_id": "s-1"})
}

// reads are the requests by which the open work is read, and what of it each must still show.
func (l *links) reads() map[string]read {
	open, name, run := l.open, url.Values{"name": {l.open.Model}}, url.Values{"run_id": {l.open.Run}}
	experiments := fields{"experiment_ids": []string{open.Experiment}}
	version := func(v int) string { return name.Encode() + "&version=" + l.versions[v] }
	all := map[string]read{
		"run":                   {"GET", "/api/2.0/mlflow/runs/get?" + run.Encode(), nil, open.Run},
		"runs":                  {"POST", "/api/2.0/mlflow/runs/search", experiments, open.Run},
		"metric history":        {"GET", "/api/2.0/mlflow/metrics/get-history?metric_key=loss&" + run.Encode(), nil, "0.5"},
		"metrics in bulk":       {"GET", "/ajax-api/2.0/mlflow/metrics/get-history-bulk?metric_key=loss&" + run.Encode(), nil, open.Run},
		"metrics by interval":   {"GET", "/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval?metric_key=loss&run_ids=" + open.Run, nil, open.Run},
		"logged model":          {"GET", "/api/2.0/mlflow/logged-models/" + open.LoggedModel, nil, open.LoggedModel},
		"logged models":         {"POST", "/api/2.0/mlflow/logged-models/search", experiments, open.LoggedModel},
		"registered model":      {"GET", "/api/2.0/mlflow/registered-models/get?" + name.Encode(), nil, open.Model},
		"registered models":     {"GET", "/api/2.0/mlflow/registered-models/search", nil, open.Model},
		"latest versions":       {"GET", "/api/2.0/mlflow/registered-models/get-latest-versions?" + name.Encode(), nil, open.Model},
		"latest versions, POST": {"POST", "/ajax-api/2.0/mlflow/registered-models/get-latest-versions", fields{"name": open.Model}, open.Model},
		"version by alias":      {"GET", "/api/2.0/mlflow/registered-models/alias?alias=champion&" + name.Encode(), nil, open.Model},
		"versions":              {"GET", "/api/2.0/mlflow/model-versions/search", nil, open.Run},
		"own version":           {"GET", "/api/2.0/mlflow/model-versions/get?version=1&" + name.Encode(), nil, "mlflow-artifacts:/" + open.Artifacts},
		"prompt":                {"GET", "/api/2.0/mlflow/registered-models/get?name=" + l.prompt, nil, "," + open.Experiment + ","},
		"prompt version":        {"GET", "/api/2.0/mlflow/model-versions/get?version=1&name=" + l.prompt, nil, open.Run},
		"trace":                 {"GET", "/api/3.0/mlflow/traces/" + l.linkedTrace, nil, l.prompt},
		"trace and spans":       {"GET", "/api/3.0/mlflow/traces/get?trace_id=" + l.linkedTrace, nil, l.prompt},
		"several traces":        {"GET", "/api/3.0/mlflow/traces/batchGet?trace_ids=" + l.linkedTrace, nil, l.prompt},
		"infos of traces":       {"POST", "/api/3.0/mlflow/traces/batchGetInfos", fields{"trace_ids": []string{l.linkedTrace}}, l.prompt},
		"traces": {"POST", "/api/3.0/mlflow/traces/search", fields{"locations": []any{fields{"type": "MLFLOW_EXPERIMENT",
			"mlflow_experiment": fields{"experiment_id": open.Experiment}}}}, l.prompt},
		"trace, version 2":      {"GET", "/api/2.0/mlflow/traces/" + l.linkedTrace + "/info", nil, l.prompt},
		"traces, version 2":     {"GET", "/api/2.0/mlflow/traces?experiment_ids=" + open.Experiment, nil, l.prompt},
		"assessment":            {"GET", "/api/3.0/mlflow/traces/" + l.linkedTrace + "/assessments/" + l.assessment, nil, l.assessment},
		"dataset":               {"GET", "/api/3.0/mlflow/datasets/" + open.Dataset, nil, open.Dataset},
		"datasets":              {"POST", "/api/3.0/mlflow/datasets/search", experiments, open.Dataset},
		"records":               {"GET", "/api/3.0/mlflow/datasets/" + open.Dataset + "/records", nil, world.Secret},
		"issue":                 {"GET", "/api/3.0/mlflow/issues/" + l.issue, nil, l.issue},
		"issues":                {"POST", "/api/3.0/mlflow/issues/search", fields{"experiment_id": open.Experiment}, l.issue},
		"endpoint":              {"GET", ai + "endpoints/get?endpoint_id=" + open.EndpointID, nil, open.Definition},
		"endpoints":             {"GET", ai + "endpoints/list", nil, open.Definition},
		"bindings":              {"GET", ai + "endpoints/bindings/list?endpoint_id=" + open.EndpointID, nil, open.EndpointID},
		"update of a model":     {"PATCH", "/api/2.0/mlflow/registered-models/update", fields{"name": open.Model, "description": "d"}, open.Model},
		"tags of a model":       {"PATCH", "/api/2.0/mlflow/logged-models/" + open.LoggedModel + "/tags", fields{"tags": []any{fields{"key": "k", "value": "v"}}}, "{}"},
		"update of an issue":    {"PATCH", "/api/3.0/mlflow/issues/" + l.issue, fields{"issue_id": l.issue, "description": "d"}, l.issue},
		"update of an endpoint": {"POST", ai + "endpoints/update", fields{"endpoint_id": open.EndpointID, "routing_strategy": "ROUTING_STRATEGY_UNSPECIFIED"}, open.EndpointID},
	}
	for v := range l.versions {
		all["version of kind "+strconv.Itoa(v)] = read{"GET", "/api/2.0/mlflow/model-versions/get?" + version(v), nil, open.Model}
		all["update of kind "+strconv.Itoa(v)] = read{"PATCH", "/api/2.0/mlflow/model-versions/update", fields{"name": open.Model, "version": l.versions[v], "description": "d"}, open.Model}
	}
	return all
}

type read struct {
	method, path string
	body         fields
	shows        string
}

func (r read) by(t *testing.T, c *world.Client) world.Answer {
	t.Helper()
	var body any
	if r.body != nil {
		body = r.body
	}
	return c.Do(t, r.method, r.path, body)
}

// TestAnswersNameNothingHidden reads the open work by every row that shows it. MLflow's answers to the owner and to the
// administrator name the hidden work; the colleague's must not, and are otherwise as long.
func TestAnswersNameNothingHidden(t *testing.T) {
	l := newLinks(t)
	for k, resource := range map[kind.Name]string{kind.Experiment: l.open.Experiment, kind.RegisteredModel: l.open.Model, kind.GatewayEndpoint: l.open.Endpoint,
		kind.GatewayModel: l.open.Definition} {
		l.grant(t, k, resource, kind.Edit)
	}
	l.grant(t, kind.RegisteredModel, l.prompt, kind.Read)
	hidden, named := l.hidden, map[string]bool{}
	markers := []string{hidden.Run, hidden.LoggedModel, hidden.Trace, hidden.Model, hidden.Dataset, hidden.ExperimentName, hidden.Secret, l.hiddenPrompt, l.shared,
		"mlflow-artifacts:/" + hidden.Experiment + "/", "," + hidden.Experiment + ",", `"experiment_id": "` + hidden.Experiment + `"`, `"experiment_id":"` + hidden.Experiment + `"`,
		"/experiments/" + hidden.Experiment}
	for name, read := range l.reads() {
		t.Run(name, func(t *testing.T) {
			got, owners, admins := read.by(t, l.colleague), read.by(t, l.owner), read.by(t, l.admin)
			for _, marker := range markers {
				named[marker] = named[marker] || strings.Contains(string(admins.Body), marker)
				if strings.Contains(string(got.Body), marker) {
					t.Errorf("the answer names %s: %s", marker, got.Body)
				}
			}
			if got.Status != http.StatusOK || !strings.Contains(string(got.Body), read.shows) {
				t.Errorf("answered %d, without %s: %s", got.Status, read.shows, got.Body)
			}
			if read.method == http.MethodGet && !slices.Contains([]string{"registered models", "versions", "endpoints"}, name) { // these hold more for the administrator
				if diff := cmp.Diff(string(admins.Body), string(owners.Body)); diff != "" {
					t.Errorf("the owner sees (-administrator +owner):\n%s", diff)
				}
			}
		})
	}
	for _, marker := range markers[:5] {
		if !named[marker] {
			t.Errorf("MLflow names %s nowhere, so that nothing is tested", marker)
		}
	}
}

// TestAddressOfHiddenFiles asks where the files of a version lie, which a model's reader may not read.
func TestAddressOfHiddenFiles(t *testing.T) {
	l := newLinks(t)
	l.grant(t, kind.RegisteredModel, l.open.Model, kind.Read)
	uri := func(c *world.Client, version string) world.Answer {
		return c.Do(t, http.MethodGet, "/api/2.0/mlflow/model-versions/get-download-uri?name="+l.open.Model+"&version="+version, nil)
	}
	for _, version := range append([]string{"1"}, l.versions...) {
		if got := uri(l.colleague, version); got.Status != http.StatusForbidden {
			t.Errorf("version %s: %d %s", version, got.Status, got.Body)
		}
		if got := uri(l.owner, version); got.Status != http.StatusOK || !strings.Contains(string(got.Body), "artifact_uri") {
			t.Errorf("version %s, to its owner: %d %s", version, got.Status, got.Body)
		}
	}
	// the files themselves are the model's, and so its readers'
	if got := l.colleague.Do(t, http.MethodGet, "/model-versions/get-artifact?path=secret.txt&version=1&name="+l.open.Model, nil); string(got.Body) != world.Secret {
		t.Errorf("a file of the version: %d %s", got.Status, got.Body)
	}
	if got := l.colleague.Do(t, http.MethodGet, "/api/2.0/mlflow-artifacts/artifacts?path="+l.open.Artifacts, nil); got.Status == http.StatusOK {
		t.Errorf("the folder of the run: %d %s", got.Status, got.Body)
	}
	l.grant(t, kind.Experiment, l.open.Experiment, kind.Read)
	if got := uri(l.colleague, "1"); got.Status != http.StatusOK || !strings.Contains(string(got.Body), l.open.Artifacts) {
		t.Errorf("with READ on the experiment: %d %s", got.Status, got.Body)
	}
}

// TestLookupsOfAnAnswerAreFew counts what the gateway asks MLflow on its own behalf to decide what a page of runs names.
func TestLookupsOfAnAnswerAreFew(t *testing.T) {
	l := newLinks(t)
	l.grant(t, kind.Experiment, l.open.Experiment, kind.Read)
	const more = 5
	for range more {
		run := l.post(t, "runs/create", fields{"experiment_id": l.open.Experiment})["run"].(fields)["info"].(fields)["run_id"]
		model := l.post(t, "logged-models", fields{"experiment_id": l.open.Experiment, "name": "logged", "source_run_id": run})["model"].(fields)["info"].(fields)["model_id"]
		l.post(t, "runs/outputs", fields{"run_id": run, "models": []any{fields{"model_id": model, "step": 1}}})
		l.post(t, "runs/set-tag", fields{"run_id": run, "key": "mlflow.parentRunId", "value": l.open.Run})
	}
	l.Restart(t) // and so nothing is remembered
	search := func(c *world.Client, token any) (rows int, next any, lookups int) {
		t.Helper()
		l.recorder.Calls()
		said := c.JSON(t, http.MethodPost, "/api/2.0/mlflow/runs/search", fields{"experiment_ids": []string{l.open.Experiment}, "max_results": more, "page_token": token})
		for _, call := range l.recorder.Calls() {
			if !call.Forwarded && call.Path != "/version" { // asked once after a restart
				lookups++
			}
		}
		return len(said["runs"].([]any)), said["next_page_token"], lookups
	}
	rows, next, lookups := search(l.colleague, nil)
	// one for all runs, one for all logged models, and one each for the hidden run, logged model and dataset
	if rows != more || next == nil || lookups > 5 {
		t.Errorf("the first page has %d rows, the token %v, and took %d look-ups", rows, next, lookups)
	}
	if rows, _, lookups = search(l.colleague, nil); rows != more || lookups > 1 { // a dataset's experiments change
		t.Errorf("the same page again has %d rows and took %d look-ups", rows, lookups)
	}
	if rows, next, _ = search(l.colleague, next); rows != 1 || next != nil {
		t.Errorf("the last page has %d rows and the token %v", rows, next)
	}
	if _, _, lookups = search(l.admin, nil); lookups > 0 {
		t.Errorf("an administrator's page took %d look-ups", lookups)
	}
}
