package graphql

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/extract"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
)

func read(body string) (*Operation, error) {
	object, err := httpx.ParseObject([]byte(body))
	if err != nil {
		return nil, err
	}
	return Read(object)
}

func request(document, variables string) string {
	quoted, _ := json.Marshal(document)
	if variables == "" {
		variables = "null"
	}
	return `{"query":` + string(quoted) + `,"variables":` + variables + `}`
}

// touched gives the ids that an operation touches: those that must be readable, and those that are narrowed.
func touched(o *Operation) ([]string, error) {
	targets, err := o.Targets()
	if err != nil {
		return nil, err
	}
	err = o.Narrow(func(target extract.Target) error { targets = append(targets, target); return nil })
	var ids []string
	for _, target := range targets {
		ids = append(ids, target.Ref.String()+" "+target.Value)
	}
	return ids, err
}

// Every way to name an id leads to the decision, and what is written has neither variables nor fragments.
func TestIDsAreFoundWhereverTheyHide(t *testing.T) {
	for name, c := range map[string]struct{ document, variables, ids, written string }{
		"literal":             {`{mlflowGetRun(input:{runId:"r1"}){run{info{runId}}}}`, "", "run r1", `query{mlflowGetRun(input:{runId:"r1"}){run{info{runId}}}}`},
		"comment and commas":  {"{ # x\n mlflowGetRun(input:{,runId:\"r1\",}) { __typename } }", "", "run r1", `query{mlflowGetRun(input:{runId:"r1"}){__typename}}`},
		"alias":               {`{a:mlflowGetRun(input:{runId:"r1"}){__typename} b:mlflowGetRun(input:{runUuid:"r2"}){__typename}}`, "", "run r1,run r2", `query{a:mlflowGetRun(input:{runId:"r1"}){__typename} b:mlflowGetRun(input:{runUuid:"r2"}){__typename}}`},
		"named fragment":      {`query{...F} fragment F on Query{mlflowGetRun(input:{runId:"r1"}){...G}} fragment G on MlflowGetRunResponse{run{info{runName}}}`, "", "run r1", `query{mlflowGetRun(input:{runId:"r1"}){run{info{runName}}}}`},
		"inline fragments":    {`{...{... on Query{mlflowGetExperiment(input:{experimentId:"7"}){__typename}}}}`, "", "experiment 7", `query{mlflowGetExperiment(input:{experimentId:"7"}){__typename}}`},
		"variable":            {`query($d:MlflowGetRunInput!){mlflowGetRun(input:$d){__typename}}`, `{"d":{"runId":"r1"}}`, "run r1", `query{mlflowGetRun(input:{runId:"r1"}){__typename}}`},
		"variable in object":  {`query($d:String){mlflowGetRun(input:{runId:$d}){__typename}}`, `{"d":"r1"}`, "run r1", `query{mlflowGetRun(input:{runId:"r1"}){__typename}}`},
		"default":             {`query($d:String="r1"){mlflowGetRun(input:{runId:$d}){__typename}}`, "", "run r1", `query{mlflowGetRun(input:{runId:"r1"}){__typename}}`},
		"default overridden":  {`query($d:String="r1"){mlflowGetRun(input:{runId:$d}){__typename}}`, `{"d":"r2"}`, "run r2", `query{mlflowGetRun(input:{runId:"r2"}){__typename}}`},
		"variable in list":    {`query($d:String){mlflowGetMetricHistoryBulkInterval(input:{runIds:["r1",$d]}){__typename}}`, `{"d":"r2"}`, "run r1,run r2", `query{mlflowGetMetricHistoryBulkInterval(input:{runIds:["r1","r2"]}){__typename}}`},
		"one for a list":      {`mutation{mlflowSearchDatasets(input:{experimentIds:"3"}){__typename}}`, "", "experiment 3", `mutation{mlflowSearchDatasets(input:{experimentIds:["3"]}){__typename}}`},
		"mutation form":       {`mutation{mlflowSearchRuns(input:{experimentIds:["3","4"],runViewType:ALL}){__typename}}`, "", "experiment 3,experiment 4", `mutation{mlflowSearchRuns(input:{experimentIds:["3","4"],runViewType:ALL}){__typename}}`},
		"enum by variable":    {`query($v:MlflowViewType){mlflowSearchRuns(input:{experimentIds:["3"],runViewType:$v}){__typename}}`, `{"v":"ALL"}`, "experiment 3", `query{mlflowSearchRuns(input:{experimentIds:["3"],runViewType:ALL}){__typename}}`},
		"escapes in a string": {`{mlflowGetRun(input:{runId:"\u0072\u0031"}){__typename}}`, "", "run r1", `query{mlflowGetRun(input:{runId:"r1"}){__typename}}`},
		"block string":        {`{mlflowGetRun(input:{runId:"""r1"""}){__typename}}`, "", "run r1", `query{mlflowGetRun(input:{runId:"r1"}){__typename}}`},
		"breaking out":        {`query($f:String){mlflowSearchRuns(input:{experimentIds:["3"],filter:$f}){__typename}}`, `{"f":"\"}) mlflowGetRun(input:{runId:\"r9\"\\"}`, "experiment 3", `query{mlflowSearchRuns(input:{experimentIds:["3"],filter:"\"}) mlflowGetRun(input:{runId:\"r9\"\\"}){__typename}}`},
		"merged":              {`{mlflowGetRun(input:{runId:"r1"}){run{info{runId}}} mlflowGetRun(input:{runId:"r1"}){run{info{status}}}}`, "", "run r1", `query{mlflowGetRun(input:{runId:"r1"}){run{info{runId status}}}}`},
		"name for the filter": {`{mlflowGetRun(input:{runId:"r1"}){run{modelVersions{version}}}}`, "", "run r1", `query{mlflowGetRun(input:{runId:"r1"}){run{modelVersions{version name}}}}`},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := read(request(c.document, c.variables))
			if err != nil {
				t.Fatal(err)
			}
			ids, err := touched(o)
			if err != nil || strings.Join(ids, ",") != c.ids {
				t.Errorf("touches %v, %v", ids, err)
			}
			raw, err := o.Body()
			var body map[string]string
			if err != nil || json.Unmarshal(raw, &body) != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(map[string]string{"query": c.written}, body); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatCannotBeDecidedIsRefused(t *testing.T) {
	run := `mlflowGetRun(input:{runId:"r1"}){__typename}`
	bodies := map[string]string{
		"batch":                     `[{"query":"{__typename}"}]`,
		"query twice":               `{"query":"{__typename}","query":"{__typename}"}`,
		"another member":            `{"query":"{__typename}","extensions":{}}`,
		"no query":                  `{"variables":{}}`,
		"query in a list":           `{"query":["{__typename}"]}`,
		"variables in a list":       `{"query":"{__typename}","variables":[]}`,
		"operationName of no other": `{"query":"query a{__typename}","operationName":"b"}`,
	}
	for name, document := range map[string]string{
		"two operations":                `query a{__typename} query b{` + run + `}`,
		"no operation":                  `fragment F on Query{__typename}`,
		"subscription":                  `subscription{__typename}`,
		"not GraphQL":                   `{`,
		"unknown field":                 `{mlflowGetTrace(input:{traceId:"t"}){__typename}}`,
		"unknown nested field":          `{mlflowGetRun(input:{runId:"r1"}){run{secret}}}`,
		"unknown argument":              `{mlflowGetRun(input:{runId:"r1"},x:1){__typename}}`,
		"unknown member":                `{mlflowGetRun(input:{runId:"r1",experimentId:"1"}){__typename}}`,
		"snake case member":             `{mlflowGetRun(input:{run_id:"r1"}){__typename}}`,
		"member twice":                  `{mlflowGetRun(input:{runId:"r1",runId:"r2"}){__typename}}`,
		"argument twice":                `{mlflowGetRun(input:{runId:"r1"},input:{runId:"r2"}){__typename}}`,
		"two ids under aliases":         `{mlflowGetRun(input:{runId:"r1",runUuid:"r2"}){__typename}}`,
		"one key for two runs":          `{` + run + ` mlflowGetRun(input:{runId:"r2"}){__typename}}`,
		"one key for two fields":        `{mlflowGetRun:mlflowGetExperiment(input:{experimentId:"1"}){__typename} ` + run + `}`,
		"include":                       `{mlflowGetRun(input:{runId:"r1"}) @include(if:false) {__typename}}`,
		"skip on a fragment":            `{... @skip(if:true) {` + run + `}}`,
		"fragment of another type":      `{mlflowGetRun(input:{runId:"r1"}){... on Query{__typename}}}`,
		"fragment that is not there":    `{...F}`,
		"fragment of itself":            `{...F} fragment F on Query{...F}`,
		"fragment of itself by a field": `{mlflowGetRun(input:{runId:"r1"}){...F}} fragment F on MlflowGetRunResponse{run{info{...F}}}`,
		"fragment twice":                `{...F} fragment F on Query{__typename} fragment F on Query{` + run + `}`,
		"bomb of fragments":             `{...A} fragment A on Query{...B ...B ...B ...B ...B ...B} fragment B on Query{...C ...C ...C ...C ...C ...C} fragment C on Query{...D ...D ...D ...D ...D ...D} fragment D on Query{__typename __typename __typename __typename __typename}`,
		"eleven levels":                 `{__type(name:"x"){ofType` + strings.Repeat(`{ofType`, 9) + `{name}` + strings.Repeat(`}`, 9) + `}}`,
		"eleven aliases":                `{a:__typename b:__typename c:__typename d:__typename e:__typename f:__typename g:__typename h:__typename i:__typename j:__typename k:__typename}`,
		"very deep":                     strings.Repeat(`{a`, 4000),
		"very long":                     `{` + strings.Repeat(`__typename `, 20_000) + `}`,
		"id by a number":                `{mlflowGetExperiment(input:{experimentId:1}){__typename}}`,
		"id in another spelling":        `{mlflowGetExperiment(input:{experimentId:"01"}){__typename}}`,
		"no id":                         `{mlflowGetRun(input:{}){__typename}}`,
		"no input":                      `{mlflowGetRun{__typename}}`,
		"null input":                    `{mlflowGetRun(input:null){__typename}}`,
		"null among ids":                `{mlflowSearchRuns(input:{experimentIds:["1",null]}){__typename}}`,
		"no experiments":                `{mlflowSearchRuns(input:{experimentIds:[]}){__typename}}`,
		"variable without a value":      `query($d:String!){mlflowGetRun(input:{runId:$d}){__typename}}`,
		"variable not declared":         `{mlflowGetRun(input:{runId:$d}){__typename}}`,
		"variable of another type":      `query($d:Int=1){mlflowGetExperiment(input:{experimentId:$d}){__typename}}`,
		"variable twice":                `query($d:String="r1",$d:String="r2"){mlflowGetRun(input:{runId:$d}){__typename}}`,
		"variable in a default":         `query($e:String,$d:MlflowGetRunInput={runId:$e}){mlflowGetRun(input:$d){__typename}}`,
		"enum as text of nothing":       `{mlflowSearchRuns(input:{experimentIds:["1"],runViewType:NONE}){__typename}}`,
		"artifacts out of the run":      `{mlflowListArtifacts(input:{runId:"r1",path:"../x"}){__typename}}`,
		"key of the filter is taken":    `{mlflowGetRun(input:{runId:"r1"}){run{modelVersions{name:version}}}}`,
		"object without fields":         `{mlflowGetRun(input:{runId:"r1"})}`,
		"text with fields":              `{mlflowGetRun(input:{runId:"r1"}){__typename{x}}}`,
	} {
		bodies[name] = request(document, "")
	}
	for name, body := range bodies {
		t.Run(name, func(t *testing.T) {
			o, err := read(body)
			if err == nil {
				_, err = touched(o)
			}
			if !errs.Is(err, errs.Invalid) {
				t.Errorf("gave %v", err)
			}
		})
	}
}

// A variable that is named often is written often: a small request must not become a huge one.
func TestBombOfVariables(t *testing.T) {
	document := `query($d:String){mlflowSearchRuns(input:{experimentIds:["1"],orderBy:[` + strings.Repeat(`$d `, 1000) + `]}){__typename}}`
	if o, err := read(request(document, `{"d":"`+strings.Repeat("x", 10_000)+`"}`)); err == nil {
		raw, _ := o.Body()
		t.Errorf("became %d bytes", len(raw))
	}
	if _, err := read(request(document, `{"d":"x"}`)); err != nil {
		t.Error(err)
	}
}

func TestIntrospectionIsForAdministrators(t *testing.T) {
	for _, document := range []string{`{__schema{types{name}}}`, `{a:__type(name:"Query"){name}}`, `{...{__schema{types{name}}}}`,
		`{mlflowSearchModelVersions(input:{}){nextPageToken}}`} {
		o, err := read(request(document, ""))
		if err != nil || o.Restricted() == "" {
			t.Errorf("%s: %v", document, err)
		}
	}
}

func TestAnswerIsFilteredUnderEveryAlias(t *testing.T) {
	o, err := read(request(`{a:mlflowGetRun(input:{runId:"r"}){r:run{x:modelVersions{n:name version} ... on MlflowRunExtension{modelVersions{version}}}}
		mlflowSearchRuns(input:{experimentIds:["1"]}){runs{modelVersions{name}}}}`, ""))
	if err != nil || !o.Filtered() {
		t.Fatal(err)
	}
	got, err := o.Filter([]byte(`{"data":{"a":{"r":{"x":[{"n":"mine","version":"1"},{"n":"theirs","version":"1"}],"modelVersions":[{"name":"theirs","version":"2"},{"name":"mine","version":"3"},{"version":"4"}]}},
		"mlflowSearchRuns":{"runs":[{"modelVersions":[{"name":"theirs"}]},{"modelVersions":null},{"modelVersions":[{"name":"mine"}]}]}},"errors":null}`),
		func(model string) (bool, error) { return model == "mine", nil }, shown)
	want := `{"data":{"a":{"r":{"modelVersions":[{"version":"3"}],"x":[{"n":"mine","version":"1"}]}},"mlflowSearchRuns":{"runs":[{"modelVersions":[]},{"modelVersions":null},{"modelVersions":[{"name":"mine"}]}]}},"errors":null}`
	if err != nil || string(got) != want {
		t.Errorf("%s, %v", got, err)
	}
	for _, strange := range []string{`[]`, `{"data":[]}`, `{"data":{"a":{"r":{"x":{"name":"theirs"}}}}}`, `x`} {
		if _, err := o.Filter([]byte(strange), func(string) (bool, error) { return false, nil }, shown); !errs.Is(err, errs.BadGateway) {
			t.Errorf("%s: %v", strange, err)
		}
	}
}

func shown(*policy.Mention, string) bool { return true }

// A run names logged models, runs, prompts and datasets; whatever the fields are called, what is hidden is not in the answer.
func TestMentionsAreHiddenUnderEveryAlias(t *testing.T) {
	hide := func(_ *policy.Mention, text string) bool { return !strings.Contains(text, "theirs") }
	for name, one := range map[string]struct{ fields, run, want string }{
		"model outputs":           {`outputs{modelOutputs{modelId step}}`, `{"outputs":{"modelOutputs":[{"modelId":"theirs","step":1},{"modelId":"mine","step":2}]}}`, `{"outputs":{"modelOutputs":[{"modelId":"mine","step":2}]}}`},
		"under aliases":           {`o:outputs{m:modelOutputs{i:modelId} n:modelOutputs{j:modelId}}`, `{"o":{"m":[{"i":"theirs"}],"n":[{"j":"theirs"},{"j":"mine"}]}}`, `{"o":{"m":[],"n":[{"j":"mine"}]}}`},
		"without the id":          {`outputs{modelOutputs{step}}`, `{"outputs":{"modelOutputs":[{"step":1}]}}`, `{"outputs":{"modelOutputs":[]}}`},
		"model inputs":            {`inputs{modelInputs{modelId}}`, `{"inputs":{"modelInputs":[{"modelId":"theirs"}]}}`, `{"inputs":{"modelInputs":[]}}`},
		"none":                    {`inputs{modelInputs{modelId}} outputs{modelOutputs{modelId}}`, `{"inputs":null,"outputs":{"modelOutputs":null}}`, `{"inputs":null,"outputs":{"modelOutputs":null}}`},
		"model of a metric":       {`data{metrics{key modelId}}`, `{"data":{"metrics":[{"key":"k","modelId":"theirs"},{"key":"k","modelId":null}]}}`, `{"data":{"metrics":[{"key":"k","modelId":null},{"key":"k","modelId":null}]}}`},
		"parent run":              {`data{tags{key value}}`, `{"data":{"tags":[{"key":"mlflow.parentRunId","value":"theirs"},{"key":"k","value":"v"}]}}`, `{"data":{"tags":[{"key":"k","value":"v"}]}}`},
		"parent run, alias":       {`data{tags{k:key v:value}}`, `{"data":{"tags":[{"k":"mlflow.parentRunId","v":"theirs"}]}}`, `{"data":{"tags":[]}}`},
		"values without keys":     {`data{tags{value}}`, `{"data":{"tags":[{"value":"theirs"}]}}`, `{"data":{"tags":[{"value":null}]}}`},
		"linked prompts":          {`data{tags{key value}}`, `{"data":{"tags":[{"key":"mlflow.linkedPrompts","value":"[{\"name\":\"theirs\"},{\"name\":\"mine\"}]"}]}}`, `{"data":{"tags":[{"key":"mlflow.linkedPrompts","value":"[{\"name\":\"mine\"}]"}]}}`},
		"dataset":                 {`inputs{datasetInputs{dataset{source}}}`, `{"inputs":{"datasetInputs":[{"dataset":{"source":"{\"dataset_id\":\"theirs\"}"}}]}}`, `{"inputs":{"datasetInputs":[{"dataset":{"source":"{}"}}]}}`},
		"source of a version":     {`modelVersions{name source}`, `{"modelVersions":[{"name":"m","source":"theirs"}]}`, `{"modelVersions":[{"name":"m","source":null}]}`},
		"params of their model":   {`modelVersions{name modelId modelParams{name}}`, `{"modelVersions":[{"name":"m","modelId":"theirs","modelParams":[{"name":"p"}]}]}`, `{"modelVersions":[{"modelId":null,"modelParams":null,"name":"m"}]}`},
		"params without the id":   {`modelVersions{name modelParams{name}}`, `{"modelVersions":[{"name":"m","modelParams":[{"name":"p"}]}]}`, `{"modelVersions":[{"modelParams":null,"name":"m"}]}`},
		"a list where one was":    {`outputs{modelOutputs{modelId}}`, `{"outputs":{"modelOutputs":[["theirs"]]}}`, `{"outputs":{"modelOutputs":[]}}`},
		"a number where text was": {`data{metrics{modelId}}`, `{"data":{"metrics":[{"modelId":1}]}}`, `{"data":{"metrics":[{"modelId":null}]}}`},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := read(request(`{mlflowGetRun(input:{runId:"r"}){run{`+one.fields+`}}}`, ""))
			if err != nil || !o.Filtered() {
				t.Fatal(err)
			}
			got, err := o.Filter([]byte(`{"data":{"mlflowGetRun":{"run":`+one.run+`}}}`), func(string) (bool, error) { return true, nil }, hide)
			if want := `{"data":{"mlflowGetRun":{"run":` + one.want + `}}}`; err == nil && string(got) != want {
				t.Errorf("%s\nwant %s", got, want)
			}
			if err != nil && !errs.Is(err, errs.BadGateway) {
				t.Error(err)
			}
		})
	}
}

