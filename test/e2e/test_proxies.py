"""nginx with the configuration that docs/proxies.md has, in front of a gateway with the settings that it has beside it, and as a balancer."""

import base64
import contextlib
import json
import os
import re
import secrets
import shutil
import subprocess

import pytest
import urllib3

from handbook import blocks, of_walk
from world import ADA, ROOT, VERA, Gateway, eventually, free_port

PAGE, HOST = ROOT / "docs/proxies.md", "mlflow.example.com"
NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
AROUND = """
daemon off; master_process off; pid {dir}/pid; error_log {dir}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {dir}/body; proxy_temp_path {dir}/answers; fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
    include {dir}/page.conf;
}}
"""


class Proxy:
    """An nginx on loopback; what it writes to disk on the way shows in its folder."""

    def __init__(self, directory, gateway, changed=lambda text: text):
        self.dir, self.secure, self.plain = directory, free_port(), free_port()
        directory.mkdir()
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key", "-out", "crt", "-days", "2", "-subj", f"/CN={HOST}",
                        "-addext", f"subjectAltName=DNS:{HOST}"], cwd=directory, check=True, capture_output=True)
        [block] = of_walk("nginx")
        text = block.text
        for written, here in {"listen 443": f"listen 127.0.0.1:{self.secure}", "listen 80": f"listen 127.0.0.1:{self.plain}", "http://127.0.0.1:8080": gateway.url,
                              f"/etc/ssl/{HOST}.crt": f"{directory}/crt", f"/etc/ssl/{HOST}.key": f"{directory}/key"}.items():
            assert written in text
            text = text.replace(written, here)
        (directory / "page.conf").write_text(changed(text))
        (directory / "nginx.conf").write_text(AROUND.format(dir=directory))
        self.process = subprocess.Popen([NGINX, "-p", directory, "-c", directory / "nginx.conf"], stderr=subprocess.PIPE, text=True)
        # The client is another address of this machine, so that it is told apart from the proxy.
        self.pool = urllib3.HTTPSConnectionPool("127.0.0.1", self.secure, ca_certs=str(directory / "crt"), server_hostname=HOST, assert_hostname=HOST,
                                                source_address=("127.0.0.2", 0), retries=False, timeout=60)

        def answers():
            assert self.process.poll() is None, self.process.stderr.read()
            with contextlib.suppress(urllib3.exceptions.HTTPError):
                return self.ask("GET", "/health/live").status == 200
        eventually(answers, "nginx answers", 20)
        self.written = self.on_disk()

    def ask(self, method, path, headers=None, **how):
        return self.pool.urlopen(method, path, headers={"Host": HOST} | (headers or {}), redirect=False, **how)

    def on_disk(self):
        return [(self.dir / name).stat().st_mtime_ns for name in ("body", "answers")]

    def end(self):
        self.process.terminate()
        self.process.wait(20)
        self.process.stderr.close()


@pytest.fixture(scope="module")
def gateway(world, tmp_path_factory):
    [settings] = [block.text for block in blocks(PAGE) if block.language == "dotenv"]
    issuer = "http://" + (world.dir / "provider_address").read_text().strip()
    made = Gateway(world, tmp_path_factory.mktemp("gateway"), dict(line.split("=", 1) for line in settings.splitlines()) | {
        "OIDC_USERS_DB_URI": f"sqlite:///{world.dir}/auth.db", "OIDC_DISCOVERY_URL": issuer + "/.well-known/openid-configuration",
        "OIDC_CLIENT_ID": "mlflow-development", "OIDC_CLIENT_SECRET": "of nobody"})
    yield made
    made.end()


@pytest.fixture(scope="module")
def proxy(gateway, tmp_path_factory):
    made = Proxy(tmp_path_factory.mktemp("nginx") / "as-the-page-says", gateway)
    yield made
    made.end()


def as_(world, person):
    return {"Authorization": "Basic " + base64.b64encode(f"{person}:{world.tokens[person]}".encode()).decode()}


def test_sign_in_leads_to_the_provider_and_back_to_the_public_address(proxy):
    first = proxy.ask("GET", "/", {"Accept": "text/html", "Sec-Fetch-Dest": "document"})
    assert (first.status, first.headers["Location"].startswith("/login") or first.headers["Location"].startswith(f"https://{HOST}/login")) == (303, True)
    begun = proxy.ask("GET", "/login/start")
    assert begun.status == 303 and f"redirect_uri=https%3A%2F%2F{HOST}%2Fcallback" in begun.headers["Location"]
    assert "; Secure" in begun.headers["Set-Cookie"]


