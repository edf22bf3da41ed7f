"""The walks of pages, as somebody takes them who never saw the project: files are written, commands run.

Its blocks have `walk` behind their language. A block with a file's name in its first line is that file, whole; a `diff`
changes one, where its unchanged lines stand; of a shell block each line is a command. The demo's usual addresses stand
on the page; where another demo is running, its own take their place.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from deploy.demo.configuration import USUAL
from gateway import cli
from gateway.ledger.proof import key_files
from tests import configured
from tests.docs.reading import ROOT, Fence, fences
from tests.stores import store_at

PAGE = ROOT / "policies" / "README.md"
CONNECTING = ROOT / "connectors" / "CONNECTING.md"
PAGES = (PAGE, CONNECTING)
LANGUAGES = frozenset({"sh walk", "yaml walk", "cedar walk", "diff walk"})
RUN = Path("var") / "demo" / "run"
"""Where the demo keeps what its gateway goes by."""


TOOLS = ("cat", "cp", "mkdir", "sed")
"""What is run as it is, by a shell."""


class Ran(NamedTuple):
    """A command of the walk, the status that it ended with, and what it printed."""

    words: tuple[str, ...]
    status: int
    printed: str = ""


def steps(page: Path = PAGE) -> list[Fence]:
    """The blocks of a page's walk, in its order."""
    return [fence for fence in fences(page) if fence.language in LANGUAGES]


def start(folder: Path) -> None:
    """What of a demo is needed for the part of the walk that asks no gateway."""
    run = folder / RUN
    run.mkdir(parents=True)
    shutil.copytree(ROOT / "policies", run / "policies", ignore=shutil.ignore_patterns("*.md"))
    configured.write(run)
    key_files.generate(run / "ledger.key")
    store_at(run / "ledger.db").close()


def here(text: str, ports: Mapping[str, int]) -> str:
    """A page's text, with the addresses of the demo that is running."""
    by_usual = {str(usual): str(ports[server]) for server, usual in USUAL.items()}
    return re.sub(r"127\.0\.0\.1:(\d+)\b", lambda at: f"127.0.0.1:{by_usual.get(at[1], at[1])}", text)


class Walker:
    """Somebody in a working folder. `ports` are those of the running demo, by server.

    `served` is what stands in the background since the page put it there (`&`); whoever walks ends it.
    """

    def __init__(self, folder: Path, ports: Mapping[str, int] = USUAL) -> None:
        self._folder, self._ports = folder, ports
        self._placed: dict[str, str] = {}
        self.served: list[subprocess.Popen[bytes]] = []

    def take(self, fence: Fence) -> Iterator[Ran]:
        """Do what a block says; gives the commands as they end."""
        fence = fence._replace(text=here(fence.text, self._ports))
        if fence.language == "sh walk":
            for line in _lines(fence.text.replace("\\\n", " ")):
                if ran := self._run(line):
                    yield ran
        elif fence.language == "diff walk":
            _change(fence, self._folder)
        else:
            file = self._folder / fence.text.splitlines()[0].split()[-1]
            assert file.parent.is_dir(), f"{fence}: there is no folder for `{file.name}`"
            assert not file.exists(), f"{fence}: `{file.name}` is there already"
            file.write_text(fence.text, "utf-8")

    def _run(self, line: str) -> Ran | None:
        """One command, and where its output goes."""
        typed = shlex.split(line, comments=True)
        if not typed:
            return None
        if typed[0] in TOOLS:
            ended = subprocess.run(["bash", "-c", line], cwd=self._folder, capture_output=True, text=True, check=False)
            return Ran(tuple(typed), ended.returncode, ended.stdout + ended.stderr)
        if typed[-1] == "&":
            program = Path(sys.executable).with_name(typed[0])
            with (self._folder / "served.log").open("w") as log:
                command = [str(program), *typed[1:-1]]
                self.served.append(subprocess.Popen(command, cwd=self._folder, stdout=log, stderr=log))
            return Ran(tuple(typed), 0)
        words, into = self._expanded(line), ""
        if ">" in typed:
            words, into = words[: typed.index(">")], typed[-1]
        words = [self._placed.get(word, word) for word in words]
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            status = self._done(words)
        if into:
            (self._folder / into).touch(0o600)
            (self._folder / into).write_text(printed.getvalue())
        self._read(words, printed.getvalue())
        return Ran(tuple(words), status, printed.getvalue())

    def _expanded(self, line: str) -> list[str]:
        """The words of a line as a shell reads them, with the output of commands in it."""
        command = line.replace(" > ", " '>' ")
        made = subprocess.run(
            ["bash", "-c", f"printf '%s\\0' {command}"], cwd=self._folder, capture_output=True, check=True
        )  # fmt: skip
        return made.stdout.decode().split("\0")[:-1]

    def _done(self, words: list[str]) -> int:
        if words[0] == "umask":
            os.umask(int(words[1], 8))
            return 0
        if words[:2] == ["curl", "-s"]:
            return _asked(words[2:])
        assert words[0] == "dutybound", f"nobody knows how to run `{words[0]}`"
        return cli.main(words[1:])

    def _read(self, words: list[str], printed: str) -> None:
        """What the page has put into the place of words: a proposal's id, and the epoch of the set before."""
        if words[1:3] == ["rules", "propose"]:
            self._placed["ID"] = json.loads(printed)["id"]
        if words[1:3] == ["rules", "status"]:
            self._placed["EPOCH"] = str(json.loads(printed)["activations"][1]["epoch"])


def _lines(text: str) -> Iterator[str]:
    """The commands of a block; one goes on while a quotation is open."""
    command = ""
    for line in text.splitlines():
        command += line
        try:
            shlex.split(command, comments=True)
        except ValueError:
            command += "\n"
            continue
        yield command
        command = ""
    assert not command


def _asked(words: list[str]) -> int:
    """What `curl` is asked for, printed as it does."""
    url, options = words[0], dict[str, list[str]]()
    for name, value in zip(words[1::2], words[2::2], strict=True):
        options.setdefault(name, []).append(value)
    headers: Any = [each.split(": ", 1) for each in options.pop("-H")]
    [body] = options.pop("-d")
    assert not options, options
    print(httpx.post(url, headers=headers, content=body, timeout=60).text)
    return 0


def _change(fence: Fence, folder: Path) -> None:
    head, *lines = fence.text.splitlines()
    file = folder / head.removeprefix("--- ")
    text = file.read_text("utf-8").splitlines()
    hunks: list[list[str]] = [[]]
    for line in lines:
        if line.startswith("@@"):
            hunks.append([])
        else:
            hunks[-1].append(line)
    for hunk in filter(None, hunks):
        before = [line[1:] for line in hunk if not line.startswith("+")]
        found = [at for at in range(len(text)) if text[at : at + len(before)] == before]
        assert len(found) == 1, f"{fence}: {before[0]!r} and what follows stand {len(found)} times in `{file.name}`"
        text[found[0] : found[0] + len(before)] = [line[1:] for line in hunk if not line.startswith("-")]
    file.write_text("\n".join(text) + "\n", "utf-8")
