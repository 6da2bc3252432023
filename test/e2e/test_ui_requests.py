"""Asking for access: from the page of a refusal to the answer, and what nobody gets by it."""

import datetime
import re

import pytest
from playwright.sync_api import expect

from browser import sign_in
from pages import HOSTILE, accessible, signed_in, visit
from world import ADA, FRED, VERA

REQUESTS = "/api/2.0/mlflow/permissions/requests"
DIGITS = "1"  # the experiment vision/digits, which Vera made


def ask(world, person, body):
    made = world.ask(person, "POST", REQUESTS, json=body)
    assert made.status_code == 201, made.text
    return made.json()


def withdraw_all(world, *people):
    for person in people:
        for r in world.ask(person, "GET", REQUESTS + "/mine").json()["requests"]:
            assert world.ask(person, "DELETE", f"{REQUESTS}/{r['id']}").status_code == 200


@pytest.fixture(autouse=True)
def left_as_it_was(world):
    yield
    withdraw_all(world, FRED, VERA)
    world.ask(ADA, "DELETE", f"/api/2.0/mlflow/permissions/users/{FRED}/experiments/{DIGITS}")


@pytest.fixture
def fred(world, chromium):
    with signed_in(world, chromium, "Fred Forecast") as page:
        yield page


def reads(world, person):
    return world.ask(person, "GET", "/api/2.0/mlflow/experiments/get?experiment_id=" + DIGITS).status_code == 200


def card(page, name="Fred Forecast"):
    return page.get_by_role("region").filter(has_text=name + " asks for")


def test_from_the_refusal_to_reading(world, fred, vera):
    assert not reads(world, FRED)
    answer = fred.goto(f"{world.url}/api/2.0/mlflow-artifacts/artifacts/{DIGITS}/some/artifacts/model.pkl")
    assert answer.status == 403
    accessible(fred)
    expect(fred.get_by_text("Whoever manages it, and administrators")).to_be_visible()
    assert VERA not in fred.content() and "vision/digits" not in fred.content()
    fred.get_by_role("link", name="Ask for access").click()

    expect(fred.get_by_role("heading", level=2, name="Ask for access")).to_be_visible()
    expect(fred.get_by_role("textbox", name="Id", exact=True)).to_have_value(DIGITS)
    fred.get_by_role("textbox", name="Reason").fill("to compare with the forecasts\n" + HOSTILE[0])
    fred.get_by_role("button", name="Ask", exact=True).click()
    expect(fred.get_by_text("You have asked for READ", exact=True).first).to_be_visible()
    accessible(fred)

    visit(world, vera, "requests", "Requests")
    expect(vera.get_by_role("link", name=re.compile("Requests.*1"))).to_be_visible()
    asked = card(vera)
    expect(asked.get_by_text("to compare with the forecasts")).to_be_visible()
    expect(asked.get_by_text(HOSTILE[0])).to_be_visible()
    accessible(vera)
    until = (datetime.date.today() + datetime.timedelta(days=7)).isoformat()
    asked.get_by_label("Last day").fill(until)
    asked.get_by_role("button", name="Approve").click()
    expect(vera.get_by_text(FRED + " has READ")).to_be_visible()
    expect(asked).to_have_count(0)
    assert reads(world, FRED)

    # one click takes back what was given, and the request waits again
    vera.get_by_text(FRED + " has READ").locator("..").get_by_role("button", name="Undo").click()
    expect(asked).to_be_visible()
    assert not reads(world, FRED)
    asked.get_by_label("Last day").fill(until)
    asked.get_by_role("button", name="Approve").click()
    expect(asked).to_have_count(0)

    visit(world, fred, "requests?tab=mine", "Requests")
    row = fred.get_by_role("table", name="My requests").locator("tbody tr")
    expect(row.get_by_text("approved")).to_be_visible()
    expect(row.get_by_text("gave")).to_be_visible()
    accessible(fred)
    held = world.ask(ADA, "GET", f"/api/2.0/mlflow/permissions/holdings?kind=experiment&id={DIGITS}").json()["holdings"]
    assert [(h["permission"], h["expires_at"][:4]) for h in held if h.get("user") == FRED] == [("READ", until[:4])]


