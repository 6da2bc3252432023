"""The pages of permissions in a real browser: what an administrator, a manager and a member each find there, and what they do not."""

import re

import pytest
import requests
from playwright.sync_api import expect

from pages import HOSTILE, accessible, named, signed_in, visit
from world import ADA, FRED, ROOT, VERA


def test_who_is_not_signed_in_comes_back_to_the_page_asked_for(world, chromium):
    with signed_in(world, chromium, "Ada Admin", "users?q=fred") as page:
        expect(page.get_by_role("link", name=FRED)).to_be_visible()
        expect(page.get_by_text("1 in all")).to_be_visible()
        expect(page).to_have_url(world.url + "/oidc/ui/users?q=fred")


def test_members_find_who_they_are_and_why_they_may_what_they_may(world, vera):
    expect(vera.get_by_role("heading", name="Vera Vision")).to_be_visible()
    expect(vera.get_by_role("link", name="Users")).to_have_count(0)
    vera.get_by_role("button", name="MANAGE: why?").first.click()
    dialog = vera.get_by_role("dialog")
    expect(dialog.get_by_text("given directly")).to_be_visible()
    expect(dialog.get_by_text("decides", exact=True)).to_be_visible()


@pytest.mark.parametrize("place", ["users", "services", "groups", "audit", "users/" + FRED])
def test_attack_pages_of_administrators_by_their_addresses(world, chromium, place):
    with signed_in(world, chromium, "Vera Vision", place) as page:
        expect(page.get_by_role("alert").first).to_be_visible()
        expect(page.get_by_text("demand-forecast")).to_have_count(0)


def test_managers_give_change_and_take_and_each_is_undone_by_one_click(world, vera):
    visit(world, vera, "resources/experiment", "Experiments")
    vera.get_by_role("link", name="vision/digits").click()
    rows = vera.get_by_role("table", name="Permissions").locator("tbody tr")

    def held():
        return {who: level for who, level, *_ in (
            (r["user"], r["permission"]) for r in world.ask(ADA, "GET", "/api/2.0/mlflow/permissions/holdings?kind=experiment&id=" + vera.url.split("/")[-1].split("?")[0]).json()["holdings"] if "user" in r)}
    before = held()
    vera.get_by_role("button", name="Give a permission").click()
    dialog = vera.get_by_role("dialog")
    dialog.get_by_role("combobox", name="User").fill("fred")
    vera.get_by_role("option", name=FRED).click()
    dialog.get_by_role("button", name="Give").click()
    row = rows.filter(has_text=FRED)
    expect(row).to_be_visible()
    assert held()[FRED] == "READ"

    level = row.get_by_role("combobox", name="Level of " + FRED)
    level.click()
    vera.get_by_role("option", name="EDIT").click()
    expect(vera.get_by_text(FRED + " has EDIT")).to_be_visible()
    assert held()[FRED] == "EDIT"

    row.get_by_role("button", name="Take away").click()
    expect(row).to_have_count(0)
    assert held() == before
    vera.get_by_text("Taken from " + FRED).locator("..").get_by_role("button", name="Undo").click()
    expect(row).to_be_visible()
    assert held()[FRED] == "EDIT"
    row.get_by_role("button", name="Take away").click()
    expect(row).to_have_count(0)


def test_a_token_is_shown_once_works_and_is_gone_when_it_is_revoked(world, vera):
    visit(world, vera, "tokens", "My tokens")
    vera.get_by_role("button", name="New token").click()
    dialog = vera.get_by_role("dialog")
    dialog.get_by_label("Name").fill("nightly")
    dialog.get_by_label("For reading alone").check()
    dialog.get_by_role("button", name="Make it").click()
    token = dialog.get_by_test_id("token").inner_text()
    vera.keyboard.press("Escape")  # a slip loses no token
    expect(dialog.get_by_test_id("token")).to_be_visible()
    who = "/api/2.0/mlflow/users/current"
    assert requests.get(world.url + who, auth=(VERA, token), timeout=60).json()["username"] == VERA
    dialog.get_by_role("button", name="Done").click()
    kept = vera.evaluate("JSON.stringify([localStorage, sessionStorage, document.cookie, location.href, document.documentElement.outerHTML])")
    assert token not in kept
    row = vera.get_by_role("table", name="My tokens").locator("tbody tr").filter(has_text="nightly")
    expect(row.get_by_text("reading")).to_be_visible()
    row.get_by_role("button", name="Revoke").click()
    vera.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(row).to_have_count(0)
    assert requests.get(world.url + who, auth=(VERA, token), timeout=60).status_code == 401


