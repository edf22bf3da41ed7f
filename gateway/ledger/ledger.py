"""Appending: `append` returns once its entry is durable, and not otherwise.

Group commit: while one transaction is being committed, whatever arrives waits and goes into the next one together. A
thread of its own does it all (salts, seals, hashes, signature, transaction), so a slow disk stalls no other request; see
`gateway/adr/0001-group-commit.md`. The queue is bounded: when it is full, `append` refuses at once.

Invariants: no receipt before its commit; an error or an unknown outcome refuses the whole group, and the head is read
again before the next; once the shard is lost, every append refuses. A cancelled append may leave its entry behind: an
entry without an answer is allowed, an answer without an entry is not.
"""

from __future__ import annotations

import asyncio
import datetime
import os
import queue
import threading
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.errors import LedgerUnavailable, VerificationFailed
from gateway.ledger import read
from gateway.ledger.shard import Pending, Receipt, Shard, hold
from gateway.storage.store import Store
from gateway.storage.tables import SHARD_BITS, micros, moment

__all__ = ["Ledger", "Own", "Receipt"]

MAX_GROUP = 256
MAX_SHARDS = 64

_Waiting = tuple[Pending, "asyncio.Future[Receipt]"]


class Own(NamedTuple):
    """One of a requester's own entries: what it was told, a receipt for it, and the cursor to go on from."""

    cursor: str
    told: bytes
    receipt: Receipt


