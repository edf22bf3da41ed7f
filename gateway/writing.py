"""What text that is kept may not have: characters that no reader sees, and that a terminal or a page may act on."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

_CONTROL = frozenset(["Cc", "Cs", "Cn", "Co"])
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""What turns the direction of text: a reader would see another text than is kept."""
_CALLED = {"\n": "a line end", "\r": "a line end", "\t": "a tab", "\x1b": "an escape"}


def unseen(text: str) -> str:
    """The first character of a line that is not seen, with its place (from 1); nothing where all are.

    Such are characters of control and of format, line ends, and what is no character.
    """
    return _first(text, lambda each: unicodedata.category(each)[0] == "C" or each in "\u2028\u2029")


def unseen_in_lines(text: str) -> str:
    """As `unseen`, of a text of several lines: line ends (`\\n`), tabs and joiners are taken."""
    return _first(
        text, lambda each: each in _TURNING or (unicodedata.category(each) in _CONTROL and each not in "\n\t")
    )


def _first(text: str, wrong: Callable[[str], bool]) -> str:
    for place, each in enumerate(text, 1):
        if wrong(each):
            called = _CALLED.get(each) or unicodedata.name(each, "").lower()
            return f"U+{ord(each):04X}{f' ({called})' if called else ''} as character {place}"
    return ""
