"""Changes of records, reported by the department that has them: corrected, withdrawn, reinstated (Arts. 42, 45, 47).

A steward's report changes nothing until another steward confirms it, and never does once one declines it. A system's
(a client that `reports_changes`, or a signed webhook) counts at once, but for what releases: a reinstatement always
waits for a steward, and so do withdrawals past so many per hour, since whoever took a system over could hide records
with them. What waits is replaced by the next report of the same. The gateway holds no records, so one that is not there
is reported like any other; of a dataset of another department it is as if there were none.

What counts becomes facts: a withdrawal, or its end; a correction is over as it begins, since it restrains nothing, and
stands there for whoever received the record before. It ends the objections that were upheld against the record. Whoever
received a record that was corrected or withdrawn is to be told (Art. 47).
"""

from __future__ import annotations

import asyncio
import datetime
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Table, bindparam, select, update

from gateway.acts import inputs, shown
from gateway.acts.called import Acted, Called
from gateway.acts.matters.deciding import no_representative, steward
from gateway.acts.matters.filing import OBJECTION
from gateway.acts.matters.upheld import ends_upheld
from gateway.acts.office import Office
from gateway.acts.pages import WAITS, Sections
from gateway.catalogue.model import PROVIDED, Catalogue
from gateway.inquiry.types import Requester
from gateway.ledger.acting.digests import same_human
from gateway.ledger.acting.planned import (
    Actor,
    AtEntry,
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
from gateway.sources import Changes as Reporting
from gateway.storage.subjects import acts as rows
from gateway.storage.subjects import facts
from gateway.storage.subjects.acts import Act, Matter, matter
from gateway.storage.subjects.facts import fact
from gateway.storage.tables import micros

EVENTS = ("corrected", "withdrawn", "reinstated")
"""What a department reports. That a display ended, or a record was restored, is nobody's report."""
KIND, DECLINED = "change", "declined"
HOUR = datetime.timedelta(hours=1)


class _Effect(NamedTuple):
    """What makes a change count, and the numbers of facts that it takes."""

    changes: Sequence[Changes]
    numbers: tuple[int, ...]


class _Before(NamedTuple):
    """What is known of a record: what was reported, its withdrawals in force, and the objections that were upheld."""

    reports: Sequence[Matter]
    withdrawn: Sequence[str]
    upheld: Sequence[Matter]


def _about_record(table: Table) -> list[ColumnElement[bool]]:
    return [table.c[name] == bindparam(f"{name}_") for name in ("scheme", "value", "dataset", "record")]


# Made once: to put one together takes as long as to execute it, and many changes come at a time.
_MATTERS = select(matter).where(*_about_record(matter))
_WITHDRAWN = (
    select(fact.c.id)
    .where(*_about_record(fact), fact.c.kind == "withdrawal", fact.c.ended.is_(None))
    .order_by(fact.c.change)
)
_NONE = _Effect((), ())
_USUAL = Reporting()


class Reported(NamedTuple):
    """What became of a record, as it is reported. `subject` is its scheme and value; `""` where none was given."""

    subject: tuple[str, str]
    dataset: str
    record: str
    version: str
    event: str
    new_version: str
    reason: str = ""


def reported(
    catalogue: Catalogue, department: str, subject: Mapping[str, Any], record: Mapping[str, Any],
    event: str, new_version: object, reason: object, at: str = "record.",
) -> Reported:  # fmt: skip
    """A report, read; raises `Refusal`. `record` names the dataset, the record and, where it was given, the version;
    `at` is where these stand in what was sent."""
    about = inputs.identifier(catalogue, subject)
    dataset = catalogue.datasets.get(str(record["dataset"]))
    if (
        dataset is None
        or dataset.status not in PROVIDED
        or dataset.department != department
        or about.kind not in dataset.subjects
    ):
        raise inputs.wrong(f"`{at}dataset` is no dataset of yours about a subject like this; see `catalogue`")
    if event not in EVENTS:
        raise inputs.wrong(f"`event` must be one of {', '.join(EVENTS)}")
    version = inputs.named(record["version"], f"{at}version") if record.get("version") is not None else ""
    newer = inputs.named(new_version, "newVersion") if new_version is not None else ""
    if event == "corrected" and not newer:
        raise inputs.wrong("`newVersion` is missing: name the version that the corrected record has now")
    if event != "corrected" and newer:
        raise inputs.wrong("`newVersion` is for a corrected record only; leave it out")
    if newer and newer == version:
        raise inputs.wrong("`newVersion` is the version that was corrected; name the one that the record has now")
    named = inputs.named(record["record"], f"{at}record")
    return Reported(about[1:], dataset.id, named, version, event, newer, inputs.text(reason, "reason"))


class ChangeActs:
    """The acts that report changes. `reporting` is what `sources.yaml` has of each department's systems."""

    def __init__(self, office: Office, reporting: Mapping[str, Reporting]) -> None:
        self._office, self._reporting = office, reporting

    async def report(self, requester: Requester, called: Called) -> Acted:
        """`reportChange`."""
        given, office = called.arguments, self._office
        itself = requester.reports_changes and requester.official is None and not requester.is_subject
        actor = office.actor(requester) if itself else steward(office, requester)
        read = reported(
            office.rules.policies.catalogue, requester.department, given["subject"], given["record"],
            str(given["event"]).lower(), given.get("newVersion"), given["reason"],
        )  # fmt: skip
        planned = office.planned(
            "reportChange", actor, read.subject, given, frozenset([read.subject]),
            lambda seen: self.made(seen, actor, read), self.again,
        )  # fmt: skip
        return await office.done(planned)

    def made(self, seen: Seen, actor: Actor, read: Reported) -> Made:
        """A report as an act."""
        if actor.people:
            no_representative(self._office, seen, actor, read.subject)
        before = _before(seen, read)
        _fits(read, before)
        # What releases, and what answers an objection, is no system's own word.
        answers = read.event == "reinstated" or bool(before.upheld)
        waits = actor.official is not None or answers or self._too_many(seen, actor, read)
        effect = _NONE if waits else _effect(seen, read, before)
        id_, now, by = secrets.token_hex(16), micros(seen.now), seen.keyed.people(actor.people)
        row: dict[str, Any] = {
            "id": id_, "kind": KIND, "state": WAITS if waits else "decided", "department": actor.department,
            "scheme": read.subject[0], "value": read.subject[1], "dataset": read.dataset, "record": read.record,
            "version": read.version or None, "event": read.event, "new_version": read.new_version or None,
            "issuer": actor.issuer, "client": actor.client, "filed": now, "filed_by": by or None,
            "decided": None if waits else now, "provisional": 0, "told": 0,
        }  # fmt: skip
        told = self._told(seen, actor, "change-reported", id_, read, effect)
        replaced = [_closing(each, "withdrawn", seen) for each in before.reports if _replaces(read, each)]
        new = Row(matter, row, ("filed_in",) if waits else ("filed_in", "decided_in"))
        if read.event == "withdrawn" and not waits:
            seen.counted[_hourly(actor)] += 1
        return Made(
            told, self._office.oversight(seen, actor), [*effect.changes, *replaced, new], id_,
            shown.change(rows.new(row), read.reason), facts=len(effect.numbers),
        )  # fmt: skip

    def confirm(self, seen: Seen, actor: Actor, row: Matter) -> Made:
        """What a second steward of its department confirms, so that it counts. `row` is a matter of kind `change`."""
        read, by = self._waiting(seen, actor, row), seen.keyed.people(actor.people)
        if same_human(row.filed_by, by):
            raise invalid("SECOND_PERSON", "you cannot confirm what you reported; another steward must")
        before = _before(seen, read)
        _fits(read, before)
        effect = _effect(seen, read, before)
        told = self._told(seen, actor, "change-confirmed", row.id, read, effect)
        decided = _closing(row, "decided", seen, decided_by=by)
        value = self.shown([row._replace(state="decided")])[0]
        oversight = self._office.oversight(seen, actor)
        return Made(told, oversight, [*effect.changes, decided], row.id, value, facts=len(effect.numbers))

    def decline(self, seen: Seen, actor: Actor, row: Matter, reason: str) -> Made:
        """What a steward of its department turns down, whoever reported it: nothing of it ever counts."""
        read = self._waiting(seen, actor, row)._replace(reason=reason)
        told = self._told(seen, actor, "change-declined", row.id, read, _NONE)
        declined = _closing(row, DECLINED, seen, decided_by=seen.keyed.people(actor.people))
        value = {**self.shown([row])[0], "state": shown.STATES[DECLINED], "because": reason}
        return Made(told, self._office.oversight(seen, actor), [declined], row.id, value)

    def _waiting(self, seen: Seen, actor: Actor, row: Matter) -> Reported:
        """What waits for a second person, as it was reported; raises `Refusal` where it is not this person's."""
        if row.scheme is None or row.value is None:  # its subject was erased
            raise not_found()
        if row.state == "withdrawn":
            raise invalid("STATE", "another report about this record took the place of this one; see `changes`")
        if row.state != WAITS:
            raise invalid("STATE", "this change does not wait for a second person, or does not any more")
        no_representative(self._office, seen, actor, (row.scheme, row.value))
        return Reported(
            (row.scheme, row.value), row.dataset or "", row.record or "", row.version or "", row.event or "",
            row.new_version or "",
        )  # fmt: skip

    def again(self, seen: Seen, past: Act) -> dict[str, Any]:
        """What a repeat is shown: the change as it is now."""
        row = rows.one(seen.connection, past.matter or "")
        if row is None or row.scheme is None:
            raise not_found()
        return self.shown([row])[0]

    async def page(self, requester: Requester, called: Called) -> Acted:
        """`changes`: the department's own, by a `view`; those that wait come first, oldest first, then the newest."""
        steward(self._office, requester)
        sections = Sections.after(called.arguments.get("after"))
        state = called.arguments.get("state")
        wanted = None if state is None else shown.word(str(state))
        await self._office.viewed(requester, "changes", "what its own department reported of its records")
        first = called.arguments["first"]
        return Acted(await asyncio.to_thread(self._page, requester.department, sections, wanted, first))

    def shown(self, found: Sequence[Matter]) -> list[dict[str, Any]]:
        """Each as `Change`. Blocks; raises `LedgerUnavailable`."""
        return shown.changes(self._office, found)

    def _page(self, department: str, sections: Sections, state: str | None, first: int) -> dict[str, Any]:
        mine = (matter.c.department == department, matter.c.kind == KIND, matter.c.scheme.is_not(None))
        with self._office.reading() as connection:
            found, following = sections.page(connection, mine, state, first)
        return {"items": self.shown(found), "next": following}

    def _too_many(self, seen: Seen, actor: Actor, read: Reported) -> bool:
        """Whether the department's systems withdrew as much within an hour as they may by themselves."""
        if read.event != "withdrawn":
            return False
        most = self._reporting.get(actor.department, _USUAL).an_hour
        if (whose := _hourly(actor)) not in seen.counted:
            since = micros(seen.now - HOUR)
            seen.counted[whose] = rows.withdrawn_by_systems(seen.connection, actor.department, since, most)
        return seen.counted[whose] >= most

    def _told(self, seen: Seen, actor: Actor, what: str, id_: str, read: Reported, effect: _Effect) -> entries.Acted:
        return self._office.told(
            seen, actor, what, outcome=read.event, scheme=read.subject[0], value=read.subject[1], matter=id_,
            dataset=read.dataset, record=read.record, version=read.version, new_version=read.new_version,
            reason=read.reason, changes=effect.numbers,
        )  # fmt: skip


def _before(seen: Seen, read: Reported) -> _Before:
    of = _record(read)
    matters = [Matter._make(row) for row in seen.connection.execute(_MATTERS, of)]
    reports = [row for row in matters if row.kind == KIND]
    withdrawn = seen.connection.execute(_WITHDRAWN, of).scalars().all()
    upheld = [row for row in matters if row.kind == OBJECTION and row.second_due is not None and row.fact is not None]
    return _Before(reports, withdrawn, upheld)


def _record(read: Reported) -> dict[str, str]:
    return dict(
        zip(("scheme_", "value_", "dataset_", "record_"), (*read.subject, read.dataset, read.record), strict=True)
    )


def _fits(read: Reported, before: _Before) -> None:
    """Raises `Refusal` where it cannot be so, as far as it is known what became of the record."""
    if read.event == "withdrawn" and before.withdrawn:
        raise invalid("STATE", "this record is withdrawn already")
    if read.event == "reinstated" and not before.withdrawn:
        raise invalid("STATE", "this record is not withdrawn, so that it cannot be reinstated")
    if read.event == "corrected" and read.version and _stale(read.version, before.reports):
        raise invalid("STATE", "this version was corrected before; name the version that the record had since")


def _stale(version: str, reports: Sequence[Matter]) -> bool:
    """Whether the last correction that names the version says that the record has another one since."""
    stale = False
    for each in sorted(reports, key=lambda row: (row.decided or 0, row.decided_in or 0)):
        if each.event == "corrected" and each.state == "decided":
            stale = each.new_version != version and (stale or each.version == version)
    return stale


def _effect(seen: Seen, read: Reported, before: _Before) -> _Effect:
    """What makes a change count."""
    first, about = seen.change + 1, {"dataset": read.dataset, "record": read.record}
    if read.event == "reinstated":
        ended = [facts.ending(id_, "withdrawal", seen.now, each) for each, id_ in enumerate(before.withdrawn, first)]
        return _Effect(ended, tuple(range(first, first + len(ended))))
    if read.event == "corrected":
        made, taken = facts.over("correction", read.subject, seen.now, first, **about), 2
    else:
        made, taken = new_fact(seen, "withdrawal", read.subject, about), 1
    upheld, more = ends_upheld(seen, before.upheld, read.version, 1 + taken, corrected=read.event == "corrected")
    taken += more
    recall = recalled(seen, read.event, read.subject, **about, new_version=read.new_version)
    return _Effect([Row(fact, made), *upheld, recall], tuple(range(first, first + taken)))


def _replaces(read: Reported, each: Matter) -> bool:
    """Whether a change that waits is over with the report: it says the same of the record, and is no more needed."""
    same = each.event != "corrected" or (each.version or "") == read.version
    return each.state == WAITS and each.event == read.event and same


def _closing(row: Matter, state: str, seen: Seen, **columns: object) -> Changes:
    values = {"state": state, "decided": micros(seen.now), **columns}
    return AtEntry(lambda entry: update(matter).where(matter.c.id == row.id).values(**values, decided_in=entry))


def _hourly(actor: Actor) -> tuple[str, str]:
    return ("withdrawn", actor.department)
