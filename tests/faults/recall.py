"""A department corrects many records that many recipients have: each of them is told, also where processes are killed.

    python -m tests.faults.recall [--disclosures 100000] [--recipients 50] [--corrected 10000] [--store sqlite]

Real are the gateway's processes, the network (loopback), the signatures and the store; the disclosures of before are
entered at the start. Somebody inquires all the time, and before (`control`). In the middle the process that recalls is
killed with -9, and a worker that serves. Prints one line of JSON: `selected` recalls, those `delivered` to the local
receivers, how many were `doubled` (an answer recalled twice for one record) and `missed` (an answer that was not
recalled, or a recall that nobody received), and the `seconds` from the first report to the last delivery. `again` are
messages that came once more under the same id, which a killed deliverer may send. `selection_seconds` is the looking up
of all who received the corrected records. It exits with 1 where one was doubled or missed, an inquiry failed, or the
looking up took 2 seconds or more.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import datetime
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import func, select, update

from deploy.demo.guard import Guard
from deploy.demo.organisations import organisation
from gateway.ledger.entry import entries
from gateway.ledger.entry.parts import split
from gateway.ledger.proof import key_files
from gateway.recall.selecting.jobs import of_ids
from gateway.recall.selecting.select import JOBS, look_up
from gateway.storage.port import Store
from gateway.storage.recall.recalls import recall, recall_job, work
from gateway.storage.store import open_store, open_to_read
from tests import configured
from tests.faults.changes import Scene, message
from tests.faults.department import POLICIES
from tests.ledgers import ledger_on
from tests.recall.receiving import Recipient
from tests.services import postgres

ANSWERS_OF_ONE = 2
"""Disclosures about each organisation, to different recipients."""
LOOKED_UP_WITHIN = 2.0
LIMITS = {"deadline": "1s", "patience": "4s"}
PATIENCE = 900.0
_WORKER = b"gateway.recall.worker"


class Found(msgspec.Struct):
    """What a run found, as it is printed."""

    disclosures: int = 0
    corrected: int = 0
    selected: int = 0
    delivered: int = 0
    doubled: int = 0
    missed: int = 0
    again: int = 0
    kills: int = 0
    seconds: float = 0.0
    selection_seconds: float = 0.0
    inquiries: int = 0
    failed: int = 0
    p99_ms: float = 0.0
    control_p99_ms: float = 0.0

    @property
    def sound(self) -> bool:
        wrong = self.doubled + self.missed + self.failed
        return self.selected > 0 and not wrong and self.selection_seconds < LOOKED_UP_WITHIN


class Size(msgspec.Struct):
    """How much of it there is."""

    disclosures: int = 100_000
    recipients: int = 50
    corrected: int = 10_000
    messages: int = 10
    alone: float = 10.0
    """Seconds that inquiries are timed before the first report."""
    pause: float = 0.02
    """Seconds between two of them."""
    leases: bool = True
    """Whether what the killed one had is waited for as long as it was leased; else the leases are ended, as by time."""


def recipients(folder: Path, receiver: Recipient, number: int) -> Path:
    """The shipped policies with so many recipients more, all told at one receiver; gives their folder."""
    shutil.copytree(POLICIES, policies := folder / "policies")
    configured.secret(policies / "recalls.secret", f"whsec_{base64.b64encode(bytes(32)).decode()}\n")
    lines = [
        f"""
  - issuer: login
    client: recipient-{at}
    title: Recipient {at}
    department: market
    roles: [department]
    recalls: {{url: "{receiver.url}", secret_file: recalls.secret}}
    grants:
      - purpose: TENDER_QUALIFICATION
        datasets: [tax-arrears]
        from: 2026-01-01
        until: 2099-12-31
        agreed_by: A trial
