"""The Python wheel, as pip installs it: the program alone before a server that runs already, and the whole with an MLflow of its own."""

import contextlib
import email
import json
import os
import pathlib
import re
import secrets
import shutil
import signal
import subprocess
import sys
import zipfile

import pytest
import requests

from browser import opened
from providers import NORA, OIDCProvider
from world import FRED, ROOT, VERA, Gateway, descendants, eventually, free_port, processes

VERSION = (ROOT / "internal/release/version.txt").read_text().strip()

# As somebody has it who runs the commands: nothing of the environment that the tests run in.
PLAIN = {name: value for name, value in os.environ.items()
         if not name.startswith(("PYTHON", "VIRTUAL_ENV", "MLFLOW_TRACKING", "MLFLOW_STATIC"))}


def run(*command, **how):
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, **{"env": PLAIN} | how)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(root):
    return pathlib.Path(run(root / "scripts/wheel.sh").splitlines()[-1])


@pytest.fixture(scope="module")
def wheel():
    return build(ROOT)


class Environment:
    """A Python environment of its own."""

    def __init__(self, folder):
        self.bin = folder / "bin"
        self.python = self.bin / "python"
        run(sys.executable, "-m", "venv", folder)

    def packages(self):
        return {one["name"] for one in json.loads(run(self.python, "-m", "pip", "list", "--format", "json"))}


@pytest.fixture(scope="module")
def skinny(wheel, tmp_path_factory):
    made = Environment(tmp_path_factory.mktemp("skinny"))
    run(made.python, "-m", "pip", "install", "--no-index", wheel)
    return made


@pytest.fixture(scope="module")
def full(wheel, tmp_path_factory):
    """An environment with the versions of .venv, whose files it shares where uv installs them."""
    folder = tmp_path_factory.mktemp("full")
    made = Environment(folder)
    uv = pathlib.Path(sys.executable).parent / "uv"
    if uv.exists():
        (made.bin / "uv").symlink_to(uv)
    versions = folder / "versions.txt"
    versions.write_text(run(sys.executable, "-c", "from importlib.metadata import distributions as all\n"
                            "for one in all(): print(f'{one.name}=={one.version}')"))
    run(ROOT / "scripts/pip.sh", folder, "-c", versions, f"mlflow-oidc-auth[full] @ {wheel.as_uri()}")
    return made


