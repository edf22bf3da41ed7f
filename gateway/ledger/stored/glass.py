"""Which entries are uses of break-glass, and what the finding that each opened must have."""

from __future__ import annotations

from gateway.ledger.entry import entries
from gateway.storage.tables import micros
from gateway.storage.watch.findings import Glass


def used(told: entries.Told, oversight: entries.Oversight) -> Glass | None:
    """The use that an entry is; None where it is none, and in entries from before they recorded it."""
    if not isinstance(told, entries.Inquiry) or oversight.broke_glass is None:
        return None
    return use_of(told, oversight, micros(oversight.broke_glass))


def use_of(told: entries.Inquiry, oversight: entries.Oversight, at: int) -> Glass:
    """An inquiry as a use that was reported at this time (microseconds)."""
    by = told.requester
    return Glass(told.id, at, by.issuer, by.client, by.department or None, oversight.official, told.declaration.purpose)
