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
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import msgspec

from connectors.base import Config, Failure, Fault
from connectors.http.auth import Auth, read_auth
from connectors.http.httpx_transport import HttpxTransport
from connectors.http.pooled_transport import PooledTransport
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
from connectors.kit.headers import HEADER, OURS, may_be_credential

RETRYABLE = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses of failures that may pass."""
_PAUSE = 0.05
"""Seconds before the first retry; doubled each time, with jitter."""

TRANSPORTS: Mapping[str, TransportFactory] = {"pooled": PooledTransport, "httpx": HttpxTransport}
"""What `transport` of a department names; the first is the default."""

CONNECTIONS = ("kept", "one_request")
"""What `connections` of a department says; the first is the default."""

MEANT = frozenset({"content-type", "content-encoding", "accept", "accept-encoding", "user-agent", "retry-after"})
"""Headers that mean something to whoever reads them."""
_CREDENTIAL_VALUE = re.compile(r"(bearer|basic|digest|token|apikey) |eyJ[\w-]+\.[\w-]+\.", re.I)
_RUN = re.compile(r"\w{24,}", re.ASCII)
_SWITCH = re.compile(r"[0-9](?=[A-Za-z])|[A-Za-z](?=[0-9])")
_EXPIRED = FAILURES[TransportFault.TIMEOUT]


class Limits(msgspec.Struct, frozen=True):
    """The `limits` of a department; times in seconds, sizes in bytes."""

    timeout: float
    concurrency: int
    retries: int
    breaker: BreakerLimits
    max_bytes: int
    chunks: int
    records: int


class Reading(NamedTuple):
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


def read_headers(config: Config, reserved: Collection[str] = ()) -> dict[str, str]:
    """The fixed headers of a department, by name in lower case. Credentials stand in files, under `auth`.

    `reserved`, in lower case, are written by what the department's kind says of each question.
    """
    headers: dict[str, str] = {}
    for name, entry in config.mapping(any_key=True).items():
        if name.lower() in headers:
            entry.problem(f"`{name}` appears twice: case makes no other header of it")
        if not HEADER.fullmatch(name):
            entry.problem(f"`{name}` is no name of a header: letters, digits and `-`, as `X-Region`")
        elif name.lower() in OURS:
            entry.problem(f"`{name}` is not a header to set here; credentials go under `auth`")
        elif name.lower() in reserved:
            entry.problem(f"`{name}` is written for each question, by other keys of the department; remove it")
        elif may_be_credential(name) or _is_secret(entry.text()):
            entry.problem(f"`{name}` looks like a credential, which does not belong here; put it under `auth`")
        headers[name.lower()] = entry.text(pattern="[ -~]+", what="one line of ASCII text")
    return headers


def _read_echo(config: Config, headers: Mapping[str, str]) -> str:
    """The header that the department repeats in its answers: each question has a value of its own in it."""
    name = config.text(pattern=HEADER.pattern, what="the name of a header, such as `X-Request-ID`")
    if name.lower() in {*OURS, *MEANT, *headers}:
        config.problem(f"`{name}` has another meaning already; name a header whose value is free")
    return name


def _is_secret(value: str) -> bool:
    """Whether it looks like one: announced as such, a JWT, or long and as nobody would write it by hand."""
    return bool(_CREDENTIAL_VALUE.match(value)) or any(len(_SWITCH.findall(run)) > 2 for run in _RUN.findall(value))


class Tried(NamedTuple):
    """One question, asked past breaker and retries: what came, and after how many seconds.

    A `Failure` is what keeps an answer from being one, such as no access token; `key` of the department is to blame.
    """

    answer: Response | TransportFault | Failure
    seconds: float
    key: str = "auth"


_UNREAD = Reading(_EXPIRED, False, False)


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
        self._breaker = Breaker(limits.breaker)
        self._loop: asyncio.AbstractEventLoop | None = None
        self.most_records = limits.records

    def end(self, deadline: float) -> float:
        """When this department's part of an inquiry must be over, on the event loop's clock."""
        return min(deadline, (self._loop or self._begin()).time() + self._limits.timeout)

    def _begin(self) -> asyncio.AbstractEventLoop:
        # Kept: asking which loop runs costs a system call each time.
        self._loop = asyncio.get_running_loop()
        return self._loop

    async def ask(
        self,
        method: str,
        url: str,
        body: bytes | None,
        end: float,
        read: Callable[[Response], Reading],
        *,
        lane: object = None,
        allowed: Collection[int] = (),
        headers: Mapping[str, str] | None = None,
        once: bool = False,
    ) -> Any | Failure:
        """Ask, until the time `end` on the event loop's clock, and give what `read` was given, or the failure.

        `read` never raises; a large answer is read beside the event loop. Statuses but 200 and the `allowed` are
        failures. With a `lane`, which is what questions of one kind have in common, connections are kept. `headers` are
        this question's own, by name in lower case. `once`: it is sent once, on a new connection, since nobody knows
        what a second one would do.
        """
        lane = lane if self._kept and not once else None
        loop = self._loop or self._begin()
        attempt, renewed, nonced, fresh = 0, False, False, once
        own = self._headers if headers is None else {**self._headers, **headers}
        while True:
            now = loop.time()
            if now >= end:
                return _EXPIRED
            if not self._breaker.admits(now):
                return self._breaker.failure
            sent = own
            try:
                if self._auth.changes:
                    authorization = await self._auth.authorization(end)
                    if isinstance(authorization, Failure):
                        self._breaker.failed(loop.time())
                        return authorization
                    sent = {**own, **self._auth.shown_by(authorization, method, url)}
                    now = loop.time()
                answer = await self._transport.send(method, url, sent, body, end - now, lane, fresh)
            except BaseException:
                self._breaker.abandoned(loop.time(), end)
                raise
            if type(answer) is Response:
                status, lease = answer.status, answer.lease
                heard = self._auth.changes and self._auth.heard(answer)
                if status == 200 or status in allowed:
                    self._breaker.worked(loop.time())
                    reading = _UNREAD
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
                if status == 401 and heard and not nonced:
                    self._breaker.worked(loop.time())
                    nonced = True
                    continue
                if status == 401 and self._auth.changes and not renewed:
                    # The token was revoked before its time: one more try with a new one.
                    self._breaker.worked(loop.time())
                    self._auth.forget()
                    renewed = True
                    continue
            failure, again = self._failed(answer, loop.time())
            pause = _PAUSE * 2**attempt * random.uniform(0.5, 1.5)  # noqa: S311 - jitter, no secret
            if not again or once or attempt >= self._limits.retries or loop.time() + pause >= end:
                return failure
            if not self._breaker.retries():
                return failure
            attempt += 1
            await asyncio.sleep(pause)

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
            self._breaker.come_back(now, wait)
        if failure.retryable:
            self._breaker.failed(now)
        else:
            self._breaker.worked(now)
        return failure, failure.retryable and not wait

    def _refused(self, answer: Response) -> Failure:
        """What an answer means whose status does not count."""
        return Failure(Fault.UNAVAILABLE, answer.status in RETRYABLE, f"status {answer.status}")

    async def _beside(self, answer: Response, end: float, read: Callable[[Response], Reading]) -> Reading:
        try:
            async with asyncio.timeout_at(end):
                return await beside(read, answer)
        except TimeoutError:
            return _UNREAD

    async def attempt(
        self, method: str, url: str, body: bytes | None, end: float, headers: Mapping[str, str] | None = None
    ) -> Tried:
        """Ask once on a new connection, until `end`, past breaker and retries, and give whatever comes."""
        loop = self._loop or self._begin()
        sent = {**self._headers, **(headers or {})}
        began = loop.time()
        if self._auth.changes:
            authorization = await self._auth.authorization(end)
            if isinstance(authorization, Failure):
                return Tried(authorization, loop.time() - began)
            sent |= self._auth.shown_by(authorization, method, url)
            began = loop.time()
        answer = await self._transport.send(method, url, sent, body, max(0.0, end - began), None, True)
        return Tried(answer, loop.time() - began)

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
    echo = _read_echo(keys["echo"], headers) if "echo" in keys else ""
    if echo and named != "pooled":
        keys["echo"].problem(f"has no use with `transport: {named}`, which keeps no connection; remove it")
    kept = keys["connections"].choice(CONNECTIONS, default="kept") == "kept"
    if echo and not kept:
        keys["connections"].problem("has no use with `echo`, by which answers are distinguished; remove one of them")
    limits = read_limits(keys["limits"])
    auth, options = read_auth(keys, limits.timeout, limits.concurrency, limits.max_bytes, limits.chunks)
    options = msgspec.structs.replace(options, echo=echo, shown=shown | auth.reads)
    return made(transport(options), limits, auth, headers, kept, options)
