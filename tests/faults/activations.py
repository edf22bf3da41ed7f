"""Rule sets are activated under load on two replicas, one frozen in turn: each inquiry has one of them, and no old one.

    python -m tests.faults.activations --activations 100 --rollbacks 20
    python -m tests.faults.activations --large

Real are two `dutybound serve` on one PostgreSQL, the network (loopback), tokens and departments, and a Valkey that is
killed for the middle third of the run, and comes back empty. Where Valkey is configured nothing is disclosed without
its counts (invariant 8), so all is refused meanwhile, as `DECISION_UNAVAILABLE`; rule sets go on being activated and
followed, and once it is back what is answered is by the set that is active then. With `--alone` there is none, and each
replica counts for itself.

Thirty-two connections ask without a pause. Every rule set differs from every other in what three steps read of it
(`tests.faults.rule_sets`). A replica is stopped (SIGSTOP) for some tenths of a second and goes on, one after the other.

Prints one line of JSON, and exits with 1 where one of these is not 0: `mixed`, answers and entries that show parts of
two rule sets; `stale`, answers by a rule set that was replaced before they were asked for, or not active yet when they
came; `failed`, requests that were not answered, and not refused as `DECISION_UNAVAILABLE`, and answers while there was
no Valkey; or where no inquiry was answered once it was back (`after`). `--large` measures instead
what proposals of 100 datasets and 60 requesters, stored and then activated, add to p99.9 of one replica on SQLite.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import msgspec
from sqlalchemy import insert

from gateway.activation.activating import Wanted, by_command
from gateway.activation.loading import reading
from gateway.config import settings
from gateway.errors import DutyboundError
from gateway.ledger.acting.commanded import done
from gateway.ledger.log import operator
from gateway.ledger.log.ledger import Ledger
from gateway.storage.port import Store
from gateway.storage.rules.rulesets import rule_set
from tests.bench import world
from tests.bench.processes import Child, Cores, running, start_departments
from tests.faults.balancer import DUTYBOUND
from tests.faults.judged import Found, Judge, Span
from tests.faults.replicas import Load, Replica, Reply
from tests.faults.rule_sets import GROUP, Variant, enlarge, variant
from tests.oauth.valkey import ValkeyServer
from tests.ports import free_port
from tests.services import postgres
from tests.waiting import until_async

FROZEN = (0.2, 0.8)
"""Seconds that a replica is stopped, and as long it goes on."""
APART = (0.1, 1.6)
"""Seconds between two activations."""
_WARM = 5.0
_BACK = 60.0  # seconds until something is answered again, once Valkey is back, on however busy a machine
ADDED = 50.0
"""Milliseconds that an activation may add to p99.9 (`--large`)."""
TURNS = 8
"""Activations that are measured (`--large`)."""


class Scene:
    """Replicas, departments, the variants of their policies, and the Valkey that replicas share."""

    def __init__(
        self,
        folder: Path,
        config: Path,
        replicas: Sequence[Replica],
        tokens: Sequence[str],
        store: str,
        valkey: ValkeyServer | None,
        pause: float,
    ) -> None:
        self.folder, self.config, self.replicas, self.store, self.valkey = folder, config, replicas, store, valkey
        self.environ = {"DUTYBOUND_STORE": store, "DUTYBOUND_DURABILITY": "single-node"}
        self.load = Load([each.port for each in replicas], tokens, random.Random(7), pause)


@contextlib.contextmanager
def scene(
    folder: Path, store: str, count: int, *, larger: bool = False, shared: bool = False, pause: float = 0.0
) -> Iterator[Scene]:
    """Departments and so many replicas, started; `larger`: of 100 datasets and 60 requesters; `shared`: by a Valkey.

    Connections rest for `pause` seconds after each reply.
    """
    cores, issuer = Cores(), world.Issuer(folder)
    with contextlib.ExitStack() as stack:
        valkey = ValkeyServer(folder) if shared else None
        if valkey is not None:
            stack.callback(valkey.stop)
        departments, urls = start_departments(issuer.jwks, folder, cores.all, [GROUP.name])
        stack.enter_context(running(departments))
        ports = [free_port() for _ in range(count)]
        config = world.write(folder, urls, urls["issuer"], ports[0])
        if larger:
            enlarge(folder, 100, 60)
        tokens = world.tokens(folder / "tokens", issuer, urls["issuer"]).read_text().split()
        replicas = []
        for number, port in enumerate(ports):
            environ = {
                "DUTYBOUND_STORE": store,
                "DUTYBOUND_DURABILITY": "single-node",
                "DUTYBOUND_LISTEN": f"127.0.0.1:{port}",
                "DUTYBOUND_LEDGER__HEAD_FILE": str(folder / f"heads-{number}.json"),
                **({} if valkey is None else {"DUTYBOUND_VALKEY": valkey.url}),
            }
            serve = [DUTYBOUND, "serve", "--config", str(config), "--workers", "1"]
            child = Child(serve, folder / f"replica-{number}.log", cores=cores.all, env=environ)
            replicas.append(Replica(stack.enter_context(running(child)), port))
            asyncio.run(replicas[-1].ready())
        yield Scene(folder, config, replicas, tokens, store, valkey, pause)


async def _freeze(replicas: Sequence[Replica], found: Found, chance: random.Random) -> None:
    """Stop one after the other for a moment, until cancelled; all go on at the end."""
    try:
        while replicas:
            for replica in replicas:
                await asyncio.sleep(chance.uniform(*FROZEN))
                replica.signal(signal.SIGSTOP)
                found.freezes += 1
                await asyncio.sleep(chance.uniform(*FROZEN))
                replica.signal(signal.SIGCONT)
    finally:
        for replica in replicas:
            replica.signal(signal.SIGCONT)


async def _without(here: Scene, judge: Judge, place: int, count: int) -> None:
    """Valkey is away for the middle third of so many activations, of which this is the next."""
    third = max(1, count // 3)
    if here.valkey is not None and place == third:
        await asyncio.to_thread(here.valkey.stop)
        judge.gone = time.monotonic()
    if here.valkey is not None and place == min(2 * third, count - 1):
        judge.back = time.monotonic()  # it may count from now on
        await asyncio.to_thread(here.valkey.start)


async def _answered(here: Scene, judge: Judge, end: float) -> None:
    """Go on until something was answered once Valkey was back."""
    while here.valkey is not None and not judge.found.after and time.monotonic() < end:
        await asyncio.sleep(0.1)
        judge.replies(here.load.take())


async def _activate(ledger: Ledger, judge: Judge, of: Variant, how: str) -> None:
    since = time.monotonic()
    wanted = Wanted(of.digest, of.files, "rollback" if how == "rollback" else "proposal")
    await done(ledger, lambda seen: by_command(seen, wanted))
    judge.spans.append(Span(of.digest, since, time.monotonic()))


def _store(store: Store, of: Variant) -> None:
    with store.engine.begin() as connection:
        connection.execute(insert(rule_set).values(digest=of.digest, files=of.files, at=int(time.time() * 1e6)))


Work = Callable[[Scene, Judge, Ledger, Store], Awaitable[None]]


async def _run(here: Scene, judge: Judge, first: Variant, work: Work, warm: float = _WARM) -> None:
    """Activate the first, have the load warm the caches, do the `work`, and hold all entries."""
    found = judge.found
    configured = settings.load(here.config, {**os.environ, **here.environ})
    private = operator.key_files.load(configured.ledger.key_file)
    with operator.stores.opened(configured) as store:
        async with operator.operated(operator.Workplace(configured, store, private)) as ledger:
            await _activate(ledger, judge, first, "proposal")
            async with here.load.running():
                await asyncio.sleep(warm)  # caches fill
                here.load.take()
                began = time.monotonic()
                await work(here, judge, ledger, store)
                found.seconds = round(time.monotonic() - began, 1)
            judge.replies(here.load.take())
            found.failed += here.load.broken
        judge.entries(store)


async def _changed(
    here: Scene, judge: Judge, ledger: Ledger, order: Sequence[tuple[Variant, str]], control: float
) -> None:
    """So many activations, one shortly after the other, while replicas are frozen in turn."""
    chance, found = random.Random(9), judge.found
    await asyncio.sleep(control)
    judge.replies(here.load.take())
    found.control_p999_ms = judge.p999()
    freezing = asyncio.create_task(_freeze(here.replicas, found, chance))
    for place, (of, how) in enumerate(order):
        await _without(here, judge, place, len(order))
        await _activate(ledger, judge, of, how)
        found.rollbacks += how == "rollback"
        found.activations += how != "rollback"
        await asyncio.sleep(chance.uniform(*APART))
        judge.replies(here.load.take())
    await until_async("a replica to be frozen", lambda: found.freezes > 0)
    freezing.cancel()
    await asyncio.gather(freezing, return_exceptions=True)
    await _answered(here, judge, time.monotonic() + _BACK)
    judge.replies(here.load.take())
    found.p999_ms = judge.p999()


async def _measured(
    here: Scene, judge: Judge, ledger: Ledger, store: Store, variants: Sequence[Variant], seconds: float
) -> None:
    """By turns as long without and with an activation: what else the machine does falls on both."""
    alone: list[Reply] = []
    beside: list[Reply] = []
    for of in variants:
        here.load.take()
        await asyncio.sleep(seconds)
        alone += here.load.take()
        await asyncio.to_thread(_store, store, of)  # as a proposal is, before it is active
        await asyncio.sleep(seconds / 2)
        await _activate(ledger, judge, of, "proposal")
        await asyncio.sleep(seconds / 2)
        beside += here.load.take()
        judge.found.activations += 1
    judge.replies(alone)
    judge.found.control_p999_ms = judge.p999()
    judge.replies(beside)
    judge.found.p999_ms = judge.p999()


def _order(variants: Sequence[Variant], rollbacks: int) -> list[tuple[Variant, str]]:
    """The first, then the others; so many times back to the one before, and that is again another than is active."""
    order = [(variants[0], "proposal")]
    each = max(1, (len(variants) - 1) // rollbacks) if rollbacks else len(variants)
    for place, of in enumerate(variants[1:], 1):
        order.append((of, "proposal"))
        if rollbacks and place % each == 0:
            order.append((variants[place - 1], "rollback"))
            rollbacks -= 1
    return order


def run(
    folder: Path, activations: int, rollbacks: int, control: float, *, shared: bool = True, pause: float = 0.0
) -> Found:
    """One run on PostgreSQL, with two replicas, which share a Valkey where they are to."""
    found = Found()
    with (
        postgres(fsync="on") as server,
        scene(folder, server.url(server.database()), 2, shared=shared, pause=pause) as here,
    ):
        how = reading(settings.load(here.config, {**os.environ, **here.environ}))
        variants = [variant(folder / "policies", number, how) for number in range(activations + 1)]
        judge, (first, *order) = Judge(found, {each.digest: each for each in variants}), _order(variants, rollbacks)

        async def work(here: Scene, judge: Judge, ledger: Ledger, store: Store) -> None:
            await _changed(here, judge, ledger, order, control)

        asyncio.run(_run(here, judge, first[0], work, min(_WARM, 2 * control)))
    if shared and not found.after:
        print("failed: nothing was answered once Valkey was back", file=sys.stderr)
        found.failed += 1
    return found


def large(folder: Path, seconds: float) -> Found:
    """What activations of a large set add to p99.9, on one replica."""
    found = Found()
    with scene(folder, f"sqlite:///{folder / 'ledger.db'}", 1, larger=True) as here:
        how = reading(settings.load(here.config, {**os.environ, **here.environ}))
        first, *others = [variant(folder / "policies", number, how) for number in range(1 + TURNS)]
        judge = Judge(found, {each.digest: each for each in (first, *others)})

        async def work(here: Scene, judge: Judge, ledger: Ledger, store: Store) -> None:
            await _measured(here, judge, ledger, store, others, seconds)

        asyncio.run(_run(here, judge, first, work))
    return found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.activations", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--activations", type=int, default=100, metavar="N")
    parser.add_argument("--rollbacks", type=int, default=20, metavar="N")
    parser.add_argument(
        "--control", type=float, default=15.0, metavar="S", help="seconds without an activation, before"
    )
    parser.add_argument("--alone", action="store_true", help="no Valkey: each replica counts for itself")
    parser.add_argument("--large", action="store_true", help="measure one activation of 100 datasets and 60 requesters")
    asked = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended then, too
    with tempfile.TemporaryDirectory(prefix="dutybound-faults-") as folder:
        try:
            if asked.large:
                found = large(Path(folder), asked.control)
            else:
                found = run(Path(folder), asked.activations, asked.rollbacks, asked.control, shared=not asked.alone)
        except DutyboundError as error:
            print(error, file=sys.stderr)
            return 1
    print(msgspec.json.encode(found).decode())
    within = not asked.large or found.p999_ms <= found.control_p999_ms + ADDED
    return 0 if found.sound and within else 1


if __name__ == "__main__":
    sys.exit(main())
