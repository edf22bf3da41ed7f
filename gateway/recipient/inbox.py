"""What the gateway is asked, in GraphQL: the inbox (`recalls`), past receipts, a correction; and how it is answered."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import msgspec

from gateway.recipient.asking import Asking, Refused, Unreachable
from gateway.recipient.tokens import Tokens

T = TypeVar("T")
PAGE = 100
"""Recalls of a page, and of one acknowledgement: the most that the gateway takes."""

RECALLS = """query Inbox($after: String, $first: Int) { recalls(after: $after, first: $first) { next items {
  id sequence at inquiry scheme value action due state outcome records { dataset record version fields } } } }"""
RECEIPTS = """query Past($after: String, $first: Int) { receipts(after: $after, first: $first) { receipt cursor } }"""
SEVERAL = """mutation Done($ids: [ID!]!, $outcome: AcknowledgementOutcome!) {
  acknowledgeRecalls(ids: $ids, outcome: $outcome) { id } }"""
ONE = """mutation Answer($id: ID!, $outcome: AcknowledgementOutcome!, $reason: String, $passedOnTo: [String!]) {
  acknowledgeRecall(id: $id, outcome: $outcome, reason: $reason, passedOnTo: $passedOnTo) { id } }"""
ATTEST = "mutation Attest($until: Date!) { attestDeletion(until: $until) }"
META = "id version document effective displayUntil disputed"
FIELDS = "query Fields($name: String!) { __type(name: $name) { fields { name } } }"
CORRECTION = """query Correction($id: IdentifierInput!, $recall: ID!) @inquiry(purpose: %s, recall: $recall) {
  %s(id: $id) { %s } }"""


class RecalledRecord(msgspec.Struct, frozen=True):
    """A record that is recalled: its version, and the fields of it that were received."""

    dataset: str
    record: str
    version: str
    fields: tuple[str, ...]


class Recall(msgspec.Struct, frozen=True):
    """A recall as the inbox has it. `sequence` orders those that one recipient gets."""

    id: str
    sequence: int
    at: datetime.datetime
    inquiry: str
    scheme: str
    value: str
    records: tuple[RecalledRecord, ...]
    action: str
    due: datetime.datetime
    state: str = "OPEN"
    outcome: str | None = None


class Past(msgspec.Struct, frozen=True):
    """A past inquiry's receipt, and the cursor that leads past it."""

    receipt: str
    cursor: str


class _Page(msgspec.Struct):
    items: list[Recall]
    next: str | None = None


class Correction(msgspec.Struct, frozen=True):
    """What is right now, by dataset: each record's fields and `record`; and the receipt of this answer.

    A record that is not in it any more is not shown any more.
    """

    records: dict[str, list[dict[str, Any]]]
    receipt: str


