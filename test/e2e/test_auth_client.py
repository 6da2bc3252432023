"""MLflow's own AuthServiceClient against the gateway, and the same calls against MLflow's basic-auth app.

What the two answer differently on purpose is in DIFFERENT, and in docs/compatibility.md.
"""

import contextlib
import dataclasses
import os
import secrets
import subprocess

import pytest
import requests
from mlflow.exceptions import MlflowException
from mlflow.server.auth.client import AuthServiceClient

from world import ADA, MLFLOW, ROOT, VERA, eventually, free_port

DANA, ELI = "dana", "eli"
FIRST, SECOND = "dana's first password", "dana's second password"
NONE = 4711  # the id of nothing


@dataclasses.dataclass
class Site:
    url: str
    admin: str
    secret: str

    @contextlib.contextmanager
    def acting(self, username=None, password=None):
        names = {"MLFLOW_TRACKING_USERNAME": username or self.admin, "MLFLOW_TRACKING_PASSWORD": password or self.secret}
        kept = {name: os.environ.get(name) for name in names}
        os.environ.update(names)
        try:
            yield AuthServiceClient(self.url)
        finally:
            for name, value in kept.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value

    def send(self, method, path, username=None, password=None, **how):
        answer = requests.request(method, self.url + path, auth=(username or self.admin, password or self.secret), timeout=60, **how)
        return answer.status_code, answer.json().get("error_code") if answer.headers.get("Content-Type", "").startswith("application/json") else None


@pytest.fixture(scope="module")
def gateway(world):
    return Site(world.url, ADA, world.tokens[ADA])


@pytest.fixture(scope="module")
def basic(tmp_path_factory):
    """MLflow's own basic-auth app, with the gateway's default of nothing."""
    directory, port, secret = tmp_path_factory.mktemp("basic"), free_port(), secrets.token_urlsafe(16)
    settings = directory / "auth.ini"
    settings.write_text(f"[mlflow]\ndefault_permission = NO_PERMISSIONS\ndatabase_uri = sqlite:///{directory}/auth.db\n"
                        "admin_username = admin\nauthorization_function = mlflow.server.auth:authenticate_request_basic_auth\n")
    with (directory / "output.log").open("wb") as output:
        process = subprocess.Popen(
            [MLFLOW, "server", "--app-name", "basic-auth", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
             "--backend-store-uri", f"sqlite:///{directory}/mlflow.db", "--default-artifact-root", str(directory)],
            stdout=output, stderr=subprocess.STDOUT, cwd=directory,
            env=os.environ | {"MLFLOW_FLASK_SERVER_SECRET_KEY": "secret", "MLFLOW_AUTH_CONFIG_PATH": str(settings),
                              "MLFLOW_AUTH_ADMIN_USERNAME": "admin", "MLFLOW_AUTH_ADMIN_PASSWORD": secret})

    def serves():
        with contextlib.suppress(requests.ConnectionError):
            return process.poll() is not None or requests.get(f"http://127.0.0.1:{port}/health", timeout=5).ok
    try:
        eventually(serves, "basic-auth serves", 300)
        assert process.poll() is None, (directory / "output.log").read_text()
        yield Site(f"http://127.0.0.1:{port}", "admin", secret)
    finally:
        process.terminate()
        process.wait(60)


def outcome(call):
    try:
        return "ok", call()
    except MlflowException as error:
        return error.error_code, None


