"""Time that has passed for somebody signed in at a running region, as its store has it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from sqlalchemy import create_engine

from gateway.console.guarding import COOKIE
from gateway.console.sessions import FRESH, Session, Sessions, _id, _word
from gateway.ledger.proof import key_files
from gateway.storage import sessions as rows
from tests.conftest import World
from tests.console.visitor import Visitor


def stale(world: World, visitor: Visitor) -> None:
    """Ten minutes and more are over since they signed in."""

    def change(session: Session) -> None:
        session.auth_time -= FRESH + 1

    _changed(world, visitor, change)


def refused(world: World, visitor: Visitor) -> None:
    """Their access token is taken no more."""

    def change(session: Session) -> None:
        session.token += "x"

    _changed(world, visitor, change)


def over(world: World, visitor: Visitor) -> None:
    """Their session is over."""
    _changed(world, visitor, lambda session: None, ends=int(time.time() * 1_000_000))


def _changed(world: World, visitor: Visitor, change: Callable[[Session], None], ends: int | None = None) -> None:
    engine = create_engine(world.told["store"])
    secret = key_files.load(world.region.place.run / "ledger.key").private_bytes_raw()
    sessions, word = Sessions(lambda: engine, [secret], time.time), visitor.cookies[COOKIE]

    async def changed() -> None:
        assert await sessions.found(word) is not None
        await sessions.amend(word, change)
        if ends is not None:
            with engine.begin() as connection:
                row = rows.console_session
                connection.execute(row.update().where(row.c.id == _id(_word(word) or b"")).values(ends=ends))

    try:
        asyncio.run(changed())
    finally:
        engine.dispose()
