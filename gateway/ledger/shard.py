"""One process's shard: its tree in memory, and its place in the store.

Invariants: a transaction holds the entries, the hashes of tiles that they fill, the signed checkpoint and the
compare-and-swap of the head (epoch, size, root). Unless exactly one row changes, this shard is lost and never appends
again. What `prepare` signs is given out by `write` alone, after the commit. Any error on the way to or in the commit is
an unknown outcome: nothing of that group is given out, and the head is read again before the next. Not thread-safe:
one thread at a time.

A process holds its shard by a lock on a file beside the store, which the system frees when the process ends, however
it ends; the next to take the shard raises its epoch, so a process that wrongly believes it still holds it loses the swap.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from gateway.errors import LedgerUnavailable, VerificationFailed
from gateway.ledger import leaf, proof
from gateway.ledger.merkle import EMPTY_ROOT, Growth, Tree, leaf_hash
from gateway.ledger.note import Signer
from gateway.ledger.read import TILE_BITS, Head, StoredTree, heads
from gateway.ledger.seal import KEY_SIZE, NONCE_SIZE, OVERSIGHT, TOLD, seal
from gateway.storage.store import Store, compiled
from gateway.storage.tables import SHARD_BITS, entry, entry_requester, period_key, requester, shard, subtree

_DAY = 86_400_000_000
_RANDOM = 2 * (leaf.SALT_SIZE + NONCE_SIZE)


class Pending(NamedTuple):
    """What waits to become an entry. `at` is in microseconds; `by` is the requester (issuer, client)."""

    told: bytes
    oversight: bytes
    at: int
    by: tuple[str, str]


class Receipt(NamedTuple):
    """The proof of one entry: `text` is a C2SP tlog-proof whose `extra` opens what the requester was told."""

    shard: str
    index: int
    text: str


class Batch(NamedTuple):
    """A group made ready in memory: signed, and not to be seen before it is durable."""

    growth: Growth
    floor: int
    checkpoint: str
    entries: list[tuple[int, int, bytes, int, bytes, bytes]]
    requesters: list[tuple[int, int, int]]
    receipts: list[Receipt]


_INSERT_ENTRY = compiled(insert(entry))[0]
_INSERT_SUBTREE = compiled(insert(subtree))[0]
_INSERT_REQUESTER_ENTRY = compiled(insert(entry_requester))[0]
_SWAP, _SWAP_NAMES = compiled(
    update(shard)
    .where(
        shard.c.id == bindparam("b_id"),
        shard.c.epoch == bindparam("b_epoch"),
        shard.c.size == bindparam("b_size"),
        shard.c.root == bindparam("b_root"),
    )
    .values(
        size=bindparam("n_size"), root=bindparam("n_root"), floor=bindparam("n_floor"), checkpoint=bindparam("n_note")
    )
)
_CLAIM, _CLAIM_NAMES = compiled(
    update(shard)
    .where(shard.c.id == bindparam("b_id"), shard.c.epoch == bindparam("b_epoch"))
    .values(epoch=bindparam("n_epoch"), verifier=bindparam("n_verifier"), checkpoint=bindparam("n_note"))
)
_INSERT_SHARD = compiled(sqlite_insert(shard).on_conflict_do_nothing())[0]
_NEW_REQUESTER = compiled(
    sqlite_insert(requester).values(issuer=bindparam("issuer"), client=bindparam("client")).on_conflict_do_nothing()
)[0]
_REQUESTER = compiled(
    select(requester.c.id).where(requester.c.issuer == bindparam("issuer"), requester.c.client == bindparam("client"))
)[0]
_NEW_KEY = compiled(
    sqlite_insert(period_key)
    .values(shard=bindparam("shard"), period=bindparam("period"), secret=bindparam("secret"))
    .on_conflict_do_nothing()
)[0]
_KEY = compiled(
    select(period_key.c.id, period_key.c.secret).where(
        period_key.c.shard == bindparam("shard"), period_key.c.period == bindparam("period")
    )
)[0]


def hold(store: Path, name: str) -> int | None:
    """Lock a shard's name for this process; the lock's file descriptor, or None where another process holds it."""
    descriptor = os.open(f"{store}.shard-{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


class Shard:
    """One shard, claimed. `floor` is in microseconds; `lost` is why it can never append again, once it cannot."""

    def __init__(self, store: Store, private: Ed25519PrivateKey, origin: str, name: str) -> None:
        """Take the shard over, making it where it is new. Raises `LedgerUnavailable` that says why it cannot be had."""
        self.name = name
        self.lost: str | None = None
        self._signer = Signer(f"{origin}/{name}", private)
        self._ciphers: dict[int, tuple[int, AESGCM]] = {}
        self._requesters: dict[tuple[str, str], int] = {}
        self._attempt: Head | None = None
        self._connection = store.connect()
        try:
            self._claim()
        except sqlite3.Error as error:
            self._connection.close()
            raise LedgerUnavailable(f"the store does not take shard `{name}` ({error})") from error
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        self._connection.close()

    def _claim(self) -> None:
        verifier = str(self._signer.verifier)
        origin = self._signer.verifier.name
        empty = self._signer.checkpoint(0, EMPTY_ROOT)
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            found = {head.name: head for head in heads(self._connection)}
            head = found.get(self.name)
            if head is None:
                id_ = 1 + max((head.id for head in found.values()), default=0)
                head = Head(id_, self.name, origin, verifier, 0, 0, EMPTY_ROOT, 0, empty)
                self._connection.execute(_INSERT_SHARD, head)
            if head.origin != origin:
                raise LedgerUnavailable(
                    f"shard `{self.name}` in the store belongs to `{head.origin}`, not to `{origin}`;"
                    " set `ledger.origin` back, or use another store"
                )
            tree = self._tree(head)
            head = head._replace(epoch=head.epoch + 1, checkpoint=self._signer.checkpoint(tree.size, tree.root))
            values = {
                "b_id": head.id,
                "b_epoch": head.epoch - 1,
                "n_epoch": head.epoch,
                "n_verifier": verifier,
                "n_note": head.checkpoint,
            }
            self._connection.execute(_CLAIM, [values[name] for name in _CLAIM_NAMES])
            self._connection.execute("COMMIT")
        except BaseException:
            self._rollback()
            raise
        self._id = head.id
        self._head, self._now = head, tree

    def _tree(self, head: Head) -> Tree:
        """The tree as stored; refused unless its root is the head's."""
        try:
            tree = Tree(head.size, StoredTree(self._connection, head.id, head.size).peaks())
            if tree.root == head.root:
                return tree
            reason = "its entries do not give the root of its head"
        except VerificationFailed as error:
            reason = str(error)
        raise LedgerUnavailable(
            f"shard `{self.name}` in the store is damaged: {reason}; run `dutybound ledger verify` before anything else"
        )

    def _rollback(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    @property
    def size(self) -> int:
        return self._now.size

    @property
    def floor(self) -> int:
        return self._head.floor

    def recover(self) -> None:
        """After a commit whose outcome is unknown: read the head again, and go on from what is there.

        Raises `LedgerUnavailable`: for now, where the store is out of reach; for good, where another holds the shard.
        """
        if self.lost:
            raise LedgerUnavailable(self.lost)
        if self._attempt is None:
            return
        try:
            self._rollback()
            head = next((head for head in heads(self._connection) if head.id == self._id), None)
        except sqlite3.Error as error:
            raise LedgerUnavailable(f"the store is out of reach ({error})") from error
        if head is None or head not in (self._head, self._attempt):
            self.lost = f"shard `{self.name}` was taken over or altered by another"
            raise LedgerUnavailable(self.lost)
        self._now = self._tree(head)
        self._head, self._attempt = head, None
        self._ciphers.clear()
        self._requesters.clear()

    def prepare(self, group: Sequence[Pending]) -> Batch:
        """Salt, seal, hash and sign a group; touches the store only for a new day's key or a new requester."""
        size, floor, name = self._now.size, self._head.floor, self.name
        base = self._id << SHARD_BITS
        random = os.urandom(_RANDOM * len(group))
        entries, requesters, hashes, extras = [], [], [], []
        for offset, (told, oversight, at, by) in enumerate(group):
            start = offset * _RANDOM
            salt, other_salt = random[start : start + 32], random[start + 32 : start + 64]
            nonce, other_nonce = random[start + 64 : start + 76], random[start + 76 : start + 88]
            if at > floor:
                floor = at
            period, cipher = self._ciphers.get(floor // _DAY) or self._cipher(floor // _DAY)
            opening = leaf.Opening(salt, leaf.oversight_digest(other_salt, oversight), told)
            commitment = opening.leaf
            id_ = base + size + offset
            entries.append(
                (
                    id_,
                    floor,
                    commitment,
                    period,
                    seal(cipher, nonce, salt, told, TOLD, id_),
                    seal(cipher, other_nonce, other_salt, oversight, OVERSIGHT, id_),
                )
            )
            requesters.append((self._requesters.get(by) or self._requester(by), floor, id_))
            hashes.append(leaf_hash(commitment))
            extras.append(opening.encode())
        growth = self._now.grow(hashes)
        checkpoint = self._signer.checkpoint(growth.tree.size, growth.tree.root)
        receipts = [
            Receipt(name, index, proof.write(extra, index, path, checkpoint))
            for index, (extra, path) in enumerate(zip(extras, growth.fold("", proof.path_line), strict=True), size)
        ]
        return Batch(growth, floor, checkpoint, entries, requesters, receipts)

    def write(self, batch: Batch) -> list[Receipt]:
        """Commit a prepared group, and only then give its receipts out. Raises `LedgerUnavailable`; see `recover`."""
        before, tree, execute = self._head, batch.growth.tree, self._connection.execute
        head = before._replace(size=tree.size, root=tree.root, floor=batch.floor, checkpoint=batch.checkpoint)
        self._attempt = head
        try:
            execute("BEGIN IMMEDIATE")
            self._connection.executemany(_INSERT_ENTRY, batch.entries)
            self._connection.executemany(_INSERT_REQUESTER_ENTRY, batch.requesters)
            for level in range(TILE_BITS, len(batch.growth.rows), TILE_BITS):
                rows = [(self._id, level // TILE_BITS, at, node) for at, node in batch.growth.complete(level)]
                self._connection.executemany(_INSERT_SUBTREE, rows)
            values = {
                "b_id": before.id,
                "b_epoch": before.epoch,
                "b_size": before.size,
                "b_root": before.root,
                "n_size": tree.size,
                "n_root": tree.root,
                "n_floor": batch.floor,
                "n_note": batch.checkpoint,
            }
            if execute(_SWAP, [values[name] for name in _SWAP_NAMES]).rowcount != 1:
                self.lost = f"shard `{self.name}` was taken over by another process"
                raise LedgerUnavailable(self.lost)
            execute("COMMIT")
        except sqlite3.Error as error:
            raise LedgerUnavailable(f"the store did not take the entries ({error})") from error
        finally:
            self._rollback()
        self._head, self._now, self._attempt = head, tree, None
        return batch.receipts

    def _cipher(self, day: int) -> tuple[int, AESGCM]:
        """The day's key, made in a transaction of its own: a key without an entry does no harm."""
        from gateway.storage.tables import moment

        period = moment(day * _DAY).date().isoformat()
        try:
            self._connection.execute(_NEW_KEY, (self._id, period, os.urandom(KEY_SIZE)))
            id_, secret = self._connection.execute(_KEY, (self._id, period)).fetchone()
        except sqlite3.Error as error:
            raise LedgerUnavailable(f"the store did not take a new key ({error})") from error
        if secret is None:
            raise LedgerUnavailable(f"the key of {period} was destroyed; nothing more can be entered for that day")
        self._ciphers.clear()
        self._ciphers[day] = (id_, AESGCM(secret))
        return self._ciphers[day]

    def _requester(self, by: tuple[str, str]) -> int:
        try:
            self._connection.execute(_NEW_REQUESTER, by)
            found: int = self._connection.execute(_REQUESTER, by).fetchone()[0]
        except sqlite3.Error as error:
            raise LedgerUnavailable(f"the store did not take a new requester ({error})") from error
        self._requesters[by] = found
        return found
