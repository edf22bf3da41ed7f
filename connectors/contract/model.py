"""The contract that every kind of connector keeps: what it is checked on, and what a check finds.

A check asks a department's system about subjects that are nobody, by a connector of its own, and says in words what
does not hold. No value of a record and no identifier is ever in what it says.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from connectors.base import (
    Connector,
    DatasetRequest,
    DatasetShape,
    Failure,
    Faulty,
    Outcome,
    Record,
    RecordRequest,
    Subject,
)
from connectors.fitting import is_failure
from connectors.prompt.fan import asked

Asked = Mapping[tuple[Subject, str], Outcome]


class Holding(NamedTuple):
    """A subject that is nobody, and how many records the system has of it, by dataset."""

    subject: Subject
    records: Mapping[str, int]


class System(NamedTuple):
    """A department's system as the contract sees it.

    `config` is its part of `sources.yaml`, of which `make` makes a connector; `make` raises `ValueError` where the
    configuration is wrong. `unknown` are subjects of which the system has nothing. An inquiry has so many `seconds`.
    """

    config: Mapping[str, Any]
    make: Callable[[Mapping[str, Any]], Connector]
    datasets: Mapping[str, DatasetShape]
    holding: Sequence[Holding]
    unknown: Sequence[Subject]
    seconds: float = 10.0


class Result(enum.StrEnum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_TRIED = "not tried"


class Found(NamedTuple):
    """One check: its name, what it demands, how it ended, and why, a line each."""

    check: str
    demands: str
    result: Result
    why: tuple[str, ...] = ()


class NotTried(Exception):
    """A check does not apply to this system; the text has the reason."""


class Broken(Exception):
    """The connector did what none may do; the text describes it."""


Check = Callable[[System], Awaitable[Sequence[str]]]
"""What does not hold, a line each; nothing where all does. Raises `NotTried` and `Broken`."""


@contextlib.asynccontextmanager
async def connected(system: System, config: Mapping[str, Any] | None = None) -> AsyncIterator[Connector]:
    """A new connector, as in the file or as `config` does, closed at the end."""
    try:
        connector = system.make(system.config if config is None else config)
    except ValueError as error:
        raise NotTried(f"the configuration is not valid: {error}") from None
    try:
        yield connector
    finally:
        await connector.close()


async def ask(
    system: System, connector: Connector, *requests: DatasetRequest, within: float | None = None
) -> dict[tuple[Subject, str], Outcome]:
    """One inquiry, `within` so many seconds; raises `Broken` where its outcomes are not those that were asked for."""
    seconds = system.seconds if within is None else within
    deadline = asyncio.get_running_loop().time() + seconds
    try:
        async with asyncio.timeout(max(seconds, 0) + LATE):
            outcomes = await asked(connector, RecordRequest(requests, deadline))
    except TimeoutError:
        raise Broken(f"no answer {LATE:.0f} s after the deadline") from None
    except (Exception, asyncio.CancelledError) as error:
        if isinstance(error, asyncio.CancelledError) and _ended():
            raise
        raise Broken(f"it raised `{type(error).__name__}`: a fault is an outcome, not an exception") from None
    wanted = {(subject, request.dataset) for request in requests for subject in request.subjects}
    if not isinstance(outcomes, Mapping) or set(outcomes) != wanted:
        raise Broken("its outcomes are not one for each subject and dataset that was asked for")
    if not all(map(_is_outcome, outcomes.values())):
        raise Broken("an outcome is neither a `Failure` with a `Fault` nor a list of records")
    return dict(outcomes)


def _ended() -> bool:
    """Whether the check itself is to end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _is_outcome(outcome: object) -> bool:
    if isinstance(outcome, Failure):
        return is_failure(outcome)
    return isinstance(outcome, list | tuple) and all(isinstance(each, Record) for each in outcome)


LATE = 5.0
"""Seconds past a deadline after which nothing is waited for any more."""


def request(system: System, dataset: str, *subjects: Subject, fields: Sequence[str] | None = None) -> DatasetRequest:
    """For all fields of a dataset, or for some."""
    shape = system.datasets[dataset]
    return DatasetRequest(dataset, tuple(sorted(shape.fields if fields is None else fields)), subjects)


def each(system: System) -> list[tuple[str, Subject, int]]:
    """Every dataset and subject of which it is known how many records there are; raises `NotTried` where none has."""
    found = [(name, held.subject, count) for held in system.holding for name, count in held.records.items()]
    if not any(count for _, _, count in found):
        raise NotTried("the file of subjects names none that has records")
    return found


async def some_come(system: System) -> None:
    """Raises `NotTried` where a dataset of which there should be records gives none at all."""
    lacking = {name for name, _, count in each(system) if count}
    async with connected(system) as connector:
        for dataset, subject, _ in each(system):
            if dataset in lacking:
                outcome = (await ask(system, connector, request(system, dataset, subject)))[subject, dataset]
                lacking -= {dataset} if records(outcome) else set()
    if lacking:
        raise NotTried(f"no record came of {', '.join(f'`{name}`' for name in sorted(lacking))}; see `whole`")


def of_records(check: Check) -> Check:
    """A check of what records are like: where none come, it is not tried."""

    @functools.wraps(check)
    async def seen(system: System) -> Sequence[str]:
        await some_come(system)
        return await check(system)

    return seen


def records(outcome: Outcome) -> list[Record]:
    """What would be released: none of a failure, and no faulty record."""
    return [] if isinstance(outcome, Failure) else [one for one in outcome if not isinstance(one, Faulty)]


def content(outcome: Outcome) -> Any:
    """What two answers are compared by."""
    return outcome if isinstance(outcome, Failure) else [msgspec.structs.asdict(one) for one in outcome]


def said(outcome: Outcome) -> str:
    """What prevents the use of an outcome's records; nothing where they are all good."""
    if isinstance(outcome, Failure):
        return f"{outcome.fault.value} ({outcome.detail})"
    return next((f"a record is faulty ({one.m_reason})" for one in outcome if isinstance(one, Faulty)), "")
