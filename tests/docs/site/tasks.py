"""Somebody who has a page of the site, a terminal and the running demo: commands run in one shell, files are written.

A page's blocks have `task` behind their language. A `sh task` is typed into the shell. Any other is a file, whose name
stands in its first line. A `json answer` shows what the last block printed: the members and their types are compared,
since days and amounts differ. The demo's usual addresses stand on a page; those of the demo that runs take their place.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from deploy.demo.configuration import USUAL
from tests.docs.reading import ROOT, Fence, fences
from tests.docs.walk import here
from tests.waiting import until

SITE = ROOT / "deploy" / "docs" / "pages"
LANGUAGES = frozenset(f"{language} task" for language in ("sh", "python", "js", "java"))
BY_TERMINAL = ("ask.md", "clients.md", "routers.md", "verify-receipt.md")
BY_BROWSER = ("decide-objection.md", "who-looked.md", "open-inquiry.md")
ALONE = ("change-policy.md", "restore-backup.md", "change-one-thing.md", "promises.md")
"""Each has a test of its own: it changes what others stand on, or needs no demo."""
DONE = (*BY_TERMINAL, *BY_BROWSER, *ALONE)
_DONE = "-- the block is done --"


class Terminal:
    """One shell in a folder."""

    def __init__(self, folder: Path, ports: Mapping[str, int]) -> None:
        self._folder, self._ports = folder, ports
        (folder / ".venv").symlink_to(sys.prefix, target_is_directory=True)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("DUTYBOUND_")}
        self._shell = subprocess.Popen(
            ["bash", "--noprofile", "--norc"], cwd=folder, env=environment, text=True, start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def close(self) -> None:
        """End the shell, and everything that it started."""
        for each in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._shell.pid, each)
                self._shell.wait(30)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue

    def take(self, fence: Fence) -> str:
        """Do what a block says; gives what was printed. A command that fails ends it with an `AssertionError`."""
        text = here(fence.text, self._ports)
        if fence.language != "sh task":
            name = text.split("\n", 1)[0].split()[-1]
            (self._folder / name).write_text(text, "utf-8")
            return ""
        block = self._folder / ".block"
        block.write_text(f"set -e -o pipefail\n{text}", "utf-8")
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.write(f"source {shlex.quote(str(block))}; set +e; echo; echo '{_DONE}'\n")
        self._shell.stdin.flush()
        printed = ""
        for line in self._shell.stdout:
            if line.rstrip("\n") == _DONE:
                return printed.removesuffix("\n")
            printed += line
        raise AssertionError(f"{fence}: a command failed:\n{text}\n{printed}")


@contextmanager
def terminal(folder: Path, ports: Mapping[str, int] = USUAL) -> Iterator[Terminal]:
    """A terminal, ended at the end."""
    opened = Terminal(folder, ports)
    try:
        yield opened
    finally:
        opened.close()


def do(page: Path, opened: Terminal, instead: Mapping[str, str] = MappingProxyType({})) -> list[str]:
    """Do all of a page, in its order; gives what each block of commands printed. `instead` has text to exchange."""
    printed, last = list[str](), None
    for fence in fences(page):
        for written, wanted in instead.items():
            fence = fence._replace(text=fence.text.replace(written, wanted))
        if fence.language == "sh task" and fence.text.startswith("java ") and not shutil.which("javac"):
            continue  # the page says so
        if fence.language in LANGUAGES:
            said = opened.take(fence)
            if fence.language == "sh task":
                printed.append(said)
                last = fence
        elif fence.language == "json answer":
            assert last is not None
            answer = printed[-1]
            if _busy(answer):
                answer = until("an answer", lambda block=last: _whole(opened.take(block)))
            compare(json.loads(fence.text), json.loads(answer.splitlines()[-1]), str(fence))
    return printed


def _busy(answer: str) -> bool:
    """Whether a department could not be had, as on a busy machine."""
    return '"retryable":true' in answer.replace(" ", "")


def _whole(answer: str) -> str | None:
    return None if _busy(answer) else answer


def compare(shown: Any, came: Any, place: str) -> None:
    """Raise `AssertionError` unless what came has the members and types that are shown."""
    if isinstance(shown, dict):
        assert isinstance(came, dict), (place, came)
        assert shown.keys() <= came.keys(), (place, sorted(shown), sorted(came))
        for name, value in shown.items():
            compare(value, came[name], f"{place}: {name}")
    elif isinstance(shown, list):
        assert isinstance(came, list), (place, came)
        assert bool(shown) == bool(came), (place, came)
        for value in shown:
            compare(value, came[0], place)
    else:
        assert type(shown) is type(came), (place, came)
