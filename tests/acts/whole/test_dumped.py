"""After an erasure no table has a text, a name, an identifier or a digest of the subject; what is open forbids it.

Before it, everything was done that can be: every mutation, by the subject, at a counter, by stewards, by a department's
system and its webhook, each under a reference; inquiries, looks, pages, clocks that ran out, projections.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from starlette.applications import Starlette

from connectors.base import Subject
from gateway.acts.hook import ChangeHook
from gateway.inquiry.types import Requester
from gateway.ledger.acting.digests import Keyed
from gateway.ledger.entry import entries
from gateway.ledger.log.operator import ActRefused
from gateway.ledger.projections.projector import Projector
from gateway.ledger.stored import read
from gateway.ledger.verify.store import verify_store
from gateway.sources import Changes as Reporting
from gateway.storage.port import Store
from gateway.storage.projections import counted
from gateway.storage.subjects.acts import act, matter
from gateway.storage.subjects.erasure import requests
from gateway.storage.tables import SHARD_BITS
from gateway.storage.watch import findings as watch
from tests.acts.erasing import approved, dumped, erased
from tests.acts.whole.placed import DATASET, LOOK, PURPOSE, Scene, named
from tests.acts.whole.replicas import Replicas, Said
from tests.ledger.support import VERIFIERS
from tests.recall.telling import Telling
from tests.storage.conftest import Place
from tests.world import Held, World, new_subject, opened, values

SECRET = b"s" * 24
PAGES = ("matters", "changes", "consentRequests", "recalls", "suspensions")
HOUR = datetime.timedelta(hours=1)


class Doing(Scene):
    """Does everything about one subject; `mark` is in whatever is said of it, and `done` has every mutation."""

    mark = ""
    received: Said

    def __init__(self, world: World, both: Replicas) -> None:
        super().__init__(world, both)
        self.done = set[str]()
        hook = ChangeHook(self.replica.office, {"tax": Reporting((SECRET,))}, lambda: world.now.timestamp())
        self._app = Starlette(routes=hook.routes())

    async def act(self, who: Requester, name: str, **given: Any) -> Said:
        """As always, and under a reference."""
        self.done.add(name)
        if name not in PAGES:
            given["reference"] = f"ref-{self.mark}-{self.world.now.timestamp()}-{len(given)}"
        self.world.now += datetime.timedelta(seconds=1)
        return await super().act(who, name, **given)

    def about(self, number: int) -> dict[str, Any]:
        record = {"dataset": DATASET, "record": f"R-{self.mark}-{number}", "version": f"V-{self.mark}"}
        return {"record": record, "reason": f"words of {self.mark}"}

    def filed(self, number: int) -> dict[str, Any]:
        papers = [{"issuer": f"office of {self.mark}", "number": f"P-{self.mark}"}]
        return {**self.about(number), "papers": papers}

    @property
    def stewards(self) -> tuple[Requester, Requester]:
        return self.both.steward("tax", "s.one"), self.both.steward("tax", "s.two")

    async def decided(self, id_: str, kind: str, outcome: str) -> None:
        given = {"id": id_, "outcome": outcome, "reason": f"words of {self.mark}"}
        await self.act(self.stewards[0], f"decide{kind}", **given)

    async def reported(self, subject: Subject, number: int, event: str) -> str:
        new = {"newVersion": f"V-{self.mark}-2"} if event == "CORRECTED" else {}
        given = {"subject": named(subject), "event": event, **new, **self.about(number)}
        return str((await self.act(self.stewards[0], "reportChange", **given)).value["id"])

    async def changed(self, subject: Subject, number: int, event: str) -> None:
        await self.act(self.stewards[1], "confirm", id=await self.reported(subject, number, event))

    async def declined(self, id_: str) -> None:
        await self.act(self.stewards[1], "decline", id=id_, reason=f"words of {self.mark}")

    async def sent(self, subject: Subject) -> None:
        """A department's webhook, with what is good of it and what is not."""
        of = {"subject": named(subject), "dataset": DATASET, "record": f"R-{self.mark}-8", "version": "1"}
        good = {**of, "event": "withdrawn", "reason": f"words of {self.mark}"}
        nobody = {"scheme": "PIN", "value": self.mark}
        items = [good, {**good, "dataset": f"D-{self.mark}"}, {**good, "subject": nobody}]
        body = json.dumps({"type": "records.changed", "timestamp": "2026-11-24T12:00:00Z", "data": items}).encode()
        id_, stamp = f"msg-{self.mark}", str(int(self.world.now.timestamp()))
        signed = base64.b64encode(hmac.digest(SECRET, f"{id_}.{stamp}.".encode() + body, hashlib.sha256)).decode()
        headers = {"webhook-id": id_, "webhook-timestamp": stamp, "webhook-signature": f"v1,{signed}"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self._app), base_url="http://gateway") as http:
            answer = await http.post("/hooks/changes/tax", content=body, headers=headers)
        assert answer.status_code == 202, answer.text
        assert ["act" in each for each in answer.json()["items"]] == [True, False, False]

    async def consents(self, subject: Subject, mine: Requester) -> None:
        asked = {"purpose": PURPOSE, "fields": self.fields, "until": self.until}
        office = self.both.who("labour-office", "inquire", official="o.one")
        request = {**asked, "subject": named(subject), "words": f"words of {self.mark}"}
        first = (await self.act(office, "requestConsent", **request)).value["id"]
        given = await self.act(mine, "grantConsent", requester=self.labour, request=first, **asked)
        consent = {"id": named(subject), "of": given.value["id"]}
        self.received = await self.replica.ask(office, LOOK % (", $of: ID", ", consent: $of"), consent)
        await self.act(mine, "revokeConsent", id=given.value["id"])
        second = (await self.act(office, "requestConsent", **request)).value["id"]
        await self.act(mine, "declineConsentRequest", id=second)
        other = self.both.who("tax-service", "inquire", official="o.two")
        await self.act(other, "requestConsent", **request)  # nobody answers it
        await self.replica.ask(other, LOOK % ("", ""), {"id": named(subject)})

    async def matters(self, subject: Subject, mine: Requester) -> None:
        late = (await self.act(mine, "fileObjection", **self.filed(0))).value["id"]
        self.world.now += datetime.timedelta(days=40)
        await self.both.clocks()  # reminded, and then overdue
        mine = self.both.subject(subject, f"p-{self.mark}")
        await self.decided(late, "Objection", "REFUSED")
        upheld = (await self.act(mine, "fileObjection", **self.filed(1))).value["id"]
        await self.decided(upheld, "Objection", "UPHELD")
        await self.changed(subject, 1, "CORRECTED")
        missing = await self.act(mine, "fileObjection", dataset=DATASET, reason=f"words of {self.mark}")
        await self.act(mine, "withdrawMatter", id=missing.value["id"])
        applied = (await self.act(mine, "applyForRestoration", **self.filed(2))).value["id"]
        await self.decided(applied, "Restoration", "UPHELD")
        await self.declined(applied)
        await self.decided(applied, "Restoration", "REFUSED")
        await self.declined(await self.reported(subject, 5, "WITHDRAWN"))

    async def recalls(self) -> None:
        """What was received is recalled: answered, refused, suspended for, ended, and attested."""
        telling, words = Telling(self.world, self.both), f"words of {self.mark}"
        of = telling.found(self.received)
        ids = [await telling.told(of, "update", DATASET, HOUR) for _ in range(3)]
        office, (one, two) = self.both.who("labour-office", "recalls"), self.overseers
        passed = {"outcome": "PASSED_ON", "passedOnTo": [f"bank of {self.mark}"], "reason": words}
        await self.act(office, "acknowledgeRecall", id=ids[0], **passed)
        await self.act(office, "acknowledgeRecalls", ids=ids[1:], outcome="REFUSED", reason=words)
        for _ in range(2):
            await telling.later(HOUR)
        office, (one, two) = self.both.who("labour-office", "recalls"), self.overseers
        assert len((await self.act(office, "recalls")).value["items"]) == 2
        id_ = (await self.act(one, "suspensions")).value["items"][0]["id"]
        await self.act(one, "endSuspension", id=id_, reason=words)
        await self.act(two, "confirm", id=id_)
        await self.act(office, "acknowledgeRecalls", ids=ids[1:], outcome="APPLIED", reason=words)
        await self.act(office, "attestDeletion", until=self.world.today().isoformat())

    @property
    def overseers(self) -> tuple[Requester, Requester]:
        one, two = (self.both.who("oversight", "oversight", official=name) for name in ("o.one", "o.two"))
        return one, two

    async def overseen(self, subject: Subject) -> None:
        """A finding about an inquiry is opened and decided; its reason speaks of whoever asked, and stays."""
        person, id_ = self.both.subject(subject, f"p-{self.mark}"), f"out-of-hours-{self.mark[1:5]}"
        assert (await self.replica.ask(person, "{ me { datasets { available } } }", {})).code == "OK"
        noticed(self.replica.store, id_)
        overseer = self.both.who("oversight", "oversight", official="o.one", auth_time=self.world.now.timestamp())
        assert (await self.act(overseer, "findings")).value["items"]
        await self.act(overseer, "openFinding", id=id_, reason="It was late.")
        await self.act(overseer, "endReview", id=id_, verdict="PROPER", reason="It was proper.")

    async def at_a_counter(self, subject: Subject) -> None:
        clerk = self.both.steward("labour", "c.lerk", "counter")
        behalf = {"subject": named(subject), "proof": f"identity card {self.mark}"}
        over = await self.act(clerk, "fileObjection", **self.filed(3), onBehalf=behalf)
        await self.act(clerk, "withdrawMatter", id=over.value["id"], onBehalf=behalf)
        for wanted in (True, False):
            await self.act(clerk, "setOptOut", dataset="volunteering", optedOut=wanted, onBehalf=behalf)

    async def everything_over(self, subject: Subject, mark: str) -> None:
        """All of it, and nothing that is left open or in force."""
        self.mark = mark
        self.until = (self.world.today() + datetime.timedelta(days=30)).isoformat()
        held = values(self.world.catalogue.datasets[DATASET])
        self.world.held[subject, DATASET] = [Held(f"R-{mark}-0", held, f"V-{mark}")]
        await self.consents(subject, self.both.subject(subject, f"p-{mark}"))
        await self.recalls()
        await self.matters(subject, self.both.subject(subject, f"p-{mark}"))
        await self.at_a_counter(subject)
        await self.overseen(subject)
        await self.changed(subject, 4, "WITHDRAWN")
        await self.changed(subject, 4, "REINSTATED")
        await self.sent(subject)
        await self.changed(subject, 8, "REINSTATED")
        for query in ("{ me { datasets { available } } }", "{ me { matters { reason } accessHistory { note } } }"):
            assert (await self.replica.ask(self.both.subject(subject, f"p-{mark}"), query, {})).code == "OK"
        await self.act(self.stewards[0], "matters", first=100)
        await self.act(self.stewards[0], "changes", first=100)
        for wanted in (True, False):
            await self.act(
                self.both.subject(subject, f"p-{mark}"), "setOptOut", dataset="volunteering", optedOut=wanted
            )


