"""Checks of what comes: whose records, all of them, of the right types, the same at every time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from connectors.base import Failure, Outcome, Subject
from connectors.contract.model import (
    NotTried,
    System,
    ask,
    connected,
    content,
    each,
    of_records,
    records,
    request,
    said,
)
from connectors.fitting import FITS

AT_ONCE = 16
"""Inquiries at the same time."""


async def whole(system: System) -> list[str]:
    """Each subject has as many records of each dataset as the file of subjects states, none of them faulty"""
    found: list[str] = []
    async with connected(system) as connector:
        for dataset, subject, count in each(system):
            outcome = (await ask(system, connector, request(system, dataset, subject)))[subject, dataset]
            if why := said(outcome):
                found.append(f"{dataset}: {why}")
            elif len(records(outcome)) != count:
                found.append(f"{dataset}: {len(records(outcome))} records; the file of subjects has {count}")
    return found


async def nothing(system: System) -> list[str]:
    """A subject of which the system has nothing has an empty list and no fault, whoever was asked about before"""
    if not system.unknown:
        raise NotTried("the file of subjects names none under `unknown`")
    found: list[str] = []
    async with connected(system) as connector:
        for dataset in system.datasets:
            there = [held.subject for held in system.holding if held.records.get(dataset)]
            for subject in _of(system, dataset, system.unknown):
                for before in (None, *there[:1]):
                    if before is not None:
                        await ask(system, connector, request(system, dataset, before))
                    outcome = (await ask(system, connector, request(system, dataset, subject)))[subject, dataset]
                    if outcome or isinstance(outcome, Failure):
                        after = "" if before is None else ", after somebody of whom there are some"
                        found.append(f"{dataset}: {said(outcome) or 'there are records' + after}")
                        break
    return found


@of_records
async def whose(system: System) -> list[str]:
    """Nobody has records of somebody who was asked about at the same time, and all have what they have alone"""
    found: list[str] = []
    async with connected(system) as connector:
        for dataset in system.datasets:
            subjects = [subject for name, subject, _ in each(system) if name == dataset]
            subjects += _of(system, dataset, system.unknown)
            if len(subjects) < 2:
                continue
            together = await ask(system, connector, request(system, dataset, *subjects))
            back = await ask(system, connector, request(system, dataset, *reversed(subjects)))
            for subject in subjects:
                alone = (await ask(system, connector, request(system, dataset, subject)))[subject, dataset]
                outcomes = (alone, together[subject, dataset], back[subject, dataset])
                if all(content(one) == content(alone) for one in outcomes):
                    continue
                failed = next((said(one) for one in outcomes if isinstance(one, Failure)), "")
                found.append(f"{dataset}: {failed or 'a subject has other records alone than with others'}")
    if len(system.holding) + len(system.unknown) < 2:
        raise NotTried("the file of subjects names only one")
    return list(dict.fromkeys(found))


@of_records
async def alike(system: System) -> list[str]:
    """An identifier that only looks like a subject's has none of its records"""
    known = {held.subject for held in system.holding}
    found: list[str] = []
    async with connected(system) as connector:
        for dataset, subject, _ in each(system):
            for value in _looks_like(subject.value):
                other = subject._replace(value=value)
                if other in known:
                    continue
                outcome = (await ask(system, connector, request(system, dataset, other)))[other, dataset]
                if records(outcome):
                    found.append(
                        f"{dataset}: one that differs in letters' case, length, blanks or by a wildcard has records"
                    )
                    break
    return found


def _looks_like(value: str) -> list[str]:
    ways = [value.lower(), value.upper(), value.swapcase(), f"{value} ", f" {value}", value[:-1], f"{value}%", "%", "*"]
    return list(dict.fromkeys(way for way in ways if way not in ("", value)))