def test_plain_http_leads_to_https(proxy):
    answer = urllib3.HTTPConnectionPool("127.0.0.1", proxy.plain).urlopen("GET", "/x?y=1", headers={"Host": HOST}, redirect=False)
    assert (answer.status, answer.headers["Location"]) == (301, f"https://{HOST}/x?y=1")


def test_attack_forwarded_address_of_ones_own(proxy, gateway):
    wrong = {"Authorization": "Basic " + base64.b64encode(b"nobody@example.com:mlo_wrong").decode(), "X-Forwarded-For": "9.9.9.9", "X-Request-Id": "mine"}
    answer = proxy.ask("GET", "/api/2.0/mlflow/users/current", wrong)
    assert answer.status == 401
    assert re.match(r"[0-9a-f]{32}\.", answer.headers["X-Request-Id"]), "the request has the proxy's name"
    eventually(lambda: answer.headers["X-Request-Id"] in gateway.log.read_text(), "the refusal is in the log", 10)
    log = gateway.log.read_text()
    assert "client=127.0.0.2" in log and "9.9.9.9" not in log and "mine" not in log


@pytest.mark.parametrize("path, status", [("//api/2.0/mlflow/users/current", 400), ("/api/2.0/mlflow/experiments%2fget?experiment_id=1", 400),
                                          ("/api/2.0/mlflow/x/../users/current", 400), ("/api/2.0/mlflow/permissions/groups/%2Fteams%2Fvision/experiments", 404)])
def test_path_comes_as_it_was_sent(world, proxy, path, status):
    answer = proxy.ask("GET", path, as_(world, ADA))
    assert answer.status == status and "error_code" in json.loads(answer.data), answer.data
    if "teams" in path:
        assert "/teams/vision" in json.loads(answer.data)["message"]


@pytest.fixture
def upload(world, gateway):
    """A function that uploads through a proxy to a new run, and reads it back."""
    with world.acting(VERA) as client:
        experiment = client.create_experiment("e2e/" + secrets.token_hex(4))
        run = client.create_run(experiment).info.run_id
    seen = "/api/2.0/mlflow/experiments/get?experiment_id=" + experiment
    eventually(lambda: world.ask(VERA, "GET", seen, at=gateway.url).ok, "this gateway knows what was given at the other one", 5)
    content = os.urandom(5 << 20)
    path = f"/api/2.0/mlflow-artifacts/artifacts/{experiment}/{run}/artifacts/weights.bin"

    def through(proxy):
        put = proxy.ask("PUT", path, as_(world, VERA) | {"Content-Type": "application/octet-stream"}, body=content)
        got = proxy.ask("GET", path, as_(world, VERA))
        assert (put.status, got.status, got.data) == (200, 200, content)
    return through


def test_artifacts_pass_through_without_being_kept(proxy, upload):
    upload(proxy)
    assert proxy.on_disk() == proxy.written


def test_artifacts_would_be_kept_otherwise(gateway, upload, tmp_path):
    """So that the test before can fail."""
    other = Proxy(tmp_path / "buffering", gateway, lambda text: text.replace("proxy_request_buffering off", "proxy_request_buffering on"))
    try:
        upload(other)
        assert other.on_disk() != other.written
    finally:
        other.end()


@pytest.mark.parametrize("failures", ["max_fails=1 fail_timeout=5s", "max_fails=0"])
def test_balancer_leaves_out_a_replica_that_is_down(gateway, upload, tmp_path, failures):
    """As docs/high-availability.md says; and where nothing is remembered of it, so that every other request meets the one that is down."""
    [group] = of_walk("balancer")
    text = group.text
    for written, here in {"10.0.0.11:8080": f"127.0.0.1:{free_port()}", "10.0.0.12:8080": gateway.address, "max_fails=1 fail_timeout=5s": failures}.items():
        assert written in text
        text = text.replace(written, here)

    def balancing(page):
        assert page.count(f"proxy_pass {gateway.url};") == 1
        return text + page.replace(f"proxy_pass {gateway.url};", "proxy_pass http://gateways;")
    balancer = Proxy(tmp_path / "balancer", gateway, balancing)
    try:
        assert [balancer.ask("GET", "/health/live").status for _ in range(6)] == [200] * 6
        upload(balancer)
        upload(balancer)
    finally:
        balancer.end()
