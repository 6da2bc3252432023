"""A real browser: the system's Chromium."""

import contextlib
import os
import re
import shutil

import pytest
from playwright.sync_api import expect, sync_playwright

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync"]

expect.set_options(timeout=30_000)


@pytest.fixture(scope="module")
def chromium():
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert path, "Chromium is needed on PATH, or in the variable CHROMIUM"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@contextlib.contextmanager
def opened(chromium, state=None):
    context = chromium.new_context(storage_state=state)
    context.set_default_timeout(30_000)
    yield context.new_page()
    context.close()


@pytest.fixture
def page(chromium):
    with opened(chromium) as page:
        yield page


def sign_in(page, person, address):
    """Asks for an address and signs in on the way."""
    page.goto(address)
    page.get_by_role("link", name="Sign in with the development provider").click()
    page.get_by_role("button", name=re.compile(person)).click()
