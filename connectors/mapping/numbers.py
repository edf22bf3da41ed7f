"""What is a Decimal, whichever way a source writes it: digits, a point and an exponent, all ASCII, and nothing around.

A record has it as text, as it is written everywhere: all its digits and no exponent. Nothing is computed with it, and
to make a number of it and write that again would cost more than all else that is done with a value.

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
_PLAIN = rb"-?+(?:0|[1-9][0-9]{0,29}+)(?:\.[0-9]{1,30}+)?+"
"""As it is written everywhere, and so short that it is in range; nothing of it is tried twice."""
_USUAL = rb'(?:"%b"|%b|null)' % (_PLAIN, _PLAIN)
_usual = re.compile(rb"%b(?:,%b)*+" % (_USUAL, _USUAL)).fullmatch
_usual_texts = re.compile(f"{_PLAIN.decode()}(?:,{_PLAIN.decode()})*+").fullmatch
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


def plain(number: decimal.Decimal) -> str:
    """A number as it is written everywhere."""
    return format(number, "f")


def of_text(text: str) -> str:
    """A text that is a number, as it is written everywhere. Raises `ValueError`."""
    return _checked(text) if _TEXT(text) else _refuse()


def of_json(raw: msgspec.Raw) -> str | None:
    """A JSON value that is a number, as it is written everywhere, or nothing for null. Raises `ValueError`."""
    written = str(raw, "utf-8")
    if written[0] == '"':
        return of_text(_text(raw))
    if written == "null":
        return None
    return _checked(written) if _NUMBER(written) else _refuse()


def all_of_json(raws: Sequence[msgspec.Raw]) -> Sequence[str | None]:
    """As `of_json` of each, at a small part of its cost where they are as most are. Raises `ValueError`."""
    written = b",".join(raws)
    if not _usual(written):
        return [of_json(raw) for raw in raws]
    texts = written.translate(None, b'"').decode().split(",")
    return [None if text == "null" else text for text in texts] if b"n" in written else texts


def are_plain(texts: Sequence[str | None]) -> bool:
    """Whether each is already as `of_text` gives it, by one look at all; else each must be looked at."""
    try:
        together = ",".join(texts)  # type: ignore[arg-type]  # nothing is one of the reasons to look at each
    except TypeError:
        return False
    return together.count(",") == len(texts) - 1 and _usual_texts(together) is not None


def all_of_text(texts: Sequence[str | None]) -> Sequence[str | None]:
    """As `of_text` of each; nothing stays nothing. Raises `ValueError`."""
    return [None if text is None else of_text(text) for text in texts]


def _checked(text: str) -> str:
    try:
        number = decimal.Decimal(text)
    except decimal.InvalidOperation:
        return _refuse()
    return plain(number) if in_range(number) else _refuse()


def _refuse() -> str:
    raise ValueError(WRONG)
