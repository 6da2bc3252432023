"""The development server: what it prints is true, and it begins again where it stopped."""

import re
import socket
import stat
import subprocess
import threading

import pytest

from test_outage import upload
from world import ADA, FRED, VERA, eventually, tuple_of


BEFORE, AFTER = b"before " * (4 << 20), b"after"  # more than the buffers on the way hold: the gateway is reading it


def printed(world):
    """Gives the commands of the greeting, word for word."""
    section = world.output().split("Three things to try")[1].split("Everything is kept in")[0]
    commands = re.findall(r"^ \d\. .*\n((?:    .*\n)+)", section, re.MULTILINE)
    assert len(commands) == 3
    return commands


def shell(command):
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_printed_commands_work(world):
    who, client, share = printed(world)
    assert f'"username":"{VERA}"' in shell(who).replace(" ", "")
    listed = shell(client)
    assert "vision/digits" in listed and "forecast/demand" not in listed
    assert "has been created" in shell(share)
    with world.acting(FRED) as fred:
        id = fred.get_experiment_by_name("vision/digits").experiment_id
    world.take(ADA, FRED, "experiments", id)
    with world.acting(FRED) as fred:
        assert fred.get_experiment_by_name("vision/digits") is None


def test_sample_people_see_what_the_greeting_says(world):
    with world.acting(FRED) as fred:
        names = {e.name for e in fred.search_experiments()}
    assert {"forecast/demand", "shared/baseline"} <= names and "vision/digits" not in names


def test_secrets_are_readable_by_the_owner_alone(world):
    loose = {}
    for file in [world.dir, *world.dir.iterdir()]:
        mode = stat.S_IMODE(file.stat().st_mode)
        if mode & 0o077 and not file.name.startswith(("mlflow.db", "artifacts")):  # these are MLflow's own
            loose[file.name] = oct(mode)
    assert loose == {}
    assert stat.S_IMODE((world.dir / "tokens.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((world.dir / "secret_key").stat().st_mode) == 0o600


@pytest.fixture(scope="module")
def restarted(world):
    """Stops the server in the middle of an upload, takes its port, and starts it again on the same data."""
    world.signed_in(FRED)
    with world.acting(VERA) as client:
        id = client.get_experiment_by_name("vision/digits").experiment_id
        run = client.search_runs([id])[0].info.run_id
    path, taken = f"/api/2.0/mlflow-artifacts/artifacts/{id}/{run}/artifacts/slow.txt", world.url.removeprefix("http://")
    stopping, result = threading.Event(), {"tokens": world.tokens, "taken": taken, "path": path}

    def pieces():
        yield BEFORE
        stopping.set()
        eventually(lambda: "requests in flight may finish" in world.output(), "the gateway is stopping")
        yield AFTER
    uploading = threading.Thread(target=lambda: result.update(upload=upload(world, taken, path, pieces())[0]))
    uploading.start()
    assert stopping.wait(60)
    result["stop"] = world.stop()
    uploading.join(60)
    with socket.create_server(tuple_of(taken)):
        world.start(taken)
        yield result


def test_interrupt_stops_everything_and_cuts_nothing(restarted, world):
    assert restarted["stop"] == (0, [])
    assert restarted["upload"] == 200
    assert world.ask(VERA, "GET", restarted["path"]).content == BEFORE + AFTER


def test_taken_port_is_told_and_another_chosen(restarted, world):
    assert world.url != "http://" + restarted["taken"]
    assert f"{restarted['taken']} is in use; taking {world.url.removeprefix('http://')} instead" in world.output()


def test_tokens_outlive_a_restart(restarted, world):
    assert world.tokens == restarted["tokens"]
    assert f'"username":"{VERA}"' in shell(printed(world)[0]).replace(" ", "")


def test_who_has_signed_in_before_signs_in_again(restarted, world):
    world.signed_in(FRED)


def test_samples_are_made_once(restarted, world):
    with world.acting(ADA) as ada:
        experiments = [e for e in ada.search_experiments() if e.name in ("vision/digits", "forecast/demand", "shared/baseline")]
        runs = ada.search_runs([e.experiment_id for e in experiments])
        versions = ada.search_model_versions("name='digits-classifier'")
    assert (len(experiments), len(runs), len(versions)) == (3, 5, 1)
    patterns = world.ask(ADA, "GET", "/api/2.0/mlflow/permissions/groups/team-forecast/experiment-patterns").json()
    assert len(patterns) == 1
