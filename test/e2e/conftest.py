"""What all the tests share: one development server, and one person's work on it."""

import dataclasses
import hashlib
import os

os.environ.update({
    "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "NO_PROXY": "127.0.0.1,localhost",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # nothing here submits one, and its workers take long to start
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
})

import mlflow  # noqa: E402 (after its settings)
import pytest  # noqa: E402
from mlflow.entities import Metric, Param, RunTag  # noqa: E402

from browser import chromium, page  # noqa: E402, F401 (fixtures)
from pages import ada, vera  # noqa: E402, F401 (fixtures)
from providers import Development, Keycloak, OIDCProvider  # noqa: E402
from world import VERA, World, free_port  # noqa: E402

worlds = []


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("world"))
    worlds.append(made)
    try:
        made.start(f"127.0.0.1:{free_port()}")
        yield made
    finally:
        if made.process.poll() is None:
            assert made.stop() == (0, [])


# Keycloak takes long to start, and so it does from the first test on, and not when it is needed.
keycloak = Keycloak()


def pytest_collection_finish(session):
    if not session.config.option.collectonly and any(Keycloak in item.callspec.params.values() for item in session.items if hasattr(item, "callspec")):
        keycloak.start()


def pytest_sessionfinish():
    keycloak.stop()


@pytest.fixture(scope="session", params=[Development, Keycloak, OIDCProvider])
def any_site(request, world, tmp_path_factory):
    """A gateway before the same MLflow as the others, with its users at one of the providers."""
    made = keycloak if request.param is Keycloak else request.param()
    try:
        made.serve(world, tmp_path_factory.mktemp("site"))
        yield made
    finally:
        made.end()


@pytest.fixture
def site(any_site, request):
    if reason := any_site.cannot.get(request.function.__name__):
        pytest.skip(reason)
    return any_site


class Doubling(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input: list[float]) -> list[float]:
        return [2 * value for value in model_input]


@dataclasses.dataclass
class Work:
    """What Vera has made, through the mlflow client."""

    experiment: str
    name: str
    run: str
    logged_model: str
    model: str
    file: str
    sha256: str


@pytest.fixture(scope="session")
def work(world, tmp_path_factory):
    file = tmp_path_factory.mktemp("artifacts") / "weights.bin"
    content = os.urandom(100 << 20)
    file.write_bytes(content)
    with world.acting(VERA) as client:
        experiment = client.create_experiment("e2e/vera")
        run = client.create_run(experiment, run_name="training").info.run_id
        metrics = [Metric("loss", 1 / (step + 1), 1_700_000_000_000 + step, step) for step in range(1000)]
        client.log_batch(run, metrics, [Param("rate", "0.1")], [RunTag("stage", "trial")])
        client.log_artifact(run, str(file), "weights")
        with mlflow.start_run(run_id=run):
            logged = mlflow.pyfunc.log_model(name="doubling", python_model=Doubling(), pip_requirements=["mlflow"])
        version = mlflow.register_model(logged.model_uri, "vera-doubling")
        client.set_registered_model_alias("vera-doubling", "champion", version.version)
    return Work(experiment, "e2e/vera", run, logged.model_id, "vera-doubling", "weights/weights.bin", hashlib.sha256(content).hexdigest())


def pytest_terminal_summary(terminalreporter):
    for made in worlds:
        for what, seconds in made.times:
            terminalreporter.write_line(f"MLflow {what}: {seconds:.1f} s")
