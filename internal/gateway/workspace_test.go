package gateway_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/workspace"
)

// spaces is a gateway with two workspaces, each with an owner who has USE on it and work there.
type spaces struct {
	scene
	a, b string // their names
}

// newSpaces makes the victim's work in workspace a, and the thief's in b. Requests of both name their own.
func newSpaces(t *testing.T, settings map[string]string) *spaces {
	t.Helper()
	recorder := world.NewRecorder(t, mlflowtest.WithWorkspaces(t))
	all := map[string]string{"MLFLOW_ENABLE_WORKSPACES": "true"}
	for name, value := range settings {
		all[name] = value
	}
	s := &spaces{scene: scene{World: world.New(t, recorder.URL, all), recorder: recorder}, a: world.Name("team-a"), b: world.Name("team-b")}
	s.admin = s.Person(t, "admin", world.Admins)
	for _, name := range []string{s.a, s.b} {
		s.admin.JSON(t, http.MethodPost, "/api/3.0/mlflow/workspaces", map[string]any{"name": name})
	}
	s.victim, s.thief = s.Person(t, "victim", world.Members).Inside(s.a), s.Person(t, "thief", world.Members).Inside(s.b)
	s.give(t, s.victim, kind.Workspace, s.a, kind.Use)
	s.give(t, s.thief, kind.Workspace, s.b, kind.Use)
	s.victims, s.thiefs = s.victim.MakeWork(t), s.thief.MakeWork(t)
	return s
}

// give lays a level on a resource of the workspace that the client names.
func (s *spaces) give(t *testing.T, to *world.Client, k kind.Name, resource string, level kind.Level) {
	t.Helper()
	ctx := workspace.In(t.Context(), workspace.Scope{Name: to.In, Named: true})
	p := store.Principal{User: to.Username}
	_ = s.App.Store.DeleteGrant(ctx, p, k, resource) // there may be none
	if err := s.App.Store.CreateGrant(ctx, p, k, resource, level, nil); err != nil {
		t.Fatal(err)
	}
}

// reads are one way to each kind of resource of somebody's work.
func reads(w world.Work) map[string]string {
	return map[string]string{
		"experiment":         "/api/2.0/mlflow/experiments/get?experiment_id=" + w.Experiment,
		"experiment by name": "/api/2.0/mlflow/experiments/get-by-name?experiment_name=" + w.ExperimentName,
		"run":                "/api/2.0/mlflow/runs/get?run_id=" + w.Run,
		"logged model":       "/api/2.0/mlflow/logged-models/" + w.LoggedModel,
		"trace":              "/api/3.0/mlflow/traces/" + w.Trace,
		"model":              "/api/2.0/mlflow/registered-models/get?name=" + w.Model,
		"prompt":             "/api/2.0/mlflow/registered-models/get?name=" + w.Prompt,
		"scorer":             v3 + "scorers/get" + scorerQuery(w.Experiment, w.Scorer),
		"dataset":            "/api/3.0/mlflow/datasets/" + w.Dataset,
		"issue":              "/api/3.0/mlflow/issues/" + w.Issue,
		"label schema":       "/api/3.0/mlflow/label-schemas/get?schema_id=" + w.LabelSchema,
		"review queue":       "/api/3.0/mlflow/review-queues/get?queue_id=" + w.ReviewQueue,
		"endpoint":           "/api/3.0/mlflow/gateway/endpoints/get?endpoint_id=" + w.EndpointID,
		"secret":             "/api/3.0/mlflow/gateway/secrets/get?secret_id=" + w.SecretID,
		"artifact":           "/api/2.0/mlflow-artifacts/artifacts/" + w.Artifacts + "/secret.txt",
		"file of a run":      "/get-artifact?path=secret.txt&run_id=" + w.Run,
	}
}

