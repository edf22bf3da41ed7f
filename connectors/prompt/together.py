"""Several questions of one request, each sent at once where it can be, and reported together once the last ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from connectors.base import Answers, Outcome
from connectors.http.calling import Asking, Caller
from connectors.prompt.port import Told
from connectors.prompt.question import Key, Question, begin


class Together:
    """Fills `Begun`: so many `questions`, whose `told` is this one's `take`."""

    __slots__ = ("_answers", "_left", "_parts", "_tasks", "_told", "end")

    def __init__(self, questions: int, end: float, told: Callable[[Told], None]) -> None:
        self.end, self._left = end, questions
        self._told: Callable[[Told], None] | None = told
        self._answers: dict[Key, Outcome] = {}
        self._parts: list[Question] = []
        self._tasks: list[asyncio.Task[None]] = []

    def ask(self, caller: Caller, asking: Asking, key: Key) -> None:
        """Send one of the questions at once; one that has to wait has a task of its own."""
        part = begin(caller, asking, key, self._take)
        if part is None:
            self._take(_asked(caller, asking, key))
        else:
            self._parts.append(part)

    def late(self) -> None:
        """See `Begun`. What has a task ends by itself."""
        for part in self._parts:
            part.late()

    def abandon(self) -> None:
        """See `Begun`."""
        self._told = None
        for part in self._parts:
            part.abandon()
        for task in self._tasks:
            task.cancel()

    def _take(self, came: Told) -> None:
        if isinstance(came, Coroutine):
            self._tasks.append(asyncio.get_running_loop().create_task(self._await(came)))
        elif callable(came):
            came()
        elif isinstance(came, Exception):
            told = self._told
            self.abandon()
            if told is not None:
                told(came)
        else:
            self._answers.update(came)
            self._left -= 1
            if not self._left and self._told is not None:
                self._told(self._answers)

    async def _await(self, answers: Coroutine[Any, Any, Answers]) -> None:
        try:
            self._take(await answers)
        except Exception as error:
            self._take(error)


async def _asked(caller: Caller, asking: Asking, key: Key) -> Answers:
    outcome: Outcome = await caller.ask(asking)
    return {key: outcome}
