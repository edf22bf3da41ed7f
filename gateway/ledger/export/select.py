"""Entries chosen from a store for somebody who may look: of a subject, of a case, of a period, or of all of these.

Read only, from one snapshot, so that every proof made of it is of one tree. Those of a subject are found by `lookups`,
and no other is opened; else choosing opens every payload on the way. Whoever calls this has entered a `view` first
(invariant 17).
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from gateway.errors import VerificationFailed
from gateway.ledger.entry import describe, entries
from gateway.ledger.projections import extract, lookups
from gateway.ledger.stored import read
from gateway.ledger.stored.read import Head, StoredEntry, StoredTree
from gateway.storage.port import Reader
from gateway.storage.tables import micros

Progress = Callable[[str, int, int], None]

_LATE = datetime.timedelta(hours=1)
"""Entries stand in the order of their commits; one speaks of a moment that is never this much earlier."""
_TELL = 1024


class Chosen(NamedTuple):
    """One entry, opened. `receipt` is made against the checkpoint of its shard's `head`."""

    head: Head
    entry: StoredEntry
    told: entries.Told
    oversight: entries.Oversight
    receipt: str


def choose(reader: Reader, looked: entries.Looked, progress: Progress | None = None) -> Iterator[Chosen]:
    """The entries that fit, shard by shard, in order; erased ones cannot be told and are left out.

    Raises `VerificationFailed` where an entry does not open, or is of a kind that this version does not know.
    """
    of_subject = None if looked.value is None else _places(reader, looked.scheme or "", looked.value)
    for head in read.heads(reader):
        first = read.first_since(reader, head, micros(looked.since)) if looked.since else 0
        tree = StoredTree(reader, head.id, head.size)
        for entry in _entries(reader, head, first, of_subject):
            if looked.until is not None and entry.at > looked.until + _LATE:
                break
            if progress and entry.index % _TELL == 0:
                progress(head.name, entry.index, head.size)
            if entry.told is not None and entry.oversight is not None:
                told, oversight = _read(head, entry)
                if fits(told, looked):
                    yield Chosen(head, entry, told, oversight, read.receipt_text(tree, head, entry))


def _places(reader: Reader, scheme: str, value: str) -> dict[int, list[int]]:
    """The indexes of the entries that name a subject, in order, by their shard."""
    found: dict[int, list[int]] = {}
    for place in lookups.who_looked(reader, scheme, value, exact=True).places:
        found.setdefault(place.shard, []).append(place.number)
    return {shard: sorted(numbers) for shard, numbers in found.items()}


def _entries(
    reader: Reader, head: Head, first: int, of_subject: Mapping[int, Sequence[int]] | None
) -> Iterator[StoredEntry]:
    """A shard's entries from `first` on: all, or those of the subject."""
    if of_subject is None:
        yield from read.read_entries(reader, head.id, first, head.size - first)
        return
    for number in of_subject.get(head.id, ()):
        if number >= first:
            yield from read.read_entries(reader, head.id, number, 1)


def one(reader: Reader, shard: str, index: int) -> Chosen:
    """One entry by its shard's name and its index; raises `VerificationFailed` where it is missing or does not open."""
    for head in read.heads(reader):
        if head.name == shard:
            for entry in read.read_entries(reader, head.id, index, 1):
                if entry.told is not None and entry.oversight is not None:
                    told, oversight = _read(head, entry)
                    tree = StoredTree(reader, head.id, head.size)
                    return Chosen(head, entry, told, oversight, read.receipt_text(tree, head, entry))
    raise VerificationFailed(f"entry {index} of shard `{shard}` is missing")


def _read(head: Head, entry: StoredEntry) -> tuple[entries.Told, entries.Oversight]:
    try:
        return entry.read_told(), entry.read_oversight()
    except ValueError as error:
        raise VerificationFailed(f"entry {entry.index} of shard `{head.name}`: {error}") from error


def fits(told: entries.Told, looked: entries.Looked) -> bool:
    """Whether an entry is of all that is looked for; the registry's are of nothing that anybody did, and never are."""
    if isinstance(told, entries.ShardChange):
        return False
    if looked.since is not None and told.at < looked.since:
        return False
    if looked.until is not None and told.at >= looked.until:
        return False
    if looked.case is not None and looked.case != _case(told):
        return False
    return looked.value is None or (looked.scheme, looked.value) in extract.subjects_of(told)


def _case(told: entries.Told) -> str | None:
    if not isinstance(told, entries.Operation):
        return describe.deed(told).case
    return told.declaration.case if told.declaration else None
