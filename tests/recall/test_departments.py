"""What stewards see of recalls: those of their department's records, and those to its own clients, a page at a time."""

from __future__ import annotations

import contextlib
import datetime
import secrets
from typing import Any

import pytest
from sqlalchemy import insert

from gateway.acts.plain import Asked
from gateway.errors import Refusal
from gateway.ledger.entry import entries
from gateway.ledger.entry.parts import split
from gateway.ledger.stored import read
from gateway.recall.departments import Departments
from gateway.storage.recall.recalls import recall, recall_job
from gateway.storage.tables import SHARD_BITS
from tests.acts.conftest import bare, desk, place, server, store
from tests.acts.desk import ISSUER, Desk, organisation
from tests.acts.test_changes import report, system
from tests.recall.room import Room

__all__ = ["bare", "desk", "place", "server", "store"]

SUBJECT = "5493001KJTIIGC8Y1R12"
DUE = 10**15


def job(desk: Desk, dataset: str = "tax-arrears", cause: str = "withdrawn", selected: int | None = 1) -> str:
    """A change that is recalled."""
    id_ = secrets.token_hex(16)
    row = {"id": id_, "cause": cause, "state": "waits" if selected is None else "selected", "dataset": dataset}
    with desk.store.engine.begin() as connection:
        connection.execute(
            insert(recall_job).values(**row, scheme="LEI", value=SUBJECT, at=1, filed_in=0, selected=selected)
        )
    return id_


def recalled(desk: Desk, of: str, client: str, state: str = "open", outcome: str | None = None, **more: Any) -> str:
    id_ = secrets.token_hex(16)
    row = {
        "id": id_, "sequence": 1, "job": of, "issuer": ISSUER, "client": client, "place": secrets.randbits(40),
        "inquiry": "i", "purpose": "TENDER_QUALIFICATION", "scheme": "LEI", "value": SUBJECT, "dataset": "tax-arrears",
        "records": "[]", "action": "delete", "at": 1, "due": DUE, "state": state, "outcome": outcome, "filed_in": -1,
    }  # fmt: skip
    with desk.store.engine.begin() as connection:
        connection.execute(insert(recall).values(**row | more))
    return id_


async def filed(desk: Desk, until: datetime.datetime | None = None) -> int:
    """The entry of a recall, which is secret until then."""
    told = entries.Acted(entries.VERSION, secrets.token_hex(16), desk.now, entries.OWN, "recalled")
    made = split(told, entries.Oversight(entries.VERSION, secret_until=until))
    await desk.ledger.append(made.told, made.oversight, desk.now, ("o", "o"), (), made.subjects)
    with contextlib.closing(desk.store.reader()) as reader:
        return max((head.id << SHARD_BITS) + head.size - 1 for head in read.heads(reader))


async def page(desk: Desk, what: str, department: str = "tax", **query: str) -> Any:
    rooms = Departments(desk.office)
    do = rooms.sent if what == "sent" else rooms.received
    return (await do(Asked(desk.official(department, "s.one"), b"", {}, query))).value


async def test_how_recipients_answered_a_change_of_its_records(desk: Desk) -> None:
    of, others, there = job(desk), job(desk, "wage-arrears"), await filed(desk)
    job(desk, selected=None)
    for client, state, outcome in (
        ("market-regulator", "acknowledged", "applied"), ("market-regulator", "open", None),
        ("environment-agency", "overdue", "refused"),
    ):  # fmt: skip
        recalled(desk, of, client, state, outcome, filed_in=there)
    recalled(desk, others, "market-regulator", filed_in=there)
    found = await page(desk, "sent")
    view = desk.entered()[-1]
    assert isinstance(view, entries.View)
    assert (view.by, view.format) == ("s.one", "recalls")
    assert (found["waiting"], found["next"]) == (1, None)
    (row,) = found["items"]
    assert (row["id"], row["cause"], row["action"], row["dataset"]) == (of, "withdrawn", "DELETE", "tax-arrears")
    told = {each["client"]: each for each in row["recipients"]}
    assert told["market-regulator"]["department"] == "market"
    counts = {
        client: tuple(each[name] for name in ("recalls", "done", "overdue", "refused")) for client, each in told.items()
    }
    assert counts == {"market-regulator": (2, 1, 0, 0), "environment-agency": (1, 0, 1, 1)}
    assert SUBJECT not in str(found)


