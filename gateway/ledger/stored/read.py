"""Entries back out of the store: a shard's stored tree, opened payloads, and receipts made again. Read only.

`StoredTree` answers for nodes from what is stored: leaves in `entry`, hashes of full tiles in `subtree`. It trusts
nothing to be there: a hole is a `VerificationFailed` that names it.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.errors import VerificationFailed
from gateway.ledger.entry import entries, parts
from gateway.ledger.proof import tlog_proof
from gateway.ledger.proof.leaf import Opening, Part, Side, oversight_digest
from gateway.ledger.proof.merkle import inclusion_proof, leaf_hash, node_hash
from gateway.ledger.proof.tlog_proof import Receipt
from gateway.ledger.stored import archived
from gateway.ledger.stored import statements as sql
from gateway.ledger.stored.encryption import OVERSIGHT, TOLD, Segment, segments, unseal, unseal_subject
from gateway.storage.port import Head, Reader
from gateway.storage.tables import SHARD_BITS, moment

__all__ = [
    "Head",
    "StoredEntry",
    "StoredTree",
    "entry_of",
    "first_since",
    "heads",
    "own_entries",
    "pages",
    "read_at",
    "read_entries",
    "receipt",
]

TILE_BITS = 8
TILE_WIDTH = 1 << TILE_BITS
_PAGE = 512
_INDEX = (1 << SHARD_BITS) - 1


_HEAD_TYPES = (int, str, str, str, int, int, bytes, int, str, int)


class StoredEntry(msgspec.Struct, frozen=True):
    """An entry with its payload opened; a side whose period key was destroyed is None.

    `at` is the shard's floor after it; `period` the day that its key seals; `keys` the ids of its subjects' keys, in
    their order, and `erased` those of them that were destroyed.
    """

    shard: int
    index: int
    at: datetime.datetime
    leaf: bytes
    told: Side | None
    oversight: Side | None
    period: str
    keys: tuple[int, ...] = ()
    erased: tuple[int, ...] = ()

    def read_told(self) -> entries.Told:
        """What it disclosed; raises `ValueError` for a version that this reader does not know, and damage."""
        assert self.told is not None, "its reader asked first"
        return parts.read_told(self.told)

    def read_oversight(self) -> entries.Oversight:
        """What only oversight may open; raises `ValueError` as `read_told` does."""
        assert self.oversight is not None, "its reader asked first"
        return parts.read_oversight(self.oversight)


def heads(reader: Reader) -> list[Head]:
    """Every shard of the store, in the order they were made."""
    found = [Head(*row) for row in reader.rows(sql.SHARDS)]
    for head in found:
        if tuple(map(type, head)) != _HEAD_TYPES:
            raise VerificationFailed(f"the head of shard {head.id} was damaged: a value of it is of another type")
    return found


class StoredTree:
    """Nodes of one shard's tree of `size` leaves, read a tile at a time and kept as long as this object."""

    def __init__(self, reader: Reader, shard: int, size: int) -> None:
        self._reader, self._shard, self.size = reader, shard, size
        self._tiles: dict[tuple[int, int], list[bytes]] = {}

    def leaves(self, first: int, last: int) -> list[bytes]:
        """The 32-byte leaves (not their hashes) from `first` up to `last`."""
        base = self._shard << SHARD_BITS
        rows = archived.leaves(self._reader, base + first, base + last)
        for index, (found, _) in enumerate(rows, first):
            if found != base + index:
                raise VerificationFailed(f"entry {index} is missing")
        if len(rows) != last - first:
            raise VerificationFailed(f"entry {first + len(rows)} is missing")
        return [leaf for _, leaf in rows]

    def tile(self, level: int, number: int) -> list[bytes]:
        """The hashes of a tile of tlog-tiles: all of it, or what a tree of this size has of it."""
        found = self._tiles.get((level, number))
        if found is None:
            first = number << TILE_BITS
            last = min(first + TILE_WIDTH, self.size >> level * TILE_BITS)
            if level == 0:
                found = [leaf_hash(leaf) for leaf in self.leaves(first, last)]
            else:
                rows = self._reader.rows(sql.SUBTREES, self._shard, level, first, last)
                found = [hash_ for _, hash_ in rows]
                if [position for position, _ in rows] != list(range(first, last)):
                    raise VerificationFailed(f"a hash of tile {level}/{number} is missing")
            self._tiles[level, number] = found
        return found

    def node(self, level: int, position: int) -> bytes:
        """A complete subtree's hash (`merkle.Node`)."""
        tile_level, above = divmod(level, TILE_BITS)
        first = position << above
        number, offset = divmod(first, TILE_WIDTH)
        row = self.tile(tile_level, number)[offset : offset + (1 << above)]
        if len(row) != 1 << above:
            raise VerificationFailed(f"tile {tile_level}/{number} is too short")
        while len(row) > 1:
            row = [node_hash(left, right) for left, right in zip(row[::2], row[1::2], strict=True)]
        return row[0]

    def peaks(self) -> tuple[bytes | None, ...]:
        """What `merkle.Tree` keeps."""
        size = self.size
        return tuple(
            self.node(level, (size >> level) - 1) if size >> level & 1 else None for level in range(size.bit_length())
        )


