"""What the recipient must do with an answer (Arts. 22(3), 28(1)(2), 43, 47(2)). Pure.

Obligations depend on the purpose and the day alone, never on the records: what an answer demands says nothing of what
departments hold (invariant 5).
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping

import msgspec

from gateway.inquiry.types import Obligation
from gateway.rules.model import Purpose


class Obligations:
    """Obligations per purpose, made once a day."""

    def __init__(self, purposes: Mapping[str, Purpose]) -> None:
        self._purposes = purposes
        self._today = datetime.date.min
        self._made: dict[str, tuple[Obligation, ...]] = {}

    def of(self, purpose: str, today: datetime.date) -> tuple[Obligation, ...]:
        """The obligations of an answer for the purpose of that name, given on the day `today`."""
        if today != self._today:
            self._today, self._made = today, {}
        made = self._made.get(purpose)
        if made is None:
            made = self._made[purpose] = obligations(self._purposes[purpose], today)
        return made


def obligations(purpose: Purpose, today: datetime.date) -> tuple[Obligation, ...]:
    """Use for the purpose only; disclose to nobody; delete by the purpose's last day, counted from `today`.

    What is about the subject is its own: it may tell whom it likes, and keep it (Art. 43).
    """
    only = Obligation(f"{purpose.name}/purpose-only", "purpose-only", {"purpose": purpose.name})
    if purpose.scope == "self":
        return (only,)
    by = purpose.delete_after.after(today).isoformat()
    return (
        only,
        Obligation(f"{purpose.name}/no-onward-disclosure", "no-onward-disclosure", {}),
        Obligation(f"{purpose.name}/delete-by", "delete-by", {"date": by}),
    )


def encoded(made: tuple[Obligation, ...]) -> bytes:
    """The obligations as JSON."""
    return msgspec.json.encode(made)
