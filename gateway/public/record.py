"""The open record of one organisation (Art. 26): an inquiry of everybody's, with the steps of every other.

It is for the purpose `OPEN_RECORD`, decided by its rules, fetched, restrained, and entered before a byte leaves
(`gateway.inquiry.answer`). Invariants: only datasets whose disclosure is `open` are ever asked for, whatever the rules
permit; the entry commits to the bytes of the document that every form is made from; an organisation that nobody knows
and one of which nothing is shown give the same document.
"""

from __future__ import annotations

import asyncio
import math
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from connectors.base import Failure, Subject
from gateway.acts.subject.held import as_text
from gateway.catalogue.model import Catalogue, Dataset
from gateway.errors import Code, Refusal
from gateway.inquiry.answer import disclosed
from gateway.inquiry.authenticate import registered_as
from gateway.inquiry.beside.refusing import answer_refusal
from gateway.inquiry.beside.unsent import Unsent
from gateway.inquiry.disclose import Entry, LedgerPort
from gateway.inquiry.http.request import Media
from gateway.inquiry.journey import Got, Journey, Outdated, Serving, Telling
from gateway.inquiry.render import Rendered
from gateway.inquiry.types import Decision, Declaration, Released, Requester, Selected, Wanted
from gateway.rules.files.requesters import PUBLIC

OPEN_RECORD = "OPEN_RECORD"
"""The purpose of what everybody may ask."""
_KIND = "organisation"
_TRIES = 3
_encode = msgspec.json.encode


class Shown(NamedTuple):
    """An answer: its `document` and that as JSON, or the HTTP status of a refusal, where there is none.

    `unsent` is told where it does not leave after all.
    """

    document: Mapping[str, Any]
    content: bytes
    status: int = 200
    unsent: Callable[[], Awaitable[None]] | None = None


def subject_of(catalogue: Catalogue, scheme: str, value: str) -> Subject | None:
    """The organisation that an address names; None, whatever is wrong with it.

    A person's identifier, a sole trader's too, is one that names no organisation: nothing is looked at of it.
    """
    known = catalogue.schemes.get(scheme)
    if known is None or _KIND not in known.subjects:
        return None
    try:
        return Subject("organisation", scheme, known.canonical(value))
    except ValueError:
        return None


def opened(serving: Serving) -> bool:
    """Whether the rules that serve have an open record: everybody was granted its purpose."""
    everybody = serving.registered(*PUBLIC)
    return everybody is not None and any(each.purpose == OPEN_RECORD for each in everybody.grants)


class OpenRecords:
    """Serves them. `ledger` is where they are entered."""

    def __init__(self, ledger: LedgerPort) -> None:
        self._ledger = ledger
        self._unsent = Unsent(ledger)
        self._selected: tuple[str, Selected] | None = None

    async def look(self, journey: Journey, subject: Subject) -> Shown:
        """What everybody is shown of an organisation, by what is served now."""
        began = asyncio.get_running_loop().time()
        for _ in range(_TRIES):
            journey = msgspec.structs.replace(journey, ledger=self._ledger, unsent=self._unsent, seen=None)
            try:
                return await self._shown(journey, subject, began)
            except Outdated as outdated:
                journey = outdated.journey
        return _refused(503)

    async def close(self) -> None:
        """Enter what is left to enter."""
        await self._unsent.close()

    async def _shown(self, journey: Journey, subject: Subject, began: float) -> Shown:
        serving, steps = journey.serving(), journey.metrics.begin()
        policies, rules = serving.rules.policies, serving.rules
        everybody = Requester(*PUBLIC, None, frozenset({"inquire"}), math.inf)
        requester = registered_as(everybody, serving.registered(*PUBLIC))
        entry = Entry(secrets.token_hex(16), requester, rules.digest, Declaration(OPEN_RECORD), (subject,))
        made: dict[str, Any] = {}

        def told(decision: Decision, got: Got, _others: Mapping[str, Any] | None) -> Rendered:
            if not decision.permits:
                raise Refusal(Code.FORBIDDEN, "no rule opens anything to everybody now")
            made.update(document(policies.catalogue, subject, decision, got))
            failed = (each for each in got.values() if isinstance(each, Failure))
            return Rendered(_encode(made), [], tuple(dict.fromkeys(str(each.fault) for each in failed)))

        telling = Telling(self._everything(policies.catalogue), Media.JSON, told)
        try:
            purpose = serving.purpose(OPEN_RECORD)
            answer = await disclosed(journey, serving, telling, purpose, entry, steps, began)
        except Outdated:
            raise
        except Exception as problem:
            await answer_refusal(journey, entry, problem, Media.JSON, steps)
            return _refused(429 if isinstance(problem, Refusal) and problem.code is Code.QUOTA_EXCEEDED else 503)
        return Shown(made, _encode(made), unsent=answer.unsent)

    def _everything(self, catalogue: Catalogue) -> Selected:
        """The same object for the same catalogue: decisions are remembered by it."""
        if self._selected is None or self._selected[0] != catalogue.digest:
            self._selected = (catalogue.digest, selected(catalogue))
        return self._selected[1]


def selected(catalogue: Catalogue) -> Selected:
    """What is asked for: every field of every published dataset about organisations that the law opens."""
    datasets = [each for each in catalogue.published.values() if each.disclosure == "open" and _KIND in each.subjects]
    return Selected({"organisation": {each.id: Wanted(frozenset(each.fields), bare=True) for each in datasets}})


def document(catalogue: Catalogue, subject: Subject, decision: Decision, got: Got) -> dict[str, Any]:
    """The open record as plain JSON values, first who it is; what is not permitted is not in it."""
    permitted = decision.subjects[subject].permitted
    datasets = [each for each in catalogue.published.values() if permitted.get(each.id)]
    datasets.sort(key=lambda each: each.shape != "subject")
    return {
        "scheme": subject.scheme,
        "value": subject.value,
        "datasets": [
            _dataset(each, catalogue, permitted[each.id], got.get((subject, each.id)))
            for each in datasets
            if each.disclosure == "open"
        ],
    }


def _dataset(dataset: Dataset, catalogue: Catalogue, fields: frozenset[str], outcome: Any) -> dict[str, Any]:
    shown = [name for name in dataset.fields if name in fields]
    there = isinstance(outcome, Released)
    return {
        "id": dataset.id,
        "title": dataset.title,
        "department": catalogue.departments[dataset.department],
        "basis": [{"law": each.law, "article": each.article} for each in dataset.basis],
        "fields": [_field(dataset, name) for name in shown],
        "one": dataset.shape == "subject",
        "available": there,
        "records": _records(dataset, shown, outcome) if there else None,
    }


def _field(dataset: Dataset, name: str) -> dict[str, str]:
    field = dataset.fields[name]
    return {"name": name, "title": field.title, "type": field.type}


def _records(dataset: Dataset, fields: list[str], released: Released) -> list[dict[str, Any]]:
    every = zip(released.records, released.display_until, released.disputed, strict=True)
    return [
        {
            "id": record.m_id,
            "version": record.m_version,
            "document": record.m_document,
            "effective": record.m_effective,
            "displayUntil": until,
            "disputed": disputed,
            "mitigation": record.m_mitigation,
            "values": {name: as_text(getattr(record, f"f_{name}")) for name in fields},
        }
        for record, until, disputed in every
    ]


def _refused(status: int) -> Shown:
    return Shown({}, b"", status)
