"""The identity providers that people sign in at, each with a gateway that is set up for it; and what they are told in the same words:
who is there, who has changed, who has left."""

import base64
import hashlib
import json
import os
import pathlib
import re
import secrets
import signal
import subprocess
import tempfile
import urllib.parse

import requests

from world import ADA, FRED, ROOT, VERA, Gateway, eventually, free_port

MONA, LEO, NORA = "mona@example.com", "leo@example.com", "nora@example.com"

# The groups, by what they are for; each provider has names of its own.
MEMBERS, ADMINS, TEAM, VISITORS = "members", "administrators", "team", "visitors"

GROUPS = {ADA: [ADMINS], VERA: [MEMBERS, TEAM], FRED: [MEMBERS], NORA: [VISITORS], MONA: [MEMBERS], LEO: [MEMBERS]}

# Another program of the organisation, with access tokens for the gateway, and one without.
NOTEBOOK, WIKI = "notebook", "wiki"
AUDIENCES = {NOTEBOOK: "mlflow-api", WIKI: "wiki"}
LEADS_BACK = "https://program.invalid/done"  # where nobody is: the tests read the code from the request

SECRET = "a+b%2F:c&d e=f"  # of a program, with what has to be encoded for client_secret_basic (RFC 6749 §2.3.1)


class Site:
    """A provider and its gateway. Which of the tests it is not in, and why, stands in cannot."""

    cannot = {}
    gateway = process = None

    def __init__(self):
        self.port = free_port()
        self.folder = tempfile.TemporaryDirectory(prefix="provider")
        self.log = pathlib.Path(self.folder.name) / "output.log"

    def launch(self, command, env=None):
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=self.folder.name,
                                            env=os.environ | (env or {}), start_new_session=True)

    def await_answer(self, address, seconds):
        def answers():
            assert self.process.poll() is None, self.log.read_text()
            try:
                return requests.get(address, timeout=10).ok
            except requests.RequestException:
                return False
        eventually(answers, f"{address} answers", seconds)

    def open_gateway(self, world, directory, settings):
        self.gateway = Gateway(world, directory, settings)
        self.url = self.gateway.url

    def end(self):
        if self.gateway:
            self.gateway.end()
        self.stop()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)  # Keycloak's script has the server below it
                self.process.wait()
        self.folder.cleanup()

    def asking_for(self, audience):
        """Gives what a program says to get an access token for an audience, where that is not settled beforehand."""
        return {}

    def named(self, groups):
        return [self.groups[group] for group in groups]

    def endpoint(self, name):
        return requests.get(self.issuer + "/.well-known/openid-configuration", timeout=30).json()[name]

    def sign_in(self, page, person, address):
        """Asks for an address and signs in on the way."""
        page.goto(address)
        page.get_by_role("link", name=self.button).click()
        self.enter(page, person)

    def leave(self, page):
        """Says at the provider that one does want to sign out, where it asks though the gateway has led there."""

    def tokens(self, page, person, client):
        """Gives the tokens that another program gets for a person, by the code flow."""
        verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        page.goto(self.endpoint("authorization_endpoint") + "?" + urllib.parse.urlencode({
            "client_id": client, "response_type": "code", "scope": "openid email", "redirect_uri": LEADS_BACK, "state": "x",
            "code_challenge": challenge, "code_challenge_method": "S256"} | self.asking_for(AUDIENCES[client])))
        with page.expect_request(lambda request: request.url.startswith(LEADS_BACK)) as back:
            self.enter(page, person)
        [code] = urllib.parse.parse_qs(urllib.parse.urlsplit(back.value.url).query)["code"]
        return self.asked_for_tokens({"grant_type": "authorization_code", "code": code, "redirect_uri": LEADS_BACK,
                                      "code_verifier": verifier, "client_id": client} | self.asking_for(AUDIENCES[client]))

    def asked_for_tokens(self, form, **how):
        answer = requests.post(self.endpoint("token_endpoint"), data=form, timeout=30, **how)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def token_of_a_program(self):
        """Gives an access token for the gateway that a program got for itself."""
        user = urllib.parse.quote_plus("job"), urllib.parse.quote_plus(SECRET)
        return self.asked_for_tokens({"grant_type": "client_credentials"} | self.asking_for("mlflow-api"), auth=user)["access_token"]


