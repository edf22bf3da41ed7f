"""One dataset's rows, read to what the index keeps: the same for every format.

A format gives each row's values in the order of `Columns.paths`; what is wrong with one is told with its column.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from connectors.base import DatasetShape
from connectors.delivered.values import Reader, Stored
from connectors.mapping.decoding import Const, Mapped
from connectors.mapping.generated import Path

Canonical = Callable[[str, str], str]
"""(scheme, value) -> the value as it is written canonically. Raises `ValueError` where it is none of the scheme."""


class Wrong(msgspec.Struct, frozen=True):
    """A value that cannot be taken: its column, and what it must be."""

    column: str
    what: str


class Columns:
    """What is read of one dataset's rows, and what the index calls it."""

    def __init__(self, mapped: Mapped, shape: DatasetShape) -> None:
        assert mapped.subject is not None
        fields = tuple(sorted(mapped.fields))
        leaves = mapped.leaves(fields)
        short = {f"f_{name}": f"f{number}" for number, name in enumerate(fields)}
        # SQLite takes `amount` and `Amount` for one column, so fields are counted.
        self.fields = {name: short[f"f_{name}"] for name in fields}
        self.names = [short.get(leaf.attribute, leaf.attribute) for leaf in leaves]
        self.paths = list(dict.fromkeys(leaf.path for leaf in leaves))
        self.kinds = {leaf.path: [each.kind for each in leaves if each.path == leaf.path] for leaf in leaves}
        self.mapped, self.shape = mapped, shape
        self.leaves = leaves
        scheme = mapped.subject.scheme
        self.constant = scheme.value if isinstance(scheme, Const) else None
        self._schemes = frozenset(scheme for schemes in shape.schemes.values() for scheme in schemes)

    @property
    def fingerprint(self) -> bytes:
        """What an index of these columns is known by."""
        told = [(name, leaf.path, leaf.kind) for name, leaf in zip(self.names, self.leaves, strict=True)]
        return msgspec.json.encode([told, self.constant, sorted(self._schemes)])

    def reader(
        self, readers: Mapping[str, Reader], canonical: Canonical
    ) -> Callable[[Sequence[Any]], list[Stored | None] | Wrong]:
        """Reads a row's values, in the order of `paths`, to those of the index, in the order of `names`."""
        plan = [
            (self.paths.index(leaf.path), readers[leaf.kind], leaf.mandatory, ".".join(leaf.path))
            for leaf in self.leaves
        ]
        value_at = self.names.index("s_value")
        scheme_at = None if self.constant is not None else self.names.index("s_scheme")
        wrong_subject = self._subjects(canonical)

        def read(row: Sequence[Any]) -> list[Stored | None] | Wrong:
            found: list[Stored | None] = []
            for at, reader, mandatory, column in plan:
                value = row[at]
                if value is None:
                    if mandatory:
                        return Wrong(column, "must not be empty")
                    found.append(None)
                    continue
                try:
                    found.append(reader(value))
                except ValueError as error:
                    return Wrong(column, str(error))
            scheme = self.constant if scheme_at is None else found[scheme_at]
            if what := wrong_subject(scheme, found[value_at]):
                return Wrong(plan[value_at][3], what)
            return found

        return read

    def _subjects(self, canonical: Canonical) -> Callable[[Any, Any], str]:
        @functools.lru_cache(2**16)
        def wrong(scheme: Any, value: Any) -> str:
            if self._schemes and scheme not in self._schemes:
                return "the row's subject is of a scheme that names no subject of this dataset"
            try:
                if canonical(scheme, value) == value:
                    return ""
            except ValueError:
                pass
            return "is no subject's identifier in its canonical form: check its length, letters and check digit"

        return wrong


def at(row: Any, path: Path) -> Any:
    """The value of a nested row at a path; None where there is none."""
    for name in path:
        if type(row) is not dict:
            return None
        row = row.get(name)
    return row
