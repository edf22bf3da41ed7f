"""What keeps a subject from being erased, as one ordered tuple: each names what is open, and how it ends.

A part that has open matters of its own adds a `Blocker` where `gateway.cli` puts the tuple together: its `open` gives,
for a subject and the ids of its keys, the query for what is open. It is asked twice: before, to name what is open, and
inside the transaction that erases, which fails where the query finds anything. So whatever makes a matter open does it
in the transaction of an entry, or under a lock that `gateway.storage.destruction` takes first.

A row can be taken away by whoever has the database, an entry cannot. So what entries say is open (`said`) keeps the
subject too, whatever the rows say (`entered`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from sqlalchemy import Select, and_, or_, select

from gateway.ledger.erasure.entered import Said, read_said
from gateway.storage.destruction import names_any
from gateway.storage.port import Store
from gateway.storage.subjects.acts import WAITING, matter
from gateway.storage.subjects.erasure import hold
from gateway.storage.subjects.facts import fact
from gateway.storage.tables import entry
from gateway.storage.watch.findings import finding, finding_entry, verdict

Open = Callable[[tuple[str, str], Sequence[int]], Select[tuple[str]]]
"""From (scheme, value) and the ids of its keys to the query for the ids of what is open."""


class Blocker(NamedTuple):
    """A kind of open matter: what it is called, the query for it, and how one ends.

    `said` gives the ids of those that entries say are open, among these `concerned`: where a row alone tells what a
    matter is about, `about` is the query for all of its kind that are about the subject, open or not.
    """

    what: str
    open: Open
    ends: str
    said: Callable[[Said, Sequence[str]], Sequence[str]] = lambda said, concerned: ()
    about: Open | None = None


def _holds(subject: tuple[str, str], keys: Sequence[int]) -> Select[tuple[str]]:
    return select(hold.c.id).where(hold.c.scheme == subject[0], hold.c.value == subject[1])


def _matters(subject: tuple[str, str], keys: Sequence[int]) -> Select[tuple[str]]:
    """What waits for somebody, or for a correction. A consent that was only asked for keeps nobody."""
    mine = select(matter.c.id).where(matter.c.scheme == subject[0], matter.c.value == subject[1])
    waits = and_(matter.c.state.in_(WAITING), matter.c.kind != "consent-request")
    return mine.where(or_(waits, matter.c.second_due.is_not(None)))


def _objections(subject: tuple[str, str], keys: Sequence[int]) -> Select[tuple[str]]:
    """Those in force that no matter is about."""
    mine = select(fact.c.id).where(fact.c.scheme == subject[0], fact.c.value == subject[1])
    filed = select(matter.c.fact).where(matter.c.fact == fact.c.id)
    return mine.where(fact.c.kind == "objection", fact.c.ended.is_(None), ~filed.exists())


def _found(subject: tuple[str, str], keys: Sequence[int]) -> Select[tuple[str]]:
    """Findings with an entry of the subject's; and those without any entry, that may be about it."""
    return (
        select(finding.c.id)
        .distinct()
        .outerjoin(finding_entry, finding_entry.c.finding == finding.c.id)
        .outerjoin(entry, entry.c.id == finding_entry.c.entry)
        .where(or_(finding_entry.c.entry.is_(None), names_any(keys)))
    )


def _reviews(subject: tuple[str, str], keys: Sequence[int]) -> Select[tuple[str]]:
    """Those of them without a verdict."""
    return _found(subject, keys).where(finding.c.id.not_in(select(verdict.c.finding)))


def _unreviewed(said: Said, concerned: Sequence[str]) -> Sequence[str]:
    return [id_ for id_ in concerned if id_ not in said.reviewed]


BLOCKERS = (
    Blocker("hold", _holds, "lift it with `dutybound ledger hold lift`", lambda said, _: said.holds),
    Blocker("matter", _matters, "it is to be decided, and corrected, first", lambda said, _: said.matters),
    Blocker("objection", _objections, "it is to be decided first"),
    Blocker("review", _reviews, "end it with `endReview` or `dutybound watch review`", _unreviewed, _found),
)


def found_open(store: Store, blockers: Sequence[Blocker], subject: tuple[str, str], keys: Sequence[int]) -> list[str]:
    """What is open now, a sentence each; raises `VerificationFailed` where entries that may record it do not open."""
    said, found = read_said(store, subject, keys), []
    with store.engine.connect() as connection:
        for each in blockers:
            rows = [str(id_) for id_ in connection.scalars(each.open(subject, keys))]
            found += [f"{each.what} `{id_}` is open; {each.ends}" for id_ in rows]
            about = [str(id_) for id_ in connection.scalars(each.about(subject, keys))] if each.about else []
            found += [
                f"{each.what} `{id_}` is open by its entry, but its row was removed or altered: see"
                " `dutybound ledger verify`"
                for id_ in each.said(said, about)
                if id_ not in rows
            ]
    return found
