package gateway_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
)

// TestReviewAsAColleague has EDIT, and then READ, on the victim's experiment: whose a queue is, and who is to review in it,
// is what decides then. MLflow itself keeps no maker behind a proxy, and so lets everybody.
func TestReviewAsAColleague(t *testing.T) {
	s := newScene(t)
	v := s.victims
	level := func(level kind.Level) {
		t.Helper()
		to := store.Principal{User: s.thief.Username}
		if err := s.App.Store.UpdateGrant(t.Context(), to, kind.Experiment, v.Experiment, level, nil); err != nil {
			err = s.App.Store.CreateGrant(t.Context(), to, kind.Experiment, v.Experiment, level, nil)
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	level(kind.Edit)
	create := map[string]any{"experiment_id": v.Experiment, "name": "mine", "queue_type": "CUSTOM"}
	own := s.thief.JSON(t, "POST", v3+"review-queues/create", create)["review_queue"].(map[string]any)["queue_id"].(string)
	s.refusedAll(t, map[string]attack{
		"become a reviewer":            {"POST", "review-queues/update", map[string]any{"queue_id": v.ReviewQueue, "update_users": true, "users": []any{s.victim.Username}}, true},
		"rename a queue of another's":  {"POST", "review-queues/update", map[string]any{"queue_id": v.ReviewQueue, "name": "theirs"}, true},
		"remove its items":             {"POST", "review-queues/items/remove", map[string]any{"queue_id": v.ReviewQueue, "item_ids": []any{"tr-1"}}, true},
		"delete it":                    {"POST", "review-queues/delete", map[string]any{"queue_id": v.ReviewQueue}, false},
		"give an own one away":         {"POST", "review-queues/update", map[string]any{"queue_id": own, "new_owner": "somebody@example.com"}, false},
		"give it away in camel case":   {"POST", "review-queues/update", map[string]any{"queue_id": own, "newOwner": "somebody@example.com"}, false},
		"review where not to":          {"POST", "review-queues/items/set-status", map[string]any{"queue_id": v.ReviewQueue, "item_id": "tr-1", "status": "PENDING"}, false},
		"change it beside an own name": {"POST", "review-queues/update", map[string]any{"queue_id": v.ReviewQueue, "name": "mine2", "queueId": own}, false},
	})
	s.thief.JSON(t, "POST", v3+"review-queues/update", map[string]any{"queue_id": own, "name": "renamed"})
	s.victim.JSON(t, "POST", v3+"review-queues/update", map[string]any{"queue_id": v.ReviewQueue, "name": "queue"}) // MLflow itself has renamed it

	level(kind.Read)
	s.refusedAll(t, map[string]attack{
		"change an own one with READ":  {"POST", "review-queues/update", map[string]any{"queue_id": own, "name": "again"}, false},
		"read one of another's":        {"GET", "review-queues/get?queue_id=" + v.ReviewQueue, nil, true},
		"read it by its name":          {"GET", "review-queues/get-by-name?name=queue&experiment_id=" + v.Experiment, nil, true},
		"read it by two names":         {"GET", "review-queues/get-by-name?name=queue&name=renamed&experiment_id=" + v.Experiment, nil, true},
		"read its items":               {"GET", "review-queues/items/list?queue_id=" + v.ReviewQueue, nil, true},
		"make one":                     {"POST", "review-queues/create", map[string]any{"experiment_id": v.Experiment, "name": "more", "queue_type": "CUSTOM"}, false},
		"review as one who only reads": {"POST", "review-queues/items/set-status", map[string]any{"queue_id": v.ReviewQueue, "item_id": "tr-1", "status": "PENDING"}, false},
	})
	list := v3 + "review-queues/list?experiment_id=" + v.Experiment
	if got := string(s.thief.Do(t, "GET", list, nil).Body); strings.Contains(got, v.ReviewQueue) || strings.Contains(got, own) {
		t.Errorf("the list shows %s", got)
	}
	s.victim.JSON(t, "POST", v3+"review-queues/update", map[string]any{"queue_id": v.ReviewQueue, "update_users": true, "users": []any{strings.ToUpper(s.thief.Username)}})
	for _, path := range []string{"review-queues/get?queue_id=" + v.ReviewQueue, "review-queues/get-by-name?name=queue&experiment_id=" + v.Experiment, "review-queues/items/list?queue_id=" + v.ReviewQueue} {
		if got := s.thief.Do(t, "GET", v3+path, nil); got.Status != http.StatusOK {
			t.Errorf("%s of one who is to review: %d %s", path, got.Status, got.Body)
		}
	}
	if got := string(s.thief.Do(t, "GET", list, nil).Body); !strings.Contains(got, v.ReviewQueue) || strings.Contains(got, own) {
		t.Errorf("the list of one who is to review shows %s", got)
	}
	level(kind.Edit)
	s.thief.JSON(t, "POST", v3+"review-queues/delete", map[string]any{"queue_id": own})
}

func TestStealReviewQueues(t *testing.T) {
	s := newScene(t)
	v, own := s.victims, s.thiefs
	s.refusedAll(t, map[string]attack{
		"read the victim's queue":          {"GET", "review-queues/get?queue_id=" + v.ReviewQueue, nil, true},
		"read it beside an own one":        {"GET", "review-queues/get?queue_id=" + v.ReviewQueue + "&queue_id=" + own.ReviewQueue, nil, true},
		"read it by its name":              {"GET", "review-queues/get-by-name?name=queue&experiment_id=" + v.Experiment, nil, true},
		"list the victim's queues":         {"GET", "review-queues/list?experiment_id=" + v.Experiment, nil, true},
		"list its items":                   {"GET", "review-queues/items/list?queue_id=" + v.ReviewQueue, nil, true},
		"become a reviewer":                {"POST", "review-queues/update", map[string]any{"queue_id": v.ReviewQueue, "update_users": true, "users": []any{s.thief.Username}}, true},
		"become its owner":                 {"POST", "review-queues/update", map[string]any{"queue_id": v.ReviewQueue, "new_owner": s.thief.Username}, true},
		"create a queue in the victim's":   {"POST", "review-queues/get-or-create-user", map[string]any{"experiment_id": v.Experiment, "user": s.thief.Username}, true},
		"remove its items":                 {"POST", "review-queues/items/remove", map[string]any{"queue_id": v.ReviewQueue, "item_ids": []any{"tr-1"}}, true},
		"add items to it":                  {"POST", "review-queues/items/add", map[string]any{"queue_id": v.ReviewQueue, "item_ids": []any{"tr-1"}}, false},
		"set a status in it":               {"POST", "review-queues/items/set-status", map[string]any{"queue_id": v.ReviewQueue, "item_id": "tr-1", "status": "PENDING"}, false},
		"delete it":                        {"POST", "review-queues/delete", map[string]any{"queue_id": v.ReviewQueue}, false},
		"delete it in protobuf's spelling": {"POST", "review-queues/delete", map[string]any{"queueId": v.ReviewQueue}, false},
	})
}

// TestCompleteAReviewAsSomebodyElse gives another's name as who has completed a review. MLflow itself stores it.
func TestCompleteAReviewAsSomebodyElse(t *testing.T) {
	s := newScene(t)
	own := s.thiefs
	trace := "tr-" + strings.ReplaceAll(own.Run, "-", "")
	mlflow := mlflowtest.Shared(t)
	mlflow.Do(t, "POST", v3+"traces", nil, map[string]any{"trace": map[string]any{"trace_info": map[string]any{"trace_id": trace,
		"trace_location": map[string]any{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": map[string]any{"experiment_id": own.Experiment}},
		"request_time":   "2026-01-01T00:00:00Z", "state": "OK"}}})
	s.thief.JSON(t, "POST", v3+"review-queues/items/add", map[string]any{"queue_id": own.ReviewQueue, "item_ids": []any{trace}})
	done := func(by any) map[string]any {
		return map[string]any{"queue_id": own.ReviewQueue, "item_id": trace, "status": "COMPLETE", "completed_by": by}
	}
	target := v3 + "review-queues/items/set-status"
	for _, by := range []any{s.victim.Username, " " + s.victim.Username, "", 1, []any{s.thief.Username}} {
		s.refused(t, s.thief.Request(t, "POST", target, done(by)), s.thief)
	}
	s.refused(t, s.admin.Request(t, "POST", target, done(s.victim.Username)), s.admin)
	camel := done(nil)
	delete(camel, "completed_by")
	camel["completedBy"] = s.victim.Username
	s.refused(t, s.thief.Request(t, "POST", target, camel), s.thief)
	s.bare(t, "POST", target, done(s.victim.Username))
	mlflow.Do(t, "POST", target, nil, map[string]any{"queue_id": own.ReviewQueue, "item_id": trace, "status": "PENDING"})
	if got := s.thief.Do(t, "POST", target, done(s.thief.Username)); got.Status != http.StatusOK {
		t.Errorf("in one's own name: %d %s", got.Status, got.Body)
	}
}

func TestStealScorers(t *testing.T) {
	s := newScene(t)
	v, own := s.victims, s.thiefs
	scorer := func(experiment string) map[string]any {
		return map[string]any{"experiment_id": experiment, "name": "scorer", "serialized_scorer": `{"name": "scorer", "builtin_scorer_class": "Safety"}`}
	}
	s.victim.JSON(t, "POST", v3+"scorers/register", scorer(v.Experiment))
	s.refusedAll(t, map[string]attack{
		"read the victim's scorer":               {"GET", "scorers/get?name=scorer&experiment_id=" + v.Experiment, nil, true},
		"read its versions":                      {"GET", "scorers/versions?name=scorer&experiment_id=" + v.Experiment, nil, true},
		"list the victim's":                      {"GET", "scorers/list?experiment_id=" + v.Experiment, nil, true},
		"list the victim's in a list":            {"GET", "scorers/list?experiment_ids=" + own.Experiment + "&experiment_ids=" + v.Experiment, nil, true},
		"list all":                               {"GET", "scorers/list", nil, false},
		"list all, naming an empty experiment":   {"GET", "scorers/list?experiment_id=", nil, true},
		"list all, naming something else":        {"GET", "scorers/list?x=1", nil, true},
		"list all by protobuf's spelling":        {"GET", "scorers/list?experimentId=" + own.Experiment, nil, true},
		"register a version of the victim's":     {"POST", "scorers/register", scorer(v.Experiment), true},
		"have MLflow run an own one by itself":   {"PUT", "scorers/online-config", map[string]any{"experiment_id": own.Experiment, "name": "scorer", "sample_rate": 1}, false},
		"delete the victim's":                    {"DELETE", "scorers/delete", map[string]any{"experiment_id": v.Experiment, "name": "scorer"}, false},
		"invoke an own one on the victim's work": {"POST", "scorer/invoke", map[string]any{"experiment_id": own.Experiment, "trace_ids": []any{"tr-1"}}, false},
	})
}

func TestWriteIntoTheVictimsExperiment(t *testing.T) {
	s := newScene(t)
	v, own := s.victims, s.thiefs
	lab := map[string]any{"experiment_id": v.Experiment, "prompt_template": "t", "prompt_parameters": []any{map[string]any{"key": "k", "value": "v"}},
		"model_route": "r", "model_input": "i", "model_output": "o", "mlflow_version": "3.17.2"}
	s.refused(t, s.thief.Request(t, "POST", "/ajax-api/2.0/mlflow/runs/create-promptlab-run", lab), s.thief)
	upload := "/api/2.0/mlflow/artifacts/presigned-upload-url"
	for name, body := range map[string]map[string]any{
		"the victim's run":       {"run_id": v.Run, "path": "x"},
		"the victim's model":     {"model_id": v.LoggedModel, "path": "x"},
		"beside an own run":      {"run_id": own.Run, "model_id": v.LoggedModel, "path": "x"},
		"beside an own model":    {"run_id": v.Run, "modelId": own.LoggedModel, "path": "x"},
		"nothing":                {"path": "x"},
		"two empty ids":          {"run_id": "", "model_id": "", "path": "x"},
		"out of an own run":      {"run_id": own.Run, "path": "../x"},
		"to an absolute address": {"run_id": own.Run, "path": "/etc/x"},
	} {
		t.Run(name, func(t *testing.T) { s.refused(t, s.thief.Request(t, "POST", upload, body), s.thief) })
	}
}

// A job runs with MLflow's own rights on whatever its parameters name.
func TestRunAJobOnTheVictimsWork(t *testing.T) {
	s := newScene(t)
	body := map[string]any{"job_name": "run_online_trace_scorer", "params": map[string]any{"experiment_id": s.victims.Experiment}}
	for _, target := range []string{"/ajax-api/3.0/jobs/", "/ajax-api/3.0/jobs", "/ajax-api/3.0/jobs//", "/ajax-api/3.0/jobs/search/",
		"/ajax-api/3.0/mlflow/genai/evaluate/invoke", "/ajax-api/3.0/mlflow/issues/invoke", v3 + "prompt-optimization/jobs", v3 + "prompt-optimization/jobs/search"} {
		s.refused(t, s.thief.Request(t, "POST", target, body), s.thief)
	}
}
