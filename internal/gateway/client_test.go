package gateway_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// fronted is the gateway before an MLflow, whose own client people use.
type fronted struct {
	*world.World
	environment mlflowtest.Environment
	address     string // of MLflow itself
}

// act runs a function of testdata/client.py as a person.
func (o *fronted) act(t *testing.T, as *world.Client, what ...string) map[string]any {
	t.Helper()
	command := exec.CommandContext(t.Context(), o.environment.Command("python"), append([]string{"-W", "ignore", "testdata/client.py"}, what...)...)
	command.Env = append(os.Environ(), "MLFLOW_TRACKING_URI="+o.URL+o.Prefix, "MLFLOW_TRACKING_USERNAME="+as.Username, "MLFLOW_TRACKING_PASSWORD="+as.Token, "WORKSPACE="+as.In, "HOME="+t.TempDir())
	var problems bytes.Buffer
	command.Stderr = &problems
	output, err := command.Output()
	if err != nil {
		t.Fatalf("%v as %s: %v\n%s", what, as.Username, err, problems.String())
	}
	var said map[string]any
	lines := bytes.Split(bytes.TrimSpace(output), []byte("\n")) // newer clients say first where a run is to be seen
	if err := json.Unmarshal(lines[len(lines)-1], &said); err != nil {
		t.Fatalf("%v as %s said %s", what, as.Username, output)
	}
	return said
}

// bare asks MLflow itself, beside the gateway, and gives the status.
func (o *fronted) bare(t *testing.T, method, path, body string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, o.address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}

// The gateway before an older MLflow, with the client of that version.
func TestOlderVersions(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"2.22.0", "3.5.0"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			o := &fronted{environment: mlflowtest.Older(t, version)}
			o.address, _ = o.environment.Serve(t)
			o.World = world.New(t, o.address, nil)
			stranger, id, run := o.work(t, version)
			o.attack(t, stranger, id, run)
		})
	}
}

// The client of an MLflow that has --static-prefix needs the prefix in its address, and nothing else.
func TestClientBelowAPrefix(t *testing.T) {
	t.Parallel()
	o := &fronted{environment: mlflowtest.Pinned(t)}
	o.address, _ = o.environment.Serve(t, "--static-prefix", "/ml")
	o.World = world.New(t, o.address+"/ml", nil)
	o.work(t, policy.Version)
}

// The client that was told its workspace by mlflow.set_workspace: one person works in it, another who may use the workspace
// reads it and no more, and the member of another workspace sees nothing of it.
func TestClientInAWorkspace(t *testing.T) {
	s := newSpaces(t, nil)
	o := &fronted{World: s.World, environment: mlflowtest.Pinned(t)}
	made := o.act(t, s.victim, "make", "shared")
	colleague := s.Person(t, "colleague", world.Members).Inside(s.a)
	s.give(t, colleague, kind.Workspace, s.a, kind.Use)
	want := map[string]any{"done": []any{}, "experiments": []any{s.victims.ExperimentName, "shared"}}
	if diff := cmp.Diff(want, o.act(t, colleague, "look", "shared")); diff != "" {
		t.Errorf("what a colleague can do: %s", diff)
	}
	want = map[string]any{"done": []any{}, "experiments": []any{s.thiefs.ExperimentName}, "models": []any{s.thiefs.Model}}
	if diff := cmp.Diff(want, o.act(t, s.thief, "strange", made["run"].(string), made["trace"].(string), "shared")); diff != "" {
		t.Errorf("what a member of another workspace can do: %s", diff)
	}
}

