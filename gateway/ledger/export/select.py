"""Entries chosen from a store for somebody who may look: of a subject, of a case, of a period, or of all of these.

Read only, from one snapshot, so that every proof made of it is of one tree. Choosing reads the ledger itself and opens
every payload on the way: evidence that was found by what is made behind the ledger would be as thin as that. Whoever
calls this has entered a `view` first (invariant 17).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from gateway.errors import VerificationFailed
from gateway.ledger.entry import describe, entries
from gateway.ledger.projections import extract, lookups
from gateway.ledger.projections.positions import Place, before
from gateway.ledger.stored import held, read
from gateway.ledger.stored.read import Head, StoredEntry, StoredTree
from gateway.storage.port import Reader
from gateway.storage.tables import SHARD_BITS, micros

Progress = Callable[[str, int, int], None]

_TELL = 1024


class Chosen(NamedTuple):
    """One entry, opened. `receipt` is made against the checkpoint of its shard's `head`."""

    head: Head
    entry: StoredEntry
    told: entries.Told
    oversight: entries.Oversight
    receipt: str


def choose(
    reader: Reader,
    looked: entries.Looked,
    progress: Progress | None = None,
    lacking: Callable[[int], None] | None = None,
) -> Iterator[Chosen]:
    """The entries that fit, shard by shard, in order; erased ones cannot be matched and are left out.

    Every entry is read and checked against its leaf, and the leaves against the head: nothing that was made of the
    ledger is believed. How many entries about a subject the projection `looked` lacks is in `lacking` at the end.
    Raises `VerificationFailed` where an entry does not open, was altered, or is of a kind that is not known here.
    """
    fitting: set[Place] = set()
    for head in read.heads(reader):
        stored = StoredTree(reader, head.id, head.size)
        for entry in held.entries(reader, head):
            if progress and entry.index % _TELL == 0:
                progress(head.name, entry.index, head.size)
            if entry.told is not None and entry.oversight is not None:
                told, oversight = _read(head, entry)
                if fits(told, looked):
                    if looked.value is not None:
                        fitting.add(Place(micros(entry.at), (head.id << SHARD_BITS) + entry.index))
                    yield Chosen(head, entry, told, oversight, read.receipt(stored, head, entry).text)
    if looked.value is not None and lacking is not None:
        looks = lookups.who_looked(reader, looked.scheme or "", looked.value, exact=True)
        known = {place for place in fitting if before(place, looks.until)}
        if thinned := known - set(looks.places):
            lacking(len(thinned))


def one(reader: Reader, shard: str, index: int) -> Chosen:
    """One entry by its shard's name and its index; raises `VerificationFailed` where it is missing or does not open."""
    for head in read.heads(reader):
        if head.name == shard:
            for entry in read.read_entries(reader, head.id, index, 1):
                if entry.told is not None and entry.oversight is not None:
                    told, oversight = _read(head, entry)
                    tree = StoredTree(reader, head.id, head.size)
                    return Chosen(head, entry, told, oversight, read.receipt(tree, head, entry).text)
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