class Ledger:
    """A process's ledger: one shard of the store's.

    `origin` is the ledger's (`gateway.example/ledger`); a shard's is `<origin>/<shard>`. `shard` names one; otherwise
    the first of `1`, `2`, ... that no running process holds. `waiting` is how many appends may wait.
    """

    def __init__(
        self, store: Store, private: Ed25519PrivateKey, origin: str, *, shard: str | None = None, waiting: int = 4096
    ) -> None:
        self.store = store
        self.origin = origin
        self._private, self._wanted, self._limit = private, shard, waiting
        self._shard: Shard | None = None
        self._lock: int | None = None
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._waiting = 0
        self._open = self._faulted = False
        self._thread: threading.Thread | None = None

    @property
    def shard(self) -> str:
        """The name of this process's shard; empty before `start`."""
        return self._shard.name if self._shard else ""

    @property
    def floor(self) -> datetime.datetime:
        """The highest time of any committed entry: no clock may say less."""
        return moment(self._shard.floor if self._shard else 0)

    @property
    def healthy(self) -> bool:
        """Whether the last group was committed and the next will be tried; false before `start` and after `close`."""
        return self._open and not self._faulted

    async def start(self) -> None:
        """Take a shard; raises `LedgerUnavailable` where none can be had."""
        self._loop = asyncio.get_running_loop()
        self._shard = await asyncio.to_thread(self._take)
        self._open = True
        self._thread = threading.Thread(target=self._run, args=(self._shard,), name="ledger", daemon=True)
        self._thread.start()

    def _take(self) -> Shard:
        for name in [self._wanted] if self._wanted else map(str, range(1, MAX_SHARDS + 1)):
            try:
                self._lock = hold(self.store.path, name)
            except OSError as error:
                raise LedgerUnavailable(f"no lock beside `{self.store.path}` ({error.strerror})") from error
            if self._lock is not None:
                try:
                    return Shard(self.store, self._private, self.origin, name)
                except BaseException:
                    os.close(self._lock)
                    raise
        raise LedgerUnavailable(
            f"shard `{self._wanted}` is held by another process" if self._wanted else "every shard is held by a process"
        )

    async def append(
        self, told: bytes, oversight: bytes, at: datetime.datetime, by: tuple[str, str] = ("", "")
    ) -> Receipt:
        """Enter what a requester was told and what only oversight may open; durable when it returns.

        `at` is the time that the entry speaks of; `by` the requester (issuer, client) whose `own` it joins. Raises
        `LedgerUnavailable`: then nothing that the entry would prove may leave.
        """
        if not self._open:
            raise LedgerUnavailable("the ledger is not open")
        if self._waiting >= self._limit:
            raise LedgerUnavailable("too many entries wait for the ledger")
        self._waiting += 1
        future = self._loop.create_future()
        self._queue.put((Pending(told, oversight, micros(at), by), future))
        return await future

    async def close(self) -> None:
        """Commit what waits, then let the shard go. Appends from now on are refused."""
        self._open = False
        if self._thread is not None:
            self._queue.put(None)
            await asyncio.to_thread(self._thread.join)
            self._thread = None
        if self._shard is not None:
            self._shard.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _run(self, shard: Shard) -> None:
        """The thread: groups, in order, until the end is in the queue."""
        take, end = self._queue, False
        while not end:
            group: list[_Waiting] = []
            item = take.get()
            while item is not None:
                group.append(item)
                if len(group) == MAX_GROUP:
                    break
                try:
                    item = take.get_nowait()
                except queue.Empty:
                    break
            end = item is None
            if group:
                self._commit(shard, group)

    def _commit(self, shard: Shard, group: list[_Waiting]) -> None:
        outcome: list[Receipt] | LedgerUnavailable
        try:
            shard.recover()
            outcome = shard.write(shard.prepare([pending for pending, _ in group]))
        except LedgerUnavailable as error:
            outcome = error
        except Exception as error:  # whatever it was, nobody may be left waiting
            outcome = LedgerUnavailable(f"the ledger failed ({type(error).__name__})")
        self._loop.call_soon_threadsafe(self._resolve, group, outcome)

    def _resolve(self, group: list[_Waiting], outcome: list[Receipt] | LedgerUnavailable) -> None:
        self._waiting -= len(group)
        if isinstance(outcome, LedgerUnavailable):
            self._faulted = True
            for _, future in group:
                if not future.done():
                    future.set_exception(LedgerUnavailable(str(outcome)))
            return
        self._faulted = False
        for (_, future), receipt in zip(group, outcome, strict=True):
            if not future.done():
                future.set_result(receipt)

    async def own(self, issuer: str, client: str, after: str | None = None, first: int = 20) -> list[Own]:
        """A requester's own entries in every shard of the store, oldest first, after a cursor of an earlier call.

        Erased entries are left out. Raises `ValueError` for a cursor that is none of ours.
        """
        try:
            at, _, id_ = (after or "0-0").partition("-")
            place = (int(at), int(id_))
        except ValueError:
            raise ValueError(f"`{after}` is not a cursor of `receipts`") from None
        return await asyncio.to_thread(self._own, issuer, client, place, first)

    def _own(self, issuer: str, client: str, after: tuple[int, int], first: int) -> list[Own]:
        connection = self.store.connect()
        try:
            connection.execute("BEGIN")
            shards = {head.id: head for head in read.heads(connection)}
            trees = {id_: read.StoredTree(connection, id_, head.size) for id_, head in shards.items()}
            found: list[Own] = []
            for at, id_ in read.own_entries(connection, issuer, client, after, first):
                shard, index = id_ >> SHARD_BITS, id_ & (1 << SHARD_BITS) - 1
                entry = next(read.read_entries(connection, shard, index, 1))
                if entry.told is not None and entry.oversight is not None:
                    head = shards[shard]
                    text = read.receipt_text(trees[shard], head, entry)
                    found.append(Own(f"{at}-{id_}", entry.told.body, Receipt(head.name, index, text)))
            return found
        finally:
            connection.close()

    async def told_since(self, at: datetime.datetime) -> list[tuple[datetime.datetime, bytes]]:
        """What requesters were told from a moment on, in every shard of the store: to fill counts at a start.

        Each with the shard's time after it, which is never before the time that the entry speaks of.
        """
        return await asyncio.to_thread(self._told_since, micros(at))

    def _told_since(self, at: int) -> list[tuple[datetime.datetime, bytes]]:
        connection = self.store.connect()
        try:
            connection.execute("BEGIN")
            return [
                (entry.at, entry.told.body)
                for head in read.heads(connection)
                for entry in read.read_entries(connection, head.id, read.first_since(connection, head, at), head.size)
                if entry.told is not None
            ]
        except VerificationFailed as error:
            raise LedgerUnavailable(f"the store's entries cannot be read: {error}") from error
        finally:
            connection.close()