class Inbox:
    """The gateway, as a recipient asks it. Each method raises `Unreachable` and `Refused`."""

    def __init__(self, asking: Asking, gateway: str, tokens: Tokens) -> None:
        self._asking, self._url, self._tokens = asking, f"{gateway}/graphql", tokens
        self._fields: dict[str, frozenset[str]] = {}

    def recalls(self) -> Iterator[list[Recall]]:
        """All that is to be answered, page by page, the oldest first."""
        after: str | None = None
        while True:
            data = self._data("recalls", RECALLS, after=after, first=PAGE)
            page = _as(data.get("recalls"), _Page)
            yield page.items
            if page.next is None or page.next == after:
                return
            after = page.next

    def receipts(self, after: str | None) -> Iterator[list[Past]]:
        """Past inquiries since a cursor, page by page, the oldest first."""
        while page := _as(self._data("receipts", RECEIPTS, after=after, first=PAGE).get("receipts"), list[Past]):
            yield page
            after = page[-1].cursor

    def acknowledge(self, ids: Sequence[str], outcome: str) -> None:
        """Answer up to `PAGE` recalls alike."""
        self._data("recalls", SEVERAL, ids=list(ids), outcome=outcome)

    def answer(self, id_: str, outcome: str, reason: str | None = None, passed_on: Sequence[str] = ()) -> None:
        """Answer one recall: with the reason of a refusal, or with those to whom it was passed on."""
        names = list(passed_on) or None
        self._data("recalls", ONE, id=id_, outcome=outcome, reason=reason, passedOnTo=names)

    def attest(self, until: datetime.date) -> None:
        """All that was to be deleted by this day is."""
        self._data("recalls", ATTEST, until=until.isoformat())

    def correction(self, recall: Recall, kind: str, purpose: str) -> Correction:
        """What is right now of the records of an `UPDATE`. It takes neither a case nor counts against a frequency."""
        if not (re.fullmatch(r"[A-Z][A-Z0-9_]*", purpose) and kind in ("organisation", "person")):
            lacking = f"no receipt shows what inquiry {recall.inquiry} was for; note its answer with --received"
            raise Unreachable(f"{lacking}, or do what is asked by hand and give --done")
        there = self._there(kind)
        wanted: dict[str, list[str]] = {}
        for record in recall.records:
            fields = [graphql(name) for name in record.fields]
            wanted[record.dataset] = [name for name in wanted.get(record.dataset, fields) if name in fields]
        selected = [
            f"{graphql(dataset)} {{ {' '.join(fields)} record {{ {META} }} }}"
            if graphql(dataset) in there
            else " ".join(fields)
            for dataset, fields in wanted.items()
        ]
        asked = CORRECTION % (purpose, kind, " ".join(selected))
        subject = {"scheme": recall.scheme, "value": recall.value}
        told = self._told("inquiry", asked, {"id": subject, "recall": recall.id})
        if told.get("errors"):
            raise Unreachable(f"the correction of recall {recall.id} cannot be had now ({_codes(told)})")
        given = told["data"].get(kind)
        receipt = told.get("extensions", {}).get("inquiry", {}).get("receipt", "")
        if not isinstance(given, dict) or not isinstance(receipt, str):
            raise Unreachable(f"the answer to recall {recall.id} is not understood")
        records = {dataset: _given(given, dataset, fields, there) for dataset, fields in wanted.items()}
        return Correction(records, receipt)

    def _there(self, kind: str) -> frozenset[str]:
        """The fields that the schema has of a kind of subject: datasets, and what stands on the subject itself."""
        if kind not in self._fields:
            type_ = self._data("inquiry", FIELDS, name=kind.capitalize()).get("__type") or {}
            self._fields[kind] = frozenset(field["name"] for field in type_.get("fields", ()))
        return self._fields[kind]

    def _data(self, what: str, query: str, **variables: Any) -> dict[str, Any]:
        told = self._told(what, query, variables)
        if told.get("errors"):
            error = told["errors"][0]
            code = str((error.get("extensions") or {}).get("code", "INTERNAL"))
            if code in _PASSING or (error.get("extensions") or {}).get("retryable"):
                raise Unreachable(f"the gateway answers {code}")
            raise Refused(code, str(error.get("message", "")))
        return dict(told["data"])

    def _told(self, what: str, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        """The answer's object, whatever it says; a token that is not taken is renewed once."""
        for again in (True, False):
            headers = {
                "authorization": f"Bearer {self._tokens.get(what)}",
                "accept": "application/graphql-response+json",
            }
            status, told = self._asking.post(self._url, headers, json={"query": query, "variables": variables})
            if status != 401 or not again:
                break
            self._tokens.forget(what)
        if not (isinstance(told.get("data"), dict) or isinstance(told.get("errors"), list)):
            raise Unreachable(f"{self._url} answered {status}, and nothing of GraphQL")
        return told


_PASSING = {"CONFLICT", "INTERNAL", "LEDGER_UNAVAILABLE", "DECISION_UNAVAILABLE", "QUOTA_EXCEEDED"}
"""Codes of what can be asked again."""


def graphql(name: str) -> str:
    """A dataset's or a field's name as GraphQL has it: `tax-arrears` is `taxArrears`."""
    first, *rest = name.split("-")
    return first + "".join(part.capitalize() for part in rest)


def _given(given: dict[str, Any], dataset: str, fields: list[str], there: frozenset[str]) -> list[dict[str, Any]]:
    if graphql(dataset) not in there:
        return [{name: given.get(name) for name in fields}]
    return list(given.get(graphql(dataset)) or ())


def _codes(told: dict[str, Any]) -> str:
    codes = {str((error.get("extensions") or {}).get("code", "INTERNAL")) for error in told["errors"]}
    return ", ".join(sorted(codes))


def _as(value: Any, type_: type[T]) -> T:
    try:
        return msgspec.convert(value, type_)
    except msgspec.ValidationError as error:
        raise Unreachable(f"the gateway's answer is not understood ({error})") from error
