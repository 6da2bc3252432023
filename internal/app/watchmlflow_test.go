package app_test

import (
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/otlptest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// Requests through a true MLflow are counted and traced, step by step, as part of the traces that their client has begun.
func TestRequestsThroughMLflowAreCountedAndTraced(t *testing.T) {
	receiver := otlptest.New(t)
	w := world.New(t, mlflowtest.Shared(t).Address, map[string]string{"METRICS_ADDR": "127.0.0.1:0", "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.URL})
	ann := w.Person(t, "ann", world.Members)
	const v2 = "/api/2.0/mlflow/"
	traces := map[string]string{} // by the row
	send := func(method, target string, body any) world.Answer {
		request := ann.Request(t, method, v2+target, body)
		path, _, _ := strings.Cut(target, "?")
		trace := strings.TrimPrefix(world.NewTrace(), "tr-")
		traces[method+" "+v2+path] = trace
		request.Header.Set("Traceparent", "00-"+trace+"-00f067aa0ba902b7-01")
		answer := ann.Send(t, request)
		if answer.Status != http.StatusOK {
			t.Fatalf("%s %s: %d %s", method, target, answer.Status, answer.Body)
		}
		return answer
	}
	name := world.Name("watched")
	id := regexp.MustCompile(`\d+`).FindString(string(send("POST", "experiments/create", map[string]any{"name": name}).Body))
	send("GET", "experiments/get?experiment_id="+id, nil)
	run := send("POST", "runs/create", map[string]any{"experiment_id": id})
	send("POST", "experiments/search", map[string]any{"max_results": 5})
	send("GET", "runs/get?run_id="+regexp.MustCompile(`"run_id": ?"(\w+)"`).FindStringSubmatch(string(run.Body))[1], nil)

	counted := requests(scrape(t, w))
	text := scrape(t, w)
	for row := range traces {
		if counted[row+" allowed 2xx"] != 1 {
			t.Errorf("%s is counted in %v", row, counted)
		}
	}
	for _, step := range []string{"match", "authenticate", "read", "decide", "upstream", "effects", "answer", "rewrite"} {
		if !strings.Contains(text, `step_duration_seconds_bucket{step="`+step+`",le="10"} `) || strings.Contains(text, `step_duration_seconds_count{step="`+step+`"} 0`) {
			t.Errorf("the step %s is not measured", step)
		}
	}
	for _, line := range []string{`upstream_requests_total\{purpose="forward",result="2xx"\} 4`, `upstream_requests_total\{purpose="ask",result="2xx"\} [1-9]`, `cache_lookups_total\{cache="mlflow_owners",result="miss"\} 1`} {
		if !regexp.MustCompile("mlflow_oidc_auth_" + line).MatchString(text) {
			t.Errorf("%s is not told", line)
		}
	}
	w.Restart(t) // which sends what waits
	for row, want := range map[string][]string{
		"POST " + v2 + "experiments/create": {"match", "authenticate", "read", "decide", "upstream", "forward to MLflow", "effects"},
		"GET " + v2 + "runs/get":            {"match", "authenticate", "read", "decide", "ask MLflow", "upstream", "forward to MLflow"},
		"POST " + v2 + "experiments/search": {"match", "authenticate", "read", "decide", "ask MLflow", "rewrite"},
	} {
		checkTrace(t, receiver.Spans(), row, traces[row], want)
	}
	if strings.Contains(receiver.Raw(), name) || strings.Contains(receiver.Raw(), "ann") {
		t.Error("a name is sent")
	}
}

// checkTrace looks at the spans of one request: that of the request itself, in the client's, with the parts in it.
func checkTrace(t *testing.T, all []otlptest.Span, row, trace string, parts []string) {
	t.Helper()
	var whole otlptest.Span
	var names []string
	for _, s := range all {
		if s.Trace == trace && s.Name == row {
			whole = s
		}
	}
	if whole.Parent != "00f067aa0ba902b7" || whole.Attributes["mlflow_oidc_auth.decision"] != "allowed" || whole.Attributes["http.response.status_code"] != "200" ||
		whole.Attributes["mlflow_oidc_auth.request_id"] == "" || "GET "+whole.Attributes["http.route"] != row && "POST "+whole.Attributes["http.route"] != row {
		t.Errorf("%s is %+v", row, whole)
	}
	for _, s := range all {
		if s.Parent == whole.ID && s.Trace == trace {
			if names = append(names, s.Name); s.Began.Before(whole.Began) || s.Ended.After(whole.Ended) {
				t.Errorf("%s of %s is not within it", s.Name, row)
			}
		}
	}
	for _, part := range parts {
		if !slices.Contains(names, part) {
			t.Errorf("%s has no part %s, but %q", row, part, names)
		}
	}
}

// MLflow's own tracing goes on with the trace of a header in the endpoints of the AI gateway alone, whose rows are told of none. Should a
// later MLflow read that header elsewhere, the rows have to be looked at again.
func TestMLflowReadsTracesOfItsAIGatewayAlone(t *testing.T) {
	packages, err := filepath.Glob(filepath.Join(root, ".venv", "lib", "python3*", "site-packages", "mlflow"))
	if err != nil || len(packages) != 1 {
		t.Fatalf("MLflow is in %q (%v)", packages, err)
	}
	uses := regexp.MustCompile(`set_tracing_context_from_http_request_headers\(|maybe_traced_gateway_call\(|TraceContextTextMapPropagator|\.extract\(.*headers|FastAPIInstrumentor|FlaskInstrumentor`)
	var found []string
	if err := filepath.WalkDir(packages[0], func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".py" {
			return err
		}
		text, err := os.ReadFile(path)
		if at, _ := filepath.Rel(packages[0], path); uses.Match(text) {
			found = append(found, at)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"gateway/tracing_utils.py", "server/gateway_api.py", "tracing/distributed/__init__.py"}; !slices.Equal(found, want) {
		t.Errorf("MLflow reads the trace of a header in %q", found)
	}
}