// TestTheOwnWorkspaceIsOpen shows that the attacks below have something to attack.
func TestTheOwnWorkspaceIsOpen(t *testing.T) {
	s := newSpaces(t, nil)
	for name, path := range reads(s.victims) {
		if got := s.victim.Do(t, http.MethodGet, path, nil); got.Status != http.StatusOK {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
	}
	path := "/api/2.0/mlflow-artifacts/artifacts/" + strings.TrimPrefix(s.victims.Artifacts, "workspaces/"+s.a+"/") + "/secret.txt"
	if got := s.victim.Do(t, http.MethodGet, path, nil); got.Status != http.StatusOK || string(got.Body) != world.Secret {
		t.Errorf("the artifact by its path inside the workspace: %d %s", got.Status, got.Body)
	}
}

// TestReachIntoAnotherWorkspace reads the victim's things from the thief's workspace, from the victim's, from none, and from
// one that is not there: each as what does not exist, also where the thief's own workspace gives MANAGE by default.
func TestReachIntoAnotherWorkspace(t *testing.T) {
	s := newSpaces(t, map[string]string{"DEFAULT_MLFLOW_PERMISSION": "MANAGE"})
	s.give(t, s.thief, kind.Workspace, s.b, kind.Manage)
	for name, path := range reads(s.victims) {
		s.victim.Do(t, http.MethodGet, path, nil) // what memory knows of a is no answer to others
		for _, in := range []string{s.b, s.a, "", "default", world.Name("none")} {
			t.Run(name+" in "+in, func(t *testing.T) {
				got := s.thief.Inside(in).Do(t, http.MethodGet, path, nil)
				if got.Status < 400 || got.Status >= 500 || strings.Contains(string(got.Body), world.Secret) {
					t.Errorf("%d %s", got.Status, got.Body)
				}
			})
		}
	}
}

// A grant that counts in all workspaces, as those on experiments do, opens them in their own alone.
func TestReachAnExperimentFromAnotherWorkspaceByItsGrant(t *testing.T) {
	s := newSpaces(t, nil)
	s.give(t, s.thief, kind.Experiment, s.victims.Experiment, kind.Manage)
	for _, path := range []string{"/" + s.victims.Artifacts + "/secret.txt", "/" + strings.TrimPrefix(s.victims.Artifacts, "workspaces/"+s.a+"/") + "/secret.txt"} {
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
			s.refused(t, s.thief.Request(t, method, "/api/2.0/mlflow-artifacts/artifacts"+path, nil), s.thief)
		}
	}
	if got := s.thief.Inside(s.a).Do(t, http.MethodGet, reads(s.victims)["run"], nil); got.Status != http.StatusOK {
		t.Errorf("by a grant in the right workspace: %d %s", got.Status, got.Body)
	}
	s.refused(t, s.thief.Request(t, http.MethodGet, reads(s.victims)["run"], nil), s.thief)
}

// A model's name is one thing in each workspace: the grant on "m" in b gives nothing on "m" in a.
func TestReachAModelByTheGrantOnItsNamesake(t *testing.T) {
	s := newSpaces(t, nil)
	s.thief.JSON(t, http.MethodPost, "/api/2.0/mlflow/registered-models/create", map[string]any{"name": s.victims.Model})
	path := "/api/2.0/mlflow/registered-models/get?name=" + s.victims.Model
	if got := s.thief.Do(t, http.MethodGet, path, nil); got.Status != http.StatusOK {
		t.Fatalf("the own model: %d %s", got.Status, got.Body)
	}
	s.refused(t, s.thief.Inside(s.a).Request(t, http.MethodGet, path, nil), s.thief)
	s.refused(t, s.thief.Inside(s.a).Request(t, http.MethodDelete, "/api/2.0/mlflow/registered-models/delete", map[string]any{"name": s.victims.Model}), s.thief)
	s.thief.JSON(t, http.MethodDelete, "/api/2.0/mlflow/registered-models/delete", map[string]any{"name": s.victims.Model})
	if got := s.victim.Do(t, http.MethodGet, path, nil); got.Status != http.StatusOK {
		t.Errorf("the victim lost the model with its namesake: %d %s", got.Status, got.Body)
	}
}

// A prompt of one workspace has its name from a model of another: what is known of the one must not decide the other.
func TestTakeAPromptForItsNamesakeInAnotherWorkspace(t *testing.T) {
	s := newSpaces(t, nil)
	visitor, name := s.Person(t, "visitor", world.Members), world.Name("namesake")
	s.victim.MakePrompt(t, name)
	s.thief.JSON(t, http.MethodPost, v2+"registered-models/create", map[string]any{"name": name})
	s.give(t, visitor, kind.Workspace, s.a, kind.Read)
	s.give(t, visitor, kind.Workspace, s.b, kind.Read)
	refusal := authz.Grant{Kind: kind.Prompt, Workspace: authz.Everywhere, Pattern: ".*", Priority: 1, Level: kind.NoPermissions}
	if err := s.App.Store.CreatePattern(t.Context(), store.Principal{User: visitor.Username}, refusal); err != nil {
		t.Fatal(err)
	}
	for _, in := range []string{s.b, s.a, s.b, s.a} {
		want := map[bool]int{true: http.StatusNotFound, false: http.StatusOK}[in == s.a]
		if got := visitor.Inside(in).Do(t, http.MethodGet, v2+"registered-models/get?name="+name, nil); got.Status != want {
			t.Errorf("in %s: %d %s, want %d", in, got.Status, got.Body, want)
		}
	}
	s.victim.JSON(t, http.MethodDelete, v2+"registered-models/delete", map[string]any{"name": name})
	s.victim.JSON(t, http.MethodPost, v2+"registered-models/create", map[string]any{"name": name})
	if got := visitor.Inside(s.a).Do(t, http.MethodGet, v2+"registered-models/get?name="+name, nil); got.Status != http.StatusOK {
		t.Errorf("what became a model is remembered as a prompt: %d %s", got.Status, got.Body)
	}
}

