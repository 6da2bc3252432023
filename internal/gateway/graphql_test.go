package gateway_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// uiRun and uiExperiment are what MLflow's UI sends, with the __typename that its client adds.
const (
	uiRun = `query GetRun($data: MlflowGetRunInput!) @component(name: "MLflow.ExperimentRunTracking") {
  mlflowGetRun(input: $data) { apiError { helpUrl code message __typename }
    run { info { runName status runUuid experimentId artifactUri endTime lifecycleStage startTime userId __typename }
      experiment { experimentId name tags { key value __typename } artifactLocation lifecycleStage lastUpdateTime __typename }
      modelVersions { status version name source __typename }
      data { metrics { key value step timestamp __typename } params { key value __typename } tags { key value __typename } __typename }
      inputs { datasetInputs { dataset { digest name profile schema source sourceType __typename } tags { key value __typename } __typename } modelInputs { modelId __typename } __typename }
      outputs { modelOutputs { modelId step __typename } __typename } __typename } __typename } }`
	uiExperiment = `query MlflowGetExperimentQuery($input: MlflowGetExperimentInput!) @component(name: "MLflow.ExperimentRunTracking") {
  mlflowGetExperiment(input: $input) { apiError { code message } experiment { artifactLocation creationTime effectiveTraceArchivalRetention experimentId lastUpdateTime lifecycleStage name tags { key value } } } }`
	uiRuns    = `query SearchRuns($data: MlflowSearchRunsInput!) { mlflowSearchRuns(input: $data) { apiError { helpUrl code message } runs { info { runUuid } experiment { name } modelVersions { version name creationTimestamp status source } } } }`
	uiMetrics = `query GetMetricHistoryBulkInterval($data: MlflowGetMetricHistoryBulkIntervalInput!) @component(name: "MLflow.ExperimentRunTracking") {
  mlflowGetMetricHistoryBulkInterval(input: $data) { __typename metrics { timestamp step runId key value } apiError { code message } } }`
)

func graphQL(t *testing.T, c *world.Client, document string, variables map[string]any) *http.Request {
	t.Helper()
	return c.Request(t, "POST", "/graphql", map[string]any{"query": document, "variables": variables})
}

