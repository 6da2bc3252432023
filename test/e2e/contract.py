"""The calls that the Python plugin and the gateway are compared by, in their order. Each call has a name of its own."""

import dataclasses

V2, V3 = "/api/2.0/mlflow", "/api/3.0/mlflow"
ADMIN, OWNER, OTHER = "ada@example.com", "vera@example.com", "fred@example.com"


@dataclasses.dataclass
class Call:
    name: str  # the operation, as the reference writes it, and the case
    who: str
    method: str
    path: str
    body: object = None
    keep: dict = None  # what later calls say of the answer: names in braces, by the fields that hold them
    space: str = ""  # the workspace that the call names, where it does


@dataclasses.dataclass
class Kind:
    segment: str
    resource: str
    pattern: str  # the segment of its patterns; "" for none


KINDS = [Kind("experiments", "{experiment}", "experiment-patterns"), Kind("registered-models", "ct-model", "registered-models-patterns"),
         Kind("prompts", "ct-prompt", "prompts-patterns"), Kind("scorers", "{experiment}/ct-scorer", "scorer-patterns"),
         Kind("gateways/endpoints", "ct-gateway", "gateways/endpoints-patterns"), Kind("gateways/secrets", "ct-gateway", "gateways/secrets-patterns"),
         Kind("gateways/model-definitions", "ct-gateway", "gateways/model-definitions-patterns"), Kind("mcp-servers", "ct%2Fserver", "")]


def preparation():
    """What the owner makes on both sides, by MLflow's own API."""
    yield Call("make", OWNER, "POST", V2 + "/experiments/create", {"name": "ct-experiment"}, {"experiment": "experiment_id"})
    yield Call("make", OWNER, "POST", V2 + "/registered-models/create", {"name": "ct-model"})
    yield Call("make", OWNER, "POST", V2 + "/registered-models/create", {"name": "ct-prompt", "tags": [{"key": "mlflow.prompt.is_prompt", "value": "true"}]})
    yield Call("make", OWNER, "POST", V3 + "/scorers/register", {"experiment_id": "{experiment}", "name": "ct-scorer", "serialized_scorer": SCORER})
    yield Call("make", OWNER, "POST", V3 + "/gateway/secrets/create",
               {"secret_name": "ct-gateway", "secret_value": {"api_key": "sk"}, "provider": "openai"}, {"secret": "secret.secret_id"})
    yield Call("make", OWNER, "POST", V3 + "/gateway/model-definitions/create",
               {"name": "ct-gateway", "secret_id": "{secret}", "provider": "openai", "model_name": "gpt-4o"}, {"definition": "model_definition.model_definition_id"})
    yield Call("make", OWNER, "POST", V3 + "/gateway/endpoints/create",
               {"name": "ct-gateway", "usage_tracking": False, "model_configs": [{"model_definition_id": "{definition}", "linkage_type": "PRIMARY", "weight": 1}]})
    # the plugin has administrators alone make these
    yield Call("make", ADMIN, "POST", V3 + "/mcp-servers", {"name": "ct/server"})
    yield Call("make", ADMIN, "POST", f"{V2}/permissions/users/{OWNER}/mcp-servers/ct%2Fserver", {"permission": "MANAGE"})
    yield Call("make", ADMIN, "POST", V2 + "/permissions/groups", {"group_name": "ct-group"})
    yield Call("make", OWNER, "POST", V2 + "/experiments/create", {"name": "ct-trash"}, {"trash": "experiment_id"})
    yield Call("make", OWNER, "POST", V2 + "/runs/create", {"experiment_id": "{trash}", "run_name": "ct-run"}, {"run": "run.info.run_id"})
    yield Call("make", OWNER, "POST", V2 + "/runs/delete", {"run_id": "{run}"})
    yield Call("make", OWNER, "POST", V2 + "/experiments/delete", {"experiment_id": "{trash}"})


SCORER = ('{"name": "ct-scorer", "mlflow_version": "3.17.2", "serialization_version": 1, "instructions_judge_pydantic_data": '
          '{"instructions": "Is {{ outputs }} right?", "model": "openai:/gpt-4o", "feedback_value_type": {"type": "string"}}}')


