"""The root shard in the store: registering a process's shard, rotating keys, and the registry as a document.

The root shard is nobody's own: a process holds it for as long as it takes to enter something, which at a start with a
shard that is known already is not at all. Invariant: a shard takes no entry before it is registered with the key that
signs it.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import math
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.errors import LedgerUnavailable, StoreUnavailable, VerificationFailed
from gateway.ledger.entry import entries, parts
from gateway.ledger.entry.registry import (
    COMMANDS,
    ROOT,
    Document,
    Listed,
    encode,
    handover,
    read_changes,
    shard_changes,
)
from gateway.ledger.log import retire
from gateway.ledger.log.head_file import SeenOutside
from gateway.ledger.log.keyring import Pending
from gateway.ledger.log.publish import Publisher, read_published
from gateway.ledger.log.shard import Shard
from gateway.ledger.proof.leaf import Opening, oversight_digest
from gateway.ledger.proof.merkle import EMPTY_ROOT
from gateway.ledger.proof.note import Verifier
from gateway.ledger.stored.read import heads, read_entries
from gateway.storage.port import Reader, Store
from gateway.storage.tables import micros

KEPT = 1.0
_PATIENCE = 10.0
_NOTHING = entries.encode(entries.NOTHING)

_Named = tuple[str, int, bytes]
"""A shard with its size and root."""

Changes = Callable[[dict[str, Listed], Shard], list[entries.ShardChange]]
"""What has to be entered, given what is registered and the root shard."""


class AnotherKey(LedgerUnavailable):
    """A shard is registered with another key than this ledger's."""


