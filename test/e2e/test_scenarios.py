"""What MLflow's client can do, done twice with the same outcome: at a server without the gateway, and through the gateway as
an administrator."""

import contextlib
import os
import subprocess

import mlflow
import pytest
import requests
from mlflow.entities import AssessmentSource, Dataset, DatasetInput, InputTag, LoggedModelInput, LoggedModelOutput, Metric, Param, RunTag, ViewType
from mlflow.exceptions import MlflowException
from mlflow.genai import datasets

from world import ADA, MLFLOW, eventually, free_port


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """Gives the address of an MLflow with nothing in front of it."""
    data, port = tmp_path_factory.mktemp("bare"), free_port()
    url = f"http://127.0.0.1:{port}"
    with (data / "output.log").open("wb") as output:
        process = subprocess.Popen(
            [MLFLOW, "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--backend-store-uri", f"sqlite:///{data}/mlflow.db",
             "--serve-artifacts", "--artifacts-destination", str(data / "artifacts")], stdout=output, stderr=subprocess.STDOUT)
    try:
        eventually(lambda: process.poll() is not None or answers(url), "MLflow's health", 300)
        assert process.poll() is None, (data / "output.log").read_text()
        yield url
    finally:
        process.terminate()
        process.wait(60)


def answers(url):
    with contextlib.suppress(requests.RequestException):
        return requests.get(url + "/health", timeout=10).status_code == 200
    return False


@pytest.fixture(params=["directly", "through the gateway"])
def client(request):
    if request.param == "through the gateway":
        with request.getfixturevalue("world").acting(ADA) as made:
            yield made
        return
    url = request.getfixturevalue("bare")
    kept = os.environ.get("MLFLOW_TRACKING_URI")
    os.environ["MLFLOW_TRACKING_URI"] = url
    mlflow.set_tracking_uri(url)
    mlflow.set_registry_uri(url)
    try:
        yield mlflow.MlflowClient()
    finally:
        os.environ.pop("MLFLOW_TRACKING_URI")
        if kept:
            os.environ["MLFLOW_TRACKING_URI"] = kept


def every(search, **how):
    """Gives all rows of a search, a page of two at a time."""
    rows, token = [], None
    while True:
        page = search(max_results=2, page_token=token, **how)
        rows += page
        assert len(page) == 2 or not page.token
        if not (token := page.token):
            return rows


def raises(code, call):
    with pytest.raises(MlflowException) as raised:
        call()
    assert raised.value.error_code == code, raised.value


def test_experiments(client):
    ids = [client.create_experiment(f"scenario/{i}", tags={"number": str(i)}) for i in range(5)]
    raises("RESOURCE_ALREADY_EXISTS", lambda: client.create_experiment("scenario/0"))
    raises("RESOURCE_DOES_NOT_EXIST", lambda: client.get_experiment("9876543"))
    assert client.get_experiment_by_name("scenario/nothing") is None
    found = every(client.search_experiments, filter_string="name LIKE 'scenario/%'", order_by=["name DESC"])
    assert [e.experiment_id for e in found] == ids[::-1]
    client.set_experiment_tag(ids[0], "team", "red")
    client.delete_experiment_tag(ids[0], "number")
    client.rename_experiment(ids[0], "scenario/renamed")
    got = client.get_experiment_by_name("scenario/renamed")
    assert (got.experiment_id, got.tags) == (ids[0], {"team": "red"})
    client.delete_experiment(ids[1])
    assert client.get_experiment(ids[1]).lifecycle_stage == "deleted"
    assert ids[1] in [e.experiment_id for e in client.search_experiments(view_type=ViewType.DELETED_ONLY)]
    client.restore_experiment(ids[1])
    assert client.get_experiment(ids[1]).lifecycle_stage == "active"


