package gateway_test

import (
	"bufio"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

const ai = "/api/3.0/mlflow/gateway/"

type fields = map[string]any

// gatewayScene is an owner with work of the AI gateway, and an attacker with work of their own.
type gatewayScene struct {
	*world.World
	mlflow          *mlflowtest.Server
	owner, attacker *world.Client
	theirs, own     world.Work
}

func newGatewayScene(t *testing.T) *gatewayScene {
	t.Helper()
	return newGatewaySceneOn(t, mlflowtest.Shared(t), nil)
}

func newGatewaySceneOn(t *testing.T, mlflow *mlflowtest.Server, settings map[string]string) *gatewayScene {
	t.Helper()
	w := world.New(t, mlflow.Address, settings)
	s := &gatewayScene{World: w, mlflow: mlflow, owner: w.Person(t, "owner", world.Members), attacker: w.Person(t, "attacker", world.Members)}
	s.theirs, s.own = s.owner.MakeWork(t), s.attacker.MakeWork(t)
	return s
}

func (s *gatewayScene) give(t *testing.T, k kind.Name, resource string, level kind.Level) {
	t.Helper()
	if err := s.App.Store.CreateGrant(t.Context(), store.Principal{User: s.attacker.Username}, k, resource, level, nil); err != nil {
		t.Fatal(err)
	}
}

func config(definition string) fields {
	return fields{"model_definition_id": definition, "linkage_type": "PRIMARY", "weight": 1}
}

// References are how somebody else's key is spent: a model definition on their secret, an endpoint on their model
// definition. MLflow asks for no right on either; the camel-case spellings are the same request to it.
func TestForeignReferencesOfTheAIGatewayAreRefused(t *testing.T) {
	s := newGatewayScene(t)
	create := func(extra fields) fields {
		body := fields{"name": world.Name("mine"), "usage_tracking": false, "model_configs": []any{config(s.own.DefinitionID)}}
		for key, value := range extra {
			body[key] = value
		}
		return body
	}
	for name, attack := range map[string]struct {
		path string
		body fields
	}{
		"definition on a foreign secret":     {"model-definitions/create", fields{"name": world.Name("d"), "secret_id": s.theirs.SecretID, "provider": "openai", "model_name": "m"}},
		"definition moved to it":             {"model-definitions/update", fields{"model_definition_id": s.own.DefinitionID, "secret_id": s.theirs.SecretID}},
		"definition moved to it, camel case": {"model-definitions/update", fields{"model_definition_id": s.own.DefinitionID, "secretId": s.theirs.SecretID}},
		"endpoint on a foreign definition":   {"endpoints/create", create(fields{"model_configs": []any{config(s.theirs.DefinitionID)}})},
		"behind one of their own":            {"endpoints/create", create(fields{"model_configs": []any{config(s.own.DefinitionID), config(s.theirs.DefinitionID)}})},
		"endpoint moved to it":               {"endpoints/update", fields{"endpoint_id": s.own.EndpointID, "model_configs": []any{config(s.theirs.DefinitionID)}}},
		"foreign definition attached":        {"endpoints/models/attach", fields{"endpoint_id": s.own.EndpointID, "model_config": config(s.theirs.DefinitionID)}},
		"own definition on their endpoint":   {"endpoints/models/attach", fields{"endpoint_id": s.theirs.EndpointID, "model_config": config(s.own.DefinitionID)}},
		"traces into their experiment":       {"endpoints/create", create(fields{"usage_tracking": true, "experiment_id": s.theirs.Experiment})},
		"the same by an update":              {"endpoints/update", fields{"endpoint_id": s.own.EndpointID, "experiment_id": s.theirs.Experiment}},
		"an experiment that nobody owns":     {"endpoints/create", create(fields{"usage_tracking": true})},
		"the same, by default":               {"endpoints/create", create(fields{"usage_tracking": nil})},
		"the same, by an update":             {"endpoints/update", fields{"endpoint_id": s.own.EndpointID, "usage_tracking": true}},
		"their secret's value":               {"secrets/update", fields{"secret_id": s.theirs.SecretID, "secret_value": fields{"api_key": "sk-evil"}}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := s.attacker.Do(t, http.MethodPost, ai+attack.path, attack.body); got.Status != http.StatusForbidden && got.Status != http.StatusNotFound {
				t.Errorf("answered %d %s", got.Status, got.Body)
			}
		})
	}
	s.owner.JSON(t, http.MethodPost, ai+"endpoints/create", fields{"name": world.Name("mine"), "model_configs": []any{config(s.theirs.DefinitionID)},
		"usage_tracking": true, "experiment_id": s.theirs.Experiment})
}

