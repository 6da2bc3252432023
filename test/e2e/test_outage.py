"""MLflow dies, and the gateway is stopped, while people work."""

import contextlib
import hashlib
import http.client
import os
import signal
import threading
import time
from base64 import b64encode

import pytest
import requests

from world import VERA, Gateway, eventually


def test_killed_mlflow_is_told_apart_and_comes_back(world, work):
    pid, _ = world.uvicorn()
    os.kill(pid, signal.SIGKILL)
    killed = time.monotonic()

    def down():
        answer = world.ask(VERA, "GET", "/api/2.0/mlflow/runs/get", params={"run_id": work.run})
        return [answer] if answer.status_code != 200 else None
    [answer] = eventually(down, "requests are refused")
    assert answer.status_code == 502
    assert answer.json()["error_code"] == "TEMPORARILY_UNAVAILABLE"
    assert "MLflow" in answer.json()["message"]
    ready = requests.get(world.url + "/health/ready", timeout=10)
    assert (ready.status_code, ready.json()["checks"]) == (503, {"mlflow": False, "database": True, "sessions": True})
    assert requests.get(world.url + "/health", timeout=10).status_code == 200
    own = requests.get(world.url + "/health/ready?without=mlflow", timeout=10)  # a balancer that asks so keeps the gateway's own pages
    assert (own.status_code, own.json()["checks"]) == (200, {"database": True, "sessions": True})

    eventually(lambda: requests.get(world.url + "/health/ready", timeout=10).status_code == 200, "MLflow is back", 180)
    world.times.append(("killed, until it was back", time.monotonic() - killed))
    assert world.uvicorn()[0] != pid
    with world.acting(VERA) as client:
        assert client.get_run(work.run).info.run_id == work.run


def replica_of(world, directory):
    """Gives a second gateway before the same MLflow, with the same users."""
    return Gateway(world, directory, {
        "OIDC_USERS_DB_URI": f"sqlite:///{world.dir}/auth.db", "OIDC_DISCOVERY_URL": "http://127.0.0.1:9/.well-known/openid-configuration",
        "OIDC_CLIENT_ID": "replica", "OIDC_CLIENT_SECRET": "secret"})


@pytest.fixture
def replica(world, tmp_path):
    made = replica_of(world, tmp_path)
    yield made
    made.end()


def authorization(world):
    return "Basic " + b64encode(f"{VERA}:{world.tokens[VERA]}".encode()).decode()


def upload(world, address, path, pieces):
    """Streams an upload piece by piece, as they come."""
    connection = http.client.HTTPConnection(address, timeout=60)
    connection.request("PUT", path, body=pieces, encode_chunked=True, headers={
        "Authorization": authorization(world), "Content-Type": "application/octet-stream", "Transfer-Encoding": "chunked"})
    with contextlib.closing(connection):
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_upload_under_way_is_finished_before_the_gateway_stops(world, work, replica):
    path = f"/api/2.0/mlflow-artifacts/artifacts/{work.experiment}/{work.run}/artifacts/slow.bin"
    piece = b"x" * (1 << 20)

    def pieces():
        for _ in range(20):  # more than all buffers on the way hold: the gateway is reading
            yield piece
        replica.stop()
        for _ in range(20):
            yield piece
    assert upload(world, replica.address, path, pieces())[0] == 200
    assert replica.process.wait(60) == 0
    assert world.ask(VERA, "GET", path).content == 40 * piece


def test_download_under_way_is_finished_before_the_gateway_stops(world, work, replica):
    path = f"/api/2.0/mlflow-artifacts/artifacts/{work.experiment}/{work.run}/artifacts/{work.file}"
    connection = http.client.HTTPConnection(replica.address, timeout=60)
    with contextlib.closing(connection):
        connection.request("GET", path, headers={"Authorization": authorization(world)})
        answer = connection.getresponse()
        content = hashlib.sha256(answer.read(1 << 16))  # far more is left than all buffers on the way hold
        replica.stop()
        while piece := answer.read(1 << 20):
            content.update(piece)
    assert content.hexdigest() == work.sha256
    assert replica.process.wait(60) == 0


def test_stopping_cuts_what_does_not_end_within_the_grace_time(world, work, tmp_path, monkeypatch):
    monkeypatch.setenv("SHUTDOWN_GRACE_SECONDS", "1")
    replica = replica_of(world, tmp_path)
    ended = threading.Event()

    def pieces():
        yield b"begun"
        replica.stop()
        ended.wait(60)
    path = f"/api/2.0/mlflow-artifacts/artifacts/{work.experiment}/{work.run}/artifacts/never.bin"

    def cut():
        with contextlib.suppress(OSError, http.client.HTTPException):
            upload(world, replica.address, path, pieces())
    uploading = threading.Thread(target=cut)
    uploading.start()
    try:
        assert replica.process.wait(30) == 0
    finally:
        replica.process.kill()
        ended.set()
        uploading.join(60)
