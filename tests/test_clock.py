"""Invariant 15: time never falls, is in doubt where clocks differ, and is never told ahead of what is vouched for."""

from __future__ import annotations

import asyncio
import datetime
import pathlib
import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gateway
from gateway.clock import MOST, SETTLED, Clock
from gateway.errors import Code, Refusal, StoreUnavailable

START = datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.UTC)
OLD = START - datetime.timedelta(days=9999)


def seconds(number: float) -> datetime.timedelta:
    return datetime.timedelta(seconds=number)


class Machine:
    """A machine whose clocks a test sets, with a store beside it. What is entered is entered at the clock's time."""

    def __init__(self, clock: Callable[..., Clock] = Clock, *, floor: datetime.datetime = OLD, off: float = 0) -> None:
        self.ticks, self.off = 1000.0, off
        self.floor = floor
        self.apart: float | None = None
        """By how much the store's clock is off; None: it has none."""
        self.away = False
        self.heard: list[str | None] = []
        self.clock = clock(lambda: self.floor, self.wall, lambda: self.ticks, lambda _name, why: self.heard.append(why))

    @property
    def true(self) -> datetime.datetime:
        return START + seconds(self.ticks - 1000)

    def wall(self) -> datetime.datetime:
        return self.true + seconds(self.off)

    def theirs(self) -> datetime.datetime | None:
        if self.away:
            raise StoreUnavailable("away")
        return None if self.apart is None else self.true + seconds(self.apart)

    def compare(self) -> None:
        asyncio.run(self.clock.compare(self.theirs))

    def pass_by(self, number: float) -> None:
        """Time passes, with the comparisons that a process makes meanwhile, though fewer."""
        self.compare()
        for _ in range(5):
            self.ticks += number / 5
            self.compare()

    @property
    def answers(self) -> bool:
        try:
            self.floor = max(self.floor, self.clock.sure())
        except Refusal:
            return False
        return True

    def enter(self) -> datetime.datetime:
        """What is entered in doubt or not, as the refusal of an inquiry that was under way."""
        self.floor = max(self.floor, self.clock())
        return self.floor


def started(clock: Callable[..., Clock] = Clock, **settings: Any) -> Machine:
    machine = Machine(clock, **settings)
    machine.compare()
    return machine


@pytest.mark.parametrize("jump", [366 * 86_400.0, 7200.0, 5.5, -5.5, -7200.0])
def test_a_jump_refuses_and_nothing_is_entered_ahead(jump: float) -> None:
    machine = started()
    assert machine.answers
    machine.ticks += 10
    machine.off = jump
    with pytest.raises(Refusal) as refused:
        machine.clock.sure()
    assert refused.value.code is Code.LEDGER_UNAVAILABLE
    assert machine.enter() <= machine.true
    machine.ticks += 10
    machine.off = 0.0  # somebody set it right
    assert not machine.answers
    machine.pass_by(SETTLED - 1)
    assert not machine.answers
    machine.pass_by(1)
    assert machine.answers
    assert machine.enter() == machine.true
    assert [why is None for why in machine.heard] == [False, True]


@pytest.mark.parametrize("jump", [4.5, -4.5])
def test_a_small_step_is_none(jump: float) -> None:
    machine = started()
    assert machine.answers
    machine.off = jump
    machine.ticks += 1
    assert machine.answers
    assert not machine.heard


def test_a_slow_drift_is_no_jump() -> None:
    machine = started()
    for _ in range(100):
        machine.ticks += 30
        machine.off += 0.5
        assert machine.answers
    assert not machine.heard


def test_a_machine_that_was_suspended_goes_on_by_itself() -> None:
    machine = started()
    assert machine.answers
    machine.off = 8 * 3600.0  # the monotonic clock stood still meanwhile
    machine.compare()
    assert not machine.answers
    machine.pass_by(SETTLED)
    assert machine.answers
    assert machine.enter() == machine.wall()


@pytest.mark.parametrize(("ahead", "refused"), [(5.5, True), (7200.0, True), (4.5, False), (-5.5, False)])
def test_a_floor_ahead_of_now_refuses_until_they_agreed(ahead: float, refused: bool) -> None:
    machine = started(floor=START + seconds(ahead))
    assert machine.answers is not refused
    assert bool(machine.heard) is refused
    if refused:
        for _ in range(3):
            assert machine.enter() == START + seconds(ahead), "what is entered meanwhile makes it no later"
        machine.pass_by(ahead - MOST + 0.1)
        assert not machine.answers
        machine.pass_by(SETTLED)
        machine.pass_by(SETTLED)
        assert machine.answers


def test_a_start_ahead_of_the_stores_clock_refuses_until_it_is_set_right() -> None:
    machine = Machine(off=7200.0)
    machine.apart = 0.0
    machine.compare()
    assert not machine.answers
    assert "7200 s ahead of the store's" in str(machine.heard)
    machine.pass_by(3 * SETTLED)
    assert not machine.answers
    assert machine.enter() <= machine.true
    machine.off = 0.0
    machine.pass_by(SETTLED)
    machine.pass_by(SETTLED)
    assert machine.answers
    assert machine.enter() == machine.true


def test_a_doubt_ends_only_where_the_store_agrees_too() -> None:
    machine = started()
    machine.apart, machine.off = 0.0, 366 * 86_400.0
    machine.pass_by(3 * SETTLED)
    assert not machine.answers
    machine.off, machine.away = 0.0, True
    machine.pass_by(3 * SETTLED)
    assert not machine.answers
    machine.away = False
    machine.pass_by(SETTLED + 5)
    machine.pass_by(SETTLED)
    assert machine.answers


