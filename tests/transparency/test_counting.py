"""The counts of the transparency report: once each, months closed for good, and what is secret after its end."""

from __future__ import annotations

import datetime
import zoneinfo
from collections.abc import Iterator

import pytest
from sqlalchemy import insert

from gateway.ledger.entry import entries
from gateway.ledger.entry.parts import split
from gateway.storage.projections import transparency as kept
from gateway.storage.recall.recalls import recall
from gateway.storage.tables import micros
from gateway.transparency import counted
from gateway.transparency.counting import Counting
from tests import world as worlds
from tests.outside import NOON
from tests.world import Ask, World, new_subject

QUERY = """query ($id: IdentifierInput!) @inquiry(purpose: LICENCE_RENEWAL) {
  organisation(id: $id) { name businessLicences { number } taxArrears { amount } } }"""
MONTH = f"{NOON:%Y-%m}"


@pytest.fixture
def world() -> Iterator[World]:
    with worlds.opened() as opened:
        yield opened


def counting(world: World, at_once: int = 3) -> Counting:
    return Counting(world.store, world.serving.zone, world.clock, {"business-licences": "market"}.get, at_once)  # type: ignore[arg-type]


def ask(world: World) -> None:
    subject = new_subject()
    variables = {"id": {"scheme": subject.scheme, "value": subject.value}}
    world.ask(Ask(world.requester("market-regulator"), QUERY, variables))


def act(world: World, what: str, secret_until: datetime.datetime | None = None, **members: object) -> None:
    told = entries.Acted(
        entries.VERSION, f"{world.now.timestamp()}{what}", world.now, entries.OWN, what, scheme="LEI",
        value="529900T8BM49AURSDO55", **members,  # type: ignore[arg-type]
    )  # fmt: skip
    parts = split(told, entries.Oversight(entries.VERSION, secret_until=secret_until))
    world.run(world.ledger.append(parts.told, parts.oversight, world.now, ("o", "o"), (), parts.subjects))


def all_done(counts: Counting) -> None:
    while counts.work():
        pass


def told(world: World, month: str = MONTH) -> dict[tuple[str, ...], int]:
    return {key[1:]: value[0] for key, value in kept.counts(world.store.engine, month).items()}


def test_inquiries_are_counted_once_by_department_and_purpose_with_what_was_denied(world: World) -> None:
    for _ in range(4):
        ask(world)
    all_done(counting(world))
    all_done(counting(world))
    assert told(world) == {
        ("market", "LICENCE_RENEWAL", "answered", ""): 4,
        ("market", "LICENCE_RENEWAL", "denied", "PURPOSE_NOT_PERMITTED"): 4,
    }


def test_a_turn_takes_of_all_shards_and_says_whether_more_waits_than_one_takes(world: World) -> None:
    for _ in range(5):
        ask(world)
    counts = counting(world, at_once=3)
    assert [counts.work(), counts.work(), counts.work()] == [True, False, False]
    assert told(world)["market", "LICENCE_RENEWAL", "answered", ""] == 5


def test_months_are_those_of_the_zone_in_whatever_order_they_come() -> None:
    zone = zoneinfo.ZoneInfo("Europe/Sofia")
    last = datetime.datetime(2026, 11, 30, 21, 59, 59, 999_999, tzinfo=datetime.UTC)
    instant = datetime.timedelta(microseconds=1)
    moments = [last, last + instant, last, last - datetime.timedelta(days=40), last + datetime.timedelta(days=40)]
    months = counted.Months(zone)
    assert [months.of(at) for at in moments] == ["2026-11", "2026-12", "2026-11", "2026-10", "2027-01"]
    assert [months.of(at.astimezone(zone)) for at in moments] == [counted.month(at, zone) for at in moments]


def test_a_refusal_counts_by_its_code(world: World) -> None:
    world.ask(Ask(world.requester("market-regulator"), QUERY.replace("LICENCE_RENEWAL", "TENDER_QUALIFICATION"), {
        "id": {"scheme": "LEI", "value": new_subject().value}}))  # fmt: skip
    all_done(counting(world))
    assert list(told(world)) == [("market", "TENDER_QUALIFICATION", "refused", "INQUIRY_REQUIRED")]


