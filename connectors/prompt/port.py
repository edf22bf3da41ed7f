"""What a connector can have beside `fetch`, so that it is asked without a task."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from connectors.base import Answers, RecordRequest

Told = Answers | Coroutine[Any, Any, Answers] | Exception | Callable[[], None]
"""What comes of a request: the answers, what has to be awaited to have them, or a defect of the connector.

A function reads what came, when it is called; then what comes of that is reported in its turn, by no other function.
"""


class Begun(Protocol):
    """A request that was sent, and whose answer is not read yet."""

    end: float
    """When time is up for it, on the event loop's clock, in seconds."""

    def late(self) -> None:
        """Time is up: it ends now."""
        ...

    def abandon(self) -> None:
        """Nobody waits any longer: nothing is reported."""
        ...


class Prompt(Protocol):
    """A connector that can ask without a task, where all that a question needs is there."""

    def begin(self, request: RecordRequest, told: Callable[[Told], None]) -> Begun | None:
        """Send a request at once; None, and nothing sent, where it is one for `fetch`.

        Afterwards, and never before `begin` ends, `told` is given what comes of it, once, unless it is abandoned. Of an
        answer that waits to be read it is given first what reads it.
        """
        ...


Begin = Callable[[RecordRequest, Callable[[Told], None]], Begun | None]
"""What a `Prompt` connector has."""
