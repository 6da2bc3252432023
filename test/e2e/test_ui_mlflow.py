"""MLflow's own pages in a browser, with what the gateway gives them: a menu, a way back in, and a way to ask for access."""

import contextlib
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import TimeoutError, expect

from browser import opened, sign_in
from pages import AXE, HOSTILE, picture
from world import ADA

RUNS = "experiments/1/runs"  # no guide of MLflow's lies over it

FETCH = "fetch('ajax-api/2.0/mlflow/experiments/get?experiment_id=1').then(() => undefined)"
XHR = "{ const x = new XMLHttpRequest(); x.open('GET', 'ajax-api/2.0/mlflow/experiments/get?experiment_id=1'); x.send() }"


@contextlib.contextmanager
def at(world, chromium, person="Vera Vision", place=RUNS):
    """A page of MLflow's that somebody has open. In the end no script has failed, and nothing was forbidden."""
    with opened(chromium) as page:
        faults = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda line: "Content Security Policy" in line.text and faults.append(line.text))
        sign_in(page, person, f"{world.url}/#/{place}")
        entry(page).wait_for()
        yield page
        assert faults == []
        assert page.evaluate("window.ran") is None


@pytest.fixture
def vera(world, chromium):
    with at(world, chromium) as page:
        yield page


def entry(page):
    return page.locator("mlflow-oidc-auth-menu button").first  # not by its role: a guide of MLflow's may hide the roles of all else


def menu(page):
    """Opens the menu, and gives it."""
    entry(page).click()
    box = page.locator("mlflow-oidc-auth-menu nav")
    expect(box).to_be_visible()
    return box


def sign_out_unseen(page):
    """Ends the session without the page hearing of it."""
    page.context.clear_cookies()


def sound(page, element):
    """Fails where a program sees a fault in an element of ours."""
    page.evaluate(AXE.read_text())
    found = page.evaluate("name => axe.run(document.querySelector(name), {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']})", element)
    assert found["passes"], f"nothing of {element} was looked at"
    assert [(f["id"], [n["html"][:300] for n in f["nodes"]]) for f in found["violations"]] == []


def test_the_menu_leads_to_the_permissions_of_what_is_open(world, vera):
    expect(entry(vera)).to_have_accessible_name("Access: Vera Vision")
    run = world.ask(ADA, "POST", "/api/2.0/mlflow/runs/search", json={"experiment_ids": ["1"]}).json()["runs"][0]["info"]["run_id"]
    for place, leads in {
        f"experiments/1/runs/{run}": "experiment/1", "experiments/1/traces?x=%2F": "experiment/1", "models/digits-classifier": "registered_model/digits-classifier",
        "models/digits-classifier/versions/1": "registered_model/digits-classifier", "prompts/a%20b%2Fc": "prompt/a%20b%2Fc", "experiments/1/prompts/p": "prompt/p",
        "mcp-registry/io.example%2Fx": "mcp_server/io.example%2Fx", "experiments": None, "models": None, "settings/general": None, "experiments/%3Cimg%3E": None,
        "experiments/1?workspace=a%2Fb": "experiment/1?workspace=a%2Fb", "prompts/%": None, "gateway/endpoints/create": None,
    }.items():
        vera.evaluate("place => { history.pushState(null, '', '#/' + place) }", place)  # as MLflow's own router goes
        entry(vera).dispatch_event("click")
        links = vera.locator("mlflow-oidc-auth-menu a")
        expect(links.last).to_have_text("My access and tokens")
        found = [link.get_attribute("href") for link in links.all()]
        assert found[0] == ("/oidc/ui/resources/" + leads if leads else "/oidc/ui/"), place
        vera.keyboard.press("Escape")
    vera.goto(f"{world.url}/#/{RUNS}")
    menu(vera).get_by_text("Permissions of this experiment").click()
    expect(vera).to_have_url(world.url + "/oidc/ui/resources/experiment/1")
    expect(vera.get_by_role("heading", level=2)).to_be_visible()


def test_the_menu_stays_while_mlflow_draws_itself_anew(world, vera):
    vera.goto(f"{world.url}/#/experiments")
    vera.get_by_role("button", name="Toggle sidebar").click()
    expect(entry(vera)).to_be_visible()
    assert entry(vera).bounding_box()["width"] < 90
    vera.evaluate("document.querySelector('mlflow-oidc-auth-menu').remove()")
    expect(entry(vera)).to_be_visible()
    expect(vera.locator("mlflow-oidc-auth-menu")).to_have_count(1)