@of_records
async def types(system: System) -> list[str]:
    """Each field is of the catalogue's type, or null"""
    found: list[str] = []
    async with connected(system) as connector:
        for dataset, subject, _ in each(system):
            outcome = (await ask(system, connector, request(system, dataset, subject)))[subject, dataset]
            for name, type_ in system.datasets[dataset].fields.items():
                values = [getattr(record, f"f_{name}", None) for record in records(outcome)]
                if not all(value is None or FITS[type_](value) for value in values):
                    found.append(f"{dataset}: `{name}` is not always a {type_.value}")
    return list(dict.fromkeys(found))


@of_records
async def fields(system: System) -> list[str]:
    """A record has the fields that were asked for, and no other"""
    found: list[str] = []
    async with connected(system) as connector:
        for dataset, subject, _ in each(system):
            for name in system.datasets[dataset].fields:
                asked = request(system, dataset, subject, fields=[name])
                outcome = (await ask(system, connector, asked))[subject, dataset]
                for record in records(outcome):
                    has = {each for each in msgspec.structs.asdict(record) if each.startswith("f_")}
                    if has != {f"f_{name}"}:
                        found.append(f"{dataset}: asked for `{name}` alone, it has {len(has)} fields")
                        break
    return list(dict.fromkeys(found))


@of_records
async def named(system: System) -> list[str]:
    """No two records of an answer have one id and version"""
    found: list[str] = []
    async with connected(system) as connector:
        for dataset, subject, _ in each(system):
            outcome = (await ask(system, connector, request(system, dataset, subject)))[subject, dataset]
            names = [(record.m_id, record.m_version) for record in records(outcome)]
            if len(names) != len(set(names)):
                found.append(f"{dataset}: a record comes twice")
            if any(type(part) is not str or not part for name in names for part in name):
                found.append(f"{dataset}: an id or a version is no text")
    return found


@of_records
async def stable(system: System) -> list[str]:
    """Asked again, by another connector too, an id and version has the same content, in the same order"""
    found: list[str] = []
    first: dict[tuple[str, Subject], Outcome] = {}
    for _ in range(2):
        async with connected(system) as connector:
            for _ in range(2):
                for dataset, subject, _count in each(system):
                    outcome = (await ask(system, connector, request(system, dataset, subject)))[subject, dataset]
                    before = first.setdefault((dataset, subject), outcome)
                    if content(before) != content(outcome):
                        found.append(f"{dataset}: {_changed(before, outcome)}")
    return list(dict.fromkeys(found))


def _changed(before: Outcome, after: Outcome) -> str:
    if isinstance(before, Failure) or isinstance(after, Failure):
        return said(after) or said(before)
    old, new = ({(r.m_id, r.m_version): msgspec.structs.asdict(r) for r in one} for one in (before, after))
    if any(new[name] != was for name, was in old.items() if name in new):
        return "one id and version has two contents"
    return "other records" if old.keys() != new.keys() else "the records are in another order"


@of_records
async def at_once(system: System) -> list[str]:
    """Inquiries at the same time get what each gets alone"""
    pairs = [(dataset, subject) for dataset, subject, _ in each(system)]
    pairs += [(dataset, subject) for dataset in system.datasets for subject in _of(system, dataset, system.unknown)]
    found: list[str] = []
    async with connected(system) as connector:
        alone = {
            pair: (await ask(system, connector, request(system, *pair)))[pair[1], pair[0]]
            for pair in dict.fromkeys(pairs)
        }
        many = [pairs[number % len(pairs)] for number in range(AT_ONCE)]
        told = await asyncio.gather(*(ask(system, connector, request(system, *pair)) for pair in many))
    for (dataset, subject), outcomes in zip(many, told, strict=True):
        if content(outcomes[subject, dataset]) != content(alone[dataset, subject]):
            found.append(f"{dataset}: {said(outcomes[subject, dataset]) or 'other records than alone'}")
    return list(dict.fromkeys(found))


def _of(system: System, dataset: str, subjects: Sequence[Subject]) -> list[Subject]:
    """Those of the subjects that a dataset can be about."""
    schemes = system.datasets[dataset].schemes
    return [subject for subject in subjects if not schemes or subject.scheme in schemes.get(subject.kind, ())]
