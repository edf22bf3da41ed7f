"""One inquiry, opened: oversight sees all of it after that was entered; whoever asked sees what its answer told it."""

from __future__ import annotations

import contextlib
import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from connectors.base import Subject
from gateway.acts.office import Office
from gateway.acts.oversight.inquiries import Inquiries
from gateway.acts.oversight.then import Then
from gateway.acts.plain import Asked
from gateway.errors import LedgerUnavailable, Refusal
from gateway.inquiry.beside.explained import Found
from gateway.inquiry.types import Requester
from gateway.ledger.acting.writer import Writer
from gateway.ledger.entry import entries
from gateway.ledger.entry.receipt import unverified
from gateway.ledger.proof.note import Signer, note_body
from gateway.ledger.stored import read
from gateway.storage.subjects import facts
from gateway.storage.tables import SHARD_BITS
from gateway.storage.watch import findings as kept
from tests import world as worlds
from tests.outside import Case, Held
from tests.world import Ask, World, new_subject

TENDER = """query($id: IdentifierInput!) @inquiry(purpose: TENDER_QUALIFICATION, case: "MR-1") {
  organisation(id: $id) { name wageArrears { period amount } taxArrears { amount } } }"""
WHY = "Complaint 7 of 2026."


class Room:
    """A world, and who opens its inquiries."""

    def __init__(self, folder: Path) -> None:
        self.world = world = World(folder)
        writer = Writer(world.ledger, world.clock, world.rules.calendar.zone)
        self.office = Office(writer, world.store, lambda: world.rules, world.clock)
        self.then = Then(world.store, lambda: world.rules, lambda *_: world.rules, None)  # type: ignore[arg-type]
        self.inquiries = Inquiries(self.office, self.then)
        self.overseer = world.requester("oversight", official="o.sight", scopes=("oversight",))
        self.asker = world.requester("market-regulator", official="m.ivanova", scopes=("inquire", "receipts"))

    def asked(self, query: str = TENDER, *, records: int = 2, withdrawn: bool = False) -> tuple[Subject, Any]:
        """An inquiry about a subject of its own, with records of unpaid wages."""
        world, subject = self.world, new_subject("organisation")
        dataset = world.catalogue.datasets["wage-arrears"]
        made = [Held(f"W-{number}", worlds.values(dataset)) for number in range(records)]
        world.held[subject, dataset.id] = made
        known = world.registries.known.get("MR-1")
        named = frozenset([subject]) | (known.subjects if known else frozenset())
        world.registries.known["MR-1"] = Case("market", named, frozenset(["m.ivanova"]))
        if withdrawn:
            for each in made:
                facts.withdraw(world.store.engine, subject, dataset.id, each.id, world.now)
        reply = world.ask(Ask(self.asker, query, {"id": {"scheme": subject.scheme, "value": subject.value}}))
        return subject, reply

    def open(self, who: Requester | None = None, /, **given: str) -> Any:
        return self._done(self.inquiries.open, who or self.overseer, {"reason": WHY, **given})

    def read(self, receipt: str, who: Requester | None = None) -> Any:
        return self._done(self.inquiries.read, who or self.asker, {"receipt": receipt})

    def _done(self, do: Any, who: Requester, given: dict[str, str]) -> Any:
        return self.world.run(do(Asked(who, json.dumps(given).encode(), {})))

    def today(self) -> str:
        return self.world.today().isoformat()


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    made = Room(tmp_path)
    yield made
    made.world.close()


def refused(call: Any, *arguments: Any, **given: Any) -> str:
    with pytest.raises(Refusal) as raised:
        call(*arguments, **given)
    return str(raised.value.extensions.get("reason", raised.value.code))


