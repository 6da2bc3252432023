package policy_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
)

// governs says which kind of resource decides what a reference names. A reference without an entry fails.
var governs = map[policy.Ref]kind.Name{
	policy.Experiment: kind.Experiment, policy.ExperimentName: kind.Experiment, policy.Run: kind.Experiment, policy.LoggedModel: kind.Experiment,
	policy.Trace: kind.Experiment, policy.Dataset: kind.Experiment, policy.Issue: kind.Experiment, policy.LabelSchema: kind.Experiment,
	policy.ReviewQueue:  kind.Experiment,
	policy.ArtifactTree: kind.Experiment, policy.Model: kind.RegisteredModel, policy.Source: "",
	policy.GatewayEndpoint: kind.GatewayEndpoint, policy.GatewayEndpointName: kind.GatewayEndpoint, policy.GatewaySecret: kind.GatewaySecret,
	policy.GatewayModel: kind.GatewayModel, policy.MCPServer: kind.MCPServer, policy.MCPServerOrNew: kind.MCPServer, policy.GatewaySecretName: kind.GatewaySecret,
	policy.GatewayModelName: kind.GatewayModel,
	policy.Job:              "", // a job is whose who submitted it
	policy.Workspace:        kind.Workspace,
	policy.Scorer:           kind.Scorer,
}

// lint gives what is wrong with a row. A row that is wrong here is a hole, or can never be allowed.
func lint(r policy.Route) []string {
	var wrong []string
	require := func(ok bool, text string) {
		if !ok {
			wrong = append(wrong, text)
		}
	}
	require(slices.Contains([]string{"GET", "POST", "PUT", "PATCH", "DELETE"}, r.Method), "has a method that no request is matched with")
	read := r.Method == "GET"
	switch r.Content {
	case policy.NoBody:
		require(read || r.Method == "DELETE", "changes something without a body")
	case policy.JSON:
		require(!read, "reads the body of a GET, which MLflow ignores beside a query")
	case policy.Stream:
		require(r.Method == "PUT" || r.Method == "POST", "streams a body that its method does not have")
		require(r.Method == "PUT" || r.Most > 0, "streams without a limit what MLflow reads into memory")
	case policy.OTLP:
		require(r.Method == "POST", "takes spans with a method that does not send them")
		require(slices.Contains(r.Checks, policy.NewSpans), "takes spans for any trace")
	default:
		require(false, "has an unknown content")
	}
	decided, highest := false, kind.NoPermissions
	for _, need := range r.Needs {
		wrong = append(wrong, lintNeed(r, need)...)
		decided = decided || !need.Optional && need.Level >= kind.Read
		highest = max(highest, need.Level)
	}
	switch r.Access {
	case policy.PerResource:
		require(decided || choice(r), "decides nothing that every request names")
		require(read || highest > kind.Read || r.Why != "", "changes something with READ, and does not say why")
	case policy.SignedIn:
		require((r.Why != "") != (r.Creates != ""), "is open to everybody signed in, and does not say why")
		require(highest == kind.NoPermissions, "is open to everybody signed in, and needs a level all the same")
		require(read || r.Creates != "" || r.Filter != "" || r.Path == "/ajax-api/3.0/mlflow/ui-telemetry", "changes something for everybody signed in")
	case policy.Administrators:
		require(r.Why != "", "is for administrators, and does not say why")
	case policy.Refused:
		require(r.Why != "", "is refused, and does not say why")
	default:
		require(false, "has an unknown access")
	}
	if r.Creates != "" {
		_, known := kind.Of(r.Creates)
		require(known, "creates an unknown kind")
		require(r.Content == policy.JSON, "creates under a name that is not in a JSON body")
		require(strings.HasPrefix(string(r.Effect), "creator gets"), "creates what nobody owns")
	}
	require(r.Effect == "" || !read, "changes grants with a GET")
	return wrong
}

// choice tells whether a row takes one of several ids, and says so: a request that names none of them names nothing that
// could be decided, and is refused.
func choice(r policy.Route) bool {
	levelled := func(n policy.Need) bool { return n.Level >= kind.Read }
	return len(r.Needs) > 1 && r.Why != "" && !slices.ContainsFunc(r.Needs, func(n policy.Need) bool { return !levelled(n) })
}

