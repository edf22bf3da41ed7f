"""What is shown of facts and matters, by the names of GraphQL."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import RowMapping

from gateway.acts.office import Office
from gateway.storage.acts import Matter
from gateway.storage.tables import moment

LAPSES = datetime.timedelta(days=30)
"""How long a consent request waits."""

_terms: msgspec.json.Decoder[dict[str, list[str] | None]] = msgspec.json.Decoder(dict[str, list[str] | None])

STATES = {
    "open": "OPEN",
    "awaits-confirmation": "AWAITS_CONFIRMATION",
    "decided": "DECIDED",
    "withdrawn": "WITHDRAWN",
    "granted": "GRANTED",
    "declined": "DECLINED",
}
"""`MatterState`, by the word of a row."""


def consent_fields(office: Office, terms: str | None) -> list[dict[str, Any]]:
    """`[ConsentFields!]!`, from a row's JSON; of a consent to all of a dataset, what it has."""
    datasets = office.rules.policies.catalogue.datasets
    found = []
    for dataset, names in _terms.decode(terms or "{}").items():
        known = datasets.get(dataset)
        found.append(
            {"dataset": dataset, "fields": names if names is not None else list(known.fields if known else ())}
        )
    return found


def consent(office: Office, row: Mapping[str, Any] | RowMapping) -> dict[str, Any]:
    """`Consent`, from the columns of a `fact` row."""
    return {
        "id": row["id"],
        "requester": office.named(row["issuer"], row["client"]),
        "title": title(office, row["purpose"]),
        "purpose": row["purpose"],
        "fields": consent_fields(office, row["fields"]),
        "until": datetime.date.fromisoformat(row["until"]),
        "given": moment(row["at"]),
        "revoked": None if row["ended_at"] is None else moment(row["ended_at"]),
    }


def title(office: Office, purpose: str | None) -> str:
    """A purpose's title; of one that is gone, its name."""
    known = office.rules.policies.purposes.get(purpose or "")
    return known.title if known is not None else purpose or ""


def lapsed(row: Matter, now: datetime.datetime) -> bool:
    """Whether a consent request waited too long."""
    return row.state == "open" and moment(row.filed) + LAPSES <= now


def consent_request(office: Office, row: Matter, words: str, now: datetime.datetime) -> dict[str, Any]:
    """`ConsentRequest`; one that lapsed is declined."""
    return {
        "id": row.id,
        "requester": office.named(row.issuer, row.client),
        "title": title(office, row.purpose),
        "purpose": row.purpose,
        "fields": consent_fields(office, row.fields),
        "until": datetime.date.fromisoformat(row.until or ""),
        "words": words,
        "state": "DECLINED" if lapsed(row, now) else STATES[row.state],
    }
