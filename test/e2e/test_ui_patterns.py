"""Patterns that say what they would do while they are written, and several permissions that are given, changed and taken at once."""

import contextlib
import re
import uuid

import pytest
from playwright.sync_api import expect

from pages import HOSTILE, accessible, visit
from world import ADA, FRED, VERA

HOLDINGS = "/api/2.0/mlflow/permissions/holdings?limit=500&"


@pytest.fixture
def made(world):
    """Experiments of Ada's that nothing is given on, by name; the last one is markup. All that is given on them goes with them."""
    prefix = "bulk-" + uuid.uuid4().hex[:8]
    all = {name: world.ask(ADA, "POST", "/api/2.0/mlflow/experiments/create", json={"name": name}).json()["experiment_id"]
           for name in (prefix + "/a", prefix + "/b", prefix + "/c" + HOSTILE[0])}
    yield prefix, all
    for id in all.values():
        world.ask(ADA, "POST", "/api/2.0/mlflow/experiments/delete", json={"experiment_id": id})


@pytest.fixture
def fresh(world):
    """What Fred held before is all that he holds afterwards."""
    before = held(world, "user=" + FRED)
    yield before
    assert held(world, "user=" + FRED) == before


def held(world, query):
    rows = world.ask(ADA, "GET", HOLDINGS + query).json()["holdings"]
    return sorted((h["kind"], h.get("regex") or h["resource"], h.get("user") or h["group"], h["permission"], h.get("expires_at", "")) for h in rows)


def table(page, name="Permissions"):
    return page.get_by_role("table", name=name).locator("tbody tr")


def undo(page, said):
    page.get_by_text(said).locator("..").get_by_role("button", name="Undo").click()
    expect(page.get_by_text("It is as it was before").last).to_be_visible()


@contextlib.contextmanager
def dialog(page):
    one = page.get_by_role("dialog")
    expect(one).to_be_visible()
    yield one
    expect(one).to_have_count(0)


def test_a_pattern_says_what_it_would_do_is_edited_and_comes_back(world, ada, made, fresh):
    prefix, all = made
    visit(world, ada, "users/" + FRED, "Fred")
    ada.get_by_role("button", name="Give a permission").click()
    with dialog(ada) as form:
        form.get_by_role("combobox", name="On").click()
        ada.get_by_role("option", name="all whose names match a pattern").click()
        form.get_by_role("textbox", name="Pattern").fill("(")
        expect(form.get_by_text("missing closing )")).to_be_visible()
        form.get_by_role("textbox", name="Pattern").fill(prefix + "/[ab]")
        preview = form.get_by_role("region", name="What the pattern matches")
        expect(preview.get_by_text(re.compile(r"^Matches 2 of \d+; another level than now on 2\.$"))).to_be_visible()
        expect(preview.locator("tbody tr")).to_have_text([prefix + "/aNO_PERMISSIONS becomes READ", prefix + "/bNO_PERMISSIONS becomes READ"])
        form.get_by_role("textbox", name="Pattern").fill(prefix)
        expect(preview.get_by_text(prefix + "/c" + HOSTILE[0], exact=True)).to_be_visible()
        assert held(world, "user=" + FRED) == fresh
        accessible(ada)
        form.get_by_role("textbox", name="Pattern").fill(prefix + "/a")
        form.get_by_role("button", name="Give", exact=True).click()
    row = table(ada).filter(has_text=prefix + "/a")
    row.get_by_role("button", name="Edit the pattern").click()
    with dialog(ada) as form:
        form.get_by_role("textbox", name="Pattern").fill(prefix + "/b")
        expect(form.get_by_text("(no longer matched)")).to_be_visible()
        expect(form.get_by_text("another level than now on 2.")).to_be_visible()
        form.get_by_role("textbox", name="Priority").fill("7")
        form.get_by_role("button", name="Change it").click()
    expect(table(ada).filter(has_text=prefix + "/b")).to_contain_text("priority 7")
    undo(ada, "The pattern of " + FRED + " is changed")
    expect(row).to_contain_text("priority 100")

    visit(world, ada, "resources/experiment/" + all[prefix + "/a"] + "?tab=patterns", prefix + "/a")
    speaks = table(ada, "Patterns").filter(has_text=FRED)
    expect(speaks).to_contain_text(prefix + "/a")
    expect(speaks.locator("td").last).to_have_text(FRED)
    accessible(ada)
    visit(world, ada, "users/" + FRED, "Fred")
    row.get_by_role("button", name="Take away").click()
    expect(row).to_have_count(0)


