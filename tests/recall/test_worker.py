"""The process that recalls: one of several works; a turn that fails keeps no other; it ends with its parent."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway.activation.activating import by_files
from gateway.activation.archive import packed
from gateway.errors import Code, Refusal, StoreHindered
from gateway.ledger.entry.registry import RECALLS
from gateway.ledger.log import operator
from gateway.ledger.log.operator import Workplace
from gateway.ledger.proof import key_files
from gateway.ledger.stored import read
from gateway.recall.turns import Around, Turn, again
from gateway.recall.worker import HOLD, rules_of, run
from gateway.storage.port import Store
from gateway.storage.store import open_file
from gateway.telemetry.log import Log
from tests import configured, stores
from tests.recall.receiving import recalled
from tests.waiting import until, until_async
from tests.watch.looks import POLICIES


@pytest.fixture
def config(tmp_path: Path) -> Path:
    key_files.generate(tmp_path / "ledger.key")
    stores.make(tmp_path / "ledger.db")
    return configured.write(tmp_path, policies=str(POLICIES))


def sizes(store: Store) -> dict[str, int]:
    with contextlib.closing(store.reader()) as reader:
        return {head.name: head.size for head in read.heads(reader)}


class Told:
    """Turns that count how often they were taken; `wrong` fails until it is told not to."""

    def __init__(self) -> None:
        self.taken = {"well": 0, "wrong": 0, "slow": 0}
        self.fails, self.never, self.closed = True, asyncio.Event(), 0
        self.shard = ""

    def turns(self, around: Around) -> Sequence[Turn]:
        self.shard = around.office.writer.ledger.shard

        async def well() -> bool:
            self.taken["well"] += 1
            return True

        async def wrong() -> bool:
            self.taken["wrong"] += 1
            if self.fails:
                raise ValueError("a subject's name, which is told to nobody")
            return False

        async def slow() -> bool:
            self.taken["slow"] += 1
            await self.never.wait()
            return True

        async def close() -> None:
            self.closed += 1

        return [Turn("slow", slow), Turn("wrong", wrong), Turn("well", well, close=close)]


@contextlib.asynccontextmanager
async def working(place: Workplace, told: Told, lines: io.StringIO) -> AsyncIterator[None]:
    """The process's work, in this one."""
    stopping = asyncio.Event()
    task = asyncio.create_task(run(place, rules_of(place.settings), Log(lines), stopping, told.turns))
    try:
        yield
    finally:
        stopping.set()
        told.never.set()
        await task


async def test_a_turn_that_fails_or_takes_long_keeps_no_other_and_is_told(config: Path) -> None:
    told, lines = Told(), io.StringIO()
    with operator.opened(config) as place:
        async with working(place, told, lines):
            await until_async("turns", lambda: told.taken["well"] > 5 and told.taken["wrong"] > 1)
            told.fails = False
            await until_async("its end to be told", lambda: "ended" in lines.getvalue())
            assert told.taken["slow"] == 1
        assert told.closed == 1
        assert told.shard == RECALLS[0]
        assert sizes(place.store)[RECALLS[0]] == 0
    events = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert [(each["event"], each["part"], each["name"]) for each in events] == [
        ("began", "recalls", "wrong"), ("ended", "recalls", "wrong"),
    ]  # fmt: skip
    assert events[0]["why"] == "it stands still (something has not the form that is expected)"


async def test_a_turn_that_is_refused_says_why_and_what_to_do() -> None:
    said: list[str | None] = []
    stopping = asyncio.Event()

    def heard(_name: str, why: str | None) -> None:
        said.append(why)
        stopping.set()

    async def refused() -> bool:
        raise Refusal(Code.LEDGER_UNAVAILABLE, "a name, which is told to nobody") from StoreHindered("make room there")

    await again(Turn("expire", refused), heard, stopping, lambda: False, asyncio.Event())
    assert said == ["it stands still (make room there)"]


