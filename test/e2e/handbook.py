"""The blocks of commands in README.md and docs/, and a shell in which they are run as a reader would: one after the other, each with what
the ones before have left.

A comment before a block says what becomes of it:
    <!-- run: NAME -->                it is run by the walk NAME, in the order of the page
    <!-- run: NAME, stays -->         likewise, in a terminal of its own; it does not end, and stays until the walk is over
    <!-- not run here: WHY -->        it cannot be run by a test
What is in .env files is loaded by a test of internal/app, and needs none."""

import dataclasses
import os
import re
import signal
import subprocess
import uuid

from world import ROOT

COMMANDS = {"sh", "bash", "shell", "console", "nginx", "python"}
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>[a-z]*)\n(?P<text>.*?)^(?P=indent)```$", re.M | re.S)
RUN = re.compile(r"<!-- run: (?P<walk>[a-z]+)(?P<stays>, stays)? -->\Z")
NOT_RUN = re.compile(r"<!-- not run here: (?P<why>\S.{9,}) -->\Z")


@dataclasses.dataclass
class Block:
    page: str
    line: int
    language: str
    text: str
    walk: str = ""
    stays: bool = False
    why_not: str = ""


def pages():
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page):
    """Gives the blocks of a page, each with what the comment before it says."""
    text = page.read_text()
    for found in FENCE.finditer(text):
        block = Block(str(page.relative_to(ROOT)), text[:found.start()].count("\n") + 1, found["language"],
                      re.sub(f"^{found['indent']}", "", found["text"], flags=re.M))
        before = text[:found.start()].rstrip()
        if run := RUN.search(before):
            block.walk, block.stays = run["walk"], bool(run["stays"])
        if not_run := NOT_RUN.search(before):
            block.why_not = not_run["why"]
        yield block


def of_walk(name, *names_of_pages):
    """Gives the blocks of a walk on some pages, or on all."""
    chosen = [ROOT / one for one in names_of_pages] or pages()
    return [block for page in chosen for block in blocks(page) if block.walk == name]


# In a shell in which this is told, what the gateway refuses is no success, though curl says nothing of it by itself.
STRICT = 'curl() { command curl -sS --fail-with-body "$@"; echo; }'


class Shell:
    """A bash that a reader has open. What its commands print is kept, and each is expected to succeed."""

    def __init__(self, directory, python, replaced=None, **env):
        self.dir, self.replaced, self.printed, self.staying = directory, replaced or {}, [], []
        self.python = python
        directory.mkdir(parents=True, exist_ok=True)
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_TRACKING", "OIDC_"))} | env
        self.process = self.terminal("bash", cwd=directory, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.tell("set -e -o pipefail")

    def terminal(self, *command, **how):
        """Opens a terminal, which knows nothing of what was said in others."""
        return subprocess.Popen(command, stderr=subprocess.STDOUT, env=self.env, start_new_session=True, **how)

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def run(self, block):
        """Runs a block to its end, or, if it stays, begins it. Gives what it printed, or the file to which it prints."""
        text = block.text
        for written, here in self.replaced.items():
            text = text.replace(written, here)
        script = self.dir / f"{uuid.uuid4().hex}.{block.language}"
        script.write_text(text)
        if block.stays:
            output = script.with_suffix(".log")
            folder = self.ask("pwd", block).strip()
            with output.open("wb") as into:
                self.staying.append(self.terminal("bash", "-e", script, cwd=folder, stdin=subprocess.DEVNULL, stdout=into))
            return output
        return self.ask(f"{self.python} {script}" if block.language == "python" else f"source {script}", block)

    def stays(self, output):
        """Tells that the last that was begun goes on."""
        assert self.staying[-1].poll() is None, output.read_text()
        return True

    def ask(self, line, block):
        done = f"done {uuid.uuid4().hex}"
        self.tell(f"{line}\necho; echo {done}")
        said = []
        for printed in self.process.stdout:
            if printed.strip() == done:
                self.printed.append("".join(said))
                return self.printed[-1]
            said.append(printed)
        raise AssertionError(f"{block.page}:{block.line} does not succeed:\n{block.text}\n{''.join(said)}")

    def end(self):
        for process in self.staying:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        for process in self.staying:
            process.wait(60)
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()
