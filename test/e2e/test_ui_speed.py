"""How fast pages are there, as a browser measures it: the largest paint, how long scripts block, and how much the page jumps."""

import json
import os
import pathlib

import pytest

from browser import opened
from pages import signed_in

# A browser on a fast computer, and one four times slower behind a mobile network, as Lighthouse has it.
MACHINES = {
    "desktop": {"cpu": 1, "network": None},
    "phone": {"cpu": 4, "network": {"offline": False, "latency": 150, "downloadThroughput": 1_638_400 / 8, "uploadThroughput": 750_000 / 8}},
}
WATCH = """
window.seen = {paint: 0, first: 0, long: [], jump: 0}
new PerformanceObserver(l => { for (const e of l.getEntries()) seen.paint = e.startTime }).observe({type: 'largest-contentful-paint', buffered: true})
new PerformanceObserver(l => { for (const e of l.getEntries()) if (e.name === 'first-contentful-paint') seen.first = e.startTime }).observe({type: 'paint', buffered: true})
new PerformanceObserver(l => { for (const e of l.getEntries()) seen.long.push([e.startTime, e.duration]) }).observe({type: 'longtask', buffered: true})
new PerformanceObserver(l => { for (const e of l.getEntries()) if (!e.hadRecentInput) seen.jump += e.value }).observe({type: 'layout-shift', buffered: true})
"""


def measured(world, chromium, state, place, machine):
    """Opens a page with nothing in the browser's cache, and gives what was seen until it was still."""
    with opened(chromium, state) as page:
        session = page.context.new_cdp_session(page)
        session.send("Emulation.setCPUThrottlingRate", {"rate": machine["cpu"]})
        if machine["network"]:
            session.send("Network.enable")
            session.send("Network.emulateNetworkConditions", machine["network"])
        page.add_init_script(WATCH)
        page.goto(world.url + "/oidc/ui/" + place, wait_until="networkidle")
        page.get_by_role("heading", level=2).first.wait_for()
        page.wait_for_timeout(500)
        seen = page.evaluate("seen")
        seen["bytes"] = page.evaluate("performance.getEntriesByType('resource').filter(e => /assets.*js$/.test(e.name)).reduce((sum, e) => sum + e.transferSize, 0)")
        return {"largest paint, ms": round(seen["paint"]), "blocked, ms": round(sum(max(0, d - 50) for start, d in seen["long"] if start >= seen["first"])),
                "layout shift": round(seen["jump"], 3), "scripts, KB": round(seen["bytes"] / 1000)}


@pytest.mark.alone
@pytest.mark.parametrize("name", MACHINES)
def test_pages_are_there_at_once(world, chromium, name):
    with signed_in(world, chromium, "Ada Admin") as page:
        state = page.context.storage_state()
    found = {place or "(first page)": measured(world, chromium, state, place, MACHINES[name]) for place in ["", "users", "resources/experiment/1"]}
    print(name, json.dumps(found))
    if file := os.environ.get("FIGURES"):
        with pathlib.Path(file).open("a") as out:
            out.writelines(f"| {name} | `{place}` | {' | '.join(str(v) for v in one.values())} |\n" for place, one in found.items())
    for place, one in found.items():
        assert 0 < one["largest paint, ms"] < (4000 if name == "desktop" else 15_000), (place, one)
        assert one["layout shift"] < 0.1, (place, one)  # what Core Web Vitals call good
    assert found["(first page)"]["scripts, KB"] < 250, found
