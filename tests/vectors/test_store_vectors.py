"""A store that an earlier version wrote is migrated, verified and gone on with; its entries are read."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from gateway.ledger import entries, read
from gateway.ledger.receipt import verify_receipt
from gateway.ledger.selection import choose
from gateway.ledger.verify import verify_store
from gateway.storage.store import migrate_store, open_store
from tests.ledger.support import ORIGIN, SUBJECT, VERIFIERS, disclosed, opened, receipt_of

OLD = Path(__file__).resolve().parent / "store-v1" / "store.sql"


async def test_a_store_of_version_1_goes_on(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        connection.executescript(OLD.read_text())
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    assert migrate_store(url)[0] == "0003"
    store = open_store(url)
    (before,) = verify_store(store, VERIFIERS)
    assert (before.origin, before.size) == (f"{ORIGIN}/1", 5)
    async with opened(store) as ledger:
        new = verify_receipt(receipt_of(await disclosed(ledger, 9)), VERIFIERS)
        assert (new.index, new.told.v) == (5, 2)
        assert len(await ledger.own(new.told.requester.issuer, new.told.requester.client)) == 6
    assert [each.size for each in verify_store(store, VERIFIERS)] == [6]
    with contextlib.closing(store.reader()) as reader:
        found = list(choose(reader, entries.Looked(SUBJECT.scheme, SUBJECT.value)))
        assert [each.told.v for each in found] == [1, 1, 1, 1, 1, 2]
        assert [type(each.told) for each in found].count(entries.Refused) == 1
        for each in found:
            assert verify_receipt(each.receipt, VERIFIERS).told == each.told
        assert {len(each.keys) for each in read.read_entries(reader, 1, 0, 5)} == {0}
    store.close()