def test_same_sources_give_the_same_bytes(wheel, tmp_path):
    """Elsewhere, by somebody whose files others may not read, and at another time."""
    there = tmp_path / "elsewhere"
    kept = os.umask(0o077)
    try:
        for name in ("cmd", "internal", "python", "scripts"):
            shutil.copytree(ROOT / name, there / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("go.mod", "go.sum", "LICENSE"):
            shutil.copy(ROOT / name, there)
        (there / "build").mkdir()
        (there / "build/hatch").symlink_to(ROOT / "build/hatch")
        again = build(there)
    finally:
        os.umask(kept)
    assert again.name == wheel.name and again.read_bytes() == wheel.read_bytes()


def test_wheel_says_what_it_is(wheel):
    with zipfile.ZipFile(wheel) as content:
        [name] = [name for name in content.namelist() if name.endswith("dist-info/METADATA")]
        said = email.message_from_bytes(content.read(name))
        licences = content.read(name.replace("METADATA", "extra_metadata/THIRD_PARTY_LICENSES.txt")).decode()
    assert (said["Name"], said["Version"]) == ("mlflow-oidc-auth", VERSION)
    assert tuple(map(int, VERSION.split("."))) > (11, 0, 2)  # the Python plugin's, whose place it takes
    assert said.get_all("Requires-Dist") == ["mlflow<4,>=3.5; extra == 'full'"]

    assert all(name in licences for name in ("modernc.org/sqlite", "mousetrap", "@mantine/core", "Redistribution and use"))


def test_skinny_install_is_the_program_and_nothing_else(skinny):
    assert skinny.packages() - {"pip", "setuptools"} == {"mlflow-oidc-auth"}
    program = skinny.bin / "mlflow-oidc-auth"
    assert program.read_bytes()[:4] == b"\x7fELF"  # no Python starts first
    said = f"mlflow-oidc-auth version {VERSION}\n"
    assert run(program, "--version") == run(skinny.python, "-m", "mlflow_oidc_auth", "--version") == said
    wrong = subprocess.run([skinny.python, "-m", "mlflow_oidc_auth", "serve"], capture_output=True, text=True, cwd=skinny.bin, env=PLAIN)
    assert wrong.returncode == 1 and "SECRET_KEY" in wrong.stderr


class Installed(OIDCProvider):
    """oidc-provider, and what was installed behind it."""

    def __init__(self, start):
        super().__init__()
        self.start = start

    def open_gateway(self, world, directory, settings):
        self.gateway = self.start(world, directory, settings)
        self.url = self.gateway.url


@contextlib.contextmanager
def serving(start, world, directory):
    made = Installed(start)
    try:
        made.serve(world, directory)
        yield made
    finally:
        made.end()


def signed_in(site, page, person):
    site.sign_in(page, person, site.url + "/login?next=/auth/status")
    page.wait_for_url(site.url + "/auth/status")
    return page.context.request.get(site.url + "/api/2.0/mlflow/users/current").json()


def test_skinny_install_serves_in_front_of_a_server_that_runs(world, skinny, chromium, tmp_path):
    def start(world, directory, settings):
        return Gateway(world, directory, settings, skinny.bin / "mlflow-oidc-auth")
    with serving(start, world, tmp_path) as site, opened(chromium) as page:
        assert signed_in(site, page, VERA)["username"] == VERA
        made = page.context.request.post(site.url + "/api/2.0/mlflow/experiments/create", data={"name": "e2e/skinny"}, headers={"Origin": site.url})
        assert made.ok, made.text()
        assert requests.get(f"{site.url}/api/2.0/mlflow/experiments/get?experiment_id={made.json()['experiment_id']}", timeout=60).status_code == 401


class MLflowServer:
    """`mlflow server --app-name oidc-auth` of an environment, in a folder with an .env."""

    def __init__(self, full, directory, settings):
        self.directory, self.log = directory, directory / "output.log"
        settings = {"SECRET_KEY": secrets.token_urlsafe(32)} | settings
        (directory / ".env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [full.bin / "mlflow", "server", "--app-name", "oidc-auth", "--host", "127.0.0.1", "--port", str(self.port), "--workers", "1",
                 "--backend-store-uri", f"sqlite:///{directory}/mlflow.db", "--artifacts-destination", directory / "artifacts",
                 "--allowed-hosts", "mlflow.example.com", "--cors-allowed-origins", "https://mlflow.example.com"],
                cwd=directory, stdout=output, stderr=subprocess.STDOUT, env=PLAIN)

    def await_ready(self):
        def ready():
            assert self.process.poll() is None, self.log.read_text()
            with contextlib.suppress(requests.ConnectionError):
                return requests.get(self.url + "/health/ready", timeout=10).ok
        eventually(ready, "the gateway and MLflow answer", 300)

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(90)


@pytest.fixture(scope="module")
def site(world, full, tmp_path_factory):
    def start(world, directory, settings):
        return MLflowServer(full, directory, settings)
    with serving(start, world, tmp_path_factory.mktemp("full-site")) as made:
        made.gateway.await_ready()
        yield made


def test_mlflows_own_command_becomes_the_gateway(site, full):
    pid = site.gateway.process.pid
    assert os.readlink(f"/proc/{pid}/exe") == str(full.bin / "mlflow-oidc-auth")
    assert f"command={full.bin / 'mlflow'} " in site.gateway.log.read_text()
    held = [os.readlink(at) for at in pathlib.Path(f"/proc/{pid}/fd").iterdir() if at.is_symlink()]
    assert not [path for path in held if "mlflow.db" in path]  # of MLflow's own command, before


def listening(pids):
    """Gives the TCP ports that processes listen on, as the kernel has them."""
    inodes = set()
    for pid in pids:
        with contextlib.suppress(FileNotFoundError):
            inodes |= {os.readlink(at) for at in pathlib.Path(f"/proc/{pid}/fd").iterdir()}
    rows = [row.split() for table in ("tcp", "tcp6") for row in pathlib.Path(f"/proc/net/{table}").read_text().splitlines()[1:]]
    return {int(row[1].rsplit(":", 1)[1], 16) for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in inodes}


