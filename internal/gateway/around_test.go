package gateway_test

import (
	"net/http"
	"strconv"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
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