def grants(kind, side, holder):
    at = f"{V2}/permissions/{side}/{holder}/{kind.segment}"
    one, row = f"{at}/{kind.resource}", f"permissions/{side}/{{}}/{{kind}}/{{}}"
    level = {"permission": "READ"}
    yield Call(f"POST {row}", ADMIN, "POST", one, level)
    yield Call(f"POST {row}: that is there", ADMIN, "POST", one, level)
    yield Call(f"GET {row}", ADMIN, "GET", one)
    yield Call(f"GET permissions/{side}/{{}}/{{kind}}", ADMIN, "GET", at)
    yield Call(f"GET permissions/{side}/{{}}/{{kind}}: by its manager", OWNER, "GET", at)
    yield Call(f"GET permissions/{side}/{{}}/{{kind}}: by another", OTHER, "GET", at)
    yield Call(f"PATCH {row}", ADMIN, "PATCH", one, {"permission": "EDIT"})
    yield Call(f"PATCH {row}: of an unknown level", ADMIN, "PATCH", one, {"permission": "edit"})
    yield Call(f"PATCH {row}: without a level", ADMIN, "PATCH", one, {})
    yield Call(f"PATCH {row}: by its manager", OWNER, "PATCH", one, level)
    yield Call(f"PATCH {row}: by another", OTHER, "PATCH", one, level)
    yield Call(f"POST {row}: by another", OTHER, "POST", one, level)
    yield Call(f"DELETE {row}: by another", OTHER, "DELETE", one)
    yield Call(f"GET {row}: by another", OTHER, "GET", one)
    yield Call(f"GET permissions/{{kind}}/{{}}/{side}", ADMIN, "GET", f"{V3 if kind.segment == 'scorers' else V2}/permissions/{kind.segment}/{kind.resource}/{side}")
    yield Call(f"GET permissions/{{kind}}/{{}}/{side}: by another", OTHER, "GET", f"{V3 if kind.segment == 'scorers' else V2}/permissions/{kind.segment}/{kind.resource}/{side}")
    yield Call(f"DELETE {row}", ADMIN, "DELETE", one)
    yield Call(f"DELETE {row}: that is not there", ADMIN, "DELETE", one)
    yield Call(f"PATCH {row}: that is not there", ADMIN, "PATCH", one, level)
    yield Call(f"GET {row}: that is not there", ADMIN, "GET", one)
    yield Call(f"POST {row}: for nobody", ADMIN, "POST", one.replace(holder, "nobody"), level)


def patterns(kind, side, holder):
    at, row = f"{V2}/permissions/{side}/{holder}/{kind.pattern}", f"permissions/{side}/{{}}/{{kind}}-patterns"
    body = {"regex": "ct-nothing.*", "priority": 3, "permission": "READ"}
    key = f"{kind.pattern} {side}"
    yield Call(f"POST {row}", ADMIN, "POST", at, body)
    yield Call(f"GET {row}", ADMIN, "GET", at, keep={key: "[].id"})
    one = at + "/{" + key + "}"
    yield Call(f"POST {row}: of an unknown level", ADMIN, "POST", at, body | {"permission": "read"})
    yield Call(f"POST {row}: that does not compile", ADMIN, "POST", at, body | {"regex": "("})
    yield Call(f"POST {row}: without a priority", ADMIN, "POST", at, {"regex": "a", "permission": "READ"})
    yield Call(f"POST {row}: by another", OTHER, "POST", at, body)
    yield Call(f"GET {row}: by another", OTHER, "GET", at)
    yield Call(f"GET {row}/{{id}}", ADMIN, "GET", one)
    yield Call(f"PATCH {row}/{{id}}", ADMIN, "PATCH", one, body | {"priority": 4})
    yield Call(f"PATCH {row}/{{id}}: that is not there", ADMIN, "PATCH", at + "/4711", body)
    yield Call(f"GET {row}/{{id}}: that is not there", ADMIN, "GET", at + "/4711")
    yield Call(f"GET {row}/{{id}}: that is no number", ADMIN, "GET", at + "/x")
    yield Call(f"DELETE {row}/{{id}}: by another", OTHER, "DELETE", one)
    yield Call(f"DELETE {row}/{{id}}", ADMIN, "DELETE", one)
    yield Call(f"DELETE {row}/{{id}}: that is not there", ADMIN, "DELETE", at + "/4711")


def permissions():
    """The calls of each kind, with the segment that {kind} stands for."""
    for kind in KINDS:
        listing = V3 + "/permissions/scorers/{experiment}" if kind.segment == "scorers" else f"{V2}/permissions/{kind.segment}"
        for name, who in {"": ADMIN, ": by its manager": OWNER, ": by another": OTHER}.items():
            yield kind.segment, Call(f"GET permissions/{{kind}}{name}", who, "GET", listing)
        for side, holder in {"users": OTHER, "groups": "ct-group"}.items():
            for call in grants(kind, side, holder):
                yield kind.segment, call
            for call in patterns(kind, side, holder) if kind.pattern else []:
                yield kind.segment, call


