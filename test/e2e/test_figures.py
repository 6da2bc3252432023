"""What the program takes: on disk, until it is ready, and in memory while nobody asks for anything."""

import os
import pathlib
import secrets
import statistics
import subprocess
import time

import pytest
import requests

from plugin import provider
from world import ROOT, free_port

MB = 1_000_000


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The program as it is released."""
    path = tmp_path_factory.mktemp("released") / "mlflow-oidc-auth"
    subprocess.run(["go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, "./cmd/mlflow-oidc-auth"], cwd=ROOT, check=True, env=os.environ | {"CGO_ENABLED": "0"})
    return path


@pytest.fixture
def start(program, world, tmp_path):
    """Starts it before an MLflow that is there, and gives the process and the seconds until it is ready."""
    started = []
    key = secrets.token_urlsafe(32)

    def begin():
        url = f"http://127.0.0.1:{free_port()}"
        settings = {"LISTEN_ADDR": url.removeprefix("http://"), "SECRET_KEY": key, "MLFLOW_UPSTREAM": f"unix://{world.socket()}", "OIDC_GROUP_NAME": "mlflow",
                    "OIDC_DISCOVERY_URL": issuer + "/.well-known/openid-configuration", "OIDC_CLIENT_ID": "x", "OIDC_CLIENT_SECRET": "y"}
        began = time.monotonic()
        started.append(subprocess.Popen([program, "serve"], cwd=tmp_path, env=os.environ | settings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        while True:
            try:
                if requests.get(url + "/health/ready", timeout=5).status_code == 200:
                    return started[-1], time.monotonic() - began
            except requests.ConnectionError:
                assert started[-1].poll() is None and time.monotonic() - began < 30
            time.sleep(0.005)

    with provider() as issuer:
        yield begin
    for process in started:
        process.terminate()
        process.wait(30)


def test_the_program_is_small(program):
    assert program.stat().st_size < 60 * MB


@pytest.mark.alone
def test_it_is_ready_at_once(start):
    start()  # makes its database
    times = [start()[1] for _ in range(5)]
    print("ready after", [round(t * 1000) for t in times], "ms")
    assert statistics.median(times) < 0.3


@pytest.mark.alone
def test_it_needs_little_memory_when_idle(start):
    process, _ = start()
    time.sleep(5)
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    resident = int(status.split("VmRSS:")[1].split()[0]) * 1024
    print("resident:", resident // MB, "MB")
    assert resident < 60 * MB
