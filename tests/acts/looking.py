"""A world in which subjects look at themselves: the real journey, with the handlers of acts on its own store."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from connectors.base import Subject
from gateway.acts.graphql import Acts
from gateway.acts.office import Office
from gateway.inquiry.admit import Admission
from gateway.inquiry.types import Requester
from gateway.ledger.acting.writer import Writer
from gateway.ledger.projections.projector import Projector
from gateway.recall.handlers import handlers
from tests.world import Ask, Reply, World

HISTORY = """query($after: String, $first: Int = 50) { me { accessHistory(after: $after, first: $first) {
  items { id at what department purpose title basis { law article } forCase fields records outcome told }
  next note completeUntil } } }"""
HELD = """{ me { scheme value datasets { dataset { id department basis { law article } } available records {
  record { id version dataset source document effective displayUntil disputed mitigation }
  values { field title value } withheldFromOthers restorableFrom
  changes { id state event scheme value dataset record version at reason } } } } }"""
REST = """{ me { consents { id purpose } consentRequests { id words } matters { id reason }
  optOuts { dataset optedOut } } }"""
SECRET = datetime.timedelta(days=3)


class Looking:
    """A world whose subjects can ask for `me`. Frequencies count from one question to the next."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.writer = Writer(world.ledger, world.clock, world.rules.calendar.zone)
        self.office = Office(self.writer, world.store, lambda: world.rules, world.clock)
        self._ports: dict[str, Any] = {"admission": Admission()}
        self.journey = world.journey
        served = handlers(self.office, lambda: self.journey)
        acts = Acts(world.serving.planner._schema, served)
        serving = msgspec.structs.replace(world.serving, acts=acts)
        self._ports["serving"] = lambda: serving

    def counting_anew(self) -> None:
        self._ports["admission"] = Admission()

    def who(self, subject: Subject, client: str = "citizen-portal") -> Requester:
        return self.world.requester(client, scopes=("self",), identifier=subject[1:])

    def ask(self, who: Requester | Subject, query: str, variables: Mapping[str, Any] = {}, **ports: Any) -> Reply:
        """What a subject, or whoever has its token, is answered."""
        requester = who if isinstance(who, Requester) else self.who(who)
        self.journey = self.world.journey_with(**self._ports, **ports)
        return self.world.ask(Ask(requester, query, variables), **self._ports, **ports)

    def history(self, subject: Subject, first: int = 50, after: str | None = None) -> dict[str, Any]:
        """One page."""
        reply = self.ask(subject, HISTORY, {"first": first, "after": after})
        found: dict[str, Any] = reply.data["me"]["accessHistory"]
        return found

    def all_of(self, subject: Subject, first: int = 50, after: str | None = None) -> list[dict[str, Any]]:
        """Every row from a cursor on, page by page, but for the subject's own looks."""
        found: list[dict[str, Any]] = []
        for _ in range(1000):
            page = self.history(subject, first, after)
            found += [each for each in page["items"] if each["what"] != "OWN"]
            if (after := page["next"]) is None:
                return found
        raise AssertionError("its pages have no end")

    def held(self, subject: Subject, **ports: Any) -> dict[str, dict[str, Any]]:
        """What is held about a subject, by dataset."""
        reply = self.ask(subject, HELD, **ports)
        return {each["dataset"]["id"]: each for each in reply.data["me"]["datasets"]}

    def looked(
        self, *subjects: Subject, client: str = "market-regulator", purpose: str = "LICENCE_RENEWAL",
        selected: str = "businessLicences { number }", secret: bool = False, who: Requester | None = None, **ports: Any,
    ) -> Reply:  # fmt: skip
        """Somebody asks about organisations; `secret`: its purpose lets them be told of it later."""
        ports["serving"] = lambda: self._keeping(purpose) if secret else self.world.serving
        ids = [{"scheme": each.scheme, "value": each.value} for each in subjects]
        asked = f"organisations(ids: $ids) {{ {selected} }}"
        query = f"query($ids: [IdentifierInput!]!) @inquiry(purpose: {purpose}) {{ {asked} }}"
        who = who or self.world.requester(client, official="m.ivanova")
        return self.world.ask(Ask(who, query, {"ids": ids}), **ports)

    def _keeping(self, name: str) -> Any:
        """What is served where a purpose has secrecy."""
        serving, period = self.world.serving, msgspec.structs.replace
        longest = self.world.policies.purposes[name].delete_after
        purposes = self.world.policies.purposes
        kept = period(purposes[name], secrecy_max=msgspec.structs.replace(longest, text="P2D", months=0, days=2))
        policies = period(serving.rules.policies, purposes={**purposes, name: kept})
        return _Serving(serving, policies)

    def project(self) -> None:
        """Have everything projected."""
        projector = Projector(self.world.store)
        try:
            while projector.turn():
                pass
        finally:
            projector.close()

    def later(self, **more: float) -> None:
        self.world.now += datetime.timedelta(**more)


class _Serving:
    """A `Serving` whose purposes are others; its decisions are made from the same rules."""

    def __init__(self, serving: Any, policies: Any) -> None:
        self._serving, self._policies = serving, policies

    def purpose(self, name: str) -> Any:
        return self._policies.purposes[name]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._serving, name)


def ids(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return [row["id"] for row in rows]
