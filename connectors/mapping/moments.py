"""What is a DateTime, whichever way a source writes it: RFC 3339, with an offset, and at most nine digits of a second.

.NET writes seven digits and Go nine; six are what is kept. The others are cut off: rounding could lead into another
second, day or year, which the source never said.
"""

from __future__ import annotations

import datetime
import re
from typing import Annotated

import msgspec

WRONG = "a DateTime is none, or has no offset as `+01:00`, or more than nine digits of a second"

_Moment = Annotated[datetime.datetime, msgspec.Meta(tz=True)]
_MOST = 9
_KEPT = len("2026-12-31T23:59:59.999999Z")
_beyond = re.compile(r"(?<=\.[0-9]{6})[0-9]+").search


def of_text(text: str) -> datetime.datetime:
    """The moment that a text is. Raises `ValueError`."""
    if len(text) > _KEPT and (beyond := _beyond(text)):
        if beyond.end() - beyond.start() > _MOST - 6:
            raise ValueError(WRONG)
        text = text[: beyond.start()] + text[beyond.end() :]
    try:
        moment: datetime.datetime = msgspec.convert(text, _Moment)
    except msgspec.ValidationError:
        raise ValueError(WRONG) from None
    if text[-1] not in "Zz" and text[-3] != ":":  # msgspec takes `+0100`, which no RFC 3339 has
        raise ValueError(WRONG)
    return moment
