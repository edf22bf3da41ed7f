"""A group of entries made ready in memory: salted, sealed, hashed, and signed as one checkpoint, each with its receipt.

Nothing of a batch may be seen before it is durable: `gateway.ledger.log.shard` sees to that.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy import Table, Update

from gateway.ledger.entry.parts import SubjectParts
from gateway.ledger.log.keyring import DAY, AtEntry, Keyring, KeysBySubject, Pending, Row
from gateway.ledger.proof import leaf, tlog_proof
from gateway.ledger.proof.leaf import SALT_SIZE, Salted
from gateway.ledger.proof.merkle import Growth, Tree, leaf_hash
from gateway.ledger.proof.note import Signer, b64
from gateway.ledger.proof.tlog_proof import Receipt
from gateway.ledger.stored.encryption import NONCE_SIZE, OVERSIGHT, TOLD, seal, seal_subject
from gateway.ledger.stored.read import TILE_BITS, Head
from gateway.storage.port import Change, Group, Rows
from gateway.storage.tables import SHARD_BITS, subject_key

_RANDOM = 2 * (SALT_SIZE + NONCE_SIZE)
_RANDOM_SUBJECT = 2 * SALT_SIZE + NONCE_SIZE
MAX_GROUP = 256
_LOOKS = 8
"""So many turns of the loop does a group wait for others at most."""
Waiting = tuple[Pending, "asyncio.Future[Receipt]"]
"""An entry that waits to be committed, and who waits for its receipt."""


class Batch(NamedTuple):
    """A group that can be written: what it makes of the tree, its rows, its receipts, and the keys made for it."""

    growth: Growth
    group: Group
    receipts: list[Receipt]
    made: KeysBySubject


class _About(msgspec.Struct):
    """What an entry has of its subjects, in order: told parts, keys' ids, digests of both sides, segments laid out."""

    parts: list[Salted]
    keys: list[int]
    told: list[bytes]
    oversight: list[bytes]
    laid: list[bytes]


_NOBODY = _About([], [], [], [], [])