def users():
    u = V2 + "/users"
    made = {"username": "ct-user@example.com", "display_name": "Contract"}
    robot = {"username": "ct-robot", "display_name": "Robot", "is_service_account": True}
    yield Call("POST users", ADMIN, "POST", u, made)
    yield Call("POST users: that is there", ADMIN, "POST", u, made)
    yield Call("POST users: a service account", ADMIN, "POST", u, robot)
    yield Call("POST users: without a name", ADMIN, "POST", u, {"display_name": "x"})
    yield Call("POST users: with an empty name", ADMIN, "POST", u, {"username": "", "display_name": "x"})
    yield Call("POST users: by another", OTHER, "POST", u, made)
    yield Call("GET users", ADMIN, "GET", u)
    yield Call("GET users: a page", ADMIN, "GET", u + "?limit=1&search=CT-")
    yield Call("GET users: with a wrong limit", ADMIN, "GET", u + "?limit=0")
    yield Call("GET users: by another", OTHER, "GET", u + "?service=true")
    yield Call("GET users/details", ADMIN, "GET", u + "/details?search=ct-")
    yield Call("GET users/details: people", ADMIN, "GET", u + "/details?service=false&search=ct-")
    yield Call("GET users/details: by another", OTHER, "GET", u + "/details")
    yield Call("GET users/current", OTHER, "GET", u + "/current")
    yield Call("GET users/{username}", ADMIN, "GET", u + "/ct-user@example.com")
    yield Call("GET users/{username}: nobody", ADMIN, "GET", u + "/nobody")
    yield Call("GET users/{username}: by another", OTHER, "GET", u + "/ct-user@example.com")
    yield Call("GET users/service-account-sources", ADMIN, "GET", u + "/service-account-sources")
    yield Call("GET users/service-account-sources: by another", OTHER, "GET", u + "/service-account-sources")
    yield Call("PUT users/{username}/service-account-source", ADMIN, "PUT", u + "/ct-robot/service-account-source", {"source": "internal"})
    yield Call("PUT users/{username}/service-account-source: unknown", ADMIN, "PUT", u + "/ct-robot/service-account-source", {"source": "none"})
    yield Call("PUT users/{username}/service-account-source: of a person", ADMIN, "PUT", u + "/ct-user@example.com/service-account-source", {"source": "internal"})
    yield Call("PUT users/{username}/service-account-source: nobody", ADMIN, "PUT", u + "/nobody/service-account-source", {"source": "internal"})
    yield Call("GET users/{username}/identities", ADMIN, "GET", u + "/ct-user@example.com/identities")
    yield Call("GET users/{username}/identities: nobody", ADMIN, "GET", u + "/nobody/identities")
    yield Call("DELETE users/{username}/identities: that is not there", ADMIN, "DELETE", u + "/ct-user@example.com/identities?provider_id=x&subject=y")
    yield Call("DELETE users/{username}/identities: without a subject", ADMIN, "DELETE", u + "/ct-user@example.com/identities")
    yield Call("GET users/{username}/sessions", ADMIN, "GET", u + "/ct-user@example.com/sessions")
    yield Call("DELETE users/{username}/sessions", ADMIN, "DELETE", u + "/ct-user@example.com/sessions")
    yield Call("DELETE users/{username}/sessions/{session_pk}: that is not there", ADMIN, "DELETE", u + "/ct-user@example.com/sessions/4711")
    yield Call("GET users/{username}/sessions: by another", OTHER, "GET", u + "/ct-user@example.com/sessions")
    for at, name in {u + "/current/tokens": "users/current/tokens", u + "/ct-user@example.com/tokens": "users/{username}/tokens"}.items():
        yield Call(f"POST {name}", ADMIN, "POST", at, {"name": "ct-token", "expiration": "{tomorrow}"}, {"token": "id"})
        yield Call(f"POST {name}: that is there", ADMIN, "POST", at, {"name": "ct-token", "expiration": "{tomorrow}"})
        yield Call(f"POST {name}: without an expiration", ADMIN, "POST", at, {"name": "ct-other"})
        yield Call(f"POST {name}: without a name", ADMIN, "POST", at, {"expiration": "{tomorrow}"})
        yield Call(f"POST {name}: in the past", ADMIN, "POST", at, {"name": "ct-past", "expiration": "2020-01-01T00:00:00Z"})
        yield Call(f"POST {name}: at no time", ADMIN, "POST", at, {"name": "ct-past", "expiration": "soon"})
        yield Call(f"GET {name}", ADMIN, "GET", at + "?search=ct-token")
        yield Call(f"DELETE {name}/{{token_id}}", ADMIN, "DELETE", at + "/{token}")
        yield Call(f"DELETE {name}/{{token_id}}: that is not there", ADMIN, "DELETE", at + "/{token}")
    yield Call("GET users/{username}/tokens: by another", OTHER, "GET", u + "/ct-user@example.com/tokens")
    yield Call("GET users/{username}/tokens: nobody", ADMIN, "GET", u + "/nobody/tokens")
    yield Call("PATCH users/access-token", ADMIN, "PATCH", u + "/access-token", {"username": "ct-user@example.com", "expiration": "{tomorrow}"})
    yield Call("PATCH users/access-token: of nobody", ADMIN, "PATCH", u + "/access-token", {"username": "nobody", "expiration": "{tomorrow}"})
    yield Call("PATCH users/access-token: at no time", ADMIN, "PATCH", u + "/access-token", {"username": "ct-user@example.com", "expiration": "soon"})
    yield Call("PATCH users/access-token: of another, by another", OTHER, "PATCH", u + "/access-token", {"username": "ct-user@example.com", "expiration": "{tomorrow}"})
    yield Call("DELETE users/{username}/tokens", ADMIN, "DELETE", u + "/ct-user@example.com/tokens")
    yield Call("PATCH users/{username}/active", ADMIN, "PATCH", u + "/ct-user@example.com/active", {"active": False})
    yield Call("PATCH users/{username}/active: again", ADMIN, "PATCH", u + "/ct-user@example.com/active", {"active": True, "admin_override": True})
    yield Call("PATCH users/{username}/active: the last administrator", ADMIN, "PATCH", u + f"/{ADMIN}/active", {"active": False})
    yield Call("PATCH users/{username}/active: nobody", ADMIN, "PATCH", u + "/nobody/active", {"active": False})
    yield Call("PATCH users/{username}/active: without saying which", ADMIN, "PATCH", u + "/ct-user@example.com/active", {})
    yield Call("PATCH users/{username}/active: by another", OTHER, "PATCH", u + "/ct-user@example.com/active", {"active": False})
    yield Call("PATCH users/ownership", ADMIN, "PATCH", u + "/ownership", {"username": "ct-user@example.com", "managed_by": "scim"})
    yield Call("PATCH users/ownership: with memberships", ADMIN, "PATCH", u + "/ownership", {"username": "ct-user@example.com", "managed_by": "manual", "memberships": True})
    yield Call("PATCH users/ownership: of nobody", ADMIN, "PATCH", u + "/ownership", {"username": "nobody", "managed_by": "manual"})
    yield Call("PATCH users/ownership: to nothing", ADMIN, "PATCH", u + "/ownership", {"username": "ct-user@example.com", "managed_by": "me"})
    yield Call("PATCH users/ownership: to a provider that is not there", ADMIN, "PATCH", u + "/ownership", {"username": "ct-user@example.com", "managed_by": "oidc:none"})
    yield Call("PATCH users/ownership: by another", OTHER, "PATCH", u + "/ownership", {"username": OTHER, "managed_by": "manual"})
    yield Call("DELETE users", ADMIN, "DELETE", u, {"username": "ct-user@example.com"})
    yield Call("DELETE users: that is not there", ADMIN, "DELETE", u, {"username": "ct-user@example.com"})
    yield Call("DELETE users: the last administrator", ADMIN, "DELETE", u, {"username": ADMIN})
    yield Call("DELETE users: by another", OTHER, "DELETE", u, {"username": OTHER})


