"""A newcomer goes through docs/start.md, and the first steps of README.md, in a fresh clone: every command is taken from the pages, to the letter but for
the ports, which other tests may have. What a page says to do with a browser is done without one. No terminal knows mlflow by itself; the environment
of the tests is in the place of the one that a page has made."""

import json
import os
import re
import subprocess
import sys

import pytest
import requests

from handbook import Shell, of_walk
from world import ADA, FRED, ROOT, VERA, eventually, free_port

PAGE, ENTRY = "docs/start.md", "README.md"


class Newcomer:
    """Who reads the pages, with a terminal and a browser."""

    def __init__(self, directory):
        ports = [free_port() for _ in range(3)]
        self.url = f"http://127.0.0.1:{ports[0]}"
        self.clone = directory / "mlflow-oidc-auth"
        self.replaced = {"127.0.0.1:8080": f"127.0.0.1:{ports[0]}",
                         "--port 5000": f"--port {ports[1]}", "127.0.0.1:5000": f"127.0.0.1:{ports[1]}", "127.0.0.1:9090": f"127.0.0.1:{ports[2]}"}
        path = os.pathsep.join(one for one in os.environ["PATH"].split(os.pathsep) if not os.path.exists(os.path.join(one, "mlflow")))
        # What is cloned is what is here.
        here = {"GIT_CONFIG_COUNT": "2", "GIT_CONFIG_KEY_0": f"url.{ROOT.as_uri()}.insteadOf", "GIT_CONFIG_VALUE_0": "https://github.com/mlflow-oidc/mlflow-oidc-auth.git",
                "GIT_CONFIG_KEY_1": "safe.directory", "GIT_CONFIG_VALUE_1": "*"}  # it may belong to another user than the one who tests
        self.shells, self.open = [], lambda: self.shells.append(Shell(directory, "python", self.replaced, PATH=path, **here))
        self.open()
        self.ahead = of_walk("start", PAGE)

    def follow(self, beginning, answers=None):
        """Runs the next block of the page, which begins so; one that stays, until there is an answer."""
        block = self.ahead.pop(0)
        assert block.text.startswith(beginning), f"the page goes on otherwise, at line {block.line}: {block.text}"
        said = self.shells[-1].run(block)
        if answers:
            eventually(lambda: self.shells[-1].stays(said) and answers(said), f"{beginning} answers", 120)
        return said

    def install_mlflow(self):
        """Does step 2, in the folder where the first terminal is."""
        (self.clone / ".venv").symlink_to(sys.prefix)
        self.shells[-1].tell(". .venv/bin/activate")

    def another_terminal(self):
        """Goes on in another terminal in the same folder."""
        self.open()
        self.shells[-1].tell(f"cd {self.clone}")

    def answering(self, path):
        def answers(log):
            try:
                return requests.get(path, timeout=5).ok
            except requests.ConnectionError:
                assert "rror" not in log.read_text(), log.read_text()
                return False
        return answers

    def browser(self, person):
        """Signs in at the provider for development."""
        session = requests.Session()
        page = session.get(self.url + "/login/start", timeout=60)
        first = session.post(page.url, data={"person": "development|" + person}, timeout=60)
        assert first.ok and first.url.startswith(self.url + "/oidc/ui/"), f"{first.url}: {first.text}"
        session.headers["Sec-Fetch-Site"] = "same-origin"
        return session


@pytest.fixture
def newcomer(tmp_path):
    made = Newcomer(tmp_path)
    yield made
    for shell in reversed(made.shells):
        shell.end()


def commit(directory):
    return subprocess.run(["git", "-c", "safe.directory=*", "rev-parse", "HEAD"], cwd=directory, capture_output=True, check=True).stdout


def test_newcomer_gets_through(newcomer):
    follow, url = newcomer.follow, newcomer.url
    assert "serve" in follow("git clone")
    assert commit(newcomer.clone) == commit(ROOT)
    newcomer.install_mlflow()
    follow(". .venv/bin/activate\nmlflow server", newcomer.answering(newcomer.replaced["127.0.0.1:5000"].join(["http://", "/health"])))
    follow("python3 -c")
    follow("bin/mlflow-oidc-auth-dev", lambda log: "OIDC_CLIENT_SECRET=" in log.read_text())
    said = follow("bin/mlflow-oidc-auth config")
    assert "MLFLOW_UPSTREAM" in said and "ok    mlflow" in said and "ok    provider" in said
    secret = re.search("SECRET_KEY=(.*)", (newcomer.clone / ".env").read_text())[1]
    assert secret not in said
    follow("bin/mlflow-oidc-auth serve", newcomer.answering(url + "/health/ready"))

    # "Open the address and sign in": as an administrator, then as a member, who makes a token under My tokens.
    assert newcomer.browser(ADA).get(url + "/api/2.0/mlflow/users/current", timeout=30).json()["is_admin"] is True
    vera = newcomer.browser(VERA)
    token = vera.post(url + "/api/2.0/mlflow/users/current/tokens", json={"name": "laptop"}, timeout=30).json()["token"]
    newcomer.replaced["mlo_…"] = token
    newcomer.another_terminal()
    assert "Created experiment 'vision/digits' with id 1" in follow(". .venv/bin/activate\nexport MLFLOW_TRACKING_URI")
    follow("import mlflow")
    runs = vera.post(url + "/ajax-api/2.0/mlflow/runs/search", json={"experiment_ids": ["1"]}, timeout=30).json()["runs"]
    assert [(run["data"]["params"][0]["value"], run["data"]["metrics"][0]["value"]) for run in runs] == [("0.1", 0.25)]

    follow("bin/mlflow-oidc-auth users create fred")
    fred = newcomer.browser(FRED)
    experiment = url + "/ajax-api/2.0/mlflow/experiments/get?experiment_id=1"
    assert fred.get(experiment, timeout=30).status_code == 404
    assert '"permission":"READ"' in follow("P=$MLFLOW_TRACKING_URI").replace(" ", "")
    assert fred.get(experiment, timeout=30).json()["experiment"]["name"] == "vision/digits"
    assert "READ" in follow("bin/mlflow-oidc-auth explain")
    assert "0 to add, 0 to change, 0 to remove" in follow("bin/mlflow-oidc-auth policy export")
    assert "fred@example.com" in (newcomer.clone / "policy.yaml").read_text()
    assert newcomer.ahead == [], "the page goes on, and the walk does not"

    # The README's own steps, in the clone as it is now.
    newcomer.ahead = of_walk("start", ENTRY)
    assert "serve" in follow("go build")
    assert "SECRET_KEY" in follow("python3 -c")
    assert newcomer.ahead == [], "the README goes on, and the walk does not"
    assert json.loads(requests.get(url + "/health/ready", timeout=30).text)["status"] == "ready"
