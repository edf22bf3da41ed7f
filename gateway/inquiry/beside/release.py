"""After step 9: whether what was entered may still leave, and the second entry of what does not.

The entry has to be durable by the first end of what the answer rests on: the token, the grant and the consents, the
display of its records, the wait itself, and a time that is not in doubt. An answer that took longer than `AGE` also has
its facts read again: where what is known of its subjects is another now, or other rules are active, it does not leave.
Whatever they hold: that records are withheld must not show by it.
What was entered and does not leave gets another entry, `not-released`, for each subject, so that nobody is told to have
received it.
"""

from __future__ import annotations

import asyncio
import datetime
import os
from collections.abc import Callable
from typing import Protocol

from gateway.errors import Code, Refusal
from gateway.inquiry.authenticate import Authenticator
from gateway.inquiry.beside.unsent import Second, Unsent
from gateway.inquiry.disclose import Entry
from gateway.inquiry.facts import FactsReader
from gateway.inquiry.types import Facts
from gateway.ledger.entry import entries
from gateway.ledger.entry.parts import split

AGE = 1.0
"""Seconds that an inquiry may take before its facts are read again."""


class _Ports(Protocol):
    """What of the journey's ports the release needs."""

    @property
    def authenticator(self) -> Authenticator: ...
    @property
    def facts(self) -> FactsReader: ...
    @property
    def unsent(self) -> Unsent: ...
    @property
    def now(self) -> Callable[[], datetime.datetime]: ...
    @property
    def stamp(self) -> Callable[[], datetime.datetime]: ...
    @property
    def patience(self) -> float: ...


class Release:
    """What one answer needs to leave: asked once its entry is durable, and notified where it does not leave.

    `place` is its entry's, `<shard>-<index>`; `began` is when its inquiry did, on the event loop's clock.
    """

    def __init__(self, ports: _Ports, entry: Entry, place: str, began: float) -> None:
        self._ports, self._entry, self._place, self._began = ports, entry, place, began
        self._clock = asyncio.get_running_loop().time
        self._zone: datetime.tzinfo | None = None

    async def check(
        self,
        day: datetime.date,
        zone: datetime.tzinfo,
        facts: Facts,
        holds: Callable[[datetime.datetime, datetime.date], bool],
    ) -> None:
        """Raise `Refusal` unless the answer may leave now, and enter that it does not.

        `day` and `facts` are those that it was decided from. `holds`: whether grants, consents and display are at a
        moment of another day as they were then; on the same day they are.
        """
        ports, self._zone = self._ports, zone
        try:
            known = facts if self._age() <= AGE else await self._facts(facts)
        except Refusal:
            await self.unsent("ended")
            raise
        try:
            now = ports.now()  # from here to the end nothing is waited for
        except Refusal:
            await self.unsent("clock")
            raise
        if self._entry.requester.expires <= now.timestamp():
            await self.unsent("token")
            raise ports.authenticator.expired(self._entry.requester)
        if self._age() > ports.patience:
            await self.unsent("late")
            message = "the ledger took too long to enter the answer, so it was not released; ask again"
            raise Refusal(Code.LEDGER_UNAVAILABLE, message, retryable=True)
        today = now.astimezone(zone).date()
        same = known is facts or (
            (known.subjects, known.suspended, known.epoch) == (facts.subjects, facts.suspended, facts.epoch)
        )
        if not same or (today != day and not holds(now, today)):
            await self.unsent("ended")
            message = "a permit, or a record's display, ended while the inquiry ran, so nothing was released; ask again"
            raise Refusal(Code.DECISION_UNAVAILABLE, message, retryable=True)

    async def _facts(self, facts: Facts) -> Facts:
        """The facts as they are now, with what their store does not know; the same ones where nothing changed."""
        ports = self._ports
        known = await ports.facts.read(self._entry.subjects, ports.stamp(), self._entry.requester.who, self._zone)
        if (known.change, known.epoch) == (facts.change, facts.epoch):
            return facts
        verified = any(each.case_verified for each in facts.subjects.values())
        return known.settled(case_verified=verified, break_glass=facts.break_glass)

    def _age(self) -> float:
        """Seconds since its inquiry began."""
        return self._clock() - self._began

    async def unsent(self, reason: str = "undelivered") -> None:
        """Enter that what was entered did not leave."""
        entry, at, who = self._entry, self._ports.stamp(), self._entry.requester
        for subject in entry.subjects:
            told = entries.NotReleased(
                entries.VERSION,
                os.urandom(16).hex(),
                at,
                entries.Who(who.issuer, who.client, who.department),
                reason,
                subject.scheme,
                subject.value,
                entry.id,
                self._place,
                entry.rule_set,
            )
            await self._ports.unsent.enter(Second(entry.id, split(told), at, (who.issuer, who.client)))
