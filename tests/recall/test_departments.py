"""What stewards see of recalls: those of their department's records, and those to its own clients, a page at a time."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from sqlalchemy import insert

from gateway.acts.plain import Asked
from gateway.errors import Refusal
from gateway.ledger.entry import entries
from gateway.recall.departments import Departments
from gateway.storage.recall.recalls import recall, recall_job
from tests.acts.conftest import bare, desk, place, server, store
from tests.acts.desk import ISSUER, Desk

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
        "records": "[]", "action": "delete", "at": 1, "due": DUE, "state": state, "outcome": outcome, "filed_in": 0,
    }  # fmt: skip
    with desk.store.engine.begin() as connection:
        connection.execute(insert(recall).values(**row | more))
    return id_


async def page(desk: Desk, what: str, department: str = "tax", **query: str) -> Any:
    rooms = Departments(desk.office)
    do = rooms.sent if what == "sent" else rooms.received
    return (await do(Asked(desk.official(department, "s.one"), b"", {}, query))).value


async def test_how_recipients_answered_a_change_of_its_records(desk: Desk) -> None:
    of, others = job(desk), job(desk, "wage-arrears")
    job(desk, selected=None)
    for client, state, outcome in (
        ("market-regulator", "acknowledged", "applied"), ("market-regulator", "open", None),
        ("environment-agency", "overdue", "refused"),
    ):  # fmt: skip
        recalled(desk, of, client, state, outcome)
    recalled(desk, others, "market-regulator")
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
