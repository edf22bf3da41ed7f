"""`source test` finds and explains what a database has otherwise than its mapping, of each database."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests import mariadb
from tests.connecting.trying import asked
from tests.connecting.trying.planted import TITLE, VALUE
from tests.ports import free_port
from tests.services import Postgres
from tests.storage.conftest import server

__all__ = ["server"]  # a fixture

COLUMNS = {
    "no": "text", "rev": "integer", "paper": "text", "type": "text", "number": "text", "name": "text",
    "workers": "integer", "open": "boolean", "amount": "numeric", "day": "date", "at": "timestamp with time zone",
}  # fmt: skip
AWARD = {
    "no": "A-1", "rev": 7, "paper": "P-1", "type": "LEI", "number": VALUE, "name": TITLE, "workers": 3, "open": True,
    "amount": 2, "day": "2026-03-31", "at": "2026-03-31T08:30:00Z",
}  # fmt: skip


def config(url: str) -> dict[str, Any]:
    """What `sources.yaml` says of the department."""
    return {
        "kind": "sql", "url": url, "limits": {"timeout": "20s"},
        "datasets": {asked.NAME: {
            "table": "award",
            "record": {"id": "no", "version": "rev", "document": "paper",
                       "subject": {"scheme": "type", "value": "number"}},
            "fields": {"title": "name", "workers": "workers", "open": "open", "amount": "amount", "day": "day",
                       "at": "at"},
        }},
    }  # fmt: skip


class Case(NamedTuple):
    """One difference: of the columns as declared, of the award, or of the configuration. `rows`: by rows alone."""

    name: str
    key: str
    words: str
    columns: dict[str, str | None] = {}  # noqa: RUF012
    award: dict[str, Any] = {}  # noqa: RUF012
    config: Callable[[dict[str, Any]], Any] | None = None


def _limits(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda config: config["limits"].update(changes)


ANYWHERE = (
    Case("a table of another name", "table", "did you mean `award`?",
         config=lambda config: config["datasets"][asked.NAME].update(table="awards")),
    Case("a column that is not there", "fields.title", "has no column `name`", {"name": None}),
    Case("a column of another name", "fields.workers", "did you mean `workers_no`?",
         {"workers": None, "workers_no": "integer"}),
    Case("an id that is null", "record.id", "is null", award={"no": None}),
    Case("a version that is the id", "record.version", "is the same as the id", {"rev": "text"}, {"rev": "A-1"}),
    Case("another form of date", "fields.day", "text of the form `99.99.9999`", {"day": "text"}, {"day": "31.03.2026"}),
    Case("a decimal comma", "fields.amount", "a decimal comma", {"amount": "text"}, {"amount": "1,50"}),
    Case("a number as text", "fields.workers", "must be a whole number", {"workers": "text"}, {"workers": "x"}),
)  # fmt: skip
IN_POSTGRESQL = (
    Case("a moment without a zone", "fields.at", "has no offset from UTC", {"at": "timestamp without time zone"}),
    Case("a moment as a date", "fields.day", "is `timestamp`", {"day": "timestamp without time zone"}),
    Case("a number as a boolean", "fields.open", "is `integer`", {"open": "integer"}, {"open": 1}),
)


@pytest.mark.parametrize("case", ANYWHERE, ids=lambda case: case.name)
async def test_a_difference_is_found_in_sqlite(case: Case, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "tax.db") as connection:
        _fill(connection.execute, case, "?")
    await _found(case, "sqlite:///tax.db", tmp_path)


@pytest.mark.parametrize("case", [*ANYWHERE, *IN_POSTGRESQL], ids=lambda case: case.name)
async def test_a_difference_is_found_in_postgresql(case: Case, server: Postgres, tmp_path: Path) -> None:
    database = server.database()
    with server.connect(database) as connection:
        _fill(connection.execute, case, "%s")
    await _found(case, f"postgresql+psycopg://postgres@127.0.0.1:{server.port}/{database}", tmp_path)
    server.drop(database)


IN_MARIADB = (
    Case("a moment without a zone", "fields.at", "without an offset", {"at": "datetime"}),
    Case("a moment as a date", "fields.day", "is `datetime`", {"day": "datetime"}),
    Case("a number as a boolean", "fields.open", "must be true or false", {"open": "integer"}, {"open": 2}),
    Case("no day", "fields.day", "a date that does not exist", award={"day": "0000-00-00"}),
)


@pytest.mark.parametrize("case", [*ANYWHERE, *IN_MARIADB], ids=lambda case: case.name)
async def test_a_difference_is_found_in_mariadb(case: Case, pytestconfig: pytest.Config, tmp_path: Path) -> None:
    server = mariadb.kept_running(pytestconfig)
    database = server.database()
    with server.connect(database) as connection, connection.cursor() as cursor:
        case = case._replace(columns={"at": "timestamp NULL", **case.columns})
        _fill(cursor.execute, case, "%s")
    await _found(case, server.url(database), tmp_path)


async def test_rights_and_databases_that_there_are_not_in_mariadb(pytestconfig: pytest.Config, tmp_path: Path) -> None:
    server = mariadb.kept_running(pytestconfig)
    database = server.database()
    with server.connect(database) as connection, connection.cursor() as cursor:
        _fill(cursor.execute, Case("fine", "", "", {"at": "timestamp NULL"}), "%s")
        cursor.execute("CREATE OR REPLACE USER guest@'127.0.0.1'")
        cursor.execute(
            f"GRANT SELECT (no, rev, paper, type, number, workers, open, amount, day, at) ON {database}.award"
            " TO guest@'127.0.0.1'"
        )
    url = server.url(database)
    urls = {
        "fits": url,
        "right": url.replace("gateway@", "guest@"),
        "account": url.replace("gateway@", "nobody@"),
        "database": server.url("no_such"),
        "server": url.replace(f":{server.port}/", f":{free_port()}/"),
    }
    said = {}
    for name, at in urls.items():
        trial, _ = await asked.trial(asked.department(config(at), tmp_path))
        said[name] = [(".".join(each.key), each.what) for each in trial.found]
    assert said["fits"] == []
    ((key, what),) = said["right"]
    assert (key, "let it be granted `SELECT`" in what) == (f"datasets.{asked.NAME}.fields.title", True)
    assert [key for key, _ in said["account"]] == ["password_file"]
    assert said["database"] == [("url", "there is no such database")]
    assert [key for key, _ in said["server"]] == ["url"]


def _fill(execute: Callable[..., Any], case: Case, mark: str) -> None:
    columns = {name: type_ for name, type_ in {**COLUMNS, **case.columns}.items() if type_ is not None}
    execute(f"CREATE TABLE award ({', '.join(f'{name} {type_}' for name, type_ in columns.items())})")
    award = {name: value for name, value in {**AWARD, **case.award}.items() if name in columns}
    marks = ", ".join(mark for _ in award)
    execute(f"INSERT INTO award ({', '.join(award)}) VALUES ({marks})", tuple(award.values()))


async def _found(case: Case, url: str, folder: Path) -> None:
    written = config(url)
    if case.config is not None:
        case.config(written)
    trial, places = await asked.trial(asked.department(written, folder))
    told = [str(place) for place in places]
    found = next((each for each in trial.found if case.words in each.what), None) or pytest.fail(str(told))
    assert ".".join(found.key[2:]) == case.key
    assert all(place.line for place in places)
    for secret in (VALUE, TITLE):
        assert not any(secret in said for said in told), told


async def test_rights_accounts_and_databases_that_there_are_not(server: Postgres, tmp_path: Path) -> None:
    database = server.database()
    with server.connect(database) as connection:
        _fill(connection.execute, Case("fine", "", ""), "%s")
        connection.execute("DROP ROLE IF EXISTS guest")
        connection.execute("CREATE ROLE guest LOGIN")
        connection.execute(
            "GRANT SELECT (no, rev, paper, type, number, workers, open, amount, day, at) ON award TO guest"
        )
    at = f"127.0.0.1:{server.port}"
    urls = {
        "fits": f"postgresql+psycopg://postgres@{at}/{database}",
        "right": f"postgresql+psycopg://guest@{at}/{database}",
        "database": f"postgresql+psycopg://postgres@{at}/no_such",
        "server": f"postgresql+psycopg://postgres@127.0.0.1:{free_port()}/{database}",
    }
    said = {}
    for name, url in urls.items():
        trial, _ = await asked.trial(asked.department(config(url), tmp_path))
        said[name] = [(".".join(each.key), each.what) for each in trial.found]
    with server.connect(database) as connection:
        connection.execute("DROP OWNED BY guest")
        connection.execute("DROP ROLE guest")
    server.drop(database)
    assert said["fits"] == []
    ((key, what),) = said["right"]
    assert (key, "let it be granted `SELECT`" in what) == (f"datasets.{asked.NAME}.fields.title", True)
    assert said["database"] == [("url", "there is no such database")]
    assert [key for key, _ in said["server"]] == ["url"]
