"""What a subject files, and takes back: an objection (Art. 45), an application for restoration (Art. 46).

An objection is to a record, to what is missing in a dataset, or to a look. Filing proves nothing about what is held: a
record that is not there, another's, not shown, or not to be restored is filed like any other, and the steward answers.
An objection to a record disputes it from the next inquiry on: a fact, in force until it was refused or taken back, or
what was upheld is corrected. One about the same is open at a time, and after a refusal there is another only of a new
version, or with a paper that was not named before.
"""

from __future__ import annotations

import datetime
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement

from gateway.acts import inputs, shown
from gateway.acts.called import Acted, Called
from gateway.acts.office import SUBJECT_OBJECTIONS, Office, Party
from gateway.acts.subject.words import NOTHING, acts_at
from gateway.inquiry.types import Requester
from gateway.ledger.acting.planned import (
    AtEntry,
    Bound,
    Changes,
    Made,
    Row,
    Seen,
    invalid,
    new_fact,
    not_found,
    recalled,
)
from gateway.ledger.entry import entries
from gateway.rules.deadlines import Deadline, deadline
from gateway.storage.port import Store
from gateway.storage.subjects import acts as rows
from gateway.storage.subjects import facts
from gateway.storage.subjects.acts import Act, Matter, matter
from gateway.storage.subjects.facts import fact
from gateway.storage.tables import micros

OBJECTION, RESTORATION = "objection", "restoration"
FILED = (OBJECTION, RESTORATION)
"""The kinds of matter that a subject files."""

Looked = Callable[[Store, tuple[str, str], str, datetime.datetime], str | None]
"""The department of a look that a subject (scheme, value) can see in its history at a moment, by the look's id; None
where it sees none of this id. Blocks."""


class About(NamedTuple):
    """What is filed is about: a record (and a version of it), the absence of one, or a look; and whose that is."""

    department: str | None
    dataset: str | None = None
    record: str | None = None
    version: str | None = None
    access: str | None = None

    @property
    def members(self) -> dict[str, Any]:
        """As an entry has it."""
        return {name: value for name, value in self._asdict().items() if name != "department" and value is not None}


