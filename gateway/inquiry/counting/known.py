"""What is known of past inquiries where counts stand in memory: looked up in the store where it is not known yet.

The projection `counted` (`gateway.storage.projections.counted`) has what was entered; what it does not have yet was
read at the start (`fill`) or was counted here since. So memory holds what waits to be projected, and of the rest so
much as was last asked about (`MOST`), whatever was asked in all.

Invariants: what is in memory is all that counts, and what is not is all in the store. So nothing is forgotten before
the store was seen to have it, each inquiry by its id (`prove`); what is looked up is taken whole, before anything can
be counted against it. Where rows were dropped to be made again, nothing is admitted until all that they lack was read
from the entries. Nobody is named here: all are digests.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from gateway.errors import Code, Refusal
from gateway.inquiry.counting.counts import Asked, Past, longest, micros
from gateway.inquiry.counting.quotas import Reach, Window
from gateway.inquiry.counting.snapshot import Key, Sources, Who, bounded_by, read_all, read_reach
from gateway.rules.model import Purpose
from gateway.saying import in_words
from gateway.storage.port import CountRows, Looked
from gateway.storage.projections.counted import Digests

log = logging.getLogger("dutybound.admit")

MOST = 8192
"""Subjects that are kept in memory, beside those whose inquiries are not projected yet."""
MOST_WHO = 2048
"""Requesters and officials, likewise."""
_AT_ONCE = 64
_EVERY = 1.0
_NEVER = 900.0
"""Seconds after which an inquiry that was counted, and is in no entry, never will be: none takes so long."""


class Bounded(msgspec.Struct, frozen=True, gc=False):
    """One whose reach is bounded: an official (None: all of the requester's), by these two windows.

    `asked` is when that official asked last about each subject; 0 for never.
    """

    official: int | None
    windows: tuple[Window, ...]
    reach: Reach
    asked: list[float]


class Found(msgspec.Struct, frozen=True, gc=False):
    """All that an inquiry is counted against."""

    pasts: list[Past]
    bounded: list[Bounded]


class Known:
    """What one process knows. Not for use by two threads at once. Without `sources`, what is asked here is all."""

    def __init__(self, sources: Sources | None = None, most: int = MOST) -> None:
        self._sources, self._most = sources, most
        self._rows: CountRows | None = sources.store.counts() if sources else None
        self.digests = Digests(os.urandom(32))
        self._generation = -1
        self._pasts: OrderedDict[Key, Past] = OrderedDict()
        self._reaches: OrderedDict[Who, Reach] = OrderedDict()
        self._marks: deque[Asked] = deque()
        self._loading: dict[Key | Who, asyncio.Future[Any]] = {}
        self._keeping: asyncio.Task[None] | None = None
        self.whole = sources is None
        """Whether what is not in memory is in the store; nothing is admitted otherwise."""

    def find(self, purpose: Purpose, asked: Asked) -> Found | None:
        """What an inquiry is counted against; None where some has to be looked up first (`load`).

        Raises `Refusal` (`DECISION_UNAVAILABLE`) while the counts are not whole.
        """
        if not self.whole:
            raise unavailable()
        pasts = []
        for subject in asked.subjects:
            past = self._pasts.get(key := (subject, asked.requester))
            if past is None:
                if self._rows is not None:
                    return None
                past = self._pasts[key] = Past()
            else:
                self._pasts.move_to_end(key)
            pasts.append(past)
        bounded = []
        for who, official, found in bounded_by(purpose, asked):
            reach = self._reaches.get(who)
            if reach is None:
                if self._rows is not None:
                    return None
                reach = self._reaches[who] = Reach()
            else:
                self._reaches.move_to_end(who)
            bounded.append(Bounded(official, found, reach, [past.last(official) for past in pasts]))
        return Found(pasts, bounded)

    def load(self, purpose: Purpose, asked: Asked) -> list[asyncio.Future[Any]]:
        """Look up what `find` lacks; what to wait for, nothing where it is there at once.

        Raises `StoreUnavailable`, or a future does; or `Refusal`, as `find`.
        """
        assert self._rows is not None, "else all is known"
        assert self._sources is not None, "they came together"
        self._forget(len(asked.subjects))
        waiting: list[asyncio.Future[Any]] = []
        wanted = []
        for subject in asked.subjects:
            key = (subject, asked.requester)
            if key in self._loading:
                waiting.append(self._loading[key])
            elif key not in self._pasts:
                wanted.append(key)
        if wanted:
            after = micros(asked.at - longest(purpose.frequency.per))
            found = self._rows.read(wanted, after)
            if isinstance(found, asyncio.Future):
                waiting.append(self._later(wanted, found, functools.partial(self._take, wanted, purpose)))
            else:
                self._take(wanted, purpose, found)
        for who, _, of in bounded_by(purpose, asked):
            if who in self._loading:
                waiting.append(self._loading[who])
            elif who not in self._reaches:
                work = asyncio.get_running_loop().run_in_executor(None, read_reach, self._sources, who, of, asked.at)
                waiting.append(self._later([who], work, functools.partial(self._take_reach, who)))
        return waiting

    def mark(self, purpose: Purpose, asked: Asked, found: Found) -> None:
        """Count an inquiry."""
        case = asked.about_case if purpose.case_required else None
        pending = 0 if self._rows is None else 1
        for bounded in found.bounded:
            at = bounded.reach.mark(bounded.windows, bounded.asked, asked.at)
            bounded.reach.pending += pending
            for past in found.pasts:
                past.ask(bounded.official, at)
        for past in found.pasts:
            past.count(purpose.frequency, case, asked.retry, asked.at)
            past.pending += pending
        if pending:
            self._marks.append(asked)

    async def fill(self, *, alone: bool = False) -> None:
        """Read what the store's counts lack, and look the rest up from now on; raises what reading does.

        Not whole yet, and tried again, while counts are being dropped to be made again. `alone`: nobody waits for the
        event loop yet, and beside a thread each row would cost Python's lock twice.
        """
        assert self._sources is not None, "else there is nothing to read"
        if self._keeping is None:
            self._keeping = asyncio.get_running_loop().create_task(self._keep())
        self.whole = False
        marks = list(self._marks)
        read = read_all(self._sources, marks) if alone else await asyncio.to_thread(read_all, self._sources, marks)
        if read is None:
            return
        purposes, marks = self._sources.purposes(), list(self._marks)
        entered: set[int] = set()
        self.digests, self._generation = Digests(read.counting.secret), read.counting.generation
        self._pasts.clear()
        self._reaches.clear()
        self._marks.clear()
        for key, (purpose, rows) in read.rows.items():
            self._pasts[key] = Past.of(purpose, rows)
            entered.update(row.inquiry for row in rows)
        self._reaches.update(read.reaches)
        self.whole = True
        for asked in sorted((*read.entered, *marks), key=lambda each: each.at):
            if asked.purpose in purposes and asked.inquiry not in entered:
                entered.add(asked.inquiry)
                self.again(purposes[asked.purpose], asked)

    def again(self, purpose: Purpose, asked: Asked) -> None:
        """Count what was counted before, oldest first; retries once. Limits are not applied: what was asked was."""
        found, case = self.find(purpose, asked), asked.about_case if purpose.case_required else None
        assert found is not None, "what is not known was looked up"
        if not all(past.retried(asked.retry, case, asked.at) for past in found.pasts):
            self.mark(purpose, asked, found)

    def _later(
        self, keys: Sequence[Key | Who], work: asyncio.Future[Any], take: Callable[[Any], None]
    ) -> asyncio.Future[Any]:
        """Take what a look-up finds when it is there; nobody else looks the same up meanwhile."""
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        for key in keys:
            self._loading[key] = done

        def end(outcome: asyncio.Future[Any]) -> None:
            for key in keys:
                del self._loading[key]
            try:
                take(outcome.result())
            except BaseException as error:
                done.set_exception(error if isinstance(error, Exception) else unavailable())
                done.exception()  # it may be that nobody waits any more
            else:
                done.set_result(None)

        work.add_done_callback(end)
        return done

    def _take(self, wanted: Sequence[Key], purpose: Purpose, rows: Iterable[Looked]) -> None:
        found: dict[Key, list[Looked]] = {key: [] for key in wanted}
        for row in rows:
            self._same(row.generation)
            if row.subject is not None and row.requester is not None:
                found[row.subject, row.requester].append(row)
        for key, mine in found.items():
            if key not in self._pasts:  # `fill` may have been faster
                self._pasts[key] = Past.of(purpose, mine)

    def _take_reach(self, who: Who, found: tuple[int, Reach]) -> None:
        self._same(found[0])
        self._reaches.setdefault(who, found[1])

    def _same(self, generation: int) -> None:
        """Raise `Refusal` where what was looked up is of other counts than those that are whole with what is here."""
        if generation != self._generation or not self.whole:
            self.whole = False  # `_keep` reads again what they lack
            raise unavailable()

    def _forget(self, wanted: int) -> None:
        """Drop those that were asked about longest ago, where the store has what counts: as many as come."""
        for kept, most in ((self._pasts, self._most), (self._reaches, MOST_WHO)):
            held: OrderedDict[Any, Any] = kept
            for _ in range(wanted + 2):
                if len(held) <= most:
                    break
                key, oldest = next(iter(held.items()))
                if oldest.pending:
                    held.move_to_end(key)
                else:
                    del held[key]

    async def _keep(self) -> None:
        """See what the store has by now, and read again what it lost."""
        while True:
            await asyncio.sleep(_EVERY)
            try:
                if not self.whole:
                    await self.fill()
                elif len(self._marks) > self._most // 2:
                    await self.prove()
            except Exception as error:
                log.warning("the counts cannot be looked up (%s)", in_words(error))

    async def prove(self) -> None:
        """See which inquiries that were counted here are in the store's counts, oldest first, as far as it is."""
        assert self._rows is not None, "else there is nothing to see"
        assert self._sources is not None, "they came together"
        now = self._sources.now()
        for _ in range(0, len(self._marks), _AT_ONCE):
            some = [self._marks.popleft() for _ in range(min(_AT_ONCE, len(self._marks)))]
            left: list[Asked] = []
            proven: list[Asked] = []
            try:
                keys = list({(subject, each.requester) for each in some for subject in each.subjects})
                oldest = min(each.at for each in some)
                rows = self._rows.read(keys, micros(oldest) - 1)
                found = await rows if isinstance(rows, asyncio.Future) else rows
                there = {(row.inquiry, row.subject) for row in found}
                over = now - _NEVER
                gone = oldest < over and await self._never(over)
                for each in some:
                    entered = all((each.inquiry, subject) in there for subject in each.subjects)
                    (proven if entered or (gone and each.at < over) else left).append(each)
            except BaseException:
                self._marks.extendleft(reversed(some))
                raise
            self._marks.extend(left)
            self._settle(proven)
            if not proven:
                break
            await asyncio.sleep(0)

    async def _never(self, at: float) -> bool:
        """Whether all that was counted until a time, and ever entered, is in the store's counts."""
        assert self._sources is not None, "else there is nothing to see"
        sources = self._sources

        def since() -> int | None:
            with contextlib.closing(sources.store.reader()) as reader:
                return sources.since(reader)

        first = await asyncio.to_thread(since)
        return first is None or first / 1e6 > at + _NEVER / 2

    def _settle(self, proven: Iterable[Asked]) -> None:
        assert self._sources is not None, "else there is nothing to see"
        purposes = self._sources.purposes()
        for asked in proven:
            for subject in asked.subjects:
                if (past := self._pasts.get((subject, asked.requester))) is not None:
                    past.pending -= 1
            if (purpose := purposes.get(asked.purpose)) is not None:
                for who, _, _ in bounded_by(purpose, asked):
                    if (reach := self._reaches.get(who)) is not None:
                        reach.pending -= 1

    async def close(self) -> None:
        """Look nothing up any more."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait([self._keeping])
        if self._rows is not None:
            self._rows.close()


def unavailable() -> Refusal:
    """What is refused while it cannot be found out how often was asked."""
    return Refusal(
        Code.DECISION_UNAVAILABLE,
        "how often was asked before cannot be found out now, so nothing was disclosed; ask again",
        retryable=True,
    )
