"""What a value is and what it should be, in words that do not reveal the value itself.

Whether it fits is judged as the decoders judge it. The words are for whoever maintains the department's system.
"""

from __future__ import annotations

import datetime
import decimal
import re
from typing import Any

import msgspec

from connectors.base import FieldType, named
from connectors.mapping import moments, numbers

WANTED = {
    "id": "text or a whole number",
    "document": "text or a whole number",
    "note": "text",
    "subject": "text",
    FieldType.STRING: "text (String)",
    FieldType.INT: "a whole number from -2147483648 to 2147483647 (Int)",
    FieldType.BOOLEAN: "true or false (Boolean)",
    FieldType.DECIMAL: "a number, or text such as `1250.00` (Decimal)",
    FieldType.DATE: "text such as `2026-03-31` (Date)",
    FieldType.DATETIME: "text such as `2026-03-31T08:30:00Z` (DateTime)",
}
"""What each kind of leaf must be."""

_COMMA = re.compile(r"-?[0-9.\s]*,[0-9]+").fullmatch
_SHAPED = re.compile(r"[0-9][0-9 ./:+-]{0,38}").fullmatch
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch
_NO_OFFSET = "a date and time without an offset from UTC"
_YES_NO = {"true", "false", "yes", "no", "y", "n", "t", "f", "0", "1"}


class Number(str):
    """A JSON number with a point or an exponent, as it was written."""

    __slots__ = ()


def found(value: Any) -> str:
    """What a value is."""
    if isinstance(value, Number):
        return "a number with a point or an exponent"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, datetime.datetime) and value.tzinfo is None:
        return _NO_OFFSET
    for types, words in (
        (bool, "true or false"), (int, "a whole number"), (float | decimal.Decimal, "a number with a point"),
        (list, "a list"), (dict, "an object"), (datetime.datetime, "a date with a time"), (datetime.date, "a date"),
        (bytes | memoryview, "bytes"),
    ):  # fmt: skip
        if isinstance(value, types):
            return words
    return "null" if value is None else f"a value of the type {type(value).__name__}"


def _text(value: str) -> str:
    if not value.strip():
        return "blank text"
    if value.lower() in _YES_NO:
        return "text that stands for yes or no"
    if re.fullmatch(r"-?[0-9]+", value):
        return "text that holds a whole number"
    if _COMMA(value):
        return "text with a decimal comma"
    if _is_moment(value):
        return "a date and time"
    if _is_moment(value + "Z"):
        return _NO_OFFSET
    if _DAY(value) and not fits(FieldType.DATE, value):
        return "a date that does not exist"
    if _SHAPED(value):
        return f"text of the form `{re.sub('[0-9]', '9', value)}`"
    return "text"


def _is_moment(value: str) -> bool:
    try:
        moments.of_text(value)
    except ValueError:
        return False
    return "T" in value or " " in value


def unfit(kind: str, value: Any) -> str | None:
    """What is wrong with a value that a leaf of this kind reads, or nothing; null is never wrong here."""
    if value is None or fits(kind, value):
        return None
    if kind == FieldType.DECIMAL and (isinstance(value, Number) or type(value) is int):
        return (
            f"is a number of more than {numbers.DIGITS} digits before the point, or zeros behind it; write it shorter"
        )
    return f"is {found(value)}; must be {WANTED[kind]}"


def fits(kind: str, value: Any) -> bool:
    """Whether a leaf of this kind can be read from a value of JSON."""
    text = type(value) is str
    try:
        match kind:
            case "id" | "document":
                return (text and (kind == "document" or bool(value))) or type(value) is int
            case "note" | "subject" | FieldType.STRING:
                return text
            case FieldType.INT:
                return type(value) is int and -(2**31) <= value < 2**31
            case FieldType.BOOLEAN:
                return type(value) is bool
            case FieldType.DECIMAL:
                if type(value) is int or isinstance(value, Number):
                    numbers.of_json(msgspec.Raw(str(value).encode()))
                else:
                    numbers.of_text(value)
            case FieldType.DATE:
                msgspec.convert(value, datetime.date)
            case FieldType.DATETIME:
                moments.of_text(value)
    except (ValueError, TypeError, msgspec.MsgspecError):
        return False
    return True


def unnamed(value: Any) -> str | None:
    """What is wrong with an id, a version or a document that names nothing; nothing where it does."""
    try:
        named(str(value))
    except ValueError:
        return "is empty, longer than 256 characters, or has some that are not printed"
    return None


def unlike(value: str, asked: str) -> str:
    """How what names a record's subject differs from what was asked for."""
    if value.strip() == asked:
        return "has blanks around the identifier; give it without"
    if value.strip().lower() == asked.lower():
        return "has the identifier in other letters (capitals); give it as it was asked for"
    if re.sub(r"[\s./-]", "", value).lower() == asked.lower():
        return "has separators in the identifier; give it without"
    if value.strip().lstrip("0") == asked.lstrip("0"):
        return "has the identifier with more or fewer zeros in front; give it as it was asked for"
    if value.strip().lower().endswith(asked.lower()):
        return "has something in front of the identifier, such as the scheme; give the identifier alone"
    return "names another subject than was asked for; map where the record names its own, or mend the look-up"
