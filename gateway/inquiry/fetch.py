"""Step 6: permits -> outcomes, departments in parallel, one deadline.

Only a `Permit` opens a call, and only what a permit names is kept of what comes back. A department that fails, hangs or
errs gives a `Failure` for its own datasets and nothing else (invariant 9). All that follows takes time for each record,
so an inquiry goes on with so many at most: with more, the department that sent the most has none.
"""

from __future__ import annotations

import logging
import operator
from collections.abc import Mapping, Sequence
from functools import partial

from connectors.base import (
    Answers,
    Connector,
    DatasetRequest,
    Failure,
    Fault,
    Faulty,
    FieldType,
    Flaw,
    Forwarded,
    Forwarding,
    Outcome,
    Record,
    RecordRequest,
    Subject,
)
from connectors.fitting import fits, is_failure
from connectors.prompt.fan import LATE, Fan
from gateway.inquiry.types import Declaration, Permit
from gateway.manage.states import Heard
from gateway.rules.model import Purpose
from gateway.telemetry.metrics import UNTIMED, Asked, Steps

log = logging.getLogger("dutybound.fetch")

Got = dict[tuple[Subject, str], Outcome]

_KNOWN = 4096
"""Types that are remembered to have their fields: they are made once per dataset and fields, so there are far fewer."""
_LATE = Failure(Fault.TIMEOUT, True, "the inquiry's deadline")
_DEFECT = Failure(Fault.UNAVAILABLE, False, "the connector failed")
_DIFFER = Failure(Fault.INVALID, False, "two records of one id and version differ", Flaw.RECORD)
_MANY = Failure(Fault.INVALID, False, "more records than an inquiry's `limits.records`", Flaw.SIZE)
_name = operator.attrgetter("m_id", "m_version")
_MISFIT = Failure(Fault.INVALID, False, "a record's value is not of its field's type", Flaw.RECORD)
_MISSING = Failure(Fault.INVALID, False, "the connector gave no outcome")


