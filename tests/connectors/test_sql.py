"""Database departments on real SQLite files: what is asked, what is read, and that nothing can be written."""

from __future__ import annotations

import asyncio
import datetime
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from connectors import sql
from connectors.base import Connector, Examined, Failure, Fault, Faulty, Subject
from connectors.database import opening
from connectors.database.opening import open_engine, protect
from connectors.database.reading import threads_of
from tests.connectors.asking import ACME, ANN, BETA, SHAPES, ask, connected, fault, fetch, places, told, written
from tests.waiting import until_async

DATASETS: dict[str, Any] = {
    "arrears": {
        "table": "arrears",
        "record": {
            "id": "notice_no", "version": "rev", "document": "decision_no", "effective": "issued_on",
            "mitigation": "note", "subject": {"scheme": "id_type", "value": "id_no"},
        },
        "fields": {"period": "tax_period", "amount": "amount_due", "secret": "inner_note"},
    },
    "awards": {
        "table": "awards",
        "record": {"id": "no", "version": "rev", "subject": {"scheme": {"const": "LEI"}, "value": "lei"}},
        "fields": {"title": "award_title"},
    },
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with sqlite3.connect(tmp_path / "tax.db") as database:
        database.execute(
            "CREATE TABLE arrears (notice_no, rev, decision_no, issued_on, note, id_type, id_no,"
            " tax_period, amount_due, inner_note)"
        )
        database.execute("CREATE TABLE awards (no INTEGER, rev INTEGER, lei TEXT, award_title TEXT)")
        for number, subject in enumerate((ACME, ACME, BETA, ANN)):
            put(database, f"N-{number}", subject)
        database.execute("INSERT INTO awards VALUES (7, 1, ?, 'Prize')", (ACME.value,))
    return tmp_path


def put(database: sqlite3.Connection, number: str, subject: Subject, **more: Any) -> None:
    row = {
        "notice_no": number, "rev": 1, "decision_no": "D", "issued_on": "2026-01-01", "note": None,
        "id_type": subject.scheme, "id_no": subject.value, "tax_period": "2025", "amount_due": "10.50",
        "inner_note": "never to be seen", **more,
    }  # fmt: skip
    database.execute(f"INSERT INTO arrears VALUES ({', '.join('?' * len(row))})", tuple(row.values()))


def config(**more: Any) -> dict[str, Any]:
    return {"kind": "sql", "url": "sqlite:///tax.db", "datasets": DATASETS, **more}


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """Every statement that any database was sent, with its parameters."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        sent.append(f"{statement} {parameters}")

    event.listen(sa.Engine, "before_cursor_execute", note)
    yield sent
    event.remove(sa.Engine, "before_cursor_execute", note)


async def test_records_are_typed_and_in_a_stable_order(folder: Path) -> None:
    async with connected(sql.build, config(), folder) as connector:
        outcomes = await fetch(connector, ask("arrears", "period amount", ACME, BETA, ANN), ask("awards", "title"))
    records = outcomes[ACME, "arrears"]
    assert not isinstance(records, Failure)
    assert [(r.m_id, r.m_version, r.m_document, r.m_effective) for r in records] == [
        ("N-0", "1", "D", datetime.date(2026, 1, 1)),
        ("N-1", "1", "D", datetime.date(2026, 1, 1)),
    ]
    assert told(records, "period", "amount") == [("2025", "10.50")] * 2
    assert len(told(outcomes[ANN, "arrears"])) == 1
    assert told(outcomes[ACME, "awards"], "title") == [("Prize",)]
    assert "never to be seen" not in repr(outcomes)


async def test_only_the_requested_columns_are_asked_for(folder: Path, statements: list[str]) -> None:
    async with connected(sql.build, config(), folder) as connector:
        await fetch(connector, ask("arrears", "period"))
    selects = [statement for statement in statements if "SELECT" in statement]
    assert len(selects) == 1
    assert "tax_period" in selects[0]
    for column in ("amount_due", "inner_note", "*"):
        assert column not in selects[0]
    assert ACME.value not in selects[0].partition(" (")[0]


async def test_an_identifier_is_never_part_of_the_statement(folder: Path) -> None:
    sly = Subject("organisation", "LEI", "' OR 1=1 --")
    async with connected(sql.build, config(), folder) as connector:
        assert await fetch(connector, ask("arrears", "period", sly)) == {(sly, "arrears"): []}


async def test_a_scheme_that_a_table_does_not_hold_has_no_records(folder: Path, statements: list[str]) -> None:
    async with connected(sql.build, config(), folder) as connector:
        assert await fetch(connector, ask("awards", "title", ANN)) == {(ANN, "awards"): []}
    assert not [statement for statement in statements if "SELECT" in statement]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("notice_no", None), ("notice_no", ""), ("notice_no", 1.5), ("rev", None), ("decision_no", b"x"),
        ("issued_on", "01.01.2026"), ("issued_on", "2026-02-30"), ("issued_on", 20260101), ("tax_period", 2025),
        ("tax_period", b"2025"), ("amount_due", "NaN"), ("amount_due", "ten"), ("amount_due", float("inf")),
        ("amount_due", b"1"), ("note", 1), ("amount_due", "1_000"), ("amount_due", " 12 "), ("amount_due", "+5"),
        ("amount_due", "\u0661"),
    ],
)  # fmt: skip
async def test_any_other_type_makes_a_record_faulty(folder: Path, column: str, value: Any) -> None:
    with sqlite3.connect(folder / "tax.db") as database:
        put(database, "N-9", BETA, **{column: value})
    async with connected(sql.build, config(), folder) as connector:
        outcomes = await fetch(connector, ask("arrears", "period amount", BETA), ask("awards", "title"))
    wrong = [record for record in outcomes[BETA, "arrears"] if isinstance(record, Faulty)]
    assert [record.m_id for record in wrong] == ["" if column == "notice_no" else "N-9"]
    assert told(outcomes[ACME, "awards"], "title") == [("Prize",)]


@pytest.mark.parametrize(("value", "text"), [(12, "12"), (12.1, "12.1"), ("0012.10", "12.10"), (None, "None")])
async def test_decimals_keep_their_digits(folder: Path, value: Any, text: str) -> None:
    with sqlite3.connect(folder / "tax.db") as database:
        database.execute("UPDATE arrears SET amount_due = ? WHERE notice_no = 'N-2'", (value,))
    async with connected(sql.build, config(), folder) as connector:
        outcomes = await fetch(connector, ask("arrears", "amount", BETA))
    assert str(told(outcomes[BETA, "arrears"], "amount")[0][0]) == text


async def test_more_rows_than_allowed_are_invalid(folder: Path) -> None:
    async with connected(sql.build, config(limits={"rows": 1}), folder) as connector:
        assert await fault(connector) == "SOURCE_INVALID"
        assert len(told((await fetch(connector, ask("arrears", "period", BETA)))[BETA, "arrears"])) == 1


async def test_a_table_that_is_gone_fails_its_dataset_and_nothing_else(folder: Path) -> None:
    with sqlite3.connect(folder / "tax.db") as database:
        database.execute("DROP TABLE arrears")
    async with connected(sql.build, config(), folder) as connector:
        outcomes = await fetch(connector, ask("arrears", "period"), ask("awards", "title"), ask("other", "x"))
    failure = outcomes[ACME, "arrears"]
    assert isinstance(failure, Failure)
    assert failure.fault is Fault.UNAVAILABLE
    assert told(outcomes[ACME, "awards"], "title") == [("Prize",)]
    assert isinstance(outcomes[ACME, "other"], Failure)


async def test_a_database_that_is_gone_is_unavailable_until_it_is_back(tmp_path: Path, folder: Path) -> None:
    away = folder / "away.db"
    (folder / "tax.db").rename(away)
    async with connected(sql.build, config(), folder) as connector:
        assert await fault(connector) == "SOURCE_UNAVAILABLE"
        assert not (folder / "tax.db").exists()
        away.rename(folder / "tax.db")
        assert len(told((await fetch(connector, ask("arrears", "period", BETA)))[BETA, "arrears"])) == 1


@pytest.mark.parametrize("way", ["renamed", "copied", "linked"])
async def test_a_database_that_is_replaced_is_read_as_it_is_now(folder: Path, way: str) -> None:
    shutil.copy(folder / "tax.db", folder / "new.db")
    with sqlite3.connect(folder / "new.db") as database:
        database.execute("DELETE FROM arrears WHERE notice_no = 'N-0'")
    with sqlite3.connect(folder / "tax.db") as database:  # as often written as the new one, which SQLite goes by
        database.execute("DELETE FROM arrears WHERE notice_no = 'N-3'")
    if way == "linked":
        (folder / "tax.db").rename(folder / "old.db")
        (folder / "tax.db").symlink_to("old.db")
    async with connected(sql.build, config(), folder) as connector:
        assert await notices(connector) == ["N-0", "N-1"]
        if way == "copied":
            shutil.copy(folder / "new.db", folder / "tax.db")
        elif way == "renamed":
            (folder / "new.db").rename(folder / "tax.db")
        else:
            (folder / "link").symlink_to("new.db")
            (folder / "link").rename(folder / "tax.db")
        assert await notices(connector) == ["N-1"]


async def test_a_database_that_is_deleted_is_read_no_more(folder: Path) -> None:
    async with connected(sql.build, config(), folder) as connector:
        assert await notices(connector) == ["N-0", "N-1"]
        (folder / "tax.db").unlink()
        assert await fault(connector) == "SOURCE_UNAVAILABLE"


async def notices(connector: Connector) -> list[str]:
    records = (await fetch(connector, ask("arrears", "period")))[ACME, "arrears"]
    assert not isinstance(records, Failure)
    return [record.m_id for record in records]


ENDLESS = (
    "CREATE VIEW slow AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
    " SELECT arrears.* FROM arrears, n WHERE n.i < 0"
)


def slow(folder: Path) -> dict[str, Any]:
    """The datasets, of which one is read by a statement without end."""
    with sqlite3.connect(folder / "tax.db") as database:
        database.execute(ENDLESS)
    return {"arrears": {**DATASETS["arrears"], "table": "slow"}, "awards": DATASETS["awards"]}


async def test_waiting_for_a_thread_in_vain_does_not_open_the_breaker(folder: Path) -> None:
    limits = {"timeout": "2s", "concurrency": 1, "breaker": {"failures": 2}}
    async with connected(sql.build, config(datasets=slow(folder), limits=limits), folder) as connector:
        first = asyncio.create_task(fault(connector))
        await asyncio.sleep(0)
        crowd = [fault(connector, ask("awards", "title"), within=0.1) for _ in range(4)]
        assert await asyncio.gather(*crowd) == ["SOURCE_TIMEOUT"] * 4
        assert await first == "SOURCE_TIMEOUT"
        outcome = (await fetch(connector, ask("awards", "title")))[ACME, "awards"]
        assert not isinstance(outcome, Failure), "one failed, and the others were never asked"


async def test_a_statement_without_end_is_ended(folder: Path) -> None:
    limits = {"timeout": "300ms", "concurrency": 1, "breaker": {"failures": 100}}
    async with connected(sql.build, config(datasets=slow(folder), limits=limits), folder) as connector:
        assert await fault(connector) == "SOURCE_TIMEOUT"
        assert await fault(connector, within=0.1) == "SOURCE_TIMEOUT"
        assert await fault(connector, within=-1.0) == "SOURCE_TIMEOUT"
        # The one thread is free again: the database itself ended the statement.

        async def answered() -> bool:
            outcome = (await fetch(connector, ask("awards", "title")))[ACME, "awards"]
            return not isinstance(outcome, Failure) and told(outcome, "title") == [("Prize",)]

        await until_async("an answer", answered)


async def test_a_statement_is_ended_though_it_asks_for_no_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite looks at the clock after so many steps, and a step may be long: it is interrupted besides."""
    monkeypatch.setattr(opening, "_STEPS", 2**31 - 1)
    await test_a_statement_without_end_is_ended(folder)


async def test_a_statement_without_end_seldom_stops_other_threads(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four of them, each with 50,000 looks at the clock in a second, held up everybody's inquiries."""
    looks, real = 0, time.monotonic

    class Counted:
        @staticmethod
        def monotonic() -> float:
            nonlocal looks
            looks += 1
            return real()

    monkeypatch.setattr(opening, "time", Counted)
    await test_a_statement_without_end_is_ended(folder)
    assert 0 < looks < 3000


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 1), (4, 2), (64, 8)])
def test_sqlite_leaves_half_of_the_cores(cores: int, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    assert threads_of(sa.create_engine("sqlite://"), 8) == threads
    assert threads_of(sa.create_engine("postgresql+psycopg://x/y"), 8) == 8


async def test_the_breaker_opens(folder: Path) -> None:
    (folder / "tax.db").rename(folder / "away.db")
    limits = {"breaker": {"failures": 2, "open_for": "1m"}}
    async with connected(sql.build, config(limits=limits), folder) as connector:
        assert [await fault(connector) for _ in range(2)] == ["SOURCE_UNAVAILABLE"] * 2
        (folder / "away.db").rename(folder / "tax.db")
        outcomes = await fetch(connector, ask("arrears", "period"))
    failure = outcomes[ACME, "arrears"]
    assert isinstance(failure, Failure)
    assert "breaker" in failure.detail


def test_nothing_can_be_written(folder: Path) -> None:
    engine = open_engine(written(config(), folder).mapping(any_key=True), 1, 1.0)
    for text in ("DELETE FROM arrears", "CREATE TABLE x (y)", "PRAGMA user_version = 7"):
        with engine.connect() as connection:
            protect(connection, float("inf"))
            with pytest.raises(OperationalError, match="readonly"):
                connection.exec_driver_sql(text)
    engine.dispose()


@pytest.mark.parametrize(
    ("change", "where", "words"),
    [
        ({"url": None}, (), "`url` is missing"),
        ({"url": "nonsense"}, ("url",), "database address"),
        ({"url": "mysql://x/y"}, ("url",), "`sqlite`, `postgresql` or `mariadb`"),
        ({"url": "sqlite://"}, ("url",), "path of a database file"),
        ({"url": "sqlite:///tax.db?mode=rw"}, ("url",), "nothing else"),
        ({"url": "postgresql+psycopg://u:secret@h/d"}, ("url",), "password_file"),
        ({"url": "postgresql+nodriver://u@h/d"}, ("url",), "is not the driver here; write `postgresql+psycopg://`"),
        ({"url": "postgresql+psycopg://u@h/d", "password_file": "none"}, ("password_file",), "there is no file"),
        ({"limits": {"retries": 1}}, ("limits", "retries"), "unknown key"),
        (
            {"datasets": {"awards": {**DATASETS["awards"], "table": "a; DROP"}}},
            ("datasets", "awards", "table"),
            "name of",
        ),
        (
            {"datasets": {"awards": {**DATASETS["awards"], "table": "a.b.c"}}},
            ("datasets", "awards", "table"),
            "name of",
        ),
        (
            {"datasets": {"awards": {**DATASETS["awards"], "fields": {"title": "a.b"}}}},
            ("datasets", "awards", "fields", "title"),
            "name of a column",
        ),
        (
            {
                "datasets": {
                    "awards": {
                        **DATASETS["awards"],
                        "record": {"id": "a", "version": "b", "subject": {"not_returned": "x"}},
                    }
                }
            },
            ("datasets", "awards", "record", "subject"),
            "subject columns",
        ),
    ],
)
def test_a_wrong_configuration_says_where_and_what(
    change: dict[str, Any], where: tuple[str, ...], words: str, folder: Path
) -> None:
    node = written({**config(), **change}, folder)
    sql.build(node, SHAPES)
    assert places(node, words) == [".".join(where)], node.problems
    assert "u:secret" not in str(node.problems)


async def test_what_is_missing_in_the_database_is_named_without_asking_about_anybody(
    folder: Path, statements: list[str]
) -> None:
    async def examined() -> list[str]:
        async with connected(sql.build, config(), folder) as connector:
            assert isinstance(connector, Examined)
            return list(await connector.examine())

    assert await examined() == []
    assert not any(ACME.value in each or BETA.value in each for each in statements)
    with sqlite3.connect(folder / "tax.db") as database:
        database.execute("ALTER TABLE arrears RENAME COLUMN inner_note TO other")
        database.execute("DROP TABLE awards")
    assert await examined() == ["`arrears`: no such column: arrears.inner_note", "`awards`: no such table: awards"]
    (folder / "tax.db").unlink()
    (told,) = await examined()
    assert told.startswith("the database cannot be read: ")
