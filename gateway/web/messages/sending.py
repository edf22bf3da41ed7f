"""Sending a message to a receiver: one try, whose outcome is the receiver's answer, or that there is none.

Invariants: no redirect is followed; an answer is read up to `MAX_ANSWER` and not beyond; a try ends within `TIMEOUT`;
a connection goes to an address that was judged (`addresses`). What an answer's body says is not looked at.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Mapping
from typing import NamedTuple

import httpx

from connectors.http.bounded import bounded_client
from connectors.http.transport import TransportOptions
from connectors.kit.breaker import retry_after
from gateway.config.outgoing import WebhookSettings
from gateway.web.messages.addresses import Addresses

TIMEOUT = 10.0
CONNECTIONS = 64
MAX_ANSWER = 64 * 1024
MOST_AFTER = 86_400.0
"""Seconds that a receiver can put us off by `Retry-After` at most."""


class Taken(enum.Enum):
    """What became of a try."""

    TAKEN = "taken"
    GONE = "gone"  # 410: nothing more is wanted there
    NOT = "not taken"  # it answered, and something else
    AWAY = "away"  # no answer, or one that says that the receiver cannot now


class Tried(NamedTuple):
    """The outcome of a try, in words for the operator, and for how many seconds it does not want to be tried again."""

    outcome: Taken
    why: str
    after: float = 0.0


def receiver_client(settings: WebhookSettings, addresses: Addresses) -> httpx.AsyncClient:
    """A client that reaches the addresses of receivers and no others."""
    options = TransportOptions(TIMEOUT, CONNECTIONS, MAX_ANSWER, gzip=False, ca_file=settings.ca_file)
    return bounded_client(options, resolve=addresses.resolve)


class Sender:
    """Sends messages, over connections of its own; for one event loop."""

    def __init__(self, settings: WebhookSettings, addresses: Addresses | None = None) -> None:
        self._addresses = addresses or Addresses(settings.networks)
        self._http = receiver_client(settings, self._addresses)

    async def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> Tried:
        """Try once."""
        try:
            async with asyncio.timeout(TIMEOUT):
                answer = await self._http.post(url, content=body, headers=headers)
        except (httpx.TimeoutException, TimeoutError):
            return Tried(Taken.AWAY, "no answer in time")
        except httpx.ConnectError:
            if httpx.URL(url).host in self._addresses.refused:
                return Tried(Taken.AWAY, "its address is neither public nor in `webhooks.networks`")
            return Tried(Taken.AWAY, "no connection")
        except (httpx.HTTPError, httpx.InvalidURL):
            return Tried(Taken.NOT, "a redirect, or no answer that HTTP allows")
        if answer.is_success:
            return Tried(Taken.TAKEN, "")
        if answer.status_code == httpx.codes.GONE:
            return Tried(Taken.GONE, "it wants no more messages (410)")
        away = answer.status_code >= 500 or answer.status_code == httpx.codes.TOO_MANY_REQUESTS
        return Tried(Taken.AWAY if away else Taken.NOT, f"status {answer.status_code}", _after(answer))

    async def close(self) -> None:
        """Release every connection."""
        await self._http.aclose()


def _after(answer: httpx.Response) -> float:
    return min(retry_after(answer.headers.get("retry-after", "")), MOST_AFTER)
