"""Who is signed in at the pages: kept here, never in the browser, which holds a random word and nothing else.

Invariants: a session begins with a new word, at sign-in only; it is over after `IDLE` without use, after `LONGEST`, and
with its access token, whichever is first; signing out ends it everywhere. The word is in no store and in no log. One
that is over has no token any more, and opens nothing: it only holds the form that was being sent, for the same person.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import secrets
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec
from sqlalchemy import Engine

from gateway.config.oauth import PEOPLE
from gateway.console.sealing import Sealer
from gateway.storage import sessions as rows

IDLE, LONGEST = 30 * 60, 8 * 3600
"""Seconds that a session lasts unused, and at most."""
FRESH = 600
"""Seconds for which a sign-in counts as one of just now."""
HELD = 900
"""Seconds for which a form that was not entered is held, also for somebody whose session was over when they sent it."""
SHOWN = 60
"""Seconds within which the page that answers a form is asked for, or never."""

_TOUCH = 60
"""Seconds after which its use is noted anew: not each look is a write."""
_WORD = 32
_MICRO = 1_000_000
_MOST_TOLD = 20
_TRIES = 50

T = TypeVar("T")


class Kept(msgspec.Struct):
    """A form that was not entered: the address of its page (path and query), what was typed, by field, and when."""

    path: str
    fields: dict[str, list[str]]
    at: float = 0.0


class Sent(msgspec.Struct):
    """A form that was sent: its digest, and when it was, or was answered.

    `place` is where its answer led, empty while it is under way; `said` what was done by it, where something was.
    """

    form: str
    at: float
    place: str = ""
    said: dict[str, str] | None = None


class Session(msgspec.Struct):
    """What is known of somebody signed in. Times are seconds since the epoch.

    `login` names the way in which they signed in. `scopes` are the token's. `auth_time` is when they last showed who
    they are, 0 where the issuer does not say. `csrf` stands in each form. `told` is what the next page shows once.
    `kept` is the last form that was sent, unless it was entered; `sent` are those of just now.
    """

    login: str
    token: str
    scopes: tuple[str, ...]
    subject: str
    name: str
    auth_time: float
    expires: float
    csrf: str
    kept: Kept | None = None
    told: list[dict[str, str]] = []
    sent: list[Sent] = []

    def fresh(self, now: float) -> bool:
        """Whether they showed just now who they are."""
        return now - self.auth_time <= FRESH

    def tell(self, said: dict[str, str]) -> None:
        """Have the next page show this, once."""
        if said not in self.told:
            self.told = [*self.told, said][-_MOST_TOLD:]

    def tells(self) -> list[dict[str, str]]:
        """What the next page shows, which is shown with this."""
        told, self.told = self.told, []
        return told

    def typed_at(self, path: str, now: float) -> dict[str, list[str]] | None:
        """What was typed at a page and not entered; None where there is none, or where it was too long ago."""
        kept = self.kept
        return kept.fields if kept is not None and kept.path == path and now - kept.at <= HELD else None

    @property
    def roles(self) -> tuple[str, ...]:
        """Which rooms are theirs, by the token's scopes."""
        return tuple(each for each in PEOPLE if each in self.scopes)


