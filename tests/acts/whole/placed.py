"""One subject with everything that a subject can have, and the questions that somebody else can put its ids into."""

from __future__ import annotations

import copy
import datetime
from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import select

from connectors.base import Subject
from gateway.inquiry.types import Requester
from gateway.storage.recall.recalls import recall
from gateway.storage.subjects.acts import act, matter
from gateway.storage.subjects.facts import fact
from tests.acts.desk import ISSUER
from tests.acts.whole import asking
from tests.acts.whole.replicas import Replica, Replicas, Said
from tests.recall.telling import Telling
from tests.world import Held, World, values

PURPOSE, DATASET = "SUBSIDY_ASSESSMENT", "income-statements"
LOOK = f"""query($id: IdentifierInput!%s) @inquiry(purpose: {PURPOSE}%s) {{
  person(id: $id) {{ name incomeStatements {{ year }} }} }}"""
OWN = "%s @inquiry(purpose: SUBJECT_ACCESS) { it: %s }"
BY_ID = ("revokeConsent", "declineConsentRequest", "withdrawMatter")
HISTORY = "query($of: %s) { it: me { accessHistory(%s: $of) %s } }"


def named(subject: Subject) -> dict[str, str]:
    return {"scheme": subject.scheme, "value": subject.value}


class Asked(NamedTuple):
    """A question, and by whom."""

    who: Requester
    query: str
    variables: Mapping[str, Any]


