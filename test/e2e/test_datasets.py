"""Vera's evaluation dataset, made and read with MLflow's own client; for Fred it does not exist."""

import pytest
from mlflow.exceptions import MlflowException
from mlflow.genai import datasets

from world import FRED, VERA


def test_a_dataset_is_its_experiments(world, work):
    with world.acting(VERA):
        made = datasets.create_dataset(name="questions", experiment_id=work.experiment)
        made.merge_records([{"inputs": {"question": "what?"}, "expectations": {"answer": "that"}}])
        again = datasets.get_dataset(dataset_id=made.dataset_id)
        assert [row["inputs"] for row in again.to_df().to_dict("records")] == [{"question": "what?"}]
        assert [d.dataset_id for d in datasets.search_datasets(experiment_ids=[work.experiment])] == [made.dataset_id]
    with world.acting(FRED):
        for call in (lambda: datasets.get_dataset(dataset_id=made.dataset_id),
                     lambda: datasets.search_datasets(experiment_ids=[work.experiment]),
                     lambda: datasets.create_dataset(name="mine", experiment_id=work.experiment),
                     lambda: datasets.delete_dataset(dataset_id=made.dataset_id)):
            with pytest.raises(MlflowException):
                call()
    with world.acting(VERA):
        datasets.delete_dataset(dataset_id=made.dataset_id)
        assert datasets.search_datasets(experiment_ids=[work.experiment]) == []
