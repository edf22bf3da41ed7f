"""Erasing a subject on both databases, while gateways append: keys, proofs, refusals in the transaction, and files."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import multiprocessing
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import delete, insert, select, update

from connectors.base import Subject
from gateway.ledger.entry import entries
from gateway.ledger.entry.receipt import verify_receipt
from gateway.ledger.erasure import erase, hold
from gateway.ledger.erasure.blockers import BLOCKERS, Blocker, found_open
from gateway.ledger.log.keyring import Pending
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.log.operator import CLIENT, ActRefused, enter
from gateway.ledger.proof.key_files import verifiers
from gateway.ledger.proof.tlog_proof import Receipt
from gateway.ledger.stored import read
from gateway.ledger.verify.store import verify_store
from gateway.storage import destruction
from gateway.storage.engines.sqlite import SqliteStore
from gateway.storage.port import Store
from gateway.storage.projections.tables import looked, raced, received
from gateway.storage.subjects import acts, erasure, facts
from gateway.storage.tables import micros, subject_key
from gateway.storage.watch import findings as watch
from tests.ledger.support import AT, BY, KEY, ORIGIN, SUBJECT, disclosed, opened, receipt_of, refused
from tests.storage.conftest import Place

NAME = (SUBJECT.scheme, SUBJECT.value)
VERIFIERS = verifiers(KEY, ORIGIN, map(str, range(1, 7)))
DAYS = datetime.timedelta(days=35)


async def requested(store: Store) -> str:
    async with opened(store) as ledger:
        return (await erase.request(ledger, NAME, "A. Clerk", "court order 7", "clerk")).id


async def approved(store: Store, id_: str, blockers: Sequence[Blocker] = BLOCKERS) -> erase.Done:
    async with opened(store) as ledger:
        return await erase.approve(ledger, id_, "B. Judge", "judge", blockers, DAYS)


async def erased(store: Store) -> erase.Done:
    return await approved(store, await requested(store))


def entered(store: Store) -> list[read.StoredEntry]:
    with contextlib.closing(store.reader()) as reader:
        return [each for head in read.heads(reader) for each in read.read_entries(reader, head.id, 0, head.size)]


async def test_an_erased_subject_is_unreadable_and_all_is_proved(store: Store) -> None:
    async with opened(store) as one, opened(store) as other:
        receipts = [receipt_of(await disclosed(one, 1)), await refused(one, 2), receipt_of(await disclosed(other, 3))]
        id_ = await requested(store)  # in a third shard
        done = await approved(store, id_)
        assert len(done.keys) == 3
        assert destruction.entries_under(store.engine, done.keys) == 4
        receipts += [receipt_of(await disclosed(one, 4)), receipt_of(await disclosed(other, 5))]
    assert len(verify_store(store, VERIFIERS)) == 3
    for receipt in receipts:
        told = verify_receipt(receipt, VERIFIERS).told
        assert isinstance(told, entries.Inquiry | entries.Refused)
        assert SUBJECT.value in str(told), "a receipt in its recipient's hand says what it said"
    readable = {each.read_told().id: str(each.read_told()) for each in entered(store)}
    assert [SUBJECT.value in readable[f"inquiry-{number}"] for number in range(1, 6)] == [False] * 3 + [True] * 2
    assert not set(done.keys) & set(destruction.keys_of(store.engine, *NAME))
    [row] = erasure.requests(store.engine)
    assert (row.state, row.subject, row.by, row.decided_by) == ("done", None, "A. Clerk", "B. Judge")
    [told] = [each.read_told() for each in entered(store) if isinstance(each.read_told(), entries.Erasure)]
    assert isinstance(told, entries.Erasure)
    assert told.keys == tuple(f"{key:016x}" for key in done.keys)
    assert told.backups_until == done.backups_until
    assert SUBJECT.value not in str(told)


async def test_what_is_made_of_the_entries_goes_with_the_keys(store: Store) -> None:
    async with opened(store) as ledger:
        await disclosed(ledger)
    [key] = destruction.keys_of(store.engine, *NAME)
    of_type = {"BIGINT": 1, "INTEGER": 1, "TEXT": "tax-arrears", "BLOB": b"[]"}
    with store.engine.begin() as connection:
        for table in (looked, received, raced):
            for subject in (key, key + 1):
                row = {column.name: of_type[str(column.type)] for column in table.c} | {"subject": subject}
                connection.execute(insert(table).values(row))
    await erased(store)
    with store.engine.connect() as connection:
        for table in (looked, received, raced):
            assert list(connection.execute(select(table.c.subject)).scalars()) == [key + 1]


def objected(store: Store) -> None:
    facts.open_objection(store.engine, Subject("organisation", *NAME), "tax-arrears", "N-1", AT.date(), AT)


def filed(store: Store, **columns: str) -> None:
    row = {"id": "0" * 32, "kind": "restoration", "state": "open", "scheme": NAME[0], "value": NAME[1], "filed": 1}
    with store.engine.begin() as connection:
        connection.execute(insert(acts.matter).values(row | {"filed_in": 1} | columns))


async def held(store: Store) -> None:
    async with opened(store) as ledger:
        await hold.place(ledger, NAME, "C. Auditor", "audit 9", "auditor")


def found(store: Store, behind: Sequence[int]) -> None:
    cursors = {each >> 40: (each & (1 << 40) - 1) + 1 for each in behind}
    kept = watch.Found("p-1", "ramp", "28(1)", 1, *BY, "m.ivanova", "TENDER_QUALIFICATION", "asked", tuple(behind))
    assert watch.advance(store.engine, watch.read_cursors(store.engine)[0], cursors, [kept])


async def open_matters(store: Store, what: str) -> None:
    if what == "hold":
        await held(store)
    elif what == "objection":
        objected(store)
    elif what == "matter":
        filed(store)
    else:
        found(store, [each.shard << 40 | each.index for each in entered(store)][:1])


async def reviewed(store: Store, finding: str) -> None:
    """End a review, as oversight does."""
    found, behind = watch.one_finding(store.engine, finding)
    async with opened(store) as ledger:
        named = tuple(f"{each >> 40}-{each & (1 << 40) - 1}" for each in behind)
        said = ("R. Reviewer", finding, found.detector, "proper", "a duty")
        told = entries.Reviewed(entries.VERSION, "review-1", AT, CLIENT, *said, named)
        at = micros(AT)
        await enter(ledger, told, "reviewer", [watch.deciding(finding, "R. Reviewer", "proper", "a duty", at)])


@pytest.mark.parametrize("what", [blocker.what for blocker in BLOCKERS])
async def test_what_is_open_keeps_it(store: Store, what: str) -> None:
    async with opened(store) as ledger:
        await disclosed(ledger)
    id_ = await requested(store)
    await open_matters(store, what)
    with pytest.raises(ActRefused, match=f"erasure `{id_}` is refused: {what} `.*` is open; "):
        await approved(store, id_)
    assert len(destruction.still_there(store.engine, destruction.keys_of(store.engine, *NAME))) == 1
    with store.engine.connect() as connection:
        objections = connection.execute(select(facts.fact.c.id)).scalars().all()
    for objection in objections:
        facts.decide_objection(store.engine, objection, "refused", "it is right", AT)
    with store.engine.begin() as connection:
        connection.execute(update(acts.matter).values(state="decided"))
    for each in watch.findings(store.engine, decided=False):
        await reviewed(store, each.id)
    for each in erasure.holds(store.engine):
        async with opened(store) as ledger:
            await hold.lift(ledger, each.id, "C. Auditor", "audit ended", "auditor")
    done = await approved(store, id_)
    assert destruction.still_there(store.engine, done.keys) == []
    assert [each.subject for each in erasure.holds(store.engine)] == [None] * len(erasure.holds(store.engine))
    verify_store(store, VERIFIERS)


@pytest.mark.parametrize("what", [blocker.what for blocker in BLOCKERS])
async def test_what_opens_after_the_look_keeps_it_too(store: Store, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The transaction itself refuses: nothing is found open before it, and everything is as it was."""
    async with opened(store) as ledger:
        await disclosed(ledger)
    id_ = await requested(store)
    looks = [0]

    def look(*given: object) -> list[str]:
        looks[0] += 1
        return [] if looks[0] == 1 else found_open(*given)  # type: ignore[arg-type]

    monkeypatch.setattr("gateway.ledger.erasure.erase.found_open", look)
    await open_matters(store, what)
    before = destruction.keys_of(store.engine, *NAME)
    with pytest.raises(ActRefused, match=f"{what} `.*` is open"):
        await approved(store, id_)
    assert looks[0] > 1
    assert destruction.still_there(store.engine, before) == before
    [row] = erasure.requests(store.engine)
    assert row.state == "requested"
    with store.engine.begin() as connection:
        connection.execute(delete(acts.matter))  # no act filed it: it is this test's alone
    verify_store(store, VERIFIERS)


