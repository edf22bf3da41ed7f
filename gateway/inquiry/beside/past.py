"""What the ledger has of past inquiries: as a row of `receipts`, and to the counts at a start."""

from __future__ import annotations

from typing import Any

from gateway.inquiry.counting.counts import Counted
from gateway.ledger.entry import entries
from gateway.ledger.entry.parts import read_told
from gateway.ledger.stored.history import Own
from gateway.ledger.stored.read import StoredEntry


def receipt(own: Own) -> dict[str, Any]:
    """One row of `receipts`, with its members' names in GraphQL."""
    told = read_told(own.told)
    duties, cautions = (told.obligations, told.cautions) if isinstance(told, entries.Inquiry) else ([], [])
    return {
        "id": told.id,
        "receipt": own.receipt.text,
        "obligations": [
            {
                "id": duty.id,
                "type": duty.type,
                "properties": [{"name": name, "value": value} for name, value in duty.properties.items()],
            }
            for duty in duties
        ],
        "cautions": cautions,
        "ruleSet": told.rule_set,
        "time": told.at,
        "cursor": own.cursor,
    }


def counted(entry: StoredEntry) -> Counted | None:
    """What an entry gives to `admit`: only an inquiry that could fetch was counted; whom it names no more is not."""
    told = entry.read_told()
    if not isinstance(told, entries.Inquiry) or not told.counted:
        return None
    return Counted(
        told.requester.issuer,
        told.requester.client,
        told.declaration.purpose,
        tuple((each.scheme, each.value) for each in told.disclosed if each != entries.ERASED),
        told.declaration.case,
        told.declaration.reference,
        told.at,
        entry.read_oversight().official,
        told.id,
        told.declaration.request,
    )
