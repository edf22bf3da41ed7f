"""Faults and numbers in words: no name of an exception, nothing that an exception quotes, and `1 entry`."""

from __future__ import annotations

import os
import re
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import asyncpg
import httpx
import msgspec
import psycopg
import pytest
import valkey
from sqlalchemy import create_engine, text

from gateway import saying
from gateway.errors import Code, LedgerUnavailable, Refusal, StoreHindered, StoreUnavailable
from gateway.nouns import counted
from tests.ports import free_port

GATEWAY = Path(saying.__file__).parent
DEFECTS = {
    "connecting/delivering/worker.py", "connecting/drifting/worker.py", "connecting/starting/tables.py",
    "inquiry/beside/refusing.py", "inquiry/fetch.py", "acts/sampling.py", "saying.py",
    "telemetry/log.py", "telemetry/traces.py", "recipient/asking.py", "connecting/conforming/system.py",
}  # fmt: skip
"""Where a defect of the program, or of a connector that a department wrote, is named by its type, for its author."""


def raised(do: Callable[[], object]) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it is, it is put into words
        do()
    return caught.value


def no_database() -> None:
    with sqlite3.connect(":memory:") as connection:
        connection.execute("SELECT * FROM secret_table")


def no_table() -> None:
    with create_engine("sqlite://").connect() as connection:
        connection.execute(text("INSERT INTO nowhere VALUES ('secret')"))


def no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        httpx.get(f"http://127.0.0.1:{listening.getsockname()[1]}/secret", timeout=0.01, trust_env=False)


def _raise(error: Exception) -> None:
    raise error


FAULTS: dict[str, tuple[Callable[[], object], str]] = {
    "a file": (lambda: Path("/nowhere/secret").read_bytes(), "No such file or directory"),
    "a port": (lambda: socket.create_connection(("127.0.0.1", free_port())), "Connection refused"),
    "an address": (
        lambda: httpx.get(f"http://127.0.0.1:{free_port()}/secret", trust_env=False),
        "it cannot be reached",
    ),
    "no answer": (no_answer, "no answer came in time"),
    "a text": (lambda: b"secret\xff".decode(), "it is no text in UTF-8"),
    "JSON": (lambda: msgspec.json.decode(b"{secret"), "it is no JSON"),
    "its form": (lambda: msgspec.json.decode(b'"secret"', type=int), "it has not the form that is expected"),
    "a program": (lambda: subprocess.run([sys.executable, "-c", "input()"], timeout=0.01, check=True), "too long"),
    "SQLite": (no_database, "the database failed (SQLITE_ERROR)"),
    "SQLAlchemy": (no_table, "the database failed (SQLITE_ERROR)"),
    "PostgreSQL": (lambda: psycopg.connect("host=/nowhere dbname=secret"), "cannot be reached"),
    "PostgreSQL's disk": (lambda: _raise(psycopg.errors.DiskFull("secret")), "the database's disk is full; make room"),
    "PostgreSQL's limit": (lambda: _raise(asyncpg.TooManyConnectionsError("secret")), "no more connections"),
    "Valkey": (lambda: valkey.Valkey(port=free_port()).ping(), "it cannot be reached"),
}


@pytest.mark.parametrize(("do", "words"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_said_in_words(do: Callable[[], object], words: str) -> None:
    said = saying.in_words(raised(do))
    assert words in said
    assert not re.search(r"secret|[a-z](Error|Exception|Timeout)\b", said)


def test_a_database_that_was_cut_while_it_is_open_is_named_so(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (c)")
    connection.executemany("INSERT INTO t VALUES (?)", [("x" * 4000,)] * 50)
    connection.commit()
    other = sqlite3.connect(path)
    other.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    os.truncate(path, 8192)
    said = saying.in_words(raised(lambda: other.execute("SELECT sum(length(c)) FROM t").fetchone()))
    assert said.startswith(("it is shorter than it was", "it is damaged"))
    assert "`dutybound restore`" in said
    assert "is gone" in saying.in_words(raised(lambda: sqlite3.connect(f"{tmp_path}/none/x.db")))


def test_our_own_words_are_kept_and_others_are_not_quoted() -> None:
    assert saying.in_words(StoreHindered("the disk at `/x` is full")) == "the disk at `/x` is full"
    for error in (StoreUnavailable("a row"), LedgerUnavailable("a row"), sqlite3.IntegrityError("a row")):
        assert "a row" not in saying.in_words(error)
    for code in Code:
        said = saying.in_words(Refusal(code, "a row"))
        assert "a row" not in said
        assert "; " in said, "why, and what to do"
    full = sqlite3.OperationalError("a row")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL
    refused = Refusal(Code.LEDGER_UNAVAILABLE, "a row")
    refused.__cause__ = LedgerUnavailable("a row")
    refused.__cause__.__cause__ = full
    assert saying.in_words(refused) == "its disk is full; make room there"
    assert saying.in_words(KeyError("a row")) == "a defect of this program, `KeyError`; report it"


def test_no_message_has_the_name_of_an_exception() -> None:
    found = {
        str(each.relative_to(GATEWAY)) for each in GATEWAY.rglob("*.py") if "type(error).__name__" in each.read_text()
    }
    assert found <= DEFECTS


@pytest.mark.parametrize(
    ("count", "noun", "form", "words"),
    [
        (0, "entry", "", "0 entries"),
        (1, "entry", ",", "1 entry"),
        (2000, "day", ",", "2,000 days"),
        (2, "row", "", "2 rows"),
    ],
)
def test_a_number_has_its_noun(count: int, noun: str, form: str, words: str) -> None:
    assert counted(count, noun, form) == words
