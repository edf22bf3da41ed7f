"""Entries opened no further than a reader needs who takes little of most of them.

Such a reader has two functions. One is given the general parts and what oversight has of each subject, as they were
written; where it says nothing, or where one of these does not open or was erased, the other is given the whole entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.ledger.stored import read
from gateway.ledger.stored.encryption import OVERSIGHT, TOLD, Segment, oversight_of_subject, unseal
from gateway.ledger.stored.read import StoredEntry, SubjectKey
from gateway.storage.port import Reader
from gateway.storage.tables import SHARD_BITS

T = TypeVar("T")
Parts = tuple[bytes, bytes, list[bytes]]
"""An entry's two general parts, and what oversight has of each of its subjects."""


def read_partly(
    reader: Reader,
    shard: int,
    first: int,
    last: int,
    partly: Callable[[bytes, bytes, list[bytes]], T | None],
    whole: Callable[[StoredEntry], T | None],
) -> Iterator[tuple[int, int, T | None]]:
    """The entries of a shard from `first` up to `last`, as far as they are there: index, time in microseconds, and what
    is taken of it. Keys are read once. Raises `VerificationFailed` at an entry that cannot be read."""
    base = shard << SHARD_BITS
    keys: dict[int, SubjectKey] = {}
    ciphers: dict[int, AESGCM] = {}
    for page in read.pages(reader, base + first, base + last):
        laid = read.laid_in(page)
        named = {segment.key for segments in laid for segment in segments or ()}
        keys |= read.subject_keys(reader, named - keys.keys())
        for row, segments in zip(page, laid, strict=True):
            parts = parts_of(row, segments, keys, ciphers)
            taken = None if parts is None else partly(*parts)
            if taken is None:
                taken = whole(read.entry_of(row, segments, keys, ciphers))
            yield row[0] - base, row[1], taken


def parts_of(
    row: tuple[Any, ...],
    laid: Sequence[Segment] | None,
    keys: Mapping[int, SubjectKey],
    ciphers: dict[int, AESGCM],
) -> Parts | None:
    """Of the entry of a row (`statements.ENTRIES`), whose segments are `laid`; None where one of them is not there."""
    id_, _, _, period, told, oversight, _, _, secret, key_shard = row
    if secret is None or key_shard != id_ >> SHARD_BITS:
        return None
    try:
        cipher = ciphers.get(period) or ciphers.setdefault(period, AESGCM(secret))
        of_subjects = [
            oversight_of_subject(keys[segment.key][0], segment, id_, place) for place, segment in enumerate(laid or ())
        ]
        return unseal(cipher, told, TOLD, id_).body, unseal(cipher, oversight, OVERSIGHT, id_).body, of_subjects
    except (ValueError, KeyError, TypeError, OverflowError):
        return None