def groups():
    g = V2 + "/permissions/groups"
    yield Call("POST permissions/groups", ADMIN, "POST", g, {"group_name": "ct-made"})
    yield Call("POST permissions/groups: that is there", ADMIN, "POST", g, {"group_name": "ct-made"})
    yield Call("POST permissions/groups: without a name", ADMIN, "POST", g, {"group_name": " "})
    yield Call("POST permissions/groups: with a name that paths cannot hold", ADMIN, "POST", g, {"group_name": "a?b"})
    yield Call("POST permissions/groups: by another", OTHER, "POST", g, {"group_name": "ct-other"})
    yield Call("GET permissions/groups", OTHER, "GET", g)
    yield Call("GET permissions/groups: a page", OTHER, "GET", g + "?limit=1&offset=1&search=ct-")
    yield Call("GET permissions/groups/details", ADMIN, "GET", g + "/details?search=ct-")
    yield Call("GET permissions/groups/details: by another", OTHER, "GET", g + "/details")
    yield Call("GET permissions/groups/{group_name}/users", ADMIN, "GET", g + "/ct-made/users")
    yield Call("GET permissions/groups/{group_name}/users: of nothing", ADMIN, "GET", g + "/none/users")
    yield Call("GET permissions/groups/{group_name}/users: by another", OTHER, "GET", g + "/ct-made/users")


