"""Pages for administrators in a real browser: roles, the trash, webhooks, and workspaces with their rules."""

import re

import pytest
from playwright.sync_api import expect

from browser import opened, sign_in
from pages import HOSTILE, accessible, signed_in, visit
from world import ADA, FRED, World, free_port, ok

V2, V3 = "/api/2.0/mlflow", "/api/3.0/mlflow"


def undo(page, said):
    with page.expect_response(lambda answer: answer.request.method != "GET") as answer:
        page.get_by_text(said).locator("..").get_by_role("button", name="Undo").click()
    assert answer.value.ok, answer.value.text()


def rows(page, table):
    return page.get_by_role("table", name=table).locator("tbody tr")


@pytest.fixture
def role(world):
    """A role that reads a model; it is gone afterwards."""
    session = world.signed_in(ADA)
    made = ok(session.post(f"{world.url}{V3}/roles/create", json={"workspace": "default", "name": "readers", "description": "who reads"}, timeout=60))["role"]["id"]
    ok(session.post(f"{world.url}{V3}/roles/permissions/add", json={"role_id": made, "resource_type": "registered_model", "resource_pattern": "read-me", "permission": "READ"}, timeout=60))
    yield made
    session.delete(f"{world.url}{V3}/roles/delete", json={"role_id": made}, timeout=60)


def held(world, role):
    permissions = ok(world.ask(ADA, "GET", f"{V2}/permissions/roles/{role}/permissions"))
    return sorted((p["resource_type"], p["resource_pattern"], p["permission"]) for p in permissions)


def test_roles_are_made_and_deleted(world, ada):
    visit(world, ada, "roles", "Roles")
    ada.get_by_role("button", name="New role").click()
    dialog = ada.get_by_role("dialog")
    dialog.get_by_label("Name").fill(HOSTILE[0])
    dialog.get_by_label("Description").fill(HOSTILE[4])
    dialog.get_by_role("button", name="Make it").click()
    expect(ada.get_by_text("1 in all")).to_be_visible()
    expect(ada.get_by_role("cell", name=HOSTILE[4])).to_be_visible()
    ada.get_by_role("link", name=HOSTILE[0]).click()
    expect(ada.get_by_role("heading", level=2, name=HOSTILE[0])).to_be_visible()
    ada.get_by_role("button", name="Rename or describe").click()
    dialog.get_by_label("Name").fill("passing")
    dialog.get_by_role("button", name="Save").click()
    expect(ada.get_by_role("heading", level=2, name="passing")).to_be_visible()
    undo(ada, "The role is passing now")
    expect(ada.get_by_role("heading", level=2, name=HOSTILE[0])).to_be_visible()
    ada.get_by_role("button", name="Delete").click()
    expect(dialog.get_by_text("its 0 permissions, and its 0 members")).to_be_visible()
    dialog.get_by_role("button", name="Delete for good").click()
    expect(ada).to_have_url(re.compile("/oidc/ui/roles$"))
    assert HOSTILE[0] not in [r["name"] for r in ok(world.ask(ADA, "GET", V2 + "/permissions/roles"))]


def test_permissions_of_a_role_are_added_changed_and_removed_and_each_is_undone(world, ada, role):
    visit(world, ada, f"roles/{role}", "readers")
    before = held(world, role)
    ada.get_by_role("button", name="Add a permission").click()
    dialog = ada.get_by_role("dialog")
    dialog.get_by_label("Id or name").fill("*")
    dialog.get_by_role("combobox", name="Level").click()
    ada.get_by_role("option", name="DENY").click()
    dialog.get_by_role("button", name="Add").click()
    denied = rows(ada, "Permissions").filter(has_text="all of them")
    expect(denied).to_be_visible()
    assert held(world, role) == [("experiment", "*", "DENY"), *before]
    denied.get_by_role("combobox", name="Level on experiment *").click()
    ada.get_by_role("option", name="EDIT").click()
    expect(ada.get_by_text("The role has EDIT")).to_be_visible()
    assert held(world, role)[0] == ("experiment", "*", "EDIT")
    undo(ada, "The role has EDIT")
    assert held(world, role)[0] == ("experiment", "*", "DENY")
    denied.get_by_role("button", name="Remove").click()
    expect(denied).to_have_count(0)
    assert held(world, role) == before
    undo(ada, "The role has no longer DENY")
    expect(denied).to_be_visible()
    assert held(world, role) == [("experiment", "*", "DENY"), *before]


