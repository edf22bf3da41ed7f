"""Text in one form (NFC), in a time that grows with its length and no faster.

What follows a letter (accents, vowel signs) is put in order by a sort that takes the square of how many there are: some
hundred kilobytes of them would hold a process up for minutes. No language has more than a few in a row.
"""

from __future__ import annotations

import functools
import re
import unicodedata

MOST_MARKS = 30
"""Marks in a row, as in the stream-safe text of Unicode (UAX 15, section 13)."""
COMPOSED = 4
"""Characters that can become one."""
_LAST = 0x20000
"""Beyond it, Unicode has no such mark."""


def composed(said: str) -> str:
    """The text in NFC; raises `ValueError` where more than `MOST_MARKS` marks follow one another."""
    if said.isascii():
        return said
    if len(said) > MOST_MARKS and _too_many().search(said):
        raise ValueError(f"more than {MOST_MARKS} marks follow one another")
    return unicodedata.normalize("NFC", said)


@functools.cache
def _too_many() -> re.Pattern[str]:
    marks = "".join(each for each in map(chr, range(0x300, _LAST)) if _is_mark(each))
    return re.compile(f"[{marks}]{{{MOST_MARKS + 1}}}")


def _is_mark(each: str) -> bool:
    """Whether it is put in order, itself or as the first of those that it stands for."""
    while (parts := unicodedata.decomposition(each)) and not parts.startswith("<"):
        each = chr(int(parts.split()[0], 16))
    return unicodedata.combining(each) > 0
