"""Whatever is interleaved, a disclosure from facts older than a change is found for that change (Art. 47).

An inquiry reads its facts, a change commits, the inquiry's entry commits, the projector reads and writes: in any order,
any number of each, over two shards. Whoever tells past recipients asks as `gateway.ledger.projections.recipients` says.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from connectors.base import Subject
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.projections import positions, projector
from gateway.ledger.projections.positions import Place
from gateway.ledger.projections.projector import Projector
from gateway.ledger.projections.recipients import raced, recipients, sizes
from gateway.storage.port import Store
from gateway.storage.projections import projecting as kept
from gateway.storage.subjects import facts
from tests.drawn import examples
from tests.ledger.projecting import DATASETS, SUBJECTS, Asked, enter
from tests.ledger.support import AT, opened
from tests.stores import store_at

ORGANISATION = Subject("organisation", *SUBJECTS[0])

READ, CHANGE, ENTER, TAKE, KEEP, LOOK = (
    "read",
    "change",
    "enter",
    "project-read",
    "project-write",
    "look",
)
STEPS = st.lists(
    st.tuples(st.sampled_from([READ, CHANGE, ENTER, TAKE, KEEP, LOOK]), st.integers(0, 3)),
    min_size=4,
    max_size=30,
)


class Changed(NamedTuple):
    """A change, and the sizes of the shards that were read after its commit."""

    number: int
    record: str | None
    sizes: dict[int, int]


class History:
    """The store while the steps run, and what has to be found in it afterwards."""

    def __init__(self, store: Store, ledgers: list[Ledger]) -> None:
        self.store, self.ledgers = store, ledgers
        self.projector = Projector(store, batch=2)
        self.waiting: list[tuple[int, int]] = []
        self.disclosed: list[tuple[Place, int, int]] = []
        self.changes: list[Changed] = []
        self.found: dict[int, set[Place]] = {}
        self.taken: tuple[projector.Work, list[projector.Seen]] | None = None

    async def step(self, what: str, number: int) -> None:
        if what == READ:
            with contextlib.closing(self.store.facts()) as source:
                rows = source.read([SUBJECTS[0]])
                assert not isinstance(rows, asyncio.Future)
                self.waiting.append((rows[0][0], number))
        elif what == CHANGE:
            self._change(number)
        elif what == ENTER and self.waiting:
            known, record = self.waiting.pop(number % len(self.waiting))
            asked = Asked(subjects=(0, 1), records=((record, 1),), facts=known)
            place = await enter(self.ledgers[number % 2], asked, len(self.disclosed))
            self.disclosed.append((place, known, record))
        elif what == TAKE:
            self.taken = self.projector.read()
        elif what == KEEP and self.taken is not None:
            self.projector.write(*self.taken)
            self.taken = None
        elif what == LOOK:
            self.look()

    def _change(self, number: int) -> None:
        if number == 3:
            opted = facts.set_opt_out(self.store.engine, ORGANISATION, DATASETS[0], True, AT)
            opted = opted or facts.set_opt_out(self.store.engine, ORGANISATION, DATASETS[0], False, AT)
            assert opted is not None
            change, record = opted.change, None
        else:
            record = f"R-0-{number}"
            change = facts.withdraw(self.store.engine, ORGANISATION, DATASETS[0], record, AT).change
        with contextlib.closing(self.store.reader()) as reader:
            self.changes.append(Changed(change, record, sizes(reader)))

    def look(self) -> None:
        """Ask for each change, once the projector has passed its sizes."""
        with contextlib.closing(self.store.reader()) as reader:
            for change in self.changes:
                if change.number not in self.found and positions.passed(reader, "received", change.sizes):
                    got = recipients(reader, *SUBJECTS[0], DATASETS[0], change.record, before_facts=change.number)
                    self.found[change.number] = {each.place for each in got.found}

    def missed(self) -> list[tuple[int, Place]]:
        """Disclosures from facts older than a change that nobody was told of."""
        while self.projector.turn():
            pass
        self.look()
        missed = []
        with contextlib.closing(self.store.reader()) as reader:
            for change in self.changes:
                late = {each.place for each in raced(reader, change.number) if each.subject == SUBJECTS[0]}
                assert late <= {place for place, known, _ in self.disclosed if known < change.number}
                for place, known, record in self.disclosed:
                    concerns = change.record in (None, f"R-0-{record}")
                    if concerns and known < change.number and place not in self.found[change.number] | late:
                        missed.append((change.number, place))
        return missed


async def missed(steps: list[tuple[str, int]]) -> list[tuple[int, Place]]:
    with tempfile.TemporaryDirectory() as folder:
        store = store_at(Path(folder) / "store.db")
        try:
            async with opened(store) as one, opened(store) as other:
                history = History(store, [one, other])
                for what, number in steps:
                    await history.step(what, number)
                return history.missed()
        finally:
            store.close()


@settings(max_examples=examples(20, 40))
@given(steps=STEPS)
def test_no_disclosure_that_raced_a_change_is_missed(steps: list[tuple[str, int]]) -> None:
    assert asyncio.run(missed(steps)) == []


PROJECTED = [(READ, 1), (ENTER, 1), (TAKE, 0), (KEEP, 0)]
RACED = [(READ, 1), (CHANGE, 1), (LOOK, 0), (ENTER, 1)]


@pytest.mark.parametrize("fault", ["no-facts", "facts-of-before"])
def test_the_property_fails_when_a_fault_is_planted(monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    steps = [*PROJECTED, *RACED, (TAKE, 0), (KEEP, 0)]
    assert asyncio.run(missed(steps)) == []
    right, answers = kept.changes_since, []

    def wrong(engine: Engine, low: int, subjects: Iterable[tuple[str, str]]) -> list[kept.Changed]:
        answers.append([] if fault == "no-facts" else right(engine, low, subjects))
        return answers[0]

    monkeypatch.setattr(kept, "changes_since", wrong)
    assert len(asyncio.run(missed(steps))) == 1
    assert len(answers) == 2
