"""All that is made from one rule set, and exchanged whole when another is activated.

A `Base` is what takes long to make, and is made beside inquiries; it keeps the schema and the compiled documents of the
one before where clients see the same. `serving` is what steps read of it. `Departments` are the connectors of
`sources.yaml`, as a catalogue needs them: those whose department and mapping are the same keep their connections.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import datetime
import importlib.metadata
import zoneinfo
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from graphql import GraphQLSchema

from connectors import kinds
from connectors.base import Connector
from gateway import documents, sources
from gateway.activation.loading import for_inquiries, loaded, reading
from gateway.activation.making import Maker
from gateway.activation.stored import Stored, stored_as
from gateway.acts.called import NO_ACTS, Handlers
from gateway.acts.graphql import Acts
from gateway.bounds.address import among, asked_from
from gateway.catalogue.graphql.schema import build_schema, core
from gateway.catalogue.model import Catalogue
from gateway.config.settings import Settings
from gateway.errors import ConfigurationError, Problem, VerificationFailed
from gateway.inquiry.answer import answer
from gateway.inquiry.beside.obligations import Obligations
from gateway.inquiry.beside.receipts import Receipts
from gateway.inquiry.beside.roots import Others
from gateway.inquiry.document.bounds import Limits
from gateway.inquiry.document.kept import Sent
from gateway.inquiry.fetch import Fetcher
from gateway.inquiry.http.endpoint import Headers
from gateway.inquiry.journey import Journey, Serving
from gateway.inquiry.plan import Planner
from gateway.inquiry.render import Renderer
from gateway.inquiry.types import Answer, Requester
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.projections import lookups, positions
from gateway.manage.states import Heard, States
from gateway.rules.explain import permissions
from gateway.rules.explain.purposes import in_words
from gateway.rules.ruleset import RuleSet
from gateway.simulation.dry import DryRuns
from gateway.storage.port import Store
from gateway.storage.tables import micros
from gateway.telemetry.metrics import Lag, Metrics

if TYPE_CHECKING:
    from gateway.telemetry.traces import Traces

Now = Callable[[], datetime.datetime]


class Base(NamedTuple):
    """A rule set, with the schema that clients see of it, and their documents as far as they are compiled."""

    rules: RuleSet
    schema: GraphQLSchema
    planner: Planner
    seen: tuple[object, ...]


async def remade(maker: Maker, found: Stored, settings: Settings, before: Base | None) -> Base:
    """What takes long of a stored rule set, made beside inquiries: what is in use of the one before is made ahead.

    Raises `ConfigurationError` for what is wrong with it.
    """
    used, sent = ([], []) if before is None else (before.rules.used(), before.planner.sent_again())

    def made() -> Base:
        rules = maker.made(found.files, found.digest, for_inquiries(settings), used)
        rules.ready()
        return base(rules, settings, before, sent)

    return await asyncio.to_thread(made)


def base(rules: RuleSet, settings: Settings, before: Base | None = None, sent: Sequence[Sent] = ()) -> Base:
    """What takes long; blocks. Documents that were `sent` to the one before are compiled where they fit."""
    policies, limits = rules.policies, settings.limits
    told = {name: in_words(purpose) for name, purpose in policies.purposes.items()}
    seen = (policies.catalogue.digest, tuple(told.items()))
    if before is not None and before.seen == seen:
        return before._replace(rules=rules)
    most = Limits(depth=limits.depth, aliases=limits.aliases, tokens=limits.tokens, organisations=limits.organisations)
    schema = core(build_schema(policies.catalogue, told))
    planner = Planner(schema, policies.catalogue, most)
    planner.ready(sent)
    return Base(rules, schema, planner, seen)


def serving(
    rules: RuleSet,
    settings: Settings,
    ledger: Ledger,
    now: Now,
    handlers: Handlers = NO_ACTS,
    made: Base | None = None,
    epoch: int = 0,
) -> Serving:
    """What an inquiry reads of a rule set; `handlers` do the acts that are served under it."""
    policies = rules.policies
    zone = zoneinfo.ZoneInfo(policies.time_zone)
    _, schema, planner, _ = made or base(rules, settings)

    def permitted(requester: Requester, purpose: str, suspended: permissions.Suspended) -> list[dict[str, Any]]:
        return permissions.rows(rules, requester, purpose, now().astimezone(zone).date(), suspended)

    return Serving(
        rules=rules,
        planner=planner,
        renderer=Renderer(departments_of(rules)),
        others=Others(schema, permitted, Receipts(rules, ledger, lookups.places_of, now).opened),
        acts=Acts(schema, handlers),
        obligations=Obligations(policies.purposes),
        zone=zone,
        epoch=epoch,
    )


def departments_of(rules: RuleSet) -> dict[str, str]:
    """The department of each dataset."""
    return {dataset.id: dataset.department for dataset in rules.policies.catalogue.datasets.values()}


def fetcher(rules: RuleSet, connectors: Mapping[str, Connector], records: int, heard: Heard | None = None) -> Fetcher:
    """What asks departments for what a rule set lets them be asked; `records` is the most that go on."""
    datasets = rules.policies.catalogue.datasets.values()
    types = {dataset.id: {field.name: field.type for field in dataset.fields.values()} for dataset in datasets}
    return Fetcher(connectors, departments_of(rules), records, heard, types)


class _Generation:
    """What inquiries go by that begin now: so many have. `replaced` are the connectors that the next one lacks."""

    def __init__(self, journey: Journey) -> None:
        self.journey, self.users = journey, 0
        self.replaced: Sequence[Connector] = ()


class Generations:
    """What was served one after the other, as long as an inquiry goes by it; connectors are closed after the last."""

    def __init__(self, first: Journey) -> None:
        self._all = collections.deque([_Generation(first)])
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def current(self) -> Journey:
        """What is served now."""
        return self._all[-1].journey

    async def answer(self, method: str, headers: Headers, body: bytes) -> Answer:
        """Answer one request to `/graphql`, by what is served now; it may go on by what is served later."""
        generation = self._all[-1]
        generation.users += 1
        try:
            return await answer(generation.journey, method, headers, body)
        finally:
            generation.users -= 1
            if len(self._all) > 1:
                self._let_go()

    @contextlib.contextmanager
    def using(self) -> Iterator[Journey]:
        """What is served now, for an inquiry that does not come by `/graphql`."""
        generation = self._all[-1]
        generation.users += 1
        try:
            yield generation.journey
        finally:
            generation.users -= 1
            if len(self._all) > 1:
                self._let_go()

    def exchange(self, journey: Journey, replaced: Sequence[Connector]) -> None:
        """Serve this from the next inquiry on, without these connectors of the one before."""
        self._all[-1].replaced = replaced
        self._all.append(_Generation(journey))
        self._let_go()

    async def close(self) -> None:
        """Wait until all that was replaced is closed."""
        for each in self._all:
            await self._close(each.replaced)
        await asyncio.gather(*self._closing)

    def _let_go(self) -> None:
        while len(self._all) > 1 and not self._all[0].users:
            if replaced := self._all.popleft().replaced:
                closing = asyncio.get_running_loop().create_task(self._close(replaced))
                self._closing.add(closing)
                closing.add_done_callback(self._closing.discard)

    async def _close(self, connectors: Sequence[Connector]) -> None:
        for connector in connectors:
            await connector.close()


class Departments:
    """The connectors by department, as `sources.yaml` has them; it is read again where it or the catalogue changed."""

    def __init__(self, file: Path, found: sources.Sources, catalogue: Catalogue) -> None:
        self._file, self.now = file, found
        # Of what was read, and not of what the file says by now: where that is newer, the next exchange reads it.
        self._of = (found.written, catalogue.digest)

    def of(self, catalogue: Catalogue) -> sources.Sources:
        """What departments are for a catalogue; those that are the same are the very same connectors. Blocks.

        Raises `ConfigurationError` where the file does not fit it.
        """
        if (self._written(), catalogue.digest) == self._of:
            return self.now
        problems: list[Problem] = []
        found = sources.load(self._file, catalogue, kinds.KINDS, problems, active=True)
        if problems:
            raise ConfigurationError(problems)
        same = {name for name, made_of in found.made_of.items() if self.now.made_of.get(name) == made_of}
        kept = {name: self.now.connectors[name] if name in same else each for name, each in found.connectors.items()}
        return found._replace(connectors=kept)

    async def fit(self, catalogue: Catalogue) -> None:
        """Raises `ConfigurationError` where the file does not fit a catalogue; nothing is changed."""
        found = await asyncio.to_thread(self.of, catalogue)
        for name, each in found.connectors.items():
            if self.now.connectors.get(name) is not each:
                await each.close()

    def take(self, found: sources.Sources, catalogue: Catalogue) -> None:
        """Have these from now on."""
        self._of, self.now = (found.written, catalogue.digest), found

    def _written(self) -> bytes:
        return sources.fingerprint(documents.text(self._file, []))


def dry_runs(
    settings: Settings, store: Store, active: Callable[[], RuleSet], now: Now, metrics: Metrics, states: States
) -> DryRuns:
    """What has a candidate of the store tried beside the active rule set; it is counted in the metrics."""

    def load(digest: str) -> RuleSet:
        found = stored_as(store.engine, digest)
        if found is None:
            raise VerificationFailed(f"rule set `{digest}` is not in the store any more")
        return loaded(found.files, digest, reading(settings))

    def told(whose: tuple[str, str], outcomes: Mapping[str, int]) -> None:
        counted = {" ".join((*whose, outcome)): times for outcome, times in outcomes.items()}
        before = metrics.dry_run
        metrics.dry_run = {**before, **{key: before.get(key, 0) + times for key, times in counted.items()}}

    return DryRuns(store.engine, load, active, now, told, states.of("dry-run"))


def traces(settings: Settings, states: States) -> Traces | None:
    """What traces inquiries, where that is configured."""
    found = settings.tracing
    if found is None:
        return None
    from gateway.telemetry.traces import Traces  # and with it OpenTelemetry, only here

    return Traces(
        found.endpoint,
        found.sample,
        version=importlib.metadata.version("dutybound"),
        clients=found.clients,
        proxied=lambda: among(asked_from.get(), found.proxies),
        token=found.token,
        ca_file=found.ca_file,
        heard=states.of("tracing"),
    )


def lags(store: Store, now: Callable[[], datetime.datetime]) -> list[Lag]:
    """How far each projection is behind; blocks."""
    with contextlib.closing(store.reader()) as reader:
        found = positions.lags(reader)
    at = micros(now())
    return [Lag(each.projection, each.shard, each.entries, max(0, at - (each.since or at)) / 1e6) for each in found]
