"""Sessions of asyncpg with the primary of a PostgreSQL store, and what a driver or a network raises, as one error."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import asyncpg

from gateway.errors import StoreHindered, StoreUnavailable
from gateway.saying import in_words, of_postgresql

CONNECT_TIMEOUT = 5
READ_TIMEOUT = 5
"""Seconds."""

SESSION = {"tcp_keepalives_idle": "5", "tcp_keepalives_interval": "2", "tcp_keepalives_count": "3", "jit": "off"}
"""A gateway's machine that vanishes gives its shard up within eleven seconds. To compile statements as short as ours
takes the server many times longer than to run them (Debian's packages have `jit` on)."""


async def connect(address: str, application: str, **settings: str) -> asyncpg.Connection[asyncpg.Record]:
    """A session with the primary, named `application` there, with further settings of the server's."""
    return await asyncpg.connect(
        address,
        timeout=CONNECT_TIMEOUT,
        target_session_attrs="read-write",
        server_settings={"application_name": application, **SESSION, **settings},
    )


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Whatever the driver or the network raises is a `StoreUnavailable`."""
    try:
        yield
    except TimeoutError as error:
        raise StoreUnavailable("the database did not answer in time") from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as error:
        raise unavailable(error) from error


def unavailable(error: Exception) -> StoreUnavailable:
    """What either driver raised, in our own words where the server, its disk or a right is why."""
    found = getattr(error, "orig", None) or error
    reason = of_postgresql(found)
    return StoreHindered(reason) if reason else StoreUnavailable((str(error).splitlines() or [in_words(error)])[0])