def test_roles_are_assigned_from_both_sides(world, ada, role):
    def members():
        return [m["username"] for m in ok(world.ask(ADA, "GET", f"{V2}/permissions/roles/{role}/users"))]
    visit(world, ada, f"roles/{role}?tab=members", "readers")
    ada.get_by_role("button", name="Assign it").click()
    dialog = ada.get_by_role("dialog")
    dialog.get_by_role("combobox", name="User").fill("fred")
    ada.get_by_role("option", name=FRED).click()
    dialog.get_by_label("Last day").fill("2099-12-31")
    dialog.get_by_role("button", name="Assign").click()
    row = rows(ada, "Members").filter(has_text=FRED)
    expect(row.get_by_role("time")).to_be_visible()
    assert members() == [FRED]
    ends = ok(world.ask(ADA, "GET", f"{V2}/users/{FRED}/roles"))[0]["expires_at"]
    assert ends.startswith(("2099-12-31", "2100-01-01"))

    row.get_by_role("link", name=FRED).click()
    ada.get_by_role("tab", name="Roles").click()
    mine = rows(ada, "Roles").filter(has_text="readers")
    mine.get_by_role("button", name="Take away").click()
    expect(mine).to_have_count(0)
    assert members() == []
    undo(ada, "has no longer the role readers")
    expect(mine).to_be_visible()
    assert ok(world.ask(ADA, "GET", f"{V2}/users/{FRED}/roles"))[0]["expires_at"] == ends, "what is undone has the end that it had"
    mine.get_by_role("button", name="Take away").click()
    expect(mine).to_have_count(0)
    ada.get_by_role("button", name="Assign a role").click()
    dialog.get_by_role("combobox", name="Role").fill("read")
    ada.get_by_role("option", name="readers (default)").click()
    dialog.get_by_role("button", name="Assign").click()
    expect(mine).to_be_visible()
    assert members() == [FRED]


@pytest.fixture
def trash(world):
    """An experiment and a run of another one in the trash; what is left of them in the end is deleted."""
    def ask(path, **body):
        return ok(world.ask(ADA, "POST", V2 + path, json=body))
    gone, kept = (ask("/experiments/create", name=name)["experiment_id"] for name in ("trash " + HOSTILE[0], "trash kept"))
    run = ask("/runs/create", experiment_id=kept, run_name="trash " + HOSTILE[4])["run"]["info"]["run_id"]
    ask("/experiments/delete", experiment_id=gone)
    ask("/runs/delete", run_id=run)
    yield gone, run
    world.ask(ADA, "POST", V2 + "/experiments/delete", json={"experiment_id": gone})
    world.ask(ADA, "POST", V2 + "/experiments/delete", json={"experiment_id": kept})
    ok(world.ask(ADA, "POST", f"/oidc/trash/cleanup?experiment_ids={kept}"))
    world.ask(ADA, "POST", f"/oidc/trash/cleanup?experiment_ids={gone}")


def stage(world, experiment):
    answer = world.ask(ADA, "GET", f"{V2}/experiments/get?experiment_id={experiment}")
    return answer.json()["experiment"]["lifecycle_stage"] if answer.ok else answer.status_code


def test_what_is_in_the_trash_comes_back_and_can_be_deleted_again(world, ada, trash):
    gone, run = trash
    visit(world, ada, "trash?q=trash", "Trash")
    row = rows(ada, "Experiments").filter(has_text="trash " + HOSTILE[0])
    row.get_by_role("button", name="Restore").click()
    expect(row).to_have_count(0)
    assert stage(world, gone) == "active"
    undo(ada, f"The experiment trash {HOSTILE[0]} is back")
    expect(row).to_be_visible()
    assert stage(world, gone) == "deleted"

    ada.get_by_role("tab", name="Runs").click()
    row = rows(ada, "Runs").filter(has_text="trash " + HOSTILE[4])
    row.get_by_role("button", name="Restore").click()
    expect(row).to_have_count(0)
    undo(ada, f"The run trash {HOSTILE[4]} is back")
    expect(row).to_be_visible()
    row.get_by_role("button", name="Delete for good").click()
    ada.get_by_role("dialog").get_by_role("button", name="Delete for good").click()
    expect(row).to_have_count(0)
    assert world.ask(ADA, "GET", f"{V2}/runs/get?run_id={run}").status_code == 404