func lintNeed(r policy.Route, need policy.Need) []string {
	var wrong []string
	require := func(ok bool, text string) {
		if !ok {
			wrong = append(wrong, "needs "+text)
		}
	}
	_, known := governs[need.Ref]
	require(known, "a reference that nothing governs")
	require(need.Level <= kind.Manage, "a level that does not exist")
	require(need.Level != kind.NoPermissions || r.Filter != "", "no level, without a filter that decides")
	fields := need.At.Fields
	require(len(fields) > 0 && !slices.Contains(fields, ""), "a value without a field")
	require(!need.At.Many || len(fields) == 1, "a list under two names")
	for _, field := range fields {
		require(field == strings.ToLower(field), "the field "+field+" that is not in protobuf's spelling")
		require(!strings.Contains(field, "[].") || need.At.Many && need.At.In == policy.Body, "a nested field "+field+" that is no list of a body")
	}
	switch need.At.In {
	case policy.Path:
		joined := strings.Join(fields, "}/{")
		require(len(fields) == map[bool]int{false: 1, true: 2}[governs[need.Ref] == kind.MCPServer] && !need.At.Many && !need.Optional, "more or less than one value of the path")
		require(strings.Contains(r.Path+"/", "/{"+joined+"}/") || strings.Contains(r.Path+"/", "/{"+joined+"*}/") || strings.Contains(r.Path, "/{"+joined+"}:"), "the segment "+joined+", which its path lacks")
		require((need.Ref == policy.ArtifactTree) == strings.HasSuffix(r.Path, "{"+joined+"*}"), "an id of several segments, or a tree of one")
		further := strings.Count(r.Path, "{") > 2 // the server's own name holds no word of the paths
		require(governs[need.Ref] != kind.MCPServer || !further || slices.Contains(r.Checks, policy.NoRouteWord), "a name that MLflow could cut elsewhere")
	case policy.Query:
		require(r.Content != policy.JSON, "a query that is refused beside a JSON body")
	case policy.Body:
		require(r.Content == policy.JSON, "a body that is not read")
	case policy.Header:
		require(r.Content == policy.OTLP, "a header, which no other route of MLflow reads")
	default:
		require(false, "a value that is nowhere")
	}
	return wrong
}

func TestEveryRouteIsSound(t *testing.T) {
	for _, r := range policy.Routes() {
		for _, wrong := range lint(r) {
			t.Errorf("%s %s", r.Pattern(), wrong)
		}
		if strings.Contains(r.Path, "{") && r.Access == policy.PerResource {
			named := slices.ContainsFunc(r.Needs, func(n policy.Need) bool { return n.At.In == policy.Path })
			if !named {
				t.Errorf("%s has parameters of which none is decided", r.Pattern())
			}
		}
	}
	newMatcher(t, policy.Routes())
}

// The lint itself: each of these rows would forward what nobody decided, or refuse what everybody may do.
func TestLintFindsWhatIsWrong(t *testing.T) {
	at := func(in policy.In, fields ...string) policy.Location { return policy.Location{In: in, Fields: fields} }
	get := func(needs ...policy.Need) policy.Route {
		return policy.Route{Method: "GET", Path: "/a/{id}", Needs: needs}
	}
	need := policy.Need{Ref: policy.Run, At: at(policy.Path, "id"), Level: kind.Read}
	if wrong := lint(get(need)); len(wrong) > 0 {
		t.Fatalf("a sound row is wrong: %v", wrong)
	}
	edit := func(change func(*policy.Route)) policy.Route {
		r := policy.Route{Method: "POST", Path: "/a", Content: policy.JSON, Needs: []policy.Need{{Ref: policy.Run, At: at(policy.Body, "run_id"), Level: kind.Edit}}}
		change(&r)
		return r
	}
	if wrong := lint(edit(func(*policy.Route) {})); len(wrong) > 0 {
		t.Fatalf("a sound row is wrong: %v", wrong)
	}
	optional, unknown, nowhere, elsewhere, tree := need, need, need, need, need
	optional.Optional, unknown.Ref, nowhere.At.In, elsewhere.At, tree.Ref = true, 99, 0, at(policy.Path, "other"), policy.ArtifactTree
	for name, r := range map[string]policy.Route{
		"no decision":               get(),
		"only an optional one":      get(optional),
		"unknown reference":         get(unknown),
		"value nowhere":             get(nowhere),
		"segment that is not there": get(elsewhere),
		"tree of one segment":       get(tree),
		"id of two segments":        get(policy.Need{Ref: policy.Run, At: at(policy.Path, "id", "other"), Level: kind.Read}),
		"server of one segment":     get(policy.Need{Ref: policy.MCPServer, At: at(policy.Path, "id"), Level: kind.Read}),
		"signed in without a why":   {Method: "GET", Path: "/a", Access: policy.SignedIn},
		"administrators, no why":    {Method: "GET", Path: "/a", Access: policy.Administrators},
		"unknown access":            {Method: "GET", Path: "/a", Access: 9, Why: "x"},
		"JSON of a GET":             edit(func(r *policy.Route) { r.Method = "GET" }),
		"lower-case method":         edit(func(r *policy.Route) { r.Method = "post" }),
		"body that is not read":     edit(func(r *policy.Route) { r.Content = policy.Stream }),
		"query beside a body":       edit(func(r *policy.Route) { r.Needs[0].At.In = policy.Query }),
		"change with READ":          edit(func(r *policy.Route) { r.Needs[0].Level = kind.Read }),
		"level of nobody":           edit(func(r *policy.Route) { r.Needs[0].Level = kind.NoPermissions }),
		"field in camel case":       edit(func(r *policy.Route) { r.Needs[0].At.Fields = []string{"runId"} }),
		"nested and not a list":     edit(func(r *policy.Route) { r.Needs[0].At.Fields = []string{"a[].b"} }),
		"creates without an owner":  {Method: "POST", Path: "/a", Content: policy.JSON, Access: policy.SignedIn, Creates: kind.Experiment},
		"creates an unknown kind":   {Method: "POST", Path: "/a", Content: policy.JSON, Access: policy.SignedIn, Creates: "x", Effect: policy.GrantModel},
	} {
		if len(lint(r)) == 0 {
			t.Errorf("%s is not found", name)
		}
	}
}

