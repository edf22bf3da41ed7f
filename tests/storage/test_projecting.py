"""The projections on both stores: what they say is what a straight scan says, wherever they stand; and races."""

from __future__ import annotations

import contextlib
import datetime
from typing import Any

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.sql import ClauseElement

from gateway.errors import PastIncomplete
from gateway.ledger.projections import lookups, positions
from gateway.ledger.projections.lookups import by_official, by_requester_and_purpose, who_looked
from gateway.ledger.projections.projector import Projector
from gateway.ledger.projections.recipients import Raced, raced, recipients, sizes
from gateway.ledger.stored import read
from gateway.storage import destruction
from gateway.storage.port import Reader, Store
from gateway.storage.projections import counted as counts
from gateway.storage.projections import projecting as kept
from gateway.storage.projections import tables
from gateway.storage.projections.tables import DROPPING, NAMES
from gateway.storage.subjects import facts
from tests.ledger import projecting
from tests.ledger.pair import OTHER, disclosed_pair, erase
from tests.ledger.projecting import (
    CLIENTS,
    DATASETS,
    PURPOSES,
    SUBJECTS,
    Asked,
    acted_of,
    asked_of,
    check,
    enter,
    enter_all,
    looks_of,
    reached,
    received_of,
    rows,
    whole,
)
from tests.ledger.support import AT, SUBJECT, opened
from tests.storage.projected import ISSUER, LOG, OFFICIAL, ORGANISATION, turns


@pytest.mark.parametrize("batch", [1, 2, 100])
async def test_it_says_what_a_scan_says_wherever_it_stands(store: Store, batch: int) -> None:
    projector = Projector(store, batch)
    async with opened(store) as ledger, opened(store) as other:
        await enter_all(ledger, LOG)
        await enter_all(other, LOG[:3])
        check(store)
        while not whole(store):
            assert projector.turn()
            check(store)
        assert not projector.turn()
        await enter(ledger, LOG[1], 99, AT + datetime.timedelta(hours=1))
        assert not whole(store)
        check(store)
        assert projector.turn()
        assert whole(store)
    check(store)
    projector.close()


async def test_how_far_it_is_behind_is_said_and_nothing_is_made_up(store: Store) -> None:
    async with opened(store) as ledger:
        await enter_all(ledger, LOG)
    with contextlib.closing(store.reader()) as reader:
        assert who_looked(reader, *SUBJECTS[0]) == ([], len(LOG), projecting.micros(AT))
        assert recipients(reader, *SUBJECTS[0], DATASETS[0]).behind == len(LOG)
        assert not positions.passed(reader, "received", sizes(reader))
        assert [(lag.projection, lag.shard, lag.entries) for lag in positions.lags(reader)] == [
            (name, "1", len(LOG)) for name in NAMES
        ]
        assert {lag.since for lag in positions.lags(reader)} == {projecting.micros(AT)}
    Projector(store, 4).turn()
    with contextlib.closing(store.reader()) as reader:
        assert [lag.entries for lag in positions.lags(reader)] == [len(LOG) - 4] * len(NAMES)
        found = who_looked(reader, *SUBJECTS[0])
        assert (len(found.places), found.behind) == (2, len(LOG) - 4)
    turns(Projector(store))
    with contextlib.closing(store.reader()) as reader:
        assert [lag[2:] for lag in positions.lags(reader)] == [(0, None)] * len(NAMES)
        assert positions.passed(reader, "received", sizes(reader))


async def test_an_exact_read_of_a_long_tail_is_bounded_and_says_up_to_when_nothing_is_missing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookups, "_SETTLED", 0)
    async with opened(store) as ledger, opened(store) as other:
        await enter_all(ledger, LOG + LOG[:6])
        await enter_all(other, LOG)
    for projected in (0, 5):
        if projected:
            Projector(store, projected).turn()
        for most in (0, 1, 3, 8, 19, 20, 1000):
            monkeypatch.setattr(positions, "MOST_BEHIND", most)
            monkeypatch.setattr(lookups, "MOST_OPENED", most)
            with contextlib.closing(store.reader()) as reader:
                bounded(reader, 2 * len(LOG) + 6 - projected, most)
    turns(Projector(store))
    with contextlib.closing(store.reader()) as reader:
        assert who_looked(reader, *SUBJECTS[0], exact=True) == (looks_of(reader, SUBJECTS[0]), 0, None)


