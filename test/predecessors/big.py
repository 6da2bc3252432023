"""Makes a large database of the Python plugin with its own models, and asks its own resolver what some users may: run by internal/importer.

    .plugin/bin/python test/predecessors/big.py FOLDER USERS GROUPS GRANTS PAIRS

FOLDER then has plugin.db, and answers.json: the tokens of some users, and pairs of a user and a resource with what the user may.
"""

import datetime
import json
import logging
import os
import random
import sys

FOLDER, (USERS, GROUPS, GRANTS, PAIRS) = sys.argv[1], map(int, sys.argv[2:])
URI = f"sqlite:///{FOLDER}/plugin.db"
os.environ.update(OIDC_USERS_DB_URI=URI, SECRET_KEY="a-secret-key-of-a-test-that-is-long-enough", PERMISSION_CACHE_TTL_SECONDS="1")
logging.disable(logging.CRITICAL)

from mlflow_oidc_auth.store import store  # noqa: E402
from mlflow_oidc_auth import permission_kinds as kinds  # noqa: E402
from mlflow_oidc_auth.db import models  # noqa: E402
from mlflow_oidc_auth.permissions import NO_PERMISSIONS  # noqa: E402
from mlflow_oidc_auth.utils import grant_context  # noqa: E402

random.seed(20261126)
LEVELS = ["READ", "USE", "EDIT", "MANAGE", "NO_PERMISSIONS"]
NOW = datetime.datetime.now()
store.init_db(URI)
users = [f"user{n}@example.com" for n in range(USERS)]
resources = max(10, GRANTS // 40)
names = [f"{random.choice(['ann', 'bob', 'Größe', 'prod'])}-{n}{random.choice(['', '-eu', '_x', ' y'])}" for n in range(resources)]
patterns = [r"^ann-\d+$", r"\w+-1", r"(?i)PROD", r".*-eu", r"[^\d]+-2\d", r"^Gr.*_x\Z", r"bob-{,2}\d", r".*\s", r"(?P<team>ann|bob)-3"]

with store.ManagedSessionMaker(read_only=False) as session:
    session.bulk_save_objects([models.SqlUser(username=u, display_name=u, is_admin=n % 100 == 99, is_service_account=n % 10 == 0, active=n % 50 != 49, managed_by="manual")
                               for n, u in enumerate(users)])
    session.bulk_save_objects([models.SqlGroup(group_name=f"group{n}", managed_by="manual") for n in range(GROUPS)])
with store.ManagedSessionMaker(read_only=False) as session:
    ids = [row.id for row in session.query(models.SqlUser).order_by(models.SqlUser.id)]
    groups = [row.id for row in session.query(models.SqlGroup).order_by(models.SqlGroup.id)]
    session.bulk_save_objects([models.SqlUserGroup(user_id=u, group_id=g, managed_by="manual") for u in ids for g in random.sample(groups, 4)])
    rows, seen = [], set()
    while len(rows) < GRANTS:
        kind = random.choice([kinds.EXPERIMENT, kinds.EXPERIMENT, kinds.REGISTERED_MODEL, kinds.REGISTERED_MODEL, kinds.SCORER, kinds.GATEWAY_ENDPOINT, kinds.MCP_SERVER])
        n, level = random.randrange(resources), random.choice(LEVELS)
        where = [str(n)] if kind is kinds.EXPERIMENT else [str(n % 50), names[n]] if kind is kinds.SCORER else [names[n]]
        group = random.random() < 0.4
        holder = random.choice(groups if group else ids)
        key = (kind.name, group, holder, *where)
        if key in seen:
            continue
        seen.add(key)
        more = {"workspace": "default"} if kind.workspace_scoped else {}
        if kind is kinds.REGISTERED_MODEL and group:
            more["prompt"] = False
        model = kind.group_model if group else kind.user_model
        rows.append(model(**dict(zip(kind.key_columns, where)), permission=level, **{"group_id" if group else "user_id": holder}, **more))
    for group, holders in ((False, ids), (True, groups)):
        for holder in holders:
            for kind in (kinds.EXPERIMENT, kinds.REGISTERED_MODEL, kinds.PROMPT):
                for pattern in random.sample(patterns, 2 if random.random() < 0.5 else 0):
                    model = kind.group_regex_model if group else kind.user_regex_model
                    more = {} if kind is kinds.EXPERIMENT else {"prompt": kind is kinds.PROMPT}
                    rows.append(model(regex=pattern, priority=random.randrange(4), permission=random.choice(LEVELS), workspace="*", **{"group_id" if group else "user_id": holder}, **more))
    for model in {type(row) for row in rows}:
        columns = [column.key for column in model.__table__.columns if column.key != "id"]
        session.bulk_insert_mappings(model, [{c: getattr(row, c) for c in columns if getattr(row, c) is not None} for row in rows if type(row) is model])

tokens = {}
for name in users[:20]:
    if users.index(name) % 50 != 49:
        tokens[name] = store.create_user_token(name, "laptop", NOW + datetime.timedelta(days=300), "test")[1]
pairs = []
active = [u for n, u in enumerate(users) if n % 50 != 49 and n % 100 != 99]  # what the others may is not the resolver's to say
active = random.sample(active, min(100, len(active)))
for name in active:
    context = grant_context.load_grant_context(name, bulk=True)
    for _ in range(-(-PAIRS // len(active))):
        n = random.randrange(resources)
        kind = random.choice(["experiment", "registered_model", "prompt", "scorer", "gateway_endpoint", "mcp_server"])
        id, named = (str(n), names[n]) if kind == "experiment" else (names[n], names[n])
        if kind == "scorer":
            id = str(n % 50)
            context._experiment_names[id] = names[int(id)]
            said = grant_context.resolve_scorer(context, id, names[n])
        else:
            said = grant_context.resolve(context, kind, id, name=named if kind == "experiment" else None)
        pairs.append([name, kind, id, named, names[int(id)] if kind == "scorer" else "", said.permission.name])
with open(f"{FOLDER}/answers.json", "w") as out:
    json.dump({"tokens": tokens, "pairs": pairs}, out)
