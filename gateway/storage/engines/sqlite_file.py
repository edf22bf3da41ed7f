"""The file that a SQLite connection has opened: which one it is, and that it is in WAL mode."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from gateway.errors import StoreHindered, StoreUnavailable
from gateway.saying import in_words, of_sqlite

BUSY_TIMEOUT_MS = 5_000
"""Milliseconds that a connection waits, if it is not told otherwise, while another is writing."""
_OF_DISKS = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
_GROUP = 1 << 20
"""Bytes that a large group takes, with the pages it changes."""


class FileGone(StoreHindered):
    """What was opened is not what stands at the store's path any more."""


class Opened(sqlite3.Connection):
    """A connection that knows which files it opened: another may come to stand at their names."""

    files: tuple[tuple[int, int] | None, ...] = ()


def identity(name: str) -> tuple[int, int] | None:
    """Which file stands at a path, by device and number; None where none does."""
    try:
        found = os.stat(name)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def write_ahead(connection: sqlite3.Connection, seconds: float) -> None:
    """Put the file into WAL mode, where it is not. SQLite begins that as a read and lets no read wait to become a
    write: two that did would wait for each other. So whoever finds another at it tries again."""
    end = time.monotonic() + seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= end:
                raise
        time.sleep(0.01)


def unavailable(error: sqlite3.Error) -> StoreUnavailable:
    """What SQLite raised, in our own words where the file or its disk is why."""
    reason = of_sqlite(error)
    return StoreHindered(reason) if reason else StoreUnavailable(str(error))


def unusable(path: Path, error: Exception) -> str:
    """Why a SQLite file cannot be used, and what to do; a disk that is full is named."""
    found = getattr(error, "orig", None) or error
    if not isinstance(found, sqlite3.Error):
        return in_words(error)
    if getattr(found, "sqlite_errorcode", 0) & 0xFF in _OF_DISKS:
        try:
            room(path.absolute().parent)
        except StoreHindered as hindered:
            return str(hindered)
    return in_words(found)


@contextlib.contextmanager
def reported() -> Iterator[None]:
    """What SQLite raises in here is raised as `StoreUnavailable`."""
    try:
        yield
    except sqlite3.Error as error:
        raise unavailable(error) from error


def room(folder: Path) -> None:
    """See that the disk has room for one more group; raises `StoreHindered`.

    A transaction that is rolled back does not: SQLite writes nothing of it.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            os.posix_fallocate(file.fileno(), 0, _GROUP)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise StoreHindered(f"nothing can be written beside it ({error.strerror})") from error
        disk = next(each for each in (folder, *folder.parents) if each.is_mount() or each == each.parent)
        raise StoreHindered(f"the disk at `{disk}` is full; make room there") from error
