"""The whole region for one day: whom the scenes are about, every record, and the facts that the gateway holds.

A named subject has the records that its line below says and no others. Every other subject's come from its number.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from deploy.demo import organisations, people
from deploy.demo.dice import Dice
from deploy.demo.organisations import organisation
from deploy.demo.people import person
from deploy.demo.records import Kind, Row, background, row
from deploy.demo.values import DATASETS, Who

VERSION = 1
"""Raised when the same day would give other data, so that stores made before are made again."""

S = (Kind.SHOWN,)
_ORGANISATION = {"organisation-register": S, "business-licences": S, "tax-registrations": S}
_PERSON = {
    "person-register": S,
    "income-statements": S * 2,
    "volunteering": S,
    "employment-contracts": S,
    "enforcement-cases": S,
}
_W = (Kind.WITHDRAWN,)


class Named(NamedTuple):
    """A subject that `var/demo.json` names. `kinds` lists each dataset's records; `what` has it in words."""

    who: Who
    kinds: Mapping[str, tuple[Kind, ...]]
    what: str


NAMED: Mapping[str, Named] = {
    "ordinary": Named(
        organisation(0),
        {dataset: S * shape.most for dataset, shape in DATASETS.items() if "LEI" in shape.schemes},
        "has records with every department, all displayed",
    ),
    "display_ended": Named(
        organisation(1),
        _ORGANISATION | {"tax-arrears": (Kind.ENDED,), "market-penalties": (Kind.SHOWN, Kind.ENDED)},
        "has records whose time of display is over",
    ),
    "no_source_document": Named(
        organisation(2),
        _ORGANISATION | {"tax-arrears": (Kind.NO_DOCUMENT,), "market-penalties": (Kind.SHOWN, Kind.NO_DOCUMENT)},
        "has adverse records that name no judgment or decision",
    ),
    "all_withheld": Named(
        organisation(3),
        {
            "organisation-register": _W,
            "business-licences": _W,
            "tax-registrations": _W,
            "emission-permits": _W,
            "tax-awards": (Kind.OPTED_OUT,),
            "tax-arrears": (Kind.ENDED, Kind.NO_DOCUMENT, Kind.WITHDRAWN),
            "market-penalties": (Kind.RESTORED, Kind.OVERDUE),
            "environmental-penalties": (Kind.FUTURE,),
            "wage-arrears": (Kind.NO_EFFECTIVE,),
            "enforcement-cases": (Kind.ENDED_YESTERDAY, Kind.OVERDUE),
            "insolvency-proceedings": (Kind.ENDED,),
        },
        "has records in every dataset, and each of them is withheld",
    ),
    "no_records": Named(organisation(4), {}, "is known to the departments, which hold nothing"),
    "mitigated": Named(
        organisation(5),
        _ORGANISATION | {"environmental-penalties": (Kind.MITIGATED, Kind.SHOWN), "emission-permits": S},
        "was penalised for what a disaster caused",
    ),
    "unknown": Named(organisation(organisations.COUNT + 77), {}, "is a valid LEI that nobody has registered"),
    "person_with_consent": Named(person(0), _PERSON, "has consented to one authority's purpose"),
    "person_without_consent": Named(person(1), _PERSON, "has consented to nothing"),
}
"""The subjects of `var/demo.json`."""

_BY_SUBJECT = {named.who.identifier: named for named in NAMED.values()}


class Fact(NamedTuple):
    """What the gateway's store holds of a subject.

    `kind` is `withdrawn`, `restored`, `objection`, `opted-out` or `consent`. `day` is when it was made; for an
    objection that decides whether it is overdue. `until` is a consent's last day. `record` is a record's id;
    `datasets` name what an opt-out or a consent is about.
    """

    kind: str
    scheme: str
    subject: str
    datasets: tuple[str, ...]
    record: str | None
    day: datetime.date
    until: datetime.date | None = None


def subjects() -> Iterator[Who]:
    """Everybody that a department knows."""
    for number in range(organisations.COUNT):
        yield organisation(number)
    for number in range(people.COUNT):
        yield person(number)


def records_of(who: Who, today: datetime.date) -> Iterator[Row]:
    """All records of one subject, dataset by dataset."""
    scheme = who.identifier[0]
    named = _BY_SUBJECT.get(who.identifier)
    for dataset, shape in DATASETS.items():
        if scheme not in shape.schemes:
            continue
        if named is None:
            yield from background(dataset, who, today)
        else:
            for nth, kind in enumerate(named.kinds.get(dataset, ()), 1):
                yield row(dataset, who, nth, kind, today)


_FACT_OF = {
    Kind.WITHDRAWN: "withdrawn",
    Kind.RESTORED: "restored",
    Kind.DISPUTED: "objection",
    Kind.OVERDUE: "objection",
}
CONSENTED = ("income-statements", "employment-contracts", "volunteering")
"""What `person_with_consent` lets the Labour Office see to assess a subsidy."""


def facts_of(who: Who, rows: list[Row], today: datetime.date) -> Iterator[Fact]:
    """The facts that make `rows`, all records of one subject, fit their kinds; and the subject's consents."""
    scheme, subject = who.identifier
    for one in rows:
        if one.kind in _FACT_OF:
            days = {Kind.DISPUTED: 1, Kind.OVERDUE: 40}.get(one.kind, 20)
            day = today - datetime.timedelta(days=days)
            yield Fact(_FACT_OF[one.kind], scheme, subject, (one.dataset,), one.id, day)
    opted_out = {one.dataset for one in rows if one.kind is Kind.OPTED_OUT}
    named = _BY_SUBJECT.get(who.identifier)
    dice = Dice(f"facts/{scheme}/{who.number}")
    month = datetime.timedelta(days=30)
    if named is None and dice.chance(10):
        opted_out.add("tax-awards" if scheme == "LEI" else "volunteering")
    if opted_out:
        yield Fact("opted-out", scheme, subject, tuple(sorted(opted_out)), None, today - month)
    if named is NAMED["person_with_consent"]:
        yield Fact("consent", scheme, subject, CONSENTED, None, today - month, today + 6 * month)
    elif named is None and scheme == "PIN" and dice.chance(20):
        until = today + (6 * month if dice.chance(60) else -5 * month)
        yield Fact("consent", scheme, subject, CONSENTED, None, today - 8 * month, until)
