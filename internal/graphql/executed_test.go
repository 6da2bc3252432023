package graphql

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
)

// executed gives what MLflow would execute of a request: the root fields with the ids in their input, and the fields beneath
// that have a rule.
func executed(t testing.TB, body string) (all []string, refused string) {
	t.Helper()
	head := fmt.Sprintf("POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", len(body))
	said := mlflowtest.Read(t, []byte(head+body))
	if len(said.Calls) != 1 {
		t.Fatalf("%s reaches %d handlers: %s", body, len(said.Calls), said.Said)
	}
	for _, f := range said.Calls[0].Fields {
		r, ruled := rules[f.Of+"."+f.Field]
		if !ruled {
			continue
		}
		input, _ := f.Arguments["input"].(map[string]any)
		for i, member := range r.members {
			r.members = slices.Clone(r.members)
			r.members[i] = httpx.Snake(member) // graphene's own names
		}
		all = append(all, f.Of+"."+f.Field+named(input, r.members))
	}
	slices.Sort(all)
	return all, said.Said
}

// decided gives the same of what was read here.
func decided(of string, fields []*field) (all []string) {
	for _, f := range fields {
		if f.rule.way != 0 {
			all = append(all, of+"."+f.name+named(f.input(), f.rule.members))
		}
		if len(f.fields) > 0 {
			all = append(all, decided(schema.Types[of].Fields.ForName(f.name).Type.Name(), f.fields)...)
		}
	}
	slices.Sort(all)
	return all
}

// named writes the ids in an input.
func named(input map[string]any, members []string) string {
	var ids []string
	for _, member := range members {
		switch v := input[member].(type) {
		case []any:
			for _, id := range v {
				ids = append(ids, fmt.Sprint(id))
			}
		case nil:
		default:
			ids = append(ids, fmt.Sprint(v))
		}
	}
	return " " + strings.Join(ids, ",")
}

// checkExecuted holds what MLflow executes of the operation that is forwarded against what was decided on.
func checkExecuted(t *testing.T, body string) (forwarded bool) {
	t.Helper()
	o, err := read(body)
	if err != nil {
		return false
	}
	if _, err := touched(o); err != nil || o.Restricted() != "" {
		return false
	}
	raw, err := o.Body()
	if err != nil {
		t.Fatal(err)
	}
	root := schema.Query.Name
	if o.mutation {
		root = schema.Mutation.Name
	}
	theirs, said := executed(t, string(raw))
	if len(theirs) == 0 { // what MLflow refuses shows nothing
		if ours := decided(root, o.fields); len(ours) > 0 && !strings.Contains(said, `"data":null`) {
			t.Errorf("%s is executed otherwise than %s: %s", raw, ours, said)
		}
		return false
	}
	if diff := cmp.Diff(decided(root, o.fields), theirs); diff != "" {
		t.Errorf("of %s, forwarded as %s, MLflow executes what was not decided on: %s", body, raw, diff)
	}
	return true
}

// TestExecutedAsDecided is the fuzz test's property on documents that MLflow does execute.
func TestExecutedAsDecided(t *testing.T) {
	for _, c := range [][2]string{
		{`query($d:MlflowGetRunInput!){a:mlflowGetRun(input:$d){run{modelVersions{version} experiment{name}}}}`, `{"d":{"runId":"r1"}}`},
		{`mutation{...F} fragment F on Mutation{mlflowSearchRuns(input:{experimentIds:["1","2"],filter:"\"x\\"}){runs{info{runId}}}}`, `{}`},
		{`query($d:String="r1"){mlflowGetMetricHistoryBulkInterval(input:{runIds:["r2",$d],maxResults:5}){metrics{key}}}`, `{"d":"r3"}`},
		{`{a:mlflowGetExperiment(input:{experimentId:"1"}){experiment{name}} b:mlflowGetExperiment(input:{experimentId:"2"}){experiment{name}}}`, ``},
		{`{mlflowListArtifacts(input:{runId:"r",path:"a"}){files{path}}}`, ``},
		{`mutation{mlflowSearchDatasets(input:{experimentIds:"3"}){__typename}}`, ``},
		{`{mlflowGetRun(input:{runUuid:"""r1"""}){__typename} mlflowGetRun(input:{runUuid:"r1"}){run{info{runId}}}}`, ``},
	} {
		if !checkExecuted(t, request(c[0], c[1])) {
			t.Errorf("%s is not executed", c[0])
		}
	}
}

