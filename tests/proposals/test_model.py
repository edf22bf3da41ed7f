"""Proposals, approvals, activations and rollbacks by several people and times, in any order, as a model says.

The model knows nothing of how it is done: who approved what, over which base, until when. No set becomes active but
where two others approved exactly its digest and base, both fresh; and where they did, nothing keeps it from that.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import Refusal
from gateway.proposals import judging
from gateway.proposals.judging import Judged
from gateway.storage.rules.proposals import Approval, Proposal
from tests.proposals.room import CLOSED, NARROWED, NOTHING, OTHERS, Edit, Room, archive, room_on, rules_of
from tests.storage.conftest import Place

SETS: tuple[Edit, ...] = (NOTHING, CLOSED, NARROWED, OTHERS)
PEOPLE = ("costa", "ilves", "olsen", "fontaine", "nobody")
OFFICERS = ({"costa", "ilves", "olsen"}, {"costa", "olsen", "fontaine"})
"""Of a set, and of `OTHERS`, in which one officer's place was taken."""
_which = st.integers(0, 3)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("propose"), st.sampled_from(range(len(SETS))), st.sampled_from(PEOPLE)),
        st.tuples(st.just("approve"), _which, st.sampled_from(PEOPLE), st.sampled_from((2, 24, 24 * 7)), st.booleans()),
        st.tuples(st.just("approve"), _which, st.sampled_from(PEOPLE), st.just(24 * 7), st.just(True)),
        st.tuples(st.just("activate"), _which, st.sampled_from(PEOPLE)),
        st.tuples(st.just("roll back"), st.integers(1, 4), st.sampled_from(PEOPLE)),
        st.tuples(st.just("wait"), st.sampled_from((1, 5, 30))),
    ),
    min_size=6,
    max_size=30,
)


@dataclasses.dataclass
class Proposed:
    """A proposal, as the model has it."""

    id: str
    edit: int
    author: str
    epoch: int
    approved: dict[str, list[tuple[datetime.datetime, datetime.datetime]]]


class Model:
    """The people, the sets that were active, and what was proposed over which."""

    def __init__(self, room: Room) -> None:
        self.room, self.past, self.proposed = room, [0], list[Proposed]()

    @property
    def officers(self) -> set[str]:
        return OFFICERS[SETS[self.past[-1]] is OTHERS]

    def fresh(self, of: Proposed) -> set[str]:
        """Who approved it, so that it counts now."""
        now = self.room.desk.now
        people = {who for who, spans in of.approved.items() if any(since <= now < until for since, until in spans)}
        return {who for who in people if who in self.officers and who != of.author}

    def current(self, of: Proposed) -> bool:
        return of.epoch == len(self.past)

    async def step(self, what: str, *given: Any) -> None:
        await {
            "propose": self.propose, "approve": self.approve, "activate": self.activate, "roll back": self.roll_back,
            "wait": self.wait,
        }[what](*given)  # fmt: skip
        assert self.room.active == rules_of(archive(SETS[self.past[-1]])).digest
        assert self.room.looking.active().epoch == len(self.past)

    async def wait(self, hours: int) -> None:
        self.room.wait(hours=hours)

    async def propose(self, edit: int, by: str) -> None:
        waits = any(each.edit == edit and self.current(each) for each in self.proposed)
        try:
            id_ = await self.room.propose(SETS[edit], by)
        except Refusal:
            assert waits or edit == self.past[-1]
            return
        assert not waits
        assert edit != self.past[-1]
        self.proposed.append(Proposed(id_, edit, by, len(self.past), {}))

    async def approve(self, which: int, by: str, hours: int, exactly: bool) -> None:
        if not self.proposed:
            return
        of = self.proposed[-1 - which % len(self.proposed)]
        until = self.room.desk.now.replace(microsecond=0) + datetime.timedelta(hours=hours)
        other = {} if exactly else {"digest": rules_of(archive(SETS[(of.edit + 1) % len(SETS)])).digest}
        may = exactly and self.current(of) and by in self.officers - {of.author} - self.fresh(of)
        try:
            await self.room.approve(of.id, by, until=until, **other)
        except Refusal:
            assert not may
            return
        assert may
        of.approved.setdefault(by, []).append((self.room.desk.now, until))

    async def activate(self, which: int, by: str) -> None:
        if not self.proposed:
            return
        of = self.proposed[-1 - which % len(self.proposed)]
        may = self.current(of) and len(self.fresh(of)) >= 2 and by in self.officers
        try:
            await self.room.activate(of.id, by)
        except Refusal:
            assert not may
            return
        assert may, f"set {of.edit} is active, and {self.fresh(of)} approved it"
        self.past.append(of.edit)

    async def roll_back(self, epoch: int, by: str) -> None:
        may = epoch <= len(self.past) and self.past[epoch - 1] != self.past[-1] and by in self.officers
        try:
            await self.room.roll_back(epoch, by)
        except Refusal:
            assert not may
            return
        assert may
        self.past.append(self.past[epoch - 1])


async def _play(place: Place, steps: list[tuple[Any, ...]]) -> None:
    async with room_on(place.open()) as room:
        model = Model(room)
        for step in steps:
            await model.step(*step)
        room.verify()


def _checked(place: Place, examples: int) -> Callable[[], None]:
    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(STEPS)
    def check(steps: list[tuple[Any, ...]]) -> None:
        copy = place.copy()
        asyncio.run(_play(copy, steps))
        copy.close()

    return check


def test_every_history_is_as_the_model_says(place: Place) -> None:
    _checked(place, 10 if place.kind == "sqlite" else 4)()


WHOLE = [
    ("propose", 1, "olsen"), ("approve", 0, "costa", 2, True), ("approve", 0, "olsen", 24, True), ("wait", 5),
    ("approve", 0, "ilves", 24, True), ("activate", 0, "olsen"), ("approve", 0, "costa", 24, True),
    ("activate", 0, "olsen"), ("propose", 3, "costa"), ("roll back", 1, "ilves"), ("activate", 0, "olsen"),
]  # fmt: skip
"""A history in which each fault below shows."""


def test_a_history_that_has_everything(place: Place) -> None:
    asyncio.run(_play(place, WHOLE))


def _forgets_expiry(row: Proposal, given: Any, officers: Any, now: datetime.datetime) -> Judged:
    return _judged(row, [each._replace(expires=1 << 62) for each in given], officers, now)


def _forgets_authors(row: Proposal, given: Any, officers: Any, now: datetime.datetime) -> Judged:
    mine = Approval("x", row.id, "officer", row.officer, b"author", row.at, 1 << 62, 0)
    return _judged(row, [*given, mine], officers, now)


_judged = judging.judged


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
@pytest.mark.parametrize("fault", [_forgets_expiry, _forgets_authors])
def test_the_model_finds_a_planted_fault(place: Place, monkeypatch: pytest.MonkeyPatch, fault: Any) -> None:
    for module in ("acts", "enacting", "looking"):
        monkeypatch.setattr(f"gateway.proposals.{module}.judged", fault)
    with pytest.raises(AssertionError):
        asyncio.run(_play(place, WHOLE))