def test_oversight_sees_all_of_it_after_that_was_entered(room: Room) -> None:
    subject, reply = room.asked(withdrawn=True)
    done = room.open(inquiry=reply.inquiry["id"], day=room.today())
    told, act = done.value, msgspec.json.decode(done.act)
    assert (told["id"], told["purpose"], told["case"]) == (reply.inquiry["id"], "TENDER_QUALIFICATION", "MR-1")
    assert told["agreed"]["by"]
    (about,) = told["subjects"]
    assert (about["scheme"], about["value"]) == (subject.scheme, subject.value)
    fields = {f"{each['dataset']}.{each['field']}": each for each in about["fields"]}
    denied = fields["wage-arrears.amount"]
    (said,) = [each["extensions"] for each in reply.denials]
    assert (denied["permitted"], denied["reason"], denied["rules"][0]["id"]) == (False, said["reason"], said["rule"])
    assert (denied["articles"], denied["advice"]) == (said["articles"], said["advice"])
    assert denied["rules"][0]["words"].startswith("forbids where")
    assert denied["takes"]
    assert fields["wage-arrears.period"]["permitted"]
    assert fields["wage-arrears.period"]["rules"][0]["words"].startswith("permits")
    sealed = told["sealed"]
    assert sealed["official"] == "m.ivanova"
    assert [each["record"].partition("@")[0] for each in sealed["withheld"]] == ["wage-arrears/W-0", "wage-arrears/W-1"]
    assert {(each["restraint"], each["article"]) for each in sealed["withheld"]} == {("withdrawn", "47(2)")}
    view = room.world.entries()[-1].told
    assert isinstance(view, entries.View)
    assert (view.by, view.reason, view.looked.value) == ("o.sight", WHY, subject.value)
    assert unverified(act["receipt"]).told.id == act["id"] == view.id


def test_it_is_found_by_its_day_its_finding_or_its_receipt_and_by_nothing_else(room: Room) -> None:
    _, reply = room.asked()
    id_, receipt = reply.inquiry["id"], reply.inquiry["receipt"]
    place = [(each.shard << SHARD_BITS) + each.index for each in _stored(room, id_)]
    told = room.open(receipt=receipt).value
    who = told["requester"]
    found = kept.Found(
        "many-1", "many-officials", "28(1)", 1, who["issuer"], who["client"], None, told["purpose"], "w", tuple(place)
    )
    version, _ = kept.read_cursors(room.world.store.engine)
    assert kept.advance(room.world.store.engine, version, {}, [found])
    opened = room.open(inquiry=id_, finding="many-1").value
    assert opened["sealed"]["findings"] == [{"id": "many-1", "verdict": None}]
    assert room.open(receipt=json.dumps(reply.said)).value["id"] == id_
    yesterday = (room.world.today() - datetime.timedelta(days=1)).isoformat()
    for given in (
        {"inquiry": id_, "day": yesterday}, {"inquiry": "0" * 32, "day": room.today()},
        {"inquiry": id_, "finding": "none"},
    ):  # fmt: skip
        assert refused(room.open, **given) == "MATTER_NOT_FOUND", given
    nul = {"inquiry": id_, "finding": "many-1\0"}  # PostgreSQL cannot be asked about it
    for given in ({}, {"inquiry": id_}, {"inquiry": id_, "day": "soon"}, {"receipt": "nonsense"}, nul):
        assert refused(room.open, **given) == "ARGUMENT", given
    assert refused(room.open, inquiry=id_, day=room.today(), reason="") == "ARGUMENT"


def test_it_is_for_oversight_and_for_whoever_asked(room: Room) -> None:
    _, reply = room.asked()
    id_, receipt = reply.inquiry["id"], reply.inquiry["receipt"]
    world = room.world
    for who in (room.asker, world.requester("oversight", scopes=("oversight",))):
        assert refused(room.open, who, inquiry=id_, day=room.today()) == "FORBIDDEN"
    for client, scope in (("market-regulator", "inquire"), ("oversight", "oversight")):
        assert refused(room.read, receipt, world.requester(client, official="x", scopes=(scope,))) == "FORBIDDEN"
    other = world.requester("environment-agency", official="e.lind", scopes=("receipts",))
    assert refused(room.read, receipt, other) == "MATTER_NOT_FOUND"
    world.entries()
    assert room.read(receipt).value["id"] == id_
    (view,) = [each.told for each in world.entries()]
    assert isinstance(view, entries.View)
    assert (view.by, view.looked.value) == ("m.ivanova", None)


