"""What was found of one dataset, each thing once, however many records show it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

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


def there(names: Iterable[object], wanted: str, asked: str = "") -> str:
    """What stands there instead of a name: the nearest one, or some. Whatever could be a value is left out."""
    said = [found for name in names if (found := plain(name, asked))]
    near = difflib.get_close_matches(wanted, said, 1, 0.6)
    if near:
        return f"did you mean `{near[0]}`?"
    listed = ", ".join(f"`{name}`" for name in said[:_MOST])
    return f"there are {listed}{', …' if len(said) > _MOST else ''}" if listed else "nothing is there"
