"""Prints every route that the installed MLflow serves, as JSON: [[method, path], ...]. A parameter is {name}."""

import json
import os
import re
import tempfile

work = tempfile.mkdtemp(prefix="mlflow-routes-")
os.environ.update(
    _MLFLOW_SERVER_FILE_STORE=f"sqlite:///{work}/mlflow.db",
    _MLFLOW_SERVER_REGISTRY_STORE=f"sqlite:///{work}/mlflow.db",
    _MLFLOW_SERVER_ARTIFACT_ROOT="mlflow-artifacts:/",
    _MLFLOW_SERVER_SERVE_ARTIFACTS="true",
    _MLFLOW_SERVER_ARTIFACT_DESTINATION=os.path.join(work, "artifacts"),
    MLFLOW_ENABLE_WORKSPACES="true",
    MLFLOW_TRACKING_URI=f"sqlite:///{work}/mlflow.db",
)

from mlflow.server import app as flask_app  # noqa: E402
from mlflow.server.fastapi_app import app as fastapi_app  # noqa: E402

rows = set()
for rule in flask_app.url_map.iter_rules():
    rows |= {(method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)) for method in rule.methods - {"HEAD", "OPTIONS"}}
for path, operations in fastapi_app.openapi()["paths"].items():
    rows |= {(method.upper(), path) for method in operations}
print(json.dumps(sorted(rows)))
