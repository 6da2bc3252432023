package gateway_test

import (
	"database/sql"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// aJob puts a job that waits into MLflow's own database: the server of the tests runs none. It gives its id.
func aJob(t *testing.T, mlflow *mlflowtest.Server, params string) string {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+mlflow.Database+"?_pragma=busy_timeout(20000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	id := world.Name("job")
	if _, err := db.ExecContext(t.Context(), `INSERT INTO jobs (id, creation_time, job_name, params, workspace, status, result, retry_count, last_update_time)
		VALUES (?, 1, 'invoke_scorer', ?, 'default', 0, NULL, 0, 1)`, id, params); err != nil {
		t.Fatal(err)
	}
	return id
}

func TestReadAndCancelTheVictimsJob(t *testing.T) {
	s := newScene(t)
	mlflow := mlflowtest.Shared(t)
	params := `{"note": "` + world.Secret + `"}`
	owned := func(c *world.Client, params string) string {
		t.Helper()
		id := aJob(t, mlflow, params)
		user, err := s.App.Store.User(t.Context(), c.Username)
		if err == nil {
			err = s.App.Store.Own(t.Context(), "job", id, user.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	for name, a := range map[string]struct{ method, path string }{
		"read it":                  {"GET", "/ajax-api/3.0/jobs/"},
		"read it by the other API": {"GET", "/ajax-api/3.0/mlflow/jobs/"},
		"cancel it":                {"PATCH", "/ajax-api/3.0/jobs/cancel/"},
		"cancel it by the other":   {"PATCH", "/ajax-api/3.0/mlflow/jobs/cancel/"},
	} {
		t.Run(name, func(t *testing.T) {
			theirs, own, nobodys := owned(s.victim, params), owned(s.thief, `{}`), aJob(t, mlflow, params)
			body := any(nil)
			if a.method == "PATCH" {
				body = map[string]any{}
			}
			for _, id := range []string{theirs, nobodys, "no-such-job"} {
				got := s.refused(t, s.thief.Request(t, a.method, a.path+id, body), s.thief)
				if want := "Job with ID " + id + " not found"; got.Status != http.StatusNotFound || !strings.Contains(string(got.Body), want) {
					t.Errorf("%s: %d %s", id, got.Status, got.Body)
				}
			}
			s.bare(t, a.method, a.path+theirs, body)
			if got := s.thief.Do(t, a.method, a.path+own, body); got.Status != http.StatusOK {
				t.Errorf("an own one: %d %s", got.Status, got.Body)
			}
			if got := s.admin.Do(t, a.method, a.path+nobodys, body); got.Status != http.StatusOK {
				t.Errorf("an administrator: %d %s", got.Status, got.Body)
			}
		})
	}
	theirs, own, nobodys := owned(s.victim, params), owned(s.thief, `{}`), aJob(t, mlflow, params)
	const search = "/ajax-api/3.0/jobs/search"
	for name, body := range map[string]map[string]any{"all": {}, "by name": {"job_name": "invoke_scorer"}} {
		got := string(s.thief.Do(t, "POST", search, body).Body)
		if strings.Contains(got, theirs) || strings.Contains(got, nobodys) || !strings.Contains(got, own) || strings.Contains(got, world.Secret) {
			t.Errorf("the search of %s shows %s", name, got)
		}
	}
	if got := string(s.bare(t, "POST", search, map[string]any{})); !strings.Contains(got, theirs) {
		t.Errorf("MLflow itself does not show it: %s", got)
	}
	if got := string(s.admin.Do(t, "POST", search, map[string]any{}).Body); !strings.Contains(got, theirs) {
		t.Errorf("an administrator does not see it: %s", got)
	}
}

// What a job works on is read with MLflow's own rights; every parameter that names something is decided, and what could
// name something in a way that nobody decides is for administrators.
func TestRunAJobOnWhatIsForeign(t *testing.T) {
	s := newScene(t)
	v, own := s.victims, s.thiefs
	mine := judge("gateway:/" + own.Endpoint)
	evaluate := func(change fields) fields {
		body := fields{"experiment_id": own.Experiment, "trace_ids": []any{own.Trace}, "serialized_scorers": []any{mine}}
		for key, value := range change {
			body[key] = value
		}
		return body
	}
	scorer := func(text string) fields { return evaluate(fields{"serialized_scorers": []any{text}}) }
	job := func(name string, change fields) fields {
		params := fields{"run_id": own.Run, "experiment_id": own.Experiment, "trace_ids": []any{own.Trace}, "serialized_scorers": []any{mine}}
		for key, value := range change {
			params[key] = value
		}
		return fields{"job_name": name, "params": params}
	}
	issues := func(change fields) fields {
		body := fields{"experiment_id": own.Experiment, "trace_ids": []any{own.Trace}, "categories": []any{"x"}, "provider": "openai", "model": "gpt-4o"}
		for key, value := range change {
			body[key] = value
		}
		return body
	}
	const invoke, run, find = "/ajax-api/3.0/mlflow/genai/evaluate/invoke", "/ajax-api/3.0/jobs/", "/ajax-api/3.0/mlflow/issues/invoke"
	for name, a := range map[string]struct {
		path string
		body fields
	}{
		"on the victim's experiment":         {invoke, evaluate(fields{"experiment_id": v.Experiment})},
		"on the victim's trace":              {invoke, evaluate(fields{"trace_ids": []any{own.Trace, v.Trace}})},
		"on their endpoint":                  {invoke, scorer(judge("gateway:/" + v.Endpoint))},
		"on it, behind more slashes":         {invoke, scorer(judge("gateway:///" + v.Endpoint))},
		"with the server's own keys":         {invoke, scorer(judge("openai:/gpt-4o"))},
		"with the server's own model":        {invoke, scorer(`{"name": "s", "builtin_scorer_class": "Safety", "builtin_scorer_pydantic_data": {"name": "s"}}`)},
		"with an empty model":                {invoke, scorer(judge(""))},
		"with code":                          {invoke, scorer(`{"name": "s", "call_source": "return 1", "call_signature": "(outputs)", "original_func_name": "s"}`)},
		"with a name of the module":          {invoke, scorer(`{"name": "s", "builtin_scorer_class": "os", "builtin_scorer_pydantic_data": {"model": "gateway:/` + own.Endpoint + `"}}`)},
		"with headers for the provider":      {invoke, scorer(strings.Replace(mine, `"model"`, `"extra_headers":{"a":"b"},"model"`, 1))},
		"to an address of one's own":         {invoke, scorer(strings.Replace(mine, `"model"`, `"inference_params":{"api_base":"http://evil.example"},"model"`, 1))},
		"that remembers others' traces":      {invoke, scorer(`{"name": "s", "memory_augmented_judge_data": {"base_judge": ` + mine + `, "episodic_trace_ids": ["` + v.Trace + `"]}}`)},
		"with a module of somebody":          {invoke, scorer(`{"name": "s", "third_party_scorer_data": {"module": "x", "model": "gateway:/` + own.Endpoint + `"}}`)},
		"within an ensemble":                 {invoke, scorer(`{"name": "s", "ensemble_scorer_data": {"ensemble_fn": "mean", "scorers": [` + mine + `]}}`)},
		"with two scorers in one":            {invoke, scorer(strings.Replace(mine, `"name"`, `"builtin_scorer_class":"Safety","builtin_scorer_pydantic_data":{"model":"openai:/x"},"name"`, 1))},
		"without a scorer":                   {invoke, evaluate(fields{"serialized_scorers": []any{}})},
		"with a registered one of theirs":    {invoke, evaluate(fields{"scorer_versions": []any{7}})},
		"by a spelling that is not read":     {find, issues(fields{"endpointName": own.Endpoint})},
		"issues with the server's own keys":  {find, issues(nil)},
		"issues on their endpoint":           {find, issues(fields{"endpoint_name": v.Endpoint})},
		"issues behind a slash":              {find, issues(fields{"endpoint_name": "/" + own.Endpoint})},
		"issues with their secret":           {find, issues(fields{"endpoint_name": own.Endpoint, "secret_id": v.SecretID})},
		"job of an unknown name":             {run, job("run_online_trace_scorer", nil)},
		"job on a prompt":                    {run, job("optimize_prompts", nil)},
		"job without a name":                 {run, job("", nil)},
		"job by a spelling that is not read": {run, fields{"jobName": "invoke_genai_evaluate", "params": job("", nil)["params"]}},
		"job on the victim's run":            {run, job("invoke_genai_evaluate", fields{"run_id": v.Run})},
		"job on the victim's trace":          {run, job("invoke_genai_evaluate", fields{"trace_ids": []any{v.Trace}})},
		"job in another's name":              {run, job("invoke_genai_evaluate", fields{"username": s.victim.Username})},
		"job with something unknown":         {run, job("invoke_genai_evaluate", fields{"x": 1})},
		"job on their endpoint":              {run, job("invoke_genai_evaluate", fields{"serialized_scorers": []any{judge("gateway:/" + v.Endpoint)}})},
		"job without what it writes to":      {run, fields{"job_name": "invoke_genai_evaluate", "params": fields{"trace_ids": []any{own.Trace}, "serialized_scorers": []any{mine}}}},
		"issue job with the server's keys": {run, fields{"job_name": "invoke_issue_detection", "params": fields{"experiment_id": own.Experiment, "run_id": own.Run,
			"trace_ids": []any{own.Trace}, "categories": []any{}, "model": "openai:/gpt-4o"}}},
	} {
		t.Run(name, func(t *testing.T) { s.refused(t, s.thief.Request(t, "POST", a.path, a.body), s.thief) })
	}
}

// TestJobsOnMLflow needs a server that takes jobs. What members submit on their own work is theirs; MLflow itself takes it
// from anybody on anything.
func TestJobsOnMLflow(t *testing.T) {
	s := newGatewaySceneOn(t, mlflowtest.New(t, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION=true"), nil)
	body := func(work world.Work, endpoint string) fields {
		return fields{"experiment_id": work.Experiment, "trace_ids": []any{work.Trace}, "serialized_scorer": judge("gateway:/" + endpoint)}
	}
	const invoke = "/ajax-api/3.0/mlflow/scorer/invoke"
	said := s.owner.JSON(t, "POST", invoke, body(s.theirs, s.theirs.Endpoint))
	id := said["jobs"].([]any)[0].(fields)["job_id"].(string)
	s.owner.JSON(t, "GET", "/ajax-api/3.0/mlflow/jobs/"+id, nil)
	if got := s.attacker.Do(t, "GET", "/ajax-api/3.0/mlflow/jobs/"+id, nil); got.Status != http.StatusNotFound {
		t.Errorf("another reads the job: %d %s", got.Status, got.Body)
	}
	if got := s.attacker.Do(t, "POST", invoke, body(s.own, s.theirs.Endpoint)); got.Status != http.StatusNotFound {
		t.Errorf("on a foreign endpoint: %d %s", got.Status, got.Body)
	}
	s.give(t, kind.GatewayEndpoint, s.theirs.Endpoint, kind.Read)
	if got := s.attacker.Do(t, "POST", invoke, body(s.own, s.theirs.Endpoint)); got.Status != http.StatusForbidden {
		t.Errorf("on one that may be read alone: %d %s", got.Status, got.Body)
	}
	run := fields{"job_name": "invoke_genai_evaluate", "params": fields{"run_id": s.theirs.Run, "trace_ids": []any{s.theirs.Trace},
		"serialized_scorers": []any{judge("gateway:/" + s.theirs.Endpoint)}}}
	job := s.owner.JSON(t, "POST", "/ajax-api/3.0/jobs/", run)
	shown, _ := json.Marshal(s.owner.JSON(t, "POST", "/ajax-api/3.0/jobs/search", fields{}))
	for _, id := range []string{id, job["job_id"].(string)} {
		if !strings.Contains(string(shown), id) {
			t.Errorf("the owner's jobs are %s, without %s", shown, id)
		}
	}
	s.mlflow.Do(t, "POST", invoke, nil, body(s.own, s.theirs.Endpoint))
	s.mlflow.Do(t, "POST", "/ajax-api/3.0/jobs/", nil, run)
}