def test_the_open_menu_stays_open_while_mlflow_draws_itself_anew(world, vera):
    box = menu(vera)
    vera.evaluate("document.querySelector('mlflow-oidc-auth-menu').remove()")
    expect(vera.locator("mlflow-oidc-auth-menu")).to_have_count(1)
    expect(box).to_be_visible()
    # what of MLflow's is open takes the key for itself, as its libraries do
    vera.evaluate("document.addEventListener('keydown', event => event.preventDefault(), {capture: true})")
    vera.keyboard.press("Escape")
    expect(box).to_be_hidden()
    expect(entry(vera)).to_have_attribute("aria-expanded", "false")


def test_signing_out_from_mlflows_page(world, vera):
    menu(vera).get_by_text("Sign out", exact=True).click()
    vera.wait_for_url(re.compile(re.escape(world.url) + "/login"))
    assert vera.context.request.get(world.url + "/auth/status").json()["authenticated"] is False


@pytest.mark.parametrize("how", [FETCH, XHR], ids=["fetch", "XMLHttpRequest"])
def test_an_ended_session_leads_to_the_sign_in_page_once_and_back(world, vera, how):
    vera.evaluate("history.pushState(null, '', '#/experiments/1/runs?searchFilter=metrics.a%20%3E%201')")
    asked, went = [], []
    vera.on("request", lambda r: asked.append(r.url) if r.url.endswith("/auth/status") else r.is_navigation_request() and went.append(r.url))
    sign_out_unseen(vera)
    vera.evaluate(f"() => {{ for (let i = 0; i < 20; i++) {how} }}")
    vera.get_by_role("link", name="Sign in with the development provider").wait_for()
    assert len(asked) == 1 and len(went) == 1, (asked, went)
    assert parse_qs(urlsplit(vera.url).query)["next"] == ["/#/experiments/1/runs?searchFilter=metrics.a%20%3E%201"]
    vera.get_by_role("link", name="Sign in with the development provider").click()
    vera.get_by_role("button", name=re.compile("Vera Vision")).click()
    vera.wait_for_url(lambda url: url.startswith(f"{world.url}/#/experiments/1/runs?searchFilter=metrics.a"))
    expect(entry(vera)).to_be_visible()


def test_what_is_written_is_not_torn_away(world, vera):
    vera.goto(f"{world.url}/#/experiments")
    vera.get_by_placeholder("Search experiments").first.press_sequentially("a draft")
    sign_out_unseen(vera)
    vera.evaluate(FETCH)
    dialog = vera.get_by_role("dialog", name="Your session has ended")
    expect(dialog).to_be_visible()
    sound(vera, "mlflow-oidc-auth-ended")
    dialog.get_by_role("button", name="Not now").click()
    vera.evaluate(FETCH)
    expect(dialog).to_have_count(0)
    assert vera.get_by_placeholder("Search experiments").first.input_value() == "a draft"
    vera.evaluate("history.pushState(null, '', '#/experiments?x')")
    vera.evaluate(FETCH)
    dialog.get_by_role("button", name="Sign in again").click()
    expect(vera).to_have_url(re.compile("/login\\?next=%2F%23%2Fexperiments%3Fx"))


def test_no_round_trip_without_end(world, vera):
    """A browser that comes back and still is nobody, such as one that keeps no cookies, is not sent once more."""
    vera.evaluate("sessionStorage.setItem('mlflow-oidc-auth.signed-in-again', Date.now())")
    sign_out_unseen(vera)
    vera.evaluate(FETCH)
    expect(vera.get_by_role("dialog", name="Your session has ended")).to_be_visible()
    expect(vera).to_have_url(re.compile("#/experiments/1"))


def test_attack_another_answer_of_401_signs_nobody_out(world, vera):
    """An endpoint's provider may say 401, and so may anything else that a page asks; only the gateway says that a session has ended."""
    vera.route("**/ajax-api/2.0/mlflow/experiments/get?*", lambda route: route.fulfill(status=401, json={"error_code": "UNAUTHENTICATED"}))
    with vera.expect_response("**/auth/status") as status:
        vera.evaluate(FETCH)
    assert status.value.json()["authenticated"] is True
    asked = []
    vera.on("request", lambda r: r.url.endswith("/auth/status") and asked.append(r.url))
    for elsewhere in ("oidc/ui/x", "static-files/x", "http://127.0.0.1:1/ajax-api/x", "ajax-apix/x"):
        vera.route("**/" + elsewhere.removeprefix("http://127.0.0.1:1/"), lambda route: route.fulfill(status=401, headers={"Access-Control-Allow-Origin": "*"}))
        vera.evaluate("url => fetch(url).then(() => undefined, () => undefined)", elsewhere)
    vera.wait_for_timeout(500)
    assert asked == []
    expect(vera).to_have_url(re.compile("#/experiments/1"))


