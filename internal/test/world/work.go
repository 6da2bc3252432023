package world

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

var names atomic.Int64

// Name makes a name that no other test has.
func Name(prefix string) string {
	return prefix + "-" + strconv.FormatInt(time.Now().UnixNano()%1e9, 36) + "-" + strconv.FormatInt(names.Add(1), 10)
}

// Work is what somebody has made in MLflow, through the gateway: one of each kind.
type Work struct {
	Experiment     string // its id
	ExperimentName string
	Run            string
	LoggedModel    string
	Trace          string
	Model          string // a registered model, with version 1 from the run's artifacts
	Dataset        string // an evaluation dataset with one record, tied to the experiment
	Issue          string
	LabelSchema    string
	ReviewQueue    string
	Scorer         string // a scorer's name in the experiment
	Prompt         string // a prompt, with version 1
	Artifacts      string // the path of the run's artifacts at the artifact proxy

	Endpoint, EndpointID     string // an AI gateway endpoint of the model definition, without usage tracking
	Definition, DefinitionID string // a model definition of the secret
	Secret, SecretID         string

	Server string // an MCP server, with version 1.0.0, the alias "stable" for it, a tag, and an access endpoint for it
	Access string // the id of its access endpoint
}

// Secret is the content of the file secret.txt in the artifacts of everybody's run.
const Secret = "the owner's secret"

// Queue is the name of each work's review queue.
const Queue = "queue"

// MakeWork makes one of each kind.
func (c *Client) MakeWork(t testing.TB) Work {
	t.Helper()
	w := Work{ExperimentName: Name("experiment"), Model: Name("model")}
	post := func(path string, body map[string]any) map[string]any {
		t.Helper()
		return c.JSON(t, http.MethodPost, "/api/2.0/mlflow/"+path, body)
	}
	w.Experiment = post("experiments/create", map[string]any{"name": w.ExperimentName})["experiment_id"].(string)
	run := post("runs/create", map[string]any{"experiment_id": w.Experiment, "start_time": 1})["run"].(map[string]any)
	w.Run = run["info"].(map[string]any)["run_id"].(string)
	model := post("logged-models", map[string]any{"experiment_id": w.Experiment, "name": "logged", "source_run_id": w.Run})["model"].(map[string]any)
	w.LoggedModel = model["info"].(map[string]any)["model_id"].(string)
	w.Trace = NewTrace()
	c.JSON(t, http.MethodPost, "/api/3.0/mlflow/traces", StartTrace(w.Trace, w.Experiment))
	w.Artifacts = w.Experiment + "/" + w.Run + "/artifacts"
	if c.In != "" {
		w.Artifacts = "workspaces/" + c.In + "/" + w.Artifacts
	}
	if put := c.Do(t, http.MethodPut, "/api/2.0/mlflow-artifacts/artifacts/"+w.Artifacts+"/secret.txt", Secret); put.Status != http.StatusOK {
		t.Fatalf("uploading an artifact was answered with %d: %s", put.Status, put.Body)
	}
	post("registered-models/create", map[string]any{"name": w.Model})
	post("model-versions/create", map[string]any{"name": w.Model, "source": "mlflow-artifacts:/" + w.Artifacts, "run_id": w.Run})
	w.Prompt = Name("prompt")
	c.MakePrompt(t, w.Prompt)
	c.makeEvaluations(t, &w)
	c.makeGateway(t, &w)
	c.makeServer(t, &w)
	return w
}

// NewTrace makes a trace id as MLflow's clients do.
func NewTrace() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // it never fails
	return "tr-" + hex.EncodeToString(id[:])
}

