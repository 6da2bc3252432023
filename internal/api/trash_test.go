package api_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// spoken is an error of the trash, which has one field more.
func spoken(form object) object {
	with := object{"error": said}
	for key, value := range form {
		with[key] = value
	}
	return with
}

func trashed(t *testing.T, who *world.Client, at, list, id string) []string {
	t.Helper()
	var ids []string
	for _, one := range who.JSON(t, http.MethodGet, at, nil)[list].([]any) {
		ids = append(ids, one.(object)[id].(string))
	}
	return ids
}

func TestTrashIsListedAndRestored(t *testing.T) {
	c := newCast(t)
	experiment := c.on[kind.Experiment]
	run := c.manager.JSON(t, http.MethodPost, base+"/runs/create", object{"experiment_id": experiment, "run_name": "first"})["run"].(object)["info"].(object)["run_id"].(string)
	c.manager.JSON(t, http.MethodPost, base+"/runs/delete", object{"run_id": run})
	runs := "/oidc/trash/runs?experiment_ids=" + experiment
	if got := trashed(t, c.admin, runs, "deleted_runs", "run_id"); !cmp.Equal(got, []string{run}) {
		t.Errorf("the trash has the runs %v", got)
	}
	if got := trashed(t, c.admin, runs+"&search=nothing", "deleted_runs", "run_id"); got != nil {
		t.Errorf("the trash has the runs %v", got)
	}
	wants(t, c.admin.Do(t, http.MethodGet, runs+"&older_than=1d", nil), 400, spoken(invalid))
	wants(t, c.admin.Do(t, http.MethodPost, "/oidc/trash/runs/"+run+"/restore", nil), 200, object{"run": object{"run_id": run, "experiment_id": experiment,
		"run_name": "first", "status": "RUNNING", "lifecycle_stage": "active"}})
	wants(t, c.admin.Do(t, http.MethodPost, "/oidc/trash/runs/"+run+"/restore", nil), 400, spoken(invalid))
	c.manager.JSON(t, http.MethodPost, base+"/experiments/delete", object{"experiment_id": experiment})
	if got := trashed(t, c.admin, "/oidc/trash/experiments?limit=10&search="+c.names[kind.Experiment], "deleted_experiments", "experiment_id"); !cmp.Equal(got, []string{experiment}) {
		t.Errorf("the trash has the experiments %v", got)
	}
	if got := trashed(t, c.admin, "/oidc/trash/experiments?older_than=1d&search="+c.names[kind.Experiment], "deleted_experiments", "experiment_id"); got != nil {
		t.Errorf("what has just been deleted is a day old: %v", got)
	}
	if got := trashed(t, c.admin, "/oidc/trash/experiments?older_than=0s&search="+c.names[kind.Experiment], "deleted_experiments", "experiment_id"); !cmp.Equal(got, []string{experiment}) {
		t.Errorf("of any age the trash has the experiments %v", got)
	}
	wants(t, c.admin.Do(t, http.MethodGet, "/oidc/trash/experiments?older_than=x", nil), 400, spoken(invalid))
	for query, command := range map[string]string{"": "run: mlflow gc\"", "?older_than=7d": "run: mlflow gc --older-than '7d'\"", "?run_ids=": "run: mlflow gc --run-ids ''\"",
		"?run_ids=a,b%27%3Brm": `run: mlflow gc --run-ids 'a,b'\\'';rm'"`, "?experiment_ids=" + experiment: "run: mlflow gc --experiment-ids '" + experiment + "'\""} {
		if got := c.admin.Do(t, http.MethodPost, "/oidc/trash/cleanup"+query, nil); got.Status != 400 || !strings.Contains(string(got.Body), command) {
			t.Errorf("%s: %d %s", query, got.Status, got.Body)
		}
	}
	if got := c.admin.Do(t, http.MethodPost, "/oidc/trash/experiments/"+experiment+"/restore", nil); got.Status != 200 {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	wants(t, c.admin.Do(t, http.MethodPost, "/oidc/trash/experiments/"+experiment+"/restore", nil), 400, spoken(invalid))
	if got := c.manager.Do(t, http.MethodGet, base+"/experiments/get?experiment_id="+experiment, nil); got.Status != 200 {
		t.Errorf("the permissions are gone: %d", got.Status)
	}
}

// A clean-up deletes what it names, and what could be misread is refused: to be taken for none would be to be taken for all.
func TestCleanupThatCouldBeMisreadIsRefused(t *testing.T) {
	c := newCast(t)
	for _, query := range []string{"run_id=a", "run_ids=a&run_ids=b", "Run_ids=a", "older_than=1d&older_than=2d", "runs", "run_ids=a;b", "run_ids=%zz"} {
		if got := c.admin.Do(t, http.MethodPost, "/oidc/trash/cleanup?"+query, nil); got.Status != 422 {
			t.Errorf("%s: %d %s", query, got.Status, got.Body)
		}
	}
	for query, want := range map[string]int{"older_than=x": 400, "older_than=1.2.3d": 400, "older_than=-1d": 400, "experiment_ids=987654321": 404, "experiment_ids=01": 404,
		"experiment_ids=" + c.on[kind.Experiment]: 400} {
		if got := c.admin.Do(t, http.MethodPost, "/oidc/trash/cleanup?"+query, nil); got.Status != want {
			t.Errorf("%s: %d %s", query, got.Status, got.Body)
		}
	}
}

// Whoever has the id of an experiment that is gone for good next has nothing of it.
func TestGrantsOnWhatIsGoneForGoodAreGone(t *testing.T) {
	c := newCast(t)
	if err := c.App.Store.ExperimentGone(context.Background(), c.on[kind.Experiment]); err != nil {
		t.Fatal(err)
	}
	for _, k := range []kind.Name{kind.Experiment, kind.Scorer} {
		users, groups, err := c.App.Store.GrantsOn(t.Context(), k, c.on[k])
		if err != nil || len(users)+len(groups) != 0 {
			t.Errorf("%s: %v %v %v", k, users, groups, err)
		}
	}
	if users, _, err := c.App.Store.GrantsOn(t.Context(), kind.RegisteredModel, c.on[kind.RegisteredModel]); err != nil || len(users) == 0 {
		t.Errorf("the model has lost its holders: %v", err)
	}
}
