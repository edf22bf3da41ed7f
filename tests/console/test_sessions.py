"""Sessions: who has the word has the session, until it is over; the store alone opens none."""

from __future__ import annotations

import asyncio
import base64
import os
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select

from gateway.console.sealing import Sealer
from gateway.console.sessions import HELD, IDLE, LONGEST, SHOWN, Kept, Session, Sessions
from gateway.console.watching import suspensions
from gateway.storage.port import Store
from gateway.storage.sessions import console_session
from tests.storage.conftest import Place, bare, place, server, store

__all__ = ["Place", "bare", "place", "server", "store"]

SECRET = bytes(32)


def session(**changes: object) -> Session:
    values = {
        "login": "portal", "token": "a secret token", "scopes": ("self",), "subject": "person-1", "name": "Runa",
        "auth_time": 0.0, "expires": 1e9, "csrf": "c",
    }  # fmt: skip
    return Session(**{**values, **changes})  # type: ignore[arg-type]


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(store: Store, clock: Clock) -> Sessions:
    return Sessions(lambda: store.engine, [SECRET], clock)


async def test_a_word_opens_its_session_and_no_other(sessions: Sessions) -> None:
    word = await sessions.begin(session(), None)
    assert await sessions.found(word) == session()
    wrong = base64.urlsafe_b64encode(os.urandom(32)).rstrip(b"=").decode()
    for other in ("", "x", wrong, word[:-1], word + "=", word.swapcase()):
        assert await sessions.found(other) is None


async def test_the_store_alone_opens_none(sessions: Sessions) -> None:
    word = await sessions.begin(session(), None)
    with sessions._engine().connect() as connection:
        (row,) = connection.execute(select(console_session)).all()
    assert b"a secret token" not in row.sealed
    assert b"Runa" not in row.sealed
    assert base64.urlsafe_b64decode(word + "=") not in (row.id, row.sealed)
    assert Sealer([SECRET], "session").opened(row.sealed) is None
    assert Sealer([SECRET], "session").opened(row.sealed, row.id) is None
    assert Sealer([bytes(31) + b"1"], "session").opened(row.sealed, base64.urlsafe_b64decode(word + "=")) is None


async def test_it_is_over_when_it_is_not_used(sessions: Sessions, clock: Clock) -> None:
    word = await sessions.begin(session(), None)
    for _ in range(5):
        clock.now += IDLE - 1
        assert await sessions.found(word) is not None
    clock.now += IDLE
    assert await sessions.found(word) is None
    clock.now -= IDLE
    assert await sessions.found(word) is None


async def test_it_is_over_after_so_long_and_with_its_token(sessions: Sessions, clock: Clock) -> None:
    word = await sessions.begin(session(), None)
    for _ in range(LONGEST // (IDLE - 100)):
        clock.now += IDLE - 100
        assert await sessions.found(word) is not None
    clock.now = 1000.0 + LONGEST
    assert await sessions.found(word) is None
    word = await sessions.begin(session(expires=clock.now + 60), None)
    clock.now += 59
    assert await sessions.found(word) is not None
    clock.now += 1
    assert await sessions.found(word) is None


async def test_a_new_one_ends_the_one_before(sessions: Sessions) -> None:
    first = await sessions.begin(session(), None)
    second = await sessions.begin(session(name="Edda"), first)
    assert await sessions.found(first) is None
    assert (await sessions.found(second) or session()).name == "Edda"
    await sessions.end(second)
    assert await sessions.found(second) is None
    # A page that was still being made brings nothing back.
    assert await sessions.amend(second, lambda one: one.tell({"text": "done.kept"})) is None
    assert await sessions.found(second) is None


async def test_what_requests_change_at_once_is_all_kept(sessions: Sessions) -> None:
    word = await sessions.begin(session(), None)
    said = [{"text": "done.kept", "receipt": str(number)} for number in range(5)]
    await asyncio.gather(*(sessions.amend(word, lambda one, each=each: one.tell(each)) for each in said))
    found = await sessions.found(word)
    assert found is not None
    assert sorted(found.told, key=lambda each: each["receipt"]) == said
    assert await sessions.amend(word, Session.tells) == found.told
    assert await sessions.amend(word, Session.tells) == []


async def test_a_page_is_held_for_its_session_and_shown_once(sessions: Sessions, clock: Clock) -> None:
    one, other = await sessions.begin(session(), None), await sessions.begin(session(name="Edda"), None)
    await sessions.hold(one, "a", b"<p>Runa's")
    with sessions._engine().connect() as connection:
        assert not [row for row in connection.execute(select(console_session)).all() if b"Runa" in row.sealed]
    assert await sessions.shown(other, "a") is None
    assert await sessions.shown(one, "b") is None
    assert await sessions.shown(one, "a") == b"<p>Runa's"
    assert await sessions.shown(one, "a") is None
    await sessions.hold(one, "c", b"late")
    clock.now += SHOWN
    assert await sessions.shown(one, "c") is None
    await sessions.hold(one, "d", b"never asked for")
    clock.now += SHOWN
    await sessions.hold(one, "e", b"another")
    with sessions._engine().connect() as connection:
        assert len(connection.execute(select(console_session.c.id)).all()) == 3  # two sessions and the last page


def test_what_was_typed_is_held_for_its_page_and_for_a_while() -> None:
    of = session(kept=Kept("/my/object?access=a", {"reason": ["Mine."]}, 1000.0))
    assert of.typed_at("/my/object?access=a", 1000.0 + HELD) == {"reason": ["Mine."]}
    assert of.typed_at("/my/object?access=b", 1000.0) is None
    assert of.typed_at("/my/object?access=a", 1001.0 + HELD) is None


async def test_those_that_are_over_are_let_go(sessions: Sessions, clock: Clock) -> None:
    for _ in range(3):
        await sessions.begin(session(), None)
    clock.now += IDLE
    await sessions.begin(session(), None)
    with sessions._engine().connect() as connection:
        assert len(connection.execute(select(console_session.c.id)).all()) == 1


class Stale:
    """A visit of somebody who signed in long ago. What it asks of the API is a defect."""

    fresh = False

    def __init__(self) -> None:
        self.request = SimpleNamespace(path_params={"id": "s 1"})
        self.back = ""

    def query(self, name: str) -> str:
        return "1-a"

    def field(self, name: str) -> str:
        return "yes"

    async def again(self, next_: str) -> str:
        self.back = next_
        return "again"


@pytest.mark.parametrize(
    ("room", "back"),
    [
        (suspensions.ending, "/console/suspensions/s%201/end?after=1-a"),
        (suspensions.end, "/console/suspensions/s%201/end?after=yes"),
        (suspensions.confirm, "/console/suspensions"),
    ],
)
async def test_who_ends_a_suspension_signed_in_just_before(room: Any, back: str) -> None:
    visit = Stale()
    assert await room(visit) == "again"
    assert visit.back == back
