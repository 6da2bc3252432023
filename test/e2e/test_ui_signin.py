"""The pages around signing in, in a real browser: what they say when it goes wrong, and the way on from there."""

import re

import pytest
from playwright.sync_api import expect

from browser import opened, sign_in
from pages import accessible, slug
from world import ADA, FRED, Gateway, free_port

PROVIDER = "Sign in with the development provider"


@pytest.fixture
def page(chromium):
    """A browser of 360 px, in which no script fails and none is forbidden."""
    with opened(chromium) as page:
        page.set_viewport_size({"width": 360, "height": 740})
        faults = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda line: "Content Security Policy" in line.text and faults.append(line.text))
        yield page
        assert faults == []


@pytest.fixture(scope="module")
def lost(world, tmp_path_factory):
    """A gateway for whose identity provider nobody answers."""
    folder = tmp_path_factory.mktemp("lost")
    gateway = Gateway(world, folder, {"OIDC_DISCOVERY_URL": f"http://127.0.0.1:{free_port()}/.well-known/openid-configuration", "OIDC_CLIENT_ID": "x",
                                      "OIDC_CLIENT_SECRET": "y", "OIDC_PROVIDER_DISPLAY_NAME": "Sign in at the office",
                                      "OIDC_USERS_DB_URI": f"sqlite:///{folder / 'auth.db'}", "OIDC_GROUP_NAME": "mlflow"})
    yield gateway
    gateway.end()


def says(page, title, *words):
    """The page has a title and words, and is one for everybody, in both colours."""
    expect(page.get_by_role("heading", level=1, name=title)).to_be_visible()
    for text in words:
        expect(page.get_by_text(text)).to_be_visible()
    for colours in ("dark", "light"):
        page.emulate_media(color_scheme=colours)
        accessible(page, level=1, name="sign-in-" + slug(title))


def test_the_sign_in_page_by_keyboard_leads_back_to_where_one_was(world, page):
    page.goto(world.url + "/login?next=/auth/status")
    says(page, "Sign in to MLflow", "You will then come to the page that you asked for.")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name=PROVIDER)).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_role("button", name=re.compile("Fred")).click()
    expect(page).to_have_url(world.url + "/auth/status")
    expect(page.locator("body")).to_contain_text(FRED)


def test_who_is_in_no_group_is_told_so_and_can_come_as_somebody_else(world, page):
    sign_in(page, "Nora", world.url + "/login?next=/auth/status")
    says(page, "You may not use MLflow here", "none of the groups", "nora@example.com")
    expect(page.get_by_text("Request")).to_be_visible()
    page.get_by_role("link", name="Sign in as somebody else").click()
    page.get_by_role("button", name=re.compile("Fred")).click()
    expect(page).to_have_url(world.url + "/auth/status")


def test_who_is_deactivated_is_told_whom_to_ask(world, page):
    admin = world.signed_in(ADA)
    sign_in(page, "Fred", world.url + "/login?next=/auth/status")
    page.context.clear_cookies()
    active = world.url + f"/api/2.0/mlflow/users/{FRED}/active"
    answer = admin.patch(active, json={"active": False}, timeout=60)
    assert answer.ok, answer.text
    try:
        sign_in(page, "Fred", world.url + "/login?next=/auth/status")
        says(page, "Your account is deactivated", f"The account {FRED} is deactivated.", "Ask an administrator")
    finally:
        assert admin.patch(active, json={"active": True}, timeout=60).ok
        world.tokens[FRED] = world.new_token(FRED)


def test_a_provider_that_is_down_is_named_and_tried_again(lost, page):
    page.goto(lost.url + "/login?next=/auth/status")
    page.get_by_role("link", name="Sign in at the office").click()
    says(page, "The identity provider cannot be reached", "Sign in at the office")
    page.get_by_text("For administrators").click()
    expect(page.get_by_text("mlflow-oidc-auth doctor")).to_be_visible()
    page.get_by_role("link", name="Try again").click()
    expect(page.get_by_role("heading", name="The identity provider cannot be reached")).to_be_visible()
    page.get_by_role("link", name="Back to the sign-in page").click()
    expect(page).to_have_url(lost.url + "/login?next=%2Fauth%2Fstatus")


def test_a_sign_in_of_another_browser_is_begun_anew(world, chromium, page):
    with opened(chromium) as first:
        first.goto(world.url + "/login/start?next=/auth/status")
        at = first.url
    page.goto(at)
    page.get_by_role("button", name=re.compile("Fred")).click()
    says(page, "Your browser sent no cookie", "For administrators")
    page.get_by_role("link", name="Sign in again").click()
    page.get_by_role("button", name=re.compile("Fred")).click()
    expect(page).not_to_have_url(re.compile("/callback"))


def test_attack_what_the_address_says_is_not_on_the_page(world, page):
    page.goto(world.url + "/callback?state=x&error=call_us&error_description=Call+0800+EVIL")
    says(page, "Your browser sent no cookie")
    assert "EVIL" not in page.content() and "call_us" not in page.content()


def test_who_has_signed_out_is_told_so_and_finds_nothing_behind(world, page):
    sign_in(page, "Vera", world.url + "/#/experiments")
    expect(page.get_by_text("vision/digits").first).to_be_visible()
    page.goto(world.url + "/logout")  # typed: it is asked first
    says(page, "Sign out of MLflow?", "Stay signed in")
    page.get_by_role("button", name="Sign out").click()
    says(page, "You are signed out", "at your identity provider")
    for _ in range(4):
        page.go_back()
        page.wait_for_load_state()
        expect(page.get_by_text("vision/digits")).to_have_count(0)
        if page.url.endswith(("/#/experiments", "next=%2F%23%2Fexperiments")):  # it may have led to the sign-in page already
            break
    expect(page.get_by_role("link", name=PROVIDER)).to_be_visible()
    page.goto(world.url + "/logout")
    expect(page).to_have_url(world.url + "/login")
