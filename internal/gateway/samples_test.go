package gateway_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// sampleFields are values of the fields that MLflow asks for in many requests.
var sampleFields = map[string]any{"max_results": 100, "metric_key": "metric", "key": "$MARK", "value": "1", "timestamp": 1, "step": 1, "version": "1",
	"alias": "alias", "description": "text", "run_name": "text", "name": "$NEW"}

// samples are what MLflow needs to answer a request beside what the row needs, by the end of the path. $RUN and the
// like stand for what is one's own, $NEW for a new name.
var samples = map[string]string{
	"POST runs/log-metric":                                `{"value": 1}`,
	"POST runs/log-batch":                                 `{"metrics[].key": "k", "metrics[].value": 1, "metrics[].timestamp": 1, "metrics[].step": 1}`,
	"POST runs/log-parameter":                             `{"key": "$NEW"}`,
	"POST runs/outputs":                                   `{"models[].step": 1}`,
	"POST runs/log-model":                                 `{"model_json": "{\"artifact_path\": \"m\", \"run_id\": \"$RUN\", \"utc_time_created\": \"2026-01-01\", \"flavors\": {\"python_function\": {}}}"}`,
	"POST runs/create-promptlab-run":                      `{"run_name": "r", "prompt_template": "t", "prompt_parameters": [{"key": "k", "value": "v"}], "model_route": "r", "model_parameters": [{"key": "k", "value": "v"}], "model_input": "i", "model_output": "o", "model_output_parameters": [{"key": "k", "value": "v"}], "mlflow_version": "3.17.2", "user_id": "u", "start_time": 1, "tags": []}`,
	"PATCH logged-models/{model_id}":                      `{"status": "LOGGED_MODEL_READY", "model_id": "$LOGGED"}`,
	"POST logged-models/{model_id}/params":                `{"model_id": "$LOGGED", "params[].key": "$NEW", "params[].value": "v"}`,
	"PATCH logged-models/{model_id}/tags":                 `{"model_id": "$LOGGED", "tags[].key": "k", "tags[].value": "v"}`,
	"GET logged-models/{model_id}/artifacts/files":        `{"artifact_file_path": "secret.txt"}`,
	"POST model-versions/transition-stage":                `{"stage": "Staging", "archive_existing_versions": false}`,
	"GET get-artifact":                                    `{"path": "secret.txt"}`,
	"POST upload-artifact":                                `{"path": "x.txt"}`,
	"POST traces":                                         `{"timestamp_ms": 1}`,
	"PATCH traces/{request_id}":                           `{"timestamp_ms": 1, "status": "OK"}`,
	"POST traces/delete-traces":                           `{"max_timestamp_millis": 1, "max_traces": 1}`,
	"POST traces/link-prompts":                            `{"prompt_versions[].version": "1"}`,
	"POST /api/3.0/mlflow/traces":                         `{"trace.trace_info.state": "OK", "trace.trace_info.request_time": "2026-01-01T00:00:00Z", "trace.trace_info.trace_location.type": "MLFLOW_EXPERIMENT"}`,
	"POST traces/search":                                  `{"locations[].type": "MLFLOW_EXPERIMENT"}`,
	"POST traces/metrics":                                 `{"view_type": "TRACES", "metric_name": "trace_count", "aggregations[].aggregation_type": "COUNT"}`,
	"POST traces/calculate-filter-correlation":            `{"filter_string1": "trace.status = 'OK'", "filter_string2": "trace.status = 'ERROR'"}`,
	"POST traces/{trace_id}/assessments":                  `{"assessment.assessment_name": "a", "assessment.source": {"source_type": "HUMAN", "source_id": "me"}, "assessment.feedback": {"value": 1}}`,
	"PATCH traces/{trace_id}/assessments/{assessment_id}": `{"assessment.rationale": "r", "update_mask": "rationale"}`,
	"GET mlflow-artifacts/artifacts":                      `{"path": "$TREE"}`,
	"POST artifacts/presigned-download-url":               `{"path": "secret.txt"}`,
	"POST artifacts/presigned-upload-url":                 `{"path": "x.txt"}`,
	"POST mpu/create/{path*}":                             `{"path": "x.txt", "num_parts": 1}`,
	"POST mpu/complete/{path*}":                           `{"path": "x.txt", "upload_id": "x", "parts[].part_number": 1, "parts[].etag": "x"}`,
	"POST mpu/abort/{path*}":                              `{"path": "x.txt", "upload_id": "x"}`,
	"POST datasets/{dataset_id}/records":                  `{"records": "[{\"inputs\": {\"q\": \"$NEW\"}}]"}`,
	"DELETE datasets/{dataset_id}/records":                `{"dataset_record_ids[]": "x"}`,
	"PATCH datasets/{dataset_id}/tags":                    `{"tags": "{\"k\": \"v\"}"}`,
	"POST label-schemas/create":                           `{"type": "FEEDBACK", "input": {"text": {}}}`,
	"PATCH issues/{issue_id}":                             `{"issue_id": "$ISSUE"}`,
	"GET label-schemas/get-by-name":                       `{"name": "label"}`,
	"PATCH label-schemas/update":                          `{"instruction": "text", "name": null}`,
	"POST review-queues/create":                           `{"queue_type": "CUSTOM"}`,
	"POST review-queues/get-or-create-user":               `{"user": "me@example.com"}`,
	"GET review-queues/get-by-name":                       `{"name": "queue"}`,
	"POST review-queues/update":                           `{"name": "queue"}`,
	"POST review-queues/items/add":                        `{"item_ids[]": "$TRACE"}`,
	"POST review-queues/items/remove":                     `{"item_ids[]": "$TRACE"}`,
	"POST review-queues/items/set-status":                 `{"item_id": "$TRACE", "status": "PENDING"}`,
	"POST scorers/register":                               `{"serialized_scorer": "{\"name\": \"scorer\", \"builtin_scorer_class\": \"Safety\"}"}`,
	"DELETE scorers/delete":                               `{"version": 1}`,
	"POST secrets/create":                                 `{"secret_value": {"api_key": "sk"}, "provider": "openai"}`,
	"POST secrets/update":                                 `{"secret_value": {"api_key": "sk-new"}}`,
	"POST model-definitions/create":                       `{"provider": "openai", "model_name": "gpt-4o"}`,
	"POST endpoints/create":                               `{"model_configs[].linkage_type": "PRIMARY", "model_configs[].weight": 1}`,
	"POST endpoints/update":                               `{"model_configs[].linkage_type": "PRIMARY", "model_configs[].weight": 1}`,
	"POST endpoints/models/attach":                        `{"model_config.linkage_type": "PRIMARY", "model_config.weight": 1}`,
	"POST endpoints/models/detach":                        `{"model_definition_id": "$DEFINITION"}`,
	"POST endpoints/bindings/create":                      `{"resource_type": "scorer", "resource_id": "x"}`,
	"DELETE endpoints/bindings/delete":                    `{"resource_type": "scorer", "resource_id": "x"}`,
	"GET endpoints/bindings/list":                         `{}`,
	"POST mlflow/invocations":                             `{"messages": [{"role": "user", "content": "hello"}]}`,
	"POST chat/completions":                               `{"messages": [{"role": "user", "content": "hello"}]}`,
	"POST v1/messages":                                    `{"messages": [{"role": "user", "content": "hello"}]}`,
	"POST v1/embeddings":                                  `{"input": "hello"}`,
	"POST v1/responses":                                   `{"input": "hello"}`,
}

