"""Measures the lists of the pages in a real browser with 100,000 users, 10,000 groups and 50,000 experiments.

Run it after `go build -o bin/ ./cmd/...`: .venv/bin/python test/e2e/lists.py
"""

import os
import pathlib
import sqlite3
import statistics
import tempfile
import time

os.environ.update({"MLFLOW_DISABLE_TELEMETRY": "true", "NO_PROXY": "127.0.0.1,localhost", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"})

import shutil  # noqa: E402

from playwright.sync_api import sync_playwright  # noqa: E402

from browser import ARGUMENTS, opened, sign_in  # noqa: E402
from world import World, free_port  # noqa: E402

PEOPLE, SERVICES, GROUPS, EXPERIMENTS, HELD = 100_000, 1000, 10_000, 50_000, 10_000

# The page, what is typed into its search, and how many there are then.
PAGES = [
    ("users", "person-4711", 11), ("services", "robot-77", 11), ("groups", "team-4711", 1), ("groups/Everybody?tab=members", "4711", 20),
    ("resources/experiment", "run 4711", 11), ("users/person-7", "run 471", 11),
]

LATENCY = """() => { window.late = []; document.addEventListener('keydown', () => {
  const began = performance.now(); requestAnimationFrame(() => requestAnimationFrame(() => window.late.push(performance.now() - began))) }, true) }"""


def fill(directory):
    with sqlite3.connect(directory / "mlflow.db", timeout=60) as db:
        (first,) = db.execute("SELECT MAX(experiment_id) + 1 FROM experiments").fetchone()
        now = int(time.time() * 1000)  # newer than the samples: of a list that is known, only what has changed since is read
        ids = range(first, first + EXPERIMENTS)
        db.executemany("INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage, creation_time, last_update_time) VALUES (?, ?, ?, 'active', ?, ?)",
                       ((i, f"project-{i % 100}/run {i - first}", f"mlflow-artifacts:/{i}", now + i * 1000, now + i * 1000) for i in ids))
    (users,) = [path for path in directory.rglob("*.db") if path.name != "mlflow.db"]
    with sqlite3.connect(users, timeout=60) as db:
        made = "'2026-01-01 00:00:00'"
        account = f"INSERT INTO gw_users (username, display_name, is_admin, active, is_service, managed_by, created_at, updated_at) VALUES (?, ?, FALSE, TRUE, ?, 'manual', {made}, {made})"
        db.executemany(account, ((f"person-{i}", f"Person {i}", False) for i in range(PEOPLE)))
        db.executemany(account, ((f"robot-{i}", f"Robot {i}", True) for i in range(SERVICES)))
        db.executemany("INSERT INTO gw_groups (name, folded) VALUES (?, ?)", [(f"Team-{i}", f"team-{i}") for i in range(GROUPS)] + [("Everybody", "everybody")])
        db.execute("INSERT INTO gw_memberships (user_id, group_id, managed_by) SELECT u.id, g.id, 'manual' FROM gw_users AS u JOIN gw_groups AS g"
                   f" ON g.name = 'Everybody' OR g.name = 'Team-' || (u.id % {GROUPS}) WHERE u.username LIKE 'person-%'")
        (holder,) = db.execute("SELECT id FROM gw_users WHERE username = 'person-7'").fetchone()
        db.executemany("INSERT INTO gw_grants (user_id, kind, workspace, resource, level) VALUES (?, 'experiment', '', ?, 'READ')", ((holder, str(i)) for i in ids[:HELD]))


def measure(world, page, place, search, found):
    rows = page.locator("table tbody tr td:not(:has(.mantine-Skeleton-root))")
    firsts = []
    for _ in range(3):
        page.goto("about:blank")
        began = time.monotonic()
        page.goto(f"{world.url}/oidc/ui/{place}", wait_until="commit")
        rows.first.wait_for()
        firsts.append(time.monotonic() - began)
    page.evaluate(LATENCY)
    box = page.get_by_role("searchbox")
    box.click()
    page.keyboard.type(search, delay=120)
    began = time.monotonic()
    page.get_by_text(f"{found:,} in all", exact=True).wait_for()
    result = time.monotonic() - began
    late = sorted(page.evaluate("window.late"))
    print(f"{place:30} first row {firsts[0] * 1000:5.0f} ms, again {min(firsts[1:]) * 1000:5.0f} ms; a key is drawn after {statistics.median(late):3.0f} ms, at most {late[-1]:3.0f} ms; "
          f"found {result * 1000:4.0f} ms after the last key", flush=True)


def main():
    with tempfile.TemporaryDirectory() as directory, sync_playwright() as playwright:
        world = World(pathlib.Path(directory))
        world.start(f"127.0.0.1:{free_port()}")
        try:
            fill(world.dir)
            path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
            browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
            with opened(browser) as page:
                page.set_default_timeout(20_000)
                sign_in(page, "Ada Admin", world.url + "/oidc/ui/")
                page.get_by_role("button", name="Sign out", exact=True).wait_for()
                began = time.monotonic()
                page.goto(world.url + "/oidc/ui/resources/experiment")
                page.get_by_text("in all").wait_for()
                print(f"the first list of experiments after a start: {time.monotonic() - began:.1f} s", flush=True)
                for place, search, found in PAGES:
                    measure(world, page, place, search, found)
            browser.close()
        finally:
            world.stop()


if __name__ == "__main__":
    main()