def test_the_trash_is_cleaned_up_after_it_was_asked_for(world, ada, trash):
    gone, _ = trash
    visit(world, ada, "trash?q=trash", "Trash")
    ada.get_by_role("combobox", name="In the trash for at least").click()
    ada.get_by_role("option", name="7 days").click()
    expect(ada.get_by_text("No experiment has been here for so long.")).to_be_visible()
    ada.get_by_role("button", name="Clean up").click()
    dialog = ada.get_by_role("dialog")
    expect(dialog.get_by_text("0 experiments that have been in the trash for at least 7 days")).to_be_visible()
    dialog.get_by_role("button", name="Delete for good").click()
    expect(dialog.get_by_text("Deleted for good: 0 experiments and 0 runs.")).to_be_visible()
    dialog.get_by_role("button", name="Close", exact=True).last.click()
    assert stage(world, gone) == "deleted"

    visit(world, ada, "trash", "Trash")
    ada.get_by_role("button", name="Clean up").click()
    expect(dialog.get_by_text("This cannot be undone")).to_be_visible()
    dialog.get_by_role("button", name="Leave it").click()
    assert stage(world, gone) == "deleted"
    row = rows(ada, "Experiments").filter(has_text="trash " + HOSTILE[0])
    row.get_by_role("button", name="Delete for good").click()
    dialog.get_by_role("button", name="Delete for good").click()
    expect(row).to_have_count(0)
    assert stage(world, gone) == 404


def test_who_has_another_mlflow_is_told_the_command(world, ada, trash):
    """In front of somebody else's MLflow nothing can be deleted for good from here."""
    message = "beside the MLflow server, run: mlflow gc"
    ada.route(re.compile("/oidc/trash/cleanup"), lambda route: route.fulfill(status=400, json={"error_code": "INVALID_PARAMETER_VALUE", "message": message}))
    visit(world, ada, "trash", "Trash")
    ada.get_by_role("button", name="Clean up").click()
    ada.get_by_role("dialog").get_by_role("button", name="Delete for good").click()
    expect(ada.get_by_role("dialog").get_by_text(message)).to_be_visible()


def test_webhooks_from_making_to_deletion(world, ada):
    def listed():
        return ok(world.ask(ADA, "GET", "/oidc/webhook"))["webhooks"]
    visit(world, ada, "webhooks", "Webhooks")
    ada.get_by_role("button", name="New webhook").click()
    dialog = ada.get_by_role("dialog")
    dialog.get_by_label("Name").fill("hook-of-the-tests")
    dialog.get_by_label("Address").fill("http://1.1.1.1/in-the-path")
    dialog.get_by_label("Description").fill(HOSTILE[0])
    dialog.get_by_label("Secret").fill("kept to itself")
    dialog.get_by_role("combobox", name="On").fill("prompt.created")
    ada.get_by_role("option", name="prompt.created").click()
    ada.keyboard.press("Escape")
    dialog.get_by_role("button", name="Make it").click()
    expect(dialog.get_by_role("alert")).to_contain_text("https://")
    assert listed() == []
    dialog.get_by_label("Address").fill("https://1.1.1.1/in-the-path")
    dialog.get_by_role("button", name="Make it").click()
    row = rows(ada, "Webhooks").filter(has_text="hook-of-the-tests")
    expect(row.get_by_text(HOSTILE[0])).to_be_visible()
    expect(row.get_by_text("1.1.1.1", exact=True)).to_be_visible()
    for secret in ["kept to itself", "in-the-path"]:
        assert secret not in ada.evaluate("JSON.stringify([localStorage, sessionStorage, location.href, document.documentElement.outerHTML])")

    row.get_by_role("button", name="Test").click()
    expect(dialog.get_by_role("status")).to_be_visible()  # MLflow calls no address of this machine, and others may not answer here
    dialog.get_by_role("button", name="Close", exact=True).last.click()

    row.get_by_role("button", name="Edit").click()
    expect(dialog.get_by_label("Address")).to_have_value("https://1.1.1.1/in-the-path")
    expect(dialog.get_by_label("Secret")).to_have_value("")
    dialog.get_by_role("combobox", name="State").click()
    ada.get_by_role("option", name="disabled").click()
    dialog.get_by_role("button", name="Save").click()
    expect(row.get_by_text("disabled")).to_be_visible()
    assert listed()[0]["status"] == "DISABLED"
    undo(ada, "The webhook hook-of-the-tests is changed")
    assert listed()[0]["status"] == "ACTIVE"

    row.get_by_role("button", name="Delete").click()
    dialog.get_by_role("button", name="Delete for good").click()
    expect(ada.get_by_text("There are no webhooks.")).to_be_visible()
    assert listed() == []


