"""Prints the installed MLflow's version and every route that it serves, [method, path] as MLflow writes it, as JSON."""

import json
import os
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

import mlflow  # noqa: E402 (after its settings)
from mlflow.server import app as flask_app  # noqa: E402

rows = set()
for rule in flask_app.url_map.iter_rules():
    rows |= {(method, rule.rule) for method in rule.methods - {"HEAD", "OPTIONS"}}
try:
    from mlflow.server.fastapi_app import app as fastapi_app
except ModuleNotFoundError:  # before 3.5 there was Flask alone
    fastapi_app = None

for route in fastapi_app.routes if fastapi_app else []:
    # Newer versions of FastAPI keep an included router as one of the routes.
    for at in getattr(route, "effective_route_contexts", lambda route=route: [route])():
        rows |= {(method, at.path) for method in (getattr(at, "methods", None) or set()) - {"HEAD", "OPTIONS"}}
print(json.dumps({"version": mlflow.__version__, "routes": sorted(rows)}))
