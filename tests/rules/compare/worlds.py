"""Random rule sets, small enough to look at every cell: two purposes, two requesters, three datasets, rules drawn."""

from __future__ import annotations

import datetime
import functools
import hashlib
from collections.abc import Iterable
from random import Random
from typing import TypeVar

import msgspec
from hypothesis import strategies as st

from connectors.base import FieldType, SubjectKind
from gateway.catalogue.load import digest
from gateway.catalogue.model import Basis, Catalogue, Dataset, Display, Field, IdentifierScheme, Status
from gateway.catalogue.periods import parse
from gateway.errors import Problem
from gateway.rules.decide.base import BASE
from gateway.rules.files import rule
from gateway.rules.files.calendar import Calendar, Terms
from gateway.rules.files.requesters import Requesters
from gateway.rules.files.rule import Rule
from gateway.rules.model import (
    BreakGlassTerms,
    Frequency,
    Grant,
    Purpose,
    PurposeFields,
    Quota,
    Quotas,
    RequesterEntry,
)
from gateway.rules.ruleset import RuleSet
from tests.rules.policies import SHIPPED

_T = TypeVar("_T")

DATASETS = {"alpha": ("one", "two"), "beta": ("three",), "gamma": ("four", "five", "six")}
PURPOSES = ("FIRST", "SECOND")
CLIENTS = ("left", "right")
ROLES = {"department": "Department", "portal": "Portal"}
DEPARTMENTS = {"north": "North Office", "south": "South Office"}
PERIODS = [parse(text) for text in ("P30D", "P1M", "P1Y")]
DAYS = [datetime.date(2026, 1, 1), datetime.date(2026, 7, 1)]
_BOTH: tuple[SubjectKind, ...] = ("organisation", "person")
SUBJECTS: list[tuple[SubjectKind, ...]] = [("organisation",), ("person",), _BOTH, _BOTH, _BOTH]

CONDITIONS = (
    *('principal.roles.contains(Role::"department")', 'principal.department == Department::"north"'),
    *("context.case", "context.consent", "context.official", "context.step_up", "!context.consent"),
    *('resource.information == Information::"public"', 'context.subject == Subject::"person"', "context.break_glass"),
)
RESOURCES = ("resource", 'resource == Field::"alpha.one"', 'resource in Dataset::"gamma"')
ACTIONS = ("action", 'action == Action::"FIRST"')


def _some(chance: Random, of: Iterable[_T]) -> frozenset[_T]:
    return frozenset(each for each in of if chance.random() < 0.75)


def _parsed(text: str) -> Rule:
    problems: list[Problem] = []
    found = rule.parse(text, "drawn.cedar", problems)
    assert found is not None, problems
    return found


@functools.cache
def base() -> list[Rule]:
    """The rules that every rule set has."""
    return [_parsed((SHIPPED / "rules" / f"{name}.cedar").read_text()) for name in BASE]


def rules(chance: Random) -> list[Rule]:
    """The base, and one or two permits more; now and then a forbid."""
    found = list(base())
    for number in range(chance.randint(1, 2)):
        when = chance.sample(CONDITIONS, chance.randint(0, 2))
        action, resource = chance.choice(ACTIONS), chance.choice(RESOURCES)
        head = f'@id("permit-{number}")\n@article("19")\n@basis("Drawn Act")\n@advice("It is open.")\n'
        body = f"when {{ {' && '.join(when)} }}" if when else ""
        found.append(_parsed(f"{head}permit (principal, {action}, {resource}) {body};"))
    if chance.random() < 0.5:
        head = '@id("forbid")\n@article("28(1)")\n@reason("NO_RULE")\n@advice("It is closed.")\n'
        condition = chance.choice(CONDITIONS)
        found.append(_parsed(f"{head}forbid (principal, action, resource) when {{ {condition} }};"))
    return found


def catalogues(chance: Random) -> Catalogue:
    datasets = {}
    for name, fields in DATASETS.items():
        if chance.randint(0, 7) == 0:
            continue
        display = chance.choice([None, Display(None, None), *(Display(None, each) for each in PERIODS)])
        datasets[name] = Dataset(
            id=name,
            department=chance.choice(list(DEPARTMENTS)),
            department_title="An Office",
            title=name.capitalize(),
            status=chance.choice([Status.PUBLISHED, Status.PUBLISHED, Status.PUBLISHED, Status.DRAFT]),
            subjects=chance.choice(SUBJECTS),
            information=chance.choice(["public", "non_public"]),
            disclosure=chance.choice(["open", "shared", "authorised"]),
            nature=chance.choice(["adverse", "favourable", "neutral"]),
            category="ordinary",
            basis=(Basis("Drawn Act"),),
            display=display,
            restorable=chance.random() < 0.5,
            shape="list",
            fields={field: Field(field, FieldType.STRING, field) for field in fields if chance.randint(0, 7)}
            or {fields[0]: Field(fields[0], FieldType.STRING, fields[0])},
        )
    schemes = {"LEI": IdentifierScheme("LEI", "Entity", ("organisation",), str, pattern="[0-9]+")}
    return Catalogue(datasets, schemes, DEPARTMENTS, digest(datasets, schemes, DEPARTMENTS))