class Registrar:
    """Registers one process's shard, with its key; and with the first, the shard that commands append to.

    So no backup is older than that shard, and a command never has to change a registry that is remembered outside.
    """

    def __init__(self, store: Store, private: Ed25519PrivateKey, origin: str, publisher: Publisher) -> None:
        self.origin = origin
        self._store, self._private, self._publisher = store, private, publisher
        self._now = publisher.now
        self._seen: SeenOutside | None = None
        publisher.registry, publisher.key_of = _stored_document, self._key

    async def check(self) -> None:
        """Before anything is signed: this ledger's key is the registered one, and the registry was not set back.

        What this process registered in counts as remembered, so that a store that was swapped for another is refused.
        Raises `LedgerUnavailable`.
        """
        known = await self.listed()
        await self._check_whole(await self._remembered(known))
        if (listed := known.get(f"{self.origin}/{ROOT}")) is not None and listed.key != self._key(ROOT):
            raise self._another_key(ROOT)

    async def _check_whole(self, remembered: Sequence[SeenOutside]) -> None:
        try:
            gap = await asyncio.to_thread(retire.behind, self._store, ROOT, remembered)
        except StoreUnavailable as error:
            raise LedgerUnavailable(f"the registry in the store cannot be read: {error}") from error
        if gap is not None:
            raise LedgerUnavailable(retire.registry_set_back(gap))

    def _another_key(self, name: str) -> LedgerUnavailable:
        return AnotherKey(
            f"shard `{name}` is registered with another key than that of `ledger.key_file`; put that key back: only"
            " with it can `dutybound keys rotate` give the ledger another"
        )

    async def register(self, shard: str, size: int, root: bytes) -> None:
        """See that a shard is registered; raises `LedgerUnavailable` where it cannot be, or is with another key."""
        known, shut, before = await asyncio.to_thread(self._read)
        for each in shut:
            await self._publisher.publish_sealed(each.name)
        named = [*before, (shard, size, root)]
        beside = None
        if f"{self.origin}/{COMMANDS[0]}" not in known and COMMANDS[0] not in (shard, *(each.name for each in shut)):
            # None where another process has it: that one registers it
            beside = await self._held(COMMANDS[0])
        try:
            if beside is not None:
                named.append((beside.name, beside.size, beside.root))
            if self._lacking(known, shut, named):
                await self._enter(lambda known, _: self._lacking(known, shut, named))
            if beside is not None:
                await self._publisher.publish(beside.name)
            self._seen = await asyncio.to_thread(self._registered)
        finally:
            if beside is not None:
                await beside.release()

    def _registered(self) -> SeenOutside | None:
        try:
            with contextlib.closing(self._store.reader()) as reader:
                found = next((head.checkpoint for head in heads(reader) if head.name == ROOT), None)
        except StoreUnavailable as error:
            raise LedgerUnavailable(f"the registry in the store cannot be read: {error}") from error
        return None if found is None else SeenOutside("this process", found)

    async def publish(self) -> None:
        """Publish what is registered; raises `LedgerUnavailable` where that fails."""
        await self._publisher.publish(ROOT)

    async def _enter(self, changes: Changes) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + _PATIENCE
        remembered = await self._remembered(await self.listed())
        await self._check_whole(remembered)
        while (held := await self._held(ROOT)) is None:
            if loop.time() > until:
                raise LedgerUnavailable("the root shard is held by another process")
            await asyncio.sleep(0.05)
        try:
            await self._check_whole(remembered)
            made = changes(await self.listed(), held)
            if made:
                by = (entries.OWN.issuer, entries.OWN.client)
                await held.enter([Pending(entries.encode(each), _NOTHING, micros(each.at), by) for each in made])
        finally:
            await held.release()
        await self.publish()

    async def _held(self, name: str) -> Shard | None:
        return await Shard.take(self._store, self._private, self.origin, name, self._now)

    async def _remembered(self, known: dict[str, Listed]) -> Sequence[SeenOutside]:
        listed = known.get(f"{self.origin}/{ROOT}")
        outside = await self._publisher.remembered(ROOT, [self._key(ROOT), *(listed.every if listed else ())])
        return outside if self._seen is None else [*outside, self._seen]

    async def keys(self, name: str) -> list[Verifier]:
        """Every key that a shard was ever signed with, as far as the store knows, and this ledger's."""
        listed = (await self.listed()).get(f"{self.origin}/{name}")
        return [self._key(name), *(listed.every if listed else ())]

    async def listed(self) -> dict[str, Listed]:
        """What is registered, by origin."""
        return (await asyncio.to_thread(self._read))[0]

    def _read(self) -> tuple[dict[str, Listed], list[retire.Sealed], list[_Named]]:
        """What is registered, what is sealed, and shards of this key that were opened before there was a registry."""
        try:
            with contextlib.closing(self._store.reader()) as reader:
                known, heads_ = read_changes(stored_changes(reader)), heads(reader)
                before = [
                    (head.name, head.size, head.root)
                    for head in heads_
                    if head.size and not known and head.verifier == str(self._key(head.name))
                ]
                return known, retire.all_sealed(reader), before
        except (StoreUnavailable, VerificationFailed) as error:
            raise LedgerUnavailable(f"the registry in the store cannot be read: {error}") from error

    def _lacking(
        self, known: dict[str, Listed], sealed: Sequence[retire.Sealed], named: Sequence[_Named]
    ) -> list[entries.ShardChange]:
        made = []
        shut = {gap.name for gap in sealed}
        for name, (at, hash_) in {ROOT: (0, EMPTY_ROOT), **{name: (size, root) for name, size, root in named}}.items():
            key = self._key(name)
            listed = known.get(key.name)
            if listed is None:
                made.append(change("opened", self._now(), key, at, hash_))
            elif listed.key != key:
                raise self._another_key(name)
            elif listed.sealed is not None and name not in shut:
                raise LedgerUnavailable(f"shard `{name}` is registered as sealed")
        for gap in sealed:
            listed = known.get(f"{self.origin}/{gap.name}")
            if listed is not None and listed.sealed is None:
                made.append(change("sealed", self._now(), listed.key, gap.size, gap.root, by=gap.by))
        return made

    def _key(self, name: str) -> Verifier:
        return Verifier(f"{self.origin}/{name}", self._private.public_key().public_bytes_raw())

    async def rotate(self, after: Ed25519PrivateKey) -> list[str]:
        """Give every shard that is not sealed over to another key; gives their names.

        No process may hold one, and this key has to be theirs: nobody else's handover counts. Raises
        `LedgerUnavailable`.
        """
        known, sealed, _ = await asyncio.to_thread(self._read)
        shut = {gap.name for gap in sealed}
        open_ = {origin.rpartition("/")[2]: listed.key for origin, listed in known.items() if listed.sealed is None}
        names = [name for name in open_ if name not in shut and name != ROOT]
        for name in (ROOT, *names):
            if open_.get(name) != self._key(name):
                raise self._another_key(name)
        held: list[Shard] = []
        try:
            for name in names:
                shard = await self._held(name)
                if shard is None:
                    raise LedgerUnavailable(f"a process holds shard `{name}`; stop every gateway of this ledger first")
                held.append(shard)

            def changes(known: dict[str, Listed], root: Shard) -> list[entries.ShardChange]:
                new, at = after.public_key().public_bytes_raw(), self._now()
                made = []
                for each in (*held, root):
                    origin = f"{self.origin}/{each.name}"
                    given = handover(self._private, after, origin, each.size)
                    made.append(change("rotated", at, Verifier(origin, new), each.size, each.root, handover=given))
                return made

            await self._enter(changes)
        finally:
            for shard in held:
                await shard.release()
        return [*names, ROOT]

    async def resign(self, names: Sequence[str]) -> None:
        """Sign the heads of shards again, by taking each once, and publish them: the root's first, as it names them."""
        for name in sorted(names, key=lambda name: name != ROOT):
            shard = await self._held(name)
            if shard is not None:
                await shard.release()
            await self._publisher.publish(name)