// Lists come in one piece; what the caller may not read is not in them, nor within what the caller may read.
func TestListsAndAnswersOfTheAIGatewayHideWhatIsForeign(t *testing.T) {
	s := newGatewayScene(t)
	hidden := []string{s.theirs.Secret, s.theirs.SecretID, s.theirs.Definition, s.theirs.DefinitionID, s.theirs.Endpoint, s.theirs.EndpointID}
	check := func(path string, hidden []string, shown ...string) {
		t.Helper()
		got := s.attacker.Do(t, http.MethodGet, ai+path, nil)
		for _, text := range hidden {
			if strings.Contains(string(got.Body), text) {
				t.Errorf("%s shows %s: %s", path, text, got.Body)
			}
		}
		for _, text := range shown {
			if !strings.Contains(string(got.Body), text) {
				t.Errorf("%s does not show %s: %d %s", path, text, got.Status, got.Body)
			}
		}
		if head := s.attacker.Do(t, http.MethodHead, ai+path, nil); head.Header.Get("Content-Length") != "" && head.Status == http.StatusOK {
			t.Errorf("%s: HEAD tells the length of what is left out: %v", path, head.Header)
		}
	}
	check("secrets/list", hidden, s.own.Secret)
	check("model-definitions/list", hidden, s.own.Definition, s.own.Secret)
	check("endpoints/list", hidden, s.own.Endpoint, s.own.Definition, s.own.Secret)
	if got := s.attacker.Do(t, http.MethodGet, ai+"model-definitions/list?secret_id="+s.theirs.SecretID, nil); got.Status != http.StatusNotFound {
		t.Errorf("a list by a foreign secret: %d %s", got.Status, got.Body)
	}
	s.give(t, kind.GatewayEndpoint, s.theirs.Endpoint, kind.Read)
	check("endpoints/list", hidden[:4], s.theirs.Endpoint)
	check("endpoints/get?endpoint_id="+s.theirs.EndpointID, hidden[:4], s.theirs.Endpoint)
	check("endpoints/get?name="+url.QueryEscape(s.theirs.Endpoint), hidden[:4], s.theirs.EndpointID)
	s.give(t, kind.GatewayModel, s.theirs.Definition, kind.Read)
	check("endpoints/list", hidden[:2], s.theirs.Definition)
	check("model-definitions/list", hidden[:2], s.theirs.Definition)
	check("model-definitions/get?model_definition_id="+s.theirs.DefinitionID, hidden[:2], s.theirs.Definition)
	s.give(t, kind.GatewaySecret, s.theirs.Secret, kind.Read)
	check("endpoints/list", nil, s.theirs.SecretID, s.theirs.Secret)
	if got := s.attacker.Do(t, http.MethodGet, ai+"endpoints/get", nil); got.Status != http.StatusForbidden {
		t.Errorf("an endpoint without a name: %d %s", got.Status, got.Body)
	}
}

