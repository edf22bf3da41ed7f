"""Which approvals of a proposal count at a moment, and what it lacks to become active.

Two officers of the *base* set, and for each department whose data of people, or not public, it opens, a steward; all of
them different people, none of them the author. Where the base's `officers.yaml` says `simulation: required`, nobody
approves what was not simulated. An approval counts from its moment until it expires; one from the future does not: some
clock is behind. Oversight is told of what is opened `NOTICE` before.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import NamedTuple

from gateway.ledger.acting.digests import same_human
from gateway.rules.files.officers import NEEDED, Officers
from gateway.storage.rules.proposals import Approval, Proposal
from gateway.storage.tables import micros, moment

OFFICER, STEWARD = "officer", "steward"
UNSIMULATED = "it must be simulated first (`dutybound rules simulate`): `officers.yaml` requires it"
NOTICE = datetime.timedelta(hours=24)


class Judged(NamedTuple):
    """The approvals that count, and what is missing: so many officers, stewards of these departments, a simulation."""

    counted: tuple[Approval, ...]
    officers: int
    stewards: tuple[str, ...]
    unsimulated: bool = False

    @property
    def enough(self) -> bool:
        return not self.officers and not self.stewards and not self.unsimulated


def judged(row: Proposal, approvals: Sequence[Approval], officers: Officers, now: datetime.datetime) -> Judged:
    """What a proposal's approvals come to, by the officers of its base."""
    at, counted = micros(now), list[Approval]()
    for each in approvals:
        fresh = each.at <= at < each.expires
        entitled = each.name in (officers.entries if each.role == OFFICER else row.departments)
        known = any(same_human(each.people, other) for other in (row.author, *(one.people for one in counted)))
        if fresh and entitled and not known:
            counted.append(each)
    stewards = {each.name for each in counted if each.role == STEWARD}
    missing = NEEDED - sum(each.role == OFFICER for each in counted)
    lacking = tuple(each for each in row.departments if each not in stewards)
    return Judged(tuple(counted), max(0, missing), lacking, officers.simulated and row.simulated_in is None)


def opens_at(row: Proposal) -> datetime.datetime | None:
    """From when on it may be active, as far as oversight's notice goes; None where it was not given yet."""
    if not row.departments:
        return moment(row.at)
    return None if row.noted is None else moment(row.noted) + NOTICE


def lacks(row: Proposal, found: Judged, now: datetime.datetime) -> list[str]:
    """What is missing, in words; nothing where it may be active."""
    told = [UNSIMULATED] if found.unsimulated else []
    if found.officers:
        told.append(f"{found.officers} more officer{'s' if found.officers > 1 else ''} must approve")
    told += [f"a steward of `{name}` must approve: it opens data of people, or not public" for name in found.stewards]
    opens = opens_at(row)
    if not told and (opens is None or opens > now):
        when = f"at {opens.isoformat()}" if opens is not None else "24 hours after oversight is notified"
        told.append(f"oversight is notified of what it opens 24 hours before; it can be activated {when}")
    return told