def test_runs(client, tmp_path):
    experiment = client.create_experiment("scenario/runs")
    runs = [client.create_run(experiment, run_name=f"run {i}", tags={"number": str(i)}).info.run_id for i in range(5)]
    for i, run in enumerate(runs):
        client.log_batch(run, [Metric("loss", i / 10, 1_700_000_000_000, 0)], [Param("depth", str(i))], [RunTag("parity", str(i % 2))])
    first = runs[0]
    for step in range(1, 6):
        client.log_metric(first, "loss", 1 / step, step=step)
    client.log_param(first, "text", "ä/%2F?&=")
    raises("INVALID_PARAMETER_VALUE", lambda: client.log_param(first, "text", "another"))
    client.set_tag(first, "gone", "soon")
    client.delete_tag(first, "gone")
    client.log_inputs(first, [DatasetInput(Dataset("data", "digest", "local", "nowhere"), [InputTag("context", "training")])])
    client.update_run(first, status="FAILED", name="renamed")
    got = client.get_run(first)
    assert (got.info.run_name, got.info.status, got.data.params) == ("renamed", "FAILED", {"depth": "0", "text": "ä/%2F?&="})
    assert got.data.metrics == {"loss": 0.2} and "gone" not in got.data.tags
    assert [i.dataset.name for i in got.inputs.dataset_inputs] == ["data"]
    assert len(client.get_metric_history(first, "loss")) == 6
    found = client.search_runs([experiment], "metrics.loss > 0.15 and tags.parity = '0'", order_by=["params.depth ASC"])
    assert [r.info.run_id for r in found] == [runs[0], runs[2], runs[4]]
    pages = every(lambda **how: client.search_runs([experiment], **how), order_by=["params.depth ASC"])
    assert [r.info.run_id for r in pages] == runs
    client.delete_run(runs[1])
    assert len(client.search_runs([experiment])) == 4
    client.restore_run(runs[1])
    client.set_terminated(runs[1], "FINISHED")
    assert client.get_run(runs[1]).info.status == "FINISHED"

    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a file.txt").write_text("bytes")
    client.log_artifacts(first, str(tmp_path / "folder"), "below")
    client.log_text(first, "words", "text.txt")
    client.log_dict(first, {"a": 1}, "of/dict.json")
    assert sorted(f.path for f in client.list_artifacts(first)) == ["below", "of", "text.txt"]
    got = client.download_artifacts(first, "below/a file.txt", str(tmp_path))
    with open(got) as file:
        assert file.read() == "bytes"
    assert mlflow.artifacts.load_text(f"runs:/{first}/text.txt") == "words"


def test_logged_models(client, tmp_path):
    experiment = client.create_experiment("scenario/logged models")
    run = client.create_run(experiment).info.run_id
    made = [client.create_logged_model(experiment, name=f"m{i}", source_run_id=run, params={"i": str(i)}, tags={"t": str(i)}) for i in range(5)]
    model = made[0].model_id
    client.log_model_params(model, {"more": "1"})
    client.set_logged_model_tags(model, {"a/b": "c"})
    client.delete_logged_model_tag(model, "t")
    client.log_metric(run, "accuracy", 0.5, model_id=model)
    (tmp_path / "weights").write_text("w")
    client.log_model_artifact(model, str(tmp_path / "weights"))
    assert [f.path for f in client.list_logged_model_artifacts(model)] == ["weights"]
    client.finalize_logged_model(model, "READY")
    client.log_outputs(run, [LoggedModelOutput(model, 0)])
    client.log_inputs(run, models=[LoggedModelInput(made[1].model_id)])
    got = client.get_logged_model(model)
    assert (got.params, got.tags["a/b"], got.status.value) == ({"i": "0", "more": "1"}, "c", "READY")
    assert [m.value for m in got.metrics] == [0.5] and "t" not in got.tags
    found = client.search_logged_models([experiment], order_by=[{"field_name": "name", "ascending": True}])
    assert [m.name for m in found] == [f"m{i}" for i in range(5)]
    assert {m.model_id for m in every(lambda **how: client.search_logged_models([experiment], **how))} == {m.model_id for m in made}
    client.delete_logged_model(made[4].model_id)
    assert len(client.search_logged_models([experiment])) == 4
    raises("RESOURCE_DOES_NOT_EXIST", lambda: client.get_logged_model("m-" + "0" * 32))


