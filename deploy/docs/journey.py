"""Draws one inquiry's journey, of the steps that `gateway/inquiry/answer.py` numbers: `python -m deploy.docs.journey`.

The picture is committed, and a test compares it with what is drawn. It has a ground of its own, so that it can be read
on a light and on a dark page.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import NamedTuple

from deploy.docs.stage import ROOT

PICTURE = Path(__file__).parent / "pages" / "journey.svg"
ASKED = {"facts": "Case registry", "fetch": "Departments", "disclose": "Ledger"}
"""Whom a step turns to, outside of the path."""

_NUMBERED = re.compile(r"^ *# (?P<number>\d)\. (?P<name>\w+)[:,]? (?P<said>.+)$", re.MULTILINE)
_WIDTH, _HEIGHT, _GAP = 196, 84, 34
_LEFT, _TOP = 150, 22
_STYLE = """
  .ground { fill: #ffffff; stroke: #d0d7de }
  .step { fill: #eef2fb; stroke: #3f51b5 }
  .other { fill: #f6f8fa; stroke: #59636e }
  .way { fill: none; stroke: #3f51b5; stroke-width: 2; marker-end: url(#head) }
  .call { stroke: #59636e; stroke-width: 1.5; stroke-dasharray: 4 3 }
  .head { fill: #3f51b5 }
  text { font: 12px system-ui, sans-serif; fill: #1f2328 }
  .name { font-weight: 600; font-size: 14px }
  .middle { text-anchor: middle }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #161b22; stroke: #3d444d }
    .step { fill: #222b45; stroke: #8c9eff }
    .other { fill: #21262d; stroke: #9198a1 }
    .way { stroke: #8c9eff }
    .call { stroke: #9198a1 }
    .head { fill: #8c9eff }
    text { fill: #e6edf3 }
  }
"""


class Step(NamedTuple):
    """A numbered step of the path, and its comment in the path."""

    number: int
    name: str
    said: str


def steps() -> list[Step]:
    """The steps in their order. Raises `LookupError` where they are not the nine that the picture has room for."""
    text = (ROOT / "gateway" / "inquiry" / "answer.py").read_text("utf-8")
    found = [
        Step(int(each["number"]), each["name"], re.split(r"; |, and ", each["said"])[0])
        for each in _NUMBERED.finditer(text)
    ]
    if [step.number for step in found] != list(range(1, 10)) or not ASKED.keys() <= {step.name for step in found}:
        raise LookupError(f"answer.py has other steps than the picture: {[step.name for step in found]}")
    return found


def draw() -> str:
    """The picture, as SVG."""
    right = _LEFT + 3 * (_WIDTH + _GAP)
    width, height = right + 150, _TOP + 3 * (_HEIGHT + _GAP) + 26
    title = "One inquiry: nine steps from the question to the answer with its receipt"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="{title}">',
        f"<title>{title}</title><style>{_STYLE}</style>",
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path class="head" d="M0 0 8 4 0 8z"/></marker></defs>',
        f'<rect class="ground" x="1" y="1" width="{width - 2}" height="{height - 2}" rx="10"/>',
        *_outside(16, _TOP, 3 * _HEIGHT + 2 * _GAP, 100, "Requester"),
        *_ways(height),
    ]
    for step in steps():
        row, column = divmod(step.number - 1, 3)
        x, y = _LEFT + column * (_WIDTH + _GAP), _TOP + row * (_HEIGHT + _GAP)
        parts.append(f'<rect class="step" x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="6"/>')
        parts.append(f'<text class="name" x="{x + 12}" y="{y + 22}">{step.number} {escape(step.name)}</text>')
        for line, words in enumerate(textwrap.wrap(step.said, 28)):
            parts.append(f'<text x="{x + 12}" y="{y + 41 + 15 * line}">{escape(words)}</text>')
        if step.name in ASKED:
            parts += _outside(right, y, _HEIGHT, 134, ASKED[step.name])
            middle = y + _HEIGHT // 2
            parts.append(f'<path class="call" d="M{x + _WIDTH} {middle} H{right}"/>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _outside(x: int, y: int, height: int, width: int, name: str) -> Iterator[str]:
    """Somebody who is not on the path."""
    yield f'<rect class="other" x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>'
    yield f'<text class="name middle" x="{x + width // 2}" y="{y + height // 2 + 5}">{name}</text>'


def _ways(height: int) -> Iterator[str]:
    """The arrows: in, from step to step and from row to row, and out again along the bottom."""
    first, last = _LEFT + _WIDTH // 2, _LEFT + 2 * (_WIDTH + _GAP) + _WIDTH // 2
    yield f'<path class="way" d="M116 {_TOP + _HEIGHT // 2} H{_LEFT - 2}"/>'
    for row in range(3):
        y = _TOP + row * (_HEIGHT + _GAP)
        for column in range(2):
            x = _LEFT + column * (_WIDTH + _GAP) + _WIDTH
            yield f'<path class="way" d="M{x} {y + _HEIGHT // 2} h{_GAP - 2}"/>'
        if row < 2:
            below = y + _HEIGHT
            yield f'<path class="way" d="M{last} {below} v{_GAP // 2} H{first} v{_GAP // 2 - 2}"/>'
    end, bottom = _TOP + 3 * _HEIGHT + 2 * _GAP, height - 24
    yield f'<path class="way" d="M{last} {end} V{bottom} H66 V{end + 2}"/>'
    yield f'<text class="middle" x="{(last + 66) // 2}" y="{bottom - 6}">the answer, with its receipt</text>'


def main() -> int:
    """Write the picture."""
    PICTURE.write_text(draw(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