class Development(Site):
    """The provider of the development server."""

    button = "Sign in with the development provider"
    groups = {MEMBERS: "mlflow", ADMINS: "mlflow-admin", TEAM: "team-vision", VISITORS: "visitors"}
    unchanging, alone = "its people are always the same", "it knows no other program"
    cannot = {
        "test_command_of_the_page_gives_to_a_group_inside_another": "its groups are in no others",
        "test_signing_out_ends_the_sessions_here_and_at_the_provider": "it keeps no session, and asks for no password",
        "test_group_changed_at_the_provider_counts_at_the_next_sign_in": unchanging,
        "test_somebody_disabled_at_the_provider_cannot_sign_in_again": unchanging,
        "test_group_changed_at_the_provider_counts_while_one_is_signed_in": unchanging,
        "test_somebody_disabled_at_the_provider_is_signed_out": unchanging,
        "test_signing_out_at_the_provider_ends_that_session_alone": "it keeps no session",
        "test_token_of_the_provider_serves_the_mlflow_client": alone,
        "test_token_of_the_provider_that_is_not_for_the_gateway_is_refused": alone,
        "test_token_that_a_program_got_for_itself_is_refused": alone,
    }

    def serve(self, world, _):
        self.url = world.url

    def enter(self, page, person):
        page.get_by_role("button", name=re.compile(re.escape(person))).click()


def recipe(provider):
    """Gives the settings that the page of a provider has first."""
    page = (ROOT / f"docs/providers/{provider}.md").read_text()
    return dict(line.split("=", 1) for line in page.split("```dotenv\n")[1].split("```")[0].splitlines())


class Keycloak(Site):
    """Keycloak, set up as its page says, with groups inside groups."""

    button = "Sign in with Keycloak"
    groups = {MEMBERS: "/mlflow", ADMINS: "/mlflow-admin", TEAM: "/teams/vision", VISITORS: "/visitors"}
    server = ROOT / ".providers/keycloak-26.7.3"
    realm = "your-realm"

    def start(self):
        assert (self.server / "complete").exists(), "Keycloak is not there: run scripts/providers.sh"
        self.password = secrets.token_urlsafe()
        self.launch([self.server / "bin/kc.sh", "start", "--optimized", "--cache=local", "--http-enabled=true", "--http-host=127.0.0.1",
                     f"--http-port={self.port}", f"--hostname=http://localhost:{self.port}"], {
            # One compiler and one collector of garbage: half the time for a process that ends soon.
            "JAVA_OPTS": "-Xmx512m -XX:MaxMetaspaceSize=256m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
            "KC_BOOTSTRAP_ADMIN_USERNAME": "admin", "KC_BOOTSTRAP_ADMIN_PASSWORD": self.password})

    def serve(self, world, directory):
        self.root = f"http://localhost:{self.port}"
        self.issuer = f"{self.root}/realms/{self.realm}"
        self.await_answer(self.root + "/realms/master", 300)
        settings = recipe("keycloak")
        at = settings["OIDC_DISCOVERY_URL"]
        settings["OIDC_DISCOVERY_URL"] = self.root + urllib.parse.urlsplit(at).path
        self.client_secret = settings["OIDC_CLIENT_SECRET"] = secrets.token_urlsafe()
        self.open_gateway(world, directory, settings)
        self.ask("POST", "", {"realm": self.realm, "enabled": True, "groups": [
            {"name": "mlflow"}, {"name": "mlflow-admin"}, {"name": "teams", "subGroups": [{"name": "vision"}]}, {"name": "visitors"}],
            "users": [self.user(person) for person in GROUPS]})
        for client in self.clients():
            self.ask("POST", f"/{self.realm}/clients", client)

    def user(self, person):
        name = person.split("@")[0]
        return {"username": name, "email": person, "emailVerified": True, "enabled": True, "firstName": name.title(), "lastName": "Example",
                "groups": self.named(GROUPS[person]), "credentials": [{"type": "password", "value": password_of(person)}]}

    def clients(self):
        own = json.loads((ROOT / "docs/keycloak-client.json").read_text().replace("https://HOST", self.url))
        own["secret"] = self.client_secret
        own["attributes"]["access.token.lifespan"] = "4"  # for the tests alone, which do not wait for minutes
        audience = {"name": "mlflow-api", "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper", "config": {
            "included.custom.audience": "mlflow-api", "access.token.claim": "true", "id.token.claim": "false"}}
        notebook = {"clientId": NOTEBOOK, "publicClient": True, "standardFlowEnabled": True, "redirectUris": [LEADS_BACK], "protocolMappers": [audience]}
        wiki = {"clientId": WIKI, "publicClient": True, "standardFlowEnabled": True, "redirectUris": [LEADS_BACK]}
        job = {"clientId": "job", "secret": SECRET, "serviceAccountsEnabled": True, "standardFlowEnabled": False, "protocolMappers": [audience]}
        return [own, notebook, wiki, job]

    def ask(self, method, path, body=None, **how):
        """Asks as the administrator of Keycloak."""
        token = requests.post(self.root + "/realms/master/protocol/openid-connect/token", timeout=30, data={
            "grant_type": "password", "client_id": "admin-cli", "username": "admin", "password": self.password}).json()["access_token"]
        answer = requests.request(method, self.root + "/admin/realms" + path, json=body, timeout=60, headers={"Authorization": "Bearer " + token}, **how)
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    def id_of(self, person):
        [user] = self.ask("GET", f"/{self.realm}/users", params={"email": person, "exact": "true"})
        return user["id"]

    def set_groups(self, person, groups):
        at = f"/{self.realm}/users/{self.id_of(person)}/groups"
        for group in self.ask("GET", at):
            self.ask("DELETE", f"{at}/{group['id']}")
        for path in self.named(groups):
            self.ask("PUT", f"{at}/{self.ask('GET', f'/{self.realm}/group-by-path{path}')['id']}")

    def set_enabled(self, person, enabled):
        self.ask("PUT", f"/{self.realm}/users/{self.id_of(person)}", {"enabled": enabled})

    def enter(self, page, person):
        page.locator("#username").fill(person)
        page.locator("#password").fill(password_of(person))
        page.locator("#kc-login").click()

    def sign_out(self, page):
        """Signs out at the provider itself, without the gateway."""
        page.goto(self.endpoint("end_session_endpoint"))
        page.locator("#kc-logout").click()
        page.get_by_role("heading", name="You are logged out").wait_for()


