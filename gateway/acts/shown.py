"""What is shown of facts and matters, by the names of GraphQL."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import RowMapping

from gateway.acts.office import Office
from gateway.acts.subject import history
from gateway.acts.subject.words import acts_at
from gateway.ledger.entry import entries
from gateway.storage.subjects.acts import Matter
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


def word(state: str) -> str:
    """The word of a row for a `MatterState`."""
    return next(each for each, name in STATES.items() if name == state)


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


def changes(office: Office, found: Sequence[Matter]) -> list[dict[str, Any]]:
    """`[Change!]!`, with what people wrote read from the entries. Blocks; raises `LedgerUnavailable`."""
    declined = [row.decided_in for row in found if row.state == "declined"]
    words = acts_at(office.store, [*(row.filed_in for row in found), *declined])
    return [
        change(row, words[row.filed_in].reason, words[row.decided_in].reason if row.state == "declined" else None)
        for row in found
    ]


def change(row: Matter, reason: str, because: str | None = None) -> dict[str, Any]:
    """`Change`; `because` is why it was declined."""
    return {
        "__typename": "Change",
        "id": row.id,
        "state": STATES[row.state],
        "event": (row.event or "").upper(),
        "scheme": row.scheme,
        "value": row.value,
        "dataset": row.dataset,
        "record": row.record,
        "version": row.version,
        "newVersion": row.new_version,
        "at": moment(row.filed),
        "reason": reason,
        "because": because,
    }


def overdue(row: Matter, today: datetime.date) -> bool:
    """Whether the day has passed by which it is to be decided, or what was upheld is to be corrected."""
    day = row.due if row.waits else row.second_due
    return day is not None and day < today.isoformat()


def matter(
    office: Office, row: Matter, filed: entries.Acted, decided: entries.Acted, today: datetime.date, *, inside: bool
) -> dict[str, Any]:
    """`Matter`, with the words of the entries that filed and decided it.

    `inside`: for the department, which also sees a decision that awaits its confirmation, and why one was declined that
    did: its entry then takes the place of the decision's, and the matter waits again. `due` is the day of the clock
    that runs: after an upheld objection, that of the correction.
    """
    told = row.outcome is not None and (inside or row.state == "decided")
    return {
        "id": row.id,
        "kind": row.kind.upper(),
        "state": STATES[row.state],
        "scheme": row.scheme,
        "value": row.value,
        "dataset": row.dataset,
        "record": row.record,
        "version": row.version,
        "access": row.access,
        "look": _look(office, row),
        "filed": moment(row.filed),
        "filedBy": _filed_by(office, row, filed),
        "papers": [{"issuer": each.issuer, "number": each.number, "date": each.date} for each in filed.papers],
        "due": datetime.date.fromisoformat(row.second_due or row.due or ""),
        "provisional": bool(row.provisional),
        "correctBy": datetime.date.fromisoformat(row.second_due) if row.second_due else None,
        "overdue": overdue(row, today),
        "reason": filed.reason,
        "outcome": (row.outcome or "").upper() if told else None,
        "decided": moment(row.decided) if told and row.decided is not None else None,
        "because": decided.reason if told or (inside and row.decided_in is not None) else None,
        "remedy": (decided.remedy or None) if told else None,
    }


def _look(office: Office, row: Matter) -> dict[str, Any] | None:
    """`Access` of the look that a matter is about, as its subject is shown it: a steward sees no more than that."""
    if row.access is None or row.scheme is None or row.value is None:
        return None
    policies = office.rules.policies
    subject = (row.scheme, row.value)
    look = history.visible_access(office.store, subject, row.access, office.now())
    return None if look is None else history.access(look, policies, subject)


def _filed_by(office: Office, row: Matter, filed: entries.Acted) -> str | None:
    """Who filed it for the subject: a department at its counter, or the human who represents an organisation."""
    if filed.proof:
        return filed.requester.department
    scheme = office.rules.policies.catalogue.schemes.get(row.scheme or "")
    itself = scheme is not None and "person" in scheme.subjects
    return None if itself else filed.by or None


def filed(office: Office, row: Matter) -> entries.Acted:
    """The entry by which a matter was filed. Blocks; raises `LedgerUnavailable`."""
    return acts_at(office.store, [row.filed_in])[row.filed_in]


def matters(office: Office, found: Sequence[Matter], today: datetime.date, *, inside: bool) -> list[dict[str, Any]]:
    """`[Matter!]!`, with what people wrote read from the entries. Blocks; raises `LedgerUnavailable`."""
    words = acts_at(office.store, [place for row in found for place in (row.filed_in, row.decided_in)])
    return [matter(office, row, words[row.filed_in], words[row.decided_in], today, inside=inside) for row in found]
