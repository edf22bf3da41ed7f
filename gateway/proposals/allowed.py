"""What one person can do with a proposal at a moment, and what stands in the way: for the acts, and for whoever looks.

A hindrance has a word of its own, by which pages say it in theirs, and the refusal that the act would be.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from gateway.errors import Refusal
from gateway.ledger.acting.digests import same_human
from gateway.ledger.acting.planned import invalid
from gateway.proposals.desk import Acting, still_open
from gateway.proposals.judging import OFFICER, UNSIMULATED, Judged, judged
from gateway.rules.files.officers import Officers
from gateway.storage.rules.proposals import READY, WAITING, Approval, Proposal
from gateway.storage.rules.rulesets import Active

HINDRANCES = ("over", "draft", "unsimulated", "officer", "department", "author", "approved")
"""Why somebody cannot approve: it can come to nothing any more; its tests fail; nobody simulated it; they are no
officer; it opens nothing of their department; they proposed it; they approved it already."""


class Person(NamedTuple):
    """Somebody, as the acts see them: who acts, what stands for the human, and whether they are of oversight."""

    acting: Acting
    people: bytes
    oversight: bool


class Hindrance(NamedTuple):
    """Why an act cannot be: one of `HINDRANCES`, and how it is refused."""

    word: str
    refusal: Refusal


class Case(NamedTuple):
    """A proposal as it stands: its row, all its approvals, the officers of its base, what is active, and when."""

    row: Proposal
    given: Sequence[Approval]
    officers: Officers
    now: Active
    at: datetime.datetime


def approving(who: Person, case: Case) -> Hindrance | None:
    """Why somebody cannot approve it; None where they can."""
    for word, check in _checks(who, case):
        try:
            check()
        except Refusal as refusal:
            return Hindrance(word, refusal)
    return None


def _checks(who: Person, case: Case) -> Iterator[tuple[str, Callable[[], Any]]]:
    row, mine = case.row, who.acting
    counted = judged(row, case.given, case.officers, case.at)

    def ready() -> None:
        if row.state not in READY:
            raise invalid("STATE", "it is a draft: its tests fail, so that nobody can approve it")

    def simulated() -> None:
        if counted.unsimulated:
            raise invalid("STATE", UNSIMULATED)

    def another() -> None:
        if same_human(row.author, who.people):
            raise invalid("SECOND_PERSON", "you proposed it; others have to approve it")

    def once() -> None:
        if any(same_human(each.people, who.people) for each in counted.counted):
            raise invalid("SECOND_PERSON", "you approved it already; one person approves once")

    yield "over", lambda: still_open(row, case.now, case.at)
    yield "draft", ready
    yield "unsimulated", simulated
    yield ("department" if mine.steward and mine.officer is None else "officer"), lambda: mine.role(row)
    yield "author", another
    yield "approved", once


def refusing(who: Person, row: Proposal) -> Refusal | None:
    """Why somebody cannot refuse it; None where they can."""
    try:
        if row.state not in WAITING:
            raise invalid("STATE", f"this proposal is {row.state}, and can no longer be refused")
        if not same_human(row.author, who.people) and not who.oversight:
            who.acting.role(row)
    except Refusal as refusal:
        return refusal
    return None


def yours(who: Person, case: Case, found: Judged, *, complete: bool) -> dict[str, Any]:
    """What somebody can do, as they are shown it. `found` is what approvals come to; `complete`: it lacks nothing."""
    row, officer = case.row, who.acting.officer
    hindrance = approving(who, case)
    role = OFFICER if officer is not None else "steward" if who.acting.steward in row.departments else None
    missing = found.officers > 0 if role == OFFICER else who.acting.steward in found.stewards
    return {
        "author": same_human(row.author, who.people),
        "as": role,
        "hindered": None if hindrance is None else hindrance.word,
        "mayApprove": hindrance is None,
        "needed": hindrance is None and missing,
        "mayRefuse": refusing(who, row) is None,
        "mayActivate": officer is not None and complete,
        "signed": case.officers.signed and role == OFFICER,
        "until": case.at.replace(microsecond=0) + datetime.timedelta(days=case.officers.days),
    }
