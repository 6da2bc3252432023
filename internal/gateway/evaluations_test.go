package gateway_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

const v3 = "/api/3.0/mlflow/"

// attack is a request of the thief's. MLflow itself answers it with 200 where bare is true.
type attack struct {
	method, path string // the path below v3
	body         map[string]any
	bare         bool
}

// refusedAll sends attacks by the thief to the gateway under both prefixes, and then to MLflow itself, to see that they are
// attacks at all.
func (s *scene) refusedAll(t *testing.T, attacks map[string]attack) {
	t.Helper()
	for name, a := range attacks {
		t.Run(name, func(t *testing.T) {
			var body any
			if a.body != nil {
				body = a.body
			}
			for _, prefix := range []string{v3, "/ajax-api/3.0/mlflow/"} {
				s.refused(t, s.thief.Request(t, a.method, prefix+a.path, body), s.thief)
			}
			if a.bare {
				s.bare(t, a.method, v3+a.path, body)
			}
		})
	}
}

// bare asks MLflow beside the gateway, which must let it through.
func (s *scene) bare(t *testing.T, method, target string, body any) []byte {
	t.Helper()
	request := s.thief.Request(t, method, target, body)
	request.URL.Opaque, request.URL.Host, request.Host = "", "localhost", "localhost"
	request.URL.Path, request.URL.RawQuery, _ = strings.Cut(target, "?")
	request.Header.Del("Authorization")
	answer, err := mlflowtest.Shared(t).Client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var said json.RawMessage
	if err := json.NewDecoder(answer.Body).Decode(&said); err != nil || answer.StatusCode != http.StatusOK {
		t.Errorf("MLflow itself answers %s %s with %d %s: it is no attack", method, target, answer.StatusCode, said)
	}
	return said
}

// tied makes a dataset that is tied to experiments, beside the gateway.
func (s *scene) tied(t *testing.T, experiments ...string) string {
	t.Helper()
	body := map[string]any{"name": world.Name("dataset"), "experiment_ids": experiments}
	said := mlflowtest.Shared(t).Do(t, "POST", v3+"datasets/create", nil, body)
	return said["dataset"].(map[string]any)["dataset_id"].(string)
}

func TestStealADataset(t *testing.T) {
	s := newScene(t)
	v, own := s.victims, s.thiefs
	both, nobodys := s.tied(t, own.Experiment, v.Experiment), s.tied(t)
	record := `[{"inputs": {"question": "mine"}}]`
	s.refusedAll(t, map[string]attack{
		"read the victim's":                     {"GET", "datasets/" + v.Dataset, nil, true},
		"read its records":                      {"GET", "datasets/" + v.Dataset + "/records", nil, true},
		"read whose it is":                      {"GET", "datasets/" + v.Dataset + "/experiment-ids", nil, true},
		"read one that is tied to both":         {"GET", "datasets/" + both + "/records", nil, true},
		"read one that is tied to nothing":      {"GET", "datasets/" + nobodys, nil, true},
		"write to one that is tied to both":     {"POST", "datasets/" + both + "/records", map[string]any{"records": record}, true},
		"write to the victim's":                 {"POST", "datasets/" + v.Dataset + "/records", map[string]any{"records": record}, true},
		"write to it, naming an own one beside": {"POST", "datasets/" + v.Dataset + "/records", map[string]any{"records": record, "dataset_id": own.Dataset}, true},
		"write to it by an own path":            {"POST", "datasets/" + own.Dataset + "/records", map[string]any{"records": record, "datasetId": v.Dataset}, false},
		"delete its records":                    {"DELETE", "datasets/" + v.Dataset + "/records", map[string]any{"dataset_record_ids": []any{"x"}}, true},
		"tag it":                                {"PATCH", "datasets/" + v.Dataset + "/tags", map[string]any{"tags": `{"k": "v"}`}, true},
		"take its tag away":                     {"DELETE", "datasets/" + v.Dataset + "/tags/k", nil, true},
		"tie it to an own experiment":           {"POST", "datasets/" + v.Dataset + "/add-experiments", map[string]any{"experiment_ids": []any{own.Experiment}}, false},
		"tie an own one to the victim's":        {"POST", "datasets/" + own.Dataset + "/add-experiments", map[string]any{"experiment_ids": []any{v.Experiment}}, false},
		"untie it from the victim's":            {"POST", "datasets/" + v.Dataset + "/remove-experiments", map[string]any{"experiment_ids": []any{v.Experiment}}, false},
		"untie one that is tied to both":        {"POST", "datasets/" + both + "/remove-experiments", map[string]any{"experiment_ids": []any{v.Experiment}}, false},
		"untie nothing":                         {"POST", "datasets/" + own.Dataset + "/remove-experiments", map[string]any{"experiment_ids": []any{}}, false},
		"create one in the victim's":            {"POST", "datasets/create", map[string]any{"name": "mine", "experiment_ids": []any{own.Experiment, v.Experiment}}, true},
		"create one that nobody owns":           {"POST", "datasets/create", map[string]any{"name": "mine"}, true},
		"create one with an empty list":         {"POST", "datasets/create", map[string]any{"name": "mine", "experiment_ids": []any{}}, true},
		"search all":                            {"POST", "datasets/search", map[string]any{}, true},
		"search all with an empty list":         {"POST", "datasets/search", map[string]any{"experiment_ids": []any{}}, true},
		"search all by null":                    {"POST", "datasets/search", map[string]any{"experiment_ids": nil}, false},
		"search all by a query":                 {"GET", "datasets/search", nil, false},
		"search all beside a page's size":       {"GET", "datasets/search?max_results=1000", nil, true},
		"search the victim's":                   {"POST", "datasets/search", map[string]any{"experiment_ids": []any{v.Experiment}}, true},
		"search the victim's beside an own one": {"GET", "datasets/search?experiment_ids=" + own.Experiment + "&experiment_ids=" + v.Experiment, nil, true},
		"search in the spelling of protobuf":    {"POST", "datasets/search", map[string]any{"experimentIds": []any{v.Experiment}}, true},
		"delete one that is tied to both":       {"DELETE", "datasets/" + both, nil, false},
		"delete the victim's":                   {"DELETE", "datasets/" + v.Dataset, nil, false},
		"climb out of the path":                 {"GET", "datasets/" + own.Dataset + "/../" + v.Dataset, nil, false},
	})
	body := map[string]any{"experiment_ids": []any{own.Experiment, v.Experiment}}
	s.refused(t, s.thief.Request(t, "POST", "/ajax-api/2.0/mlflow/experiments/search-datasets", body), s.thief)
	s.bare(t, "POST", "/ajax-api/2.0/mlflow/experiments/search-datasets", body)
	for target, c := range map[string]*world.Client{v3 + "datasets/" + v.Dataset + "/records": s.victim, v3 + "datasets/" + nobodys: s.admin} {
		if got := c.Do(t, "GET", target, nil); got.Status != http.StatusOK {
			t.Errorf("who may asks for %s: %d %s", target, got.Status, got.Body)
		}
	}
}

