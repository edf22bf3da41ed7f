"""What a worker reports to its supervisor over its link, one JSON line each."""

from __future__ import annotations

import msgspec

from gateway.manage.sources import Deliveries, Drifts
from gateway.manage.states import Trouble
from gateway.telemetry.metrics import Counts, Lag, RecallCounts


class Up(msgspec.Struct, frozen=True, tag="up"):
    """It serves."""


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """It cannot start, and why; nothing of a subject."""

    why: str


class Report(msgspec.Struct, frozen=True, tag="report"):
    """What it counted since it started, whether each of its checks holds, and what is out of order for it."""

    pid: int
    shard: str
    checks: dict[str, bool]
    counts: Counts
    lags: list[Lag]
    troubles: list[Trouble] = []


class Recalling(msgspec.Struct, frozen=True, tag="recalling"):
    """What the process that recalls counted since it started."""

    counts: RecallCounts


class Turns(msgspec.Struct, frozen=True, tag="turns"):
    """A process beside those that serve goes round in its event loop; sent again and again. `part` is its name."""

    part: str


Message = Up | Refused | Report | Recalling | Deliveries | Drifts | Turns
MAX_LINE = 1 << 20
"""Bytes of one message; a worker that says more is cut off."""

decode = msgspec.json.Decoder(Message).decode


def encode(message: Message) -> bytes:
    """The message as its line."""
    return msgspec.json.encode(message) + b"\n"
