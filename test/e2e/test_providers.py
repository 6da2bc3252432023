"""Signing in with a real browser at real providers: the same for each of them, and for the one of the development server."""

import contextlib
import os
import re
import sys
import urllib.parse

import mlflow
import requests
from playwright.sync_api import expect

from browser import opened
from handbook import STRICT, Shell, of_walk
from providers import ADMINS, LEO, MEMBERS, MONA, NORA, NOTEBOOK, TEAM, VISITORS, WIKI
from world import ADA, FRED, VERA

CURRENT = "/api/2.0/mlflow/users/current"


def start(site):
    """Gives the address that leads to the provider at once."""
    return site.url + "/login/start?next=/auth/status"


def signed_in(site, page, person):
    site.sign_in(page, person, site.url + "/login?next=/auth/status")
    page.wait_for_url(site.url + "/auth/status")
    return page.context.request.get(site.url + CURRENT).json()


def is_asked(page):
    """Waits until the provider asks for a password."""
    expect(page.locator("input[type=password]")).to_be_visible()


def test_sign_in_leads_back_to_the_address_asked_for(site, page):
    site.sign_in(page, VERA, site.url + "/?o=7#/experiments?searchFilter=digits")
    page.wait_for_url(lambda url: url.startswith(site.url + "/?o=7#/experiments"))
    said = page.context.request.get(site.url + CURRENT).json()
    assert (said["username"], said["is_admin"]) == (VERA, False)


def test_groups_of_the_provider_decide(site, chromium):
    """A group that may sign in makes a member, the administrators' an administrator, and others hold permissions here."""
    with opened(chromium) as ada, opened(chromium) as vera, opened(chromium) as fred:
        assert signed_in(site, ada, ADA)["is_admin"] is True
        said = signed_in(site, vera, VERA)
        assert said["is_admin"] is False
        assert {group["group_name"] for group in said["groups"]} == set(site.named([MEMBERS, TEAM]))
        assert signed_in(site, fred, FRED)["is_admin"] is False

        asking = {"headers": {"Origin": site.url}}
        made = ada.context.request.post(site.url + "/api/2.0/mlflow/experiments/create", data={"name": f"of {site.button}"}, **asking)
        experiment = made.json()["experiment_id"]
        team = urllib.parse.quote(site.groups[TEAM], safe="")
        given = ada.context.request.post(f"{site.url}/api/2.0/mlflow/permissions/groups/{team}/experiments/{experiment}", data={"permission": "READ"}, **asking)
        assert given.ok, given.text()
        got = f"{site.url}/api/2.0/mlflow/experiments/get?experiment_id={experiment}"
        assert [person.context.request.get(got).status for person in (ada, vera, fred)] == [200, 200, 404]


def test_command_of_the_page_gives_to_a_group_inside_another(site, chromium, tmp_path):
    with opened(chromium) as ada, opened(chromium) as vera:
        signed_in(site, ada, ADA)
        signed_in(site, vera, VERA)
        got = site.url + "/api/2.0/mlflow/experiments/get?experiment_id=1"
        assert vera.context.request.get(got).status == 404
        made = ada.context.request.post(site.url + CURRENT + "/tokens", data={"name": "of the page"}, headers={"Origin": site.url})
        shell = Shell(tmp_path, sys.executable, URL=site.url, USERNAME=ADA, TOKEN=made.json()["token"])
        shell.tell(STRICT)
        for block in of_walk("keycloak"):
            shell.run(block)
        shell.end()
        assert vera.context.request.get(got).status == 200


def test_who_is_in_no_allowed_group_is_told_so(site, page):
    site.sign_in(page, NORA, site.url + "/#/experiments")
    expect(page.get_by_role("alert")).to_contain_text("in none of the groups")
    assert page.url.startswith(site.url + "/callback")
    assert page.context.cookies(site.url) == []
    assert page.context.request.get(site.url + CURRENT).status == 401