def scenario(site):
    """Does all that the client can, as an administrator and as somebody who may not; gives what came of each call."""
    came = {}

    def do(what, call):
        came[what], result = outcome(call)
        return result

    status, _ = site.send("POST", "/api/2.0/mlflow/experiments/create", json={"name": "of the auth client"})
    assert status == 200
    experiment = requests.get(site.url + "/api/2.0/mlflow/experiments/get-by-name", params={"experiment_name": "of the auth client"},
                              auth=(site.admin, site.secret), timeout=60).json()["experiment"]["experiment_id"]
    with site.acting() as admin:
        made = do("create_user", lambda: admin.create_user(DANA, FIRST))
        assert (made.username, made.is_admin) == (DANA, False)
        do("create_user: there already", lambda: admin.create_user(DANA, FIRST))
        do("create_user: short password", lambda: admin.create_user("short", "elevenchars"))
        do("create_user: empty", lambda: admin.create_user("", FIRST))
        do("create_user: another", lambda: admin.create_user(ELI, FIRST))
        assert do("get_user", lambda: admin.get_user(DANA)).username == DANA
        do("get_user: nobody", lambda: admin.get_user("nobody"))
        role = do("create_role", lambda: admin.create_role("default", "crew", "who works here"))
        assert (role.name, role.workspace, role.description, role.permissions) == ("crew", "default", "who works here", [])
        do("create_role: there already", lambda: admin.create_role("default", "crew"))
        do("create_role: reserved name", lambda: admin.create_role("default", "__user_1__"))
        do("create_role: no name", lambda: admin.create_role("default", " "))
        bare = do("create_role: without a description", lambda: admin.create_role("default", "bare"))
        assert do("get_role", lambda: admin.get_role(role.id)).name == "crew"
        do("get_role: none", lambda: admin.get_role(NONE))
        assert {"crew", "bare"} <= {r.name for r in do("list_roles", lambda: admin.list_roles("default"))}
        assert {"crew", "bare"} <= {r.name for r in do("list_all_roles", admin.list_all_roles)}
        assert do("update_role", lambda: admin.update_role(role.id, description="changed")).description == "changed"
        do("update_role: nothing", lambda: admin.update_role(role.id))
        do("update_role: a name that is taken", lambda: admin.update_role(role.id, name="bare"))
        do("update_role: reserved name", lambda: admin.update_role(role.id, name="__user_7__"))
        for kind in ("experiment", "registered_model", "prompt", "scorer", "gateway_secret", "gateway_endpoint", "gateway_model_definition", "mcp_server",
                     "run", "trace", "assessment", "logged_model", "review_queue", "registered_model_version", "prompt_version", "scorer_version",
                     "mcp_server_version"):
            p = do(f"add_role_permission: {kind}", lambda kind=kind: admin.add_role_permission(bare.id, kind, "*", "DENY"))
            assert (p.role_id, p.resource_type, p.resource_pattern, p.permission) == (bare.id, kind, "*", "DENY")
        do("add_role_permission: workspace", lambda: admin.add_role_permission(bare.id, "workspace", "*", "USE"))
        do("add_role_permission: EDIT on a workspace", lambda: admin.add_role_permission(role.id, "workspace", "*", "EDIT"))
        do("add_role_permission: one workspace", lambda: admin.add_role_permission(role.id, "workspace", "a", "USE"))
        do("add_role_permission: one run", lambda: admin.add_role_permission(role.id, "run", "a", "READ"))
        do("add_role_permission: unknown type", lambda: admin.add_role_permission(role.id, "dataset", "*", "READ"))
        do("add_role_permission: unknown permission", lambda: admin.add_role_permission(role.id, "run", "*", "LOOK"))
        do("add_role_permission: NO_PERMISSIONS", lambda: admin.add_role_permission(role.id, "run", "*", "NO_PERMISSIONS"))
        do("add_role_permission: no role", lambda: admin.add_role_permission(NONE, "run", "*", "READ"))
        p = do("add_role_permission: one experiment", lambda: admin.add_role_permission(role.id, "experiment", experiment, "READ"))
        do("add_role_permission: there already", lambda: admin.add_role_permission(role.id, "experiment", experiment, "EDIT"))
        do("add_role_permission: one scorer", lambda: admin.add_role_permission(role.id, "scorer", experiment + "/my%20scorer%2F1", "READ"))
        assert do("update_role_permission", lambda: admin.update_role_permission(p.id, "EDIT")).permission == "EDIT"
        do("update_role_permission: wrong", lambda: admin.update_role_permission(p.id, "NO_PERMISSIONS"))
        do("update_role_permission: none", lambda: admin.update_role_permission(NONE, "READ"))
        assert len(do("list_role_permissions", lambda: admin.list_role_permissions(role.id))) == 2
        do("list_role_permissions: no role", lambda: admin.list_role_permissions(NONE))

        def permission(*of):
            return lambda: (lambda got: f"{got.permission} {got.allowed}")(admin.get_user_permission(DANA, *of))
        came["before the role"] = do("get_user_permission", permission("experiment", experiment))
        assert do("assign_role", lambda: admin.assign_role(DANA, role.id)).role_id == role.id
        do("assign_role: there already", lambda: admin.assign_role(DANA, role.id))
        do("assign_role: nobody", lambda: admin.assign_role("nobody", role.id))
        do("assign_role: no role", lambda: admin.assign_role(DANA, NONE))
        came["with the role"] = permission("experiment", experiment)()
        assert "crew" in {r.name for r in do("list_user_roles", lambda: admin.list_user_roles(DANA))}
        do("list_user_roles: nobody", lambda: admin.list_user_roles("nobody"))
        assert [a.role_id for a in do("list_role_users", lambda: admin.list_role_users(role.id))] == [role.id]
        do("list_role_users: no role", lambda: admin.list_role_users(NONE))
        with site.acting(DANA, FIRST) as dana:
            do("dana: get_user", lambda: dana.get_user(DANA))
            do("dana: get_user of another", lambda: dana.get_user(ELI))
            do("dana: get_role that is hers", lambda: dana.get_role(role.id))
            do("dana: list_roles of where she is", lambda: dana.list_roles("default"))
            do("dana: list_roles of where she is not", lambda: dana.list_roles("elsewhere"))
            do("dana: list_all_roles", dana.list_all_roles)
            do("dana: list_user_roles", lambda: dana.list_user_roles(DANA))
            do("dana: list_user_roles of another", lambda: dana.list_user_roles(ELI))
            do("dana: list_role_users", lambda: dana.list_role_users(role.id))
            do("dana: get_user_permission", lambda: dana.get_user_permission(DANA, "experiment", experiment))
            do("dana: get_user_permission of another", lambda: dana.get_user_permission(ELI, "experiment", experiment))
            do("dana makes herself an administrator", lambda: dana.update_user_admin(DANA, True))
            do("dana grants herself more", lambda: dana.grant_user_permission(DANA, "experiment", experiment, "MANAGE"))
            do("dana grants herself all", lambda: dana.grant_user_permission(DANA, "experiment", "*", "MANAGE"))
            do("dana takes another's away", lambda: dana.revoke_user_permission(ELI, "experiment", experiment))
            do("dana assigns herself a role", lambda: dana.assign_role(DANA, bare.id))
            do("dana takes a role off", lambda: dana.unassign_role(DANA, role.id))
            do("dana widens her role", lambda: dana.add_role_permission(role.id, "workspace", "*", "MANAGE"))
            do("dana raises her role", lambda: dana.update_role_permission(p.id, "MANAGE"))
            do("dana narrows a role", lambda: dana.remove_role_permission(p.id))
            do("dana renames a role", lambda: dana.update_role(role.id, name="hers"))
            do("dana makes a role", lambda: dana.create_role("default", "hers"))
            do("dana deletes a role", lambda: dana.delete_role(role.id))
            do("dana asks for a role that is none", lambda: dana.get_role(NONE))
            do("dana makes a user", lambda: dana.create_user("hers", FIRST))
            do("dana deletes the administrator", lambda: dana.delete_user(site.admin))
            do("dana changes another's password", lambda: dana.update_user_password(ELI, SECOND))
            do("dana changes her password without the current one", lambda: dana.update_user_password(DANA, SECOND))
            do("dana changes her password with a wrong one", lambda: dana.update_user_password(DANA, SECOND, SECOND))
            do("dana keeps her password", lambda: dana.update_user_password(DANA, FIRST, FIRST))
            do("dana shortens her password", lambda: dana.update_user_password(DANA, "short", FIRST))
            do("dana changes her password", lambda: dana.update_user_password(DANA, SECOND, FIRST))
            do("dana comes with the old password", lambda: dana.get_user(DANA))
        with site.acting(DANA, SECOND) as dana:
            do("dana comes with the new password", lambda: dana.get_user(DANA))
        do("update_user_password", lambda: admin.update_user_password(DANA, FIRST))
        do("update_user_password: nobody", lambda: admin.update_user_password("nobody", FIRST))
        do("unassign_role", lambda: admin.unassign_role(DANA, role.id))
        do("unassign_role: not assigned", lambda: admin.unassign_role(DANA, role.id))
        for resource in (("experiment", experiment), ("experiment", "*"), ("run", "*"), ("scorer", experiment + "/a%2Fb")):
            for name, call in (("grant", admin.grant_user_permission), ("revoke", admin.revoke_user_permission)):
                more = ("EDIT",) if name == "grant" else ()
                do(f"{name}_user_permission: {resource[0]}", lambda call=call, resource=resource, more=more: call(DANA, *resource, *more))
                if resource[0] != "scorer":
                    came[f"after {name} on {resource[0]}"] = permission(*resource)()
                do(f"{name}_user_permission: {resource[0]}, again", lambda call=call, resource=resource, more=more: call(DANA, *resource, *more))
        do("grant_user_permission: DENY", lambda: admin.grant_user_permission(DANA, "experiment", experiment, "DENY"))
        came["after DENY"] = permission("experiment", experiment)()
        do("grant_user_permission: workspace", lambda: admin.grant_user_permission(DANA, "workspace", "*", "MANAGE"))
        do("grant_user_permission: nobody", lambda: admin.grant_user_permission("nobody", "experiment", experiment, "READ"))
        do("grant_user_permission: NO_PERMISSIONS", lambda: admin.grant_user_permission(DANA, "prompt", "a", "NO_PERMISSIONS"))
        do("grant_user_permission: one run", lambda: admin.grant_user_permission(DANA, "run", "a", "READ"))
        do("get_user_permission: workspace", permission("workspace", "*"))
        do("get_user_permission: unknown type", permission("dataset", "a"))
        do("get_user_permission: nobody", lambda: admin.get_user_permission("nobody", "experiment", experiment))
        do("remove_role_permission", lambda: admin.remove_role_permission(p.id))
        do("remove_role_permission: again", lambda: admin.remove_role_permission(p.id))
        do("delete_role", lambda: admin.delete_role(role.id))
        do("delete_role: again", lambda: admin.delete_role(role.id))
        do("delete_role: the other", lambda: admin.delete_role(bare.id))
        do("update_user_admin", lambda: admin.update_user_admin(ELI, True))
        assert do("get_user: an administrator", lambda: admin.get_user(ELI)).is_admin
        do("update_user_admin: nobody", lambda: admin.update_user_admin("nobody", True))
        with site.acting(ELI, FIRST) as eli:
            do("eli, an administrator, deletes himself", lambda: eli.delete_user(ELI))
            do("eli deletes dana", lambda: eli.delete_user(DANA))
        do("delete_user", lambda: admin.delete_user(ELI))
        do("delete_user: again", lambda: admin.delete_user(ELI))
        do("delete_user: oneself", lambda: admin.delete_user(site.admin))
    return came


