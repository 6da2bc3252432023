package gateway_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// probe does what one of a row's rules is there for or against, before a gateway, and says what is wrong with how it ended.
type probe func(t *testing.T, c *cast, route policy.Route, handler http.Handler) string

// attempt is a request by the second owner about their own work, or by somebody else, that a check must refuse.
type attempt struct {
	who   *world.Client // nil: the second owner
	draft *draft
}

// refuses sends requests that a check must not let reach MLflow. All that the row needs is held by who sends them.
func refuses(attempts func(t *testing.T, c *cast, route policy.Route, own *draft) []attempt) probe {
	return func(t *testing.T, c *cast, route policy.Route, handler http.Handler) string {
		c.recorder.Refuse()
		for i, a := range attempts(t, c, route, newDraft(route, from(t, c.b, true))) {
			if a.who == nil {
				a.who = c.second
			}
			if problem := c.run(t, cell{who: a.who, draft: a.draft, want: status(400, 403, 404)}, handler); problem != "" {
				return fmt.Sprintf("attempt %d: %s", i+1, problem)
			}
		}
		return ""
	}
}

// puts is a check's attempt that sets a field of the body to one value.
func puts(field string, value any) probe {
	return refuses(func(_ *testing.T, _ *cast, _ policy.Route, own *draft) []attempt {
		place(own.body, field, value)
		return []attempt{{draft: own}}
	})
}

