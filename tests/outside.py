"""What lies outside the gateway, simulated for `tests.world`: departments, case registries, and an issuer's tokens.

Each implements the port that the gateway has for it, answers from memory, and fails in the ways that its kind can.
"""

from __future__ import annotations

import asyncio
import datetime
import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from connectors.base import Failure, Fault, Faulty, FieldType, Outcome, Record, RecordRequest, Subject
from gateway.catalogue.model import Catalogue, Dataset
from gateway.errors import Code, Refusal
from gateway.inquiry.authenticate import Authenticator
from gateway.inquiry.case.registries import CaseRegistries
from gateway.inquiry.types import Requester

NOON = datetime.datetime(2026, 11, 24, 12, 0, tzinfo=datetime.UTC)
_numbers = itertools.count(1)


class Held(NamedTuple):
    """A record as its department holds it; `fields` by catalogue name. `faulty`: one of its values is of no use."""

    id: str
    fields: Mapping[str, Any]
    version: str = "1"
    document: str | None = "D-1"
    effective: datetime.date | None = NOON.date()
    mitigation: str | None = None
    faulty: bool = False


def values(dataset: Dataset, number: int = 0) -> dict[str, Any]:
    """A value for each field. What is not true or false stands nowhere else among datasets and numbers up to 1,000."""
    made: dict[str, Any] = {}
    for place, field in enumerate(dataset.fields.values()):
        unique = (sum(dataset.id.encode()) * 1000 + number) * 10 + place
        made[field.name] = {
            FieldType.STRING: f"held-{dataset.id}-{number}-{place}",
            FieldType.INT: 100_000_000 + unique,
            FieldType.BOOLEAN: bool(unique % 2),
            FieldType.DECIMAL: str(900_000_000 + unique),
            FieldType.DATE: datetime.date(1600, 1, 1) + datetime.timedelta(days=unique % 100_000),
            FieldType.DATETIME: datetime.datetime(1600, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(minutes=unique),
        }[field.type]
    return made


@functools.lru_cache(4096)
def _struct(fields: tuple[str, ...]) -> Any:
    return msgspec.defstruct("Made", [(f"f_{name}", Any) for name in fields], bases=(Record,), kw_only=True)


def record(held: Held, fields: tuple[str, ...]) -> Record:
    """The record with just these fields, as a connector decodes it."""
    if held.faulty:
        shown = {"m_document": held.document, "m_effective": held.effective}
        return Faulty(m_id=held.id, m_version=held.version, m_reason="a value is of another type", **shown)
    made: Record = _struct(fields)(
        m_id=held.id,
        m_version=held.version,
        m_document=held.document,
        m_effective=held.effective,
        m_mitigation=held.mitigation,
        **{f"f_{name}": held.fields[name] for name in fields},
    )
    return made


MOODS = ("well", "down", "garbage", "slow", "silent", "raises", "hangs", "generous")
FAILING = ("down", "garbage", "slow", "silent", "raises")
"""Moods in which nothing can be had, and at once."""

_FAILURES = {
    "down": Failure(Fault.UNAVAILABLE, True, "connection refused"),
    "garbage": Failure(Fault.INVALID, False, "not JSON"),
    "slow": Failure(Fault.TIMEOUT, True, "read timeout"),
}


class Department:
    """A department's system: implements `connectors.base.Connector` over records in memory, and notes what it is asked.

    `mood`: `down`, `garbage` and `slow` give a `Failure`; `silent` gives no outcomes; `raises` breaks the protocol;
    `hangs` until `release`; `generous` hands over fields, datasets and subjects that nobody asked for. `meanwhile` is
    called while the department works.
    """

    def __init__(self, catalogue: Catalogue, name: str, held: Mapping[tuple[Subject, str], Sequence[Held]]) -> None:
        self.asked: list[RecordRequest] = []
        self.mood = "well"
        self.meanwhile: Callable[[], object] | None = None
        self.reached, self.released = asyncio.Event(), asyncio.Event()
        self._held = held
        self._catalogue = catalogue
        self._datasets = {d.id: tuple(d.fields) for d in catalogue.datasets.values() if d.department == name}

    async def fetch(self, request: RecordRequest) -> Mapping[tuple[Subject, str], Outcome]:
        self.asked.append(request)
        if self.meanwhile:
            self.meanwhile()
        if self.mood == "raises":
            raise RuntimeError(f"no route for {request.datasets[0].subjects[0].value}")
        if self.mood == "hangs":
            self.reached.set()
            await self.released.wait()
        wanted = {
            (subject, part.dataset): part.fields for part in request.datasets for subject in part.subjects
        }  # fmt: skip
        if self.mood == "silent":
            return {}
        if self.mood in _FAILURES:
            return dict.fromkeys(wanted, _FAILURES[self.mood])
        if self.mood == "generous":
            everyone = {subject for subject, _ in self._held}
            wanted = {key: self._datasets[key[1]] for key in wanted} | {
                (subject, name): fields
                for subject in everyone
                for name, fields in self._datasets.items()
                if subject.kind in self._catalogue.datasets[name].subjects
            }
        return {
            (subject, name): [record(held, fields) for held in self._held.get((subject, name), ())]
            for (subject, name), fields in wanted.items()
        }

    async def close(self) -> None:
        self.asked.clear()


class Case(NamedTuple):
    """A case as its registry knows it."""

    registry: str
    subjects: frozenset[Subject]
    officials: frozenset[str]
    open: bool = True


class Registries(CaseRegistries):
    """Case registries that answer from memory. `reachable` false: none can be asked."""

    def __init__(self) -> None:
        super().__init__({})
        self.known: dict[str, Case] = {}
        self.reachable = True

    async def verify(
        self,
        registry: str,
        case: str,
        official: str | None,
        subjects: Sequence[Subject],
        requester: tuple[str, str] | None = None,
    ) -> None:
        if not self.reachable:
            raise Refusal(Code.CASE_NOT_VERIFIED, "its registry cannot be reached now", retryable=True)
        found = self.known.get(case)
        if found is None or found.registry != registry or not found.open or official not in found.officials:
            raise Refusal(Code.CASE_NOT_VERIFIED, f"case `{case}` does not verify")
        if not found.subjects >= set(subjects):
            raise Refusal(Code.CASE_NOT_VERIFIED, f"case `{case}` does not name every subject")


class Tokens(Authenticator):
    """An issuer's tokens: each stands for the requester that it was issued to."""

    def __init__(self, clock: Callable[[], datetime.datetime]) -> None:
        super().__init__(
            [],
            audience="https://gateway.example",
            metadata_url="https://gateway.example/.well-known/oauth-protected-resource",
            registered=lambda issuer, client: None,
            clock=clock,
        )
        self._issued: dict[bytes, Requester] = {}

    def issue(self, requester: Requester) -> bytes:
        """The value of the `Authorization` header."""
        token = f"Bearer {next(_numbers)}".encode()
        self._issued[token] = requester
        return token

    async def authenticate(self, authorization: bytes | None, *request: object) -> Requester:
        requester = self._issued.get(authorization or b"")
        if requester is None or requester.expires <= self._clock().timestamp():
            raise self._refused("The token is unknown or has expired.")
        return requester
