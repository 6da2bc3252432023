"""Fred may read Vera's model, and not the experiment that it comes from: her answers to him name neither run nor experiment,
and her client reads them all the same."""

import mlflow
import pytest
from mlflow.exceptions import MlflowException

from world import FRED, VERA


@pytest.fixture(scope="module")
def model(world, work):
    """Another model of Vera's from the same run, which nobody else's tests share."""
    name = "answers-model"
    with world.acting(VERA) as client:
        client.create_registered_model(name)
        client.create_model_version(name, f"models:/{work.logged_model}", run_id=work.run, model_id=work.logged_model)
        client.set_registered_model_alias(name, "champion", "1")
        source = client.get_model_version(name, "1")
    assert (source.run_id, source.source) == (work.run, f"models:/{work.logged_model}")
    world.give(VERA, FRED, "registered-models", name, "READ")
    return name


VERSIONS = {
    "version": lambda c, name: c.get_model_version(name, "1"),
    "version by alias": lambda c, name: c.get_model_version_by_alias(name, "champion"),
    "latest version": lambda c, name: c.get_latest_versions(name)[0],
    "version of the model": lambda c, name: c.get_registered_model(name).latest_versions[0],
    "version of a search": lambda c, name: c.search_model_versions(f"name='{name}'")[0],
    "version of a search of models": lambda c, name: c.search_registered_models(f"name='{name}'")[0].latest_versions[0],
}


@pytest.mark.parametrize("call", VERSIONS.values(), ids=VERSIONS.keys())
def test_a_version_names_no_run_that_its_reader_may_not_read(world, work, model, call):
    with world.acting(FRED) as client:
        version = call(client, model)
    assert (version.name, str(version.version), version.current_stage) == (model, "1", "None")
    assert not version.run_id and not version.source and not version.run_link
    assert work.run not in str(dict(version)) and work.logged_model not in str(dict(version))


def test_its_files_are_loaded_with_the_experiment_alone(world, work, model):
    with world.acting(FRED) as client:
        with pytest.raises(MlflowException) as raised:
            client.get_model_version_download_uri(model, "1")
        assert raised.value.get_http_status_code() == 403
        with pytest.raises(MlflowException):
            mlflow.pyfunc.load_model(f"models:/{model}/1")
    world.give(VERA, FRED, "experiments", work.experiment, "READ")
    try:
        with world.acting(FRED) as client:
            assert client.get_model_version(model, "1").run_id == work.run
            assert mlflow.pyfunc.load_model(f"models:/{model}/1").predict([1.0]) == [2.0]
    finally:
        world.take(VERA, FRED, "experiments", work.experiment)
