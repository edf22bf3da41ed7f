"""An in-process world: the real journey, from a request's bytes to an answer's, without a network.

Real are the policies of the repository, the rule set, plans, facts in a SQLite store, decisions, admission, restraints,
rendering, and the ledger on the same store. Simulated, in `tests.outside`, is what lies outside the gateway:
departments (`Department`), case registries (`Registries`), the token's issuer (`Tokens`); the clock is `World.now`.
Subjects are new for each test that wants one, so that nothing has to be cleaned up between.

A fault is planted by replacing a port for one question (`World.ask(..., ledger=...)`), by monkeypatching a step, or by
a `Department`'s `mood`.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import functools
import itertools
import json
import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from stdnum.iso7064 import mod_11_10, mod_97_10

from connectors.base import Connector, RecordRequest, Subject, SubjectKind
from gateway import app, served
from gateway.bounds.shares import Shares
from gateway.config.settings import Limits
from gateway.inquiry import answer
from gateway.inquiry.admit import Admission
from gateway.inquiry.beside.unsent import Unsent
from gateway.inquiry.counting.retries import Retries
from gateway.inquiry.facts import FactsReader
from gateway.inquiry.journey import Journey
from gateway.inquiry.plan import Planner
from gateway.inquiry.types import Answer, Narrowing, Requester
from gateway.ledger.entry import entries
from gateway.ledger.stored import read
from gateway.rules.load import load
from gateway.rules.ruleset import RuleSet
from gateway.storage.port import Store
from gateway.telemetry.metrics import Metrics
from tests.ledgers import ledger_on
from tests.outside import FAILING, MOODS, NOON, Case, Department, Held, Registries, Tokens, record, values
from tests.scanning.keeping import refused
from tests.stores import store_at

__all__ = [
    "FAILING",
    "MOODS",
    "NOON",
    "Ask",
    "Case",
    "Department",
    "Entered",
    "Held",
    "Registries",
    "Reply",
    "Tokens",
    "World",
    "new_subject",
    "opened",
    "record",
    "rule_set",
    "values",
]

ISSUERS = {"login": "https://login.example"}
ORIGIN = "gateway.example/ledger"
WIDE = Limits(body=1 << 20, depth=60, aliases=2000, tokens=20_000)
"""Limits that no generated document meets: how a document is limited is tested elsewhere."""

_PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
_planners: dict[RuleSet, Planner] = {}
_numbers = itertools.count(1)


@functools.cache
def rule_set(folder: str = "policies") -> RuleSet:
    """The rule set in a folder of policies, loaded once: its table is filled on first need and then shared."""
    return load(Path(folder), ISSUERS)


def new_subject(kind: SubjectKind = "organisation") -> Subject:
    """A subject that nobody has asked about yet, with a valid identifier."""
    number = next(_numbers)
    if kind == "person":
        return Subject(kind, "PIN", f"{number:09d}{mod_11_10.calc_check_digit(f'{number:09d}')}")
    body = f"DUTY00{number:012d}"
    return Subject(kind, "LEI", body + mod_97_10.calc_check_digits(body))


class Entered(NamedTuple):
    """A ledger entry, as it was read back from the store."""

    told: entries.Told
    oversight: entries.Oversight
    told_bytes: bytes


class Ask(NamedTuple):
    """One request: who asks what. `header` is the `Inquiry` header."""

    requester: Requester
    query: str
    variables: Mapping[str, Any] = {}
    header: bytes | None = None
    operation_name: str | None = None


class Reply(NamedTuple):
    """An answer, what it says, the entries that it left, and what departments were asked for it."""

    answer: Answer
    said: Mapping[str, Any]
    entries: list[Entered]
    asked: Mapping[str, list[RecordRequest]]

    @property
    def data(self) -> Any:
        return self.said.get("data")

    @property
    def errors(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.said.get("errors", [])
        return found

    @property
    def codes(self) -> list[str]:
        return [error["extensions"]["code"] for error in self.errors]

    @property
    def inquiry(self) -> Mapping[str, Any]:
        """`extensions.inquiry`; empty where the answer has none."""
        found: Mapping[str, Any] = self.said.get("extensions", {}).get("inquiry", {})
        return found

    @property
    def denials(self) -> list[dict[str, Any]]:
        return [e for e in self.errors if e["extensions"]["code"] == "UNAUTHORIZED_FIELD_OR_TYPE"]

    @property
    def data_bytes(self) -> bytes:
        """The `data` member as it was sent."""
        return bytes(msgspec.json.decode(self.answer.body, type=dict[str, msgspec.Raw])["data"])


class World:
    """The journey with everything around it. One thread, one event loop: `ask` runs it."""

    def __init__(
        self,
        folder: Path,
        rules: RuleSet | None = None,
        store: Callable[[Path], Store] = store_at,
    ) -> None:
        self.now = NOON
        self.rules = rules or rule_set()
        self.policies, self.catalogue = self.rules.policies, self.rules.policies.catalogue
        self.loop = asyncio.new_event_loop()
        self.path = folder / "store.db"
        self.store = store(self.path)
        self.ledger = ledger_on(self.store, _PRIVATE, ORIGIN)
        self.loop.run_until_complete(self.ledger.start())
        self.held: dict[tuple[Subject, str], list[Held]] = {}
        self.departments = {name: Department(self.catalogue, name, self.held) for name in self.catalogue.departments}
        self.shares = Shares(self.clock, saved=1e9)  # what it is to have a share is tested elsewhere
        self.registries, self.tokens = Registries(), Tokens(self.clock)
        self.metrics = Metrics(self.catalogue.departments)
        self._facts = self.store.facts()
        self._reader = store_at(self.path)
        self._connection = self._reader.reader()
        self._read = 0
        serving = app.serving(self.rules, SimpleNamespace(limits=WIDE), self.ledger, self.clock)  # type: ignore[arg-type]
        # Compiled documents are shared by the worlds of a process: compiling is most of a short world's time.
        self.serving = msgspec.structs.replace(serving, planner=_planners.setdefault(self.rules, serving.planner))
        connectors: Mapping[str, Connector] = self.departments
        self.journey = Journey(
            serving=lambda: self.serving,
            authenticator=self.tokens,
            facts=FactsReader(self._facts, self.serving.zone),
            cases=self.registries,
            admission=Admission(),
            retries=Retries(_PRIVATE.private_bytes_raw()),
            fetcher=served.fetcher(self.rules, connectors, 2000),
            ledger=self.ledger,
            now=self.clock,
            stamp=self.clock,
            metrics=self.metrics,
            shares=self.shares,
            unsent=Unsent(self.ledger),
            deadline=5.0,
            body_limit=WIDE.body,
        )

    def clock(self) -> datetime.datetime:
        return self.now

    def close(self) -> None:
        self.shares.close()
        self.loop.run_until_complete(self.ledger.close())
        self._facts.close()
        self._connection.close()
        self._reader.close()
        self.store.close()
        self.loop.close()

    def calm(self) -> None:
        """Put the clock, the departments and the registries back to how they were at first."""
        self.now = NOON
        self.registries.reachable = True
        self.held.clear()
        self.registries.known.clear()
        for department in self.departments.values():
            department.mood, department.meanwhile = "well", None
            department.reached.clear()
            department.released.clear()

    def requester(
        self,
        client: str,
        *,
        issuer: str = "login",
        official: str | None = None,
        scopes: Sequence[str] = ("inquire",),
        expires: float | None = None,
        narrowing: tuple[Narrowing, ...] = (),
        identifier: tuple[str, str] | None = None,
    ) -> Requester:
        """A requester as the token and the rule set make it; a client that is not registered has no grants."""
        url = ISSUERS.get(issuer, issuer)  # who asks without a token has an issuer that is a name alone
        entry = self.policies.requesters.get((url, client))
        return Requester(
            url,
            client,
            official,
            frozenset(scopes),
            self.now.timestamp() + 300 if expires is None else expires,
            department=entry.department if entry else "",
            roles=entry.roles if entry else frozenset(),
            grants=entry.grants if entry else (),
            registry=entry.registry if entry else None,
            narrowing=narrowing,
            identifier=identifier,
        )

    def today(self) -> datetime.date:
        return self.now.astimezone(self.serving.zone).date()

    def ask(self, ask: Ask, **ports: Any) -> Reply:
        """Send one request and wait for its answer; `ports` replace the journey's for this one."""
        return self.ask_all([ask], **ports)[0]

    def ask_all(self, asks: Sequence[Ask], **ports: Any) -> list[Reply]:
        """Send requests at once. Each reply has the entries and the departments' requests of all of them."""
        journey = self.journey_with(**ports)

        async def all_of_them() -> list[Answer]:
            return await asyncio.gather(*[answer.answer(journey, *self.sent(ask)) for ask in asks])

        for department in self.departments.values():
            department.asked.clear()
        answers = self.run(all_of_them())
        made = self.entries()
        asked = {name: list(department.asked) for name, department in self.departments.items() if department.asked}
        for ask, got in zip(asks, answers, strict=True):
            refused(str(ask), got.status, got.body)
        return [Reply(got, json.loads(got.body), made, asked) for got in answers]

    def journey_with(self, **ports: Any) -> Journey:
        """The journey; counts against frequency are new unless `admission` is given."""
        ledger = ports.get("ledger", self.ledger)
        return msgspec.structs.replace(self.journey, **{"admission": Admission(), "unsent": Unsent(ledger), **ports})

    def sent(self, ask: Ask) -> tuple[str, list[tuple[bytes, bytes]], bytes]:
        """The request as method, headers and body."""
        headers = [
            (b"authorization", self.tokens.issue(ask.requester)),
            (b"content-type", b"application/json"),
            (b"accept", b"application/graphql-response+json"),
        ]
        if ask.header is not None:
            headers.append((b"inquiry", ask.header))
        body = {"query": ask.query, "variables": ask.variables, "operationName": ask.operation_name}
        return "POST", headers, msgspec.json.encode(body)

    def run(self, work: Awaitable[Any]) -> Any:
        return self.loop.run_until_complete(work)

    def entries(self) -> list[Entered]:
        """The entries made since the last call, through a connection that is not the ledger's."""
        self._connection.renew()
        (head,) = [head for head in read.heads(self._connection) if head.name == self.ledger.shard]
        found = list(read.read_entries(self._connection, head.id, self._read, head.size - self._read))
        self._read = head.size
        return [_entered(each) for each in found]


def _entered(stored: read.StoredEntry) -> Entered:
    assert stored.told is not None
    assert stored.oversight is not None
    told, oversight = stored.read_told(), stored.read_oversight()
    return Entered(told, oversight, entries.encode(told))


@contextlib.contextmanager
def opened(**settings: Any) -> Iterator[World]:
    """A world in a temporary folder."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # a disk's commits would be most of a test's time
    folder = Path(tempfile.mkdtemp(prefix="world-", dir=memory))
    try:
        world = World(folder, **settings)
        try:
            yield world
        finally:
            world.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
