"""Time that never falls (invariant 15), and that is doubted where it may be wrong.

The machine's clock is checked against its monotonic one, against what was entered and told last, and, at a start and
while it is in doubt, against the store's own clock, or a witness's. Where it differs from one by more than `MOST`, it
is in doubt until all have agreed for `SETTLED`: a machine that was suspended goes on by itself. Invariant: in doubt,
`sure` refuses, so that nothing is disclosed; and no time is told that the monotonic clock does not vouch for, so that
nothing is entered ahead for good.
"""

from __future__ import annotations

import asyncio
import datetime
import functools
import threading
import time
from collections.abc import Callable
from typing import NoReturn

import msgspec

from gateway.errors import Code, Refusal, StoreUnavailable

MOST = 5.0
"""Seconds that two clocks may differ."""
SETTLED = 60.0
"""Seconds that they must have agreed before a doubt ends, and after which a slow drift is no jump."""
EVERY = 1.0

Now = Callable[[], datetime.datetime]
Theirs = Callable[[], datetime.datetime | None]
"""The time by the store's clock or a witness's, None where there is none but the machine's; blocks, and raises
`StoreUnavailable`."""


machines: Now = functools.partial(datetime.datetime.now, datetime.UTC)
"""The machine's own clock, which may be wrong, and may fall. Whatever enters or discloses is handed a `Clock`."""


class _Reading(msgspec.Struct, frozen=True, gc=False):
    ticks: float
    wall: datetime.datetime

    def then(self, ticks: float) -> datetime.datetime:
        """What the time is at `ticks`, by the monotonic clock."""
        return self.wall + datetime.timedelta(seconds=ticks - self.ticks)


def _unheard(_name: str, _why: str | None) -> None:
    """Nobody is told."""


class Clock:
    """The time, as an aware datetime in UTC, never less than it gave before nor than `floor` gives.

    `floor` is the time of the last committed entry. `wall` is the machine's clock, `ticks` its monotonic one. `heard`
    is told why the time is in doubt, and when it is not any more. Any thread may ask.
    """

    def __init__(
        self,
        floor: Now,
        wall: Now = machines,
        ticks: Callable[[], float] = time.monotonic,
        heard: Callable[[str, str | None], None] = _unheard,
    ) -> None:
        self._floor, self._wall, self._ticks, self._heard = floor, wall, ticks, heard
        self._last = datetime.datetime.min.replace(tzinfo=datetime.UTC)
        self._good = self._base = self._read()  # the last that was not in doubt; the one that a jump is measured from
        self._doubt: str | None = None
        self._agreed: float | None = None  # in doubt, since when all agree
        self._differs = self._compared = False
        self._lock = threading.Lock()

    def __call__(self) -> datetime.datetime:
        """The time for what has to be entered, in doubt or not."""
        with self._lock:
            return self._usual() or self._tell(*self._look())

    def sure(self) -> datetime.datetime:
        """The time for all that decides what is disclosed; raises `Refusal` (`LEDGER_UNAVAILABLE`) while in doubt."""
        with self._lock:
            if (told := self._usual()) is not None:
                return told
            read, floor = self._look()
            if self._doubt is None:
                return self._tell(read, floor)
        return _refuse()

    @property
    def doubt(self) -> str | None:
        """Why the time is in doubt; None where it is not."""
        with self._lock:
            self._look()
            return self._doubt

    async def watch(self, theirs: Theirs) -> None:
        """Compare again and again, so that a doubt begins and ends while nobody asks."""
        while True:
            await self.compare(theirs)
            await asyncio.sleep(EVERY)

    async def compare(self, theirs: Theirs) -> None:
        """Look; at a start and in doubt ask the store's clock too, and end the doubt where all have agreed for long."""
        if self.doubt is None and self._compared:
            return
        begun = self._ticks()
        try:
            said = await asyncio.to_thread(theirs)
        except StoreUnavailable:
            with self._lock:
                self._disagree("the store's clock cannot be read")
            return
        with self._lock:
            self._settle(said, begun, self._look()[0])

    def _settle(self, said: datetime.datetime | None, begun: float, read: _Reading) -> None:
        if said is not None:
            apart, took = (read.wall - said).total_seconds(), read.ticks - begun
            if not -MOST <= apart <= MOST + took or took > MOST:
                self._disagree(f"the machine's clock is {_by(apart)} the store's, or a witness's")
                self._good = _Reading(read.ticks, min(self._good.then(read.ticks), said))
                return
        self._compared = True
        if self._doubt is None or self._differs:
            return
        if self._agreed is None:
            self._agreed = read.ticks
        if read.ticks - self._agreed >= SETTLED:
            self._doubt, self._good, self._base = None, read, read
            self._heard("", None)

    def _usual(self) -> datetime.datetime | None:
        """The time where the machine's clock is behind nothing and did not jump, as nearly always; else None."""
        before, base = self._ticks(), self._base
        wall, floor = self._wall(), self._floor()
        passed = (ticks := self._ticks()) - base.ticks
        if self._doubt is not None or not self._last <= wall >= floor or ticks - before >= 1.0 or passed > SETTLED:
            return None
        if not -MOST <= (wall - base.wall).total_seconds() - passed <= MOST:
            return None
        self._good, self._last = _Reading(ticks, wall), wall
        return wall

    def _look(self) -> tuple[_Reading, datetime.datetime]:
        """Read the clocks, and see whether they agree."""
        read, floor, base = self._read(), self._floor(), self._base
        if floor < self._last:
            floor = self._last
        passed = read.ticks - base.ticks
        jump = (read.wall - base.wall).total_seconds() - passed
        behind = (floor - read.wall).total_seconds() if floor > read.wall else 0.0
        jumped = not -MOST <= jump <= MOST
        self._differs = jumped or behind > MOST
        if behind > MOST:
            self._disagree(f"the machine's clock is {behind:.0f} s behind what was entered or answered last")
        elif jumped:
            self._disagree(f"the machine's clock jumped: it is {_by(jump)} its monotonic one")
        if jumped or passed > SETTLED:
            self._base = read
        if self._doubt is None:
            self._good = read
        return read, floor

    def _tell(self, read: _Reading, floor: datetime.datetime) -> datetime.datetime:
        vouched = read.wall if self._good is read else min(read.wall, self._good.then(read.ticks))
        self._last = told = floor if floor > vouched else vouched
        return told

    def _read(self) -> _Reading:
        while True:
            before = self._ticks()
            wall = self._wall()
            if (ticks := self._ticks()) - before < 1.0:  # else the process stood still in between
                return _Reading(ticks, wall)

    def _disagree(self, why: str) -> None:
        begins, self._doubt, self._agreed = self._doubt is None, why, None
        if begins:
            self._heard("", why)


def _by(seconds: float) -> str:
    return f"{abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'}"


def _refuse() -> NoReturn:
    raise Refusal(
        Code.LEDGER_UNAVAILABLE,
        "the time is in doubt, so nothing can be entered or disclosed now; ask again later",
        headers={"Retry-After": f"{SETTLED:.0f}"},
        retryable=True,
    )
