"""A person's browser on the pages of permissions, and what every page of them must be."""

import contextlib
import io
import os
import pathlib
import re

import pytest
from PIL import Image
from playwright.sync_api import expect

from browser import opened, sign_in
from world import ROOT

AXE = ROOT / "web/node_modules/axe-core/axe.min.js"

# What must be shown as text, wherever it comes from.
HOSTILE = ["<img src=x onerror=window.ran=1>", "\u202egnp.exe\u202c right to left", "\U0001f9ea" * 20, "x" * 200, "{{7*7}}<script>window.ran=1</script>"]


@contextlib.contextmanager
def signed_in(world, chromium, person, place=""):
    """A page of somebody's. In the end nothing has failed in it: no script, and nothing that its policy forbids."""
    with opened(chromium) as page:
        faults = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda line: line.type in ("error", "warning") and "Content Security Policy" in line.text and faults.append(line.text))
        sign_in(page, person, world.url + "/oidc/ui/" + place)
        page.get_by_role("button", name="Sign out", exact=True).wait_for()
        yield page
        assert faults == []
        assert page.evaluate("window.ran") is None


@pytest.fixture
def ada(world, chromium):
    with signed_in(world, chromium, "Ada Admin") as page:
        yield page


@pytest.fixture
def vera(world, chromium):
    with signed_in(world, chromium, "Vera Vision") as page:
        yield page


def visit(world, page, place, heading):
    page.goto(world.url + "/oidc/ui/" + place)
    expect(page.get_by_role("heading", level=2, name=heading)).to_be_visible()


def accessible(page, level=2, name=None):
    """Fails where a program sees a fault in the page that is open, or where it is wider than the screen. Its picture may have a name."""
    page.get_by_role("heading", level=level).first.wait_for()
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    # what fades in has the contrast of neither state
    for _ in range(50):
        if not page.evaluate("document.getAnimations().some(a => a instanceof CSSTransition && a.playState === 'running')"):
            break
        page.wait_for_timeout(100)
    page.evaluate(AXE.read_text())
    # All but an open dialog is out of reach; and what is best for whole pages is not asked of it.
    found = page.evaluate("""() => {
      const wcag = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'], dialog = document.querySelector('[role=dialog]')
      return axe.run(dialog ?? document, {runOnly: dialog ? wcag : [...wcag, 'best-practice']})
    }""")
    faults = [(f["id"], [n["html"][:300] + " " + n["failureSummary"][-200:] for n in f["nodes"]]) for f in found["violations"]]
    assert not faults, f"{page.url}: {faults}"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{page.url} is wider than the screen"
    picture(page, name)


def named(place):
    """The file of a page's picture, by its place below the pages of permissions."""
    return slug(place) + ".png" if place else "home.png"


def slug(text):
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def picture(page, name=None):
    """Keeps what is seen of a page in light colours, where that is asked for: as wide as in the documentation, if the page is one of permissions."""
    folder = os.environ.get("PICTURES")
    if not folder or page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") or not name and page.viewport_size["width"] != 1200:
        return
    place = page.evaluate("(location.pathname + location.search).replace(/^.*[/]oidc[/]ui[/]/, '')")
    seen = Image.open(io.BytesIO(page.screenshot())).convert("RGB").quantize(64)
    seen.save(pathlib.Path(folder) / (name + ".png" if name else named(place)), optimize=True)
