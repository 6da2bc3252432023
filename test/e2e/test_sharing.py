"""Fred is of another team: what is Vera's does not exist for him until she shares it, and then he may read it and no more."""

import pytest
from mlflow.entities import Metric
from mlflow.exceptions import MlflowException

from world import ADA, FRED, VERA

# Each call takes the client and a Work. What reads needs READ, what writes needs more.
READS = {
    "experiment": lambda c, w: c.get_experiment(w.experiment),
    "run": lambda c, w: c.get_run(w.run),
    "metric history": lambda c, w: c.get_metric_history(w.run, "loss"),
    "artifacts": lambda c, w: c.list_artifacts(w.run),
    "logged model": lambda c, w: c.get_logged_model(w.logged_model),
    "registered model": lambda c, w: c.get_registered_model(w.model),
    "model version": lambda c, w: c.get_model_version(w.model, "1"),
    "model version by alias": lambda c, w: c.get_model_version_by_alias(w.model, "champion"),
    "model version's address": lambda c, w: c.get_model_version_download_uri(w.model, "1"),
}
WRITES = {
    "rename experiment": lambda c, w: c.rename_experiment(w.experiment, "stolen"),
    "tag experiment": lambda c, w: c.set_experiment_tag(w.experiment, "k", "v"),
    "delete experiment": lambda c, w: c.delete_experiment(w.experiment),
    "create run": lambda c, w: c.create_run(w.experiment),
    "log metric": lambda c, w: c.log_metric(w.run, "loss", 0),
    "log parameter": lambda c, w: c.log_param(w.run, "extra", 0),
    "log batch": lambda c, w: c.log_batch(w.run, [Metric("loss", 0, 0, 0)]),
    "tag run": lambda c, w: c.set_tag(w.run, "k", "v"),
    "remove run's tag": lambda c, w: c.delete_tag(w.run, "stage"),
    "end run": lambda c, w: c.set_terminated(w.run, "FAILED"),
    "delete run": lambda c, w: c.delete_run(w.run),
    "tag logged model": lambda c, w: c.set_logged_model_tags(w.logged_model, {"k": "v"}),
    "delete logged model": lambda c, w: c.delete_logged_model(w.logged_model),
    "describe model": lambda c, w: c.update_registered_model(w.model, "stolen"),
    "rename model": lambda c, w: c.rename_registered_model(w.model, "stolen"),
    "tag model": lambda c, w: c.set_registered_model_tag(w.model, "k", "v"),
    "move alias": lambda c, w: c.set_registered_model_alias(w.model, "champion", "1"),
    "remove alias": lambda c, w: c.delete_registered_model_alias(w.model, "champion"),
    "delete model": lambda c, w: c.delete_registered_model(w.model),
    "add version": lambda c, w: c.create_model_version(w.model, f"models:/{w.logged_model}", model_id=w.logged_model),
    "describe version": lambda c, w: c.update_model_version(w.model, "1", "stolen"),
    "tag version": lambda c, w: c.set_model_version_tag(w.model, "1", "k", "v"),
    "delete version": lambda c, w: c.delete_model_version(w.model, "1"),
}


def named(table):
    return pytest.mark.parametrize("call", table.values(), ids=table.keys())


@pytest.fixture(scope="module")
def ghost(work):
    """Things that do not exist, with ids in the form of Vera's."""
    return type(work)("999999", "e2e/ghost", "0" * 32, "m-" + "0" * 32, "ghost-model", work.file, "")


def refusal(client, call, work):
    """Gives the status, the code and the message of a refusal, without the ids."""
    with pytest.raises(MlflowException) as raised:
        call(client, work)
    message = raised.value.message
    message = message.replace(work.logged_model, "ID")
    for id in (work.run, work.experiment, work.model):  # an experiment's id can be how a run's begins
        message = message.replace(f"={id}", "=ID").replace(f"'{id}'", "'ID'").replace(f'"{id}"', '"ID"')
    return raised.value.get_http_status_code(), raised.value.error_code, message