def password_of(person):
    return "the password of " + person


class OIDCProvider(Site):
    """oidc-provider, which names people and groups at the user-info endpoint alone, the groups inside another claim."""

    button = "Login with OIDC"
    groups = {MEMBERS: "mlflow", ADMINS: "mlflow-admin", TEAM: "team-vision", VISITORS: "visitors"}
    cannot = {"test_command_of_the_page_gives_to_a_group_inside_another": "its groups are in no others"}

    def serve(self, world, directory):
        self.issuer = f"http://localhost:{self.port}"
        self.open_gateway(world, directory, {
            "OIDC_DISCOVERY_URL": self.issuer + "/.well-known/openid-configuration", "OIDC_CLIENT_ID": "mlflow",
            "OIDC_CLIENT_SECRET": f"'{SECRET}'", "OIDC_SCOPE": "openid email profile groups", "OIDC_GROUPS_ATTRIBUTE": "account.groups", "OIDC_USERINFO_GROUPS": "true",
            "OIDC_AUDIENCE": "mlflow-api", "OIDC_USE_REFRESH_TOKEN": "true"})
        program = {"token_endpoint_auth_method": "none", "redirect_uris": [LEADS_BACK]}
        clients = directory / "clients.json"
        clients.write_text(json.dumps([
            {"client_id": "mlflow", "client_secret": SECRET, "redirect_uris": [self.url + "/callback"], "post_logout_redirect_uris": [self.url + "/login"],
             "grant_types": ["authorization_code", "refresh_token"], "backchannel_logout_uri": self.url + "/backchannel-logout",
             "backchannel_logout_session_required": True},
            program | {"client_id": NOTEBOOK}, program | {"client_id": WIKI},
            {"client_id": "job", "client_secret": SECRET, "grant_types": ["client_credentials"], "redirect_uris": [], "response_types": []}]))
        own = ROOT / "test/e2e/oidc-provider"
        node = own / "node_modules/.bin/node"  # there on Linux
        self.launch([node if node.exists() else "node", own / "provider.mjs", str(self.port), clients])
        self.await_answer(self.issuer + "/.well-known/openid-configuration", 60)
        self.people = {}
        for person, groups in GROUPS.items():
            self.change(person, email=person, name=person, password=password_of(person), groups=self.named(groups), enabled=True)

    def asking_for(self, audience):
        return {"resource": "urn:" + audience}

    def change(self, person, **fields):
        self.people[person] = self.people.get(person, {}) | fields
        assert requests.put(f"{self.issuer}/people/{urllib.parse.quote(person)}", json=self.people[person], timeout=30).status_code == 204

    def set_groups(self, person, groups):
        self.change(person, groups=self.named(groups))

    def set_enabled(self, person, enabled):
        self.change(person, enabled=enabled)

    def enter(self, page, person):
        page.get_by_label("Name").fill(person)
        page.get_by_label("Password").fill(password_of(person))
        page.get_by_role("button", name="Sign in").click()

    def leave(self, page):
        page.get_by_role("button", name="Sign out").click()

    def sign_out(self, page):
        page.goto(self.endpoint("end_session_endpoint"))
        self.leave(page)
        page.get_by_role("heading", name="You are signed out").wait_for()