def test_what_may_not_be_seen_can_be_asked_for(world, chromium):
    hidden = next(e["experiment_id"] for e in world.ask(ADA, "GET", "/api/2.0/mlflow/experiments/search?max_results=100").json()["experiments"] if e["name"] == "forecast/demand")
    with at(world, chromium) as page:
        page.goto(f"{world.url}/#/experiments/{hidden}/runs")
        ask = page.get_by_role("link", name="Ask for access")
        expect(ask).to_be_visible()
        assert ask.get_attribute("href") == f"/oidc/ui/ask?kind=experiment&id={hidden}"
        sound(page, "mlflow-oidc-auth-refused")
        page.evaluate("history.pushState(null, '', '#/experiments')")
        expect(ask).to_have_count(0)
        # more than one may
        page.evaluate("history.pushState(null, '', '#/experiments/1/runs')")
        page.route("**/ajax-api/2.0/mlflow/experiments/update", lambda route: route.fulfill(status=403, json={"error_code": "PERMISSION_DENIED", "message": 'this needs MANAGE on the experiment "1"; <img src=x onerror=window.ran=1>'}))
        page.evaluate("fetch('ajax-api/2.0/mlflow/experiments/update', {method: 'POST', body: JSON.stringify({experiment_id: '1'})}).then(() => undefined)")
        expect(page.get_by_text('You may not do this: this needs MANAGE on the experiment "1"; <img src=x onerror=window.ran=1>.')).to_be_visible()
        assert ask.get_attribute("href") == "/oidc/ui/ask?kind=experiment&id=1"
        page.get_by_role("region", name="Access").get_by_role("button", name="Close").click()
        expect(ask).to_have_count(0)


def test_refusals_of_all_else_offer_nothing(world, vera):
    """MLflow's pages ask for what only administrators get, and for the experiment that was open before."""
    vera.evaluate("fetch('ajax-api/2.0/mlflow/experiments/get?experiment_id=99999').then(() => undefined)")
    vera.evaluate("fetch('ajax-api/3.0/mlflow/assistant/config').then(() => undefined)")
    vera.wait_for_timeout(1000)
    expect(vera.locator("mlflow-oidc-auth-refused")).to_have_count(0)


def named(name):
    return lambda route: route.fulfill(status=200, json={"username": name, "display_name": name})


def test_attack_names_that_are_markup(world, chromium):
    with at(world, chromium) as page:
        for name in HOSTILE:
            page.route(re.compile(r"/api/2\.0/mlflow/users/current$"), named(name))
            page.reload()
            expect(entry(page)).to_have_accessible_name("Access: " + name)
            expect(menu(page).get_by_text(name, exact=True)).to_be_visible()
            box = page.locator("mlflow-oidc-auth-menu nav").bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= 1280
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("dark", [False, True])
def test_the_menu_is_for_everybody(world, vera, dark):
    """WCAG 2.2 AA as far as a program sees it, and the keyboard is enough."""
    vera.evaluate("on => { localStorage.setItem('_mlflow_dark_mode_toggle_enabled', on); localStorage.setItem('databricks-dark-mode-pref', on ? 'dark' : 'light') }", dark)
    # What MLflow opens by itself, an assistant and a guide, takes the keyboard.
    vera.evaluate("localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true'); localStorage.setItem('mlflow.assistant.panelOpen_v1', 'false')")
    vera.reload()
    with contextlib.suppress(TimeoutError):
        vera.locator("[data-component-id='mlflow.detect_issues.guidance.got_it']").click(timeout=6_000)
    entry(vera).focus()
    vera.keyboard.press("Enter")
    expect(entry(vera)).to_have_attribute("aria-expanded", "true")
    vera.wait_for_function("dark => (document.querySelector('mlflow-oidc-auth-menu').shadowRoot.querySelector('.dark') !== null) === dark", arg=dark)
    sound(vera, "mlflow-oidc-auth-menu")
    if not dark:
        picture(vera, "menu")
    vera.keyboard.press("Tab")
    expect(vera.locator("mlflow-oidc-auth-menu").get_by_text("Permissions of this experiment")).to_be_focused()
    vera.keyboard.press("Escape")
    expect(entry(vera)).to_have_attribute("aria-expanded", "false")
    expect(entry(vera)).to_be_focused()


def test_mlflows_pages_of_accounts_lead_to_ours(world, vera):
    for place, leads in {"account": "", "admin": "users", "admin/users/fred%40example.com": "users/fred%40example.com", "admin/ws": "resources/workspace", "admin/roles/1": ""}.items():
        vera.goto(f"{world.url}/#/experiments")
        entry(vera).wait_for()
        vera.evaluate("place => { history.pushState(null, '', '#/' + place) }", place)
        vera.wait_for_url(re.compile(re.escape(f"{world.url}/oidc/ui/{leads}") + r"(\?|$)"))


def test_who_asks_for_no_page_gets_to_the_permissions(world, chromium):
    with opened(chromium) as page:
        sign_in(page, "Vera Vision", world.url + "/login")
        expect(page).to_have_url(world.url + "/oidc/ui/")
