"""The guard of emergency purposes (Arts. 27, 28): one question beside step 3's facts, and the rest follows from it.

Where a requester may break the glass, the inquiry has `use` at hand: step 5 tells the use before a department is asked,
and step 9 enters it, for its change opens the review in the transaction of the inquiry's entry. Who keeps the reviews,
and what suspends, is left to the port (`gateway.watch.break_glass`); what a denial says, to `decide`.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Protocol

from gateway.inquiry.disclose import Change
from gateway.inquiry.types import Declaration, Requester
from gateway.rules.decide import guards
from gateway.rules.model import Purpose


class BreakGlassPort(Protocol):
    """Whoever keeps the reviews of emergencies."""

    async def may(self, asker: Requester, purpose: Purpose, reason: str | None, now: datetime.datetime) -> bool:
        """Whether the requester may break the glass now, for a written reason; raises `Refusal`."""

    def use(self, inquiry: str, asker: Requester, purpose: str, now: datetime.datetime) -> Change:
        """Report a use at once; returns the change that opens its review."""


class _Ports(Protocol):
    """What of the journey's ports the guard needs."""

    @property
    def break_glass(self) -> BreakGlassPort | None: ...
    @property
    def now(self) -> Callable[[], datetime.datetime]: ...


async def guard(
    ports: _Ports, requester: Requester, purpose: Purpose, declaration: Declaration, today: datetime.date
) -> BreakGlassPort | None:
    """Who keeps the reviews, where the requester may use this emergency purpose now.

    `None` where all its fields are to be denied: nobody keeps them, no grant holds `today`, or a review is overdue.
    Raises `Refusal`: `INQUIRY_REQUIRED` without a written reason, `DECISION_UNAVAILABLE`.
    """
    reviews = ports.break_glass
    if reviews is None or not guards.holds(requester.grants, purpose.name, today):
        return None
    return reviews if await reviews.may(requester, purpose, declaration.document, ports.now()) else None
