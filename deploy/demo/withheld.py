"""Open the newest entry of the ledger in the store, as oversight would: what was withheld, and why.

Whoever may read the store's file may open it; the public tiles and the receipt show only that the entry commits to it.
"""

from __future__ import annotations

from pathlib import Path

from gateway.ledger.entry.entries import WithheldRecord
from gateway.ledger.entry.registry import SERVING
from gateway.ledger.stored.read import StoredEntry, heads, read_entries
from gateway.storage.store import open_copy


def newest_entry(store: Path) -> StoredEntry:
    """The entry with the highest time of all that processes which serve made, opened: the gateway's own acts may be
    newer."""
    opened = open_copy(store)
    try:
        reader = opened.reader()
        try:
            head = max(
                (head for head in heads(reader) if head.name in SERVING and head.size), key=lambda head: head.floor
            )
            return next(read_entries(reader, head.id, head.size - 1, 1))
        finally:
            reader.close()
    finally:
        opened.close()


def withheld(entry: StoredEntry) -> list[WithheldRecord]:
    """The records that a restraint held back from the answer of `entry`, in the answer's order."""
    if entry.oversight is None:
        return []
    return list(entry.read_oversight().withheld)
