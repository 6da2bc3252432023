package policy

import (
	"fmt"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// Ref is what an id in a request names, and so how it leads to the resource that governs it.
type Ref uint8

// What ids can name.
const (
	Experiment     Ref = iota + 1 // an experiment id
	ExperimentName                // an experiment's name
	Run                           // a run id, governed by its experiment
	LoggedModel                   // a logged model's id, governed by its experiment
	Trace                         // a trace's id, governed by its experiment
	Issue                         // an issue's id, governed by its experiment
	LabelSchema                   // a label schema's id, governed by its experiment
	ReviewQueue                   // a review queue's id, governed by its experiment
	Dataset                       // an evaluation dataset's id, governed by every experiment that it is tied to
	Model                         // a registered model's name
	ArtifactTree                  // a path of the artifact proxy, governed by the experiment that its first segment names
	Source                        // a model version's source URI
	Scorer                        // a scorer's experiment and name, as kind.Within puts them together

	GatewayEndpoint     // an AI gateway endpoint's id
	GatewayEndpointName // an AI gateway endpoint's name
	GatewaySecret       // an AI gateway secret's id
	GatewayModel        // an AI gateway model definition's id
	GatewaySecretName   // an AI gateway secret's name, in answers
	GatewayModelName    // an AI gateway model definition's name, in answers

	MCPServer      // an MCP server's name, <namespace>/<slug>
	MCPServerOrNew // the name of one that the request makes when there is none

	Job // a job's id, whoever submitted it

	Workspace // a workspace's name
)

// refs names each reference, and gives the sentence with which MLflow 3.17.2 answers for one that does not exist. Where it
// is empty, what may not be read is refused with a sentence of ours.
var refs = [...]struct{ name, missing string }{
	Experiment:     {"experiment", "No Experiment with id=%s exists"},
	ExperimentName: {"experiment name", "Could not find experiment with name '%s'"},
	Run:            {"run", "Run with id=%s not found"},
	LoggedModel:    {"logged model", "Logged model with ID '%s' not found."},
	Trace:          {"trace", "Trace with ID '%s' not found."},
	Issue:          {"issue", "Issue with ID '%s' not found"},
	LabelSchema:    {"label schema", "Label schema with id '%s' not found."},
	ReviewQueue:    {"review queue", "Review queue with id '%s' not found."},
	Dataset:        {"dataset", "Evaluation dataset with id '%s' not found"},
	Model:          {"registered model", "Registered Model with name=%s not found"},
	ArtifactTree:   {"artifact path", ""},
	Source:         {"source", ""},
	Scorer:         {"scorer", "Scorer with name '%[2]s' not found for experiment %[1]s."},

	GatewayEndpoint:     {"gateway endpoint", "GatewayEndpoint not found (endpoint_id='%s')"},
	GatewayEndpointName: {"gateway endpoint name", "GatewayEndpoint not found (name='%s')"},
	GatewaySecret:       {"gateway secret", "GatewaySecret not found (secret_id='%s')"},
	GatewayModel:        {"gateway model definition", "GatewayModelDefinition not found (model_definition_id='%s')"},
	GatewaySecretName:   {"gateway secret name", ""},
	GatewayModelName:    {"gateway model definition name", ""},

	MCPServer:      {"MCP server", "MCP server '%s' not found"},
	MCPServerOrNew: {"MCP server, which may be a new one", "MCP server '%s' not found"},

	Job: {"job", "Job with ID %s not found"},

	Workspace: {"workspace", "Workspace '%s' not found"},
}

// String names the reference in messages and in the printed table.
func (r Ref) String() string { return refs[r].name }

// Missing is MLflow's sentence for an id that does not exist, so that what may not be read cannot be told from it; "" where
// MLflow has none.
func (r Ref) Missing(value string) string {
	if refs[r].missing == "" {
		return ""
	}
	if r == Scorer {
		experiment, name := kind.Parts(value)
		return fmt.Sprintf(refs[r].missing, experiment, name)
	}
	return fmt.Sprintf(refs[r].missing, value)
}
