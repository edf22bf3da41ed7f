"""Histories of acts, and inquiries before, beside and after each: drawn as plain data, and played."""

from __future__ import annotations

import asyncio
import datetime
import random
from collections.abc import Mapping
from typing import Any, NamedTuple

from hypothesis import strategies as st
from sqlalchemy import select

from connectors.base import Subject
from gateway.inquiry.types import Requester
from gateway.storage.subjects.facts import fact_head
from tests.acts.desk import ISSUER
from tests.acts.whole.replicas import AFTER, BEFORE, DEATHS, Replicas, Said
from tests.world import Held, World, new_subject, values

PURPOSE = "SUBSIDY_ASSESSMENT"
HELD = {"income-statements": 2, "employment-contracts": 1, "volunteering": 1, "person-register": 1}
OFFICES = {"income-statements": "tax", "employment-contracts": "labour", "volunteering": "labour"}
RECORDS = [(name, f"{name}-{n}") for name in OFFICES for n in range(HELD[name])]
ASKERS = ("labour-office", "tax-service")
FIELDS: tuple[dict[str, list[str]], ...] = (
    {"income-statements": ["year", "taxableIncome"]},
    {"income-statements": ["year"], "employment-contracts": ["employerName"], "volunteering": ["hours"]},
    {"income-statements": ["currency", "taxableIncome"], "volunteering": ["hours", "year"]},
)
STEWARDS, OUTCOMES, LAST = ("s.one", "s.two"), ("UPHELD", "PARTLY", "REFUSED"), (0, 1, 30)
TAKES_AWAY = frozenset(["object", "on", "revoke", "decline", "system", "withdrawn", "restored"])
"""What never releases more: an objection, an opt-out, a revocation, a refusal, a withdrawal, a restoration."""
META = "record { id version disputed }"
QUERY = f"""query($id: IdentifierInput!) @inquiry(purpose: {PURPOSE}) {{ person(id: $id) {{ name
  incomeStatements {{ year taxableIncome currency {META} }}
  employmentContracts {{ employerName {META} }} volunteering {{ year hours {META} }} }} }}"""
NAMES = {
    "incomeStatements": "income-statements", "employmentContracts": "employment-contracts",
    "volunteering": "volunteering",
}  # fmt: skip


class Step(NamedTuple):
    """One thing that is done. `dies` is how the gateway that does it ends; `asker` asks before, beside and after it.

    `rival` is what is done about the other subject at the same moment, by the other gateway.
    """

    what: str
    who: int = 0
    which: int = 0
    asker: int = 0
    outcome: str = OUTCOMES[0]
    by: str = STEWARDS[0]
    days: int = 1
    replica: int = 0
    counter: bool = False
    again: bool = False
    dies: str | None = None
    rival: str | None = None


KINDS = {
    "grant": 4, "revoke": 3, "object": 3, "decide": 4, "confirm": 5, "on": 2, "off": 2, "report": 4, "system": 2,
    "request": 2, "granted": 2, "decline": 1, "turn down": 2, "apply": 2, "withdraw": 1, "wait": 1, "restart": 1,
}  # fmt: skip


def _history(number: int) -> list[Step]:
    """Drawn from a seed: hypothesis' own draws would be most of a test's time, and mostly small."""
    chance = random.Random(number)
    return [
        Step(
            what,
            who=chance.choice([0, 0, 0, 1]),
            which=chance.choice([0, 0, 1, 2, 3, 4, 5]),
            asker=chance.choice([0, 0, 0, 1]),
            outcome=chance.choice(OUTCOMES),
            by=chance.choice(STEWARDS),
            days=chance.randint(1, 9),
            replica=chance.randint(0, 1),
            counter=chance.random() < 0.3,
            again=chance.random() < 0.3,
            dies=chance.choice(DEATHS) if chance.random() < 0.15 else None,
            rival=chance.choice(list(KINDS)) if chance.random() < 0.3 else None,
        )
        for what in chance.choices(list(KINDS), list(KINDS.values()), k=chance.randint(20, 45))
    ]


HISTORIES = st.integers(0, 2**32).map(_history)


class Look(NamedTuple):
    """An inquiry and its answer: between which changes of facts it came and went, and what it released."""

    subject: Subject
    client: str
    low: int
    high: int
    day: datetime.date
    id: str
    values: frozenset[tuple[str, str, str]]
    disputed: frozenset[tuple[str, str]]


class Matters(NamedTuple):
    """The ids that one subject's acts came to; with the department that answers, and the kind or who did it first."""

    consents: list[str]
    requests: list[str]
    filed: list[tuple[str, str, str]]
    waiting: list[tuple[str, str, str]]


