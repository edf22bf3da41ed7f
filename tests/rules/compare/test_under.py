"""Sets of combinations in words: what is told holds for exactly these combinations, of those that can occur."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.rules.compare import permits, under
from gateway.rules.compare.permits import COMBINATIONS
from gateway.rules.model import Flag
from tests.rules.policies import entry, shipped

SETS = st.integers(0, 2**64 - 1)


@given(SETS, SETS)
def test_the_terms_are_exactly_the_set(some: int, possible: int) -> None:
    wanted = some & possible
    covered = 0
    for term in under.terms(wanted, possible):
        covered |= term.covers
    assert covered & possible == wanted


def test_a_term_covers_what_it_says() -> None:
    term = under.Term(Flag.SCOPE | Flag.CASE, Flag.CONSENT)
    for flags in COMBINATIONS:
        holds = Flag.SCOPE in flags and Flag.CASE in flags and Flag.CONSENT not in flags
        assert bool(term.covers >> int(flags) & 1) is holds


def such(possible: int, *present: Flag, absent: int = 0) -> int:
    """The possible combinations with any of these and none of those."""
    return sum(
        1 << int(flags)
        for flags in COMBINATIONS
        if possible >> int(flags) & 1 and any(flags & each == each for each in present) and not flags & absent
    )


def test_words_say_what_it_takes_beside_a_scope() -> None:
    possible = permits.possible(entry("civil-court"), shipped().policies.purposes["COURT_ENFORCEMENT"])
    scope = Flag.SCOPE
    assert under.words(such(possible, scope), possible) == ""
    assert under.words(such(possible, scope | Flag.CASE | Flag.OFFICIAL), possible) == (
        "with a verified case and a named official"
    )
    either = such(possible, scope | Flag.CASE, scope | Flag.CONSENT)
    assert under.words(either, possible) in (
        "with a verified case, or with the subject's consent",
        "with the subject's consent, or with a verified case",
    )
    unless = such(possible, scope | Flag.CASE, absent=Flag.CONSENT)
    assert under.words(unless, possible) == "with a verified case and without the subject's consent"
    assert under.words(possible, possible) == ""


def test_what_always_holds_is_not_told() -> None:
    """Where no case can be verified, a permit without one says nothing of cases."""
    possible = permits.possible(entry("environment-agency"), shipped().policies.purposes["LICENCE_RENEWAL"])
    assert under.words(such(possible, Flag.SCOPE), possible) == ""
