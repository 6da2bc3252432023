package gateway_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// rehearsal is a scene of which nothing is refused for lack of permissions.
func rehearsal(t *testing.T, value string) *scene {
	t.Helper()
	recorder := world.NewRecorder(t, mlflowtest.Shared(t))
	s := &scene{World: world.New(t, recorder.URL, map[string]string{"REPORT_ONLY": value}), recorder: recorder}
	s.victim, s.thief = s.Person(t, "victim", world.Members), s.Person(t, "thief", world.Members)
	s.victims = s.victim.MakeWork(t)
	return s
}

// reports gives what was reported of somebody since the beginning.
func (s *scene) reports(c *world.Client) (n int) {
	for line := range strings.Lines(s.Logged()) {
		if strings.Contains(line, "msg=request_would_be_refused ") && strings.Contains(line, "by="+c.Username) {
			n++
		}
	}
	return n
}

func TestWhatIsReportedIsForwarded(t *testing.T) {
	s := rehearsal(t, "true")
	v := s.victims
	if n := s.reports(s.victim); n > 0 {
		t.Errorf("%d reports of somebody who did what they may", n)
	}
	if !strings.Contains(s.Logged(), "PERMISSIONS ARE NOT ENFORCED") {
		t.Error("the log does not say so")
	}
	for name, c := range map[string]struct {
		method, path string
		body         any
		want         string // in the answer
	}{
		"an experiment":         {"GET", "/api/2.0/mlflow/experiments/get?experiment_id=" + v.Experiment, nil, v.ExperimentName},
		"one by its name":       {"GET", "/api/2.0/mlflow/experiments/get-by-name?experiment_name=" + v.ExperimentName, nil, v.Experiment},
		"a run":                 {"GET", "/api/2.0/mlflow/runs/get?run_id=" + v.Run, nil, v.Run},
		"a search of runs":      {"POST", "/api/2.0/mlflow/runs/search", map[string]any{"experiment_ids": []any{v.Experiment}}, v.Run},
		"a list of experiments": {"POST", "/api/2.0/mlflow/experiments/search", map[string]any{"max_results": 1000, "filter": "name = '" + v.ExperimentName + "'"}, v.ExperimentName},
		"a list of models":      {"GET", "/api/2.0/mlflow/registered-models/search?filter=name%3D'" + v.Model + "'", nil, v.Model},
		"a change":              {"POST", "/api/2.0/mlflow/runs/set-tag", map[string]any{"run_id": v.Run, "key": "k", "value": "v"}, "{}"},
		"GraphQL":               {"POST", "/graphql", map[string]any{"query": `query($e: MlflowGetExperimentInput!) { mlflowGetExperiment(input: $e) { experiment { name } } }`, "variables": map[string]any{"e": map[string]any{"experimentId": v.Experiment}}}, v.ExperimentName},
		"an artifact":           {"GET", "/api/2.0/mlflow-artifacts/artifacts/" + v.Artifacts + "/secret.txt", nil, world.Secret},
		"webhooks":              {"GET", "/api/2.0/mlflow/webhooks", nil, "{"},
	} {
		t.Run(name, func(t *testing.T) {
			before := s.reports(s.thief)
			got := s.thief.Do(t, c.method, c.path, c.body)
			if got.Status != 200 || !strings.Contains(string(got.Body), c.want) || got.Header.Get("X-Permissions-Not-Enforced") != "true" {
				t.Errorf("%d %s %v, want %q", got.Status, got.Body, got.Header, c.want)
			}
			if s.reports(s.thief) == before {
				t.Error("it was not reported")
			}
		})
	}
	made := s.thief.JSON(t, "POST", "/api/2.0/mlflow/experiments/create", map[string]any{"name": world.Name("own")})
	before := s.reports(s.thief)
	s.thief.JSON(t, "GET", fmt.Sprintf("/api/2.0/mlflow/experiments/get?experiment_id=%s", made["experiment_id"]), nil)
	if s.reports(s.thief) != before {
		t.Error("what somebody has made was not given to them")
	}
}

