package kind

import (
	"iter"
	"slices"
	"strings"
)

// Name is a kind's name, as the database and audit events use it.
type Name string

// The kinds that routes and grants refer to by name.
const (
	Experiment      Name = "experiment"
	RegisteredModel Name = "registered_model"
	Prompt          Name = "prompt"
	Scorer          Name = "scorer"
	GatewayEndpoint Name = "gateway_endpoint"
	GatewaySecret   Name = "gateway_secret"
	GatewayModel    Name = "gateway_model_definition"
	MCPServer       Name = "mcp_server"
	Workspace       Name = "workspace"
)

// DefaultWorkspace is the workspace of whatever names none, and of all that was there before workspaces were turned on.
const DefaultWorkspace = "default"

// Kind is one entry of the table: all that the REST API, the OpenAPI document and the decision need to know of a kind.
type Kind struct {
	Name     Name
	Title    string // for people, in messages
	Segment  string // path segment of the permissions API, for single resources
	Patterns string // path segment of the permissions API, for patterns; empty where the plugin has none
	Key      string // the field that holds the resource's id in answers
	// ByID is true where grants hold an opaque id, and patterns match the name that MLflow knows for it.
	ByID bool
	// Envelope is the field that wraps a single grant in the plugin's answers; empty where Plain.
	Envelope string
	// Answers are the status codes in which the plugin's API differs between kinds.
	CreatedStatus int
	// PatternEnvelope wraps a single user pattern in the plugin's answers; empty where it is not wrapped.
	PatternEnvelope string
	// PatternIDText is true where the plugin writes the id of a user's pattern as a string, and leaves out whose it is.
	PatternIDText bool
	// BareMessages is true where the plugin's answers to changes of a user's grant have no status beside the message.
	BareMessages bool
	// BareDeletion is true where the plugin's answer to the deletion of a user's pattern has no message beside the status.
	BareDeletion bool
	// Prompt is true where answers say whether they are about a prompt, which MLflow keeps among the registered models.
	Prompt bool
	// KeptWith is the kind whose names and grants on single resources are this one's too: to MLflow they are one thing,
	// told apart by Tag. Patterns are each kind's own. Empty: the kind stands for itself.
	KeptWith Name
	Tag      string
	// Parent is the kind within which a resource has its name, and which decides where no grant speaks of the resource
	// itself. Grants hold the parent's id and the name, see Within. Empty: there is none.
	Parent Name
	// Plain is true where the plugin answers with the grant or the pattern itself: to the one who has just made it, and on
	// both sides.
	Plain bool
	// Everywhere is true where what grants hold means one thing in all workspaces. Else there may be another resource of
	// the same name in each, and a grant is for that of one workspace.
	Everywhere bool
	// Basic is where MLflow's basic-auth app up to 3.10 has the permissions of users on the kind: the version of its API, and the
	// path. Empty: nowhere.
	Basic [2]string
	// MLflowID is the field by which MLflow's API names a resource of the kind, where it is not Key.
	MLflowID string
	// Parts are what MLflow's roles name apart, although grants on the kind govern it here too.
	Parts []string
}