async def test_a_turn_is_woken_by_what_is_due_and_by_the_end(config: Path) -> None:
    woken, lines, stopping = [0, 0], io.StringIO(), asyncio.Event()

    def turns(_around: Around) -> list[Turn]:
        def counted(place: int) -> Callable[[], Coroutine[Any, Any, bool]]:
            async def turn() -> bool:
                woken[place] += 1
                return False

            return turn

        return [Turn("one", counted(0), 600.0, wakes=("overdue", "work")), Turn("two", counted(1), 600.0)]

    with operator.opened(config) as place:
        task = asyncio.create_task(run(place, rules_of(place.settings), Log(lines), stopping, turns))
        await until_async("their first turns", lambda: woken == [1, 1])
        recalled(place.store.engine, "tender-office")
        await until_async("another turn of what is woken by it", lambda: woken[0] > 1)
        assert woken[1] == 1
        stopping.set()
        await task
    assert lines.getvalue() == ""


async def test_it_goes_by_the_rule_set_that_is_active(config: Path) -> None:
    seen, lines, stopping = list[str](), io.StringIO(), asyncio.Event()

    def turns(around: Around) -> list[Turn]:
        async def look() -> bool:
            if seen[-1:] != [around.office.rules.digest]:
                seen.append(around.office.rules.digest)
            return False

        return [Turn("look", look)]

    shutil.copytree(POLICIES, config.parent / "policies")
    with operator.opened(configured.write(config.parent)) as place:
        rules = rules_of(place.settings)
        task = asyncio.create_task(run(place, rules, Log(lines), stopping, turns))
        await until_async("the folder's", lambda: seen == [rules.digest])
        dates = config.parent / "policies" / "calendar.yaml"
        dates.write_text(dates.read_text("utf-8").replace("Europe/Sofia", "Europe/Paris"), "utf-8")
        other = rules_of(place.settings).digest
        await asyncio.to_thread(by_files, place, other, packed(config.parent / "policies"))
        await until_async("the active one", lambda: seen == [rules.digest, other])
        stopping.set()
        await task
    assert lines.getvalue() == ""


async def test_of_several_one_works_and_another_takes_its_place(config: Path) -> None:
    first, second, lines = Told(), Told(), io.StringIO()
    with operator.opened(config) as place, operator.opened(config) as other:
        stopping, ending = asyncio.Event(), asyncio.Event()
        rules = rules_of(place.settings)
        one = asyncio.create_task(run(place, rules, Log(lines), stopping, first.turns))
        await until_async("a turn", lambda: first.taken["well"])
        two = asyncio.create_task(run(other, rules, Log(lines), ending, second.turns))
        await until_async("more turns", lambda before=first.taken["well"]: first.taken["well"] > before + 5)
        assert second.taken["well"] == 0
        assert await other.store.hold(HOLD) is None
        first.never.set()
        stopping.set()
        await one
        taken = first.taken["well"]
        await until_async("a turn of the next", lambda: second.taken["well"])
        assert first.taken["well"] == taken
        assert (first.shard, second.shard) == (RECALLS[0], RECALLS[0])
        second.never.set()
        ending.set()
        await two


def command(config: Path) -> list[str]:
    return [sys.executable, "-m", "gateway.recall.worker", "--config", str(config)]


def opened(config: Path) -> dict[str, int]:
    store = open_file(config.parent / "ledger.db")
    try:
        return sizes(store)
    finally:
        store.close()


def test_it_ends_when_it_is_told_and_leaves_its_shard_to_the_next(config: Path) -> None:
    store = open_file(config.parent / "ledger.db")
    for _ in range(2):
        with subprocess.Popen(command(config), stderr=subprocess.PIPE, text=True) as process:
            until("its hold", lambda: asyncio.run(held(store)))
            until("its shard", lambda: RECALLS[0] in sizes(store))
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate()
            assert (process.returncode, said) == (0, "")
    store.close()


async def held(store: Store) -> bool:
    """Whether a process has the name."""
    mine = await store.hold(HOLD)
    if mine is not None:
        await mine.release()
    return mine is None


def test_it_ends_with_its_parent(config: Path) -> None:
    parent = "import subprocess, sys; print(subprocess.Popen(sys.argv[1:]).pid, flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", parent, *command(config)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        until("its shard", lambda: RECALLS[0] in opened(config))
        process.kill()
    until("it to end", lambda: not _alive(pid))


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_what_is_wrong_with_the_policies_is_told_and_ends_it(config: Path) -> None:
    configured.write(config.parent, policies="nothing-here")
    done = subprocess.run(command(config), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "requesters.yaml" in done.stderr
