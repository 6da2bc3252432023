"""Prints what the requests of the installed MLflow may hold, as JSON: {"METHOD /path": [[field, type], ...], ...}.

A field of an object inside is "a.b", one of the objects of a list "a[].b", a list of texts "a[]".
"""

import inspect
import json
import os
import re
import tempfile

work = tempfile.mkdtemp(prefix="mlflow-fields-")
os.environ.update(
    _MLFLOW_SERVER_FILE_STORE=f"sqlite:///{work}/mlflow.db",
    _MLFLOW_SERVER_REGISTRY_STORE=f"sqlite:///{work}/mlflow.db",
    _MLFLOW_SERVER_ARTIFACT_ROOT="mlflow-artifacts:/",
    _MLFLOW_SERVER_SERVE_ARTIFACTS="true",
    _MLFLOW_SERVER_ARTIFACT_DESTINATION=os.path.join(work, "artifacts"),
    MLFLOW_ENABLE_WORKSPACES="true",
    MLFLOW_TRACKING_URI=f"sqlite:///{work}/mlflow.db",
)

from mlflow.protos import databricks_pb2  # noqa: E402
from mlflow.server import app as flask_app  # noqa: E402
from mlflow.server import handlers  # noqa: E402
from mlflow.server.fastapi_app import app as fastapi_app  # noqa: E402

KINDS = {1: "number", 2: "number", 8: "bool", 9: "text", 11: "object", 12: "text", 14: "enum"}


def message(descriptor, prefix="", seen=()):
    """Walks a protobuf message, and the messages inside, each kind once on a way down."""
    for field in descriptor.fields:
        listed = field.is_repeated if hasattr(field, "is_repeated") else field.label == field.LABEL_REPEATED
        inner = field.message_type
        if inner is not None and inner.GetOptions().map_entry:
            yield prefix + field.name, "map"
        elif inner is not None and inner.full_name.startswith("google.protobuf."):
            yield prefix + field.name, inner.name.lower()
        elif inner is not None:
            if inner.full_name not in seen:
                name = prefix + field.name + ("[]." if listed else ".")
                yield from message(inner, name, (*seen, inner.full_name))
        elif field.type == field.TYPE_ENUM:
            yield prefix + field.name + ("[]" if listed else ""), field.enum_type.values[0].name
        else:
            yield prefix + field.name + ("[]" if listed else ""), KINDS.get(field.type, "number")


def pydantic(schema, schemas, prefix="", depth=0):
    """Walks a JSON schema of a request model."""
    schema = schemas.get(schema.get("$ref", "").rpartition("/")[2], schema)
    for option in schema.get("anyOf", []):
        yield from pydantic(option, schemas, prefix, depth)
    for name, field in schema.get("properties", {}).items():
        for option in field.get("anyOf", [field]):
            if "$ref" in option and depth < 4:
                yield from pydantic(option, schemas, prefix + name + ".", depth + 1)
            elif option.get("type") == "array" and "$ref" in option.get("items", {}) and depth < 4:
                yield from pydantic(option["items"], schemas, prefix + name + "[].", depth + 1)
            elif option.get("type") == "array":
                yield prefix + name + "[]", "text"
            elif option.get("type") != "null":
                yield prefix + name, {"string": "text", "object": "map"}.get(option.get("type"), "number")


def source(view):
    """Finds what a handler reads by hand: from the query, from JSON, and by its schema."""
    text = inspect.getsource(inspect.unwrap(view))
    for name in re.findall(r"\b(\w+)\(", text) if view.__module__ == "mlflow.server" else ():
        if inspect.isfunction(called := getattr(handlers, name, None)):
            text += inspect.getsource(inspect.unwrap(called))
    for name in re.findall(r"""args(?:\.get|\.getlist)?[\[(]\s*["'](\w+)["']""", text):
        yield name, "text"
    for name in re.findall(r"""(?:json|body|payload|data|params)\w*(?:\.get\(|\[)\s*["'](\w+)["']""", text):
        yield name, "text"
    for name in re.findall(r"""["'](\w+)["']:\s*\[_assert""", text):
        yield name, "text"


found = {}


def add(method, path, rows):
    path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", path)
    known = found.setdefault(method + " " + path, {})
    names = {re.split(r"[.\[]", name)[0] for name in known}
    for name, kind in rows:  # what a message says is more exact than what its handler reads
        if name not in names:
            known.setdefault(name, kind)


def services():
    from mlflow.protos.mlflow_artifacts_pb2 import MlflowArtifactsService
    from mlflow.protos.model_registry_pb2 import ModelRegistryService
    from mlflow.protos.service_pb2 import MlflowService

    for service in (MlflowService, ModelRegistryService, MlflowArtifactsService):
        for method in service.DESCRIPTOR.methods:
            for endpoint in method.GetOptions().Extensions[databricks_pb2.rpc].endpoints:
                for path in handlers._get_paths(endpoint.path, version=endpoint.since.major):
                    descriptor = service().GetRequestClass(method).DESCRIPTOR
                    add(endpoint.method, path, list(message(descriptor)))


services()
for rule in flask_app.url_map.iter_rules():
    for method in rule.methods - {"HEAD", "OPTIONS"}:
        try:
            rows = list(source(flask_app.view_functions[rule.endpoint]))
        except (OSError, TypeError):  # a function without a source
            rows = []
        add(method, rule.rule, rows)
document = fastapi_app.openapi()
schemas = document.get("components", {}).get("schemas", {})
for path, operations in document["paths"].items():
    for method, operation in operations.items():
        rows = [(p["name"], "text") for p in operation.get("parameters", []) if p["in"] == "query"]
        schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        add(method.upper(), path, rows + list(pydantic(schema, schemas)))
print(json.dumps({pattern: sorted(rows.items()) for pattern, rows in sorted(found.items())}))
