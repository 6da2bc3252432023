"""The Python plugin 11.0.2 and the gateway get the same calls, and answer the same: status and fields. What differs is a line of
docs/compatibility.md with its reason, and each line there is a difference that is found."""

import concurrent.futures
import datetime
import json
import os
import re

import pytest
import requests

import contract
from plugin import PYTHON, Plugin
from world import ROOT, World, free_port

PAGE = ROOT / "docs/compatibility.md"
MARK = "<!-- Below this line are the differences that test/e2e/test_plugin.py finds; PLUGIN_UPDATE=1 writes new ones here -->"

pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason="there is no Python 3.12 or newer for the plugin (scripts/plugin.sh)")


class Side:
    """One of the two, with what it has said so far."""

    def __init__(self, url, sender):
        self.url, self.send = url, sender
        self.said = {"tomorrow": (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")}

    def fill(self, value):
        if isinstance(value, str):
            return re.sub(r"\{([a-z -/]+)\}", lambda m: str(self.said.get(m[1], m[0])), value)
        if isinstance(value, dict):
            return {key: self.fill(one) for key, one in value.items()}
        return [self.fill(one) for one in value] if isinstance(value, list) else value

    def call(self, c):
        how = {} if c.body is None else {"json": self.fill(c.body)}
        answer = self.send(c.who, c.method, self.url + self.fill(c.path), allow_redirects=False, timeout=60, **how)
        try:
            body = answer.json()
        except requests.JSONDecodeError:
            body = "text"
        for name, path in (c.keep or {}).items():
            found = body
            for member in path.split("."):
                found = found[-1] if member == "[]" else found.get(member, "")
            self.said[name] = found
        return answer, body


@pytest.fixture(scope="module")
def sides(tmp_path_factory):
    gateway = World(tmp_path_factory.mktemp("gateway"))
    plugin = Plugin(tmp_path_factory.mktemp("plugin"), {})
    try:
        with concurrent.futures.ThreadPoolExecutor() as both:  # most of the time either imports MLflow
            for started in [both.submit(plugin.start, [contract.ADMIN, contract.OWNER, contract.OTHER]), both.submit(gateway.start, f"127.0.0.1:{free_port()}")]:
                started.result()
        sessions = {who: gateway.signed_in(who) for who in (contract.ADMIN, contract.OWNER, contract.OTHER)}
        plugin.wait()

        def by_session(who, method, url, **how):
            return (sessions[who] if who else requests).request(method, url, **how)

        def by_cookie(who, method, url, **how):
            return requests.request(method, url, cookies={"session": plugin.cookies[who]} if who else None, **how)
        yield Side(plugin.url, by_cookie), Side(gateway.url, by_session)
    finally:
        plugin.end()
        if gateway.process and gateway.process.poll() is None:
            gateway.stop()


IDS = re.compile(r"(^|_)(id|ids|pk|prefix|token|timestamp|time|at)$")
TEXTS = {"message", "detail", "display_name", "login_url", "artifact_location", "provider", "groups"}


def shape(value, key=""):
    """What of an answer is compared: not what differs by chance, nor texts for people."""
    if isinstance(value, dict):
        return {name: shape(one, name) for name, one in sorted(value.items())}
    if isinstance(value, list) and key not in TEXTS:
        rows = [shape(one, key) for one in value]
        own = [row for row in rows if not isinstance(row, (dict, str)) or "ct" in json.dumps(row)]
        return sorted(own, key=json.dumps)
    if value is not None and (IDS.search(key) or key in TEXTS):
        return type(value).__name__
    return value


def outcome(answer, body):
    if answer.status_code >= 400:  # the form of errors is one here, and several in the plugin
        return str(answer.status_code)
    if answer.status_code >= 300:
        return str(answer.status_code)
    if body == "text":
        return f"{answer.status_code} {answer.headers.get('Content-Type', '').split(';')[0]}".strip()
    total = f" of {answer.headers['X-Total-Count']}" if answer.headers.get("X-Total-Count") else ""
    return f"{answer.status_code} {json.dumps(shape(body))}{total}"


def differences(sides):
    """Both sides get every call. Gives the names of those that are answered differently, with both answers and the kinds."""
    found, names = {}, set()

    def compare(call, kind=""):
        names.add((call.name, kind))
        plugin, here = (outcome(*side.call(call)) for side in sides)
        if plugin != here:
            found.setdefault((call.name, plugin, here), []).append(kind)
    for call in contract.preparation():
        for side in sides:
            answer, body = side.call(call)
            assert answer.status_code < 300, (side.url, call, answer.text)
    for kind, call in contract.permissions():
        compare(call, kind)
    for part in (contract.users, contract.groups, contract.rest):
        for call in part():
            compare(call)
    return found, names


def cell(text):
    return text.replace("|", "\\|").replace("`", "'")


def line(name, kinds):
    return f"{name} ({', '.join(dict.fromkeys(kinds))})" if any(kinds) else name


def test_answers_differ_from_the_plugins_only_where_it_is_written_down(sides):
    found, _ = differences(sides)
    prose, _, table = PAGE.read_text().partition(MARK)
    listed = {}
    for row in re.findall(r"(?m)^\| `(.*)` \| `(.*)` \| `(.*)` \| (.*) \|$", table):
        listed[row[:3]] = row[3]
    now = {(cell(line(name, kinds)), cell(plugin), cell(here)) for (name, plugin, here), kinds in found.items()}
    if os.environ.get("PLUGIN_UPDATE"):
        rows = "".join(f"| `{a}` | `{b}` | `{c}` | {listed.get((a, b, c), '?')} |\n" for a, b, c in sorted(now))
        PAGE.write_text(f"{prose}{MARK}\n\n| operation | the plugin | here | why |\n|---|---|---|---|\n{rows}")
        return
    assert {row: why for row, why in listed.items() if not why.strip() or why.strip() == "?"} == {}, "a difference without a reason"
    assert now - set(listed) == set(), "differences that are not in docs/compatibility.md"
    assert set(listed) - now == set(), "docs/compatibility.md lists what is no difference any more"
