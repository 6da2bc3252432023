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
	case policy.Job:
		return "job-of-" + work.Experiment
	case policy.Workspace:
		return workspaceOf(work)
	case policy.Scorer:
		return kind.Within(work.Experiment, work.Scorer)
	case policy.Source:
		return "mlflow-artifacts:/" + work.Artifacts
	}
	t.Fatalf("no sample for references to a %s", ref)
	return ""
}

// held gives the names under which grants are held on somebody's work, one of each kind, and the names that patterns match.
func held(work world.Work) map[kind.Name][2]string {
	return map[kind.Name][2]string{
		kind.Experiment:      {work.Experiment, work.ExperimentName},
		kind.RegisteredModel: {work.Model, work.Model},
		kind.Prompt:          {work.Prompt, work.Prompt},
		kind.Scorer:          {kind.Within(work.Experiment, work.Scorer), work.Scorer},
		kind.GatewayEndpoint: {work.Endpoint, work.Endpoint},
		kind.GatewaySecret:   {work.Secret, work.Secret},
		kind.GatewayModel:    {work.Definition, work.Definition},
		kind.MCPServer:       {work.Server, work.Server},
		kind.Workspace:       {workspaceOf(work), workspaceOf(work)},
	}
}

// newName is a name under which something of a kind may be made.
func newName(k kind.Name) string {
	if k == kind.MCPServer {
		return "test/" + world.Name("new")
	}
	return world.Name("new")
}

// workspaceOf is the name of a workspace that goes with a work. MLflow does not have it.
func workspaceOf(work world.Work) string { return "team-" + work.Experiment }

// place puts a value into a body at a path such as "a.b", "a[].b" or "a[]". In lists it fills the last object that lacks the
// field, or adds one.
func place(body map[string]any, path string, value any) {
	field, rest, nested := strings.Cut(path, ".")
	name, listed := strings.CutSuffix(field, "[]")
	list, _ := body[name].([]any)
	switch {
	case listed && nested:
		if len(list) > 0 {
			if last, ok := list[len(list)-1].(map[string]any); ok && !holds(last, rest) {
				place(last, rest, value)
				return
			}
		}
		inner := map[string]any{}
		place(inner, rest, value)
		body[name] = append(list, inner)
	case listed:
		body[name] = append(list, value)
	case nested:
		inner, known := body[name].(map[string]any)
		if !known {
			inner = map[string]any{}
			body[name] = inner
		}
		place(inner, rest, value)
	default:
		body[name] = value
	}
}

// holds tells whether an object has a value at a path already; a list takes another one.
func holds(body map[string]any, path string) bool {
	field, rest, nested := strings.Cut(path, ".")
	value, there := body[field]
	inner, deeper := value.(map[string]any)
	if nested && deeper {
		return holds(inner, rest)
	}
	return there
}

// draft is a request of a row that is not written yet, so that a test can change parts of it.
type draft struct {
	route  policy.Route
	path   string
	query  url.Values
	body   map[string]any
	header http.Header
	spans  any    // the body of OTLP
	bytes  string // the body of a stream
}

// picks gives the values of a row's needs; none leaves the need out.
type picks func(i int, need policy.Need) []string

// from picks everything from one work; what is optional too, when all is true.
func from(t *testing.T, work world.Work, all bool) picks {
	return func(_ int, need policy.Need) []string {
		if need.Optional && !all {
			return nil
		}
		return []string{named(t, need.Ref, work)}
	}
}

// newDraft begins a request of a row that its checks allow.
func newDraft(route policy.Route, pick picks) *draft {
	d := &draft{route: route, path: route.Path, query: url.Values{}, body: map[string]any{}, header: http.Header{}, bytes: "some bytes"}
	for i, need := range route.Needs {
		for _, value := range pick(i, need) {
			field := need.At.Fields[0]
			if need.At.In == policy.Path {
				field = strings.Join(need.At.Fields, "}/{")
			}
			if need.At.Within != "" {
				value = d.putOuter(need.At, value)
			}
			d.put(need.At.In, field, value)
		}
	}
	if route.Creates != "" {
		d.body["name"], d.body["usage_tracking"] = newName(route.Creates), false
		if route.Under != "" {
			d.body[route.Under] = d.body["name"]
		}
	}
	if slices.Contains(route.Checks, policy.NewName) {
		d.body["new_name"] = world.Name("new")
	}
	if slices.Contains(route.Checks, policy.NewTrace) {
		place(d.body, "trace.trace_info.trace_id", world.NewTrace())
	}
	if strings.HasSuffix(route.Path, "/review-queues/get-by-name") {
		d.query.Set("name", world.Queue)
	}
	for _, check := range route.Checks {
		if sample := checkSamples[check]; sample != nil {
			sample(d, pick)
		}
	}
	if sample := filterSamples[route.Filter]; sample != nil {
		sample(d, pick)
	}
	d.spans = world.OneSpan(world.NewTrace(), nil)
	return d
}

// putOuter sets the id within which a value is a name, and gives the name.
func (d *draft) putOuter(at policy.Location, value string) string {
	outer, name := kind.Parts(value)
	if at.In == policy.Query {
		d.query.Add(at.Within, outer)
	} else {
		place(d.body, at.Within, outer)
	}
	return name
}

// around tells whether what a need names is what another need of the row lies within, so that they cannot be apart.
func around(route policy.Route, need policy.Need) bool {
	return slices.ContainsFunc(route.Needs, func(inner policy.Need) bool {
		return inner.At.Within != "" && inner.At.In == need.At.In && slices.Contains(need.At.Fields, inner.At.Within)
	})
}

// put sets a value where a row has it.
func (d *draft) put(in policy.In, field, value string) {
	switch in {
	case policy.Path:
		d.path = strings.NewReplacer("{"+field+"}", value, "{"+field+"*}", value).Replace(d.path)
	case policy.Query:
		d.query.Add(field, value)
	case policy.Header:
		d.header.Set(field, value)
	case policy.Body:
		place(d.body, field, value)
	}
}

var parameter = regexp.MustCompile(`\{[^}]*\}`)

// request writes the draft.
func (d *draft) request(t *testing.T, c *world.Client) *http.Request {
	t.Helper()
	target := parameter.ReplaceAllString(d.path, "anything")
	if len(d.query) > 0 {
		target += "?" + d.query.Encode()
	}
	var body any
	switch d.route.Content {
	case policy.JSON:
		body = d.body
	case policy.OTLP:
		body = d.spans
	case policy.Stream:
		body = d.bytes
	}
	request := c.Request(t, d.route.Method, target, body)
	maps.Copy(request.Header, d.header)
	return request
}
