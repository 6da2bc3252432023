package extract_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
)

// rows are the rows that name something, of those that the two fuzz tests below are about.
func rows(keep func(*policy.Route) bool) []policy.Route {
	return slices.DeleteFunc(policy.Routes(), func(r policy.Route) bool {
		return len(r.Needs) == 0 || r.Access == policy.Refused || !keep(&r)
	})
}

var parameters = regexp.MustCompile(`\{[^}]*\}`)

// filled is a row's path with something for each parameter.
func filled(route *policy.Route) string {
	return parameters.ReplaceAllStringFunc(route.Path, func(name string) string {
		if strings.HasSuffix(name, "*}") {
			return "2/run/artifacts"
		}
		return "a"
	})
}

// checkReading holds what was decided on against what MLflow reads of what is forwarded.
func checkReading(t *testing.T, r *http.Request) {
	t.Helper()
	read, _, err := run(r)
	if err != nil {
		return
	}
	match, _ := matcher.Match(r.Method, read.Path.Decoded)
	target, body := url.URL{Path: read.Path.Decoded, RawQuery: read.Query.Encode()}, ""
	if read.Body != nil {
		body = string(read.Body.Encode())
	}
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", match.Route.Method, target.RequestURI(), len(body))
	said := mlflowtest.Read(t, []byte(head+body))
	if len(said.Calls) != 1 {
		t.Fatalf("%s %s with %s reaches %d handlers: %s", r.Method, target.RequestURI(), body, len(said.Calls), said.Said)
	}
	call := said.Calls[0]
	if call.Refused != "" {
		return
	}
	for _, need := range match.Route.Needs {
		need.Optional = true
		alone := match
		alone.Route = &policy.Route{Needs: []policy.Need{need}}
		targets, err := read.Targets(&alone)
		if err != nil {
			t.Fatalf("%s: %v", &need, err)
		}
		ours, theirs := map[string]bool{}, map[string]bool{}
		for _, target := range targets {
			ours[target.Value] = true
		}
		for _, field := range need.At.Fields {
			for _, value := range mlflowReads(&call, need.At, field) {
				theirs[value] = true
			}
		}
		if need.At.In == policy.Path {
			delete(theirs, "")
		}
		if diff := cmp.Diff(sorted(ours), sorted(theirs)); diff != "" && !partly(&call, &need, ours, theirs) {
			t.Errorf("%s %s with %s: decided on %s, and MLflow reads (%v) %v: %s", r.Method, target.RequestURI(), body, need, call.Whole, call.Message, diff)
		}
	}
}

// partly tells whether MLflow has read some of a list of objects, because another member of one is of a wrong type. It then
// touches fewer than were decided, but not none: a search without any would be one of everything.
func partly(call *mlflowtest.HandlerCall, need *policy.Need, ours, theirs map[string]bool) bool {
	if call.Whole || !strings.Contains(need.At.Fields[0], "[].") || len(theirs) == 0 && !need.Optional {
		return false
	}
	for value := range theirs {
		if !ours[value] {
			return false
		}
	}
	return true
}

func sorted(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }

// mlflowReads gives the values of a field as MLflow's handler has them.
func mlflowReads(call *mlflowtest.HandlerCall, at policy.Location, field string) []string {
	switch {
	case at.In == policy.Path:
		all := []string{}
		for _, name := range parameters.FindAllString(call.Rule, -1) {
			name = strings.Trim(name, "{}")
			if name == field || name == "artifact_path" && field == "path" {
				all = append(all, call.Args[name])
			}
		}
		if field != "path" { // a field beside the path's, which some handlers read
			all = append(all, inside(call.Message, field)...)
		}
		return all
	case call.Message != nil && at.In == policy.Query && at.Many:
		return inside(call.Message, field+"[]")
	case call.Message != nil:
		return inside(call.Message, field)
	case at.In == policy.Query:
		values := call.Query[field]
		if !at.Many && len(values) > 1 {
			values = values[:1]
		}
		return values
	}
	return inside(call.JSON, field)
}

// inside gives the texts at a path, empty ones left out where none is decided for them.
func inside(from any, path string) []string {
	name, rest, _ := strings.Cut(path, ".")
	name, listed := strings.CutSuffix(name, "[]")
	object, _ := from.(map[string]any)
	value, ok := object[name]
	if !ok {
		return nil
	}
	items := []any{value}
	if listed {
		items, _ = value.([]any)
	}
	var all []string
	for _, item := range items {
		if rest != "" {
			all = append(all, inside(item, rest)...)
		} else if text := fmt.Sprint(item); text != "" {
			all = append(all, text)
		}
	}
	return all
}