@pytest.mark.parametrize("place", ["roles", "roles/1", "roles/1?tab=members", "trash", "trash?tab=runs", "webhooks"])
def test_attack_pages_of_administrators_by_their_addresses(world, chromium, role, trash, place):
    with signed_in(world, chromium, "Vera Vision", place.replace("/1", f"/{role}")) as page:
        expect(page.get_by_role("alert").first).to_be_visible()
        for hidden in ["readers", "who reads", "read-me", HOSTILE[0], HOSTILE[4]]:
            expect(page.get_by_text(hidden)).to_have_count(0)
        for entry in ["Roles", "Trash", "Webhooks", "Workspace rules"]:
            expect(page.get_by_role("link", name=entry, exact=True).and_(page.locator("nav a"))).to_have_count(0)


@pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (360, "dark")])
def test_what_is_in_the_pages_is_for_everybody(world, ada, role, trash, width, scheme):
    ada.emulate_media(color_scheme=scheme)
    ada.set_viewport_size({"width": width, "height": 800})
    for place in ["roles", f"roles/{role}", f"roles/{role}?tab=members", "trash", "trash?tab=runs&age=7d", "webhooks"]:
        ada.goto(world.url + "/oidc/ui/" + place)
        expect(ada.get_by_role("status").filter(has_text="in all").or_(ada.get_by_role("tab")).first).to_be_visible()
        accessible(ada)
    ada.goto(world.url + "/oidc/ui/trash")
    ada.get_by_role("button", name="Clean up").click()
    expect(ada.get_by_role("dialog").get_by_text("This cannot be undone")).to_be_visible()
    accessible(ada)


@pytest.fixture(scope="module")
def spaces(tmp_path_factory):
    """A development server with workspaces: acme, which nobody is in, and a group that is called after it."""
    made = World(tmp_path_factory.mktemp("spaces"))
    try:
        made.start(f"127.0.0.1:{free_port()}", MLFLOW_ENABLE_WORKSPACES="true")
        ok(made.ask(ADA, "POST", V3 + "/workspaces", json={"name": "acme"}))
        ok(made.ask(ADA, "POST", V2 + "/permissions/groups", json={"group_name": "crew-acme"}))
        for place, name in [("default", "of-default"), ("acme", "of-acme")]:
            ok(made.ask(ADA, "POST", V2 + "/registered-models/create", json={"name": name}, headers={"X-MLFLOW-WORKSPACE": place}))
        yield made
    finally:
        if made.process and made.process.poll() is None:
            made.stop()


@pytest.fixture
def ada_in_spaces(spaces, chromium):
    with signed_in(spaces, chromium, "Ada Admin") as page:
        yield page


def choose(page, name):
    page.get_by_role("combobox", name="Workspace", exact=True).click()
    page.get_by_role("option", name=name, exact=True).click()
    expect(page).to_have_url(re.compile(f"workspace={name}"))


