"""Taking a shard to append to: the first that may be, and a new one that names what was sealed where there is a gap."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.errors import Conflict, LedgerUnavailable, StoreUnavailable
from gateway.ledger.entry import entries
from gateway.ledger.entry.registry import COMMANDS, RECALLS
from gateway.ledger.log import retire
from gateway.ledger.log.floor import Floor
from gateway.ledger.log.head_file import SeenOutside
from gateway.ledger.log.keyring import Pending
from gateway.ledger.log.publish import Publisher
from gateway.ledger.log.registrar import Registrar
from gateway.ledger.log.shard import Shard
from gateway.storage.port import Store

_PATIENCE = 10.0
_AGAIN = 0.05
_ALONE = frozenset((*COMMANDS, *RECALLS))
"""Shards of which one is appended to at a time."""


class Taking:
    """Takes shards for one process, of `names`; as `gateway.ledger.log.ledger` has them. `floor` rises with theirs."""

    def __init__(
        self,
        store: Store,
        private: Ed25519PrivateKey,
        registrar: Registrar,
        publisher: Publisher,
        names: Sequence[str],
        floor: Floor,
    ) -> None:
        self._store, self._private, self._names, self._floor = store, private, names, floor
        self._registrar, self._publisher = registrar, publisher

    async def shard(self) -> Shard:
        """One of this process's own, ready to append to; a new one that names them where gaps have to be named.

        Raises `LedgerUnavailable`.
        """
        await self._registrar.check()
        loop = asyncio.get_running_loop()
        until = loop.time() + _PATIENCE
        while True:
            held = False
            for name in self._names:
                there, shut, gaps = await asyncio.to_thread(retire.standing, self._store)
                if name in shut:
                    continue
                remembered = await self._publisher.remembered(name, await self._registrar.keys(name))
                try:
                    if gaps and name in there and len(self._names) > 1:
                        await self._sealed_where_behind(name, remembered)
                        continue  # a gap is named by a shard's first entry
                    taken = await Shard.take(
                        self._store,
                        self._private,
                        self._registrar.origin,
                        name,
                        self._publisher.now,
                        remembered,
                        self._registrar.check,
                        self._floor,
                    )
                    if taken is not None and gaps:
                        await self._name_gaps(taken, gaps)
                except retire.Behind:
                    break  # what has to be named is another now
                if taken is not None:
                    return taken
                held = True
                if name in _ALONE:
                    break  # another command has it for a moment, or another process until it ends
            else:
                raise self._none_left(held=held)
            if held:
                if loop.time() > until:
                    raise self._none_left(held=True)
                await asyncio.sleep(_AGAIN)

    async def _sealed_where_behind(self, name: str, remembered: Sequence[SeenOutside]) -> None:
        """Look at a shard that is passed by: the store was set back, so that this one may have to be sealed, too.

        Whoever holds it has looked. Raises `Behind` where it was sealed.
        """
        try:
            held = await self._store.hold(name)
            if held is None:
                return
            try:
                if gap := await asyncio.to_thread(retire.behind, self._store, name, remembered):
                    raise await asyncio.to_thread(retire.seal, self._store, gap, self._publisher.now())
            finally:
                await held.release()
        except StoreUnavailable as error:
            raise LedgerUnavailable(f"shard `{name}` cannot be looked at ({error})") from error

    def _none_left(self, *, held: bool) -> LedgerUnavailable:
        if len(self._names) > 1 and self._names[0] not in _ALONE:
            return LedgerUnavailable("every shard is held by a process, or sealed")
        return LedgerUnavailable(f"shard `{self._names[0]}` is {'held by another process' if held else 'sealed'}")

    async def _name_gaps(self, shard: Shard, gaps: list[retire.Sealed]) -> None:
        nothing = entries.encode(entries.NOTHING)
        group = []
        for gap in gaps:
            now = max(self._publisher.now(), self._floor.at)
            told, at, noted = retire.gap_entry(gap, self._registrar.origin, shard.name, now)
            group.append(Pending(told, nothing, at, (entries.OWN.issuer, entries.OWN.client), (noted,)))
        try:
            await shard.enter(group)
        except BaseException as error:
            await shard.release()
            if isinstance(error, Conflict):
                raise LedgerUnavailable("the store has another gap than the one that was to be named") from error
            raise
