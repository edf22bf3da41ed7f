"""A plain model of one subject's matters: what each step comes to, and what is in force after it."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence
from typing import NamedTuple

from hypothesis import strategies as st

from gateway.rules import deadlines
from tests.acts.desk import Desk
from tests.ledger.support import AT

RECORDS, VERSIONS, PAPERS = ("N-1", "N-2"), (None, "1", "2"), ((), ("a",), ("a", "b"))
STEWARDS, OUTCOMES = ("s.one", "s.two"), ("UPHELD", "PARTLY", "REFUSED")
OK = "OK"
TAKES_AWAY = {"object", "apply", "confirm", "decline", "decide"}
"""What never releases more; of decisions, those that do not refuse."""


@dataclasses.dataclass
class Filed:
    """A matter in the model. `disputes`: its fact is in force; `second`: its correction is awaited."""

    id: str
    kind: str
    record: str
    version: str | None
    papers: tuple[str, ...]
    at: datetime.datetime
    due: datetime.date
    state: str = "open"
    outcome: str = ""
    by: str = ""
    disputes: bool = False
    fact_due: datetime.date | None = None
    second: datetime.date | None = None
    told: int = 0

    @property
    def waits(self) -> bool:
        return self.state in ("open", "awaits")


class Step(NamedTuple):
    what: str
    which: int = 0
    record: str = RECORDS[0]
    version: str | None = None
    papers: tuple[str, ...] = ()
    outcome: str = OUTCOMES[0]
    by: str = STEWARDS[0]
    days: int = 0
    desk: int = 0
    both: bool = False


KINDS = (
    ["object", "decide"] * 5 + ["confirm", "apply"] * 3 + ["wait", "decline"] * 2 + ["withdraw", "correct", "restart"]
)  # fmt: skip


def steps_of(kinds: Sequence[str]) -> st.SearchStrategy[Step]:
    """One step of these kinds."""
    return st.builds(
        Step,
        what=st.sampled_from(kinds),
        which=st.integers(0, 5),
        record=st.sampled_from(RECORDS),
        version=st.sampled_from(VERSIONS),
        papers=st.sampled_from(PAPERS),
        outcome=st.sampled_from(OUTCOMES),
        by=st.sampled_from(STEWARDS),
        days=st.integers(1, 9),
        desk=st.integers(0, 1),
        both=st.booleans(),
    )


class Model:
    """What is to come of a step, said without a store."""

    def __init__(self, desk: Desk) -> None:
        self.calendar, self.zone = desk.office.calendar, desk.office.zone
        self.now = AT
        self.filed: list[Filed] = []
        self.restored: set[str] = set()
        self.corrected: list[tuple[str, datetime.datetime]] = []
        self.today_by: dict[tuple[str, datetime.date], int] = {}
        self.numbers = 0

    @property
    def today(self) -> datetime.date:
        return self.now.astimezone(self.zone).date()

    def due(self, term: int) -> datetime.date:
        return deadlines.deadline(self.calendar, self.now, term).due

    def file(self, step: Step, id_: str) -> str:
        kind, terms = step.what, self.calendar.terms
        acts, objections = (self.today_by.get((of, self.today), 0) for of in ("acts", "objections"))
        if acts >= 20 or (kind == "object" and objections >= 10):
            return "QUOTA_EXCEEDED"
        same = [each for each in self.filed if (each.kind, each.record) == (kind, step.record)]
        if any(each.waits for each in same) or (kind == "object" and not self._new(step, same)):
            return "LIMIT"
        term = terms.objection if kind == "object" else terms.restoration
        made = Filed(id_, kind, step.record, step.version, step.papers, self.now, self.due(term))
        made.disputes, made.fact_due = kind == "object", made.due
        self.numbers += made.disputes
        self.filed.append(made)
        self._count("acts")
        if kind == "object":
            self._count("objections")
        return OK

    @staticmethod
    def _new(step: Step, same: list[Filed]) -> bool:
        if any(each.second and each.outcome == "UPHELD" for each in same):
            return False
        refused = [each for each in same if each.outcome in ("REFUSED", "PARTLY")]
        if not refused or (step.version is not None and step.version not in {each.version for each in refused}):
            return True
        return bool(set(step.papers) - {paper for each in refused for paper in each.papers})

    def _count(self, of: str) -> None:
        self.today_by[of, self.today] = self.today_by.get((of, self.today), 0) + 1

    def withdraw(self, one: Filed) -> str:
        if self.today_by.get(("acts", self.today), 0) >= 20:
            return "QUOTA_EXCEEDED"
        if not one.waits:
            return "STATE"
        self.numbers += one.disputes
        one.state, one.outcome, one.disputes = "withdrawn", "", False
        self._count("acts")
        return OK

    def decide(self, one: Filed, outcome: str, by: str) -> str:
        if one.state != "open":
            return "STATE"
        one.outcome, one.by, one.state = outcome, by, "decided"
        if one.kind == "apply":
            one.state = "decided" if outcome == "REFUSED" else "awaits"
        elif outcome != "REFUSED" and not any(of == one.record and at >= one.at for of, at in self.corrected):
            one.second, one.told = self.due(self.calendar.terms.correction), 0
        else:
            one.disputes = False
            self.numbers += 1
        return OK

    def confirm(self, one: Filed, by: str) -> str:
        if one.state != "awaits":
            return "STATE"
        if one.by == by:
            return "SECOND_PERSON"
        one.state = "decided"
        self.numbers += one.record not in self.restored
        self.restored.add(one.record)
        return OK

    def decline(self, one: Filed) -> str:
        if one.state != "awaits":
            return "STATE"
        one.state, one.outcome, one.by = "open", "", ""
        return OK

    def correct(self, record: str) -> None:
        self.corrected.append((record, self.now))
        for each in self.filed:
            if each.record == record and each.second is not None:
                each.second, each.disputes = None, False
                self.numbers += 1

    def clocks(self) -> list[tuple[str, str]]:
        found = []
        for each in self.filed:
            day = each.due if each.waits else each.second
            if day is None:
                continue
            soon = deadlines.before(self.calendar, day) <= self.today
            far = 3 if day < self.today else 2 if day == self.today else 1 if soon else 0
            if far > each.told:
                each.told = far
                over = "correction" if each.second else "objection" if each.kind == "object" else "restoration"
                found.append((each.id, f"{over}-overdue" if far == 3 else "reminded"))
        return sorted(found)

    @property
    def disputed(self) -> set[str]:
        return {f"tax-arrears/{each.record}" for each in self.filed if each.disputes}

    @property
    def overdue(self) -> set[str]:
        late = [each for each in self.filed if each.disputes and each.fact_due and each.fact_due < self.today]
        return {f"tax-arrears/{each.record}" for each in late}
