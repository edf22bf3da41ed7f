"""Receipts of acts: made again for one that is repeated, and with the subject's part as a digest; keys for checking."""

from __future__ import annotations

import asyncio
import contextlib

from gateway.errors import LedgerUnavailable, StoreUnavailable, VerificationFailed
from gateway.ledger.entry.receipt import concealed as concealed_receipt
from gateway.ledger.entry.registry import read_changes
from gateway.ledger.log.registrar import stored_changes
from gateway.ledger.proof.note import Verifier, parse_verifier
from gateway.ledger.proof.tlog_proof import Receipt
from gateway.ledger.stored import read
from gateway.storage.port import Head, Reader, Store
from gateway.storage.tables import SHARD_BITS

__all__ = ["concealed_receipt", "receipt_at", "shard_keys"]


def shard_keys(reader: Reader, head: Head) -> list[Verifier]:
    """Every key that ever signed a shard's receipts, by the store's registry; blocks. Raises `VerificationFailed`."""
    listed = read_changes(stored_changes(reader)).get(head.origin)
    return [*listed.every] if listed else [parse_verifier(head.verifier)]


async def receipt_at(store: Store, place: int | None) -> Receipt | None:
    """The receipt of the entry at a place; None where it was erased. Raises `LedgerUnavailable`."""
    return None if place is None else await asyncio.to_thread(_made, store, place)


def _made(store: Store, place: int) -> Receipt | None:
    shard, index = place >> SHARD_BITS, place & (1 << SHARD_BITS) - 1
    try:
        with contextlib.closing(store.reader()) as reader:
            head = next((head for head in read.heads(reader) if head.id == shard), None)
            found = list(read.read_entries(reader, shard, index, 1)) if head is not None else []
            if head is None or not found or found[0].told is None or found[0].oversight is None:
                return None
            return read.receipt(read.StoredTree(reader, shard, head.size), head, found[0])
    except (VerificationFailed, StoreUnavailable) as error:
        raise LedgerUnavailable(f"the store's entries cannot be read: {error}") from error
