"""Step 5 between processes: the counts of `gateway.inquiry.admit`, kept in Valkey for every replica that asks there.

One script (`reserve.lua`) looks at and marks all of an inquiry's subjects, its frequency and its quotas, and Valkey
runs nothing in between: replicas cannot go over a limit together. What waits in one turn of the event loop goes there
in one exchange.

Invariants: no answer, no permit (8): whatever Valkey says or does not say but "counted" and "retry" refuses, with
`DECISION_UNAVAILABLE` where it is not a limit. A Valkey that lost its counts, as one that was restarted, says so, and
is filled from the ledger before it counts again; filling twice counts once, since an inquiry is a member by its id.
Keys and members are keyed digests: no identifier, official or case stands in Valkey. The key comes from the ledger's,
so replicas that share counts share that; what counts under another one is refused.

Left to others: what counts at all (`answer`), reading the ledger (`app`), the windows (`quotas`).
"""

from __future__ import annotations

import asyncio
import datetime
import importlib.resources
import logging
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec
from valkey.asyncio import Valkey
from valkey.exceptions import NoScriptError, ValkeyError

from gateway.errors import Code, Refusal
from gateway.inquiry.admit import Reservation, exceeded
from gateway.inquiry.counting import quotas
from gateway.inquiry.counting.counts import RETRY_SECONDS, Counted, end
from gateway.rules.model import Purpose
from gateway.saying import in_words

log = logging.getLogger("dutybound.admit")

WAIT = 1.0
"""Seconds that Valkey may take to answer."""

_SCRIPT = (importlib.resources.files("gateway.inquiry.counting") / "reserve.lua").read_text("utf-8")
_MOST = 128
_RETRY = str(RETRY_SECONDS * 1_000_000)


class _Call(NamedTuple):
    """One run of the script: its keys and arguments, and what they were made from."""

    keys: Sequence[bytes]
    arguments: Sequence[bytes | str | int]
    windows: Sequence[quotas.Window]


