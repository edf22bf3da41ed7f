"""What is shown of recalls and suspensions, by the names of GraphQL; and what their entries have in common."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterable
from typing import Any

import msgspec

from gateway.acts.office import Office
from gateway.acts.shown import STATES
from gateway.errors import LedgerUnavailable, StoreUnavailable, VerificationFailed
from gateway.ledger.entry import entries
from gateway.ledger.stored import read
from gateway.recall.own import named
from gateway.rules.ruleset import RuleSet
from gateway.storage.port import Store
from gateway.storage.recall.recalls import Recall, Recalled
from gateway.storage.subjects.acts import Matter
from gateway.storage.tables import moment

_AT_ONCE = 1000
"""Entries that are open at once."""
_records: msgspec.json.Decoder[list[Recalled]] = msgspec.json.Decoder(list[Recalled])


def records(row: Recall) -> list[Recalled]:
    """The records of a recall; none once its subject was erased."""
    return [] if row.records is None else _records.decode(row.records)


def word(name: str) -> str:
    """An enum's value for the word of a row."""
    return name.upper().replace("-", "_")


def recall(row: Recall) -> dict[str, Any]:
    """`Recall`. One that was refused is answered, and overdue all the same once its term is over."""
    state = "acknowledged" if row.state == "open" and row.outcome is not None else row.state
    return {
        "id": row.id,
        "sequence": row.sequence,
        "at": moment(row.at),
        "inquiry": row.inquiry,
        "scheme": row.scheme,
        "value": row.value,
        "records": [
            {"dataset": row.dataset, "record": each.record, "version": each.version, "fields": list(each.fields)}
            for each in records(row)
        ],
        "action": word(row.action),
        "due": moment(row.due),
        "state": word(state),
        "outcome": None if row.outcome is None else word(row.outcome),
    }


def suspension(office: Office, row: Matter, because: str | None = None) -> dict[str, Any]:
    """`Suspension`; `because` is why its end is asked for."""
    return {
        "__typename": "Suspension",
        "id": row.id,
        "requester": office.named(row.issuer, row.client),
        "purpose": row.purpose or "",
        "dataset": row.dataset or "",
        "since": moment(row.filed),
        "recall": row.record or "",
        "ended": None if row.state != "decided" or row.decided is None else moment(row.decided),
        "state": STATES[row.state],
        "because": because or None,
    }


def general(rules: RuleSet, row: Recall) -> dict[str, Any]:
    """What the entry of every act on a recall has of it, and keeps when its subject is erased."""
    return {
        "recall": row.id,
        "to": named(rules, row.issuer, row.client),
        "action": row.action,
        "sequence": row.sequence,
        "term": moment(row.due),
    }


def members(rules: RuleSet, row: Recall) -> dict[str, Any]:
    """All that the entry of an act on a recall has of it; of an erased subject only what is left."""
    if row.value is None:
        return general(rules, row)
    return {
        **general(rules, row),
        "scheme": row.scheme,
        "value": row.value,
        "inquiry": row.inquiry,
        "dataset": row.dataset,
        "purpose": row.purpose,
        "records": tuple(f"{each.record}@{each.version}" for each in records(row)),
    }


def hidden(store: Store, places: Iterable[int], now: datetime.datetime) -> set[int]:
    """Those of these entries that are kept from their subjects at a time, and those that do not open any more. Blocks.

    Raises `LedgerUnavailable`.
    """
    wanted = sorted(set(places))
    try:
        with contextlib.closing(store.reader()) as reader:
            found = {
                place
                for start in range(0, len(wanted), _AT_ONCE)
                for place, entry in read.read_at(reader, wanted[start : start + _AT_ONCE]).items()
                if entry.oversight is not None and not _secret(entry.read_oversight(), now)
            }
    except (VerificationFailed, StoreUnavailable, ValueError) as error:
        raise LedgerUnavailable(f"the store's entries cannot be read: {error}") from error
    return set(wanted) - found


def _secret(oversight: entries.Oversight, now: datetime.datetime) -> bool:
    return oversight.secret_until is not None and oversight.secret_until > now


class Past(dict[int, tuple[entries.Told | None, entries.Oversight | None]]):
    """Entries of the past by their places, opened; None where one does not open any more. Blocks.

    Raises `LedgerUnavailable`.
    """

    def __init__(self, store: Store, places: Iterable[int]) -> None:
        super().__init__()
        try:
            with contextlib.closing(store.reader()) as reader:
                for place, entry in read.read_at(reader, sorted(set(places))).items():
                    self[place] = (
                        entry.read_told() if entry.told is not None else None,
                        entry.read_oversight() if entry.oversight is not None else None,
                    )
        except (VerificationFailed, StoreUnavailable, ValueError) as error:
            raise LedgerUnavailable(f"the store's entries cannot be read: {error}") from error

    def secret_until(self, place: int) -> datetime.datetime | None:
        """Until when what stands there is kept from its subject."""
        _, oversight = self.get(place, (None, None))
        return None if oversight is None else oversight.secret_until

    def duty(self, place: int, kind: str) -> entries.Duty | None:
        """An obligation that came with the answer that stands there."""
        told, _ = self.get(place, (None, None))
        duties = told.obligations if isinstance(told, entries.Inquiry) else []
        return next((each for each in duties if each.type == kind), None)