def test_attack_managers_read_the_patterns_of_others(world, vera, fresh):
    given = world.ask(ADA, "POST", f"/api/2.0/mlflow/permissions/users/{FRED}/experiment-patterns", json={"regex": "vision/d.*", "priority": 1, "permission": "READ"})
    assert given.status_code == 201
    id = next(h["id"] for h in world.ask(ADA, "GET", HOLDINGS + "user=" + FRED).json()["holdings"] if h.get("regex") == "vision/d.*")
    visit(world, vera, "resources/experiment/1?tab=patterns", "vision/digits")
    row = table(vera, "Patterns").filter(has_text=FRED)
    expect(row).to_contain_text("a pattern, which administrators see")
    expect(vera.get_by_text("vision/d.*")).to_have_count(0)
    assert world.ask(ADA, "DELETE", f"/api/2.0/mlflow/permissions/users/{FRED}/experiment-patterns/{id}").status_code == 200


def test_several_permissions_are_changed_and_taken_and_come_back_by_one_click(world, ada, made, fresh):
    prefix, all = made
    for id in all.values():
        world.give(ADA, FRED, "experiments", id, "READ")
    given = held(world, "user=" + FRED)
    visit(world, ada, "users/" + FRED, "Fred")
    whole = ada.get_by_role("checkbox", name="Choose all on this page")
    whole.focus()
    ada.keyboard.press("Space")
    expect(ada.get_by_text(f"{len(given)} chosen")).to_be_visible()
    ada.keyboard.press("Space")
    expect(ada.get_by_text("None chosen")).to_be_visible()
    for name in list(all)[:2]:
        ada.get_by_role("checkbox", name=f"Choose {FRED}: READ on {name}", exact=True).press("Space")
    expect(whole).to_have_js_property("indeterminate", True)
    accessible(ada)
    ada.get_by_role("button", name="Change …").click()
    with dialog(ada) as form:
        form.get_by_role("combobox", name="Level").click()
        ada.get_by_role("option", name="EDIT").click()
        form.get_by_role("combobox", name="End").click()
        ada.get_by_role("option", name="after a day").click()
        form.get_by_label("Last day").fill("2098-12-31")
        accessible(ada)
        form.get_by_role("button", name="Change 2 permissions").click()
    changed = [h for h in held(world, "user=" + FRED) if h[3] == "EDIT" and h[4].startswith("209")]
    assert sorted(h[1] for h in changed) == sorted(list(all.values())[:2])
    undo(ada, "2 permissions changed")
    assert held(world, "user=" + FRED) == given

    for name in all:
        ada.get_by_role("checkbox", name=f"Choose {FRED}: READ on {name}", exact=True).check()
    ada.get_by_role("button", name="Take away …").click()
    with dialog(ada) as question:
        expect(question.get_by_text("Take 3 permissions away?")).to_be_visible()
        question.get_by_role("button", name="Take away").click()
    assert held(world, "user=" + FRED) == fresh
    undo(ada, "3 permissions taken away")
    assert held(world, "user=" + FRED) == given
    ada.get_by_role("checkbox", name=f"Choose {FRED}: READ on {prefix}/a", exact=True).check()
    ada.get_by_label("Search permissions").fill("experiment-without-this-name")
    expect(ada.get_by_text("None chosen")).to_be_visible()
    for id in all.values():
        world.take(ADA, FRED, "experiments", id)