def bounded(reader: Reader, tail: int, most: int) -> None:
    """Of so many entries that are not projected `most` are read, and what is given is all up to a moment."""
    looks = who_looked(reader, *SUBJECTS[0], exact=True)
    asked = by_requester_and_purpose(reader, ISSUER, CLIENTS[0], PURPOSES[0], exact=True)
    given = recipients(reader, *SUBJECTS[0], DATASETS[0], exact=True)
    acted: list[positions.Place] = []
    told = ""
    try:
        acted.extend(by_official(reader, ISSUER, CLIENTS[0], OFFICIAL))
    except PastIncomplete as error:
        told = str(error)
    assert looks.behind == given.behind == max(0, tail - most)
    assert (looks.until is None) is (looks.behind == 0)
    assert looks.places == [each for each in looks_of(reader, SUBJECTS[0]) if positions.before(each, looks.until)]
    assert [each.place for each in given.found] == [
        place for place, *_ in received_of(reader, SUBJECTS[0], DATASETS[0]) if positions.before(place, given.until)
    ]
    assert asked.places == [
        each for each in asked_of(reader, CLIENTS[0], PURPOSES[0]) if positions.before(each, asked.until)
    ]
    every = acted_of(reader, CLIENTS[0], OFFICIAL)
    assert acted == every if not told else acted == every[: len(acted)]
    assert bool(told) is (asked.until is not None)
    assert asked.until is None or read.moment(asked.until).isoformat() in told


async def test_pages_are_of_the_size_that_is_asked_for_and_join_up(store: Store) -> None:
    async with opened(store) as ledger:
        await enter_all(ledger, LOG * 3)
        Projector(store, 11).turn()
    with contextlib.closing(store.reader()) as reader:
        every = who_looked(reader, *SUBJECTS[0], exact=True).places
        after, joined = positions.START, []
        while page := who_looked(reader, *SUBJECTS[0], after, 2, exact=True).places:
            assert len(page) == 2 or page[-1] == every[-1]
            joined += page
            after = page[-1]
    assert joined == every
    assert len(every) == 12


async def test_recipients_by_record_version_and_field(store: Store) -> None:
    async with opened(store) as ledger:
        first, _, _, last = await enter_all(
            ledger,
            [
                Asked(facts=3),
                Asked(1, subjects=(1,)),
                Asked(1, records=()),
                Asked(2, records=((1, 2), (2, 1)), facts=7),
            ],
        )
    turns(Projector(store))
    with contextlib.closing(store.reader()) as reader:

        def places(record: str | None = None, **more: Any) -> list[positions.Place]:
            return [each.place for each in recipients(reader, *SUBJECTS[0], DATASETS[0], record, **more).found]

        assert places() == [first, last]
        assert places("R-0-1") == [first, last]
        assert places("R-0-1", version="2") == [last]
        assert places("R-0-2") == [last]
        assert places("R-0") == []
        assert places("R-0-1", field="amount") == [first, last]
        assert places("R-0-1", field="currency") == []
        assert places("R-0-1", before_facts=7) == [first]
        assert places("R-0-1", before_facts=3) == []
        [given] = recipients(reader, *SUBJECTS[0], DATASETS[0], "R-0-1", version="2").found
        assert (given.client, given.facts, given.records, given.fields) == (
            "environment-agency",
            7,
            ("R-0-1@2",),
            ("amount", "period"),
        )