@pytest.fixture
def world() -> Iterator[World]:
    with opened() as made:
        yield made


@pytest.fixture
def doing(world: World, place: Place) -> Iterator[Doing]:
    both = Replicas(world, place)
    world.run(both.__aenter__())
    yield Doing(world, both)
    world.run(both.__aexit__())


def noticed(store: Store, id_: str) -> None:
    """The watch finds something about the newest inquiry of a shard."""
    with contextlib.closing(store.reader()) as reader:
        every = [
            (head, entry, entry.read_told())
            for head in read.heads(reader)
            for entry in read.read_entries(reader, head.id, 0, head.size)
        ]
    head, entry, told = next(each for each in reversed(every) if isinstance(each[2], entries.Inquiry))
    assert isinstance(told, entries.Inquiry)
    who, place = told.requester, (head.id << SHARD_BITS) + entry.index
    one = watch.Found(
        id_, "out-of-hours", "27", entry.index + 1, who.issuer, who.client, None, told.declaration.purpose, "at night",
        (place,),
    )  # fmt: skip
    version, _ = watch.read_cursors(store.engine)
    assert watch.advance(store.engine, version, {head.id: head.size}, [one])


def projected(store: Store) -> None:
    projector = Projector(store)
    try:
        while projector.turn():
            pass
    finally:
        projector.close()