// MLflow serves both prefixes with one handler: a row for one of them alone leaves the other shut, or open to another rule.
func TestPrefixesAreTwins(t *testing.T) {
	rows := map[string]policy.Route{}
	for _, r := range policy.Routes() {
		rows[r.Pattern()] = r
	}
	for pattern := range rows {
		if strings.Contains(pattern, " /api/") {
			if _, ok := rows[strings.Replace(pattern, " /api/", " /ajax-api/", 1)]; !ok {
				t.Errorf("%s has no twin under /ajax-api", pattern)
			}
		}
	}
}

// declared gives the values of the package's string constants of a type.
func declared(t *testing.T, typeName string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "policy.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		if id, ok := spec.Type.(*ast.Ident); !ok || id.Name != typeName {
			return true
		}
		literal, ok := spec.Values[0].(*ast.BasicLit)
		if !ok {
			t.Fatalf("%s is not a literal", spec.Names[0])
		}
		value, err := strconv.Unquote(literal.Value)
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, value)
		return true
	})
	if len(values) == 0 {
		t.Fatalf("no constant of type %s", typeName)
	}
	return values
}

// What no row uses is a rule that somebody believes to be in force; what is used and not declared has no rule at all.
func TestFiltersEffectsAndChecksAreUsed(t *testing.T) {
	used := map[string]map[string]bool{"Filter": {"": true}, "Effect": {"": true}, "Check": {}}
	for _, r := range policy.Routes() {
		used["Filter"][string(r.Filter)] = true
		used["Effect"][string(r.Effect)] = true
		for _, check := range r.Checks {
			used["Check"][string(check)] = true
		}
	}
	for typeName, values := range used {
		known := declared(t, typeName)
		for _, value := range known {
			if !values[value] {
				t.Errorf("no row uses the %s %q", typeName, value)
			}
		}
		for value := range values {
			if value != "" && !slices.Contains(known, value) {
				t.Errorf("a row uses the %s %q, which is not declared", typeName, value)
			}
		}
	}
}

// A kind without a row is one whose grants do nothing.
func TestEveryKindHasRows(t *testing.T) {
	rows, refs := map[kind.Name]int{}, map[policy.Ref]bool{}
	for _, r := range policy.Routes() {
		for _, need := range r.Needs {
			rows[governs[need.Ref]]++
			refs[need.Ref] = true
		}
		for _, m := range r.Mentions {
			refs[m.Ref] = true
		}
	}
	for k := range kind.All() {
		if rows[k.Name.Kept()] == 0 {
			t.Errorf("no row is about the kind %s", k.Name)
		}
	}
	for ref := range governs {
		if !refs[ref] {
			t.Errorf("no row names %s", ref)
		}
	}
}

func TestNeedInWords(t *testing.T) {
	need := policy.Need{Ref: policy.Run, At: policy.Location{In: policy.Query, Fields: []string{"run_id", "run_uuid"}}, Level: kind.Read}
	if got, want := need.String(), "READ on run query:run_id|run_uuid"; got != want {
		t.Errorf("got %s", got)
	}
	need.At.In = policy.Path
	if got, want := need.String(), "READ on run path:run_id/run_uuid"; got != want {
		t.Errorf("got %s", got)
	}
	need.Optional, need.At.In, need.Level = true, policy.Body, kind.Edit
	if got, want := need.String(), "EDIT on run body:run_id|run_uuid (if given)"; got != want {
		t.Errorf("got %s", got)
	}
}

// What calls a provider is traced by MLflow itself, which writes into the trace that a header names.
func TestEndpointsOfTheAIGatewayAreToldOfNoTrace(t *testing.T) {
	n := 0
	for _, route := range policy.Routes() {
		if invokes := strings.HasPrefix(route.Path, "/gateway/") && route.Access != policy.Refused; invokes != route.Joins {
			t.Errorf("%s: Joins is %t", route.Pattern(), route.Joins)
		} else if invokes {
			n++
		}
	}
	if n < 10 {
		t.Errorf("only %d routes are endpoints", n)
	}
}