def rest():
    trash, hook = "/oidc/trash", "/oidc/webhook"
    yield Call("GET oidc/trash/experiments", ADMIN, "GET", trash + "/experiments?search=ct-")
    yield Call("GET oidc/trash/experiments: by another", OTHER, "GET", trash + "/experiments")
    yield Call("GET oidc/trash/runs", ADMIN, "GET", trash + "/runs?experiment_ids={trash}")
    yield Call("GET oidc/trash/runs: of an age", ADMIN, "GET", trash + "/runs?older_than=1d&search=ct-")
    yield Call("POST oidc/trash/runs/{run_id}/restore", ADMIN, "POST", trash + "/runs/{run}/restore")
    yield Call("POST oidc/trash/runs/{run_id}/restore: that is not there", ADMIN, "POST", trash + "/runs/none/restore")
    yield Call("POST oidc/trash/experiments/{experiment_id}/restore", ADMIN, "POST", trash + "/experiments/{trash}/restore")
    yield Call("POST oidc/trash/experiments/{experiment_id}/restore: that is not deleted", ADMIN, "POST", trash + "/experiments/{trash}/restore")
    yield Call("POST oidc/trash/experiments/{experiment_id}/restore: that is not there", ADMIN, "POST", trash + "/experiments/987654321/restore")
    yield Call("POST oidc/trash/cleanup: of what is not deleted", ADMIN, "POST", trash + "/cleanup?experiment_ids={trash}")
    yield Call("POST oidc/trash/cleanup: at no age", ADMIN, "POST", trash + "/cleanup?older_than=x")
    yield Call("delete", OWNER, "POST", V2 + "/runs/delete", {"run_id": "{run}"})
    yield Call("POST oidc/trash/cleanup", ADMIN, "POST", trash + "/cleanup?run_ids={run}")
    yield Call("POST oidc/trash/cleanup: by another", OTHER, "POST", trash + "/cleanup")
    new = {"name": "ct-hook", "url": "https://1.1.1.1/hook", "events": ["prompt.created"], "status": "DISABLED"}
    yield Call("POST oidc/webhook", ADMIN, "POST", hook, new, {"hook": "webhook_id"})
    yield Call("POST oidc/webhook: without TLS", ADMIN, "POST", hook, new | {"url": "http://1.1.1.1/"})
    yield Call("POST oidc/webhook: with an unknown event", ADMIN, "POST", hook, new | {"events": ["x.y"]})
    yield Call("POST oidc/webhook: by another", OTHER, "POST", hook, new)
    yield Call("GET oidc/webhook", ADMIN, "GET", hook)
    yield Call("GET oidc/webhook: a page", ADMIN, "GET", hook + "?limit=1&search=ct")
    yield Call("GET oidc/webhook/{webhook_id}", ADMIN, "GET", hook + "/{hook}")
    yield Call("PUT oidc/webhook/{webhook_id}", ADMIN, "PUT", hook + "/{hook}", {"description": "said"})
    yield Call("PUT oidc/webhook/{webhook_id}: with an unknown status", ADMIN, "PUT", hook + "/{hook}", {"status": "x"})
    yield Call("POST oidc/webhook/{webhook_id}/test: with an unknown event", ADMIN, "POST", hook + "/{hook}/test", {"event_type": "x.y"})
    yield Call("DELETE oidc/webhook/{webhook_id}", ADMIN, "DELETE", hook + "/{hook}")
    yield Call("GET oidc/webhook/{webhook_id}: that is not there", ADMIN, "GET", hook + "/{hook}")
    yield Call("GET health", "", "GET", "/health")
    yield Call("GET health/live", "", "GET", "/health/live")
    yield Call("GET health/ready", "", "GET", "/health/ready")
    yield Call("GET health/startup", "", "GET", "/health/startup")
    yield Call("GET providers", "", "GET", "/providers")
    yield Call("GET auth/status", "", "GET", "/auth/status")
    yield Call("GET oidc/ui", "", "GET", "/oidc/ui")
    yield Call("GET oidc/ui/config.json", "", "GET", "/oidc/ui/config.json")
    yield Call("GET oidc/ui/", "", "GET", "/oidc/ui/")
    yield Call("GET oidc/ui/{filename}", "", "GET", "/oidc/ui/users")
    yield Call("GET oidc/ui/{filename}: below another", "", "GET", "/oidc/ui/users/ada@example.com")
    yield Call("GET users/current: by nobody", "", "GET", V2 + "/users/current")
    yield from signing_in()
    yield from returning()
    yield Call("GET logout", "", "GET", "/logout")
    yield Call("GET workspace-rules: without workspaces", ADMIN, "GET", V3 + "/workspace-rules")


