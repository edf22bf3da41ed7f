"""A form that is sent twice, by a double click or where the network is slow, is answered as it was the first time.

A browser shows the answer to what it sent last. Of an act that was done already that would be a refusal, though the act
stands, and what the person reads would be false. So each form is noted in its session before it is answered, by any
process: the same form waits for the one before it, and leads to where that led; nothing is done twice.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping

import msgspec

from gateway.console.sessions import Sent, Session, Sessions

AGAIN = 10
"""Seconds in which a form that did something counts as sent twice. Later it is meant anew, and the API judges it."""
WAITED = 30
"""Seconds for which a form counts as under way: a process that ended meanwhile leaves no answer."""
SETTLES = 5
"""Seconds for which a page that shows what was done waits for the session's other forms."""
_PAUSE = 0.05


def digest(place: str, form: Mapping[str, list[str]]) -> str:
    """A digest by which one form differs from another: of where it was sent, and of every field."""
    return hashlib.sha256(msgspec.json.encode([place, sorted(form.items())])).hexdigest()


class Turns:
    """The forms of each session, one after the other where they are the same. `now` gives seconds since the epoch."""

    def __init__(self, sessions: Sessions, now: Callable[[], float]) -> None:
        self._sessions, self._now = sessions, now

    async def begin(self, word: str, form: str) -> Sent | None:
        """Note that a form is being answered; where the same was, once that has its answer, what came of it."""

        def note(session: Session) -> Sent | None:
            now = self._now()
            session.sent = [each for each in session.sent if now - each.at <= (AGAIN if each.place else WAITED)]
            before = next((each for each in session.sent if each.form == form), None)
            if before is not None and (waited or not before.place or before.said is not None):
                return before
            session.sent = [*(each for each in session.sent if each.form != form), Sent(form, now)]
            return None

        waited = False
        while (before := await self._sessions.amend(word, note)) is not None and not before.place:
            waited = True
            await asyncio.sleep(_PAUSE)
        return before

    def end(self, session: Session, form: str, place: str, said: dict[str, str] | None) -> None:
        """Note in a session where the answer to a form leads, and what was done; nowhere where that cannot be kept."""
        answered = [Sent(form, self._now(), place, said)] if place else []
        session.sent = [*(each for each in session.sent if each.form != form), *answered]

    async def settled(self, word: str, session: Session) -> Session:
        """The session once none of its forms is under way, or after `SETTLES` seconds: one page then shows all."""
        for _ in range(round(SETTLES / _PAUSE)):
            if all(each.place or self._now() - each.at > SETTLES for each in session.sent):
                break
            await asyncio.sleep(_PAUSE)
            session = await self._sessions.found(word) or session
        return session
