"""Appending: `append` returns once its entry is durable, and not otherwise.

Group commit: whatever arrives while turns of the event loop bring more, or while a transaction is under way, goes into
the next one together. The store says whether a commit is over at once (SQLite on a fast disk) or later. The queue is
bounded: when it is full, `append` refuses at once.

Invariants: no receipt before its commit; an error or an unknown outcome refuses the whole group, and the head is read
again before the next; once the shard is lost to another process, every append refuses; one that was sealed, since the
store has less of it than was given out or is remembered outside, is followed by another whose first entry names the
gap. Nothing is answered while what is committed cannot be published. A cancelled append may leave its entry behind: an
entry without an answer is allowed, an answer without an entry is not.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import datetime
import functools
from collections.abc import Callable, Sequence
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.errors import Conflict, LedgerUnavailable
from gateway.ledger.entry.parts import SubjectParts
from gateway.ledger.entry.registry import SERVING
from gateway.ledger.log.batch import MAX_GROUP, Batch, Gathering, Waiting, next_group
from gateway.ledger.log.floor import Floor
from gateway.ledger.log.keyring import Changes, Pending, Unlearned
from gateway.ledger.log.publish import Publisher
from gateway.ledger.log.registrar import Registrar
from gateway.ledger.log.shard import Shard
from gateway.ledger.log.taking import Taking
from gateway.ledger.proof.tlog_proof import Receipt
from gateway.ledger.stored import history
from gateway.ledger.stored.history import Own
from gateway.ledger.stored.read import StoredEntry
from gateway.manage.states import Heard
from gateway.saying import in_words
from gateway.storage.port import Store
from gateway.storage.tables import micros

_T = TypeVar("_T")
_FULL = "too many entries wait for the ledger"


def _unheard(_name: str, _why: str | None) -> None:
    """Nobody is told."""


def _uncounted(_entries: int) -> None:
    """Nobody counts."""


def _why(error: BaseException) -> str:
    """Why the ledger refuses, for the log: what a database reports may have rows in it, so of that its kind alone."""
    said = str(error).partition(" (")[0] if isinstance(error, LedgerUnavailable) else "the ledger failed"
    cause = error.__cause__ or error
    return f"{said} ({in_words(cause)})"


class Ledger:
    """A process's ledger: one shard of the store's. `build` makes it, and nothing else does.

    `registrar` has its shards registered, `publisher` publishes them and knows what is remembered of them outside.
    Its shard is the first of `names` that may be appended to: of `SERVING` and `OPEN`, one that no process holds; of
    `COMMANDS` and `RECALLS`, one that another holds is waited for. `waiting` is how many appends may wait. After
    a fault the store is tried again every `retry` seconds, so that the ledger is healthy by itself as soon as it can
    be. `heard` is told when it refuses and why, and when it does not any more; `committed`, how many entries each
    commit held. `floor` rises with its entries.
    """

    def __init__(
        self,
        store: Store,
        private: Ed25519PrivateKey,
        registrar: Registrar,
        publisher: Publisher,
        *,
        names: Sequence[str] = SERVING,
        waiting: int = 4096,
        retry: float = 1.0,
        heard: Heard = _unheard,
        committed: Callable[[int], None] = _uncounted,
        floor: Floor | None = None,
    ) -> None:
        self.store = store
        self.origin = registrar.origin
        self._private, self._names, self._limit = private, names, waiting
        self._heard, self._committed = heard, committed
        self._shard: Shard | None = None
        self._queue: collections.deque[Waiting] = collections.deque()
        self._retry = retry
        self._publisher, self._registrar, self.now = publisher, registrar, publisher.now
        self._publishing: asyncio.Task[None] | None = None
        self._unpublished: str | None = None
        self._floor = floor or Floor()
        self._gathering = Gathering()
        self._taking = Taking(store, private, registrar, publisher, names, self._floor)
        self._slow: asyncio.Task[None] | None = None  # what is under way off the fast path; the loop keeps no reference
        self._open = self._faulted = self._busy = self._retrying = False

    @property
    def shard(self) -> str:
        """The name of this process's shard; empty before `start`."""
        return self._shard.name if self._shard else ""

    @property
    def floor(self) -> datetime.datetime:
        """The highest time of any committed entry: no clock may give less."""
        return self._floor.at

    def time(self) -> datetime.datetime | None:
        """The time by another's clock, as `gateway.clock.Theirs` wants it: the store's, or a witness's."""
        return self.store.time() or self._publisher.time()

    @property
    def healthy(self) -> bool:
        """Whether the last group was committed and the next will be tried; false before `start` and after `close`."""
        if self._open and self._shard is not None and not self._shard.alive and not self._faulted:
            self._faulted = True  # the session was lost while nobody asked
            self._heard("", "the session with the store was lost")
            self._retry_later()
        return self._open and not self._faulted and self._unpublished is None

    async def start(self) -> None:
        """Take a shard; raises `LedgerUnavailable` where none can be had."""
        self._loop = asyncio.get_running_loop()
        self._idle = asyncio.Event()
        self._idle.set()
        self._shard = await self._taking.shard()
        try:
            await self._register(self._shard)
            self._publishing = self._loop.create_task(self._publish())
        except BaseException:
            await self._shard.release()
            raise
        self._open = True

    async def _register(self, shard: Shard) -> None:
        """Before its first entry: a shard counts once it is in the registry, and published."""
        await self._registrar.register(shard.name, shard.size, shard.root)
        await self._publisher.publish(shard.name)

    async def _publish(self) -> None:
        """Publish again and again; what cannot be published for too long ends the answering until it can."""
        publisher = self._publisher
        done = self._loop.time()
        while True:
            await asyncio.sleep(publisher.every)
            begun = self._loop.time()
            try:
                await publisher.publish(self.shard)
                await self._registrar.publish()
                done = begun
                if self._unpublished is not None:
                    self._unpublished = None
                    if not self._faulted:
                        self._heard("", None)
            except Exception as error:
                if self._loop.time() - done > publisher.patience:
                    self._unpublished = str(error)
                    self._heard("", _why(error))

    async def published(self, shard: str) -> None:
        """See that what is committed of this process's shard is published, so that whoever asks now sees it."""
        if self._open and self._shard is not None and self._shard.name == shard:
            with contextlib.suppress(LedgerUnavailable):
                await self._publisher.fresh(shard, self._shard.size)

    async def append(
        self,
        told: bytes,
        oversight: bytes,
        at: datetime.datetime,
        by: tuple[str, str] = ("", ""),
        changes: tuple[Changes, ...] = (),
        subjects: tuple[SubjectParts, ...] = (),
    ) -> Receipt:
        """Enter the parts of an entry (`gateway.ledger.entry.parts`); durable when it returns.

        `at` is the time that the entry speaks of; `by` the requester (issuer, client) whose `own` it joins. `changes`
        are of the same transaction, which then holds this entry alone: they stand if and only if the entry does.
        Raises `LedgerUnavailable`, or `Conflict`: then nothing that the entry would prove may leave.
        """
        together = object() if changes else None
        return await self._queued(Pending(told, oversight, micros(at), by, changes, subjects, together))

    async def append_together(self, several: Sequence[Pending]) -> list[Receipt]:
        """Enter several in one group that has nothing else, at most `MAX_GROUP`; all of them stand, or none.

        Raises `LedgerUnavailable`, and `Conflict` where a guarded change of one changes no row.
        """
        if not 0 < len(several) <= MAX_GROUP:
            raise ValueError(f"a group has from 1 to {MAX_GROUP} entries")
        if len(self._queue) + len(several) > self._limit:
            raise LedgerUnavailable(_FULL)
        together = object()
        waiting = [self._queued(pending._replace(together=together)) for pending in several]
        done = await asyncio.gather(*waiting, return_exceptions=True)
        failed = [each for each in done if isinstance(each, BaseException)]
        if failed:
            raise failed[0]
        return [each for each in done if isinstance(each, Receipt)]

    def _queued(self, pending: Pending) -> asyncio.Future[Receipt]:
        if not self._open:
            raise LedgerUnavailable("the ledger is not open")
        if self._unpublished is not None:
            raise LedgerUnavailable(self._unpublished)
        if len(self._queue) >= self._limit:
            raise LedgerUnavailable(_FULL)
        future: asyncio.Future[Receipt] = self._loop.create_future()
        self._queue.append((pending, future))
        if not self._busy:
            self._busy = True
            self._idle.clear()
            self._loop.call_soon(self._turn)
        return future

    async def close(self) -> None:
        """Commit what waits, then let the shard go. Appends from now on are refused."""
        self._open = False
        if self._publishing is not None:
            self._publishing.cancel()
            await asyncio.gather(self._publishing, return_exceptions=True)
        if self._shard is not None:
            await self._idle.wait()
            with contextlib.suppress(LedgerUnavailable):  # the next to take the shard publishes it
                await self._publisher.publish(self._shard.name)
            await self._publisher.close()
            await self._shard.release()

    def _turn(self) -> None:
        """Commit one group. `_busy` is set from before the first waits until nobody does: one turn at a time."""
        assert self._shard is not None, "`start` came first"
        waiting = self._queue
        if not waiting or self._gathering.grows(len(waiting)):
            return self._go_on()
        group = next_group(waiting)
        self._gathering.taken(len(group))
        try:
            if not self._shard.sound:
                return self._hand_over(group)
            batch = self._shard.prepare([pending for pending, _ in group])
            committing = self._shard.write(batch)
        except Unlearned:
            return self._hand_over(group)
        except Exception as error:
            return self._refuse(group, error)
        if committing is not None:
            return committing.add_done_callback(functools.partial(self._settle, group, batch))
        return self._answer(group, batch.receipts)

    def _settle(self, group: list[Waiting], batch: Batch, outcome: asyncio.Future[None]) -> None:
        assert self._shard is not None, "`start` came first"
        try:
            self._shard.settle(batch, outcome.exception())
        except Unlearned:
            self._hand_over(group)
        except BaseException as error:
            self._refuse(group, error)
        else:
            self._answer(group, batch.receipts)

    def _hand_over(self, group: list[Waiting]) -> None:
        """Find out first what the store holds, or what the group needs of it; then commit the group."""
        self._slow = self._loop.create_task(self._slowly(group))

    async def _slowly(self, group: list[Waiting]) -> None:
        shard = self._shard
        assert shard is not None, "`start` came first"
        try:
            receipts = await shard.enter([pending for pending, _ in group])
        except BaseException as error:
            self._refuse(group, error)
        else:
            self._answer(group, receipts)

    def _answer(self, group: list[Waiting], receipts: list[Receipt]) -> None:
        if self._faulted:
            self._mended()
        self._committed(len(group))
        for (_, future), receipt in zip(group, receipts, strict=True):
            if not future.done():
                future.set_result(receipt)
        self._go_on()

    def _go_on(self) -> None:
        if self._queue:
            self._loop.call_soon(self._turn)
        else:
            self._rest()

    def _rest(self) -> None:
        self._busy = False
        self._idle.set()

    def _refuse(self, group: list[Waiting], error: BaseException) -> None:
        """Whatever went wrong, nobody may be left waiting, and nobody gets a receipt."""
        if isinstance(error, Conflict):  # somebody acted at the same moment: nothing is wrong with the ledger
            for _, future in group:
                if not future.done():
                    future.set_exception(error)
            return self._go_on()
        self._faulted = True
        self._heard("", _why(error))
        reason = str(error) if isinstance(error, LedgerUnavailable) else f"the ledger failed ({in_words(error)})"
        for _, future in group:
            if not future.done():
                unavailable = LedgerUnavailable(reason)
                unavailable.__cause__ = error  # for whoever puts it into words
                future.set_exception(unavailable)
        self._go_on()
        return self._retry_later()

    def _mended(self) -> None:
        self._faulted = False
        if self._unpublished is None:
            self._heard("", None)

    def _retry_later(self) -> None:
        if not self._retrying:
            self._retrying = True
            self._loop.call_later(self._retry, self._try_again)

    def _try_again(self) -> None:
        """See whether the store takes entries again; a process that is not ready would get none to see it by."""
        self._retrying = False
        if not self._open or not self._faulted:
            return
        if self._busy:
            self._retry_later()
            return
        self._busy = True
        self._idle.clear()

        def done(outcome: asyncio.Task[None]) -> None:
            if (error := outcome.exception()) is None:
                self._mended()
            else:
                self._heard("", _why(error))
            self._turn()
            if self._faulted:
                self._retry_later()

        assert self._shard is not None, "it was open"
        self._slow = self._loop.create_task(self._restore(self._shard))
        self._slow.add_done_callback(done)

    async def _restore(self, shard: Shard) -> None:
        if not shard.sealed:
            return await shard.probe()
        await shard.release()
        taken = await self._taking.shard()
        try:
            await self._register(taken)
        except BaseException:
            await taken.release()
            raise
        self._shard = taken
        return None

    def own(
        self,
        issuer: str,
        client: str,
        after: str | None = None,
        first: int = 20,
        *,
        places: history.Places | None = None,
        shown: Callable[[StoredEntry], bool] = lambda entry: True,
    ) -> list[Own]:
        """As `history.own`: of these places, or of all that the requester entered. Blocks."""
        return history.own(self.store, places or history.everybodys(issuer, client), shown, after, first)

    async def entered_since(self, at: datetime.datetime, of_interest: Callable[[StoredEntry], _T | None]) -> list[_T]:
        """As `history.entered_since`, in a thread."""
        return await asyncio.to_thread(history.entered_since, self.store, at, of_interest)
