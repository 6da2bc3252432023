package gateway_test

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// TestHeadTellsNoMoreThanGet asks for the length of an answer. MLflow reads the query of GET alone, and so answers HEAD for
// every experiment there is (measured: datasets/search).
func TestHeadTellsNoMoreThanGet(t *testing.T) {
	s := newScene(t)
	own := s.thiefs
	datasets := "/api/3.0/mlflow/datasets/search?experiment_ids=" + own.Experiment
	bare, err := mlflowtest.Shared(t).Client.Head("http://localhost" + datasets)
	if err != nil {
		t.Fatal(err)
	}
	_ = bare.Body.Close()
	if got := s.thief.Do(t, "GET", datasets, nil); bare.ContentLength <= int64(len(got.Body)) {
		t.Errorf("MLflow itself gives HEAD the length %d, and GET has %d bytes: it is no attack", bare.ContentLength, len(got.Body))
	}
	for _, target := range []string{datasets, "/api/3.0/mlflow/scorers/list?experiment_id=" + own.Experiment, "/api/2.0/mlflow/experiments/get?experiment_id=" + own.Experiment,
		"/api/2.0/mlflow/runs/get?run_id=" + own.Run, "/api/2.0/mlflow/registered-models/get?name=" + own.Model, "/api/2.0/mlflow/logged-models/" + own.LoggedModel,
		"/api/3.0/mlflow/traces/" + own.Trace, "/api/2.0/mlflow/artifacts/list?run_id=" + own.Run, "/api/2.0/mlflow/traces?experiment_ids=" + own.Experiment,
		"/get-artifact?run_id=" + own.Run + "&path=secret.txt", "/api/2.0/mlflow-artifacts/artifacts/" + own.Artifacts + "/secret.txt", "/version",
		"/api/3.0/mlflow/label-schemas/list?experiment_id=" + own.Experiment} {
		get, head := s.thief.Do(t, "GET", target, nil), s.thief.Do(t, "HEAD", target, nil)
		if head.Status != http.StatusOK || get.Status != http.StatusOK || len(head.Body) > 0 {
			t.Errorf("HEAD %s: answered %d, and GET %d %s", target, head.Status, get.Status, get.Body)
		}
		if length := head.Header.Get("Content-Length"); length != "" && length != strconv.Itoa(len(get.Body)) {
			t.Errorf("HEAD %s gives the length %s, and GET has %d bytes", target, length, len(get.Body))
		}
	}
}

// TestForgedHeadersDoNotReachMLflow sends what servers behind proxies believe, or what would change what a request means.
// What reaches MLflow is known by name; a new header has to be thought about here.
func TestForgedHeadersDoNotReachMLflow(t *testing.T) {
	got := make(chan *http.Request, 1)
	stub := world.Stub(t, func(_ http.ResponseWriter, r *http.Request) { got <- r })
	w := world.New(t, stub.URL, nil)
	ann := w.Person(t, "ann", world.Members)
	request := ann.Request(t, "GET", "/api/3.0/mlflow/server-info", nil)
	for _, name := range []string{"X-Forwarded-For", "x-forwarded-host", "X-Forwarded-Proto", "X-Forwarded-Prefix", "X-Forwarded-User", "X_Forwarded_For", "Forwarded", "X-Real-IP", "Via",
		"X-Remote-User", "Remote-User", "REMOTE_USER", "X-Auth-Request-Email", "X-Authenticated-User", "X-MLflow-Authorization", "X-MLflow-Guardrail-Bypass", "X_MLFLOW_WORKSPACE",
		"X-Original-URL", "X-Rewrite-URL", "Cookie", "Origin", "Referer", "Proxy-Authorization", "Access-Control-Request-Method", "Sec-Fetch-Site", "Traceparent", "Baggage", "TE", "Trailer", "Keep-Alive"} {
		request.Header[name] = []string{"127.0.0.1"}
	}
	request.Header.Set("X-Request-Id", "somebody-elses")
	request.Header["Connection"] = []string{"X-Forwarded-For, Accept"}
	request.Host = "evil.example"
	request.Header["X-Other"] = []string{"kept"}
	answer := ann.Send(t, request)
	if answer.Status != http.StatusOK {
		t.Fatalf("answered %d %s", answer.Status, answer.Body)
	}
	r := <-got
	if r.Host != strings.TrimPrefix(stub.URL, "http://") {
		t.Errorf("MLflow is asked for the host %s", r.Host)
	}
	want := http.Header{"X-Forwarded-For": {"127.0.0.1"}, "X-Other": {"kept"}, "User-Agent": {"Go-http-client/1.1"}, "Accept-Encoding": {"gzip"},
		"X-Request-Id": answer.Header["X-Request-Id"]}
	if diff := cmp.Diff(want, r.Header); diff != "" {
		t.Errorf("MLflow gets other headers: %s", diff)
	}
}

// TestClimbOutOfARun names a path beside the run's, or the experiment's, own artifacts in every field that holds one.
func TestClimbOutOfARun(t *testing.T) {
	s := newScene(t)
	own := s.thiefs
	for _, path := range []string{"..", "../..", "../../" + s.victims.Run + "/artifacts/secret.txt", "a/../../x", "/etc/passwd", `..\x`, "%2e%2e/x", "%252e%252e/x", "..%2fx", "./x", "a//x", "file:///etc/passwd#", "x\x00", "x\r\ny"} {
		q := url.QueryEscape(path)
		for _, target := range []string{"/api/2.0/mlflow/artifacts/list?run_id=" + own.Run + "&path=" + q, "/get-artifact?run_id=" + own.Run + "&path=" + q,
			"/model-versions/get-artifact?name=" + own.Model + "&version=1&path=" + q, "/api/2.0/mlflow-artifacts/artifacts?path=" + url.QueryEscape(own.Experiment+"/"+path),
			"/api/2.0/mlflow/logged-models/" + own.LoggedModel + "/artifacts/directories?artifact_directory_path=" + q,
			"/ajax-api/2.0/mlflow/logged-models/" + own.LoggedModel + "/artifacts/files?artifact_file_path=" + q,
			"/ajax-api/2.0/mlflow/get-trace-artifact?request_id=" + own.Trace + "&path=" + q} {
			s.refused(t, s.thief.Request(t, "GET", target, nil), s.thief)
		}
		for _, call := range []string{"create", "complete", "abort"} {
			s.refused(t, s.thief.Request(t, "POST", "/api/2.0/mlflow-artifacts/mpu/"+call+"/"+own.Artifacts, map[string]any{"path": path, "num_parts": 1}), s.thief)
		}
		for _, call := range []string{"download", "upload"} {
			s.refused(t, s.thief.Request(t, "POST", "/api/2.0/mlflow/artifacts/presigned-"+call+"-url", map[string]any{"run_id": own.Run, "path": path}), s.thief)
		}
		s.refused(t, s.thief.Request(t, "POST", "/ajax-api/2.0/mlflow/upload-artifact?run_uuid="+own.Run+"&path="+q, "bytes"), s.thief)
		s.refused(t, s.thief.Request(t, "GET", "/graphql", map[string]any{"query": `{mlflowListArtifacts(input:{runId:"` + own.Run + `"}){__typename}}`}), s.thief)
		document := `query($p:String){mlflowListArtifacts(input:{runId:"` + own.Run + `",path:$p}){files{path}}}`
		s.refused(t, s.thief.Request(t, "POST", "/graphql", map[string]any{"query": document, "variables": map[string]any{"p": path}}), s.thief)
	}
}
