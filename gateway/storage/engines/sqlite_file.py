"""The file that a SQLite connection has opened: which one it is, and that it is in WAL mode."""

from __future__ import annotations

import os
import sqlite3
import time

from gateway.errors import StoreUnavailable


class FileGone(StoreUnavailable):
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
    """Put the file into WAL mode, where it is not. SQLite begins that as a read and lets no read wait to become a write
    (two that did would wait for each other), so whoever finds another at it is to try again."""
    end = time.monotonic() + seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= end:
                raise
        time.sleep(0.01)
