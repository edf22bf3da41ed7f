"""A region in which all of recall happens in any order, held to its model by whoever plays it.

Inquiries are answered through the journey, some while the change that they race with commits. Whoever selects may end
in between; recipients answer or refuse; days end, and nobody may have looked for days.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from typing import Any

import msgspec
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from connectors.base import Subject
from gateway.catalogue.periods import parse
from gateway.inquiry.beside import release
from gateway.ledger.projections.projector import Projector
from gateway.ledger.verify.store import verify_store
from gateway.recall.selecting.expiring import Expiring
from gateway.recall.selecting.select import Selecting
from gateway.recall.selecting.shortening import Shortening
from gateway.storage.recall.recalls import OPEN, Recall, several
from tests.acts.whole.replicas import Replicas
from tests.ledger.support import VERIFIERS
from tests.recall.periods import activated, displayed, forgotten
from tests.recall.telling import ENVIRONMENT, MARKET, Telling
from tests.recall.whole import Change, Got, Model
from tests.storage.conftest import Place, bare, place, server
from tests.world import Held, new_subject, opened, values

__all__ = ["bare", "place", "server"]

META = "record { id version disputed effective displayUntil }"
FIELDS = {
    "business-licences": "businessLicences", "environmental-penalties": "environmentalPenalties",
    "income-statements": "incomeStatements", "volunteering": "volunteering",
}  # fmt: skip
OF_FIRM, OF_PERSON = list(FIELDS)[:2], list(FIELDS)[2:]
STEWARDS = {"business-licences": "market", "environmental-penalties": "environment"}
SELECTED = {"business-licences": "number", "environmental-penalties": "amount", "income-statements": "year",
            "volunteering": "hours"}  # fmt: skip
DAY, WAIT = datetime.timedelta(days=1), datetime.timedelta(seconds=30)
LABOUR, OFFICIAL = "labour-office", "m.ivanova"
RECORD = st.sampled_from([(dataset, record) for dataset in OF_FIRM for record in ("A", "B")])
CLIENT = st.sampled_from([MARKET, ENVIRONMENT])
PENALTIES = "environmental-penalties"
PERIODS = st.sampled_from(["P1090D", "P1094D", "P2Y", "P3Y", "P4Y", None])
CHANGES = st.sampled_from(["withdrawn", "corrected", "lagging", "disputed", "restored"])


class Ended(Exception):
    """The process that selects ended in between."""


class Whole(RuleBasedStateMachine):
    """A region and its model."""

    where: Place | None = None

    @initialize()
    def begin(self) -> None:
        self.stack = contextlib.ExitStack()
        self.world = self.stack.enter_context(opened())
        both = Replicas(self.world, self.where or Place(f"sqlite:///{self.world.path}"))
        self.world.run(both.__aenter__())
        # On a busy machine too no department is late, and no answer is too old: else nothing is amiss.
        self.stack.enter_context(pytest.MonkeyPatch.context()).setattr(release, "AGE", 120.0)
        for each in both.each:
            each.journey = msgspec.structs.replace(each.journey, deadline=120.0)
        self.region, self.model = Telling(self.world, both), Model()
        self.firm, self.person = new_subject(), new_subject("person")
        self.versions: dict[tuple[str, str], int] = {}
        self.gone: set[tuple[str, str]] = set()
        self.objections: dict[tuple[str, str], str] = {}
        self.consents: list[str] = []
        self.opted_out = self.jumped = False
        self.days = 0
        for number, dataset in enumerate(OF_FIRM + OF_PERSON):
            for record in ("A", "B"):
                self.versions[dataset, record] = 1
                self._holds(dataset, record, number)
        self._begun()

    def _begun(self) -> None:
        office = self.region.replica.office
        self.selecting, self.expiring = Selecting(office), Expiring(office, WAIT)
        self.shortening = Shortening(office, WAIT)

    def _of(self, dataset: str) -> Subject:
        return self.firm if dataset in OF_FIRM else self.person

    def _holds(self, dataset: str, record: str, number: int = 0) -> None:
        first = {"A": 4, "B": 12}[record]
        since = self.world.now.date().replace(year=2023) + first * DAY if not self.days else None
        before = {each.id: each for each in self.world.held.get((self._of(dataset), dataset), ())}
        made = values(self.world.catalogue.datasets[dataset], number)
        version = str(self.versions[dataset, record])
        held = before.get(record) or Held(record, made, effective=since)
        before[record] = held._replace(version=version)
        self.world.held[self._of(dataset), dataset] = list(before.values())

    # Inquiries

    async def _look(self, client: str) -> Any:
        person = client == LABOUR
        subject, datasets = (self.person, OF_PERSON) if person else (self.firm, OF_FIRM)
        purpose = "SUBSIDY_ASSESSMENT" if person else "LICENCE_RENEWAL"
        fields = " ".join(f"{FIELDS[each]} {{ {SELECTED[each]} {META} }}" for each in datasets)
        query = "query($id: IdentifierInput!) @inquiry(purpose: %s) { it: %s(id: $id) { %s } }"
        asked = query % (purpose, "person" if person else "organisation", fields)
        given = {"id": {"scheme": subject.scheme, "value": subject.value}}
        return await self.region.replica.ask(self.region.both.who(client, "inquire", official=OFFICIAL), asked, given)

    def _heard(self, client: str, said: Any, known: int, consent: str | None) -> None:
        if not (said.said.get("data") or {}).get("it"):
            return
        inquiry = said.said["extensions"]["inquiry"]["id"]
        for dataset, field in FIELDS.items():
            for each in said.said["data"]["it"].get(field) or ():
                meta, until = each["record"], each["record"]["displayUntil"]
                day, since = (
                    None if one is None else datetime.date.fromisoformat(one) for one in (until, meta["effective"])
                )
                about = (inquiry, client, dataset, meta["id"], int(meta["version"]))
                self.model.got.append(Got(*about, known, consent, day, since, meta["disputed"]))

    @rule(client=st.sampled_from([MARKET, ENVIRONMENT, LABOUR]))
    def asks(self, client: str) -> None:
        self._tick()
        consent = self.consents[-1] if client == LABOUR and self.consents else None
        said = self.world.run(self._look(client))
        self._heard(client, said, len(self.model.changes), consent)

    @rule(client=CLIENT, of=RECORD, kind=CHANGES, selects=st.booleans())
    def races(self, client: str, of: tuple[str, str], kind: str, selects: bool) -> None:
        """An inquiry is held between its facts and its release while a change commits, and may be selected."""
        self._tick()
        known = len(self.model.changes)
        department = self.world.departments["market"]

        async def go() -> Any:
            department.mood = "hangs"
            asked = asyncio.create_task(self._look(client))
            reached = asyncio.create_task(department.reached.wait())
            await asyncio.wait([asked, reached], return_when=asyncio.FIRST_COMPLETED)
            reached.cancel()
            await self._changed(kind, of)
            if selects:
                await self._select()
            department.mood = "well"
            department.released.set()
            return await asked

        said = self.world.run(go())
        department.reached.clear()
        department.released.clear()
        self._heard(client, said, known, None)

    # Changes

    @rule(of=RECORD, kind=CHANGES)
    def changes(self, of: tuple[str, str], kind: str) -> None:
        self._tick()
        self.world.run(self._changed(kind, of))

    async def _changed(self, kind: str, of: tuple[str, str]) -> None:
        dataset, record = of
        region, mine = self.region, self.region.both.subject(self.firm)
        steward, other = (region.both.steward(STEWARDS[dataset], name) for name in ("s.one", "s.two"))
        about: dict[str, Any] = {"dataset": dataset, "record": record}
        if of in self.gone:
            return
        if kind == "disputed":
            if of not in self.objections:
                filed = await region.act(mine, "fileObjection", record=about, reason="It is not mine.")
                if filed.code == "OK":
                    self.objections[of] = filed.value["id"]
                    self.model.changes.append(Change("disputed", dataset, record))
            return
        if kind == "restored":
            if dataset != "environmental-penalties":
                return
            filed = await region.act(mine, "applyForRestoration", record=about, reason="All is paid.")
            if filed.code != "OK":
                return
            given = {"id": filed.value["id"], "outcome": "UPHELD", "reason": "It is."}
            assert (await region.act(steward, "decideRestoration", **given)).code == "OK"
            assert (await region.act(other, "confirm", id=filed.value["id"])).code == "OK"
            self.gone.add(of)
            self.model.changes.append(Change("restored", dataset, record))
            return
        given = {"subject": {"scheme": self.firm.scheme, "value": self.firm.value}, "record": about, "reason": "So."}
        if kind == "withdrawn":
            done = await region.act(steward, "reportChange", event="WITHDRAWN", **given)
            self.gone.add(of)
        else:
            version = str(self.versions[of] + 1)
            done = await region.act(steward, "reportChange", event="CORRECTED", newVersion=version, **given)
            self.versions[of] += 1
        assert done.code == "OK", done.said
        assert (await region.act(other, "confirm", id=done.value["id"])).code == "OK"
        self.model.changes.append(Change("withdrawn" if kind == "withdrawn" else "corrected", *of, self.versions[of]))
        if kind == "corrected":  # of a lagging one its source has the version before for now
            self._holds(*of)

    @rule(of=RECORD)
    def catches_up(self, of: tuple[str, str]) -> None:
        self._holds(*of)

    @rule(of=RECORD)
    def decides(self, of: tuple[str, str]) -> None:
        self._tick()
        if of not in self.objections or of in self.gone:
            return
        steward = self.region.both.steward(STEWARDS[of[0]], "s.one")
        given = {"id": self.objections.pop(of), "outcome": "REFUSED", "reason": "It is right."}
        assert self.world.run(self.region.act(steward, "decideObjection", **given)).code == "OK"
        self.model.changes.append(Change("cleared", *of))

    @rule()
    @precondition(lambda self: not self.consents)
    def grants(self) -> None:
        self._tick()
        who = self.region.both.who(LABOUR)
        fields = [
            {"dataset": "income-statements", "fields": ["year"]},
            {"dataset": "volunteering", "fields": ["hours"]},
        ]
        given = {"requester": {"issuer": who.issuer, "client": who.client}, "purpose": "SUBSIDY_ASSESSMENT"}
        until = (self.world.now + 300 * DAY).date().isoformat()
        mine = self.region.both.subject(self.person)
        said = self.world.run(self.region.act(mine, "grantConsent", **given, fields=fields, until=until))
        assert said.code == "OK", said.said
        self.consents.append(said.value["id"])

    @rule()
    @precondition(lambda self: self.consents)
    def revokes(self) -> None:
        self._tick()
        id_ = self.consents.pop()
        said = self.world.run(self.region.act(self.region.both.subject(self.person), "revokeConsent", id=id_))
        assert said.code == "OK", said.said
        self.model.changes += [Change("revoked", each, consent=id_) for each in OF_PERSON]

    @rule()
    def opts(self) -> None:
        self._tick()
        self.opted_out = not self.opted_out
        given = {"dataset": "volunteering", "optedOut": self.opted_out}
        said = self.world.run(self.region.act(self.region.both.subject(self.person), "setOptOut", **given))
        assert said.code == "OK", said.said
        if self.opted_out:
            self.model.changes.append(Change("opted-out", "volunteering"))

    @rule(longest=PERIODS)
    def shortens(self, longest: str | None) -> None:
        """Another rule set is active, with a shorter period of display, or a longer one."""
        self._tick()
        rules = displayed(self.world.rules, PENALTIES, longest)
        self.world.rules = rules
        self.world.serving = msgspec.structs.replace(self.world.serving, rules=rules)
        for each in self.region.both.each:
            serving = msgspec.structs.replace(each.journey.serving(), rules=rules)
            each.journey = msgspec.structs.replace(each.journey, serving=lambda serving=serving: serving)
        activated(self.region.replica.store, rules, self.world.now)
        self.model.longest[PENALTIES] = None if longest is None else parse(longest)

    # Recipients, time, and whoever selects

    @rule(which=st.integers(0, 9), outcome=st.sampled_from(["APPLIED", "PASSED_ON", "REFUSED"]))
    def answers(self, which: int, outcome: str) -> None:
        self._tick()
        rows = self._rows(OPEN)
        if rows:
            row = rows[which % len(rows)]
            more: dict[str, Any] = {"reason": "Archives Act, Art. 3"} if outcome == "REFUSED" else {}
            more |= {"passedOnTo": ["The Bank"]} if outcome == "PASSED_ON" else {}
            said = self.world.run(self.region.answered(row.id, outcome, row.client, **more))
            assert said.code == "OK", said.said

    @rule(days=st.sampled_from([0, 1, 3, 9]))
    def waits(self, days: int) -> None:
        """Days pass, all of them before the day by which what was received is to be deleted."""
        if self.days + days < 28:
            self.days += days
            self._current(days)
            self._tick(days * DAY)

    @rule()
    def forgets(self) -> None:
        """That day passes too; whatever was to be told before was told."""
        self.settled()
        self.model.forget(self.world.today())
        self._current(61)
        self._tick(61 * DAY)
        self.days = 0

    @rule(acts=st.integers(0, 3))
    def selects(self, acts: int) -> None:
        """Select; with a number, the process ends after so many acts, and another goes on later."""
        self.world.run(self._select(acts))

    @rule(which=st.integers(0, 1), killed=st.booleans())
    def restarts(self, which: int, killed: bool) -> None:
        self.world.run(self.region.both.again(which, killed=killed))
        self._begun()

    def _current(self, days: int) -> None:
        """A source lags for less than a day."""
        for of in self.versions if days else ():
            self._holds(*of)

    def _tick(self, more: datetime.timedelta = datetime.timedelta()) -> None:
        self.world.now += more + datetime.timedelta(seconds=1)

    async def _select(self, ends_after: int = 0) -> None:
        replica, left = self.region.replica, [ends_after]
        self.model.looked(self.world.today(), all_told=False)
        act = replica.writer.act

        async def ending(planned: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise Ended
            return await act(planned)

        if ends_after:
            replica.writer.act = ending  # type: ignore[method-assign]
        try:
            with contextlib.suppress(Ended):
                for _ in range(4):  # what is made is projected before what follows from it
                    projector = Projector(replica.store)
                    while projector.turn():
                        """There is more."""
                    projector.close()
                    self.selecting._races_at = self.selecting._lags_at = float("-inf")
                    while await self.selecting.turn() or await self.expiring.turn() or await self.shortening.turn():
                        """There may be more."""
        finally:
            replica.writer.act = act  # type: ignore[method-assign]
        if ends_after:
            self._begun()

    def _rows(self, *conditions: Any) -> list[Recall]:
        with self.region.replica.store.engine.connect() as connection:
            return several(connection, *conditions)

    def settled(self) -> None:
        """Select everything, and hold it to the model."""
        self._tick(WAIT)
        self.world.run(self._select())
        self.model.looked(self.world.today(), all_told=True)
        self.model.check(self._rows(), self.world.today())

    def teardown(self) -> None:
        try:
            self.settled()
            forgotten(self.region.replica.store)
            verify_store(self.region.replica.store, VERIFIERS)
        finally:
            self.world.run(self.region.both.__aexit__())
            self.stack.close()