class History:
    """Steps as they are played."""

    def __init__(self, world: World, both: Replicas) -> None:
        self.world, self.both = world, both
        self.subjects = [new_subject("person"), new_subject("person")]
        self.matters = [Matters([], [], [], []) for _ in self.subjects]
        self.looks: list[Look] = []
        self.told: list[str] = []
        for number, subject in enumerate(self.subjects):
            for name, several in HELD.items():
                dataset = world.catalogue.datasets[name]
                world.held[subject, name] = [
                    Held(f"{name}-{n}", values(dataset, number * 10 + n)) for n in range(several)
                ]

    def changes(self) -> int:
        with self.both.each[0].store.engine.connect() as connection:
            return int(connection.execute(select(fact_head.c.change)).scalar_one())

    async def look(self, step: Step, replica: int) -> Look:
        """The question of a step."""
        subject, client, low = self.subjects[step.who], ASKERS[step.asker], self.changes()
        who = self.both.who(client, "inquire", official="o.ne")
        said = await self.both.each[replica].ask(who, QUERY, {"id": _identifier(subject)})
        assert said.status == 200, said.said
        found = _released(said.said["data"]["person"])
        id_ = said.said["extensions"]["inquiry"]["id"]
        self.looks.append(Look(subject, client, low, self.changes(), self.world.today(), id_, *found))
        return self.looks[-1]

    async def play(self, step: Step) -> None:
        self.world.now += datetime.timedelta(seconds=1)
        if step.what == "wait":
            self.world.now += datetime.timedelta(days=step.days)
            await self.both.clocks()
            await self.look(step, step.replica)
        elif step.what == "restart":
            await self.both.again(step.replica, killed=step.counter)
        elif (asked := self._asked(step)) is not None:
            before = await self.look(step, step.replica)
            said, beside, _ = await asyncio.gather(
                self._done(step, *asked), self.look(step, 1 - step.replica), self._rivalled(step)
            )
            after = await self.look(step, step.which % 2)
            if said.code == "OK":
                taken = self._noted(step, said) in TAKES_AWAY
                assert not taken or (after.values <= beside.values <= before.values), step

    async def _rivalled(self, step: Step) -> None:
        if step.rival is not None:
            rival = step._replace(what=step.rival, who=1 - step.who, replica=1 - step.replica, dies=None)
            if (asked := self._asked(rival)) is not None:
                said = await self._done(rival, *asked)
                if said.code == "OK":
                    self._noted(rival, said)

    async def _done(self, step: Step, who: Requester, name: str, given: Mapping[str, Any]) -> Said:
        """An act under a reference: where it is not known whether it stands, it is asked for again."""
        replica = self.both.each[step.replica]
        dies = step.dies
        if dies is not None:
            dies = dies if replica.store.engine.dialect.name == "sqlite" or dies in (BEFORE, AFTER) else AFTER
            replica.dying(dies)
        given = {**given, "reference": f"r-{step.who}-{len(self.looks)}"}
        said = await replica.act(who, name, **given)
        if dies is not None:
            await self.both.again(step.replica, killed=True)
        unknown = said.code in ("LEDGER_UNAVAILABLE", "INTERNAL")
        assert not unknown or dies is not None, said.said
        if unknown or (step.again and said.code == "OK"):
            again = await self.both.each[1 - step.replica].act(who, name, **given)
            assert unknown or (again.code, again.act) == ("OK", said.act), "a repeat is another act"
            said = again
        assert said.status == 200, said.said
        if said.code == "OK":
            self.told.append(said.act)
        return said

    def _asked(self, step: Step) -> tuple[Requester, str, dict[str, Any]] | None:
        """Who asks for what; None where there is nothing yet that it could be about."""
        subject, of, both = self.subjects[step.who], self.matters[step.who], self.both
        mine = both.subject(subject)
        dataset, record = RECORDS[step.which % len(RECORDS)]
        about = {"dataset": dataset, "record": record, "version": ("1", None)[step.days % 2]}
        until = self.world.today() + datetime.timedelta(days=LAST[step.which % len(LAST)])
        terms = [{"dataset": name, "fields": names} for name, names in FIELDS[step.which % len(FIELDS)].items()]
        if step.asker:
            terms = terms[:1]
        asked: dict[str, Any] = {"purpose": PURPOSE, "fields": terms, "until": until.isoformat()}
        client = {"issuer": ISSUER, "client": ASKERS[step.asker]}
        office, words = both.who(ASKERS[step.asker], "inquire", official="o.ne"), "To work it out."
        match step.what:
            case "grant":
                return mine, "grantConsent", asked | {"requester": client}
            case "request":
                return office, "requestConsent", asked | {"subject": _identifier(subject), "words": words}
            case "granted" if of.requests:
                return mine, "grantConsent", asked | {"requester": client, "request": _one(of.requests, step)}
            case "decline" if of.requests:
                return mine, "declineConsentRequest", {"id": _one(of.requests, step)}
            case "revoke" if of.consents:
                return mine, "revokeConsent", {"id": _one(of.consents, step)}
            case "object" | "apply":
                name = "fileObjection" if step.what == "object" else "applyForRestoration"
                return self._for(step, name, {"record": about, "reason": words})
            case "on" | "off":
                return self._for(step, "setOptOut", {"dataset": "volunteering", "optedOut": step.what == "on"})
            case "withdraw" if of.filed:
                return self._for(step, "withdrawMatter", {"id": _one(of.filed, step)[0]})
            case "decide" if of.filed:
                id_, department, kind = _one(of.filed, step)
                given = {"id": id_, "outcome": step.outcome, "reason": words}
                return both.steward(department, step.by), f"decide{kind.capitalize()}", given
            case "confirm" if of.waiting:
                id_, department, first = _one(of.waiting, step)
                other = first if step.days == 1 else STEWARDS[first == STEWARDS[0]]
                return both.steward(department, other), "confirm", {"id": id_}
            case "turn down" if of.waiting:
                id_, department, first = _one(of.waiting, step)
                by = STEWARDS[(first == STEWARDS[0]) == (step.days % 3 > 0)]
                return both.steward(department, by), "decline", {"id": id_, "reason": words}
            case "report" | "system":
                return self._report(step, about)
        return None

    def _for(self, step: Step, name: str, given: dict[str, Any]) -> tuple[Requester, str, dict[str, Any]]:
        """By the subject, or for it at a counter."""
        subject = self.subjects[step.who]
        if not step.counter:
            return self.both.subject(subject), name, given
        behalf = {"subject": _identifier(subject), "proof": "identity card 4711"}
        return self.both.steward("labour", "c.lerk", "counter"), name, given | {"onBehalf": behalf}

    def _report(self, step: Step, about: dict[str, Any]) -> tuple[Requester, str, dict[str, Any]]:
        event = ("WITHDRAWN", "REINSTATED", "CORRECTED")[step.days % 3] if step.what == "report" else "WITHDRAWN"
        given = {
            "subject": _identifier(self.subjects[step.who]),
            "record": about,
            "event": event,
            "reason": "So it is.",
        }
        given |= {"newVersion": "2"} if event == "CORRECTED" else {}
        department = OFFICES[about["dataset"]]
        itself = step.what == "system" and department == "tax"
        who = self.both.who("tax-service", "steward") if itself else self.both.steward(department, step.by)
        return who, "reportChange", given

    def _noted(self, step: Step, said: Said) -> str:
        """Keep what an act came to; and give what it was."""
        of, value, what = self.matters[step.who], said.value, step.what
        match what:
            case "grant" | "granted":
                of.consents.append(value["id"])
            case "request":
                of.requests.append(value["id"])
            case "object" | "apply":
                kind = "objection" if what == "object" else "restoration"
                of.filed.append((value["id"], OFFICES[value["dataset"]], kind))
            case "report" | "system":
                self._waits(of, step, value)
                return "withdrawn" if (value["state"], value["event"]) == ("DECIDED", "WITHDRAWN") else "reported"
            case "decide":
                self._waits(of, step, value)
            case "confirm":
                return "restored" if value["__typename"] == "Matter" else str(value["event"]).lower()
        return what

    def _waits(self, of: Matters, step: Step, value: Mapping[str, Any]) -> None:
        if value["state"] == "AWAITS_CONFIRMATION":
            of.waiting.append((value["id"], OFFICES[value["dataset"]], step.by))


def _one(several: list[Any], step: Step) -> Any:
    return several[-1 - step.which % len(several)]


def _identifier(subject: Subject) -> dict[str, str]:
    return {"scheme": subject.scheme, "value": subject.value}


def _released(person: Mapping[str, Any]) -> tuple[frozenset[tuple[str, str, str]], frozenset[tuple[str, str]]]:
    found, disputed = set[tuple[str, str, str]](), set[tuple[str, str]]()
    if person["name"] is not None:
        found.add(("person-register", "person-register-0", "name"))
    for alias, dataset in NAMES.items():
        for each in person[alias] or ():
            id_ = each["record"]["id"]
            found |= {(dataset, id_, name) for name, value in each.items() if name != "record" and value is not None}
            disputed |= {(dataset, id_)} if each["record"]["disputed"] else set()
    return frozenset(found), frozenset(disputed)