def test_the_workspace_that_is_chosen_stays_chosen(spaces, ada_in_spaces):
    page = ada_in_spaces
    visit(spaces, page, "resources/registered_model", "Registered models")
    expect(page.get_by_role("link", name="of-default")).to_be_visible()
    expect(page.get_by_role("link", name="of-acme")).to_have_count(0)
    expect(page.locator("main").get_by_text("In the workspace default.")).to_be_visible()
    choose(page, "acme")
    expect(page.get_by_role("link", name="of-acme")).to_be_visible()
    expect(page.get_by_role("link", name="of-default")).to_have_count(0)
    page.get_by_role("link", name="of-acme").click()
    expect(page).to_have_url(re.compile(r"/resources/registered_model/of-acme\?workspace=acme"))
    page.get_by_role("button", name="Give a permission").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("In the workspace acme.")).to_be_visible()
    dialog.get_by_role("combobox", name="User").fill(FRED)
    dialog.get_by_role("button", name="Give", exact=True).click()
    row = rows(page, "Permissions").filter(has_text=FRED)
    expect(row).to_be_visible()
    given = ok(spaces.ask(ADA, "GET", f"{V2}/permissions/holdings?user={FRED}&search=of-acme"))["holdings"]
    assert [(h["resource"], h["workspace"]) for h in given] == [("of-acme", "acme")]
    row.get_by_role("button", name="Take away").click()
    expect(row).to_have_count(0)

    page.get_by_role("link", name="Users").click()
    expect(page).to_have_url(re.compile(r"/users\?workspace=acme"))
    page.get_by_role("combobox", name="Workspace", exact=True).click()
    page.get_by_role("option", name="No workspace").click()
    expect(page).to_have_url(re.compile("/users$"))


def test_patterns_say_where_they_are_for(spaces, ada_in_spaces):
    page = ada_in_spaces
    visit(spaces, page, f"users/{FRED}", "Fred")
    page.get_by_role("button", name="Give a permission").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox", name="On").click()
    page.get_by_role("option", name="all whose names match a pattern").click()
    expect(dialog.get_by_text("It is for all workspaces.")).to_be_visible()
    dialog.get_by_role("button", name="Cancel").click()
    choose(page, "acme")
    page.get_by_role("button", name="Give a permission").click()
    dialog.get_by_role("combobox", name="On").click()
    page.get_by_role("option", name="all whose names match a pattern").click()
    expect(dialog.get_by_text("In the workspace acme.")).to_be_visible()
    dialog.get_by_role("textbox", name="Pattern").fill("of-.*")
    dialog.get_by_role("button", name="Give", exact=True).click()
    row = rows(page, "Permissions").filter(has_text="of-.*")
    expect(row.get_by_text("in acme")).to_be_visible()
    row.get_by_role("button", name="Take away").click()
    expect(row).to_have_count(0)


def test_permissions_on_a_workspace_are_given_and_taken(spaces, ada_in_spaces):
    page = ada_in_spaces
    visit(spaces, page, "resources/workspace", "Workspaces")
    page.locator("main").get_by_role("link", name="acme").click()
    page.get_by_role("button", name="Give a permission").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox", name="User").fill(FRED)
    dialog.get_by_role("button", name="Give", exact=True).click()
    row = rows(page, "Permissions").filter(has_text=FRED)
    expect(row).to_be_visible()
    assert {"name": "acme"} in ok(spaces.ask(FRED, "GET", V3 + "/users/current/workspaces"))
    row.get_by_role("button", name="Take away").click()
    expect(row).to_have_count(0)
    assert ok(spaces.ask(FRED, "GET", V3 + "/users/current/workspaces")) == [{"name": "default"}]


def test_attack_a_workspace_that_one_is_not_in_by_its_address(spaces, chromium):
    with signed_in(spaces, chromium, "Vera Vision", "resources/registered_model?workspace=acme") as page:
        expect(page.get_by_role("alert").first).to_be_visible()
        expect(page.get_by_text("of-acme")).to_have_count(0)
        page.get_by_role("combobox", name="Workspace", exact=True).click()
        page.get_by_role("option", name="No workspace").click()
        expect(page.get_by_role("alert")).to_have_count(0)
        page.get_by_role("combobox", name="Workspace", exact=True).click()
        expect(page.get_by_role("option", name="default")).to_be_visible()
        expect(page.get_by_role("option", name="acme")).to_have_count(0)


