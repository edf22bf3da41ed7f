"""Mistakes planted in files that people write, and where each must be told."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Mistake(NamedTuple):
    """In which file what is written instead of what; `at` is where in it the problem stands, `told` how it begins."""

    file: str
    right: str
    wrong: str
    at: str
    told: str


def plant(folder: Path, *mistakes: Mistake) -> list[str]:
    """Write mistakes into the files; gives what must be told of each, with file, line and column."""
    for each in mistakes:
        text = (folder / each.file).read_text("utf-8")
        assert text.count(each.right) == 1, each
        (folder / each.file).write_text(text.replace(each.right, each.wrong))
    told = []
    for each in mistakes:
        text = (folder / each.file).read_text("utf-8")
        before = text[: text.index(each.wrong) + each.wrong.index(each.at)].split("\n")
        told.append(f"{each.file}:{len(before)}:{len(before[-1]) + 1}: {each.told}")
    return told
