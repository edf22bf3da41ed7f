"""Policy tests: inquiries that officers make up, and what is to come of them. No I/O here.

A test says who asks, about whom, for what and when, and what is known then; and which fields are permitted. Whatever it
does not list is to be denied. It decides nothing itself: `Inquire` is how an inquiry is decided, and is given by who
runs the tests.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping

import msgspec

from connectors.base import Subject
from gateway.rules.model import BreakGlassTerms, Cell, Reason
from gateway.rules.ruleset import RuleSet
from gateway.storage.subjects.kinds import Consent

Coordinate = tuple[str, str]
"""A dataset and one of its fields."""

Fact = str | tuple[str, ...] | BreakGlassTerms | None
"""What a test supposes of a dataset or purpose: a word, the kinds of subject, or that it is for emergencies."""


class Narrowed(msgspec.Struct, frozen=True):
    """What one entry of a token's `authorization_details` leaves open; `None` leaves that part as it is."""

    purpose: str | None = None
    case: str | None = None
    datasets: frozenset[str] | None = None
    identifier: tuple[str, str] | None = None


class Asker(msgspec.Struct, frozen=True):
    """Who asks, and what is in the token. `identifier` is whose own token it is; `expires` is long after, where
    None."""

    issuer: str
    client: str
    scopes: frozenset[str] = frozenset()
    official: str | None = None
    acr: str | None = None
    expires: datetime.datetime | None = None
    identifier: tuple[str, str] | None = None
    narrowing: tuple[Narrowed, ...] = ()


class Posed(msgspec.Struct, frozen=True):
    """One inquiry of a test, about one subject at one moment, for all that the catalogue has.

    `case` is the declared one, and `case_verified` what its registry would say. `consent` is the one that is declared,
    where one is. For the `suspended` datasets the grant is suspended until a recall is answered.
    """

    asker: Asker
    purpose: str
    subject: Subject
    now: datetime.datetime
    case: str | None = None
    case_verified: bool = False
    consents: tuple[Consent, ...] = ()
    consent: str | None = None
    break_glass: bool = False
    suspended: frozenset[str] = frozenset()


class Expected(msgspec.Struct, frozen=True):
    """What is to come of one field, and the line that has it.

    Of a denial it can say the `reason`, the one `rule` that is told, or all `rules` that forbid; `None` says nothing.
    """

    permitted: bool
    line: int
    reason: Reason | None = None
    rule: str | None = None
    rules: frozenset[str] | None = None

    @property
    def says_why(self) -> bool:
        """Whether it is a denial that is expected for what it is."""
        return self.reason is not None or self.rule is not None or self.rules is not None

    def met(self, cell: Cell) -> bool:
        """Whether this came of it."""
        return (
            self.permitted is cell.permitted
            and self.reason in (None, cell.reason)
            and self.rule in (None, cell.rule)
            and self.rules in (None, frozenset(cell.rules))
        )


class Supposed(msgspec.Struct, frozen=True):
    """What a test supposes against the files: other facts of datasets and purposes, other roles of clients (issuer,
    client). The rules of `without` are left out."""

    datasets: tuple[tuple[str, tuple[tuple[str, Fact], ...]], ...] = ()
    purposes: tuple[tuple[str, tuple[tuple[str, Fact], ...]], ...] = ()
    roles: tuple[tuple[tuple[str, str], frozenset[str]], ...] = ()
    without: frozenset[str] = frozenset()


NOTHING_SUPPOSED = Supposed()


class PolicyTest(msgspec.Struct, frozen=True):
    """One test: the same is expected of each inquiry of it, for every field of every dataset of the catalogue."""

    name: str
    file: str
    line: int
    inquiries: tuple[tuple[str, Posed], ...]
    expected: Mapping[Coordinate, Expected]
    supposed: Supposed = NOTHING_SUPPOSED


Cells = Mapping[Coordinate, Cell]
Inquire = Callable[[RuleSet], Callable[[Posed], Cells]]
"""From a rule set to what it answers: the cell of every field of every dataset of the catalogue."""