// MLflow's parser stops at a wrong type, and its handlers go on with what it has read until then.
func TestIDsBehindAWrongTypeAreRead(t *testing.T) {
	for target, body := range map[string]string{
		"/api/3.0/mlflow/datasets/search":       `{"order_by":[5],"experiment_ids":["1"]}`,
		"/ajax-api/3.0/mlflow/datasets/search":  `{"filterString":5,"experimentIds":["1","2"]}`,
		mlflow + "runs/log-metric":              `{"value":"x","model_id":"m-1","run_id":"a"}`,
		mlflow + "runs/log-batch":               `{"tags":5,"metrics":[{"step":"x","model_id":"m-1"}],"run_id":"a"}`,
		"/api/3.0/mlflow/traces/search":         `{"max_results":"x","locations":[{"mlflow_experiment":{"x":1,"experiment_id":"1"},"type":"MLFLOW_EXPERIMENT"}]}`,
		"/api/3.0/mlflow/traces/batchGetInfos":  `{"experiment_ids":5,"trace_ids":["a"]}`,
		"/api/3.0/mlflow/traces":                `{"trace":{"spans":5,"trace_info":{"state":[],"trace_location":{"mlflow_experiment":{"experiment_id":"1"}}}}}`,
		"/api/2.0/mlflow/logged-models/search":  `{"datasets":"x","experiment_ids":["1"]}`,
		"/api/2.0/mlflow/model-versions/create": `{"tags":5,"description":5,"name":"a","source":"runs:/a","run_id":"a","model_id":"m-1"}`,
	} {
		r, err := message(http.MethodPost, target, body)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := run(r); err != nil {
			t.Errorf("%s is refused: %v", target, err)
		}
		if r, err = message(http.MethodPost, target, body); err == nil {
			checkReading(t, r)
		}
	}
}

// FuzzBodyAsMLflowReadsIt gives the rows bodies, as they are or grown from the fields of MLflow's message. Of what is
// accepted and written anew, MLflow reads the ids that were decided on, no other, and not fewer.
func FuzzBodyAsMLflowReadsIt(f *testing.F) {
	all := rows(func(r *policy.Route) bool {
		return r.Content == policy.JSON && !strings.HasPrefix(r.Path, "/ajax-api/2.0/mlflow/run")
	})
	messages := mlflowtest.Messages(f)
	for i := range all {
		f.Add(uint16(i), []byte{}, []byte("{}"))
		for seed := range byte(4) {
			f.Add(uint16(i), []byte(strings.Repeat(string([]byte{seed*53 + 1, byte(i), 7 * seed, 200, 31}), 12)), []byte{})
		}
	}
	f.Fuzz(func(t *testing.T, row uint16, shape, body []byte) {
		route := &all[int(row)%len(all)]
		if len(shape) > 0 {
			g := &grower{choices: shape, texts: texts}
			g.object(fieldsOf(messages, route), 0)
			body = append(g.out, body...)
		}
		r, err := message(route.Method, filled(route), string(body))
		if err != nil {
			return
		}
		checkReading(t, r)
	})
}

// FuzzQueryAsMLflowReadsIt is the same for the rows that take their fields from the query.
func FuzzQueryAsMLflowReadsIt(f *testing.F) {
	all := rows(func(r *policy.Route) bool { return r.Method == http.MethodGet })
	messages := mlflowtest.Messages(f)
	for i := range all {
		f.Add(uint16(i), []byte{}, "")
		for seed := range byte(4) {
			f.Add(uint16(i), []byte(strings.Repeat(string([]byte{seed*53 + 1, byte(i), 7 * seed, 200, 31}), 12)), "")
		}
	}
	f.Add(uint16(0), []byte{}, "experiment_id=1;experiment_id=2&experimentId=2&experiment%5Fid=+1&experiment_id=%EF%BC%91&x=%ff")
	f.Fuzz(func(t *testing.T, row uint16, shape []byte, query string) {
		route := &all[int(row)%len(all)]
		if len(shape) > 0 {
			g := &grower{choices: shape, texts: texts}
			g.query(fieldsOf(messages, route), route)
			query = string(g.out) + query
		}
		r, err := message(route.Method, filled(route)+"?"+query, "")
		if err != nil {
			return
		}
		checkReading(t, r)
	})
}

// fieldsOf gives the fields of a row: those of the message that MLflow reads, or those that the row decides on.
func fieldsOf(messages map[string][]mlflowtest.Field, route *policy.Route) []mlflowtest.Field {
	if fields := messages[route.Pattern()]; fields != nil {
		return fields
	}
	var fields []mlflowtest.Field
	for _, need := range route.Needs {
		for _, name := range need.At.Fields {
			name, many := strings.CutSuffix(name, "[]")
			fields = append(fields, mlflowtest.Field{Name: name, JSONName: name, Type: "string", Many: many})
		}
	}
	return fields
}

