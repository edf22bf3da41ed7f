"""Receipts checked against the shards of a store, as `follow` checks them against a published log."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterable, Sequence

from gateway.errors import VerificationFailed
from gateway.ledger.proof.note import Checkpoint
from gateway.ledger.stored import read
from gateway.ledger.stored.read import TILE_WIDTH, StoredTree
from gateway.ledger.verify.heads import Verified
from gateway.ledger.verify.published.assurance import Claim
from gateway.ledger.verify.published.follow import Followed, hold
from gateway.ledger.verify.published.gaps import Explained
from gateway.storage.port import Store


class _Leaves:
    """A shard's leaves, by tile."""

    def __init__(self, tree: StoredTree) -> None:
        self._tree = tree

    def leaves(self, number: int, width: int) -> list[bytes]:
        first = number * TILE_WIDTH
        return self._tree.leaves(first, first + width)


def check(
    store: Store,
    whole: Iterable[Verified],
    claims: Sequence[Claim],
    sealed: Iterable[Explained],
    now: datetime.datetime,
) -> list[Followed]:
    """Hold what receipts prove against the shards that were found whole; `sealed` are those that were, and why.

    Raises `VerificationFailed` that names a receipt that the store contradicts, or has no more.
    """
    explained = {each.origin: each for each in sealed}
    found = []
    with contextlib.closing(store.reader()) as reader:
        ids = {head.origin: head.id for head in read.heads(reader)}
        for origin, size, root in whole:
            checkpoint, gap = Checkpoint(origin, size, root), explained.get(origin)
            gap = gap if gap is not None and gap.covers(checkpoint) else None
            tree = StoredTree(reader, ids[origin], size)
            try:
                held = hold(claims, checkpoint, tree.node, _Leaves(tree), gap, now)
            except VerificationFailed as error:
                raise type(error)(f"`{origin}`: {error}") from error
            found.append(Followed(origin, size, root, size, *held, gap))
    return found
