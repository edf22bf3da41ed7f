"""Copies an SQLite file's WAL into the database beside the commits, so that no commit waits for it (sqlite.org/wal).

SQLite would copy within the commit that fills a thousand pages, and wait for the disk twice more. Here a thread with a
connection of its own does it, a few times a second at most, while others go on writing (`PASSIVE`). Under a load that
never pauses it never catches up, and the WAL would grow without end: so once it is long, whoever commits copies the few
pages that are left and begins it anew (`RESTART`), unless a reader stands in the way, and then a little later.

Nothing here is needed for durability: what was committed is on the disk in the WAL.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

EVERY = 0.25
LONG = 16_384
"""Pages: 64 MiB."""


class Checkpointer:
    """For one process's commits; `connect` makes a connection that does not wait for others."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self._connection: sqlite3.Connection | None = None
        self._next = 0.0
        self._busy = self._long = False

    def committed(self, connection: sqlite3.Connection) -> None:
        """After each commit, by who committed: see to it that the WAL is copied, at once or soon."""
        now = time.monotonic()
        if self._busy or now < self._next:
            return
        self._next = now + EVERY
        if self._long:
            self._long = False
            with contextlib.suppress(sqlite3.Error):
                connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
            return
        self._busy = True
        self._thread.submit(self._copy)

    def _copy(self) -> None:
        try:
            if self._connection is None:
                self._connection = self._connect()
            _, length, _ = self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            self._long = length > LONG
        except sqlite3.Error:
            self._close()
        finally:
            self._busy = False

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def close(self) -> None:
        """End the thread; what is left in the WAL stays there until the file's last connection is closed."""
        self._thread.submit(self._close)
        self._thread.shutdown()
