"""A candidate beside the active rule set, in one process: what it would have decided is counted, and nothing else.

An inquiry only leaves its decision behind (`DryRuns.seen`, which gives nothing back and never waits); a thread holds
the candidate against it later. Whatever becomes of that, the answer is what it would have been: there is no way from
here to it. What cannot be kept up with is counted as missed. Decisions are interned, so equal ones are compared once.
"""

from __future__ import annotations

import asyncio
import collections
import datetime
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from connectors.base import SubjectKind
from gateway.errors import DutyboundError
from gateway.inquiry.replay import Brought
from gateway.inquiry.types import Decision, Declaration, Requester, SubjectDecision
from gateway.rules.ruleset import RuleSet
from gateway.saying import in_words
from gateway.simulation.compare import Comparison, Made, Outcome, denial, opened
from gateway.storage.rules import dry_runs
from gateway.storage.rules.dry_runs import Counted, Run
from gateway.storage.tables import micros

LOOK, WORK = 5.0, 0.5
"""Seconds between two looks at which dry run is on, with what was counted being stored; and between two comparisons."""
AGAIN = 60.0
"""Seconds after which a candidate that could not be loaded is tried again."""
WAITING = 10_000
"""Inquiries that may wait to be compared."""
_KEPT = 16_384

SAME: Final = "same"
DIFFERS: Final = "differs"
UNKNOWN: Final = "unknown"
MISSED: Final = "missed"
OUTCOMES = (SAME, DIFFERS, UNKNOWN, MISSED)
"""Of a decision: the candidate's is the same, or another, or nobody can know, or there was no time to compare."""

Heard = Callable[[str, str | None], None]
"""Told what is out of order, by name, and None once it is not (`gateway.manage.states`)."""

Told = Callable[[tuple[str, str], Mapping[str, int]], None]
"""Told how many decisions had each outcome, for a department and a purpose."""


class Seen(NamedTuple):
    """An inquiry that was decided by the rule set of `digest`."""

    requester: Requester
    declaration: Declaration
    decision: Decision
    digest: str
    at: datetime.datetime


class DryRun:
    """One candidate: what waits to be compared, and what was counted. `work` is for one thread at a time."""

    def __init__(self, run: Run, candidate: RuleSet, active: RuleSet) -> None:
        self.run = run
        self._comparison = Comparison(candidate, active)
        self._waiting: collections.deque[Seen] = collections.deque()
        self._missed: Counter[tuple[str, str]] = Counter()
        self._known: dict[tuple[object, ...], Outcome | None] = {}
        self.unsaved: Counter[Counted] = Counter()

    def add(self, seen: Seen) -> None:
        """Have an inquiry compared later."""
        if len(self._waiting) < WAITING:
            self._waiting.append(seen)
        else:
            self._missed[seen.requester.department, seen.declaration.purpose] += len(seen.decision.subjects)

    @property
    def idle(self) -> bool:
        return not self._waiting and not self._missed

    def work(self, active: RuleSet) -> dict[tuple[str, str], Counter[str]]:
        """Compare what waits; how many decisions had each outcome, by department and purpose. Blocks."""
        if active.digest != self._comparison.active.digest:
            self._comparison = Comparison(self._comparison.candidate, active)
            self._known.clear()
        found: dict[tuple[str, str], Counter[str]] = {}
        missed, self._missed = self._missed, Counter()
        for whose, times in missed.items():
            found.setdefault(whose, Counter())[MISSED] += times
        for _ in range(len(self._waiting)):
            seen = self._waiting.popleft()
            whose = seen.requester.department, seen.declaration.purpose
            for outcome in self._outcomes(seen):
                found.setdefault(whose, Counter())[_name(outcome)] += 1
                for change in outcome if isinstance(outcome, tuple) else ():
                    what = "opens" if change.candidate else "closes"
                    self.unsaved[Counted(*whose, what, change.dataset, change.field, *change.why)] += 1
        for whose, outcomes in found.items():
            for name, times in outcomes.items():
                self.unsaved[Counted(*whose, name)] += times
        return found

    def _outcomes(self, seen: Seen) -> list[Outcome | None]:
        """One for each subject; None where its decision rests on nothing that is known."""
        requester, declaration, comparison = seen.requester, seen.declaration, self._comparison
        brought = Brought(declaration.case is not None, declaration.recall is not None, requester.is_subject)
        asked = (requester.who, declaration.purpose, brought, comparison.days(seen.at), seen.digest)
        found: list[Outcome | None] = []
        for subject, decided in seen.decision.subjects.items():
            key = (decided, subject.kind, asked)
            if key not in self._known:
                if len(self._known) >= _KEPT:
                    self._known.clear()
                made = _made(seen, brought, decided, subject.kind, comparison)
                self._known[key] = None if made is None else comparison.of(made, by_active=False)
            found.append(self._known[key])
        return found