def test_registry(client):
    experiment = client.create_experiment("scenario/registry")
    run = client.create_run(experiment)
    client.log_text(run.info.run_id, "weights", "model/weights")
    source = run.info.artifact_uri + "/model"
    for i in range(5):
        client.create_registered_model(f"scenario-{i}", tags={"number": str(i)}, description="text")
    raises("RESOURCE_ALREADY_EXISTS", lambda: client.create_registered_model("scenario-0"))
    version = client.create_model_version("scenario-0", source, run.info.run_id, tags={"a": "b"}, description="first")
    assert (version.version, version.source) == ("1", source)
    client.create_model_version("scenario-0", source, run.info.run_id)
    client.set_model_version_tag("scenario-0", "1", "c", "d")
    client.delete_model_version_tag("scenario-0", "1", "a")
    client.update_model_version("scenario-0", "1", "changed")
    client.set_registered_model_alias("scenario-0", "champion", "1")
    got = client.get_model_version_by_alias("scenario-0", "champion")
    assert (got.version, got.tags, got.description) == ("1", {"c": "d"}, "changed")
    assert client.get_model_version_download_uri("scenario-0", "1") == source
    assert mlflow.artifacts.load_text("models:/scenario-0@champion/weights") == "weights"
    client.delete_registered_model_alias("scenario-0", "champion")
    raises("INVALID_PARAMETER_VALUE", lambda: client.get_model_version_by_alias("scenario-0", "champion"))
    copied = client.copy_model_version("models:/scenario-0/1", "scenario-copy")
    assert (copied.name, copied.version) == ("scenario-copy", "1")
    client.transition_model_version_stage("scenario-0", "2", "Production")
    assert [v.version for v in client.get_latest_versions("scenario-0", ["Production"])] == ["2"]
    assert sorted(v.version for v in every(client.search_model_versions, filter_string="name = 'scenario-0'")) == ["1", "2"]
    client.delete_model_version("scenario-0", "1")
    raises("RESOURCE_DOES_NOT_EXIST", lambda: client.get_model_version("scenario-0", "1"))
    client.set_registered_model_tag("scenario-1", "team", "red")
    client.delete_registered_model_tag("scenario-1", "number")
    client.update_registered_model("scenario-1", "new text")
    client.rename_registered_model("scenario-1", "scenario-1b")
    got = client.get_registered_model("scenario-1b")
    assert (got.tags, got.description) == ({"team": "red"}, "new text")
    found = every(client.search_registered_models, filter_string="name LIKE 'scenario-%'", order_by=["name ASC"])
    assert [m.name for m in found] == ["scenario-0", "scenario-1b", "scenario-2", "scenario-3", "scenario-4", "scenario-copy"]
    client.delete_registered_model("scenario-2")
    raises("RESOURCE_DOES_NOT_EXIST", lambda: client.get_registered_model("scenario-2"))


def test_traces(client):
    experiment = mlflow.set_experiment("scenario/traces").experiment_id

    @mlflow.trace
    def answer(question):
        with mlflow.start_span("inner") as span:
            span.set_inputs({"question": question})
        return question.upper()

    made = []
    for i in range(5):
        answer(f"why {i}?")
        made.append(mlflow.get_last_active_trace_id())
    mlflow.flush_trace_async_logging()
    got = client.get_trace(made[0])
    assert sorted(span.name for span in got.data.spans) == ["answer", "inner"]
    client.set_trace_tag(made[0], "reviewed", "yes")
    found = client.search_traces(locations=[experiment], filter_string="tag.reviewed = 'yes'")
    assert [t.info.trace_id for t in found] == made[:1]
    client.delete_trace_tag(made[0], "reviewed")
    assert {t.info.trace_id for t in every(lambda **how: client.search_traces(locations=[experiment], **how))} == set(made)
    feedback = mlflow.log_feedback(trace_id=made[0], name="good", value=True, source=AssessmentSource("HUMAN", "ada"))
    wanted = mlflow.log_expectation(trace_id=made[0], name="wanted", value="WHY", source=AssessmentSource("HUMAN", "ada"))
    mlflow.override_feedback(trace_id=made[0], assessment_id=feedback.assessment_id, value=False)
    assert mlflow.get_assessment(made[0], wanted.assessment_id).value == "WHY"
    mlflow.delete_assessment(made[0], wanted.assessment_id)
    assert [(a.name, a.value) for a in client.get_trace(made[0]).info.assessments if a.valid is not False] == [("good", False)]
    run = client.create_run(experiment).info.run_id
    client.link_traces_to_run(made[:2], run)
    assert {t.info.trace_id for t in client.search_traces(locations=[experiment], run_id=run)} == set(made[:2])
    assert client.delete_traces(experiment, trace_ids=made[:2]) == 2
    assert len(client.search_traces(locations=[experiment])) == 3