def test_attack_mlflow_past_the_gateway(site):
    """MLflow listens on no port at all, and on a socket in a folder of the gateway's user."""
    below = descendants(site.gateway.process.pid)
    assert [args for args in below.values() if "-m uvicorn" in args]
    [jobs] = listening([site.gateway.process.pid]) - {site.gateway.port}  # the way of MLflow's jobs, which needs a password
    assert requests.get(f"http://127.0.0.1:{jobs}/gateway/mlflow/v1/chat/completions", timeout=60).status_code == 401
    assert listening(below) == set()
    [socket] = {path for args in below.values() for path in re.findall(r"--uds (\S+)", args)}
    assert pathlib.Path(socket).parent.stat().st_mode & 0o777 == 0o700


# What a training script does.
WORK = """
import mlflow
mlflow.set_experiment("e2e/wheel")
with mlflow.start_run() as run:
    mlflow.log_metric("loss", 0.5)
    mlflow.log_text("done", "note.txt")
print(run.info.experiment_id, mlflow.get_run(run.info.run_id).data.metrics["loss"], mlflow.artifacts.load_text(run.info.artifact_uri + "/note.txt"))
"""


def test_somebody_signs_in_and_works_and_a_stranger_does_not(site, full, chromium, tmp_path):
    working = PLAIN | {"MLFLOW_TRACKING_URI": site.url, "MLFLOW_TRACKING_AUTH": "oidc",
                       "MLFLOW_OIDC_CREDENTIALS_FILE": str(tmp_path / "credentials.json")}
    refused = subprocess.run([full.python, "-c", WORK], capture_output=True, text=True, env=working)
    assert refused.returncode != 0 and "mlflow-oidc-auth login" in refused.stderr

    program = subprocess.Popen([full.bin / "mlflow-oidc-auth", "login", site.url, "--device"], env=working, stderr=subprocess.PIPE, text=True)
    said = ""
    while not (code := re.search(r"[B-Z]{4}-[B-Z]{4}", said)):
        said += program.stderr.readline() or pytest.fail(said)
    with opened(chromium) as page:
        site.sign_in(page, VERA, re.search(r"Open (\S+)", said)[1])
        page.get_by_label("Code").fill(code[0])
        page.get_by_role("button", name="Go on").click()
        page.get_by_role("button", name="Approve").click()
        page.get_by_text("Go back to your terminal").wait_for()
    assert program.wait(60) == 0
    experiment, loss, note = run(full.python, "-c", WORK, env=working).split()[-3:]
    assert (loss, note) == ("0.5", "done")

    at = f"{site.url}/api/2.0/mlflow/experiments/get?experiment_id={experiment}"
    assert requests.get(at, timeout=60).status_code == 401
    with opened(chromium) as page, opened(chromium) as other:
        assert signed_in(site, page, FRED)["username"] == FRED
        assert page.context.request.get(at).status == 404
        site.sign_in(other, NORA, site.url + "/")
        other.get_by_text("none of the groups").wait_for()
        assert other.context.request.get(at).status == 401


def test_end_of_the_command_is_the_end_of_everything(site):
    """Comes last: the signal reaches the gateway, whose exit code is the command's."""
    before = descendants(site.gateway.process.pid)
    site.gateway.process.send_signal(signal.SIGINT)
    assert site.gateway.process.wait(90) == 0
    assert not [args for pid, args in before.items() if processes().get(pid, (0, ""))[1] == args]


# Runs MLflow's command once for each line that it reads, in a process of its own: what takes seconds to import is imported once.
COMMANDS = """
import json, os, sys, types
import mlflow_oidc_auth.app, mlflow.cli, mlflow.server, mlflow.server.handlers
import mlflow.store.db.utils, mlflow.store.model_registry.sqlalchemy_store, mlflow.store.tracking.sqlalchemy_store
for line in sys.stdin:
    case = json.loads(line)
    pid = os.fork()
    if pid == 0:
        os.chdir(case["folder"])
        os.environ |= case["environment"]
        output = os.open("output.log", os.O_WRONLY | os.O_CREAT)
        os.dup2(output, 1), os.dup2(output, 2)
        if case["system"] != os.name:
            mlflow_oidc_auth.app.os = types.SimpleNamespace(name=case["system"])
        sys.exit(mlflow.cli.cli(case["arguments"], prog_name="mlflow"))
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""

# In the place of MLflow behind the gateway: writes down what it was asked for.
STAND_IN = """#!/bin/sh
printf '%s\\n' "$@" >asked.new
env >environment
mv asked.new asked
exec sleep 600
"""


class Started:
    """What came of a command: the gateway's arguments for MLflow, and its environment, if it came to that."""

    def __init__(self, folder, code):
        self.code, self.said = code, (folder / "output.log").read_text()
        self.asked = (folder / "asked").read_text().splitlines() if (folder / "asked").exists() else None
        self.environment = (folder / "environment").read_text().splitlines() if self.asked else None