"""
        for at in range(number)
    ]
    with (policies / "requesters.yaml").open("a", encoding="utf-8") as file:
        file.writelines(lines)
    _asked_without_end(policies / "purposes.yaml")
    return policies


def _asked_without_end(purposes: Path) -> None:
    """Whoever inquires all the time asks about more subjects than one official may: here nobody counts them."""
    before, found, after = purposes.read_text(encoding="utf-8").partition("\nLICENCE_RENEWAL:\n")
    assert found, "the purpose of those inquiries is gone"
    purposes.write_text(
        f"{before}{found}  quotas: {{unlimited: A trial asks as fast as it can.}}\n{after}", encoding="utf-8"
    )


async def disclose(store: Store, folder: Path, issuer: str, size: Size) -> None:
    """Enter what was disclosed before: each organisation's record to some of the recipients."""
    ledger = ledger_on(store, key_files.load(folder / "ledger.key"), configured.ORIGIN)
    await ledger.start()
    now = datetime.datetime.now(datetime.UTC)

    async def one(number: int) -> None:
        subject, client = number // ANSWERS_OF_ONE, f"recipient-{number * 7 % size.recipients}"
        record = f"tax-arrears/N-{subject}@1"
        told = entries.Inquiry(
            entries.VERSION, f"before-{number}", now, entries.Who(issuer, client, "market"), None,
            entries.Declared("TENDER_QUALIFICATION"), "5ec0de",
            [entries.Duty("d", "delete-by", {"date": "2099-12-31"})],
            [entries.Disclosed("organisation", "LEI", organisation(subject).lei,
                               [entries.Dataset("tax-arrears", ("amount", "period"), [record])])],
        )  # fmt: skip
        parts = split(told, entries.Oversight(entries.VERSION, "m.ivanova", 0))
        await ledger.append(parts.told, parts.oversight, now, (issuer, client), (), parts.subjects)

    try:
        for start in range(0, size.disclosures, 500):
            await asyncio.gather(*(one(n) for n in range(start, min(start + 500, size.disclosures))))
    finally:
        await ledger.close()


class Trial:
    """The gateway, what it is asked, and what its recipients receive."""

    def __init__(self, scene: Scene, receiver: Recipient, size: Size, url: str) -> None:
        self._scene, self.told, self._size, self._url = scene, receiver.taken, size, url
        self.found = Found(size.disclosures, size.corrected)
        self._expected = size.corrected * ANSWERS_OF_ONE

    async def run(self) -> None:
        scene, size = self._scene, self._size
        inquiring = asyncio.create_task(scene.inquire(size.pause))
        await asyncio.sleep(size.alone)
        control, scene.times = scene.times, []
        began = time.monotonic()
        killing = asyncio.create_task(self._kill())
        for n in range(size.messages):
            await scene.until_taken(message(range(n, size.corrected, size.messages), always="corrected"), f"msg_{n}")
        await _until(lambda: len(self._ids()) >= self._expected)
        self.found.seconds = round(time.monotonic() - began, 1)
        await killing
        inquiring.cancel()
        await asyncio.gather(inquiring, return_exceptions=True)
        self.found.inquiries, self.found.failed = scene.found.inquiries, scene.found.failed
        self.found.control_p99_ms, self.found.p99_ms = (_p99(times) for times in (control, scene.times))

    def _ids(self) -> Counter[str]:
        """Of which recalls messages came, and how many."""
        return Counter(headers["webhook-id"] for headers, _ in list(self.told))

    async def _kill(self) -> None:
        """In the middle of it: whoever recalls, and one of those who serve."""
        await _until(lambda: len(self._ids()) * 3 >= self._expected)
        recalling = [pid for pid in self._scene.processes() if _runs(pid, _WORKER)]
        for victim in [*recalling, self._scene.workers()[0]]:
            os.kill(victim, signal.SIGKILL)
            self.found.kills += 1
            print(f"killed {victim}", file=sys.stderr)
        if not self._size.leases:
            await asyncio.to_thread(self._end_leases)
        await _until(lambda: self._again(set(recalling)))

    def _again(self, gone: set[int]) -> bool:
        return any(_runs(pid, _WORKER) for pid in self._scene.processes() if pid not in gone)

    def _end_leases(self) -> None:
        with contextlib.closing(open_store(self._url, single_node=True)) as store, store.engine.begin() as connection:
            connection.execute(update(work).where(work.c.lease > 0).values(due=1, lease=1))

    def judge(self, store: Store) -> None:
        """Hold the recalls and the messages to what was disclosed."""
        told, of = self._ids(), Counter[tuple[int, str]]()
        with store.engine.connect() as connection:
            for id_, place, records in connection.execute(select(recall.c.id, recall.c.place, recall.c.records)):
                self.found.selected += 1
                self.found.delivered += id_ in told
                of.update((place, each["record"]) for each in json.loads(records))
            jobs = list(connection.execute(select(recall_job.c.id)).scalars())
            placed = connection.execute(select(func.count(recall.c.place.distinct()))).scalar_one()
        self.found.doubled = of.total() - len(of)
        self.found.again = told.total() - len(told)
        self.found.missed = abs(self._expected - placed) + self.found.selected - self.found.delivered
        self.found.selection_seconds = round(looked_up(store, jobs, self._expected), 2)


