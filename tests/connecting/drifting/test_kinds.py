"""`source watch` finds each kind of drift: a system that fitted, and does not any more."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import sqlite3
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from gateway.connecting.department import Department, Departments
from gateway.connecting.drifting.looking import looked
from gateway.connecting.drifting.remembered import Drift, compared
from tests.connecting.trying import asked, test_graphql, test_sql
from tests.connecting.trying.planted import each, healthy, put, renamed, rest, row
from tests.connectors.certificates import Authority
from tests.connectors.servers import Request, Server, answer, serve
from tests.world import rule_set

NOW = datetime.datetime(2026, 11, 26, tzinfo=datetime.UTC)
Rows = list[dict[str, Any]]


class Told(NamedTuple):
    """What two looks found."""

    before: dict[str, Drift]
    after: dict[str, Drift]


async def looks(make: Callable[[], Department], change: Callable[[], Any]) -> Told:
    """A look at a department, a change of its system, and another look."""
    records: dict[str, int] = {}
    found = []
    for turn in range(2):
        if turn:
            change()
        department = make()
        settings = SimpleNamespace(limits=SimpleNamespace(deadline=60.0))
        all_of: Any = Departments(settings, rule_set(), rule_set().policies.catalogue, [department])  # type: ignore[arg-type]
        drifts, records = await looked(all_of, records, NOW)
        await department.connector.close()
        found.append(drifts)
    return Told(*found)


class System:
    """A department's system over HTTP, whose rows and answers a test changes while it runs."""

    def __init__(self) -> None:
        self.rows: Rows = [row(1), row(2), row(3)]
        self.answer: Callable[[Rows, str], bytes] = healthy
        self.waits = 0.0

    async def handle(self, request: Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(self.waits)
        writer.write(self.answer(self.rows, request.target))


@contextlib.asynccontextmanager
async def running(context: ssl.SSLContext | None = None) -> AsyncIterator[tuple[System, Server]]:
    system = System()
    async with serve(system.handle, context) as server:
        yield system, server


def rows(change: Callable[[Rows], Any]) -> Callable[[System], Any]:
    return lambda system: change(system.rows)


def answers(made: Callable[[Rows, str], bytes]) -> Callable[[System], Any]:
    return lambda system: setattr(system, "answer", made)


_counter = iter(range(1_000_000))

DRIFTS: dict[str, tuple[Callable[[System], Any], str, str]] = {
    "a field is gone": (rows(each(lambda one: one.pop("name"))), "fields.title", "wrong"),
    "a field is renamed": (rows(renamed("workers", "staff")), "fields.workers", "wrong"),
    "a field has another type": (rows(put("workers", "12")), "fields.workers", "wrong"),
    "a date has another form": (rows(put("day", "31.03.2026")), "fields.day", "wrong"),
    "the list moved": (answers(lambda held, _: answer({"data": held})), "records", "wrong"),
    "the path moved": (answers(lambda *_: answer({}, 301, location="/v2")), "path", "wrong"),
    "the records vanished": (answers(lambda *_: answer({}, 404)), "", "wrong"),
    "some records vanished": (rows(lambda held: held.pop()), "", "unstable"),
    "the credential is refused": (answers(lambda *_: answer({}, 401)), "auth", "wrong"),
    "it is slower than it may be": (lambda system: setattr(system, "waits", 3.0), "path", "slow"),
    "it pages now": (
        answers(lambda held, _: answer({"result": {"items": held}, "next": "?page=2"})), "path", "unbounded",
    ),
    "it changes records without their version": (
        answers(lambda held, _: healthy([{**one, "name": str(next(_counter))} for one in held])),
        "record.version", "unstable",
    ),
    "it names subjects otherwise": (rows(put("holder.id", f" {asked.VALUE}")), "record.subject.value", "wrong"),
}  # fmt: skip
"""By name: the change, the key that it is reported at, and the kind."""


@pytest.mark.parametrize("name", list(DRIFTS))
async def test_drift_of_a_rest_department_is_found(name: str, tmp_path: Path) -> None:
    change, key, kind = DRIFTS[name]
    async with running() as (system, server):
        config = rest(server.url)
        config["limits"]["timeout"] = "1500ms" if kind == "slow" else "20s"
        told = await looks(lambda: asked.department(config, tmp_path), lambda: change(system))
    assert told.before == {}
    found = list(told.after.values())
    assert (key, kind) in [(_below(drift), drift.kind) for drift in found], found
    assert asked.VALUE not in str(found)
    began = compared(told.before, told.after)
    assert (began.began, began.lasting, began.ended) == (found, [], [])
    assert compared(told.after, told.before).ended == found


async def test_a_certificate_near_its_end_is_found(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "ours")
    async with running(authority.server_context()) as (_, server):
        config = {**rest(server.url), "tls": {"ca_file": str(authority.ca_file)}}
        told = await looks(lambda: asked.department(config, tmp_path), lambda: None)
    ((drift),) = told.after.values()
    assert (_below(drift), drift.kind) == ("base_url", "ending")


async def test_the_gateways_own_certificate_near_its_end_is_found(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "ours")
    cert, key = authority.issue("gateway", client=True)
    async with running(authority.server_context(clients=authority)) as (_, server):
        auth = {"kind": "mtls", "cert_file": str(cert), "key_file": str(key)}
        config = {**rest(server.url), "tls": {"ca_file": str(authority.ca_file)}, "auth": auth}
        told = await looks(lambda: asked.department(config, tmp_path), lambda: None)
    found = {_below(drift): drift for drift in told.after.values()}
    assert found.keys() == {"base_url", "auth.cert_file"}
    assert "the gateway's own certificate ends on" in found["auth.cert_file"].what


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("number: ID!)", "number: ID!, lang: String!)", "query"),
        ("name: String", "caption: String", "fields.title"),
        ("awards: [Award!]", "honours: [Award!]", "field"),
    ],
)
async def test_drift_of_a_schema_is_found(old: str, new: str, key: str, tmp_path: Path) -> None:
    served = [test_graphql.SCHEMA]

    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        await test_graphql.department(served[0], test_graphql.AWARD)(request, writer)

    async with serve(handle) as server:
        config = test_graphql.config(server.url)
        told = await looks(
            lambda: asked.department(config, tmp_path), lambda: served.insert(0, served[0].replace(old, new))
        )
    assert told.before == {}
    assert key in [_below(drift) for drift in told.after.values()]


async def test_a_column_that_was_dropped_is_found(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "tax.db") as connection:
        test_sql._fill(connection.execute, test_sql.Case("", "", ""), "?")

    def change() -> None:
        with sqlite3.connect(tmp_path / "tax.db") as connection:
            connection.execute("ALTER TABLE award DROP COLUMN amount")

    told = await looks(lambda: asked.department(test_sql.config("sqlite:///tax.db"), tmp_path), change)
    assert told.before == {}
    assert [_below(drift) for drift in told.after.values()] == ["fields.amount"]


def _below(drift: Drift) -> str:
    """The key, from the dataset or else from the department."""
    whole = f"departments.tax.datasets.{asked.NAME}"
    return drift.key.removeprefix(whole).removeprefix("departments.tax").lstrip(".")
