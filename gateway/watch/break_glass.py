"""Break-glass: an emergency purpose, whose every use is reported at once and must be reviewed in time (Arts. 27, 28).

A purpose with `break_glass` needs a named official and a written reason. Its use raises an alert before a department is
asked, and opens a finding for review in the very transaction that enters the inquiry: no data without its review. While
a review is overdue, break-glass is suspended for that department, whichever client of it asks, until a person has ended
the review.

Invariants: what cannot be found out suspends (8); a review's last day is worked out from the calendar at each use, so
neither a restart nor a clock of ours lets one lapse. Left to others: what a verdict says (`reviews`), the decision
(`decide`), who is told of an alert (the log's `break_glass` event, and the metric, are what an operator watches).
"""

from __future__ import annotations

import asyncio
import datetime
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import NamedTuple, Protocol

from sqlalchemy import BigInteger, Engine, and_, cast, insert, literal, or_, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql import ClauseElement

from gateway.errors import Code, Refusal
from gateway.rules.deadlines import deadline
from gateway.rules.files.calendar import Calendar
from gateway.rules.model import Purpose
from gateway.saying import in_words
from gateway.storage.tables import SHARD_BITS, micros, moment, shard
from gateway.storage.watch.findings import BREAK_GLASS, Glass, finding, finding_entry, verdict

log = logging.getLogger("dutybound.break_glass")

LEAST_REASON, LEAST_DIFFERENT = 20, 5
"""Letters that a reason has at least, and how many of them differ: a full stop, "emergency" or "aaaa..." is none."""


class Asker(Protocol):
    """What of a requester matters here."""

    @property
    def issuer(self) -> str: ...
    @property
    def client(self) -> str: ...
    @property
    def department(self) -> str: ...
    @property
    def official(self) -> str | None: ...


class Use(NamedTuple):
    """A use that was reported: `statement` opens its review as of `at`, to commit with the inquiry's entry.

    `entered` then puts that entry behind the review: its shard's name, and its index there.
    """

    statement: ClauseElement
    at: datetime.datetime
    entered: Callable[[str, int], Awaitable[None]]


class BreakGlass:
    """The uses of one store. `alert` gets each at once: inquiry id, requester's client, purpose."""

    def __init__(
        self,
        engine: Engine,
        calendar: Calendar,
        purposes: Callable[[], Mapping[str, Purpose]],
        alert: Callable[[str, str, str], None],
    ) -> None:
        self._engine, self._calendar, self._purposes, self._alert = engine, calendar, purposes, alert

    async def may(self, asker: Asker, purpose: Purpose, reason: str | None, now: datetime.datetime) -> bool:
        """Whether the requester may break the glass now; false while a review of its department is overdue, or for
        another purpose.

        Raises `Refusal`: `INQUIRY_REQUIRED` without a written reason, `INQUIRY_INVALID` where it says nothing,
        `DECISION_UNAVAILABLE` where the reviews are out of reach.
        """
        if purpose.break_glass is None:
            return False
        if reason is None or not reason.strip():
            raise Refusal(
                Code.INQUIRY_REQUIRED,
                f"`{purpose.name}` needs a written reason: write in `document` what the emergency is",
            )
        letters = [each for each in reason.casefold() if each.isalpha()]
        if len(letters) < LEAST_REASON or len(set(letters)) < LEAST_DIFFERENT:
            raise Refusal(
                Code.INQUIRY_INVALID,
                f"the reason in `document` has under {LEAST_REASON} letters, or the same few again and again; write"
                " in words what the emergency is",
            )
        try:
            opened = await asyncio.to_thread(self._open, asker)
        except SQLAlchemyError as error:
            log.warning("reviews cannot be read (%s)", in_words(error))
            message = "whether a review is overdue cannot be found out now, so nothing was disclosed; ask again"
            raise Refusal(Code.DECISION_UNAVAILABLE, message, retryable=True) from error
        today = self._calendar.local(now).date()
        return all(today <= self.last_day(at, used) for at, used in opened)

    def _open(self, asker: Asker) -> list[tuple[datetime.datetime, str]]:
        same = and_(finding.c.issuer == asker.issuer, finding.c.client == asker.client)
        if asker.department:
            same = or_(same, finding.c.department == asker.department)
        query = (
            select(finding.c.at, finding.c.purpose)
            .outerjoin(verdict, verdict.c.finding == finding.c.id)
            .where(finding.c.detector == BREAK_GLASS, verdict.c.finding.is_(None), same)
        )
        with self._engine.connect() as connection:
            return [(moment(at), purpose) for at, purpose in connection.execute(query)]

    def last_day(self, opened: datetime.datetime, used: str) -> datetime.date:
        """The last day of the review of a use of the purpose `used`, whose finding was opened then."""
        purpose = self._purposes().get(used)
        # A purpose that is no more leaves its reviews behind: they are due as the shortest can be.
        days = purpose.break_glass.review_within if purpose is not None and purpose.break_glass is not None else 1
        return deadline(self._calendar, opened, days).due

    def use(self, inquiry: str, asker: Asker, purpose: str, now: datetime.datetime) -> Use:
        """Raise the alert; gives what opens the review."""
        self._alert(inquiry, asker.client, purpose)
        used = Glass(
            inquiry, micros(now), asker.issuer, asker.client, asker.department or None, asker.official, purpose
        )
        return Use(used.opening(self.words(used)), now, partial(self._entered, used))

    def words(self, use: Glass) -> str:
        """What its finding has of a use."""
        until = self.last_day(moment(use.at), use.purpose)
        who = f"`{use.official}` of `{use.client}`" if use.official else f"`{use.client}`"
        return (
            f"{who} broke the glass for {use.purpose}, in inquiry {use.inquiry}: to be reviewed by {until}, or it is"
            " suspended"
        )

    async def _entered(self, use: Glass, name: str, index: int) -> None:
        """Put the inquiry's entry behind its review. A failure costs the link only, and the watch brings it back."""
        place = cast(shard.c.id, BigInteger) * literal(1 << SHARD_BITS, BigInteger) + literal(index, BigInteger)
        row = select(literal(use.finding), place).where(shard.c.name == name)
        try:
            await asyncio.to_thread(self._link, insert(finding_entry).from_select(["finding", "entry"], row))
        except SQLAlchemyError as error:
            log.warning("a review has no link to its entry (%s)", in_words(error))

    def _link(self, statement: ClauseElement) -> None:
        with self._engine.begin() as connection:
            connection.execute(statement)  # type: ignore[call-overload]
