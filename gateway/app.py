"""`build(settings)` -> the ASGI application: the only place that wires.

`gateway.check` reads everything that a start depends on; `build` fills the steps' ports; the lifespan opens what has to
be open and closes it in the opposite order, so that a graceful stop commits what waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING

import httpx
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from gateway.activation.activating import by_process
from gateway.activation.following import Following
from gateway.activation.making import Maker
from gateway.activation.stored import Stored
from gateway.acts import sampling
from gateway.acts.cataloguing import routes as cataloguing
from gateway.acts.cataloguing.history import Histories
from gateway.acts.cataloguing.supplements import Supplements
from gateway.acts.hook import ChangeHook
from gateway.acts.matters.clocks import Clocks
from gateway.acts.notices import Notices, receivers
from gateway.acts.office import Office
from gateway.acts.oversight import routes as oversight
from gateway.acts.plain import Plain
from gateway.bounds.address import asked_from
from gateway.bounds.shares import Shares
from gateway.check import Loaded
from gateway.clock import Clock
from gateway.config.settings import Settings
from gateway.connecting.drifting import shown as sources
from gateway.console import routes as console
from gateway.counting import Counting
from gateway.drafts.wired import routes as rules_routes
from gateway.identity.certificates import ClientCertificates
from gateway.identity.dpop import Proofs, nonce_secret
from gateway.identity.issuers import Issuer, new_client
from gateway.identity.replay import OwnReplays, Replays, SharedReplays
from gateway.inquiry.authenticate import Authenticator
from gateway.inquiry.beside.current import unavailable
from gateway.inquiry.beside.recalled import StoredRecalls
from gateway.inquiry.beside.unsent import Unsent
from gateway.inquiry.counting import counts
from gateway.inquiry.counting.retries import Retries
from gateway.inquiry.facts import FactsReader
from gateway.inquiry.http.endpoint import LONGER, Answered, GraphQLEndpoint, Headers
from gateway.inquiry.http.request import refused_at_once
from gateway.inquiry.journey import Journey, Serving
from gateway.inquiry.types import Answer
from gateway.ledger.acting.writer import Writer
from gateway.ledger.log.build import Watched, ledger_of
from gateway.ledger.log.floor import Floor
from gateway.ledger.log.tiles import routes as ledger_routes
from gateway.manage.link import Link
from gateway.manage.reporter import Reporter
from gateway.manage.states import States
from gateway.public.serving import Public
from gateway.recall import departments as recalls
from gateway.recall.handlers import handlers
from gateway.recall.own import answered_by
from gateway.rules import deadlines
from gateway.rules.model import Purpose
from gateway.rules.ruleset import RuleSet
from gateway.served import Base, Departments, Generations, base, dry_runs, fetcher, lags, remade, serving, traces
from gateway.sources import Sources as OfDepartments
from gateway.storage.port import Store
from gateway.storage.store import open_configured
from gateway.telemetry.log import Log, take_over
from gateway.telemetry.metrics import Metrics
from gateway.texts import words
from gateway.texts.words import Words
from gateway.watch.break_glass import BreakGlass
from gateway.web import hooks, static
from gateway.web.drain import Drain
from gateway.web.health import Check, Readiness
from gateway.web.messages.addresses import Addresses
from gateway.web.messages.sending import receiver_client
from gateway.web.nowhere import application
from gateway.web.open.opened import Open
from gateway.web.routes import metadata_url, routes
from gateway.web.start import start_route

if TYPE_CHECKING:
    from gateway.inquiry.case.news import CaseNews


class Gateway:
    """The ASGI application. `POST /graphql` goes straight to its endpoint; everything else through Starlette."""

    def __init__(self, settings: Settings, parts: Loaded, store: Store, first: Base | None = None) -> None:
        self.drain = Drain()
        self.link: Link | None = None
        """Where this process is a server's own, which is told to stop by signals: `serve` says so."""
        self._settings, self._parts, self._store = settings, parts, store
        self._log, self._metrics = Log(), Metrics(parts.rules.policies.catalogue.departments)
        self._metrics.calendar_end = deadlines.list_end(parts.rules.calendar)
        self._states = States(self._log.state)
        self._traces = traces(settings, self._states)
        self._metrics.traces = self._traces.begin if self._traces is not None else None
        watched = Watched(self._states.of("ledger"), self._states.of("witness"), self._metrics.group_size.observe)
        floor = Floor()
        self._now = Clock(functools.partial(getattr, floor, "at"), heard=self._states.of("clock"))
        self._ledger = ledger_of(store, settings.ledger, parts.private, self._now, watched=watched, floor=floor)
        self._seconds = lambda: self._now().timestamp()
        self._words = Words(words.read(settings.texts), lambda: self._serving.rules.calendar.zone)
        self._public = Public(
            settings, store, parts.private, self._now, lambda: self._generations.using(), self._words, floor
        )
        self._shares, self._unsent = Shares(self._now.sure), Unsent(self._ledger)
        self._writer = Writer(self._ledger, self._now.sure, parts.rules.calendar.zone)
        outward = functools.partial(receiver_client, settings.webhooks, Addresses(settings.webhooks.networks))
        self._notices = Notices(receivers(parts.rules), outward, self._states.of("notices"), self._now)
        self._departments = Departments(settings.sources, parts.departments, parts.rules.policies.catalogue)
        # Of whatever is active, for what comes by no inquiry.
        self._office = office = self._office_of(lambda: self._serving.rules)
        self._histories = Histories(office)
        self._hook = ChangeHook(office, parts.departments.changes, self._seconds)
        self._clocks = Clocks(
            office, lambda department, id_, _: office.tell_department(department, id_), self._states.of("clocks")
        )
        self._facts = store.facts()
        self._reader = FactsReader(self._facts, parts.rules.calendar.zone, self._states.of("facts"))
        self._counting = Counting(settings, store, self._ledger, self._purposes, self._now, parts.secrets[0])
        self._news: CaseNews | None = None
        if settings.valkey:
            # Imported where it is configured: Valkey's client would be a tenth of every start.
            from gateway.inquiry.case.news import CaseNews

            self._news = CaseNews(settings.valkey, settings.ledger.origin, parts.cases)
        self._readiness = Readiness(self._checks, self._log.check_failed)
        self._to_issuers: httpx.AsyncClient | None = None
        self._certificates = ClientCertificates(settings.tls) if settings.tls.client_certificates else None
        self._replays: Replays = SharedReplays(settings.valkey) if settings.valkey else OwnReplays()
        told = self._states.of("issuer")
        self._issuers = [Issuer(each, self._client, self._seconds, heard=told) for each in settings.oauth.issuers]
        self._authenticator = self._authenticating()
        self._dry_runs = dry_runs(settings, store, lambda: self._serving.rules, self._now, self._metrics, self._states)
        first = first or base(parts.rules, settings)
        self._generations = Generations(self._journey(parts.epoch, first, parts.departments))
        self._maker = Maker()
        heard, shard = self._states.of("rules"), lambda: self._ledger.shard
        self._following = Following(
            store, self._load, self._exchange, heard, self._seconds, shard, lambda: self._departments.now.digest
        )
        self._following.begin(parts.epoch, parts.rules.digest, first)
        answer, defect, patience = self._generations.answer, self._log.defect, settings.limits.patience + LONGER
        self.endpoint = GraphQLEndpoint(answer, defect, body_limit=settings.limits.body, patience=patience)
        self._pages = application(self._routes(), self._lifespan, self._words)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if self._certificates is not None:
                scope = {**scope, "headers": self._certificates.vouched(scope)}
            asked_from.set(scope["client"][0] if scope.get("client") else "")
        if scope["type"] == "http" and scope["path"] == "/graphql" and scope["method"] != "GET":
            self.drain.busy += 1
            try:
                await self.endpoint(scope, receive, send)
            finally:
                self.drain.busy -= 1
        else:
            await self._pages(scope, receive, send)

    def inquire(
        self, client: str, headers: Headers, body: bytes, answered: Answered, tls: Mapping[str, object] | None = None
    ) -> None:
        """Have an inquiry that a server read whole answered; see `GraphQLEndpoint.begin`.

        `client` is the connection's other end, `tls` its extension of ASGI.
        """
        if self._certificates is not None:
            extensions = {} if tls is None else {"tls": tls}
            headers = self._certificates.vouched({"headers": headers, "client": (client, 0), "extensions": extensions})
        asked_from.set(client)
        self.drain.busy += 1

        def left(answer: Answer) -> bool:
            self.drain.busy -= 1
            return answered(answer)

        self.endpoint.begin("POST", headers, body, left)

    @property
    def _serving(self) -> Serving:
        """What is served now."""
        return self._generations.current.serving()

    def _office_of(self, rules: Callable[[], RuleSet]) -> Office:
        return Office(self._writer, self._store, rules, self._now.sure, self._notices.tell)

    async def _load(self, found: Stored) -> Base:
        return await remade(self._maker, found, self._settings, self._following.current)

    async def _exchange(self, epoch: int, made: Base) -> None:
        """Serve another rule set from the next inquiry on. Raises `ConfigurationError`; then nothing is changed."""
        rules, before = made.rules, self._serving.rules
        departments = await asyncio.to_thread(self._departments.of, rules.policies.catalogue)
        old = self._departments.now.connectors
        self._metrics.know(rules.policies.catalogue.departments)
        self._metrics.calendar_end = deadlines.list_end(rules.calendar)
        self._notices.follow(receivers(rules))
        self._hook.follow(departments.changes)
        self._departments.take(departments, rules.policies.catalogue)
        replaced = [each for name, each in old.items() if departments.connectors.get(name) is not each]
        self._generations.exchange(self._journey(epoch, made, departments), replaced)
        self._log.state("rules", rule_set=rules.digest, epoch=epoch, sources=departments.digest)
        if counts.periods(before.policies.purposes) != counts.periods(rules.policies.purposes):
            await self._counting.start_over()

    async def _fits(self, digest: str) -> None:
        """Raises `ConfigurationError` where this process could not serve a stored rule set, as a source is missing."""
        await self._departments.fit((await self._following.made(digest)).rules.policies.catalogue)

    async def _newer(self, epoch: int, began: float) -> Journey:
        """What serves an epoch, or a later one, for an inquiry that began then; raises `Refusal`."""
        limits = self._settings.limits
        if not await self._following.reached(epoch, began + limits.patience - limits.deadline):
            raise unavailable()
        return self._generations.current

    def _authenticating(self) -> Authenticator:
        settings = self._settings
        return Authenticator(
            self._issuers, audience=settings.oauth.audience, metadata_url=metadata_url(settings.public_url),
            registered=lambda issuer, client: self._serving.registered(issuer, client), clock=self._now.sure,
            proofs=Proofs(
                f"{settings.public_url}/graphql", settings.oauth.dpop, [*map(nonce_secret, self._parts.secrets)],
                self._replays,
            ),
            client_certificates=settings.tls.client_certificates, max_lifetime=settings.oauth.max_lifetime,
        )  # fmt: skip

    def _journey(self, epoch: int, made: Base, departments: OfDepartments) -> Journey:
        """The ports of an inquiry's steps, filled, for one rule set: all that is read of it is in here."""
        settings, parts, rules = self._settings, self._parts, made.rules
        done_by = handlers(self._office_of(lambda: rules), lambda: journey, departments.changes)
        served = serving(rules, settings, self._ledger, self._now.sure, done_by, made, epoch)
        purposes = rules.policies.purposes
        journey = Journey(
            serving=lambda: served,
            authenticator=self._authenticator,
            facts=self._reader,
            cases=parts.cases,
            admission=self._counting.admission(),
            retries=Retries(parts.secrets[0]),
            fetcher=fetcher(rules, departments.connectors, settings.limits.records, self._states.of("department")),
            ledger=self._ledger,
            now=self._now.sure,
            stamp=self._now,
            metrics=self._metrics,
            shares=self._shares,
            unsent=self._unsent,
            patience=settings.limits.patience,
            deadline=settings.limits.deadline,
            body_limit=settings.limits.body,
            break_glass=BreakGlass(self._store.engine, rules.calendar, lambda: purposes, self._alert),
            recalls=StoredRecalls(self._store, lambda who: answered_by(rules, who), self._counting.fetches),
            newer=self._newer,
            seen=self._dry_runs.seen,
            crowd=self.drain,
        )
        return journey

    def _routes(self) -> list[Route]:
        """All that is served beside `POST /graphql`."""
        settings, parts = self._settings, self._parts
        plain = Plain(lambda: self._authenticator, settings.public_url, self._log.defect)
        return [
            *routes(
                public_url=settings.public_url, issuers=[issuer.issuer for issuer in settings.oauth.issuers],
                catalogue=lambda: self._serving.rules.policies.catalogue, opened=self._opened,
                readiness=self._readiness, refuse=refused_at_once, words=self._words,
                client_certificates=settings.tls.client_certificates,
            ),
            *self._public.routes(), *ledger_routes(self._ledger), *self._hook.routes(),
            *cataloguing.routes(plain, Supplements(self._office, self._shares)), *recalls.routes(plain, self._office),
            *rules_routes(plain, self._office, settings, parts.cases.sources, self._fits),
            *oversight.routes(plain, self._office, settings, self._maker.made), *sources.routes(plain, self._office),
            *sampling.routes(plain, self._office, lambda: self._departments.now.connectors, settings.limits.deadline),
            *hooks.routes(parts.cases.webhook_secrets, self._changed, self._seconds),
            *console.routes(
                settings.oauth, settings.public_url, self._issuers, lambda: self, self._store, self._parts.secrets,
                self._seconds, lambda: self._serving.rules, self._log.defect, static.address, self._words,
                self._states.of("sign-in"),
            ), start_route(self._words),
        ]  # fmt: skip

    async def _opened(self) -> Open:
        """What the open catalogue shows."""
        policies = self._serving.rules.policies
        return Open(policies.catalogue, policies.purposes, await self._histories.now())

    def _client(self) -> httpx.AsyncClient:
        if self._to_issuers is None:
            self._to_issuers = new_client()
        return self._to_issuers

    @property
    def _checks(self) -> Mapping[str, Check]:
        return {
            "serving": lambda: not self.drain.begun,
            "ledger": lambda: self._ledger.healthy,
            "rules": lambda: self._following.hindrance is None,
            "counts": self._counting.healthy,
            "clock": lambda: self._now.doubt is None,
        }

    def _ready(self) -> None:
        """Make what the first inquiry needs, while the ledger's start waits for the disk."""
        self._parts.rules.ready()
        self._client()

    @contextlib.asynccontextmanager
    async def _lifespan(self, _pages: object) -> AsyncIterator[None]:
        take_over(self._log)
        reporter: Reporter | None = None
        with self.link.starting() if self.link else contextlib.nullcontext():
            if self.link is not None:
                self.drain.listen(self._settings.drain)
            await asyncio.gather(self._ledger.start(), asyncio.to_thread(self._ready))
        watching = [asyncio.create_task(self._now.watch(self._ledger.time))]
        try:
            with self.link.starting() if self.link else contextlib.nullcontext():
                await self._now.compare(self._ledger.time)
                if self.link is None and self._parts.archive is not None:
                    await by_process(self._settings, self._ledger, self._parts.rules, self._parts.archive)
                await self._following.look()
                if self._news is not None:
                    self._news.start()
                await self._counting.start()
                if self.link is not None:
                    checks, metrics, states = self._readiness.results, self._metrics, self._states
                    behind = functools.partial(lags, self._store, self._now)
                    reporter = Reporter(self.link, metrics, checks, behind, lambda: self._ledger.shard, states)
                    self.link.up()
            watching += [asyncio.create_task(each.run()) for each in (self._following, self._clocks, self._dry_runs)]
            rules, departments, shard = self._serving.rules.digest, self._departments.now.digest, self._ledger.shard
            self._log.state("started", rule_set=rules, sources=departments, shard=shard)
            yield
        finally:
            await self.drain.quiet(within=2 * self._settings.limits.deadline)
            if reporter is not None:
                reporter.close()
            self._shares.close()
            for each in watching:
                each.cancel()
            await asyncio.wait(watching)
            await self._unsent.close()
            await self._public.close()
            await self._writer.close()
            await self._notices.close()
            await self._ledger.close()
            if self._news is not None:
                await self._news.close()
            await self._parts.cases.close()
            for connector in self._departments.now.connectors.values():
                await connector.close()
            await self._generations.close()
            await asyncio.to_thread(self._maker.close)
            if self._to_issuers is not None:
                await self._to_issuers.aclose()
            await self._replays.close()
            self._facts.close()
            if self._traces is not None:
                await asyncio.to_thread(self._traces.close)
            await self._counting.close()
            self._store.close()
            self._log.state("stopped")

    async def _changed(self, registry: str, case: str | None) -> None:
        if self._news is None:
            self._parts.cases.changed(registry, case)
        else:
            await self._news.changed(registry, case)

    def _alert(self, inquiry: str, client: str, purpose: str) -> None:
        self._metrics.break_glass.add()
        self._log.state("break_glass", inquiry=inquiry, client=client, purpose=purpose)

    def _purposes(self) -> Mapping[str, Purpose]:
        return self._serving.rules.policies.purposes


def build(settings: Settings, parts: Loaded, first: Base | None = None) -> Gateway:
    """The application of what `load` gave, and of the `first` base where it is made already.

    Raises `ConfigurationError` where the store cannot be opened.
    """
    return Gateway(settings, parts, open_configured(settings), first)
