"""In which order the versions of a record came to its recipients: no store, no clock.

Two versions that came first with the same answer stand beside each other: which of them is in force nobody can tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gateway.ledger.projections.several import Received

Place = tuple[int, int]
"""Where an answer stands: its time in microseconds, and its entry."""
Firsts = Mapping[str, Place]
"""Of each version of a record, the first answer that named it."""


class Newest(NamedTuple):
    """The version of a record that came to anybody last, the one before it, and when it first did (microseconds)."""

    dataset: str
    record: str
    before: str
    version: str
    at: int


def firsts(received: Sequence[Received]) -> Mapping[tuple[str, str], Firsts]:
    """Of each record (dataset and id) of a subject. `received` are its answers, oldest first."""
    found: dict[tuple[str, str], dict[str, Place]] = {}
    seen: set[int] = set()
    for each in received:
        if id(each.shares) in seen:  # an earlier answer disclosed the same
            continue
        seen.add(id(each.shares))
        for share in each.shares:
            for named in share.records:
                record, _, version = named.rpartition("@")
                found.setdefault((share.dataset, record), {}).setdefault(version, (each.at, each.entry))
    return found


def older(of: Firsts, version: str) -> frozenset[str]:
    """The versions that came before this one; none where it did not come itself."""
    since = of.get(version)
    return frozenset() if since is None else frozenset([name for name, place in of.items() if place < since])


def newest(received: Sequence[Received]) -> list[Newest]:
    """Of each record of which another version came after the first."""
    found = []
    for (dataset, record), of in firsts(received).items():
        last = max(of.values())
        named = [version for version, place in of.items() if place == last]
        if len(named) == 1 and len(of) > 1:
            before = max(older(of, named[0]), key=lambda version: (of[version], version))
            found.append(Newest(dataset, record, before, named[0], last[0]))
    return found
