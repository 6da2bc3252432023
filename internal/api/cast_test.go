package api_test

import (
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

func TestMain(m *testing.M) { os.Exit(mlflowtest.Main(m)) }

const (
	base     = "/api/2.0/mlflow"
	theGroup = "red" // the target is a member
)

// cast is a gateway with everybody whose rights differ, each signed in with a browser.
type cast struct {
	*world.World
	nobody  *world.Client
	member  *world.Client // holds nothing
	editor  *world.Client // has EDIT on the resources
	manager *world.Client // has made the resources, and so has MANAGE
	target  *world.Client // whom permissions are given to
	admin   *world.Client
	on      map[kind.Name]string // the resource of each kind: what grants hold
	names   map[kind.Name]string // and what people call it
	ids     map[kind.Name]string // and MLflow, where grants do not
}

// kinds are those that there are where workspaces are off, as they are here.
func kinds() iter.Seq[kind.Kind] {
	return func(yield func(kind.Kind) bool) {
		for k := range kind.All() {
			if k.Name != kind.Workspace && !yield(k) {
				return
			}
		}
	}
}

func newCast(t *testing.T) *cast {
	t.Helper()
	w := world.New(t, mlflowtest.Shared(t).Address, nil)
	c := &cast{World: w, nobody: w.Nobody(t), member: w.Browser(t, "member", world.Members), editor: w.Browser(t, "editor", world.Members),
		manager: w.Browser(t, "manager", world.Members), target: w.Browser(t, "target", world.Members, theGroup),
		admin: w.Browser(t, "root", world.Members, world.Admins)}
	name := strings.NewReplacer("/", "-").Replace(t.Name())
	made := c.manager.JSON(t, http.MethodPost, base+"/experiments/create", map[string]any{"name": name})
	c.manager.JSON(t, http.MethodPost, base+"/registered-models/create", map[string]any{"name": name})
	server := "test/" + name
	c.manager.JSON(t, http.MethodPost, "/api/3.0/mlflow/mcp-servers", map[string]any{"name": server})
	id, _ := made["experiment_id"].(string)
	c.ids = c.makeGateway(t, c.manager, name)
	c.on = map[kind.Name]string{kind.Experiment: id}
	c.names = map[kind.Name]string{kind.Experiment: name}
	for k := range kinds() {
		if !k.ByID { // under one name, so that a grant of one kind that counts for another is found
			c.on[k.Name], c.names[k.Name] = name, name
		}
	}
	c.on[kind.MCPServer], c.names[kind.MCPServer] = server, server
	c.on[kind.Prompt], c.names[kind.Prompt] = name+"-prompt", name+"-prompt" // models and prompts share their names
	c.manager.MakePrompt(t, c.on[kind.Prompt])
	c.manager.JSON(t, http.MethodPost, "/api/3.0/mlflow/scorers/register", world.RegisterScorer(id, name, "openai:/gpt-4o"))
	c.on[kind.Scorer] = kind.Within(id, name)
	for k := range kinds() {
		c.give(t, store.Principal{User: c.editor.Username}, k.Name, kind.Edit)
	}
	return c
}

// makeGateway makes a secret, a model definition and an endpoint of the AI gateway, all under one name.
func (c *cast) makeGateway(t *testing.T, by *world.Client, name string) map[kind.Name]string {
	t.Helper()
	made := func(path, what, id string, body object) string {
		t.Helper()
		return by.JSON(t, http.MethodPost, "/api/3.0/mlflow/gateway/"+path, body)[what].(object)[id].(string)
	}
	secret := made("secrets/create", "secret", "secret_id", object{"secret_name": name, "secret_value": object{"api_key": "sk"}, "provider": "openai"})
	definition := made("model-definitions/create", "model_definition", "model_definition_id",
		object{"name": name, "secret_id": secret, "provider": "openai", "model_name": "gpt-4o"})
	endpoint := made("endpoints/create", "endpoint", "endpoint_id", object{"name": name, "usage_tracking": false,
		"model_configs": list{object{"model_definition_id": definition, "linkage_type": "PRIMARY", "weight": 1}}})
	return map[kind.Name]string{kind.GatewaySecret: secret, kind.GatewayModel: definition, kind.GatewayEndpoint: endpoint}
}

// give lays a permission on the resource of a kind, whatever there was before.
func (c *cast) give(t *testing.T, p store.Principal, k kind.Name, level kind.Level) {
	t.Helper()
	c.take(t, p, k)
	if err := c.App.Store.CreateGrant(t.Context(), p, k, c.on[k], level, nil); err != nil {
		t.Fatal(err)
	}
}

func (c *cast) take(t *testing.T, p store.Principal, k kind.Name) {
	t.Helper()
	_ = c.App.Store.DeleteGrant(t.Context(), p, k, c.on[k]) // there may be none
}

// side is one of the two sorts of principal, with the one of them that tests are about.
type side struct {
	segment string
	holder  store.Principal
	name    string
}

func (c *cast) sides() []side {
	return []side{{"users", store.Principal{User: c.target.Username}, c.target.Username}, {"groups", store.Principal{Group: theGroup}, theGroup}}
}

// each runs a test for each kind and side.
func (c *cast) each(t *testing.T, run func(t *testing.T, k kind.Kind, s side)) {
	for k := range kinds() {
		for _, s := range c.sides() {
			t.Run(string(k.Name)+" of "+s.segment, func(t *testing.T) { run(t, k, s) })
		}
	}
}

// eachPattern does so for each kind whose patterns have routes.
func (c *cast) eachPattern(t *testing.T, run func(t *testing.T, k kind.Kind, s side)) {
	c.each(t, func(t *testing.T, k kind.Kind, s side) {
		if k.Patterns != "" {
			run(t, k, s)
		}
	})
}

// at is the resource of a kind as a segment of a path, or as two.
func (c *cast) at(k kind.Kind) string {
	if k.Parent != "" {
		outer, name := kind.Parts(c.on[k.Name])
		return outer + "/" + url.PathEscape(name)
	}
	return url.PathEscape(c.on[k.Name])
}

func (c *cast) grants(k kind.Kind, s side) string {
	return base + "/permissions/" + s.segment + "/" + s.name + "/" + k.Segment
}

func (c *cast) patterns(k kind.Kind, s side) string {
	return base + "/permissions/" + s.segment + "/" + s.name + "/" + k.Patterns
}

// holders is where the holders of permissions on a resource are listed, for a side.
func holders(k kind.Kind, resource string, s side) string {
	return strings.Replace(base, "2.0", version(k), 1) + "/permissions/" + k.Segment + "/" + resource + "/" + s.segment
}

// version is that of the API under which the plugin has the routes that start from a resource.
func version(k kind.Kind) string {
	if k.Parent != "" {
		return "3.0"
	}
	return "2.0"
}

func (c *cast) id(t *testing.T, p store.Principal) float64 {
	t.Helper()
	id, err := c.App.Store.PrincipalID(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return float64(id)
}

// idOf gives the id of a user; 0 for one that does not exist.
func (c *cast) idOf(t *testing.T, username string) float64 {
	t.Helper()
	id, _ := c.App.Store.PrincipalID(t.Context(), store.Principal{User: username}) // the answer says that it does not exist
	return float64(id)
}

// said stands for any text for people.
const said = "…"

// wants compares an answer: its status, and its JSON as it is, but for texts for people.
func wants(t *testing.T, got world.Answer, status int, want any) {
	t.Helper()
	if got.Status != status {
		t.Fatalf("the answer is %d, want %d: %s", got.Status, status, got.Body)
	}
	if mime := got.Header.Get("Content-Type"); mime != "application/json" {
		t.Errorf("the answer's type is %q", mime)
	}
	var body any
	if err := json.Unmarshal(got.Body, &body); err != nil {
		t.Fatalf("%v in %q", err, got.Body)
	}
	if object, ok := body.(map[string]any); ok {
		for _, key := range []string{"message", "detail", "error"} {
			if text, ok := object[key].(string); ok && text != "" {
				object[key] = said
			}
		}
		if status == http.StatusUnprocessableEntity {
			object["detail"] = faults(t, object["detail"])
		}
	}
	if diff := cmp.Diff(want, body); diff != "" {
		t.Errorf("the answer differs (-want +got):\n%s", diff)
	}
}

// faults gives the text for people, where the detail of an answer is a list of what is wrong with the form of a request.
func faults(t *testing.T, detail any) any {
	t.Helper()
	all, _ := detail.([]any)
	for _, one := range all {
		fault, _ := one.(map[string]any)
		where, _ := fault["loc"].([]any)
		if what, _ := fault["msg"].(string); len(fault) != 3 || len(where) == 0 || what == "" || fault["type"] != "value_error" {
			t.Errorf("a fault is %v", one)
		}
	}
	if len(all) == 0 {
		t.Errorf("the faults are %v", detail)
	}
	return said
}

// refused is the one form of all errors.
func refused(code string) map[string]any {
	return map[string]any{"error_code": code, "message": said, "detail": said}
}

var (
	invalid  = refused("INVALID_PARAMETER_VALUE")
	denied   = refused("PERMISSION_DENIED")
	missing  = refused("RESOURCE_DOES_NOT_EXIST")
	conflict = refused("RESOURCE_ALREADY_EXISTS")
)

type object = map[string]any
type list = []any

func permission(level string) object { return object{"permission": level} }
