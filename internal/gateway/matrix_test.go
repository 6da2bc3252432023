package gateway_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// outcome is how a request may end.
type outcome struct {
	forwarded bool   // it reaches MLflow
	status    []int  // else the answer has one of these, and is an error in MLflow's form where it is one
	shows     string // what the answer holds
	hides     string // what it does not hold
}

// tells is a part of the sentence that says one's level to who may read at least.
const tells = "; you have "

func reached() outcome        { return outcome{forwarded: true} }
func status(s ...int) outcome { return outcome{status: s} }
func denied() outcome         { return status(http.StatusForbidden) }
func invalid() outcome        { return status(http.StatusBadRequest) }

// hiddenAs is the answer for what may not be read: as if it did not exist.
func hiddenAs(ref policy.Ref) outcome {
	if ref.Missing("x") == "" {
		return outcome{status: []int{http.StatusForbidden}, hides: tells}
	}
	return outcome{status: []int{http.StatusNotFound}, hides: tells}
}

// problem compares how a request ended with how it should have; "" when it is the same.
func (o outcome) problem(got world.Answer, forwarded []world.Call) string {
	said := fmt.Sprintf("answered %d %.300s", got.Status, got.Body)
	switch {
	case o.forwarded && (len(forwarded) != 1 || got.Status != world.Refused):
		return said + ", want it to reach MLflow once"
	case o.forwarded:
		return ""
	case len(forwarded) > 0:
		return "it reached MLflow"
	case !slices.Contains(o.status, got.Status):
		return fmt.Sprintf("%s, want %v", said, o.status)
	case got.Status >= 400 && got.Code() == "":
		return said + ", want an error in MLflow's form"
	case !strings.Contains(string(got.Body), o.shows):
		return said + ", want it to hold " + o.shows
	case o.hides != "" && strings.Contains(string(got.Body), o.hides):
		return said + ", want it not to hold " + o.hides
	}
	return ""
}

// expected says how a request of a row must end by what the row says, and nothing else: the needs that the request gives, in
// their order, the level that somebody has on each, and the filter.
func expected(c *cast, route policy.Route, given picks, level func(i int) kind.Level, by role) outcome {
	switch route.Access {
	case policy.Refused, policy.Administrators:
		return denied()
	}
	levels, any := kind.Manage, false
	for i, need := range route.Needs {
		if len(given(i, need)) == 0 {
			continue
		}
		any = true
		has := level(i)
		levels = min(levels, has)
		switch {
		case has >= need.Level, by.enough(route, has):
		case has < kind.Read:
			return hiddenAs(need.Ref)
		default:
			return denied()
		}
	}
	if route.Access == policy.PerResource && !any {
		return denied()
	}
	switch {
	case slices.Contains(route.Checks, policy.OwnReview) && !by.reviewer:
		return denied()
	case slices.Contains(route.Checks, policy.KnownEndpoint) && len(given(endpointNeed(route))) == 0:
		return denied()
	}
	if filtered := filterOutcomes[route.Filter]; filtered != nil {
		if len(route.Needs) == 0 {
			any, levels = true, level(-1)
		}
		return filtered(c, any && levels >= kind.Read)
	}
	return reached()
}

// endpointNeed finds the need of a row that names an endpoint of the AI gateway.
func endpointNeed(route policy.Route) (int, policy.Need) {
	i := slices.IndexFunc(route.Needs, func(n policy.Need) bool { return n.Ref == policy.GatewayEndpointName })
	return i, route.Needs[i]
}

// filterSamples add what a search needs to the request of a row.
var filterSamples = map[policy.Filter]func(*draft, picks){
	policy.ListExperiments:   func(d *draft, _ picks) { d.sizes(1000) },
	policy.ListModels:        func(d *draft, _ picks) { d.sizes(1000) },
	policy.ListModelVersions: func(d *draft, _ picks) { d.sizes(1000) },
	policy.ListMCPServers:    func(d *draft, _ picks) { d.sizes(100) },
	policy.ListMCPEndpoints:  func(d *draft, _ picks) { d.sizes(100) },
	policy.GraphQLFields: func(d *draft, pick picks) {
		id := pick(-1, policy.Need{Ref: policy.Experiment})
		if len(id) > 0 {
			d.body["query"] = `{mlflowGetExperiment(input:{experimentId:"` + id[0] + `"}){experiment{name}}}`
		}
	},
}

