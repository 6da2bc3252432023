"""Judges that MLflow runs by itself, in full mode: they ask a model through the AI gateway of their own server, which is on a socket."""

import http.server
import json
import pathlib
import threading

import mlflow
import pytest
import requests

from world import ADA, VERA, World, eventually, free_port, ok

V3 = "/api/3.0/mlflow"
JUDGE = json.dumps({"name": "right", "mlflow_version": "3.17.2", "serialization_version": 1, "instructions_judge_pydantic_data": {
    "instructions": "Is {{ outputs }} right? Answer yes or no.", "model": "gateway:/judge", "feedback_value_type": {"type": "string"}}})


class Model(http.server.BaseHTTPRequestHandler):
    """Stands in for a provider of models, none of which can be reached here: it finds everything right."""

    asked = []

    def do_POST(self):
        self.asked.append((self.headers["Authorization"], self.rfile.read(int(self.headers["Content-Length"])).decode()))
        said = json.dumps({"result": "yes", "rationale": "it is"})
        answer = json.dumps({"id": "1", "object": "chat.completion", "created": 1, "model": "m", "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
                             "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": said}}]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def model():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def judging(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("judging"))
    try:
        made.start(f"127.0.0.1:{free_port()}", MLFLOW_SERVER_ENABLE_JOB_EXECUTION="true", MLFLOW_GATEWAY_API_BASE_ALLOW_PRIVATE_IPS="true",
                   MLFLOW_GATEWAY_API_BASE_ALLOWED_SCHEMES="http")
        yield made
    finally:
        if made.process and made.process.poll() is None:
            made.stop()


def test_judge_asks_a_model_through_the_gateway_of_its_server(judging, model):
    def make(what, **fields):
        return ok(judging.ask(ADA, "POST", f"{V3}/gateway/{what}/create", json=fields))

    secret = make("secrets", secret_name="s", secret_value={"api_key": "sk-judge"}, provider="openai", auth_config={"api_base": model})["secret"]["secret_id"]
    definition = make("model-definitions", name="d", secret_id=secret, provider="openai", model_name="m")["model_definition"]["model_definition_id"]
    make("endpoints", name="judge", usage_tracking=False, model_configs=[{"model_definition_id": definition, "linkage_type": "PRIMARY", "weight": 1}])
    judging.give(ADA, VERA, "gateways/endpoints", "judge", "USE")
    with judging.acting(VERA) as client:
        experiment = client.create_experiment("judged")
        mlflow.set_experiment(experiment_id=experiment)
        with mlflow.start_span("answer") as span:
            span.set_outputs("the capital of France is Paris")
        mlflow.flush_trace_async_logging()
    invoked = ok(judging.ask(VERA, "POST", "/ajax-api/3.0/mlflow/scorer/invoke", json={
        "experiment_id": experiment, "serialized_scorer": JUDGE, "trace_ids": [span.trace_id]}))
    job = invoked["jobs"][0]["job_id"]

    def ended():
        said = ok(judging.ask(VERA, "GET", f"/ajax-api/3.0/mlflow/jobs/{job}"))
        return said if said["status"] not in ("PENDING", "RUNNING") else None
    said = eventually(ended, f"the job ends; asked of the model: {Model.asked}", 120)
    assert said["status"] == "SUCCEEDED" and '"yes"' in json.dumps(said), said
    [(authorization, asked)] = Model.asked
    assert authorization == "Bearer sk-judge" and "the capital of France is Paris" in asked


def test_attack_on_the_way_of_the_jobs(judging):
    """Any program of the machine can connect there; what it lacks is the password, which is in MLflow's environment."""
    variables = pathlib.Path(f"/proc/{judging.uvicorn()[0]}/environ").read_text().split("\0")
    environment = dict(one.split("=", 1) for one in variables if "=" in one)
    at, user, password = (environment[name] for name in ("MLFLOW_GATEWAY_URI", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"))
    assert at.startswith("http://127.0.0.1:") and at != judging.url and len(password) >= 26
    path = "/gateway/mlflow/v1/chat/completions"

    def status(path, **how):
        return requests.post(at + path, json={"model": "nothing-there", "messages": []}, timeout=30, **how).status_code

    assert status(path) == status(path, auth=(user, "guess")) == status(path, auth=(ADA, judging.tokens[ADA])) == 401
    assert status("/api/2.0/mlflow/experiments/search", auth=(user, password)) == 403
    assert status(path, auth=(user, password)) in (400, 404, 422)  # MLflow's word: there is no such endpoint
