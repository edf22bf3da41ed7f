"""Evidence exported: what the tests of it share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gateway.ledger.entry import entries
from gateway.ledger.stored import read
from gateway.storage.store import open_copy
from tests.ledger.support import SUBJECT

LEI = f"{SUBJECT.scheme}:{SUBJECT.value}"
WHO = ("--by", "A. Auditor", "--reason", "complaint <b>12</b> of 2026")

Export = Callable[..., int]
"""Runs `dutybound ledger export` with the folder's configuration and these further arguments."""


def views(folder: Path) -> list[entries.View]:
    """Every view of the ledger that the ledger holds."""
    store = open_copy(folder / "ledger.db")
    reader = store.reader()
    found = []
    for head in read.heads(reader):
        for entry in read.read_entries(reader, head.id, 0, head.size):
            assert entry.told is not None
            told = entry.read_told()
            if isinstance(told, entries.View):
                found.append(told)
    reader.close()
    store.close()
    return found