def test_several_resources_are_given_at_once(world, ada, made, fresh):
    prefix, all = made
    visit(world, ada, "resources/experiment?q=" + prefix, "Experiments")
    world.give(ADA, FRED, "experiments", all[prefix + "/a"], "EDIT")  # which is held already, and comes back as it was
    before = held(world, "user=" + FRED)
    ada.get_by_role("checkbox", name="Choose all on this page").check()
    ada.get_by_role("button", name="Give a permission on them …").click()
    with dialog(ada) as form:
        form.get_by_role("combobox", name="User").fill(FRED)
        form.get_by_role("button", name="Give", exact=True).click()
    assert sorted(h[1:4] for h in held(world, "user=" + FRED) if h[1] in all.values()) == sorted((id, FRED, "READ") for id in all.values())
    undo(ada, FRED + " has READ on 3")
    assert held(world, "user=" + FRED) == before
    world.take(ADA, FRED, "experiments", all[prefix + "/a"])


def test_several_people_are_given_something_that_is_found_by_its_name(world, ada, made, fresh):
    prefix, all = made
    name = prefix + "/b"
    on = f"kind=experiment&id={all[name]}"
    before = held(world, on)
    visit(world, ada, "users?q=example.com", "Users")
    for person in (FRED, VERA):
        ada.get_by_role("checkbox", name="Choose " + person, exact=True).check()
    ada.get_by_role("button", name="Give them a permission …").click()
    with dialog(ada) as form:
        field = form.get_by_role("combobox", name="Experiment")
        field.fill("no such experiment")
        expect(form.get_by_role("button", name="Give", exact=True)).to_be_disabled()
        field.fill(name)
        expect(form.get_by_text("Its id is " + all[name])).to_be_visible()
        accessible(ada)
        field.press("Tab")
        form.get_by_role("button", name="Give", exact=True).click()
    assert sorted(h[2:4] for h in held(world, on) if h not in before) == [(FRED, "READ"), (VERA, "READ")]
    undo(ada, "2 have READ")
    assert held(world, on) == before
    ada.get_by_role("checkbox", name="Choose " + FRED, exact=True).check()
    ada.get_by_label("Search users").fill("vera")
    expect(ada.get_by_text("None chosen")).to_be_visible()


def test_managers_are_asked_before_they_lose_what_they_manage_by(world, vera):
    before = held(world, "kind=experiment&id=1")
    visit(world, vera, "resources/experiment/1", "vision/digits")
    row = table(vera).filter(has_text=VERA)
    row.get_by_role("button", name="Take away").click()
    with dialog(vera) as question:
        expect(question.get_by_text("somebody else has to")).to_be_visible()
        question.get_by_role("button", name="Leave it").click()
    row.get_by_role("combobox", name="Level of " + VERA).click()
    vera.get_by_role("option", name="READ").click()
    with dialog(vera) as question:
        expect(question.get_by_text("somebody else has to")).to_be_visible()
        question.get_by_role("button", name="Leave it").click()
    expect(row.get_by_role("combobox", name="Level of " + VERA)).to_have_value("MANAGE")
    vera.get_by_role("checkbox", name=re.compile("^Choose " + VERA)).check()
    vera.get_by_role("button", name="Take away …").click()
    with dialog(vera) as question:
        expect(question.get_by_text("somebody else has to")).to_be_visible()
        question.get_by_role("button", name="Leave it").click()
    assert held(world, "kind=experiment&id=1") == before


def test_undo_stays_while_somebody_is_at_it(world, ada, fresh):
    ada.clock.install()
    visit(world, ada, "users/" + FRED, "Fred")
    ada.get_by_role("button", name="Give a permission").click()
    with dialog(ada) as form:
        form.get_by_role("combobox", name="Experiment").fill("1")
        form.get_by_role("combobox", name="Experiment").press("Tab")
        form.get_by_role("button", name="Give", exact=True).click()
        ada.clock.run_for(2000)
    row = table(ada).filter(has_text="vision/digits")
    row.get_by_role("button", name="Take away").click()
    button = ada.get_by_role("button", name="Undo")
    button.focus()
    ada.clock.run_for(60_000)
    expect(button).to_be_focused()
    ada.get_by_label("Search permissions").focus()
    ada.mouse.move(5, 5)
    ada.clock.run_for(11_000)
    expect(button).to_be_visible()
    ada.clock.run_for(2000)
    expect(button).to_have_count(0)
