"""The walk of `policies/README.md`, as somebody takes it who never saw the project: files are written, commands run.

Its blocks have `walk` behind their language. A block with a file's name in its first line is that file, whole; a `diff`
changes one, where its unchanged lines stand; of a shell block each line is a command.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from gateway import cli
from gateway.ledger.proof import key_files
from tests import configured
from tests.docs.reading import ROOT, Fence, fences
from tests.stores import store_at

PAGE = ROOT / "policies" / "README.md"
LANGUAGES = frozenset({"sh walk", "yaml walk", "cedar walk", "diff walk"})


class Ran(NamedTuple):
    """A command of the walk, and the status that it ended with."""

    words: tuple[str, ...]
    status: int


def steps() -> list[Fence]:
    """The blocks of the walk, in the page's order."""
    return [fence for fence in fences(PAGE) if fence.language in LANGUAGES]


def start(folder: Path) -> None:
    """What who begins the walk has: the policies, and a gateway's configuration, key and store."""
    shutil.copytree(ROOT / "policies", folder / "policies", ignore=shutil.ignore_patterns("*.md"))
    configured.write(folder)
    key_files.generate(folder / "ledger.key")
    store_at(folder / "ledger.db").close()


def take(fence: Fence, folder: Path) -> Iterator[Ran]:
    """Do what a block says, in the working folder `folder`; gives the commands as they end."""
    if fence.language == "sh walk":
        for line in fence.text.replace("\\\n", " ").splitlines():
            if words := shlex.split(line, comments=True):
                yield Ran(tuple(words), _run(words, folder))
    elif fence.language == "diff walk":
        _change(fence, folder)
    else:
        file = folder / fence.text.splitlines()[0].split()[-1]
        assert file.parent.is_dir(), f"{fence}: there is no folder for `{file.name}`"
        assert not file.exists(), f"{fence}: `{file.name}` is there already"
        file.write_text(fence.text, "utf-8")


def _run(words: list[str], folder: Path) -> int:
    if words[:2] == ["cp", "-r"]:
        shutil.copytree(folder / words[2], folder / words[3])
        return 0
    assert words[0] == "dutybound", f"nobody knows how to run `{words[0]}`"
    return cli.main(words[1:])


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
