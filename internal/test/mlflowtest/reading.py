"""Says how the installed MLflow reads requests. A line of the input is the bytes of a connection, as base64; a line of the
output is what MLflow's handlers were called with, as JSON. An empty line asks for the messages of the rules. uvicorn's parser, Starlette, Flask and MLflow's own reading of a
message are the real ones; the handlers and the stores behind them are not there, but for those of spans and of GraphQL."""

import asyncio
import atexit
import base64
import json
import os
import re
import shutil
import sys
import tempfile

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what MLflow prints is no answer

work = tempfile.mkdtemp(prefix="mlflow-reading-")
atexit.register(shutil.rmtree, work, ignore_errors=True)  # before any import that registers more: it runs last
os.environ.update(
    _MLFLOW_SERVER_FILE_STORE=f"sqlite:///{work}/mlflow.db",
    _MLFLOW_SERVER_REGISTRY_STORE=f"sqlite:///{work}/mlflow.db",
    _MLFLOW_SERVER_ARTIFACT_ROOT="mlflow-artifacts:/",
    _MLFLOW_SERVER_SERVE_ARTIFACTS="true",
    _MLFLOW_SERVER_ARTIFACT_DESTINATION=os.path.join(work, "artifacts"),
    MLFLOW_TRACKING_URI=f"sqlite:///{work}/mlflow.db",
    MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false",
)

import flask  # noqa: E402
from fastapi.routing import APIRoute  # noqa: E402
from google.protobuf.json_format import MessageToDict, ParseError  # noqa: E402
from mlflow.exceptions import MlflowException  # noqa: E402
from mlflow.server import app as flask_app  # noqa: E402
from mlflow.server import handlers, otel_api  # noqa: E402
from mlflow.server import fastapi_app as wsgi  # noqa: E402
from starlette.requests import Request  # noqa: E402
from starlette.responses import JSONResponse  # noqa: E402
from uvicorn.config import Config  # noqa: E402
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol  # noqa: E402
from uvicorn.server import ServerState  # noqa: E402

seen = []  # the calls of handlers that the connection at hand has led to


def pattern(rule):
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", re.sub(r"{(\w+):\w+}", r"{\1}", rule))


def note(method, rule, args, query):
    call = {"method": method, "rule": pattern(rule), "args": {k: str(v) for k, v in args.items()}, "query": query}
    seen.append(call)
    return call


# Which message the handler of a rule reads.
messages = {}
for service in (handlers.MlflowService, handlers.ModelRegistryService, handlers.MlflowArtifactsService, handlers.WebhookService):
    for path, request_class, methods in handlers.get_service_endpoints(service, lambda cls: cls):
        for method in methods:
            messages[method, path] = request_class

parse_dict = handlers.parse_dict


def parse_and_tell(js_dict, message):
    try:
        parse_dict(js_dict, message)
    except ParseError:
        seen[-1]["whole"] = False
        raise


handlers.parse_dict = parse_and_tell


def read_flask(call, request):
    request_class = messages.get((request.url_rule.methods & {request.method} and request.method, request.url_rule.rule))
    if request.method == "HEAD":
        request_class = messages.get(("GET", request.url_rule.rule))
    if request_class is None:
        call["json"] = request.get_json(force=True, silent=True)
        return
    call["whole"] = True
    try:
        message = handlers._get_request_message(request_class(), request)
    except Exception as e:  # the handler would have gone no further
        call["refused"] = f"{type(e).__name__}: {e}"[:200]
        return
    call["message"] = MessageToDict(message, preserving_proto_field_name=True)


def dispatch_request():
    request = flask.globals.request_ctx.request
    if request.routing_exception is not None:
        flask_app.raise_routing_exception(request)
    call = note(request.method, request.url_rule.rule, request.view_args, {k: request.args.getlist(k) for k in request.args})
    if request.url_rule.rule == "/graphql":
        call["fields"] = []
        return handlers._graphql()
    if request.method != "OPTIONS":
        read_flask(call, request)
    return "{}"


flask_app.dispatch_request = dispatch_request
fastapi_app = wsgi.app


class Anything:
    """An object that has every field."""


def resolve(next, root, info, **arguments):
    """Takes the place of every resolver of GraphQL, and notes what would be resolved."""
    from graphql import is_leaf_type, is_list_type, is_non_null_type

    kind, wrapped = info.return_type, False
    while is_non_null_type(kind) or is_list_type(kind):
        wrapped, kind = wrapped or is_list_type(kind), kind.of_type
    if arguments or not is_leaf_type(kind):
        seen[-1]["fields"].append({"of": info.parent_type.name, "field": info.field_name, "arguments": json.loads(json.dumps(arguments, default=dict))})
    if info.field_name == "__typename":
        return info.parent_type.name
    if is_leaf_type(kind):
        return [] if wrapped else None
    return [Anything()] if wrapped else Anything()


