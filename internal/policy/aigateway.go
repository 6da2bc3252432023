package policy

import "github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"

const (
	byIDOrName = "one of the two must be given"
	ownRows    = "the answer holds only what the caller may read"
)

// aiGateway are the routes that manage MLflow's AI gateway. Grants are held by names; ids lead to them.
var aiGateway = []Route{
	post("/api/3.0/mlflow/gateway/secrets/create").creates(kind.GatewaySecret).under("secret_name").effect(GrantNamed),
	get("/api/3.0/mlflow/gateway/secrets/get", on(GatewaySecret, query("secret_id"), kind.Read)),
	get("/api/3.0/mlflow/gateway/secrets/list").signedIn(ownRows).filter(GatewaySecrets),
	post("/api/3.0/mlflow/gateway/secrets/update", on(GatewaySecret, body("secret_id"), kind.Manage)).
		because("it may lead the key to a server of the caller's choice (auth_config.api_base), without knowing the key"),
	remove("/api/3.0/mlflow/gateway/secrets/delete", on(GatewaySecret, body("secret_id"), kind.Manage)).effect(DropNamed),

	post("/api/3.0/mlflow/gateway/model-definitions/create", on(GatewaySecret, body("secret_id"), kind.Use)).
		makes(kind.GatewayModel).effect(GrantNamed).filter(GatewayModels),
	get("/api/3.0/mlflow/gateway/model-definitions/get", on(GatewayModel, query("model_definition_id"), kind.Read)).filter(GatewayModels),
	get("/api/3.0/mlflow/gateway/model-definitions/list").signedIn(ownRows).filter(GatewayModels).check(ReadableSecret),
	post("/api/3.0/mlflow/gateway/model-definitions/update", on(GatewayModel, body("model_definition_id"), kind.Edit),
		maybe(GatewaySecret, body("secret_id"), kind.Use)).check(NewGatewayName, UsableSecret).effect(MoveNamed).filter(GatewayModels),
	remove("/api/3.0/mlflow/gateway/model-definitions/delete", on(GatewayModel, body("model_definition_id"), kind.Manage)).effect(DropNamed),

	post("/api/3.0/mlflow/gateway/endpoints/create", on(GatewayModel, body("model_configs[].model_definition_id"), kind.Use),
		maybe(Experiment, body("experiment_id"), kind.Edit)).
		makes(kind.GatewayEndpoint).check(KnownUsage).effect(GrantNamed).filter(GatewayEndpoints),
	get("/api/3.0/mlflow/gateway/endpoints/get", maybe(GatewayEndpoint, query("endpoint_id"), kind.Read),
		maybe(GatewayEndpointName, query("name"), kind.Read)).because(byIDOrName).filter(GatewayEndpoints),
	get("/api/3.0/mlflow/gateway/endpoints/list").signedIn(ownRows).filter(GatewayEndpoints),
	post("/api/3.0/mlflow/gateway/endpoints/update", on(GatewayEndpoint, body("endpoint_id"), kind.Edit),
		maybe(GatewayModel, body("model_configs[].model_definition_id"), kind.Use), maybe(Experiment, body("experiment_id"), kind.Edit)).
		check(NewGatewayName, NoNewUsage).effect(MoveNamed).filter(GatewayEndpoints),
	remove("/api/3.0/mlflow/gateway/endpoints/delete", on(GatewayEndpoint, body("endpoint_id"), kind.Manage)).effect(DropNamed),
	post("/api/3.0/mlflow/gateway/endpoints/set-tag", on(GatewayEndpoint, body("endpoint_id"), kind.Edit)),
	remove("/api/3.0/mlflow/gateway/endpoints/delete-tag", on(GatewayEndpoint, body("endpoint_id"), kind.Edit)),
	post("/api/3.0/mlflow/gateway/endpoints/models/attach", on(GatewayEndpoint, body("endpoint_id"), kind.Edit),
		on(GatewayModel, body("model_config.model_definition_id"), kind.Use)).filter(GatewayMapping),
	post("/api/3.0/mlflow/gateway/endpoints/models/detach", on(GatewayEndpoint, body("endpoint_id"), kind.Edit)),
	post("/api/3.0/mlflow/gateway/endpoints/bindings/create").
		administrators("it claims any scorer by an id of which MLflow does not tell whose it is; registering a scorer binds it by itself"),
	get("/api/3.0/mlflow/gateway/endpoints/bindings/list", on(GatewayEndpoint, query("endpoint_id"), kind.Read)),
	remove("/api/3.0/mlflow/gateway/endpoints/bindings/delete", on(GatewayEndpoint, body("endpoint_id"), kind.Edit)),
}

// invocations are the routes that call a provider with an endpoint's secret. The raw proxy, whose path the caller chooses
// and whose address can be read as an endpoint's called "proxy", has no row.
var invocations = []Route{
	post("/gateway/{endpoint_name}/mlflow/invocations", on(GatewayEndpointName, segment("endpoint_name"), kind.Use)).invokes(),
	post("/gateway/gemini/v1beta/models/{endpoint_name}:generateContent", on(GatewayEndpointName, segment("endpoint_name"), kind.Use)).invokes(),
	post("/gateway/gemini/v1beta/models/{endpoint_name}:streamGenerateContent", on(GatewayEndpointName, segment("endpoint_name"), kind.Use)).invokes().
		query("alt=sse"), // as Google's clients ask for what MLflow answers with anyway
	post("/gateway/mlflow/v1/chat/completions", on(GatewayEndpointName, body("model"), kind.Use)).invokes(),
	post("/gateway/openai/v1/chat/completions", on(GatewayEndpointName, body("model"), kind.Use)).invokes(),
	post("/gateway/openai/v1/embeddings", on(GatewayEndpointName, body("model"), kind.Use)).invokes(),
	post("/gateway/openai/v1/responses", on(GatewayEndpointName, body("model"), kind.Use)).invokes(),
	post("/gateway/openai/v1/responses/compact", on(GatewayEndpointName, body("model"), kind.Use)).invokes(),
	post("/gateway/anthropic/v1/messages", on(GatewayEndpointName, body("model"), kind.Use)).invokes(),
	post("/gateway/typesafe/v1/systemone", on(GatewayEndpointName, body("model"), kind.Use)).invokes(),
	get("/gateway/mlflow/v1/models").signedIn("the answer holds only what the caller may use").filter(GatewayInvokable).invokes(),
}
