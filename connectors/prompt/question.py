"""One question to a department on the usual road: sent at once on a kept connection, read where the answer arrives.

This is `Caller.ask` where nothing has to be waited for but the answer: the breaker is closed, the access token at hand,
a place free and a connection kept. Whatever else becomes of it, `Caller.ask` goes on: with an answer that does not
count, or with the same question on a new connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from connectors.base import Answers, Outcome, Subject
from connectors.http.calling import RESTED, UNREAD, Asking, Caller, Reading
from connectors.http.connection import Connection
from connectors.http.transport import INLINE, Response, TransportFault
from connectors.http.unpacking import beside
from connectors.prompt.port import Told

Key = tuple[Subject, str]


def begin(caller: Caller, asking: Asking, key: Key, told: Callable[[Told], None]) -> Question | None:
    """Send it at once, and have `told` what becomes of its one `key`; None, and nothing sent, where it has to wait."""
    question = Question(caller, asking, key, told)
    question.connection = caller.begin(asking, question.heard)
    return question if question.connection is not None else None


class Question:
    """Fills `Begun`. Its connection is its own until it is settled, which it always is in the end."""

    __slots__ = ("_asking", "_caller", "_key", "_told", "_work", "connection", "end")

    def __init__(self, caller: Caller, asking: Asking, key: Key, told: Callable[[Told], None]) -> None:
        self._caller, self._asking, self._key, self._told = caller, asking, key, told
        self.end = asking.end
        self.connection: Connection | None = None
        self._work: asyncio.Future[Any] | None = None

    def heard(self, fault: TransportFault | None) -> None:
        """The exchange ended (`Connection.begin`)."""
        connection = self.connection
        if connection is None:
            return  # abandoned
        try:
            if fault is None:
                self._answered(connection)
            else:
                self._failed(fault)
        except Exception as error:
            self._broke(error)

    def late(self) -> None:
        """See `Begun`."""
        if self._work is not None:
            self._stop()
            self._told({self._key: UNREAD.told})
        elif self.connection is not None:
            self.connection.late()

    def abandon(self) -> None:
        """See `Begun`."""
        if self.connection is not None:
            self._stop()
            self._caller.abandoned(self.end)

    def _stop(self) -> None:
        work, self._work = self._work, None
        if work is not None:
            work.cancel()
        self._close()

    def _answered(self, connection: Connection) -> None:
        if connection.coding:
            self._beside(asyncio.ensure_future(self._caller.unpack(connection)), self.heard)
            return
        if connection.surplus and connection.is_doubtful(b""):
            self._failed(TransportFault.INVALID)
            return
        status, body, asking = connection.status, bytes(connection.body), self._asking
        answer = Response(status, body, connection.retry_after, None, connection.headers)
        if status != 200 and status not in asking.allowed:
            self._close()
            self._go_on(None if status == RESTED else answer, fresh=status == RESTED)
            return
        self._caller.worked()
        if len(body) > INLINE:
            self._beside(beside(asking.read, answer), self._read)
        else:
            self._read(asking.read(answer))

    def _failed(self, fault: TransportFault) -> None:
        self._close()
        if fault is TransportFault.TIMEOUT:
            self._told({self._key: self._caller.timed_out()})
        else:
            self._go_on(None, fresh=True)

    def _read(self, reading: Reading) -> None:
        connection, self.connection = self.connection, None
        assert connection is not None
        if connection.settle(reading.named and not reading.wrong) and not reading.wrong:
            self._told({self._key: reading.told})
        else:
            self._go_on(None, fresh=True)  # its connection had carried other answers: this may have been one, come late

    def _close(self) -> None:
        connection, self.connection = self.connection, None
        assert connection is not None
        connection.settle(False)

    def _go_on(self, came: Response | None, *, fresh: bool) -> None:
        self._told(self._asked(came, fresh))

    async def _asked(self, came: Response | None, fresh: bool) -> Answers:
        outcome: Outcome = await self._caller.ask(self._asking, came, fresh)
        return {self._key: outcome}

    def _beside(self, work: asyncio.Future[Any], then: Callable[[Any], None]) -> None:
        """Go on when work is done that others need not wait for."""

        def done(_: asyncio.Future[Any]) -> None:
            if self._work is not work or work.cancelled():
                return
            self._work = None
            try:
                then(work.result())
            except Exception as error:
                self._broke(error)

        self._work = work
        work.add_done_callback(done)

    def _broke(self, error: Exception) -> None:
        """A defect is reported: an event loop's callback could not raise it to anybody."""
        if self.connection is not None:
            self._close()
        self._told(error)
