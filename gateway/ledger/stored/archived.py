"""Rows of entries, of which some may be in the archive: what the store has not is read there (`port.EntryFiles`).

Nothing is asked for twice where the store has all: it is only looked for in the archive where rows are missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import NoneType
from typing import Any, NamedTuple

from gateway.errors import ArchiveUnavailable, VerificationFailed
from gateway.ledger.stored import statements as sql
from gateway.nouns import counted
from gateway.storage.port import EntryFiles, Head, Reader
from gateway.storage.tables import SHARD_BITS

_INDEX = (1 << SHARD_BITS) - 1
_AT_ONCE = 8
_TYPES = {
    (int, int, bytes, int, bytes, bytes, subjects, *key)
    for subjects in (bytes, NoneType)
    for key in ((str, bytes, int), (str, NoneType, int), (NoneType, NoneType, NoneType))
}
"""Of a row: with or without what it says of subjects; with its day's key, with a destroyed one, or with none."""


class Removed(NamedTuple):
    """Of a shard, by its name: rows below an index may be gone; the archive at `place` has them by `manifest`.

    `size` is up to which index the archive has entries.
    """

    shard: str
    below: int
    manifest: bytes
    place: str
    size: int


def removed(reader: Reader, shard: int) -> Removed | None:
    """What of a shard, by its id, may be in the archive alone; None where nothing is."""
    found = noted(reader, shard)
    return found if found is not None and found.below else None


def noted(reader: Reader, shard: int) -> Removed | None:
    """What is noted of a shard that was archived; None where none of it was."""
    rows = reader.rows(sql.ARCHIVED, shard)
    return Removed._make(rows[0]) if rows else None


def check_noted(reader: Reader, head: Head) -> None:
    """Hold what is noted of a shard's archive to the archive's manifest, where it can be read.

    Raises `VerificationFailed`, and `ArchiveUnavailable` where rows are gone and the archive cannot be read.
    """
    found = noted(reader, head.id)
    if found is None:
        return
    if not 0 <= found.below <= found.size <= head.size:
        raise VerificationFailed(
            f"it has {counted(head.size, 'entry')}, and the store has noted that {found.size} are in the"
            " archive, and rows of"
            f" {found.below} may be gone: the row in `archived` was altered"
        )
    if reader.archive is None:
        return
    try:
        entries = reader.archive.entries(found.shard, found.manifest)
    except ArchiveUnavailable:
        if found.below:
            raise
        return  # nothing is read there
    if entries != found.size:
        raise VerificationFailed(
            f"the store has noted that {found.size} of its entries are in the archive, whose manifest has {entries}:"
            " the row in `archived` was altered; run `dutybound ledger archive` again"
        )


def rows(reader: Reader, first: int, last: int) -> list[tuple[Any, ...]]:
    """The rows of the entries from an id up to another, of one shard, as `sql.ENTRIES` gives them."""
    found = _typed(reader.rows(sql.ENTRIES, first, last, last - first, 0))
    return found if len(found) == last - first else _filled(reader, found, range(first, last))


def rows_at(reader: Reader, ids: Sequence[int]) -> list[tuple[Any, ...]]:
    """The rows of entries by their ids, as `sql.ENTRIES_AT` gives them; it takes so many ids."""
    found, wanted = _typed(reader.rows(sql.ENTRIES_AT, *ids)), set(ids)
    if len(found) == len(wanted):
        return found
    for shard in {id_ >> SHARD_BITS for id_ in wanted}:
        found = _filled(reader, found, sorted(id_ for id_ in wanted if id_ >> SHARD_BITS == shard))
    return found


def leaves(reader: Reader, first: int, last: int) -> list[tuple[int, bytes]]:
    """Ids and leaves of the entries from an id up to another, of one shard."""
    found: list[tuple[Any, ...]] = reader.rows(sql.LEAVES, first, last)
    if len(found) < last - first:
        gone, missing = _missing(reader, found, range(first, last))
        if gone is not None and missing:
            base = first & ~_INDEX
            there = _files(reader, gone, missing[0]).leaves(
                gone.shard, gone.manifest, [id_ & _INDEX for id_ in missing]
            )
            found = sorted([*found, *((base + index, leaf) for index, leaf in there.items())])
    for id_, leaf in found:
        if not isinstance(leaf, bytes):
            raise _other_type(id_)
    return [(id_, leaf) for id_, leaf in found]


def time(reader: Reader, id_: int) -> int | None:
    """The time (microseconds) of an entry; None where it is missing."""
    found = reader.rows(sql.AT, id_)
    if found:
        if not isinstance(found[0][0], int):
            raise _other_type(id_)
        return int(found[0][0])
    there = _filled(reader, [], [id_])
    return int(there[0][1]) if there else None


def _typed(found: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows of entries whose values have the types of their columns: SQLite keeps others too, where somebody wrote them.

    Raises `VerificationFailed` for the first that is another.
    """
    for row in found:
        if tuple(map(type, row)) not in _TYPES:
            raise _other_type(row[0])
    return found


def _other_type(id_: int) -> VerificationFailed:
    return VerificationFailed(f"entry {id_ & _INDEX}: a value of it is of another type; it was altered")


def _missing(
    reader: Reader, found: Iterable[tuple[Any, ...]], wanted: Sequence[int]
) -> tuple[Removed | None, list[int]]:
    """Which of these ids of one shard, of which some rows were found, may be in the archive."""
    gone = removed(reader, wanted[0] >> SHARD_BITS)
    if gone is None:
        return None, []
    there = {row[0] for row in found}
    return gone, [id_ for id_ in wanted if id_ & _INDEX < gone.below and id_ not in there]


def _files(reader: Reader, gone: Removed, id_: int) -> EntryFiles:
    if reader.archive is None:
        raise VerificationFailed(
            f"entry {id_ & _INDEX} of shard `{gone.shard}` is in the archive (`{gone.place}`), which is not at hand:"
            " name it with `ledger.archive` in `gateway.yaml`, or with `--archive`"
        )
    return reader.archive


def _filled(reader: Reader, found: list[tuple[Any, ...]], wanted: Sequence[int]) -> list[tuple[Any, ...]]:
    """Rows of one shard, in order, with those that the archive has; each with its period's key."""
    gone, missing = _missing(reader, found, wanted)
    if gone is None or not missing:
        return found
    base = missing[0] & ~_INDEX
    there = _files(reader, gone, missing[0]).rows(gone.shard, gone.manifest, [id_ & _INDEX for id_ in missing])
    periods = _periods(reader, sorted({row[2] for row in there.values()}))
    filled = [(base + index, *row, *periods.get(row[2], (None, None, None))) for index, row in there.items()]
    return sorted([*found, *filled], key=lambda row: int(row[0]))


def _periods(reader: Reader, ids: Sequence[int]) -> dict[int, tuple[Any, ...]]:
    """Period, secret and shard of the keys of periods, by their ids."""
    found: dict[int, tuple[Any, ...]] = {}
    for start in range(0, len(ids), _AT_ONCE):
        some = list(ids[start : start + _AT_ONCE])
        some += [some[0]] * (_AT_ONCE - len(some))
        found |= {id_: tuple(rest) for id_, *rest in reader.rows(sql.PERIOD_KEYS, *some)}
    return found
