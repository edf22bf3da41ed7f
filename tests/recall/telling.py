"""Two gateways whose answers are recalled as selection does it: each recall an act of its own, of one real answer."""

from __future__ import annotations

import contextlib
import datetime
import secrets
from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import func, select

from connectors.base import Subject
from gateway.acts.office import Office
from gateway.inquiry.types import Requester
from gateway.ledger.acting.planned import Actor, Made, Planned, Row, Seen
from gateway.ledger.entry import entries
from gateway.ledger.stored import read
from gateway.recall.own import named
from gateway.recall.selecting.expiring import number_of
from gateway.storage.recall import recalls
from gateway.storage.recall.recalls import Recall, recall, recall_job, work
from gateway.storage.recall.work import to_deliver
from gateway.storage.subjects.acts import Matter, matter
from gateway.storage.tables import SHARD_BITS, micros
from tests.acts.whole.replicas import Replica, Replicas, Said
from tests.storage.conftest import Place
from tests.world import Held, World, new_subject, values

MARKET, ENVIRONMENT = "market-regulator", "environment-agency"
RENEWAL, DATASET = "LICENCE_RENEWAL", "business-licences"
LOOK = """query($id: IdentifierInput!%s) @inquiry(purpose: %s%s) {
  organisation(id: $id) { %s } }"""
LICENCES = "businessLicences { number status record { id version } }"
PERMITS = "emissionPermits { number record { id } }"
DAY = datetime.timedelta(days=1)
TERM = datetime.timedelta(days=10)


class Received(NamedTuple):
    """An answer: what it said, its entry, and where that stands."""

    said: Said
    told: entries.Inquiry
    oversight: entries.Oversight
    place: int


