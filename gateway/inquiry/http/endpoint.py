"""`POST /graphql` as a bare ASGI callable: reads the body, has it answered, sends the answer.

It stands in front of the router, which would cost more than reading the request does. Invariants: a body is bounded in
bytes and time, whatever `Content-Length` says; a client that goes away, or a server that cancels, does not stop an
answer that has begun: its entry is still committed, and where nobody waits for the answer any more, another one that it
was not released; every request that was read whole gets an answer within `patience`; a defect is `INTERNAL` with an id
to quote and leaves a trace of places, never of values. What the answer is, is `answer`'s affair.
"""

from __future__ import annotations

import asyncio
import math
import secrets
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from functools import partial
from typing import Any

from gateway.errors import Code, Refusal
from gateway.inquiry.http.request import MAX_BODY, refused_at_once, too_large
from gateway.inquiry.types import Answer

Headers = list[tuple[bytes, bytes]]
Answering = Callable[[str, Headers, bytes], Coroutine[Any, Any, Answer]]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

LONGER = 5.0
"""Seconds that the endpoint waits for an answer beyond the time in which it may be released."""
_TICK = 0.5
_ALWAYS = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))


class GraphQLEndpoint:
    """Answers one ASGI `http` scope. It belongs to the event loop that first calls it.

    `answer` gets method, headers (lower-case names) and body. `defect` is told of every exception that escapes it, with
    the id that the client can quote. `body_limit` in bytes; `body_timeout` and `patience` in seconds, kept to the half
    second.
    """

    def __init__(
        self,
        answer: Answering,
        defect: Callable[[str, BaseException], None],
        *,
        body_limit: int = MAX_BODY,
        body_timeout: float = 10.0,
        patience: float = 30.0,
    ) -> None:
        self._answer = answer
        self._defect = defect
        self._body_limit = body_limit
        self._body_timeout = math.ceil(body_timeout / _TICK)
        self._patience = math.ceil(patience / _TICK)
        self._waits = _Waits()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running: set[asyncio.Task[Answer]] = set()
        self._entering: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        loop = self._loop
        if loop is None:  # asked for once: in Python 3.11 each time costs a system call
            loop = self._loop = asyncio.get_running_loop()
        headers: Headers = scope["headers"] if type(scope["headers"]) is list else list(scope["headers"])
        try:
            body = await self._read(loop, headers, receive)
            answer = await self._answered(loop, scope["method"], headers, body)
        except Refusal as refusal:
            answer = refused_at_once(refusal, headers)
        except Exception as error:
            answer = self._internal(headers, error)
        content = answer.body
        sent = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in answer.headers.items()]
        sent.append((b"content-length", b"%d" % len(content)))
        sent.extend(_ALWAYS)
        try:
            await send({"type": "http.response.start", "status": answer.status, "headers": sent})
        except BaseException:
            self._unsent(answer)
            raise
        await send({"type": "http.response.body", "body": content})

    async def _read(self, loop: asyncio.AbstractEventLoop, headers: Headers, receive: Receive) -> bytes:
        """The whole body; raises `Refusal` where it is too long, too slow, cut short or not what was announced."""
        announced, framed = -1, False
        for name, value in headers:
            if name == b"content-length":
                announced = int(value) if value.isdigit() and len(value) < 19 else self._body_limit + 1
            elif name == b"transfer-encoding":  # it, and not the length, says where the body ends
                framed = True
        if announced > self._body_limit:
            raise too_large(self._body_limit)
        task = asyncio.current_task(loop)
        assert task is not None
        self._waits.begin(loop, task, self._body_timeout, task.cancel)
        try:
            body = await self._chunks(receive, -1 if framed else announced)
        except asyncio.CancelledError:
            if self._waits.end(task):
                raise
            task.uncancel()
            raise Refusal(Code.REQUEST_INVALID, "The body did not arrive in time.", status=400) from None
        except BaseException:
            self._waits.end(task)
            raise
        if not self._waits.end(task):
            task.uncancel()
        if announced not in (-1, len(body)):
            raise Refusal(Code.REQUEST_INVALID, "The body is not as long as its Content-Length.", status=400)
        return body

    async def _chunks(self, receive: Receive, whole: int) -> bytes:
        """The body; not asked for its end, which costs the server two wake-ups, where it is `whole` bytes long."""
        body = b""
        chunks: bytearray | None = None
        while True:
            message = await receive()
            if message["type"] != "http.request":  # gone, or only done with sending: then it still reads
                raise Refusal(Code.REQUEST_INVALID, "The body ended before it was whole.", status=400)
            chunk = message.get("body") or b""
            if not body:
                body = chunk
            elif chunk:
                if chunks is None:
                    chunks = bytearray(body)
                chunks += chunk
            if len(body if chunks is None else chunks) > self._body_limit:
                raise too_large(self._body_limit)
            if not message.get("more_body") or (chunks is None and len(body) == whole):
                return body if chunks is None else bytes(chunks)

    async def _answered(self, loop: asyncio.AbstractEventLoop, method: str, headers: Headers, body: bytes) -> Answer:
        """Have it answered in a task of its own, that outlives this one; raises `TimeoutError` after `patience`.

        A future between the two does what `asyncio.shield` does, at half its cost.
        """
        waiter: asyncio.Future[Answer] = loop.create_future()
        task = loop.create_task(self._answer(method, headers, body))
        self._running.add(task)
        task.add_done_callback(partial(self._done, waiter))
        self._waits.begin(loop, waiter, self._patience, partial(_give_up, waiter))
        try:
            return await waiter
        finally:
            self._waits.end(waiter)

    def _done(self, waiter: asyncio.Future[Answer], task: asyncio.Task[Answer]) -> None:
        self._running.discard(task)
        error = RuntimeError("the answer was cancelled") if task.cancelled() else task.exception()
        if waiter.done():
            if error is None:
                self._unsent(task.result())
            elif not isinstance(error, Refusal):
                self._defect(secrets.token_hex(8), error)
        elif error is not None:
            waiter.set_exception(error)
        else:
            waiter.set_result(task.result())

    def _unsent(self, answer: Answer) -> None:
        """Nobody waits for the answer any more: its entry gets another, that says so."""
        if answer.unsent is not None:
            entering = asyncio.get_running_loop().create_task(answer.unsent())
            self._entering.add(entering)
            entering.add_done_callback(self._entering.discard)

    def _internal(self, headers: Headers, error: Exception) -> Answer:
        quoted = secrets.token_hex(8)
        self._defect(quoted, error)
        message = f"The gateway failed; nothing was disclosed. Quote `{quoted}` when you report it."
        return refused_at_once(Refusal(Code.INTERNAL, message, id=quoted), headers)


def _give_up(waiter: asyncio.Future[Answer]) -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError("the answer took too long"))


class _Waits:
    """Gives up on waits that last too long, to the half second.

    One timer for all of them: a timer a request would cost as much as reading the request.
    """

    def __init__(self) -> None:
        self._open: dict[object, tuple[int, Callable[[], object]]] = {}
        self._ticks = 0
        self._ticking = False

    def begin(self, loop: asyncio.AbstractEventLoop, key: object, ticks: int, give_up: Callable[[], object]) -> None:
        """Call `give_up` when `ticks` half seconds have begun, unless the wait ends before."""
        if not self._ticking:
            self._ticking = True
            loop.call_later(_TICK, self._sweep, loop)
        self._open[key] = (self._ticks + ticks, give_up)

    def end(self, key: object) -> bool:
        """Whether the wait ended by itself; `False` where it was given up."""
        return self._open.pop(key, None) is not None

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        self._ticks += 1
        for key in [key for key, (last, _) in self._open.items() if last < self._ticks]:
            self._open.pop(key)[1]()
        self._ticking = bool(self._open)
        if self._ticking:
            loop.call_later(_TICK, self._sweep, loop)
