"""What is looked at again at every inquiry, beside the table: the grant's days, and what the token narrows.

A guard only takes away. Each gives a `Cell` that says why, like the table's. Pure: the day comes in as an argument.
"""

from __future__ import annotations

import datetime
import zoneinfo
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal

from gateway.rules.model import Cell, Flag, Grant, Reason, RequesterEntry

Standing = Literal["holds", "suspended", "not begun", "ended"]

_zone = lru_cache(8)(zoneinfo.ZoneInfo)


def day(now: datetime.datetime, time_zone: str) -> datetime.date:
    """The calendar day of a moment in the policies' time zone; raises `ValueError` for a moment without an offset."""
    if now.tzinfo is None:
        raise ValueError("`now` needs a time zone")
    return now.astimezone(_zone(time_zone)).date()


def holds(grants: Iterable[Grant], purpose: str, today: datetime.date) -> bool:
    """Whether one of the grants is for the purpose and holds today."""
    return any(grant.purpose == purpose and inactive(grant, today) is None for grant in grants)


def grant_for(entry: RequesterEntry | None, purpose: str, today: datetime.date) -> Grant | None:
    """The requester's grant for the purpose that holds today, else the one that ends last; `None` if there is none."""
    last: Grant | None = None
    for grant in entry.grants if entry is not None else ():
        if grant.purpose == purpose:
            if grant.valid_from <= today <= grant.valid_until and not grant.suspended:
                return grant
            if last is None or grant.valid_until > last.valid_until:
                last = grant
    return last


def no_grant(purpose: str) -> Cell:
    """Every field is denied to a requester without a grant for the purpose."""
    return Cell(
        False,
        Reason.PURPOSE_NOT_PERMITTED,
        articles=("28(1)",),
        advice=f"You hold no grant for {purpose}. Ask under a purpose that you were granted, or agree on one first.",
        needs=(f"a grant for {purpose}",),
    )


def standing(grant: Grant, today: datetime.date) -> Standing:
    """What a grant is on a day. One that is suspended is that, whatever its days."""
    if grant.suspended:
        return "suspended"
    if today < grant.valid_from:
        return "not begun"
    return "ended" if today > grant.valid_until else "holds"


def inactive(grant: Grant, today: datetime.date) -> Cell | None:
    """The denial of a grant that does not hold today, or `None`."""
    stands = standing(grant, today)
    if stands == "holds":
        return None
    why, what = {
        "suspended": ("is suspended", "lifted from its suspension"),
        "not begun": (f"holds from {grant.valid_from} on", "that holds today"),
        "ended": (f"ended on {grant.valid_until}", "renewed"),
    }[stands]
    return Cell(
        False,
        Reason.GRANT_INACTIVE,
        articles=("28(1)",),
        advice=f"Your grant {grant.id} {why}. Renew the agreement ({grant.agreed_by}) before asking again.",
        needs=(f"the grant {grant.id} {what}",),
    )


def suspended(grant: Grant, dataset: str, recall: str) -> Cell:
    """The denial of a dataset whose recall the requester left unanswered."""
    return Cell(
        False,
        Reason.GRANT_INACTIVE,
        articles=("47(2)", "28(1)"),
        advice=f"Your grant {grant.id} is suspended for `{dataset}`: a recall was not answered in time. "
        f"Do what recall {recall} asks for, and acknowledge it (`acknowledgeRecall`).",
        needs=(f"the recall {recall} acknowledged",),
    )


def glass_whole(purpose: str) -> Cell:
    """The denial of everything where an emergency purpose cannot be used: its department has a review overdue."""
    return Cell(
        False,
        Reason.GRANT_INACTIVE,
        articles=("27", "28(1)"),
        advice=f"{purpose} is suspended for your department: the review of an earlier use is overdue. "
        "Oversight has to end it.",
        needs=("the overdue review of an earlier break-glass inquiry, ended by oversight",),
    )


def narrowed(dataset: str) -> Cell:
    """The denial of a dataset that the token's `authorization_details` leave out."""
    return Cell(
        False,
        Reason.TOKEN_NARROWED,
        articles=("27",),
        advice=f"The token's authorization_details leave out `{dataset}` for this purpose, case and subject: "
        "get a token that covers it.",
        needs=(f"a token whose authorization_details cover `{dataset}`, the purpose, the case and the subject",),
    )


def unknown(dataset: str) -> Cell:
    """The denial of what the published catalogue does not have."""
    return Cell(
        False,
        Reason.PURPOSE_NOT_PERMITTED,
        articles=("20",),
        advice=f"The published catalogue does not have this field of `{dataset}`. Leave it out.",
        needs=(f"the field in the published catalogue, under `{dataset}`",),
    )


EXPIRED = Cell(
    False,
    Reason.TOKEN_NARROWED,
    articles=("27",),
    advice="The token expired while the inquiry was on its way: get a new one and ask again.",
    needs=("a token that has not expired",),
)
"""The denial of everything where the token's time ran out after it was accepted."""


def scope_covers(scopes: frozenset[str], dataset: str) -> bool:
    """Whether a token's scopes cover a dataset, for every purpose but those of the subject alone."""
    return "inquire" in scopes or f"inquire:{dataset}" in scopes


def flags(*, scope: bool, consent: bool, case: bool, official: bool, step_up: bool, break_glass: bool = False) -> Flag:
    """The booleans of a decision's key as flags."""
    return Flag(scope * 1 + consent * 2 + case * 4 + official * 8 + step_up * 16 + break_glass * 32)
