"""Calls one department over a `Transport`, with its deadline, retries and breaker.

An answer counts with the status 200 (or one that the caller allows); anything else is the `Failure` that the gateway
reports. What goes through it is idempotent, so that a retry is safe, or is asked `once`. All attempts share one end,
which is the sooner of the inquiry's deadline and the department's own timeout; no timer is beside the transport's.

`Caller.ask` also has the answer read, and decides by what was read whether its connection may carry another question
(`connectors.http.transport.Lease`), and whether the answer may have been somebody else's and must be asked for again.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import msgspec

from connectors.base import Config, Failure, Fault
from connectors.http.auth import Auth, read_auth
from connectors.http.connection import Connection
from connectors.http.httpx_transport import HttpxTransport
from connectors.http.pooled_transport import Opening, PooledTransport, ending
from connectors.http.transport import (
    FAILURES,
    INLINE,
    Response,
    Transport,
    TransportFactory,
    TransportFault,
    TransportOptions,
)
from connectors.http.unpacking import beside
from connectors.kit.breaker import Breaker, BreakerLimits, read_breaker, retry_after
from connectors.kit.headers import read_echo

RESTED = 408
"""By which a server also ends a connection on which nothing was asked for long (RFC 9110, 15.5.9)."""
RETRYABLE = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses of failures that may pass."""
_PAUSE = 0.05
"""Seconds before the first retry; doubled each time, with jitter."""

TRANSPORTS: Mapping[str, TransportFactory] = {"pooled": PooledTransport, "httpx": HttpxTransport}
"""What `transport` of a department names; the first is the default."""

CONNECTIONS = ("kept", "one_request")
"""What `connections` of a department says; the first is the default."""

_EXPIRED = FAILURES[TransportFault.TIMEOUT]
_NOTHING = ending({}, None)
"""What ends a question that has nothing but what all of its kind have."""


class Limits(msgspec.Struct, frozen=True):
    """The `limits` of a department; times in seconds, sizes in bytes."""

    timeout: float
    concurrency: int
    retries: int
    breaker: BreakerLimits
    max_bytes: int
    chunks: int
    records: int


class Reading(msgspec.Struct, frozen=True):
    """What was read in an answer: an outcome or several, as the connector likes.

    `wrong`: it cannot be used. `named`: it names everybody who was asked about, in every dataset.
    """

    told: Any
    wrong: bool
    named: bool


def read_limits(config: Config) -> Limits:
    """The `limits` key of a department over HTTP."""
    keys = config.mapping((), ("timeout", "concurrency", "retries", "breaker", "max_bytes", "chunks", "records"))
    timeout = keys["timeout"].duration(2.0)
    return Limits(
        timeout=timeout,
        concurrency=keys["concurrency"].integer(1, 10_000, 64),
        retries=keys["retries"].integer(0, 10, 1),
        breaker=read_breaker(keys["breaker"], timeout),
        max_bytes=keys["max_bytes"].size(2**20),
        chunks=keys["chunks"].integer(1, 1_000_000, 4096),
        records=keys["records"].integer(1, 1_000_000, 1000),
    )


class Kind(msgspec.Struct, frozen=True):
    """What questions of one kind have in common.

    Statuses but 200 and the `allowed` are failures. With a `lane` connections are kept, for questions of the same one.
    `headers`, by name in lower case, are beside the department's. `once`: each is sent once, on a new connection, since
    nobody knows what a second one would do. With an `opening` a question can be sent at once (`Caller.opening`).
    """

    method: str
    lane: object = None
    allowed: Collection[int] = ()
    headers: Mapping[str, str] = {}
    once: bool = False
    opening: Opening | None = None


class Asking(msgspec.Struct, frozen=True):
    """One question, and how its answer is read; `end` is on the event loop's clock.

    `read` never raises. `headers` are this question's own, by name in lower case.
    """

    kind: Kind
    url: str
    body: bytes | None
    end: float
    read: Callable[[Response], Reading]
    headers: Mapping[str, str] | None = None


class Tried(NamedTuple):
    """One question, asked past breaker and retries: what came, and after how many seconds.

    A `Failure` is what keeps an answer from being one, such as no access token; `key` of the department is to blame.
    """

    answer: Response | TransportFault | Failure
    seconds: float
    key: str = "auth"


UNREAD = Reading(_EXPIRED, False, False)