def test_prompts(client):
    for i in range(3):
        mlflow.genai.register_prompt(f"scenario-prompt-{i}", "Hello {{name}}", commit_message="first", tags={"number": str(i)})
    second = mlflow.genai.register_prompt("scenario-prompt-0", "Good day {{name}}")
    assert second.version == 2
    mlflow.genai.set_prompt_alias("scenario-prompt-0", "live", 2)
    assert mlflow.genai.load_prompt("prompts:/scenario-prompt-0@live").format(name="Ada") == "Good day Ada"
    assert mlflow.genai.load_prompt("scenario-prompt-0", version=1).template == "Hello {{name}}"
    assert sorted(p.name for p in mlflow.genai.search_prompts(filter_string="name LIKE 'scenario-prompt-%'")) == [f"scenario-prompt-{i}" for i in range(3)]
    client.set_prompt_tag("scenario-prompt-0", "team", "red")
    client.set_prompt_version_tag("scenario-prompt-0", "1", "old", "yes")
    client.delete_prompt_version_tag("scenario-prompt-0", "1", "old")
    assert client.get_prompt("scenario-prompt-0").tags["team"] == "red"
    assert [p.version for p in client.search_prompt_versions("scenario-prompt-0")] == [2, 1]
    run = client.create_run(client.create_experiment("scenario/prompts")).info.run_id
    client.link_prompt_version_to_run(run, "prompts:/scenario-prompt-0/1")
    assert "scenario-prompt-0" in client.get_run(run).data.tags["mlflow.linkedPrompts"]
    mlflow.genai.delete_prompt_alias("scenario-prompt-0", "live")
    client.delete_prompt_version("scenario-prompt-1", "1")
    client.delete_prompt("scenario-prompt-1")
    assert client.get_prompt("scenario-prompt-1") is None


def test_datasets(client):
    ids = [client.create_experiment(f"scenario/datasets {i}") for i in range(2)]
    made = datasets.create_dataset(name="scenario", experiment_id=ids[:1], tags={"a": "b"})
    made.merge_records([{"inputs": {"question": str(i)}, "expectations": {"answer": "x"}} for i in range(3)])
    made.merge_records([{"inputs": {"question": "0"}, "expectations": {"answer": "y"}}])
    again = datasets.get_dataset(dataset_id=made.dataset_id)
    assert sorted((row["inputs"]["question"], row["expectations"]["answer"]) for row in again.to_df().to_dict("records")) == [
        ("0", "y"), ("1", "x"), ("2", "x")]
    datasets.set_dataset_tags(made.dataset_id, {"c": "d"})
    datasets.add_dataset_to_experiments(made.dataset_id, ids[1:])
    assert [d.tags["c"] for d in datasets.search_datasets(experiment_ids=ids[1:])] == ["d"]
    datasets.remove_dataset_from_experiments(made.dataset_id, ids[:1])
    assert datasets.search_datasets(experiment_ids=ids[:1]) == []
    datasets.delete_dataset(dataset_id=made.dataset_id)
    raises("RESOURCE_DOES_NOT_EXIST", lambda: datasets.get_dataset(dataset_id=made.dataset_id))
