// Package policy is the one table of MLflow's routes: for each, where the ids of what it touches are, the level that it
// needs there, what is filtered from its answer, and what it changes about grants. What is not in the table is refused.
package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// Version is the MLflow that the table was made for. What a newer one adds is not in it, and so is refused.
const Version = "3.17.2"

// Oldest is the oldest MLflow whose routes are compared with the table.
const Oldest = "2.22.0"

// Access says who may call a route at all, before any resource is looked at.
type Access uint8

// The kinds of access.
const (
	PerResource    Access = iota // the route's needs decide
	SignedIn                     // anybody who is signed in
	Administrators               // administrators alone
	Refused                      // nobody: it is known, and is not for clients of the gateway
)

// In is the part of a request that holds an id.
type In uint8

// The parts of a request.
const (
	Query In = iota + 1
	Body
	Path
	Header
)

// String names the part.
func (i In) String() string { return [...]string{"", "query", "body", "path", "header"}[i] }

// Location says where MLflow reads a value from. Several fields are aliases: those that are given must be equal; but several
// segments of a path are one value, with slashes between them.
type Location struct {
	In     In
	Fields []string // fields of the body may be nested, in objects ("trace.trace_id") and lists ("models[].model_id", "ids[]")
	Many   bool     // there may be several values, and each counts
	Within string   // a further field, with the id within which the value is a name; see kind.Within
}

// Need is one requirement of a route: this level on whatever the value there names.
type Need struct {
	Ref      Ref
	At       Location
	Level    kind.Level
	Optional bool // the request may leave it out; what it gives is decided all the same
}

// Content says what a route's request body is.
type Content uint8

// The kinds of request body.
const (
	NoBody Content = iota // refused when there is one
	JSON                  // read, decided on, forwarded in canonical form
	Stream                // passed through unread
	OTLP                  // spans in OpenTelemetry's protobuf or JSON: read, decided on, forwarded uncompressed
)

// Filter names how a route's request or answer is narrowed to what the caller may read.
type Filter string

// The filters.
const (
	ListExperiments   Filter = "experiments by experiment_id, offset token"
	ListModels        Filter = "registered models by name, offset token"
	ListModelVersions Filter = "model versions by name, offset token"
	NarrowExperiments Filter = "experiment_ids narrowed before forwarding"
	GraphQLFields     Filter = "GraphQL: experimentIds narrowed, model versions by name"
	ListWorkspaces    Filter = "workspaces by name"
	GatewaySecrets    Filter = "secrets by secret_name"
	GatewayModels     Filter = "model definitions by name, without secrets that the caller may not read"
	GatewayEndpoints  Filter = "endpoints by name, without model definitions and secrets that the caller may not read"
	GatewayInvokable  Filter = "models by id, the name of an endpoint with USE"
	ListMCPServers    Filter = "MCP servers by name, offset token"
	ListMCPEndpoints  Filter = "access endpoints by server_name, offset token"
	OwnJobs           Filter = "jobs that the caller has submitted"
	SeenQueues        Filter = "review queues, without EDIT those that the caller is to review"
	Scorers           Filter = "scorers by experiment_id and scorer_name"
	ScorerConfigs     Filter = "configurations by experiment_id and the scorer of scorer_id"
	GatewayMapping    Filter = "mapping without a secret that the caller may not read"
)

// Effect names what a route does to grants when it succeeds.
type Effect string

// The effects.
const (
	GrantExperiment Effect = "creator gets MANAGE on experiment_id"
	GrantModel      Effect = "creator gets MANAGE on name"
	DropModel       Effect = "grants on name are dropped"
	MoveModel       Effect = "grants move from name to new_name"
	ForgetName      Effect = "the cached name is forgotten"
	GrantScorer     Effect = "creator gets MANAGE on the scorer with its first version"
	DropScorer      Effect = "grants on the scorer are dropped with its last version"
	GrantNamed      Effect = "creator gets MANAGE on what is made"
	DropNamed       Effect = "grants on what is deleted are dropped"
	GrantMCPServer  Effect = "creator gets MANAGE on the server"
	GrantNewServer  Effect = "who makes the server with its first version gets MANAGE on it"
	DropMCPServer   Effect = "grants on the server are dropped"
	OwnNewJobs      Effect = "whoever submits owns the jobs"
	OwnQueue        Effect = "whoever creates owns the queue"
	DropQueue       Effect = "the queue's owner is forgotten"
	MoveNamed       Effect = "grants move when the name changes"
	GrantWorkspace  Effect = "creator gets MANAGE on the workspace"
	DropWorkspace   Effect = "grants on the workspace and in it are dropped"
)

