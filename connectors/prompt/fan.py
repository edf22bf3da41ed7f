"""All departments of one inquiry, asked at once: one timer and one count-down, and a task only where it takes one.

A connector that is `Prompt` sends its question here and now, and its answer is read where it arrives. Any other is
asked in a task of its own, and so is whatever a question needs beyond its first answer.
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


class Fan:
    """One inquiry's questions. `deadline` is on the event loop's clock, in seconds."""

    __slots__ = ("_asked", "_deadline", "_due", "_ended", "_loop", "_timer", "left")

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._due = deadline
        """When the one timer fires: the next time at which anything ends."""
        self.left = 0
        """How many have not answered; while departments are being asked, less than 0 by those that have."""
        self._loop = asyncio.get_running_loop()
        self._asked: list[_Asked] = []
        self._ended: asyncio.Future[None] | None = None
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
                self._ended = self._loop.create_future()
                self._timer = self._loop.call_at(self._due, self._late)
                await self._ended
            return self.left
        finally:
            if self._timer is not None:
                self._timer.cancel()
            if self.left:
                for asked in self._asked:
                    asked.give_up()
            self._asked, self._timer = [], None  # they lead back here, and the collector alone would find them

    def end(self) -> None:
        """All have answered, or time is up."""
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)

    def create_task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run what cannot be done at once."""
        return self._loop.create_task(work)

    def _late(self) -> None:
        """Time is up for some, or for all."""
        now = self._loop.time() + _SOON
        for asked in self._asked:
            if asked.begun is not None and asked.begun.end <= now:
                asked.begun.late()
        if now >= self._deadline:
            self.end()
            return
        ends = [asked.begun.end for asked in self._asked if asked.begun is not None and asked.begun.end > now]
        self._timer = self._loop.call_at(min([self._deadline, *ends]), self._late)


async def asked(connector: Connector, request: RecordRequest) -> Answers:
    """The answers of one connector alone, by `begin` where it can. Raises what is a defect of it."""
    loop = asyncio.get_running_loop()
    came: asyncio.Future[Told] = loop.create_future()
    begin: Begin | None = getattr(connector, "begin", None)
    begun = begin(request, came.set_result) if begin is not None else None
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
        self.begun = None
        if type(came) is not dict and isinstance(came, Coroutine):  # answers are, and the rest takes longer
            self.task = self.fan.create_task(self._await(came))
        elif self.keep is not None:
            keep, self.keep = self.keep, None
            keep(came)
            fan = self.fan
            fan.left -= 1
            if not fan.left:
                fan.end()

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