def test_a_receipt_of_another_ledger_or_that_was_altered_opens_nothing(room: Room, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    elsewhere = Room(tmp_path / "other")
    try:
        _, reply = elsewhere.asked()
    finally:
        elsewhere.world.close()
    room.asked()
    foreign = reply.inquiry["receipt"]
    assert refused(room.read, foreign) == "MATTER_NOT_FOUND"
    assert refused(room.open, receipt=foreign) == "MATTER_NOT_FOUND"
    assert refused(room.read, foreign.replace("index ", "index 9")) == "ARGUMENT"


@pytest.mark.parametrize("cut", [1, 2, 20, 60, 90, 200])
def test_a_receipt_whose_end_is_missing_opens_nothing(room: Room, cut: int) -> None:
    """Its last line is the log's signature: what is before it anybody could have written."""
    _, reply = room.asked()
    short = reply.inquiry["receipt"][:-cut]
    for text in (short, f"{short}\n"):
        if text != reply.inquiry["receipt"]:
            assert refused(room.read, text) == "ARGUMENT"
            assert refused(room.open, receipt=text) == "ARGUMENT"


def test_a_receipt_that_another_key_signed_opens_nothing(room: Room) -> None:
    _, reply = room.asked()
    text = reply.inquiry["receipt"]
    origin = unverified(text).origin
    head, _, note = text.partition("\n\n")
    forged = Signer(origin, Ed25519PrivateKey.generate()).sign(note_body(note))
    with pytest.raises(Refusal, match="no key that you trust signed it"):
        room.read(f"{head}\n\n{forged}")


def test_what_is_sealed_leaves_no_trace_on_the_requesters_side(room: Room) -> None:
    """Withheld records are told as none: the same members, the same lengths, of the same fields."""
    shown = []
    for given in ({"records": 0}, {"records": 2, "withdrawn": True}):
        _, reply = room.asked(**given)
        told = room.read(reply.inquiry["receipt"]).value
        assert "sealed" not in told
        assert not any(each["takes"] for about in told["subjects"] for each in about["fields"])
        for about in told["subjects"]:
            about["value"] = ""
        shown.append({**told, "id": "", "receipt": ""})
    assert shown[0] == shown[1]


def test_a_refusal_tells_its_requester_no_field(room: Room) -> None:
    _, reply = room.asked(TENDER.replace("MR-1", "MR-9"))
    assert reply.codes == ["CASE_NOT_VERIFIED"]
    told = room.read(reply.inquiry["receipt"]).value
    assert told["refused"]["code"] == "CASE_NOT_VERIFIED"
    assert [each["fields"] for each in told["subjects"]] == [[]]


@pytest.mark.parametrize("days", [30, -1])
def test_that_it_was_opened_is_as_secret_as_the_inquiry_and_as_long(room: Room, days: int) -> None:
    _, reply = room.asked()
    (stored,) = _stored(room, reply.inquiry["id"])
    until = room.world.now + datetime.timedelta(days=days)
    side = msgspec.structs.replace(stored.read_oversight(), secret_until=until)
    room.world.run(room.inquiries._enter(room.overseer, Found(stored.read_told(), side), WHY))
    view = room.world.entries()[-1]
    assert isinstance(view.told, entries.View)
    assert view.oversight.secret_until == (until if days > 0 else None)


def test_nothing_is_opened_that_cannot_be_entered(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    _, reply = room.asked()

    async def down(*_: Any, **__: Any) -> Any:
        raise LedgerUnavailable("the disk is full")

    monkeypatch.setattr(room.office.writer.ledger, "append", down)
    assert refused(room.open, inquiry=reply.inquiry["id"], day=room.today()) == "LEDGER_UNAVAILABLE"
    assert refused(room.read, reply.inquiry["receipt"]) == "LEDGER_UNAVAILABLE"


def test_it_says_so_where_the_rule_set_of_then_is_not_kept(room: Room) -> None:
    _, reply = room.asked()
    (stored,) = _stored(room, reply.inquiry["id"])
    assert stored.told is not None
    room.inquiries = Inquiries(room.office, _Nothing(room))  # type: ignore[arg-type]
    told = room.read(reply.inquiry["receipt"]).value
    assert not told["kept"]
    denied = [each for about in told["subjects"] for each in about["fields"] if not each["permitted"]]
    assert denied[0]["rules"][0]["id"] == "outside-purpose"


class _Nothing:
    def __init__(self, room: Room) -> None:
        self.room = room

    def of(self, _digest: str) -> None:
        return None


def _stored(room: Room, id_: str) -> list[Any]:

    with contextlib.closing(room.world.store.reader()) as reader:
        return [
            each
            for head in read.heads(reader)
            for each in read.read_entries(reader, head.id, 0, head.size)
            if each.told is not None and each.read_told().id == id_
        ]
