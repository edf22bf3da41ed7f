"""What came back with a backup is found, and erased again by the entry or the receipt."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from gateway.ledger.entry import entries
from gateway.storage.subjects import erasure
from tests.ledger.erasure.erasing import LEI, OTHER, Desk, copy, desk, restore, told
from tests.ledger.support import (
    SUBJECT,
    receipt_of,
    store_in,
)

__all__ = ["desk"]


def test_keys_that_came_back_are_found_and_destroyed_again(desk: Desk) -> None:
    """Part of a backup, the table of keys, was put back: the ledger has the erasure's entry."""
    copy(desk.folder, desk.folder / "backup")
    id_ = desk.request()
    assert desk.approve(id_) == 0
    with contextlib.closing(sqlite3.connect(desk.folder / "ledger.db", isolation_level=None)) as connection:
        connection.execute("ATTACH ? AS backup", (str(desk.folder / "backup" / "ledger.db"),))
        connection.execute("DELETE FROM main.subject_key")
        connection.execute("INSERT INTO main.subject_key SELECT * FROM backup.subject_key")
    assert desk.run("ledger", "verify", "--config", desk.config, "--sample", "1") == 1
    assert "is there again" in desk.err
    assert desk.run("ledger", "verify", "--config", desk.config) == 1
    assert f"is there again, as after the restore of a backup; run `dutybound ledger erase again {id_}`" in desk.err
    assert desk("erase", "again", id_, "--by", "D. Operator") == 0
    assert f"erased: erasure {id_}, entry" in desk.out
    desk.verify()
    assert SUBJECT.value not in str(list(told(desk.folder)))
    done = [each for each in told(desk.folder) if isinstance(each, entries.Erasure)]
    assert [each.reason for each in done] == ["court order 7", "again, by D. Operator: court order 7"]
    assert {each.by for each in done} == {"B. Judge"}


@pytest.mark.parametrize("requested", [False, True])
def test_a_store_from_before_the_erasure_forgets_by_its_receipt(desk: Desk, requested: bool) -> None:
    if not requested:
        copy(desk.folder, desk.folder / "backup")
    id_ = desk.request()
    if requested:
        copy(desk.folder, desk.folder / "backup")
    assert desk.approve(id_) == 0
    restore(desk.folder, desk.folder / "backup")
    assert SUBJECT.value in str(list(told(desk.folder)))
    assert desk("erase", "again", id_, "--by", "D. Operator") == 1
    assert "where the store lost it, name its receipt" in desk.err
    receipt = desk.folder / f"erasure-{id_}.receipt"
    assert desk("erase", "again", "--receipt", receipt, "--by", "D. Operator") == 0
    desk.verify()
    assert SUBJECT.value not in str(list(told(desk.folder)))
    store = store_in(desk.folder)
    [row] = erasure.requests(store.engine)
    store.close()
    assert (row.id, row.state, row.subject, row.by, row.decided_by) == (id_, "done", None, "A. Clerk", "B. Judge")


def test_several_erasures_are_repeated_by_their_receipts_at_once(desk: Desk) -> None:
    copy(desk.folder, desk.folder / "backup")
    ids = [desk.request(subject) for subject in (LEI, ":".join(OTHER))]
    assert [desk.approve(id_) for id_ in ids] == [0, 0]
    restore(desk.folder, desk.folder / "backup")
    receipts = [desk.folder / f"erasure-{id_}.receipt" for id_ in ids]
    (desk.folder / "forged").write_text(receipts[1].read_text().replace("extra A", "extra B"))
    again = ("erase", "again", "--by", "D. Operator", "--receipt", *receipts)
    assert desk(*again, desk.folder / "forged") == 1
    assert "forged`: " in desk.err
    assert {SUBJECT.value, OTHER[1]} <= names(desk), "nothing was erased before all were proved"
    assert desk(*again, "--out", "one") == 2
    assert desk(*again, receipts[0]) == 0, desk.err
    assert [f"erased: erasure {id_}" in desk.out for id_ in ids] == [True, True]
    assert f"nothing to do: none of the keys of erasure {ids[0]} is in this store" in desk.out
    assert not {SUBJECT.value, OTHER[1]} & names(desk)
    assert desk(*again) == 0
    assert desk.out.count("nothing to do") == 2
    desk.verify()


def names(desk: Desk) -> set[str]:
    """Those of both subjects that the ledger can be read to name."""
    page = str(list(told(desk.folder)))
    return {value for value in (SUBJECT.value, OTHER[1]) if value in page}


def test_only_a_receipt_of_this_ledger_is_believed(desk: Desk, tmp_path: Path) -> None:
    copy(desk.folder, desk.folder / "backup")
    id_ = desk.request()
    assert desk.approve(id_) == 0
    restore(desk.folder, desk.folder / "backup")
    receipt = desk.folder / f"erasure-{id_}.receipt"
    (desk.folder / "forged").write_text(receipt.read_text().replace("extra A", "extra B"))
    (desk.folder / "another").write_text(receipt_of((desk.folder / "answer.json").read_bytes()))
    for name, said in (("forged", "does not verify"), ("another", "not that of an erasure")):
        assert desk("erase", "again", "--receipt", desk.folder / name, "--by", "D. Operator") == 1
        assert said in desk.err
    assert SUBJECT.value in str(list(told(desk.folder)))