// complete gives a draft about somebody's own work what MLflow needs to answer it.
func (d *draft) complete(t *testing.T, fields []mlflowtest.RequestField, own world.Work, marks world.Marks) *draft {
	t.Helper()
	fresh := world.Name("new")
	fill := strings.NewReplacer("$RUN", own.Run, "$ISSUE", own.Issue, "$LOGGED", own.LoggedModel, "$TREE", own.Artifacts,
		"$TRACE", own.Trace, "$DEFINITION", own.DefinitionID, "$NEW", fresh, "$MARK", marks.Text)
	for _, field := range fields {
		value, known := sampleFields[field.Path]
		if text, ok := value.(string); ok {
			value = fill.Replace(text)
		}
		if known && !d.has(field.Path) && !needed(d.route, field.Path) {
			d.set(field.Path, value)
		}
	}
	extra, longest := "{}", 0
	for end, text := range samples {
		method, path, _ := strings.Cut(end, " ")
		if method == d.route.Method && len(path) > longest && (strings.HasSuffix(d.route.Path, "/"+path) || d.route.Path == path) {
			extra, longest = text, len(path)
		}
	}
	var more map[string]any
	if err := json.Unmarshal([]byte(fill.Replace(extra)), &more); err != nil {
		t.Fatal(d.route.Pattern(), err)
	}
	for path, value := range more {
		if strings.Contains(path, "[].") || value != nil {
			d.set(path, value)
		} else {
			delete(d.body, path)
		}
	}
	d.path = strings.NewReplacer("{assessment_id}", marks.Assessment, "{tag_key}", marks.Text, "{key}", marks.Text).Replace(d.path)
	return d
}

// needed tells whether a field is one in which a row looks for an id.
func needed(route policy.Route, field string) bool {
	return slices.ContainsFunc(route.Needs, func(n policy.Need) bool { return slices.Contains(n.At.Fields, field) })
}

// has tells whether a draft gives a field already.
func (d *draft) has(field string) bool {
	_, path := d.body[field]
	return path || d.query.Has(field) || strings.Contains(d.route.Path, "{"+field)
}

// set gives a field where the row's requests have it.
func (d *draft) set(field string, value any) {
	if d.route.Content == policy.JSON {
		place(d.body, field, value)
		return
	}
	if text, ok := value.(string); ok {
		d.query.Set(strings.TrimSuffix(field, "[]"), text)
	} else if raw, err := json.Marshal(value); err == nil {
		d.query.Set(field, string(raw))
	}
}
