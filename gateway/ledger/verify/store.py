"""A store checked from the bytes up: every leaf, payload, hash, head and signature, for auditors and operators.

Nothing stored is believed: leaves are made again from the opened payloads, the tree from the leaves, tiles and head
from the tree, and the signature is checked with a key that came another way. Everything else that is stored beside is
checked against what the leaves commit to: times, periods, the index by requester. The first broken thing is named.

What does not open any more has to be explained, and rows made of entries, or in their transactions, have to be what
they say (`beside`).

A store in use may be checked: what is being appended meanwhile is left for the next time.

Of a store whose rows are sealed by a key that the reader has not, leaves, tiles, heads and signatures are checked. What
the leaves commit to stays closed, and with it the registry and all that is checked against entries.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gateway.errors import VerificationFailed
from gateway.ledger.entry.unknown import Tally
from gateway.ledger.proof.merkle import Tree, leaf_hash
from gateway.ledger.proof.note import Verifier
from gateway.ledger.stored import archived
from gateway.ledger.stored import statements as sql
from gateway.ledger.stored.read import TILE_BITS, Head, StoredTree
from gateway.ledger.verify import heads
from gateway.ledger.verify.beside import Beside
from gateway.ledger.verify.heads import Progress, Trusted, Verified
from gateway.ledger.verify.kept import Kept
from gateway.ledger.verify.spread import LENGTH, Jobs, checking, stretches
from gateway.ledger.verify.stretch import Checked
from gateway.nouns import counted
from gateway.storage.port import Reader, Store
from gateway.storage.tables import SHARD_BITS


def verify_store(
    store: Store,
    verifiers: Sequence[Verifier],
    progress: Progress | None = None,
    *,
    rows: bool = True,
    unknown: Tally | None = None,
    jobs: Jobs | None = None,
    kept: Kept | None = None,
) -> list[Verified]:
    """Check every shard of a store, and all beside them; raises `VerificationFailed` for the first broken thing.

    Without `rows`, those that are made with entries (`beside`) are not looked at. Entries of kinds that are not known
    here are counted in `unknown`. With `jobs`, several processes check entries. What `kept`
    remembers as whole is not opened again where its rows are the same; then rows of projections are not counted.
    """
    with heads.reading(store) as reader:
        found, trusted = heads.standing(reader, verifiers)
        if reader.locked:
            whole = [_unopened(reader, head, trusted, progress or heads.silent) for head in found]
            heads.check_no_others(reader)
            return whole
        beside = Beside(reader, unknown, rows=rows)
        with checking(reader, beside.expected, jobs) as check:
            checked = check(stretches(found, kept.digest if kept is not None else None))
            shards = _Shards(reader, trusted, beside, progress or heads.silent, kept)
            whole = [shards.check(head, checked) for head in found]
        heads.check_no_others(reader)
        beside.check(reader, {head.id: head.size for head in found})
        return whole


class _Shards(NamedTuple):
    """Puts shards together of the stretches that were checked of them."""

    reader: Reader
    trusted: Trusted
    beside: Beside
    progress: Progress
    kept: Kept | None

    def check(self, head: Head, checked: Iterator[Checked]) -> Verified:
        """Check one shard, whose stretches come next."""
        with heads.checking(head):
            heads.check_signed(head, self.trusted)
            archived.check_noted(self.reader, head)
            tree, floor, unopened = Tree(), 0, 0
            while tree.size < head.size:
                stretch = next(checked)
                if self.kept is not None:
                    stretch = self.kept.taken(head, stretch)
                self.reader.renew()
                self.beside.take(self.reader, head, stretch)
                growth = tree.grow(stretch.leaf_hashes())
                for level in range(TILE_BITS, len(growth.rows), TILE_BITS):
                    _check_subtrees(self.reader, head, level // TILE_BITS, growth.complete(level))
                tree, floor, unopened = growth.tree, stretch.floor, unopened + len(stretch.unopened)
                self.progress(head.name, tree.size, head.size)
            if tree.root != head.root:
                raise VerificationFailed(
                    "the entries do not give the root of its head: an entry was altered or replaced"
                )
            if floor != head.floor:
                raise VerificationFailed("the time of its head is not the highest time of its entries")
            _check_rest(self.reader, head, unopened)
            heads.check_published(self.reader, head, self.trusted)
        return Verified(head.origin, head.size, head.root)


def _unopened(reader: Reader, head: Head, trusted: Trusted, progress: Progress) -> Verified:
    """Check what of a shard needs no key to its payloads."""
    with heads.checking(head):
        heads.check_signed(head, trusted)
        tree, stored = Tree(), StoredTree(reader, head.id, head.size)
        while tree.size < head.size:
            leaves = stored.leaves(tree.size, min(tree.size + LENGTH, head.size))
            growth = tree.grow([leaf_hash(leaf) for leaf in leaves])
            for level in range(TILE_BITS, len(growth.rows), TILE_BITS):
                _check_subtrees(reader, head, level // TILE_BITS, growth.complete(level))
            tree = growth.tree
            progress(head.name, tree.size, head.size)
        if tree.root != head.root:
            raise VerificationFailed("the leaves do not give the root of its head: one was altered or replaced")
        _check_rest(reader, head, None)
        heads.check_published(reader, head, trusted)
    return Verified(head.origin, head.size, head.root)


def _check_subtrees(reader: Reader, head: Head, level: int, made: list[tuple[int, bytes]]) -> None:
    if not made:
        return
    stored = reader.rows(sql.SUBTREES, head.id, level, made[0][0], made[-1][0] + 1)
    if stored != made:
        broken = next((new for new, old in zip(made, [*stored, None], strict=False) if new != old), made[-1])
        raise VerificationFailed(f"hash {broken[0]} of level {level} of its tiles is not that of its entries")


def _check_rest(reader: Reader, head: Head, unopened: int | None) -> None:
    """Nothing is stored beyond the head: looked at in one snapshot, with the head of that moment.

    `unopened` entries were pruned, and are in no index; None where that is not known.
    """
    now = heads.standing_now(reader, head)
    base = head.id << SHARD_BITS
    gone = archived.removed(reader, head.id)
    first = gone.below if gone is not None else 0  # each of the rows before was read, here or in the archive
    ((count, last),) = reader.rows(sql.ENTRY_COUNT, base + first, base + (1 << SHARD_BITS))
    if (count := count + first) != now.size:
        beyond = f", the last at index {last - base}" if last is not None else ""
        raise VerificationFailed(f"it holds {counted(count, 'entry')}{beyond}; its head has {now.size}")
    ((indexed,),) = reader.rows(sql.INDEX_COUNT, base, base + (1 << SHARD_BITS))
    least = now.size - (unopened or 0)
    right = indexed <= now.size if unopened is None else indexed in (least, now.size)  # `Beside` asks why none opens
    if not right:
        raise VerificationFailed(f"the index of requesters holds {indexed} of its {counted(least, 'entry')}")
    stored = dict(reader.rows(sql.SUBTREE_COUNT, head.id))
    expected = {level: now.size >> level * TILE_BITS for level in range(1, 8) if now.size >> level * TILE_BITS}
    if stored != expected:
        raise VerificationFailed("its tiles hold hashes that its entries do not give")