def purposes(chance: Random, catalogue: Catalogue) -> dict[str, Purpose]:
    found = {}
    for name in PURPOSES:
        bounds = {}
        for dataset in catalogue.datasets.values():
            if names := _some(chance, dataset.fields):
                bounds[dataset.id] = PurposeFields(names, chance.choice([None, "It is."]))
        quota = Quota(chance.randint(1, 3), 10)
        found[name] = Purpose(
            name=name,
            title=name.capitalize(),
            articles=("19",),
            basis=(Basis("Purpose Act", "7"),),
            dpv="dpv:LegalCompliance",
            subjects=chance.choice(SUBJECTS),
            fields=bounds,
            frequency=Frequency(chance.randint(1, 3), chance.choice(PERIODS)),
            delete_after=chance.choice(PERIODS),
            case_required=chance.random() < 0.5,
            case_registry=chance.choice([None, "north"]),
            official_required=chance.random() < 0.5,
            step_up=chance.choice([None, "high"]),
            scope=chance.choice(["inquire", "inquire", "self"]),
            overdue_objection=chance.choice(["withhold", "flag"]),
            secrecy_max=chance.choice([None, *PERIODS]),
            quotas=chance.choice([None, Quotas(), Quotas(quota)]),
            break_glass=chance.choice([None, None, BreakGlassTerms(2)]),
            forward=chance.choice([frozenset[str](), frozenset({"case"}), frozenset({"case", "official"})]),
            suspension_exempt=chance.choice([None, Basis("Exempting Act")]),
        )
    return found


def requesters(chance: Random, catalogue: Catalogue, registered: dict[str, Purpose]) -> Requesters:
    entries = {}
    for client in CLIENTS:
        grants = []
        for name, purpose in registered.items():
            several = chance.randint(0, 2)
            for number in range(several):
                first = DAYS[number] if several == 2 else chance.choice(DAYS)
                datasets = _some(chance, purpose.fields)
                grants.append(
                    Grant(
                        f"{client}/{name}" + (f"#{number + 1}" if number else ""),
                        name,
                        datasets,
                        first,
                        first + datetime.timedelta(days=chance.choice([60, 90])),
                        chance.choice(["Agreement 1", "Agreement 2"]),
                        chance.random() < 0.5,
                    )
                )
        entries["login", client] = RequesterEntry(
            "login",
            client,
            f"System {client}",
            chance.choice(list(DEPARTMENTS)),
            _some(chance, ROLES),
            tuple(grants),
            chance.choice([None, "south"]),
        )
    proofs = dict.fromkeys(sorted(_some(chance, ["passport", "identity card"])), "[0-9]{4}")
    canonical = msgspec.json.encode([ROLES, DEPARTMENTS, list(entries.values()), proofs], order="sorted")
    return Requesters(entries, ROLES, DEPARTMENTS, hashlib.sha256(canonical).hexdigest(), proofs=proofs)


def calendars(chance: Random) -> Calendar:
    holidays = _some(chance, DAYS)
    return Calendar(chance.choice(["UTC", "Europe/Sofia"]), holidays=holidays, terms=Terms(chance.randint(5, 8)))


def made(chance: Random) -> RuleSet:
    """A rule set of which everything is by chance."""
    catalogue = catalogues(chance)
    registered = purposes(chance, catalogue)
    who = requesters(chance, catalogue, registered)
    return RuleSet(catalogue, registered, who, rules(chance), calendars(chance))


def changed(chance: Random) -> tuple[RuleSet, RuleSet]:
    """Two rule sets that have some parts in common: any, down to all but one."""
    one, other = made(chance), made(chance)
    source = chance.choice([one, other])
    catalogue, registered, who = source.policies.catalogue, source.policies.purposes, source.requesters
    held = chance.choice([one, other]).rules.values()
    return one, RuleSet(catalogue, registered, who, list(held), chance.choice([one, other]).calendar)


SEEDS = st.integers(0, 2**32 - 1)
RULE_SETS = SEEDS.map(lambda seed: made(Random(seed)))
PAIRS = SEEDS.map(lambda seed: changed(Random(seed)))
"""By a seed: what is drawn value by value takes longer to draw than to compare."""
