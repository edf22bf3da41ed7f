"""Reading a database in threads, so that nothing that hangs holds a thread, an inquiry or the gateway's stop.

A statement that is too slow is ended by the database. One that never comes back, because the connection died in
silence, is ended here: its socket is shut, which wakes the thread that waits on it, and the whole pool is renewed. On a
connection that gave no sign of life within half of the time, another one is tried within the same inquiry.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from connectors.database.opening import protect
from connectors.database.rights import Place, beyond_reading
from connectors.kit.breaker import SOON, crowded

_GRACE = 0.25
"""Seconds past the end in which the database may end a statement by itself, which leaves the connection whole."""

T = TypeVar("T")


class CrowdedError(TimeoutError):
    """Nothing was read, since all threads were at other readings for most of that time."""


class _Lease:
    """The connection that one reading holds now, so that another thread can cut it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: Any = None
        self.began: float | None = None
        self.answered = self.ended = False

    def hold(self, connection: Any) -> None:
        with self._lock:
            self._held = None if self.ended else connection
        if self.ended:
            _shut(connection)

    def let_go(self) -> None:
        with self._lock:
            self._held = None

    def interrupt(self) -> None:
        """End the statement of SQLite that runs now; a server ends its own."""
        with self._lock:
            if isinstance(self._held, sqlite3.Connection):
                self._held.interrupt()

    def cut(self, *, unless_answered: bool = False) -> None:
        """Shut the connection; for good, so that no other is taken, or only where it has not said anything yet."""
        with self._lock:
            self.ended = self.ended or not unless_answered
            if self._held is not None and not (unless_answered and self.answered):
                _shut(self._held)


def _shut(connection: Any) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.interrupt()
        return
    network = getattr(connection, "_sock", connection)  # PyMySQL has no other way to it
    if hasattr(network, "fileno"):  # only a connection over a network can hang
        with contextlib.suppress(Exception), socket.socket(fileno=os.dup(network.fileno())) as its:
            its.shutdown(socket.SHUT_RDWR)


def threads_of(engine: sa.Engine, asked: int) -> int:
    """How many threads read: as many as are asked for, but of what works in this process itself for half of the cores.

    Statements of SQLite that take long would else leave no core to the one thread that serves everybody.
    """
    if engine.dialect.name != "sqlite":
        return asked
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(asked, max(1, cores // 2))


class Readers:
    """At most so many threads, each with a connection of the engine's pool while it reads."""

    def __init__(self, engine: sa.Engine, threads: int) -> None:
        self._engine = engine
        self._threads = ThreadPoolExecutor(threads_of(engine, threads), thread_name_prefix="database")
        self._leases: set[_Lease] = set()

    async def run(self, work: Callable[[sa.Connection, float], T], end: float) -> T:
        """What `work` gives, in one read-only transaction that ends at `end`, on the event loop's clock.

        `work` is also told that time on `time.monotonic`'s clock. Raises `TimeoutError`, and what `work` raises;
        `CrowdedError` where no thread was free in time.
        """
        loop = asyncio.get_running_loop()
        left = end - loop.time()
        until = time.monotonic() + left
        lease = _Lease()
        self._leases.add(lease)
        future = loop.run_in_executor(self._threads, self._read, lease, work, until)
        timers = (
            loop.call_at(end - left / 2, lambda: lease.cut(unless_answered=True)),
            loop.call_at(end, lease.interrupt),
            loop.call_at(end + _GRACE, lease.cut),
        )

        def over(done: asyncio.Future[T]) -> None:
            if not done.cancelled():
                done.exception()  # whoever asked may be gone
            self._leases.discard(lease)
            for timer in timers:
                timer.cancel()

        future.add_done_callback(over)
        try:
            async with asyncio.timeout_at(end - SOON):
                return await asyncio.shield(future)
        except TimeoutError as error:
            if lease.began is None or crowded(until - left, lease.began, until):
                raise CrowdedError from error
            raise

    def _read(self, lease: _Lease, work: Callable[[sa.Connection, float], T], until: float) -> T:
        for last in (False, True):
            if lease.ended or time.monotonic() >= until:
                break
            try:
                return self._once(lease, work, until)
            except DBAPIError as error:
                # A connection of the pool that had died: a new one may live, and nothing was read yet.
                if last or lease.answered or not error.connection_invalidated:
                    raise
        raise TimeoutError

    def _once(self, lease: _Lease, work: Callable[[sa.Connection, float], T], until: float) -> T:
        lease.began = lease.began or time.monotonic()
        with self._engine.connect() as connection:
            lease.hold(connection.connection.driver_connection)
            try:
                _begin(connection, until)
                lease.answered = True
                return work(connection, until)
            finally:
                # Here, while it can be cut: giving it back to the pool then says nothing to the database.
                with contextlib.suppress(DBAPIError):
                    connection.rollback()
                lease.let_go()

    async def close(self) -> None:
        """End what is read now, and give the threads and connections back."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for lease in list(self._leases):
            lease.cut()
        await asyncio.to_thread(self._engine.dispose)


def _begin(connection: sa.Connection, until: float) -> None:
    """Protect the transaction. A session in which none can begin is not used again, however alive it is.

    MariaDB lets an account in whose password has expired, and refuses all but `SET` for as long as that session lasts.
    """
    try:
        protect(connection, until)
    except DBAPIError as error:
        connection.invalidate(error)
        error.connection_invalidated = True
        raise


async def examine(
    readers: Readers, within: float, selects: Mapping[str, sa.Select[Any]], places: Sequence[Place]
) -> list[str]:
    """What is wrong with a database (`connectors.base.Examined`): each of the `selects` must run, by its name.

    The account should have no right to write to the `places` that they read.
    """
    found: list[str] = []

    def work(connection: sa.Connection, _until: float) -> None:
        for name, select in selects.items():
            try:
                with connection.begin_nested():
                    connection.execute(select)
            except SQLAlchemyError as error:
                found.append(f"`{name}`: {_first_line(error)}")
        if rights := beyond_reading(connection, places):
            listed = ", ".join(f"`{right}`" for right in rights)
            found.append(f"the account may do more than read ({listed}); let it have `SELECT` alone")

    try:
        await readers.run(work, asyncio.get_running_loop().time() + within)
    except TimeoutError:
        found.append("the database cannot be read: it does not answer in time")
    except SQLAlchemyError as error:
        found.append(f"the database cannot be read: {_first_line(error)}")
    return found


def _first_line(error: SQLAlchemyError) -> str:
    return (str(getattr(error, "orig", None) or error).splitlines() or [type(error).__name__])[0]
