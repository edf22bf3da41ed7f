"""A healthy system of each kind of connector, all with the same records: a new kind is one entry of `SYSTEMS`.

`ACME` has two arrears and an award, `BETA` one arrear and no award, `ANN` one arrear; of `NOBODY` there is nothing.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from connectors import files, graphql, rest, sql, xroad
from connectors.base import Connector, DatasetShape, Subject
from connectors.contract.model import Holding, System
from tests import mariadb
from tests.configured import secret
from tests.connectors.asking import ACME, ANN, BETA, SHAPES, written
from tests.connectors.certificates import Authority
from tests.connectors.files import delivering
from tests.connectors.rest_source import ARREARS, AWARDS, row
from tests.connectors.servers import Handler, Request, answer, serve
from tests.connectors.test_graphql import ENTITIES, QUERY, executed, mapped, party
from tests.connectors.test_sql import DATASETS
from tests.connectors.xroad import test_xroad
from tests.connectors.xroad.simulator import SecurityServers
from tests.storage.conftest import kept_running

NOBODY = Subject("organisation", "LEI", "529900ODI3047E2LIV03")
RECORDS: Mapping[str, Mapping[Subject, int]] = {"arrears": {ACME: 2, BETA: 1, ANN: 1}, "awards": {ACME: 1, BETA: 0}}
HOLDING = [
    Holding(subject, {name: by[subject] for name, by in RECORDS.items() if subject in by})
    for subject in (ACME, BETA, ANN)
]
Build = Callable[..., Connector]


def system(
    build: Build,
    config: Mapping[str, Any],
    folder: Path,
    shapes: Mapping[str, DatasetShape] = SHAPES,
    holding: Sequence[Holding] = HOLDING,
) -> System:
    """What the contract is given."""

    def make(changed: Mapping[str, Any]) -> Connector:
        node = written(changed, folder)
        connector = build(node, shapes)
        if node.problems:
            raise ValueError("; ".join(problem.message for problem in node.problems))
        return connector

    return System(config, make, shapes, holding, [NOBODY])


def listed(dataset: str, subject: Subject) -> list[dict[str, Any]]:
    return [row(number, subject) for number in range(RECORDS[dataset].get(subject, 0))]


def by_value(value: str) -> Subject | None:
    return next((subject for subject in (ACME, BETA, ANN) if subject.value == value), None)


def behind(handler: Handler) -> Handler:
    """Who answers only whoever brings the token."""

    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        if request.headers.get("authorization") != f"Bearer {'t' * 40}":
            writer.write(answer({}, 401))
        else:
            await handler(request, writer)

    return handle


@asynccontextmanager
async def over_tls(handler: Handler, folder: Path) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """The handler's address over TLS, and how it is reached."""
    authority = Authority(folder, "department")
    token = secret(folder / "token", "t" * 40)
    keys = {"auth": {"kind": "bearer_file", "file": str(token)}, "tls": {"ca_file": str(authority.ca_file)}}
    async with serve(behind(handler), authority.server_context()) as server:
        yield server.url, keys


async def rows_by_path(request: Request, writer: asyncio.StreamWriter) -> None:
    """`/subjects/LEI/<value>/arrears` and `/awards/<value>`."""
    steps = [unquote(step) for step in request.target.split("/")]
    arrears = steps[1] == "subjects"
    subject = by_value(steps[3] if arrears else steps[2])
    found = listed("arrears" if arrears else "awards", subject) if subject else []
    writer.write(answer({"items": found}))


async def rows_by_body(request: Request, writer: asyncio.StreamWriter) -> None:
    """A POST to `/arrears` or `/awards`, with the identifier in its body; of awards it has one, or null."""
    subject, dataset = by_value(json.loads(request.body)["no"]), request.target.removeprefix("/")
    found = listed(dataset, subject) if subject else []
    writer.write(answer({"items": found} if dataset == "arrears" else {"item": found[0] if found else None}))


BY_PATH = {"arrears": ARREARS, "awards": AWARDS}
BY_BODY = {
    name: {**each, "path": f"/{name}", "method": "POST", "body": {"type": "{scheme}", "no": "{value}"}}
    for name, each in BY_PATH.items()
}
BY_BODY["awards"] |= {"records": "item", "one_record": True}


@asynccontextmanager
async def rest_system(
    transport: str, folder: Path, datasets: Mapping[str, Any] = BY_PATH, handler: Handler = rows_by_path
) -> AsyncIterator[System]:
    async with over_tls(handler, folder) as (url, keys):
        config = {"kind": "rest", "base_url": url, "transport": transport, "datasets": datasets, **keys}
        yield system(rest.build, config, folder)


def dossier(subject: Subject) -> dict[str, Any]:
    held = party(subject)
    (file,), (prize,) = held["files"]["nodes"], held["prizes"]
    held["files"] = {"nodes": [{**file, "docket": f"F-{n}"} for n in range(RECORDS["arrears"].get(subject, 0))]}
    held["prizes"] = [prize] * RECORDS["awards"].get(subject, 0)
    return held


@asynccontextmanager
async def graphql_system(mode: dict[str, Any], folder: Path) -> AsyncIterator[System]:
    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(executed(json.loads(request.body), *map(dossier, (ACME, BETA, ANN)))))

    async with over_tls(handle, folder) as (url, keys):
        yield system(graphql.build, {**mode, "url": f"{url}/graphql", "datasets": mapped(), **keys}, folder)


