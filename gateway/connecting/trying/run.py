"""A department's mapping tried against its real system: each dataset asked about test subjects, and what came judged.

First whatever the connector can explain; where that finds nothing, the same questions as an inquiry asks, twice, so
that what the gateway would refuse, and what changes between two answers, is found too. Values never leave this module.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from connectors.base import (
    DatasetRequest,
    Explained,
    Failure,
    Faulty,
    Flaw,
    Mismatch,
    Outcome,
    Record,
    RecordRequest,
    Subject,
)
from connectors.explaining.noted import Noted
from gateway.catalogue.model import Catalogue, Dataset
from gateway.connecting.department import Department
from gateway.connecting.trying import subjects

EXPLAINING = 60.0
"""Seconds for all questions about one dataset."""
_KEEPING = ("wrong", "unbounded", "unstable")
"""What keeps an inquiry from its records: then nothing more is asked."""
_LOOK_UP = (
    "is the identifier in the question, and does the system look at it? Where a record names its subject, map it here"
)
_Alone = dict[Subject, Sequence[Record]]
"""The records of each subject, asked about alone."""
SLOW = 0.5
"""The share of `limits.timeout` from which an answer is slow."""


class Trial(NamedTuple):
    """What came of one dataset: `records` of how many `asked`, the slowest answer in seconds, and what does not fit.

    `declared`: the subjects are the department's test subjects. Nothing was read where there are no records: what is in
    `untried` says so, where that is no mistake.
    """

    dataset: str
    asked: int
    declared: bool
    records: int
    seconds: float
    found: Sequence[Mismatch]
    untried: str = ""


async def tried(
    department: Department, catalogue: Catalogue, only: Sequence[Subject], deadline: float, dataset: Dataset
) -> Trial:
    """Try one dataset; with `only`, about these test subjects. `deadline` is an inquiry's, in seconds."""
    chosen = subjects.declared(only or department.test_subjects, dataset)
    declared = bool(chosen)
    if not chosen and not only:
        chosen = subjects.made_up(catalogue, dataset)
    if not chosen:
        said = "no test subject is of its kind; declare one in `test_subjects`"
        return Trial(dataset.id, 0, False, 0, 0.0, (), said)
    fields = tuple(sorted(dataset.fields))
    request = DatasetRequest(dataset.id, fields, tuple(chosen))
    found: list[Mismatch] = []
    if isinstance(department.connector, Explained):
        explaining = RecordRequest((request,), asyncio.get_running_loop().time() + EXPLAINING)
        found = list(await department.connector.explain(explaining))
    if any(each.kind in _KEEPING or (each.kind == "slow" and not each.status) for each in found):
        return Trial(dataset.id, len(chosen), declared, 0, 0.0, found)
    alone, seconds, more = await _asked(department, request, deadline)
    if declared and not only and not more:
        more = await _of_nobody(department, catalogue, dataset, request, alone, deadline)
    records = sum(map(len, alone.values()))
    return _judged(department, Trial(dataset.id, len(chosen), declared, records, seconds, [*found, *more]))


def _judged(department: Department, trial: Trial) -> Trial:
    key = ("datasets", trial.dataset)
    found = list(trial.found)
    timeout = department.node.at(["limits", "timeout"])
    allowed = timeout.apart().duration(2.0) if timeout.path.endswith("limits.timeout") else 2.0
    if trial.seconds > SLOW * allowed and not any(each.kind == "slow" for each in found):
        took = f"an answer took {trial.seconds:.1f} s, of {allowed:g} s that it may take (`limits.timeout`)"
        found.append(Mismatch(key, took, "slow"))
    untried = ""
    if not trial.records and not found:
        if trial.declared:
            what = (
                "no record came for any test subject. Is the address right? Many systems answer 404 to a wrong one,"
                " too. Is the identifier written as the system has it? It is sent in its scheme's canonical form, which"
                " can lack a prefix, spaces or hyphens. Has the subject records here?"
            )
            found.append(Mismatch(key, what))
        else:
            untried = "nobody has the identifiers that were made up, so no record was read; declare `test_subjects`"
    elif trial.records and not trial.declared:
        untried = "records came for identifiers that were made up; does the system look at the identifier?"
    return trial._replace(found=found, untried=untried)


