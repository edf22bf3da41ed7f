"""The one way to act: a fact, its entry and the work that follows from it stand in one transaction, or nothing does.

Acts of a process wait in two bounded queues, people's before bulk's, and are made in groups: of one snapshot of the
store, in a thread, and committed together. Invariants: an act stands if and only if its entry does; what it saw still
holds when it stands, since `act_head` has the same number then, and it changes with every act of any process, or since
its own guards say so (`Planned.guarded`); two acts of a group touch nothing in common, so each sees what the one before
it did. A change of facts takes the next number of
`fact_head`, without a gap. An entry that names a rule set names the one that is active as it is committed: an act that
was made under another is refused (`RulesChanged`). Where somebody else acted meanwhile nothing of the group stands
(`Conflict`), and it is made again of what stands now, a bounded number of times.

Left to others: what an act does, and who may (whoever makes a `Planned`).
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import datetime
import functools
import random
import secrets
import zoneinfo
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, select, update
from sqlalchemy.exc import SQLAlchemyError

from gateway.errors import Code, Conflict, LedgerUnavailable, Refusal
from gateway.ledger.acting.digests import Keyed
from gateway.ledger.acting.planned import Actor, Bound, Made, Planned, RulesChanged, Seen, invalid
from gateway.ledger.entry.parts import split
from gateway.ledger.log.keyring import AtEntry, Changes, Pending, Row
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.proof.tlog_proof import Receipt
from gateway.saying import in_words
from gateway.storage.port import Guarded
from gateway.storage.projections import counted
from gateway.storage.rules import rulesets
from gateway.storage.statement import of_one_moment
from gateway.storage.subjects import acts as rows
from gateway.storage.subjects.facts import fact_head
from gateway.storage.tables import micros, moment

GROUP, BULK = 32, 16
"""Acts of people, and of bulk, that are committed together."""
WAITING = {False: 1_000, True: 4_000}
"""Acts that may wait, of people and of bulk."""
_TRIES = 20
_PAUSE = 0.002


class Done(NamedTuple):
    """An act that stands. One that stood already, and was asked for again, has a `place`: the id of its `entry` row.

    `value` is what the caller is shown.
    """

    id: str
    at: datetime.datetime
    value: Any
    receipt: Receipt | None = None
    place: int | None = None


class _Waiting(NamedTuple):
    planned: Planned
    done: asyncio.Future[Done]


class _Ready(NamedTuple):
    """An entry of a group that can be committed; `first`: it is the act's own, and not of what is done with it."""

    waiting: _Waiting
    made: Made
    changes: list[Changes]
    first: bool


