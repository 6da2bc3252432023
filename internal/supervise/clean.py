"""Deletes for good what is in the trash of an MLflow server, as its arguments set that up: the runs and experiments that standard
input names, and nothing else. Says on standard output what was deleted, and what not and why."""

import json
import os
import posixpath
import sys
import time
import urllib.parse

asked = json.load(sys.stdin)
out = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # whatever MLflow prints is not the answer

from mlflow.cli import server
from mlflow.entities import ViewType
from mlflow.exceptions import InvalidUrlException, MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.tracking._tracking_service.utils import _get_store

DELETED = "deleted"
wanted = asked["wanted"]
settings = server.make_context("server", list(asked["server"])).params


def pages(search):
    token = None
    while True:
        page = search(token)
        yield from page
        token = page.token
        if not token:
            return


def storage(uri):
    """The artifacts behind an address of the server's own proxy; it is refused to take all of them for one run's."""
    parsed = urllib.parse.urlparse(uri)
    if parsed.scheme != "mlflow-artifacts":
        return get_artifact_repository(uri)
    path = posixpath.normpath(parsed.path).strip("/")
    if path in ("", ".") or ".." in path.split("/"):
        raise ValueError(f"{uri} names no folder of its own")
    return get_artifact_repository(posixpath.join(settings["artifacts_destination"], path))


def clean(store):
    done = {"deleted_runs": [], "deleted_experiments": [], "failed_runs": [], "failed_experiments": []}
    age = wanted["older_than_ms"]
    before = time.time() * 1000 - age
    runs, experiments = wanted["run_ids"], wanted["experiment_ids"]
    old = set(store._get_deleted_runs(older_than=age)) if age or runs is None else set()
    if runs is None:
        runs = sorted(old)
    if experiments is None:
        experiments = [e.experiment_id for e in pages(lambda token: store.search_experiments(view_type=ViewType.DELETED_ONLY, page_token=token))]
    targets = []
    for experiment in experiments:
        found = store.get_experiment(experiment)
        if found.lifecycle_stage != DELETED:
            done["failed_experiments"].append({"experiment_id": experiment, "error": "it is not in the trash"})
        elif age and (found.last_update_time is None or found.last_update_time >= before):
            if wanted["experiment_ids"] is not None:
                done["failed_experiments"].append({"experiment_id": experiment, "error": "it is not old enough"})
        else:
            targets.append(experiment)
    if targets:
        inside = pages(lambda token: store.search_runs(targets, "", ViewType.DELETED_ONLY, page_token=token))
        runs = list(dict.fromkeys([*runs, *(run.info.run_id for run in inside)]))
    for run in runs:
        try:
            info = store.get_run(run).info
            if info.lifecycle_stage != DELETED:
                raise ValueError("it is not in the trash")
            if age and run not in old:
                raise ValueError("it is not old enough")
            try:
                storage(info.artifact_uri).delete_artifacts()
            except InvalidUrlException:
                pass  # there is no place where anything could be
            store._hard_delete_run(run)
            done["deleted_runs"].append(run)
        except ValueError as problem:
            done["failed_runs"].append({"run_id": run, "error": str(problem)})
        except MlflowException as problem:
            missing = problem.error_code == "RESOURCE_DOES_NOT_EXIST"
            print(run, repr(problem), file=sys.stderr)
            done["failed_runs"].append({"run_id": run, "error": "there is no such run" if missing else "it could not be deleted"})
        except Exception as problem:
            print(run, repr(problem), file=sys.stderr)
            done["failed_runs"].append({"run_id": run, "error": "it could not be deleted"})
    for experiment in targets:
        try:  # an experiment takes what runs it has with it
            if store.search_runs([experiment], "", ViewType.ALL, max_results=1):
                raise ValueError("it has runs that were not deleted")
            store._hard_delete_experiment(experiment)
            done["deleted_experiments"].append(experiment)
        except ValueError as problem:
            done["failed_experiments"].append({"experiment_id": experiment, "error": str(problem)})
        except Exception as problem:
            print(experiment, repr(problem), file=sys.stderr)
            done["failed_experiments"].append({"experiment_id": experiment, "error": "it could not be deleted"})
    return done


def inside_workspace():
    if not wanted.get("workspace"):
        return clean(_get_store(settings["backend_store_uri"], settings["default_artifact_root"]))
    os.environ["MLFLOW_ENABLE_WORKSPACES"] = "true"
    from mlflow.utils.workspace_context import WorkspaceContext

    with WorkspaceContext(wanted["workspace"]):
        return clean(_get_store(settings["backend_store_uri"], settings["default_artifact_root"]))


json.dump(inside_workspace(), out)
out.flush()