def _made(
    seen: Seen, brought: Brought, decided: SubjectDecision, kind: SubjectKind, comparison: Comparison
) -> Made | None:
    basis = decided.basis
    if basis is None:
        return None
    denied = {place: denial(decided.cells[place]) for place in decided.denied}
    return Made(
        seen.requester.who,
        seen.declaration.purpose,
        kind,
        seen.at,
        basis,
        brought,
        comparison.purpose(seen.digest, seen.declaration.purpose),
        opened(basis, dict(decided.fetch), denied),
        denied,
    )


def _name(outcome: Outcome | None) -> str:
    if outcome is None or isinstance(outcome, str):
        return UNKNOWN
    return DIFFERS if outcome else SAME


class DryRuns:
    """The dry run that is on, for one process. `load` gives the rule set of a stored digest, and blocks; `active` the
    one that is served. `told` counts for the metrics, `heard` gets what is out of order."""

    def __init__(
        self,
        engine: Engine,
        load: Callable[[str], RuleSet],
        active: Callable[[], RuleSet],
        now: Callable[[], datetime.datetime],
        told: Told,
        heard: Heard,
    ) -> None:
        self._engine, self._load, self._active, self._now = engine, load, active, now
        self._told, self._heard = told, heard
        self._running: DryRun | None = None
        self._not_before = 0.0

    def seen(
        self,
        requester: Requester,
        declaration: Declaration,
        decision: Decision,
        digest: str,
        at: datetime.datetime,
    ) -> None:
        """An inquiry was decided. Costs next to nothing where no dry run is on, and never waits."""
        if self._running is not None:
            self._running.add(Seen(requester, declaration, decision, digest, at))

    async def run(self) -> None:
        """Follow the store, and compare, until cancelled; what was counted by then is stored."""
        clock = asyncio.get_running_loop().time
        looked = float("-inf")
        try:
            while True:
                if clock() - looked >= LOOK:
                    looked = clock()
                    await self.look()
                await self.work()
                await asyncio.sleep(WORK if self._running is not None else LOOK)
        finally:
            await self.work()
            await self._save()

    async def look(self) -> None:
        """Begin or end what the store asks for; and store what was counted."""
        await self.work()
        await self._save()
        try:
            wanted = await asyncio.to_thread(self._wanted)
            digest = None if wanted is None else wanted.digest
            if wanted is None or digest == self._active().digest:
                self._running = None
            elif self._running is None or self._running.run.id != wanted.id:
                self._running = None
                if asyncio.get_running_loop().time() < self._not_before:
                    return
                self._not_before = asyncio.get_running_loop().time() + AGAIN
                self._running = DryRun(wanted, await asyncio.to_thread(self._load, wanted.digest), self._active())
                self._not_before = 0.0
            self._heard("", None)
        except (SQLAlchemyError, DutyboundError) as error:
            self._heard("", f"the dry run cannot be read ({in_words(error)})")

    def _wanted(self) -> Run | None:
        with self._engine.connect() as connection:
            return dry_runs.running(connection, micros(self._now()))

    async def work(self) -> None:
        """Compare what waits."""
        running = self._running
        if running is not None and not running.idle:
            for whose, outcomes in (await asyncio.to_thread(running.work, self._active())).items():
                self._told(whose, outcomes)

    async def _save(self) -> None:
        running = self._running
        if running is None or not running.unsaved:
            return
        unsaved, running.unsaved = running.unsaved, Counter()
        try:
            await asyncio.to_thread(self._add, running.run.id, unsaved)
        except SQLAlchemyError:
            running.unsaved.update(unsaved)
            self._heard("", "what the dry run counted cannot be stored")

    def _add(self, id_: str, counts: Mapping[Counted, int]) -> None:
        with self._engine.begin() as connection:
            dry_runs.add(connection, id_, counts)
