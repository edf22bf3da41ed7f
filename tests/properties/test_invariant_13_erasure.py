"""13. Payloads can be erased without breaking a proof: whatever gateways enter while subjects are erased.

Two gateways of one store enter inquiries about some subjects, one after the other or at once, while others of them are
erased. Afterwards the store is whole, nothing said of an erased subject before its erasure opens, all else does, and
every receipt ever given still verifies and says what it said.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import strategies as st
from sqlalchemy import update
from sqlalchemy.sql import ClauseElement

from gateway.errors import LedgerUnavailable, VerificationFailed
from gateway.ledger.entry import entries
from gateway.ledger.entry.parts import split
from gateway.ledger.entry.receipt import verify_receipt
from gateway.ledger.erasure import erase
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.log.shard import Shard
from gateway.ledger.proof.key_files import verifiers
from gateway.ledger.stored import read
from gateway.ledger.verify.store import verify_store
from gateway.storage import destruction
from gateway.storage.port import Store
from gateway.storage.tables import shard, subject_key
from tests.ledger.support import AT, BY, KEY, ORIGIN
from tests.ledgers import ledger_on
from tests.properties.checking import holds, is_found
from tests.stores import store_at

VERIFIERS = verifiers(KEY, ORIGIN, ["1", "2", "3"])
SUBJECTS = ("A100", "B200", "C300")


class Ask(NamedTuple):
    """An inquiry at one of the gateways about some subjects."""

    gateway: int
    subjects: tuple[str, ...]


class Erase(NamedTuple):
    """The erasure of a subject."""

    subject: str


Step = list[Ask | Erase]
"""What happens at once."""

_ASKS = st.builds(Ask, st.integers(0, 1), st.lists(st.sampled_from(SUBJECTS), min_size=1, unique=True).map(tuple))
_ERASES = st.builds(Erase, st.sampled_from(SUBJECTS))
STEPS: st.SearchStrategy[list[Step]] = st.lists(
    st.lists(st.one_of(_ASKS, _ASKS, _ERASES), min_size=1, max_size=4), min_size=2, max_size=8
)


class Said(NamedTuple):
    """What one part of an entry says, and whether it was said before or after the subject's last erasure."""

    inquiry: str
    subject: str


class Run:
    """A store with two gateways and a desk where subjects are erased, and what is to be expected of it."""

    def __init__(self, store: Store, gateways: Sequence[Ledger], desk: Ledger) -> None:
        self._store, self._gateways, self._desk = store, gateways, desk
        self.receipts: dict[str, str] = {}
        self.readable: set[Said] = set()
        self.gone: set[Said] = set()
        self._number = 0

    async def step(self, step: Step) -> None:
        """Do all of it at once. What raced with an erasure of its subject may have come before or after."""
        asks = [each for each in step if isinstance(each, Ask)]
        erased = list(dict.fromkeys(each.subject for each in step if isinstance(each, Erase)))
        before = set(self.readable)
        asked = asyncio.gather(*(self._ask(each) for each in asks))
        done = [await self._erase(subject) for subject in erased]
        await asked
        for subject in (subject for subject, carried_out in zip(erased, done, strict=True) if carried_out):
            self.gone |= {said for said in before if said.subject == subject}
        raced = {said for said in self.readable - before if said.subject in erased}
        self.readable -= raced | self.gone

    async def _ask(self, ask: Ask) -> None:
        self._number += 1
        told = entries.Inquiry(
            v=entries.VERSION,
            id=f"inquiry-{self._number}",
            at=AT,
            requester=entries.Who(*BY),
            grant=None,
            declaration=entries.Declared("LICENCE_RENEWAL", case=f"CASE-{self._number}"),
            rule_set="5ec0de",
            obligations=[],
            disclosed=[
                entries.Disclosed("organisation", "ID", value, [entries.Dataset("tax-arrears", ("amount",), ["N-1@1"])])
                for value in ask.subjects
            ],
        )
        parts = split(told)
        ledger = self._gateways[ask.gateway]
        receipt = await ledger.append(parts.told, parts.oversight, AT, BY, (), parts.subjects)
        self.receipts[told.id] = receipt.text
        self.readable |= {Said(told.id, subject) for subject in ask.subjects}

    async def _erase(self, subject: str) -> bool:
        if not destruction.keys_of(self._store.engine, "ID", subject):
            return False
        id_ = (await erase.request(self._desk, ("ID", subject), "A. Clerk", "order", "a")).id
        await erase.approve(self._desk, id_, "B. Judge", "b", (), datetime.timedelta(days=1))
        return True

    def check(self) -> None:
        """Raises `AssertionError` where the store is not as it has to be."""
        try:
            verify_store(self._store, VERIFIERS)
        except VerificationFailed as error:
            raise AssertionError(str(error)) from error
        with contextlib.closing(self._store.reader()) as reader:
            found = [
                each.read_told()
                for head in read.heads(reader)
                for each in read.read_entries(reader, head.id, 0, head.size)
            ]
        opens = {
            Said(told.id, subject.value)
            for told in found
            if isinstance(told, entries.Inquiry)
            for subject in told.disclosed
            if subject != entries.ERASED
        }
        assert not self.gone & opens, "what was said of an erased subject opens"
        assert self.readable <= opens, "what was not erased does not open"
        for id_, receipt in self.receipts.items():
            told = verify_receipt(receipt, VERIFIERS).told
            assert isinstance(told, entries.Inquiry)
            assert told.id == id_
            assert entries.ERASED not in told.disclosed
        assert {told.id for told in found if isinstance(told, entries.Inquiry)} == self.receipts.keys()


