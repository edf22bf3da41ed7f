"""Notifying recipients that something waits in their inbox, by the recall's id and nothing else (Standard Webhooks).

Work that is due is taken by lane, a recipient each, and each try is a task. Invariants: a recall that was answered
meanwhile is not told; one that was taken is told once in the ledger, in the transaction that ends its work; one that
was not is tried again under the same id; a recipient that is slow, dead or hostile keeps no other waiting, since it has
at most `EACH` tries at once, and one where the last failed. An answer of 410 stops a recipient until a person has it go
on (`dutybound recalls resume`). What nobody took in `GIVEN_UP` is told to oversight. The inbox is the truth all along.

Tries are at most `RATE` per second, for all: inquiries come first.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable, Mapping, Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select

from gateway.acts.notices import Receiver, called
from gateway.acts.office import Office
from gateway.recall.delivering.telling import Telling
from gateway.recall.delivering.trying import Trying, spread
from gateway.rules.ruleset import RuleSet
from gateway.saying import in_words
from gateway.storage.recall import work as queue
from gateway.storage.recall.recalls import Recall, Work, recall
from gateway.storage.recall.work import DELIVER, recipient_of
from gateway.storage.tables import micros, moment
from gateway.web.messages.sending import Sender, Taken, Tried
from gateway.web.messages.signing import message

Who = tuple[str, str]
Heard = Callable[[str, str | None], None]

AGAIN = (2.0, 20.0, 300.0, 1_800.0, 7_200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
"""Seconds after which one that was not taken is tried again, more or less: 75 hours in all."""
GIVEN_UP = sum(AGAIN)
EACH, TOGETHER = 4, 48
"""Tries at once of one recipient, and of all."""
RATE, BURST = 200.0, 50.0
"""Tries per second, of all together, and how many of them are saved."""
PAUSE, LONGEST = 1.0, 300.0
"""Seconds that a recipient who is away is left alone: at first, and at most."""
_NEEDED = ("open", "overdue")


def receivers(rules: RuleSet) -> dict[Who, Receiver]:
    """The recipients that are notified, with what signs the message."""
    secrets = rules.requesters.recall_secrets
    return {
        who: Receiver(entry.recalls.url, secrets.get(who, ()))
        for who, entry in rules.policies.requesters.items()
        if entry.recalls.url
    }


class _Lane:
    """What is known of a recipient: tries under way, how many failed in a row, and until when it is left alone."""

    __slots__ = ("busy", "failures", "until")

    def __init__(self) -> None:
        self.busy = self.failures = 0
        self.until = float("-inf")

    def free(self, now: float) -> int:
        if now < self.until:
            return 0
        return (1 if self.failures else EACH) - self.busy


class Delivering:
    """Delivers, in one process. `heard` gets by its name each client that takes nothing, `count` each try's outcome."""

    def __init__(
        self,
        office: Office,
        told: Mapping[Who, Receiver],
        keys: Sequence[Ed25519PrivateKey],
        sender: Sender,
        heard: Heard,
        count: Callable[[str], None],
    ) -> None:
        self._office, self._receivers, self._keys = office, told, keys
        self._telling, self._heard, self._count = Telling(office), heard, count
        self._trying = Trying(office, sender, TOGETHER)
        self.settled, self.close = self._trying.settled, self._trying.close
        self._lanes: dict[str, _Lane] = {}
        self._allowed, self._at = BURST, time.monotonic()
        self._first = 0

    async def turn(self) -> bool:
        """Begin what is due and may be begun; whether there was any. Raises `Refusal`, SQLAlchemy's errors."""
        now = micros(self._office.now())
        due, stopped = await asyncio.to_thread(self._due)
        worked = False
        self._first += 1
        for place in range(len(due)):  # not always the same first
            lane, at = due[(place + self._first) % len(due)]
            if at <= now and lane not in stopped and lane.startswith("["):
                worked |= await self._begin(lane)
        return worked

    def _due(self) -> tuple[list[queue.Lane], set[str]]:
        engine = self._office.store.engine
        with engine.connect() as connection:
            stopped = queue.stopped(connection)
        return queue.lanes(engine), stopped

    async def _begin(self, name: str) -> bool:
        receiver = self._receivers.get(recipient_of(name))
        if receiver is None:  # its inbox is all that it wants
            return await asyncio.to_thread(queue.drop, self._office.store.engine, name) > 0
        lane = self._lanes.setdefault(name, _Lane())
        free = min(lane.free(time.monotonic()), self._trying.free, self._may())
        if free <= 0:
            return False
        begun = await self._trying.begin(name, free, functools.partial(self._one, receiver, lane))
        self._allowed -= begun
        return begun > 0

    def _may(self) -> int:
        """How many tries the rate allows now."""
        now = time.monotonic()
        self._allowed = min(BURST, self._allowed + (now - self._at) * RATE)
        self._at = now
        return int(self._allowed)

    async def _one(self, receiver: Receiver, lane: _Lane, work: Work) -> None:
        client = called(recipient_of(work.lane), self._receivers)
        lane.busy += 1
        try:
            row = await asyncio.to_thread(self._recall, work.what)
            if row is None or row.state not in _NEEDED or row.delivered is not None or work.kind != DELIVER:
                await self._trying.finish(work)
                return
            tried = await self._sent(receiver, row)
            self._count(tried.outcome.value)
            if tried.outcome is Taken.TAKEN:
                await self._telling.delivered(work, row)
                if lane.failures:
                    now = micros(self._office.now())
                    await asyncio.to_thread(queue.hurry, self._office.store.engine, work.lane, now)
                lane.failures, lane.until = 0, float("-inf")
                self._heard(client, None)
            elif tried.outcome is Taken.GONE:
                await self._telling.stopped(work, row)
                self._heard(client, "it wants no more messages (410); `dutybound recalls resume` has it notified again")
            else:
                await self._again(lane, work, tried)
                self._heard(client, f"it does not take messages about recalls: {tried.why}")
        except Exception as error:  # its lease runs out, and it is tried again
            self._heard(client, f"messages about recalls cannot be sent or entered ({in_words(error)})")
        finally:
            lane.busy -= 1

    async def _sent(self, receiver: Receiver, row: Recall) -> Tried:
        at, now = moment(row.at), self._office.now()
        body, headers = message(
            "recall.available", at, {"recall": row.id}, row.id, now, receiver.secrets, self._keys
        )  # fmt: skip
        return await self._trying.send(receiver.url, body, headers)

    async def _again(self, lane: _Lane, work: Work, tried: Tried) -> None:
        """Put it off; where the recipient is away, leave it alone for a while."""
        if tried.outcome is Taken.AWAY:
            lane.failures += 1
            pause = min(LONGEST, PAUSE * 2 ** min(lane.failures - 1, 10)) * spread()
            lane.until = time.monotonic() + max(pause, tried.after)
        await self._trying.again(work, tried, AGAIN)

    def _recall(self, id_: str) -> Recall | None:
        with self._office.store.engine.connect() as connection:
            row = connection.execute(select(recall).where(recall.c.id == id_)).one_or_none()
            return None if row is None else Recall._make(row)