def test_a_doubt_begins_and_ends_while_nobody_asks() -> None:
    machine = started()
    machine.off = 3600.0
    machine.compare()
    machine.pass_by(SETTLED)
    assert [why is None for why in machine.heard] == [False, True]


async def test_watching_compares_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from gateway import clock as module

    monkeypatch.setattr(module, "EVERY", 0.0)
    machine, looks = Machine(), 0
    machine.away = True  # so that each comparison asks the store
    done = asyncio.Event()
    loop = asyncio.get_running_loop()

    def theirs() -> None:
        nonlocal looks
        looks += 1
        if looks == 3:
            loop.call_soon_threadsafe(done.set)
        raise StoreUnavailable("away")

    task = asyncio.create_task(machine.clock.watch(theirs))
    await done.wait()
    task.cancel()
    await asyncio.wait([task])


def test_a_process_that_stood_still_between_two_readings_reads_again() -> None:
    machine = started()
    stood = [0.3, 20.0, 0.1]

    def wall() -> datetime.datetime:
        now = machine.true
        machine.ticks += stood.pop(0) if stood else 0.0
        return now

    machine.clock._wall = wall
    assert machine.answers
    assert not machine.heard


steps = st.lists(
    st.tuples(
        st.sampled_from(["jump", "jump", "pass", "short", "ask", "ask", "enter", "store"]),
        st.one_of(st.just(0.0), st.floats(-4.0, 4.0), st.floats(-400.0, 400.0), st.just(366 * 86_400.0)),
    ),
    min_size=10,
    max_size=40,
)


def holds(clock: Callable[..., Clock]) -> None:
    """What was told never falls; an answer is given by clocks that agree; what is entered is vouched for.

    Vouched for is what the machine's clock said at the last answer with what passed since, and what the store says.
    """

    @settings(max_examples=200, derandomize=True, database=None, deadline=None, report_multiple_bugs=False)
    @given(steps)
    def check(said: list[tuple[str, float]]) -> None:
        machine = started(clock)
        machine.apart = 0.0
        told = [machine.floor]
        trusted = 0.0  # by how much the clock was off when it was last believed
        jumped = -1e9
        for what, number in said:
            if what == "jump":
                if abs(machine.off - number) > 2 * MOST:  # a jump is measured from what may itself be off by `MOST`
                    jumped = machine.ticks
                machine.off = number
                machine.compare()
            elif what == "pass":
                machine.pass_by(2 * SETTLED)
            elif what == "short":
                machine.pass_by(10.0)
            elif what == "store":
                machine.away = not machine.away
            floor = machine.floor
            if what == "ask" and machine.answers:
                trusted = machine.off
                told.append(machine.floor)
                assert (floor - machine.wall()).total_seconds() <= MOST
                assert machine.ticks - jumped >= SETTLED, "it answered after a jump"
                assert abs(machine.off) <= 2 * MOST, "it answered by a clock that the store would have denied"
            elif what == "enter":
                in_doubt = machine.clock.doubt is not None
                told.append(machine.enter())
                if in_doubt:
                    assert told[-1] <= max(floor, machine.true + seconds(max(trusted, 2 * MOST)))
        assert all(earlier <= later for earlier, later in pairwise(told))

    check()


def test_time_never_falls_and_is_never_told_ahead() -> None:
    holds(Clock)


class _Forgets(Clock):
    """Says whatever the machine's clock says."""

    def _tell(self, read: Any, floor: datetime.datetime) -> datetime.datetime:
        return read.wall


class _Believes(Clock):
    """Never doubts, as before there was a doubt."""

    def _disagree(self, why: str) -> None:
        pass


class _Hasty(Clock):
    """Ends a doubt at the first look at which all agree."""

    def _settle(self, said: Any, begun: float, read: Any) -> None:
        self._agreed = read.ticks - SETTLED
        super()._settle(said, begun, read)


class _Jumps(Clock):
    """In doubt it tells the machine's time all the same."""

    def _tell(self, read: Any, floor: datetime.datetime) -> datetime.datetime:
        self._last = max(floor, read.wall)
        return self._last


class _Alone(Clock):
    """Does not heed the store's clock."""

    def _settle(self, said: Any, begun: float, read: Any) -> None:
        super()._settle(None, begun, read)


@pytest.mark.parametrize("faulty", [_Forgets, _Believes, _Hasty, _Jumps, _Alone])
def test_the_property_fails_when_a_fault_is_planted(faulty: Callable[..., Clock]) -> None:
    with pytest.raises(AssertionError):
        holds(faulty)


def test_the_machines_own_clock_is_read_in_utc() -> None:
    before = datetime.datetime.now(datetime.UTC)
    told = Clock(lambda: OLD)()
    assert told.utcoffset() == datetime.timedelta(0)
    assert before <= told <= datetime.datetime.now(datetime.UTC)


def test_nothing_that_enters_or_discloses_reads_the_machines_clock() -> None:
    """It is handed one clock. What only shows a person something may say what day it is here.

    The projector enters nothing: it removes rows that count no more by the machine's clock or the last entry's time,
    whichever is earlier.
    """
    root = pathlib.Path(gateway.__file__).parent
    reading = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if re.search(r"datetime\.(now|utcnow|today)\b|date\.today\b|\btime\.time\b(?!\()", path.read_text())
    }
    assert reading == {
        "clock.py", "check.py", "rules/commands.py", "proposals/bootstrap.py", "proposals/commands.py",
        "simulation/commands.py", "simulation/dry_commands.py", "ledger/commands/verify.py", "ledger/witness/server.py",
        "ledger/projections/projector.py", "connecting/commands/conformance.py", "connecting/drifting/watching.py",
        "init/commands.py", "status/commands.py", "backup/making.py", "ledger/commands/archive.py",
        "ledger/commands/prune.py",
    }  # fmt: skip
