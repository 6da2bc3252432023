package gateway_test

import (
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// named gives what an id of a reference is, in somebody's work.
func named(t *testing.T, ref policy.Ref, work world.Work) string {
	t.Helper()
	switch ref {
	case policy.Experiment:
		return work.Experiment
	case policy.ExperimentName:
		return work.ExperimentName
	case policy.Run:
		return work.Run
	case policy.LoggedModel:
		return work.LoggedModel
	case policy.Trace:
		return work.Trace
	case policy.Dataset:
		return work.Dataset
	case policy.Issue:
		return work.Issue
	case policy.LabelSchema:
		return work.LabelSchema
	case policy.ReviewQueue:
		return work.ReviewQueue
	case policy.Model:
		return work.Model
	case policy.ArtifactTree:
		return work.Artifacts + "/secret.txt"
	case policy.GatewayEndpoint:
		return work.EndpointID
	case policy.GatewayEndpointName:
		return work.Endpoint
	case policy.GatewaySecret:
		return work.SecretID
	case policy.GatewayModel:
		return work.DefinitionID
	case policy.MCPServer, policy.MCPServerOrNew:
		return work.Server
	case policy.Source:
		return "mlflow-artifacts:/" + work.Artifacts
	}
	t.Fatalf("no sample for references to a %s", ref)
	return ""
}

// place puts a value into a body at a path such as "a.b", "a[].b" or "a[]".
func place(body map[string]any, path, value string) {
	field, rest, nested := strings.Cut(path, ".")
	name, listed := strings.CutSuffix(field, "[]")
	var at any = value
	if nested {
		inner, known := body[name].(map[string]any)
		if !known {
			inner = map[string]any{}
		}
		place(inner, rest, value)
		at = inner
	}
	if listed {
		at = []any{at}
	}
	body[name] = at
}

// example builds a request of a row that touches the work with every need that is not optional, and with the optional ones too when all is true.
func example(t *testing.T, c *world.Client, route policy.Route, work world.Work, all bool) *http.Request {
	t.Helper()
	path, query, body, headers := route.Path, url.Values{}, map[string]any{}, http.Header{}
	for _, need := range route.Needs {
		if need.Optional && !all {
			continue
		}
		value, field := named(t, need.Ref, work), need.At.Fields[0]
		switch need.At.In {
		case policy.Path:
			field = strings.Join(need.At.Fields, "}/{")
			path = strings.NewReplacer("{"+field+"}", value, "{"+field+"*}", value).Replace(path)
		case policy.Query:
			query.Add(field, value)
		case policy.Header:
			headers.Set(field, value)
		case policy.Body:
			place(body, field, value)
		}
	}
	if route.Creates != "" {
		body["name"], body["usage_tracking"] = world.Name("new"), false
		if route.Creates == kind.MCPServer {
			body["name"] = "test/" + world.Name("new")
		}
		if route.Under != "" {
			body[route.Under] = body["name"]
		}
	}
	if slices.Contains(route.Checks, policy.NewName) {
		body["new_name"] = world.Name("new")
	}
	if slices.Contains(route.Checks, policy.NewTrace) {
		place(body, "trace.trace_info.trace_id", world.NewTrace())
	}
	path = regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(path, "anything")
	target := path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	switch route.Content {
	case policy.JSON:
		return c.Request(t, route.Method, target, body)
	case policy.OTLP:
		request := c.Request(t, route.Method, target, world.OneSpan(world.NewTrace(), nil))
		maps.Copy(request.Header, headers)
		return request
	case policy.Stream:
		return c.Request(t, route.Method, target, "some bytes")
	}
	return c.Request(t, route.Method, target, nil)
}

// TestEveryRoute sends a request of every row of the table: as nobody, as someone without a grant, with a grant of one
// level less than the row needs, and with the level that it needs. Only the last may reach MLflow.
func TestEveryRoute(t *testing.T) {
	mlflow := mlflowtest.Shared(t)
	recorder := world.NewRecorder(t, mlflow)
	w := world.New(t, recorder.URL, nil)
	owner, stranger, colleague := w.Person(t, "owner", world.Members), w.Person(t, "stranger", world.Members), w.Person(t, "colleague", world.Members)
	nobody, admin := w.Nobody(t), w.Person(t, "admin", world.Admins)
	work := owner.MakeWork(t)
	recorder.Refuse()

	grant := func(level kind.Level) {
		t.Helper()
		for k, resource := range map[kind.Name]string{kind.Experiment: work.Experiment, kind.RegisteredModel: work.Model, kind.GatewayEndpoint: work.Endpoint,
			kind.GatewaySecret: work.Secret, kind.GatewayModel: work.Definition, kind.MCPServer: work.Server} {
			to := store.Principal{User: colleague.Username}
			err := w.App.Store.UpdateGrant(t.Context(), to, k, resource, level)
			if err != nil {
				err = w.App.Store.CreateGrant(t.Context(), to, k, resource, level)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, route := range policy.Routes() {
		t.Run(route.Pattern(), func(t *testing.T) {
			send := func(c *world.Client) (world.Answer, []world.Call) {
				t.Helper()
				recorder.Calls()
				return c.Send(t, example(t, c, route, work, true)), recorder.Forwarded()
			}
			refused := func(who string, c *world.Client, status ...int) {
				t.Helper()
				got, forwarded := send(c)
				if len(forwarded) > 0 {
					t.Errorf("%s: the request reached MLflow", who)
				}
				if !slices.Contains(status, got.Status) || got.Code() == "" {
					t.Errorf("%s: answered %d %s, want %v in MLflow's form", who, got.Status, got.Body, status)
				}
			}
			if route.Access == policy.Refused {
				if route.Path != "/health" { // the gateway's own
					refused("an administrator", admin, http.StatusForbidden)
				}
				return
			}
			refused("nobody", nobody, http.StatusUnauthorized)
			if route.Access == policy.Administrators {
				refused("not an administrator", owner, http.StatusForbidden)
				if got, forwarded := send(admin); got.Status != world.Refused || len(forwarded) != 1 {
					t.Errorf("an administrator: answered %d %s, want it to reach MLflow", got.Status, got.Body)
				}
				return
			}
			if route.Access != policy.PerResource && len(route.Needs) == 0 {
				if got, _ := send(stranger); got.Status != world.Refused && got.Status != http.StatusOK && got.Code() != "INVALID_PARAMETER_VALUE" {
					t.Errorf("anybody who is signed in: answered %d %s", got.Status, got.Body)
				}
				return
			}
			if route.Filter == policy.NarrowExperiments { // its ids are narrowed, not refused
				if got, forwarded := send(stranger); len(forwarded) > 0 || string(got.Body) != "{}" {
					t.Errorf("stranger: answered %d %s, want {} and nothing forwarded", got.Status, got.Body)
				}
				return
			}
			refused("stranger", stranger, http.StatusForbidden, http.StatusNotFound)
			needed := kind.NoPermissions
			for _, need := range route.Needs {
				needed = max(needed, need.Level)
			}
			grant(needed - 1)
			refused("one level less", colleague, http.StatusForbidden, http.StatusNotFound)
			grant(needed)
			if got, forwarded := send(colleague); got.Status != world.Refused || len(forwarded) != 1 {
				t.Errorf("the level that is needed: answered %d %s, want it to reach MLflow", got.Status, got.Body)
			}
		})
	}
}
