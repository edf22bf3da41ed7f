"""What is planted, and whether a file has some of it.

Planted are the identifiers, names, cases and officials of the demo's region, the identifiers of `tests.world`, and
values of records: of the region the numbers of their documents and decisions, of `tests.outside` every text.

What a refusal says may be what was asked with it, and an official's name, who is greeted by it; nothing else of it.
For pages, what was shown before counts as asked (`tests.scanning.plugin`).
"""

from __future__ import annotations

import functools
import html
import json
import re
from collections.abc import Iterator
from pathlib import Path

from deploy.demo.clients import REGISTERED, cases
from deploy.demo.organisations import Organisation
from deploy.demo.region import NAMED
from deploy.demo.values import DATASETS, Who
from tests.scanning.keeping import ANSWERS

OF_THE_WORLD = "DUTY00"
"""How identifiers begin that `tests.world.new_subject` makes."""


@functools.cache
def planted() -> tuple[str, ...]:
    """All of it: none is a word that anything else is called by."""
    named = [text for each in NAMED.values() for text in _names(each.who)]
    officials = {official for each in REGISTERED.values() for official in each.officials}
    return (OF_THE_WORLD, *named, *sorted(officials), *cases(), *values())


@functools.cache
def values() -> tuple[str, ...]:
    """How values of records begin that stand nowhere else."""
    documents = [f"DOC-{shape.prefix}-" for shape in DATASETS.values()]
    return (*documents, "MRA-20", "ENV-20", *(f"held-{dataset}-" for dataset in DATASETS))


def _names(who: Who) -> tuple[str, ...]:
    return (who.lei, who.name) if isinstance(who, Organisation) else (who.pin, who.name)


def found(folder: Path) -> Iterator[str]:
    """Each planted text that a file has, once for each file, with the line."""
    for file in sorted(folder.iterdir()):
        if file.name.startswith(f"{ANSWERS}-"):
            yield from _refusals(file)
            continue
        text = file.read_bytes().decode("utf-8", "replace")
        for each in planted():
            at = text.find(each)
            if at >= 0:
                line = text[text.rfind("\n", 0, at) + 1 :].partition("\n")[0]
                yield f"{file.name}: `{each}` in {line[:300]!r}"


def named(text: str) -> list[str]:
    """What a text has of what is planted, with the rest of its word; not officials, who are greeted by their names."""
    return _wanted().findall(text)


@functools.cache
def _wanted() -> re.Pattern[str]:
    anybody = {official for each in REGISTERED.values() for official in each.officials}
    return re.compile("|".join(rf"{re.escape(each)}[\w/-]*" for each in planted() if each not in anybody))


def _refusals(file: Path) -> Iterator[str]:
    """Each planted text in what was refused that was not in what was asked."""
    for line in file.read_bytes().splitlines():
        of = json.loads(line)
        said = html.unescape(json.dumps(of["said"], ensure_ascii=False))
        for each in dict.fromkeys(named(said)):
            if each not in of["asked"]:
                yield f"{file.name}: `{each}` in {said[max(0, said.find(each) - 150) :][:300]!r}"
