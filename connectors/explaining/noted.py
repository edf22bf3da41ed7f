"""What was found of one dataset, each thing once, however many records show it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable

from connectors.base import Mismatch
from connectors.mapping.generated import Leaf

_NAME = re.compile(r"[A-Za-z_$@][\w.:$@-]{0,63}", re.ASCII).fullmatch
_MOST = 12


class Noted:
    """Collects mismatches of one dataset; `key` leads to it in the department's entry."""

    def __init__(self, key: tuple[str, ...], address: str = "") -> None:
        self._key, self._address = key, address
        self._found: dict[tuple[tuple[str, ...], str], Mismatch] = {}

    def add(self, key: tuple[str, ...], what: str, *, row: int = 0, status: int = 0, kind: str = "wrong") -> None:
        """One more; `key` starts at the dataset's entry, and `row` counts from 1."""
        held = self._found.get((key, what))
        if held is None:
            full, one = (*self._key, *key), int(row > 0)
            held = Mismatch(full, what, kind, row, one, self._address, status)  # type: ignore[arg-type]  # of those words
        else:
            held = held._replace(rows=held.rows + 1)
        self._found[key, what] = held

    def all(self) -> list[Mismatch]:
        """In the order in which they were found."""
        return list(self._found.values())

    def __bool__(self) -> bool:
        return bool(self._found)


def key_of(leaf: Leaf) -> tuple[str, ...]:
    """Where a leaf is mapped, from the dataset's entry."""
    mark, name = leaf.attribute[:2], leaf.attribute[2:]
    return ("fields", name) if mark == "f_" else ("record", "subject", name) if mark == "s_" else ("record", name)


def plain(name: object, asked: str = "") -> str:
    """A name, where it can be nothing else: none that could be a value, such as the identifier asked for."""
    if not isinstance(name, str) or not _NAME(name) or re.search(r"\d{3}", name):
        return ""
    return "" if asked and asked.lower() in name.lower() else name


_USUAL = {
    "items", "results", "result", "data", "records", "record", "value", "values", "content", "contents", "list",
    "entries", "entry", "rows", "row", "response", "body", "payload", "total", "count", "page", "pages", "paging",
    "next", "previous", "links", "meta", "error", "errors", "status", "message", "detail", "id", "number", "version",
}  # fmt: skip
"""Names that answers have of their form: no value of anybody's."""


def usual(name: str, known: Collection[str] = ()) -> bool:
    """Whether a name can be shown: it is one of an answer's form, or one that is mapped.

    An object may have values for its names, such as a list by surname.
    """
    return name.lower() in _USUAL or name in known


def _alike(name: str, wanted: str) -> bool:
    """Whether it is the wanted name written otherwise, and no value that is like it by chance."""
    one, other = (re.sub("[^a-z]", "", each.lower()) for each in (name, wanted))
    if min(len(one), len(other)) >= 3 and (one in other or other in one):
        return True
    return min(len(one), len(other)) >= 5 and difflib.SequenceMatcher(None, one, other).ratio() >= 0.8


def there(names: Iterable[object], wanted: str, asked: str = "", known: Collection[str] = ()) -> str:
    """What stands there instead of a name: the nearest one, or those that are `usual`; of others how many they are."""
    every = list(names)
    said = [found for name in every if (found := plain(name, asked))]
    near = [name for name in difflib.get_close_matches(wanted, said, 5, 0.6) if _alike(name, wanted)]
    if near:
        return f"did you mean `{near[0]}`?"
    shown = [name for name in said if usual(name, known)][:_MOST]
    listed = ", ".join(f"`{name}`" for name in shown)
    others = len(every) - len(shown)
    more = f"{others} {'other' if shown else 'unlike'} name{'s' if others != 1 else ''}" if others else ""
    said_all = " and ".join(filter(None, (listed, more)))
    return f"there {'are' if len(every) != 1 else 'is'} {said_all}" if every else "nothing is there"