class Scene:
    """Who acts in this region, at one gateway.

    `one` has everything, and its `ids`; so has `two`, to whom nothing of it may be told. A `firm` has records. `asker`
    is the subject that asks now, or for whom somebody does.
    """

    one: Subject
    two: Subject
    firm: Subject
    asker: Subject
    ids: Mapping[str, str]

    def __init__(self, world: World, both: Replicas) -> None:
        self.world, self.both = world, both
        self.until = (world.today() + datetime.timedelta(days=30)).isoformat()
        self.labour = {"issuer": ISSUER, "client": "labour-office"}
        self.fields = [{"dataset": DATASET, "fields": ["year"]}]

    @property
    def replica(self) -> Replica:
        return self.both.each[0]

    async def act(self, who: Requester, name: str, **given: Any) -> Said:
        said = await self.replica.act(who, name, **given)
        assert said.code == "OK", said.said
        return said

    async def everything(self, subject: Subject, mark: str) -> dict[str, str]:
        """Have a subject do everything, and give the ids of it all, by what they are of; `mark` is in each of them."""
        both, mine, ids = self.both, self.both.subject(subject, f"p-{mark}"), dict[str, str]()
        dataset = self.world.catalogue.datasets[DATASET]
        records = [f"R-{mark}-{number}" for number in range(9)]
        self.world.held[subject, DATASET] = [Held(each, values(dataset, n)) for n, each in enumerate(records)]
        one, two = both.steward("tax", f"s.one-{mark}"), both.steward("tax", f"s.two-{mark}")
        asked = {"purpose": PURPOSE, "fields": self.fields, "until": self.until}
        said = f"words of {mark}"

        def about(number: int) -> dict[str, Any]:
            return {"record": {"dataset": DATASET, "record": records[number], "version": "1"}, "reason": said}

        ids["consent"] = (await self.act(mine, "grantConsent", requester=self.labour, **asked)).value["id"]
        office = both.who("labour-office", "inquire", official=f"o.ne-{mark}")
        looked = await self.replica.ask(office, LOOK % ("", ""), {"id": named(subject)})
        ids["look"] = looked.said["extensions"]["inquiry"]["id"]
        telling = Telling(self.world, both)
        ids["recall"] = await telling.told(telling.found(looked), "update", DATASET)
        request = {**asked, "subject": named(subject), "words": said}
        ids["request"] = (await self.act(office, "requestConsent", **request)).value["id"]
        ids["objection"] = (await self.act(mine, "fileObjection", **about(0))).value["id"]
        ids["upheld"] = (await self.act(mine, "fileObjection", **about(1))).value["id"]
        decided = {"outcome": "UPHELD", "reason": said}
        await self.act(one, "decideObjection", id=ids["upheld"], **decided)
        ids["application"] = (await self.act(mine, "applyForRestoration", **about(2))).value["id"]
        ids["awaiting"] = (await self.act(mine, "applyForRestoration", **about(3))).value["id"]
        await self.act(one, "decideRestoration", id=ids["awaiting"], **decided)
        reported = {"subject": named(subject), "event": "WITHDRAWN"}
        ids["change"] = (await self.act(one, "reportChange", **reported, **about(4))).value["id"]
        ids["withdrawn"] = (await self.act(two, "reportChange", **reported, **about(5))).value["id"]
        await self.act(one, "confirm", id=ids["withdrawn"])
        opted = await self.act(mine, "setOptOut", dataset="volunteering", optedOut=True)
        ids["act"], ids["record"] = opted.act, records[0]
        with self.replica.store.engine.connect() as connection:
            ids["opt-out"] = connection.execute(select(fact.c.id).where(fact.c.kind == "opt-out")).scalars().all()[-1]
        return ids

    def every_id(self) -> set[str]:
        """Each id that any table has."""
        with self.replica.store.engine.connect() as connection:
            tables = (act, matter, fact, recall)
            return {str(id_) for each in tables for id_ in connection.execute(select(each.c.id)).scalars()}

    async def cursors(self, subject: Subject) -> dict[str, str]:
        """The cursors that those whom it concerns have of its pages."""
        both, steward = self.both, self.both.steward("tax", "s.three")
        office = both.who("labour-office", "inquire", official="o.two")
        found = {}
        told = both.who("labour-office", "recalls")
        pages = (("consentRequests", office), ("matters", steward), ("changes", steward), ("recalls", told))
        for name, who in pages:
            found[f"cursor of {name}"] = (await self.act(who, name, first=1)).value["next"]
        page = "query { it: me { accessHistory(first: 1) { next } } }"
        said = await self.replica.ask(both.subject(subject, "p-again"), page, {})
        found["cursor of the history"] = said.value["accessHistory"]["next"]
        office = both.who("labour-office", "inquire", "receipts", official="o.two")
        said = await self.replica.ask(office, "{ it: receipts(first: 1) { cursor } }", {})
        found["cursor of receipts"] = said.value[0]["cursor"]
        return {name: each for name, each in found.items() if each}

    def asked(self, slot: str, value: Any, other: Subject, way: str = "") -> Asked:
        """What somebody else asks with a value in a slot. `way` `counter`: for `other`, at a counter of its own."""
        schema, both = self.replica.schema, self.both
        name, _, path = slot.partition(".")
        mine = both.subject(other, "p-other")
        if slot in ("@inquiry.consent", "@inquiry.recall"):
            who, member = both.who("tax-service", "inquire", official="t.two"), slot.partition(".")[2]
            return Asked(who, LOOK % (", $of: ID", f", {member}: $of"), {"id": named(other), "of": value})
        if slot in ("me.accessHistory.after", "me.accessHistory.id"):
            history = asking.fields(schema)["me"].type.of_type.fields["accessHistory"]
            member = slot.rpartition(".")[2]
            kind, selected = history.args[member].type, asking.selected(history.type)
            return Asked(mine, HISTORY % (kind, member, selected), {"of": value})
        if name in ("person", "organisation", "organisations", "_entities"):
            return Asked(mine, *_oneself(name, value))
        assert path.partition(".")[0] in asking.fields(schema)[name].args, f"nobody knows how to ask for {slot}"
        given = copy.deepcopy(self._usual(name, other))
        if way == "counter" and "onBehalf" not in path:
            given["onBehalf"] = {"subject": named(other), "proof": "identity card 4711"}
        _put(given, path.split("."), value)
        if slot == "fileObjection.access" or slot == "fileObjection.dataset":
            del given["record"]
        who = both.steward("market", "m.one", "counter") if way == "counter" else self._who(name, mine)
        return Asked(who, asking.operation(schema, name, given), given)

    def _who(self, name: str, mine: Requester) -> Requester:
        """Another department's steward, another requester, and otherwise another subject."""
        if name in ("matters", "changes", "decideObjection", "decideRestoration", "confirm", "decline", "reportChange"):
            return self.both.steward("courts", "c.two")
        if name in ("recalls", "suspensions", "acknowledgeRecall", "acknowledgeRecalls", "attestDeletion"):
            return self.both.who("tax-service", "recalls")
        if name in ("endSuspension", "findings", "openFinding", "endReview"):
            return self.both.who("oversight", "oversight", official="o.two")
        if name in ("consentRequests", "receipts", "requestConsent"):
            more = ("receipts",) if name == "receipts" else ()
            return self.both.who("tax-service", "inquire", *more, official="t.one")
        return mine

    def _usual(self, name: str, other: Subject) -> dict[str, Any]:
        """What a question has beside the value."""
        record = {"dataset": DATASET, "record": "R-9", "version": "1"}
        courts = {"record": record | {"dataset": "enforcement-cases"}, "reason": "So it is."}
        filed = {"record": record, "reason": "It is not mine."}
        asked = {"purpose": PURPOSE, "fields": self.fields, "until": self.until}
        decided = {"outcome": "UPHELD", "reason": "So it is."}
        return {
            "grantConsent": {**asked, "requester": self.labour},
            "fileObjection": filed,
            "applyForRestoration": filed,
            "setOptOut": {"dataset": "volunteering", "optedOut": True},
            "acknowledgeRecall": {"outcome": "APPLIED"},
            "acknowledgeRecalls": {"outcome": "APPLIED"},
            "endSuspension": {"reason": "So it is."},
            "openFinding": {"reason": "So it is."},
            "endReview": {"verdict": "PROPER", "reason": "So it is."},
            "requestConsent": {**asked, "subject": named(other), "words": "To work it out."},
            "reportChange": {**courts, "subject": named(other), "event": "WITHDRAWN"},
            "decideObjection": decided,
            "decideRestoration": decided,
            "decline": {"reason": "So it is."},
        }.get(name, {"id": "0" * 32} if name in BY_ID else {})


def _put(given: dict[str, Any], path: list[str], value: Any) -> None:
    """Put a value at a path, in what is there already; what takes an identifier says how it was proved, too."""
    at: Any = given
    for member in path[:-1]:
        at = at.setdefault(member, {"proof": "identity card 4711"})
        at = at[0] if isinstance(at, list) else at
    at[path[-1]] = value


def _oneself(name: str, value: Any) -> tuple[str, dict[str, Any]]:
    """An inquiry about oneself, by the roots that name a subject."""
    whole = "{ incomeStatements { year record { id } } }"
    if name == "_entities":
        query = OWN % ("query($of: [_Any!]!)", f"_entities(representations: $of) {{ ... on Person {whole} }}")
        return query, {"of": [{"__typename": "Person", **value}]}
    if name == "organisations":
        return OWN % ("query($of: [IdentifierInput!]!)", "organisations(ids: $of) { scheme value }"), {"of": [value]}
    below = whole if name == "person" else "{ scheme value }"
    return OWN % ("query($of: IdentifierInput!)", f"{name}(id: $of) {below}"), {"of": value}