// Grants are held by names, and names are free again after a deletion and a renaming: their next owner inherits nothing,
// and the renamed keeps what it had.
func TestNamesOfTheAIGatewayAreRecycledWithoutGrants(t *testing.T) {
	s := newGatewayScene(t)
	s.give(t, kind.GatewayEndpoint, s.theirs.Endpoint, kind.Read)
	to := world.Name("renamed")
	s.owner.JSON(t, http.MethodPost, ai+"endpoints/update", fields{"endpoint_id": s.theirs.EndpointID, "name": to})
	status := func(c *world.Client, path string, want int) {
		t.Helper()
		if got := c.Do(t, http.MethodGet, ai+path, nil); got.Status != want {
			t.Errorf("%s of %s: %d %s, want %d", path, c.Username, got.Status, got.Body, want)
		}
	}
	status(s.attacker, "endpoints/get?name="+to, http.StatusOK)
	status(s.owner, "endpoints/get?endpoint_id="+s.theirs.EndpointID, http.StatusOK)
	s.owner.JSON(t, http.MethodPost, ai+"endpoints/create", fields{"name": s.theirs.Endpoint, "usage_tracking": false,
		"model_configs": []any{config(s.theirs.DefinitionID)}})
	status(s.attacker, "endpoints/get?name="+s.theirs.Endpoint, http.StatusNotFound)
	for _, one := range []struct{ path, id, value string }{
		{"endpoints/delete", "endpoint_id", s.theirs.EndpointID},
		{"model-definitions/delete", "model_definition_id", s.own.DefinitionID},
		{"endpoints/delete", "endpoint_id", s.own.EndpointID},
		{"model-definitions/delete", "model_definition_id", s.own.DefinitionID},
		{"secrets/delete", "secret_id", s.own.SecretID},
	} {
		for _, c := range []*world.Client{s.owner, s.attacker} {
			c.Do(t, http.MethodDelete, ai+one.path, fields{one.id: one.value})
		}
	}
	for k, name := range map[kind.Name]string{kind.GatewayEndpoint: to, kind.GatewayModel: s.own.Definition, kind.GatewaySecret: s.own.Secret} {
		users, groups, err := s.App.Store.GrantsOn(t.Context(), k, name)
		if err != nil || len(users)+len(groups) > 0 {
			t.Errorf("the deleted %s %s has left %v %v, %v", k, name, users, groups, err)
		}
	}
	made := s.owner.JSON(t, http.MethodPost, ai+"secrets/create", fields{"secret_name": s.own.Secret, "secret_value": fields{"api_key": "sk"}})
	status(s.attacker, "secrets/get?secret_id="+made["secret"].(fields)["secret_id"].(string), http.StatusNotFound)
}

// A new name on which one's own pattern gives more than EDIT would make what is shared one's own: to delete it, and to
// take it from its owner.
func TestRenameWhatIsSharedOfTheAIGatewayIntoAPattern(t *testing.T) {
	s := newGatewayScene(t)
	to, prefix := store.Principal{User: s.attacker.Username}, world.Name("attackers")
	for _, k := range []kind.Name{kind.GatewayEndpoint, kind.GatewayModel} {
		own := authz.Grant{Kind: k, Pattern: prefix, Priority: 1, Level: kind.Manage}
		shared := authz.Grant{Kind: k, Pattern: ".*", Priority: 9, Level: kind.Edit}
		for _, g := range []authz.Grant{own, shared} {
			if err := s.App.Store.CreatePattern(t.Context(), to, g); err != nil {
				t.Fatal(err)
			}
		}
	}
	for path, body := range map[string]fields{
		"endpoints/update":         {"endpoint_id": s.theirs.EndpointID},
		"model-definitions/update": {"model_definition_id": s.theirs.DefinitionID},
	} {
		body["name"] = prefix + "-mine"
		if got := s.attacker.Do(t, http.MethodPost, ai+path, body); got.Status != http.StatusForbidden {
			t.Errorf("%s: answered %d %s", path, got.Status, got.Body)
		}
		body["name"] = world.Name("harmless")
		s.attacker.JSON(t, http.MethodPost, ai+path, body)
	}
}