// checkSamples add what a check looks for to the request of a row.
var checkSamples = map[policy.Check]func(*draft, picks){
	policy.KnownJob: func(d *draft, pick picks) {
		d.body["job_name"] = "invoke_genai_evaluate"
		place(d.body, "params.serialized_scorers[]", judgeOf(pick))
	},
	policy.KnownScorers: func(d *draft, pick picks) { d.body["serialized_scorer"] = judgeOf(pick) },
}

// judgeOf is a judge on the endpoint of the picked work.
func judgeOf(pick picks) string {
	var endpoint string
	if picked := pick(-1, policy.Need{Ref: policy.GatewayEndpointName}); len(picked) > 0 {
		endpoint = picked[0]
	}
	return judge("gateway:/" + endpoint)
}

func (d *draft) sizes(n int) {
	if d.route.Content == policy.JSON {
		d.body["max_results"] = n
		return
	}
	d.query.Set("max_results", fmt.Sprint(n))
}

// filterOutcomes say how a request ends that a filter narrows before MLflow's answer: by whether its caller may read the
// first owner's work. The other filters look at the answer.
var filterOutcomes = map[policy.Filter]func(c *cast, reads bool) outcome{
	policy.ListExperiments:   func(c *cast, reads bool) outcome { return lists(reads, c.a.ExperimentName) },
	policy.ListModels:        func(c *cast, reads bool) outcome { return lists(reads, c.a.Model) },
	policy.ListModelVersions: func(c *cast, reads bool) outcome { return lists(reads, c.a.Model) },
	policy.ListMCPServers:    func(c *cast, reads bool) outcome { return lists(reads, c.a.Server) },
	policy.ListMCPEndpoints:  func(c *cast, reads bool) outcome { return lists(reads, c.a.Server) },
	policy.NarrowExperiments: func(_ *cast, reads bool) outcome {
		if reads {
			return reached()
		}
		return outcome{status: []int{http.StatusOK}, hides: `"`}
	},
	policy.GraphQLFields: func(_ *cast, reads bool) outcome {
		if reads {
			return reached()
		}
		return hiddenAs(policy.Experiment)
	},
}

// lists is the answer to a search that the gateway puts together itself.
func lists(reads bool, name string) outcome {
	if reads {
		return outcome{status: []int{http.StatusOK}, shows: name}
	}
	return outcome{status: []int{http.StatusOK}, hides: name}
}

// cell is one request of a row, and how it must end.
type cell struct {
	name       string
	who        *world.Client
	draft      *draft
	change     func(*http.Request) // may be nil
	restricted bool                // creating takes EDIT on the name
	want       outcome
}

// cells are all requests of a row.
func (c *cast) cells(t *testing.T, route policy.Route) []cell {
	t.Helper()
	return slices.Concat(c.columns(t, route), c.missing(t, route), c.apart(t, route), c.inside(t, route), c.contents(t, route), c.creations(t, route))
}

// columns send the row's request, with all that is optional and, where there is something, without it: by everybody.
func (c *cast) columns(t *testing.T, route policy.Route) []cell {
	t.Helper()
	variants := map[string]picks{"": from(t, c.a, true)}
	if slices.ContainsFunc(route.Needs, func(n policy.Need) bool { return n.Optional }) {
		variants["without what is optional: "] = from(t, c.a, false)
	}
	if slices.Contains(route.Checks, policy.KnownJob) { // a job takes exactly its own parameters
		variants = map[string]picks{"": from(t, c.a, true)}
	} else if choice(route) {
		for only, need := range route.Needs {
			variants["with "+need.At.Fields[0]+" alone: "] = func(i int, need policy.Need) []string {
				if i != only {
					return nil
				}
				return from(t, c.a, true)(i, need)
			}
		}
	}
	var all []cell
	for variant, pick := range variants {
		d := newDraft(route, pick)
		add := func(name string, who *world.Client, want outcome) {
			all = append(all, cell{name: variant + name, who: who, draft: d, want: want})
		}
		add("nobody", c.nobody, status(http.StatusUnauthorized))
		add("deactivated, by token", c.gone, status(http.StatusUnauthorized))
		add("deactivated, by session", c.goneSeen, status(http.StatusUnauthorized))
		switch {
		case route.Access == policy.Refused:
			add("administrator", c.admin, denied())
		default:
			add("administrator", c.admin, reached())
		}
		for _, h := range c.holders(t) {
			add(h.name, h.client, expected(c, route, pick, func(i int) kind.Level {
				if i < 0 {
					return h.level
				}
				return h.on(route.Needs[i])
			}, h.role))
		}
	}
	return all
}

