"""What was entered before, for a requester that asks for its receipts, and for counts that are filled at a start."""

from __future__ import annotations

import contextlib
import datetime
import itertools
import operator
import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar

from gateway.errors import LedgerUnavailable, StoreUnavailable, VerificationFailed
from gateway.ledger.proof.leaf import Side
from gateway.ledger.proof.tlog_proof import Receipt
from gateway.ledger.stored import read
from gateway.ledger.stored.read import StoredEntry
from gateway.storage.port import Reader, Store
from gateway.storage.tables import SHARD_BITS, micros

_T = TypeVar("_T")
_CURSOR = re.compile("(0|[1-9][0-9]{0,18})-(0|[1-9][0-9]{0,18})")


Places = Callable[[Reader, tuple[int, int]], Iterator[tuple[int, int]]]
"""The places `(at, entry)` after one, oldest first, as they are asked for."""

_AT_ONCE = 128


class Own(NamedTuple):
    """One of a requester's own entries: what it received, a receipt for it, and the cursor of the next page."""

    cursor: str
    told: Side
    receipt: Receipt


def everybodys(issuer: str, client: str) -> Places:
    """The places of all that a requester entered, whoever of it asked."""

    def places(reader: Reader, after: tuple[int, int]) -> Iterator[tuple[int, int]]:
        while found := read.own_entries(reader, issuer, client, after, _AT_ONCE):
            yield from found
            after = found[-1]

    return places


def own(
    store: Store, places: Places, shown: Callable[[StoredEntry], bool], after: str | None = None, first: int = 20
) -> list[Own]:
    """The first entries at these places that may be shown, with receipts, after a cursor of an earlier call.

    Entries whose general part does not open are left out. Raises `ValueError` for a cursor that is none of ours, and
    `LedgerUnavailable` where the entries cannot be read.
    """
    start = _place(after) if after else (0, 0)
    try:
        with contextlib.closing(store.reader()) as reader:
            return list(itertools.islice(_own(reader, places(reader, start), shown), first))
    except (VerificationFailed, StoreUnavailable) as error:
        raise LedgerUnavailable(f"the store's entries cannot be read: {error}") from error


def _place(cursor: str) -> tuple[int, int]:
    """Where an `Own.cursor` stands; raises `ValueError` for what no `Own` ever had."""
    read_as = _CURSOR.fullmatch(cursor)
    if read_as is not None and max(place := (int(read_as[1]), int(read_as[2]))) < 2**63:
        return place
    raise ValueError("this is not a cursor of `receipts`")


def _own(reader: Reader, places: Iterable[tuple[int, int]], shown: Callable[[StoredEntry], bool]) -> Iterator[Own]:
    shards = {head.id: head for head in read.heads(reader)}
    trees = {head.id: read.StoredTree(reader, head.id, head.size) for head in shards.values()}
    for when, entered in places:
        shard, index = entered >> SHARD_BITS, entered & (1 << SHARD_BITS) - 1
        for entry in read.read_entries(reader, shard, index, 1):
            if entry.told is not None and entry.oversight is not None and shown(entry):
                yield Own(f"{when}-{entered}", entry.told, read.receipt(trees[shard], shards[shard], entry))


def entered_since(store: Store, at: datetime.datetime, of_interest: Callable[[StoredEntry], _T | None]) -> list[_T]:
    """What `of_interest` makes of the entries from a moment on, in every shard, oldest first.

    Entries whose general part does not open are left out, as is what `of_interest` gives None for. Raises
    `LedgerUnavailable` where the entries cannot be read.
    """
    found: list[tuple[datetime.datetime, _T]] = []
    try:
        with contextlib.closing(store.reader()) as reader:
            for head in read.heads(reader):
                first = read.first_since(reader, head, micros(at))
                for entry in read.read_entries(reader, head.id, first, head.size - first):
                    if entry.told is None or entry.oversight is None:
                        continue
                    if (made := of_interest(entry)) is not None:
                        found.append((entry.at, made))
    except (VerificationFailed, StoreUnavailable) as error:
        raise LedgerUnavailable(f"the store's entries cannot be read: {error}") from error
    found.sort(key=operator.itemgetter(0))
    return [made for _, made in found]