// The attack: take a gateway that reports for one that is open.
func TestAttackOnAGatewayThatReports(t *testing.T) {
	s := rehearsal(t, "true")
	v := s.victims
	read := "/api/2.0/mlflow/experiments/get?experiment_id=" + v.Experiment
	reader := s.Browser(t, "reader", world.Members)
	made := reader.JSON(t, "POST", "/api/2.0/mlflow/users/"+reader.Username+"/tokens", map[string]any{"name": "narrow", "scope": map[string]any{"read_only": true}})
	narrow := &world.Client{World: s.World, HTTP: &http.Client{}, Username: reader.Username, Token: made["token"].(string)}
	leaver := s.Person(t, "leaver", world.Members)
	if err := s.App.Store.SetActive(t.Context(), leaver.Username, false); err != nil {
		t.Fatal(err)
	}
	browser := s.Browser(t, "browser", world.Members)
	foreign := browser.Request(t, "POST", "/api/2.0/mlflow/runs/set-tag", map[string]any{"run_id": v.Run, "key": "k", "value": "v"})
	foreign.Header.Set("Origin", "https://evil.example")
	for name, c := range map[string]struct {
		who     *world.Client
		request *http.Request
	}{
		"without signing in":               {s.Nobody(t), s.Nobody(t).Request(t, "GET", read, nil)},
		"a deactivated account":            {leaver, leaver.Request(t, "GET", read, nil)},
		"a token that may only read":       {narrow, narrow.Request(t, "POST", "/api/2.0/mlflow/runs/set-tag", map[string]any{"run_id": v.Run, "key": "k", "value": "v"})},
		"another site":                     {browser, foreign},
		"an unknown route":                 {s.thief, s.thief.Request(t, "GET", "/api/2.0/mlflow/nobody-knows", nil)},
		"a route that is for nobody":       {s.thief, s.thief.Request(t, "GET", "/metrics", nil)},
		"an id in two spellings":           {s.thief, s.thief.Request(t, "POST", "/api/2.0/mlflow/runs/set-tag", map[string]any{"run_id": v.Run, "runId": v.Run, "key": "k", "value": "v"})},
		"a path that climbs":               {s.thief, s.thief.Request(t, "GET", "/api/2.0/mlflow-artifacts/artifacts/"+v.Experiment+"/%2e%2e/x", nil)},
		"an artifact path that climbs out": {s.thief, s.thief.Request(t, "GET", "/api/2.0/mlflow/artifacts/list?run_id="+v.Run+"&path=..%2F..%2Fx", nil)},
		"permissions on what is another's": {s.thief, s.thief.Request(t, "POST", "/api/2.0/mlflow/permissions/users/"+s.thief.Username+"/experiments/"+v.Experiment, map[string]any{"permission": "READ"})},
	} {
		t.Run(name, func(t *testing.T) { s.refused(t, c.request, c.who) })
	}
	grants, err := s.App.Store.GrantsOf(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range grants {
		if g.Kind == kind.Experiment && g.Resource == v.Experiment {
			t.Error("the thief holds a permission now")
		}
	}
}

func TestUnknownRoutesAreForwardedWhereAsked(t *testing.T) {
	s := rehearsal(t, "all")
	s.recorder.Calls()
	if got := s.thief.Do(t, "GET", "/api/2.0/mlflow/nobody-knows", nil); got.Status != 404 || len(s.recorder.Forwarded()) == 0 || s.reports(s.thief) == 0 {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	s.refused(t, s.Nobody(t).Request(t, "GET", "/api/2.0/mlflow/nobody-knows", nil), s.Nobody(t))
	if err := s.App.Store.SetActive(t.Context(), s.thief.Username, false); err != nil {
		t.Fatal(err)
	}
	s.refused(t, s.thief.Request(t, "GET", "/api/2.0/mlflow/nobody-knows", nil), s.thief)
}
