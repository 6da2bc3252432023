package graphql

import (
	"slices"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
)

// way is how a field of the schema is decided.
type way uint8

const (
	open           way = iota + 1 // it shows nothing of anybody
	within                        // it shows what the field above was decided for
	each                          // every id in its input must be readable
	narrowed                      // the ids in its input are narrowed to the readable ones
	filtered                      // its rows are taken out of the answer where their model is not readable
	administrators                // it shows what cannot be decided
)

// rule says how one field is decided, and where its input holds ids. Several members are aliases, which must be equal.
type rule struct {
	way     way
	ref     policy.Ref
	members []string
	many    bool
	path    string // the member that is a path of artifacts

	mentions []policy.Mention // what its objects name, by the names of REST
}

// rules has the fields of the roots, and every field that leads to an experiment, a run or a model version. Without a rule
// such a field is refused.
var rules = map[string]rule{
	"Query.mlflowGetExperiment":                {way: each, ref: policy.Experiment, members: []string{"experimentId"}},
	"Query.mlflowGetRun":                       {way: each, ref: policy.Run, members: []string{"runId", "runUuid"}},
	"Query.mlflowListArtifacts":                {way: each, ref: policy.Run, members: []string{"runId", "runUuid"}, path: "path"},
	"Query.mlflowGetMetricHistoryBulkInterval": {way: each, ref: policy.Run, members: []string{"runIds"}, many: true},
	"Query.mlflowSearchRuns":                   {way: narrowed, ref: policy.Experiment, members: []string{"experimentIds"}, many: true},
	"Query.test":                               {way: open},
	"Mutation.mlflowSearchRuns":                {way: narrowed, ref: policy.Experiment, members: []string{"experimentIds"}, many: true},
	"Mutation.mlflowSearchDatasets":            {way: narrowed, ref: policy.Experiment, members: []string{"experimentIds"}, many: true},
	"Mutation.testMutation":                    {way: open},

	// Its page token would tell whether a filter fits versions that are not shown, and MLflow's UI does not send it.
	"Query.mlflowSearchModelVersions": {way: administrators},
	"Query.__schema":                  {way: administrators},
	"Query.__type":                    {way: administrators},

	"MlflowGetExperimentResponse.experiment":          {way: within},
	"MlflowGetRunResponse.run":                        {way: within, mentions: policy.RunMentions},
	"MlflowSearchRunsResponse.runs":                   {way: within, mentions: policy.RunMentions},
	"MlflowSearchModelVersionsResponse.modelVersions": {way: within},
	"MlflowRunExtension.experiment":                   {way: within}, // the run's own
	"MlflowRunExtension.modelVersions":                {way: filtered, mentions: policy.RunVersionMentions},
}

// governed are the types whose objects somebody holds grants on, themselves or by their experiment.
var governed = []string{"MlflowExperiment", "MlflowRunExtension", "MlflowModelVersion"}

// needsRule tells whether a field must have a rule.
func needsRule(parent, of string) bool {
	return parent == "Query" || parent == "Mutation" || slices.Contains(governed, of)
}
