"""The port through which connectors speak HTTP: one request, one bounded answer, or the one word why not.

Whatever fills the port keeps these invariants (one contract suite runs over every filling):

- at most `max_bytes` of body after decompression are ever held; an answer with more is stopped early;
- all that stands around a body is bounded too, in bytes, lines and chunks: interim answers, headers and trailers;
- an encoding that was not asked for, a status that is none and a length that is said twice make an answer `INVALID`;
- a connection is used again only by a question of the same `lane`, and only after whoever asked has said that the
  answer named everybody who was asked about (`Lease.settle`); without a lane it carries one question and one answer;
- with an `echo`, the header that every request has and every answer repeats, any question may use a connection again,
  and an answer is a question's by that alone: without it on a connection used before, or with another, it is none;
- an answer that anything is wrong with and that came over a connection used before is asked for again over a new one;
- no redirect is followed, no cookie kept, no proxy taken from the environment;
- `send` ends within the given seconds, waiting for a free connection included;
- at most `connections` requests are under way at once;
- TLS is verified (system roots, plus `ca_file` where given), at least TLS 1.2; a client certificate is presented;
- a fault is a `TransportFault`, never an exception, and carries nothing of the source's own text.

Retries, breakers and deadlines are left to `calling.py`; what a status or body means is left to the connectors.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from connectors.base import Failure, Fault, Flaw
from connectors.kit.breaker import CROWDED


class TransportFault(enum.Enum):
    """Why there is no answer."""

    TIMEOUT = "timeout"
    CROWDED = "crowded"
    """It got no place while it might have been answered: as many requests were under way as may be."""
    UNAVAILABLE = "unavailable"
    TOO_LARGE = "too large"
    REDIRECT = "redirect"
    INVALID = "invalid"


FAILURES: Mapping[TransportFault, Failure] = {
    TransportFault.TIMEOUT: Failure(Fault.TIMEOUT, True, "no whole answer in time"),
    TransportFault.CROWDED: CROWDED,
    TransportFault.UNAVAILABLE: Failure(Fault.UNAVAILABLE, True, "no connection, or it broke"),
    TransportFault.TOO_LARGE: Failure(
        Fault.INVALID, False, "answer over `max_bytes`, or too much around it", Flaw.SIZE
    ),
    TransportFault.REDIRECT: Failure(Fault.INVALID, False, "redirect; the configured address must answer itself"),
    TransportFault.INVALID: Failure(Fault.INVALID, False, "an answer that HTTP does not allow, or not asked for so"),
}


class TransportOptions(msgspec.Struct, frozen=True):
    """One department's connection settings; times in seconds, sizes in bytes, files in PEM.

    `shown` names the headers of an answer, in lower case, that its `Response` has.
    """

    timeout: float = 2.0
    connections: int = 64
    max_bytes: int = 1024 * 1024
    max_chunks: int = 4096
    gzip: bool = True
    echo: str = ""
    shown: frozenset[str] = frozenset()
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None


class Lease(Protocol):
    """The connection of an answer, until it is known whether it may carry another question of its lane."""

    reused: bool
    """Whether it had carried another answer before this one."""

    def settle(self, keep: bool) -> bool:
        """Keep the connection, or close it; exactly once. False where bytes out of turn came meanwhile."""
        ...


class Response(msgspec.Struct, frozen=True):
    """A whole answer that is no redirect: its status, its body, decompressed, and after what time it asks to be called
    again.

    `lease` is there with a lane only, and not where an echo proved whose answer it is. `headers` are those that the
    options ask for, in lower case, in the order in which they came, each as often as it came.
    """

    status: int
    body: bytes
    retry_after: str = ""
    lease: Lease | None = None
    headers: Sequence[tuple[str, str]] = ()


class Transport(Protocol):
    """One department's HTTP client."""

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        within: float,
        lane: object = None,
        fresh: bool = False,
    ) -> Response | TransportFault:
        """Send one request; `within` is in seconds, and counts where it is shorter than the options' `timeout`.

        A `lane` is whatever the same kind of question has in common; `fresh` asks for a new connection all the same.
        """
        ...

    async def close(self) -> None:
        """Release every connection."""
        ...


MAX_HEAD = 64 * 1024
"""Bytes of status line and headers, those of interim answers included."""
MAX_AROUND = 128 * 1024
"""Bytes of an answer that are not of its body: the head, and what frames chunks and stands in trailers."""
MAX_LINES = 256
"""Lines of headers, those of interim answers, their status lines and trailers included."""
INLINE = 64 * 1024
"""Bytes that are decompressed or decoded on the event loop at most; with more it is done beside it."""

TransportFactory = Callable[[TransportOptions], Transport]