class Telling:
    """A region in which recipients are told. `at` says which of the two gateways is asked."""

    def __init__(self, world: World, both: Replicas) -> None:
        self.world, self.both, self.at = world, both, 0

    @property
    def replica(self) -> Replica:
        return self.both.each[self.at]

    def firm(self, *records: str, dataset: str = DATASET, version: str = "1") -> Subject:
        """An organisation with these records."""
        subject = new_subject()
        for each in {DATASET, "emission-permits", dataset}:
            made = values(self.world.catalogue.datasets[each])
            of = records or ("R-1",)
            self.world.held[subject, each] = [Held(record, made, version) for record in of]
        return subject

    def system(self, client: str = MARKET, *scopes: str, **more: Any) -> Requester:
        """A recipient's own system."""
        return self.both.who(client, *(scopes or ("recalls",)), **more)

    def asker(self, client: str = MARKET, **more: Any) -> Requester:
        return self.both.who(client, "inquire", official="m.ivanova", **more)

    async def look(
        self, subject: Subject, selected: str = LICENCES, client: str = MARKET, purpose: str = RENEWAL, **declared: str
    ) -> Said:
        """An inquiry; `declared` is more of its declaration, by variables."""
        kinds = {"recall": "ID", "case": "String", "consent": "ID", "reference": "String"}
        variables = "".join(f", ${name}: {kinds[name]}" for name in declared)
        said = "".join(f", {name}: ${name}" for name in declared)
        query = LOOK % (variables, purpose, said, selected)
        given = {"id": {"scheme": subject.scheme, "value": subject.value}, **declared}
        return await self.replica.ask(self.asker(client), query, given)

    async def received(self, subject: Subject, selected: str = LICENCES, client: str = MARKET, **more: str) -> Received:
        """An answer that was received, with its entry."""
        said = await self.look(subject, selected, client, **more)
        assert said.status == 200, said.said
        return self.found(said)

    def found(self, said: Said) -> Received:
        """The entry of an answer."""
        id_ = said.said["extensions"]["inquiry"]["id"]
        with contextlib.closing(self.replica.store.reader()) as reader:
            for head in read.heads(reader):
                for entry in read.read_entries(reader, head.id, 0, head.size):
                    told = entry.read_told()
                    if told.id == id_:
                        assert isinstance(told, entries.Inquiry)
                        return Received(said, told, entry.read_oversight(), (head.id << SHARD_BITS) + entry.index)
        raise AssertionError("an answer has no entry")

    async def told(
        self, of: Received, action: str = "delete", dataset: str = DATASET, term: datetime.timedelta = TERM,
        client: tuple[str, str] | None = None,
    ) -> str:  # fmt: skip
        """Have a recall made of an answer; gives its id."""
        id_, office = secrets.token_hex(16), self.replica.office
        who = client or (of.told.requester.issuer, of.told.requester.client)
        (about,) = of.told.disclosed
        [given] = [each for each in about.datasets if each.dataset == dataset]
        records = [recalls.Recalled(*each[len(dataset) + 1 :].rsplit("@", 1), given.fields) for each in given.records]

        def make(seen: Seen) -> Made:
            mine = (recall.c.issuer == who[0], recall.c.client == who[1])
            last = seen.connection.execute(select(func.max(recall.c.sequence)).where(*mine)).scalar() or 0
            because, job = _because(office, seen, action, (about.scheme, about.value), dataset, records[0].record)
            row = {
                "id": id_, "sequence": last + 1, "job": job["id"], "issuer": who[0], "client": who[1],
                "place": of.place, "inquiry": of.told.id, "purpose": of.told.declaration.purpose,
                "scheme": about.scheme, "value": about.value, "dataset": dataset,
                "records": msgspec.json.encode(records).decode(), "action": action, "at": micros(seen.now),
                "due": micros(seen.now + term), "state": "open",
            }  # fmt: skip
            told = office.told(
                seen, OWN, "recalled", recall=id_, to=named(office.rules, *who), action=action, sequence=last + 1,
                term=seen.now + term, scheme=about.scheme, value=about.value, inquiry=of.told.id, dataset=dataset,
                records=tuple(f"{each.record}@{each.version}" for each in records),
                fields={dataset: given.fields}, purpose=of.told.declaration.purpose,
            )  # fmt: skip
            secret = of.oversight.secret_until
            oversight = entries.Oversight(entries.VERSION, facts=seen.change, secret_until=secret)
            rows = [Row(recall, row, ("filed_in",)), Row(work, to_deliver(id_, *who, micros(seen.now)))]
            own = Made(because, office.oversight(seen, OWN), [Row(recall_job, job, ("filed_in",))], "", None)
            return Made(told, oversight, rows, id_, None, more=[own])

        await office.writer.act(Planned(OWN, frozenset([who]), (), make, lambda *_: None, bulk=True))
        return id_

    async def recalled(self, action: str = "delete", client: str = MARKET, **more: Any) -> str:
        """A recall of an answer about a subject of its own."""
        return await self.told(await self.received(self.firm(), client=client), action, **more)

    async def act(self, who: Requester, name: str, **given: Any) -> Said:
        return await self.replica.act(who, name, **given)

    async def answered(self, id_: str, outcome: str = "APPLIED", client: str = MARKET, **more: Any) -> Said:
        """A recipient's answer."""
        return await self.act(self.system(client), "acknowledgeRecall", id=id_, outcome=outcome, **more)

    async def inbox(self, client: str = MARKET, **given: Any) -> list[dict[str, Any]]:
        """What stands in an inbox, on one page."""
        said = await self.act(self.system(client), "recalls", **given)
        assert said.code == "OK", said.said
        found: list[dict[str, Any]] = said.value["items"]
        return found

    async def later(self, more: datetime.timedelta) -> None:
        """Time passes, and the clock of either gateway looks."""
        self.world.now += more
        for each in (*self.both.each, *self.both.each):
            await each.overdue.turn()

    async def suspended(self, client: str = MARKET, term: datetime.timedelta = datetime.timedelta(hours=1)) -> str:
        """A recall that led to a suspension, on any working day."""
        id_ = await self.recalled(client=client, term=term)
        await self.later(term)
        await self.later(term)
        return id_

    def row(self, id_: str) -> Recall:
        with self.replica.store.engine.connect() as connection:
            found = recalls.one(connection, id_)
        assert found is not None
        return found

    def to_tell(self) -> set[str]:
        """The recalls that a recipient is still to be told of."""
        with self.replica.store.engine.connect() as connection:
            return set(connection.execute(select(work.c.what)).scalars())

    def suspensions(self) -> list[Matter]:
        with self.replica.store.engine.connect() as connection:
            rows = connection.execute(select(matter).where(matter.c.kind == "suspension").order_by(matter.c.filed))
            return [Matter._make(row) for row in rows]

    def entered(self, *whats: str) -> list[entries.Acted]:
        """The acts of these kinds, in the order of their time."""
        found: list[entries.Acted] = []
        with contextlib.closing(self.replica.store.reader()) as reader:
            for head in read.heads(reader):
                for entry in read.read_entries(reader, head.id, 0, head.size):
                    told = entry.read_told()
                    if isinstance(told, entries.Acted) and told.what in whats:
                        found.append(told)
        return sorted(found, key=lambda each: each.at)

    def views(self) -> Sequence[entries.View]:
        with contextlib.closing(self.replica.store.reader()) as reader:
            return [
                told
                for head in read.heads(reader)
                for entry in read.read_entries(reader, head.id, 0, head.size)
                if isinstance(told := entry.read_told(), entries.View)
            ]


OWN = Actor(entries.OWN.issuer, entries.OWN.client, entries.OWN.department)


def _because(
    office: Office, seen: Seen, action: str, subject: tuple[str, str], dataset: str, record: str
) -> tuple[entries.Acted, dict[str, Any]]:
    """An act that changes no facts and asks for that, and its job, which found one recall."""
    of: dict[str, Any] = {"scheme": subject[0], "value": subject[1], "dataset": dataset, "record": record}
    if action == "delete":
        cause, about = "expired", {"dataset": dataset, "day": number_of(seen.today)}
        told = office.told(seen, OWN, "display-ended", due=seen.today)
    elif action == "update":
        cause, about = "unreported", {"dataset": dataset, "record": record, "new_version": "9"}
        told = office.told(seen, OWN, "unreported-found", new_version="9", **of)
    else:
        cause, about = "cleared", {"dataset": dataset, "record": record, "change": seen.change + 1}
        told = office.told(seen, OWN, "change-confirmed", **of)
    job = recalls.job(cause, subject, micros(seen.now), **about)
    job |= {"state": "selected", "selected": 1, "found": 1}
    return msgspec.structs.replace(told, id=secrets.token_hex(16)), job


@contextlib.asynccontextmanager
async def telling(world: World, place: Place) -> AsyncIterator[Telling]:
    """Both gateways, at a place."""
    async with Replicas(world, place) as both:
        yield Telling(world, both)
