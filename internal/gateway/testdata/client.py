"""Does with the mlflow client what its users do, and prints what came of it as JSON. The first argument is the act."""

import json
import os
import sys
import tempfile

os.environ.update({"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"})

import mlflow  # noqa: E402 (after its settings)
from mlflow.entities import Metric, Param, RunTag  # noqa: E402
from mlflow.exceptions import MlflowException  # noqa: E402
from requests import HTTPError  # noqa: E402

if workspace := os.environ.get("WORKSPACE"):
    mlflow.set_workspace(workspace)
client = mlflow.MlflowClient()


def make(name):
    experiment = client.create_experiment(name)
    run = client.create_run(experiment).info.run_id
    client.log_batch(run, [Metric("loss", 1 / (step + 1), 1_700_000_000_000 + step, step) for step in range(20)], [Param("rate", "0.1")], [RunTag("a", "b")])
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "file.txt")
        with open(path, "w") as file:
            file.write("content")
        client.log_artifact(run, path, "model")
        fetched = client.download_artifacts(run, "model/file.txt", folder)
        assert open(fetched).read() == "content"
    assert [file.path for file in client.list_artifacts(run, "model")] == ["model/file.txt"]
    client.set_terminated(run)
    assert len(client.get_metric_history(run, "loss")) == 20
    client.create_registered_model(name)
    version = client.create_model_version(name, f"{client.get_run(run).info.artifact_uri}/model", run).version
    client.set_registered_model_alias(name, "champion", version)
    assert client.get_model_version_by_alias(name, "champion").run_id == run
    mlflow.set_experiment(name)
    with mlflow.start_span("work") as span:
        span.set_inputs({"question": "why"})
    traced = getattr(span, "trace_id", None) or span.request_id
    if hasattr(mlflow, "flush_trace_async_logging"):
        mlflow.flush_trace_async_logging()
    trace = client.get_trace(traced)
    assert trace.data.spans[0].inputs == {"question": "why"}
    client.set_trace_tag(traced, "c", "d")
    return {"experiment": experiment, "run": run, "version": version, "trace": traced, "client": mlflow.__version__}


def look(name):
    """Reads what somebody else has shared, and tries to change it."""
    experiment = client.get_experiment_by_name(name)
    run = client.search_runs([experiment.experiment_id])[0].info.run_id
    changes = {
        "log_metric": lambda: client.log_metric(run, "loss", 0),
        "log_text": lambda: client.log_text(run, "mine", "file.txt"),
        "delete_run": lambda: client.delete_run(run),
        "create_run": lambda: client.create_run(experiment.experiment_id),
        "rename_experiment": lambda: client.rename_experiment(experiment.experiment_id, name + "-mine"),
    }
    return {"done": [what for what, change in changes.items() if allowed(change)], "experiments": listed()}


def listed():
    return sorted(experiment.name for experiment in client.search_experiments())


def models():
    return sorted(model.name for model in client.search_registered_models())


def allowed(change):
    try:
        change()
    except MlflowException as error:
        assert "PERMISSION_DENIED" in str(error.error_code) or "may not" in str(error) or "RESOURCE_DOES_NOT_EXIST" in str(error.error_code), error
        return False
    except HTTPError as error:  # of an artifact
        assert error.response.status_code in (403, 404), error
        return False
    return True


def strange(run, trace, version_of):
    reads = {
        "get_run": lambda: client.get_run(run),
        "list_artifacts": lambda: client.list_artifacts(run),
        "get_trace": lambda: client.get_trace(trace),
        "get_model_version": lambda: client.get_model_version(version_of, "1"),
        "download": lambda: client.download_artifacts(run, "model/file.txt", tempfile.mkdtemp()),
    }
    return {"done": [what for what, read in reads.items() if allowed(read)], "experiments": listed(), "models": models()}


acts = {"make": make, "look": look, "strange": strange}
print(json.dumps(acts[sys.argv[1]](*sys.argv[2:])))