// A field that MLflow gets is decided by somebody who has read it: the schema here is the installed MLflow's own.
func TestSchemaIsMLflows(t *testing.T) {
	command := exec.Command("../../.venv/bin/python", "-c", "from mlflow.server.graphql.graphql_schema_extensions import schema; print(schema)")
	printed, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sdl, string(printed)); diff != "" {
		t.Error(diff)
	}
}

func TestEveryRuleIsOfTheSchema(t *testing.T) {
	seen := 0
	for _, of := range schema.Types {
		if of.Kind == ast.Interface || of.Kind == ast.Union {
			if !strings.HasPrefix(of.Name, "__") {
				t.Errorf("%s is no object, and a fragment on it is refused", of.Name)
			}
		}
		for _, f := range of.Fields {
			r, ruled := rules[of.Name+"."+f.Name]
			if of.Kind == ast.Object && needsRule(of.Name, f.Type.Name()) && !ruled {
				t.Errorf("%s.%s has no rule", of.Name, f.Name)
			}
			if !ruled {
				continue
			}
			seen++
			if r.way == administrators && of != schema.Query {
				t.Errorf("%s.%s is for administrators, which is looked at for roots alone", of.Name, f.Name)
			}
			if (r.way == each || r.way == narrowed) != (len(r.members) > 0) || r.way == narrowed && !r.many {
				t.Errorf("%s.%s has no ids, or none that are looked at", of.Name, f.Name)
			}
			for _, member := range append(slices.Clone(r.members), r.path) {
				if member == "" {
					continue
				}
				input := schema.Types[f.Arguments.ForName("input").Type.Name()].Fields.ForName(member)
				if input == nil || member != r.path && (input.Type.Elem != nil) != r.many {
					t.Errorf("%s.%s has no input %s of that form", of.Name, f.Name, member)
				}
			}
		}
	}
	if seen != len(rules) {
		t.Errorf("%d rules are of fields that the schema does not have", len(rules)-seen)
	}
}

