"""The port through which connectors speak HTTP: one request, one bounded answer, or the one word why not.

Whatever fills the port keeps these invariants (one contract suite runs over every filling):

- at most `max_bytes` of body after decompression are ever held; an answer with more is stopped early;
- no redirect is followed, no cookie kept, no proxy taken from the environment;
- `send` ends within the given seconds, waiting for a free connection included;
- at most `connections` requests are under way at once;
- TLS is verified (system roots, plus `ca_file` where given), at least TLS 1.2; a client certificate is presented;
- a fault is a `TransportFault`, never an exception, and carries nothing of the source's own text.

Retries, breakers and deadlines are left to `calling.py`; what a status or body means is left to the connectors.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

from connectors.base import Failure, Fault


class TransportFault(enum.Enum):
    """Why there is no answer."""

    TIMEOUT = "timeout"
    UNAVAILABLE = "unavailable"
    TOO_LARGE = "too large"
    REDIRECT = "redirect"


FAILURES: Mapping[TransportFault, Failure] = {
    TransportFault.TIMEOUT: Failure(Fault.TIMEOUT, True, "no whole answer in time"),
    TransportFault.UNAVAILABLE: Failure(Fault.UNAVAILABLE, True, "no connection, or it broke"),
    TransportFault.TOO_LARGE: Failure(Fault.INVALID, False, "answer over `max_bytes`"),
    TransportFault.REDIRECT: Failure(Fault.INVALID, False, "redirect; the configured address must answer itself"),
}


class TransportOptions(msgspec.Struct, frozen=True):
    """One department's connection settings; times in seconds, sizes in bytes, files in PEM."""

    timeout: float = 2.0
    connections: int = 64
    max_bytes: int = 1024 * 1024
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None


class Response(NamedTuple):
    """A whole answer that is no redirect: its status, its body, decompressed, and when it says to come back."""

    status: int
    body: bytes
    retry_after: str = ""


class Transport(Protocol):
    """One department's HTTP client."""

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, within: float
    ) -> Response | TransportFault:
        """Send one request; `within` is in seconds, and counts where it is shorter than the options' `timeout`."""
        ...

    async def close(self) -> None:
        """Release every connection."""
        ...


TransportFactory = Callable[[TransportOptions], Transport]
