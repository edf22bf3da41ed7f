"""Opening the store: durable settings, closed to others, and a clear word where it cannot be."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from gateway.errors import ConfigurationError
from gateway.ledger.stored import read
from gateway.storage.engines import sqlite
from gateway.storage.statement import compiled
from gateway.storage.store import examine_store, open_copy, open_store
from gateway.storage.tables import metadata, micros, moment, requester


def test_every_connection_is_durable_and_the_file_is_its_owners(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'new' / 'store.db'}")
    connection = store.connect()
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
    assert connection.execute("PRAGMA busy_timeout").fetchone() == (5000,)
    connection.close()
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(store.path.parent.stat().st_mode) == 0o700
    store.close()


def test_what_the_log_grew_to_while_somebody_read_is_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_MOST_KEPT", 200_000)
    store = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    log = tmp_path / "store.db-wal"
    with contextlib.closing(store.connect()) as writer, contextlib.closing(store.connect()) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM requester").fetchone()
        for number in range(200):
            writer.execute("INSERT INTO requester (issuer, client) VALUES (?, ?)", ("i" * 4000, f"c{number}"))
        assert log.stat().st_size > 600_000
        reader.execute("COMMIT")
        assert writer.execute("PRAGMA wal_checkpoint").fetchone()[0] == 0
        writer.execute("INSERT INTO requester (issuer, client) VALUES ('i', 'last')")
        assert log.stat().st_size <= 200_000
    store.close()


def test_it_has_every_table_and_opens_again(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    store = open_store(url)
    with store.engine.begin() as connection:
        connection.execute(insert(requester).values(issuer="i", client="c"))
    store.close()
    again = open_store(url)
    with again.engine.begin() as connection:
        assert connection.execute(select(requester.c.client)).all() == [("c",)]
    raw = again.connect()
    names = {row[0] for row in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    raw.close()
    assert set(metadata.tables) <= names
    again.close()


def test_an_engines_transaction_is_undone_whole(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'store.db'}")

    def fail() -> None:
        with store.engine.begin() as connection:
            connection.execute(insert(requester).values(issuer="i", client="c"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with store.engine.connect() as connection:
        assert connection.execute(select(requester)).all() == []
    store.close()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "is not a store URL"),
        ("somewhere.db", "is not a store URL"),
        ("sqlite://", "in-memory"),
        ("sqlite:///:memory:", "in-memory"),
        ("sqlite+aiosqlite:///x.db", "without driver"),
        ("sqlite:///x.db?mode=ro", "without driver"),
        ("mysql://host/db", "`mysql` stores are not supported"),
        ("postgresql+psycopg://host/db", "must be `postgresql\\+asyncpg`"),
        ("postgresql+asyncpg:///db", "must name a host"),
        ("postgresql+asyncpg://host/", "must name a host and a database"),
        ("postgresql+asyncpg://host/db?sslmod=require", "`sslmod` is not understood"),
        ("postgresql+asyncpg://127.0.0.1:1/db", "is unusable"),
    ],
)
def test_a_url_that_cannot_be_used_says_why(url: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason) as refused:
        open_store(url, "here.yaml")
    assert refused.value.problems[0].file == "here.yaml"
    assert refused.value.problems[0].path == "store"


def test_a_place_that_cannot_be_used_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x" * 4096)
    for opening in (open_store, lambda url: examine_store(url, "here.yaml", single_node=True)):
        with pytest.raises(ConfigurationError, match=f"`{tmp_path / 'file'}` cannot be used: it is no SQLite database"):
            opening(f"sqlite:///{tmp_path / 'file'}")
    with pytest.raises(ConfigurationError, match="cannot be opened for writing"):
        open_store(f"sqlite:///{tmp_path / 'file' / 'below.db'}")
    with pytest.raises(ConfigurationError, match="cannot be opened for writing"):
        open_store(f"sqlite:///{tmp_path}")


def test_a_file_with_another_name_is_refused(tmp_path: Path) -> None:
    mine, other = tmp_path / "a.db", tmp_path / "elsewhere" / "b.db"
    open_store(f"sqlite:///{mine}").close()
    other.parent.mkdir()
    other.hardlink_to(mine)
    for url in (f"sqlite:///{mine}", f"sqlite:///{other}"):
        with pytest.raises(ConfigurationError, match="has another name too"):
            open_store(url)
        with pytest.raises(ConfigurationError, match="has another name too"):
            examine_store(url, "here.yaml", single_node=True)
    other.unlink()
    open_store(f"sqlite:///{mine}").close()


async def test_a_link_to_it_is_the_same_store(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'a.db'}")
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "b.db"
    link.symlink_to(tmp_path / "a.db")
    same = open_store(f"sqlite:///{link}")
    held = await store.hold("1")
    assert held is not None
    assert await same.hold("1") is None
    await held.release()
    same.close()
    store.close()


def test_a_copy_is_only_read(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    open_store(url).close()
    copy = open_copy(tmp_path / "store.db")
    connection = copy.connect()
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM entry")
    connection.close()
    copy.close()
    for path in (tmp_path / "nowhere.db", tmp_path):
        with pytest.raises(ConfigurationError, match="cannot be read as a store"):
            open_copy(path)
    (tmp_path / "empty.db").touch()
    with pytest.raises(ConfigurationError, match="holds no ledger"):
        open_copy(tmp_path / "empty.db")


def test_a_statement_is_refused_where_its_marks_are_in_another_order() -> None:
    statement = insert(requester)
    assert (
        compiled(statement, "id", "issuer", "client") == "INSERT INTO requester (id, issuer, client) VALUES (?, ?, ?)"
    )
    with pytest.raises(AssertionError, match="the marks"):
        compiled(statement, "id", "client", "issuer")


@pytest.mark.parametrize("value", [0, 1, -1, 1_800_000_000_123_456])
def test_times_keep_their_microseconds(value: int) -> None:
    assert micros(moment(value)) == value


async def test_opening_a_store_again_leaves_the_locks_of_this_process_on_its_file(tmp_path: Path) -> None:
    """POSIX drops a process's locks on a file when it closes any descriptor of it (fcntl(2)); SQLite needs them."""
    url = f"sqlite:///{tmp_path}/store.db"
    store = open_store(url)
    with contextlib.closing(store.reader()) as reader:
        assert read.heads(reader) == []  # its snapshot holds a lock on the WAL's index, and one on the file
        before = locks(tmp_path / "store.db")
        assert before
        open_store(url).close()
        assert locks(tmp_path / "store.db") >= before
    store.close()


def locks(path: Path) -> set[str]:
    """The byte ranges of a file that this process has locks on (proc(5), `locks`)."""
    mine, inode = str(os.getpid()), str(path.stat().st_ino)
    lines = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return {" ".join(line[3:]) for line in lines if mine in line and line[-3].endswith(f":{inode}")}