// choice tells whether a row takes one of several ids.
func choice(route policy.Route) bool {
	return route.Access == policy.PerResource && !slices.ContainsFunc(route.Needs, func(n policy.Need) bool { return !n.Optional })
}

// missing leave one need out that every request must give, or give it empty.
func (c *cast) missing(t *testing.T, route policy.Route) []cell {
	t.Helper()
	var all []cell
	owner := c.person(t, "MANAGE by grant", nil, nil)
	for i, need := range route.Needs {
		if need.Optional || need.At.In == policy.Path || around(route, need) {
			continue
		}
		without := newDraft(route, func(j int, need policy.Need) []string {
			if j == i {
				return nil
			}
			return from(t, c.a, true)(j, need)
		})
		all = append(all, cell{name: "without " + need.At.Fields[0], who: owner, draft: without, want: invalid()})
		empty := newDraft(route, func(j int, need policy.Need) []string {
			if j == i {
				return []string{""}
			}
			return from(t, c.a, true)(j, need)
		})
		if name, leaf := strings.CutSuffix(need.At.Fields[0], "[]"); leaf {
			empty.body[name] = []any{}
		}
		all = append(all, cell{name: "with an empty " + need.At.Fields[0], who: owner, draft: empty, want: status(400, 403)})
	}
	return all
}

// apart point each need at the second owner's work in turn, and all others at the first owner's.
func (c *cast) apart(t *testing.T, route policy.Route) []cell {
	t.Helper()
	if route.Access != policy.PerResource || len(route.Needs) < 2 || slices.ContainsFunc(route.Needs, func(n policy.Need) bool { return around(route, n) }) {
		return nil
	}
	var all []cell
	for i, need := range route.Needs {
		pick := func(j int, need policy.Need) []string {
			if j == i {
				return []string{named(t, need.Ref, c.b)}
			}
			return []string{named(t, need.Ref, c.a)}
		}
		d, others := newDraft(route, pick), kind.NoPermissions
		for j, other := range route.Needs {
			if j != i {
				others = max(others, other.Level)
			}
		}
		for _, p := range [][2]kind.Level{{others, need.Level}, {others, need.Level - 1}, {kind.Manage, need.Level - 1}, {kind.Manage, kind.NoPermissions},
			{kind.NoPermissions, kind.Manage}, {max(others, kind.Read) - 1, kind.Manage}} {
			want := expected(c, route, pick, func(j int) kind.Level {
				if j == i {
					return p[1]
				}
				return p[0]
			}, role{})
			all = append(all, cell{name: fmt.Sprintf("%s on the %s of another, %s on all else", p[1], need.Ref, p[0]), who: c.pair(t, p[0], p[1]), draft: d, want: want})
		}
	}
	return all
}

// inside send a row's request about something that lies within another thing of which the row needs something too: by people
// whose levels on the two differ.
func (c *cast) inside(t *testing.T, route policy.Route) []cell {
	t.Helper()
	outer := slices.IndexFunc(route.Needs, func(n policy.Need) bool { return around(route, n) })
	if outer < 0 {
		return nil
	}
	pick := from(t, c.a, true)
	d := newDraft(route, pick)
	var all []cell
	for i, need := range route.Needs {
		if i == outer {
			continue
		}
		on := route.Needs[outer].Level
		for _, p := range [][2]kind.Level{{on, need.Level}, {on, need.Level - 1}, {kind.Manage, kind.NoPermissions}, {on - 1, need.Level}, {kind.NoPermissions, kind.Manage}} {
			who := c.person(t, fmt.Sprintf("%s in the experiment and %s on the scorer", p[0], p[1]), nil, func(to store.Principal) {
				for k, level := range map[kind.Name]kind.Level{kind.Experiment: p[0], kind.Scorer: p[1]} {
					if err := c.App.Store.CreateGrant(t.Context(), to, k, held(c.a)[k][0], level, nil); err != nil {
						t.Fatal(err)
					}
				}
			})
			want := expected(c, route, pick, func(j int) kind.Level {
				if j == i {
					return p[1]
				}
				return p[0]
			}, role{})
			all = append(all, cell{name: fmt.Sprintf("%s on the %s, %s around it", p[1], need.Ref, p[0]), who: who, draft: d, want: want})
		}
	}
	return all
}

