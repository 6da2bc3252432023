package rewrite

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
)

// mentionsOf gives what the answer of a row mentions.
func mentionsOf(t testing.TB, pattern string) []policy.Mention {
	t.Helper()
	for _, route := range policy.Routes() {
		if route.Pattern() == pattern {
			return route.Mentions
		}
	}
	t.Fatalf("there is no row %s", pattern)
	return nil
}

func notTheirs(_ *policy.Mention, text string) bool { return !strings.Contains(text, "theirs") }

// hidden gives the answer of a row as it is shown; nil when none of it may be.
func hidden(t testing.TB, pattern, raw string, see See) ([]byte, error) {
	t.Helper()
	answer, err := ReadAnswer([]byte(raw), mentionsOf(t, pattern))
	if err != nil || answer == nil {
		return []byte(raw), err
	}
	if !answer.Hide(see) {
		return nil, nil
	}
	return answer.Encode([]byte(raw))
}

func TestMentionsAreHidden(t *testing.T) {
	const (
		runs     = "POST /api/2.0/mlflow/runs/search"
		version  = "GET /api/2.0/mlflow/model-versions/get"
		models   = "GET /ajax-api/2.0/mlflow/registered-models/search"
		trace    = "GET /api/3.0/mlflow/traces/{trace_id}"
		download = "GET /api/2.0/mlflow/model-versions/get-download-uri"
		records  = "GET /api/3.0/mlflow/datasets/{dataset_id}/records"
		secrets  = "GET /api/3.0/mlflow/gateway/secrets/list"
		endpoint = "GET /api/3.0/mlflow/gateway/endpoints/get"
	)
	for name, one := range map[string]struct{ pattern, answer, want string }{
		"nothing is changed as long as nothing is hidden": {runs, `{ "runs": [ {"outputs":{"model_outputs":[{"model_id":"mine"}]}} ] }`, `{ "runs": [ {"outputs":{"model_outputs":[{"model_id":"mine"}]}} ] }`},
		"numbers and order of other rows stay":            {runs, `{"runs":[{"b":1.50,"a":12345678901234567890},{"outputs":{"model_outputs":[{"model_id":"theirs"},{"model_id":"mine"}]}}],"next_page_token":"x"}`, `{"next_page_token":"x","runs":[{"b":1.50,"a":12345678901234567890},{"outputs":{"model_outputs":[{"model_id":"mine"}]}}]}`},
		"a link without a name":                           {runs, `{"runs":[{"outputs":{"model_outputs":[{"step":1}]}}]}`, `{"runs":[{"outputs":{"model_outputs":[]}}]}`},
		"a tag":                                           {runs, `{"runs":[{"data":{"tags":[{"key":"mlflow.parentRunId","value":"theirs"},{"key":"k","value":"theirs"}]}}]}`, `{"runs":[{"data":{"tags":[{"key":"k","value":"theirs"}]}}]}`},
		"JSON in a tag":                                   {runs, `{"runs":[{"data":{"tags":[{"key":"mlflow.linkedPrompts","value":"[{\"name\":\"theirs\"},{\"name\":\"mine\"}]"}]}}]}`, `{"runs":[{"data":{"tags":[{"key":"mlflow.linkedPrompts","value":"[{\"name\":\"mine\"}]"}]}}]}`},
		"what is no JSON in a tag":                        {runs, `{"runs":[{"data":{"tags":[{"key":"mlflow.linkedPrompts","value":"[theirs"}]}}]}`, `{"runs":[{"data":{"tags":[]}}]}`},
		"text that is no JSON":                            {runs, `{"runs":[{"inputs":{"dataset_inputs":[{"dataset":{"source":"s3://bucket/x"}}]}}]}`, `{"runs":[{"inputs":{"dataset_inputs":[{"dataset":{"source":"s3://bucket/x"}}]}}]}`},
		"numbers of Python's":                             {records, `{"records":"[{\"inputs\": {\"x\": NaN, \"y\": -Infinity, \"z\": \"a \\\" NaN\"}, \"source_id\": \"theirs\"}]"}`, `{"records":"[{\"inputs\":{\"x\":NaN,\"y\":-Infinity,\"z\":\"a \\\" NaN\"}}]"}`},
		"other JSON in a tag":                             {runs, `{"runs":[{"data":{"tags":[{"key":"mlflow.linkedPrompts","value":"{\"x\":\"theirs\"}"}]}}]}`, `{"runs":[{"data":{"tags":[]}}]}`},
		"a number for an id":                              {runs, `{"runs":[{"data":{"metrics":[{"key":"k","model_id":7}]}}]}`, `{"runs":[{"data":{"metrics":[{"key":"k"}]}}]}`},
		"an object for a list":                            {runs, `{"runs":[{"outputs":{"model_outputs":{"model_id":"theirs"}}}]}`, `{"runs":[{"outputs":{}}]}`},
		"what goes along":                                 {version, `{"model_version":{"name":"m","run_id":"theirs","run_link":"l","source":"s3://b/1/theirs"}}`, `{"model_version":{"name":"m"}}`},
		"nothing goes along with nothing":                 {version, `{"model_version":{"name":"m","run_id":"","run_link":"l","source":"s"}}`, `{"model_version":{"name":"m","run_id":"","run_link":"l","source":"s"}}`},
		"the address alone":                               {version, `{"model_version":{"name":"m","run_id":"mine","source":"runs:/theirs/x"}}`, `{"model_version":{"name":"m","run_id":"mine"}}`},
		"rows within rows":                                {models, `{"registered_models":[{"name":"m","latest_versions":[{"run_id":"theirs","version":"1"},{"run_id":"mine","version":"2"}]}]}`, `{"registered_models":[{"latest_versions":[{"version":"1"},{"run_id":"mine","version":"2"}],"name":"m"}]}`},
		"parts of a text":                                 {models, `{"registered_models":[{"name":"m","tags":[{"key":"_mlflow_experiment_ids","value":",1,theirs,2,"}]}]}`, `{"registered_models":[{"name":"m","tags":[{"key":"_mlflow_experiment_ids","value":",1,2,"}]}]}`},
		"members of a map":                                {trace, `{"trace":{"trace_info":{"trace_metadata":{"mlflow.sourceRun":"theirs","k":"<v>"}}}}`, `{"trace":{"trace_info":{"trace_metadata":{"k":"<v>"}}}}`},
		"the whole answer":                                {download, `{"artifact_uri":"theirs"}`, ``},
		"an answer without what it is about":              {download, `{}`, ``},
		"rows":                                            {secrets, `{"secrets":[{"secret_name":"theirs"},{"secret_name":"mine"},{"x":1},"theirs"]}`, `{"secrets":[{"secret_name":"mine"}]}`},
		"mappings":                                        {endpoint, `{"endpoint":{"name":"e","model_mappings":[{"model_definition":{"name":"theirs"}},{"x":1},{"model_definition":{"name":"mine","secret_id":"s","secret_name":"theirs"}}]}}`, `{"endpoint":{"model_mappings":[{"model_definition":{"name":"mine"}}],"name":"e"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := hidden(t, one.pattern, one.answer, notTheirs)
			if err != nil || string(got) != one.want {
				t.Errorf("%s, %v\nwant %s", got, err, one.want)
			}
		})
	}
	for _, strange := range []string{`[]`, `"secrets"`, `{"secrets":{}}`, `{"secrets":[`, ``} {
		if got, err := hidden(t, secrets, strange, notTheirs); !errs.Is(err, errs.BadGateway) {
			t.Errorf("%s: %s, %v", strange, got, err)
		}
	}
}

// Whatever the answer's form is, what is shown names nothing more: a second look at it finds nothing to hide.
func FuzzAnswer(f *testing.F) {
	patterns := []string{"POST /api/2.0/mlflow/runs/search", "GET /api/2.0/mlflow/model-versions/get", "GET /api/2.0/mlflow/registered-models/search",
		"POST /api/3.0/mlflow/traces/search", "GET /api/3.0/mlflow/datasets/{dataset_id}/records", "GET /api/3.0/mlflow/gateway/endpoints/list"}
	for i, seed := range []string{`{"runs":[{"outputs":{"model_outputs":[{"model_id":"theirs"}]},"data":{"tags":[{"key":"mlflow.linkedPrompts","value":"[{\"name\":\"theirs\"}]"}]}}]}`,
		`{"model_version":{"run_id":"theirs","source":"theirs"}}`, `{"registered_models":[{"tags":[{"key":"_mlflow_experiment_ids","value":",theirs,2"}]}]}`,
		`{"traces":[{"trace_metadata":{"mlflow.sourceRun":"theirs"},"assessments":[{"metadata":{"mlflow.assessment.scorerTraceId":"theirs"}}]}]}`,
		`{"records":"[{\"source_id\":\"theirs\",\"source\":{\"source_data\":{\"trace_id\":\"theirs\"}}}]"}`,
		`{"endpoints":[{"name":"mine","model_mappings":[{"model_definition":{"name":"theirs"}}]}]}`} {
		f.Add(i, seed)
	}
	f.Fuzz(func(t *testing.T, which int, raw string) {
		pattern := patterns[uint(which)%uint(len(patterns))]
		shown, err := hidden(t, pattern, raw, notTheirs)
		if err != nil || shown == nil {
			return
		}
		if !json.Valid(shown) && json.Valid([]byte(raw)) {
			t.Fatalf("%s became %s", raw, shown)
		}
		_, _ = hidden(t, pattern, string(shown), func(m *policy.Mention, text string) bool {
			if strings.Contains(text, "theirs") {
				t.Errorf("%s is still at %s of %s", text, m.At, shown)
			}
			return true
		})
	})
}