class Caller:
    """One department's way out; `address_key` is the key that has the address."""

    address_key = "base_url"

    def __init__(
        self,
        transport: Transport,
        limits: Limits,
        auth: Auth,
        headers: Mapping[str, str],
        kept: bool = True,
        options: TransportOptions | None = None,
    ) -> None:
        self._transport = transport
        self._limits = limits
        self.options = options or TransportOptions(limits.timeout)
        self._auth = auth
        self._headers = dict(headers)
        self._kept = kept
        self._pool = transport if kept and isinstance(transport, PooledTransport) else None
        self.breaker = Breaker(limits.breaker)
        self.now: Callable[[], float] = self._begin
        """The time on the event loop's clock, in seconds."""
        self.most_records = limits.records

    def end(self, deadline: float) -> float:
        """When this department's part of an inquiry must be over, on the event loop's clock."""
        end = self.now() + self._limits.timeout
        return end if end < deadline else deadline

    def _begin(self) -> float:
        # Kept: asking which loop runs costs a system call each time.
        self.now = asyncio.get_running_loop().time
        return self.now()

    def opening(self, kind: Kind, url: str) -> Opening | None:
        """What questions of a kind to the origin of `url` begin with; None where they cannot be sent at once."""
        if self._pool is None or kind.lane is None or kind.once:
            return None
        return self._pool.opening(kind.method, url, {**self._headers, **kind.headers}, kind.lane)

    def begin(self, asking: Asking, told: Callable[[TransportFault | None], None]) -> Connection | None:
        """Send a question at once (`PooledTransport.begin`); None where it has to wait, or is an unusual one."""
        opening, now = asking.kind.opening, self.now()
        if opening is None or now >= asking.end or now < self.breaker.closed_from:
            return None
        assert self._pool is not None
        rest: bytes | None = _NOTHING
        if asking.headers is not None or asking.body is not None or self._auth.changes:
            rest = self._ending(asking, opening, now)
        return None if rest is None else self._pool.begin(opening, asking.url, rest, told)

    def _ending(self, asking: Asking, opening: Opening, now: float) -> bytes | None:
        """What ends a question that has more than others of its kind; None where not all of it is at hand."""
        own = asking.headers or {}
        if self._auth.changes:
            authorization = self._auth.at_hand(now)
            if authorization is None:
                return None
            own = {**own, **self._auth.shown_by(authorization, asking.kind.method, asking.url)}
        return ending(own, asking.body) if opening.names.isdisjoint(own) else None

    async def unpack(self, connection: Connection) -> TransportFault | None:
        """See `PooledTransport.unpack`."""
        assert self._pool is not None
        return await self._pool.unpack(connection)

    def timed_out(self) -> Failure:
        """A question that was sent at once was not answered in time."""
        return self._failed(TransportFault.TIMEOUT, self.now())[0]

    def abandoned(self, end: float) -> None:
        """Nobody waits any longer for the answer to a question that was sent at once."""
        self.breaker.abandoned(self.now(), end)

    async def ask(self, asking: Asking, came: Response | None = None, fresh: bool = False) -> Any | Failure:
        """Ask until it is answered, or its time is over, and give what `read` was given, or the failure.

        A large answer is read beside the event loop. `came` is what it was answered already, where it was sent at once;
        with `fresh` it is sent on a new connection.
        """
        kind, end, read = asking.kind, asking.end, asking.read
        allowed, once = kind.allowed, kind.once
        attempt, renewed, nonced, fresh = 0, False, False, fresh or once
        own: Mapping[str, str] = self._headers
        if kind.headers or asking.headers:
            own = {**own, **kind.headers, **(asking.headers or {})}
        while True:
            answer: Response | TransportFault | Failure = came or await self._sent(asking, own, fresh)
            came = None
            if isinstance(answer, Failure):
                return answer
            if type(answer) is Response:
                status, lease = answer.status, answer.lease
                heard = self._auth.changes and self._auth.heard(answer)
                if status == 200 or status in allowed:
                    self.breaker.worked(self.now())
                    reading = UNREAD
                    try:
                        reading = read(answer) if len(answer.body) <= INLINE else await self._beside(answer, end, read)
                    finally:
                        sound = lease is None or lease.settle(reading.named and not reading.wrong)
                    if lease is None or not lease.reused or (sound and not reading.wrong):
                        return reading.told
                    fresh = True  # it had carried other answers: this may have been one of them, come late
                    continue
                if lease is not None:
                    lease.settle(False)
                    if status == RESTED and lease.reused:  # the connection's end, and no word of the question
                        self.breaker.worked(self.now())
                        fresh = True
                        continue
                if status == 401 and heard and not nonced:
                    self.breaker.worked(self.now())
                    nonced = True
                    continue
                if status == 401 and self._auth.changes and not renewed:
                    # The token was revoked before its time: one more try with a new one.
                    self.breaker.worked(self.now())
                    self._auth.forget()
                    renewed = True
                    continue
            failure, again = self._failed(answer, self.now())
            pause = _PAUSE * 2**attempt * random.uniform(0.5, 1.5)  # noqa: S311 - jitter, no secret
            if not again or once or attempt >= self._limits.retries or self.now() + pause >= end:
                return failure
            if not self.breaker.retries():
                return failure
            attempt += 1
            await asyncio.sleep(pause)

    async def _sent(self, asking: Asking, own: Mapping[str, str], fresh: bool) -> Response | TransportFault | Failure:
        """Send it once; a failure where it is not to be sent."""
        kind, url, end, now = asking.kind, asking.url, asking.end, self.now()
        if now >= end:
            return _EXPIRED
        if not self.breaker.admits(now):
            return self.breaker.failure
        lane = kind.lane if self._kept and not kind.once else None
        try:
            if self._auth.changes:
                authorization = await self._auth.authorization(end)
                if isinstance(authorization, Failure):
                    self.breaker.failed(self.now())
                    return authorization
                own = {**own, **self._auth.shown_by(authorization, kind.method, url)}
                now = self.now()
            return await self._transport.send(kind.method, url, own, asking.body, end - now, lane, fresh)
        except BaseException:
            self.breaker.abandoned(self.now(), end)
            raise

    def _failed(self, answer: Response | TransportFault, now: float) -> tuple[Failure, bool]:
        """What there is instead of an answer that counts, and whether to ask again soon; the breaker is told."""
        wait = 0.0
        if isinstance(answer, Response):
            failure = self._refused(answer)
            if failure.retryable and answer.retry_after:
                wait = retry_after(answer.retry_after)
        else:
            failure = FAILURES[answer]
        if wait:
            self.breaker.come_back(now, wait)
        if answer is TransportFault.CROWDED:
            self.breaker.unsent()
        elif failure.retryable:
            self.breaker.failed(now)
        else:
            self.breaker.worked(now)
        return failure, failure.retryable and not wait

    def _refused(self, answer: Response) -> Failure:
        """What an answer means whose status does not count."""
        return Failure(Fault.UNAVAILABLE, answer.status in RETRYABLE, f"status {answer.status}")

    async def _beside(self, answer: Response, end: float, read: Callable[[Response], Reading]) -> Reading:
        try:
            async with asyncio.timeout_at(end):
                return await beside(self, read, answer)
        except TimeoutError:
            return UNREAD

    async def attempt(
        self, method: str, url: str, body: bytes | None, end: float, headers: Mapping[str, str] | None = None
    ) -> Tried:
        """Ask once on a new connection, until `end`, past breaker and retries, and give whatever comes."""
        sent = {**self._headers, **(headers or {})}
        began = self.now()
        if self._auth.changes:
            authorization = await self._auth.authorization(end)
            if isinstance(authorization, Failure):
                return Tried(authorization, self.now() - began)
            sent |= self._auth.shown_by(authorization, method, url)
            began = self.now()
        answer = await self._transport.send(method, url, sent, body, max(0.0, end - began), None, True)
        return Tried(answer, self.now() - began)

    async def examine(self, url: str) -> list[str]:
        """What is wrong with the way to `url` (`base.Examined`): any answer there will do, but one to a stranger."""
        answer = await self.once(url, {})
        if isinstance(answer, Response):
            return [f"`{url}` answers 401: it does not know the gateway by `auth`"] if answer.status == 401 else []
        return [f"`{url}`: {answer.detail}"] if answer.retryable else []

    async def once(self, url: str, headers: Mapping[str, str]) -> Response | Failure:
        """Any whole answer to one GET on a connection of its own, past the breaker; or why there is none."""
        sent = {**self._headers, **headers}
        if self._auth.changes:
            authorization = await self._auth.authorization(self.end(math.inf))
            if isinstance(authorization, Failure):
                return authorization._replace(detail=f"{authorization.detail}, so it was not asked")
            sent |= self._auth.shown_by(authorization, "GET", url)
        answer = await self._transport.send("GET", url, sent, None, self._limits.timeout)
        return answer if isinstance(answer, Response) else FAILURES[answer]

    async def close(self) -> None:
        """Release every connection."""
        await self._transport.close()
        await self._auth.close()


def read_caller(
    keys: Mapping[str, Config],
    headers: Mapping[str, str],
    made: Callable[..., Caller] = Caller,
    shown: frozenset[str] = frozenset(),
) -> Caller:
    """A department's way out by its `limits`, `auth`, `tls`, `connections`, `transport` and `echo`.

    `made` makes it of what `Caller` is made of; `shown` are the headers, in lower case, that its answers are read by.
    """
    named = keys["transport"].choice(TRANSPORTS, default="pooled")
    transport = TRANSPORTS[named]
    echo = read_echo(keys["echo"], headers) if "echo" in keys else ""
    if echo and named != "pooled":
        keys["echo"].problem(f"has no use with `transport: {named}`, which keeps no connection; remove it")
    kept = keys["connections"].choice(CONNECTIONS, default="kept") == "kept"
    if echo and not kept:
        keys["connections"].problem("has no use with `echo`, by which answers are distinguished; remove one of them")
    limits = read_limits(keys["limits"])
    auth, options = read_auth(keys, limits.timeout, limits.concurrency, limits.max_bytes, limits.chunks)
    options = msgspec.structs.replace(options, echo=echo, shown=shown | auth.reads)
    return made(transport(options), limits, auth, headers, kept, options)
