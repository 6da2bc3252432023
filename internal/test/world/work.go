package world

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

var names atomic.Int64

// Name makes a name that no other test has.
func Name(prefix string) string {
	return prefix + "-" + strconv.FormatInt(time.Now().UnixNano()%1e9, 36) + "-" + strconv.FormatInt(names.Add(1), 10)
}

// Work is what somebody has made in MLflow, through the gateway: one of each kind.
type Work struct {
	Experiment     string // its id
	ExperimentName string
	Run            string
	LoggedModel    string
	Model          string // a registered model, with version 1 from the run's artifacts
	Artifacts      string // the path of the run's artifacts at the artifact proxy
}

// Secret is the content of the file secret.txt in the artifacts of everybody's run.
const Secret = "the owner's secret"

// MakeWork makes one of each kind.
func (c *Client) MakeWork(t testing.TB) Work {
	t.Helper()
	w := Work{ExperimentName: Name("experiment"), Model: Name("model")}
	post := func(path string, body map[string]any) map[string]any {
		t.Helper()
		return c.JSON(t, http.MethodPost, "/api/2.0/mlflow/"+path, body)
	}
	w.Experiment = post("experiments/create", map[string]any{"name": w.ExperimentName})["experiment_id"].(string)
	run := post("runs/create", map[string]any{"experiment_id": w.Experiment, "start_time": 1})["run"].(map[string]any)
	w.Run = run["info"].(map[string]any)["run_id"].(string)
	model := post("logged-models", map[string]any{"experiment_id": w.Experiment, "name": "logged", "source_run_id": w.Run})["model"].(map[string]any)
	w.LoggedModel = model["info"].(map[string]any)["model_id"].(string)
	w.Artifacts = w.Experiment + "/" + w.Run + "/artifacts"
	if put := c.Do(t, http.MethodPut, "/api/2.0/mlflow-artifacts/artifacts/"+w.Artifacts+"/secret.txt", Secret); put.Status != http.StatusOK {
		t.Fatalf("uploading an artifact was answered with %d: %s", put.Status, put.Body)
	}
	post("registered-models/create", map[string]any{"name": w.Model})
	post("model-versions/create", map[string]any{"name": w.Model, "source": "mlflow-artifacts:/" + w.Artifacts, "run_id": w.Run})
	return w
}