def test_objections_are_of_the_department_whose_record_it_is(world: World) -> None:
    act(world, "objection-filed", dataset="business-licences")
    act(world, "objection-overdue", to=entries.Who("", "", "market"))
    all_done(counting(world))
    assert told(world) == {("market", "", "objected", ""): 1, ("market", "", "objection-late", ""): 1}


def test_a_month_is_closed_an_hour_after_its_end_and_changes_no_more(world: World) -> None:
    ask(world)
    all_done(counting(world))
    assert kept.months(world.store.engine) == []
    world.now = NOON + datetime.timedelta(days=31)
    all_done(counting(world))
    (closed,) = kept.months(world.store.engine)
    assert closed.month == MONTH
    assert world.ledger.shard in closed.checkpoints
    before = told(world)
    world.now = NOON  # of a clock that is behind
    ask(world)
    world.now = NOON + datetime.timedelta(days=31)
    all_done(counting(world))
    assert told(world) == before
    following = f"{NOON + datetime.timedelta(days=31):%Y-%m}"
    assert told(world, following)["market", "LICENCE_RENEWAL", "answered", ""] == 1


def test_what_is_secret_counts_in_the_month_in_which_that_ends(world: World) -> None:
    ends = NOON + datetime.timedelta(days=70)
    who = entries.Who("login", "market-regulator", "market")
    refused = entries.Refused(
        entries.VERSION, "1", world.now, who, "digest", "CASE_NOT_VERIFIED", "closed",
        declaration=entries.Declared("COURT_ENFORCEMENT"),
    )  # fmt: skip
    parts = split(refused, entries.Oversight(entries.VERSION, secret_until=ends))
    world.run(world.ledger.append(parts.told, parts.oversight, world.now, ("o", "o"), (), parts.subjects))
    all_done(counting(world))
    assert told(world) == {}
    assert told(world, f"{ends:%Y-%m}") == {("market", "COURT_ENFORCEMENT", "refused", "CASE_NOT_VERIFIED"): 1}
    assert kept.counts(world.store.engine, f"{ends:%Y-%m}", whole=False) == {}  # of a month that still runs


def test_what_is_recalled_of_it_counts_with_it(world: World) -> None:
    ends, to = NOON + datetime.timedelta(days=70), entries.Who("", "", "market")
    row = {
        "id": "r", "sequence": 1, "job": "j", "issuer": "i", "client": "c", "place": 1, "inquiry": "i",
        "purpose": "COURT_ENFORCEMENT", "dataset": "business-licences", "action": "delete",
        "at": micros(world.now) - 5_000_000, "due": 1, "state": "open", "filed_in": 1,
    }  # fmt: skip
    with world.store.engine.begin() as connection:
        connection.execute(insert(recall).values(**row))
    for until in (ends, None):
        act(world, "recalled", until, to=to, purpose="COURT_ENFORCEMENT", recall="r")
        act(world, "acknowledged", until, to=to, outcome="applied", recall="r")
    counts = {("market", "COURT_ENFORCEMENT", what, ""): 1 for what in ("recalled", "recall-answered")}
    all_done(counting(world))
    assert told(world) == counts
    assert told(world, f"{ends:%Y-%m}") == counts
    took = kept.counts(world.store.engine, f"{ends:%Y-%m}")
    assert {key[3]: value[1] for key, value in took.items()} == {"recalled": 0, "recall-answered": 5}
    assert kept.counts(world.store.engine, f"{ends:%Y-%m}", whole=False) == {}


def test_what_was_answered_after_its_secrecy_counts_when_it_was(world: World) -> None:
    act(world, "recalled", world.now, to=entries.Who("", "", "market"), purpose="COURT_ENFORCEMENT", recall="r")
    all_done(counting(world))
    assert kept.counts(world.store.engine, MONTH, whole=False) != {}
