"""A store checked by a sample: every head, and so many entries of all, drawn by nobody who could know them before.

Each is opened, compared with its leaf, the index of its requester and its rows of projections, and proven to be in the
tree that its head signs. What of it does not open has to be explained by an erasure or a pruning. Where a share `f` of
the entries is broken, a sample of `n` finds none of them with the probability (1 - f) ** n: so 3,000 find one in a
thousand with 95 %.
"""

from __future__ import annotations

import bisect
import random
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from gateway.errors import VerificationFailed
from gateway.ledger.entry import entries
from gateway.ledger.entry.registry import COMMANDS
from gateway.ledger.proof.merkle import inclusion_proof, verify_inclusion
from gateway.ledger.proof.note import Verifier
from gateway.ledger.stored import archived, read
from gateway.ledger.stored.read import Head, StoredTree
from gateway.ledger.verify import heads
from gateway.ledger.verify.beside import DestroyedKeys, PrunedDays
from gateway.ledger.verify.heads import Progress, Trusted, Verified
from gateway.ledger.verify.rows.projected import Projected
from gateway.ledger.verify.stretch import Checked, Stretches
from gateway.storage.port import Reader, Store

_TILES_KEPT = 256
"""Entries that are proven with one tree, which keeps what it read."""


class Sampled(NamedTuple):
    """A shard of which `opened` entries are as they were signed."""

    shard: Verified
    opened: int


def sample_store(
    store: Store, verifiers: Sequence[Verifier], count: int, progress: Progress | None = None
) -> list[Sampled]:
    """Check every shard's head and publication, and `count` entries of all.

    What people did is not checked against its rows. Raises `VerificationFailed` for the first broken thing.
    """
    with heads.reading(store) as reader:
        found, trusted = heads.standing(reader, verifiers)
        check, told, made = Stretches(reader, Projected(reader).expected), progress or heads.silent, []
        closed = _Closed()
        for head, drawn in zip(found, _drawn(found, count), strict=True):
            with heads.checking(head):
                heads.check_signed(head, trusted)
                archived.check_noted(reader, head)
                for start in range(0, len(drawn), _TILES_KEPT):
                    for one in _check(reader, check, head, drawn[start : start + _TILES_KEPT]):
                        closed.take(head, one)
                    told(head.name, min(start + _TILES_KEPT, len(drawn)), len(drawn))
                heads.check_end(reader, head)
                heads.check_published(reader, head, trusted)
            made.append(Sampled(Verified(head.origin, head.size, head.root), len(drawn)))
        heads.check_no_others(reader)
        closed.check(reader, check, trusted)
        return made


def found_with(count: int, size: int) -> float:
    """The least share of broken entries that a sample finds one of with 95 %; 0 where all were opened."""
    return 0.0 if count >= size else 1 - 0.05 ** (1 / count)


def _drawn(found: Sequence[Head], count: int) -> list[list[int]]:
    """The indices of the entries that are drawn, of each shard, in order."""
    ends = list(accumulate(head.size for head in found))
    drawn: list[list[int]] = [[] for _ in found]
    for place in sorted(random.SystemRandom().sample(range(ends[-1]), min(count, ends[-1]))):
        shard = bisect.bisect_right(ends, place)
        drawn[shard].append(place - ends[shard] + found[shard].size)
    return drawn


class _Closed:
    """What of the drawn entries does not open, checked against the erasures and prunings that explain it.

    Those are entered by commands, so all that is in the shards of commands is read, and those entries are proven.
    """

    def __init__(self) -> None:
        self._keys, self._days = DestroyedKeys(), PrunedDays()

    def take(self, head: Head, checked: Checked) -> None:
        self._keys.gone(checked.gone)
        self._days.take(head, checked.unopened)

    def check(self, reader: Reader, check: Stretches, trusted: Trusted) -> None:
        """Raises `VerificationFailed` where a key is gone without an entry that says so, or there in spite of one."""
        reader.renew()
        for head in [each for each in read.heads(reader) if each.name in COMMANDS]:
            with heads.checking(head):
                heads.check_signed(head, trusted)
                said = {
                    entry.index: told
                    for entry in read.read_entries(reader, head.id, 0, head.size)
                    if entry.told is not None
                    and isinstance(told := entry.read_told(), (entries.Erasure, entries.Pruned))
                }
                _check(reader, check, head, list(said))
            for told in said.values():
                self._keys.note_erasure(told)
                self._days.note(told)
        self._keys.check(reader)
        self._days.check(reader)


def _check(reader: Reader, check: Stretches, head: Head, drawn: Sequence[int]) -> list[Checked]:
    tree, found = StoredTree(reader, head.id, head.size), []
    for index in drawn:
        found.append(check.check(head, index, index + 1))
        (leaf,) = found[-1].leaf_hashes()
        path = inclusion_proof(tree.node, index, head.size)
        if not verify_inclusion(leaf, index, head.size, path, head.root):
            raise VerificationFailed(
                f"entry {index}: its path does not give the tree that its head signs: it or one beside it was replaced"
            )
    return found