class Fetcher:
    """`connectors` by department; `departments` names the department of each dataset. At most `records` go on.

    `types` are those of each dataset's fields, for the records of connectors that do not look at them themselves.
    `heard` is told of each department whether it could be had, and why not: the check that failed, nothing of a record.
    """

    def __init__(
        self,
        connectors: Mapping[str, Connector],
        departments: Mapping[str, str],
        records: int = 2000,
        heard: Heard | None = None,
        types: Mapping[str, Mapping[str, FieldType]] | None = None,
    ) -> None:
        self._heard, self._records, self._types = heard, records, types or {}
        self._connectors, self._departments = connectors, departments
        self.forwards = {
            name: frozenset(each.forwards)
            for name, each in connectors.items()
            if isinstance(each, Forwarding) and each.forwards
        }
        """By department what it is sent about an inquiry, where it is sent anything."""
        self._known: set[tuple[type, tuple[str, ...]]] = set()
        self._doubted = set(connectors)
        """Departments that are not known to have answered well the last time."""

    async def fetch(
        self, permits: Sequence[Permit], deadline: float, about: Forwarded | None = None, steps: Steps = UNTIMED
    ) -> Got:
        """An outcome for every permit, never an exception. `deadline` is on the event loop's clock, in seconds.

        `about` is what may be sent about the inquiry; each department is sent of it what its own source names. `steps`
        are the inquiry's: where it is traced, each department that is asked has a span of its own.
        """
        requests = self._requests(permits)
        got: Got = {}
        fan = Fan(deadline, apart=steps is not UNTIMED)  # so that spans end when answers come
        for department, datasets in requests.items():
            asked = steps.asked(department) if steps is not UNTIMED else None
            sent = None if about is None else self._sent(department, about, asked)
            keep = partial(self._keep, department, datasets, got, asked)
            fan.ask(self._connectors[department], RecordRequest(datasets, deadline, sent), keep)
        late = await fan.answered()
        if late:
            log.warning("%d departments did not answer within the inquiry's deadline", late)
        if sum(map(len, got.values())) > self._records:  # as a failure counts here, there may be no more than may go on
            self._bound(requests, got)
        if self._heard is not None:
            well = Failure not in map(type, got.values())
            if not well or not self._doubted.isdisjoint(requests):
                self._report(self._heard, requests, got)
        return got

    def _report(self, heard: Heard, requests: Mapping[str, tuple[DatasetRequest, ...]], got: Got) -> None:
        for department, datasets in requests.items():
            why = _why(datasets, got)
            (self._doubted.discard if why is None else self._doubted.add)(department)
            heard(department, why)

    def _bound(self, requests: Mapping[str, tuple[DatasetRequest, ...]], got: Got) -> None:
        """Leave out departments, the one with most records first, until so few are left as may go on."""
        sent = {
            department: sum(len(got[key]) for key in _keys(datasets) if not isinstance(got[key], Failure))
            for department, datasets in requests.items()
        }
        while sum(sent.values()) > self._records:
            most = max(sent, key=lambda department: sent[department])
            del sent[most]
            got.update((key, _MANY) for key in _keys(requests[most]) if not isinstance(got[key], Failure))

    def _requests(self, permits: Sequence[Permit]) -> dict[str, tuple[DatasetRequest, ...]]:
        departments = self._departments
        requests: dict[str, tuple[DatasetRequest, ...]] = {
            departments[dataset]: (DatasetRequest(dataset, fields, (subject,)),) for subject, dataset, fields in permits
        }
        if len(requests) == len(permits):
            return requests
        grouped: dict[str, dict[tuple[str, tuple[str, ...]], list[Subject]]] = {}
        for subject, dataset, fields in permits:
            # Subjects of whom the same is asked are asked about together.
            grouped.setdefault(departments[dataset], {}).setdefault((dataset, fields), []).append(subject)
        return {
            department: tuple([DatasetRequest(*what, tuple(who)) for what, who in asked.items()])
            for department, asked in grouped.items()
        }

    def _sent(self, department: str, about: Forwarded, asked: Asked | None) -> Forwarded | None:
        """What of it a department is sent, where it is sent anything."""
        names = self.forwards.get(department)
        if names is None:
            return None
        sent = about.only(names)
        return sent._replace(trace=asked.context) if asked is not None and "trace" in names else sent

    def _keep(
        self,
        department: str,
        datasets: tuple[DatasetRequest, ...],
        got: Got,
        asked: Asked | None,
        answers: Answers | Exception,
    ) -> None:
        """Keep what a department answered (`connectors.prompt.fan.Keep`)."""
        try:
            if not isinstance(answers, Exception):
                self._keep_sound(datasets, got, answers)
            elif answers is LATE:
                got.update((key, _LATE) for key in _keys(datasets))
            else:
                raise answers
        except Exception as error:  # a defect of one connector is that department's failure, not the inquiry's
            log.error("the connector of %s failed: %s", department, type(error).__name__)
            got.update((key, _DEFECT) for key in _keys(datasets))
        if asked is not None:
            outcomes = [got[key] for key in _keys(datasets)]
            asked.ended(next((each.fault for each in outcomes if isinstance(each, Failure)), None))

    def _keep_sound(self, datasets: tuple[DatasetRequest, ...], got: Got, answers: Answers) -> None:
        count = 0
        for each in answers.values():
            if not isinstance(each, Failure):
                count += len(each)
        for name, fields, subjects in datasets:
            for subject in subjects:
                key = (subject, name)
                outcome = answers.get(key)
                if isinstance(outcome, Failure):
                    got[key] = outcome if is_failure(outcome) else _DEFECT
                elif outcome is None:
                    got[key] = _MISSING
                else:
                    # Too many are not looked at: that would take the time that is to be saved.
                    got[key] = _MANY if count > self._records else self._sound(outcome, name, fields)

    def _sound(self, outcome: Sequence[Record], dataset: str, fields: tuple[str, ...]) -> Outcome:
        """The records, where they have every field that was asked for, and each name one content."""
        looked_at = True
        for kind in set(map(type, outcome)):
            if (kind, fields) not in self._known:
                if issubclass(kind, Faulty):
                    continue  # it has no field, and is never released
                if not issubclass(kind, Record) or not all(hasattr(kind, f"f_{field}") for field in fields):
                    return _DEFECT
                if not kind.decoded:
                    looked_at = False
                    continue
                if len(self._known) >= _KNOWN:
                    self._known.clear()
                self._known.add((kind, fields))
        if not looked_at and dataset in self._types:
            types = {field: self._types[dataset][field] for field in fields}
            if not all(fits(record, types) for record in outcome):
                return _MISFIT
        return outcome if len({record.m_id for record in outcome}) == len(outcome) or _agree(outcome) else _DIFFER


def may_be_sent(purpose: Purpose, declaration: Declaration, official: str | None, inquiry: str) -> Forwarded:
    """What departments may be sent about an inquiry: its id and purpose, and what the purpose itself lets go."""
    return Forwarded(
        inquiry,
        purpose.name,
        declaration.case if "case" in purpose.forward else None,
        official if "official" in purpose.forward else None,
    )


def _why(datasets: Sequence[DatasetRequest], got: Got) -> str | None:
    """What the first failure of a department's is, where it has one."""
    outcomes = (got[key] for key in _keys(datasets))
    failed = next((each for each in outcomes if type(each) is Failure), None)
    return None if failed is None else f"{failed.fault.value}: {failed.detail}"


def _keys(datasets: Sequence[DatasetRequest]) -> list[tuple[Subject, str]]:
    return [(subject, dataset.dataset) for dataset in datasets for subject in dataset.subjects]


def _agree(records: Sequence[Record]) -> bool:
    """Whether each record, as its id and version name it, has one content; one that shows neither is nobody's copy."""
    if len(set(map(_name, records))) == len(records):
        return True
    first: dict[tuple[str, str], Record] = {}
    return all(
        first.setdefault((record.m_id, record.m_version), record) == record
        for record in records
        if record.m_id and record.m_version
    )
