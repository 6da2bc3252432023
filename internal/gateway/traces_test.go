package gateway_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

const traces2, traces3 = "/api/2.0/mlflow/traces", "/api/3.0/mlflow/traces"

// startOf is the body that makes a trace, changed.
func startOf(trace, experiment string, change func(info map[string]any)) map[string]any {
	body := world.StartTrace(trace, experiment)
	change(body["trace"].(map[string]any)["trace_info"].(map[string]any))
	return body
}

// export is an export of one span into an experiment.
func export(t *testing.T, c *world.Client, experiment string, body any) *http.Request {
	t.Helper()
	request := c.Request(t, "POST", "/v1/traces", body)
	request.Header.Set("X-Mlflow-Experiment-Id", experiment)
	return request
}

// TestPointATraceElsewhere sets the tags by which MLflow finds a trace's data, so that one's own trace would show the victim's,
// or a file of the server.
func TestPointATraceElsewhere(t *testing.T) {
	s := newScene(t)
	own := s.thiefs
	// MLflow itself does it: the tag is stored, and its file is served
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "traces.json"), []byte(`{"spans": [], "of": "the server"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	mlflowtest.Shared(t).Do(t, "PATCH", traces3+"/"+own.Trace+"/tags", nil, map[string]any{"key": "mlflow.artifactLocation", "value": "file://" + dir})
	if got := s.thief.Do(t, "GET", "/ajax-api/2.0/mlflow/get-trace-artifact?request_id="+own.Trace, nil); !strings.Contains(string(got.Body), "the server") {
		t.Fatalf("MLflow no longer follows the tag, and this test is without a reason: %d %s", got.Status, got.Body)
	}
	for _, key := range []string{"mlflow.artifactLocation", "mlflow.trace.spansLocation", "mlflow.trace.archiveLocation", "mlflow.trace.archivalFailure",
		"mlflow.trace.new", "MLFLOW.artifactLocation", "mlflow.artifactLocation ", " mlflow.artifactLocation"} {
		tag := map[string]any{"key": key, "value": "mlflow-artifacts:/" + s.victims.Experiment + "/traces/" + s.victims.Trace + "/artifacts"}
		list := []any{map[string]any{"key": "fine", "value": "v"}, tag}
		for _, request := range []*http.Request{
			s.thief.Request(t, "PATCH", traces3+"/"+own.Trace+"/tags", tag),
			s.thief.Request(t, "PATCH", traces2+"/"+own.Trace+"/tags", tag),
			s.thief.Request(t, "DELETE", traces3+"/"+own.Trace+"/tags", map[string]any{"key": key}),
			s.thief.Request(t, "DELETE", traces2+"/"+own.Trace+"/tags", map[string]any{"key": key}),
			s.thief.Request(t, "POST", traces2, map[string]any{"experiment_id": own.Experiment, "timestamp_ms": 1, "tags": list}),
			s.thief.Request(t, "PATCH", traces2+"/"+own.Trace, map[string]any{"timestamp_ms": 1, "status": "OK", "tags": list}),
			s.thief.Request(t, "POST", traces3, startOf(world.NewTrace(), own.Experiment, func(info map[string]any) { info["tags"] = map[string]any{key: "file:///etc"} })),
			s.thief.Request(t, "POST", traces3, startOf(own.Trace, own.Experiment, func(info map[string]any) { info["tags"] = map[string]any{key: "file:///etc"} })),
			export(t, s.thief, own.Experiment, world.OneSpan(own.Trace, map[string]string{"mlflow.traceTag." + key: "file:///etc"})),
		} {
			if got := s.refused(t, request, s.thief); got.Status != http.StatusForbidden {
				t.Errorf("%s %s with the tag %q: answered %d %s", request.Method, request.URL, key, got.Status, got.Body)
			}
		}
	}
	// an administrator may, and anybody may set other tags
	s.admin.JSON(t, "PATCH", traces3+"/"+own.Trace+"/tags", map[string]any{"key": "mlflow.artifactLocation", "value": "mlflow-artifacts:/" + own.Experiment})
	for _, key := range []string{"team", "mlflow.traceName", "mlflow.trace.sourceScorer"} {
		s.thief.JSON(t, "PATCH", traces3+"/"+own.Trace+"/tags", map[string]any{"key": key, "value": "v"})
	}
}

// TestTakeOverATrace makes the victim's trace anew in an experiment of one's own, where MLflow would move it.
func TestTakeOverATrace(t *testing.T) {
	s := newScene(t)
	own, v := s.thiefs, s.victims
	for name, body := range map[string]map[string]any{
		"the victim's trace id":        world.StartTrace(v.Trace, own.Experiment),
		"in another case":              world.StartTrace(strings.ToUpper(v.Trace), own.Experiment),
		"with an outer space":          world.StartTrace(v.Trace+" ", own.Experiment),
		"into the victim's experiment": world.StartTrace(world.NewTrace(), v.Experiment),
		"no trace id":                  startOf("", own.Experiment, func(info map[string]any) { delete(info, "trace_id") }),
		"an empty one":                 world.StartTrace("", own.Experiment),
		"no location":                  startOf(world.NewTrace(), own.Experiment, func(info map[string]any) { delete(info, "trace_location") }),
		"another type of location":     startOf(world.NewTrace(), own.Experiment, func(info map[string]any) { info["trace_location"].(map[string]any)["type"] = "INFERENCE_TABLE" }),
		"a number as type":             startOf(world.NewTrace(), own.Experiment, func(info map[string]any) { info["trace_location"].(map[string]any)["type"] = 2 }),
		"another location beside it": startOf(world.NewTrace(), own.Experiment, func(info map[string]any) {
			info["trace_location"].(map[string]any)["inference_table"] = map[string]any{"full_table_name": "a.b.c"}
		}),
		"an assessment with an id":        startOf(world.NewTrace(), own.Experiment, func(info map[string]any) { info["assessments"] = []any{map[string]any{"assessment_id": "a-1"}} }),
		"an assessment of another trace":  startOf(world.NewTrace(), own.Experiment, func(info map[string]any) { info["assessments"] = []any{map[string]any{"traceId": v.Trace}} }),
		"an assessment over another one":  startOf(world.NewTrace(), own.Experiment, func(info map[string]any) { info["assessments"] = []any{map[string]any{"overrides": "a-1"}} }),
		"an assessment that is no object": startOf(world.NewTrace(), own.Experiment, func(info map[string]any) { info["assessments"] = []any{"x"} }),
	} {
		t.Run(name, func(t *testing.T) {
			s.refused(t, s.thief.Request(t, "POST", traces3, body), s.thief)
			if name != "into the victim's experiment" { // an administrator may write there, and may not move a trace
				s.refused(t, s.admin.Request(t, "POST", traces3, body), s.admin)
			}
		})
	}
	s.thief.JSON(t, "POST", traces3, world.StartTrace(own.Trace, own.Experiment)) // again, as the client does when spans came first
	// MLflow itself moves it
	moved := world.NewTrace()
	s.victim.JSON(t, "POST", traces3, world.StartTrace(moved, v.Experiment))
	mlflowtest.Shared(t).Do(t, "POST", traces3, nil, world.StartTrace(moved, own.Experiment))
	found := mlflowtest.Shared(t).Do(t, "GET", traces3+"/"+moved, nil, nil)
	if text, _ := json.Marshal(found); !strings.Contains(string(text), `"experiment_id":"`+own.Experiment+`"`) {
		t.Errorf("MLflow no longer moves a trace, and this test is without a reason: %s", text)
	}
}

// TestInjectSpans exports spans under the name of one's own experiment into the victim's trace or run.
func TestInjectSpans(t *testing.T) {
	s := newScene(t)
	own, v := s.thiefs, s.victims
	raw, err := json.Marshal(world.OneSpan(v.Trace, nil))
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	for name, body := range map[string]string{
		"into the victim's trace":        text,
		"its id in upper case":           strings.Replace(text, v.Trace[3:], strings.ToUpper(v.Trace[3:]), 1),
		"spans in protobuf's spelling":   strings.Replace(text, "resourceSpans", "resource_spans", 1),
		"scopes in protobuf's spelling":  strings.Replace(text, "scopeSpans", "scope_spans", 1),
		"trace id in protobuf's":         strings.Replace(text, "traceId", "trace_id", 1),
		"trace id with spaces":           strings.Replace(text, v.Trace[3:], v.Trace[3:5]+" "+v.Trace[5:], 1),
		"trace id that is shorter":       strings.Replace(text, v.Trace[3:], v.Trace[5:], 1),
		"twice, the victim's comes last": `{"resourceSpans":[],` + text[1:],
		"nothing":                        `{}`,
		"no span":                        `{"resourceSpans":[{}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			s.refused(t, export(t, s.thief, own.Experiment, body), s.thief)
			s.refused(t, export(t, s.admin, own.Experiment, body), s.admin)
		})
	}
	t.Run("without the gateway", func(t *testing.T) { // MLflow writes into the victim's trace, and makes the attribute a tag of it
		body, err := json.Marshal(world.OneSpan(v.Trace, map[string]string{"mlflow.traceTag.mlflow.artifactLocation": "file:///etc"}))
		if err != nil {
			t.Fatal(err)
		}
		request, err := http.NewRequestWithContext(t.Context(), "POST", "http://localhost/v1/traces", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("X-Mlflow-Experiment-Id", own.Experiment)
		answer, err := mlflowtest.Shared(t).Client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		found, err := json.Marshal(mlflowtest.Shared(t).Do(t, "GET", traces3+"/"+v.Trace, nil, nil))
		if err != nil || !strings.Contains(string(found), "file:///etc") {
			t.Errorf("MLflow no longer takes the span, and this test is without a reason: %d %s", answer.StatusCode, found)
		}
	})
	fine := world.OneSpan(world.NewTrace(), nil)
	for name, change := range map[string]func(http.Header){
		"into the victim's experiment": func(h http.Header) { h.Set("X-Mlflow-Experiment-Id", v.Experiment) },
		"in another spelling":          func(h http.Header) { h.Set("X-Mlflow-Experiment-Id", "0"+v.Experiment) },
		"two experiments":              func(h http.Header) { h["X-Mlflow-Experiment-Id"] = []string{v.Experiment, own.Experiment} },
		"the own one first":            func(h http.Header) { h["X-Mlflow-Experiment-Id"] = []string{own.Experiment, v.Experiment} },
		"no experiment":                func(h http.Header) { h.Del("X-Mlflow-Experiment-Id") },
		"the victim's run":             func(h http.Header) { h.Set("X-Mlflow-Run-Id", v.Run) },
		"two runs":                     func(h http.Header) { h["X-Mlflow-Run-Id"] = []string{own.Run, v.Run} },
		"another content type":         func(h http.Header) { h.Set("Content-Type", "text/plain") },
		"an encoding that it has not":  func(h http.Header) { h.Set("Content-Encoding", "gzip") },
		"an unknown encoding":          func(h http.Header) { h.Set("Content-Encoding", "zstd") },
	} {
		t.Run(name, func(t *testing.T) {
			request := export(t, s.thief, own.Experiment, fine)
			change(request.Header)
			s.refused(t, request, s.thief)
		})
	}
	t.Run("compressed", func(t *testing.T) {
		for trace, allowed := range map[string]bool{v.Trace: false, own.Trace: true} {
			var packed bytes.Buffer
			w := gzip.NewWriter(&packed)
			if err := json.NewEncoder(w).Encode(world.OneSpan(trace, nil)); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			request := export(t, s.thief, own.Experiment, packed.String())
			request.Header.Set("Content-Encoding", "gzip")
			if !allowed {
				s.refused(t, request, s.thief)
			} else if got := s.thief.Send(t, request); got.Status != http.StatusOK {
				t.Errorf("answered %d %s", got.Status, got.Body)
			}
		}
	})
	t.Run("a bomb", func(t *testing.T) {
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		if _, err := w.Write(bytes.Repeat([]byte(" "), 20<<20)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		request := export(t, s.thief, own.Experiment, packed.String())
		request.Header.Set("Content-Encoding", "gzip")
		if got := s.refused(t, request, s.thief); got.Status != http.StatusRequestEntityTooLarge {
			t.Errorf("answered %d %s", got.Status, got.Body)
		}
	})
	got := s.thief.Send(t, export(t, s.thief, own.Experiment, fine))
	if got.Status != http.StatusOK {
		t.Errorf("spans of one's own: answered %d %s", got.Status, got.Body)
	}
}

// TestReadTracesBesideOnesOwn names the victim's traces beside one's own, and places that no grant governs.
func TestReadTracesBesideOnesOwn(t *testing.T) {
	s := newScene(t)
	own, v := s.thiefs, s.victims
	at := func(experiment string) map[string]any {
		return map[string]any{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": map[string]any{"experiment_id": experiment}}
	}
	camel := map[string]any{"mlflowExperiment": map[string]any{"experimentId": v.Experiment}}
	table := map[string]any{"type": "INFERENCE_TABLE", "inference_table": map[string]any{"full_table_name": "a.b.c"}}
	for name, request := range map[string]*http.Request{
		"search":                     s.thief.Request(t, "POST", traces3+"/search", map[string]any{"locations": []any{at(own.Experiment), at(v.Experiment)}}),
		"search, protobuf's way":     s.thief.Request(t, "POST", traces3+"/search", map[string]any{"locations": []any{at(own.Experiment), camel}}),
		"search nowhere":             s.thief.Request(t, "POST", traces3+"/search", map[string]any{"locations": []any{}}),
		"search in a table":          s.thief.Request(t, "POST", traces3+"/search", map[string]any{"locations": []any{at(own.Experiment), table}}),
		"search, version 2":          s.thief.Request(t, "GET", traces2+"?experiment_ids="+own.Experiment+"&experiment_ids="+v.Experiment, nil),
		"search, version 2, nowhere": s.thief.Request(t, "GET", traces2, nil),
		"batch":                      s.thief.Request(t, "GET", traces3+"/batchGet?trace_ids="+own.Trace+"&trace_ids="+v.Trace, nil),
		"batch of infos":             s.thief.Request(t, "POST", traces3+"/batchGetInfos", map[string]any{"trace_ids": []any{own.Trace, v.Trace}}),
		"metrics":                    s.thief.Request(t, "POST", traces3+"/metrics", map[string]any{"experiment_ids": []any{own.Experiment, v.Experiment}}),
		"link to one's run":          s.thief.Request(t, "POST", traces2+"/link-to-run", map[string]any{"run_id": own.Run, "trace_ids": []any{own.Trace, v.Trace}}),
		"link to the victim's run":   s.thief.Request(t, "POST", traces2+"/link-to-run", map[string]any{"run_id": v.Run, "trace_ids": []any{own.Trace}}),
		"the victim's prompt":        s.thief.Request(t, "POST", traces2+"/link-prompts", map[string]any{"trace_id": own.Trace, "prompt_versions": []any{map[string]any{"name": v.Model, "version": "1"}}}),
		"artifact out of its folder": s.thief.Request(t, "GET", "/ajax-api/3.0/mlflow/get-trace-artifact?request_id="+own.Trace+"&path=..%2F..%2F"+v.Trace, nil),
		"assess by another path":     s.thief.Request(t, "POST", traces3+"/"+v.Trace+"/assessments", map[string]any{"assessment": map[string]any{"trace_id": own.Trace}}),
		"delete in the victim's":     s.thief.Request(t, "POST", traces3+"/delete-traces", map[string]any{"experiment_id": v.Experiment, "request_ids": []any{v.Trace}}),
		"delete with two paths":      s.thief.Request(t, "DELETE", traces3+"/"+own.Trace+"/tags", map[string]any{"trace_id": v.Trace, "key": "k"}),
	} {
		t.Run(name, func(t *testing.T) { s.refused(t, request, s.thief) })
	}
	// what may not be read, and what is not there, are one
	missing := world.NewTrace()
	for _, path := range []string{traces3 + "/%", traces3 + "/get?trace_id=%", traces2 + "/%/info", "/ajax-api/2.0/mlflow/get-trace-artifact?request_id=%"} {
		hidden := s.refused(t, s.thief.Request(t, "GET", strings.Replace(path, "%", v.Trace, 1), nil), s.thief)
		none := s.refused(t, s.thief.Request(t, "GET", strings.Replace(path, "%", missing, 1), nil), s.thief)
		if hidden.Status != none.Status || strings.ReplaceAll(string(hidden.Body), v.Trace, missing) != string(none.Body) {
			t.Errorf("%s: %d %s for the victim's, %d %s for none", path, hidden.Status, hidden.Body, none.Status, none.Body)
		}
		if path == traces3+"/%" || path == traces2+"/%/info" {
			said := s.admin.Do(t, "GET", strings.Replace(path, "%", missing, 1), nil)
			if said.Status != none.Status || string(said.Body) != string(none.Body) && !strings.Contains(string(said.Body), "Trace with ID '"+missing+"' not found.") {
				t.Errorf("%s: MLflow says %d %s, the gateway %d %s", path, said.Status, said.Body, none.Status, none.Body)
			}
		}
	}
	found := s.thief.JSON(t, "POST", traces3+"/search", map[string]any{"locations": []any{at(own.Experiment)}})
	if rows := found["traces"].([]any); len(rows) != 1 {
		t.Errorf("search in one's own experiment gives %d traces", len(rows))
	}
}
