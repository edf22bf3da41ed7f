"""`dutybound ledger rebuild`: the projections dropped, and built again from the entries, while gateways run.

What reads a projection that is dropped or not yet built reads the entries instead, or says how far it is behind. Where
a gateway's own projector is at work it does the building, and this command tells how far it is; else this command does
it. The next call, or the projector of a gateway, continues one that was interrupted. Payloads are opened on the way,
as a gateway does behind every entry; nothing of them is shown.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Sequence

from gateway.command import options
from gateway.config import settings
from gateway.errors import VerificationFailed
from gateway.ledger.commands.progress import teller
from gateway.ledger.export.select import Progress
from gateway.ledger.projections.projector import Projector
from gateway.ledger.projections.worker import HOLD, IDLE
from gateway.ledger.stored import read
from gateway.nouns import counted
from gateway.storage.port import Store
from gateway.storage.projections import projecting as kept
from gateway.storage.projections.tables import DROPPING, NAMES
from gateway.storage.store import opened

_STILL = 30.0


def register(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    options.config(parser)
    parser.add_argument(
        "--only", choices=NAMES, metavar="NAME", help=f"one projection: {', '.join(NAMES)} (default: all)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Rebuild; 0 done. Raises `StoreUnavailable`, `VerificationFailed` where an entry cannot be read."""
    with opened(settings.load(arguments.config, os.environ)) as store:
        kept.unhurried(store.engine)
        names = (arguments.only,) if arguments.only else NAMES
        if begin(store, names):
            print("an earlier rebuild was interrupted; continuing it", file=sys.stderr)
        count = asyncio.run(build(store, names, teller()))
    print(f"rebuilt: {', '.join(names)}, from {counted(count, 'entry')}")
    return 0


def begin(store: Store, names: Sequence[str]) -> bool:
    """Have projections dropped, those that are being rebuilt already excepted; whether there were any of these."""
    with contextlib.closing(store.reader()) as reader:
        shards = [head.id for head in read.heads(reader)]
    kept.begin(store.engine, shards)
    under_way = {each.projection for each in kept.positions(store.engine) if _unbuilt(each)}
    if fresh := [name for name in names if name not in under_way]:
        kept.start_over(store.engine, fresh)
    return bool(under_way & set(names))


async def build(store: Store, names: Sequence[str], tell: Progress) -> int:
    """Wait until projections are rebuilt, and build them as long as nobody else does; gives from how many entries.

    It rests as long as it works, so that a gateway's commits come between. Raises `VerificationFailed` that names an
    entry that cannot be read.
    """
    projector, held = Projector(store), None
    still = _Still()
    try:
        while True:
            mine = [each for each in kept.positions(store.engine) if each.projection in names]
            done = sum(max(0, each.next) for each in mine) // len(names)
            tell(", ".join(names), done, sum(each.rebuilding or each.next for each in mine) // len(names))
            if not any(map(_unbuilt, mine)):
                return done
            if held is None or not held.alive:
                held = await store.hold(HOLD)
            begun = time.monotonic()
            if held is None:
                still.see(done)
                await asyncio.sleep(IDLE)
            elif await asyncio.to_thread(projector.turn):
                await asyncio.sleep(time.monotonic() - begun)
            elif not projector.stopped:
                kept.settle(store.engine, names)
            for stopped in projector.stopped.values():
                raise VerificationFailed(f"shard `{stopped.shard}`: {stopped.why}")
    finally:
        await asyncio.to_thread(projector.close)
        if held is not None:
            await held.release()


class _Still:
    """Says, once, that the projector of a gateway does not get on."""

    def __init__(self) -> None:
        self._done, self._since, self._told = -1, time.monotonic(), False

    def see(self, done: int) -> None:
        if done != self._done:
            self._done, self._since = done, time.monotonic()
        elif not self._told and time.monotonic() - self._since > _STILL:
            self._told = True
            print("a gateway's projector is running, but makes no progress; see that gateway's log", file=sys.stderr)


def _unbuilt(position: kept.Position) -> bool:
    return position.next == DROPPING or (position.rebuilding or 0) > position.next
