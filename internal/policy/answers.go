package policy

import (
	"slices"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// Notes of MLflow's that name other things, in tags and metadata.
const (
	parentRun     = "mlflow.parentRunId"
	linkedPrompts = "mlflow.linkedPrompts"           // JSON: [{"name": …, "version": …}]
	modelVersions = "mlflow.modelVersions"           // the same, of registered models
	promptPlaces  = "_mlflow_experiment_ids"         // ",1,2,"
	promptRuns    = "mlflow.prompt.associatedRunIds" // "run,run"
)

var (
	runMentions = []Mention{
		mention("data/metrics[]/model_id", LoggedModel),
		mention("data/tags{"+parentRun+"}", Run),
		mention("data/tags{"+linkedPrompts+"}/$/[]!/name", Model),
		mention("inputs/model_inputs[]!/model_id", LoggedModel),
		mention("inputs/dataset_inputs[]/dataset/source/$/dataset_id", Dataset),
		mention("outputs/model_outputs[]!/model_id", LoggedModel),
	}
	loggedModelMentions = []Mention{
		mention("info/source_run_id", Run),
		mention("info/registrations[]!/name", Model),
		mention("info/tags{"+modelVersions+"}/$/[]!/name", Model),
		mention("info/tags{"+linkedPrompts+"}/$/[]!/name", Model),
		mention("data/metrics[]/run_id", Run),
	}
	// An address of a version's files holds the ids of the run or logged model that it is of, and so goes with them.
	versionMentions = []Mention{
		mention("run_id", Run, "run_link", "source"),
		mention("model_id", LoggedModel, "model_params", "model_metrics", "source"),
		mention("source", Source),
		mention("model_metrics[]/run_id", Run),
		mention("model_metrics[]/model_id", LoggedModel),
		mention("tags{"+promptRuns+"}/,", Run),
	}
	modelMentions = slices.Concat(each(versionMentions, "latest_versions[]"), []Mention{
		mention("tags{"+promptPlaces+"}/,", Experiment),
	})
	assessmentMentions = []Mention{
		mention("metadata/mlflow.assessment.sourceRunId", Run),
		mention("metadata/mlflow.assessment.scorerTraceId", Trace),
	}
	traceMentions = slices.Concat([]Mention{
		mention("trace_metadata/mlflow.sourceRun", Run),
		mention("trace_metadata/mlflow.modelId", LoggedModel),
		mention("tags/"+linkedPrompts+"/$/[]!/name", Model),
	}, each(assessmentMentions, "assessments[]"))
	oldTraceMentions = []Mention{ // version 2
		mention("request_metadata{mlflow.sourceRun}", Run),
		mention("request_metadata{mlflow.modelId}", LoggedModel),
		mention("tags{"+linkedPrompts+"}/$/[]!/name", Model),
	}
	issueMentions      = []Mention{mention("source_run_id", Run)}
	definitionMentions = []Mention{mention("secret_name", GatewaySecretName, "secret_id")}
	mappingMentions    = slices.Concat([]Mention{mention("model_mappings[]!/model_definition/name", GatewayModelName)},
		each(definitionMentions, "model_mappings[]/model_definition"))
	endpointMentions = slices.Concat(mappingMentions, []Mention{mention("experiment_id", Experiment)})
)

// filtered are the mentions of rows whose filter is about nothing else.
var filtered = map[Filter][]Mention{
	GatewaySecrets:   {mention("secrets[]!/secret_name", GatewaySecretName)},
	GatewayModels:    slices.Concat([]Mention{mention("model_definitions[]!/name", GatewayModelName)}, each(definitionMentions, "model_definitions[]", "model_definition")),
	GatewayEndpoints: slices.Concat([]Mention{mention("endpoints[]!/name", GatewayEndpointName)}, each(endpointMentions, "endpoints[]", "endpoint")),
	ListWorkspaces:   {mention("workspaces[]!/name", Workspace)},
	GatewayInvokable: {mention("data[]!/id", GatewayEndpointName).level(kind.Use)},
	GatewayMapping:   each(definitionMentions, "mapping/model_definition"),
}

// The mentions in GraphQL's runs, and in the model versions of such a run, which are decided by their model.
var (
	RunMentions        = runMentions
	RunVersionMentions = []Mention{mention("source", Source), mention("model_id", LoggedModel, "model_params", "model_metrics")}
)

// Answered tells whether a filter is nothing but a narrowing of the answer by its mentions.
func (f Filter) Answered() bool { return filtered[f] != nil }

// mentions are what the answers of the other rows name, by the pattern of the row under /api.
var mentions = map[string][]Mention{
	"GET /api/2.0/mlflow/runs/get":     each(runMentions, "run"),
	"POST /api/2.0/mlflow/runs/create": each(runMentions, "run"),
	"POST /api/2.0/mlflow/runs/search": each(runMentions, "runs[]"),

	"GET /api/2.0/mlflow/metrics/get-history": {mention("metrics[]/model_id", LoggedModel)},

	"POST /api/2.0/mlflow/logged-models":                  each(loggedModelMentions, "model"),
	"POST /api/2.0/mlflow/logged-models/search":           each(loggedModelMentions, "models[]"),
	"GET /api/2.0/mlflow/logged-models/{model_id}":        each(loggedModelMentions, "model"),
	"PATCH /api/2.0/mlflow/logged-models/{model_id}":      each(loggedModelMentions, "model"),
	"PATCH /api/2.0/mlflow/logged-models/{model_id}/tags": each(loggedModelMentions, "model"),

	"GET /api/2.0/mlflow/registered-models/get":                  each(modelMentions, "registered_model"),
	"GET /api/2.0/mlflow/registered-models/search":               each(modelMentions, "registered_models[]"),
	"POST /api/2.0/mlflow/registered-models/create":              each(modelMentions, "registered_model"),
	"PATCH /api/2.0/mlflow/registered-models/update":             each(modelMentions, "registered_model"),
	"POST /api/2.0/mlflow/registered-models/rename":              each(modelMentions, "registered_model"),
	"GET /api/2.0/mlflow/registered-models/get-latest-versions":  each(versionMentions, "model_versions[]"),
	"POST /api/2.0/mlflow/registered-models/get-latest-versions": each(versionMentions, "model_versions[]"),
	"GET /api/2.0/mlflow/registered-models/alias":                each(versionMentions, "model_version"),
	"GET /api/2.0/mlflow/model-versions/get":                     each(versionMentions, "model_version"),
	"GET /api/2.0/mlflow/model-versions/search":                  each(versionMentions, "model_versions[]"),
	"POST /api/2.0/mlflow/model-versions/create":                 each(versionMentions, "model_version"),
	"PATCH /api/2.0/mlflow/model-versions/update":                each(versionMentions, "model_version"),
	"POST /api/2.0/mlflow/model-versions/transition-stage":       each(versionMentions, "model_version"),
	// Where the caller may not read the files, their address would be of no use.
	"GET /api/2.0/mlflow/model-versions/get-download-uri": {mention("!/artifact_uri", Source)},

	"GET /api/2.0/mlflow/traces":                                          each(oldTraceMentions, "traces[]"),
	"POST /api/2.0/mlflow/traces":                                         each(oldTraceMentions, "trace_info"),
	"PATCH /api/2.0/mlflow/traces/{request_id}":                           each(oldTraceMentions, "trace_info"),
	"GET /api/2.0/mlflow/traces/{request_id}/info":                        each(oldTraceMentions, "trace_info"),
	"POST /api/3.0/mlflow/traces":                                         each(traceMentions, "trace/trace_info"),
	"POST /api/3.0/mlflow/traces/search":                                  each(traceMentions, "traces[]"),
	"GET /api/3.0/mlflow/traces/get":                                      each(traceMentions, "trace/trace_info"),
	"GET /api/3.0/mlflow/traces/batchGet":                                 each(traceMentions, "traces[]/trace_info"),
	"POST /api/3.0/mlflow/traces/batchGetInfos":                           each(traceMentions, "trace_infos[]"),
	"GET /api/3.0/mlflow/traces/{trace_id}":                               each(traceMentions, "trace/trace_info"),
	"POST /api/3.0/mlflow/traces/{trace_id}/assessments":                  each(assessmentMentions, "assessment"),
	"GET /api/3.0/mlflow/traces/{trace_id}/assessments/{assessment_id}":   each(assessmentMentions, "assessment"),
	"PATCH /api/3.0/mlflow/traces/{trace_id}/assessments/{assessment_id}": each(assessmentMentions, "assessment"),

	"GET /api/3.0/mlflow/datasets/search":  {mention("datasets[]!/dataset_id", Dataset)},
	"POST /api/3.0/mlflow/datasets/search": {mention("datasets[]!/dataset_id", Dataset)},
	"GET /api/3.0/mlflow/datasets/{dataset_id}/records": {
		mention("records/$/[]/source/source_data/trace_id", Trace),
		mention("records/$/[]/source_id", Trace), // the same once more
	},

	"POST /api/3.0/mlflow/issues":             each(issueMentions, "issue"),
	"POST /api/3.0/mlflow/issues/search":      each(issueMentions, "issues[]"),
	"GET /api/3.0/mlflow/issues/{issue_id}":   each(issueMentions, "issue"),
	"PATCH /api/3.0/mlflow/issues/{issue_id}": each(issueMentions, "issue"),
}