class SharedAdmission:
    """Counts in the Valkey at `url`; `name` distinguishes this ledger's counts from others' there, `secret` keys the
    digests.

    `purposes` are those of the rule set in force. `counted` reads from the ledger what is to be counted again;
    `now` never falls.
    """

    def __init__(
        self,
        url: str,
        name: str,
        secret: bytes,
        purposes: Callable[[], Mapping[str, Purpose]],
        counted: Callable[[], Awaitable[Iterable[Counted]]],
        now: Callable[[], datetime.datetime],
    ) -> None:
        self._valkey: Any = Valkey.from_url(
            url, socket_timeout=WAIT, socket_connect_timeout=WAIT, client_name="dutybound", max_connections=4
        )
        self._secret = blake2b(secret, key=b"quotas", digest_size=32).digest()
        self._prefix = b"{dutybound:%s}" % blake2b(name.encode(), digest_size=8).hexdigest().encode()
        self._owner, self._purposes, self._counted = self._digest("owner"), purposes, counted
        self._now = now
        self._keys = (self._prefix + b"owner", self._prefix + b"filled")
        self._waiting: list[tuple[_Call, asyncio.Future[Any]]] = []
        self._sending: asyncio.Task[None] | None = None
        self._filling: asyncio.Task[None] | None = None
        self._digested: tuple[Mapping[str, Purpose], bytes] = ({}, b"")
        self._script = ""

    async def healthy(self) -> bool:
        """Whether Valkey would count now; where it lost its counts, they are on their way back.

        Where it came to drop keys, what it has is forgotten: it may lack some, and is filled once it drops none.
        """
        try:
            async with asyncio.timeout(WAIT):
                if await self._drops():
                    await self._valkey.delete(self._keys[1])
                (said,) = await self._run([self._look()])
        except (ValkeyError, OSError, TimeoutError):
            return False
        if said == b"unfilled":
            self._fill_later()
        return bool(said == b"counted")

    async def reserve(self, purpose: Purpose, asked: Counted) -> Reservation:
        """As `Admission.reserve`; raises `Refusal` with `DECISION_UNAVAILABLE` too, where Valkey does not count."""
        if purpose.frequency.unlimited:
            return Reservation(counted=False)
        call = self._call(purpose, asked)
        said = await self._send(call)
        if said == b"counted" or said == b"retry":
            return Reservation(counted=said == b"counted")
        if isinstance(said, list):
            which, free = said[0].decode(), int(said[1]) / 1e6
            if which == "frequency":
                raise exceeded(purpose, free)
            raise quotas.exceeded(purpose.name, call.windows[int(which) - 1], free)
        if said == b"unfilled":
            self._fill_later()
        told = said.decode() if isinstance(said, bytes) else type(said).__name__
        log.warning("the counts in Valkey cannot be had (%s)", told)
        raise Refusal(
            Code.DECISION_UNAVAILABLE,
            "how often was asked before cannot be found out now, so nothing was disclosed; ask again",
            retryable=True,
        )

    async def fill(self) -> None:
        """Count again what was asked by the ledger's record; raises `ValkeyError` or `OSError` where Valkey does not
        count."""
        run = await self._run_id()
        purposes, now = self._purposes(), self._now().timestamp()
        for_what = self._filled_for()
        calls = []
        for each in sorted(await self._counted(), key=lambda each: each.time):
            purpose, at = purposes.get(each.purpose), each.time.timestamp()
            if purpose is not None and (end(purpose.frequency.per, at) > now or at + quotas.DAY > now):
                calls.append(self._call(purpose, each, filling=True))
        for first in range(0, len(calls), _MOST):
            for said in await self._run(calls[first : first + _MOST]):
                if said not in (b"counted", b"retry"):
                    raise said if isinstance(said, ValkeyError) else ValkeyError(f"it answered `{said!r}`")
        await self._valkey.execute_command("SADD", self._keys[1], for_what, for_what + run)

    async def start(self) -> None:
        """Fill, where Valkey is there and has not counted since it was filled; where it is not, as soon as it is."""
        try:
            async with asyncio.timeout(60.0):
                if not await self._counts_since_filled():
                    await self.fill()
        except (ValkeyError, OSError, TimeoutError) as error:
            log.warning("the counts in Valkey were not filled (%s)", in_words(error))

    async def _counts_since_filled(self) -> bool:
        """Whether this very run of Valkey was filled: a run that came back from its disk may lack what it had last."""
        run = await self._run_id()
        return bool(await self._valkey.execute_command("SISMEMBER", self._keys[1], self._filled_for() + run))

    async def _run_id(self) -> bytes:
        """Which run of Valkey it is; raises `ValkeyError` where it may drop counts."""
        if await self._drops():
            raise ValkeyError("its `maxmemory-policy` may drop counts; set `noeviction`")
        return str((await self._valkey.info("server"))["run_id"]).encode()

    async def _drops(self) -> bool:
        memory = await self._valkey.info("memory")
        return bool(memory.get("maxmemory", 0)) and memory.get("maxmemory_policy") != "noeviction"

    async def close(self) -> None:
        """Disconnect from Valkey; what waits is refused."""
        for task in (self._sending, self._filling):
            if task is not None:
                task.cancel()
        for _, future in self._waiting:
            future.cancel()
        await self._valkey.aclose()

    def _fill_later(self) -> None:
        if self._filling is None or self._filling.done():
            self._filling = asyncio.get_running_loop().create_task(self.start())

    def _digest(self, *parts: object) -> bytes:
        return blake2b(msgspec.msgpack.encode(parts), digest_size=16, key=self._secret).digest()

    def _filled_for(self) -> bytes:
        """What a fill depends on besides the ledger: which purposes count, over which periods, and by case or not."""
        purposes = self._purposes()
        if purposes is not self._digested[0]:
            counting = sorted(
                (name, each.frequency.per.text, bool(each.quotas), each.case_required)
                for name, each in purposes.items()
            )
            self._digested = (purposes, self._digest(*counting))
        return self._digested[1]

    def _look(self) -> _Call:
        """A call about nobody: whether Valkey takes what it writes, and this very run of it was filled. Where it was
        not, no call after it counts until it is."""
        at = _micros(self._now().timestamp())
        return _Call(
            (*self._keys, self._prefix + b"r"), (at, "2", self._owner, self._filled_for(), "0", "", 0, 0, 0), ()
        )

    def _call(self, purpose: Purpose, asked: Counted, filling: bool = False) -> _Call:
        issuer, client, official, case, reference = (
            asked.issuer,
            asked.client,
            asked.official,
            asked.verified_case(purpose),
            asked.reference,
        )
        digest, prefix, frequency, name = self._digest, self._prefix, purpose.frequency, asked.purpose
        at, pairs = asked.time.timestamp(), asked.distinct
        windows: Sequence[quotas.Window] = ()
        if purpose.quotas is not None:
            own, whole = quotas.windows(purpose.quotas)
            windows = whole if official is None else (*own, *whole)
        retried = (issuer, client, official, name, reference, asked.request, case, pairs)
        referred = digest("r", *retried) if reference is not None else b""
        keys = [
            *self._keys,
            prefix + b"r" + referred,
            *(prefix + b"f" + digest("f", name, frequency.per.text, *pair, issuer, client, case) for pair in pairs),
            *(
                prefix + b"q" + digest("q", name, issuer, client, official if w.official else None, w.seconds)
                for w in windows
            ),
        ]
        arguments: list[bytes | str | int] = [
            *(_micros(at), "1" if filling else "0", self._owner, self._filled_for()),
            *(_RETRY if reference is not None else "0", asked.id or os.urandom(16).hex(), len(pairs)),
            *(frequency.max, _micros(end(frequency.per, at))),
            *(digest("s", *pair) for pair in pairs),
        ]
        for window in windows:
            arguments += (window.most, _micros(at + window.seconds))
        return _Call(keys, arguments, windows)

    async def _send(self, call: _Call) -> Any:
        """What the script says to one call, or the error that kept it from saying anything."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._waiting.append((call, future))
        if self._sending is None or self._sending.done():
            self._sending = loop.create_task(self._send_waiting())
        return await future

    async def _send_waiting(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
            said: Sequence[Any]
            try:
                async with asyncio.timeout(2 * WAIT):
                    # On one connection, so that what the look finds of a run of Valkey holds for all.
                    _, *said = await self._run([self._look(), *(call for call, _ in group)])
            except (ValkeyError, OSError, TimeoutError) as error:
                said = [error] * len(group)
            for (_, future), each in zip(group, said, strict=True):
                if not future.done():
                    future.set_result(each)

    async def _run(self, calls: Sequence[_Call]) -> list[Any]:
        """The script's answer to each call; an error stands for its own call only, or is raised for all."""
        for _ in range(2):
            if not self._script:
                self._script = await self._valkey.script_load(_SCRIPT)
            pipe = self._valkey.pipeline(transaction=False)
            for call in calls:
                pipe.execute_command("EVALSHA", self._script, len(call.keys), *call.keys, *call.arguments)
            said: list[Any] = await pipe.execute(raise_on_error=False)
            if not any(isinstance(each, NoScriptError) for each in said):
                break
            self._script = ""  # restarted since: none of them was counted
        return said


def _micros(at: float) -> int:
    return round(at * 1e6)
