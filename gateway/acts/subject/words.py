"""What people wrote, read back from the subject's part of the entries that have it: no table has free text."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from gateway.errors import LedgerUnavailable, StoreUnavailable, VerificationFailed
from gateway.ledger.entry import entries
from gateway.ledger.stored import read
from gateway.storage.port import Store
from gateway.storage.tables import SHARD_BITS, moment

NOTHING = entries.Acted(entries.VERSION, "", moment(0), entries.Who("", ""), "")
"""What an entry says that does not open any more."""


def acts_at(store: Store, places: Iterable[int | None]) -> dict[int | None, entries.Acted]:
    """The acts whose entries stand at these places; `NOTHING` for one that does not open. Blocks.

    Raises `LedgerUnavailable`.
    """
    found: dict[int | None, entries.Acted] = {None: NOTHING}
    try:
        with contextlib.closing(store.reader()) as reader:
            for place in set(places) - {None}:
                assert place is not None
                shard, index = place >> SHARD_BITS, place & (1 << SHARD_BITS) - 1
                found[place] = NOTHING
                for entry in read.read_entries(reader, shard, index, 1):
                    told = entry.read_told() if entry.told is not None else None
                    if isinstance(told, entries.Acted):
                        found[place] = told
    except (VerificationFailed, StoreUnavailable, ValueError) as error:
        raise LedgerUnavailable(f"the store's entries cannot be read: {error}") from error
    return found
