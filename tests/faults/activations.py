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
what a proposal of 100 datasets and 60 requesters, stored and then activated, adds to p99.9 of one replica on SQLite.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import insert

from gateway import settings
from gateway.activation.activating import Wanted, by_command
from gateway.activation.loading import reading
from gateway.errors import DutyboundError
from gateway.ledger.acting.commanded import done
from gateway.ledger.entry import entries
from gateway.ledger.log import operator
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.stored import read
from gateway.storage.port import Store
from gateway.storage.rulesets import rule_set
from tests.bench import world
from tests.bench.processes import Child, Cores, running, start_departments
from tests.faults.loaded import DUTYBOUND
from tests.faults.replicas import Load, Replica, Reply
from tests.faults.rule_sets import Variant, enlarge, variant
from tests.oauth.valkey import ValkeyServer
from tests.ports import free_port
from tests.services import postgres

FROZEN = (0.2, 0.8)
"""Seconds that a replica is stopped, and as long it goes on."""
APART = (0.1, 1.6)
"""Seconds between two activations."""
_WARM = 5.0
_BACK = 60.0  # seconds until something is answered again, once Valkey is back, on however busy a machine
ADDED = 50.0
"""Milliseconds that an activation may add to p99.9 (`--large`)."""


class Found(msgspec.Struct):
    """What a run found. `again` were refused, `away` of them without Valkey; `after` were answered with it again."""

    activations: int = 0
    rollbacks: int = 0
    freezes: int = 0
    inquiries: int = 0
    again: int = 0
    mixed: int = 0
    stale: int = 0
    failed: int = 0
    away: int = 0
    after: int = 0
    entries: int = 0
    p999_ms: float = 0.0
    control_p999_ms: float = 0.0
    seconds: float = 0.0

    @property
    def sound(self) -> bool:
        return self.inquiries > 0 and not (self.mixed or self.stale or self.failed)


class Span(NamedTuple):
    """An activation: it happened after `since`, and before `until`."""

    digest: str
    since: float
    until: float


class _Error(msgspec.Struct):
    path: list[str | int] = []
    extensions: dict[str, Any] = {}


class _Said(msgspec.Struct):
    data: msgspec.Raw = msgspec.Raw(b"null")
    errors: list[_Error] = []
    extensions: dict[str, Any] = {}


_said = msgspec.json.Decoder(_Said).decode


class Judge:
    """Holds replies and entries to the rule sets that there were, and to when each was active."""

    def __init__(self, found: Found, variants: Mapping[str, Variant]) -> None:
        self.found, self._variants, self.spans = found, variants, list[Span]()
        self.took: list[float] = []
        self.gone, self.back = float("inf"), float("inf")
        """When Valkey was killed, and when it was there again."""

    def replies(self, replies: Sequence[Reply]) -> None:
        for reply in replies:
            self.took.append(reply.came - reply.asked)
            said = _said(reply.body)
            codes = {error.extensions.get("code") for error in said.errors}
            away = self.gone < reply.asked and reply.came < self.back
            if codes == {"DECISION_UNAVAILABLE"}:
                self.found.again += 1
                self.found.away += away
                continue
            digest = said.extensions.get("inquiry", {}).get("ruleSet")
            if reply.status != 200 or digest is None or codes != {"UNAUTHORIZED_FIELD_OR_TYPE"}:
                self._tell("failed", f"{reply.status} {reply.body[:300]!r}")
                continue
            self.found.inquiries += 1
            self.found.after += reply.asked > self.back
            if away:
                self._tell("failed", f"answered without its count, at {reply.asked:.3f}")
            denied = {str(error.path[-1]) for error in said.errors}
            told = msgspec.json.encode(said.extensions["inquiry"]["obligations"]).decode()
            if not self._one(digest, denied, told, None):
                self._tell("mixed", f"{digest[:12]}: denied {denied}, {told}")
            if not self._current(digest, reply):
                self._tell("stale", f"{digest[:12]} at {reply.asked:.3f} to {reply.came:.3f}: {self._near(reply)}")

    def entries(self, store: Store) -> None:
        """Every entry of an inquiry, as oversight reads it."""
        with contextlib.closing(store.reader()) as reader:
            for head in read.heads(reader):
                for entry in read.read_entries(reader, head.id, 0, head.size):
                    told = entry.read_told()
                    if not isinstance(told, entries.Inquiry):
                        continue
                    self.found.entries += 1
                    oversight = entry.read_oversight()
                    denied = {each.field for of in oversight.denied for each in of.fields}
                    obliged = msgspec.json.encode(told.obligations).decode()
                    if not self._one(told.rule_set, denied, obliged, told.requester.department):
                        self._tell(
                            "mixed", f"entry {entry.index}: {told.rule_set[:12]} {denied} {obliged} {told.requester}"
                        )

    def _one(self, digest: str, denied: set[str], obliged: str, department: str | None) -> bool:
        """Whether all that is shown is of one rule set."""
        of = self._variants.get(digest)
        today = datetime.datetime.now(datetime.UTC).date()
        return (
            of is not None
            and denied == {of.denied}
            and any(of.delete_by(today - datetime.timedelta(days=ago)) in obliged for ago in (0, 1))
            and department in (None, of.department)
        )

    def _current(self, digest: str, reply: Reply) -> bool:
        """Whether it was active at some moment from the question to the answer."""
        for place, span in enumerate(self.spans):
            replaced = self.spans[place + 1].until if place + 1 < len(self.spans) else float("inf")
            if span.digest == digest and span.since <= reply.came and replaced >= reply.asked:
                return True
        return False

    def _near(self, reply: Reply) -> list[tuple[str, float, float]]:
        return [(s.digest[:12], round(s.since, 3), round(s.until, 3)) for s in self.spans if s.until > reply.asked - 5][
            :4
        ]

    def _tell(self, what: str, why: str) -> None:
        setattr(self.found, what, getattr(self.found, what) + 1)
        if getattr(self.found, what) <= 5:
            print(f"{what}: {why}", file=sys.stderr)

    def p999(self) -> float:
        """Milliseconds; of what was judged since the last call."""
        took, self.took = sorted(self.took), []
        return round(took[int(len(took) * 0.999)] * 1e3, 1) if took else 0.0


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
    ) -> None:
        self.folder, self.config, self.replicas, self.store, self.valkey = folder, config, replicas, store, valkey
        self.environ = {"DUTYBOUND_STORE": store, "DUTYBOUND_DURABILITY": "single-node"}
        self.load = Load([each.port for each in replicas], tokens, random.Random(7))