// work has one person make something of each kind, another read it and no more, and a third, who is given back with the
// experiment and the run, see nothing of it.
func (o *fronted) work(t *testing.T, version string) (stranger *world.Client, id, run string) {
	t.Helper()
	owner, reader := o.Person(t, "owner", world.Members), o.Person(t, "reader", world.Members)
	stranger = o.Person(t, "stranger", world.Members)
	made := o.act(t, owner, "make", "shared")
	if made["client"] != version {
		t.Errorf("the client's version is %v", made["client"])
	}
	id, run = made["experiment"].(string), made["run"].(string)
	owner.JSON(t, "POST", "/api/2.0/mlflow/permissions/users/"+reader.Username+"/experiments/"+id, map[string]any{"permission": "READ"})
	want := map[string]any{"done": []any{}, "experiments": []any{"shared"}}
	if diff := cmp.Diff(want, o.act(t, reader, "look", "shared")); diff != "" {
		t.Errorf("what a reader can do: %s", diff)
	}
	want = map[string]any{"done": []any{}, "experiments": []any{}, "models": []any{}}
	if diff := cmp.Diff(want, o.act(t, stranger, "strange", run, made["trace"].(string), "shared")); diff != "" {
		t.Errorf("what a stranger can do: %s", diff)
	}
	return stranger, id, run
}

// attack sends what an older MLflow takes, having less checks of its own than the newest.
func (o *fronted) attack(t *testing.T, thief *world.Client, id, run string) {
	own := thief.JSON(t, "POST", "/api/2.0/mlflow/experiments/create", map[string]any{"name": "the thief's"})["experiment_id"].(string)
	mine := thief.JSON(t, "POST", "/api/2.0/mlflow/runs/create", map[string]any{"experiment_id": own})["run"].(map[string]any)["info"].(map[string]any)["run_id"].(string)
	thief.JSON(t, "POST", "/api/2.0/mlflow/registered-models/create", map[string]any{"name": "mine"})
	const prompt = `{"name": "mine", "tags": [{"key": "mlflow.prompt.is_prompt", "value": "true"}], "source": `
	for name, attack := range map[string]struct{ method, path, body string }{
		"a tag of another's run under two spellings": {"POST", "runs/set-tag", `{"run_id": "` + mine + `", "runId": "` + run + `", "key": "a", "value": "b"}`},
		"a tag of another's run under one name":      {"POST", "runs/set-tag", `{"run_id": "` + mine + `", "run_id": "` + run + `", "key": "a", "value": "b"}`},
		"a tag of another's experiment":              {"POST", "experiments/set-experiment-tag", `{"experiment_id": "` + own + `", "experimentId": "` + id + `", "key": "a", "value": "b"}`},
		"a prompt from the server's files":           {"POST", "model-versions/create", prompt + `"/etc"}`},
		"a prompt from another's artifacts":          {"POST", "model-versions/create", prompt + `"mlflow-artifacts:/` + id + "/" + run + `/artifacts"}`},
		"a version from another's artifacts": {"POST", "model-versions/create",
			`{"name": "mine", "run_id": "` + mine + `", "source": "mlflow-artifacts:/` + id + "/" + run + `/artifacts"}`},
		"a version from another's run": {"POST", "model-versions/create", `{"name": "mine", "source": "runs:/` + run + `/model"}`},
	} {
		answer := thief.Do(t, attack.method, "/api/2.0/mlflow/"+attack.path, attack.body)
		if answer.Status < 400 || answer.Status >= 500 || answer.Code() == "" {
			t.Errorf("%s: answered %d %s", name, answer.Status, answer.Body)
		}
		if status := o.bare(t, attack.method, "/api/2.0/mlflow/"+attack.path, attack.body); status != http.StatusOK {
			t.Errorf("%s: MLflow itself answers %d, and the attack shows nothing", name, status)
		}
	}
	for _, path := range []string{"../" + id, "%2e%2e/" + id, own + "/../" + id, own + "/%252e%252e/" + id, own + "/..%2f" + id} {
		answer := thief.Do(t, "GET", "/api/2.0/mlflow-artifacts/artifacts/"+path+"/"+run+"/artifacts/model/file.txt", nil)
		if !slices.Contains([]int{http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound}, answer.Status) {
			t.Errorf("an artifact at %s: answered %d %s", path, answer.Status, answer.Body)
		}
	}
}
