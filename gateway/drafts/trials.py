"""Simulations of drafts: one at a time in a process, looked at in the store from every process, and ended there.

A simulation reads the ledger, so that a `view` is entered before it begins (invariant 17). Then a process of its own
decides (`trial_child`); this one keeps in the store how far that is, every few seconds, and sees there that it is to
end. A proposal of the same rule set is then marked as simulated. One whose process says nothing for a while broke off.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from gateway.acts.office import Office
from gateway.config import store_key
from gateway.config.store_key import StoreKey
from gateway.drafts.keeping import Kept
from gateway.drafts.marking import mark
from gateway.drafts.trial_child import Trying
from gateway.errors import Code, Refusal
from gateway.inquiry.types import Requester
from gateway.ledger.acting.planned import invalid, not_found
from gateway.proposals.desk import in_force, reason
from gateway.simulation.result import Result, Row
from gateway.simulation.simulate import FORMAT, PARTS, looked
from gateway.storage.rules import drafts as rows
from gateway.storage.rules.drafts import Trial
from gateway.storage.tables import micros, moment

RUNNING, DONE, STOPPED, FAILED, BROKEN = "running", "done", "stopped", "failed", "broken"
KEEP_EVERY = 2.0
"""Seconds between two moments at which how far it is is kept."""
SILENT = datetime.timedelta(seconds=60)
"""After so long without a word it broke off."""
MOST_DAYS = 366
MOST_ROWS = 200
"""Rows of a result that are kept, those with the most decisions."""
MOST_LINE = 64 * 1024 * 1024


class Told(msgspec.Struct):
    """What is shown of a simulation. `rows` are those of its result, `left_out` how many were too many; `proposal` is
    the one that was marked by it."""

    since: datetime.datetime
    until: datetime.datetime
    reason: str
    candidate: str
    active: str
    began: datetime.datetime
    done: int = 0
    of: int = 0
    left: int = 0
    inquiries: int = 0
    decisions: int = 0
    changed: int = 0
    not_replayable: Mapping[str, int] = {}
    rows: Sequence[Row] = ()
    left_out: int = 0
    proposal: str = ""


class _Line(msgspec.Struct):
    done: int = 0
    of: int = 0
    left: int = 0
    result: Result | None = None


class Trials:
    """Begins, shows and ends them, on the store at `url`. Names in files are read by `issuers`."""

    def __init__(self, office: Office, url: str, key: StoreKey | None, issuers: Mapping[str, str]) -> None:
        self._office, self._url, self._issuers = office, url, issuers
        self._key = key
        self._task: asyncio.Task[None] | None = None

    async def begin(
        self, who: Requester, kept: Kept, digest: str, days: tuple[datetime.date, datetime.date], why: str
    ) -> dict[str, Any]:
        """Begin one of a draft whose rule set has this digest, from a day through another (UTC). Raises `Refusal`."""
        said, (first, last) = reason(why), days
        if not first <= last or (last - first).days >= MOST_DAYS:
            raise invalid("ARGUMENT", f"enter the first and the last day: one to {MOST_DAYS} days")
        if self._task is not None and not self._task.done():
            raise invalid("LIMIT", "another simulation is on now; wait until it is through, or end it")
        now = self._office.now()
        before = await asyncio.to_thread(self._row, kept.row.id)
        if before is not None and _state(before, now) == RUNNING:
            raise invalid("STATE", "a simulation of this draft is on already; wait until it is through, or end it")
        active = await asyncio.to_thread(in_force, self._office)
        midnight = datetime.time(tzinfo=datetime.UTC)
        since = datetime.datetime.combine(first, midnight)
        until = datetime.datetime.combine(last, midnight) + datetime.timedelta(days=1)
        await self._office.viewed(who, FORMAT, said, looked(digest, since, until), PARTS)
        told = Told(since, until, said, digest, active.digest, now)
        row = Trial(kept.row.id, secrets.token_hex(16), RUNNING, msgspec.json.encode(told), micros(now))
        await asyncio.to_thread(self._begin, row)
        asked = Trying(kept.packed, active.files, self._issuers, self._url, since, until, *_passed(self._key))
        self._task = asyncio.create_task(self._run(row, told, asked, who))
        return _shown(row, now)

    async def show(self, draft: str) -> dict[str, Any]:
        """The last one of a draft; raises `Refusal` where there is none."""
        row = await asyncio.to_thread(self._row, draft)
        if row is None:
            raise not_found()
        return _shown(row, self._office.now())

    async def stop(self, draft: str) -> dict[str, Any]:
        """End the one that is on; raises `Refusal` where none is."""
        now = self._office.now()
        row = await asyncio.to_thread(self._row, draft)
        if row is None or not await asyncio.to_thread(self._tell, row._replace(state=STOPPED, seen=micros(now))):
            raise invalid("STATE", "no simulation of this draft is on")
        return await self.show(draft)

    async def _run(self, row: Trial, told: Told, asked: Trying, who: Requester) -> None:
        command = [sys.executable, "-m", "gateway.drafts.trial_child"]
        pipe, nobody = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        state, process = FAILED, None
        try:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=pipe, stdout=pipe, stderr=nobody, limit=MOST_LINE
            )
            state = await self._followed(process, row, told, asked, who)
        except (OSError, ValueError, msgspec.MsgspecError):
            state = FAILED
        finally:
            if process is not None and process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if state != STOPPED:
            last = row._replace(state=state, told=msgspec.json.encode(told), seen=micros(self._office.now()))
            await asyncio.to_thread(self._tell, last)

    async def _followed(
        self, process: asyncio.subprocess.Process, row: Trial, told: Told, asked: Trying, who: Requester
    ) -> str:
        """What becomes of it; how far it is goes to `told`, and is kept now and then."""
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(msgspec.msgpack.encode(asked))
        process.stdin.close()
        reading = asyncio.create_task(process.stdout.readline())
        try:
            while True:
                await asyncio.wait([reading], timeout=KEEP_EVERY)
                if reading.done():
                    if not (line := reading.result()):
                        return FAILED
                    found = msgspec.json.decode(line, type=_Line)
                    if found.result is not None:
                        _take(told, found.result)
                        told.proposal = await mark(self._office, who, told.reason, found.result)
                        return DONE
                    told.done, told.of, told.left = found.done, found.of, found.left
                    reading = asyncio.create_task(process.stdout.readline())
                so_far = row._replace(told=msgspec.json.encode(told), seen=micros(self._office.now()))
                if not await asyncio.to_thread(self._tell, so_far):
                    return STOPPED
        finally:
            reading.cancel()

    def _row(self, draft: str) -> Trial | None:
        with self._office.reading() as connection:
            return rows.trial(connection, draft)

    def _begin(self, row: Trial) -> None:
        try:
            with self._office.store.engine.begin() as connection:
                rows.begin_trial(connection, row)
        except SQLAlchemyError as error:
            message = "the store takes nothing now; try again later"
            raise Refusal(Code.LEDGER_UNAVAILABLE, message, headers={"Retry-After": "1"}) from error

    def _tell(self, row: Trial) -> bool:
        """Keep how far it is; False where it is to end. A store that takes nothing for a moment ends nothing."""
        try:
            with self._office.store.engine.begin() as connection:
                return rows.tell_trial(connection, row, [RUNNING])
        except SQLAlchemyError:
            return True


def _take(told: Told, result: Result) -> None:
    told.done = told.of = result.entries
    told.left, told.inquiries, told.decisions = 0, result.inquiries, result.decisions
    told.changed, told.not_replayable = result.changed, result.not_replayable
    moved = [*result.of("opens"), *result.of("closes")]
    told.rows, told.left_out = moved[:MOST_ROWS], max(0, len(moved) - MOST_ROWS)


def _state(row: Trial, now: datetime.datetime) -> str:
    return BROKEN if row.state == RUNNING and now - moment(row.seen) > SILENT else row.state


def _shown(row: Trial, now: datetime.datetime) -> dict[str, Any]:
    told = msgspec.json.decode(row.told, type=Told)
    return {
        "state": _state(row, now),
        "since": told.since.date(),
        "through": (told.until - datetime.timedelta(days=1)).date(),
        "reason": told.reason,
        "candidate": told.candidate,
        "active": told.active,
        "began": told.began,
        "done": told.done,
        "of": told.of,
        "left": told.left,
        "inquiries": told.inquiries,
        "decisions": told.decisions,
        "changed": told.changed,
        "notReplayable": sum(told.not_replayable.values()),
        "rows": [{**msgspec.structs.asdict(each), "change": each.change} for each in told.rows],
        "leftOut": told.left_out,
        "proposal": told.proposal,
    }


def _passed(key: StoreKey | None) -> tuple[str, tuple[str, ...], bytes]:
    """A key for the process that simulates, which asks no command."""
    if key is None or isinstance(key, Path):
        return ("" if key is None else str(key)), (), b""
    return "", key.words, store_key.handed()
