"""What the steps need of the rest of the house, as ports that `app` fills, and what is made from one rule set."""

from __future__ import annotations

import asyncio
import datetime
import zoneinfo
from collections.abc import Awaitable, Callable, Container, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from connectors.base import Subject
from gateway.bounds.shares import Shares
from gateway.catalogue.model import Period
from gateway.errors import Code, Refusal
from gateway.inquiry.admit import AdmissionPort
from gateway.inquiry.authenticate import Authenticator
from gateway.inquiry.beside.abreast import ALONE, Busy
from gateway.inquiry.beside.break_glass import BreakGlassPort
from gateway.inquiry.beside.obligations import Obligations
from gateway.inquiry.beside.recalled import Correction, RecallsPort
from gateway.inquiry.beside.roots import Others
from gateway.inquiry.beside.unsent import Unsent
from gateway.inquiry.case.registries import CaseRegistries
from gateway.inquiry.counting.retries import Retries
from gateway.inquiry.disclose import LedgerPort
from gateway.inquiry.document.shapes import Act
from gateway.inquiry.facts import FactsReader
from gateway.inquiry.fetch import Fetcher
from gateway.inquiry.fetch import Got as Fetched
from gateway.inquiry.http.request import GraphQLRequest, Media
from gateway.inquiry.plan import Planner
from gateway.inquiry.render import Rendered, Renderer
from gateway.inquiry.types import Answer, Decision, Declaration, Obligation, Outcome, Requester, Selected
from gateway.ledger.entry import secrecy
from gateway.rules.model import Purpose, RequesterEntry
from gateway.rules.ruleset import RuleSet
from gateway.telemetry.metrics import Metrics

Got = Mapping[tuple[Subject, str], Outcome]


Seen = Callable[[Requester, Declaration, Decision, str, datetime.datetime], None]
"""Told who asked, what was declared, what was decided by the rule set of which digest, and when; it gives nothing back,
never waits, and changes nothing."""


class ActsPort(Protocol):
    """Does acts, as `gateway.acts.graphql` does; raises `Refusal`. What has to be entered of it is entered there."""

    async def answer(self, shares: Shares, act: Act, requester: Requester, asked: GraphQLRequest) -> Answer: ...


class Serving(msgspec.Struct, frozen=True, eq=False):
    """All that is made from one rule set; exchanged whole when another one is activated."""

    rules: RuleSet
    planner: Planner
    renderer: Renderer
    others: Others
    acts: ActsPort
    obligations: Obligations
    zone: zoneinfo.ZoneInfo
    epoch: int = 0
    """Since which activation it is active; 0 where nothing was ever activated."""

    def registered(self, issuer: str, client: str) -> RequesterEntry | None:
        """The registered client, if it is one."""
        return self.rules.policies.requesters.get((issuer, client))

    @property
    def datasets(self) -> Container[str]:
        """The ids of the datasets that there are."""
        return self.rules.policies.catalogue.datasets

    def purpose(self, name: str) -> Purpose:
        """The registered purpose of that name; raises `Refusal` (`INQUIRY_INVALID`) where there is none."""
        purpose = self.rules.policies.purposes.get(name)
        if purpose is None:
            raise Refusal(Code.INQUIRY_INVALID, f"there is no purpose `{name[:60]}`")
        return purpose

    def secret_until(self, longest: Period, now: datetime.datetime) -> datetime.datetime:
        """When an inquiry of `now` is disclosed to its subject, where that is kept from it for so long (Art. 42)."""
        return secrecy.ends(longest.after(now.astimezone(self.zone).date()), self.zone)


class Outdated(Refusal):
    """The inquiry is to be decided again, by a newer rule set: `journey` has it. Whoever cannot do that refuses it."""

    def __init__(self, journey: Journey) -> None:
        super().__init__(Code.DECISION_UNAVAILABLE, "other rules were activated; ask again", retryable=True)
        self.journey = journey


class Telling(msgspec.Struct, frozen=True, eq=False):
    """What an inquiry selects, and how its result is answered: by its document's projection, or in another way.

    `rendered` makes the answer's data. `others` gives the values of its root fields that name no subject. `oneself`: a
    subject looks at itself, and no record is withheld from it. `recalled`: a correction is fetched, and no more.
    """

    selected: Selected | Mapping[Subject, Selected]
    media: Media
    rendered: Callable[[Decision, Got, Mapping[str, Any] | None], Rendered | Awaitable[Rendered]]
    others: Callable[[], Awaitable[Mapping[str, Any] | None]] | None = None
    oneself: bool = False
    recalled: Correction | None = None

    def admission(self, journey: Journey) -> AdmissionPort:
        """What it counts against: frequency and quotas, or how often its recall's correction was fetched."""
        return journey.admission if self.recalled is None or journey.recalls is None else journey.recalls

    def duties(self, serving: Serving, today: datetime.date, purpose: Purpose) -> Sequence[Obligation]:
        """The obligations of its answer."""
        made = serving.obligations.of(purpose.name, today)
        return made if self.recalled is None else self.recalled.obligations(made)

    def kept(self, fetched: Fetched) -> Fetched:
        """Of what was fetched, what was asked for."""
        return fetched if self.recalled is None else self.recalled.of(fetched)

    async def render(self, decision: Decision, got: Got, others: Mapping[str, Any] | None) -> Rendered:
        """The answer's data, once."""
        made = self.rendered(decision, got, others)
        return made if isinstance(made, Rendered) else await made


class Journey(msgspec.Struct, frozen=True, eq=False):
    """The steps' ports. `deadline` bounds the fetch, in seconds. `now` never falls, and refuses while
    the time is in doubt; `stamp` is the time for what has to be entered even then. An answer that took longer than
    `patience`, in seconds, is not released; the endpoint's own patience is longer.

    Without `break_glass` nobody keeps the reviews of emergencies: every emergency purpose is denied. Without `recalls`
    there is none whose correction could be fetched.

    A journey is made anew, whole, with each rule set that is activated, and an inquiry goes by one from its first step
    on. `newer` gives that of an epoch, or of a later one, to an inquiry that began then (on the event loop's clock); it
    raises `Refusal` (`DECISION_UNAVAILABLE`) where it takes too long. Without it no epoch is looked at.
    `seen` is told of each decision. `crowd` knows how many inquiries are under way.
    """

    serving: Callable[[], Serving]
    authenticator: Authenticator
    facts: FactsReader
    cases: CaseRegistries
    admission: AdmissionPort
    retries: Retries
    fetcher: Fetcher
    ledger: LedgerPort
    now: Callable[[], datetime.datetime]
    stamp: Callable[[], datetime.datetime]
    metrics: Metrics
    shares: Shares
    unsent: Unsent
    deadline: float
    body_limit: int
    patience: float = 25.0
    break_glass: BreakGlassPort | None = None
    recalls: RecallsPort | None = None
    newer: Callable[[int, float], Awaitable[Journey]] | None = None
    seen: Seen | None = None
    crowd: Busy = ALONE

    def fetched_by(self) -> float:
        """By when what departments answer counts, on the event loop's clock."""
        return asyncio.get_running_loop().time() + self.deadline
