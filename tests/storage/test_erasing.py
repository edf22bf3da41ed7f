"""Erasing a subject on both databases: keys, proofs, and refusals in the transaction."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, insert, select, update

from gateway.ledger.entry import entries
from gateway.ledger.entry.receipt import verify_receipt
from gateway.ledger.erasure import hold
from gateway.ledger.erasure.blockers import BLOCKERS, found_open
from gateway.ledger.log.operator import ActRefused
from gateway.ledger.verify.store import verify_store
from gateway.storage import destruction
from gateway.storage.port import Store
from gateway.storage.projections.tables import looked, raced, received
from gateway.storage.subjects import acts, erasure, facts
from gateway.storage.watch import findings as watch
from tests.ledger.support import AT, SUBJECT, disclosed, opened, receipt_of, refused
from tests.storage.erasures import NAME, VERIFIERS, approved, entered, erased, found, open_matters, requested, reviewed


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
