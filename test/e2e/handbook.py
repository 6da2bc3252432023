"""The blocks of commands in README.md and docs/, and a shell in which they are run as a reader would: one after the other, each with what
the ones before have left.

A comment before a block says what becomes of it:
    <!-- run: NAME -->                it is run by the walk NAME, in the order of the page
    <!-- run: NAME, stays -->         likewise; it does not end, and stays until the walk is over
    <!-- not run here: WHY -->        it cannot be run by a test
What is in .env files is loaded by a test of internal/app, and needs none."""

import dataclasses
import os
import pathlib
import re
import signal
import subprocess
import uuid

from world import ROOT, eventually

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


class Shell:
    """A bash that a reader has open. What its commands print is kept, and each is expected to succeed."""

    def __init__(self, directory, python, replaced=None, **env):
        self.dir, self.replaced, self.printed, self.staying = directory, replaced or {}, [], []
        self.python = python
        directory.mkdir(parents=True, exist_ok=True)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_TRACKING", "OIDC_"))}
        self.process = subprocess.Popen(["bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=directory,
                                        env=kept | env, start_new_session=True)
        self.tell("set -e -o pipefail")

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
            output.touch()
            said = self.ask(f"setsid bash -c 'source {script}' >{output} 2>&1 & echo $!", block)
            self.staying.append(int(said.split()[-1]))
            return output
        return self.ask(f"{self.python} {script}" if block.language == "python" else f"source {script}", block)

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
        for pid in self.staying:
            try:
                os.killpg(pid, signal.SIGTERM)
            except ProcessLookupError:
                continue
        for pid in self.staying:
            eventually(lambda: ended(pid), f"{pid} ends", 60)
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()


def ended(pid):
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"
