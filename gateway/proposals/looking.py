"""What is read of proposals and activations, for those who act on them. They name no subject, so no look is entered."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, desc, select

from gateway.activation.stored import BY_FOLDER
from gateway.acts.office import Office
from gateway.acts.subject.words import acts_at
from gateway.errors import Code, LedgerUnavailable, Refusal
from gateway.inquiry.types import Requester
from gateway.ledger.acting.digests import Keyed
from gateway.ledger.acting.planned import Actor
from gateway.proposals import shown
from gateway.proposals.allowed import Case, Person, yours
from gateway.proposals.desk import Acting, acting, nothing_active, one
from gateway.proposals.judging import judged, lacks
from gateway.rules.files.officers import NOBODY, Officers
from gateway.storage.projections import counted
from gateway.storage.rules import proposals as rows
from gateway.storage.rules import rulesets
from gateway.storage.rules.proposals import Activation, Proposal, proposal
from gateway.storage.rules.rulesets import Active, replica, rule_set
from gateway.storage.tables import micros

LISTED = 100
"""Proposals, activations and replicas that are listed, the newest."""
NEVER = Active(0, "")


class Page(NamedTuple):
    """Some items of a list, and after which the next ones come; None where there are none."""

    items: list[dict[str, Any]]
    next: str | None


class Looking:
    """Reads. `origin` is the ledger's; `by_folder` as of `RuleRoutes`. Everything blocks, and raises `Refusal`.

    Of a proposal `you` says what `who` asks can do with it.
    """

    def __init__(self, office: Office, origin: str, *, by_folder: bool = False) -> None:
        self._office, self._origin, self._by_folder = office, origin, by_folder

    def proposal(self, id_: str, who: Requester | None = None) -> dict[str, Any]:
        """One proposal, with everything that is known of it."""
        office, at = self._office, self._office.now()
        with office.reading() as connection:
            row = one(connection, id_)
            now = rulesets.active(connection) or NEVER
            case = self._case(connection, row, now, at)
            person = None if who is None else self._person(connection, who)
        found = judged(row, case.given, case.officers, at)
        said = self._said([row.filed_in, row.moved_in, row.simulated_in, *(each.filed_in for each in case.given)])
        told = shown.proposal(row, case.given, found, now, at, said, self._origin)
        if self._by_folder and told["state"] in shown.WAITS:
            told["lacks"].append(BY_FOLDER)
        return {**told, "byFolder": self._by_folder, **self._yours(person, case, told["state"])}

    def proposals(
        self, who: Requester | None = None, *, after: str = "", first: int = LISTED, waiting: bool = False
    ) -> Page:
        """The newest proposals, or those `after` one of them; only those that can still come to something."""
        at = self._office.now()
        with self._office.reading() as connection:
            now = rulesets.active(connection) or NEVER
            person = None if who is None else self._person(connection, who)
            conditions = [rows.before(one(connection, after))] if after else []
            if waiting:
                open_ = (proposal.c.base_epoch == now.epoch, proposal.c.lapses > micros(at))
                conditions += [rows.WAITS, *open_]
            found = rows.several(connection, *conditions, first=first + 1)
            cases = [self._case(connection, row, now, at) for row in found[:first]]
        said = self._said([place for each in cases for place in (each.row.filed_in, each.row.moved_in)])
        items = []
        for case in cases:
            told = shown.brief(case.row, judged(case.row, case.given, case.officers, at), now, at, said)
            items.append({**told, **self._yours(person, case, told["state"])})
        return Page(items, found[first - 1].id if len(found) > first else None)

    def activations(self, *, after: int = 0, first: int = LISTED) -> Page:
        """The last activations, or those before one epoch."""
        with self._office.reading() as connection:
            conditions = [rulesets.activation.c.epoch < after] if after else []
            found = rows.activations(connection, *conditions, first=first + 1)
            proposed = {each.epoch: self._filed(connection, each) for each in found[:first]}
        said = self._said([*(each.filed_in for each in found[:first]), *proposed.values()])
        items = [shown.told_activation(each, said[each.filed_in], said[proposed[each.epoch]]) for each in found[:first]]
        return Page(items, str(found[first - 1].epoch) if len(found) > first else None)

    def _filed(self, connection: Connection, row: Activation) -> int | None:
        """Where the proposal stands that an activation is of."""
        return None if row.proposal is None else one(connection, row.proposal).filed_in

    def _case(self, connection: Connection, row: Proposal, now: Active, at: datetime.datetime) -> Case:
        return Case(row, rows.approvals(connection, row.id), self._officers(row), now, at)

    def _person(self, connection: Connection, who: Requester) -> Person:
        try:
            mine = acting(self._office, who)
        except Refusal:
            mine = Acting(Actor(who.issuer, who.client, who.department), None, "")
        keyed = Keyed(counted.current(connection).secret)
        return Person(mine, mine.people(keyed), "oversight" in who.scopes)

    def _yours(self, person: Person | None, case: Case, state: str) -> dict[str, Any]:
        if person is None:
            return {}
        found = judged(case.row, case.given, case.officers, case.at)
        complete = state == "approved" and not lacks(case.row, found, case.at) and not self._by_folder
        return {"you": yours(person, case, found, complete=complete)}

    def _said(self, places: Sequence[int | None]) -> shown.Texts:
        try:
            return acts_at(self._office.store, places)
        except LedgerUnavailable as error:
            message = "the ledger cannot be read now; try again later"
            raise Refusal(Code.LEDGER_UNAVAILABLE, message, headers={"Retry-After": "1"}) from error

    def archives(self, id_: str) -> tuple[bytes, bytes]:
        """The archives of a proposal and of its base."""
        with self._office.reading() as connection:
            row = one(connection, id_)
            wanted = select(rule_set.c.digest, rule_set.c.files).where(rule_set.c.digest.in_([row.digest, row.base]))
            files = {row.digest: row.files for row in connection.execute(wanted)}
        return files[row.digest], files[row.base]

    def status(self) -> dict[str, Any]:
        """What is active, and which process serves it since when, or why not."""
        with self._office.reading() as connection:
            return status(connection, self._office.now())

    def active(self) -> Active:
        """What is active."""
        with self._office.reading() as connection:
            found = rulesets.active(connection)
        if found is None:
            raise nothing_active()
        return found

    def _officers(self, row: Proposal) -> Officers:
        """Those of the base, where it is in force; what was over another can get no approval any more."""
        rules = self._office.rules
        return rules.officers if rules.digest == row.base else NOBODY


def status(connection: Connection, at: datetime.datetime) -> dict[str, Any]:
    """What a store has of its rule sets: the active one, the last activations, and each process's own word."""
    now = rulesets.active(connection) or NEVER
    past = [shown.activation(each) for each in rows.activations(connection, first=LISTED)]
    served = connection.execute(select(replica).order_by(desc(replica.c.seen)).limit(LISTED))
    return {
        "active": past[0] if past else None,
        "replicas": [shown.replica(each, now, at) for each in served],
        "activations": past,
        "waiting": len(rows.several(connection, rows.WAITS, proposal.c.base_epoch == now.epoch, first=LISTED)),
    }
