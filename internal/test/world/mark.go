package world

import (
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// Marks are what Mark has put into a work.
type Marks struct {
	Text       string // a key, a name and a text nearly everywhere
	Assessment string // the id of an assessment of the trace
}

// Mark writes one text, which is nowhere else, into all that a work can hold of text. An answer that holds it shows something
// of this work.
func (c *Client) Mark(t testing.TB, w Work) Marks {
	t.Helper()
	mark := strings.ReplaceAll(Name("mark"), "-", "")
	tag := map[string]any{"key": mark, "value": mark}
	v2 := func(method, path string, body map[string]any) { c.JSON(t, method, "/api/2.0/mlflow/"+path, body) }
	v3 := func(method, path string, body map[string]any) { c.JSON(t, method, "/api/3.0/mlflow/"+path, body) }
	with := func(body, more map[string]any) map[string]any {
		for key, value := range more {
			body[key] = value
		}
		return body
	}
	v2("POST", "experiments/set-experiment-tag", with(map[string]any{"experiment_id": w.Experiment}, tag))
	v2("POST", "runs/update", map[string]any{"run_id": w.Run, "run_name": mark})
	v2("POST", "runs/log-batch", map[string]any{"run_id": w.Run, "tags": []any{tag}, "params": []any{tag},
		"metrics": []any{map[string]any{"key": "metric", "value": 1, "timestamp": 1, "step": 1}, map[string]any{"key": mark, "value": 1, "timestamp": 1, "step": 1}}})
	v2("POST", "runs/log-inputs", map[string]any{"run_id": w.Run, "datasets": []any{map[string]any{"tags": []any{tag},
		"dataset": map[string]any{"name": mark, "digest": "d", "source_type": "local", "source": mark, "schema": mark, "profile": mark}}},
		"models": []any{map[string]any{"model_id": w.LoggedModel}}})
	v2("POST", "logged-models/"+w.LoggedModel+"/params", map[string]any{"model_id": w.LoggedModel, "params": []any{tag}})
	v2("PATCH", "logged-models/"+w.LoggedModel+"/tags", map[string]any{"model_id": w.LoggedModel, "tags": []any{tag}})
	v2("PATCH", "registered-models/update", map[string]any{"name": w.Model, "description": mark})
	v2("POST", "registered-models/set-tag", with(map[string]any{"name": w.Model}, tag))
	v2("POST", "registered-models/alias", map[string]any{"name": w.Model, "alias": "alias", "version": "1"})
	v2("PATCH", "model-versions/update", map[string]any{"name": w.Model, "version": "1", "description": mark})
	v2("POST", "model-versions/set-tag", with(map[string]any{"name": w.Model, "version": "1"}, tag))
	v3("PATCH", "traces/"+w.Trace+"/tags", tag)
	assessed := c.JSON(t, "POST", "/api/3.0/mlflow/traces/"+w.Trace+"/assessments", map[string]any{"assessment": map[string]any{"assessment_name": mark, "trace_id": w.Trace,
		"source": map[string]any{"source_type": "HUMAN", "source_id": mark}, "feedback": map[string]any{"value": mark}, "rationale": mark}})
	v3("PATCH", "datasets/"+w.Dataset+"/tags", map[string]any{"tags": `{"` + mark + `": "` + mark + `"}`})
	v3("POST", "datasets/"+w.Dataset+"/records", map[string]any{"records": `[{"inputs": {"question": "` + mark + `"}}]`})
	v3("PATCH", "issues/"+w.Issue, map[string]any{"issue_id": w.Issue, "name": mark, "description": mark})
	v3("PATCH", "label-schemas/update", map[string]any{"schema_id": w.LabelSchema, "instruction": mark})
	v3("POST", "review-queues/items/add", map[string]any{"queue_id": w.ReviewQueue, "item_ids": []any{w.Trace}})
	v3("POST", "scorers/register", map[string]any{"experiment_id": w.Experiment, "name": w.Scorer,
		"serialized_scorer": `{"name": "scorer", "builtin_scorer_class": "Safety", "description": "` + mark + `"}`})
	v3("POST", "gateway/endpoints/set-tag", with(map[string]any{"endpoint_id": w.EndpointID}, tag))
	c.World.Person(t, Name("binder"), Admins).JSON(t, "POST", "/api/3.0/mlflow/gateway/endpoints/bindings/create", map[string]any{"endpoint_id": w.EndpointID, "resource_type": "scorer", "resource_id": mark})
	spans := c.Request(t, http.MethodPost, "/v1/traces", OneSpan(w.Trace, map[string]string{mark: mark}))
	spans.Header.Set("X-Mlflow-Experiment-Id", w.Experiment)
	if sent := c.Send(t, spans); sent.Status != http.StatusOK {
		t.Fatalf("sending a span was answered with %d: %s", sent.Status, sent.Body)
	}
	for _, path := range []string{w.Artifacts + "/" + mark + ".txt", w.Experiment + "/models/" + w.LoggedModel + "/artifacts/secret.txt"} {
		if put := c.Do(t, http.MethodPut, "/api/2.0/mlflow-artifacts/artifacts/"+path, mark); put.Status != http.StatusOK {
			t.Fatalf("uploading an artifact was answered with %d: %s", put.Status, put.Body)
		}
	}
	return Marks{mark, assessed["assessment"].(map[string]any)["assessment_id"].(string)}
}

// Shows gives what a text holds of a work: its names and ids.
func (w Work) Shows(text string) []string {
	var found []string
	all := reflect.ValueOf(w)
	for i := range all.NumField() {
		value, name := all.Field(i).String(), all.Type().Field(i).Name
		if all.Field(i).Kind() != reflect.String || name == "Experiment" || value == "" { // a number is within other texts too
			continue
		}
		if strings.Contains(text, value) {
			found = append(found, value)
		}
	}
	number := regexp.MustCompile(`(?i)"experiment_?ids?"\s*:\s*(\[[^\]]*)?"` + w.Experiment + `"|mlflow-artifacts:/` + w.Experiment + `/`)
	return append(found, number.FindAllString(text, -1)...)
}