class Sessions:
    """The sessions of one store. `now` gives seconds since the epoch, never falling."""

    def __init__(self, engine: Callable[[], Engine], made_by: Sequence[bytes], now: Callable[[], float]) -> None:
        self._engine, self._now = engine, now
        self._sealer, self._pages = Sealer(made_by, "session"), Sealer(made_by, "page")

    async def begin(self, session: Session, before: str | None) -> str:
        """Keep a session, end the one that the browser had `before`, and give the word that opens it."""
        word = secrets.token_bytes(_WORD)
        now = self._now()
        ends = min(session.expires, now + LONGEST)
        row = rows.Row(self._sealed(session, word), int(now * _MICRO), int(ends * _MICRO))
        if before:
            await self.end(before)
        idle = int((now - IDLE) * _MICRO)
        await asyncio.to_thread(rows.add, self._engine(), _id(word), row, idle, int(now * _MICRO))
        return base64.urlsafe_b64encode(word).rstrip(b"=").decode()

    async def found(self, cookie: str) -> Session | None:
        """The session that a word opens, where it is not over."""
        word = _word(cookie)
        row = None if word is None else await asyncio.to_thread(rows.one, self._engine(), _id(word))
        if word is None or row is None:
            return None
        now, session = self._now(), self._opened(row, word)
        if session is None or not session.token:
            return None
        if row.ends <= now * _MICRO or row.seen <= (now - IDLE) * _MICRO:
            await self.close(cookie, session, None)
            return None
        if row.seen <= (now - _TOUCH) * _MICRO:
            await asyncio.to_thread(rows.change, self._engine(), _id(word), row.sealed, int(now * _MICRO))
        return session

    async def amend(self, cookie: str, change: Callable[[Session], T]) -> T | None:
        """Have one changed as the store has it now, and give what `change` gave; None where it is over.

        `change` is called again where another request was first, so that neither undoes what the other did.
        """
        word = _word(cookie)
        for _ in range(_TRIES):
            row = None if word is None else await asyncio.to_thread(rows.one, self._engine(), _id(word))
            session = None if word is None or row is None else self._opened(row, word)
            if word is None or row is None or session is None or not session.token:
                return None
            before = msgspec.json.encode(session)
            given = change(session)
            if msgspec.json.encode(session) == before:
                return given
            sealed, now = self._sealed(session, word), int(self._now() * _MICRO)
            if await asyncio.to_thread(rows.swap, self._engine(), _id(word), row.sealed, sealed, now):
                return given
        raise TimeoutError("a session is changed by too many requests at once")

    async def close(self, cookie: str, session: Session, kept: Kept | None) -> None:
        """What is left of one that is over: whose it was, and the form that they were sending, for `HELD` seconds."""
        session.token, session.scopes, session.kept = "", (), kept
        if (word := _word(cookie)) is not None:
            now = int(self._now() * _MICRO)
            sealed, ends = self._sealed(session, word), now + HELD * _MICRO
            await asyncio.to_thread(rows.change, self._engine(), _id(word), sealed, now, ends)

    async def closed(self, cookie: str) -> Session | None:
        """What is left of one that is over; None for every other."""
        word = _word(cookie)
        row = None if word is None else await asyncio.to_thread(rows.one, self._engine(), _id(word))
        session = None if word is None or row is None else self._opened(row, word)
        if row is None or session is None or session.token or row.ends <= self._now() * _MICRO:
            return None
        return session

    async def hold(self, cookie: str, name: str, page: bytes) -> None:
        """Hold a page for one, by a name that nobody can guess, until it is shown, or for `SHOWN` seconds."""
        if (word := _word(cookie)) is not None:
            now = int(self._now() * _MICRO)
            row = rows.Row(self._pages.sealed(page, word), now, now + SHOWN * _MICRO)
            idle = now - IDLE * _MICRO
            await asyncio.to_thread(rows.add, self._engine(), _id(word, name), row, idle, now)

    async def shown(self, cookie: str, name: str) -> bytes | None:
        """The page that is held by that name, once."""
        word = _word(cookie)
        row = None if word is None else await asyncio.to_thread(rows.one, self._engine(), _id(word, name))
        if word is None or row is None:
            return None
        await asyncio.to_thread(rows.remove, self._engine(), _id(word, name))
        return self._pages.opened(row.sealed, word) if row.ends > self._now() * _MICRO else None

    async def end(self, cookie: str) -> None:
        """End one."""
        if (word := _word(cookie)) is not None:
            await asyncio.to_thread(rows.remove, self._engine(), _id(word))

    def _opened(self, row: rows.Row, word: bytes) -> Session | None:
        text = self._sealer.opened(row.sealed, word)
        return None if text is None else msgspec.json.decode(text, type=Session)

    def _sealed(self, session: Session, word: bytes) -> bytes:
        return self._sealer.sealed(msgspec.json.encode(session), word)


def _id(word: bytes, page: str = "") -> bytes:
    """The id of a session's row, or of that of a page that is held for it."""
    kind = f"page {page} ".encode() if page else b"session "
    return hashlib.sha256(b"dutybound " + kind + word).digest()


def _word(cookie: str) -> bytes | None:
    """The word of a cookie; None for what is none."""
    try:
        word = base64.b64decode(cookie + "=", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return word if len(word) == _WORD else None
