"""Vera traces what her application does, with the mlflow client; for Fred her traces do not exist."""

import mlflow
import pytest
from mlflow.entities import AssessmentSource
from mlflow.exceptions import MlflowException

from world import FRED, VERA


@pytest.fixture(scope="module")
def trace(world):
    with world.acting(VERA) as client:
        experiment = mlflow.set_experiment("e2e/traces").experiment_id

        @mlflow.trace
        def answer(question):
            with mlflow.start_span("look up") as span:
                span.set_inputs({"of": question})
                mlflow.update_current_trace(tags={"team": "red"})
            return question.upper()

        assert answer("why?") == "WHY?"
        mlflow.flush_trace_async_logging()
        made = mlflow.get_last_active_trace_id()
    return experiment, made


def test_trace_comes_back_with_its_spans(world, trace):
    experiment, made = trace
    with world.acting(VERA) as client:
        got = client.get_trace(made)
        found = client.search_traces(locations=[experiment])
    assert sorted(span.name for span in got.data.spans) == ["answer", "look up"]
    assert got.info.experiment_id == experiment
    assert got.info.tags["team"] == "red"
    assert [t.info.trace_id for t in found] == [made]
    assert len(found[0].data.spans) == 2


def test_trace_is_assessed_and_tagged(world, trace):
    _, made = trace
    with world.acting(VERA) as client:
        feedback = mlflow.log_feedback(trace_id=made, name="good", value=True, source=AssessmentSource("HUMAN", VERA))
        mlflow.update_assessment(trace_id=made, assessment_id=feedback.assessment_id, assessment=mlflow.entities.Feedback(name="good", value=False))
        client.set_trace_tag(made, "reviewed", "yes")
        marked = client.get_trace(made).info
        assert [(a.name, a.value) for a in marked.assessments if a.valid is not False] == [("good", False)]
        assert marked.tags["reviewed"] == "yes"
        client.delete_trace_tag(made, "reviewed")
        mlflow.delete_assessment(made, feedback.assessment_id)
        cleared = client.get_trace(made).info
    assert cleared.assessments == []
    assert "reviewed" not in cleared.tags


def test_trace_does_not_exist_for_another(world, trace):
    experiment, made = trace
    with world.acting(FRED) as client:
        for call in (
            lambda: client.get_trace(made),
            lambda: client.set_trace_tag(made, "k", "v"),
            lambda: mlflow.log_feedback(trace_id=made, name="bad", value=True),
            lambda: client.search_traces(locations=[experiment]),
            lambda: client.delete_traces(experiment, trace_ids=[made]),
        ):
            with pytest.raises(MlflowException, match="not found|No Experiment"):
                call()
    with world.acting(VERA) as client:
        assert client.get_trace(made).info.assessments == []