def signing_in(how=""):
    yield Call(f"GET login{how}", "", "GET", "/login")
    yield Call(f"GET login: on the way to a page{how}", "", "GET", "/login?next=/oidc/ui/users")


def returning():
    yield Call("GET login/{provider_id}", "", "GET", "/login/{provider}")
    yield Call("GET login/{provider_id}: of none", "", "GET", "/login/none")
    for name, at in {"callback": "/callback", "callback/{provider_id}": "/callback/{provider}"}.items():
        yield Call(f"GET {name}", "", "GET", at)
        yield Call(f"GET {name}: of no sign-in", "", "GET", at + "?code=none&state=none")
        yield Call(f"GET {name}: with an error", "", "GET", at + "?error=access_denied&state=none")
    yield Call("GET callback/{provider_id}: of none", "", "GET", "/callback/none?code=none&state=none")


SPACE = V3 + "/permissions/workspaces"


def spaces_preparation():
    """What is there before the calls where workspaces are on."""
    yield Call("make", ADMIN, "POST", V3 + "/workspaces", {"name": "ct-space"})
    yield Call("make", ADMIN, "POST", V3 + "/workspaces", {"name": "ct-other"})
    for group in ("ct-group", "ct-space-team", "ct-none-team"):
        yield Call("make", ADMIN, "POST", V2 + "/permissions/groups", {"group_name": group})


def spaces():
    """The calls where workspaces are on."""
    yield Call("POST permissions/workspaces/{}/users: a manager", ADMIN, "POST", SPACE + "/ct-space/users", {"username": OWNER, "permission": "MANAGE"})
    for side, field, holder in (("users", "username", OTHER), ("groups", "group_name", "ct-group")):
        yield from space_grants(side, field, holder)
        yield from space_patterns(side.removesuffix("s"), field, holder)
    yield from inside()
    yield from rules()
    yield from signing_in(", without a page that asks")


def space_grants(side, field, holder):
    at, row = f"{SPACE}/ct-space/{side}", f"permissions/workspaces/{{}}/{side}"
    one = f"{at}/{holder}"
    body = {field: holder, "permission": "READ"}
    yield Call(f"GET {row}: by another", OTHER, "GET", at)
    yield Call(f"POST {row}", ADMIN, "POST", at, body)
    yield Call(f"POST {row}: that is there", ADMIN, "POST", at, body)
    yield Call(f"POST {row}: of an unknown level", ADMIN, "POST", at, body | {"permission": "read"})
    yield Call(f"POST {row}: without a level", ADMIN, "POST", at, {field: holder})
    yield Call(f"POST {row}: without a holder", ADMIN, "POST", at, {"permission": "READ"})
    yield Call(f"POST {row}: for nobody", ADMIN, "POST", at, body | {field: "nobody"})
    yield Call(f"POST {row}: by another", OTHER, "POST", at, body)
    yield Call(f"POST {row}: in a workspace that is not there", ADMIN, "POST", f"{SPACE}/ct-missing/{side}", body)
    yield Call(f"GET {row}", ADMIN, "GET", at)
    yield Call(f"GET {row}: by its manager", OWNER, "GET", at)
    yield Call(f"GET {row}: by a reader", OTHER, "GET", at)
    yield Call(f"GET {row}: of a workspace that is not there", ADMIN, "GET", f"{SPACE}/ct-missing/{side}")
    yield Call(f"PATCH {row}/{{}}", ADMIN, "PATCH", one, body | {"permission": "EDIT"})
    yield Call(f"PATCH {row}/{{}}: by its manager", OWNER, "PATCH", one, body | {"permission": "USE"})
    yield Call(f"PATCH {row}/{{}}: of an unknown level", ADMIN, "PATCH", one, body | {"permission": "edit"})
    yield Call(f"PATCH {row}/{{}}: without a level", ADMIN, "PATCH", one, {field: holder})
    yield Call(f"PATCH {row}/{{}}: without a holder", ADMIN, "PATCH", one, {"permission": "USE"})
    yield Call(f"PATCH {row}/{{}}: by another", OTHER, "PATCH", one, body)
    yield Call(f"DELETE {row}/{{}}: by another", OTHER, "DELETE", one)
    yield Call(f"DELETE {row}/{{}}: by its manager", OWNER, "DELETE", one)
    yield Call(f"DELETE {row}/{{}}: that is not there", ADMIN, "DELETE", one)
    yield Call(f"PATCH {row}/{{}}: that is not there", ADMIN, "PATCH", one, body)
    yield Call(f"POST {row}: by its manager", OWNER, "POST", at, body)
    yield Call(f"DELETE {row}/{{}}", ADMIN, "DELETE", one)