// What is written says the same as what was read: reading it again touches the same ids and writes the same; and every id
// that it holds has been given to the decision.
func FuzzWhatIsWrittenWasDecided(f *testing.F) {
	f.Add(`query($d:MlflowGetRunInput!){a:mlflowGetRun(input:$d){run{modelVersions{version}}}}`, `{"d":{"runId":"r1"}}`)
	f.Add(`mutation{...F} fragment F on Mutation{mlflowSearchRuns(input:{experimentIds:["1","2"],filter:"\"x\\"}){runs{info{runId}}}}`, `{}`)
	f.Add(`query($d:String="r1"){mlflowGetMetricHistoryBulkInterval(input:{runIds:["r2",$d],maxResults:5}){metrics{key}}}`, `{"d":"r3"}`)
	f.Fuzz(func(t *testing.T, document, variables string) {
		o, err := read(request(document, variables))
		if err != nil {
			return
		}
		ids, err := touched(o)
		if err != nil || o.Restricted() != "" {
			return
		}
		raw, err := o.Body()
		if err != nil {
			t.Fatal(err)
		}
		again, err := read(string(raw))
		if err != nil {
			t.Fatalf("%s cannot be read: %v", raw, err)
		}
		same, err := touched(again)
		if diff := cmp.Diff(ids, same); diff != "" || err != nil {
			t.Fatalf("%s: %v\n%s", raw, err, diff)
		}
		if second, _ := again.Body(); string(second) != string(raw) {
			t.Fatalf("%s became %s", raw, second)
		}
		for _, root := range again.fields {
			for _, member := range []string{"runId", "runUuid", "experimentId", "runIds", "experimentIds"} {
				values, many := root.input()[member].([]any)
				if !many {
					values = []any{root.input()[member]}
				}
				for _, value := range values {
					text, _ := value.(string)
					if text != "" && !slices.Contains(ids, "run "+text) && !slices.Contains(ids, "experiment "+text) {
						t.Fatalf("%s names %s, of which nobody decided", raw, text)
					}
				}
			}
		}
	})
}
