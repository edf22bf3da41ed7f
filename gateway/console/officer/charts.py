"""Small charts of counts by month, drawn as bars: where each bar stands, on one scale for all that are compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

WIDTH, HEIGHT = 234, 116
"""Units of a picture."""
LEFT, RIGHT, TOP, FOOT = 46, 232, 12, 92
"""Where the bars' room ends."""
_FEWEST = 6
"""Bars are as wide as where there are so many, or one month alone would fill the picture."""
_BOTH = 5
"""With fewer bars only the last one's month is named: two names would not fit below them."""


class Bar(NamedTuple):
    """A month's figure; it is None where none is shown, and no `closed` one where the month still runs."""

    many: int | None
    closed: bool


class Drawn(NamedTuple):
    """A chart: the outlines of closed months' bars and of those that still run, and where the first month is named.

    `first` is None where it is not.
    """

    closed: str
    running: str
    first: float | None


def top(most: int) -> int:
    """The end of the scale that goes up to a figure: 20, 50, 100, 200 and so on."""
    found = 20
    while found < most:
        found = found * 5 // 2 if str(found)[0] == "2" else found * 2
    return found


def drawn(bars: Sequence[Bar], most: int) -> Drawn:
    """A chart, with the latest month at the right; `most` is the end of the scale."""
    step = (RIGHT - LEFT) / max(len(bars), _FEWEST)
    begin = RIGHT - step * len(bars)
    outlines: dict[bool, list[str]] = {True: [], False: []}
    for number, bar in enumerate(bars):
        if bar.many is not None:
            inset = 2 if bar.closed else 3  # a running month's bar has a line around it
            x, width = begin + number * step + inset, step - 2 * inset
            y = min(FOOT - (FOOT - TOP) * bar.many / most, FOOT - 2)
            outlines[bar.closed].append(f"M{x:.1f} {FOOT}V{y:.1f}h{width:.1f}V{FOOT}z")
    return Drawn("".join(outlines[True]), "".join(outlines[False]), begin + 2 if len(bars) >= _BOTH else None)