def space_patterns(side, field, holder):
    at, row = f"{SPACE}/regex/{side}", f"permissions/workspaces/regex/{side}"
    body = {"regex": "ct-nothing.*", "priority": 3, "permission": "READ", field: holder}
    yield Call(f"POST {row}", ADMIN, "POST", at, body, {f"{side} pattern": "id"})
    one = at + "/{" + side + " pattern}"
    yield Call(f"POST {row}: of an unknown level", ADMIN, "POST", at, body | {"permission": "read"})
    yield Call(f"POST {row}: that does not compile", ADMIN, "POST", at, body | {"regex": "("})
    yield Call(f"POST {row}: without a priority", ADMIN, "POST", at, {"regex": "a", "permission": "READ", field: holder})
    yield Call(f"POST {row}: without a holder", ADMIN, "POST", at, {"regex": "a", "priority": 3, "permission": "READ"})
    yield Call(f"POST {row}: for nobody", ADMIN, "POST", at, body | {field: "nobody"})
    yield Call(f"POST {row}: by a manager", OWNER, "POST", at, body)
    yield Call(f"GET {row}", ADMIN, "GET", at)
    yield Call(f"GET {row}: by a manager", OWNER, "GET", at)
    yield Call(f"PATCH {row}/{{id}}", ADMIN, "PATCH", one, body | {"priority": 4})
    yield Call(f"PATCH {row}/{{id}}: that is not there", ADMIN, "PATCH", at + "/4711", body)
    yield Call(f"PATCH {row}/{{id}}: that is no number", ADMIN, "PATCH", at + "/x", body)
    yield Call(f"PATCH {row}/{{id}}: by a manager", OWNER, "PATCH", one, body)
    yield Call(f"DELETE {row}/{{id}}: by a manager", OWNER, "DELETE", f"{one}?{field}={holder}")
    yield Call(f"DELETE {row}/{{id}}: without a holder", ADMIN, "DELETE", one)
    yield Call(f"DELETE {row}/{{id}}", ADMIN, "DELETE", f"{one}?{field}={holder}")
    yield Call(f"DELETE {row}/{{id}}: that is not there", ADMIN, "DELETE", f"{one}?{field}={holder}")


def inside():
    """Permissions on what is in a workspace."""
    at = f"{V2}/permissions/users/{OTHER}/experiments"
    yield Call("make", OWNER, "POST", V2 + "/experiments/create", {"name": "ct-inside"}, {"inside": "experiment_id"}, "ct-space")
    for place, name in {"ct-space": "in a workspace", "ct-other": "in another workspace"}.items():
        yield Call(f"GET permissions/experiments: {name}", OWNER, "GET", V2 + "/permissions/experiments", space=place)
        yield Call(f"POST permissions/users/{{}}/experiments/{{}}: {name}", OWNER, "POST", at + "/{inside}", {"permission": "READ"}, space=place)
        yield Call(f"GET permissions/users/{{}}/experiments: {name}", ADMIN, "GET", at, space=place)
    body = {"regex": "ct-nothing.*", "priority": 3, "permission": "READ"}
    row = "permissions/users/{}/experiment-patterns"
    yield Call(f"POST {row}: in a workspace", ADMIN, "POST", f"{V2}/permissions/users/{OTHER}/experiment-patterns", body, space="ct-space")
    yield Call(f"GET {row}: in a workspace", ADMIN, "GET", f"{V2}/permissions/users/{OTHER}/experiment-patterns", space="ct-space")


