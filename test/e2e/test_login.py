"""Signing in at a terminal, and what the mlflow client makes of it: a person approves once, and no token is copied."""

import contextlib
import http.server
import json
import os
import re
import subprocess
import sys
import threading
import time
import tomllib

import pytest

import requests

from browser import opened, sign_in
from world import ROOT, VERA, eventually

BINARY = ROOT / "bin/mlflow-oidc-auth"

# What a training script does, in a process of its own.
WORK = """
import os, pathlib, time
import mlflow
start = os.environ.get("START")
while start and not pathlib.Path(start).exists():
    time.sleep(0.01)
client = mlflow.MlflowClient()
run = client.create_run(os.environ["EXPERIMENT"])
client.log_metric(run.info.run_id, "loss", 0.5)
print(client.get_run(run.info.run_id).data.metrics["loss"])
"""


class Terminal:
    """A person's terminal: where they have signed in, and what they run."""

    def __init__(self, world, folder):
        self.world = world
        self.file = folder / "credentials.json"
        # As pip would install it: the metadata of the package beside its source.
        project = tomllib.loads((ROOT / "python/pyproject.toml").read_text())["project"]
        version = (ROOT / "internal/release/version.txt").read_text().strip()
        metadata = folder / f"mlflow_oidc_auth-{version}.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {version}\n")
        (metadata / "entry_points.txt").write_text("".join(
            f"[{group}]\n" + "".join(f"{name} = {at}\n" for name, at in points.items()) for group, points in project["entry-points"].items()))
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_TRACKING", "SSH_"))} | {
            "MLFLOW_OIDC_CREDENTIALS_FILE": str(self.file), "MLFLOW_TRACKING_URI": world.url, "MLFLOW_TRACKING_AUTH": "oidc",
            "PYTHONPATH": f"{ROOT / 'python/src'}{os.pathsep}{folder}"}

    def start(self, *command, **environment):
        return subprocess.Popen(command, env=self.environment | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *command, **environment):
        done = subprocess.run(command, env=self.environment | environment, capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout + done.stderr

    def kept(self):
        return json.loads(self.file.read_text())["servers"][self.world.url]

    def change(self, **what):
        """Changes what is kept, as time does."""
        self.file.write_text(json.dumps({"version": 1, "servers": {self.world.url: self.kept() | what}}))

    def login_by_code(self, chromium):
        """Signs Vera in with a browser elsewhere."""
        program = self.start(BINARY, "login", self.world.url, "--device")
        said = ""
        while not (code := re.search(r"[B-Z]{4}-[B-Z]{4}", said)):
            said += program.stderr.readline() or pytest.fail(said)
        with opened(chromium) as page:
            sign_in(page, "Vera Vision", re.search(r"Open (\S+)", said)[1])
            page.get_by_label("Code").fill(code[0].lower())
            page.get_by_role("button", name="Go on").click()
            assert code[0] in page.inner_text("main") and VERA in page.inner_text("main")
            page.get_by_role("button", name="Approve").click()
            page.get_by_text("Go back to your terminal").wait_for()
        assert program.wait(60) == 0, program.stderr.read()


@pytest.fixture(scope="module")
def experiment(world):
    with world.acting(VERA) as client:
        return client.create_experiment("e2e/terminal")


@pytest.fixture(scope="module")
def terminal(world, chromium, experiment, tmp_path_factory):
    made = Terminal(world, tmp_path_factory.mktemp("terminal"))
    made.environment["EXPERIMENT"] = experiment
    made.login_by_code(chromium)
    return made


def test_client_works_with_the_sign_in(terminal):
    assert terminal.file.stat().st_mode & 0o777 == 0o600
    assert terminal.run(sys.executable, "-c", WORK) == (0, "0.5\n")


def test_expired_token_is_renewed_without_the_person(terminal):
    before = terminal.kept()
    terminal.change(expires_at=time.time() - 1)
    assert terminal.run(sys.executable, "-c", WORK) == (0, "0.5\n")
    after = terminal.kept()
    assert after["access_token"] != before["access_token"] and after["expires_at"] > time.time() + 3600
    assert terminal.file.stat().st_mode & 0o777 == 0o600

    terminal.change(access_token="mlo_which-the-server-does-not-know")  # to it, the same
    assert terminal.run(sys.executable, "-c", WORK) == (0, "0.5\n")
    assert terminal.run(BINARY, "token") == (0, terminal.kept()["access_token"] + "\n")


def test_programs_that_renew_at_once_do_not_end_the_sign_in(terminal, tmp_path):
    terminal.change(expires_at=time.time() - 1)
    go = tmp_path / "go"
    programs = [terminal.start(sys.executable, "-c", WORK, START=str(go)) for _ in range(2)] + [terminal.start(BINARY, "token") for _ in range(3)]
    go.touch()
    said = [(*program.communicate(timeout=120), program.returncode) for program in programs]
    assert [code for _, _, code in said] == [0] * 5, said
    assert {out for out, _, _ in said[2:]} == {terminal.kept()["access_token"] + "\n"}
    terminal.change(expires_at=time.time() - 1)  # and goes on
    assert terminal.run(BINARY, "token") == (0, terminal.kept()["access_token"] + "\n")


def test_revoked_sign_in_says_so(terminal, world):
    vera = world.signed_in(VERA)
    tokens = vera.get(world.url + "/api/2.0/mlflow/users/current/tokens", timeout=60).json()["tokens"]
    own = [token for token in tokens if terminal.kept()["access_token"].startswith(token["token_prefix"])]
    assert len(own) == 1 and own[0]["name"].startswith("signed in at a terminal"), tokens
    revoked = vera.delete(f"{world.url}/api/2.0/mlflow/users/current/tokens/{own[0]['id']}", timeout=60)
    assert revoked.status_code == 200, revoked.text
    code, said = terminal.run(sys.executable, "-c", WORK)
    assert code != 0 and "has ended" in said and f"mlflow-oidc-auth login {world.url}" in said
    code, said = terminal.run(BINARY, "token")
    assert code != 0 and f"mlflow-oidc-auth login {world.url}" in said


def test_browser_of_the_machine_brings_the_code_back(world, chromium, tmp_path):
    terminal = Terminal(world, tmp_path)
    opened_at = tmp_path / "opened"
    opener = tmp_path / "bin/xdg-open"
    opener.parent.mkdir()
    opener.write_text(f'#!/bin/sh\nprintf %s "$1" >{opened_at}\n')
    opener.chmod(0o755)
    program = terminal.start(BINARY, "login", world.url, "--read-only", DISPLAY=":0", PATH=f"{opener.parent}{os.pathsep}{os.environ['PATH']}")
    address = eventually(lambda: opened_at.exists() and opened_at.read_text(), "the browser is opened")
    with opened(chromium) as page:
        sign_in(page, "Vera Vision", address)
        page.get_by_text("reading what you may read").wait_for()
        page.get_by_role("button", name="Approve").click()
        page.wait_for_url(re.compile(r"^http://127\.0\.0\.1:\d+/callback\?"))
        assert "Go back to your terminal" in page.inner_text("body")
    assert program.wait(60) == 0, program.stderr.read()
    assert terminal.kept()["scope"] == "read"
    assert terminal.run(BINARY, "logout") == (0, "")
    code, said = terminal.run(BINARY, "logout", world.url)
    assert code != 0 and "not signed in" in said


@pytest.fixture
def plugin(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "python/src"))
    import mlflow_oidc_auth_client
    return mlflow_oidc_auth_client