def digests(store: Store, subject: Subject, person: str) -> Mapping[str, str]:
    """What stands in tables for a subject, and for who acted as it, as a dump shows it."""
    with store.engine.connect() as connection:
        keyed = Keyed(counted.current(connection).secret)
        secret = counted.Digests(counted.current(connection).secret)
    whose = ("subject", *subject[1:])
    return {
        "acts of a day": str(keyed.number("bound", "subject-acts", *whose)),
        "acts at a counter": str(keyed.number("bound", "subject-acts", "at a counter", *subject[1:])),
        "objections of a day": str(keyed.number("bound", "objections", *subject[1:], person)),
        "inquiries": str(secret.subject(*subject[1:])),
        "who acted": repr(keyed.of("person", "https://login.example", person))[2:-1],
    }


def test_nothing_is_left_of_who_did_everything(world: World, doing: Doing) -> None:
    one, other, store = new_subject("person"), new_subject("person"), doing.replica.store
    world.run(doing.everything_over(other, "m4712m"))
    world.run(doing.everything_over(one, "m4711m"))
    projected(store)
    schema = doing.replica.schema
    assert schema.mutation_type is not None
    assert doing.done >= set(schema.mutation_type.fields), "what is added to the schema is done here too"
    before, mine = dumped(store), digests(store, one, "p-m4711m")
    found = {name for name, each in mine.items() if each in before}
    assert found >= {"acts of a day", "inquiries", "who acted"}
    assert one.value in before
    assert "m4711m" in before
    world.run(erased(store, one))
    after = dumped(store)
    assert one.value not in after
    assert "m4711m" not in after
    assert {name for name, each in mine.items() if each in after} == set()
    assert "R-m4712m-0" in after
    assert digests(store, other, "p-m4712m")["who acted"] in after
    with store.engine.connect() as connection:
        erased_ones = (matter.c.value.is_(None), matter.c.kind != "suspension")  # which is about nobody
        whose = connection.execute(select(matter.c.id).where(*erased_ones)).scalars().all()
        repeats = connection.execute(select(act.c.repeat).where(act.c.matter.in_(whose))).scalars().all()
    assert len(whose) > 10
    assert set(repeats) == {None}
    world.run(erased(store, other))
    after = dumped(store)
    for said in (other.value, "m4712m", *digests(store, other, "p-m4712m").values()):
        assert said not in after
    verify_store(store, VERIFIERS)


