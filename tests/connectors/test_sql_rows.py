"""What stands in a row is its subject's matter: on each database, one bad row costs one subject one dataset."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from connectors import sql
from connectors.base import DatasetShape, Failure, Fault, Faulty, FieldType, Outcome, Subject
from tests import mariadb
from tests.connectors.asking import ACME, ANN, BETA, ask, fetch, told, written
from tests.services import Postgres
from tests.storage.conftest import kept_running

COLUMNS = {
    "day": "Date",
    "moment": "DateTime",
    "amount": "Decimal",
    "share": "Decimal",
    "text": "String",
    "flag": "Boolean",
}
SHAPES = {name: DatasetShape(name, {c: FieldType(t) for c, t in COLUMNS.items()}) for name in ("facts", "others")}
GOOD = {
    "day": "'2026-01-02'",
    "moment": "'2026-01-02T03:04:05+00:00'",
    "amount": "12.50",
    "parts": "4",
    "text": "'text'",
    "flag": "1",
}


class Place(NamedTuple):
    """A database of one kind, with a way to run a statement in it."""

    kind: str
    url: str
    server: Postgres | mariadb.MariaDB | None

    def run(self, *statements: str | bytes) -> None:
        if self.server is None:
            with sqlite3.connect(self.url.removeprefix("sqlite:///")) as file:
                for statement in statements:
                    file.execute(statement if isinstance(statement, str) else statement.decode())
            return
        database = self.url.rpartition("/")[2]
        if isinstance(self.server, mariadb.MariaDB):
            self.server.run(database, *(each if isinstance(each, str) else each.decode() for each in statements))
            return
        with self.server.connect(database) as connection:
            for statement in statements:
                connection.execute(statement if isinstance(statement, bytes) else statement.encode())


Make = Callable[[str], Place]


@pytest.fixture
def make(pytestconfig: pytest.Config, tmp_path: Path) -> Make:
    """A database of a kind, with its two views."""
    return lambda kind: made(kind, tmp_path, running(kind, pytestconfig))


def running(kind: str, config: pytest.Config) -> Postgres | mariadb.MariaDB | None:
    """The worker's server of that kind, where it is one."""
    if kind == "sqlite":
        return None
    return mariadb.kept_running(config) if kind == "mariadb" else kept_running(config)


def made(kind: str, folder: Path, server: Postgres | mariadb.MariaDB | None) -> Place:
    url = f"sqlite:///{folder / 'facts.db'}"
    if isinstance(server, mariadb.MariaDB):
        url = server.url(server.database())
    elif server is not None:
        name = server.database()
        if kind == "bytes":  # a database without an encoding: it holds whatever it was given
            with server.connect("postgres") as connection:
                connection.execute(f"DROP DATABASE {name}".encode())
                connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII'".encode())
        url = f"postgresql+psycopg://postgres@127.0.0.1:{server.port}/{name}"
    place = Place(kind, url, server)
    types = {
        "day": "date",
        "moment": "timestamptz",
        "amount": "numeric",
        "parts": "numeric",
        "text": "text",
        "flag": "integer",
    }
    if kind == "mariadb":
        types |= {"moment": "timestamp(6) NULL", "text": "longtext"}
    columns = ", ".join(f"{name} {'' if kind == 'sqlite' else type_}" for name, type_ in types.items())
    place.run(f"CREATE TABLE held (no text, rev text, scheme text, value text, {columns})")
    whole = {"sqlite": "abs(-9223372036854775807 - (parts = 0))", "mariadb": "18446744073709551615 + (parts = 0)"}
    for view in ("facts", "others"):
        place.run(f"CREATE VIEW {view} AS SELECT held.*, {whole.get(kind, '100 / parts')} AS share FROM held")
    for number, subject in enumerate((ACME, BETA, ANN)):
        put(place, f"R-{number}", subject)
    return place