@pytest.mark.parametrize("kind", ["withdrawal", "opt-out", "consent", "objection-decided", "another-record"])
async def test_a_disclosure_that_raced_a_change_is_found_and_no_other(store: Store, kind: str) -> None:
    def change() -> int:
        if kind == "withdrawal":
            return facts.withdraw(store.engine, ORGANISATION, DATASETS[0], "R-0-1", AT).change
        if kind == "opt-out":
            written = facts.set_opt_out(store.engine, ORGANISATION, DATASETS[0], True, AT)
            assert written is not None
            return written.change
        if kind == "consent":
            return facts.revoke_consent(store.engine, ORGANISATION, given.id, AT).change
        if kind == "objection-decided":
            return facts.decide_objection(store.engine, opened_.id, "upheld", "so it is", AT).change
        return facts.withdraw(store.engine, ORGANISATION, DATASETS[0], "R-0-9", AT).change

    day = datetime.date(2027, 1, 1)
    given = facts.grant_consent(
        store.engine, ORGANISATION, issuer="i", client="c", purpose="p", datasets={DATASETS[0]: None}, until=day, now=AT
    )
    opened_ = facts.open_objection(store.engine, ORGANISATION, DATASETS[0], "R-0-1", day, AT)
    async with opened(store) as ledger:
        read = opened_.change  # as an inquiry reads its facts
        number = change()
        raced_ = await enter(ledger, Asked(facts=read), 1)
        await enter(ledger, Asked(facts=number), 2)
        await enter(ledger, Asked(facts=read, subjects=(1,)), 3)
        await enter(ledger, Asked(facts=read, datasets=(1,)), 4)
        await enter(ledger, Asked(facts=read, refused=True), 5)
    turns(Projector(store))
    expected = [] if kind == "another-record" else [Raced(raced_, DATASETS[0], SUBJECTS[0])]
    with contextlib.closing(store.reader()) as reader:
        assert raced(reader, number) == expected
        assert raced(reader, given.change) == []


async def test_of_an_erased_subject_nothing_is_written(store: Store) -> None:
    projector = Projector(store)
    async with opened(store) as ledger:
        await disclosed_pair(ledger, 1)
        taken = projector.read()
        assert taken is not None
        key = taken[1][0].keys[0]
        await erase(store, ledger, SUBJECT)
        assert projector.write(*taken), "read before, written after"
        turns(projector)
    found = rows(store)
    assert found["received"]
    assert all(key not in row for of in found.values() for row in of)
    with contextlib.closing(store.reader()) as reader:
        assert who_looked(reader, SUBJECT.scheme, SUBJECT.value, exact=True).places == []
        assert len(who_looked(reader, OTHER.scheme, OTHER.value, exact=True).places) == 1


@pytest.mark.parametrize("own", ["1", "2", None], ids=["in its shard", "in another", "nothing destroyed"])
async def test_keys_destroyed_after_they_were_read_are_noticed_whichever_shard_says_so(
    store: Store, own: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    projector, looked_up = Projector(store), list[object]()
    gone = kept._gone
    monkeypatch.setattr(kept, "_gone", lambda *of: looked_up.append(of) or gone(*of))
    async with opened(store) as ledger, opened(store) as other:
        await disclosed_pair(ledger, 1)
        await disclosed_pair(ledger, 2)
        await disclosed_pair(other, 3)
        taken = projector.read()
        assert taken is not None
        assert len(taken[1]) == 2
        keys = destruction.keys_of(store.engine, SUBJECT.scheme, SUBJECT.value)
        with store.engine.begin() as connection:
            for statement in destruction.destroying(store.engine, own, keys, text("SELECT 1")) if own else ():
                assert isinstance(statement, ClauseElement)
                connection.execute(statement)
        assert projector.write(*taken)
        assert bool(looked_up) is bool(own)
    assert {row[0] in keys for row in rows(store)["received"]} == ({False} if own else {False, True})
    with store.engine.connect() as connection:
        digests = counts.Digests(counts.current(connection).secret)
        of = connection.execute(select(counts.counted.c.subject)).scalars()
        assert (digests.subject(SUBJECT.scheme, SUBJECT.value) in set(of)) is not bool(own)


async def test_dropped_and_built_again_it_is_the_same(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "_SLICE", 2)
    projector = Projector(store, 2)
    async with opened(store) as ledger:
        await enter_all(ledger, LOG)
        turns(projector)
        before = rows(store)
        assert all(before[name] for name in ("looked", "received", "displayed"))
        with store.engine.begin() as connection:
            connection.execute(insert(tables.looked).values(subject=5, at=1, entry=1))
        again = ["looked", "received", "displayed"]
        kept.start_over(store.engine, again)
        assert {next_ for (name, _), next_ in reached(store).items() if name in again} == {DROPPING}
        check(store)
        while not whole(store):
            projector.turn()
            check(store)
        assert rows(store) == before
        async with opened(store) as other:  # a shard that comes while a projection is dropped
            kept.start_over(store.engine, ["asked"])
            await enter(other, LOG[1], 50)
            turns(projector)
            check(store)
            assert whole(store)
    assert all(before[name] <= of for name, of in rows(store).items())
