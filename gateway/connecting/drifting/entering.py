"""Drift as findings: each thing that does not fit is entered in the ledger once, and once more when it fits again.

What the store holds open decides what began and what ended, so that looks by several processes, and a lost file of what
a watch remembers, come to the same. An entry names a department, a dataset and keys of `sources.yaml`, and counts;
never an identifier or a value.
"""

from __future__ import annotations

import secrets
import zoneinfo
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, update
from sqlalchemy.exc import SQLAlchemyError

from gateway.connecting.drifting.remembered import Drift
from gateway.errors import CommandRefused, Refusal
from gateway.ledger.acting.planned import Actor, AtEntry, Made, Planned, Row, Seen
from gateway.ledger.acting.writer import Writer
from gateway.ledger.entry import entries
from gateway.ledger.log import operator
from gateway.ledger.log.ledger import Ledger
from gateway.saying import in_words
from gateway.storage.subjects.acts import Act
from gateway.storage.tables import micros
from gateway.storage.watch.source_findings import BEGAN, ENDED, SourceFinding, findings, source_finding

_OWN = Actor(entries.OWN.issuer, entries.OWN.client, entries.OWN.department)
_ZONE = zoneinfo.ZoneInfo("UTC")
"""Of a bound on acts per day; these have none."""


class _NothingNew(Exception):
    """The store has the findings already."""


class _Changed(NamedTuple):
    began: Sequence[Drift]
    ended: Sequence[SourceFinding]


def enter(config: Path, drifts: Mapping[str, Drift], watched: Collection[str] | None) -> None:
    """Have the store's findings be these, of the departments that were `watched` (None: of all); blocks.

    Raises `CommandRefused`, `LedgerUnavailable` and what opening the store raises.
    """
    with operator.opened(config) as place:
        try:
            with place.store.engine.connect() as connection:
                changed = _changed(connection, drifts, watched)
        except SQLAlchemyError as error:
            raise CommandRefused(f"the findings cannot be read from the store ({in_words(error)})") from error
        if changed.began or changed.ended:
            place.run(lambda ledger: entered(ledger, drifts, watched))


async def entered(ledger: Ledger, drifts: Mapping[str, Drift], watched: Collection[str] | None) -> None:
    """As `enter`, in a ledger that is open. Raises `CommandRefused`."""

    def make(seen: Seen) -> Made:
        changed = _changed(seen.connection, drifts, watched)
        every = [*(_begun(seen, each) for each in changed.began), *(_ended(seen, each) for each in changed.ended)]
        if not every:
            raise _NothingNew
        first, *more = every
        return first._replace(more=more)

    writer = Writer(ledger, lambda: operator.now(ledger), _ZONE)
    try:
        await writer.act(Planned(_OWN, frozenset(), (), make, _never))
    except _NothingNew:
        pass
    except Refusal as refusal:
        raise CommandRefused(f"the findings are not entered: {refusal.message}") from refusal
    finally:
        await writer.close()


def _changed(connection: Connection, drifts: Mapping[str, Drift], watched: Collection[str] | None) -> _Changed:
    held = {row.finding: row for row in findings(connection, watched)}
    began = [each for id_, each in drifts.items() if id_ not in held]
    return _Changed(began, [row for id_, row in held.items() if id_ not in drifts])


def _begun(seen: Seen, drift: Drift) -> Made:
    of = (drift.id, drift.department, drift.dataset, drift.kind, drift.words)
    row = SourceFinding(0, *of, micros(seen.now), None, None)
    return _made(seen, BEGAN, row, Row(source_finding, row._asdict(), ("filed_in",)))


def _ended(seen: Seen, row: SourceFinding) -> Made:
    def over(place: int) -> Any:
        mine = update(source_finding).where(source_finding.c.filed_in == row.filed_in)
        return mine.values(ended=micros(seen.now), ended_in=place)

    return _made(seen, ENDED, row, AtEntry(over))


def _made(seen: Seen, what: str, row: SourceFinding, change: Row | AtEntry) -> Made:
    told = entries.Acted(
        entries.VERSION, secrets.token_hex(16), seen.now, entries.OWN, what, matter=row.finding,
        department=row.department, dataset=row.dataset, outcome=row.kind, words=row.what,
    )  # fmt: skip
    by = entries.Oversight(entries.VERSION, official=operator.account())
    return Made(told, by, [change], row.finding, None)


def _never(_seen: Seen, _past: Act) -> Any:
    raise AssertionError("what is found has no reference")
