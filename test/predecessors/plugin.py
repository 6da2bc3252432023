"""Makes a small database of the Python plugin mlflow-oidc-auth with its own store, and prints it as SQL.

The dumps in internal/importer/testdata were made so, with the plugin's wheels of the versions in their names unpacked beside the
environment that scripts/plugin.sh makes:

    pip download --no-deps --dest W mlflow-oidc-auth==9.0.5 && unzip -d W/9.0.5 W/*.whl
    PYTHONPATH=W/9.0.5 .plugin/bin/python test/predecessors/plugin.py 9.0.5 >internal/importer/testdata/plugin-9.0.5.sql
"""

import datetime
import logging
import os
import sqlite3
import sys
import tempfile

PATH = os.path.join(tempfile.mkdtemp(), "plugin.db")
os.environ["OIDC_USERS_DB_URI"] = f"sqlite:///{PATH}"
os.environ["SECRET_KEY"] = "a-secret-key-of-a-test-that-is-long-enough"
logging.disable(logging.CRITICAL)

from mlflow_oidc_auth.sqlalchemy_store import SqlAlchemyStore  # noqa: E402

SECRET = "an-old-secret-of-twenty-four-letters-and-more"
FAR = datetime.datetime(2099, 1, 1)
store = SqlAlchemyStore()
store.init_db(f"sqlite:///{PATH}")


def do(name, *args, **named):
    """Calls a method of the store; None where the version has none of the name."""
    method = getattr(store, name, None)
    return method and method(*args, **named)


says = []
old = hasattr(store, "update_user") and "password" in store.create_user.__code__.co_varnames
for username, admin, service in (("ann", False, False), ("Bob@example.com", True, False), ("cyd", False, False), ("job", False, True)):
    secret = [SECRET + "-" + username] if old else []
    store.create_user(username, *secret, username.title(), admin, service)
    if old:
        name = username.lower() if store.has_user(username.lower()) else username
        if username != "job":  # which keeps one without an end
            store.update_user(name, password_expiration=FAR, is_admin=admin, is_service_account=service)
        says.append(f"secret of {username}: {secret[0]}")
    elif username in ("ann", "job"):
        _, plain = store.create_user_token(username, "laptop", datetime.datetime.now() + datetime.timedelta(days=300), "an-admin")
        says.append(f"token of {username}: {plain}")
store.populate_groups(["red", "blue", "team-x-ds"])
for username, groups in (("ann", ["red"]), ("cyd", ["red", "blue"]), ("job", ["blue"])):
    if "written_by" not in store.set_user_groups.__code__.co_varnames:
        store.set_user_groups(username, groups)
    else:
        store.set_user_groups(username, groups, written_by="oidc:default" if username == "ann" else None)

store.create_experiment_permission("1", "ann", "EDIT")
store.create_experiment_permission("4", "ann", "NO_PERMISSIONS")
store.create_experiment_permission("5", "ann", "READ")
store.create_experiment_permission("6", "ann", "READ")
store.create_group_experiment_permission("red", "2", "READ")
store.create_group_experiment_permission("blue", "3", "MANAGE")
store.create_registered_model_permission("churn", "ann", "MANAGE")
store.create_group_model_permission("red", "churn-eu", "READ")
store.create_group_prompt_permission("red", "greet", "EDIT")
store.create_experiment_regex_permission("^ann-.*", 10, "MANAGE", "ann")
store.create_experiment_regex_permission("^(?!secret).*", 20, "READ", "ann")
store.create_group_experiment_regex_permission("blue", r"\w+-x", 5, "EDIT")
store.create_group_registered_model_regex_permission("red", "eu-.*", 10, "READ")
store.create_prompt_regex_permission("^g", 5, "EDIT", "ann")
store.create_group_prompt_regex_permission("^p", 5, "READ", "red")
do("create_scorer_permission", "1", "tone/of voice", "ann", "EDIT")
do("create_group_scorer_permission", "red", "2", "tone", "READ")
do("create_scorer_regex_permission", "^s", 5, "READ", "ann")
do("create_gateway_endpoint_permission", "chat", "ann", "USE")
do("create_group_gateway_secret_permission", "red", "openai", "READ")
do("create_gateway_model_definition_regex_permission", "^m", 5, "USE", "ann")
do("create_mcp_server_permission", "io.example/files", "ann", "READ")
do("create_workspace_permission", "team-a", "ann", "EDIT")
do("create_workspace_group_permission", "team-b", "red", "USE")
do("create_workspace_regex_permission", "^team-c", 5, "READ", "ann")
if hasattr(store, "create_workspace_group_rule"):
    rule = store.create_workspace_group_rule(name="teams", pattern="team-(?P<ws>[a-z0-9]+)-ds", permission="EDIT", mode="enforce", enabled=True, created_by="an-admin")
if hasattr(store, "user_identity_repo"):
    store.user_identity_repo.link("default", "subject-of-ann", "ann")

db = sqlite3.connect(PATH)
db.execute("UPDATE experiment_permissions SET permission = NULL WHERE experiment_id = '5'")
db.execute("UPDATE experiment_permissions SET permission = 'OWNER' WHERE experiment_id = '6'")
columns = {row[1] for row in db.execute("PRAGMA table_info(users)")}
if "active" in columns:
    db.execute("UPDATE users SET active = 0 WHERE username = 'cyd'")
if old is False:
    db.execute("UPDATE user_tokens SET expires_at = '2099-01-01 00:00:00.000000'")
if hasattr(store, "create_workspace_group_rule"):
    db.execute("INSERT INTO workspace_group_permissions (workspace, group_id, permission, rule_id) SELECT 'x', id, 'EDIT', 1 FROM groups WHERE group_name = 'team-x-ds'")
if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'user_identities'").fetchone() and not hasattr(store, "user_identity_repo"):
    db.execute("INSERT INTO user_identities (provider_id, subject, user_id) SELECT 'default', 'subject-of-ann', id FROM users WHERE username = 'ann'")
db.commit()
print(f"-- What test/predecessors/plugin.py has made with the Python plugin {sys.argv[1]}.")
for line in says:
    print("-- " + line)
for line in db.iterdump():
    print(line)
