"""Another key of names for a ledger that is run: whoever it knew it knows afterwards, on both databases."""

from __future__ import annotations

from gateway.storage import destruction
from gateway.storage.subjects import facts
from tests.ledger.support import AT, SUBJECT
from tests.storage.office import LEI, SAID, Office, office, server

__all__ = ["office", "server"]


def test_whoever_is_known_to_a_ledger_is_known_afterwards(office: Office) -> None:
    """Facts, holds, erasures and receipts, by the commands that people type."""
    assert office.bare("store", "key", "--out", "store.key") == 0
    with office.config.open("a") as file:
        file.write("store_key_file: store.key\n")
    office.place.key = office.folder / "store.key"
    facts.set_opt_out(office.place.open().engine, SUBJECT, "awards", True, AT)
    receipts = office.serve(1, 2)
    office.ran("ledger", "hold", "place", "--subject", LEI, *SAID)
    known = sorted(destruction.keys_of(office.place.open().engine, SUBJECT.scheme, SUBJECT.value))
    office.place.close()
    said = office.ran("store", "rotate", "--names")
    assert said == "its names are sealed by key 2 of names now, and the key before is removed\n"
    receipts += office.serve(3)
    engine = office.place.open().engine
    assert destruction.in_force(engine, SUBJECT.scheme, SUBJECT.value) == {"opt-out": 1}
    assert sorted(destruction.keys_of(engine, SUBJECT.scheme, SUBJECT.value)) == known, "another was made"
    assert facts.set_opt_out(engine, SUBJECT, "awards", False, AT)
    assert SUBJECT.value in office.ran("ledger", "hold", "list")
    erasure = office.ran("ledger", "erase", "request", "--subject", LEI, *SAID).split()[2].rstrip(",")
    assert "hold" in office.refused("ledger", "erase", "approve", erasure, "--by", "B. Judge")
    folder = office.folder / "receipts"
    folder.mkdir()
    for number, each in enumerate(receipts):
        (folder / f"{number}.txt").write_text(each)
    assert office("ledger", "verify", "--receipts", folder) == 0, office.err
    assert office.out.endswith("receipts: 3 in the store\n")