def test_token_goes_to_its_server_alone(plugin):
    within = plugin.credentials.within
    for address, server, belongs in [
            ("https://h/api", "https://h", True), ("https://H:443/api", "https://h", True), ("https://h/p/api", "https://h/p", True),
            ("https://h", "https://h", True), ("http://h/api", "https://h", False), ("https://h:8443/api", "https://h", False),
            ("https://h.evil/api", "https://h", False), ("https://h@evil/api", "https://h", False), ("https://evil\\@h/api", "https://h", False),
            ("https://h/pp/api", "https://h/p", False), ("https://h/api", "https://h/p", False), ("http://h:80/", "http://h", True),
            ("https://h./api", "https://h", False), ("ftp://h/api", "https://h", False), ("https://h:x/api", "https://h", False)]:
        assert within(address, server) is belongs, address


@contextlib.contextmanager
def serving(answer):
    """A server that tells what each request brought; gives its address."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            status, headers = answer(self.path, self.headers.get("Authorization"))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_token_follows_no_redirect_elsewhere(plugin, tmp_path):
    seen = []
    with serving(lambda path, token: seen.append(token) or (401, {})) as other, \
            serving(lambda path, token: seen.append(token) or (302, {"Location": other + path})) as own:
        file = tmp_path / "credentials.json"
        file.touch(0o600)
        now = time.time()
        file.write_text(json.dumps({"version": 1, "servers": {own: {"token_endpoint": own + "/token", "revocation_endpoint": own, "access_token": "mlo_a",
                                                                   "refresh_token": "mlr_a", "obtained_at": now, "expires_at": now + 3600}}}))
        auth = plugin.Auth(plugin.Credentials(file))
        assert requests.get(own + "/x", auth=auth, timeout=10).status_code == 401
        assert seen == ["Bearer mlo_a", None]
        with pytest.raises(plugin.SignInError, match="not signed in"):
            requests.get(other, auth=auth, timeout=10)
        file.chmod(0o640)
        with pytest.raises(plugin.SignInError, match="yours alone"):
            requests.get(own, auth=auth, timeout=10)
    assert len(seen) == 2