async def _asked(
    department: Department, request: DatasetRequest, deadline: float
) -> tuple[_Alone, float, list[Mismatch]]:
    """As an inquiry asks: each subject alone, again, and all together; what came, the slowest, and what is wrong."""
    noted = Noted(("datasets", request.dataset))
    slowest = 0.0
    alone: _Alone = {}
    for subject in request.subjects:
        one = request._replace(subjects=(subject,))
        answers: list[Sequence[Record]] = []
        for _ in range(2):
            (outcome,), seconds = await _fetch(department, one, deadline)
            slowest = max(slowest, seconds)
            if isinstance(outcome, Failure):
                what = f"the gateway would report {outcome.fault.value}: {outcome.detail}"
                noted.add((), what, kind="unstable" if answers else "wrong")
                break
            answers.append(outcome)
        if len(answers) < 2:
            continue
        alone[subject] = answers[0]
        for number, record in enumerate(answers[0], 1):
            if isinstance(record, Faulty):
                noted.add((), f"a record cannot be used: {record.m_reason}", row=number)
        _unstable(answers[0], answers[1], noted)
    _same_for_all(alone, noted)
    if len(alone) > 1 and len(alone) == len(request.subjects):
        together, seconds = await _fetch(department, request, deadline)
        slowest = max(slowest, seconds)
        for subject, came in zip(request.subjects, together, strict=True):
            if isinstance(came, Failure):
                noted.add(("batch",), f"asked about several subjects at once, it fails: {came.detail}")
            elif {_name(each) for each in came} != {_name(each) for each in alone[subject]}:
                what = "asked about several subjects at once, it gives other records than asked about one"
                noted.add(("batch",), what, kind="unstable")
    return alone, slowest, noted.all()


def _same_for_all(alone: _Alone, noted: Noted) -> None:
    """Note where several subjects have one and the same list of records, as of a system that looks at no identifier."""
    known: set[frozenset[tuple[str, str]]] = set()
    for came in alone.values():
        names = frozenset(map(_name, came))
        if names and names in known:
            noted.add(("record", "subject"), f"two identifiers have the very same records; {_LOOK_UP}", row=1)
        known.add(names)


async def _of_nobody(
    department: Department,
    catalogue: Catalogue,
    dataset: Dataset,
    request: DatasetRequest,
    alone: _Alone,
    deadline: float,
) -> list[Mismatch]:
    """What is wrong with the answer about somebody of whom the department has nothing, as of most subjects."""
    nobody = [each for each in subjects.made_up(catalogue, dataset) if each not in request.subjects][:1]
    if not nobody:
        return []
    (came,), _ = await _fetch(department, request._replace(subjects=tuple(nobody)), deadline)
    noted = Noted(("datasets", dataset.id))
    if not isinstance(came, Failure):
        others = {_name(record) for records in alone.values() for record in records}
        for number, record in enumerate(came, 1):
            if _name(record) in others:
                what = f"asked about an identifier that nobody has, it answers with a test subject's record; {_LOOK_UP}"
                noted.add(("record", "subject"), what, row=number)
        return noted.all()
    if came.flaw is Flaw.SUBJECT:
        what = f"asked about an identifier that nobody has, it answers with another subject's record; {_LOOK_UP}"
        return [Mismatch(("datasets", dataset.id, "record", "subject"), what)]
    what = (
        f"asked about an identifier that nobody has, it fails: {came.detail}; that has to be an answer without records"
    )
    return [Mismatch(("datasets", dataset.id), what)]


def _name(record: Record) -> tuple[str, str]:
    return record.m_id, record.m_version


def _content(record: Record) -> dict[str, Any]:
    # Two answers with one content may be read to two types.
    return msgspec.structs.asdict(record)


def _unstable(first: Sequence[Record], second: Sequence[Record], noted: Noted) -> None:
    """Note what two answers in a row say otherwise of records whose id and version are the same."""
    again = {_name(each): each for each in second}
    for number, record in enumerate(first, 1):
        other = again.get(_name(record))
        if (
            other is None
            or isinstance(record, Faulty)
            or isinstance(other, Faulty)
            or _content(other) == _content(record)
        ):
            continue
        names = [name[2:] for name in record.__struct_fields__ if name.startswith("f_")]
        differ = [name for name in names if getattr(record, f"f_{name}") != getattr(other, f"f_{name}", None)]
        said = ", ".join(f"`{name}`" for name in differ) or "the record itself"
        what = f"two answers in a row have one id and version with other contents ({said}); map what changes with them"
        noted.add(("record", "version"), what, kind="unstable", row=number)
    if {*map(_name, first)} != {*again}:
        what = "two answers in a row have other records, or other ids or versions of the same; they must stay the same"
        noted.add(("record", "id"), what, kind="unstable")


async def _fetch(department: Department, request: DatasetRequest, deadline: float) -> tuple[list[Outcome], float]:
    loop = asyncio.get_running_loop()
    began = loop.time()
    answer = await department.connector.fetch(RecordRequest((request,), began + deadline))
    seconds = loop.time() - began
    return [answer[subject, request.dataset] for subject in request.subjects], seconds
