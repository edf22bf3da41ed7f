"""Inquiries among all acts, through two gateways on one store, either of which may die in the middle of a commit.

An inquiry sees the facts that were committed before it came, and none that were not; its entry names the consents that
it rested on. Each act has one entry, and each entry its act, whatever dies and however often it is asked again. What
takes away never releases more. What the facts were is told from the entries alone. Faults that are planted are found.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from gateway.acts import consents
from gateway.acts.called import Acted, Called
from gateway.inquiry import answer, restrain
from gateway.inquiry.facts import FactsReader
from gateway.inquiry.types import Requester
from gateway.ledger.acting.writer import Writer
from gateway.storage.subjects import facts
from gateway.storage.subjects.acts import matter
from tests.acts.whole.histories import HISTORIES, History, Step
from tests.acts.whole.judging import judged
from tests.acts.whole.replicas import Replicas
from tests.properties.checking import holds, is_found
from tests.storage.conftest import Place
from tests.world import World, opened

Plant = Callable[[pytest.MonkeyPatch], None]


@pytest.fixture
def world() -> Iterator[World]:
    with opened() as made:
        yield made


@pytest.fixture
def empty(world: World, place: Place) -> Place:
    """An empty store: of SQLite where the world's is, which is in memory where it can be."""
    if place.kind != "sqlite":
        return place
    return Place(f"sqlite:///{world.path}")


def play(world: World, place: Place, steps: list[Step]) -> None:
    """Play the steps from an empty store on, and judge them."""
    copy = place.copy()
    world.held.clear()

    async def played() -> None:
        async with Replicas(world, copy) as both:
            history = History(world, both)
            for step in steps:
                await history.play(step)
            judged(history, both.each[0].store)

    try:
        world.run(played())
    finally:
        copy.close()


def test_inquiries_see_what_was_committed_and_each_act_has_its_entry(world: World, empty: Place) -> None:
    holds(lambda steps: play(world, empty, steps), HISTORIES, examples=6 if empty.kind == "sqlite" else 3)


def _facts_of_before_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    right, kept = FactsReader.read, dict[Any, Any]()

    async def read(self: FactsReader, subjects: Any, now: Any) -> Any:
        found = await right(self, subjects, now)
        last, kept[subjects] = kept.get(subjects, found), found
        return last

    monkeypatch.setattr(FactsReader, "read", read)


def _an_act_without_its_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    async def opt_out(self: consents.Consents, requester: Requester, called: Called) -> Acted:
        office, given = self._office, called.arguments
        party = office.party(requester, given)
        facts.set_opt_out(office.store.engine, party.subject, given["dataset"], given["optedOut"], office.now())
        told = {"id": secrets.token_hex(16), "at": office.now(), "receipt": ""}
        return Acted({"dataset": given["dataset"], "optedOut": given["optedOut"]}, msgspec.json.encode(told))

    monkeypatch.setattr(consents.Consents, "opt_out", opt_out)


def _an_entry_without_its_act(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Writer._one

    def one(self: Writer, *given: Any) -> Any:
        return [each._replace(changes=each.changes[:-1]) for each in right(self, *given)]

    monkeypatch.setattr(Writer, "_one", one)


def _a_revocation_leaves_the_fact(monkeypatch: pytest.MonkeyPatch) -> None:
    right = facts.ending

    def ending(id_: str, kind: str, *given: Any, **more: Any) -> Any:
        return matter.update().where(matter.c.id == "") if kind == "consent" else right(id_, kind, *given, **more)

    monkeypatch.setattr(facts, "ending", ending)


def _the_entry_names_no_consent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer, "relied_on", lambda *_: ())


def _what_died_is_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    right = consents.Consents.revoke

    async def revoke(self: consents.Consents, requester: Requester, called: Called) -> Any:
        forgotten = {name: each for name, each in called.arguments.items() if name != "reference"}
        return await right(self, requester, called._replace(arguments=forgotten))

    monkeypatch.setattr(consents.Consents, "revoke", revoke)


def _restraining(monkeypatch: pytest.MonkeyPatch, name: str, also: Callable[[restrain.Release], bool]) -> None:
    changed = tuple(
        msgspec.structs.replace(
            each, withholds=lambda release, right=each.withholds: () if also(release) else right(release)
        )
        if each.name == name
        else each
        for each in restrain.RESTRAINTS
    )
    monkeypatch.setattr(restrain.restrain, "__defaults__", (changed,))


def _an_opt_out_restrains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    _restraining(monkeypatch, "opted-out", lambda _: True)


def _an_objection_shows_what_was_withdrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    _restraining(monkeypatch, "withdrawn", lambda release: bool(release.facts.disputed))


PLANTS = (
    _facts_of_before_it_came, _an_act_without_its_entry, _an_entry_without_its_act, _a_revocation_leaves_the_fact,
    _the_entry_names_no_consent, _what_died_is_done_again, _an_opt_out_restrains_nothing,
    _an_objection_shows_what_was_withdrawn,
)  # fmt: skip


@pytest.mark.long_cases("what_died_is_done_again", "an_objection_shows_what_was_withdrawn")
@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__.strip("_"))
def test_a_planted_fault_is_found(world: World, plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    is_found(lambda steps: play(world, Place(f"sqlite:///{world.path}"), steps), HISTORIES, examples=60)