handlers._get_graphql_auth_middleware = lambda: [resolve]


class Spans:
    """A store that notes the spans that it is to write."""

    async def log_spans_async(self, experiment, spans):
        seen[-1]["spans"] = [{"trace": s.trace_id, "keys": list(s.attributes), "resource": list(s._span.resource.attributes)} for s in spans]
        seen[-1]["experiment"] = experiment

    def link_traces_to_run(self, traces, run):
        seen[-1]["run"] = run


otel_api._get_tracking_store = Spans
handle = APIRoute.handle


async def handle_and_tell(self, scope, receive, send):
    request = Request(scope, receive)
    if scope["method"] not in self.methods:
        await handle(self, scope, receive, send)
        return
    query = {}
    for name, value in request.query_params.multi_items():
        query.setdefault(name, []).append(value)
    # the route of an included router has its own path; the one it is served at is put together by FastAPI
    context = scope.get("fastapi", {}).get("effective_route_context")
    call = note(scope["method"], getattr(context, "path_format", None) or self.path_format, scope["path_params"], query)
    if call["rule"].endswith("/v1/traces"):
        await handle(self, scope, receive, send)
        return
    body = await request.body()
    try:
        call["json"] = json.loads(body) if body else None
    except ValueError:
        call["refused"] = "no JSON"
    await JSONResponse({})(scope, receive, send)


APIRoute.handle = handle_and_tell


async def answer_inline(self, receive, send):
    """Takes the place of _EfficientWSGIResponder.__call__: the same without a thread of its own, which costs most of the time."""
    chunks, more = [], True
    while more:
        message = await receive()
        chunks.append(message.get("body", b""))
        more = message.get("more_body", False)
    start = []
    parts = self.app(wsgi.build_environ(self.scope, b"".join(chunks)), lambda status, headers, exc_info=None: start.append((status, headers)))
    body = b"".join(parts)
    status, headers = start[0]
    headers = [(k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in headers]
    await send({"type": "http.response.start", "status": int(status[:3]), "headers": headers})
    await send({"type": "http.response.body", "body": body})


wsgi._EfficientWSGIResponder.__call__ = answer_inline

# These two time and read a header; neither looks at what is asked.
fastapi_app.user_middleware = [
    m for m in fastapi_app.user_middleware
    if getattr(m.kwargs.get("dispatch"), "__name__", "") not in ("workspace_context_middleware", "gateway_timing_middleware")
]


class Transport(asyncio.Transport):
    def __init__(self):
        super().__init__({"sockname": ("127.0.0.1", 5000), "peername": ("127.0.0.1", 1)})
        self.written, self.closed = [], False

    def write(self, data):
        self.written.append(data)

    def close(self):
        self.closed = True

    def is_closing(self):
        return self.closed

    def pause_reading(self):
        pass

    def resume_reading(self):
        pass

    def set_write_buffer_limits(self, high=None, low=None):
        pass


config = Config(fastapi_app, http="httptools", ws="none", lifespan="off", log_config=None, access_log=False, proxy_headers=False)
config.load()


async def read(raw):
    seen.clear()
    state, transport = ServerState(), Transport()
    protocol = HttpToolsProtocol(config, state, {})
    protocol.connection_made(transport)
    protocol.data_received(raw)
    while state.tasks:
        await asyncio.wait(state.tasks)
        await asyncio.sleep(0)
    protocol.connection_lost(ConnectionResetError())
    protocol._unset_keepalive_if_required()
    said = b"".join(transport.written)
    return {"calls": seen, "status": [int(code) for code in re.findall(rb"(?:^|})HTTP/1\.1 (\d+)", said)] or [int(said[9:12] or 0)], "said": said[-600:].decode("latin-1")}


def repeated(field):
    return field.is_repeated if hasattr(field, "is_repeated") else field.label == field.LABEL_REPEATED


def fields(descriptor, depth=0):
    """The fields of a message, and of those within it."""
    found = []
    for field in descriptor.fields:
        kind = {9: "string", 8: "bool", 11: "message", 10: "message", 14: "enum", 12: "bytes", 1: "float", 2: "float"}.get(field.type, "integer")
        one = {"name": field.name, "json_name": field.json_name, "type": kind, "many": repeated(field)}
        if kind == "message":
            if field.message_type.GetOptions().map_entry:
                one["type"] = "map"
            elif field.message_type.full_name.startswith("google.protobuf."):
                one["type"] = field.message_type.name
            elif depth < 5:
                one["fields"] = fields(field.message_type, depth + 1)
        found.append(one)
    return found


async def main():
    for line in sys.stdin:
        if line.strip():
            said = await read(base64.b64decode(line))
        else:
            said = {f"{method} {pattern(path)}": fields(c.DESCRIPTOR) for (method, path), c in messages.items()}
        answers.write(json.dumps(said) + "\n")
        answers.flush()


asyncio.run(main())