class Filing:
    """The acts of filing. `looked` finds a look."""

    def __init__(self, office: Office, looked: Looked) -> None:
        self._office, self._looked = office, looked

    async def object(self, requester: Requester, called: Called) -> Acted:
        """`fileObjection`."""
        given = called.arguments
        party = self._office.party(requester, given)
        about = self._objected(party, given)
        reason, papers = inputs.text(given["reason"], "reason"), inputs.papers(given.get("papers"))
        term = self._office.calendar.terms.objection

        def make(seen: Seen) -> Made:
            of = self._visible(seen, party, about)
            self._may_object(seen, party, of, papers)
            return self._filed(seen, party, OBJECTION, of, term, reason, papers)

        whose = (*party.subject[1:], party.actor.person or party.actor.official or "")
        bound = Bound(whose, SUBJECT_OBJECTIONS, "objections")
        planned = self._office.of_subject(called.field, party, given, make, self._again, [bound])
        return await self._office.done(planned)

    async def apply(self, requester: Requester, called: Called) -> Acted:
        """`applyForRestoration`."""
        given = called.arguments
        party = self._office.party(requester, given)
        about = self._of_record(party, given["record"])
        reason, papers = inputs.text(given["reason"], "reason"), inputs.papers(given.get("papers"))
        term = self._office.calendar.terms.restoration

        def make(seen: Seen) -> Made:
            if any(row.waits for row in rows.matters(seen.connection, *_about(party, RESTORATION, about))):
                raise invalid("LIMIT", "an application for this record waits for its answer already")
            return self._filed(seen, party, RESTORATION, about, term, reason, papers)

        return await self._office.done(self._office.of_subject(called.field, party, given, make, self._again))

    async def withdraw(self, requester: Requester, called: Called) -> Acted:
        """`withdrawMatter`."""
        office, given = self._office, called.arguments
        party = office.party(requester, given)
        id_ = str(given["id"])

        def make(seen: Seen) -> Made:
            row = rows.one(seen.connection, id_)
            if row is None or row.kind not in FILED or (row.scheme, row.value) != party.subject[1:]:
                raise not_found()
            if not row.waits:
                raise invalid("STATE", "it was decided, or withdrawn, already")
            undecided: dict[str, Any] = dict.fromkeys(("decided", "decided_by", "outcome", "decided_in"))
            values = {"state": "withdrawn", **undecided}
            changes: list[Changes] = [moved(row, **values)]
            if row.fact is not None:
                ended = facts.ending(row.fact, OBJECTION, seen.now, seen.change + 1, outcome="withdrawn")
                changes += [ended, cleared(seen, row)]
            told = office.of_party(
                seen, party, "matter-withdrawn", matter=row.id, **_members(row), **numbers(seen, row.fact is not None)
            )
            [value] = shown.matters(office, [row._replace(**values)], seen.today, inside=False)
            facts_ended = int(row.fact is not None)
            return Made(told, office.oversight(seen, party.actor), changes, row.id, value, facts=facts_ended)

        return await office.done(office.of_subject(called.field, party, given, make, self._again))

    def _objected(self, party: Party, given: Mapping[str, Any]) -> About:
        named = [name for name in ("record", "access", "dataset") if given.get(name) is not None]
        if len(named) != 1:
            raise inputs.wrong(
                "name what it is about: one of `record`, `access` (a look) and `dataset` (what is missing)"
            )
        if named == ["record"]:
            return self._of_record(party, given["record"])
        if named == ["access"]:
            return About(None, access=inputs.named(given["access"], "access"))
        of = inputs.dataset(self._office.rules.policies.catalogue, given["dataset"], party.subject.kind)
        return About(of.department, of.id)

    def _of_record(self, party: Party, given: Mapping[str, Any]) -> About:
        catalogue = self._office.rules.policies.catalogue
        of = inputs.dataset(catalogue, given["dataset"], party.subject.kind, "record.dataset")
        version = given.get("version")
        return About(
            of.department,
            of.id,
            inputs.named(given["record"], "record.record"),
            None if version is None else inputs.named(version, "record.version"),
        )

    def _visible(self, seen: Seen, party: Party, about: About) -> About:
        if about.access is None:
            return about
        department = self._looked(self._office.store, party.subject[1:], about.access, seen.now)
        if department is None:
            raise not_found()
        return about._replace(department=department)

    def _may_object(self, seen: Seen, party: Party, about: About, papers: Sequence[entries.Paper]) -> None:
        """One at a time, and after a refusal not the same again."""
        refused: list[Matter] = []
        for row in rows.matters(seen.connection, *_about(party, OBJECTION, about)):
            if row.state == "open":
                raise invalid("LIMIT", "an objection to this waits for its answer already")
            if row.second_due is not None and row.outcome == "upheld":
                raise invalid("LIMIT", "an objection to this was upheld already, and is to be followed by a correction")
            if row.outcome in ("refused", "partly"):
                refused.append(row)
        if not refused or (about.version is not None and about.version not in {row.version for row in refused}):
            return
        words = acts_at(self._office.store, [row.filed_in for row in refused])
        before = {_key(paper) for row in refused for paper in words[row.filed_in].papers}
        if not {_key(paper) for paper in papers} - before:
            raise invalid(
                "LIMIT", "this was decided already: object to a new version, or name a paper that was not named before"
            )

    def _filed(
        self, seen: Seen, party: Party, kind: str, about: About, term: int, reason: str,
        papers: Sequence[entries.Paper],
    ) -> Made:  # fmt: skip
        office, actor = self._office, party.actor
        last: Deadline = deadline(office.calendar, seen.now, term)
        row: dict[str, Any] = {
            "id": secrets.token_hex(16), "kind": kind, "state": "open", "scheme": party.subject.scheme,
            "value": party.subject.value, **about._asdict(), "issuer": actor.issuer, "client": actor.client,
            "filed": micros(seen.now), "filed_by": seen.keyed.people(actor.people), "due": last.due.isoformat(),
            "provisional": int(last.provisional), "calendar": last.calendar, "told": 0,
        }  # fmt: skip
        changes: list[Changes] = []
        disputed = kind == OBJECTION and about.record is not None
        if disputed:
            of = {"dataset": about.dataset or "", "record": about.record or "", "until": last.due.isoformat()}
            begun = new_fact(seen, OBJECTION, party.subject[1:], of)
            changes += [Row(fact, begun), recalled(seen, "disputed", party.subject[1:], **_record(about))]
            row["fact"] = begun["id"]
        changes.append(Row(matter, row, ("filed_in",)))
        told = office.of_party(
            seen, party, f"{kind}-filed", matter=row["id"], due=last.due, provisional=last.provisional,
            calendar=last.calendar, reason=reason, papers=tuple(papers), **about.members, **numbers(seen, disputed),
        )  # fmt: skip
        empty: dict[str, Any] = dict.fromkeys(Matter._fields)
        made = Matter(**(empty | row | {"filed_in": 0}))
        value = shown.matter(office, made, told, NOTHING, seen.today, inside=False)
        return Made(told, office.oversight(seen, actor), changes, made.id, value, facts=int(disputed))

    def _again(self, seen: Seen, past: Act) -> Any:
        [value] = shown_again(self._office, seen, past, inside=False)
        return value


def shown_again(office: Office, seen: Seen, past: Act, *, inside: bool) -> list[dict[str, Any]]:
    """What a repeat of an act is shown: its matter, as it is now."""
    row = rows.one(seen.connection, past.matter or "")
    if row is None or row.value is None:
        raise not_found()
    return shown.matters(office, [row], seen.today, inside=inside)


def moved(row: Matter, *places: str, **values: Any) -> Changes:
    """What changes a matter's row; `places` are its columns that are to name the entry of the act."""
    mine = matter.update().where(matter.c.id == row.id)
    return AtEntry(lambda entry: mine.values(**values, moved_in=entry, **dict.fromkeys(places, entry)))


def numbers(seen: Seen, changed: bool) -> dict[str, Any]:
    """The number of the one fact that an act changed, as its entry has it."""
    return {"changes": (seen.change + 1,)} if changed else {}


def cleared(seen: Seen, row: Matter) -> Row:
    """The job that notifies those who know a record as disputed, once the objection to it is over."""
    return recalled(seen, "cleared", (row.scheme or "", row.value or ""), **_record(about_of(row)))


def about_of(row: Matter) -> About:
    """What a matter is about."""
    return About(row.department, row.dataset, row.record, row.version, row.access)


def _record(about: About) -> dict[str, str | None]:
    return {"dataset": about.dataset, "record": about.record}


def _members(row: Matter) -> dict[str, Any]:
    return about_of(row).members


def _about(party: Party, kind: str, about: About) -> list[ColumnElement[bool]]:
    """The subject's matters about the same, whichever version they mean."""
    of = {"dataset": about.dataset, "record": about.record, "access": about.access}
    mine = [matter.c.kind == kind, matter.c.scheme == party.subject.scheme, matter.c.value == party.subject.value]
    return [
        *mine,
        *(matter.c[name].is_(None) if value is None else matter.c[name] == value for name, value in of.items()),
    ]


def _key(paper: entries.Paper) -> tuple[str, str]:
    """What tells a paper from another, however it is written."""
    return (" ".join(paper.issuer.casefold().split()), "".join(paper.number.casefold().split()))
