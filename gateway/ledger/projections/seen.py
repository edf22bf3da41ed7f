"""Entries as far as the projections take anything from them, read from one snapshot in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from gateway.errors import VerificationFailed
from gateway.ledger.entry import entries
from gateway.ledger.projections import extract
from gateway.ledger.stored import read
from gateway.ledger.stored.read import StoredEntry
from gateway.storage.port import Reader
from gateway.storage.tables import SHARD_BITS, micros


class Seen(msgspec.Struct, frozen=True, gc=False):
    """What the projections take from one entry; nothing else of it is kept while a batch is read.

    `by` is the requester (issuer, client), None where its period's key was destroyed; `looked` are the subjects that it
    names, and `visible` when they are shown it; `taken_back` says that an earlier answer was not released; `others`
    that others than the subject itself were told.
    """

    id: int
    at: int
    keys: tuple[int, ...]
    looked: Sequence[int]
    by: tuple[str, str] | None
    facts: int | None
    given: Sequence[extract.Given]
    purpose: str | None
    official: str | None
    taken_back: entries.NotReleased | None
    counts: extract.Count | None
    visible: int | None
    named: int | None
    others: bool = False


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
    expected = first
    for entry in read.read_entries(reader, shard, first, last - first):
        if entry.index != expected:
            break
        expected += 1
        told = oversight = None
        if entry.told is not None and entry.oversight is not None:
            try:
                told, oversight = entry.read_told(), entries.read_oversight(entry.oversight.general.body)
            except ValueError as error:
                raise VerificationFailed(f"entry {entry.index}: {error}") from error
        yield seen_of(entry, micros(entry.at), told, oversight)
    if expected < last:
        raise VerificationFailed(f"entry {expected} is missing")
