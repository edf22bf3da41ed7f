"""Publication: what readers and witnesses see of a shard, and what is remembered of it outside the store.

A checkpoint is published when it stands in `published`: with the witnesses' cosignatures, and after the head file has
it on its disk. `/ledger/<shard>/checkpoint` serves that one. It is renewed every few seconds, whether anything was
entered or not, so that its time says how fresh it is. The head file of each process also remembers what others entered:
after a fault another process may take their shard, and their head file may be on a machine that was lost.

Invariants: a published checkpoint is durable in the store before anybody is shown it; its size never falls; where
cosignatures are required, none is published without them, but what is left of a sealed shard. Left to others: when to
publish, and what to do when that fails (`ledger`).
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from sqlalchemy import insert, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from gateway.clock import Now, machines
from gateway.errors import LedgerUnavailable, StoreUnavailable, VerificationFailed
from gateway.ledger.log.head_file import HeadFile, SeenOutside
from gateway.ledger.log.witness_client import PublishedRegistry, Witnesses
from gateway.ledger.proof.note import Verifier, open_note, parse_checkpoint
from gateway.ledger.stored import statements as sql
from gateway.ledger.stored.read import Head, heads
from gateway.saying import in_words
from gateway.storage.port import Reader, Store
from gateway.storage.tables import micros, moment, published

EVERY = 5.0
"""Seconds between publications; what the contract promises is twice that."""
_AT_MOST_EVERY = 0.1


class Published(NamedTuple):
    """What is published of a shard."""

    at: datetime.datetime
    size: int
    checkpoint: str


class Publisher:
    """Publishes shards of one store, for one process; one publication at a time. `now` is that process's clock."""

    def __init__(
        self,
        store: Store,
        origin: str,
        now: Now,
        *,
        head_file: HeadFile | None = None,
        witnesses: Witnesses | None = None,
        every: float = EVERY,
    ) -> None:
        self.every, self.now = every, now
        self._store, self._origin = store, origin
        self._head_file, self._witnesses = head_file, witnesses
        self.registry: PublishedRegistry | None = (
            None  # set by whoever registers shards, for witnesses that do not know one
        )
        self.key_of: Callable[[str], Verifier] | None = None  # set by the same: what signs a shard, by its name
        self._lock = asyncio.Lock()
        self._done: dict[str, tuple[float, int]] = {}

    @property
    def patience(self) -> float:
        """Seconds without a publication after which nothing may be answered any more."""
        return 3 * self.every + (self._witnesses.within if self._witnesses else 0.0)

    def time(self) -> datetime.datetime | None:
        """The time by the witnesses' clocks; None where there is none, or none signed one just now."""
        return self._witnesses.time(machines()) if self._witnesses else None

    async def remembered(self, shard: str, keys: Sequence[Verifier]) -> list[SeenOutside]:
        """Every checkpoint of a shard that is known outside the store; a witness's answer is signed by one of `keys`.

        Raises `LedgerUnavailable` where the head file cannot be read, or too few of the required witnesses answer.
        """
        origin, found = f"{self._origin}/{shard}", []
        if self._head_file is not None and (kept := await asyncio.to_thread(self._head_file.remembered, origin)):
            found.append(kept)
        if self._witnesses is not None:
            found += await self._witnesses.remembered(origin, keys)
        return found

    async def publish(self, shard: str) -> None:
        """Publish what is committed of a shard; raises `LedgerUnavailable` where that fails."""
        async with self._lock:
            await self._publish(shard)

    async def fresh(self, shard: str, size: int) -> None:
        """Publish a shard of `size` entries unless that was done; soon, not at once, where it was asked just before.

        With witnesses, nothing is done out of turn. Raises `LedgerUnavailable`.
        """
        if self._witnesses is not None:
            return
        async with self._lock:
            at, done = self._done.get(shard, (0.0, -1))
            if done < size:
                await asyncio.sleep(at + _AT_MOST_EVERY - time.monotonic())
                await self._publish(shard)

    async def publish_sealed(self, shard: str) -> None:
        """Show all that is left of a sealed shard: the registry vouches for it, and whoever remembers more, for more.

        Raises `LedgerUnavailable`.
        """
        try:
            head = _named(await asyncio.to_thread(_heads, self._store), shard)
            await asyncio.to_thread(self._show, head, head.checkpoint, renew=False)
        except VerificationFailed:
            return  # nothing is left of it
        except StoreUnavailable as error:
            raise LedgerUnavailable(
                f"shard `{shard}` cannot be published: the store is out of reach ({error})"
            ) from error

    async def _publish(self, shard: str) -> None:
        try:
            every = await asyncio.to_thread(_heads, self._store)
            head = _named(every, shard)
            note = head.checkpoint
            if self._witnesses is not None:
                note += await self._witnesses.cosign(head, self._store, self.registry)
            await asyncio.to_thread(self._write, head, note, every)
        except VerificationFailed as error:
            raise LedgerUnavailable(f"shard `{shard}` cannot be published: {error}") from error
        except StoreUnavailable as error:
            raise LedgerUnavailable(
                f"shard `{shard}` cannot be published: the store is out of reach ({error})"
            ) from error
        self._done[shard] = (time.monotonic(), head.size)

    def _write(self, head: Head, note: str, every: Sequence[Head]) -> None:
        if self._head_file is not None:
            kept = {seen.origin: seen.size for seen in [each.checkpoint for each in self._head_file.all()]}
            more = [each for each in every if each.name != head.name and each.size > kept.get(each.origin, 0)]
            others = {each.origin: each.checkpoint for each in more if self._is_signed(each)}
            self._head_file.remember(head.origin, note, others)
        self._show(head, note)

    def _is_signed(self, head: Head) -> bool:
        """Whether this ledger's key signed what another process's shard is."""
        if self.key_of is None:
            return False
        try:
            signed = parse_checkpoint(open_note(head.checkpoint, [self.key_of(head.name)])[0])
        except ValueError:
            return False
        return signed == (head.origin, head.size, head.root)

    def _show(self, head: Head, note: str, *, renew: bool = True) -> None:
        row = {"at": micros(self.now()), "size": head.size, "checkpoint": note}
        try:
            with self._store.engine.begin() as connection:
                older = published.c.size <= head.size if renew else published.c.size < head.size
                mine = update(published).where(published.c.shard == head.id, older)
                if connection.execute(mine.values(row)).rowcount:
                    return
            with contextlib.suppress(IntegrityError), self._store.engine.begin() as connection:
                connection.execute(insert(published).values(shard=head.id, **row))
        except SQLAlchemyError as error:
            raise StoreUnavailable(in_words(error)) from error

    async def close(self) -> None:
        if self._witnesses is not None:
            await self._witnesses.close()


def _heads(store: Store) -> list[Head]:
    with contextlib.closing(store.reader()) as reader:
        return heads(reader)


def _named(every: Sequence[Head], shard: str) -> Head:
    found = next((head for head in every if head.name == shard), None)
    if found is None:
        raise VerificationFailed("the store does not have it")
    return found


def read_published(reader: Reader, shard: str) -> Published | None:
    """What is published of a shard; None where nothing ever was."""
    rows: Sequence[tuple[int, int, str]] = reader.rows(sql.PUBLISHED, shard)
    return Published(moment(rows[0][0]), rows[0][1], rows[0][2]) if rows else None
