"""What is not in the projection `counted` yet: the entries that a start reads, and since when there are any."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from gateway.ledger.projections import positions
from gateway.ledger.stored import read
from gateway.ledger.stored.read import StoredEntry
from gateway.storage.port import Reader
from gateway.storage.tables import micros

_T = TypeVar("_T")


def counted(reader: Reader, since: int, of_interest: Callable[[StoredEntry], _T | None]) -> list[_T]:
    """What `of_interest` makes of the entries, from a moment (microseconds) on, that are not in `counted`.

    In every shard, oldest first. Entries whose general part does not open are left out, as is what `of_interest` gives
    None for. Raises `VerificationFailed` where one cannot be read.
    """
    of = positions.covered(reader, "counted")
    found: list[tuple[int, _T]] = []
    for head in read.heads(reader):
        if of.next[head.id] < head.size:
            first = max(of.next[head.id], read.first_since(reader, head, since))
            for entry in read.read_entries(reader, head.id, first, head.size - first):
                if entry.told is not None and entry.oversight is not None:
                    made = of_interest(entry)
                    if made is not None:
                        found.append((micros(entry.at), made))
    found.sort(key=lambda each: each[0])
    return [made for _, made in found]


def since(reader: Reader) -> int | None:
    """The time (microseconds) of the first entry that is not in `counted`; None where there is none."""
    times = [each.since for each in positions.lags(reader) if each.projection == "counted" and each.entries]
    return min((each if each is not None else 0 for each in times), default=None)
