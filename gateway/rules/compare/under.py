"""Sets of combinations of flags in words: what an inquiry has to bring, in as few words as possible. Pure."""

from __future__ import annotations

import itertools
from functools import lru_cache
from typing import NamedTuple

from gateway.rules.compare.permits import COMBINATIONS
from gateway.rules.model import Flag

_WITH = {
    Flag.SCOPE: "a token's scope for it",
    Flag.CONSENT: "the subject's consent",
    Flag.CASE: "a verified case",
    Flag.OFFICIAL: "a named official",
    Flag.STEP_UP: "the stronger sign-in",
    Flag.BREAK_GLASS: "break-glass",
}


class Term(NamedTuple):
    """One way to be permitted: these flags must be there, those must not, and all others may be or not."""

    present: Flag
    absent: Flag

    @property
    def covers(self) -> int:
        """The set of combinations that it is."""
        return sum(
            1 << int(flags)
            for flags in COMBINATIONS
            if flags & self.present == self.present and not flags & self.absent
        )


@lru_cache(maxsize=1)
def _all_terms() -> list[tuple[Term, int]]:
    found = []
    for chosen in itertools.product((None, True, False), repeat=len(Flag)):
        named = list(zip(Flag, chosen, strict=True))
        present = sum((flag for flag, there in named if there is True), start=Flag(0))
        absent = sum((flag for flag, there in named if there is False), start=Flag(0))
        term = Term(Flag(present), Flag(absent))
        found.append((term, term.covers))
    return sorted(found, key=lambda each: each[1].bit_count(), reverse=True)


@lru_cache(maxsize=1024)
def terms(under: int, possible: int) -> tuple[Term, ...]:
    """The fewest terms, by a greedy choice, that hold for exactly these of all possible combinations."""
    fitting = [(term, covers) for term, covers in _all_terms() if covers & under and not covers & possible & ~under]
    found, left = [], under
    while left:
        term, covers = max(fitting, key=lambda each: (each[1] & left).bit_count())
        found.append(term)
        left &= ~covers
    return tuple(found)


def words(under: int, possible: int) -> str:
    """`with a verified case and a named official`; nothing where a token's scope is enough, as it always must be."""
    told = [_term(term) for term in terms(under, possible)]
    return "" if "" in told else ", or ".join(told)


def _term(term: Term) -> str:
    present = [text for flag, text in _WITH.items() if flag & term.present and flag is not Flag.SCOPE]
    absent = [text for flag, text in _WITH.items() if flag & term.absent]
    parts = [f"with {_and(present)}"] if present else []
    return " and ".join([*parts, *([f"without {_and(absent)}"] if absent else [])])


def _and(texts: list[str]) -> str:
    *others, last = texts
    return f"{', '.join(others)} and {last}" if others else last