def rules():
    at, row = V3 + "/workspace-rules", "workspace-rules"
    new = {"name": "ct-rule", "pattern": "(?P<ws>ct-[a-z]+)-team", "permission": "READ"}
    tried = {"pattern": new["pattern"], "permission": "USE"}
    one = at + "/{rule}"
    yield Call(f"GET {row}", ADMIN, "GET", at)
    yield Call(f"POST {row}/preview", ADMIN, "POST", at + "/preview", tried)
    yield Call(f"POST {row}: that reports", ADMIN, "POST", at, new, {"rule": "rule.id"})
    yield Call(f"POST {row}: that is there", ADMIN, "POST", at, new)
    for name, wrong in {"without the workspace in it": {"pattern": "ct-.*"}, "that does not compile": {"pattern": "("}, "of an unknown level": {"permission": "read"},
                        "above the most": {"permission": "MANAGE"}, "of nothing": {"permission": "NO_PERMISSIONS"}, "of an unknown mode": {"mode": "x"},
                        "without a name": {"name": " "}, "with an unknown field": {"workspace": "x"}}.items():
        yield Call(f"POST {row}: {name}", ADMIN, "POST", at, new | {"name": "ct-wrong"} | wrong)
    yield Call(f"POST {row}: without a pattern", ADMIN, "POST", at, {"name": "ct-wrong", "permission": "READ"})
    yield Call(f"POST {row}/preview: that does not compile", ADMIN, "POST", at + "/preview", tried | {"pattern": "("})
    yield Call(f"POST {row}/preview: of a change", ADMIN, "POST", at + "/preview", tried | {"rule_id": "{rule}"})
    yield Call(f"POST {row}/preview: of a rule that is not there", ADMIN, "POST", at + "/preview", tried | {"rule_id": 4711})
    yield Call(f"GET {row}/{{rule_id}}", ADMIN, "GET", one)
    yield Call(f"GET {row}/{{rule_id}}/preview", ADMIN, "GET", one + "/preview")
    yield Call(f"PATCH {row}/{{rule_id}}: to enforce it", ADMIN, "PATCH", one, {"mode": "enforce"})
    yield Call(f"GET permissions/workspaces/{{}}/groups: by a rule", ADMIN, "GET", SPACE + "/ct-space/groups")
    yield Call(f"GET {row}/{{rule_id}}/preview: that is enforced", ADMIN, "GET", one + "/preview")
    yield Call(f"PATCH {row}/{{rule_id}}: to another level", ADMIN, "PATCH", one, {"permission": "EDIT"})
    yield Call(f"PATCH {row}/{{rule_id}}: to another name", ADMIN, "PATCH", one, {"name": "ct-renamed"})
    yield Call(f"PATCH {row}/{{rule_id}}: to an unknown mode", ADMIN, "PATCH", one, {"mode": "x"})
    yield Call(f"PATCH {row}/{{rule_id}}: to no name", ADMIN, "PATCH", one, {"name": " "})
    yield Call(f"PATCH {row}/{{rule_id}}: with an unknown field", ADMIN, "PATCH", one, {"workspace": "x"})
    yield Call(f"PATCH {row}/{{rule_id}}: that is not there", ADMIN, "PATCH", at + "/4711", {"mode": "enforce"})
    yield Call(f"GET {row}: of one rule", ADMIN, "GET", at)
    yield Call(f"POST {row}: that enforces", ADMIN, "POST", at, new | {"name": "ct-second", "mode": "enforce"}, {"second": "rule.id"})
    yield Call(f"PATCH {row}/{{rule_id}}: to be off", ADMIN, "PATCH", one, {"enabled": False})
    yield Call(f"PATCH {row}/{{rule_id}}: to be on", ADMIN, "PATCH", one, {"enabled": True})
    for method, path in {("GET", ""), ("POST", ""), ("POST", "/preview"), ("GET", "/{rule_id}"), ("GET", "/{rule_id}/preview"), ("PATCH", "/{rule_id}"), ("DELETE", "/{rule_id}")}:
        body = {"POST": tried if path else new, "PATCH": {"mode": "report"}}.get(method)
        yield Call(f"{method} {row}{path}: by a manager", OWNER, method, at + path.replace("rule_id", "rule"), body)
    yield Call(f"DELETE {row}/{{rule_id}}", ADMIN, "DELETE", one)
    yield Call(f"DELETE {row}/{{rule_id}}: that is not there", ADMIN, "DELETE", one)
    yield Call(f"DELETE {row}/{{rule_id}}: the last", ADMIN, "DELETE", at + "/{second}")
    yield Call(f"GET {row}/{{rule_id}}: that is not there", ADMIN, "GET", one)
    yield Call(f"GET {row}/{{rule_id}}/preview: that is not there", ADMIN, "GET", one + "/preview")


def plain():
    """The calls where workspaces are off, each with the segment that {kind} stands for, if with any."""
    yield from (("", call) for call in preparation())
    yield from permissions()
    yield from (("", call) for part in (users, groups, rest) for call in part())


def with_workspaces():
    """The calls where workspaces are on."""
    yield from (("", call) for part in (spaces_preparation, spaces) for call in part())