var kinds = []Kind{
	{Name: Experiment, Title: "experiment", Segment: "experiments", Patterns: "experiment-patterns", Key: "experiment_id",
		ByID: true, Everywhere: true, Envelope: "experiment_permission", CreatedStatus: 200, PatternIDText: true, BareMessages: true,
		Basic: [2]string{"2.0", "/experiments"}, Parts: []string{"run", "trace", "assessment", "logged_model", "review_queue"}},
	{Name: RegisteredModel, Title: "registered model", Segment: "registered-models", Patterns: "registered-models-patterns", Key: "name",
		Envelope: "registered_model_permission", CreatedStatus: 201, PatternEnvelope: "registered_model_permission",
		BareDeletion: true, Prompt: true, Basic: [2]string{"2.0", "/registered-models"}, Parts: []string{"registered_model_version"}},
	{Name: Prompt, Title: "prompt", Segment: "prompts", Patterns: "prompts-patterns", Key: "name",
		Envelope: "prompt_permission", CreatedStatus: 201, PatternEnvelope: "prompt_permission",
		BareDeletion: true, Prompt: true, KeptWith: RegisteredModel, Tag: "mlflow.prompt.is_prompt",
		Parts: []string{"prompt_version"}},
	{Name: Scorer, Title: "scorer", Segment: "scorers", Patterns: "scorer-patterns", Key: "scorer_name",
		Envelope: "scorer_permission", CreatedStatus: 201, PatternEnvelope: "pattern", Parent: Experiment, Everywhere: true,
		Basic: [2]string{"3.0", "/scorers"}, Parts: []string{"scorer_version"}},
	{Name: GatewayEndpoint, Title: "gateway endpoint", Segment: "gateways/endpoints", Patterns: "gateways/endpoints-patterns",
		Key: "name", CreatedStatus: 201, Plain: true, Basic: [2]string{"3.0", "/gateway/endpoints"}, MLflowID: "endpoint_id"},
	{Name: GatewaySecret, Title: "gateway secret", Segment: "gateways/secrets", Patterns: "gateways/secrets-patterns",
		Key: "name", CreatedStatus: 201, Plain: true, Basic: [2]string{"3.0", "/gateway/secrets"}, MLflowID: "secret_id"},
	{Name: GatewayModel, Title: "gateway model definition", Segment: "gateways/model-definitions", Patterns: "gateways/model-definitions-patterns",
		Key: "name", CreatedStatus: 201, Plain: true, Basic: [2]string{"3.0", "/gateway/model-definitions"}, MLflowID: "model_definition_id"},
	{Name: MCPServer, Title: "MCP server", Segment: "mcp-servers", Key: "name", CreatedStatus: 201, Plain: true,
		Parts: []string{"mcp_server_version"}},
	{Name: Workspace, Title: "workspace", Segment: "workspaces", Patterns: "workspaces-patterns", Key: "name", CreatedStatus: 201, Plain: true,
		Everywhere: true},
}

// Kept gives the kind under which grants on single resources are stored.
func (n Name) Kept() Name {
	for i := range kinds { // without a copy: every decision asks
		if kinds[i].Name == n && kinds[i].KeptWith != "" {
			return kinds[i].KeptWith
		}
	}
	return n
}

// Tagged tells whether a resource with this value of the kind's tag is one of the kind, as MLflow reads it
// (mlflow/entities/model_registry/registered_model.py, _is_prompt).
func (k Kind) Tagged(value string) bool { return strings.ToLower(value) == "true" }

// IsTag tells whether a key is the kind's tag in any spelling that a database can take for it: some compare without regard
// to case and outer spaces.
func (k Kind) IsTag(key string) bool {
	return k.Tag != "" && strings.EqualFold(strings.TrimSpace(key), k.Tag)
}

// Within gives what grants hold of a resource that has its name within a parent. The parent's id has no slash, and so no
// two resources share it, whatever is in their names.
func Within(parent, name string) string { return parent + "/" + name }

// Parts gives the parent's id and the name again; both are empty for what Within has not made.
func Parts(resource string) (parent, name string) {
	parent, name, found := strings.Cut(resource, "/")
	if !found {
		return "", ""
	}
	return parent, name
}

// All yields every kind, in the table's order.
func All() iter.Seq[Kind] {
	return func(yield func(Kind) bool) {
		for _, k := range kinds {
			if !yield(k) {
				return
			}
		}
	}
}

// Everywhere tells whether what grants of the kind hold means one thing in all workspaces.
func Everywhere(name Name) bool {
	k, ok := Of(name)
	return ok && k.Everywhere
}

// Mixed tells whether a resource's own kind does not say all of what it is: it shares its names with those of another kind,
// or is also part of its parent.
func Mixed(name Name) bool {
	k, _ := Of(name)
	return k.Parent != "" || Shared(name)
}

// Shared tells whether the kind's names are those of another kind too.
func Shared(name Name) bool {
	for _, k := range kinds {
		if k.Name == name && k.KeptWith != "" || k.KeptWith == name {
			return true
		}
	}
	return false
}

// WithPart finds the kind of which something is a part.
func WithPart(part string) (Kind, bool) {
	for _, k := range kinds {
		if slices.Contains(k.Parts, part) {
			return k, true
		}
	}
	return Kind{}, false
}

// Of finds a kind by name.
func Of(name Name) (Kind, bool) {
	for _, k := range kinds {
		if k.Name == name {
			return k, true
		}
	}
	return Kind{}, false
}
