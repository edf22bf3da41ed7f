"""What a status is made of: lines, each of one thing, and whether it wants a person."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence

import msgspec

Fact = str | int | float | bool | None


class Line(msgspec.Struct, frozen=True):
    """One thing: of which `part` it is, its `name`, its text, and the same as `facts` for programs.

    `well` is false where somebody has to look at it.
    """

    part: str
    name: str
    said: str
    well: bool = True
    facts: Mapping[str, Fact] = {}


def trouble(part: str, said: str, name: str = "") -> Line:
    """A line of what could not be found out, or is not as it should be."""
    return Line(part, name, said, well=False)


def table(lines: Sequence[Line]) -> str:
    """The lines as text: a heading for each part; what wants a person begins with `!`."""
    wide = max((len(each.name) for each in lines), default=0)
    out: list[str] = []
    part = ""
    for each in lines:
        if each.part != part:
            part = each.part
            out.append(part)
        out.append(f"{' ' if each.well else '!'} {each.name.ljust(wide)}  {each.said}".rstrip())
    return "\n".join(out)


def lasting(seconds: float) -> str:
    """So many seconds, as people write it: `3 min`, `5 days`."""
    seconds = max(0, round(seconds))
    for size, one, many in ((86400, "day", "days"), (3600, "h", "h"), (60, "min", "min")):
        if seconds >= 2 * size or (size < 86400 and seconds >= size):
            count = seconds // size
            return f"{count} {one if count == 1 else many}"
    return f"{seconds} s"


def day(at: datetime.datetime) -> str:
    """A moment, to the minute."""
    return f"{at.astimezone(datetime.UTC):%Y-%m-%d %H:%M} UTC"
