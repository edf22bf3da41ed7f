"""What does not fit of a department of `kind: files`: a refused delivery, one that is due, and records that are gone.

Nothing of a record is said: of records that a delivery no longer has, only how many they are.
"""

from __future__ import annotations

import datetime
import sqlite3
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence

from connectors.base import Mismatch, UnreachedError
from connectors.delivered import index
from connectors.delivered.report import Outcome
from connectors.files import FilesConnector
from gateway.connecting.department import Department

DUE = 0.9
"""The share of `max_age` from which the next delivery is due: until that is over, the last one is still told."""


Withdrawn = Callable[[str, Sequence[str]], Collection[tuple[str, str, str]]]
"""(dataset, ids of records) -> scheme, value and id of those that were reported as withdrawn."""
LOOKED_UP = 10_000
"""Vanished records of which it is looked up whether they were reported."""
_AT_ONCE = 500


def mismatches(
    department: Department, at: datetime.datetime, withdrawn: Withdrawn | None = None
) -> list[tuple[Mismatch, str]]:
    """Each, with what distinguishes it from others of its key and kind; none where the department delivers nothing.
    Blocks.

    What vanished and was reported as `withdrawn` is in order.
    """
    connector = department.connector
    return [*_of(connector, at, withdrawn)] if isinstance(connector, FilesConnector) else []


def _reported(connector: FilesConnector, withdrawn: Withdrawn) -> Counter[tuple[str, int]]:
    """How many records that vanished are withdrawn, by dataset and delivery."""
    by_dataset: dict[str, list[index.Vanished]] = {}
    for each in connector.vanished_records(LOOKED_UP):
        by_dataset.setdefault(each.dataset, []).append(each)
    found = Counter[tuple[str, int]]()
    for dataset, gone in by_dataset.items():
        for start in range(0, len(gone), _AT_ONCE):
            some = gone[start : start + _AT_ONCE]
            known = withdrawn(dataset, [each.id for each in some])
            found.update((dataset, each.sequence) for each in some if (each.scheme, each.value, each.id) in known)
    return found


def _of(
    connector: FilesConnector, at: datetime.datetime, withdrawn: Withdrawn | None
) -> Iterator[tuple[Mismatch, str]]:
    last = connector.last()
    if last is not None and last.outcome is Outcome.REFUSED:
        of = f"delivery {last.sequence}" if last.sequence else "the last delivery"
        yield (
            Mismatch((), f"{of} is refused: {last.troubles[0]}; have a newer one delivered, without that", "refused"),
            "",
        )
    try:
        known, gone = connector.known(), connector.vanished()
        reported = _reported(connector, withdrawn) if gone and withdrawn is not None else {}
    except (UnreachedError, sqlite3.Error) as error:
        damaged = "it is damaged; move it away, and take the last delivery in again by `dutybound source deliver`"
        why = str(error) if isinstance(error, UnreachedError) else damaged
        yield Mismatch(("index",), f"the index of the last delivery cannot be read: {why}"), ""
        return
    if known is not None and at.timestamp() - known.as_of > DUE * connector.max_age:
        as_of = datetime.datetime.fromtimestamp(known.as_of, datetime.UTC)
        what = f"the last delivery is as of {as_of:%Y-%m-%d %H:%M} UTC: the next is due, or answers end"
        yield Mismatch(("max_age",), what, "ending"), ""
    for (dataset, sequence), vanished in sorted(gone.items()):
        count = vanished - reported.get((dataset, sequence), 0)
        if not count:
            continue
        records = "1 record is" if count == 1 else f"{count} records are"
        what = (
            f"{records} not in delivery {sequence}, and not in any since: report them as withdrawn, or deliver them"
            " again"
        )
        yield Mismatch(("datasets", dataset), what, "vanished"), str(sequence)