def prepare(head: Head, tree: Tree, signer: Signer, keyring: Keyring, group: Sequence[Pending]) -> Batch:
    """Make a batch that continues from a shard's head and tree; raises `Unlearned`, which `Keyring.learn` mends."""
    keys = keyring.subjects(group)
    size, floor = tree.size, head.floor
    base = (head.id << SHARD_BITS) + size
    random = os.urandom(_RANDOM * len(group))
    entries, requesters, hashes, extras = [], [], [], []
    for offset, (told, oversight, at, by, _, subjects, _) in enumerate(group):
        start = offset * _RANDOM
        general_salt, salt = random[start : start + 32], random[start + 32 : start + 64]
        nonce, other_nonce = random[start + 64 : start + 76], random[start + 76 : start + 88]
        if at > floor:
            floor = at
        period, cipher = keyring.day(floor // DAY)
        id_ = base + offset
        about = _sealed(subjects, keys.all, id_) if subjects else _NOBODY
        if subjects:
            oversight = _with_keys(oversight, salt, about.keys)
        told_digest = leaf.told_digest_of([leaf.general_digest(general_salt, told), *about.told])
        others = leaf.oversight_digest_of([leaf.general_digest(salt, oversight), *about.oversight])
        commitment = leaf.commit(told_digest, others)
        general = (general_salt, told)
        entries.append(
            (
                id_,
                floor,
                commitment,
                period,
                seal(cipher, nonce, general, TOLD, id_),
                seal(cipher, other_nonce, (salt, oversight), OVERSIGHT, id_),
                b"".join(about.laid),
            )
        )
        requesters.append((keyring.requester(by), floor, id_))
        hashes.append(leaf_hash(commitment))
        extras.append(leaf.write_extra(others, general, about.parts))
    growth = tree.grow(hashes)
    after, rows = growth.tree, growth.rows
    checkpoint = signer.checkpoint(after.size, after.root)
    signed = checkpoint.encode()
    receipts = [
        Receipt(head.name, index, tlog_proof.write(extra, index, path, signed))
        for index, (extra, path) in enumerate(zip(extras, growth.fold(b"", tlog_proof.path_line), strict=True), size)
    ]
    subtrees = [
        (head.id, level // TILE_BITS, at, node)
        for level in range(TILE_BITS, len(rows), TILE_BITS)
        for at, node in growth.complete(level)
    ]
    then = head._replace(size=after.size, root=after.root, floor=floor, checkpoint=checkpoint)
    changes = _changes(group, base)
    destroys = any(isinstance(each, Update) and each.table is subject_key for each in changes)
    whole = Group(head, then, entries, requesters, subtrees, keys.rows, changes, destroys)
    return Batch(growth, whole, receipts, keys.made)


def _changes(group: Sequence[Pending], first: int) -> Sequence[Change]:
    """What commits with a group's entries, of which the first has that id: rows last, and those of a table together."""
    found: list[Change] = []
    rows: dict[Table, list[tuple[object, ...]]] = {}
    for id_, pending in enumerate(group, first):
        for each in pending.changes:
            if isinstance(each, Row):
                values = {**each.values, **dict.fromkeys(each.places, id_)}
                rows.setdefault(each.table, []).append(tuple([values.pop(one.name, None) for one in each.table.c]))
                if values:
                    raise AssertionError(f"`{each.table.name}` has no column {', '.join(values)}")
            else:
                found.append(each.change(id_) if isinstance(each, AtEntry) else each)
    return [*found, *(Rows(table, several) for table, several in rows.items())]


def _with_keys(oversight: bytes, salt: bytes, keys: Sequence[int]) -> bytes:
    """`Oversight.keys`, the last member, written behind the others: only now it is known which keys they are."""
    digest = b64(leaf.keys_digest(salt, keys)).encode()
    return b'%b%b"keys":"%b"}' % (oversight[:-1], b"" if oversight == b"{}" else b",", digest)


def _sealed(subjects: Sequence[SubjectParts], keys: KeysBySubject, entry: int) -> _About:
    random = os.urandom(_RANDOM_SUBJECT * len(subjects))
    about = _About([], [], [], [], [])
    for place, (scheme, value, told, oversight) in enumerate(subjects):
        start = place * _RANDOM_SUBJECT
        part, other = (random[start : start + 32], told), (random[start + 32 : start + 64], oversight)
        nonce = random[start + 64 : start + _RANDOM_SUBJECT]
        key = keys[scheme, value]
        digest, other_digest, laid = seal_subject(key, nonce, part, other, entry, place)
        about.parts.append(part)
        about.keys.append(key[0])
        about.told.append(digest)
        about.oversight.append(other_digest)
        about.laid.append(laid)
    return about


def next_group(waiting: deque[Waiting]) -> list[Waiting]:
    """What is committed next, in order: as much as a group may hold, or all that is to be committed together."""
    group = [waiting.popleft()]
    together = group[0][0].together
    while waiting and len(group) < MAX_GROUP and waiting[0][0].together is together:
        group.append(waiting.popleft())
    return group


class Gathering:
    """When the next group is taken: once a turn of the loop brought no more, so that those under way share a commit.

    An entry that comes alone, after another that did, does not wait.
    """

    def __init__(self) -> None:
        self._seen, self._looks = 1, 0

    def grows(self, waiting: int) -> bool:
        """Whether to look again in the loop's next turn, now that so many entries wait; at most `_LOOKS` times."""
        if not self._seen < waiting < MAX_GROUP or self._looks == _LOOKS:
            return False
        self._seen, self._looks = waiting, self._looks + 1
        return True

    def taken(self, entries: int) -> None:
        """Begin again, after a group of so many."""
        self._seen, self._looks = int(entries == 1), 0
