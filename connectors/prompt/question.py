"""One question to a department on the usual road: sent at once on a kept connection, read when whoever asked wants it.

This is `Caller.ask` where nothing has to be waited for but the answer: the breaker is closed, the access token at hand,
a place free and a connection kept. Whatever else becomes of it, `Caller.ask` goes on: with an answer that does not
count, or with the same question on a new connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from connectors.base import Answers, Outcome, Subject
from connectors.http.calling import RESTED, UNREAD, Asking, Caller, Reading
from connectors.http.connection import Connection
from connectors.http.transport import INLINE, Response, TransportFault
from connectors.http.unpacking import beside
from connectors.prompt.port import Told

Key = tuple[Subject, str]


def begin(caller: Caller, asking: Asking, key: Key, told: Callable[[Told], None]) -> Question | None:
    """Send it at once, and have `told` what becomes of its one `key`; None, and nothing sent, where it has to wait."""
    question = Question(asking.end, caller, asking, key, told)
    question.connection = caller.begin(asking, question.heard)
    return question if question.connection is not None else None


class Question(msgspec.Struct, eq=False):
    """Fills `Begun`. Its connection is its own until it is settled, which it always is in the end."""

    end: float
    caller: Caller
    asking: Asking
    key: Key
    told: Callable[[Told], None]
    connection: Connection | None = None
    work: asyncio.Future[Any] | None = None
    answer: Response | None = None

    def heard(self, fault: TransportFault | None) -> None:
        """The exchange ended (`Connection.begin`)."""
        connection = self.connection
        if connection is None:
            return  # abandoned
        try:
            if fault is not None:
                self._failed(fault)
            elif connection.raw:
                self._parsed(connection)
            else:
                self._counts(Response(200, connection.body))
        except Exception as error:
            self._broke(error)

    def late(self) -> None:
        """See `Begun`."""
        if self.work is not None:
            self._stop()
            self.told({self.key: UNREAD.told})
        elif self.connection is not None:
            self.connection.late()

    def abandon(self) -> None:
        """See `Begun`."""
        if self.connection is not None:
            self._stop()
            self.caller.abandoned(self.end)

    def _stop(self) -> None:
        work, self.work = self.work, None
        if work is not None:
            work.cancel()
        self._close()

    def _parsed(self, connection: Connection) -> None:
        """An answer came that may be an unusual one."""
        if connection.coding:
            self._beside(asyncio.ensure_future(self.caller.unpack(connection)), self.heard)
            return
        if connection.surplus and connection.is_doubtful(b""):
            self._failed(TransportFault.INVALID)
            return
        status = connection.status
        answer = Response(status, connection.body, connection.retry_after, None, connection.headers)
        if status == 200 or status in self.asking.kind.allowed:
            self._counts(answer)
        else:
            self._close()
            self._go_on(None if status == RESTED else answer, fresh=status == RESTED)

    def _counts(self, answer: Response) -> None:
        caller = self.caller
        caller.breaker.worked(caller.now())
        if len(answer.body) > INLINE:
            self._beside(beside(caller, self.asking.read, answer), self._settle)
        else:
            self.answer = answer
            self.told(self.read)

    def read(self) -> None:
        """Read the answer that came (`Told`)."""
        answer, self.answer = self.answer, None
        if answer is None:
            return  # abandoned
        try:
            self._settle(self.asking.read(answer))
        except Exception as error:
            self._broke(error)

    def _failed(self, fault: TransportFault) -> None:
        self._close()
        if fault is TransportFault.TIMEOUT:
            self.told({self.key: self.caller.timed_out()})
        else:
            self._go_on(None, fresh=True)

    def _settle(self, reading: Reading) -> None:
        connection, self.connection = self.connection, None
        assert connection is not None
        sound = not reading.wrong
        if connection.settle(sound and reading.named) and sound:
            self.told({self.key: reading.told})
        else:
            self._go_on(None, fresh=True)  # its connection had carried other answers: this may have been one, come late

    def _close(self) -> None:
        connection, self.connection, self.answer = self.connection, None, None
        assert connection is not None
        connection.settle(False)

    def _go_on(self, came: Response | None, *, fresh: bool) -> None:
        self.told(self._asked(came, fresh))

    async def _asked(self, came: Response | None, fresh: bool) -> Answers:
        outcome: Outcome = await self.caller.ask(self.asking, came, fresh)
        return {self.key: outcome}

    def _beside(self, work: asyncio.Future[Any], then: Callable[[Any], None]) -> None:
        """Go on when work is done that others need not wait for."""

        def done(_: asyncio.Future[Any]) -> None:
            if self.work is not work or work.cancelled():
                return
            self.work = None
            try:
                then(work.result())
            except Exception as error:
                self._broke(error)

        self.work = work
        work.add_done_callback(done)

    def _broke(self, error: Exception) -> None:
        """A defect is reported: an event loop's callback could not raise it to anybody."""
        if self.connection is not None:
            self._close()
        self.told(error)
