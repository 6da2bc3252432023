"""The pages about providers, the doctor and everybody's sessions in a real browser, with the real provider of the development server."""

import re

import pytest
from playwright.sync_api import expect

from pages import accessible, signed_in, visit
from world import ADA, FRED, VERA

TRIAL = "/api/2.0/mlflow/permissions/providers/oidc/trial"


def test_the_doctor_shows_the_worst_first_and_looks_again(world, ada):
    visit(world, ada, "doctor", "Doctor")
    table = ada.get_by_role("table", name="Findings")
    for what in ("database", "mlflow", "provider", "keys", "sessions"):
        expect(table.get_by_role("cell", name=what, exact=True).first).to_be_visible()
    states = table.locator("tbody tr td:first-child").all_inner_texts()
    order = ["does not work", "look at it", "well"]
    ranks = [order.index(s.strip().lower()) for s in states]
    assert ranks == sorted(ranks), states
    expect(ada.get_by_role("status").filter(has_text="Looked")).to_be_visible()
    with ada.expect_response(re.compile("permissions/doctor")) as asked:
        ada.get_by_role("button", name="Look again").click()
    assert asked.value.status == 200
    for text in (world.tokens[ADA], "client-secret"):
        assert text not in ada.content()


def test_sessions_of_everybody_are_searched_and_ended(world, chromium, ada):
    with signed_in(world, chromium, "Fred") as one, signed_in(world, chromium, "Fred") as two:
        visit(world, ada, "all-sessions?q=fred", "All sessions")
        rows = ada.get_by_role("table", name="Sessions").locator("tbody tr").filter(has_text=FRED)
        expect(rows.nth(1)).to_be_visible()
        before = rows.count()
        rows.first.get_by_role("button", name="End", exact=True).click()
        ada.get_by_role("dialog").get_by_role("button", name="End it").click()
        expect(rows).to_have_count(before - 1)
        rows.first.get_by_role("button", name="End all").click()
        ada.get_by_role("dialog").get_by_role("button", name="End them all").click()
        expect(ada.get_by_text("Nobody with this in the name is signed in.")).to_be_visible()
        for page in (one, two):
            page.reload()
            expect(page.get_by_role("link", name="Sign in with the development provider")).to_be_visible()
    ada.get_by_label("Search sessions").fill("ada")
    expect(ada.get_by_text("this one")).to_have_count(1)
    expect(ada).to_have_url(re.compile("q=ada"))


def test_a_test_sign_in_shows_claims_groups_and_rights_and_signs_nobody_in(world, ada):
    visit(world, ada, "providers", "Providers")
    card = ada.get_by_role("region", name="Sign in with the development provider")
    expect(card.get_by_role("rowheader", name="Client id")).to_be_visible()
    expect(card.get_by_role("group", name="Health").get_by_text(re.compile("keys: "))).to_be_visible()
    accounts = world.ask(ADA, "GET", "/api/2.0/mlflow/users/details").json()
    card.get_by_role("button", name="Test a sign-in").click()
    ada.get_by_role("button", name=re.compile("Vera Vision")).click()
    outcome = ada.get_by_role("region", name="Outcome of the test")
    expect(outcome.get_by_text("They would be signed in")).to_be_visible()
    expect(outcome.get_by_text("an account is there already")).to_be_visible()
    expect(outcome.get_by_role("table", name="Groups of the provider").get_by_text("known").first).to_be_visible()
    expect(outcome.get_by_role("table", name="Claims").get_by_text(f'"{VERA}"').first).to_be_visible()
    expect(outcome.get_by_role("table", name="What they could do").get_by_text("MANAGE").first).to_be_visible()
    accessible(ada)
    ada.set_viewport_size({"width": 360, "height": 800})
    ada.emulate_media(color_scheme="dark")
    accessible(ada)
    assert "eyJ" not in outcome.inner_text()
    assert ada.evaluate("fetch('/auth/status').then((a) => a.json())")["username"] == ADA
    assert world.ask(ADA, "GET", "/api/2.0/mlflow/users/details").json() == accounts
    ada.reload()  # it is shown once
    expect(ada.get_by_text("you have seen it already")).to_be_visible()


@pytest.mark.parametrize("place", ["providers", "doctor", "all-sessions"])
def test_attack_members_find_no_pages_of_administrators(world, vera, place):
    vera.goto(f"{world.url}/oidc/ui/{place}")
    expect(vera.get_by_role("alert").first).to_contain_text("only administrators")
    expect(vera.get_by_role("link", name=re.compile("All sessions|Providers|Doctor"))).to_have_count(0)
    for method, path in (("POST", TRIAL), ("GET", "/api/2.0/mlflow/permissions/sessions"), ("GET", "/api/2.0/mlflow/permissions/doctor")):
        assert world.ask(VERA, method, path).status_code == 403


def test_attack_a_test_sign_in_by_a_token_or_from_elsewhere(world, ada):
    assert world.ask(ADA, "POST", TRIAL).status_code == 403
    browser = world.signed_in(ADA)
    browser.headers["Sec-Fetch-Site"] = "cross-site"
    browser.headers["Origin"] = "https://evil.example"
    answer = browser.post(world.url + TRIAL, timeout=60)
    assert answer.status_code == 403 and "Set-Cookie" not in answer.headers