@asynccontextmanager
async def xroad_system(folder: Path) -> AsyncIterator[System]:
    def service(_: Request, target: str) -> tuple[int, Any]:
        steps = target.removeprefix("/v1").split("/")
        arrears = steps[1] == "subjects"
        subject = by_value(unquote(steps[3] if arrears else steps[2]))
        return 200, {"items": listed("arrears" if arrears else "awards", subject) if subject else []}

    simulated = SecurityServers({test_xroad.SERVICE: service}, {(test_xroad.CLIENT, test_xroad.SERVICE)})
    async with serve(simulated.handle) as server:
        yield system(xroad.build, test_xroad.config(server), folder)


TABLES = (
    "CREATE TABLE arrears (notice_no varchar(20), rev varchar(20), decision_no varchar(20), issued_on date,"
    " note varchar(20), id_type varchar(20), id_no varchar(40), tax_period varchar(20), amount_due decimal(10, 2),"
    " inner_note varchar(20))",
    "CREATE TABLE awards (no int, rev int, lei varchar(40), award_title varchar(20))",
)


def statements() -> list[str]:
    filled = list(TABLES)
    for subject, count in RECORDS["arrears"].items():
        named = f"'D', '2026-01-01', NULL, '{subject.scheme}', '{subject.value}', '2025', 10.5, 'secret'"
        filled += [f"INSERT INTO arrears VALUES ('N-{subject.value[:4]}-{n}', '1', {named})" for n in range(count)]
    return [*filled, f"INSERT INTO awards VALUES (7, 1, '{ACME.value}', 'Prize')"]


def sql_system(url: str, folder: Path, **more: Any) -> System:
    return system(sql.build, {"kind": "sql", "url": url, "datasets": DATASETS, **more}, folder)


@asynccontextmanager
async def sqlite_system(folder: Path) -> AsyncIterator[System]:
    with closing(sqlite3.connect(folder / "tax.db")) as file, file:
        for statement in statements():
            file.execute(statement)
    yield sql_system("sqlite:///tax.db", folder)


@asynccontextmanager
async def postgresql_system(folder: Path, config: pytest.Config) -> AsyncIterator[System]:
    server = kept_running(config)
    name = server.database()
    with server.connect(name) as connection:
        for statement in statements():
            connection.execute(statement.encode())
    yield sql_system(f"postgresql+psycopg://postgres@127.0.0.1:{server.port}/{name}", folder)


@asynccontextmanager
async def mariadb_system(folder: Path, config: pytest.Config) -> AsyncIterator[System]:
    server = mariadb.kept_running(config)
    name = server.database()
    server.run(name, *statements())
    server.run(name, "CREATE OR REPLACE USER contract@'127.0.0.1' IDENTIFIED BY 'secret'")
    server.run(name, f"GRANT SELECT ON {name}.* TO contract@'127.0.0.1'")
    password = secret(folder / "password", "secret")
    yield sql_system(server.url(name).replace("gateway@", "contract@"), folder, password_file=str(password))


@asynccontextmanager
async def files_system(folder: Path) -> AsyncIterator[System]:
    registry = delivering.Department(folder)
    subjects = [subject for subject in RECORDS["arrears"] if subject.scheme == "LEI"]  # as its datasets' shapes have it
    arrears = [
        {**delivering.ROW, "no": f"N-{subject.value[:4]}-{number}", "id_no": subject.value}
        for subject in subjects
        for number in range(RECORDS["arrears"][subject])
    ]
    report = registry.deliver(arrears, [{**delivering.AWARD, "lei": ACME.value}])
    assert report.outcome is delivering.Outcome.TAKEN, report
    held = [each for each in HOLDING if each.subject in subjects]
    yield system(files.build, registry.config, folder, delivering.SHAPES, held)
    await registry.connector.close()


Opened = Callable[[Path, pytest.Config], AbstractAsyncContextManager[System]]
SYSTEMS: Mapping[str, Opened] = {
    "rest": lambda folder, _: rest_system("pooled", folder),
    "rest, httpx": lambda folder, _: rest_system("httpx", folder),
    "rest, POST and one record": lambda folder, _: rest_system("pooled", folder, BY_BODY, rows_by_body),
    "graphql": lambda folder, _: graphql_system(QUERY, folder),
    "graphql, entities": lambda folder, _: graphql_system(ENTITIES, folder),
    "xroad": lambda folder, _: xroad_system(folder),
    "files": lambda folder, _: files_system(folder),
    "sql, SQLite": lambda folder, _: sqlite_system(folder),
    "sql, PostgreSQL": postgresql_system,
    "sql, MariaDB": mariadb_system,
}
"""By the kind's name, and what more tells it apart."""
NOT_TRIED: Mapping[str, frozenset[str]] = {
    "xroad": frozenset({"credentials", "encrypted"}),
    "files": frozenset({"credentials", "encrypted"}),
    "sql, SQLite": frozenset({"credentials", "encrypted"}),
    "sql, PostgreSQL": frozenset({"credentials", "encrypted"}),
    "sql, MariaDB": frozenset({"encrypted"}),
}
"""Checks that do not apply to a system as it is set up here."""
