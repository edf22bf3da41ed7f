"""What a record of each dataset has: its fields, in the catalogue's names and types, made from a `Dice`."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import NamedTuple

from deploy.demo.dice import Dice
from deploy.demo.organisations import Organisation
from deploy.demo.people import Person

Value = str | int | bool | Decimal | datetime.date | datetime.datetime
Who = Organisation | Person
Maker = Callable[[Dice, datetime.date, Who], Mapping[str, Value]]


class Shape(NamedTuple):
    """How a dataset is filled: `frequency` in percent of subjects, at most `most` records each."""

    department: str
    prefix: str
    schemes: tuple[str, ...]
    frequency: int
    most: int
    adverse: bool = False
    display_years: int | None = None
    mitigates: bool = False


DATASETS: Mapping[str, Shape] = {
    "organisation-register": Shape("market", "OR", ("LEI",), 100, 1),
    "business-licences": Shape("market", "BL", ("LEI",), 60, 2),
    "market-penalties": Shape("market", "MP", ("LEI",), 20, 3, True, 3),
    "tax-arrears": Shape("tax", "TA", ("LEI",), 25, 3, True, 3),
    "tax-registrations": Shape("tax", "TR", ("LEI",), 95, 1),
    "tax-awards": Shape("tax", "TW", ("LEI",), 10, 2),
    "income-statements": Shape("tax", "IS", ("PIN",), 90, 3),
    "enforcement-cases": Shape("courts", "EC", ("LEI", "PIN"), 15, 2, True, 3),
    "insolvency-proceedings": Shape("courts", "IP", ("LEI",), 4, 1, True, 5),
    "emission-permits": Shape("environment", "EP", ("LEI",), 20, 3),
    "environmental-penalties": Shape("environment", "EN", ("LEI",), 12, 3, True, 3, True),
    "person-register": Shape("labour", "PR", ("PIN",), 100, 1),
    "wage-arrears": Shape("labour", "WA", ("LEI",), 12, 2, True, 3),
    "volunteering": Shape("labour", "VO", ("PIN",), 40, 2),
    "employment-contracts": Shape("labour", "CO", ("PIN",), 80, 2),
}
"""Every dataset that a department serves. The Market Regulation Authority's inspections are a draft and not served."""


def _money(dice: Dice, most: int) -> Decimal:
    return Decimal(dice.between(5_000, most * 100)).scaleb(-2)


def _quarter(day: datetime.date) -> str:
    return f"{day.year}-Q{(day.month + 2) // 3}"


def _later(dice: Dice, day: datetime.date) -> datetime.date:
    return day + datetime.timedelta(days=dice.between(400, 2_000))


def _register(dice: Dice, day: datetime.date, who: Who) -> Mapping[str, Value]:
    form = who.legal_form if isinstance(who, Organisation) else ""
    return {"name": who.name, "legalForm": form, "registeredOn": who.registered_on}


def _licence(dice: Dice, day: datetime.date, who: Who) -> Mapping[str, Value]:
    return {
        "number": f"L-{dice.between(10_000, 99_999)}",
        "activity": dice.pick(("retail trade", "food service", "construction", "road haulage", "waste treatment")),
        "status": dice.pick(("valid", "valid", "valid", "suspended")),
        "validUntil": _later(dice, day),
    }


def _penalty(conducts: tuple[str, ...], prefix: str) -> Maker:
    def make(dice: Dice, day: datetime.date, who: Who) -> Mapping[str, Value]:
        return {
            "decisionNumber": f"{prefix}-{day.year}-{dice.between(100, 9_999)}",
            "conduct": dice.pick(conducts),
            "amount": _money(dice, 40_000),
            "currency": "EUR",
            "decidedOn": day,
        }

    return make


def _arrears(dice: Dice, day: datetime.date, who: Who) -> Mapping[str, Value]:
    return {"period": _quarter(day - datetime.timedelta(days=120)), "amount": _money(dice, 90_000), "currency": "EUR"}


def _tax_registration(dice: Dice, day: datetime.date, who: Who) -> Mapping[str, Value]:
    return {"registeredOn": day, "vatRegistered": dice.chance(80), "status": dice.pick(("active", "active", "dormant"))}


def _award(dice: Dice, day: datetime.date, who: Who) -> Mapping[str, Value]:
    return {"title": f"Exemplary taxpayer {day.year}", "awardedOn": day}


def _income(dice: Dice, day: datetime.date, who: Who) -> Mapping[str, Value]:
    return {"year": day.year - 1, "taxableIncome": _money(dice, 120_000), "currency": "EUR"}


def _enforcement(dice: Dice, day: datetime.date, who: Who) -> Mapping[str, Value]:
    opened = datetime.time(dice.between(8, 16), dice.below(60), tzinfo=datetime.UTC)
    return {
        "courtFile": f"E {dice.between(1, 9_999)}/{day.year}",
        "claim": _money(dice, 150_000),
        "currency": "EUR",
        "status": dice.pick(("open", "open", "stayed")),
        "openedAt": datetime.datetime.combine(day, opened),
    }


def _insolvency(dice: Dice, day: datetime.date, who: Who) -> Mapping[str, Value]:
    return {
        "fileNumber": f"N {dice.between(1, 999)}/{day.year}",
        "stage": dice.pick(("opened", "administration", "plan confirmed")),
        "openedOn": day,
    }


def _permit(dice: Dice, day: datetime.date, who: Who) -> Mapping[str, Value]:
    return {
        "number": f"AIR-{dice.between(1_000, 9_999)}",
        "pollutant": dice.pick(("nitrogen oxides", "sulphur dioxide", "particulates", "volatile organic compounds")),
        "annualLimitTonnes": Decimal(dice.between(5, 4_000)).scaleb(-1),
        "validUntil": _later(dice, day),
    }


def _person(dice: Dice, day: datetime.date, who: Who) -> Mapping[str, Value]:
    return {"name": who.name, "registeredOn": who.registered_on}


def _wages(dice: Dice, day: datetime.date, who: Who) -> Mapping[str, Value]:
    month = day - datetime.timedelta(days=45)
    return {
        "period": f"{month:%Y-%m}",
        "workersAffected": dice.between(1, 40),
        "amount": _money(dice, 60_000),
        "currency": "EUR",
    }


def _volunteering(dice: Dice, day: datetime.date, who: Who) -> Mapping[str, Value]:
    return {"year": day.year, "hours": dice.between(10, 300)}


def _contract(dice: Dice, day: datetime.date, who: Who) -> Mapping[str, Value]:
    return {
        "employerName": f"{dice.pick(('Calder Mills', 'Stonebridge Freight', 'Upwell Dairy', 'Yarrow Tooling'))} Ltd",
        "startedOn": day,
        "monthlyWage": _money(dice, 6_000),
        "currency": "EUR",
    }


MAKERS: Mapping[str, Maker] = {
    "organisation-register": _register,
    "business-licences": _licence,
    "market-penalties": _penalty(("misleading price marking", "unlicensed sale", "late annual report"), "MRA"),
    "tax-arrears": _arrears,
    "tax-registrations": _tax_registration,
    "tax-awards": _award,
    "income-statements": _income,
    "enforcement-cases": _enforcement,
    "insolvency-proceedings": _insolvency,
    "emission-permits": _permit,
    "environmental-penalties": _penalty(("discharge above the permit", "waste stored without cover"), "ENV"),
    "person-register": _person,
    "wage-arrears": _wages,
    "volunteering": _volunteering,
    "employment-contracts": _contract,
}
