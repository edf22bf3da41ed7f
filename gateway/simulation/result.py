"""What a simulation comes to: counts by department, purpose and field. It names no subject, no official and no case."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Mapping

import msgspec

from gateway.simulation.compare import NOT_REPLAYABLE, Change, Outcome

Place = tuple[str, str, Change]
"""A department that asked, a purpose, and what is not decided alike."""


class Row(msgspec.Struct, frozen=True, order=True):
    """How often one field was not decided alike, for a department that asked and a purpose.

    Whether it was permitted: as `recorded`, by the `active` rule set (None: nobody can know), by the `candidate`.
    `reason` and `rule` are those of the denial. `decisions` counts subjects of inquiries.
    """

    department: str
    purpose: str
    dataset: str
    field: str
    recorded: bool
    active: bool | None
    candidate: bool
    reason: str
    rule: str
    decisions: int

    @property
    def change(self) -> str:
        """What the candidate does to what was recorded: `opens`, `closes` or `keeps`."""
        return "keeps" if self.recorded == self.candidate else "opens" if self.candidate else "closes"


class Result(msgspec.Struct, frozen=True):
    """Of a period, by its entries: how many were read, how many of them are inquiries, and their decisions.

    A decision is of one subject of an inquiry. `changed` counts those of which the candidate decides something
    otherwise than was recorded, `moved` those of which the active rule set now does. `not_replayable` are those that
    cannot be made again, by the reason.
    """

    candidate: str
    active: str
    since: datetime.datetime
    until: datetime.datetime
    entries: int
    inquiries: int
    decisions: int
    changed: int
    moved: int
    not_replayable: Mapping[str, int]
    rows: list[Row]

    def of(self, change: str) -> list[Row]:
        """The rows of a change, the most frequent first."""
        found = [row for row in self.rows if row.change == change]
        return sorted(found, key=lambda row: (-row.decisions, row))


class Tally:
    """Counts outcomes of decisions."""

    def __init__(self) -> None:
        self.decisions = self.changed = self.moved = 0
        self.not_replayable: Counter[str] = Counter()
        self._places: Counter[Place] = Counter()

    def add(self, department: str, purpose: str, outcome: Outcome, times: int = 1) -> None:
        """So many decisions of this outcome."""
        self.decisions += times
        if isinstance(outcome, str):
            self.not_replayable[outcome] += times
            return
        self.changed += times * any(each.recorded != each.candidate for each in outcome)
        self.moved += times * any(each.active not in (each.recorded, None) for each in outcome)
        for change in outcome:
            self._places[department, purpose, change] += times

    def rows(self) -> list[Row]:
        """What was not decided alike, in order."""
        return sorted(
            Row(department, purpose, of.dataset, of.field, of.recorded, of.active, of.candidate, *of.why, times)
            for (department, purpose, of), times in self._places.items()
        )

    def reasons(self) -> dict[str, int]:
        """Why decisions could not be made again, each with how many."""
        return {reason: self.not_replayable[reason] for reason in NOT_REPLAYABLE if self.not_replayable[reason]}