async def _run(folder: Path, steps: list[Step], in_threads: bool) -> None:
    store = store_at(folder / "ledger.db")
    if in_threads:
        store.inline_limit = -1.0
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(store.close)
        ledgers = []
        for name in ("1", "2", "3"):
            ledger = ledger_on(store, KEY, ORIGIN, shard=name)
            await ledger.start()
            stack.push_async_callback(ledger.close)
            ledgers.append(ledger)
        run = Run(store, ledgers[:2], ledgers[2])
        for step in steps:
            await run.step(step)
        run.check()


def check(steps: list[Step], in_threads: bool = False) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            asyncio.run(_run(Path(folder), steps, in_threads))
        except LedgerUnavailable as error:
            raise AssertionError(f"the ledger took no entry: {error}") from error


def test_erasing_breaks_no_proof_and_leaves_nothing() -> None:
    holds(check, STEPS, st.booleans(), examples=20)


def test_the_property_speaks_of_erasures(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would hold where nothing was ever erased, or nobody asked again."""
    seen = [0, 0]
    real = Run.check

    def counting(self: Run) -> None:
        real(self)
        seen[0] += len(self.gone)
        seen[1] += len(self.readable)

    monkeypatch.setattr(Run, "check", counting)
    holds(check, STEPS, examples=10)
    assert min(seen) > 10


# Faults


def _destroying(change: Callable[[str, Sequence[int], list[ClauseElement]], list[ClauseElement]]) -> Any:
    real = destruction.destroying

    def faulty(engine: Any, own: str, keys: Sequence[int], decided: ClauseElement) -> tuple[ClauseElement, ...]:
        return tuple(change(own, keys, list(real(engine, own, keys, decided))))

    return lambda monkeypatch: monkeypatch.setattr(destruction, "destroying", faulty)


def _of(table: Any) -> Callable[[ClauseElement], bool]:
    return lambda statement: getattr(statement, "table", None) is table


erasures_not_raised = _destroying(lambda own, keys, made: [each for each in made if not _of(shard)(each)])
keys_left = _destroying(lambda own, keys, made: [each for each in made if not _of(subject_key)(each)])
one_key_too_many = _destroying(
    lambda own, keys, made: [*made, update(subject_key).values(scheme=None, value=None, secret=None)]
)
one_key_left = _destroying(
    lambda own, keys, made: [
        update(subject_key).where(subject_key.c.id.in_(keys[:1])).values(scheme=None, value=None, secret=None)
        if _of(subject_key)(each)
        else each
        for each in made
    ]
)


def shard_remembers_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shard that finds its head superseded goes on with the keys that it knew."""
    real = Shard.recover

    async def faulty(self: Any) -> None:
        known = dict(self._keyring._subjects)
        await real(self)
        self._keyring._subjects = known

    monkeypatch.setattr(Shard, "recover", faulty)


@pytest.mark.parametrize(
    "plant",
    [
        pytest.param(erasures_not_raised, id="erasures not raised"),
        pytest.param(keys_left, id="keys left"),
        pytest.param(one_key_left, id="one key left"),
        pytest.param(one_key_too_many, id="others' keys destroyed"),
        pytest.param(shard_remembers_keys, id="a shard remembers keys"),
    ],
)
def test_the_property_fails_when_a_fault_is_planted(
    monkeypatch: pytest.MonkeyPatch, plant: Callable[[pytest.MonkeyPatch], None]
) -> None:
    plant(monkeypatch)
    is_found(check, STEPS, examples=60)
