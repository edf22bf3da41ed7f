"""A sample of a department's own records: for its steward alone, and never before the look is entered."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.base import Forwarded
from gateway.acts.office import Office
from gateway.acts.plain import Asked
from gateway.acts.sampling import Samples
from gateway.errors import LedgerUnavailable, Refusal
from gateway.inquiry.types import Requester
from gateway.ledger.acting.writer import Writer
from gateway.ledger.entry import entries
from gateway.ledger.stored import read
from tests import world as worlds
from tests.outside import Held
from tests.world import World, new_subject

DATASET = "tax-awards"


class Room:
    """A world, and a steward of the tax service in it."""

    def __init__(self, folder: Path) -> None:
        self.world = world = World(folder)
        self.writer = Writer(world.ledger, world.clock, world.rules.calendar.zone)
        office = Office(self.writer, world.store, lambda: world.rules, world.clock)
        self.samples = Samples(office, lambda: world.departments, 5.0)
        self.steward = world.requester("tax-stewards", official="t.weber", scopes=("steward",))
        self.subject = new_subject("organisation")
        dataset = world.catalogue.datasets[DATASET]
        world.held[self.subject, DATASET] = [Held(f"A-{number}", worlds.values(dataset)) for number in range(2)]

    def show(self, who: Requester | None = None, **given: str) -> Any:
        asked = {"dataset": DATASET, "scheme": self.subject.scheme, "value": self.subject.value, "reason": "a mapping"}
        body = json.dumps({**asked, **given}).encode()
        return self.world.run(self.samples.show(Asked(who or self.steward, body, {})))

    def views(self) -> list[entries.View]:
        """The views that the ledger has, in order."""
        with contextlib.closing(self.world.store.reader()) as reader:
            told = [
                entry.read_told()
                for head in read.heads(reader)
                for entry in read.read_entries(reader, head.id, 0, head.size)
            ]
        return [each for each in told if isinstance(each, entries.View)]

    def asked(self) -> int:
        """How often departments were asked."""
        return sum(len(each.asked) for each in self.world.departments.values())


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    made = Room(tmp_path)
    with contextlib.closing(made.world):
        yield made


def test_a_steward_is_shown_the_mapped_records_by_an_entry(room: Room) -> None:
    done = room.show()
    assert (done.value["count"], done.value["failure"]) == (2, None)
    first = done.value["records"][0]
    assert first["id"] == "A-0"
    assert set(first["fields"]) == set(room.world.catalogue.datasets[DATASET].fields)
    (view,) = room.views()
    assert (view.by, view.reason, view.parts, view.format) == ("t.weber", "a mapping", (DATASET,), "sample")
    assert (view.looked.scheme, view.looked.value) == (room.subject.scheme, room.subject.value)
    assert json.loads(done.act)["id"] == view.id


def test_the_department_is_sent_the_id_of_the_look_where_it_is_sent_inquiries(room: Room) -> None:
    """Its own log then has the id that the ledger has."""
    tax = room.world.departments["tax"]
    room.show()
    tax.forwards = frozenset({"inquiry", "purpose"})  # type: ignore[attr-defined]
    done = room.show()
    without, having = (each.forwarded for each in tax.asked)
    assert without is None
    assert having == Forwarded(json.loads(done.act)["id"])


def test_nobody_is_asked_before_the_look_is_entered(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*_: object, **__: object) -> None:
        raise LedgerUnavailable("the disk is full")

    monkeypatch.setattr(room.world.ledger, "append", fails)
    with pytest.raises(Refusal) as refused:
        room.show()
    assert (refused.value.code.value, room.asked()) == ("LEDGER_UNAVAILABLE", 0)


@pytest.mark.parametrize(
    ("client", "scopes", "official", "given"),
    [
        ("tax-stewards", ("inquire",), "t.weber", {}),
        ("tax-stewards", ("steward",), None, {}),
        ("labour-stewards", ("steward",), "l.kim", {}),
        ("tax-stewards", ("steward",), "t.weber", {"dataset": "wage-arrears"}),
        ("tax-stewards", ("steward",), "t.weber", {"dataset": "income-statements"}),
        ("tax-stewards", ("steward",), "t.weber", {"dataset": "no-such"}),
        ("tax-stewards", ("steward",), "t.weber", {"value": "12"}),
        ("tax-stewards", ("steward",), "t.weber", {"reason": " "}),
        ("tax-stewards", ("steward",), "t.weber", {"more": "x"}),
    ],
)
def test_who_may_not_and_what_cannot_be_is_refused_and_asks_nobody(
    client: str, scopes: tuple[str, ...], official: str | None, given: dict[str, str], room: Room
) -> None:
    who = room.world.requester(client, official=official, scopes=scopes)
    with pytest.raises(Refusal) as refused:
        room.show(who, **given)
    assert room.subject.value not in str(refused.value)
    assert (room.asked(), room.views()) == (0, [])


@pytest.mark.parametrize("mood", worlds.FAILING)
def test_a_department_that_fails_is_a_code_and_the_look_stands(mood: str, room: Room) -> None:
    room.world.departments["tax"].mood = mood
    done = room.show()
    assert done.value["records"] is None
    assert done.value["failure"].startswith("SOURCE_")
    assert len(room.views()) == 1
