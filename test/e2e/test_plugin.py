"""The Python plugin 11.0.2 and the gateway get the same calls, and answer the same: status, fields, the form of errors, where a redirect leads.
What differs is a line of docs/compatibility.md with its reason, and each line there is a difference that is found. Every operation of the
plugin is called."""

import collections
import concurrent.futures
import datetime
import json
import os
import re
import subprocess
import urllib.parse

import pytest
import requests

import contract
from plugin import PYTHON, Plugin, provider
from world import ROOT, World, free_port

PAGE = ROOT / "docs/compatibility.md"
MARK = "<!-- Below this line are the differences that test/e2e/test_plugin.py finds; PLUGIN_UPDATE=1 writes new ones here -->"
ROWS = ROOT / "internal/app/testdata/plugin-11.0.2.txt"

pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason="there is no Python 3.12 or newer for the plugin (scripts/plugin.sh)")

PEOPLE = [contract.ADMIN, contract.OWNER, contract.OTHER]


class Side:
    """One of the two, with what it has said so far."""

    def __init__(self, url, sender, provider):
        self.url, self.send, self.called = url, sender, []
        tomorrow = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)
        self.said = {"tomorrow": tomorrow.strftime("%Y-%m-%dT%H:%M:%SZ"), "provider": provider}

    def fill(self, value):
        if isinstance(value, str):
            whole = re.fullmatch(r"\{([a-z -/]+)\}", value)
            return self.said[whole[1]] if whole else re.sub(r"\{([a-z -/]+)\}", lambda m: str(self.said.get(m[1], m[0])), value)
        if isinstance(value, dict):
            return {key: self.fill(one) for key, one in value.items()}
        return [self.fill(one) for one in value] if isinstance(value, list) else value

    def call(self, c):
        how = {} if c.body is None else {"json": self.fill(c.body)}
        path = self.fill(c.path)
        self.called.append(f"{c.method} {path.partition('?')[0]}")
        answer = self.send(c.who, c.method, self.url + path, allow_redirects=False, timeout=60, headers={"X-MLFLOW-WORKSPACE": c.space} if c.space else {}, **how)
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


def sides(plugin, gateway):
    sessions = {who: gateway.signed_in(who) for who in PEOPLE}
    plugin.wait()

    def by_session(who, method, url, **how):
        return (sessions[who] if who else requests).request(method, url, **how)

    def by_cookie(who, method, url, **how):
        return requests.request(method, url, cookies={"session": plugin.cookies[who]} if who else None, **how)
    return Side(plugin.url, by_cookie, "default"), Side(gateway.url, by_session, "oidc")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """The plugin and the gateway as they are by themselves, and both with workspaces and without a page to sign in from."""
    subprocess.run(["go", "build", "-o", "bin/", "./cmd/..."], cwd=ROOT, check=True)  # so that neither gateway's script does, while the other runs
    spaces = {"MLFLOW_ENABLE_WORKSPACES": "true"}
    with provider() as issuer, concurrent.futures.ThreadPoolExecutor() as starting:  # most of the time each imports MLflow
        plugins = [Plugin(tmp_path_factory.mktemp("plugin"), issuer, **settings) for settings in ({}, spaces)]
        gateways = [World(tmp_path_factory.mktemp("gateway")) for _ in plugins]
        try:
            begun = [starting.submit(plugin.start, PEOPLE) for plugin in plugins]
            begun += [starting.submit(gateway.start, f"127.0.0.1:{free_port()}", **settings)
                      for gateway, settings in zip(gateways, ({}, spaces | {"AUTOMATIC_LOGIN_REDIRECT": "true"}))]
            for started in begun:
                started.result()
            yield [sides(*pair) for pair in zip(plugins, gateways)]
        finally:
            running = [gateway for gateway in gateways if gateway.process and gateway.process.poll() is None]
            for ended in [starting.submit(end) for end in [plugin.end for plugin in plugins] + [gateway.stop for gateway in running]]:
                ended.result()


IDS = re.compile(r"(^|_)(id|ids|pk|prefix|token|timestamp|time|at)$")
TEXTS = {"message", "detail", "display_name", "login_url", "artifact_location", "provider", "groups"}


def shape(value, key=""):
    """What of an answer is compared: not what differs by chance, nor texts for people."""
    if isinstance(value, dict):
        return {name: shape(one, name) for name, one in sorted(value.items())}
    if isinstance(value, list) and key not in TEXTS:
        rows = [shape(one, key) for one in value]
        own = [row for row in rows if not isinstance(row, dict if key else (dict, str)) or "ct" in json.dumps(row)]
        return sorted(own, key=json.dumps)
    if value is not None and (IDS.search(key) or key in TEXTS):
        return type(value).__name__
    if isinstance(value, str) and re.fullmatch("[0-9a-f]{32}", value):
        return "id"
    return value