class Writer:
    """The writer of one process. `now` never falls, and refuses while the time is in doubt; `zone` ends its days."""

    def __init__(self, ledger: Ledger, now: Callable[[], datetime.datetime], zone: zoneinfo.ZoneInfo) -> None:
        self.ledger, self._now, self._zone = ledger, now, zone
        self._queues: dict[bool, collections.deque[_Waiting]] = {kind: collections.deque() for kind in WAITING}
        self._running: asyncio.Task[None] | None = None
        self._keyed: Keyed | None = None
        self._over: collections.Counter[tuple[Actor, str]] = collections.Counter()
        self._active = (0, "")

    async def act(self, planned: Planned) -> Done:
        """Have an act made. Raises `Refusal`; then it does not stand, unless the ledger could not report it."""
        queue = self._queues[planned.bulk]
        if len(queue) >= WAITING[planned.bulk]:
            raise Refusal(Code.LEDGER_UNAVAILABLE, "too many acts wait; try again later", headers={"Retry-After": "1"})
        done: asyncio.Future[Done] = asyncio.get_running_loop().create_future()
        queue.append(_Waiting(planned, done))
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return await done

    def refused(self) -> dict[tuple[Actor, str], int]:
        """How often each client was refused for each bound since this was last asked; nobody of it is named."""
        taken, self._over = self._over, collections.Counter()
        return dict(taken)

    async def close(self) -> None:
        """Wait until nobody waits any more."""
        while self._running is not None:
            await asyncio.wait([self._running])

    async def _run(self) -> None:
        try:
            while group := self._next():
                await self._group(group)
        finally:
            self._running = None
            for waiting in (each for queue in self._queues.values() for each in queue):
                _refuse(waiting, LedgerUnavailable("the writer of acts stopped"))

    def _next(self) -> list[_Waiting]:
        """The acts of the next group, or a guarded one: in order, but for what touches what one before touches."""
        for bulk, most in ((False, GROUP), (True, BULK)):
            queue, touched = self._queues[bulk], set[Hashable]()
            group: list[_Waiting] = []
            later: list[_Waiting] = []
            while queue and len(group) < most and len(later) < most:
                waiting = queue.popleft()
                if waiting.done.done():
                    continue
                if waiting.planned.guarded and group:
                    later.append(waiting)
                    break
                (group if touched.isdisjoint(waiting.planned.touches) else later).append(waiting)
                touched |= waiting.planned.touches
                if waiting.planned.guarded:
                    break
            queue.extendleft(reversed(later))
            if group:
                return group
        return []

    async def _group(self, group: Sequence[_Waiting]) -> None:
        """Make a group and commit it; whatever happens, nobody is left waiting."""
        try:
            for tried in range(_TRIES):
                ready = await asyncio.to_thread(self._make, group)
                if not ready:
                    return
                try:
                    receipts = await self.ledger.append_together([_pending(each) for each in ready])
                except Conflict:
                    group = [each.waiting for each in ready if each.first]
                    await asyncio.sleep(random.uniform(0, _PAUSE * 2 ** min(tried, 6)))  # noqa: S311 - to take turns
                    continue
                for each, receipt in zip(ready, receipts, strict=True):
                    if each.first:
                        _answer(each.waiting, Done(each.made.told.id, each.made.told.at, each.made.value, receipt))
                return
            conflict = Refusal(Code.CONFLICT, "somebody acted at the same moment; try again", retryable=True)
            for waiting in group:
                _refuse(waiting, conflict)
        except Exception as error:
            for waiting in group:
                _refuse(waiting, error)

    def _make(self, group: Sequence[_Waiting]) -> list[_Ready]:
        """The acts of a group as they are of one snapshot; who cannot act is told here. Blocks."""
        now = self._now()
        today = now.astimezone(self._zone).date()
        with _snapshot(self.ledger.store.engine) as connection:
            if self._keyed is None:
                self._keyed = Keyed(counted.current(connection).secret)
            number = rows.last(connection)
            before, epoch = connection.execute(select(fact_head.c.change, fact_head.c.epoch)).one()
            change = before
            counting = _Counting(connection, self._keyed, today, _midnight_after(today, self._zone))
            if epoch != self._active[0]:
                found = rulesets.active(connection)
                self._active = (epoch, "" if found is None else found.digest)
            ready: list[_Ready] = []
            shared: dict[Hashable, int] = {}
            for waiting in group:
                seen = Seen(connection, self._keyed, secrets.token_hex(16), change, now, today, shared, epoch)
                try:
                    each = self._one(waiting, seen, number + len(ready) + 1, counting)
                except Exception as error:
                    if isinstance(error, OverBounds):
                        actor = waiting.planned.actor
                        self._over[Actor(actor.issuer, actor.client, actor.department), error.bound.quota] += 1
                    _refuse(waiting, error)
                    continue
                ready += each
                change += sum(one.made.facts for one in each)
        if ready:
            apart = ready[0].waiting.planned.guarded
            guards: list[Changes] = [rows.one_more() if apart else rows.following(number, len(ready))]
            if change != before:
                facts = update(fact_head).where(fact_head.c.change == before).values(change=change)
                guards.append(Guarded(facts))
            ready[0].changes[:0] = [*guards, *counting.changes()]
        return ready

    def _one(self, waiting: _Waiting, seen: Seen, number: int, counting: _Counting) -> list[_Ready]:
        planned, keyed = waiting.planned, seen.keyed
        repeat = arguments = None
        freed: list[Changes] = []
        if planned.repeat is not None:
            repeat = keyed.of("repeat", *planned.repeat.of)
            arguments = keyed.of("arguments", planned.repeat.arguments)
            past = rows.repeated(seen.connection, repeat)
            if past is not None and moment(past.at) + planned.repeat.within > seen.now:
                if past.arguments != arguments:
                    raise invalid("REFERENCE", "this `reference` was used for other arguments; choose another")
                _answer(waiting, Done(past.id, moment(past.at), planned.again(seen, past), place=past.entry))
                return []
            if past is not None:
                freed.append(update(rows.act).where(rows.act.c.id == past.id).values(repeat=None, arguments=None))
        counting.check(planned.bounds)
        made = planned.make(seen)
        under = getattr(made.told, "rule_set", "")
        if under and seen.epoch and not planned.guarded and under != self._active[1]:
            raise RulesChanged(seen.epoch)
        counting.take(planned.bounds)
        ready: list[_Ready] = []
        if planned.guarded:
            for each in (made, *made.more):
                first, numbers = each is made, [] if each is made else [rows.one_more()]
                values = {"id": each.told.id, "at": micros(each.told.at), "matter": each.moved}
                changes = [*numbers, *each.changes, AtEntry(functools.partial(rows.numbered, values))]
                ready.append(_Ready(waiting, each, changes, first))
            return ready
        for each in (made, *made.more):
            first, values = each is made, {"id": each.told.id, "number": number + len(ready), "matter": each.moved}
            named = {"repeat": repeat, "arguments": arguments} if first else {"repeat": None, "arguments": None}
            row = Row(rows.act, {**values, "at": micros(each.told.at), **named}, ("entry",))
            ready.append(_Ready(waiting, each, [*(freed if first else ()), *each.changes, row], first))
        return ready