def read_entries(
    reader: Reader, shard: int, first: int, count: int, known: dict[int, SubjectKey] | None = None
) -> Iterator[StoredEntry]:
    """A shard's entries from index `first` on, opened. Raises `VerificationFailed` where a payload does not open.

    The subjects' keys that were read for it are put into `known`, by their ids.
    """
    base = shard << SHARD_BITS
    ciphers: dict[int, AESGCM] = {}
    for page in pages(reader, base + first, base + first + count):
        yield from _opened(reader, page, ciphers, known)


def read_at(reader: Reader, ids: Sequence[int]) -> dict[int, StoredEntry]:
    """The entries of these ids, opened, by id; of one that is not there nothing. Raises as `read_entries`."""
    ciphers: dict[int, AESGCM] = {}
    found = {}
    for start in range(0, len(ids), sql.AT_ONCE):
        some = list(ids[start : start + sql.AT_ONCE])
        some += [some[0]] * (sql.AT_ONCE - len(some))
        for each in _opened(reader, archived.rows_at(reader, some), ciphers):
            found[(each.shard << SHARD_BITS) + each.index] = each
    return found


def _opened(
    reader: Reader,
    page: list[tuple[Any, ...]],
    ciphers: dict[int, AESGCM],
    known: dict[int, SubjectKey] | None = None,
) -> Iterator[StoredEntry]:
    """The entries of some rows; `ciphers` are those of periods, by the id of their key."""
    laid = laid_in(page)
    keys = subject_keys(reader, {segment.key for segments_ in laid for segment in segments_ or ()})
    if known is not None:
        known |= keys
    for row, subjects in zip(page, laid, strict=True):
        yield entry_of(row, subjects, keys, ciphers)


def entry_of(
    row: tuple[Any, ...],
    subjects: Sequence[Segment] | None,
    keys: Mapping[int, SubjectKey],
    ciphers: dict[int, AESGCM],
) -> StoredEntry:
    """The entry of a row, opened: with its segments, and the keys of all of these that are there.

    `ciphers` are those of periods, by the id of their key. Raises `VerificationFailed` where a payload does not open.
    """
    id_, at, leaf, key, told, oversight, _, period, secret, key_shard = row
    shard, index = id_ >> SHARD_BITS, id_ & _INDEX
    try:
        if key_shard not in (shard, None):
            raise ValueError("the key that opens it is another shard's; it was altered")
        sides: tuple[Side | None, Side | None] = (None, None)
        if secret is not None:
            cipher = ciphers.get(key) or ciphers.setdefault(key, AESGCM(secret))
            opened = _open_subjects(subjects, keys, id_)
            sides = (
                Side(unseal(cipher, told, TOLD, id_), opened[0]),
                Side(unseal(cipher, oversight, OVERSIGHT, id_), opened[1]),
            )
        named = tuple([segment.key for segment in subjects or ()])
        erased = tuple([one for one in named if one not in keys])
        return StoredEntry(shard, index, moment(at), leaf, *sides, period or "", named, erased)
    except (ValueError, OverflowError) as error:
        raise VerificationFailed(f"entry {index}: {error}") from error
    except TypeError as error:
        raise VerificationFailed(f"entry {index}: a value of it is of another type; it was altered") from error


def laid_in(page: Sequence[tuple[Any, ...]]) -> list[list[Segment] | None]:
    """What each of some rows has of its subjects; raises `VerificationFailed` as `laid_segments`."""
    return [laid_segments(row[0] & _INDEX, row[6] if row[8] is not None else None) for row in page]