// TestNameAWorkspaceInAnotherWay spells the victim's workspace so that the decision and MLflow could differ.
func TestNameAWorkspaceInAnotherWay(t *testing.T) {
	s := newSpaces(t, nil)
	path := reads(s.victims)["experiment"]
	for name, values := range map[string][]string{
		"upper case": {strings.ToUpper(s.a)}, "a no-break space": {s.a + "\u00a0"}, "encoded": {strings.ReplaceAll(s.a, "-", "%2d")}, "a list": {s.b + "," + s.a},
		"two headers": {s.b, s.a}, "two headers, the other way": {s.a, s.b}, "behind a blank one": {"", s.a}, "a path": {"../" + s.a},
	} {
		request := s.thief.Request(t, http.MethodGet, path, nil)
		request.Header["X-Mlflow-Workspace"] = values
		if got := s.refused(t, request, s.thief); got.Status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
	}
	underscored := s.thief.Request(t, http.MethodGet, path, nil)
	underscored.Header["X_MLFLOW_WORKSPACE"] = []string{s.a}
	s.refused(t, underscored, s.thief)
	if got := s.refused(t, s.victim.Request(t, http.MethodGet, path+"&workspace="+s.b, nil), s.victim); got.Status != http.StatusBadRequest {
		t.Errorf("the query names another than the header: %d %s", got.Status, got.Body)
	}
	if got := s.victim.Do(t, http.MethodGet, path+"&workspace="+s.a, nil); got.Status != http.StatusOK {
		t.Errorf("the query names the same: %d %s", got.Status, got.Body)
	}
}

// A search of a workspace whose caller is not in it must not tell whether there is one.
func TestAskWhetherAWorkspaceExists(t *testing.T) {
	s := newSpaces(t, nil)
	none := world.Name("none")
	for _, body := range []map[string]any{{"max_results": 10}} {
		var said []string
		for _, name := range []string{s.a, none} {
			got := s.refused(t, s.thief.Inside(name).Request(t, http.MethodPost, "/api/2.0/mlflow/experiments/search", body), s.thief)
			said = append(said, strings.ReplaceAll(string(got.Body), name, "NAME"))
			create := s.thief.Inside(name).Request(t, http.MethodPost, "/api/2.0/mlflow/experiments/create", map[string]any{"name": world.Name("e")})
			said = append(said, strings.ReplaceAll(string(s.refused(t, create, s.thief).Body), name, "NAME"))
			get := s.thief.Request(t, http.MethodGet, "/api/3.0/mlflow/workspaces/"+name, nil)
			said = append(said, strings.ReplaceAll(string(s.refused(t, get, s.thief).Body), name, "NAME"))
		}
		if !slices.Equal(said[:3], said[3:]) {
			t.Errorf("they differ: %q", said)
		}
	}
	var listed []string
	for _, row := range s.thief.JSON(t, http.MethodGet, "/api/3.0/mlflow/workspaces", nil)["workspaces"].([]any) {
		listed = append(listed, row.(map[string]any)["name"].(string))
	}
	if !slices.Equal(listed, []string{s.b}) {
		t.Errorf("the thief is shown %v", listed)
	}
	for method, body := range map[string]any{http.MethodPatch: map[string]any{"description": "mine"}, http.MethodDelete: nil} {
		s.refused(t, s.thief.Request(t, method, "/api/3.0/mlflow/workspaces/"+s.b, body), s.thief)
	}
	s.refused(t, s.thief.Request(t, http.MethodPost, "/api/3.0/mlflow/workspaces", map[string]any{"name": none}), s.thief)
}

