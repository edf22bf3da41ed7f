"""What ends an upheld objection: a correction or withdrawal of its record that is confirmed, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.acts.matters.filing import OBJECTION, cleared, moved
from gateway.ledger.acting.planned import Changes, Seen
from gateway.storage.subjects import acts as rows
from gateway.storage.subjects import facts
from gateway.storage.subjects.acts import Matter, matter

CLEANING = ("corrected", "withdrawn")
"""The events of a change that answer an upheld objection."""


def upheld_of(seen: Seen, dataset: str, record: str, subject: tuple[str, str]) -> list[Matter]:
    """The upheld objections of a subject (scheme, value) to a record that are not answered yet."""
    mine = (matter.c.kind == OBJECTION, matter.c.scheme == subject[0], matter.c.value == subject[1])
    upheld = (matter.c.second_due.is_not(None), matter.c.dataset == dataset, matter.c.record == record)
    return [row for row in rows.matters(seen.connection, *mine, *upheld) if row.fact is not None]


def ends_upheld(
    seen: Seen, upheld: Sequence[Matter], version: str, change_offset: int, *, corrected: bool = False
) -> tuple[list[Changes], int]:
    """What ends upheld objections to a record, in the act that confirms its change, of `version` where that is
    reported.

    An objection to another version goes on. The first fact that ends takes the `change_offset`th number of the act's
    own; also given is how many it takes. `corrected`: the record goes on, no longer disputed, and who has it is told.
    """
    found = [row for row in upheld if not (version and row.version) or version == row.version]
    changes: list[Changes] = []
    for offset, row in enumerate(found, change_offset):
        number, outcome = seen.change + offset, row.outcome or ""
        changes.append(facts.ending(row.fact or "", OBJECTION, seen.now, number, outcome=outcome))
        changes.append(moved(row, second_due=None))
        if corrected:
            changes.append(cleared(seen, row))
    return changes, len(found)


def corrected_since(seen: Seen, row: Matter) -> bool:
    """Whether a change of a matter's record was confirmed since it was filed, so that nothing is left to correct."""
    mine = (matter.c.kind == "change", matter.c.state == "decided", matter.c.event.in_(CLEANING))
    of = (matter.c.scheme == row.scheme, matter.c.value == row.value, matter.c.dataset == row.dataset)
    since = (matter.c.record == row.record, matter.c.decided >= row.filed)
    return bool(rows.matters(seen.connection, *mine, *of, *since, first=1))