def test_attack_rules_of_workspaces_by_their_address(spaces, chromium):
    with signed_in(spaces, chromium, "Vera Vision", "rules") as page:
        expect(page.get_by_role("alert").first).to_be_visible()
        expect(page.get_by_role("button", name="New rule")).to_have_count(0)
        expect(page.get_by_role("link", name="Workspace rules")).to_have_count(0)


def test_rules_are_shown_before_they_are_saved(spaces, ada_in_spaces):
    page = ada_in_spaces

    def groups():
        return {h["group_name"]: h["permission"] for h in ok(spaces.ask(ADA, "GET", V3 + "/permissions/workspaces/acme/groups"))}
    visit(spaces, page, "rules", "Workspace rules")
    page.get_by_role("button", name="New rule").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill(HOSTILE[0])
    dialog.get_by_label("Groups").fill("crew-(")
    expect(dialog.get_by_role("alert")).to_be_visible()
    expect(dialog.get_by_role("button", name="Save")).to_be_disabled()
    dialog.get_by_label("Groups").fill("crew-(?P<ws>.*)")
    line = dialog.get_by_role("table", name="Changes").locator("tbody tr")
    expect(line).to_have_count(1)
    expect(line).to_contain_text("crew-acme")
    dialog.get_by_role("combobox", name="Mode").click()
    page.get_by_role("option", name="Give it, now").click()
    assert groups() == {}, "nothing is given before it is saved"
    dialog.get_by_role("button", name="Save").click()
    row = rows(page, "Rules").filter(has_text=HOSTILE[0])
    expect(row.get_by_text("gives it")).to_be_visible()
    assert groups() == {"crew-acme": "READ"}

    row.get_by_role("button", name="Edit").click()
    dialog.get_by_role("combobox", name="Level").click()
    page.get_by_role("option", name="EDIT").click()
    expect(line).to_contain_text("changes")
    dialog.get_by_role("button", name="Save").click()
    expect(row.get_by_text("EDIT", exact=True)).to_be_visible()
    assert groups() == {"crew-acme": "EDIT"}
    undo(page, f"The rule {HOSTILE[0]} is saved")
    assert groups() == {"crew-acme": "READ"}

    row.get_by_role("switch").click(force=True)
    expect(page.get_by_text(f"The rule {HOSTILE[0]} is off")).to_be_visible()
    assert groups() == {}
    undo(page, f"The rule {HOSTILE[0]} is off")
    assert groups() == {"crew-acme": "READ"}

    row.get_by_role("button", name="Delete").click()
    expect(dialog.get_by_role("table", name="Changes")).to_contain_text("crew-acme")
    dialog.get_by_role("button", name="Delete for good").click()
    expect(page.get_by_text("There are no rules.")).to_be_visible()
    assert groups() == {}


@pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (360, "dark")])
def test_pages_of_workspaces_are_for_everybody(spaces, ada_in_spaces, width, scheme):
    page = ada_in_spaces
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    for place in ["rules", "resources/workspace", "resources/registered_model?workspace=acme"]:
        page.goto(spaces.url + "/oidc/ui/" + place)
        accessible(page)
    page.goto(spaces.url + "/oidc/ui/rules")
    page.get_by_role("button", name="New rule").click()
    expect(page.get_by_role("dialog").get_by_role("table", name="Changes")).to_be_visible()
    accessible(page)
    if width < 500:
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Menu").click()
        expect(page.get_by_role("combobox", name="Workspace", exact=True)).to_be_visible()
        accessible(page)


def test_the_menu_of_mlflows_pages_leads_into_the_workspace_that_is_open(spaces, chromium):
    with opened(chromium) as page:
        sign_in(page, "Ada Admin", f"{spaces.url}/#/experiments?workspace=acme")
        page.locator("mlflow-oidc-auth-menu button").first.click()
        page.locator("mlflow-oidc-auth-menu").get_by_text("Permissions of this workspace").click()
        expect(page).to_have_url(spaces.url + "/oidc/ui/resources/workspace/acme?workspace=acme")
        expect(page.get_by_role("heading", level=2, name="acme")).to_be_visible()
