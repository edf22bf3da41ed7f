"""What is planted, and whether a file has some of it.

Planted are the identifiers, names, cases and officials of the demo's region, and the identifiers of `tests.world`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

from deploy.demo.clients import REGISTERED, cases
from deploy.demo.organisations import Organisation
from deploy.demo.region import NAMED
from deploy.demo.values import Who

OF_THE_WORLD = "DUTY00"
"""How identifiers begin that `tests.world.new_subject` makes."""


@functools.cache
def planted() -> tuple[str, ...]:
    """All of it: none is a word that anything else is called by."""
    named = [text for each in NAMED.values() for text in _names(each.who)]
    officials = {official for each in REGISTERED.values() for official in each.officials}
    return (OF_THE_WORLD, *named, *sorted(officials), *cases())


def _names(who: Who) -> tuple[str, ...]:
    return (who.lei, who.name) if isinstance(who, Organisation) else (who.pin, who.name)


def found(folder: Path) -> Iterator[str]:
    """Each planted text that a file has, once for each file, with the line."""
    for file in sorted(folder.iterdir()):
        text = file.read_bytes().decode("utf-8", "replace")
        for each in planted():
            at = text.find(each)
            if at >= 0:
                line = text[text.rfind("\n", 0, at) + 1 :].partition("\n")[0]
                yield f"{file.name}: `{each}` in {line[:300]!r}"