def mime(answer):
    return answer.headers.get("Content-Type", "").split(";")[0]


def location(answer, side):
    """Where a redirect leads, without what is another one each time."""
    to = urllib.parse.urlsplit(answer.headers["Location"])
    names = "&".join(sorted(urllib.parse.parse_qs(to.query)))
    at = to.path if not to.netloc or f"{to.scheme}://{to.netloc}" == side.url else "the provider's " + to.path
    return at + ("?" + names if names else "")


def outcome(side, answer, body):
    if answer.status_code >= 400:
        return str(answer.status_code)
    if answer.status_code >= 300:
        return f"{answer.status_code} to {location(answer, side)}"
    if body == "text":
        return f"{answer.status_code} {mime(answer)}".strip()
    total = f" of {answer.headers['X-Total-Count']}" if answer.headers.get("X-Total-Count") else ""
    return f"{answer.status_code} {json.dumps(shape(body))}{total}" + ("" if mime(answer) == "application/json" else f" as {mime(answer)}")


def form(answer, body):
    """The form of an error: its fields, with the type of each that is no text."""
    if not isinstance(body, dict):
        return mime(answer)
    fields = [name if isinstance(one, str) else f"{name}: {type(one).__name__}" for name, one in sorted(body.items())]
    return ", ".join(fields) + ("" if mime(answer) == "application/json" else f" as {mime(answer)}")


class Differences:
    """What the two sides of a pair answer differently."""

    def __init__(self):
        self.found = collections.defaultdict(list)  # the kinds, by the operation and both answers
        self.forms = collections.defaultdict(set)  # the statuses, by both forms of an error

    def compare(self, pair, kind, call, asking):
        answers = [sent.result() for sent in [asking.submit(side.call, call) for side in pair]]
        if call.name == "make":
            for side, (answer, _) in zip(pair, answers):
                assert answer.status_code < 300, (side.url, call, answer.text)
            return
        plugin, here = (outcome(side, *said) for side, said in zip(pair, answers))
        if plugin != here:
            self.found[call.name, plugin, here].append(kind)
        elif answers[0][0].status_code >= 400:
            plugin, here = (form(*said) for said in answers)
            if plugin != here:
                self.forms[plugin, here].add(answers[0][0].status_code)


@pytest.fixture(scope="module")
def differences(pairs):
    """Both sides of each pair get every call."""
    found = Differences()
    with concurrent.futures.ThreadPoolExecutor() as asking:
        for pair, calls in zip(pairs, (contract.plain(), contract.with_workspaces())):
            for kind, call in calls:
                found.compare(pair, kind, call, asking)
    return found


def cell(text):
    return text.replace("|", "\\|").replace("`", "'")


def line(name, kinds):
    return f"{name} ({', '.join(dict.fromkeys(kinds))})" if any(kinds) else name


def table(*names):
    return "| " + " | ".join(names) + " |\n" + "|---" * len(names) + "|\n"


def test_answers_differ_from_the_plugins_only_where_it_is_written_down(differences):
    prose, _, tables = PAGE.read_text().partition(MARK)
    listed = {row[:3]: row[3] for row in re.findall(r"(?m)^\| `(.*)` \| `(.*)` \| `(.*)` \| (.*) \|$", tables)}
    forms = {(cell(plugin), cell(here), ", ".join(map(str, sorted(statuses)))) for (plugin, here), statuses in differences.forms.items()}
    found = {(cell(line(name, kinds)), cell(plugin), cell(here)) for (name, plugin, here), kinds in differences.found.items()}
    if os.environ.get("PLUGIN_UPDATE"):
        written = [head + "".join(f"| `{a}` | `{b}` | `{c}` | {listed.get((a, b, c), '?')} |\n" for a, b, c in sorted(rows))
                   for head, rows in ((table("an error of the plugin", "here", "statuses", "why"), forms), (table("operation", "the plugin", "here", "why"), found))]
        PAGE.write_text(f"{prose}{MARK}\n\n" + "\n".join(written))
        return
    assert {row: why for row, why in listed.items() if not why.strip() or why.strip() == "?"} == {}, "a difference without a reason"
    assert (forms | found) - set(listed) == set(), "differences that are not in docs/compatibility.md"
    assert set(listed) - (forms | found) == set(), "docs/compatibility.md lists what is no difference any more"


def operation(rows, called):
    """Gives the row that a call is one of: the one with the fewest segments that stand for anything."""
    fits = [row for row in rows if re.fullmatch(re.sub(r"\\{[^}]+\\}", "[^/]+", re.escape(row)), called)]
    return min(fits, key=lambda row: row.count("{"), default=None)


def test_every_operation_of_the_plugin_is_called(pairs, differences):
    rows = ROWS.read_text().splitlines()
    assert len(rows) > 240
    for sides in zip(*pairs):
        called = {operation(rows, one) for side in sides for one in side.called}
        assert set(rows) - called == set()