def change(
    event: Literal["opened", "rotated", "sealed"],
    at: datetime.datetime,
    key: Verifier,
    size: int,
    root: bytes,
    *,
    handover: str = "",
    by: str = "",
) -> entries.ShardChange:
    """An entry of the root shard."""
    return entries.ShardChange(
        entries.VERSION, str(uuid.uuid4()), at, entries.OWN, event, key.name, str(key), size, root, handover, by
    )


def stored_changes(reader: Reader) -> list[entries.ShardChange]:
    """The contents of the store's root shard; nothing where there is none. Raises `VerificationFailed`."""
    try:
        return list(shard_changes([parts.read_told(opening.told) for opening in _openings(reader)[0]]))
    except ValueError as error:
        raise VerificationFailed(f"the root shard: {error}") from error


def stored_document(reader: Reader) -> bytes | None:
    """The registry as it is stored, published or not; None where the store has none, or the reader no key to it."""
    openings, origin, note = _openings(reader)
    return encode(Document(1, origin, note, [each.encode() for each in openings])) if openings else None


def _stored_document(store: Store) -> bytes | None:
    with contextlib.closing(store.reader()) as reader:
        return stored_document(reader)


def _openings(reader: Reader, size: int | None = None) -> tuple[list[Opening], str, str]:
    head = next((head for head in heads(reader) if head.name == ROOT), None)
    if head is None or reader.locked:
        return [], "", ""
    found = []
    for entry in read_entries(reader, head.id, 0, head.size if size is None else size):
        if entry.told is None or entry.oversight is None:
            raise VerificationFailed(f"entry {entry.index} of the root shard was erased")
        found.append(Opening(entry.told, oversight_digest(entry.oversight)))
    return found, head.origin, head.checkpoint


def document(store: Store) -> bytes | None:
    """The registry as it is published; None where the store has none."""
    with contextlib.closing(store.reader()) as reader:
        public = read_published(reader, ROOT)
        openings, origin, note = _openings(reader, public.size if public else None)
        named = retire.gap_receipts(reader, public=True)
    if not openings:
        return None
    checkpoint = public.checkpoint if public else note
    return encode(Document(1, origin, checkpoint, [each.encode() for each in openings], named))


class Published:
    """The registry as it is published, made once for whoever asks within `KEPT` seconds, and anew where it grew."""

    def __init__(self, store: Store) -> None:
        self._store, self._lock = store, threading.Lock()
        self._made: tuple[float, str, bytes | None] = (-math.inf, "", None)

    def document(self) -> bytes | None:
        """As `document`. Blocks; one thread makes it at a time."""
        with contextlib.closing(self._store.reader()) as reader:
            public = read_published(reader, ROOT)
        now, grown = time.monotonic(), public.checkpoint if public else ""
        with self._lock:
            at, seen, content = self._made
            if now - at > KEPT or seen != grown:
                content = document(self._store)
                self._made = (time.monotonic(), grown, content)
        return content
