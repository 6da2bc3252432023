"""Who comes from the Python plugin or from MLflow's basic-auth imports by the commands of docs/migration.md. Then everybody may do what they could, with
the secrets of before. The databases are made by the predecessors' own code."""

import json
import os
import secrets
import subprocess
import sys

import pytest
import requests

from handbook import Shell, of_walk
from plugin import PYTHON, provider
from world import ADA, ROOT, Gateway

# Each prints the secrets of its people, and is told three experiments: one that is given to ann, one to bob by what he belongs to, and a third.
PLUGIN = """
import datetime, json, sys
from mlflow_oidc_auth.store import store
hers, theirs, third = sys.argv[1:]
said, end = {}, datetime.datetime.now() + datetime.timedelta(days=300)
for name, service in ("ann", False), ("bob", False), ("job", True):
    store.create_user(name, name, is_service_account=service)
    said[name] = store.create_user_token(name, "laptop", end, "an-admin")[1]
store.populate_groups(["team"])
store.set_user_groups("bob", ["team"])
store.create_experiment_permission(hers, "ann", "EDIT")
store.create_group_experiment_permission("team", theirs, "READ")
store.create_experiment_regex_permission("^third-of-plugin$", 10, "EDIT", "job")
print(json.dumps(said))
"""

BASIC = """
import json, os, sys
from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore
hers, theirs, third = sys.argv[1:]
store = SqlAlchemyStore()
store.init_db(os.environ["OIDC_USERS_DB_URI"])
said = {name: "the password of " + name for name in ("ann", "bob", "job")}
for name, password in said.items():
    store.create_user(name, password)
store.grant_user_permission("ann", "experiment", hers, "EDIT")
team = store.create_role("team", "default")
store.add_role_permission(team.id, "experiment", theirs, "EDIT")
store.add_role_permission(team.id, "experiment", third, "DENY")
store.assign_role_to_user(store.get_user("bob").id, team.id)
print(json.dumps(said))
"""

NONE, READ, EDIT = (404, 404), (200, 403), (200, 200)


def may(gateway, name, secret, experiment):
    """What somebody may do: the statuses of reading and of changing."""
    at, who = gateway.url + "/api/2.0/mlflow/experiments/", {"auth": (name, secret), "timeout": 60}
    change = {"experiment_id": experiment, "key": "by", "value": name}
    return (requests.get(at + "get", params={"experiment_id": experiment}, **who).status_code,
            requests.post(at + "set-experiment-tag", json=change, **who).status_code)


# By the name of its walk: the Python with the predecessor, what is run there, what is given there to those to whom nothing is, and what each may do.
PREDECESSORS = {
    "plugin": (PYTHON, PLUGIN, "NO_PERMISSIONS", {"ann": [EDIT, NONE, NONE], "bob": [NONE, READ, NONE], "job": [NONE, NONE, EDIT]}),
    "basic": (sys.executable, BASIC, "READ", {"ann": [EDIT, READ, READ], "bob": [READ, EDIT, NONE], "job": [READ, READ, READ]})}


@pytest.fixture(scope="module")
def begun(world, tmp_path_factory):
    """Has all predecessors made at once. Gives of each its folder, the experiments that it was told, and its process."""
    made = {}
    for name, (python, script, _, _) in PREDECESSORS.items():
        if os.path.exists(python):
            folder = tmp_path_factory.mktemp(name)
            asked = [world.ask(ADA, "POST", "/api/2.0/mlflow/experiments/create", json={"name": f"{one}-of-{name}"}) for one in ("hers", "theirs", "third")]
            experiments = [answer.json()["experiment_id"] for answer in asked]
            env = os.environ | {"OIDC_USERS_DB_URI": f"sqlite:///{folder}/basic_auth.db", "SECRET_KEY": secrets.token_urlsafe(32)}
            made[name] = folder, experiments, subprocess.Popen([python, "-W", "ignore", "-c", script, *experiments], cwd=folder, env=env, stdout=subprocess.PIPE, text=True)
    yield made
    for _, _, process in made.values():
        process.kill()
        process.wait()


@pytest.mark.parametrize("predecessor", list(reversed(PREDECESSORS)))  # the plugin takes longer
def test_everybody_may_do_what_they_could(world, begun, predecessor):
    if predecessor not in begun:
        pytest.skip("there is no Python 3.12 or newer for the plugin (scripts/plugin.sh)")
    folder, experiments, process = begun[predecessor]
    known = json.loads(process.communicate(timeout=120)[0].splitlines()[-1])
    _, _, default, could = PREDECESSORS[predecessor]
    with provider() as issuer:
        settings = {"SECRET_KEY": secrets.token_urlsafe(32), "MLFLOW_UPSTREAM": f"unix://{world.socket()}", "OIDC_DISCOVERY_URL": issuer + "/.well-known/openid-configuration",
                    "OIDC_CLIENT_ID": "mlflow", "OIDC_CLIENT_SECRET": secrets.token_urlsafe(8), "DEFAULT_MLFLOW_PERMISSION": default}
        (folder / ".env").write_text("\n".join(f"{name}={value}" for name, value in settings.items()))
        shell = Shell(folder, sys.executable, {"postgresql+psycopg2://user:password@db.example.com/auth": f"sqlite:///{folder}/basic_auth.db",
                                               "http://127.0.0.1:5000": settings["MLFLOW_UPSTREAM"]}, PATH=f"{ROOT / 'bin'}:{os.environ['PATH']}")
        for block in of_walk(predecessor):
            said = shell.run(block)
        shell.end()
        assert "This was a dry run" in said and " 0 differ\n" in said and said.rstrip().endswith("Done.")
        gateway = Gateway(world, folder, settings)
        try:
            assert {name: [may(gateway, name, known[name], one) for one in experiments] for name in known} == could
            assert may(gateway, "ann", known["bob"], experiments[0]) == (401, 401)
        finally:
            gateway.end()
