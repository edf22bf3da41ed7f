"""The rows of findings, checked against the entries that they name: who asked, for which department and purpose.

A use of break-glass has exactly one finding, which says of it what its entry says: without it there would be no review,
and no suspension. What detectors found has entries behind it, and names who made one of them, and for what. That such a
finding was removed before its review is not found here: it depends on thresholds, which may have changed since.

Neither does anybody sign how far the watch has read. What it says is checked against what can be so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import bindparam as p
from sqlalchemy import select

from gateway.errors import VerificationFailed
from gateway.ledger.entry import entries
from gateway.ledger.stored import read
from gateway.ledger.stored.glass import use_of, used
from gateway.ledger.stored.read import StoredEntry
from gateway.nouns import counted
from gateway.storage.port import Reader
from gateway.storage.statement import Statement
from gateway.storage.tables import SHARD_BITS, micros
from gateway.storage.watch.findings import BREAK_GLASS, Glass, finding, finding_entry, watch_cursor, watch_head

_FINDINGS = Statement(select(finding))
_BEHIND = Statement(
    select(finding_entry.c.entry).where(finding_entry.c.finding == p("finding")).order_by(finding_entry.c.entry),
    "finding",
)
_CURSORS = Statement(select(watch_cursor))
_HEAD = Statement(select(watch_head.c.version))


class _Finding(NamedTuple):
    """A row, in the order of the table's columns."""

    id: str
    pattern: str
    part: int
    detector: str
    article: str
    at: int
    issuer: str
    client: str
    official: str | None
    purpose: str
    words: str
    department: str | None


class Findings:
    """Takes entries in, in any order; `check` then looks at the rows. Every call raises `VerificationFailed`."""

    def __init__(self) -> None:
        self._used: dict[str, tuple[Glass, int]] = {}

    def note(self, entry: StoredEntry, told: entries.Told, oversight: entries.Oversight) -> None:
        """Take an entry in."""
        if (use := used(told, oversight)) is not None:
            self._used[use.finding] = use, (entry.shard << SHARD_BITS) + entry.index

    def check(self, reader: Reader) -> None:
        """Look at all rows, in one snapshot with the entries that were taken in last."""
        rows = [_Finding._make(row) for row in reader.rows(_FINDINGS)]
        for id_ in self._used.keys() - {row.id for row in rows}:
            raise VerificationFailed(
                f"finding `{id_}`: an entry records it, but its row was removed; `dutybound watch follow` brings"
                " it back"
            )
        next_ = self._cursors(reader)
        for row in rows:
            behind = [entry for (entry,) in reader.rows(_BEHIND, row.id)]
            if row.id != (row.pattern if row.part == 1 else f"{row.pattern}-part-{row.part}"):
                raise _altered(row)
            if row.detector == BREAK_GLASS or row.id in self._used:
                self._check_use(reader, row, behind)
            else:
                _check_found(reader, row, behind)
                for entry in behind:
                    if entry & ((1 << SHARD_BITS) - 1) >= next_.get(entry >> SHARD_BITS, 0):
                        raise VerificationFailed(
                            f"finding `{row.id}`: by `watch_cursor` the watch has not read an entry that it names: how"
                            " far it has read was altered"
                        )

    def _cursors(self, reader: Reader) -> dict[int, int]:
        """How far the watch has read each shard, which is not beyond its end."""
        sizes = {head.id: head.size for head in read.heads(reader)}
        found = dict(reader.rows(_CURSORS))
        for shard, next_ in found.items():
            if not 0 <= next_ <= sizes.get(shard, -1):
                raise VerificationFailed(
                    f"`watch_cursor`: the watch has read {counted(next_, 'entry')} of shard {shard}, which has"
                    f" {sizes.get(shard, 'none')}: it was altered, and entries would not be looked at"
                )
        versions = [version for (version,) in reader.rows(_HEAD)]
        if len(versions) != 1 or versions[0] < bool(found):
            raise VerificationFailed("`watch_head`: it lacks how often the watch kept something: it was altered")
        return found

    def _check_use(self, reader: Reader, row: _Finding, behind: Sequence[int]) -> None:
        known = self._used.get(row.id)
        if known is None:  # from before entries said so
            known = _of_before(reader, row, behind)
        use, entry = known
        said = (row.at, row.issuer, row.client, row.department, row.official, row.purpose)
        if said != use[1:] or (row.detector, row.part) != (BREAK_GLASS, 1) or row.id != use.finding:
            raise _altered(row)
        if not set(behind) <= {entry}:
            raise VerificationFailed(f"finding `{row.id}`: another entry than its own was put behind it")


def _of_before(reader: Reader, row: _Finding, behind: Sequence[int]) -> tuple[Glass, int]:
    """A use whose entry does not say that it is one: it has the inquiry's id. Nor was its department always kept."""
    for id_, told, oversight in _opened(reader, behind):
        if isinstance(told, entries.Inquiry) and oversight.broke_glass is None and row.at <= micros(told.at):
            use = use_of(told, oversight, row.at)
            return (use if row.department is not None else use._replace(department=None)), id_
    raise VerificationFailed(f"finding `{row.id}`: no entry records it: it was made up, or its entries were removed")


def _check_found(reader: Reader, row: _Finding, behind: Sequence[int]) -> None:
    if not behind:
        raise VerificationFailed(
            f"finding `{row.id}`: no entry records it: its entries were removed, or it was made up"
        )
    for _, told, oversight in _opened(reader, behind):
        if isinstance(told, entries.Operation) and told.declaration is not None:
            asked = (told.requester.issuer, told.requester.client, oversight.official, told.declaration.purpose)
            if asked == (row.issuer, row.client, row.official, row.purpose) and row.department is None:
                return
    raise _altered(row)


def _opened(reader: Reader, ids: Sequence[int]) -> Iterator[tuple[int, entries.Told, entries.Oversight]]:
    for id_ in ids:
        for entry in read.read_entries(reader, id_ >> SHARD_BITS, id_ & ((1 << SHARD_BITS) - 1), 1):
            if entry.told is not None and entry.oversight is not None:
                yield id_, entry.read_told(), entry.read_oversight()


def _altered(row: _Finding) -> VerificationFailed:
    return VerificationFailed(f"finding `{row.id}`: its row is not what its entries record: it was altered")