def test_signing_out_ends_the_sessions_here_and_at_the_provider(site, page):
    signed_in(site, page, VERA)
    page.context.clear_cookies(domain="127.0.0.1")
    page.goto(start(site))  # the provider knows her and does not ask
    page.wait_for_url(site.url + "/auth/status")

    page.goto(site.url + "/logout")
    page.get_by_role("button", name="Sign out").click()
    site.leave(page)
    page.wait_for_url(re.compile(re.escape(site.url) + r"/login\?state="))
    assert page.context.request.get(site.url + CURRENT).status == 401
    page.goto(start(site))
    is_asked(page)


def test_group_changed_at_the_provider_counts_at_the_next_sign_in(site, chromium):
    for groups, admin in ([MEMBERS], False), ([MEMBERS, ADMINS], True), ([MEMBERS, TEAM], False):
        site.set_groups(MONA, groups)
        with opened(chromium) as page:
            said = signed_in(site, page, MONA)
        assert said["is_admin"] is admin
        assert {group["group_name"] for group in said["groups"]} == set(site.named(groups))
    site.set_groups(MONA, [VISITORS])
    with opened(chromium) as page:
        site.sign_in(page, MONA, site.url)
        expect(page.get_by_role("alert")).to_contain_text("in none of the groups")


def test_somebody_disabled_at_the_provider_cannot_sign_in_again(site, chromium):
    with opened(chromium) as before, opened(chromium) as after:
        signed_in(site, before, LEO)
        site.set_enabled(LEO, False)
        before.context.clear_cookies(domain="127.0.0.1")
        before.goto(start(site))  # neither with the session that the provider has still
        is_asked(before)
        after.goto(start(site))  # nor with the password
        site.enter(after, LEO)
        expect(after.get_by_text("disabled")).to_be_visible()
        for page in before, after:
            assert page.context.request.get(site.url + CURRENT).status == 401
        site.set_enabled(LEO, True)
        site.enter(after, LEO)
        after.wait_for_url(site.url + "/auth/status")


@contextlib.contextmanager
def client_with(site, token):
    """Makes the mlflow client of this process the client of who has the token."""
    kept = {name: os.environ.pop(name, None) for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")}
    os.environ["MLFLOW_TRACKING_TOKEN"] = token
    try:
        yield mlflow.MlflowClient(site.url, site.url)
    finally:
        del os.environ["MLFLOW_TRACKING_TOKEN"]
        os.environ.update({name: value for name, value in kept.items() if value is not None})


def test_token_of_the_provider_serves_the_mlflow_client(site, chromium):
    with opened(chromium) as page:
        signed_in(site, page, VERA)
    with opened(chromium) as page:
        token = site.tokens(page, VERA, NOTEBOOK)["access_token"]
    with client_with(site, token) as client:
        experiment = client.create_experiment(f"by a token of {site.button}")
        run = client.create_run(experiment).info.run_id
        client.log_metric(run, "loss", 0.5)
        assert client.get_run(run).data.metrics == {"loss": 0.5}
        assert [e.name for e in client.search_experiments() if e.experiment_id == experiment]


def whoami(site, token):
    return requests.get(site.url + CURRENT, headers={"Authorization": "Bearer " + token}, timeout=60).status_code


def test_token_of_the_provider_that_is_not_for_the_gateway_is_refused(site, chromium):
    """The attack: bring what the provider signed, for the same person, for somebody else or for another use."""
    with opened(chromium) as page:
        signed_in(site, page, VERA)
    with opened(chromium) as page:
        notebook = site.tokens(page, VERA, NOTEBOOK)
    with opened(chromium) as page:
        wiki = site.tokens(page, VERA, WIKI)
    assert whoami(site, notebook["access_token"]) == 200
    assert {name: whoami(site, token) for name, token in {
        "access token of another program": wiki["access_token"], "its ID token": wiki["id_token"], "ID token": notebook["id_token"],
        "refresh token": notebook.get("refresh_token", "none")}.items()} == {
            "access token of another program": 401, "its ID token": 401, "ID token": 401, "refresh token": 401}


def test_token_that_a_program_got_for_itself_is_refused(site):
    """It is for the gateway, and well signed: but nobody is known by its subject."""
    assert whoami(site, site.token_of_a_program()) == 401