// FuzzExecutedAsDecided gives documents, as they are or grown from the schema. Of what is forwarded, MLflow executes exactly
// the fields and ids that were decided on.
func FuzzExecutedAsDecided(f *testing.F) {
	mlflowtest.Messages(f) // starts the process, which in the fuzz function would count as a hang
	f.Add([]byte{}, `query($d:MlflowGetRunInput!){a:mlflowGetRun(input:$d){run{modelVersions{version}}}}`, `{"d":{"runId":"r1"}}`)
	f.Add([]byte{}, `query($d:String="r1"){mlflowGetMetricHistoryBulkInterval(input:{runIds:["r2",$d],maxResults:5}){metrics{key}}}`, `{"d":"r3"}`)
	for seed := range byte(40) {
		f.Add([]byte(strings.Repeat(string([]byte{seed * 7, 3 * seed, 1, 40 + seed, 5}), 10)), "", `{"s":"r1","l":["1"],"i":{"runId":"r2"},"e":{"experimentId":"1"}}`)
	}
	f.Fuzz(func(t *testing.T, shape []byte, document, variables string) {
		if len(shape) > 0 {
			g := &grower{choices: shape}
			g.document()
			document = g.String() + document
		}
		checkExecuted(t, request(document, variables))
	})
}

// grower writes a document by choices that a fuzzer makes.
type grower struct {
	choices []byte
	strings.Builder
}

func (g *grower) choose(n int) int {
	if len(g.choices) == 0 {
		return 0
	}
	c := g.choices[0]
	g.choices = g.choices[1:]
	return int(c) % n
}

func (g *grower) one(of ...string) string { return of[g.choose(len(of))] }

func (g *grower) document() {
	root := schema.Query
	if g.choose(3) == 2 {
		root = schema.Mutation
	}
	g.WriteString(g.one("query", "query", "mutation", "query Q", "subscription", "query @component(name:\"x\")"))
	g.WriteString(g.one("", "", `($s:String="r3",$l:[String]=["2"],$i:MlflowGetRunInput!,$e:MlflowGetExperimentInput)`, "($s:String)", "($l:[String!]!)"))
	g.selection(root, 0)
	g.WriteString(g.one("", " fragment F on "+root.Name+"{__typename}", ""))
	if g.choose(3) == 1 {
		g.WriteString(" fragment G on MlflowGetRunResponse")
		g.selection(schema.Types["MlflowGetRunResponse"], 2)
	}
}

func (g *grower) selection(of *ast.Definition, depth int) {
	g.WriteString("{")
	for range g.choose(3) + 1 {
		switch g.choose(10) {
		case 8:
			g.WriteString(g.one("...F ", "...G ", "__typename ", "...on Query{__typename} ", "# }\n"))
			continue
		case 9:
			g.WriteString(g.one("...", "...on "+of.Name, "...@include(if:false)"))
			if depth < 6 {
				g.selection(of, depth+1)
			}
			continue
		}
		known := of.Fields[g.choose(len(of.Fields))]
		g.WriteString(g.one("", "", "", "a:", "b:", "mlflowGetRun:") + known.Name)
		if len(known.Arguments) > 0 {
			g.WriteString("(" + known.Arguments[0].Name + ":")
			g.value(known.Arguments[0].Type, 0)
			g.WriteString(")")
		}
		if result := schema.Types[known.Type.Name()]; !result.IsLeafType() && depth < 6 {
			g.selection(result, depth+1)
		}
		g.WriteString(" ")
	}
	g.WriteString("}")
}

func (g *grower) value(of *ast.Type, depth int) {
	if g.choose(8) == 7 {
		g.WriteString(g.one("null", "$s", "$l", "$i", "$e", "5", `"r1"`, "[]", "{}", "ALL", `["1",null]`, `[["1"]]`, "1.5e3", "true"))
		return
	}
	definition := schema.Types[of.Name()]
	switch {
	case of.Elem != nil:
		g.WriteString("[")
		for range g.choose(3) {
			g.value(of.Elem, depth)
			g.WriteString(" ")
		}
		g.WriteString("]")
	case definition.Kind == ast.InputObject && depth < 4:
		g.WriteString("{")
		for range g.choose(4) {
			member := definition.Fields[g.choose(len(definition.Fields))]
			g.WriteString(member.Name + ":")
			g.value(member.Type, depth+1)
			g.WriteString(",")
		}
		g.WriteString("}")
	case definition.Kind == ast.Enum:
		g.WriteString(g.one("ALL", "ACTIVE_ONLY", `"ALL"`))
	default:
		g.WriteString(g.one(`"1"`, `"r1"`, `"""1"""`, `"\u0031"`, `""`, `"a\"b"`, "5", `"2"`, "$s", "false", "1.0", `"""a\"""b"""`, `"ü😀"`))
	}
}