def statuses(site):
    """Sends what the client does not, as administrator; gives the status and error code of each."""
    third, second = "/api/3.0/mlflow", "/ajax-api/2.0/mlflow"
    calls = {
        "roles/create without anything": ("POST", third + "/roles/create", {"json": {}}),
        "roles/create without a body": ("POST", third + "/roles/create", {}),
        "roles/create with a null description": ("POST", third + "/roles/create", {"json": {"workspace": "default", "name": "n", "description": None}}),
        "roles/create, again": ("POST", third + "/roles/create", {"json": {"workspace": "default", "name": "n"}}),
        "roles/create with a number for a name": ("POST", third + "/roles/create", {"json": {"workspace": "default", "name": 7}}),
        "roles/get without an id": ("GET", third + "/roles/get", {}),
        "roles/get with an id that is none": ("GET", third + "/roles/get?role_id=x", {}),
        "roles/get of nothing": ("GET", third + "/roles/get?role_id=4711", {}),
        "roles/delete by the query": ("DELETE", third + "/roles/delete?role_id=4711", {}),
        "roles/delete by the body": ("DELETE", third + "/roles/delete", {"json": {"role_id": 4711}}),
        "roles/delete with a text for an id": ("DELETE", third + "/roles/delete", {"json": {"role_id": "4711"}}),
        "roles/list of no name": ("GET", third + "/roles/list?workspace=", {}),
        "roles/list of two": ("GET", third + "/roles/list?workspace=default&workspace=other", {}),
        "users/get without a name": ("GET", second + "/users/get", {}),
        "users/list": ("GET", second + "/users/list", {}),
        "users/current": ("GET", second + "/users/current", {}),
        "users/current/permissions": ("GET", "/ajax-api/3.0/mlflow/users/current/permissions", {}),
        "users/permissions/list": ("GET", f"{third}/users/permissions/list?username={site.admin}", {}),
        "users/create without a password": ("POST", second + "/users/create", {"json": {"username": "x"}}),
        "users/update-admin without a value": ("PATCH", second + "/users/update-admin", {"json": {"username": site.admin}}),
        "users/delete of oneself": ("DELETE", second + "/users/delete", {"json": {"username": site.admin}}),
        "users/permissions/grant without anything": ("POST", third + "/users/permissions/grant", {"json": {}}),
    }
    return {name: site.send(method, path, **how) for name, (method, path, how) in calls.items()}


