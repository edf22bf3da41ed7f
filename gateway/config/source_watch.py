"""The settings of `gateway.yaml` for watching departments' systems: `source_watch`.

source_watch: {every: 1h, state: watched.json, metrics: drift.prom}
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from gateway.documents import Node


class SourceWatch(msgspec.Struct, frozen=True):
    """Departments' systems are watched beside those that serve: a look each `every` seconds.

    `state` is the file that keeps what one look found for the next, `metrics` the one with metrics, where there is one.
    """

    every: float
    state: Path
    metrics: Path | None = None


def read_source_watch(node: Node) -> SourceWatch:
    """The key `source_watch`; what is wrong becomes problems."""
    keys = node.mapping(("state",), ("every", "metrics"))
    metrics = keys["metrics"].written_file() if "metrics" in keys else None
    return SourceWatch(keys["every"].duration(3600.0, most=7 * 86400), keys["state"].written_file(), metrics)