def test_refusing_and_withdrawing_and_asking_again(world, fred, vera):
    visit(world, fred, f"ask?kind=experiment&id={DIGITS}&level=EDIT", "Ask for access")
    expect(fred.get_by_role("combobox", name="Level")).to_have_value("EDIT")
    fred.get_by_role("textbox", name="Reason").fill("to mend it")
    fred.get_by_role("button", name="Ask", exact=True).click()
    fred.get_by_role("button", name="Withdraw").click()
    expect(fred.get_by_role("button", name="Withdraw")).to_have_count(0)
    fred.get_by_text("The request is withdrawn").locator("..").get_by_role("button", name="Undo").click()
    expect(fred.get_by_role("button", name="Withdraw")).to_be_visible()

    visit(world, vera, f"resources/experiment/{DIGITS}?tab=requests", "vision/digits")
    asked = card(vera)
    expect(asked.get_by_text("to mend it")).to_be_visible()
    accessible(vera)
    asked.get_by_label("Answer, when you refuse").fill("READ is enough")
    asked.get_by_role("button", name="Refuse").click()
    expect(asked).to_have_count(0)
    vera.get_by_text("Refused to " + FRED).locator("..").get_by_role("button", name="Undo").click()
    expect(asked).to_be_visible()
    asked.get_by_label("Answer, when you refuse").fill("READ is enough")
    asked.get_by_role("button", name="Refuse").click()
    expect(asked).to_have_count(0)

    fred.reload()
    expect(fred.get_by_text("READ is enough")).to_be_visible()
    expect(fred.get_by_text("refused", exact=True)).to_be_visible()
    assert not reads(world, FRED)


def test_a_level_that_is_held_is_restored_by_undoing(world, vera):
    at = f"/api/2.0/mlflow/permissions/users/{FRED}/experiments/{DIGITS}"
    assert world.ask(ADA, "POST", at, json={"permission": "READ"}).status_code == 200
    ask(world, FRED, {"kind": "experiment", "id": DIGITS, "permission": "EDIT", "reason": "more"})
    visit(world, vera, "requests", "Requests")
    expect(card(vera).get_by_text("Has now: READ")).to_be_visible()
    card(vera).get_by_role("button", name="Approve").click()
    expect(vera.get_by_text(FRED + " has EDIT")).to_be_visible()
    vera.get_by_text(FRED + " has EDIT").locator("..").get_by_role("button", name="Undo").click()
    expect(card(vera)).to_be_visible()
    assert world.ask(ADA, "GET", at).json()["experiment_permission"]["permission"] == "READ"


def test_pages_of_what_is_not_ones_own_lead_to_asking(world, fred):
    fred.goto(f"{world.url}/oidc/ui/resources/experiment/{DIGITS}")
    expect(fred.get_by_role("alert").first).to_be_visible()
    expect(fred.get_by_role("tab", name="Requests")).to_have_count(0)
    fred.get_by_role("link", name="Ask for access").click()
    expect(fred).to_have_url(re.compile(f"/ask\\?kind=experiment&id={DIGITS}&level=READ"))


def test_attack_opening_the_requests_of_others(world, chromium, fred):
    made = ask(world, VERA, {"kind": "registered_model", "id": "of-somebody-else", "permission": "READ", "reason": "a secret of Vera's"})
    for place in ("requests", "requests?tab=mine", "ask?kind=registered_model&id=of-somebody-else", "resources/registered_model/of-somebody-else?tab=requests"):
        fred.goto(world.url + "/oidc/ui/" + place)
        expect(fred.locator("[aria-busy=true]")).to_have_count(0)
        fred.wait_for_load_state("networkidle")
        expect(fred.get_by_text("a secret of Vera's")).to_have_count(0)
    for do in ("approve", "refuse", "reopen"):
        assert world.ask(FRED, "POST", f"{REQUESTS}/{made['id']}/{do}", json={"permission": "READ"}).status_code == 404
    assert world.ask(FRED, "DELETE", f"{REQUESTS}/{made['id']}").status_code == 404


def test_attack_a_page_of_another_site_approves(world):
    """A browser's cookie with the origin of another page."""
    made = ask(world, FRED, {"kind": "experiment", "id": DIGITS, "permission": "READ"})
    vera = world.signed_in(VERA)
    for headers in ({"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, {"Origin": "null", "Sec-Fetch-Site": "cross-site"}):
        answer = vera.post(f"{world.url}{REQUESTS}/{made['id']}/approve", json={"permission": "READ"}, headers=headers, timeout=60)
        assert answer.status_code == 403, answer.text
    assert not reads(world, FRED)


@pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (360, "dark")])
def test_the_page_of_a_refusal_is_for_everybody(world, fred, width, scheme):
    fred.emulate_media(color_scheme=scheme)
    fred.set_viewport_size({"width": width, "height": 800})
    for place in (f"/api/2.0/mlflow-artifacts/artifacts/{DIGITS}/a/b", "/no/such/address"):
        assert fred.goto(world.url + place).status == 403
        if "artifacts" in place:
            accessible(fred, name="refused" if width == 1200 else None)