def looked_up(store: Store, ids: list[str], expected: int) -> float:
    """The seconds that the looking up of all jobs takes, as the turns do it."""
    with store.engine.connect() as connection, contextlib.closing(store.reader()) as reader:
        jobs = of_ids(connection, ids)
        began, found = time.monotonic(), 0
        for start in range(0, len(jobs), JOBS):
            found += len(look_up(reader, connection, jobs[start : start + JOBS]))
        took = time.monotonic() - began
    assert found == expected, (found, expected)
    return took


async def _until(reached: Callable[[], bool]) -> None:
    """Wait for what takes long, on a machine that others use too."""
    async with asyncio.timeout(PATIENCE):
        while True:
            if reached():
                return
            await asyncio.sleep(0.5)


def _p99(times: list[float]) -> float:
    several = sorted(times) or [0.0]
    return round(several[int(len(several) * 0.99)] * 1e3, 1)


def _runs(pid: int, module: bytes) -> bool:
    try:
        return module in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def run(size: Size, store: str, folder: Path) -> tuple[Found, Trial]:
    """One run, and what it was made of; `store` is `sqlite` or `postgresql`."""
    with contextlib.ExitStack() as stack:
        url = f"sqlite:///{folder / 'ledger.db'}"
        if store == "postgresql":
            server = stack.enter_context(postgres(fsync="on"))
            url = server.url(server.database())
        guard = Guard()
        stack.callback(guard.close)
        receiver = Recipient()
        stack.callback(receiver.close)
        policies = recipients(folder, receiver, size.recipients)
        more: Mapping[str, Any] = {
            "policies": str(policies), "limits": LIMITS, "webhooks": {"networks": ["127.0.0.0/8"]},
        }  # fmt: skip
        scene = Scene(folder, url, guard, more)
        with contextlib.closing(open_store(url, single_node=True)) as opened:
            asyncio.run(disclose(opened, folder, scene.issuer.url, size))
        trial = Trial(scene, receiver, size, url)
        stack.callback(scene.stop)
        scene.start()
        asyncio.run(trial.run())
        with contextlib.closing(open_to_read(url)) as opened:
            trial.judge(opened)
        return trial.found, trial


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.recall", description=(__doc__ or "").splitlines()[0])
    usual = Size()
    parser.add_argument("--disclosures", type=int, default=usual.disclosures, metavar="N")
    parser.add_argument("--recipients", type=int, default=usual.recipients, metavar="N")
    parser.add_argument("--corrected", type=int, default=usual.corrected, metavar="N")
    parser.add_argument("--store", choices=["sqlite", "postgresql"], default="sqlite")
    asked = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended then, too
    with tempfile.TemporaryDirectory(prefix="dutybound-recall-") as folder:
        found, _ = run(Size(asked.disclosures, asked.recipients, asked.corrected), asked.store, Path(folder))
    print(msgspec.json.encode(found).decode())
    return 0 if found.sound else 1


if __name__ == "__main__":
    sys.exit(main())