// Check names a rule about a request's fields that is not about the level on a resource. Administrators are exempt
// from those that protect others.
type Check string

// The checks.
const (
	ServerArtifacts Check = "artifact_location must be empty"
	PromptTag       Check = "the tag mlflow.prompt.is_prompt is not changed"
	KnownSource     Check = "source lies in the artifacts of the run or model that the request names"
	NewName         Check = "new_name may be created, and gives the caller nothing"
	RelativePath    Check = "path is a plain relative path"
	TraceTags       Check = "tags that say where a trace's data lies are not changed"
	NewTrace        Check = "a trace that exists stays in its experiment" // for administrators too
	TraceLocations  Check = "every location is an experiment"
	NewSpans        Check = "spans go to new traces, and to those of the experiment" // for administrators too
	OwnCompletion   Check = "completed_by is the caller"
	SourceTraces    Check = "traces that records name as their source are readable"
	NewGatewayName  Check = "a new name may be created, and gives the caller nothing"
	ReadableSecret  Check = "secret_id is readable"
	KnownUsage      Check = "experiment_id is given, or usage_tracking is off"
	NoRouteWord     Check = "no name in the path is a word of the paths themselves" // for administrators too
	StatusDeleted   Check = "the status deleted needs MANAGE"
	UsableSecret    Check = "the secret in use is usable, where provider or model_name is given"
	UsableEndpoints Check = "endpoints that the scorer names (gateway:/name) are usable"
	ExactFields     Check = "fields are spelled as MLflow reads them"
	KnownJob        Check = "the job, its parameters and its scorers are of those that can be decided"
	KnownScorers    Check = "scorers are MLflow's own, or judges, on an endpoint (gateway:/name) that is usable"
	KnownEndpoint   Check = "endpoint_name is given"
	OwnReview       Check = "the caller is one of the queue's users"
	PromptVersion   Check = "the tag mlflow.prompt.is_prompt is only for versions of prompts"
	KindTag         Check = "the tag mlflow.prompt.is_prompt is given once at most, and is true or false"
	NoNewUsage      Check = "experiment_id is given where usage_tracking is turned on"
)

// Route is one line of the table.
type Route struct {
	Method  string
	Path    string // {name} is one segment, {name}:word one that ends in a word, {name*} the rest
	Access  Access
	Needs   []Need
	Creates kind.Name // the kind that the route makes, under the name in the body's field Under
	Under   string    // empty: "name"
	Content Content
	Most    int64 // bytes of a streamed body; 0: as many as come
	// Lower levels that are enough for whoever made what the row's need names, and for who is to review in it.
	Maker, Reviewer kind.Level

	Query    string // the one query that is taken beside a JSON body; it names nothing
	Keyed    bool   // MLflow hands the header Authorization on to a provider; the caller's own credential may be in X-MLflow-Authorization
	Joins    bool   // MLflow's own tracing writes into the trace that the header traceparent names, and so it is told of none
	Twice    bool   // MLflow serves it with Flask and with FastAPI
	Threads  bool   // MLflow holds one of its few threads until the client has read all of the answer
	Filter   Filter
	Effect   Effect
	Checks   []Check
	Mentions []Mention // what its answer names beside what the request was decided on
	Outside  bool      // what it touches is in no workspace: workspaces themselves
	Page     bool      // its answer is the page that MLflow's UI runs in, which gets a script of ours; nothing that anybody uploads is ever sent there
	Why      string    // the reason for what would otherwise look wrong in the row
}

// Pattern is the row's name in logs, metrics and the printed table.
func (r *Route) Pattern() string { return r.Method + " " + r.Path }

// Anywhere tells whether the row says the same in every workspace, so that the one that a request names is no matter.
func (r *Route) Anywhere() bool {
	return r.Outside || r.Access == SignedIn && len(r.Needs) == 0 && r.Creates == "" && r.Filter == ""
}

