"""MLflow dies, and the gateway is stopped, while people work."""

import contextlib
import hashlib
import http.client
import os
import re
import secrets
import signal
import socket
import subprocess
import threading
import time
from base64 import b64encode

import pytest
import requests

from world import ROOT, VERA, eventually


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
    assert (ready.status_code, ready.json()["checks"]) == (503, {"mlflow": "unavailable", "database": "ok", "sessions": "ok"})
    assert requests.get(world.url + "/health", timeout=10).status_code == 200

    eventually(lambda: requests.get(world.url + "/health/ready", timeout=10).status_code == 200, "MLflow is back", 180)
    world.times.append(("killed, until it was back", time.monotonic() - killed))
    assert world.uvicorn()[0] != pid
    with world.acting(VERA) as client:
        assert client.get_run(work.run).info.run_id == work.run


class Replica:
    """A second gateway before the same MLflow and with the same users, in the skinny way."""

    def __init__(self, world, directory):
        self.log = directory / "replica.log"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen([ROOT / "bin/mlflow-oidc-auth", "serve"], cwd=directory, stdout=output, stderr=subprocess.STDOUT, env=os.environ | {
                "LISTEN_ADDR": "127.0.0.1:0", "MLFLOW_UPSTREAM": f"unix://{world.socket()}", "SECRET_KEY": secrets.token_urlsafe(32),
                "OIDC_USERS_DB_URI": f"sqlite:///{world.dir}/auth.db", "SESSION_FILE_DIR": str(directory / "sessions"),
                "OIDC_DISCOVERY_URL": "http://127.0.0.1:9/.well-known/openid-configuration", "OIDC_CLIENT_ID": "replica", "OIDC_CLIENT_SECRET": "secret",
                "OIDC_GROUP_NAME": "mlflow", "OIDC_ADMIN_GROUP_NAME": "mlflow-admin"})
        eventually(lambda: "msg=serving" in self.log.read_text() or self.process.poll() is not None, "the replica serves")
        assert self.process.poll() is None, self.log.read_text()
        self.address = re.search(r"address=http://(\S+)", self.log.read_text())[1]

    def stop(self):
        """Sends SIGTERM, and gives back once no new connection is taken."""
        self.process.send_signal(signal.SIGTERM)

        def closed():
            with contextlib.closing(socket.socket()) as probe:
                return probe.connect_ex(tuple_of(self.address)) != 0
        eventually(closed, "the replica takes no more connections")


def tuple_of(address):
    host, port = address.split(":")
    return host, int(port)


@pytest.fixture
def replica(world, tmp_path):
    made = Replica(world, tmp_path)
    yield made
    if made.process.poll() is None:
        made.process.kill()
        made.process.wait()


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
    replica = Replica(world, tmp_path)
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
