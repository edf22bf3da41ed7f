"""Entries that a later version wrote, among those of this one, on both stores: every reader goes on over them.

They are appended, projected, verified, exported and proved; after a restart the counts, receipts, places and detectors
are those of the entries that are known.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, update

from gateway.errors import VerificationFailed
from gateway.inquiry.beside import past
from gateway.ledger.commands import export
from gateway.ledger.entry import describe, entries
from gateway.ledger.entry.parts import SubjectParts
from gateway.ledger.entry.receipt import verify_receipt
from gateway.ledger.entry.unknown import Tally
from gateway.ledger.erasure.entered import read_said
from gateway.ledger.export import as_csv, as_fhir, package_check, package_write
from gateway.ledger.export.select import Chosen, choose, one
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.projections.lookups import keys_of, places_of, who_looked
from gateway.ledger.projections.positions import Place
from gateway.ledger.projections.projector import Projector
from gateway.ledger.proof.note import Signer
from gateway.ledger.proof.tlog_proof import Receipt
from gateway.ledger.stored import history
from gateway.ledger.verify.store import verify_store
from gateway.storage.port import Store
from gateway.storage.projections.tables import looked
from gateway.storage.tables import SHARD_BITS, micros, subject_key
from gateway.watch.follow import Follower, turns
from tests.ledger.later import Later, later
from tests.ledger.projecting import SUBJECTS, Asked, enter
from tests.ledger.support import AT, BY, KEY, ORIGIN, VERIFIERS, opened
from tests.watch.looks import dates, shipped


class Entered(NamedTuple):
    place: Place
    made: Later
    receipt: Receipt


async def append(ledger: Ledger, made: Later) -> Entered:
    receipt = await ledger.append(made.told, made.oversight, made.at, BY, (), made.subjects)
    return Entered(Place(micros(ledger.floor), (1 << SHARD_BITS) + receipt.index), made, receipt)


async def enter_all(store: Store, several: list[Later | None], known: list[Place]) -> list[Entered]:
    """Enter them in a ledger of their own; None is an inquiry about the first subject, kept in `known`."""
    found = []
    async with opened(store) as ledger:
        for each in several:
            if each is None:
                at = max(ledger.floor, AT)
                known.append(await enter(ledger, Asked(), len(known), at))
            else:
                found.append(await append(ledger, each))
    return found


def projected(store: Store) -> None:
    projector = Projector(store)
    assert next(count for count in range(1000) if not projector.turn()) > 0
    assert projector.stopped == {}
    projector.close()


def check(store: Store, later_ones: list[Entered], known: list[Place]) -> None:
    """What every reader makes of the store."""
    tally = Tally()
    [whole] = verify_store(store, VERIFIERS, unknown=tally)
    assert (whole.size, len(tally)) == (len(later_ones) + len(known), len(later_ones))
    with contextlib.closing(store.reader()) as reader:
        for subject in SUBJECTS:
            about = [each.place for each in later_ones if subject in each.made.about]
            expected = sorted(about + (known if subject == SUBJECTS[0] else []))
            for exact in (False, True):
                assert who_looked(reader, *subject, exact=exact) == (expected, 0, None)
            lacking: list[int] = []
            chosen = list(choose(reader, entries.Looked(*subject), None, lacking.append))
            named = [each.place for each in later_ones if subject in each.made.named]
            found = [(each.head.id << SHARD_BITS) + each.entry.index for each in chosen]
            assert found == sorted(each.entry for each in [*named, *(known if subject == SUBJECTS[0] else [])])
            assert lacking == []
            exported("".join(as_csv.as_csv(chosen)), "".join(as_fhir.as_ndjson(chosen)), chosen)
        assert list(places_of(*BY, "m.ivanova")(reader, (0, 0))) == known
    for each in later_ones:
        told = verify_receipt(each.receipt.text, VERIFIERS).told
        assert isinstance(told, entries.Unknown)
        assert told.id == each.made.id
    mine = history.own(store, history.everybodys(*BY), lambda entry: True, first=1000)
    assert len(mine) == len(later_ones) + len(known)
    assert {past.receipt(own)["id"] for own in mine} >= {each.made.id for each in later_ones}
    counted = history.entered_since(store, AT - datetime.timedelta(days=1), past.counted)
    assert len(counted) == len(known)


def exported(csv: str, fhir: str, chosen: list[Chosen]) -> None:
    for each in chosen:
        if isinstance(each.told, entries.Unknown):
            assert describe.kind(each.told) in csv
            assert describe.kind(each.told) in fhir


def test_every_reader_goes_on(store: Store) -> None:
    later_ones: list[Entered] = []
    known: list[Place] = []

    @settings(max_examples=8, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.none() | later(), min_size=1, max_size=6))
    def holds(several: list[Later | None]) -> None:
        fresh = asyncio.run(enter_all(store, several, known))
        later_ones.extend(fresh)
        projected(store)
        check(store, later_ones, known)
        follower = Follower(store, shipped(), dates(), ("SUBJECT_ACCESS",))
        assert (sum(turns(follower)), follower.passed_over) == (len(several), len(fresh))

    holds()
    assert later_ones
    assert known


MADE = Later(
    msgspec.json.encode({"kind": "later", "v": 2, "id": "e-1", "at": AT, "requester": entries.Who(*BY), "x": [1]}),
    b'{"v":2}',
    (),
    AT,
    "e-1",
)


def of(*places: int) -> Later:
    subjects = []
    for scheme, value in (SUBJECTS[place] for place in places):
        told = msgspec.json.encode({"scheme": scheme, "value": value})
        subjects.append(SubjectParts(scheme, value, told, b"{}"))
    return MADE._replace(subjects=tuple(subjects))


def _row_removed(store: Store) -> None:
    with store.engine.begin() as connection:
        connection.execute(delete(looked))


def _keys_swapped(store: Store) -> None:
    with store.engine.begin() as connection:
        for before, after in ((SUBJECTS[0], "x"), (SUBJECTS[1], SUBJECTS[0][1]), (("", "x"), SUBJECTS[1][1])):
            connection.execute(update(subject_key).where(subject_key.c.value == before[1]).values(value=after))


FAULTS: dict[str, Callable[[Store], None]] = {
    "missing from the projection `looked`": _row_removed,
    "the key of its part about a subject is another's": _keys_swapped,
}


@pytest.mark.parametrize("says", FAULTS)
def test_a_fault_beside_one_is_found(store: Store, says: str) -> None:
    asyncio.run(enter_all(store, [of(0), of(1, 0)], []))
    projected(store)
    verify_store(store, VERIFIERS)
    FAULTS[says](store)
    with pytest.raises(VerificationFailed, match=says):
        verify_store(store, VERIFIERS)


def test_a_subject_is_not_erased_past_one(store: Store) -> None:
    """What it says may be that something is open."""
    asyncio.run(enter_all(store, [of(0), None], []))
    with contextlib.closing(store.reader()) as reader:
        keys = {subject: list(keys_of(reader, *subject).values()) for subject in SUBJECTS[:2]}
    assert read_said(store, SUBJECTS[1], keys[SUBJECTS[1]]).holds == []
    with pytest.raises(VerificationFailed, match=r"entry 0 is about the subject, and of a kind .* know \(`later`\)"):
        read_said(store, SUBJECTS[0], keys[SUBJECTS[0]])


def test_a_package_says_how_many_it_has(store: Store, tmp_path: Path) -> None:
    async def enter_view() -> tuple[entries.View, Receipt]:
        def view(at: datetime.datetime) -> entries.View:
            looked_at = entries.Looked(*SUBJECTS[0])
            said = ("A. Auditor", "why", looked_at, ("told", "oversight"), "package")
            return entries.View(entries.VERSION, "view-1", at, entries.Who("", "command line"), *said)

        async with opened(store) as ledger:
            return await export.enter(ledger, view)

    asyncio.run(enter_all(store, [of(0), None, of(1)], []))
    view, receipt = asyncio.run(enter_view())
    with contextlib.closing(store.reader()) as reader:
        own = one(reader, receipt.shard, receipt.index)
        chosen = [own, *(each for each in choose(reader, view.looked) if each.entry.index != receipt.index)]
    path = tmp_path / "evidence.zip"
    with package_write.opened(path) as sink:
        at = (receipt.shard, receipt.index)
        package_write.write_package(sink, view, at, chosen, ("", {}), Signer(f"{ORIGIN}/1", KEY))
    found = package_check.check_package(path, VERIFIERS)
    assert (found.manifest.entries, len(found.unknown)) == (3, 1)
