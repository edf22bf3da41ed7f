"""A version that changed without a report is found once, and recalled from whoever has an older one."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from collections.abc import Sequence
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from connectors.base import Subject
from gateway.ledger.entry.entries import Acted
from gateway.ledger.projections import visible
from gateway.ledger.projections.extract import Share
from gateway.ledger.projections.projector import Projector
from gateway.ledger.projections.several import Received
from gateway.ledger.verify.store import verify_store
from gateway.recall.selecting import select, unreported
from gateway.recall.selecting.unreported import FOUND, GRACE, Unreported
from gateway.recall.selecting.versions import Newest, firsts, newest, older
from gateway.storage.tables import micros, subject_key
from tests.acts.desk import organisation
from tests.acts.test_changes import corrected, stewards, system
from tests.ledger.support import VERIFIERS
from tests.recall.room import Room, named

COURT = {"client": "civil-court", "purpose": "COURT_ENFORCEMENT"}
SECOND = datetime.timedelta(seconds=1)


async def answer(room: Room, *given: object, **more: object) -> str:
    """An answer a second after the one before it."""
    room.desk.now += SECOND
    return await room.answer(*given, **more)  # type: ignore[arg-type]


async def look(room: Room, turn: Unreported | None = None, after: datetime.timedelta = GRACE) -> None:
    """Look at all that there is, some time later; by a process that has just started, where none is given."""
    room.desk.now += after
    await asyncio.to_thread(room.project)
    one = turn or Unreported(room.desk.office)
    while await one.turn():
        """There is more."""


def found(room: Room) -> list[tuple[str, str, str]]:
    """The records that were found, with both versions."""
    return [(each.record, each.version, each.new_version) for each in room.desk.acts() if each.what == FOUND]


async def test_who_has_an_older_version_is_told_and_nobody_else(room: Room) -> None:
    who, other = organisation(), organisation()
    first = await answer(room, who, "N-1@1", "N-2@1")
    court = await answer(room, who, "N-1@1", **COURT)
    await answer(room, other, "N-1@1")
    await answer(room, who, "N-1@1", dataset="permits")
    await answer(room, who, "N-1@2", client="environment-agency")
    await look(room)
    assert found(room) == [("N-1", "1", "2")]
    (told,) = [each for each in room.desk.acts() if each.what == FOUND]
    assert (told.scheme, told.value, told.dataset) == (who.scheme, who.value, "tax-arrears")
    (job,) = room.jobs()
    assert (job.cause, job.version, job.new_version, job.change, job.id) == ("unreported", None, "2", None, told.id)
    assert sorted(named(await room.select())) == sorted(
        [(first, "market-regulator", "update", ["N-1@1"]), (court, "civil-court", "update", ["N-1@1"])]
    )
    verify_store(room.store, VERIFIERS)


async def test_once_for_a_version_also_after_a_restart(room: Room) -> None:
    who, turn = organisation(), Unreported(room.desk.office)
    await answer(room, who, "N-1@1")
    await look(room, turn)
    assert found(room) == []
    await answer(room, who, "N-1@2")
    await look(room, turn)
    await answer(room, who, "N-1@2", **COURT)
    await look(room, turn)
    await look(room)
    both = Unreported(room.desk.office), Unreported(room.desk.office)
    await answer(room, who, "N-1@3", **COURT)
    room.desk.now += GRACE
    await asyncio.to_thread(room.project)
    await asyncio.gather(*(each.turn() for each in both))
    assert found(room) == [("N-1", "1", "2"), ("N-1", "2", "3")]
    assert len(room.jobs()) == 2


async def test_what_was_reported_is_none(room: Room) -> None:
    desk, who = room.desk, organisation()
    await answer(room, who, "N-1@1")
    await answer(room, who, "N-1@2")  # its source was ahead of the report
    await look(room, after=GRACE - SECOND)
    assert found(room) == [], "its report may come yet"
    await desk.ask(system(desk), "reportChange", **corrected(who))
    await look(room)
    await answer(room, who, "N-1@2", **COURT)
    await look(room)
    assert found(room) == []


async def test_a_source_that_lags_is_none(room: Room) -> None:
    desk, who = room.desk, organisation()
    await desk.ask(system(desk), "reportChange", **corrected(who))
    await answer(room, who, "N-1@2")
    await answer(room, who, "N-1@1", **COURT)  # nobody had it before
    await look(room)
    await answer(room, who, "N-1@2", **COURT)
    await answer(room, who, "N-1@1")
    await look(room)
    assert found(room) == []


async def test_a_report_that_nobody_confirmed_is_no_report(room: Room) -> None:
    desk, who = room.desk, organisation()
    await answer(room, who, "N-1@1")
    await desk.ask(stewards(desk)[0], "reportChange", **corrected(who))
    await answer(room, who, "N-1@2")
    await look(room)
    assert found(room) == [("N-1", "1", "2")]


async def test_what_comes_later_is_recalled_where_it_is_old_and_not_where_it_is_newer(room: Room) -> None:
    who = organisation()
    first = await answer(room, who, "N-1@1")
    await answer(room, who, "N-1@2")
    await look(room)
    assert [each[0] for each in named(await room.select())] == [first]
    lagging = await answer(room, who, "N-1@1", **COURT)
    newer = await answer(room, who, "N-1@3", **COURT)
    assert {each[0] for each in named(await room.select())} == {first, lagging}
    await look(room)
    told = {each[0] for each in named(await room.select())}
    assert len(told) == 3
    assert newer not in told


async def test_nothing_is_found_before_all_shards_are_projected(room: Room) -> None:
    who, turn = organisation(), Unreported(room.desk.office)
    await answer(room, who, "N-1@1")
    await answer(room, who, "N-1@2")
    room.desk.now += GRACE
    assert not await turn.turn()
    assert found(room) == []
    await look(room, turn)
    assert found(room) == [("N-1", "1", "2")]


async def test_projections_that_are_always_a_little_behind_are_enough(room: Room) -> None:
    who, turn = organisation(), Unreported(room.desk.office)
    await answer(room, who, "N-1@1")
    await answer(room, who, "N-1@2")
    room.desk.now += GRACE
    assert not await turn.turn()
    await answer(room, organisation(), "N-1@1")
    projector = Projector(room.store, 1)
    await asyncio.to_thread(lambda: [projector.turn() for _ in range(2)])
    assert projector.behind == 1
    projector.close()
    assert await turn.turn()
    assert found(room) == [("N-1", "1", "2")]


async def test_many_are_looked_at_in_slices(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unreported, "SLICE", 2)
    several = [organisation() for _ in range(5)]
    for version in ("1", "2"):
        for who in several:
            await answer(room, who, f"N-1@{version}", "N-2@1")
    await look(room)
    assert found(room) == [("N-1", "1", "2")] * 5


async def test_a_subject_that_was_erased_meanwhile_is_not_named_again(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = organisation()
    await answer(room, who, "N-1@1")
    await answer(room, who, "N-1@2")
    turn = Unreported(room.desk.office)
    right = Unreported._planned

    def erased_first(self: Unreported, *given: object) -> object:
        with room.store.engine.begin() as connection:
            connection.execute(update(subject_key).values(scheme=None, value=None, secret=None))
        return right(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(Unreported, "_planned", erased_first)
    await look(room, turn)
    assert room.jobs() == []


def shown(room: Room, who: Subject) -> list[str]:
    """The clients whose looks and recalls the subject is shown now."""
    with contextlib.closing(room.store.reader()) as reader:
        page = visible.shown_to(reader, who.scheme, who.value, micros(room.desk.now))
    return [told.to.client if isinstance(told := each.told, Acted) else told.requester.client for each in page.looks]


async def test_what_only_secret_looks_show_is_found_and_recalled_in_secret(room: Room) -> None:
    who, other = organisation(), organisation()
    ends = room.desk.now + datetime.timedelta(days=2)
    for each in (who, other):
        await answer(room, each, "N-1@1")
        await answer(room, each, "N-1@2", **COURT, secret_until=ends)
        await answer(room, each, "N-1@2", **COURT, secret_until=ends + SECOND)
    await answer(room, other, "N-1@2", client="environment-agency")  # so that it could be known from this one too
    await look(room)
    assert found(room) == [("N-1", "1", "2")] * 2
    assert len(await room.select()) == 2, "who has the older version has the recall at once"
    assert shown(room, other) == ["market-regulator", "environment-agency", "market-regulator"]
    room.desk.now = ends - SECOND / 1_000_000
    assert shown(room, who) == ["market-regulator"]
    room.desk.now = ends
    assert sorted(shown(room, who)) == ["civil-court", "market-regulator", "market-regulator"]


@pytest.mark.parametrize(("where", "what"), [(unreported, "_secret_until"), (select, "secrecy")])
async def test_who_gives_a_secret_look_away_is_found(
    room: Room, monkeypatch: pytest.MonkeyPatch, where: ModuleType, what: str
) -> None:
    monkeypatch.setattr(where, what, lambda *_: {} if what == "secrecy" else None)
    with pytest.raises(AssertionError):
        await test_what_only_secret_looks_show_is_found_and_recalled_in_secret(room)


async def test_who_forgets_what_was_reported_is_found(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unreported, "reported", lambda connection, subjects: set())
    with pytest.raises(AssertionError):
        await test_what_was_reported_is_none(room)


async def test_who_recalls_what_is_newer_is_found(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.recall.selecting.select.older", lambda of, version: frozenset(of) - {version})
    with pytest.raises(AssertionError):
        await test_what_comes_later_is_recalled_where_it_is_old_and_not_where_it_is_newer(room)


def came(*answers: list[str]) -> list[Received]:
    return [Received(at, at, "i", "c", None, [Share("d", (), tuple(each))]) for at, each in enumerate(answers)]


@given(st.lists(st.lists(st.sampled_from(["R@1", "R@2", "R@3", "S@1", "S@2"]), unique=True), max_size=8))
def test_what_was_disclosed_again_changes_no_order(answers: list[list[str]]) -> None:
    apart, read = came(*answers), dict[tuple[str, ...], Sequence[Share]]()
    together = [each._replace(shares=read.setdefault(each.shares[0].records, each.shares)) for each in apart]
    assert len({id(each.shares) for each in together}) == len({tuple(each) for each in answers})
    assert (firsts(together), newest(together)) == (firsts(apart), newest(apart))


def test_the_order_of_versions() -> None:
    assert newest(came(["R@1"], ["R@1", "S@1"])) == []
    assert newest(came(["R@1"], ["R@2"], ["R@1"], ["S@1"])) == [Newest("d", "R", "1", "2", 1)]
    assert newest(came(["R@1"], ["R@2"], ["R@3"])) == [Newest("d", "R", "2", "3", 2)]
    assert newest(came(["R@1", "R@2"])) == [], "nobody can tell which is in force"
    assert newest(came(["a@b@1"], ["a@b@2"])) == [Newest("d", "a@b", "1", "2", 1)]
    of = firsts(came(["R@1"], ["R@2"], ["R@1"], ["R@3"]))["d", "R"]
    assert [sorted(older(of, version)) for version in "1234"] == [[], ["1"], ["1", "2"], []]