@pytest.mark.parametrize(
    "open_", ["an objection", "an upheld objection", "an application", "an upheld application", "a change"]
)
def test_what_is_open_forbids_it(world: World, doing: Doing, open_: str) -> None:
    subject, store = new_subject("person"), doing.replica.store
    doing.mark = "m4711m"
    mine, run = doing.both.subject(subject, "p-m4711m"), world.run
    if open_ == "a change":
        id_ = run(doing.reported(subject, 0, "WITHDRAWN"))
    else:
        name = "fileObjection" if "objection" in open_ else "applyForRestoration"
        id_ = run(doing.act(mine, name, **doing.filed(0))).value["id"]
    if "upheld" in open_:
        run(doing.decided(id_, "Objection" if "objection" in open_ else "Restoration", "UPHELD"))
    before = dumped(store)
    with pytest.raises(ActRefused, match=f"matter `{id_}` is open"):
        run(erased(store, subject))
    assert [each for each in before.splitlines() if subject.value in each and each not in dumped(store)] == []
    match open_:
        case "an objection":
            run(doing.act(mine, "withdrawMatter", id=id_))
        case "an upheld objection":
            run(doing.changed(subject, 0, "CORRECTED"))
        case "an application":
            run(doing.decided(id_, "Restoration", "REFUSED"))
        case "an upheld application" | "a change":
            run(doing.act(doing.stewards[1], "confirm", id=id_))
    run(approved(store, requests(store.engine)[0].id))
    in_force = {"fact"} if open_ in ("an upheld application", "a change") else set[str]()
    assert {each.partition(":")[0] for each in dumped(store).splitlines() if subject.value in each} == in_force