// renames is a check's attempt to give what may be edited a name that gives more.
func renames(field string) probe {
	return refuses(func(t *testing.T, c *cast, route policy.Route, _ *draft) []attempt {
		who := c.person(t, "renamer", nil, func(to store.Principal) {
			for k := range kind.All() {
				for _, g := range []authz.Grant{{Kind: k.Name, Pattern: "renamers-", Priority: 1, Level: kind.Manage},
					{Kind: k.Name, Pattern: ".*", Priority: 9, Level: kind.Edit}} {
					if err := c.App.Store.CreatePattern(t.Context(), to, g); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
		d := newDraft(route, from(t, c.a, true))
		d.body[field] = "renamers-" + world.Name("own")
		return []attempt{{who, d}}
	})
}

// checkProbes say for each check what it must refuse, in whichever row has it.
var checkProbes = map[policy.Check]probe{
	policy.ServerArtifacts: puts("artifact_location", "file:///etc"),
	policy.PromptTag:       puts("key", "mlflow.prompt.is_prompt"),
	policy.KnownSource:     puts("source", "s3://bucket/of/somebody"),
	policy.OwnCompletion:   puts("completed_by", "somebody@example.com"),
	policy.NewName:         renames("new_name"),
	policy.NewGatewayName:  renames("name"),
	policy.RelativePath: refuses(func(_ *testing.T, _ *cast, route policy.Route, own *draft) []attempt {
		for _, field := range []string{"path", "artifact_directory_path", "artifact_file_path"} {
			if route.Content == policy.JSON {
				own.body[field] = "../x"
			} else {
				own.query.Set(field, "../x")
			}
		}
		return []attempt{{draft: own}}
	}),
	policy.TraceTags: refuses(func(t *testing.T, c *cast, route policy.Route, own *draft) []attempt {
		const key = "mlflow.artifactLocation"
		own.spans = world.OneSpan(world.NewTrace(), map[string]string{"mlflow.traceTag." + key: "file:///etc"})
		list, info := newDraft(route, from(t, c.b, true)), newDraft(route, from(t, c.b, true))
		own.body["key"] = key
		list.body["tags"], list.spans = []any{map[string]any{"key": key, "value": "v"}}, own.spans
		place(info.body, "trace.trace_info.tags", map[string]any{key: "v"})
		info.spans = own.spans
		return []attempt{{draft: own}, {draft: list}, {draft: info}}
	}),
	policy.NewTrace: refuses(func(_ *testing.T, c *cast, _ policy.Route, own *draft) []attempt {
		place(own.body, "trace.trace_info.trace_id", c.a.Trace)
		return []attempt{{draft: own}}
	}),
	policy.TraceLocations: refuses(func(_ *testing.T, _ *cast, _ policy.Route, own *draft) []attempt {
		place(own.body, "locations[]", map[string]any{"type": "INFERENCE_TABLE", "inference_table": map[string]any{"full_table_name": "a.b.c"}})
		return []attempt{{draft: own}}
	}),
	policy.NewSpans: refuses(func(_ *testing.T, c *cast, _ policy.Route, own *draft) []attempt {
		own.spans = world.OneSpan(c.a.Trace, nil)
		return []attempt{{draft: own}}
	}),
	policy.SourceTraces: refuses(func(_ *testing.T, c *cast, _ policy.Route, own *draft) []attempt {
		own.body["records"] = `[{"inputs": {"q": "q"}, "source": {"source_type": "TRACE", "source_data": {"trace_id": "` + c.a.Trace + `"}}}]`
		return []attempt{{draft: own}}
	}),
	policy.ReadableSecret: refuses(func(_ *testing.T, c *cast, _ policy.Route, own *draft) []attempt {
		own.query.Set("secret_id", c.a.SecretID)
		return []attempt{{draft: own}}
	}),
	policy.KnownUsage: usage(),
	policy.NoNewUsage: usage(),
}

// usage turns on usage tracking without saying where.
func usage() probe {
	return refuses(func(_ *testing.T, _ *cast, _ policy.Route, own *draft) []attempt {
		own.body["usage_tracking"] = true
		delete(own.body, "experiment_id")
		return []attempt{{draft: own}}
	})
}

// look is a request whose answer by MLflow must hold some texts, and must not hold others.
type look struct {
	who          *world.Client // nil: the second owner
	draft        *draft
	shows, hides []string
}

// shows sends requests to MLflow and reads what a filter leaves of the answers.
func shows(looks func(t *testing.T, c *cast, route policy.Route, own *draft) []look) probe {
	return func(t *testing.T, c *cast, route policy.Route, handler http.Handler) string {
		c.recorder.Pass()
		for i, l := range looks(t, c, route, newDraft(route, from(t, c.b, false))) {
			if l.who == nil {
				l.who = c.second
			}
			who := l.who.Through(handler)
			got, err := who.Try(l.draft.request(t, who))
			if err != nil {
				return err.Error()
			}
			for _, text := range l.shows {
				if !strings.Contains(string(got.Body), text) {
					return fmt.Sprintf("look %d does not show %q: %d %.300s", i+1, text, got.Status, got.Body)
				}
			}
			for _, text := range l.hides {
				if strings.Contains(string(got.Body), text) {
					return fmt.Sprintf("look %d shows %q: %d %.2000s", i+1, text, got.Status, got.Body)
				}
			}
		}
		return ""
	}
}

// lists is a filter's look at a search: one's own is in it, and another's is not.
func listing(name func(world.Work) string) probe {
	return shows(func(_ *testing.T, c *cast, _ policy.Route, own *draft) []look {
		return []look{{draft: own, shows: []string{name(c.b)}, hides: []string{name(c.a)}}}
	})
}

// only gives somebody with a level on single things.
func (c *cast) only(t *testing.T, name string, level kind.Level, on map[kind.Name]string) *world.Client {
	t.Helper()
	return c.person(t, name, nil, func(to store.Principal) {
		for k, resource := range on {
			if err := c.App.Store.CreateGrant(t.Context(), to, k, resource, level, nil); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// filterProbes say for each filter what it must leave of an answer, and what not.
var filterProbes = map[policy.Filter]probe{
	policy.ListExperiments:   listing(func(w world.Work) string { return w.ExperimentName }),
	policy.ListModels:        listing(func(w world.Work) string { return w.Model }),
	policy.ListModelVersions: listing(func(w world.Work) string { return w.Model }),
	policy.GatewaySecrets:    listing(func(w world.Work) string { return w.Secret }),
	policy.NarrowExperiments: shows(func(t *testing.T, c *cast, route policy.Route, _ *draft) []look {
		both := newDraft(route, func(int, policy.Need) []string { return []string{c.a.Experiment, c.b.Experiment} })
		return []look{{draft: both, shows: []string{c.b.Run}, hides: []string{c.a.Run}}}
	}),
	policy.GraphQLFields: shows(func(t *testing.T, c *cast, route policy.Route, own *draft) []look {
		return []look{{draft: own, shows: []string{c.b.ExperimentName}},
			{draft: newDraft(route, from(t, c.a, true)), hides: []string{c.a.ExperimentName}}}
	}),
	policy.GatewayInvokable: shows(func(t *testing.T, c *cast, _ policy.Route, own *draft) []look {
		reader := c.only(t, "reads an endpoint", kind.Read, map[kind.Name]string{kind.GatewayEndpoint: c.a.Endpoint})
		return []look{{draft: own, shows: []string{c.b.Endpoint}, hides: []string{c.a.Endpoint}}, {who: reader, draft: own, hides: []string{c.a.Endpoint}}}
	}),
	policy.GatewayModels: shows(func(t *testing.T, c *cast, route policy.Route, own *draft) []look {
		switch {
		case len(route.Needs) == 0:
			return []look{{draft: own, shows: []string{c.b.Definition}, hides: []string{c.a.Definition}}}
		case route.Creates != "":
			fill[kind.GatewayModel](own)
			return []look{{draft: own, shows: []string{c.b.Secret}}}
		}
		who := c.only(t, "holds a definition", kind.Manage, map[kind.Name]string{kind.GatewayModel: c.a.Definition})
		return []look{{who, newDraft(route, from(t, c.a, false)), []string{c.a.Definition}, []string{c.a.Secret, c.a.SecretID}}}
	}),
	policy.GatewayEndpoints: shows(func(t *testing.T, c *cast, route policy.Route, own *draft) []look {
		switch {
		case len(route.Needs) == 0:
			return []look{{draft: own, shows: []string{c.b.Endpoint}, hides: []string{c.a.Endpoint}}}
		case route.Creates != "":
			d := newDraft(route, from(t, c.a, false))
			fill[kind.GatewayEndpoint](d)
			who := c.only(t, "uses a definition", kind.Use, map[kind.Name]string{kind.GatewayModel: c.a.Definition})
			return []look{{who, d, []string{c.a.Definition}, []string{c.a.Secret, c.a.SecretID}}}
		}
		who := c.only(t, "holds an endpoint", kind.Manage, map[kind.Name]string{kind.GatewayEndpoint: c.a.Endpoint})
		d := newDraft(route, func(i int, need policy.Need) []string { return from(t, c.a, i == 0)(i, need) })
		return []look{{who, d, []string{c.a.Endpoint}, []string{c.a.Definition, c.a.Secret}}}
	}),
	policy.GatewayMapping: shows(func(t *testing.T, c *cast, _ policy.Route, own *draft) []look {
		who := c.only(t, "attaches a definition", kind.Edit, map[kind.Name]string{kind.GatewayModel: c.a.Definition, kind.GatewayEndpoint: c.b.Endpoint})
		detach := map[string]any{"endpoint_id": c.b.EndpointID, "model_definition_id": c.a.DefinitionID}
		c.admin.Do(t, "POST", ai+"endpoints/models/detach", detach) // of the time before, if there was one
		own.body["model_config"] = config(c.a.DefinitionID)
		return []look{{who, own, []string{c.a.Definition}, []string{c.a.Secret, c.a.SecretID}}}
	}),
}

// fill adds what MLflow needs to make one of a kind, beside what the row needs.
var fill = map[kind.Name]func(*draft){
	kind.Experiment:      func(*draft) {},
	kind.RegisteredModel: func(*draft) {},
	kind.GatewaySecret: func(d *draft) {
		d.body["secret_value"], d.body["provider"] = map[string]any{"api_key": "sk"}, "openai"
	},
	kind.GatewayModel: func(d *draft) { d.body["provider"], d.body["model_name"] = "openai", "gpt-4o" },
	kind.GatewayEndpoint: func(d *draft) {
		place(d.body, "model_configs[].linkage_type", "PRIMARY")
		place(d.body, "model_configs[].weight", 1)
	},
}

// creators gives the row that makes one of a kind.
func creator(t *testing.T, k kind.Name) policy.Route {
	t.Helper()
	for _, route := range policy.Routes() {
		if route.Creates == k {
			return route
		}
	}
	t.Fatalf("no row makes a %s", k)
	return policy.Route{}
}

// make lets the second owner make one of a kind by its row, and gives its name, the id by which requests name it, and the one
// by which grants are held.
func (c *cast) make(t *testing.T, route policy.Route, handler http.Handler) (name, id, heldBy string, err error) {
	t.Helper()
	c.recorder.Pass()
	d := newDraft(route, from(t, c.b, false))
	if fill[route.Creates] == nil {
		t.Fatalf("nothing says how a %s is made", route.Creates)
	}
	fill[route.Creates](d)
	name = d.body[map[bool]string{true: "name", false: route.Under}[route.Under == ""]].(string)
	who := c.second.Through(handler)
	got, err := who.Try(d.request(t, who))
	if err != nil || got.Status != http.StatusOK {
		return name, "", "", errors.Join(fmt.Errorf("making a %s: %d %s", route.Creates, got.Status, got.Body), err)
	}
	var said map[string]any
	if err := json.Unmarshal(got.Body, &said); err != nil {
		return name, "", "", err
	}
	id, heldBy = name, name
	if experiment, ok := said["experiment_id"].(string); ok {
		id, heldBy = experiment, experiment
	}
	for _, ref := range []string{"secret_id", "endpoint_id", "model_definition_id"} {
		for _, object := range said {
			if fields, ok := object.(map[string]any); ok && strings.HasSuffix(string(route.Creates), strings.TrimSuffix(ref, "_id")) {
				id = fields[ref].(string)
			}
		}
	}
	return name, id, heldBy, nil
}

// holders says who holds what on something, in words.
func (c *cast) grants(t *testing.T, k kind.Name, resource string) string {
	t.Helper()
	users, groups, err := c.App.Store.GrantsOn(t.Context(), k, resource)
	if err != nil || len(groups) > 0 {
		t.Fatal(groups, err)
	}
	var all []string
	for _, u := range users {
		all = append(all, u.Name+" "+u.Level.String())
	}
	return strings.Join(all, ", ")
}

// grantsCreator makes one, and sees that its creator holds MANAGE.
func grantsCreator(t *testing.T, c *cast, route policy.Route, handler http.Handler) string {
	k := route.Creates
	if k == "" {
		return "the row creates nothing"
	}
	_, _, id, err := c.make(t, route, handler)
	if err != nil {
		return err.Error()
	}
	if got, want := c.grants(t, k, id), c.second.Username+" MANAGE"; got != want {
		return fmt.Sprintf("what is made is held by %q, want %q", got, want)
	}
	return ""
}

// follows makes one of the kind of a row's first need, sends the row's request about it, and sees that the grants are where
// the name is now: nowhere when to is empty.
func follows(to string) probe {
	return func(t *testing.T, c *cast, route policy.Route, handler http.Handler) string {
		k := governs(t, route.Needs[0].Ref)
		_, id, held, err := c.make(t, creator(t, k), c.App.Handler())
		if err != nil {
			return err.Error()
		}
		d := newDraft(route, func(i int, _ policy.Need) []string { return map[bool][]string{true: {id}}[i == 0] })
		renamed := world.Name("renamed")
		if to != "" {
			d.body[to] = renamed
		}
		who := c.second.Through(handler)
		if got, err := who.Try(d.request(t, who)); err != nil || got.Status != http.StatusOK {
			return fmt.Sprintf("answered %d %s %v", got.Status, got.Body, err)
		}
		if left := c.grants(t, k, held); left != "" {
			return "the old name is still held by " + left
		}
		if got, want := c.grants(t, k, renamed), c.second.Username+" MANAGE"; to != "" && got != want {
			return fmt.Sprintf("the new name is held by %q, want %q", got, want)
		}
		return ""
	}
}

// governs gives the kind of what a reference names, of those that are not governed by an experiment.
func governs(t *testing.T, ref policy.Ref) kind.Name {
	t.Helper()
	switch ref {
	case policy.Model:
		return kind.RegisteredModel
	case policy.GatewayEndpoint:
		return kind.GatewayEndpoint
	case policy.GatewaySecret:
		return kind.GatewaySecret
	case policy.GatewayModel:
		return kind.GatewayModel
	case policy.MCPServer:
		return kind.MCPServer
	case policy.Scorer:
		return kind.Scorer
	}
	t.Fatalf("nothing says what kind a %s is", ref)
	return ""
}

// effectProbes say for each effect what must be seen of it after a request that MLflow has carried out.
var effectProbes = map[policy.Effect]probe{
	policy.GrantExperiment: grantsCreator,
	policy.GrantModel:      grantsCreator,
	policy.GrantNamed:      grantsCreator,
	policy.DropModel:       follows(""),
	policy.DropNamed:       follows(""),
	policy.MoveModel:       follows("new_name"),
	policy.MoveNamed:       follows("name"),
	policy.ForgetName: func(t *testing.T, c *cast, route policy.Route, handler http.Handler) string {
		_, id, _, err := c.make(t, creator(t, kind.Experiment), c.App.Handler())
		if err != nil {
			return err.Error()
		}
		d := newDraft(route, func(int, policy.Need) []string { return []string{id} })
		who := c.second.Through(handler)
		want, err := c.App.MLflow.ExperimentName(t.Context(), id)
		if err != nil {
			return err.Error()
		}
		if name, renames := d.body["new_name"].(string); renames {
			want = name
		}
		if strings.HasSuffix(route.Path, "/restore") {
			c.second.JSON(t, http.MethodPost, "/api/2.0/mlflow/experiments/delete", map[string]any{"experiment_id": id})
		}
		c.App.MLflow.RememberName(t.Context(), id, "the old name") // for a second from now on
		if got, err := who.Try(d.request(t, who)); err != nil || got.Status != http.StatusOK {
			return fmt.Sprintf("answered %d %s %v", got.Status, got.Body, err)
		}
		if name, err := c.App.MLflow.ExperimentName(t.Context(), id); err != nil || name != want {
			return fmt.Sprintf("the name is still known as %q, %v", name, err)
		}
		return ""
	},
}

// probesOf gives the probes of a row's rules by the rules' names, and fails for a rule that has none.
func probesOf(t *testing.T, route policy.Route) map[string]probe {
	t.Helper()
	all := map[string]probe{}
	need := func(name string, p probe) {
		if elsewhere[name] != "" {
			return
		}
		if p == nil {
			t.Errorf("no probe shows what the rule %q does", name)
			return
		}
		all[name] = p
	}
	for _, check := range route.Checks {
		need(string(check), checkProbes[check])
	}
	if route.Filter != "" {
		need(string(route.Filter), filterProbes[route.Filter])
	}
	if route.Effect != "" {
		need(string(route.Effect), effectProbes[route.Effect])
	}
	if route.Maker > kind.NoPermissions {
		need("makers need a level", makerNeeds)
	}
	return all
}

// TestProbes does for each row what its checks must refuse, its filter must hide, and its effect must change.
func TestProbes(t *testing.T) {
	c := newCast(t)
	for _, route := range policy.Routes() {
		probes := probesOf(t, route)
		if len(probes) == 0 {
			continue
		}
		t.Run(route.Pattern(), func(t *testing.T) {
			for name, p := range probes {
				if problem := p(t, c, route, c.App.Handler()); problem != "" {
					t.Errorf("%s: %s", name, problem)
				}
			}
		})
	}
}
