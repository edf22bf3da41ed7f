"""Numbers with their nouns, in what commands print and errors have."""

from __future__ import annotations


def counted(count: int, noun: str, form: str = "") -> str:
    """A number with its noun: `1 entry`, `2 entries`. `form` is the number's, as `,` for thousands apart."""
    several = f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2] not in "aeiou" else f"{noun}s"
    return f"{count:{form}} {noun if count == 1 else several}"
