"""Nudges: notify a portal or a department's client that something waits, by an id and nothing else.

Signed per Standard Webhooks (https://www.standardwebhooks.com, 1.0). A nudge is sent a few times and then given up:
what waits stands in `me`, `consentRequests`, `matters` and `changes`, whoever was told. Invariants: a nudge names no
subject and no kind of matter; one that is slow or dead keeps nobody else waiting; what waits to be sent is bounded.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import random
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

import httpx

from gateway.rules.ruleset import RuleSet
from gateway.web.messages.signing import message

Who = tuple[str, str]
Heard = Callable[[str, str | None], None]

AGAIN = (1.0, 10.0, 60.0, 600.0)
"""Seconds after which one that was not taken is sent again, more or less."""
WAITING = 1_000
"""Nudges that may wait for one receiver; beyond them the oldest is dropped."""
TIMEOUT = 5.0


class Receiver(NamedTuple):
    """Where a client is notified, and the secrets that sign the message, the newest first."""

    url: str
    secrets: Sequence[bytes]


def receivers(rules: RuleSet) -> dict[Who, Receiver]:
    """The clients that want to be notified, with what signs the message."""
    secrets_of = rules.requesters.secrets
    return {
        who: Receiver(entry.notices.url, secrets_of.get(who, ()))
        for who, entry in rules.policies.requesters.items()
        if entry.notices is not None
    }


def called(whom: Who, receivers: Collection[Who]) -> str:
    """What a receiver is called where it takes nothing: by its client id, and its issuer where others have one too."""
    issuer, client = whom
    return f"{client} of {issuer}" if sum(each[1] == client for each in receivers) > 1 else client


class _Nudge(NamedTuple):
    id: str
    matter: str


class Notices:
    """Sends nudges, a task for each receiver. `heard` is called, by receiver, while one does not take them.

    `now` is the time that they are signed at.
    """

    def __init__(
        self,
        receivers: Mapping[Who, Receiver],
        client: Callable[[], httpx.AsyncClient],
        heard: Heard,
        now: Callable[[], datetime.datetime],
    ) -> None:
        self._receivers, self._client, self._heard, self._now = receivers, client, heard, now
        self._waiting: dict[Who, asyncio.Queue[_Nudge]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._http: httpx.AsyncClient | None = None

    def follow(self, receivers: Mapping[Who, Receiver]) -> None:
        """Notify these from now on."""
        self._receivers = receivers

    def tell(self, whom: Who, matter: str) -> None:
        """Notify a client that a matter waits; nothing where it does not want to be notified."""
        if whom not in self._receivers:
            return
        if whom not in self._waiting:
            self._waiting[whom] = asyncio.Queue()
            self._tasks.append(asyncio.create_task(self._deliver(whom)))
        queue = self._waiting[whom]
        if queue.qsize() >= WAITING:
            queue.get_nowait()
        queue.put_nowait(_Nudge(secrets.token_hex(16), matter))

    async def close(self) -> None:
        """Give up what waits."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._http is not None:
            await self._http.aclose()

    async def _deliver(self, whom: Who) -> None:
        queue = self._waiting[whom]
        while True:
            nudge = await queue.get()
            for pause in (*AGAIN, None):
                if (receiver := self._receivers.get(whom)) is None:
                    break  # it wants to be told no more
                name = called(whom, self._receivers)
                if await self._sent(receiver, nudge):
                    self._heard(name, None)
                    break
                self._heard(name, "it does not take notices")
                if pause is None or queue.qsize() >= WAITING // 2:
                    break
                await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - not all at once

    async def _sent(self, receiver: Receiver, nudge: _Nudge) -> bool:
        if self._http is None:
            self._http = self._client()
        now = self._now()
        body, headers = message("matter.waiting", now, {"matter": nudge.matter}, nudge.id, now, receiver.secrets)
        with contextlib.suppress(httpx.HTTPError, httpx.InvalidURL, TimeoutError):
            async with asyncio.timeout(TIMEOUT):
                answer = await self._http.post(receiver.url, content=body, headers=headers)
                return answer.is_success
        return False
