package gateway_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// onScorer gives somebody a level on a scorer, whatever there was before.
func (s *scene) onScorer(t *testing.T, to *world.Client, experiment, name string, level kind.Level) {
	t.Helper()
	s.grant(t, to, kind.Scorer, kind.Within(experiment, name), level)
}

func (s *scene) grant(t *testing.T, to *world.Client, k kind.Name, resource string, level kind.Level) {
	t.Helper()
	p := store.Principal{User: to.Username}
	err := s.App.Store.UpdateGrant(t.Context(), p, k, resource, level, nil)
	if err != nil {
		err = s.App.Store.CreateGrant(t.Context(), p, k, resource, level, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func scorerQuery(experiment, name string) string {
	return "?" + url.Values{"experiment_id": {experiment}, "name": {name}}.Encode()
}

// listedScorers gives the names that a list of scorers shows.
func listedScorers(t *testing.T, c *world.Client, experiment string) []string {
	t.Helper()
	var answer struct {
		Scorers []struct {
			Name string `json:"scorer_name"`
		} `json:"scorers"`
	}
	got := c.Do(t, "GET", v3+"scorers/list?experiment_id="+experiment, nil)
	if err := json.Unmarshal(got.Body, &answer); err != nil || got.Status != http.StatusOK {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	names := []string{}
	for _, scorer := range answer.Scorers {
		names = append(names, scorer.Name)
	}
	return names
}

// A refusal on a scorer hides it from whoever may do everything else in its experiment, on every route that is about it.
func TestRefusedScorerIsHiddenEverywhere(t *testing.T) {
	s := newScene(t)
	e, name := s.victims.Experiment, s.victims.Scorer
	seen := world.Name("seen")
	s.victim.JSON(t, "POST", v3+"scorers/register", world.RegisterScorer(e, seen, "openai:/gpt-4o"))
	for _, scorer := range []string{name, seen} {
		s.admin.JSON(t, "PUT", v3+"scorers/online-config", map[string]any{"experiment_id": e, "name": scorer, "sample_rate": 0})
	}
	ids := url.Values{}
	for _, row := range s.victim.JSON(t, "GET", v3+"scorers/list?experiment_id="+e, nil)["scorers"].([]any) {
		ids.Add("scorer_ids", row.(map[string]any)["scorer_id"].(string))
	}
	configs := func(c *world.Client) int {
		t.Helper()
		return len(c.JSON(t, "GET", v3+"scorers/online-configs?"+ids.Encode(), nil)["configs"].([]any))
	}
	s.grant(t, s.thief, kind.Experiment, e, kind.Manage)
	if got := listedScorers(t, s.thief, e); len(got) != 2 || configs(s.thief) != 2 {
		t.Fatalf("whoever manages the experiment sees %v", got)
	}
	s.onScorer(t, s.thief, e, name, kind.NoPermissions)
	if got := listedScorers(t, s.thief, e); !slices.Equal(got, []string{seen}) {
		t.Errorf("the list shows %v", got)
	}
	if got := configs(s.thief); got != 1 {
		t.Errorf("%d online configurations are shown", got)
	}
	for _, path := range []string{"get", "versions"} {
		got := s.refused(t, s.thief.Request(t, "GET", v3+"scorers/"+path+scorerQuery(e, name), nil), s.thief)
		none := s.thief.Do(t, "GET", v3+"scorers/"+path+scorerQuery(e, "none"), nil)
		if strings.ReplaceAll(string(got.Body), name, "none") != string(none.Body) && got.Status != none.Status {
			t.Errorf("%s: the refusal is %d %s, and of what does not exist %d %s", path, got.Status, got.Body, none.Status, none.Body)
		}
	}
	s.refused(t, s.thief.Request(t, "POST", v3+"scorers/register", world.RegisterScorer(e, name, "openai:/gpt-4o")), s.thief)
	s.refused(t, s.thief.Request(t, "DELETE", v3+"scorers/delete", map[string]any{"experiment_id": e, "name": name}), s.thief)
	s.refused(t, s.thief.Request(t, "POST", "/ajax-api/3.0/mlflow/scorer/invoke", map[string]any{"experiment_id": e, "name": name}), s.thief)
	stranger := s.Person(t, "stranger", world.Members)
	if got := configs(stranger); got != 0 {
		t.Errorf("a stranger is shown %d online configurations", got)
	}
}

// A grant on a scorer opens the scorer, and nothing of its experiment.
func TestGrantOnAScorerOpensNoMore(t *testing.T) {
	s := newScene(t)
	e, name := s.victims.Experiment, s.victims.Scorer
	s.onScorer(t, s.thief, e, name, kind.Manage)
	s.thief.JSON(t, "GET", v3+"scorers/get"+scorerQuery(e, name), nil)
	s.thief.JSON(t, "GET", v3+"scorers/versions"+scorerQuery(e, name), nil)
	for name, request := range map[string]*http.Request{
		"list":           s.thief.Request(t, "GET", v3+"scorers/list?experiment_id="+e, nil),
		"lists":          s.thief.Request(t, "GET", v3+"scorers/list?experiment_ids="+e, nil),
		"experiment":     s.thief.Request(t, "GET", v2+"experiments/get?experiment_id="+e, nil),
		"another scorer": s.thief.Request(t, "POST", v3+"scorers/register", world.RegisterScorer(e, world.Name("new"), "openai:/gpt-4o")),
		"a new version":  s.thief.Request(t, "POST", v3+"scorers/register", world.RegisterScorer(e, name, "openai:/gpt-4o")),
		"online":         s.thief.Request(t, "PUT", v3+"scorers/online-config", map[string]any{"experiment_id": e, "name": name, "sample_rate": 0}),
	} {
		t.Run(name, func(t *testing.T) { s.refused(t, request, s.thief) })
	}
}

// Names with slashes, percent signs and digits are what could make one scorer's key another's.
func TestNamesOfScorersAreNotConfused(t *testing.T) {
	s := newScene(t)
	e := s.victims.Experiment
	names := []string{"a/b", "a%2Fb", "a%252Fb", e + "/a/b", "/a/b", " a/b", "模型", "A/B"}
	for _, name := range names {
		s.victim.JSON(t, "POST", v3+"scorers/register", world.RegisterScorer(e, name, "openai:/gpt-4o"))
	}
	for _, granted := range names {
		reader := s.Person(t, "reader", world.Members)
		for _, name := range names {
			s.onScorer(t, reader, e, name, kind.NoPermissions)
		}
		s.onScorer(t, reader, e, granted, kind.Read)
		for _, name := range names {
			got := reader.Do(t, "GET", v3+"scorers/get"+scorerQuery(e, name), nil)
			if want := map[bool]int{true: http.StatusOK, false: http.StatusNotFound}[name == granted]; got.Status != want {
				t.Errorf("with a grant on %q, %q is answered with %d %s", granted, name, got.Status, got.Body)
			}
		}
	}
	for _, id := range []string{"0" + e, e + "/a", " " + e, e + "%2Fa", ""} {
		s.refused(t, s.victim.Request(t, "GET", v3+"scorers/get"+scorerQuery(id, "b"), nil), s.victim)
	}
	s.refused(t, s.victim.Request(t, "POST", v3+"scorers/register", world.RegisterScorer(e, strings.Repeat("x", 255), "openai:/gpt-4o")), s.victim)
}

// The first version is a creation, and gives MANAGE; a later one is a change. Grants go with the last version.
func TestScorerGrantsFollowItsVersions(t *testing.T) {
	s := newScene(t)
	e, name := s.victims.Experiment, world.Name("scorer")
	resource := kind.Within(e, name)
	holds := func() map[string]kind.Level {
		t.Helper()
		users, _, err := s.App.Store.GrantsOn(t.Context(), kind.Scorer, resource)
		if err != nil {
			t.Fatal(err)
		}
		held := map[string]kind.Level{}
		for _, user := range users {
			held[user.Name] = user.Level
		}
		return held
	}
	s.grant(t, s.thief, kind.Experiment, e, kind.Edit)
	register := func(c *world.Client) {
		t.Helper()
		c.JSON(t, "POST", v3+"scorers/register", world.RegisterScorer(e, name, "openai:/gpt-4o"))
	}
	register(s.victim)
	register(s.thief)
	if held := holds(); len(held) != 1 || held[s.victim.Username] != kind.Manage {
		t.Fatalf("after a second version by another: %v", held)
	}
	s.refused(t, s.thief.Request(t, "DELETE", v3+"scorers/delete", map[string]any{"experiment_id": e, "name": name}), s.thief)
	s.refused(t, s.thief.Request(t, "DELETE", v3+"scorers/delete", map[string]any{"experiment_id": e, "name": name, "version": 2}), s.thief)
	s.onScorer(t, s.thief, e, name, kind.NoPermissions)
	s.victim.JSON(t, "DELETE", v3+"scorers/delete", map[string]any{"experiment_id": e, "name": name, "version": 1})
	if held := holds(); len(held) != 2 {
		t.Errorf("a refusal went with one of two versions: %v", held)
	}
	s.victim.JSON(t, "DELETE", v3+"scorers/delete", map[string]any{"experiment_id": e, "name": name, "version": 2})
	if held := holds(); len(held) != 0 {
		t.Errorf("grants are left behind for whoever takes the name: %v", held)
	}
	register(s.thief)
	if held := holds(); len(held) != 1 || held[s.thief.Username] != kind.Manage {
		t.Errorf("after the name was taken again: %v", held)
	}
	s.victim.JSON(t, "POST", v2+"experiments/delete", map[string]any{"experiment_id": e})
	if held := holds(); len(held) != 1 {
		t.Errorf("the grants went with the experiment, which can be restored: %v", held)
	}
}

// A scorer asks a model. With an online configuration MLflow runs the newest version by itself, and an editor could have it
// spend anybody's endpoint.
func TestScorerNamesNoEndpointOfOthers(t *testing.T) {
	s := newScene(t)
	e := s.thiefs.Experiment
	for name, model := range map[string]string{"by name": "gateway:/" + s.victims.Endpoint, "with more slashes": "gateway:///" + s.victims.Endpoint,
		"by id": "gateway:/" + s.victims.EndpointID} {
		t.Run(name, func(t *testing.T) {
			s.refused(t, s.thief.Request(t, "POST", v3+"scorers/register", world.RegisterScorer(e, s.thiefs.Scorer, model)), s.thief)
		})
	}
	twice := world.RegisterScorer(e, s.thiefs.Scorer, `openai:/gpt-4o", "model": "gateway:/`+s.victims.Endpoint)
	s.refused(t, s.thief.Request(t, "POST", v3+"scorers/register", twice), s.thief)
	s.thief.JSON(t, "POST", v3+"scorers/register", world.RegisterScorer(e, s.thiefs.Scorer, "gateway:/"+s.thiefs.Endpoint))
}

// A registered scorer is named to be run, by whoever may not read it: MLflow would run it with its own rights.
func TestRefusedScorerIsNotRun(t *testing.T) {
	s := newScene(t)
	own := s.thiefs
	definition := world.RegisterScorer(own.Experiment, "judge", "gateway:/"+own.Endpoint)
	s.thief.JSON(t, "POST", v3+"scorers/register", definition)
	run := func() *http.Request {
		return s.thief.Request(t, "POST", "/ajax-api/3.0/mlflow/genai/evaluate/invoke", map[string]any{"experiment_id": own.Experiment,
			"trace_ids": []any{own.Trace}, "serialized_scorers": []any{definition["serialized_scorer"]}, "scorer_versions": []any{1}})
	}
	s.recorder.Calls()
	if got := s.thief.Send(t, run()); len(s.recorder.Forwarded()) == 0 {
		t.Fatalf("one's own is refused: %d %s", got.Status, got.Body)
	}
	s.onScorer(t, s.thief, own.Experiment, "judge", kind.NoPermissions)
	s.refused(t, run(), s.thief)
}