def assert_hidden(world, work, ghost, call):
    with world.acting(FRED) as client:
        hidden, missing = refusal(client, call, work), refusal(client, call, ghost)
    assert hidden[0] in (400, 403, 404), hidden  # 400 is what the client makes of a 404 where it has advice of its own
    assert hidden == missing


@pytest.fixture(scope="class")
def shared(world, work):
    world.give(VERA, FRED, "experiments", work.experiment, "READ")
    world.give(VERA, FRED, "registered-models", work.model, "READ")
    yield
    world.take(VERA, FRED, "experiments", work.experiment)
    world.take(VERA, FRED, "registered-models", work.model)


@named(READS | WRITES)
def test_unshared_is_as_if_it_did_not_exist(world, work, ghost, call):
    assert_hidden(world, work, ghost, call)


# MLflow itself answers an empty history for a run that is none, and names a version that is missing with its model; here both
# are refused as the run and the model are.
WORDED = {name: call for name, call in READS.items() if name not in ("metric history", "model version")}


@named(WORDED)
def test_refusal_is_worded_as_mlflow_words_it(world, work, ghost, call):
    with world.acting(FRED) as client:
        hidden = refusal(client, call, work)
    with world.acting(ADA) as client:
        assert hidden == refusal(client, call, ghost)


def found(world, work):
    with world.acting(FRED) as client:
        return {
            "experiments": [e.experiment_id for e in client.search_experiments() if e.experiment_id == work.experiment],
            "by name": client.get_experiment_by_name(work.name) is not None,
            "runs": [r.info.run_id for r in client.search_runs([work.experiment])],
            "models": [m.name for m in client.search_registered_models() if m.name == work.model],
            "versions": [v.name for v in client.search_model_versions(f"name='{work.model}'")],
        }


NOTHING = {"experiments": [], "by name": False, "runs": [], "models": [], "versions": []}


def test_searches_come_back_without_what_is_unshared(world, work):
    assert found(world, work) == NOTHING


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_artifact_tree_is_closed(world, work, ghost, method):
    """The client is not needed to reach the artifact proxy."""
    def asked(w):
        answer = world.ask(FRED, method, f"/api/2.0/mlflow-artifacts/artifacts/{w.experiment}/{w.run}/artifacts/{w.file}",
                           data=b"stolen" if method == "PUT" else None)
        return answer.status_code, answer.text.replace(w.run, "ID").replace(w.experiment + "/", "ID/")
    assert asked(work)[0] == 403
    assert asked(work) == asked(ghost)


def test_own_model_gets_no_version_from_anothers_work(world, work):
    """A version of one's own model would serve the other's files."""
    with world.acting(FRED) as client:
        for source, by in ((f"models:/{work.logged_model}", {"model_id": work.logged_model}), (f"runs:/{work.run}/weights", {"run_id": work.run}),
                           (f"models:/{work.model}/1", {})):
            with pytest.raises(MlflowException) as raised:
                client.create_model_version("demand-forecast", source, **by)
            assert raised.value.get_http_status_code() in (403, 404)


class TestShared:
    @named(READS)
    def test_shared_may_be_read(self, world, work, shared, call):
        with world.acting(FRED) as client:
            call(client, work)

    @named(WRITES)
    def test_shared_may_not_be_changed(self, world, work, shared, call):
        with world.acting(FRED) as client:
            assert refusal(client, call, work)[:2] == (403, "PERMISSION_DENIED")

    def test_searches_find_what_is_shared(self, world, work, shared):
        assert found(world, work) == {"experiments": [work.experiment], "by name": True, "runs": [work.run], "models": [work.model], "versions": [work.model]}

    def test_reader_cannot_share_further(self, world, work, shared):
        answer = world.ask(FRED, "PATCH", f"/api/2.0/mlflow/permissions/users/{FRED}/experiments/{work.experiment}", json={"permission": "MANAGE"})
        assert answer.status_code == 403, answer.text


def test_taken_back_is_gone_at_once(world, work, ghost):
    world.give(VERA, FRED, "experiments", work.experiment, "READ")
    with world.acting(FRED) as client:
        client.get_run(work.run)
    world.take(VERA, FRED, "experiments", work.experiment)
    assert_hidden(world, work, ghost, READS["run"])
    assert found(world, work) == NOTHING
