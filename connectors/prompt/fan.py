"""All departments of one inquiry, asked at once: one timer and one count-down, and a task only where it takes one.

A connector that is `Prompt` sends its question here and now. Answers that came are read together, once the last is
there, so that what is made of them is used while the processor's caches hold it; none waits long for that, since its
connection is not free meanwhile. Any other connector is asked in a task of its own, and so is whatever a question needs
beyond its first answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from connectors.base import Answers, Connector, RecordRequest
from connectors.prompt.port import Begin, Begun, Told

Keep = Callable[[Answers | Exception], None]
"""Given a department's answers, the error of its connector, or `LATE`; once, and it never raises."""


class _LateError(Exception):
    """Time was up."""


LATE = _LateError()

_SOON = 0.001
"""Seconds before its time at which a timer may fire."""
_TOGETHER = 0.02
"""Seconds that an answer waits for the others before it is read: its department's connections are not kept longer."""


class Fan:
    """One inquiry's questions. `deadline` is on the event loop's clock, in seconds.

    `apart`: each answer is read as it comes, so that `keep` is called at its time.
    """

    __slots__ = ("_apart", "_asked", "_deadline", "_due", "_loop", "_over", "_timer", "_unread", "ended", "left")

    def __init__(self, deadline: float, *, apart: bool = False) -> None:
        self._deadline = deadline
        self._due = deadline
        """When anything ends first."""
        self._apart, self._over = apart, False
        """Whether each answer is read as it comes, as all are after `_TOGETHER`; whether the deadline has passed."""
        self._unread: list[Callable[[], None]] = []
        self.left = 0
        """How many have not answered; while departments are being asked, less than 0 by those that have."""
        self._loop = asyncio.get_running_loop()
        self._asked: list[_Asked] = []
        self.ended: asyncio.Future[None] | None = None
        """What the inquiry waits for, while it does."""
        self._timer: asyncio.TimerHandle | None = None

    def ask(self, connector: Connector, request: RecordRequest, keep: Keep) -> None:
        """Ask one department; `keep` gets what comes of it."""
        asked = _Asked(self, keep)
        self._asked.append(asked)
        try:
            begin: Begin | None = getattr(connector, "begin", None)  # a protocol's `isinstance` takes far longer
            begun = begin(request, asked.told) if begin is not None else None
            if begun is None:
                asked.told(connector.fetch(request))
            else:
                asked.begun = begun
                if begun.end < self._due:
                    self._due = begun.end
        except Exception as error:  # a defect of one connector is that department's failure, not the inquiry's
            asked.told(error)

    async def answered(self) -> int:
        """Wait until the last has answered, or time is up; how many had not answered."""
        self.left += len(self._asked)
        try:
            if self.left:
                loop = self._loop
                self._timer = loop.call_at(min(self._due, loop.time() + _TOGETHER), self._late)
                while self.left and not self._over:
                    self.ended = loop.create_future()
                    await self.ended
                    self.ended = None
                    self._read()
            return self.left
        finally:
            if self._timer is not None:
                self._timer.cancel()
            if self.left:
                for asked in self._asked:
                    asked.give_up()
            self._asked, self._timer, self._unread = [], None, []  # they lead back here

    def hold(self, read: Callable[[], None]) -> None:
        """Have an answer read with the others."""
        if self._apart:
            read()
        else:
            self._unread.append(read)
            self.look()

    def look(self) -> None:
        """Go on where nothing is left, nothing but to read, or no time."""
        over = self._over or len(self._unread) == self.left
        if over and self.ended is not None and not self.ended.done():
            self.ended.set_result(None)

    def _read(self) -> None:
        unread, self._unread = self._unread, []
        for read in unread:
            read()

    def create_task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run what cannot be done at once."""
        return self._loop.create_task(work)

    def _late(self) -> None:
        """Time is up for some, or for all; and no answer waits for others any longer."""
        self._apart = True
        self._read()
        now = self._loop.time() + _SOON
        for asked in self._asked:
            if asked.begun is not None and asked.begun.end <= now:
                asked.begun.late()
        if now >= self._deadline:
            self._over = True
            self.look()
            return
        ends = [asked.begun.end for asked in self._asked if asked.begun is not None and asked.begun.end > now]
        self._timer = self._loop.call_at(min([self._deadline, *ends]), self._late)


async def asked(connector: Connector, request: RecordRequest) -> Answers:
    """The answers of one connector alone, by `begin` where it can. Raises what is a defect of it."""
    loop = asyncio.get_running_loop()
    came: asyncio.Future[Answers | Coroutine[Any, Any, Answers] | Exception] = loop.create_future()

    def take(told: Told) -> None:
        if callable(told):
            told()
        else:
            came.set_result(told)

    begin: Begin | None = getattr(connector, "begin", None)
    begun = begin(request, take) if begin is not None else None
    if begun is None:
        return await connector.fetch(request)
    timer = loop.call_at(begun.end, begun.late)
    try:
        told = await came
    except BaseException:
        begun.abandon()
        raise
    finally:
        timer.cancel()
    if isinstance(told, Exception):
        raise told
    return await told if isinstance(told, Coroutine) else told


class _Asked(msgspec.Struct, eq=False):
    """One department that is asked; `keep` until it was given what came."""

    fan: Fan
    keep: Keep | None
    begun: Begun | None = None
    task: asyncio.Task[None] | None = None

    def told(self, came: Told) -> None:
        """See `Prompt`."""
        fan = self.fan
        if type(came) is not dict:
            if callable(came):
                fan.hold(came)
                return
            if isinstance(came, Coroutine):
                self.begun = None
                self.task = fan.create_task(self._await(came))
                return
        self.begun = None
        if self.keep is not None:
            keep, self.keep = self.keep, None
            keep(came)
            fan.left -= 1
            if fan.ended is not None:
                fan.look()

    async def _await(self, answers: Coroutine[Any, Any, Answers]) -> None:
        try:
            self.told(await answers)
        except Exception as error:
            self.told(error)

    def give_up(self) -> None:
        """Nobody waits any longer."""
        begun, self.begun = self.begun, None
        if begun is not None:
            begun.abandon()
        if self.task is not None:
            self.task.cancel()
        self.told(LATE)