// A record may say which trace it comes from, and MLflow stores whatever id it is.
func TestClaimTheVictimsTraceAsASource(t *testing.T) {
	s := newScene(t)
	own := s.thiefs.Dataset
	trace := func(experiment string) string {
		id := "tr-" + strings.ReplaceAll(world.Name("0"), "-", "")
		mlflowtest.Shared(t).Do(t, "POST", v3+"traces", nil, map[string]any{"trace": map[string]any{"trace_info": map[string]any{"trace_id": id,
			"trace_location": map[string]any{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": map[string]any{"experiment_id": experiment}},
			"request_time":   "2026-01-01T00:00:00Z", "state": "OK"}}})
		return id
	}
	victims, thiefs := trace(s.victims.Experiment), trace(s.thiefs.Experiment)
	from := func(ids ...string) string {
		var records []any
		for _, id := range ids {
			records = append(records, map[string]any{"inputs": map[string]any{"q": id},
				"source": map[string]any{"source_type": "TRACE", "source_data": map[string]any{"trace_id": id}}})
		}
		text, err := json.Marshal(records)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	attacks := map[string]attack{}
	for name, records := range map[string]string{
		"the victim's": from(victims), "behind an own one": from(thiefs, victims), "one that does not exist": from("tr-0"), "a path": from("../x"),
		"the key twice": `[{"source": {"source_type": "TRACE", "source_data": {"trace_id": "` + thiefs + `", "trace_id": "` + victims + `"}}}]`,
		"escaped":       strings.Replace(from(victims), "trace_id", `\u0074race_id`, 1),
	} {
		bare := name != "a path"
		attacks[name] = attack{"POST", "datasets/" + own + "/records", map[string]any{"records": records}, bare}
	}
	attacks["a source that is a text"] = attack{"POST", "datasets/" + own + "/records", map[string]any{"records": `[{"source": "x"}]`}, false}
	attacks["a number"] = attack{"POST", "datasets/" + own + "/records",
		map[string]any{"records": `[{"source": {"source_type": "TRACE", "source_data": {"trace_id": 1}}}]`}, false}
	attacks["no list"] = attack{"POST", "datasets/" + own + "/records", map[string]any{"records": `{}`}, false}
	attacks["more than a list"] = attack{"POST", "datasets/" + own + "/records", map[string]any{"records": `[]} `}, false}
	s.refusedAll(t, attacks)
	if got := s.thief.Do(t, "POST", v3+"datasets/"+own+"/records", map[string]any{"records": from(thiefs)}); got.Status != http.StatusOK {
		t.Errorf("a record from an own trace: %d %s", got.Status, got.Body)
	}
}

func TestStealIssuesAndLabels(t *testing.T) {
	s := newScene(t)
	v, own := s.victims, s.thiefs
	text := map[string]any{"text": map[string]any{}}
	s.refusedAll(t, map[string]attack{
		"read the victim's issue":           {"GET", "issues/" + v.Issue, nil, true},
		"change it":                         {"PATCH", "issues/" + v.Issue, map[string]any{"issue_id": v.Issue, "name": "mine"}, true},
		"change it, naming an own one":      {"PATCH", "issues/" + v.Issue, map[string]any{"issue_id": own.Issue, "name": "mine"}, true},
		"change it by an own path":          {"PATCH", "issues/" + own.Issue, map[string]any{"issue_id": v.Issue, "name": "mine"}, true},
		"create one in the victim's":        {"POST", "issues", map[string]any{"experiment_id": v.Experiment, "name": "n", "description": "d"}, true},
		"create one of the victim's run":    {"POST", "issues", map[string]any{"experiment_id": own.Experiment, "source_run_id": v.Run, "name": "n", "description": "d"}, true},
		"the same in protobuf's spelling":   {"POST", "issues", map[string]any{"experiment_id": own.Experiment, "sourceRunId": v.Run, "name": "n", "description": "d"}, true},
		"search all issues":                 {"POST", "issues/search", map[string]any{}, true},
		"search all issues by an empty id":  {"POST", "issues/search", map[string]any{"experiment_id": ""}, true},
		"search all issues by a run":        {"POST", "issues/search", map[string]any{"filter_string": "source_run_id = '" + v.Run + "'"}, true},
		"search the victim's issues":        {"POST", "issues/search", map[string]any{"experiment_id": v.Experiment}, true},
		"read the victim's label":           {"GET", "label-schemas/get?schema_id=" + v.LabelSchema, nil, true},
		"read it beside an own one":         {"GET", "label-schemas/get?schema_id=" + v.LabelSchema + "&schema_id=" + own.LabelSchema, nil, true},
		"read it by its name":               {"GET", "label-schemas/get-by-name?name=label&experiment_id=" + v.Experiment, nil, true},
		"list the victim's labels":          {"GET", "label-schemas/list?experiment_id=" + v.Experiment, nil, true},
		"create a label in the victim's":    {"POST", "label-schemas/create", map[string]any{"experiment_id": v.Experiment, "name": "x", "type": "FEEDBACK", "input": text}, true},
		"change the victim's label":         {"PATCH", "label-schemas/update", map[string]any{"schema_id": v.LabelSchema, "instruction": "mine"}, true},
		"change it in protobuf's spelling":  {"PATCH", "label-schemas/update", map[string]any{"schemaId": v.LabelSchema, "instruction": "mine"}, false},
		"delete the victim's label":         {"DELETE", "label-schemas/delete", map[string]any{"schema_id": v.LabelSchema}, false},
		"delete a label without a body":     {"DELETE", "label-schemas/delete", nil, false},
		"an issue's id with a slash inside": {"GET", "issues/" + own.Issue + "%2F..%2F" + v.Issue, nil, false},
	})
}

// What may not be read answers as what does not exist, and as MLflow says it.
func TestHiddenEvaluationsAreLikeMissingOnes(t *testing.T) {
	s := newScene(t)
	for target, id := range map[string]string{"datasets/": s.victims.Dataset, "issues/": s.victims.Issue, "label-schemas/get?schema_id=": s.victims.LabelSchema} {
		missing := id[:len(id)-4] + "0000"
		hidden, gone, mlflows := s.thief.Do(t, "GET", v3+target+id, nil), s.thief.Do(t, "GET", v3+target+missing, nil), s.admin.Do(t, "GET", v3+target+missing, nil)
		for _, got := range []world.Answer{hidden, gone, mlflows} {
			body := strings.NewReplacer(id, "ID", missing, "ID").Replace(string(got.Body))
			want := strings.ReplaceAll(string(gone.Body), missing, "ID")
			var one, other struct {
				Code    string `json:"error_code"`
				Message string `json:"message"`
			}
			if err := json.Unmarshal([]byte(body), &one); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal([]byte(want), &other); err != nil {
				t.Fatal(err)
			}
			if one != other || got.Status != gone.Status {
				t.Errorf("%s: %d %v, want as for what does not exist: %d %v", target, got.Status, one, gone.Status, other)
			}
		}
	}
}

// Whoever may read one of a dataset's experiments may not read the dataset, until they may read all of them.
func TestEveryExperimentOfADatasetCounts(t *testing.T) {
	s := newScene(t)
	both := s.tied(t, s.thiefs.Experiment, s.victims.Experiment)
	target := v3 + "datasets/" + both + "/records"
	s.refused(t, s.thief.Request(t, "GET", target, nil), s.thief)
	err := s.App.Store.CreateGrant(t.Context(), store.Principal{User: s.thief.Username}, kind.Experiment, s.victims.Experiment, kind.Read, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.thief.Do(t, "GET", target, nil); got.Status != http.StatusOK {
		t.Errorf("with READ on both: %d %s", got.Status, got.Body)
	}
	s.refused(t, s.thief.Request(t, "PATCH", v3+"datasets/"+both+"/tags", map[string]any{"tags": "{}"}), s.thief)
}