async def test_what_is_secret_is_in_no_row_and_no_count_until_its_second(room: Room) -> None:
    desk, who = room.desk, organisation()
    ends = desk.now + datetime.timedelta(days=10)
    watched = {"client": "environment-agency", "secret_until": ends}
    await room.answer(who, "N-1@1", **watched)
    for _ in range(2):
        await room.answer(who, "N-1@1")
    await room.answer(who, "N-1@1", secret_until=ends)
    await desk.ask(system(desk), "reportChange", **report(who))
    assert len(await room.select()) == 4
    (row,) = (await page(desk, "sent"))["items"]
    assert [(each["client"], each["recalls"]) for each in row["recipients"]] == [("market-regulator", 2)]
    desk.now = ends - datetime.timedelta(microseconds=1)
    assert (await page(desk, "sent"))["items"] == [row]
    desk.now = ends
    (row,) = (await page(desk, "sent"))["items"]
    assert [(each["client"], each["recalls"]) for each in row["recipients"]] == [
        ("environment-agency", 1), ("market-regulator", 3),
    ]  # fmt: skip


@pytest.mark.parametrize("cause", ["expired", "unreported"])
async def test_what_only_an_answer_gives_rise_to_is_as_secret_as_that(desk: Desk, cause: str) -> None:
    ends = desk.now + datetime.timedelta(days=10)
    open_, secret = await filed(desk), await filed(desk, ends)
    of = {}
    for number, there in enumerate((open_, secret, secret, secret, open_, -1)):
        of[number] = job(desk, cause=cause, selected=number + 1)
        recalled(desk, of[number], "market-regulator", filed_in=there)
    reported = job(desk, selected=9)
    recalled(desk, reported, "market-regulator", filed_in=secret)
    job(desk, cause=cause, selected=None)
    first = await page(desk, "sent", first="2")
    assert [(each["id"], len(each["recipients"])) for each in first["items"]] == [(reported, 0), (of[4], 1)]
    assert first["waiting"] == 0
    second = await page(desk, "sent", first="2", after=first["next"])
    assert ([each["id"] for each in second["items"]], second["next"]) == ([of[0]], None)
    desk.now = ends
    shown = [each["id"] for each in (await page(desk, "sent"))["items"]]
    assert shown == [reported, of[4], of[3], of[2], of[1], of[0]], "not what does not open any more"


async def test_what_its_own_clients_have_not_done(desk: Desk) -> None:
    of = job(desk)
    late = recalled(desk, of, "market-regulator", "overdue", due=5, suspension="s" * 32)
    waits = recalled(desk, of, "market-regulator", due=6)
    refused = recalled(desk, of, "market-regulator", "open", "refused", due=7)
    recalled(desk, of, "market-regulator", "acknowledged", "applied")
    recalled(desk, of, "environment-agency")
    found = await page(desk, "received", "market")
    assert [(each["id"], each["state"], each["suspended"]) for each in found["items"]] == [
        (late, "OVERDUE", True), (waits, "OPEN", False), (refused, "REFUSED", False),
    ]  # fmt: skip
    assert {each["from"] for each in found["items"]} == {"tax"}
    assert SUBJECT not in str(found)
    assert (await page(desk, "received", "courts"))["items"] == []


@pytest.mark.parametrize("what", ["sent", "received"])
async def test_pages_go_on_where_the_one_before_ended(desk: Desk, what: str) -> None:
    made = []
    for number in range(5):
        of = job(desk, selected=1 + number // 2)
        made.append(of if what == "sent" else recalled(desk, of, "market-regulator", due=DUE + number // 2))
    seen, query = [], {"first": "2"}
    while True:
        found = await page(desk, what, "tax" if what == "sent" else "market", **query)
        seen += [each["id"] for each in found["items"]]
        if found["next"] is None:
            break
        query["after"] = found["next"]
    assert len(seen) == 5
    assert set(seen) == set(made)


@pytest.mark.parametrize("what", ["sent", "received"])
async def test_who_is_no_steward_and_what_is_no_page_is_refused(desk: Desk, what: str) -> None:
    rooms = Departments(desk.office)
    do = rooms.sent if what == "sent" else rooms.received
    for who in (
        desk.who("tax-stewards", "steward"), desk.official("tax", "s.one", "counter"),
        desk.who("oversight", "oversight", official="o.sight"),
    ):  # fmt: skip
        with pytest.raises(Refusal, match="for data stewards"):
            await do(Asked(who, b"", {}))
    for query in ({"first": "0"}, {"first": "51"}, {"first": "x"}, {"after": "nothing"}, {"first": "²"}):
        with pytest.raises(Refusal):
            await page(desk, what, **query)
    assert desk.entered() == []