def test_sessions_mark_this_one_and_end_the_others(world, chromium, vera):
    with signed_in(world, chromium, "Vera Vision", "sessions") as other:
        vera.goto(world.url + "/oidc/ui/sessions")
        expect(vera.get_by_text("this one")).to_have_count(1)
        vera.get_by_role("button", name="Sign out everywhere else").click()
        vera.get_by_role("dialog").get_by_role("button", name="Sign out").click()
        expect(vera.get_by_role("table", name="My sessions").locator("tbody tr")).to_have_count(1)
        other.reload()  # an ended session leads to the sign-in page, and back
        expect(other.get_by_role("link", name="Sign in with the development provider")).to_be_visible()
        assert "next=" in other.url
        other.get_by_role("link", name="Sign in with the development provider").click()
        other.get_by_role("button", name=re.compile("Vera Vision")).click()
        expect(other).to_have_url(world.url + "/oidc/ui/sessions")


def test_attack_a_new_account_that_is_there_already(world, ada):
    """Making it anew would set its roles anew: an administrator would be none, by a form that says nothing of it."""
    visit(world, ada, "users", "Users")
    ada.get_by_role("button", name="New user").click()
    dialog = ada.get_by_role("dialog")
    dialog.get_by_label("Username").fill(ADA)
    dialog.get_by_role("button", name="Make it").click()
    expect(dialog.get_by_text("is there already, and is left as it is")).to_be_visible()
    assert world.ask(ADA, "GET", "/api/2.0/mlflow/users/current").json()["is_admin"]


def test_signing_out_ends_the_session(world, chromium):
    with signed_in(world, chromium, "Vera Vision") as page:
        page.get_by_role("button", name="Sign out", exact=True).click()
        page.wait_for_url(lambda url: "/oidc/ui" not in url)
        page.goto(world.url + "/auth/status")
        expect(page.get_by_text('"authenticated":false')).to_be_visible()


def test_administrators_make_deactivate_and_delete_accounts(world, ada):
    visit(world, ada, "users", "Users")
    ada.get_by_role("button", name="New user").click()
    dialog = ada.get_by_role("dialog")
    dialog.get_by_label("Username").fill("passing@example.com")
    dialog.get_by_role("button", name="Make it").click()
    ada.get_by_label("Search users").fill("passing")
    expect(ada.get_by_text("1 in all")).to_be_visible()
    ada.get_by_role("link", name="passing@example.com").click()
    ada.get_by_role("button", name="Give a permission").click()
    ada.get_by_role("combobox", name="Experiment").fill("1")
    ada.get_by_role("combobox", name="Experiment").press("Tab")
    ada.get_by_role("dialog").get_by_role("button", name="Give").click()
    expect(ada.get_by_role("link", name="vision/digits")).to_be_visible()
    ada.get_by_role("button", name="Deactivate").click()
    ada.get_by_role("dialog").get_by_role("button", name="Deactivate").click()
    expect(ada.get_by_role("button", name="Activate", exact=True)).to_be_visible()
    ada.get_by_role("button", name="Delete").click()
    expect(ada.get_by_role("dialog").get_by_text("1 permissions and patterns")).to_be_visible()
    ada.get_by_role("dialog").get_by_role("button", name="Delete for good").click()
    expect(ada).to_have_url(re.compile("/oidc/ui/users$"))
    assert world.ask(ADA, "GET", "/api/2.0/mlflow/users/passing@example.com").status_code == 404


def test_the_audit_log_is_searched_and_exported(world, ada):
    visit(world, ada, "audit?name=grant_given", "Audit")
    expect(ada.get_by_text("grant_given").first).to_be_visible()
    with ada.expect_download() as download:
        ada.get_by_role("link", name="CSV").click()
    assert "grant_given" in download.value.path().read_text()
    ada.get_by_role("table", name="Events").get_by_role("link").first.click()
    expect(ada).to_have_url(re.compile("request_id="))