// The name is where MLflow reads it, in the body or in the path; whoever has READ alone cannot spend the endpoint's key.
func TestInvokingAForeignEndpointIsRefused(t *testing.T) {
	s := newGatewayScene(t)
	message := []any{fields{"role": "user", "content": "hello"}}
	attack := func(want int) {
		t.Helper()
		for name, send := range map[string]struct {
			path string
			body any
		}{
			"in the body":             {"/gateway/mlflow/v1/chat/completions", fields{"model": s.theirs.Endpoint, "messages": message}},
			"passthrough":             {"/gateway/openai/v1/chat/completions", fields{"model": s.theirs.Endpoint, "messages": message}},
			"in the path":             {"/gateway/" + s.theirs.Endpoint + "/mlflow/invocations", fields{"messages": message}},
			"beside one's own":        {"/gateway/" + s.theirs.Endpoint + "/mlflow/invocations", fields{"model": s.own.Endpoint, "endpoint_name": s.theirs.Endpoint, "messages": message}},
			"before an ending":        {"/gateway/gemini/v1beta/models/" + s.theirs.Endpoint + ":generateContent", fields{"contents": []any{}}},
			"before an encoded colon": {"/gateway/gemini/v1beta/models/" + s.theirs.Endpoint + "%3AstreamGenerateContent", fields{"contents": []any{}}},
		} {
			if got := s.attacker.Do(t, http.MethodPost, send.path, send.body); got.Status != want {
				t.Errorf("%s: %d %s, want %d", name, got.Status, got.Body, want)
			}
		}
	}
	attack(http.StatusNotFound)
	s.give(t, kind.GatewayEndpoint, s.theirs.Endpoint, kind.Read)
	attack(http.StatusForbidden)
	for name, body := range map[string]string{
		"twice, of which MLflow takes the last": `{"model":"` + s.own.Endpoint + `","model":"` + s.theirs.Endpoint + `"}`,
		"as a list":                             `{"model":["` + s.theirs.Endpoint + `"]}`,
		"not at all":                            `{}`,
	} {
		if got := s.attacker.Do(t, http.MethodPost, "/gateway/openai/v1/responses", body); got.Status != http.StatusBadRequest {
			t.Errorf("the model %s: %d %s", name, got.Status, got.Body)
		}
	}
	packed := s.attacker.Request(t, http.MethodPost, "/gateway/openai/v1/responses", fields{"model": s.own.Endpoint})
	packed.Header.Set("Content-Encoding", "zstd")
	if got := s.attacker.Send(t, packed); got.Status != http.StatusBadRequest {
		t.Errorf("a packed body: %d %s", got.Status, got.Body)
	}
	if got := s.attacker.Do(t, http.MethodPost, "/gateway/proxy/"+s.own.Endpoint+"/chat/completions", fields{}); got.Status != http.StatusForbidden {
		t.Errorf("the raw proxy: %d %s", got.Status, got.Body)
	}
	models := string(s.attacker.Do(t, http.MethodGet, "/gateway/mlflow/v1/models", nil).Body)
	if strings.Contains(models, s.theirs.Endpoint) || !strings.Contains(models, s.own.Endpoint) {
		t.Errorf("the models are %s", models)
	}
}

// A provider that stands in for OpenAI: its second event waits until the first has come through to the client. It must
// see the endpoint's key, and none of the caller's credentials.
func TestInvocationStreams(t *testing.T) {
	s := newGatewayScene(t)
	arrived, seen := make(chan struct{}), make(chan http.Header, 1)
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- r.Header.Clone()
		w.Header().Set("Content-Type", "text/event-stream")
		event := func(text string) {
			fmt.Fprintf(w, "data: {\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":%q}}]}\n\n", text)
			w.(http.Flusher).Flush()
		}
		event("first")
		select {
		case <-arrived:
			event("second")
		case <-time.After(10 * time.Second):
		}
		fmt.Fprint(w, "data: [DONE]\n\n")
	}))
	t.Cleanup(provider.Close)
	s.owner.JSON(t, http.MethodPost, ai+"secrets/update", fields{"secret_id": s.theirs.SecretID, "auth_config": fields{"api_base": provider.URL}})
	request := s.owner.Request(t, http.MethodPost, "/gateway/openai/v1/chat/completions",
		fields{"model": s.theirs.Endpoint, "stream": true, "messages": []any{fields{"role": "user", "content": "hello"}}})
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	lines, first, second := bufio.NewScanner(answer.Body), false, false
	for lines.Scan() {
		if strings.Contains(lines.Text(), "first") && !first {
			first = true
			close(arrived)
		}
		second = second || strings.Contains(lines.Text(), "second")
	}
	if err := lines.Err(); err != nil {
		t.Error(err)
	}
	if !first || !second {
		t.Fatalf("%d: the events came through: first %v, second while the first was read %v", answer.StatusCode, first, second)
	}
	header := <-seen
	if got := header.Get("Authorization"); got != "Bearer sk-"+s.theirs.Secret {
		t.Errorf("the provider is shown the credential %q", got)
	}
	for _, name := range []string{"Cookie", "X-Mlflow-Authorization"} {
		if header.Get(name) != "" {
			t.Errorf("the provider is shown %s", name)
		}
	}
}