// grower writes JSON, or a query, by choices that a fuzzer makes: mostly what the fields are, and sometimes not.
type grower struct {
	choices []byte
	texts   []string // what a text may be
	out     []byte
}

// choose gives a number below n; 0 once the choices have run out.
func (g *grower) choose(n int) int {
	if len(g.choices) == 0 {
		return 0
	}
	c := g.choices[0]
	g.choices = g.choices[1:]
	return int(c) % n
}

func (g *grower) write(text string) { g.out = append(g.out, text...) }

var (
	texts = []string{`"1"`, `"a"`, `"b"`, `"2"`, `""`, `"m-1"`, `"MLFLOW_EXPERIMENT"`, `"runs:/a"`, `"0"`}
	odd   = []string{`1`, `null`, `true`, `[]`, `{}`, `"\u0031"`, `" 1"`, `"1\u0000"`, `"\ud800"`, `"\ud83d\ude00"`, `["1"]`, `[["1"]]`, `{"a":"1"}`, `1e400`, `-0`, `1.0`, `1E0`,
		`NaN`, `-Infinity`, `99999999999999999999`, `"{\"experiment_id\":\"1\"}"`, `"\u2028"`, `"é"`, `"\/"`, `01`, `"a` + "\t" + `"`, `[null]`, `[1]`, `"1",`, `tru`, `[5,"1"]`,
		`"2001-01-01T00:00:00Z"`, `"1s"`, `"true"`, `false`, `0`, `"5"`, `[{}]`, `[{},null]`, `{"value":5}`, strings.Repeat("[", 70) + strings.Repeat("]", 70)}
)

func (g *grower) key(field mlflowtest.Field) {
	name := field.Name
	switch g.choose(12) {
	case 0, 1, 2, 3, 4, 5:
	case 6, 7, 8:
		name = field.JSONName
	case 9:
		name = fmt.Sprintf(`\u%04x`, name[0]) + name[1:]
	case 10:
		name = []string{strings.ToUpper(name), name + `\u0000`, "_" + name, name + "_", "[" + name + "]", strings.ToUpper(field.JSONName[:1]) + field.JSONName[1:], name + " "}[g.choose(7)]
	default:
		name = texts[g.choose(len(texts))]
		name = name[1 : len(name)-1]
	}
	g.write(`"` + name + `":`)
}

func (g *grower) object(fields []mlflowtest.Field, depth int) {
	g.write("{")
	if len(fields) > 0 && depth < 6 {
		for i := range g.choose(6) + 1 {
			if i > 0 {
				g.write(",")
			}
			field := fields[g.choose(len(fields))]
			g.key(field)
			g.value(field, depth)
		}
	}
	g.write("}")
}

func (g *grower) value(field mlflowtest.Field, depth int) {
	if g.choose(6) == 5 {
		g.write(odd[g.choose(len(odd))])
		return
	}
	n := 1
	if field.Many && field.Type != "map" {
		g.write("[")
		defer g.write("]")
		n = g.choose(4)
	}
	for i := range n {
		if i > 0 {
			g.write(",")
		}
		switch field.Type {
		case "message":
			g.object(field.Fields, depth+1)
		case "map":
			g.write(`{"k":"v"}`)
		case "string":
			g.write(g.texts[g.choose(len(g.texts))])
		default:
			g.write(odd[g.choose(len(odd))])
		}
	}
}

func (g *grower) query(fields []mlflowtest.Field, route *policy.Route) {
	var names []string
	for _, need := range route.Needs { // twice as likely as others
		names = append(names, need.At.Fields...)
	}
	for _, field := range fields {
		names = append(names, field.Name, field.JSONName)
	}
	between := []string{"&", "&", "&", "&", "&", "&&", ";", "&&&", "%26"}
	values := []string{"1", "a", "b", "2", "", "%31", "+1", "%2B1", "1+", "1%00", "%ff", "%EF%BC%91", "a;b", "a%3Bb", "%zz", "a%26b", "é", "%C3%A9", "2/run", "2%2Frun", "m-1", "true", "runs%3A%2Fa"}
	for range g.choose(6) + 1 {
		name := names[g.choose(len(names))]
		switch g.choose(10) {
		case 7:
			name = fmt.Sprintf("%%%02x", name[0]) + name[1:]
		case 8:
			name += []string{"%00", "[]", "[0]", ".x", "+", "%20"}[g.choose(6)]
		}
		g.write(name + []string{"=", "=", "=", "=", "==", ""}[g.choose(6)] + values[g.choose(len(values))] + between[g.choose(len(between))])
	}
}
