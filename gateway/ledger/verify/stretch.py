"""A stretch of a shard's entries checked by itself: each opened, and compared with its leaf and what stands beside it.

What is found is a value (`Checked`), so a stretch may be checked in another process than the one that puts a shard
together. That its first entry follows the one before is not believed either: the time of that is where it begins, and
whoever checked it found that time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import msgspec

from gateway.errors import VerificationFailed
from gateway.ledger.entry import describe, entries
from gateway.ledger.projections.seen import Seen, seen_of
from gateway.ledger.proof import leaf
from gateway.ledger.proof.merkle import HASH_SIZE, leaf_hash
from gateway.ledger.stored import archived, read
from gateway.ledger.stored import statements as sql
from gateway.ledger.stored.read import Head, StoredEntry, SubjectKey
from gateway.ledger.verify.rows.sought import Expected, Found, Sought
from gateway.storage.port import Reader
from gateway.storage.tables import SHARD_BITS, micros

BATCH = 1024
KEPT = " kept"
"""How the period of a key ends that seals what stays of a day that was pruned."""
UNFINISHED = "0000 archive"
"""The period of a key that seals nothing: it is there from before a pruning until the archive is written anew.

It is earlier than any day, so that a version before reports a pruning that was not finished, too.
"""
ORDINARY = (entries.Inquiry, entries.Refused, entries.View)
"""Kinds of entries that no rows beside the projections are made of, but for a use of break-glass."""


class Checked(msgspec.Struct, frozen=True):
    """What was found of a shard's entries from `first` up to `last`.

    `hashes` are those of its leaves, one behind the other; `floor` the time (microseconds) of the last; `facts` the
    highest change of facts behind which any happened; `noted` the indices of those that rows are made of; `gone` the
    subjects' keys that are gone, each with the id of the first entry that it left unreadable; `unopened` the indices of
    entries that do not open, since their day's key is gone. `digest` is that of its rows and keys, where it was asked
    for and all projections have the stretch; `same` where that is the one that was known: then nothing was opened.
    """

    first: int
    last: int
    hashes: bytes
    floor: int
    facts: int
    noted: list[int]
    gone: dict[int, int]
    found: Found
    unopened: list[int] = []
    digest: bytes = b""
    same: bool = False

    def leaf_hashes(self) -> list[bytes]:
        """The hashes of its leaves."""
        return [self.hashes[at : at + HASH_SIZE] for at in range(0, len(self.hashes), HASH_SIZE)]


class _Batch:
    """Some entries that are what their leaves commit to, as far as anything is asked of them afterwards."""

    def __init__(self) -> None:
        self.hashes, self.seen = list[bytes](), list[Seen]()
        self.noted, self.unopened, self.facts = list[int](), list[int](), 0


class Stretches:
    """Checks stretches of the shards of one store, with one reader. Every call raises `VerificationFailed`."""

    def __init__(self, reader: Reader, expected: Expected) -> None:
        self._reader, self._sought, self._next = reader, Sought(expected), expected.next_

    def check(self, head: Head, first: int, last: int, known: bytes | None = None) -> Checked:
        """Check a shard's entries from index `first` up to `last`, which it has.

        With a digest by which they were found whole before, or an empty one, theirs is made first.
        """
        self._reader.renew()
        digest = b""
        if known is not None and all(next_.get(head.id, 0) >= last for next_ in self._next.values()):
            digest, hashes, floor = self._digest(head, first, last)
            if digest == known:
                return Checked(first, last, hashes, floor, 0, [], {}, Found(), digest=digest, same=True)
        return self._check(head, first, last, digest)

    def _digest(self, head: Head, first: int, last: int) -> tuple[bytes, bytes, int]:
        """The digest of a stretch's rows and of its subjects' keys, the hashes of its leaves, and its last time."""
        made, hashes, keys, floor = hashlib.sha256(), list[bytes](), set[int](), 0
        base = head.id << SHARD_BITS
        for start in range(first, last, BATCH):
            rows = archived.rows(self._reader, base + start, base + min(start + BATCH, last))
            if [row[0] for row in rows] != list(range(base + start, base + min(start + BATCH, last))):
                return b"", b"", 0  # which is missing is said by who opens them
            for row in rows:
                made.update(msgspec.msgpack.encode(row))
                hashes.append(leaf_hash(row[2]))
                laid = row[6] if row[8] is not None else None
                keys |= {segment.key for segment in read.laid_segments(row[0] & (1 << SHARD_BITS) - 1, laid) or ()}
            floor = int(rows[-1][1])
        for row in sorted(read.key_rows(self._reader, keys)):
            made.update(msgspec.msgpack.encode(row))
        return made.digest(), b"".join(hashes), floor

    def _check(self, head: Head, first: int, last: int, digest: bytes) -> Checked:
        floor = self._floor(head, first)
        unopened = list[int]()
        facts, hashes, noted = 0, list[bytes](), list[int]()
        gone, counts = dict[int, int](), dict[str, int]()
        taken_back, unreleased = list[tuple[int, int]](), list[tuple[int, int]]()
        for start in range(first, last, BATCH):
            batch = self._batch(head, start, min(start + BATCH, last), floor, gone)
            floor, facts = batch.seen[-1].at, max(facts, batch.facts)
            hashes += batch.hashes
            noted += batch.noted
            unopened += batch.unopened
            found = self._sought.take(self._reader, head, batch.seen)
            for name, rows in found.rows.items():
                counts[name] = counts.get(name, 0) + rows
            taken_back += found.taken_back
            unreleased += found.unreleased
            self._reader.renew()
        found = Found(counts, taken_back, unreleased)
        return Checked(first, last, b"".join(hashes), floor, facts, noted, gone, found, unopened, digest)

    def _floor(self, head: Head, first: int) -> int:
        """The time of the entry before the first."""
        return read.time_of(self._reader, head, first - 1) if first else 0

    def _batch(self, head: Head, first: int, last: int, floor: int, gone: dict[int, int]) -> _Batch:
        """Check entries that are read from one snapshot."""
        known: dict[int, SubjectKey] = {}
        batch, expected = _Batch(), first
        for entry in read.read_entries(self._reader, head.id, first, last - first, known):
            if entry.index != expected:
                raise VerificationFailed(f"entry {expected} is missing")
            floor = _check_entry(entry, floor, known, gone, batch)
            expected += 1
        if expected != last:
            raise VerificationFailed(f"entry {expected} is missing")
        self._check_index(batch.seen)
        return batch

    def _check_index(self, batch: Sequence[Seen]) -> None:
        """Each entry stands in the index of its requester, at its time."""
        by: dict[tuple[str, str], list[tuple[int, int]]] = {}
        for each in batch:
            if each.by is not None:
                by.setdefault(each.by, []).append((each.at, each.id))
        for requester, some in by.items():
            (earliest, first), (latest, last) = some[0], some[-1]
            there = set(self._reader.rows(sql.INDEXED, *requester, earliest, latest, first, last + 1))
            for place in some:
                if place not in there:
                    index = place[1] & (1 << SHARD_BITS) - 1
                    raise VerificationFailed(f"entry {index}: it is missing from the index of its requester")


def _check_entry(
    entry: StoredEntry, floor: int, known: Mapping[int, SubjectKey], gone: dict[int, int], batch: _Batch
) -> int:
    """Check an entry and put what is asked of it afterwards into `batch`; gives its time, in microseconds."""
    at = micros(entry.at)
    batch.hashes.append(leaf_hash(entry.leaf))
    if entry.told is None or entry.oversight is None:
        if at < floor:
            raise _broken(entry, "its time was altered")
        batch.unopened.append(entry.index)  # `Beside` asks why
        batch.seen.append(seen_of(entry, at, None, None))
        return at
    if leaf.Opening(entry.told, leaf.oversight_digest(entry.oversight)).leaf != entry.leaf:
        raise _broken(entry, "its payload is not what its leaf commits to")
    try:
        told, oversight = entry.read_told(), entry.read_oversight()
    except ValueError as error:
        raise _broken(entry, str(error)) from error
    if oversight.keys and oversight.keys != leaf.keys_digest(entry.oversight.general.salt, entry.keys):
        raise _broken(entry, "the keys of its part about its subjects were exchanged for others")
    _check_keys(entry, told, known, gone)
    if at != max(floor, micros(told.at)):
        raise _broken(entry, "its time was altered")
    if entry.period.removesuffix(KEPT) != entry.at.date().isoformat():
        raise _broken(entry, f"its key is of another day ({entry.period})")
    if oversight.broke_glass is not None or not isinstance(told, ORDINARY):
        batch.noted.append(entry.index)
    batch.facts = max(batch.facts, oversight.facts or 0)
    batch.seen.append(seen_of(entry, at, told, oversight))
    return at


def _broken(entry: StoredEntry, why: str) -> VerificationFailed:
    return VerificationFailed(f"entry {entry.index}: {why}")


def _check_keys(entry: StoredEntry, told: entries.Told, known: Mapping[int, SubjectKey], gone: dict[int, int]) -> None:
    """Whose the keys of its subjects are; those that are gone are put into `gone`."""
    for key, subject in zip(entry.keys, _named(told), strict=False):
        if key not in known:
            gone.setdefault(key, (entry.shard << SHARD_BITS) + entry.index)
        elif subject is not None and known[key][1] != (entry.shard, *subject):
            raise VerificationFailed(f"entry {entry.index}: the key of its part about a subject is another's")


def _named(told: entries.Told) -> list[tuple[str, str] | None]:
    """The subjects that an entry names, in the order of its parts; an erased one has no name.

    None only where a kind that is not known here names none as all others do.
    """
    found = describe.subjects(told)
    return found if isinstance(told, entries.Unknown) else [each or ("", "") for each in found]
