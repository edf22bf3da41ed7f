"""Answers, changes, races and restarts, and processes that end in between: who is recalled is as a model says.

Whoever received a record in a version that a change concerns, from facts before it, is asked for as much as the change
asks for; nobody else is asked for anything; and nobody is asked twice for the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.ledger.acting.planned import Planned
from gateway.recall.selecting import making
from gateway.recall.selecting import select as selecting
from gateway.recall.selecting.select import Selecting
from tests.acts.desk import desk_on, organisation
from tests.acts.test_changes import report, system
from tests.recall.room import WAIT, Room, named
from tests.stores import store_at

CLIENTS = (("market-regulator", "TENDER_QUALIFICATION"), ("civil-court", "COURT_ENFORCEMENT"))
RECORDS = ("N-1", "N-2")

Step = tuple[str, int, int]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("answer"), st.integers(0, 3), st.integers(0, 2)),
        st.tuples(st.just("corrected"), st.integers(0, 1), st.just(0)),
        st.tuples(st.just("withdrawn"), st.integers(0, 1), st.just(0)),
        st.tuples(st.just("select"), st.just(0), st.integers(0, 4)),
        st.tuples(st.just("restart"), st.just(0), st.just(0)),
    ),
    min_size=4,
    max_size=16,
)


class Given(NamedTuple):
    """An answer: its inquiry, the record, its version, and the change number of its facts."""

    inquiry: str
    record: str
    version: int
    known: int


class Change(NamedTuple):
    number: int
    record: str
    version: int | None
    """The one that came in force; None where the record was withdrawn."""


class Model:
    """What happened; each record's version is of its last correction."""

    def __init__(self) -> None:
        self.answers: list[Given] = []
        self.changes: list[Change] = []
        self.now = 0
        self.versions = dict.fromkeys(RECORDS, 1)
        self.gone: set[str] = set()

    def asked(self, answer: Given) -> set[str]:
        """What changes ask of an answer's recipient."""
        return {
            "delete" if each.version is None else "update"
            for each in self.changes
            if each.record == answer.record
            and (answer.known < each.number or self._superseded(answer.version, each))
            and (each.version is None or answer.version < each.version)
        }

    def _superseded(self, version: int, change: Change) -> bool:
        """Whether somebody received this version before it was corrected: then it is old wherever it is given again."""
        return change.version is not None and any(
            each.record == change.record and each.version == version and each.known < change.number
            for each in self.answers
        )

    def check(self, room: Room) -> None:
        made: dict[str, list[str]] = {}
        for inquiry, _, action, records in named(room.recalls()):
            (answer,) = [each for each in self.answers if each.inquiry == inquiry]
            assert records == [f"{answer.record}@{answer.version}"]
            made.setdefault(inquiry, []).append(action)
        for answer in self.answers:
            wanted, asked = self.asked(answer), made.get(answer.inquiry, [])
            assert len(asked) == len(set(asked)), f"{answer} is asked twice: {asked}"
            assert set(asked) <= wanted, f"{answer} is asked for {asked}, and nothing asks for that"
            if wanted:
                assert "delete" in asked or wanted == {"update"}, f"{answer} is to be deleted: {asked}"
                assert asked, f"{answer} is missed"
        last: dict[str, list[int]] = {}
        for row in room.recalls():
            last.setdefault(row.client, []).append(row.sequence)
        for numbers in last.values():
            assert sorted(numbers) == list(range(1, len(numbers) + 1))


class Ended(Exception):
    """The process that selects ended in between."""


async def run(steps: list[Step], folder: Path) -> None:
    """Play steps, and hold what stands at the end to the model."""
    with contextlib.closing(store_at(folder / "ledger.db")) as store:
        async with desk_on(store) as desk:
            room, model, who = Room(desk), Model(), organisation()
            for what, one, other in [*steps, ("select", 0, 0)]:
                desk.now += WAIT / 10
                if what == "answer":
                    record = RECORDS[one % 2]
                    known = max(0, model.now - other)
                    version = max(1, model.versions[record] - (other == 2))
                    client, purpose = CLIENTS[one // 2]
                    told = await room.answer(who, f"{record}@{version}", client=client, purpose=purpose, known=known)
                    model.answers.append(Given(told, record, version, known))
                elif what == "restart":
                    room.selecting = Selecting(desk.office)
                elif what == "select":
                    await selected(room, other)
                elif RECORDS[one] not in model.gone:
                    await changed(room, model, who, what, RECORDS[one])
            await selected(room, 0)
            model.check(room)


async def changed(room: Room, model: Model, who, what: str, record: str) -> None:  # type: ignore[no-untyped-def]
    more = {"record": {"dataset": "tax-arrears", "record": record}}
    number = model.now + 1
    if what == "corrected":
        model.versions[record] += 1
        model.now += 2
        more["newVersion"] = str(model.versions[record])  # type: ignore[assignment]
    else:
        model.gone.add(record)
        model.now += 1
    await room.desk.ask(system(room.desk), "reportChange", **report(who, what.upper(), **more))
    model.changes.append(Change(number, record, model.versions[record] if what == "corrected" else None))


async def selected(room: Room, ends_after: int) -> None:
    """Select; with a number, the process ends after so many acts, and another goes on later."""
    writer, act = room.desk.writer, room.desk.writer.act
    left = [ends_after]

    async def ending(planned: Planned):  # type: ignore[no-untyped-def]
        left[0] -= 1
        if left[0] < 0:
            raise Ended
        return await act(planned)

    if ends_after:
        writer.act = ending  # type: ignore[method-assign]
    try:
        with contextlib.suppress(Ended):
            await room.select()
    finally:
        writer.act = act  # type: ignore[method-assign]
    if ends_after:
        room.selecting = Selecting(room.desk.office)


def played(steps: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(steps, Path(folder)))


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(STEPS)
def test_who_is_recalled_is_as_the_model_says(steps: list[Step]) -> None:
    played(steps)


RACE: list[Step] = [("answer", 0, 0), ("corrected", 0, 0), ("select", 0, 1), ("answer", 0, 2), ("withdrawn", 0, 0)]


def test_a_scene_of_all_of_it_is_as_the_model_says() -> None:
    played([*RACE, ("restart", 0, 0), ("answer", 2, 1), ("select", 0, 0), ("answer", 0, 1)])


@pytest.mark.parametrize(
    "fault", ["raced are not asked for", "all that a job is about", "asked again", "no entry is opened"]
)
def test_a_planted_fault_is_found(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = list(RACE)
    if fault == "raced are not asked for":
        monkeypatch.setattr(selecting, "raced_since", lambda reader, since: [])
        steps = [("withdrawn", 0, 0), ("select", 0, 0), ("answer", 0, 1)]
    elif fault == "all that a job is about":
        whole = selecting.touched
        monkeypatch.setattr(
            selecting,
            "touched",
            lambda job, share, facts, newer=(): whole(job._replace(change=None, new_version=None), share, None, newer),
        )
        steps = [("corrected", 0, 0), ("answer", 0, 0)]
    elif fault == "asked again":
        monkeypatch.setattr(making, "left", lambda action, items, told, disputed: tuple(items))
        steps = [("answer", 0, 0), ("corrected", 0, 0), ("corrected", 0, 0)]
    else:
        monkeypatch.setattr(selecting, "opened_at", lambda reader, ids: {})
    with pytest.raises(AssertionError):
        played(steps)