# By the call: what MLflow's basic-auth answers, and what the gateway does.
DIFFERENT = {
    "create_user: empty": ("BAD_REQUEST", "INVALID_PARAMETER_VALUE"),
    "after grant on run": ("EDIT True", "NO_PERMISSIONS False"),  # what is on a part gives nothing
}
DIFFERENT_STATUS = {}


def differing(basic, gateway):
    assert basic.keys() == gateway.keys()
    return {name: (basic[name], gateway[name]) for name in basic if basic[name] != gateway[name]}


def test_client_gets_what_basic_auth_answers(basic, gateway):
    assert differing(scenario(basic), scenario(gateway)) == DIFFERENT


def test_statuses_are_those_of_basic_auth(basic, gateway):
    assert differing(statuses(basic), statuses(gateway)) == DIFFERENT_STATUS


OLDER = """
import sys
from mlflow.exceptions import MlflowException
from mlflow.server.auth.client import AuthServiceClient
url, user, experiment, model = sys.argv[1:]
client = AuthServiceClient(url)
for name, resource in (("experiment", experiment), ("registered_model", model)):
    call = lambda what, *more: getattr(client, f"{what}_{name}_permission")(resource, user, *more)
    made = call("create", "READ")
    assert made.permission == "READ", made.permission
    try:
        call("create", "READ")
    except MlflowException as error:
        assert error.error_code == "RESOURCE_ALREADY_EXISTS", error
    else:
        raise AssertionError("a second one was made")
    call("update", "EDIT")
    assert call("get").permission == "EDIT"
    call("delete")
    try:
        call("get")
    except MlflowException as error:
        assert error.error_code == "RESOURCE_DOES_NOT_EXIST", error
    else:
        raise AssertionError("it is there still")
print("all of it")
"""


