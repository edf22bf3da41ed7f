"""`ledger verify --receipts` on a store holds every receipt against it, as on a live URL; on both databases."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ledger.support import ORIGIN
from tests.storage.office import LEI, SAID, Office, office, server

__all__ = ["office", "server"]


def filed(office: Office, receipts: list[str], folder: str = "receipts") -> Path:
    """A folder with these receipts."""
    made = office.folder / folder
    made.mkdir()
    for number, text in enumerate(receipts):
        (made / f"{number}.txt").write_text(text)
    return made


def verify(office: Office, folder: Path | str) -> int:
    return office("ledger", "verify", "--receipts", folder)


def test_what_the_store_has_is_counted(office: Office) -> None:
    folder = filed(office, office.serve(1, 2) + office.serve(3))
    assert verify(office, folder) == 0, office.err
    assert office.out.endswith("receipts: 3 in the store\n")


def test_receipts_of_another_past_are_named(office: Office) -> None:
    """Two that served one store: each answered, and the store has the entries of one."""
    office.serve(1)
    here, heads = office.place, (office.folder / "heads.json").read_bytes()
    office.move(here.copy())
    other = filed(office, office.serve(2), "other")
    office.move(here)
    (office.folder / "heads.json").write_bytes(heads)
    own = filed(office, office.serve(3), "own")
    assert verify(office, own) == 0, office.err
    assert verify(office, other) == 1
    assert office.err == (
        f"`{ORIGIN}/1`: it was forked: entry 1 that it publishes is not that of receipt `{other / '0.txt'}`\n"
    )


def test_receipts_of_what_was_cut_off_are_named(office: Office) -> None:
    office.serve(1)
    before = office.place.copy()
    folder = filed(office, office.serve(2))
    office.move(before)
    (office.folder / "heads.json").unlink()
    assert office.verify() == 0, "nothing else remembers"
    assert verify(office, folder) == 1
    assert f"`{ORIGIN}/1`: receipt `{folder / '0.txt'}` is of a tree of 2 entries" in office.err
    assert "it was cut short" in office.err


def test_receipts_of_a_sealed_shard_are_told_as_lost(office: Office) -> None:
    kept = office.serve(1)
    before = office.place.copy()
    folder = filed(office, kept + office.serve(2))
    office.move(before)
    office.serve(3)  # another shard goes on, for the head file remembers more
    assert verify(office, folder) == 0, office.err
    assert "receipts: 1 in the store\n" in office.out
    assert f"receipts: 1 genuine, of trees that `{ORIGIN}/1` has no more: it was sealed at 1" in office.out


@pytest.mark.parametrize("how", ["missing", "empty"])
def test_a_folder_without_receipts_is_told_before_anything_is_read(office: Office, how: str) -> None:
    office.serve(1)
    folder = office.folder / "receipts"
    if how == "empty":
        folder.mkdir()
    assert verify(office, folder) == 1
    assert office.err == f"{folder.name}: {'is no folder with receipts' if how == 'missing' else 'holds no receipt'}\n"
    assert "whole" not in office.out


def test_what_is_no_receipt_is_named_and_a_package_takes_none(office: Office) -> None:
    office.serve(1)
    folder = filed(office, ["something else"])
    assert verify(office, folder) == 1
    assert f"`{folder / '0.txt'}`: " in office.err
    office.ran("ledger", "export", "--subject", LEI, *SAID, "--out", "evidence")
    assert office.bare("ledger", "verify", "evidence", "--receipts", folder) == 2
    assert "`--receipts` is for a log or a store" in office.err
