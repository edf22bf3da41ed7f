"""Entries back out of the store: a shard's stored tree, opened payloads, and receipts made again. Read only.

`StoredTree` answers for nodes from what is stored: leaves in `entry`, hashes of full tiles in `subtree`. It trusts
nothing to be there: a hole is a `VerificationFailed` that names it.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.errors import VerificationFailed
from gateway.ledger import proof
from gateway.ledger import statements as sql
from gateway.ledger.leaf import Opening, oversight_digest
from gateway.ledger.merkle import inclusion_proof, leaf_hash, node_hash
from gateway.ledger.seal import OVERSIGHT, TOLD, Part, unseal
from gateway.storage.port import Head, Reader
from gateway.storage.tables import SHARD_BITS, moment

__all__ = ["Head", "StoredEntry", "StoredTree", "first_since", "heads", "own_entries", "read_entries", "receipt_text"]

TILE_BITS = 8
TILE_WIDTH = 1 << TILE_BITS
_PAGE = 512


_HEAD_TYPES = (int, str, str, str, int, int, bytes, int, str)


class StoredEntry(msgspec.Struct, frozen=True):
    """An entry with its payload opened; a part whose key was destroyed is None.

    `at` is the shard's floor after it; `period` the day that its key seals.
    """

    shard: int
    index: int
    at: datetime.datetime
    leaf: bytes
    told: Part | None
    oversight: Part | None
    period: str


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
        rows = self._reader.rows(sql.LEAVES, base + first, base + last)
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


def read_entries(reader: Reader, shard: int, first: int, count: int) -> Iterator[StoredEntry]:
    """A shard's entries from index `first` on, opened. Raises `VerificationFailed` where a payload does not open."""
    base = shard << SHARD_BITS
    ciphers: dict[int, AESGCM] = {}
    for id_, at, leaf, key, told, oversight, period, secret in _pages(reader, base + first, base + first + count):
        try:
            told_part = oversight_part = None
            if secret is not None:
                cipher = ciphers.get(key) or ciphers.setdefault(key, AESGCM(secret))
                told_part = unseal(cipher, told, TOLD, id_)
                oversight_part = unseal(cipher, oversight, OVERSIGHT, id_)
            yield StoredEntry(shard, id_ - base, moment(at), leaf, told_part, oversight_part, period or "")
        except (ValueError, OverflowError) as error:
            raise VerificationFailed(f"entry {id_ - base}: {error}") from error
        except TypeError as error:
            raise VerificationFailed(f"entry {id_ - base}: a value of it is of another type; it was altered") from error


def _pages(reader: Reader, first: int, last: int) -> Iterator[tuple[Any, ...]]:
    while first < last:
        rows = reader.rows(sql.ENTRIES, first, last, _PAGE, 0)
        yield from rows
        if len(rows) < _PAGE:
            return
        first = rows[-1][0] + 1


def own_entries(reader: Reader, issuer: str, client: str, after: tuple[int, int], count: int) -> list[tuple[int, int]]:
    """One requester's entries after a place `(at in microseconds, entry id)`, as such places, oldest first."""
    at, id_ = after
    return [(found, entry) for found, entry in reader.rows(sql.OWN, issuer, client, at, at, id_, count, 0)]


def first_since(reader: Reader, head: Head, at: int) -> int:
    """The index of a shard's first entry with a time (microseconds) of `at` or later; its size where there is none."""
    low, high = 0, head.size
    while low < high:
        middle = (low + high) // 2
        rows = reader.rows(sql.AT, (head.id << SHARD_BITS) + middle)
        if not rows:
            raise VerificationFailed(f"entry {middle} is missing")
        low, high = (middle + 1, high) if rows[0][0] < at else (low, middle)
    return low


def receipt_text(tree: StoredTree, head: Head, found: StoredEntry) -> str:
    """A receipt for a stored entry, against the shard's present checkpoint. Both parts must be open."""
    if found.told is None or found.oversight is None:
        raise VerificationFailed(f"entry {found.index} was erased: no receipt can be made for it")
    opening = Opening(found.told.salt, oversight_digest(found.oversight.salt, found.oversight.body), found.told.body)
    lines = ""
    for sibling in reversed(inclusion_proof(tree.node, found.index, tree.size)):
        lines = proof.path_line(lines, sibling)
    return proof.write(opening.encode(), found.index, lines, head.checkpoint)
