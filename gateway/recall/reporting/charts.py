"""Charts of a compliance report, as inline SVG: one colour, and one scale where they are compared. Pure.

Every figure stands in a table beside. Colours come from the page's style by class; none says what is good or bad.
"""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

_NICE = (1, 2, 4, 6, 8, 10)
ROW, NAME, BAR = 38, 16, 14
WIDTH, LEFT, ROOM = 300, 4, 96
_HIGH = 84


class Row(NamedTuple):
    """One line of a chart: its name, two figures of which the first is within the second, and both in words."""

    name: str
    inner: float
    outer: float
    said: str


def nice(most: float) -> float:
    """The end of an axis: the next of 1, 2, 4, 6 or 8 times a power of ten."""
    if most <= 0:
        return 1
    power = 10.0 ** math.floor(math.log10(most))
    return next(step * power for step in _NICE if step * power >= most * 0.999999)


def whole(figure: float) -> str:
    """A count on an axis; nothing where it would be none."""
    return f"{int(figure):,}" if figure == int(figure) else ""


def bars(label: str, rows: Sequence[Row], told: Callable[[float], str]) -> str:
    """Of each row a bar as long as its outer figure, filled as far as its inner one."""
    end = nice(max(row.outer for row in rows))
    marks = []
    for place, row in enumerate(rows):
        top = place * ROW + NAME + 4
        marks.append(_rect("sent", LEFT, top, _length(row.outer, end), BAR))
        marks.append(_rect("done", LEFT, top, _length(row.inner, end), BAR))
        marks.append(_text(LEFT + _length(row.outer, end) + 5, top + 11, row.said))
    return _lines(label, rows, marks, end, told)


def ranges(label: str, rows: Sequence[Row], told: Callable[[float], str], end: float) -> str:
    """Draws each row as a line from a dot (its inner figure) to a stroke (its outer one)."""
    marks = []
    for place, row in enumerate(rows):
        middle = place * ROW + NAME + 4 + BAR / 2
        first, last = LEFT + _length(row.inner, end), LEFT + _length(row.outer, end)
        marks.append(f'<line class="range" x1="{first:g}" x2="{last:g}" y1="{middle:g}" y2="{middle:g}"/>')
        marks.append(f'<circle class="done" cx="{first:g}" cy="{middle:g}" r="5"/>')
        marks.append(f'<rect class="done" x="{last - 1.5:g}" y="{middle - 7:g}" width="3" height="14"/>')
        marks.append(_text(last + 8, middle + 4, row.said))
    return _lines(label, rows, marks, end, told)


def columns(label: str, rows: Sequence[Row], end: float) -> str:
    """Of each row, from left to right, a column as high as its outer figure, filled as far as its inner one.

    The first and the last one are named.
    """
    width, height, left, base = 240, 124, 40, 98
    step = (width - left - 6) / len(rows)
    bar = max(1.0, step * 0.72)
    marks = []
    for part in (0.5, 1.0):
        y = base - part * _HIGH
        marks.append(f'<line class="grid" x1="{left}" x2="{width - 4}" y1="{y:g}" y2="{y:g}"/>')
        marks.append(_text(left - 5, y + 4, whole(end * part), "end"))
    for place, row in enumerate(rows):
        x = left + 3 + place * step
        for kind, figure in (("sent", row.outer), ("done", row.inner)):
            if figure:
                high = figure / end * _HIGH
                marks.append(_rect(kind, x, base - high, bar, high))
    marks.append(f'<line class="axis" x1="{left}" x2="{width - 4}" y1="{base}" y2="{base}"/>')
    marks.append(_text(left - 5, base + 4, "0", "end"))
    named = {0: "start", len(rows) - 1: "end"} if len(rows) > 1 else {0: "start"}
    for place, anchor in named.items():
        x = left + 3 + place * step + (bar if anchor == "end" else 0)
        marks.append(_text(x, base + 18, rows[place].name, anchor))
    return _svg(label, width, height, marks)


def key(kind: str) -> str:
    """One sign of a legend."""
    if kind == "range":
        drawn = (
            '<line class="range" x1="4" x2="20" y1="8" y2="8"/><circle class="done" cx="4" cy="8" r="4"/>'
            '<rect class="done" x="19" y="2" width="3" height="12"/>'
        )
    else:
        drawn = f'<rect class="{kind}" x="1" y="1" width="22" height="14"/>'
    return f'<svg viewBox="0 0 24 16" aria-hidden="true">{drawn}</svg>'


def _lines(label: str, rows: Sequence[Row], marks: Sequence[str], end: float, told: Callable[[float], str]) -> str:
    """Rows with their names above them, over an axis with its half and its end."""
    bottom = len(rows) * ROW + 4
    drawn = []
    for part, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "middle")):
        x = LEFT + _length(end * part, end)
        kind = "grid" if part else "axis"
        drawn.append(f'<line class="{kind}" x1="{x:g}" x2="{x:g}" y1="2" y2="{bottom}"/>')
        drawn.append(_text(x, bottom + 14, told(end * part), anchor))
    drawn += [_text(LEFT + 4, place * ROW + NAME, row.name, "start", "name") for place, row in enumerate(rows)]
    return _svg(label, WIDTH, bottom + 20, [*drawn, *marks])


def _length(figure: float, end: float) -> float:
    return round(figure / end * (WIDTH - LEFT - ROOM), 1)


def _rect(kind: str, x: float, y: float, width: float, height: float) -> str:
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"/>'


def _text(x: float, y: float, said: str, anchor: str = "start", kind: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text{named} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{html.escape(said)}</text>'


def _svg(label: str, width: int, height: int, marks: Sequence[str]) -> str:
    said = html.escape(label)
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{said}">{"".join(marks)}</svg>'