async def test_an_unlinked_review_keeps_everybody(store: Store) -> None:
    async with opened(store) as ledger:
        await disclosed(ledger)
    id_ = await requested(store)
    found(store, [])
    with store.engine.begin() as connection:
        connection.execute(watch.finding.insert().values(
            id="break-glass-1", pattern="break-glass-1", part=1, detector="break-glass", article="28(1)", at=1,
            issuer="", client="", purpose="", words="",
        ))  # fmt: skip
    with pytest.raises(ActRefused, match="review `break-glass-1` is open"):
        await approved(store, id_)


async def test_a_key_that_is_made_meanwhile_is_listed_too(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway enters the subject in its own shard between the look at the keys and the commit."""
    async with opened(store) as one, opened(store) as other:
        await disclosed(one)
        id_ = await requested(store)

        committed, late = Ledger.append_together, [2]

        async def after_another(self: Ledger, several: Sequence[Pending]) -> list[Receipt]:
            while late:
                await disclosed(other, late.pop())
            return await committed(self, several)

        monkeypatch.setattr(Ledger, "append_together", after_another)
        done = await approved(store, id_)
        assert not late
        assert len(done.keys) == 3
    verify_store(store, VERIFIERS)
    assert destruction.keys_of(store.engine, *NAME) == []


async def test_erasures_at_once_and_appends_meanwhile(place: Place) -> None:
    """Two erasures, of two subjects, with two gateways appending: nothing waits for another for ever."""
    store = place.open()
    other = ("LEI", "969500T3MBS4SQAMHJ45")
    async with opened(store) as one, opened(place.open()) as two:
        await asyncio.gather(*(disclosed(each, number) for number in range(5) for each in (one, two)))
        async with opened(store) as asking:
            await hold.place(asking, other, "C. Auditor", "to have a key", "auditor")
            ids = [(await erase.request(asking, subject, "A. Clerk", "order", "clerk")).id for subject in (NAME, other)]
            for each in erasure.holds(store.engine):
                await hold.lift(asking, each.id, "C. Auditor", "done", "auditor")
        stop = asyncio.Event()

        async def asks(ledger: Ledger) -> int:
            count = 0
            while not stop.is_set():
                await disclosed(ledger, 100 + count)
                count += 1
            return count

        asking_on = [asyncio.create_task(asks(each)) for each in (one, two)]
        async with opened(place.open()) as three, opened(place.open()) as four:
            done = await asyncio.gather(
                erase.approve(three, ids[0], "B. Judge", "judge", BLOCKERS, DAYS),
                erase.approve(four, ids[1], "B. Judge", "judge", BLOCKERS, DAYS),
                return_exceptions=True,
            )
        stop.set()
        counts = await asyncio.gather(*asking_on)
    assert all(isinstance(each, erase.Done) for each in done), done
    assert all(counts)
    verify_store(store, VERIFIERS)


async def test_a_hold_at_the_same_moment_comes_before_or_after(place: Place) -> None:
    """Before: the erasure is refused. After: the hold's own entry is readable, under a key that was not destroyed."""
    store, outcomes = place.open(), set()
    async with opened(store) as one, opened(place.open()) as two, opened(place.open()) as gateway:
        for late in (0, 1, 2, 4, 8, 16):
            await disclosed(gateway)
            id_ = (await erase.request(one, NAME, "A. Clerk", "order", "clerk")).id

            async def placed(turns: int = late) -> hold.Entered:
                for _ in range(turns):
                    await asyncio.sleep(0)
                return await hold.place(two, NAME, "C. Auditor", "audit", "auditor")

            done, kept = await asyncio.gather(
                erase.approve(one, id_, "B. Judge", "judge", BLOCKERS, DAYS), placed(), return_exceptions=True
            )
            assert isinstance(kept, hold.Entered), kept
            outcomes.add(type(done))
            values = [told.value for told in map(read.StoredEntry.read_told, entered(store))
                      if isinstance(told, entries.Hold) and told.hold == kept.id]  # fmt: skip
            assert values == [NAME[1]], "a hold that stands is about what can be read"
            if isinstance(done, ActRefused):
                await erase.withdraw(one, id_, "A. Clerk", "held", "clerk")
            else:
                assert isinstance(done, erase.Done), done
            await hold.lift(two, kept.id, "C. Auditor", "over", "auditor")
    assert outcomes <= {ActRefused, erase.Done}
    verify_store(store, VERIFIERS)


async def test_of_two_who_request_or_approve_one_does(store: Store) -> None:
    async with opened(store) as one, opened(store) as other:
        await disclosed(one)
        asked = await asyncio.gather(
            *(erase.request(each, NAME, "A. Clerk", "order", "clerk") for each in (one, other)), return_exceptions=True
        )
        made = [each for each in asked if isinstance(each, hold.Entered)]
        assert [type(each) for each in asked if each not in made] == [ActRefused]
        decided = await asyncio.gather(
            *(erase.approve(each, made[0].id, "B. Judge", "judge", BLOCKERS, DAYS) for each in (one, other)),
            return_exceptions=True,
        )
        assert sum(isinstance(each, erase.Done) for each in decided) == 1, decided
        [why] = [str(each) for each in decided if isinstance(each, ActRefused)]
        assert "was carried out by B. Judge already" in why
        assert one.healthy
        assert other.healthy
    assert sum(isinstance(each.read_told(), entries.Erasure) for each in entered(store)) == 1
    verify_store(store, VERIFIERS)


def test_a_store_is_whole_though_a_subject_is_erased_while_it_is_checked(store: Store) -> None:
    """The erasure is entered in a shard that has been checked already, and the key goes of one that has not."""

    async def prepare() -> str:
        async with opened(store), opened(store) as other:
            await disclosed(other)
        return await requested(store)

    id_, told = asyncio.run(prepare()), []

    def meanwhile(name: str, size: int, of: int) -> None:
        told.append(name)
        if told == ["1"]:
            asyncio.run(approved(store, id_))

    assert [shard.size for shard in verify_store(store, VERIFIERS, meanwhile)] == [1, 1]
    assert told == ["1", "2"]
    assert sum(bool(each.erased) for each in entered(store)) == 2


def _serve(url: str, asked: multiprocessing.connection.Connection) -> None:
    """A gateway's ledger in a process of its own: an inquiry for each number that it is told."""

    async def serve() -> None:
        async with opened(Place(url).open()) as ledger:
            asked.send("open")
            while (number := await asyncio.to_thread(asked.recv)) is not None:
                asked.send(receipt_of(await disclosed(ledger, number)))

    asyncio.run(serve())


async def test_a_process_that_serves_meanwhile_takes_a_new_key(place: Place) -> None:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    serving = context.Process(target=_serve, args=(place.url, there))
    serving.start()
    try:
        assert here.recv() == "open"
        store = place.open()

        def ask(number: int) -> str:
            here.send(number)
            receipt: str = here.recv()
            return receipt

        receipts = [ask(1), ask(2)]
        done = await erased(store)
        assert destruction.scrub(store) is None, "while the other process has the store open"
        receipts += [ask(3), ask(4)]
        here.send(None)
    finally:
        serving.join(30)
        serving.kill()
    assert [verify_receipt(each, VERIFIERS).told.id for each in receipts] == [f"inquiry-{n}" for n in range(1, 5)]
    [fresh] = destruction.keys_of(store.engine, *NAME)
    assert fresh not in done.keys
    verify_store(store, VERIFIERS)
    said = {each.read_told().id: each.erased for each in entered(store)}
    assert [bool(said[f"inquiry-{number}"]) for number in range(1, 5)] == [True, True, False, False]


async def test_nothing_of_it_is_left_in_the_files(tmp_path: Path) -> None:
    """SQLite: neither the secrets nor the identifiers, whichever pages they stood on, with a gateway running."""
    place = Place(f"sqlite:///{tmp_path / 'store.db'}")
    store = place.open()
    async with opened(store) as ledger:
        await disclosed(ledger)
        rows = [(number * 7919 % 10_007, f"V{number * 104_729 % 1_000_003:08}", bytes([number % 251 + 1]) * 3)
                for number in range(1, 4000)]  # fmt: skip
        with store.engine.begin() as connection:
            connection.execute(insert(subject_key), [
                {"id": id_, "shard": 1, "scheme": "LEI", "value": value, "secret": secret + value.encode()}
                for id_, value, secret in rows
            ])  # fmt: skip
        id_ = await requested(store)
        assert len(destruction.keys_of(store.engine, *NAME)) == 2
        with store.engine.connect() as connection:
            secrets = list(
                connection.execute(select(subject_key.c.secret).where(subject_key.c.value == NAME[1])).scalars()
            )
        assert any(SUBJECT.value.encode() in content for content in contents(tmp_path))
        assert any(secret in content for secret in secrets for content in contents(tmp_path))
        done = await approved(store, id_)
        more = [id_ for id_, _, _ in rows[::7]]
        with store.engine.begin() as connection:
            gone = update(subject_key).where(subject_key.c.id.in_(more))
            connection.execute(gone.values(scheme=None, value=None, secret=None))
        assert destruction.scrub(store) is None
        assert len(done.keys) == len(secrets) == 2
        for content in contents(tmp_path):
            assert SUBJECT.value.encode() not in content
            assert not any(secret in content for secret in secrets)
            assert not any(value.encode() in content for _, value, _ in rows[::7])
    assert any(rows[1][1].encode() in content for content in contents(tmp_path)), "others' are there"
    store.close()


async def test_a_table_that_is_too_long_to_be_written_anew_is_left_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(destruction, "MOST_ANEW", 0)
    place = Place(f"sqlite:///{tmp_path / 'store.db'}")
    store = place.open()
    async with opened(store) as ledger:
        await disclosed(ledger)
    await erased(store)
    told = destruction.scrub(store)
    assert told is not None
    assert "`VACUUM`" in told
    assert str(tmp_path) in told
    verify_store(store, VERIFIERS)
    place.close()


def contents(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.glob("store.db*")]


async def test_a_log_that_is_in_use_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(f"sqlite:///{tmp_path / 'store.db'}")
    store = place.open()
    async with opened(store) as ledger:
        await disclosed(ledger)
    with contextlib.closing(store.reader()) as reader:
        read.heads(reader)
        await erased(store)
        real = SqliteStore.connect
        monkeypatch.setattr(SqliteStore, "connect", lambda self, wait_ms=10: real(self, 10))
        assert "is in use" in str(destruction.scrub(store))
    assert destruction.scrub(store) is None
    place.close()