@contextlib.contextmanager
def scene(folder: Path, store: str, count: int, *, larger: bool = False, shared: bool = False) -> Iterator[Scene]:
    """Departments and so many replicas, started; `larger`: of 100 datasets and 60 requesters; `shared`: by a Valkey."""
    cores, issuer = Cores(), world.Issuer(folder)
    with contextlib.ExitStack() as stack:
        valkey = ValkeyServer(folder) if shared else None
        if valkey is not None:
            stack.callback(valkey.stop)
        departments, urls = start_departments(issuer.jwks, folder, cores.all)
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
        yield Scene(folder, config, replicas, tokens, store, valkey)


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


async def _run(
    here: Scene, judge: Judge, order: Sequence[tuple[Variant, str]], control: float, apart: tuple[float, float]
) -> None:
    chance, found, freeze = random.Random(9), judge.found, len(here.replicas) > 1
    configured = settings.load(here.config, {**os.environ, **here.environ})
    private = operator.key_files.load(configured.ledger.key_file)
    with operator.stores.opened(configured) as store:
        async with operator.operated(operator.Workplace(configured, store, private)) as ledger:
            await _activate(ledger, judge, *order[0])
            async with here.load.running():
                await asyncio.sleep(min(_WARM, 2 * control))  # caches fill
                here.load.take()
                begun = time.monotonic()
                await asyncio.sleep(control)
                alone, began = here.load.take(), time.monotonic()
                freezing = asyncio.create_task(_freeze(here.replicas if freeze else (), found, chance))
                for place, (of, how) in enumerate(order[1:]):
                    await _without(here, judge, place, len(order) - 1)
                    if not freeze:  # as a proposal is stored before it is active
                        await asyncio.to_thread(_store, store, of)
                        await asyncio.sleep(chance.uniform(*apart))
                    await _activate(ledger, judge, of, how)
                    found.rollbacks += how == "rollback"
                    found.activations += how != "rollback"
                    await asyncio.sleep(chance.uniform(*apart))
                    if freeze:  # else nobody's time is to be taken meanwhile
                        judge.replies(here.load.take())
                freezing.cancel()
                await asyncio.gather(freezing, return_exceptions=True)
                await _answered(here, judge, time.monotonic() + _BACK)
                found.seconds = round(time.monotonic() - began, 1)
            judge.replies(here.load.take())
            found.p999_ms = judge.p999()
            judge.replies([each for each in alone if each.asked > begun])
            found.control_p999_ms = judge.p999()
            found.failed += here.load.broken
        judge.entries(store)


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


def run(folder: Path, activations: int, rollbacks: int, control: float, *, shared: bool = True) -> Found:
    """One run on PostgreSQL, with two replicas, which share a Valkey where they are to."""
    found = Found()
    with postgres(fsync="on") as server, scene(folder, server.url(server.database()), 2, shared=shared) as here:
        how = reading(settings.load(here.config, {**os.environ, **here.environ}))
        variants = [variant(folder / "policies", number, how) for number in range(activations + 1)]
        judge = Judge(found, {each.digest: each for each in variants})
        asyncio.run(_run(here, judge, _order(variants, rollbacks), control, APART))
    if shared and not found.after:
        print("failed: nothing was answered once Valkey was back", file=sys.stderr)
        found.failed += 1
    return found


def large(folder: Path, seconds: float) -> Found:
    """What one activation of a large set adds to p99.9, on one replica."""
    found = Found()
    with scene(folder, f"sqlite:///{folder / 'ledger.db'}", 1, larger=True) as here:
        how = reading(settings.load(here.config, {**os.environ, **here.environ}))
        variants = [variant(folder / "policies", number, how) for number in range(2)]
        judge = Judge(found, {each.digest: each for each in variants})

        order = [(of, "proposal") for of in variants]
        asyncio.run(_run(here, judge, order, seconds, (seconds / 2, seconds / 2)))
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