@pytest.fixture(scope="module")
def commands(full):
    with subprocess.Popen([full.python, "-c", COMMANDS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=PLAIN) as process:
        yield process
        process.stdin.close()


@pytest.fixture
def command(commands, tmp_path):
    """Runs `mlflow server --app-name oidc-auth` with arguments, in a folder whose .env has settings, until it has ended or asked for MLflow."""
    stand_in = tmp_path / "stand in"
    stand_in.write_text(STAND_IN)
    stand_in.chmod(0o700)

    def run(*arguments, environment=None, system="posix", **settings):
        settings = {"SECRET_KEY": secrets.token_urlsafe(32), "OIDC_DISCOVERY_URL": "http://127.0.0.1:9/.well-known/openid-configuration",
                    "OIDC_CLIENT_ID": "mlflow", "OIDC_CLIENT_SECRET": "the secret of the client", "MLFLOW_COMMAND": stand_in} | settings
        (tmp_path / ".env").write_text("".join(f"{name}='{value}'\n" for name, value in settings.items()))
        commands.stdin.write(json.dumps({"folder": str(tmp_path), "environment": environment or {}, "system": system,
                                         "arguments": ["server", "--app-name", "oidc-auth", *arguments]}) + "\n")
        commands.stdin.flush()
        pid = int(commands.stdout.readline())
        said = lambda: (tmp_path / "output.log").exists() and "msg=serving" in (tmp_path / "output.log").read_text()
        eventually(lambda: said() and (tmp_path / "asked").exists() or pid not in processes(), "MLflow is started, or the command has ended")
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        return Started(tmp_path, int(commands.stdout.readline()))
    return run


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A database of MLflow's that is there already from the second time on."""
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"


def test_options_reach_mlflow_as_they_were_given(command, store):
    port = free_port()
    came = command("-h", "127.0.0.1", "-p", str(port), "-w", "3", "--backend-store-uri", store, "--static-prefix", "/mlflow", "--no-serve-artifacts",
                   "--default-artifact-root", "-odd name", "--secrets-cache-ttl", "30", "--disable-security-middleware")
    assert came.code == 0 and f"address=http://127.0.0.1:{port}/mlflow " in came.said
    socket = came.asked[-1]
    assert socket.startswith("--uds ")
    assert sorted(given(came)) == sorted([
        f"--backend-store-uri={store}", "--workers=3", "--static-prefix=/mlflow", "--no-serve-artifacts", "--default-artifact-root=-odd name",
        "--secrets-cache-ttl=30", "--disable-security-middleware"])


def given(came):
    """Gives what MLflow's command was given, without what the gateway adds."""
    assert (came.asked[0], came.asked[-2]) == ("server", "--uvicorn-opts") and came.asked[-6:-3] == ["--host", "127.0.0.1", "--port"]
    return came.asked[1:-6]


def test_what_the_environment_says_reaches_mlflow_by_the_environment(command, store):
    port = free_port()
    came = command(environment={"MLFLOW_PORT": str(port), "MLFLOW_BACKEND_STORE_URI": store, "MLFLOW_WORKERS": "2",
                                "MLFLOW_SERVER_ALLOWED_HOSTS": "mlflow.example.com"})
    assert f"address=http://127.0.0.1:{port} " in came.said
    assert given(came) == []
    assert {f"MLFLOW_BACKEND_STORE_URI={store}", "MLFLOW_WORKERS=2"} <= set(came.environment)
    # MLflow would answer no request that comes under another name, and the gateway's come under localhost.
    assert not [line for line in came.environment if line.startswith((
        "MLFLOW_SERVER_ALLOWED_HOSTS", "MLFLOW_PORT", "MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY", "SECRET"))]


def test_address_of_the_file_counts_where_the_command_line_says_none(command, store):
    port = free_port()
    came = command("--backend-store-uri", store, LISTEN_ADDR=f"127.0.0.1:{port}", environment={"MLFLOW_HOST": "0.0.0.0"})
    assert f"address=http://127.0.0.1:{port} " in came.said


@pytest.mark.parametrize("arguments, settings", [(["--enable-workspaces"], {}), ([], {"MLFLOW_ENABLE_WORKSPACES": "true"})])
def test_workspaces_by_the_command_line_or_the_file(command, store, arguments, settings):
    came = command("--port", str(free_port()), "--backend-store-uri", store, *arguments, **settings)
    assert came.asked.count("--enable-workspaces") == 1


@pytest.mark.parametrize("arguments, environment, named", [
    (["--uvicorn-opts", "--ssl-keyfile key.pem"], {}, "--uvicorn-opts cannot be used"),
    ([], {"MLFLOW_UVICORN_OPTS": "--reload"}, "MLFLOW_UVICORN_OPTS cannot be used"),
    (["--gunicorn-opts", "--timeout 120"], {}, "--gunicorn-opts cannot be used"),
    (["--waitress-opts", ""], {}, "--waitress-opts cannot be used"),
    (["--dev"], {}, "'--dev' cannot be used"),  # by MLflow itself
])
def test_what_serves_mlflow_otherwise_is_refused(command, store, arguments, environment, named):
    came = command("--host", "::1", "--port", "7000", "--backend-store-uri", store, "--artifacts-destination", "s3://key:password@bucket", *arguments,
                   environment=environment)
    assert came.code == 2 and came.asked is None and named in came.said
    assert "password" not in came.said and "Uvicorn running" not in came.said
    if "--dev" not in arguments:
        assert "LISTEN_ADDR='[::1]:7000' mlflow-oidc-auth serve -- --backend-store-uri … --artifacts-destination …" in came.said


def test_windows_is_told_another_way(command, store):
    came = command("--backend-store-uri", store, system="nt")
    assert came.code == 1 and came.asked is None and "MLFLOW_UPSTREAM=http://127.0.0.1:5001" in came.said


def test_setting_that_is_wrong_ends_the_command(command, store):
    came = command("--backend-store-uri", store, SESSION_TYPE="paper")
    assert came.code == 1 and came.asked is None and "SESSION_TYPE" in came.said


def test_exit_code_is_the_gateways(command, store):
    came = command("--backend-store-uri", store, "--port", "1", SECRET_KEY="short")
    assert came.code == 1 and came.asked is None and "mlflow-oidc-auth: SECRET_KEY" in came.said


@pytest.mark.parametrize("content", [None, "no program"])
def test_attack_program_that_is_gone_or_broken(command, store, full, content):
    """MLflow must not be served instead."""
    program, kept = full.bin / "mlflow-oidc-auth", full.bin / "kept"
    program.rename(kept)
    try:
        if content:
            program.write_text(content)
            program.chmod(0o755)
        came = command("--backend-store-uri", store)
    finally:
        kept.replace(program)
    assert came.code == 1 and came.asked is None and "the gateway cannot be started" in came.said


@pytest.mark.parametrize("server", [
    ["-m", "uvicorn", "--port", "0", "mlflow_oidc_auth.app:app"],
    ["-m", "uvicorn", "--port", "0", "--factory", "mlflow_oidc_auth.app:app"],
    ["-m", "gunicorn", "--check-config", "mlflow_oidc_auth.app:app"],
    ["-c", "from mlflow_oidc_auth.app import app"],
])
def test_attack_mlflow_served_as_an_app_of_another_server(full, server):
    """Whoever serves the entry point itself would serve MLflow to everybody, if it were MLflow."""
    done = subprocess.run([full.python, *server], capture_output=True, text=True, env=PLAIN, timeout=120)
    assert done.returncode != 0
    assert "mlflow-oidc-auth is no app" in done.stderr + done.stdout


def test_app_is_for_mlflows_command_with_its_name_alone(full):
    """Neither another command of click's, nor MLflow's with another app."""
    done = run(full.python, "-c", """
import click, mlflow.cli
from mlflow.server import _is_factory
for command, name in ((mlflow.cli.server, "basic-auth"), (mlflow.cli.gc, "oidc-auth"), (click.Command("server"), "oidc-auth")):
    with click.Context(command) as context:
        context.params = {"app_name": name}
        try:
            _is_factory("mlflow_oidc_auth.app:app")
        except RuntimeError as error:
            print(error)
""")
    assert done.count("mlflow-oidc-auth is no app") == 3