// bareGraphQL asks MLflow itself.
func bareGraphQL(t *testing.T, body map[string]any) string {
	t.Helper()
	raw, err := json.Marshal(mlflowtest.Shared(t).Do(t, "POST", "/graphql", nil, body))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestStealThroughGraphQL asks for the victim's things in every form that MLflow executes.
func TestStealThroughGraphQL(t *testing.T) {
	s := newScene(t)
	v, own := s.victims, s.thiefs
	input := func(run string) string { return `(input:{runId:"` + run + `"})` }
	run := `{run{info{artifactUri runId}}}`
	for name, attack := range map[string]struct {
		document  string
		variables map[string]any
		shows     string // what MLflow itself answers with
	}{
		"plainly":              {`{mlflowGetRun` + input(v.Run) + run + `}`, nil, v.Run},
		"by run_uuid":          {`{mlflowGetRun(input:{runUuid:"` + v.Run + `"})` + run + `}`, nil, v.Run},
		"alias beside our own": {`{a:mlflowGetRun` + input(own.Run) + run + ` b:mlflowGetRun` + input(v.Run) + run + `}`, nil, v.Run},
		"named fragment":       {`{...F} fragment F on Query{mlflowGetRun` + input(v.Run) + run + `}`, nil, v.Run},
		"inline fragment":      {`{...on Query{mlflowGetRun` + input(v.Run) + run + `}}`, nil, v.Run},
		"default of a variable": {`query($r:String="` + v.Run + `"){mlflowGetRun(input:{runId:$r})` + run + `}`, nil,
			v.Run},
		"variable":              {`query($r:String){mlflowGetRun(input:{runId:$r})` + run + `}`, map[string]any{"r": v.Run}, v.Run},
		"escapes":               {`{mlflowGetExperiment(input:{experimentId:"\u003` + v.Experiment[:1] + v.Experiment[1:] + `"}){experiment{name}}}`, nil, v.ExperimentName},
		"block string":          {`{mlflowGetExperiment(input:{experimentId:"""` + v.Experiment + `"""}){experiment{name}}}`, nil, v.ExperimentName},
		"runs by a query":       {`{mlflowSearchRuns(input:{experimentIds:["` + v.Experiment + `"]})` + `{runs{info{runId}}}}`, nil, v.Run},
		"runs by a mutation":    {`mutation{mlflowSearchRuns(input:{experimentIds:["` + v.Experiment + `"]})` + `{runs{info{runId}}}}`, nil, v.Run},
		"datasets":              {`mutation{mlflowSearchDatasets(input:{experimentIds:["` + v.Experiment + `"]}){datasetSummaries{name} __typename}}`, nil, "MlflowSearchDatasetsResponse"},
		"artifacts":             {`{mlflowListArtifacts` + input(v.Run) + `{files{path}}}`, nil, "secret.txt"},
		"metrics beside ours":   {`{mlflowGetMetricHistoryBulkInterval(input:{runIds:["` + own.Run + `","` + v.Run + `"],metricKey:"m"}){__typename}}`, nil, "MlflowGetMetricHistoryBulkIntervalResponse"},
		"all model versions":    {`{mlflowSearchModelVersions(input:{}){modelVersions{name}}}`, nil, v.Model},
		"probe by a page token": {`{mlflowSearchModelVersions(input:{maxResults:1}){nextPageToken __typename}}`, nil, "MlflowSearchModelVersionsResponse"},
		"introspection":         {`{__schema{types{name}}}`, nil, "MlflowRunExtension"},
	} {
		t.Run(name, func(t *testing.T) {
			bare := bareGraphQL(t, map[string]any{"query": attack.document, "variables": attack.variables})
			if !strings.Contains(bare, attack.shows) {
				t.Errorf("MLflow itself does not show %q: %s", attack.shows, bare)
			}
			s.refused(t, graphQL(t, s.thief, attack.document, attack.variables), s.thief)
		})
	}
	two := map[string]any{"query": `query a{__typename} query b{mlflowGetRun` + input(v.Run) + run + `}`, "operationName": "b"}
	if bare := bareGraphQL(t, two); !strings.Contains(bare, v.Run) {
		t.Errorf("MLflow itself does not execute the operation that is named: %s", bare)
	}
	s.refused(t, s.thief.Request(t, "POST", "/graphql", two), s.thief)
	s.refused(t, s.thief.Request(t, "GET", "/graphql", nil), s.thief)
	s.refused(t, s.thief.Request(t, "POST", "/graphql", []any{map[string]any{"query": `{__typename}`}}), s.thief)
}

// TestGraphQLOfTheUI sends what MLflow's UI sends, as a member with READ on the experiment and nothing on the model.
func TestGraphQLOfTheUI(t *testing.T) {
	s := newScene(t)
	v, own := s.victims, s.thiefs
	reader := s.thief
	if err := s.App.Store.CreateGrant(t.Context(), store.Principal{User: reader.Username}, kind.Experiment, v.Experiment, kind.Read, nil); err != nil {
		t.Fatal(err)
	}
	ask := func(c *world.Client, document string, variables map[string]any) string {
		t.Helper()
		got := c.Send(t, graphQL(t, c, document, variables))
		if got.Status != http.StatusOK || !strings.Contains(string(got.Body), `"errors":null`) {
			t.Errorf("answered %d %s", got.Status, got.Body)
		}
		return string(got.Body)
	}
	theRun := map[string]any{"data": map[string]any{"runId": v.Run}}
	if got := ask(s.victim, uiRun, theRun); !strings.Contains(got, v.Model) || !strings.Contains(got, v.ExperimentName) {
		t.Errorf("the owner is not shown the run: %s", got)
	}
	if got := ask(reader, uiRun, theRun); strings.Contains(got, v.Model) || !strings.Contains(got, v.ExperimentName) || !strings.Contains(got, `"modelVersions":[]`) {
		t.Errorf("a reader of the experiment is shown: %s", got)
	}
	if got := ask(reader, uiExperiment, map[string]any{"input": map[string]any{"experimentId": v.Experiment}}); !strings.Contains(got, v.ExperimentName) {
		t.Errorf("the experiment: %s", got)
	}
	ask(reader, uiMetrics, map[string]any{"data": map[string]any{"runIds": []any{v.Run, own.Run}, "metricKey": "m", "startStep": nil, "endStep": nil, "maxResults": 320}})
	both := map[string]any{"data": map[string]any{"filter": "", "experimentIds": []any{v.Experiment, own.Experiment}}}
	if got := ask(reader, uiRuns, both); !strings.Contains(got, v.Run) || !strings.Contains(got, own.Run) || !strings.Contains(got, own.Model) || strings.Contains(got, v.Model) {
		t.Errorf("a reader of both experiments is shown: %s", got)
	}
	if got := ask(s.victim, uiRuns, both); !strings.Contains(got, v.Run) || strings.Contains(got, own.Run) {
		t.Errorf("a search is not narrowed to what its caller may read: %s", got)
	}
	ask(s.admin, `{__schema{types{name}}}`, nil)
	if got := ask(s.admin, uiRun, theRun); !strings.Contains(got, v.Model) {
		t.Errorf("an administrator is shown: %s", got)
	}
}