def laid_segments(index: int, laid: Any) -> list[Segment] | None:
    """What an entry has of its subjects, in parts; raises `VerificationFailed` that names it."""
    try:
        return None if laid is None else segments(laid)
    except (ValueError, TypeError) as error:
        raise VerificationFailed(f"entry {index}: {error}") from error


SubjectKey = tuple[AESGCM, tuple[int, str, str]]
"""A subject's key that was not destroyed, and whose it is: shard, scheme and value."""


def subject_keys(reader: Reader, wanted: set[int]) -> dict[int, SubjectKey]:
    """The keys of these ids, without those that were destroyed."""
    rows = key_rows(reader, wanted)
    return {
        id_: (_cipher(id_, secret), (shard, scheme, value))
        for id_, secret, shard, scheme, value in rows
        if secret is not None
    }


def key_rows(reader: Reader, wanted: set[int]) -> Iterator[tuple[Any, ...]]:
    """The rows of subjects' keys of these ids, destroyed or not: id, secret, shard, scheme, value."""
    ids = list(wanted)
    for start in range(0, len(ids), sql.KEYS_AT_ONCE):
        some = ids[start : start + sql.KEYS_AT_ONCE]
        some += [some[0]] * (sql.KEYS_AT_ONCE - len(some))
        yield from reader.rows(sql.SUBJECT_KEYS, *some)


def _cipher(id_: int, secret: bytes) -> AESGCM:
    try:
        return AESGCM(secret)
    except (ValueError, TypeError) as error:
        raise VerificationFailed(f"the subject's key {id_:016x} was altered ({error})") from error


_Opened = tuple[Part | bytes, ...] | None


def _open_subjects(
    laid: Sequence[Segment] | None, keys: Mapping[int, SubjectKey], entry: int
) -> tuple[_Opened, _Opened]:
    """The subjects' parts of both sides; the digest of each whose key was destroyed."""
    if laid is None:
        return None, None
    told: list[Part | bytes] = []
    oversight: list[Part | bytes] = []
    for place, segment in enumerate(laid):
        key = keys.get(segment.key)
        one, other = unseal_subject(key[0], segment, entry, place) if key else (segment.told, segment.oversight)
        told.append(one)
        oversight.append(other)
    return tuple(told), tuple(oversight)


def pages(reader: Reader, first: int, last: int) -> Iterator[list[tuple[Any, ...]]]:
    """The rows of the entries from an id up to another, of one shard; fewer where one is missing."""
    while first < last:
        end = min(first + _PAGE, last)
        rows = archived.rows(reader, first, end)
        yield rows
        if not rows:
            return
        first = end


def own_entries(reader: Reader, issuer: str, client: str, after: tuple[int, int], count: int) -> list[tuple[int, int]]:
    """One requester's entries after a place `(at in microseconds, entry id)`, as such places, oldest first."""
    at, id_ = after
    return [(found, entry) for found, entry in reader.rows(sql.OWN, issuer, client, at, id_, count, 0)]


def time_of(reader: Reader, head: Head, index: int) -> int:
    """The time of a shard's entry, in microseconds; raises `VerificationFailed` where it is missing."""
    found = archived.time(reader, (head.id << SHARD_BITS) + index)
    if found is None:
        raise VerificationFailed(f"entry {index} is missing")
    return found


def first_since(reader: Reader, head: Head, at: int) -> int:
    """The index of a shard's first entry with a time (microseconds) of `at` or later; its size where there is none."""
    low, high = 0, head.size
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if time_of(reader, head, middle) < at else (low, middle)
    return low


def receipt(tree: StoredTree, head: Head, found: StoredEntry) -> Receipt:
    """The receipt of a stored entry, against the shard's present checkpoint; of what was erased it has the digests.

    Both sides must be open.
    """
    if found.told is None or found.oversight is None:
        raise VerificationFailed(f"entry {found.index} was erased: no receipt can be made for it")
    opening = Opening(found.told, oversight_digest(found.oversight))
    lines = b""
    for sibling in reversed(inclusion_proof(tree.node, found.index, tree.size)):
        lines = tlog_proof.path_line(lines, sibling)
    note = tlog_proof.write(opening.encode(), found.index, lines, head.checkpoint.encode())
    return Receipt(head.name, found.index, note)