def test_filters_that_are_typed_one_after_the_other_are_all_kept(world, ada):
    visit(world, ada, "audit", "Audit")
    for label, text in [("Event", "grant_given"), ("Kind", "experiment"), ("By", ADA)]:
        ada.get_by_label(label, exact=True).press_sequentially(text, delay=2)
    expect(ada).to_have_url(re.compile(r"name=grant_given&by=.*kind=experiment|kind=experiment.*by="))
    expect(ada.get_by_label("By", exact=True)).to_be_focused()
    ada.get_by_label("Last day").fill("2001-02-03")  # days are the viewer's
    expect(ada.get_by_text("Nothing that fits has happened")).to_be_visible()


def test_attack_a_script_that_somebody_uploaded(world, ada):
    """Markup in the page, should there ever be any, cannot load what lies among the artifacts of this very server."""
    answer = ada.goto(world.url + "/oidc/ui/tokens")
    assert "'strict-dynamic'" in answer.headers["content-security-policy"]
    nonces = ada.evaluate("[...document.scripts].map(s => s.nonce)")
    assert nonces and all(nonces)
    assert "'self'" not in re.search("script-src [^;]*", answer.headers["content-security-policy"])[0]


def test_pages_have_titles_and_take_the_focus(world, ada):
    visit(world, ada, "users", "Users")
    expect(ada).to_have_title("Users – MLflow permissions")
    ada.get_by_role("link", name="Groups", exact=True).click()
    expect(ada.get_by_role("heading", name="Groups")).to_be_focused()
    expect(ada).to_have_title("Groups – MLflow permissions")
    ada.go_back()
    expect(ada.get_by_role("heading", name="Users")).to_be_focused()


def test_attack_names_that_are_markup(world, ada):
    for i, name in enumerate(HOSTILE):
        made = world.signed_in(ADA).post(f"{world.url}/api/2.0/mlflow/users", json={"username": f"hostile{i}@example.com", "display_name": name}, timeout=60)
        assert made.status_code == 201, made.text
    visit(world, ada, "users?q=hostile", "Users")
    for name in HOSTILE:
        expect(ada.get_by_text(name, exact=True)).to_be_visible()
    visit(world, ada, "users/hostile0@example.com", HOSTILE[0])
    assert ada.evaluate("document.documentElement.scrollWidth <= innerWidth")


# All pages there are.
PLACES = [
    "", "tokens", "sessions", "setup",
    "requests", "requests?tab=mine", "ask", "ask?kind=experiment&id=1&level=EDIT", "resources/experiment/1?tab=requests",
    "resources/experiment", "resources/scorer", "resources/experiment/1", "resources/experiment/1?tab=who", "resources/experiment/1?tab=patterns",
    "users", "users/" + VERA, "users/" + VERA + "?tab=what", "services",
    "groups", "roles", "trash", "trash?tab=runs", "webhooks",
    "audit",
    "all-sessions", "providers", "doctor",
]


@pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (360, "dark")])
def test_pages_are_for_everybody(world, ada, width, scheme):
    """WCAG 2.2 AA as far as a program sees it, in both colours, on wide and narrow screens."""
    ada.emulate_media(color_scheme=scheme)
    ada.set_viewport_size({"width": width, "height": 800})
    for place in PLACES:
        ada.goto(world.url + "/oidc/ui/" + place)
        accessible(ada)


def test_each_page_is_in_the_documentation():
    """`PICTURES=docs/images pytest test/e2e -k "everybody or signin"` takes the pictures anew."""
    there = {file.name for file in (ROOT / "docs/images").iterdir()}
    assert {named(place) for place in PLACES} <= there
    shown = set(re.findall(r"images/([^)]+)\)", (ROOT / "docs/pages.md").read_text() + (ROOT / "README.md").read_text()))
    assert shown and shown <= there


def test_the_keyboard_is_enough(world, vera):
    visit(world, vera, "tokens", "My tokens")
    vera.keyboard.press("Tab")
    expect(vera.get_by_role("button", name="Skip to the content")).to_be_focused()
    vera.keyboard.press("Enter")
    vera.keyboard.press("Tab")
    expect(vera.get_by_role("button", name="New token")).to_be_focused()
    vera.keyboard.press("Enter")
    expect(vera.get_by_role("dialog").get_by_label("Name")).to_be_focused()
    vera.keyboard.press("Escape")
    expect(vera.get_by_role("button", name="New token")).to_be_focused()
