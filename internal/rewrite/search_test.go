package rewrite

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
)

func object(t *testing.T, body string) *httpx.Object {
	t.Helper()
	o, err := httpx.ParseObject([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func posted(t *testing.T, body string) *Search {
	t.Helper()
	s, err := NewSearch(experiments, nil, object(t, body))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func body(t *testing.T, s *Search, offset, rows int) map[string]any {
	t.Helper()
	query, raw := s.At(offset, rows)
	if query != nil {
		t.Fatalf("a POST has the query %v", query)
	}
	var asked map[string]any
	if err := json.Unmarshal(raw, &asked); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return asked
}

func TestMaxResults(t *testing.T) {
	for _, c := range []struct {
		filter policy.Filter
		value  string // JSON in a body, text in a query
		want   int    // 0: refused
	}{
		{policy.ListExperiments, "", 0}, {policy.ListExperiments, "0", 0}, {policy.ListExperiments, "-1", 0}, {policy.ListExperiments, "1", 1},
		{policy.ListExperiments, `"5"`, 5}, {policy.ListExperiments, "50000", 50000}, {policy.ListExperiments, "50001", 0}, {policy.ListExperiments, "1e3", 0},
		{policy.ListExperiments, "1.0", 0}, {policy.ListExperiments, "null", 0}, {policy.ListExperiments, "true", 0}, {policy.ListExperiments, "[1]", 0},
		{policy.ListExperiments, "99999999999999999999", 0}, {policy.ListExperiments, `""`, 0}, {policy.ListExperiments, `"x"`, 0},
		{policy.ListModels, "", 100}, {policy.ListModels, "0", 0}, {policy.ListModels, "1000", 1000}, {policy.ListModels, "1001", 0}, {policy.ListModels, "x", 0},
		{policy.ListModelVersions, "", 10_000}, {policy.ListModelVersions, "200000", 200_000}, {policy.ListModelVersions, "200001", 0},
	} {
		list, query, sent := Lists[c.filter], url.Values{}, (*httpx.Object)(nil)
		switch {
		case list.Post && c.value == "":
			sent = object(t, `{}`)
		case list.Post:
			sent = object(t, `{"max_results":`+c.value+`}`)
		case c.value != "":
			query.Set("max_results", c.value)
		}
		s, err := NewSearch(list, query, sent)
		if c.want == 0 && !errs.Is(err, errs.Invalid) {
			t.Errorf("%s, max_results %s gave %+v, %v", c.filter, c.value, s, err)
		}
		if c.want != 0 && (err != nil || s.Want != c.want) {
			t.Errorf("%s, max_results %s gave %+v, %v; want %d", c.filter, c.value, s, err, c.want)
		}
	}
}

func TestSearchStartsAtItsToken(t *testing.T) {
	if s := posted(t, `{"max_results":5,"page_token":"`+Token(70)+`"}`); s.Start != 70 {
		t.Errorf("starts at %d", s.Start)
	}
	if _, err := NewSearch(experiments, nil, object(t, `{"max_results":5,"page_token":"no"}`)); !errs.Is(err, errs.Invalid) {
		t.Errorf("a foreign token gave %v", err)
	}
	if s, err := NewSearch(models, url.Values{"page_token": {Token(3)}}, nil); err != nil || s.Start != 3 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestBodyIsAskedAsItCame(t *testing.T) {
	s := posted(t, `{"maxResults":5,"filter":"name = 'x'","order_by":["name ASC"],"view_type":"ALL","pageToken":"`+Token(4)+`"}`)
	want := map[string]any{"maxResults": 11.0, "filter": "name = 'x'", "order_by": []any{"name ASC"}, "view_type": "ALL", "pageToken": Token(20)}
	if diff := cmp.Diff(want, body(t, s, 20, 11)); diff != "" {
		t.Error(diff)
	}
	want["pageToken"] = ""
	if diff := cmp.Diff(want, body(t, s, 0, 11)); diff != "" {
		t.Error(diff)
	}
}

func TestQueryBecomesTheBodyThatSaysTheSame(t *testing.T) {
	s, err := NewSearch(experiments, url.Values{"max_results": {"5"}, "filter": {`name = 'a"b'`}, "view_type": {"ALL"}, "order_by": {"name", "creation_time DESC"},
		"page_token": {Token(4)}, "unknown": {"x"}}, nil)
	if err != nil || s.Want != 5 || s.Start != 4 {
		t.Fatalf("%+v, %v", s, err)
	}
	want := map[string]any{"max_results": 6.0, "filter": `name = 'a"b'`, "view_type": "ALL", "order_by": []any{"name", "creation_time DESC"}, "page_token": Token(4)}
	if diff := cmp.Diff(want, body(t, s, 4, 6)); diff != "" {
		t.Error(diff)
	}
	for _, wrong := range []string{"x", "5,6", "", "1.5"} {
		if _, err := NewSearch(experiments, url.Values{"max_results": {wrong}}, nil); !errs.Is(err, errs.Invalid) {
			t.Errorf("max_results=%s gave %v", wrong, err)
		}
	}
}

func TestQueryIsAskedAsItCame(t *testing.T) {
	given := url.Values{"max_results": {"5"}, "filter": {"name = 'x'"}, "order_by": {"name", "timestamp"}, "page_token": {Token(9)}}
	s, err := NewSearch(models, given, nil)
	if err != nil {
		t.Fatal(err)
	}
	query, raw := s.At(30, 6)
	want := url.Values{"max_results": {"6"}, "filter": {"name = 'x'"}, "order_by": {"name", "timestamp"}, "page_token": {Token(30)}}
	if diff := cmp.Diff(want, query); diff != "" || raw != nil {
		t.Errorf("%s\n%s", raw, diff)
	}
	if query, _ = s.At(0, 6); query.Has("page_token") {
		t.Errorf("the start has the token %v", query)
	}
	if given.Get("page_token") != Token(9) || given.Get("max_results") != "5" {
		t.Errorf("the caller's query was changed to %v", given)
	}
}

func TestNarrow(t *testing.T) {
	many := make([]string, MaxIDs+1)
	for i := range many {
		many[i] = strconv.Itoa(i)
	}
	for name, c := range map[string]struct {
		selection authz.Selection
		filter    string
		want      string // empty: not narrowed
	}{
		"these":             {authz.Selection{Exact: true, IDs: []string{"1", "22"}}, "", "experiment_id IN ('1','22')"},
		"all but these":     {authz.Selection{Exact: true, All: true, IDs: []string{"1"}}, "", "experiment_id NOT IN ('1')"},
		"with a filter":     {authz.Selection{Exact: true, IDs: []string{"1"}}, "name = 'x'", "experiment_id IN ('1') AND name = 'x'"},
		"with a blank one":  {authz.Selection{Exact: true, IDs: []string{"1"}}, " \t\n", "experiment_id IN ('1')"},
		"none":              {authz.Selection{Exact: true}, "name = 'x'", ""},
		"all":               {authz.Selection{Exact: true, All: true}, "", ""},
		"patterns decide":   {authz.Selection{IDs: []string{"1"}}, "", ""},
		"too many":          {authz.Selection{Exact: true, IDs: many}, "", ""},
		"as many as can be": {authz.Selection{Exact: true, IDs: many[:MaxIDs]}, "", "experiment_id IN ('" + strings.Join(many[:MaxIDs], "','") + "')"},
		// The attack: a grant on an "experiment" whose id is a filter, or one that makes MLflow refuse every search.
		"ids that are none":             {authz.Selection{Exact: true, IDs: []string{"1') OR experiment_id NOT IN ('1", "x", "", "-1", "+1", "01", "1_0", " 1", "9223372036854775808", "7"}}, "", "experiment_id IN ('7')"},
		"nothing but ids that are none": {authz.Selection{Exact: true, All: true, IDs: []string{"'"}}, "", ""},
	} {
		s := posted(t, fmt.Sprintf(`{"max_results":5,"filter":%q}`, c.filter))
		narrowed, err := s.Narrow(c.selection)
		if err != nil || narrowed != (c.want != "") {
			t.Errorf("%s: %v, %v", name, narrowed, err)
		}
		want := c.want
		if want == "" {
			want = c.filter
		}
		if got := body(t, s, 0, 5)["filter"]; got != want {
			t.Errorf("%s: filter %.80q, want %.80q", name, got, want)
		}
	}
}

func TestNarrowRefusesAFilterThatIsNoText(t *testing.T) {
	for _, filter := range []string{`["x"]`, `{"a":"b"}`, `true`} {
		if _, err := posted(t, `{"max_results":5,"filter":`+filter+`}`).Narrow(authz.Selection{Exact: true, IDs: []string{"1"}}); !errs.Is(err, errs.Invalid) {
			t.Errorf("filter %s gave %v", filter, err)
		}
	}
}

func TestWidenForAnMLflowThatCannotNarrow(t *testing.T) {
	for name, c := range map[string]struct {
		answer  error
		widened bool
	}{
		"no error":           {nil, false},
		"ids are no key":     {errs.New(errs.Invalid, "Invalid attribute key 'experiment_id' specified. Valid keys are '{'name'}'"), true},
		"another key is not": {errs.New(errs.Invalid, "Invalid attribute key 'x' specified. Valid keys are '{'experiment_id'}'"), false},
		"MLflow is away":     {errs.New(errs.BadGateway, "Invalid attribute key 'experiment_id'"), false},
	} {
		s := posted(t, `{"max_results":5,"filter":"name = 'x'"}`)
		if _, err := s.Narrow(authz.Selection{Exact: true, IDs: []string{"1"}}); err != nil {
			t.Fatal(err)
		}
		if widened := s.Widen(c.answer); widened != c.widened {
			t.Errorf("%s: %v", name, widened)
		}
		if filter, _ := s.text("filter"); (filter == "name = 'x'") != c.widened {
			t.Errorf("%s: the filter is %s", name, filter)
		}
	}
}

func TestModelsCannotBeNarrowed(t *testing.T) {
	s, err := NewSearch(models, url.Values{"filter": {"name = 'x'"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if narrowed, err := s.Narrow(authz.Selection{Exact: true, IDs: []string{"1"}}); err != nil || narrowed {
		t.Errorf("%v, %v", narrowed, err)
	}
}

// The attack: a filter of the caller's that takes our condition away. MLflow takes nothing but comparisons joined by AND, so
// ours has to come first, whole, and joined by AND; and the caller's must follow as it was, or it could mean something else.
func FuzzNarrow(f *testing.F) {
	for _, seed := range []string{"name = 'x' OR name = 'y'", "name = 'x'; experiment_id != '0'", "-- x", "/* x */ OR 1=1", "name = 'x", `name = "x`, "\nOR\n", "experiment_id IN ('9')", "') OR ('1' = '1", "", " ", `\`, "\u2028"} {
		f.Add(seed, true)
	}
	f.Fuzz(func(t *testing.T, filter string, all bool) {
		quoted, err := json.Marshal(map[string]any{"max_results": 5, "filter": filter})
		if err != nil {
			t.Skip()
		}
		sent, err := httpx.ParseObject(quoted)
		if err != nil {
			return
		}
		given, _, err := sent.Text("filter")
		if err != nil {
			t.Fatal(err)
		}
		s, err := NewSearch(experiments, nil, sent)
		if err != nil {
			t.Fatal(err)
		}
		narrowed, err := s.Narrow(authz.Selection{Exact: true, All: all, IDs: []string{"4", "5"}})
		if err != nil || !narrowed {
			t.Fatalf("%q: %v, %v", filter, narrowed, err)
		}
		want := map[bool]string{false: "experiment_id IN ('4','5')", true: "experiment_id NOT IN ('4','5')"}[all]
		if strings.TrimSpace(given) != "" {
			want += " AND " + given
		}
		if got := body(t, s, 0, 1)["filter"]; got != want {
			t.Fatalf("%q became %q", filter, got)
		}
	})
}
