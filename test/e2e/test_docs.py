"""Every block of commands in README.md and docs/ is run, or says why it is not. What a page says to type does what the page says."""

import json
import os
import re
import secrets
import subprocess
import sys

import pytest

from handbook import COMMANDS, STRICT, Block, Shell, blocks, of_walk, pages
from plugin import provider
from world import ADA, FRED, ROOT, VERA, Gateway

# Who runs the blocks of each walk.
WALKS = {"development": "the development server, in which most of the tests are", "start": "test_walk.py", "nginx": "test_proxies.py", "balancer": "test_proxies.py",
         "house": "test_page_of_commands", "keys": "test_key_in_place_of_a_secret",
         "plugin": "test_migration.py", "basic": "test_migration.py", "keycloak": "test_providers.py"}


def test_every_block_is_run_or_says_why_not():
    found = [block for page in pages() for block in blocks(page) if block.language in COMMANDS]
    assert len(found) > 30
    unmarked = [f"{block.page}:{block.line}" for block in found if not block.walk and not block.why_not]
    assert unmarked == [], "these blocks are neither run nor marked; test/e2e/handbook.py says how to"
    assert {block.walk for block in found if block.walk} == set(WALKS)


@pytest.mark.parametrize("text", ["false\ntrue\n", "exit 1\n", "true | false | true\n", "no-such-command\n"])
def test_block_that_fails_is_found(tmp_path, text):
    shell = Shell(tmp_path, sys.executable)
    with pytest.raises(AssertionError, match="does not succeed"):
        shell.run(Block("a page", 1, "sh", text))


@pytest.mark.parametrize("before, what", [
    ("", ("", False, "")), ("<!-- run: start -->\n", ("start", False, "")), ("<!-- run: start, stays -->\n\n", ("start", True, "")),
    ("<!-- not run here: it needs a cluster -->\n", ("", False, "it needs a cluster")), ("<!-- not run here: -->\n", ("", False, "")),
    ("<!-- run: start -->\nwords\n", ("", False, ""))])
def test_comment_before_a_block_is_read(tmp_path, monkeypatch, before, what):
    monkeypatch.setattr("handbook.ROOT", tmp_path)
    (tmp_path / "page.md").write_text(f"# Page\n\n{before}```sh\nmake\n```\n\n1. list\n\n    ```sh\n    echo\n    ```\n")
    first, second = blocks(tmp_path / "page.md")
    assert (first.walk, first.stays, first.why_not) == what and (first.text, second.text) == ("make\n", "echo\n")


def test_development_server_is_started_as_the_pages_say(world):
    told = {block.text.strip() for block in of_walk("development")}
    assert told == {"./scripts/run-dev-server.sh"}
    assert [str(one) for one in world.process.args][0] == str(ROOT / told.pop())


@pytest.fixture(scope="module")
def keycloak():
    """A provider that says where it is, and nothing else."""
    with provider() as issuer:
        yield issuer + "/.well-known/openid-configuration"


@pytest.fixture(scope="module")
def house(world, keycloak, tmp_path_factory):
    """A gateway with users of its own, before the MLflow of all, as somebody has it who reads the pages: with an administrator, people, groups."""
    directory = tmp_path_factory.mktemp("house")
    nowhere = "http://127.0.0.1:9/.well-known/openid-configuration"
    (directory / "providers.json").write_text(json.dumps([{"id": "keycloak", "discovery_url": keycloak, "client_id": "mlflow", "client_secret": "s" + secrets.token_hex(8)}]))
    gateway = Gateway(world, directory, {
        "SECRET_KEY": secrets.token_urlsafe(32), "MLFLOW_UPSTREAM": f"unix://{world.socket()}", "OIDC_DISCOVERY_URL": nowhere, "OIDC_CLIENT_ID": "mlflow",
        "OIDC_CLIENT_SECRET": secrets.token_urlsafe(8), "OIDC_PROVIDERS_FILE": "providers.json"})

    def command(*line):
        return subprocess.run([ROOT / "bin/mlflow-oidc-auth", *line], cwd=directory, check=True, capture_output=True, text=True).stdout.strip()
    for line in ("users create ada@example.com --admin", "users create vera@example.com", "users create fred@example.com", "users create ann@example.com",
                 "groups create team-forecast", "groups add team-forecast fred@example.com"):
        command(*line.split())
    [vision] = world.ask(ADA, "GET", "/api/2.0/mlflow/experiments/get-by-name", params={"experiment_name": "vision/digits"}).json()["experiment"]["experiment_id"]
    for kind, resource in ("experiment", vision), ("registered_model", "digits-classifier"):
        command("grants", "give", "--user", VERA, "--kind", kind, "--id", resource, "--level", "MANAGE")
    gateway.experiment = vision
    gateway.tokens = {who: command("tokens", "create", who, "--name", "walk").split()[-1] for who in (ADA, VERA)}
    yield gateway
    gateway.end()


@pytest.fixture
def shell(house, request):
    made = Shell(house.log.parent, sys.executable, {"https://mlflow.example.com": house.url, "mlo_…": house.tokens[VERA]},
                 PATH=f"{ROOT / 'bin'}:{os.path.dirname(sys.executable)}:{os.environ['PATH']}", URL=house.url, ADMIN=ADA, ADMIN_TOKEN=house.tokens[ADA],
                 USERNAME=VERA, TOKEN=house.tokens[VERA], MLFLOW_TRACKING_USERNAME=ADA, MLFLOW_TRACKING_PASSWORD=house.tokens[ADA])
    made.tell(STRICT)
    yield made
    made.end()


@pytest.mark.parametrize("page", sorted({block.page for block in of_walk("house")}))
def test_page_of_commands(house, shell, page):
    assert house.experiment == "1", "the pages speak of the experiment 1"
    for block in of_walk("house", page):
        shell.run(block)
    said = "".join(shell.printed)
    for words in SAID.get(page, []):
        assert re.search(words, said), said


# What the commands of a page have to have printed, among others.
SAID = {
    "docs/permissions.md": ['"permission":"EDIT"', "team-forecast", "before"],
    "docs/programs.md": ["vision/digits", "Service account ci"],
    "docs/providers/several.md": ["is known by the identity"],
    "docs/operations.md": [r"mlo_\w+", "EDIT", "break-glass"],
    "docs/policy.md": ["0 to add, 0 to change, 0 to remove"],
}


def test_key_in_place_of_a_secret(tmp_path):
    (tmp_path / ".env").write_text("OIDC_DISCOVERY_URL=https://idp.example.com/.well-known/openid-configuration\nOIDC_CLIENT_ID=mlflow\n")
    shell = Shell(tmp_path, sys.executable, PATH=f"{ROOT / 'bin'}:{os.environ['PATH']}")
    plain, certified = of_walk("keys")
    shell.run(plain)
    [key] = json.loads(shell.printed[-1])["keys"]
    assert key["kty"] == "EC" and "d" not in key
    shell.run(certified)
    shell.run(Block(certified.page, certified.line, "sh", "OIDC_CLIENT_KEY_FILE=both.pem OIDC_CLIENT_KEY_ALGORITHM=PS256 mlflow-oidc-auth client-keys\n"
                    "openssl x509 -in client.crt -noout -checkend $((364 * 86400)) >&2\n"))
    shell.end()
    [key] = json.loads(shell.printed[-1].partition("Certificate")[0])["keys"]
    assert key["kty"] == "RSA" and "d" not in key
    assert [(tmp_path / name).stat().st_mode & 0o077 for name in ("client.key", "both.pem")] == [0, 0]