// StartTrace is the body of a request that makes a trace.
func StartTrace(trace, experiment string) map[string]any {
	return map[string]any{"trace": map[string]any{"trace_info": map[string]any{"trace_id": trace, "state": "OK", "request_time": "2026-01-01T00:00:00Z",
		"trace_location": map[string]any{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": map[string]any{"experiment_id": experiment}}}}}
}

// OneSpan is an export of one span, a root, of a trace, with attributes.
func OneSpan(trace string, attributes map[string]string) map[string]any {
	list := []any{}
	for key, value := range attributes {
		list = append(list, map[string]any{"key": key, "value": map[string]any{"stringValue": value}})
	}
	span := map[string]any{"traceId": strings.TrimPrefix(trace, "tr-"), "spanId": "00f067aa0ba902b7", "name": "span", "startTimeUnixNano": "1700000000000000000",
		"endTimeUnixNano": "1700000001000000000", "attributes": list}
	return map[string]any{"resourceSpans": []any{map[string]any{"scopeSpans": []any{map[string]any{"spans": []any{span}}}}}}
}

// makeEvaluations makes what belongs to the experiment beside its runs.
func (c *Client) makeEvaluations(t testing.TB, w *Work) {
	t.Helper()
	made := func(path, object, id string, body map[string]any) string {
		t.Helper()
		said := c.JSON(t, http.MethodPost, "/api/3.0/mlflow/"+path, body)
		return said[object].(map[string]any)[id].(string)
	}
	w.Dataset = made("datasets/create", "dataset", "dataset_id", map[string]any{"name": Name("dataset"), "experiment_ids": []string{w.Experiment}})
	c.JSON(t, http.MethodPost, "/api/3.0/mlflow/datasets/"+w.Dataset+"/records",
		map[string]any{"records": `[{"inputs": {"question": "` + Secret + `"}}]`})
	w.Issue = made("issues", "issue", "issue_id", map[string]any{"experiment_id": w.Experiment, "name": "issue", "description": Secret})
	w.LabelSchema = made("label-schemas/create", "label_schema", "schema_id", map[string]any{"experiment_id": w.Experiment, "name": "label",
		"type": "FEEDBACK", "input": map[string]any{"text": map[string]any{}}})
	w.ReviewQueue = made("review-queues/create", "review_queue", "queue_id", map[string]any{"experiment_id": w.Experiment, "name": Queue, "queue_type": "CUSTOM",
		"users": []string{c.Username}, "schema_ids": []string{w.LabelSchema}})
	w.Scorer = Name("scorer")
	c.JSON(t, http.MethodPost, "/api/3.0/mlflow/scorers/register", RegisterScorer(w.Experiment, w.Scorer, "openai:/gpt-4o"))
}

// RegisterScorer is the body of a request that registers a scorer's version, a judge that asks a model.
func RegisterScorer(experiment, name, model string) map[string]any {
	return map[string]any{"experiment_id": experiment, "name": name, "serialized_scorer": `{"name": "judge", "mlflow_version": "3.17.2",
		"serialization_version": 1, "instructions_judge_pydantic_data": {"instructions": "Is {{ outputs }} right?", "model": "` + model + `"}}`}
}

// PromptTag is what makes a registered model a prompt, and a version one of a prompt.
var PromptTag = map[string]any{"key": "mlflow.prompt.is_prompt", "value": "true"}

// MakePrompt makes a prompt with one version, as MLflow's own client does.
func (c *Client) MakePrompt(t testing.TB, name string) {
	t.Helper()
	c.JSON(t, http.MethodPost, "/api/2.0/mlflow/registered-models/create", map[string]any{"name": name, "tags": []any{PromptTag}})
	c.JSON(t, http.MethodPost, "/api/2.0/mlflow/model-versions/create", map[string]any{"name": name, "source": "dummy-source",
		"tags": []any{PromptTag, map[string]any{"key": "mlflow.prompt.text", "value": Secret}}})
}

// makeGateway makes a secret, a model definition and an endpoint of the AI gateway.
func (c *Client) makeGateway(t testing.TB, w *Work) {
	t.Helper()
	post := func(path, object, id string, body map[string]any) string {
		t.Helper()
		made := c.JSON(t, http.MethodPost, "/api/3.0/mlflow/gateway/"+path, body)[object].(map[string]any)
		return made[id].(string)
	}
	w.Secret, w.Definition, w.Endpoint = Name("secret"), Name("definition"), Name("endpoint")
	w.SecretID = post("secrets/create", "secret", "secret_id", map[string]any{"secret_name": w.Secret,
		"secret_value": map[string]any{"api_key": "sk-" + w.Secret}, "provider": "openai"})
	w.DefinitionID = post("model-definitions/create", "model_definition", "model_definition_id", map[string]any{"name": w.Definition,
		"secret_id": w.SecretID, "provider": "openai", "model_name": "gpt-4o"})
	w.EndpointID = post("endpoints/create", "endpoint", "endpoint_id", map[string]any{"name": w.Endpoint, "usage_tracking": false,
		"model_configs": []any{map[string]any{"model_definition_id": w.DefinitionID, "linkage_type": "PRIMARY", "weight": 1}}})
}

// makeServer makes an MCP server by its first version, as MLflow's client does.
func (c *Client) makeServer(t testing.TB, w *Work) {
	t.Helper()
	w.Server = "test/" + Name("server")
	at := "/api/3.0/mlflow/mcp-servers/" + w.Server
	c.JSON(t, http.MethodPost, at+"/versions", ServerVersion(w.Server, "1.0.0"))
	c.JSON(t, http.MethodPost, at+"/aliases", map[string]any{"alias": "stable", "version": "1.0.0"})
	c.JSON(t, http.MethodPost, at+"/tags", map[string]any{"key": "team/owner", "value": Secret})
	w.Access = c.JSON(t, http.MethodPost, at+"/endpoints", map[string]any{"url": "https://mcp.example.com/" + w.Server, "server_version": "1.0.0"})["id"].(string)
}

// ServerVersion is the body of a request that makes a version of an MCP server.
func ServerVersion(server, version string) map[string]any {
	return map[string]any{"server_json": map[string]any{"name": server, "version": version, "description": Secret}}
}
