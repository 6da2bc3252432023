"""The development server as a process: the real gateway, the real MLflow, an OpenID provider and sample people."""

import contextlib
import json
import os
import pathlib
import re
import secrets
import signal
import socket
import subprocess
import sys
import time

import mlflow
import requests

ROOT = pathlib.Path(__file__).resolve().parents[2]
MLFLOW = pathlib.Path(sys.executable).parent / "mlflow"

ADA, VERA, FRED = "ada@example.com", "vera@example.com", "fred@example.com"

GREETED = "Ctrl-C stops everything"


def eventually(check, what, seconds=60):
    """Gives the first true answer of the check."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := check():
            return answer
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} seconds: {what}")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def tuple_of(address):
    host, port = address.split(":")
    return host, int(port)


def ok(answer):
    """Gives what a request that has to succeed is answered with."""
    assert answer.ok, answer.text
    return answer.json() if answer.content else {}


def processes():
    """Gives every process that runs: its parent and its command line."""
    listed = subprocess.run(["ps", "-A", "-ww", "-o", "pid=,ppid=,args="], check=True, capture_output=True, text=True)
    rows = (line.split(None, 2) for line in listed.stdout.splitlines())
    return {int(row[0]): (int(row[1]), row[2]) for row in rows if len(row) == 3 and "<defunct>" not in row[2]}


def descendants(pid):
    """Gives the command line of every process below one, by process id."""
    everything = processes()
    found, parents = {}, {pid}
    while parents:
        below = {child: args for child, (parent, args) in everything.items() if parent in parents}
        found |= below
        parents = set(below)
    return found


class Gateway:
    """A gateway beside that of the development server, before the same MLflow, in the skinny way; with settings in its .env."""

    def __init__(self, world, directory, settings, program=ROOT / "bin/mlflow-oidc-auth"):
        self.log = directory / "gateway.log"
        (directory / ".env").write_text("\n".join(f"{name}={value}" for name, value in settings.items()))
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [program, "serve"], cwd=directory, stdout=output, stderr=subprocess.STDOUT,
                env={"LISTEN_ADDR": "127.0.0.1:0", "SECRET_KEY": secrets.token_urlsafe(32)} | os.environ | {"MLFLOW_UPSTREAM": f"unix://{world.socket()}"})
        eventually(lambda: "msg=serving" in self.log.read_text() or self.process.poll() is not None, "the gateway serves")
        assert self.process.poll() is None, self.log.read_text()
        self.address = re.search(r"address=http://(\S+)", self.log.read_text())[1]
        self.url = "http://" + self.address

    def stop(self):
        """Sends SIGTERM, and gives back once no new connection is taken."""
        self.process.send_signal(signal.SIGTERM)

        def closed():
            with contextlib.closing(socket.socket()) as probe:
                return probe.connect_ex(tuple_of(self.address)) != 0
        eventually(closed, "the gateway takes no more connections")

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class World:
    """A development server whose data outlives its restarts."""

    def __init__(self, directory):
        self.dir = directory / "data"
        self.log = directory / "output.log"
        self.process = None
        self.times = []  # what MLflow took, for the summary

    def start(self, listen, **settings):
        began = time.monotonic()
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [ROOT / "scripts/run-dev-server.sh", "-mlflow", MLFLOW, "-dir", self.dir, "-listen", listen],
                stdout=output, stderr=subprocess.STDOUT, env=os.environ | {"MLFLOW_STATIC_PREFIX": ""} | settings)
        eventually(lambda: self.process.poll() is not None or GREETED in self.output(), "the greeting", 300)
        assert self.process.poll() is None, self.output()
        self.times.append(("started, from its script to the greeting", time.monotonic() - began))
        self.url = re.search(r"is at  (http://\S+)", self.output())[1]
        self.tokens = json.loads((self.dir / "tokens.json").read_text())

    def output(self):
        return self.log.read_text(errors="replace")

    def stop(self):
        """Stops as Ctrl-C does, and gives the exit code and what was left running."""
        before, sockets = descendants(self.process.pid), self.socket().parent
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(90)
        after = processes()
        left = [args for pid, args in before.items() if pid in after and after[pid][1] == args]
        left += [str(sockets)] if sockets.exists() else []
        return code, left

    def uvicorn(self):
        """Gives MLflow's server process and its command line; nothing while it is down."""
        found = [(pid, args) for pid, args in descendants(self.process.pid).items() if "-m uvicorn" in args and "--uds" in args]
        return found[0] if found else None

    def socket(self):
        return pathlib.Path(re.search(r"--uds (\S+)", self.uvicorn()[1])[1])

    def ask(self, person, method, path, at=None, **how):
        """Sends a request with the person's token."""
        return requests.request(method, (at or self.url) + path, auth=(person, self.tokens[person]), timeout=60, **how)

    def signed_in(self, person):
        """Gives a browser's session of the person, without a browser."""
        session = requests.Session()
        page = session.get(self.url + "/login/start?next=/auth/status", timeout=60)
        status = session.post(page.url, data={"person": "development|" + person}, timeout=60)
        assert status.json()["username"] == person, status.text
        session.headers["Sec-Fetch-Site"] = "same-origin"
        return session

    def new_token(self, person, **how):
        """Has the administrator make a token: a session can, a token cannot."""
        made = self.signed_in(ADA).patch(self.url + "/api/2.0/mlflow/users/access-token", json={"username": person, **how}, timeout=60)
        assert made.status_code == 200, made.text
        return made.json()["token"]

    def give(self, owner, person, segment, resource, level):
        answer = self.ask(owner, "POST", f"/api/2.0/mlflow/permissions/users/{person}/{segment}/{resource}", json={"permission": level})
        assert answer.status_code in (200, 201), answer.text

    def take(self, owner, person, segment, resource):
        answer = self.ask(owner, "DELETE", f"/api/2.0/mlflow/permissions/users/{person}/{segment}/{resource}")
        assert answer.status_code == 200, answer.text

    @contextlib.contextmanager
    def acting(self, username, token=None):
        """Makes the mlflow client of this process the client of a person, or of nobody."""
        names = {"MLFLOW_TRACKING_URI": self.url, "MLFLOW_TRACKING_USERNAME": username,
                 "MLFLOW_TRACKING_PASSWORD": token or self.tokens.get(username)}
        kept = {name: os.environ.pop(name, None) for name in names}
        os.environ.update({name: value for name, value in names.items() if value is not None})
        mlflow.set_tracking_uri(self.url)
        mlflow.set_registry_uri(self.url)
        try:
            yield mlflow.MlflowClient()
        finally:
            for name, value in kept.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value