class _Counting:
    """How often each did something on a day, with what the acts of this group add."""

    def __init__(self, connection: Connection, keyed: Keyed, today: datetime.date, resets: datetime.datetime) -> None:
        self._connection, self._keyed, self._today, self._resets = connection, keyed, today, resets
        self._there: dict[int, int] = {}
        self._more: dict[int, int] = {}

    def check(self, bounds: Iterable[Bound]) -> None:
        """Raises `Refusal` `QUOTA_EXCEEDED` where one more would be too many."""
        for bound in bounds:
            whose = self._keyed.number("bound", bound.quota, *bound.whose)
            if whose not in self._there:
                self._there |= {whose: 0} | rows.counted(self._connection, [whose], self._today)
            if bound.refuses and self._there[whose] + self._more.get(whose, 0) >= bound.most:
                raise OverBounds(bound, self._resets)

    def take(self, bounds: Iterable[Bound]) -> None:
        """One more."""
        for bound in bounds:
            whose = self._keyed.number("bound", bound.quota, *bound.whose)
            self._more[whose] = self._more.get(whose, 0) + 1

    def changes(self) -> list[Changes]:
        """What counts them; those of days that are over go with the first of a day."""
        day, found = self._today.isoformat(), list[Changes]()
        for whose, more in self._more.items():
            acts = self._there[whose] + more
            if self._there[whose]:
                mine = (rows.act_count.c.whose == whose, rows.act_count.c.day == day)
                found.append(update(rows.act_count).where(*mine).values(acts=acts))
            else:
                found.append(Row(rows.act_count, {"whose": whose, "day": day, "acts": acts}))
        if any(not self._there[whose] for whose in self._more):
            found.insert(0, rows.counts_before(self._today))
        return found


class OverBounds(Refusal):
    """More of it was done on a day than may be."""

    def __init__(self, bound: Bound, resets: datetime.datetime) -> None:
        message = f"at most {bound.most:,} per day (`{bound.quota}`); continue from {resets.isoformat()}"
        super().__init__(Code.QUOTA_EXCEEDED, message, quota=bound.quota, resetsAt=resets.isoformat())
        self.bound = bound


def _midnight_after(day: datetime.date, zone: zoneinfo.ZoneInfo) -> datetime.datetime:
    midnight = datetime.datetime.combine(day + datetime.timedelta(days=1), datetime.time(), zone)
    return midnight.astimezone(datetime.UTC)


def _pending(ready: _Ready) -> Pending:
    made = ready.made
    parts, who = split(made.told, made.oversight), made.told.requester
    by = (who.issuer, who.client)
    return Pending(parts.told, parts.oversight, micros(made.told.at), by, tuple(ready.changes), parts.subjects)


@contextlib.contextmanager
def _snapshot(engine: Engine) -> Iterator[Connection]:
    """A connection that reads from one snapshot; raises `LedgerUnavailable`."""
    try:
        with engine.connect() as connection:
            yield of_one_moment(connection)
    except SQLAlchemyError as error:
        raise LedgerUnavailable(f"the store cannot be read ({in_words(error)})") from error


def _set(waiting: _Waiting, answer: Callable[[], None]) -> None:
    """From whichever thread: nobody is answered twice, and nobody who has gone."""
    waiting.done.get_loop().call_soon_threadsafe(lambda: None if waiting.done.done() else answer())


def _answer(waiting: _Waiting, done: Done) -> None:
    _set(waiting, lambda: waiting.done.set_result(done))


def _refuse(waiting: _Waiting, error: BaseException) -> None:
    if isinstance(error, LedgerUnavailable):
        message = "the ledger takes no acts now; try again later"
        cause, error = error, Refusal(Code.LEDGER_UNAVAILABLE, message, headers={"Retry-After": "1"})
        error.__cause__ = cause  # for an operator's log or terminal; requesters are told the message
    _set(waiting, lambda: waiting.done.set_exception(error))
