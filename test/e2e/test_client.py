"""What a member does all day with the mlflow client, through the gateway."""

import hashlib
import pathlib

import mlflow

from world import VERA


def test_run_comes_back_as_it_was_logged(world, work):
    with world.acting(VERA) as client:
        run = client.get_run(work.run)
        history = client.get_metric_history(work.run, "loss")
    assert run.data.params == {"rate": "0.1"}
    assert run.data.tags["stage"] == "trial"
    assert [(m.step, m.value) for m in sorted(history, key=lambda m: m.step)] == [(step, 1 / (step + 1)) for step in range(1000)]


def test_large_artifact_comes_back_unchanged(world, work, tmp_path):
    with world.acting(VERA) as client:
        listed = {f.path: f.file_size for f in client.list_artifacts(work.run, "weights")}
        got = pathlib.Path(client.download_artifacts(work.run, work.file, str(tmp_path)))
    assert listed == {work.file: 100 << 20}
    with got.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == work.sha256


def test_model_is_loaded_by_its_alias_and_predicts(world, work):
    with world.acting(VERA):
        model = mlflow.pyfunc.load_model(f"models:/{work.model}@champion")
    assert model.predict([1.0, 2.5]) == [2.0, 5.0]


def test_searches_find_ones_own_work(world, work):
    with world.acting(VERA) as client:
        assert work.name in [e.name for e in client.search_experiments()]
        assert [r.info.run_id for r in client.search_runs([work.experiment], "params.rate = '0.1'")] == [work.run]
        assert work.model in [m.name for m in client.search_registered_models()]
        assert [v.version for v in client.search_model_versions(f"name='{work.model}'")] == ["1"]
        assert [m.model_id for m in client.search_logged_models([work.experiment])] == [work.logged_model]
