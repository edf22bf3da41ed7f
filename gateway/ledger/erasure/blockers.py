"""What keeps a subject from being erased, as one ordered tuple: each says what is open, and how it ends.

A part that has open matters of its own adds a `Blocker` where `gateway.cli` puts the tuple together: its `open` gives,
for a subject and the ids of its keys, the query for what is open. It is asked twice: before, to name what is open, and
inside the transaction that erases, which fails where the query finds anything. So whatever makes a matter open does it
in the transaction of an entry, or under a lock that `gateway.storage.destruction` takes first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from sqlalchemy import Engine, Select, or_, select

from gateway.storage.destruction import names_any
from gateway.storage.erasure import hold
from gateway.storage.facts import fact
from gateway.storage.tables import entry
from gateway.storage.watch import finding, finding_entry, verdict

Open = Callable[[tuple[str, str], Sequence[int]], Select[tuple[str]]]
"""From (scheme, value) and the ids of its keys to the query for the ids of what is open."""


class Blocker(NamedTuple):
    """A kind of open matter: what it is called, the query for it, and how one ends."""

    what: str
    open: Open
    ends: str


def _holds(subject: tuple[str, str], keys: Sequence[int]) -> Select[tuple[str]]:
    return select(hold.c.id).where(hold.c.scheme == subject[0], hold.c.value == subject[1])


def _objections(subject: tuple[str, str], keys: Sequence[int]) -> Select[tuple[str]]:
    mine = select(fact.c.id).where(fact.c.scheme == subject[0], fact.c.value == subject[1])
    return mine.where(fact.c.kind == "objection", fact.c.ended.is_(None))


def _reviews(subject: tuple[str, str], keys: Sequence[int]) -> Select[tuple[str]]:
    """Findings without a verdict with an entry of the subject's; and those without any entry, that may be about it."""
    return (
        select(finding.c.id)
        .distinct()
        .outerjoin(verdict, verdict.c.finding == finding.c.id)
        .outerjoin(finding_entry, finding_entry.c.finding == finding.c.id)
        .outerjoin(entry, entry.c.id == finding_entry.c.entry)
        .where(verdict.c.finding.is_(None), or_(finding_entry.c.entry.is_(None), names_any(keys)))
    )


BLOCKERS = (
    Blocker("hold", _holds, "lift it with `dutybound ledger hold lift`"),
    Blocker("objection", _objections, "it is to be decided first"),
    Blocker("review", _reviews, "end it with `dutybound watch review`"),
)


def found_open(engine: Engine, blockers: Sequence[Blocker], subject: tuple[str, str], keys: Sequence[int]) -> list[str]:
    """What is open now, a sentence each."""
    with engine.connect() as connection:
        return [
            f"{each.what} `{id_}` is open; {each.ends}"
            for each in blockers
            for id_ in connection.execute(each.open(subject, keys)).scalars()
        ]