// Routes gives the whole table, with the two API prefixes written out.
func Routes() []Route {
	var all []Route
	for _, area := range [][]Route{experiments, runs, loggedModels, models, traces, artifacts, datasets, issues, scorers, reviews, jobs,
		aiGateway, invocations, mcpServers, graphQL, server, static} {
		for _, route := range area {
			route.Mentions = slices.Concat(filtered[route.Filter], mentions[route.Pattern()])
			all = append(all, route)
			if rest, ok := strings.CutPrefix(route.Path, "/api/"); ok {
				route.Path = "/ajax-api/" + rest
				all = append(all, route)
			}
		}
	}
	return all
}

// String describes the needs of a row for people.
func (n Need) String() string {
	between := "|"
	if n.At.In == Path {
		between = "/"
	}
	text := fmt.Sprintf("%s on %s %s:%s", n.Level, n.Ref, n.At.In, strings.Join(n.At.Fields, between))
	if n.At.Within != "" {
		text += " in " + n.At.Within
	}
	if n.Optional {
		text += " (if given)"
	}
	return text
}

func query(fields ...string) Location { return Location{In: Query, Fields: fields} }
func queryAll(field string) Location  { return Location{In: Query, Fields: []string{field}, Many: true} }
func body(fields ...string) Location {
	return Location{In: Body, Fields: fields, Many: strings.Contains(fields[0], "[]")}
}
func segment(names ...string) Location               { return Location{In: Path, Fields: names} }
func on(ref Ref, at Location, level kind.Level) Need { return Need{Ref: ref, At: at, Level: level} }
func maybe(ref Ref, at Location, level kind.Level) Need {
	return Need{Ref: ref, At: at, Level: level, Optional: true}
}

func get(path string, needs ...Need) Route { return Route{Method: "GET", Path: path, Needs: needs} }
func post(path string, needs ...Need) Route {
	return Route{Method: "POST", Path: path, Needs: needs, Content: JSON}
}
func replace(path string, needs ...Need) Route {
	return Route{Method: "PUT", Path: path, Needs: needs, Content: JSON}
}
func patch(path string, needs ...Need) Route {
	return Route{Method: "PATCH", Path: path, Needs: needs, Content: JSON}
}
func remove(path string, needs ...Need) Route {
	return Route{Method: "DELETE", Path: path, Needs: needs, Content: JSON}
}
func (l Location) within(field string) Location { l.Within = field; return l }
func header(name string) Location               { return Location{In: Header, Fields: []string{name}} }

func (r Route) signedIn(why string) Route { r.Access, r.Why = SignedIn, why; return r }
func (r Route) administrators(why string) Route {
	r.Access, r.Why = Administrators, why
	return r
}
func (r Route) refused(why string) Route    { r.Access, r.Why = Refused, why; return r }
func (r Route) filter(f Filter) Route       { r.Filter = f; return r }
func (r Route) effect(e Effect) Route       { r.Effect = e; return r }
func (r Route) check(c ...Check) Route      { r.Checks = append(r.Checks, c...); return r }
func (r Route) creates(k kind.Name) Route   { r.Access, r.Creates = SignedIn, k; return r }
func (r Route) under(field string) Route    { r.Under = field; return r }
func (r Route) makes(k kind.Name) Route     { r.Creates = k; return r } // beside its needs
func (r Route) content(c Content) Route     { r.Content = c; return r }
func (r Route) outside() Route              { r.Outside = true; return r } // of all workspaces
func (r Route) twice() Route                { r.Twice = true; return r }
func (r Route) threads() Route              { r.Threads = true; return r }
func (r Route) query(q string) Route        { r.Query = q; return r }
func (r Route) maker(l kind.Level) Route    { r.Maker = l; return r }
func (r Route) reviewer(l kind.Level) Route { r.Reviewer = l; return r }
func (r Route) page() Route                 { r.Page = true; return r }
func (r Route) invokes() Route              { r.Keyed, r.Joins = true, true; return r } // an endpoint of the AI gateway
func (r Route) because(why string) Route    { r.Why = why; return r }
