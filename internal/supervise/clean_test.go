package supervise

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fill makes experiments with a run and a file each, deletes what is to be in the trash, and prints the ids.
const fill = `
import json, os, mlflow
from mlflow import MlflowClient
c = MlflowClient()
ids = {}
for name in ("gone", "kept", "stays"):
    e = c.create_experiment(name, artifact_location="mlflow-artifacts:/" + name)
    runs = [c.create_run(e) for _ in range(2)]
    for r in runs:
        folder = os.path.join("art", name, r.info.run_id, "artifacts")
        os.makedirs(folder); open(os.path.join(folder, "f"), "w").write("x")
    ids[name] = [e] + [r.info.run_id for r in runs]
c.delete_run(ids["kept"][1])
c.delete_run(ids["stays"][1])
c.delete_experiment(ids["gone"][0])
print(json.dumps(ids))
`

type outcome struct {
	Runs        []string            `json:"deleted_runs"`
	Experiments []string            `json:"deleted_experiments"`
	FailedRuns  []map[string]string `json:"failed_runs"`
}

// A clean-up deletes what it names and nothing else, with the files, where MLflow's own command would empty the trash beside.
func TestCleanDeletesWhatIsNamedAndNothingElse(t *testing.T) {
	command, err := filepath.Abs("../../.venv/bin/mlflow")
	if err == nil {
		_, err = os.Stat(command)
	}
	if err != nil {
		t.Skip("there is no MLflow: scripts/mlflow.sh brings it")
	}
	dir := t.TempDir()
	t.Chdir(dir)
	filling := exec.Command(filepath.Join(filepath.Dir(command), "python3"), "-c", fill)
	filling.Env = append(os.Environ(), "MLFLOW_TRACKING_URI=sqlite:///m.db")
	filling.Stderr = io.Discard
	printed, err := filling.Output()
	if err != nil {
		t.Fatal(err)
	}
	var ids map[string][]string
	if err := json.Unmarshal(printed[bytes.LastIndexByte(bytes.TrimSpace(printed), '\n')+1:], &ids); err != nil {
		t.Fatalf("%v in %q", err, printed)
	}
	server := &Server{Options: Options{Command: command, Args: []string{"--backend-store-uri", "sqlite:///m.db", "--artifacts-destination=art"}, Log: slog.New(slog.DiscardHandler)}}
	clean := func(wanted map[string]any, want outcome) {
		t.Helper()
		var got outcome
		if err := server.Clean(t.Context(), wanted, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	kept, stays, gone := ids["kept"], ids["stays"], ids["gone"]
	clean(map[string]any{"run_ids": []string{kept[1], kept[2], "none"}, "experiment_ids": []string{}, "older_than_ms": 0},
		outcome{[]string{kept[1]}, []string{}, []map[string]string{{"run_id": kept[2], "error": "it is not in the trash"}, {"run_id": "none", "error": "there is no such run"}}})
	clean(map[string]any{"run_ids": nil, "experiment_ids": nil, "older_than_ms": 3600_000}, outcome{[]string{}, []string{}, []map[string]string{}})
	for path, want := range map[string]bool{"kept/" + kept[1] + "/artifacts/f": false, "kept/" + kept[2] + "/artifacts/f": true, "stays/" + stays[1] + "/artifacts/f": true, "gone/" + gone[1] + "/artifacts/f": true} {
		if _, err := os.Stat(filepath.Join("art", path)); (err == nil) != want {
			t.Errorf("%s is there: %v", path, err == nil)
		}
	}
	var all outcome
	if err := server.Clean(t.Context(), map[string]any{"run_ids": nil, "experiment_ids": nil, "older_than_ms": 0}, &all); err != nil {
		t.Fatal(err)
	}
	if len(all.Runs) != 3 || !cmp.Equal(all.Experiments, []string{gone[0]}) || len(all.FailedRuns) != 0 {
		t.Errorf("emptying the trash did %+v", all)
	}
}
