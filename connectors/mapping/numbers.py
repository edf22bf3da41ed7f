"""What is a Decimal, whichever way a source writes it: digits, a point and an exponent, all ASCII, and nothing around.

Python's own reading takes more (`1_000`, ` 12 `, `+5`, other scripts' digits), which no other reader does.
"""

from __future__ import annotations

import decimal
import math
import re
from collections.abc import Sequence

import msgspec

DIGITS = 64
"""Most digits of a Decimal before the point, and most zeros straight after it."""

NULL = msgspec.Raw(b"null")

WRONG = "a Decimal is no number, or out of range"

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?").fullmatch
_TEXT = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?").fullmatch
_USUAL = rb'(?:"-?[0-9]{1,30}(?:\.[0-9]{1,30})?"|(?:0|-?[1-9][0-9]{0,29})(?:\.[0-9]{1,30})?|null)'
"""So short that it is in range, and by every reader the same number."""
_usual = re.compile(_USUAL + b"(?:," + _USUAL + b")*").fullmatch
_decimals = msgspec.json.Decoder(list[decimal.Decimal | None]).decode
_text = msgspec.json.Decoder(str).decode


def in_range(number: decimal.Decimal) -> bool:
    """Whether it is finite, and can be written out."""
    return number.is_finite() and -DIGITS < number.adjusted() < DIGITS


def finite(text: str) -> float:
    """A JSON number with a point or an exponent, as a decoder's `float_hook`. Raises `ValueError`.

    msgspec's own reading takes a thousand times as long for some (`1e300`), and holds everybody up.
    """
    number = float(text)
    if math.isinf(number):
        raise ValueError("out of range")
    return number


def of_text(text: str) -> decimal.Decimal:
    """The number that a text is. Raises `ValueError`."""
    return _checked(text) if _TEXT(text) else _refuse()


def of_json(raw: msgspec.Raw) -> decimal.Decimal | None:
    """The number that a JSON value is, or nothing for null. Raises `ValueError`."""
    written = str(raw, "utf-8")
    if written[0] == '"':
        return of_text(_text(raw))
    if written == "null":
        return None
    return _checked(written) if _NUMBER(written) else _refuse()


def all_of_json(raws: Sequence[msgspec.Raw]) -> Sequence[decimal.Decimal | None]:
    """As `of_json` of each, at half its cost where they are as most are. Raises `ValueError`."""
    written = b",".join(raws)
    return _decimals(b"[%b]" % written) if _usual(written) else [of_json(raw) for raw in raws]


def _checked(text: str) -> decimal.Decimal:
    try:
        number = decimal.Decimal(text)
    except decimal.InvalidOperation:
        return _refuse()
    return number if in_range(number) else _refuse()


def _refuse() -> decimal.Decimal:
    raise ValueError(WRONG)
