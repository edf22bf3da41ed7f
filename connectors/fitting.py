"""Whether a record is as `base.Record` promises: each value of its field's type, each name as it is kept.

What the gateway's own decoders make is so by how it is made. Of any other connector's records it is looked at.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from connectors.base import Failure, Fault, Faulty, FieldType, Flaw, Record, named

_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?").fullmatch


def _is_text(value: object) -> bool:
    if type(value) is not str:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair: nothing can be written that has it
        return False
    return True


FITS: Mapping[FieldType, Callable[[Any], bool]] = {
    FieldType.STRING: _is_text,
    FieldType.INT: lambda value: type(value) is int and -(2**31) <= value < 2**31,
    FieldType.BOOLEAN: lambda value: type(value) is bool,
    FieldType.DECIMAL: lambda value: type(value) is str and _DECIMAL(value) is not None,
    FieldType.DATE: lambda value: type(value) is datetime.date,
    FieldType.DATETIME: lambda value: type(value) is datetime.datetime and value.utcoffset() is not None,
}
"""By a field's type, whether a value that is not null is of it."""


def fits(record: Record, fields: Mapping[str, FieldType]) -> bool:
    """Whether a record fits these fields, by catalogue name; one that is faulty has none of them."""
    if not (_is_named(record.m_id, record) and _is_named(record.m_version, record)):
        return False
    if not all(value is None or _is_text(value) for value in (record.m_document, record.m_mitigation)):
        return False
    if record.m_effective is not None and type(record.m_effective) is not datetime.date:
        return False
    if isinstance(record, Faulty):
        return True
    values = ((getattr(record, f"f_{name}"), kind) for name, kind in fields.items())
    return all(value is None or FITS[kind](value) for value, kind in values)


def _is_named(value: object, record: Record) -> bool:
    if type(value) is not str:
        return False
    if not value:
        return isinstance(record, Faulty)
    try:
        return named(value) == value
    except ValueError:
        return False


def is_failure(failure: Failure) -> bool:
    """Whether each part of it is what it should be, so that it can be counted, logged and answered."""
    fault, retryable, detail, flaw = failure
    kinds: Iterable[object] = (type(fault), type(retryable), type(detail), type(flaw))
    return tuple(kinds) == (Fault, bool, str, Flaw)
