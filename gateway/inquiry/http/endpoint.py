"""`POST /graphql`: as a bare ASGI callable that reads the body, has it answered and sends the answer; or answered for a
server that read it itself (`gateway.serving.direct`).

It stands in front of the router, which would cost more than reading the request does. Invariants: a body is bounded in
bytes and time, whatever `Content-Length` says; a client that goes away, or a server that cancels, does not stop an
answer that has begun: its entry is still committed, and where nobody waits for the answer any more, another one that it
was not released; every request that was read whole gets an answer within `patience`; a defect is `INTERNAL` with an id
to quote and leaves a trace of places, never of values. What the answer is, is `answer`'s affair.
"""

from __future__ import annotations

import asyncio
import math
import re
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
Answered = Callable[[Answer], bool]
"""Takes an answer; False where nobody is there for it any more."""
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

LONGER = 5.0
"""Seconds that the endpoint waits for an answer beyond the time in which it may be released."""
_TICK = 0.5
_CONTROL = re.compile(b"[\x00-\x08\x0a-\x1f\x7f]")
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
        self.body_limit = body_limit
        self._body_timeout = math.ceil(body_timeout / _TICK)
        self._patience = math.ceil(patience / _TICK)
        self._waits = _Waits()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running: set[asyncio.Task[Answer]] = set()
        self._entering: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        loop = self._own()
        headers: Headers = scope["headers"] if type(scope["headers"]) is list else list(scope["headers"])
        waiter: asyncio.Future[Answer] = loop.create_future()
        try:
            body = await self._read(loop, headers, receive)
        except Refusal as refusal:
            answer = refused_at_once(refusal, headers)
        except Exception as error:
            answer = self._internal(headers, error)
        else:
            self.begin(scope["method"], headers, body, partial(_given, waiter))
            try:
                answer = await waiter
            except BaseException:
                if waiter.done() and not waiter.cancelled():
                    self._unsent(waiter.result())
                raise
        content = answer.body
        sent = [*head(answer), (b"content-length", b"%d" % len(content))]
        try:
            await send({"type": "http.response.start", "status": answer.status, "headers": sent})
        except BaseException:
            self._unsent(answer)
            raise
        await send({"type": "http.response.body", "body": content})

    def begin(self, method: str, headers: Headers, body: bytes, answered: Answered) -> None:
        """Have a request that was read whole answered, in a task of its own.

        `answered` is called once, within `patience` and never before this ends. Where it is not taken, or too late,
        the entry of the answer gets another.
        """
        task = self._own().create_task(self._answer(method, headers, body))
        self._running.add(task)
        self._waits.begin(self._own(), task, self._patience, partial(self._late, headers, answered))
        task.add_done_callback(partial(self._done, headers, answered))

    def await_body(self, whose: object, headers: Headers, answered: Answered) -> None:
        """Have `answered` called with a refusal where the body that is read for `whose` is not whole in time."""
        late = partial(answered, refused_at_once(_slow(), headers))
        self._waits.begin(self._own(), whose, self._body_timeout, late)

    def awaited(self, whose: object) -> None:
        """That body is whole, or nobody waits for it any more."""
        self._waits.end(whose)

    def _own(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:  # asked for once: in Python 3.11 each time costs a system call
            self._loop = asyncio.get_running_loop()
        return self._loop

    async def _read(self, loop: asyncio.AbstractEventLoop, headers: Headers, receive: Receive) -> bytes:
        """The whole body; raises `Refusal` where it is too long, too slow, cut short or not what was announced."""
        announced, framed = -1, False
        for name, value in headers:
            if name == b"content-length":
                announced = int(value) if value.isdigit() and len(value) < 19 else self.body_limit + 1
            elif name == b"transfer-encoding":  # it, and not the length, says where the body ends
                framed = True
        if announced > self.body_limit:
            raise too_large(self.body_limit)
        task = asyncio.current_task(loop)
        assert task is not None
        self._waits.begin(loop, task, self._body_timeout, task.cancel)
        try:
            body = await self._chunks(receive, -1 if framed else announced)
        except asyncio.CancelledError:
            if self._waits.end(task):
                raise
            task.uncancel()
            raise _slow() from None
        except BaseException:
            self._waits.end(task)
            raise
        if not self._waits.end(task):
            task.uncancel()
        if announced not in (-1, len(body)):
            raise Refusal(Code.REQUEST_INVALID, "The body is not as long as its Content-Length.", status=400)
        return body

    async def _chunks(self, receive: Receive, whole: int) -> bytes:
        """The body; not waited for its end where it is `whole` bytes long."""
        body = b""
        chunks: bytearray | None = None
        while True:
            message = await receive()
            if message["type"] != "http.request":  # gone; a server may still answer who is only done with sending
                raise Refusal(Code.REQUEST_INVALID, "The body ended before it was whole.", status=400)
            chunk = message.get("body") or b""
            if not body:
                body = chunk
            elif chunk:
                if chunks is None:
                    chunks = bytearray(body)
                chunks += chunk
            if len(body if chunks is None else chunks) > self.body_limit:
                raise too_large(self.body_limit)
            if not message.get("more_body") or (chunks is None and len(body) == whole):
                return body if chunks is None else bytes(chunks)

    def _done(self, headers: Headers, answered: Answered, task: asyncio.Task[Answer]) -> None:
        self._running.discard(task)
        in_time = self._waits.end(task)
        error = RuntimeError("the answer was cancelled") if task.cancelled() else task.exception()
        if error is None:
            if not (in_time and answered(task.result())):
                self._unsent(task.result())
        elif isinstance(error, Refusal):
            if in_time:
                answered(refused_at_once(error, headers))
        elif in_time:
            answered(self._internal(headers, error))
        else:
            self._defect(secrets.token_hex(8), error)

    def _late(self, headers: Headers, answered: Answered) -> None:
        answered(self._internal(headers, TimeoutError("the answer took too long")))

    def _unsent(self, answer: Answer) -> None:
        """Nobody waits for the answer any more: its entry gets another, that says so."""
        if answer.unsent is not None:
            entering = asyncio.get_running_loop().create_task(answer.unsent())
            self._entering.add(entering)
            entering.add_done_callback(self._entering.discard)

    def _internal(self, headers: Headers, error: BaseException) -> Answer:
        quoted = secrets.token_hex(8)
        self._defect(quoted, error)
        message = f"The gateway failed; nothing was disclosed. Quote `{quoted}` when you report it."
        return refused_at_once(Refusal(Code.INTERNAL, message, id=quoted), headers)


def head(answer: Answer) -> list[tuple[bytes, bytes]]:
    """The headers of an answer as they leave, each one line, without the length of its body."""
    named = [
        (name.encode("latin-1"), _CONTROL.sub(b" ", value.encode("latin-1", "replace")))
        for name, value in answer.headers.items()
    ]
    return [*named, *_ALWAYS]


def _slow() -> Refusal:
    return Refusal(Code.REQUEST_INVALID, "The body did not arrive in time.", status=400)


def _given(waiter: asyncio.Future[Answer], answer: Answer) -> bool:
    if waiter.done():
        return False
    waiter.set_result(answer)
    return True


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
