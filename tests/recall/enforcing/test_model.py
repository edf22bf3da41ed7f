"""Recalls, answers, the clock, oversight and restarts in any order: who is suspended is as a model says.

After every step either gateway denies exactly the datasets that the model has as suspended, and advises a recall on
which that rests. A gateway that suspends too late, or ends a suspension too soon, is found.
"""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.recall.answering import answer as answering
from gateway.recall.enforcing import overdue
from gateway.storage.recall.recalls import OPEN
from tests.acts.whole.replicas import Replicas
from tests.recall.enforcing.test_suspended import denied
from tests.recall.telling import DATASET, LICENCES, PERMITS, Received, Telling
from tests.storage.conftest import Place
from tests.world import opened

HOUR = datetime.timedelta(hours=1)
PERMIT = "emission-permits"
FIELD = {DATASET: "businessLicences", PERMIT: "emissionPermits"}
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("recall"), st.sampled_from(sorted(FIELD)), st.integers(1, 3)),
        st.tuples(st.sampled_from(["applied", "refused", "passed-on"]), st.integers(0, 5), st.booleans()),
        st.tuples(st.just("later"), st.integers(0, 4), st.booleans()),
        st.tuples(st.just("end"), st.sampled_from(sorted(FIELD)), st.booleans()),
        st.tuples(st.just("restart"), st.integers(0, 1), st.booleans()),
    ),
    min_size=4,
    max_size=14,
)


@dataclasses.dataclass
class Recalled:
    """A recall, as the model has it. `later` is when it suspends; `holds`: the suspension rests on it."""

    id: str
    dataset: str
    due: datetime.datetime
    later: datetime.datetime | None
    overdue: bool = False
    done: bool = False
    holds: bool = False


class Model:
    """What is suspended, and why."""

    def __init__(self) -> None:
        self.recalls: list[Recalled] = []

    def suspended(self) -> dict[str, set[str]]:
        found = {of: {each.id for each in self.recalls if each.dataset == of and each.holds} for of in FIELD}
        return {of: ids for of, ids in found.items() if ids}

    def look(self, now: datetime.datetime) -> None:
        for each in self.recalls:
            if not each.done and each.due <= now:
                each.overdue = True
            if not each.done and each.overdue and each.later is not None and each.later <= now:
                each.holds, each.later = True, None

    def answer(self, of: Recalled) -> None:
        of.done, of.holds = True, False

    def end(self, dataset: str) -> None:
        for each in self.recalls:
            if each.dataset == dataset and each.overdue:
                each.holds, each.later = False, None


class Both:
    """The gateways and the model, step by step."""

    def __init__(self, region: Telling) -> None:
        self.region, self.model = region, Model()
        self.subject = region.firm()
        self.of: Received

    async def run(self, steps: list[tuple[Any, ...]]) -> None:
        self.of = await self.region.received(self.subject, f"{LICENCES} {PERMITS}")
        for step in steps:
            await self._step(*step)
            await self._check()

    async def _step(self, what: str, which: Any, more: Any) -> None:
        region, model = self.region, self.model
        if what == "recall":
            term = more * HOUR
            id_ = await region.told(self.of, dataset=which, term=term)
            now = region.world.now
            model.recalls.append(Recalled(id_, which, now + term, now + 2 * term))
        elif what == "later":
            await region.later(which * HOUR)
            model.look(region.world.now)
        elif what == "restart":
            await region.both.again(which, killed=more)
        elif what == "end":
            await self._end(which, confirmed=more)
        elif model.recalls:
            of = model.recalls[which % len(model.recalls)]
            region.at = int(more)
            given = {"passedOnTo": ["The Bank"]} if what == "passed-on" else {"reason": "Archives Act, Art. 3"}
            said = await region.answered(of.id, what.upper().replace("-", "_"), **given)
            assert said.code == ("STATE" if of.done and what == "refused" else "OK")
            if what != "refused":
                model.answer(of)

    async def _end(self, dataset: str, *, confirmed: bool) -> None:
        region = self.region
        rows = [each for each in region.suspensions() if each.waits and each.dataset == dataset]
        assert len(rows) == (1 if dataset in self.model.suspended() else 0)
        for row in rows:
            one, two = (region.both.who("oversight", "oversight", official=name) for name in ("o.one", "o.two"))
            await region.act(one, "endSuspension", id=row.id, reason="So it is.")
            name, more = ("confirm", {}) if confirmed else ("decline", {"reason": "It is not."})
            assert (await region.act(two, name, id=row.id, **more)).code == "OK"
            if confirmed:
                self.model.end(dataset)

    async def _check(self) -> None:
        region, expected = self.region, self.model.suspended()
        for region.at in (0, 1):
            advice = denied(await region.look(self.subject, f"{LICENCES} {PERMITS}"))
            assert set(advice) == {FIELD[of] for of in expected}
            for of, ids in expected.items():
                assert [id_ for id_ in ids if id_ in advice[FIELD[of]]], "the advice names a recall that it rests on"
        waiting = {each["id"] for each in await region.inbox(first=100)}
        assert waiting == {each.id for each in self.model.recalls if not each.done}


def histories(steps: list[tuple[Any, ...]]) -> None:
    with opened() as world:

        async def go() -> None:
            async with Replicas(world, Place(f"sqlite:///{world.path}")) as replicas:
                await Both(Telling(world, replicas)).run(steps)

        world.run(go())


SLOW = [HealthCheck.too_slow]


@settings(max_examples=12, deadline=None, suppress_health_check=SLOW)
@given(STEPS)
def test_every_history_is_as_the_model_says(steps: list[tuple[Any, ...]]) -> None:
    histories(steps)


KNOWN: list[tuple[Any, ...]] = [
    ("recall", DATASET, 1), ("recall", DATASET, 1), ("recall", PERMIT, 2), ("later", 2, True), ("refused", 0, True),
    ("restart", 0, True), ("applied", 0, False), ("applied", 1, True), ("later", 4, True), ("end", PERMIT, True),
]  # fmt: skip


def test_a_history_with_all_of_it() -> None:
    histories(KNOWN)


def _suspends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overdue.Overdue, "_later", lambda self, row: overdue.moment(row.due))


def _ends_with_the_first_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    right = answering.after_answers

    def ends(office: Any, seen: Any, actor: Any, answered: Any) -> Any:
        every = answering.recalls.several(seen.connection, OPEN)
        return right(office, seen, actor, [*answered, *every])

    monkeypatch.setattr(answering, "after_answers", ends)


def _ends_with_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    right = answering._as_answered
    answered = {"state": "acknowledged"}
    monkeypatch.setattr(answering, "_as_answered", lambda seen, row, said: right(seen, row, said)._replace(**answered))


@pytest.mark.parametrize("fault", [_suspends_at_once, _ends_with_the_first_answer, _ends_with_a_refusal])
def test_a_planted_fault_is_found(fault: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fault(monkeypatch)
    early = [("recall", DATASET, 1), ("later", 1, True)]
    with pytest.raises(AssertionError):
        histories(early if fault is _suspends_at_once else KNOWN)
