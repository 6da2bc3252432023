"""Signing in, working and signing out with a real browser; and what other sites try with a signed-in person's cookie."""

import http.server
import json
import re
import threading

import pytest
from playwright.sync_api import expect

from browser import opened, sign_in
from world import ADA


def state_of(world, chromium, person):
    with opened(chromium) as page:
        sign_in(page, person, world.url + "/login?next=/auth/status")
        return page.context.storage_state()


@pytest.fixture(scope="module")
def vera(world, chromium):
    """The cookies of a browser in which Vera is signed in."""
    return state_of(world, chromium, "Vera Vision")


@pytest.fixture(scope="module")
def ada(world, chromium):
    return state_of(world, chromium, "Ada Admin")


def test_sign_in_leads_back_to_the_address_asked_for(world, page):
    """MLflow's UI keeps its paths in the fragment, which no server sees."""
    asked = world.url + "/?o=7#/experiments?searchFilter=digits"
    sign_in(page, "Vera Vision", asked)
    page.wait_for_url(lambda url: url.startswith(world.url + "/?o=7#/experiments"))


# What the pages ask for and only administrators get: the assistant runs tools on MLflow's host, and the proxy calls any address.
FOR_ADMINISTRATORS = ("/ajax-api/3.0/mlflow/assistant/", "/ajax-api/2.0/mlflow/gateway-proxy")


@pytest.mark.parametrize("place", ["experiments", "experiments/1", "experiments/1/runs", "experiments/1/traces", "experiments/1/datasets",
                                   "experiments/1/evaluation-runs", "models", "models/digits-classifier", "prompts"])
def test_every_page_of_a_member_is_whole(world, chromium, vera, place):
    with opened(chromium, vera) as page:
        answers = []
        page.on("response", lambda answer: answers.append((answer.status, answer.url.removeprefix(world.url))))
        page.goto(f"{world.url}/#/{place}")
        page.get_by_text("Experiments").first.wait_for()  # by its text: a guide of the UI may lie over the page and hide its roles
        seen = -1
        while seen < len(answers):  # until a second passes without another answer
            seen = len(answers)
            page.wait_for_timeout(1000)
        assert [a for a in answers if a[0] >= 400 and not a[1].startswith(FOR_ADMINISTRATORS)] == []
        text = page.inner_text("body")
        assert "forecast/demand" not in text and "demand-forecast" not in text
        assert "load error" not in text and "Something went wrong" not in text


def test_mlflow_shows_what_the_person_may_read_and_no_more(world, chromium, vera):
    with opened(chromium, vera) as page:
        page.goto(world.url + "/#/experiments")
        expect(page.get_by_role("link", name="vision/digits")).to_be_visible()
        expect(page.get_by_text("forecast/demand")).to_have_count(0)
        expect(page.get_by_text("shared/baseline")).to_have_count(0)


def test_cookie_is_kept_from_scripts_and_other_sites(world, chromium, vera):
    assert [(c["name"], c["httpOnly"], c["sameSite"]) for c in vera["cookies"]] == [("session", True, "Lax")]
    with opened(chromium, vera) as page:
        page.goto(world.url + "/auth/status")
        assert page.evaluate("document.cookie") == ""


def test_signing_out_ends_the_session(world, page, chromium):
    sign_in(page, "Vera Vision", world.url + "/#/experiments")
    expect(page.get_by_role("link", name="vision/digits")).to_be_visible()
    cookies = page.context.cookies()
    page.goto(world.url + "/logout")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(re.compile(re.escape(world.url) + r"/login\?state="))
    assert page.context.cookies() == []

    page.go_back()  # to the question whether to sign out
    page.goto(world.url + "/#/experiments")
    expect(page.get_by_role("link", name="Sign in with the development provider")).to_be_visible()

    thief = chromium.new_context()  # the cookie is no good any more, also to who has copied it
    thief.add_cookies(cookies)
    assert json.loads(thief.request.get(world.url + "/auth/status").text())["authenticated"] is False
    thief.close()


def test_back_after_signing_out_shows_no_data(world, page):
    sign_in(page, "Vera Vision", world.url + "/#/experiments")
    expect(page.get_by_role("link", name="vision/digits")).to_be_visible()
    page.evaluate("location.href = '/logout'")  # a link of a page of ours signs out at once
    page.wait_for_url(re.compile(re.escape(world.url) + r"/login\?state="))
    page.go_back()
    page.reload()
    expect(page.get_by_role("link", name="Sign in with the development provider")).to_be_visible()


def test_who_is_in_no_allowed_group_is_told_so(world, page):
    sign_in(page, "Nora Nogroup", world.url + "/#/experiments")
    expect(page.get_by_role("alert")).to_contain_text("group")
    assert page.context.cookies(world.url) == []
    page.goto(world.url + "/")
    expect(page.get_by_role("link", name="Sign in with the development provider")).to_be_visible()


@pytest.fixture(scope="module")
def foreign():
    """A site on another port of this machine; gives its port."""
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>Another site</title>")

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


SUBMIT = """([action, body]) => {
  const form = document.createElement('form');
  Object.assign(form, {method: 'post', action, enctype: 'text/plain'});
  const field = document.createElement('input');
  // name=value is the JSON, with the = in a field that nobody reads
  Object.assign(field, {type: 'hidden', name: body.slice(0, -1) + ', "x": "', value: '"}'});
  form.append(field); document.body.append(form); form.submit();
}"""

FETCH = """([action, body]) => fetch(action, {method: 'POST', mode: 'no-cors', credentials: 'include', body}).then(() => null)"""


@pytest.mark.parametrize("how", [SUBMIT, FETCH], ids=["form", "fetch"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("path, body", [
    ("/api/2.0/mlflow/experiments/create", '{"name": "forged"}'),
    ("/ajax-api/2.0/mlflow/experiments/create", '{"name": "forged"}'),
    ("/api/2.0/mlflow/users", '{"username": "forged@example.com", "display_name": "Forged"}'),
    ("/logout", "{}"),
], ids=["api", "ajax-api", "users", "logout"])
def test_request_forged_by_another_site_is_refused(world, chromium, ada, foreign, host, path, body, how):
    """Cross-site request forgery. Another port of the same host is the same site to a browser, which sends the cookie along
    however it is set (SameSite); localhost is another site."""
    with opened(chromium, ada) as page:
        page.goto(f"http://{host}:{foreign}/")
        with page.expect_response(world.url + path) as forged:
            page.evaluate(how, [world.url + path, body])
        if host == "127.0.0.1":
            assert forged.value.status == 403  # not 401: the cookie was there
        else:
            assert forged.value.status in (303, 401, 403)
        assert page.context.request.get(world.url + "/auth/status").json()["authenticated"] is True
    with world.acting(ADA) as client:
        assert client.get_experiment_by_name("forged") is None
    assert "forged@example.com" not in world.ask(ADA, "GET", "/api/2.0/mlflow/users").json()