def most_memory() -> int:
    """The most that this process had since `forget_memory`, in KiB."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1])


def forget_memory() -> int:
    Path("/proc/self/clear_refs").write_text("5")
    return most_memory()


def put(place: Place, number: str, subject: Subject, **changes: str) -> None:
    row = {**GOOD, **({"moment": "'2026-01-02 03:04:05'"} if place.kind == "mariadb" else {}), **changes}
    place.run(
        f"INSERT INTO held (no, rev, scheme, value, {', '.join(row)})"
        f" VALUES ('{number}', '1', '{subject.scheme}', '{subject.value}', {', '.join(row.values())})"
    )


def config(place: Place, **limits: Any) -> dict[str, Any]:
    mapped = {
        "record": {"id": "no", "version": "rev", "subject": {"scheme": "scheme", "value": "value"}},
        "fields": {name: name for name in COLUMNS},
    }
    datasets = {name: {"table": name, **mapped} for name in SHAPES}
    return {"kind": "sql", "url": place.url, "datasets": datasets, "limits": {"timeout": "20s", **limits}}


async def got(place: Place, *fields: str, times: int = 1, **limits: Any) -> dict[tuple[Subject, str], Outcome]:
    """What one connector says the last of so many times."""
    node = written(config(place, **limits))
    connector = sql.build(node, SHAPES)
    assert node.problems == []
    try:
        asked = ask("facts", " ".join(fields), ACME, BETA, ANN), ask("others", "text", ACME, BETA, ANN)
        return [await fetch(connector, *asked) for _ in range(times)][-1]
    finally:
        await connector.close()


def faulty(outcome: Outcome) -> bool:
    """Whether what was read cannot be used: all of it, or a record that shows itself and is no good."""
    if isinstance(outcome, Failure):
        return (outcome.fault, outcome.retryable) == (Fault.INVALID, False)
    return any(isinstance(record, Faulty) for record in outcome)


BAD = [
    *(("postgresql", "day", {"day": f"'{day}'"}) for day in ("infinity", "-infinity", "0044-03-15 BC", "12026-01-02")),
    ("postgresql", "moment", {"moment": "'infinity'"}),
    ("postgresql", "moment", {"moment": "'0044-03-15 00:00 BC'"}),
    ("postgresql", "moment", {"moment": "'12026-01-02 00:00+00'"}),
    ("postgresql", "share", {"parts": "0"}),
    ("bytes", "text", {"text": r"convert_from('\xff6f', 'SQL_ASCII')"}),
    ("mariadb", "share", {"parts": "0"}),
    *(("mariadb", "day", {"day": f"'{day}'"}) for day in ("0000-00-00", "2026-00-10")),
    ("mariadb", "moment", {"moment": "'0000-00-00 00:00:00'"}),
    ("sqlite", "text", {"text": "CAST(x'ff6f' AS TEXT)"}),
    ("sqlite", "share", {"parts": "0"}),
    ("sqlite", "day", {"day": "'infinity'"}),
    ("sqlite", "day", {"day": "'12026-01-02'"}),
    ("sqlite", "moment", {"moment": "'2026-01-02T03:04:05.0000000000Z'"}),
    ("sqlite", "moment", {"moment": "'2026-01-02T03:04:05'"}),
]


@pytest.mark.parametrize(("kind", "field", "changes"), BAD)
async def test_a_bad_row_is_one_subjects_and_one_datasets(
    kind: str, field: str, changes: dict[str, str], make: Make
) -> None:
    place = make(kind)
    put(place, "R-9", BETA, **changes)
    outcomes = await got(place, field, times=3, breaker={"failures": 1})  # nor does it open the breaker
    assert faulty(outcomes[BETA, "facts"])
    for subject in (ACME, ANN):
        records = outcomes[subject, "facts"]
        assert not isinstance(records, Failure)
        assert len(records) == 1
    if field != "text":
        assert not any(isinstance(outcomes[subject, "others"], Failure) for subject in (ACME, BETA, ANN))


async def test_a_moment_of_seven_digits_is_cut_and_not_rounded(make: Make) -> None:
    place = make("sqlite")
    put(place, "R-9", BETA, moment="'2026-12-31T23:59:59.9999999Z'")
    (record,) = told((await got(place, "moment"))[BETA, "facts"], "moment")[-1:]
    assert record[0].isoformat() == "2026-12-31T23:59:59.999999+00:00"


@pytest.mark.parametrize("kind", ["postgresql", "mariadb", "sqlite"])
async def test_a_statement_that_never_runs_is_no_matter_of_rows(kind: str, make: Make) -> None:
    place = make(kind)
    place.run("DROP VIEW facts")
    outcomes = await got(place, "text", breaker={"failures": 1})
    failure = outcomes[ACME, "facts"]
    assert isinstance(failure, Failure)
    assert (failure.fault, failure.retryable) == (Fault.UNAVAILABLE, False)
    assert not isinstance(outcomes[ACME, "others"], Failure)


@pytest.mark.parametrize(("kind", "read"), [("postgresql", False), ("mariadb", True), ("sqlite", True)])
async def test_an_integer_is_a_boolean_where_there_is_no_other(kind: str, read: bool, make: Make) -> None:
    outcomes = await got(make(kind), "flag")
    assert faulty(outcomes[ACME, "facts"]) != read


@pytest.mark.parametrize("kind", ["postgresql", "mariadb", "sqlite"])
@pytest.mark.parametrize("rows", [1, 64])
async def test_rows_are_bounded_in_bytes(kind: str, rows: int, make: Make) -> None:
    """One value of 256 MiB, or many of 1 MiB: none of it comes into this process's memory."""
    place = make(kind)
    size = 2**28 // rows
    large = f"repeat('x', {size})" if kind != "sqlite" else f"replace(hex(zeroblob({size // 2})), '0', 'x')"
    for number in range(rows):
        put(place, f"R-{10 + number}", BETA, text=large)
    before = forget_memory()
    outcomes = await got(place, "text")
    assert most_memory() - before < 64 * 1024
    failure = outcomes[BETA, "facts"]
    assert isinstance(failure, Failure)
    assert failure.fault is Fault.INVALID
    for subject in (ACME, ANN):
        assert not isinstance(outcomes[subject, "facts"], Failure)


@pytest.mark.parametrize("kind", ["postgresql", "mariadb", "sqlite"])
async def test_the_bound_of_bytes_counts_what_is_asked_for(kind: str, make: Make) -> None:
    place = make(kind)
    put(place, "R-9", BETA, text=f"'{'x' * 5000}'")
    assert isinstance((await got(place, "text", max_bytes="4KiB"))[BETA, "facts"], Failure)
    assert not isinstance((await got(place, "text", max_bytes="6KiB"))[BETA, "facts"], Failure)
    assert not isinstance((await got(place, "amount", max_bytes="4KiB"))[BETA, "facts"], Failure)


@pytest.mark.parametrize("kind", ["postgresql", "mariadb", "sqlite"])
async def test_one_subjects_many_rows_are_its_own(kind: str, make: Make) -> None:
    place = make(kind)
    for number in range(5):
        put(place, f"R-1{number}", BETA)
    outcomes = await got(place, "text", rows=3)
    assert isinstance(outcomes[BETA, "facts"], Failure)
    assert not isinstance(outcomes[ACME, "facts"], Failure)
