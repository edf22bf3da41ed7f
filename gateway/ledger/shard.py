"""One process's shard: its tree in memory, and its place in the store.

Invariants: a transaction holds the entries, the hashes of tiles that they fill, the signed checkpoint and the
compare-and-swap of the head (epoch, size, root). Unless exactly one row changes, this shard is lost and never appends
again. What `prepare` signs is given out by `write` alone, after the commit. Any error on the way to or in the commit is
an unknown outcome: nothing of that group is given out, and the head is read again before the next. Not thread-safe:
one thread at a time.

A process holds its shard by a lock on a file beside the store, which the system frees when the process ends, however
it ends; the next to take the shard raises its epoch, so a process that wrongly believes to hold it loses the swap.
"""

from __future__ import annotations

import fcntl
import functools
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.errors import LedgerUnavailable, VerificationFailed
from gateway.ledger import leaf, proof
from gateway.ledger import statements as sql
from gateway.ledger.merkle import EMPTY_ROOT, Growth, Tree, leaf_hash
from gateway.ledger.note import Signer
from gateway.ledger.read import TILE_BITS, Head, StoredTree, heads
from gateway.ledger.seal import KEY_SIZE, NONCE_SIZE, OVERSIGHT, TOLD, seal
from gateway.storage.store import Store
from gateway.storage.tables import SHARD_BITS, moment

_DAY = 86_400_000_000
_CHUNKS = (64, 16, 4, 1)
_RANDOM = 2 * (leaf.SALT_SIZE + NONCE_SIZE)


class Busy(Exception):
    """Another process is writing to the store; nothing was attempted, the batch can be written with patience."""


class Pending(NamedTuple):
    """What waits to become an entry. `at` is in microseconds; `by` is the requester (issuer, client)."""

    told: bytes
    oversight: bytes
    at: int
    by: tuple[str, str]


class Receipt(msgspec.Struct, frozen=True):
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


def hold(store: Path, name: str) -> int | None:
    """Lock a shard's name for this process; the lock's file descriptor, or None where another process holds it."""
    descriptor = os.open(f"{store}.shard-{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _insert(connection: sqlite3.Connection, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
    """Insert rows, many a statement: each statement gives the interpreter lock up once, however many rows it has."""
    at = 0
    while at < len(rows):
        count = next(size for size in _CHUNKS if size <= len(rows) - at)
        values = [value for row in rows[at : at + count] for value in row]
        connection.execute(_many(statement, count), values)
        at += count


@functools.lru_cache(maxsize=2 * len(_CHUNKS))
def _many(statement: str, count: int) -> str:
    head, marks = statement.split(" VALUES ")
    return f"{head} VALUES {', '.join([marks] * count)}"


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
        self._store = store
        try:
            self._connection, self._hasty = store.connect(), store.connect(wait_ms=0)
            self._claim()
        except sqlite3.Error as error:
            raise LedgerUnavailable(f"the store does not take shard `{name}` ({error})") from error

    def close(self) -> None:
        self._connection.close()
        self._hasty.close()

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
                self._connection.execute(sql.INSERT_SHARD, head)
            if head.origin != origin:
                raise LedgerUnavailable(
                    f"shard `{self.name}` in the store belongs to `{head.origin}`, not to `{origin}`;"
                    " set `ledger.origin` back, or use another store"
                )
            tree = self._tree(head)
            head = head._replace(epoch=head.epoch + 1, checkpoint=self._signer.checkpoint(tree.size, tree.root))
            self._connection.execute(sql.CLAIM, (verifier, head.epoch, head.checkpoint, head.id, head.epoch - 1))
            self._connection.execute("COMMIT")
        except BaseException:
            self.close()
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

    @property
    def size(self) -> int:
        return self._now.size

    @property
    def floor(self) -> int:
        return self._head.floor

    @property
    def sound(self) -> bool:
        """Whether the next group can be prepared without `recover` first."""
        return self._attempt is None and self.lost is None

    def recover(self) -> None:
        """After a commit whose outcome is unknown: read the head again, and go on from what is there.

        Raises `LedgerUnavailable`: for now, where the store is out of reach; for good, where another holds the shard.
        """
        if self.lost:
            raise LedgerUnavailable(self.lost)
        if self._attempt is None:
            return
        try:
            self.close()
            self._connection, self._hasty = self._store.connect(), self._store.connect(wait_ms=0)
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

    def probe(self) -> None:
        """Recover, and see that the store lets this shard write; raises `LedgerUnavailable`."""
        self.recover()
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise LedgerUnavailable(f"the store takes no entries ({error})") from error

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

    def write(self, batch: Batch, *, patient: bool) -> list[Receipt]:
        """Commit a prepared group, and only then give its receipts out.

        `patient` waits for another process that is writing, else that raises `Busy`. Raises `LedgerUnavailable` for
        anything else; then `recover` before the next group.
        """
        connection = self._connection if patient else self._hasty
        before, tree, execute = self._head, batch.growth.tree, connection.execute
        head = before._replace(size=tree.size, root=tree.root, floor=batch.floor, checkpoint=batch.checkpoint)
        try:
            execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY and not patient:
                raise Busy from error
            raise LedgerUnavailable(f"the store takes no entries ({error})") from error
        self._attempt = head
        try:
            _insert(connection, sql.INSERT_ENTRY, batch.entries)
            _insert(connection, sql.INSERT_REQUESTER_ENTRY, batch.requesters)
            for level in range(TILE_BITS, len(batch.growth.rows), TILE_BITS):
                rows = [(self._id, level // TILE_BITS, at, node) for at, node in batch.growth.complete(level)]
                connection.executemany(sql.INSERT_SUBTREE, rows)
            swap = (
                tree.size,
                tree.root,
                batch.floor,
                batch.checkpoint,
                before.id,
                before.epoch,
                before.size,
                before.root,
            )
            if execute(sql.SWAP, swap).rowcount != 1:
                self.lost = f"shard `{self.name}` was taken over by another process"
                raise LedgerUnavailable(self.lost)
            execute("COMMIT")
        except sqlite3.Error as error:
            raise LedgerUnavailable(f"the store did not take the entries ({error})") from error
        finally:
            if connection.in_transaction:
                connection.rollback()
        self._head, self._now, self._attempt = head, tree, None
        return batch.receipts

    def _cipher(self, day: int) -> tuple[int, AESGCM]:
        """The day's key, made in a transaction of its own: a key without an entry does no harm."""
        period = moment(day * _DAY).date().isoformat()
        try:
            self._connection.execute(sql.NEW_KEY, (self._id, period, os.urandom(KEY_SIZE)))
            id_, secret = self._connection.execute(sql.KEY, (self._id, period)).fetchone()
        except sqlite3.Error as error:
            raise LedgerUnavailable(f"the store did not take a new key ({error})") from error
        if secret is None:
            raise LedgerUnavailable(f"the key of {period} was destroyed; nothing more can be entered for that day")
        self._ciphers.clear()
        self._ciphers[day] = (id_, AESGCM(secret))
        return self._ciphers[day]

    def _requester(self, by: tuple[str, str]) -> int:
        try:
            self._connection.execute(sql.NEW_REQUESTER, by)
            found: int = self._connection.execute(sql.REQUESTER, by).fetchone()[0]
        except sqlite3.Error as error:
            raise LedgerUnavailable(f"the store did not take a new requester ({error})") from error
        self._requesters[by] = found
        return found
