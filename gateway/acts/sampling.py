"""What a department's own system has of one subject, shown to its steward by an entry (invariant 17).

    POST /records/sample    {"dataset", "scheme", "value", "reason"}: its records, mapped as `sources.yaml` says

Only a steward of the department that keeps the dataset is shown anything, and only of a published one. That somebody
looked is entered before the department is asked, and stands in the subject's history. What is shown is what the mapping
gives, with nothing withheld: it is the department's own data, on its way nowhere else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from starlette.routing import Route

from connectors.base import (
    Connector,
    DatasetRequest,
    Failure,
    Faulty,
    Forwarded,
    Forwarding,
    Record,
    RecordRequest,
    Subject,
)
from gateway.acts import inputs
from gateway.acts.called import Acted
from gateway.acts.matters.deciding import steward
from gateway.acts.office import Office
from gateway.acts.plain import Asked, Plain
from gateway.catalogue.model import Dataset
from gateway.errors import Code
from gateway.ledger.entry import entries

log = logging.getLogger("dutybound.sampling")

SAMPLE = "sample"
"""What such a view is written as."""
TOGETHER = 4
"""Samples at a time, of all stewards."""
MOST = 100
"""Records that are shown of one sample."""
_TOLD = {"m_id": "id", "m_version": "version", "m_document": "document", "m_effective": "effective",
         "m_mitigation": "mitigation"}  # fmt: skip


class Sampled(msgspec.Struct, forbid_unknown_fields=True):
    """Which subject, of which dataset, and why."""

    dataset: str
    scheme: str
    value: str
    reason: str


def routes(
    plain: Plain, office: Office, connectors: Callable[[], Mapping[str, Connector]], deadline: float
) -> list[Route]:
    """The route. `connectors` gives those of now, by department; `deadline` of a department is in seconds."""
    samples = Samples(office, connectors, deadline)
    return [plain.route("POST", "/records/sample", samples.show)]


class _Entered(msgspec.Struct):
    id: str


class Samples:
    """Shows them."""

    def __init__(self, office: Office, connectors: Callable[[], Mapping[str, Connector]], deadline: float) -> None:
        self._office, self._connectors, self._deadline = office, connectors, deadline
        self._asking = asyncio.Semaphore(TOGETHER)

    async def show(self, asked: Asked) -> Acted:
        """The records of one subject."""
        office, requester = self._office, asked.requester
        actor = steward(office, requester)
        given = asked.of(Sampled)
        reason = inputs.text(given.reason, "reason")
        catalogue = office.rules.policies.catalogue
        subject = inputs.identifier(catalogue, {"scheme": given.scheme, "value": given.value})
        dataset = catalogue.published.get(given.dataset)
        if dataset is None or dataset.department != actor.department or subject.kind not in dataset.subjects:
            raise inputs.no_dataset("dataset")
        looked = entries.Looked(subject.scheme, subject.value)
        act = await office.viewed(requester, SAMPLE, reason, looked, (dataset.id,))
        fields = tuple(sorted(dataset.fields))
        async with self._asking:
            outcome = await self._fetched(dataset, subject, fields, msgspec.json.decode(act, type=_Entered).id)
        if isinstance(outcome, Code):
            return Acted({"records": None, "count": 0, "failure": outcome.value}, act)
        shown = [_shown(record, fields) for record in outcome[:MOST]]
        return Acted({"records": shown, "count": len(outcome), "failure": None}, act)

    async def _fetched(
        self, dataset: Dataset, subject: Subject, fields: tuple[str, ...], view: str
    ) -> Sequence[Record] | Code:
        """The subject's records, or the code of what keeps them away. `view` is the id of the entry that names them."""
        connector = self._connectors().get(dataset.department)
        end = asyncio.get_running_loop().time() + self._deadline
        # Its own log has the entry's id then, as that of an inquiry. A look has no purpose.
        sent = Forwarded(view).only(connector.forwards) if isinstance(connector, Forwarding) else None
        request = RecordRequest((DatasetRequest(dataset.id, fields, (subject,)),), end, sent)
        try:
            async with asyncio.timeout_at(end):
                outcome = (await connector.fetch(request)).get((subject, dataset.id)) if connector else None
        except TimeoutError:
            return Code.SOURCE_TIMEOUT
        except Exception as error:  # a defect of one connector is that department's failure
            log.error("the connector of %s failed: %s", dataset.department, type(error).__name__)
            return Code.SOURCE_UNAVAILABLE
        if isinstance(outcome, Failure):
            return Code(outcome.fault.value)
        return Code.SOURCE_UNAVAILABLE if outcome is None else outcome


def _shown(record: Record, fields: tuple[str, ...]) -> dict[str, Any]:
    """A record as its mapping gives it; of one that is faulty, what it shows of itself and which check failed."""
    told = {name: value for at, name in _TOLD.items() if (value := getattr(record, at)) not in (None, "")}
    if isinstance(record, Faulty):
        return {**told, "faulty": record.m_reason}
    return {**told, "fields": {name: getattr(record, f"f_{name}") for name in fields}}
