"""What the values of delivered rows must be, and how the index keeps them.

The index has text, whole numbers, and 0 and 1; a Decimal, a date and a moment are kept as text, as they were written.
`TYPED` reads values of formats that have types (JSON, Parquet), `of_text` those of CSV. A reader raises `ValueError`
whose words say what the value must be, and never what it is.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping
from typing import Any

from connectors.base import FieldType, named
from connectors.mapping import moments, numbers

Stored = str | int
Reader = Callable[[Any], Stored | None]

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII).fullmatch
_WHOLE = re.compile(r"-?[0-9]{1,10}", re.ASCII).fullmatch

_LONG = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII).fullmatch


class Number(str):
    """A number as it was written, with a point or an exponent. No text, and nothing else than a Decimal can be it."""

    __slots__ = ()


def _text(value: Any) -> str:
    if type(value) is not str:
        raise ValueError("must be text")
    value.encode()  # half of a character could not be answered
    if "\0" in value:
        raise ValueError("must be text without the character NUL")
    return value


def _named(value: Any) -> str:
    return named(str(value) if type(value) is int else _text(value))


def _document(value: Any) -> str | None:
    text = str(value) if type(value) is int else _text(value)
    return named(text) if text.strip() else None


def _note(value: Any) -> str | None:
    return value if _text(value).strip() else None


def _integer(value: Any) -> int:
    if type(value) is not int or not -(2**31) <= value < 2**31:
        raise ValueError("must be a whole number of 32 bits")
    return value


def _boolean(value: Any) -> int:
    if type(value) is not bool:
        raise ValueError("must be true or false")
    return int(value)


def _decimal(value: Any) -> str:
    try:
        if type(value) is int:
            value = str(value)
        elif type(value) not in (str, Number):
            raise ValueError
        numbers.of_text(value)
    except ValueError:
        raise ValueError(f"must be a Decimal: {_not_decimal(value)}") from None
    return str(value)


def _not_decimal(value: Any) -> str:
    """What a Decimal is, in words that fit what is there instead."""
    if type(value) is str and value.lower().lstrip("+-") in ("nan", "inf", "infinity"):
        return "a value that is no number is left empty"
    if type(value) in (str, Number) and _LONG(value):
        return f"it has more than {numbers.DIGITS} digits before the point, or zeros behind it"
    return "digits, with a point before the fraction"


def _date(value: Any) -> str:
    try:
        if type(value) is not str or not _DATE(value):
            raise ValueError
        datetime.date.fromisoformat(value)
    except ValueError:
        raise ValueError("must be a date, as `2026-01-31`") from None
    return value


def _moment(value: Any) -> str:
    try:
        moments.of_text(_text(value))
    except ValueError:
        raise ValueError("must be a DateTime with an offset, as `2026-01-31T09:30:00+01:00`") from None
    return str(value)


TYPED: Mapping[str, Reader] = {
    "id": _named,
    "document": _document,
    "note": _note,
    "subject": _text,
    FieldType.STRING: _text,
    FieldType.INT: _integer,
    FieldType.BOOLEAN: _boolean,
    FieldType.DECIMAL: _decimal,
    FieldType.DATE: _date,
    FieldType.DATETIME: _moment,
}
"""By kind of leaf (`connectors.mapping.generated.Leaf`); null is nothing of them."""


def of_text(comma: bool, booleans: tuple[str, str]) -> Mapping[str, Reader]:
    """The readers for CSV. `comma`: it stands before a fraction; `booleans` are the words for true and for false."""

    def integer(value: Any) -> int:
        return _integer(int(value) if _WHOLE(value) else None)

    def boolean(value: Any) -> int:
        if value not in booleans:
            raise ValueError(f"must be `{booleans[0]}` or `{booleans[1]}`")
        return int(value == booleans[0])

    def decimal(value: Any) -> str:
        if "." in value or value.count(",") > 1:
            raise ValueError("must be a Decimal: digits, with a comma before the fraction and nothing else")
        return _decimal(value.replace(",", "."))

    made = {**TYPED, FieldType.INT: integer, FieldType.BOOLEAN: boolean}
    return {**made, FieldType.DECIMAL: decimal} if comma else made
