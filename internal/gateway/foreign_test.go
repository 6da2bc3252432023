package gateway_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
)

// camel writes a path of a body as protobuf's JSON does.
func camel(path string) string {
	words := strings.Split(path, "_")
	for i, word := range words[1:] {
		words[i+1] = strings.ToUpper(word[:1]) + word[1:]
	}
	return strings.Join(words, "")
}

// foreignCells put the first owner's id into each place of an id in turn, in requests of the second owner that are about
// their own work else: alone, behind an own one, in every other name and spelling of the field, and where a row does not look.
func (c *cast) foreignCells(t *testing.T, route policy.Route) []cell {
	t.Helper()
	if route.Access != policy.PerResource {
		return nil
	}
	var all []cell
	for i, need := range route.Needs {
		if need.Level == kind.NoPermissions || around(route, need) { // narrowed, which its filter's probe looks at; or with another need
			continue
		}
		own, theirs := named(t, need.Ref, c.b), named(t, need.Ref, c.a)
		hidden, in, field := hiddenAs(need.Ref), need.At.In, need.At.Fields[0]
		with := func(values ...string) *draft {
			return newDraft(route, func(j int, other policy.Need) []string {
				if j == i {
					return values
				}
				return from(t, c.b, true)(j, other)
			})
		}
		add := func(name string, d *draft, change func(*http.Request), want outcome) {
			all = append(all, cell{name: fmt.Sprintf("another's %s in %s, %s", need.Ref, field, name), who: c.second, draft: d, change: change, want: want})
		}
		add("alone", with(theirs), nil, hidden)
		if in == policy.Path || in == policy.Header {
			continue
		}
		many, one := with(own, theirs), with(own)
		switch {
		case need.At.Many:
			add("behind an own one", many, nil, hidden)
			add("before an own one", with(theirs, own), nil, hidden)
		case in == policy.Query:
			add("behind an own one", many, nil, invalid())
		}
		for _, alias := range need.At.Fields[1:] {
			instead, beside := with(), with(own)
			instead.put(in, alias, theirs)
			beside.put(in, alias, theirs)
			add("as "+alias, instead, nil, hidden)
			add("as "+alias+" beside an own one", beside, nil, invalid())
			both := with(theirs)
			both.put(in, alias, own)
			add("beside an own "+alias, both, nil, invalid())
		}
		if spelled := camel(field); spelled != field && in == policy.Body {
			alone, beside := with(), with(own)
			alone.put(in, spelled, theirs)
			beside.put(in, spelled, theirs)
			want := hidden
			if strings.HasPrefix(field, "trace.") { // the sample has other fields in the objects around it
				want = invalid()
			}
			add("as "+spelled, alone, nil, want)
			add("as "+spelled+" beside an own one", beside, nil, status(400, 403, 404))
		} else if spelled != field && in == policy.Query { // MLflow ignores it there
			alone := with()
			alone.query.Set(spelled, theirs)
			want := invalid()
			if slices.ContainsFunc(route.Needs, func(n policy.Need) bool { return !n.Optional && n.At.Fields[0] != field }) && need.Optional {
				want = reached()
			} else if need.Optional {
				want = status(400, 403, 404)
				if choice(route) && len(route.Needs) > 1 { // the other one is an own one
					want = reached()
				}
			}
			add("as "+spelled, alone, nil, want)
			beside := with(own)
			beside.query.Set(spelled, theirs)
			add("as "+spelled+" beside an own one", beside, nil, invalid())
		}
		switch in {
		case policy.Query:
			add("in a body", one, func(r *http.Request) {
				text := `{"` + field + `": "` + theirs + `"}`
				r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
				r.Header.Set("Content-Type", "application/json")
			}, map[bool]outcome{true: invalid(), false: reached()}[route.Content == policy.NoBody])
		case policy.Body:
			add("in a query", one, func(r *http.Request) { r.URL.RawQuery = url.Values{field: {theirs}}.Encode() }, invalid())
		}
	}
	return all
}

// TestForeignIDsInEveryNeed sends them; none may reach MLflow, and each is answered as what does not exist.
func TestForeignIDsInEveryNeed(t *testing.T) {
	c := newCast(t)
	c.recorder.Refuse()
	count := 0
	for _, route := range policy.Routes() {
		t.Run(route.Pattern(), func(t *testing.T) {
			for _, a := range c.foreignCells(t, route) {
				count++
				if problem := c.run(t, a, c.App.Handler()); problem != "" {
					t.Errorf("%s: %s", a.name, problem)
				}
			}
		})
	}
	t.Logf("%d requests", count)
}
