"""Makes a small database of MLflow's basic-auth app with its own store, and prints it as SQL.

The dumps in internal/importer/testdata were made so, with the environments of scripts/mlflow.sh:

    .mlflow/3.5.0/bin/python test/predecessors/basic.py 3.5.0 >internal/importer/testdata/basic-auth-3.5.0.sql
    .venv/bin/python test/predecessors/basic.py 3.17.2 >internal/importer/testdata/basic-auth-3.17.2.sql
"""

import logging
import os
import sqlite3
import sys
import tempfile

PATH = os.path.join(tempfile.mkdtemp(), "basic.db")
logging.disable(logging.CRITICAL)

from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore  # noqa: E402

store = SqlAlchemyStore()
store.init_db(f"sqlite:///{PATH}")
store.create_user("admin", "password1234", is_admin=True)
store.create_user("root", "a-secret-of-an-administrator", is_admin=True)
store.create_user("Ann", "a-secret-of-ann-herself")
store.create_user("bob", "a-secret-of-bob-himself")
if hasattr(store, "create_role"):
    for kind, pattern, permission in (("experiment", "1", "EDIT"), ("experiment", "4", "DENY"), ("registered_model", "churn", "MANAGE"), ("prompt", "greet", "READ"),
                                      ("scorer", "1/tone%2Fof%20voice", "EDIT"), ("gateway_endpoint", "e-123", "USE"), ("gateway_secret", "s-123", "DENY"), ("run", "*", "READ")):
        store.grant_user_permission("Ann", kind, pattern, permission)
    team = store.create_role("team", "default", "who may read")
    store.add_role_permission(team.id, "experiment", "*", "READ")
    store.add_role_permission(team.id, "registered_model", "secret", "DENY")
    other = store.create_role("admin", "team-a")
    store.add_role_permission(other.id, "workspace", "*", "MANAGE")
    for role in (team, other):
        store.assign_role_to_user(store.get_user("bob").id, role.id)
else:
    store.create_experiment_permission("1", "Ann", "EDIT")
    store.create_experiment_permission("4", "Ann", "NO_PERMISSIONS")
    store.create_registered_model_permission("churn", "Ann", "MANAGE")
    store.create_experiment_permission("5", "bob", "READ")

db = sqlite3.connect(PATH)
if not hasattr(store, "create_role"):
    db.execute("UPDATE experiment_permissions SET permission = NULL WHERE experiment_id = '5'")
    db.commit()
print(f"-- What test/predecessors/basic.py has made with MLflow {sys.argv[1]}.")
for line in db.iterdump():
    print(line)
