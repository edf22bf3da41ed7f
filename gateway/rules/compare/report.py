"""All that differs between two rule sets, as one value that text, CSV and page are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from gateway.catalogue.diff import Effect
from gateway.rules.compare import beside, clients, sentences, written
from gateway.rules.compare.sentences import Told
from gateway.rules.ruleset import RuleSet


class Side(NamedTuple):
    """One of the two: how it was named, the rule set, and what of its folder is no part of decisions (`written`)."""

    name: str
    rules: RuleSet
    written: Mapping[str, Any] = {}


class Comparison(NamedTuple):
    """What differs. `matrix` is what opens and closes; `beside` is everything else; both widenings first.

    `breaking` and `dangerous` is what it does to GraphQL clients.
    """

    before: Side
    after: Side
    matrix: list[Told]
    beside: list[Told]
    breaking: list[str]
    dangerous: list[str]

    @property
    def equal(self) -> bool:
        """Whether the two mean the same, however they are written."""
        return not (self.matrix or self.beside or self.breaking or self.dangerous)

    def told(self, effect: Effect) -> tuple[list[Told], list[Told]]:
        """What has this effect, in the matrix and beside it."""
        return tuple([each for each in some if each.effect is effect] for some in (self.matrix, self.beside))  # type: ignore[return-value]

    def opened(self, *, people: bool = False, non_public: bool = False) -> int:
        """How many cells open; only those about people, or not public, where asked for."""
        return sum(
            bool(shift.opens)
            for told in self.matrix
            for shift in told.shifts
            if (not people or shift.kind == "person") and (not non_public or shift.non_public)
        )

    @property
    def closed(self) -> int:
        """How many cells close."""
        return sum(bool(shift.closes) for told in self.matrix for shift in told.shifts)


def compare(before: Side, after: Side) -> Comparison:
    """Compare two rule sets that load; raises nothing of its own."""
    old, new = before.rules, after.rules
    others = [*beside.beside(old, new), *written.written(before.written, after.written)]
    return Comparison(
        before,
        after,
        sentences.matrix(old, new),
        sorted(others, key=lambda told: told.effect),
        clients.breaking(old, new),
        clients.dangerous(old, new),
    )