def older(gateway, by, secret, *arguments):
    """Runs what clients before 3.10 call in MLflow 2.22.0."""
    python = ROOT / ".mlflow/2.22.0/bin/python"
    if not python.exists():
        pytest.skip("MLflow 2.22.0 is not installed; scripts/mlflow.sh does it")
    return subprocess.run([python, "-c", OLDER, gateway.url, *arguments], capture_output=True, text=True, timeout=120,
                          env=os.environ | {"MLFLOW_TRACKING_USERNAME": by, "MLFLOW_TRACKING_PASSWORD": secret, "MLFLOW_FLASK_SERVER_SECRET_KEY": "x"})


def test_older_client(world, gateway, work):
    ran = older(gateway, VERA, world.tokens[VERA], ADA, work.experiment, work.model)
    assert ran.stdout.strip() == "all of it", ran.stderr


def test_attack_older_client_of_somebody_without_a_right(world, gateway, work):
    with gateway.acting() as admin:
        admin.create_user("olaf", FIRST)
        try:
            ran = older(gateway, "olaf", FIRST, "olaf", work.experiment, work.model)
        finally:
            admin.delete_user("olaf")
    assert "PERMISSION_DENIED" in ran.stderr, ran.stderr


def test_password_opens_mlflow(world, gateway, work):
    """A local account works with the mlflow client as one of basic-auth does, within its role."""
    def reads():
        with world.acting("mia", FIRST) as client:
            return outcome(lambda: client.get_run(work.run))[0]
    with gateway.acting() as admin:
        admin.create_user("mia", FIRST)
        try:
            assert reads() == "RESOURCE_DOES_NOT_EXIST"
            role = admin.create_role("default", "readers of Vera")
            admin.add_role_permission(role.id, "experiment", work.experiment, "READ")
            admin.assign_role("mia", role.id)
            assert reads() == "ok"
            with world.acting("mia", FIRST) as client:
                assert outcome(lambda: client.set_tag(work.run, "of", "mia"))[0] == "PERMISSION_DENIED"
            admin.add_role_permission(role.id, "run", "*", "DENY")
            assert reads() == "RESOURCE_DOES_NOT_EXIST"
            admin.delete_role(role.id)
        finally:
            admin.delete_user("mia")
