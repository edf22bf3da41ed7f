"""Inquiries as the ledger sees them: entries as long as a real one's, made by the journey's own step 9.

One inquiry is about one organisation: five datasets, five record versions of eight fields each, 200 leaf values in the
answer. What the requester is told is about 2,300 bytes. Four in five are about an organisation that the store knows
already, one in five about one that it does not (`NEW`), in an order that is the same in every run. The requesters ask
in turn.
"""

from __future__ import annotations

import datetime
import random
from typing import Any

import msgspec

from connectors.base import Record, Subject
from gateway.inquiry import disclose
from gateway.inquiry.types import Decision, Declaration, Obligation, Outcome, Released, Requester, SubjectDecision
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.proof.tlog_proof import Receipt
from gateway.rules.model import Cell, Grant
from tests.bench import data

NEW = 0.2
"""The share of inquiries about a subject that the store does not know."""

REQUESTERS = 50
"""Each has some hundred entries in the smallest ledger: so a page of the index by requester, as in the largest."""

ISSUER = "https://login.bench.example"
SCHEME = "LEI"
IDENTIFIER, DIGITS = "9845BE", 14

_TODAY = datetime.date(2026, 1, 1)
_GROUP = data.GROUPS["200"]
_DATASETS = tuple(data.dataset(department) for department in data.DEPARTMENTS)
_ANSWER = msgspec.json.encode(data.expected(_GROUP, data.subjects(_GROUP)[0], _TODAY))
_DECIDED = SubjectDecision(
    cells={(dataset, field): Cell(True, rules=("bench",)) for dataset in _DATASETS for field in data.FIELDS},
    permitted={dataset: frozenset(data.FIELDS) for dataset in _DATASETS},
    fetch=tuple((dataset, tuple(sorted(data.FIELDS))) for dataset in _DATASETS),
)
_GRANT = Grant("market-regulator/LICENCE", "LICENCE", frozenset(), datetime.date.min, datetime.date.max, "")
_DUTIES = (
    Obligation("LICENCE/purpose-only", "purpose-only", {"purpose": "LICENCE"}),
    Obligation("LICENCE/no-onward-disclosure", "no-onward-disclosure", {}),
    Obligation("LICENCE/delete-by", "delete-by", {"date": "2027-01-01"}),
)


def client(number: int) -> str:
    """A requester's client id."""
    return f"client-{number}"


def identifier(number: int) -> str:
    """The LEI of a subject by its number; 20 characters, as every LEI, and no more than that."""
    return f"{IDENTIFIER}{number:0{DIGITS}d}"


def _released(dataset: str) -> Released:
    found = [
        Record(m_id=f"{dataset.partition('-')[0]}-004711-{index}", m_version="1") for index in range(_GROUP.records)
    ]
    return Released(found, [None] * len(found), [False] * len(found))


_RELEASED = {dataset: _released(dataset) for dataset in _DATASETS}


class Inquiries:
    """A stream of inquiries on a store that knows the first `known` subjects."""

    def __init__(self, known: int = 0, seed: int = 1) -> None:
        self.known = known
        self._random, self._asked = random.Random(seed), 0

    async def ask(self, ledger: disclose.LedgerPort) -> Receipt:
        """One inquiry's step 9: its entry's parts made and appended; durable, with its receipt, when it returns."""
        if self.known == 0 or self._random.random() < NEW:
            number, self.known = self.known, self.known + 1
        else:
            number = self._random.randrange(self.known)
        subject = Subject("organisation", SCHEME, identifier(number))
        whose, self._asked = client(self._asked % REQUESTERS), self._asked + 1
        entry = disclose.Entry(
            id=f"{self._random.getrandbits(128):032x}",
            requester=Requester(ISSUER, whose, "p.sorel", frozenset(["inquire"]), 0.0, "market"),
            rule_set="sha256:" + "5e" * 32,
            declaration=Declaration("LICENCE", case=f"C-{number}"),
            subjects=(subject,),
            facts=number,
            decision=Decision(_GRANT, {subject: _DECIDED}, ()),
            obligations=_DUTIES,
        )
        got: dict[tuple[Subject, str], Outcome] = {(subject, dataset): _RELEASED[dataset] for dataset in _DATASETS}
        return await disclose.disclose(ledger, entry, got, _ANSWER, (), datetime.datetime.now(datetime.UTC))


class _Kept:
    """Takes the place of a ledger to keep what an inquiry would append."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    async def append(self, *arguments: Any) -> Receipt:
        self.calls.append(arguments)
        return Receipt("", 0, b"")


class Made:
    """Inquiries made ahead, so that appending them is all that is measured."""

    def __init__(self, calls: list[tuple[Any, ...]]) -> None:
        self._calls = calls

    @classmethod
    async def ahead(cls, inquiries: Inquiries, count: int) -> Made:
        kept = _Kept()
        for _ in range(count):
            await inquiries.ask(kept)
        kept.calls.reverse()
        return cls(kept.calls)

    async def ask(self, ledger: Ledger) -> Receipt:
        """Append the next one."""
        return await ledger.append(*self._calls.pop())
