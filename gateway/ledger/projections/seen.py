"""Entries as far as the projections take anything from them, read from one snapshot in order."""

from __future__ import annotations

from collections.abc import Iterator

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.errors import VerificationFailed
from gateway.ledger.entry import entries
from gateway.ledger.projections import extract
from gateway.ledger.projections.quick import Quick, Seen
from gateway.ledger.stored import read
from gateway.ledger.stored.read import StoredEntry
from gateway.storage.port import Reader
from gateway.storage.tables import SHARD_BITS, micros

__all__ = ["Seen", "seen_from", "seen_of"]


def seen_of(entry: StoredEntry, at: int, told: entries.Told | None, oversight: entries.Oversight | None) -> Seen:
    """What the projections take from an entry of this time (microseconds), opened."""
    return Seen(
        (entry.shard << SHARD_BITS) + entry.index,
        at,
        entry.keys,
        extract.looked_at(told, entry.keys, entry.erased),
        None if told is None else (told.requester.issuer, told.requester.client),
        None if oversight is None else oversight.facts,
        extract.given(told),
        extract.purpose(told),
        extract.official(told, oversight),
        told if isinstance(told, entries.NotReleased) else None,
        extract.count(told, oversight),
        extract.visible(told, oversight, at),
        extract.named(told),
        oversight is not None and not oversight.by_subject,
    )


def seen_from(reader: Reader, shard: int, first: int, last: int) -> Iterator[Seen]:
    """The entries from `first` up to `last`; raises `VerificationFailed` at one that cannot be read."""
    base = shard << SHARD_BITS
    expected = base + first
    for seen in _seen_in(reader, expected, base + last):
        if seen.id != expected:
            break
        expected += 1
        yield seen
    if expected < base + last:
        raise VerificationFailed(f"entry {expected - base} is missing")


def _seen_in(reader: Reader, first: int, last: int) -> Iterator[Seen]:
    keys: dict[int, read.SubjectKey] = {}
    ciphers: dict[int, AESGCM] = {}
    quick = Quick(keys, ciphers)
    for page in read.pages(reader, first, last):
        laid = read.laid_in(page)
        named = {segment.key for segments in laid for segment in segments or ()}
        keys |= read.subject_keys(reader, named - keys.keys())
        for row, segments in zip(page, laid, strict=True):
            yield quick.seen(row, segments) or whole(read.entry_of(row, segments, keys, ciphers))


def whole(entry: StoredEntry) -> Seen:
    told = oversight = None
    if entry.told is not None and entry.oversight is not None:
        try:
            told, oversight = entry.read_told(), entries.read_oversight(entry.oversight.general.body)
        except ValueError as error:
            raise VerificationFailed(f"entry {entry.index}: {error}") from error
    return seen_of(entry, micros(entry.at), told, oversight)