// contents send bodies that MLflow could read in another way than the row says.
func (c *cast) contents(t *testing.T, route policy.Route) []cell {
	t.Helper()
	if route.Access == policy.Refused {
		return nil
	}
	who := c.person(t, "MANAGE by grant", nil, nil)
	if route.Access == policy.Administrators {
		who = c.admin
	}
	d := newDraft(route, from(t, c.a, true))
	body := func(text string) func(*http.Request) {
		return func(r *http.Request) {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
			r.Header.Set("Content-Type", "application/json")
		}
	}
	bad := map[string]func(*http.Request){}
	switch route.Content {
	case policy.NoBody:
		bad["a body"] = body(`{"experiment_id": "` + c.b.Experiment + `"}`)
	case policy.JSON:
		bad["a key twice"] = body(`{"x": 1, "x": 2}`)
		bad["a query beside the body"] = func(r *http.Request) { r.URL.RawQuery = "experiment_id=" + c.b.Experiment }
		bad["another type of content"] = func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }
	case policy.OTLP:
		bad["a query beside the body"] = func(r *http.Request) { r.URL.RawQuery = "x=1" }
		bad["no spans"] = body(`{"resourceSpans": 1}`)
	}
	var all []cell
	for name, change := range bad {
		all = append(all, cell{name: name, who: who, draft: d, change: change, want: invalid()})
	}
	if route.Most > 0 {
		all = append(all, cell{name: "a body that is too large", who: who, draft: d, want: status(http.StatusRequestEntityTooLarge),
			change: func(r *http.Request) {
				r.Body, r.ContentLength = io.NopCloser(io.LimitReader(zeros{}, route.Most+1)), route.Most+1
			}})
	}
	return all
}

// creations send names where creating takes EDIT on the name, which only patterns give.
func (c *cast) creations(t *testing.T, route policy.Route) []cell {
	t.Helper()
	if route.Creates == "" {
		return nil
	}
	field := "name"
	if route.Under != "" {
		field = route.Under
	}
	draft := func(name any) *draft {
		d := newDraft(route, from(t, c.a, true))
		d.body[field] = name
		return d
	}
	name := held(c.a)[route.Creates][1]
	pattern := func(level kind.Level) *world.Client { return c.person(t, level.String()+" by pattern", nil, nil) }
	return []cell{
		{name: "without a name", who: pattern(kind.Manage), draft: draft(nil), want: invalid()},
		{name: "EDIT on the name by a pattern", restricted: true, who: pattern(kind.Edit), draft: draft(name), want: reached()},
		{name: "USE on the name by a pattern", restricted: true, who: pattern(kind.Use), draft: draft(name), want: denied()},
		{name: "MANAGE on the name by a grant", restricted: true, who: c.person(t, "MANAGE by grant", nil, nil), draft: draft(name), want: denied()},
		{name: "a name that nothing gives", restricted: true, who: pattern(kind.Manage), draft: draft(newName(route.Creates)), want: denied()},
	}
}

// run sends a cell's request to a gateway, and says what is wrong with how it ended.
func (c *cast) run(t *testing.T, a cell, handler http.Handler) string {
	t.Helper()
	who := a.who.Through(handler)
	request := a.draft.request(t, who)
	if a.change != nil {
		a.change(request)
	}
	c.recorder.Calls()
	got, err := who.Try(request)
	if err != nil {
		return err.Error()
	}
	return a.want.problem(got, c.recorder.Forwarded())
}

// TestMatrix sends requests of every row of the table by everybody, and compares how each ends with what the row says. What
// is refused never reaches MLflow.
func TestMatrix(t *testing.T) {
	c := newCast(t)
	c.recorder.Refuse()
	count := 0
	for _, route := range policy.Routes() {
		t.Run(route.Pattern(), func(t *testing.T) {
			whole, alone, restricted := c.App.Handler(), c.gatewayOf(t, route, false), c.gatewayOf(t, route, true)
			for _, a := range c.cells(t, route) {
				handler := whole
				switch {
				case a.restricted:
					handler = restricted
				case route.Path == "/health": // the gateway's own answers there
					handler = alone
				}
				count++
				if problem := c.run(t, a, handler); problem != "" {
					t.Errorf("%s: %s", a.name, problem)
				}
			}
		})
	}
	t.Logf("%d requests", count)
}