// A page token of one workspace is none in another.
func TestCarryAPageTokenIntoAnotherWorkspace(t *testing.T) {
	s := newSpaces(t, nil)
	s.give(t, s.thief, kind.Workspace, s.a, kind.Read)
	s.give(t, s.thief, kind.Experiment, s.victims.Experiment, kind.NoPermissions) // whoever may read all gets MLflow's own tokens
	s.thief.JSON(t, http.MethodPost, "/api/2.0/mlflow/experiments/create", map[string]any{"name": world.Name("e")})
	search := func(in, token string) world.Answer {
		return s.thief.Inside(in).Do(t, http.MethodPost, "/api/2.0/mlflow/experiments/search", map[string]any{"max_results": 1, "page_token": token})
	}
	token := s.thief.JSON(t, http.MethodPost, "/api/2.0/mlflow/experiments/search", map[string]any{"max_results": 1})["next_page_token"].(string)
	if got := search(s.b, token); got.Status != http.StatusOK {
		t.Fatalf("in its own: %d %s", got.Status, got.Body)
	}
	if got := search(s.a, token); got.Status != http.StatusBadRequest {
		t.Errorf("in another: %d %s", got.Status, got.Body)
	}
}

// What a workspace gives, it gives inside, and at once no more when it is taken away.
func TestAWorkspacesLevelEndsAtItsDoor(t *testing.T) {
	s := newSpaces(t, nil)
	visitor := s.Person(t, "visitor", world.Members)
	open := func(in string, w world.Work) bool {
		return visitor.Inside(in).Do(t, http.MethodGet, reads(w)["run"], nil).Status == http.StatusOK
	}
	edit := func() int {
		return visitor.Inside(s.a).Do(t, http.MethodPost, "/api/2.0/mlflow/runs/set-tag", map[string]any{"run_id": s.victims.Run, "key": "k", "value": "v"}).Status
	}
	s.give(t, visitor, kind.Workspace, s.a, kind.Read)
	if !open(s.a, s.victims) || open(s.b, s.thiefs) || open(s.b, s.victims) || open("", s.victims) || edit() != http.StatusForbidden {
		t.Error("READ on a opens the wrong things")
	}
	s.give(t, visitor, kind.Workspace, s.a, kind.Edit)
	if edit() != http.StatusOK {
		t.Error("EDIT on a does not edit")
	}
	if err := s.App.Store.DeleteGrant(t.Context(), store.Principal{User: visitor.Username}, kind.Workspace, s.a); err != nil {
		t.Fatal(err)
	}
	if open(s.a, s.victims) {
		t.Error("what was taken away counts on")
	}
}

func TestCreationWhereTheSettingsWantNone(t *testing.T) {
	s := newSpaces(t, map[string]string{"OIDC_WORKSPACE_REQUIRE_CREATION_CONTEXT": "true", "OIDC_WORKSPACE_DENY_DEFAULT_CREATION": "true"})
	create := func(c *world.Client) *http.Request {
		return c.Request(t, http.MethodPost, "/api/2.0/mlflow/experiments/create", map[string]any{"name": world.Name("e")})
	}
	for _, in := range []string{"", "default"} {
		s.refused(t, create(s.victim.Inside(in)), s.victim)
	}
	for _, c := range []*world.Client{s.victim, s.admin, s.admin.Inside("default")} {
		if got := c.Send(t, create(c)); got.Status != http.StatusOK {
			t.Errorf("%s in %q: %d %s", c.Username, c.In, got.Status, got.Body)
		}
	}
}

// The next workspace of the name, and the next experiment of the id, begin with no grant.
func TestInheritTheGrantsOfADeletedWorkspace(t *testing.T) {
	s := newSpaces(t, nil)
	s.give(t, s.thief.Inside(s.a), kind.RegisteredModel, s.victims.Model, kind.Manage)
	s.give(t, s.thief.Inside(s.a), kind.Experiment, s.victims.Experiment, kind.Manage)
	s.give(t, s.thief.Inside(s.a), kind.Workspace, s.a, kind.Manage)
	if got := s.admin.Do(t, http.MethodDelete, "/api/3.0/mlflow/workspaces/"+s.a+"?mode=CASCADE", nil); got.Status != http.StatusNoContent {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	s.admin.JSON(t, http.MethodPost, "/api/3.0/mlflow/workspaces", map[string]any{"name": s.a})
	id, err := s.App.Store.PrincipalID(t.Context(), store.Principal{User: s.thief.Username})
	if err != nil {
		t.Fatal(err)
	}
	left, err := s.App.Store.GrantsOf(t.Context(), id)
	for _, g := range left {
		if g.Workspace == s.a || g.Resource == s.a || g.Resource == s.victims.Experiment {
			t.Errorf("the thief keeps %+v", g)
		}
	}
	if err != nil {
		t.Error(err)
	}
}
