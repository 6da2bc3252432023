"""The Python plugin 11.0.2 as a process, with a database of its own, to be compared with. People are signed in to it by its own code,
as by a browser: the cookie holds the id of a session, and is signed as Starlette signs it."""

import contextlib
import http.server
import json
import os
import subprocess
import threading

import requests

from world import ROOT, eventually, free_port

PYTHON = ROOT / ".plugin/bin/python"

SECRET = "nobody-guesses-this-one-4711"

PEOPLE = """
import base64, json, os, sys
from datetime import datetime, timedelta, timezone
from itsdangerous import TimestampSigner
from mlflow_oidc_auth.store import store
for name in sys.argv[1:]:
    store.create_user(name, name.split("@")[0], is_admin=name == sys.argv[1])
    session = store.create_auth_session(name, datetime.now(timezone.utc) + timedelta(days=1))
    data = base64.b64encode(json.dumps({"session_id": session}).encode())
    print("cookie", name, TimestampSigner(os.environ["SECRET_KEY"]).sign(data).decode())
"""


@contextlib.contextmanager
def provider():
    """An OpenID provider that says where it is, and nothing else: as far as a sign-in is compared. Gives its address."""
    class Discovery(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            said = json.dumps({"issuer": issuer, "authorization_endpoint": issuer + "/authorize", "token_endpoint": issuer + "/token",
                               "jwks_uri": issuer + "/jwks", "code_challenge_methods_supported": ["S256"], "keys": []}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_):
            pass
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Discovery) as server:
        issuer = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield issuer
        server.shutdown()


class Plugin:
    """MLflow with the plugin inside it. The first of the people is an administrator."""

    def __init__(self, directory, issuer, **settings):
        self.dir, self.log, self.process = directory, directory / "plugin.log", None
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(("OIDC_", "MLFLOW_TRACKING_"))} | settings | {
            "OIDC_USERS_DB_URI": f"sqlite:///{directory}/users.db", "SECRET_KEY": SECRET, "OIDC_CLIENT_ID": "a", "OIDC_CLIENT_SECRET": "b",
            "OIDC_DISCOVERY_URL": issuer + "/.well-known/openid-configuration", "MLFLOW_CRYPTO_KEK_PASSPHRASE": "nobody guesses this passphrase"}

    def start(self, people):
        printed = subprocess.run([PYTHON, "-c", PEOPLE, *people], cwd=self.dir, env=self.env, check=True, capture_output=True, text=True).stdout
        self.cookies = dict(line.split()[1:] for line in printed.splitlines() if line.startswith("cookie "))
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [PYTHON.parent / "mlflow", "server", "--app-name", "oidc-auth", "--port", str(port), "--workers", "1", "--backend-store-uri",
                 f"sqlite:///{self.dir}/mlflow.db", "--artifacts-destination", str(self.dir / "artifacts")],
                cwd=self.dir, env=self.env, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)

    def wait(self):
        def answers():
            assert self.process.poll() is None, self.log.read_text()
            try:
                return requests.get(self.url + "/health/live", timeout=5).ok
            except requests.ConnectionError:
                return False
        eventually(answers, "the plugin answers", 180)

    def end(self):
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, 15)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, 9)
                self.process.wait()
