"""What a record shows of itself where one of its values cannot be used.

Whether a record may be shown is judged by what it says of itself: its id, version, document and effective date. So an
answer that does not decode as a whole is read again, record by record: the sound ones as ever, and of the others this.
A record that does not name a subject fails its whole dataset, faulty or not, and so does what is no record at all.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from connectors.base import Faulty
from connectors.mapping.generated import Leaf, Path

NO_SUBJECT = "a record names another subject"


class _WrongError(ValueError):
    """Not what the value must be."""


def _named(value: Any) -> str:
    if type(value) is int or type(value) is str:
        return str(value)
    raise _WrongError


def _date(value: Any) -> datetime.date:
    return msgspec.convert(value, datetime.date)


def _text(value: Any) -> str:
    if type(value) is str:
        return value
    raise _WrongError


SHOWN: Mapping[str, Callable[[Any], Any]] = {
    "m_id": _named,
    "m_version": _named,
    "m_document": _named,
    "m_effective": _date,
    "s_scheme": _text,
    "s_value": _text,
}
"""By attribute, of a value as JSON has it."""


def shown(leaves: list[Leaf], raw: bytes | msgspec.Raw, reason: str, scheme: str | None) -> Faulty | str:
    """What a record shows of itself, from its JSON; or why it is nobody's. `scheme` is every record's, where one is."""
    try:
        row = json.loads(bytes(raw))
    except (ValueError, RecursionError):
        return "not JSON"
    if type(row) is not dict:
        return "a record is no object"
    record = shown_by(leaves, lambda path: _at(row, path), SHOWN, reason)
    if isinstance(record, Faulty) and scheme is not None:
        record.s_scheme = scheme
    return record


def shown_by(
    leaves: list[Leaf], at: Callable[[Path], Any], readers: Mapping[str, Callable[[Any], Any]], reason: str
) -> Faulty | str:
    """The same, of any kind of record: `at` gives the value at a path, `readers` read it or raise `ValueError`."""
    found: dict[str, Any] = {}
    unread: set[str] = set()
    for leaf in leaves:
        reader = readers.get(leaf.attribute)
        if reader is None:
            continue
        value = at(leaf.path)
        try:
            if value is not None:
                found[leaf.attribute] = reader(value)
            elif leaf.mandatory:
                unread.add(leaf.attribute)
        except (ValueError, msgspec.MsgspecError):
            unread.add(leaf.attribute)
    if unread & {"s_scheme", "s_value"}:
        return NO_SUBJECT
    return Faulty(
        m_id=found.pop("m_id", ""), m_version=found.pop("m_version", ""), m_reason=reason, unread=frozenset(unread),
        **found,
    )  # fmt: skip


def _at(row: Any, path: Path) -> Any:
    for name in path:
        if type(row) is not dict:
            return None
        row = row.get(name)
    return row
