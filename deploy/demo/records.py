"""The records that the departments hold, in the catalogue's words; `stores` gives them each department's own.

Every record falls on a known side of every restraint, relative to the day the region is made for: `Kind` says which.
What makes a record withdrawn, restored or disputed is not in the record: it is a fact in the gateway's store.
"""

from __future__ import annotations

import calendar
import datetime
import enum
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from deploy.demo.dice import Dice
from deploy.demo.values import DATASETS, MAKERS, Value, Who


class Kind(enum.StrEnum):
    """On which side of the restraints a record falls on the day of generation."""

    SHOWN = "shown"
    LAST_DAY = "last-day"  # displayed through today
    ENDED_YESTERDAY = "ended-yesterday"
    ENDED = "ended"
    NO_DOCUMENT = "no-document"
    NO_EFFECTIVE = "no-effective"
    FUTURE = "future"
    MITIGATED = "mitigated"
    WITHDRAWN = "withdrawn"
    RESTORED = "restored"
    DISPUTED = "disputed"  # an objection is open, within its seven working days
    OVERDUE = "overdue"  # an objection was not decided in time
    OPTED_OUT = "opted-out"


_ODDS: tuple[tuple[int, Kind], ...] = (
    (58, Kind.SHOWN), (11, Kind.ENDED), (1, Kind.LAST_DAY), (1, Kind.ENDED_YESTERDAY), (4, Kind.NO_DOCUMENT),
    (2, Kind.NO_EFFECTIVE), (2, Kind.FUTURE), (5, Kind.MITIGATED), (4, Kind.WITHDRAWN), (4, Kind.RESTORED),
    (5, Kind.DISPUTED), (3, Kind.OVERDUE),
)  # fmt: skip


class Row(NamedTuple):
    """One record. `fields` are in the catalogue's names; `kind` is for whoever makes facts and tests, never stored."""

    dataset: str
    scheme: str
    subject: str
    id: str
    version: str
    document: str | None
    effective: datetime.date | None
    mitigation: str | None
    fields: Mapping[str, Value]
    kind: Kind


def years_before(day: datetime.date, years: int) -> datetime.date:
    """The same day `years` earlier; the month's last where it has no such day."""
    year = day.year - years
    return datetime.date(year, day.month, min(day.day, calendar.monthrange(year, day.month)[1]))


def _effective(dataset: str, kind: Kind, dice: Dice, today: datetime.date) -> datetime.date | None:
    shape = DATASETS[dataset]
    end = years_before(today, shape.display_years or 3)
    match kind:
        case Kind.ENDED:
            return end - datetime.timedelta(days=dice.between(30, 1_000))
        case Kind.ENDED_YESTERDAY:
            return end - datetime.timedelta(days=1)
        case Kind.LAST_DAY:
            return end
        case Kind.FUTURE:
            return today + datetime.timedelta(days=dice.between(10, 90))
        case Kind.NO_EFFECTIVE:
            return None
        case _:  # well inside: past the minimum display of three months, a month and more before the end
            return today - datetime.timedelta(days=dice.between(100, (today - end).days - 40))


def row(dataset: str, who: Who, nth: int, kind: Kind, today: datetime.date) -> Row:
    """The `nth` record of one subject in `dataset`, falling on the side that `kind` names."""
    scheme, subject = who.identifier
    shape = DATASETS[dataset]
    dice = Dice(f"{dataset}/{subject}/{nth}")
    effective = _effective(dataset, kind, dice, today)
    fields = MAKERS[dataset](dice, effective or today - datetime.timedelta(days=400), who)
    serial = f"{'P' if scheme == 'PIN' else ''}{who.number:05d}"
    mitigation = None
    if kind is Kind.MITIGATED and shape.mitigates:
        mitigation = dice.pick(("caused by the flood of the preceding week", "minor, without intent and put right"))
    return Row(
        dataset=dataset,
        scheme=scheme,
        subject=subject,
        id=f"{shape.prefix}-{serial}-{nth}",
        version=str(dice.between(1, 3)),
        document=None if kind is Kind.NO_DOCUMENT else f"DOC-{shape.prefix}-{serial}/{nth}",
        effective=effective,
        mitigation=mitigation,
        fields=fields,
        kind=kind,
    )


def background(dataset: str, who: Who, today: datetime.date) -> Iterator[Row]:
    """The records of a subject that no scene is about: as many and of such kinds as its number gives."""
    shape = DATASETS[dataset]
    dice = Dice(f"background/{dataset}/{who.number}")
    if not dice.chance(shape.frequency):
        return
    for nth in range(1, 1 + dice.between(1, shape.most)):
        yield row(dataset, who, nth, _kind(dice) if shape.adverse else Kind.SHOWN, today)


def _kind(dice: Dice) -> Kind:
    drawn = dice.below(100)
    for share, kind in _ODDS:
        if drawn < share:
            return kind
        drawn -= share
    return Kind.SHOWN
