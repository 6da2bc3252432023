package policy

import "github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"

const (
	assistant  = "it runs tools on MLflow's host"
	webhook    = "it receives the events of everybody's models, and its address is called from MLflow's host"
	budget     = "a budget is for everybody's use of an endpoint"
	guardrail  = "a guardrail decides about everybody's use of an endpoint"
	workspaces = "a workspace says where all that is in it is stored"
	catalogue  = "what MLflow's version knows of providers, the same for everybody"
)

// server are the routes that touch no resource of anybody: what the server is, and what only its administrators run.
var server = []Route{
	get("/api/3.0/mlflow/server-info").signedIn("what the server can do, the same for everybody"),
	get("/ajax-api/3.0/mlflow/ui-telemetry").signedIn("the server's setting, the same for everybody"),
	post("/ajax-api/3.0/mlflow/ui-telemetry").signedIn("the UI reports its own clicks; nothing is stored"),
	get("/ajax-api/3.0/mlflow/gateway/provider-config").signedIn(catalogue),
	get("/ajax-api/3.0/mlflow/gateway/supported-models").signedIn(catalogue),
	get("/ajax-api/3.0/mlflow/gateway/supported-providers").signedIn(catalogue),
	get("/ajax-api/3.0/mlflow/gateway/secrets/config").administrators("it tells how the server keeps its secrets"),

	post("/ajax-api/3.0/mlflow/demo/generate").administrators("it makes an experiment that nobody owns"),
	post("/ajax-api/3.0/mlflow/demo/delete").administrators("it deletes what everybody sees"),
	get("/ajax-api/2.0/mlflow/gateway-proxy").administrators("it calls an address of the query's choice from MLflow's host"),
	post("/ajax-api/2.0/mlflow/gateway-proxy").administrators("it calls an address of the body's choice from MLflow's host"),

	get("/api/2.0/mlflow/webhooks").administrators(webhook),
	post("/api/2.0/mlflow/webhooks").administrators(webhook),
	get("/api/2.0/mlflow/webhooks/{webhook_id}").administrators(webhook),
	patch("/api/2.0/mlflow/webhooks/{webhook_id}").administrators(webhook),
	remove("/api/2.0/mlflow/webhooks/{webhook_id}").administrators(webhook),
	post("/api/2.0/mlflow/webhooks/{webhook_id}/test").administrators(webhook),

	post("/api/3.0/mlflow/gateway/budgets/create").administrators(budget),
	get("/api/3.0/mlflow/gateway/budgets/get").administrators(budget),
	get("/api/3.0/mlflow/gateway/budgets/list").administrators(budget),
	get("/api/3.0/mlflow/gateway/budgets/windows").administrators(budget),
	post("/api/3.0/mlflow/gateway/budgets/update").administrators(budget),
	remove("/api/3.0/mlflow/gateway/budgets/delete").administrators(budget),
	post("/api/3.0/mlflow/gateway/guardrails/create").administrators(guardrail),
	get("/api/3.0/mlflow/gateway/guardrails/get").administrators(guardrail),
	get("/api/3.0/mlflow/gateway/guardrails/list").administrators(guardrail),
	get("/api/3.0/mlflow/gateway/guardrails/list-for-endpoint").administrators(guardrail),
	remove("/api/3.0/mlflow/gateway/guardrails/delete").administrators(guardrail),
	post("/api/3.0/mlflow/gateway/guardrails/add-to-endpoint").administrators(guardrail),
	remove("/api/3.0/mlflow/gateway/guardrails/remove-from-endpoint").administrators(guardrail),
	patch("/api/3.0/mlflow/gateway/guardrails/update-config").administrators(guardrail),

	get("/ajax-api/3.0/mlflow/assistant/config").administrators(assistant),
	replace("/ajax-api/3.0/mlflow/assistant/config").administrators(assistant),
	post("/ajax-api/3.0/mlflow/assistant/message").administrators(assistant),
	get("/ajax-api/3.0/mlflow/assistant/providers").administrators(assistant),
	get("/ajax-api/3.0/mlflow/assistant/providers/{provider}/health").administrators(assistant),
	get("/ajax-api/3.0/mlflow/assistant/providers/{provider}/models").administrators(assistant),
	patch("/ajax-api/3.0/mlflow/assistant/sessions/{session_id}").administrators(assistant),
	post("/ajax-api/3.0/mlflow/assistant/sessions/{session_id}/permission").administrators(assistant),
	get("/ajax-api/3.0/mlflow/assistant/sessions/{session_id}/stream").administrators(assistant),
	post("/ajax-api/3.0/mlflow/assistant/sessions/{session_id}/tool-result").administrators(assistant),
	post("/ajax-api/3.0/mlflow/assistant/skills/install").administrators(assistant),

	get("/api/3.0/mlflow/workspaces").signedIn("each row is decided").filter(ListWorkspaces).outside(),
	post("/api/3.0/mlflow/workspaces").administrators(workspaces).effect(GrantWorkspace).outside(),
	get("/api/3.0/mlflow/workspaces/{workspace_name}", on(Workspace, segment("workspace_name"), kind.Read)).outside(),
	patch("/api/3.0/mlflow/workspaces/{workspace_name}").administrators(workspaces).outside(),
	remove("/api/3.0/mlflow/workspaces/{workspace_name}", on(Workspace, segment("workspace_name"), kind.Manage)).administrators(workspaces).
		content(NoBody).effect(DropWorkspace).outside(),

	post("/gateway/proxy/{endpoint_name}/{path*}").refused("it hands any request on to a provider; its path could also be read as an invocation of an endpoint named proxy"),
	get("/health").refused("the gateway answers it itself"),
	get("/metrics").refused("MLflow's own figures are for its host; scrape them there"),
	get("/api/2.0/mlflow/get-online-trace-details").refused("MLflow 3.17.2 has not implemented it"),
	get("/api/2.0/mlflow/unified-traces").refused("MLflow 3.17.2 has not implemented it"),
	post("/api/2.0mlflow/experiments/search-datasets").refused("MLflow 3.17.2 has not implemented it; the path is a slip of its table"),
}
