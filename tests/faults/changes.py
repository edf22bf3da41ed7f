"""A department's system reports many changes while workers are killed: none is lost, and none is entered twice.

    python -m tests.faults.changes --changes 10000 --messages 10 --kills 3 --store sqlite|postgresql

Real are the gateway's processes, the network (loopback), the signatures and the store. The system sends each message
again until it is taken, as senders of Standard Webhooks do; a worker that serves is killed whenever so many changes
stand. Somebody inquires meanwhile, all the time, and before. Prints one line of JSON, and exits with 1 where a change
was lost or doubled, a number of facts used twice or skipped, an answer was another one when its message came again, an
inquiry failed, or the store is not whole.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import functools
import hashlib
import hmac
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import msgspec
from sqlalchemy import func, select

from deploy.demo.guard import Guard
from deploy.demo.organisations import organisation
from deploy.demo.processes import Child, descendants
from gateway.catalogue.load import load
from gateway.errors import VerificationFailed
from gateway.ledger.entry import entries
from gateway.ledger.proof import key_files
from gateway.ledger.stored import read
from gateway.ledger.verify.store import verify_store
from gateway.storage.store import open_store, open_to_read
from gateway.storage.subjects.acts import matter
from gateway.storage.subjects.facts import fact, fact_head
from tests import configured
from tests.faults.department import POLICIES
from tests.inquiry.issuer import TestIssuer
from tests.ports import free_port
from tests.services import postgres
from tests.waiting import until, until_async

SECRET = b"a secret of the tax service, only"
ALONE = 3.0
"""Seconds that inquiries are timed before the first change."""
PATIENCE = 600.0
ASKED = """query($id: IdentifierInput!) @inquiry(purpose: LICENCE_RENEWAL) { organisation(id: $id) { name } }"""


class Found(msgspec.Struct):
    """What a run found, as it is printed. Times of inquiries are medians."""

    changes: int = 0
    entries: int = 0
    lost: int = 0
    doubled: int = 0
    numbers_wrong: int = 0
    told_otherwise: int = 0
    kills: int = 0
    sent: int = 0
    inquiries: int = 0
    failed: int = 0
    broken: int = 0
    alone_ms: float = 0.0
    beside_ms: float = 0.0
    seconds: float = 0.0

    @property
    def sound(self) -> bool:
        wrong = self.lost + self.doubled + self.numbers_wrong + self.told_otherwise + self.failed + self.broken
        return self.changes > 0 and not wrong


class Scene:
    """A gateway of two workers, its issuer, a department's system, somebody who inquires, and who kills."""

    def __init__(
        self,
        folder: Path,
        url: str,
        guard: Guard,
        more: Mapping[str, Any] | None = None,
        python: Sequence[str] = (sys.executable,),
    ) -> None:
        self.found, self.issuer, self._port = Found(), TestIssuer(), free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        configured.secret(folder / "tax.hook", f"whsec_{base64.b64encode(SECRET).decode()}\n")
        (folder / "sources.yaml").write_text(json.dumps(_sources()))
        registry = {"kind": "case-rest", "url": "http://127.0.0.1:9"}
        config = configured.write(
            folder,
            listen=f"127.0.0.1:{self._port}",
            public_url=self.url,
            store=url,
            durability="single-node",
            oauth={"issuers": [{"issuer": self.issuer.url, "name": "login"}]},
            case_registries={"market": registry, "courts": registry},
            **{"policies": str(POLICIES), **(more or {})},
        )
        key_files.generate(folder / "ledger.key")
        command = [*python, "-m", "gateway.cli", "serve", "--config", str(config), "--workers", "2"]
        self._gateway, self.times = Child("gateway", command, folder, guard), list[float]()
        self._inquirer = self.unanswered = 0
        self.at = [self.url]

    def start(self) -> None:
        self._gateway.start()
        self._gateway.ready(port=self._port)
        until("the gateway to be ready", lambda: httpx.get(f"{self.url}/health/ready").status_code == 200)

    def rest(self) -> None:
        """Stop the gateway; `start` starts it again."""
        self._gateway.stop()

    def stop(self) -> None:
        self.rest()
        self.issuer.close()

    def workers(self) -> list[int]:
        """The processes that serve."""
        return [pid for pid in self.processes() if pid != self._gateway.pid and not _beside(pid)]

    def processes(self) -> list[int]:
        """All of the gateway's."""
        return list(descendants(self._gateway.pid))

    def _replaced(self, gone: int) -> bool:
        now = self.workers()
        return gone not in now and len(now) == 2

    async def run(
        self, url: str, changes: int, messages: int, kills: int, chance: random.Random, alone_for: float = ALONE
    ) -> None:
        inquiring = asyncio.create_task(self.inquire())
        await asyncio.sleep(alone_for)
        alone, self.times = self.times, []
        began = time.monotonic()
        killing = asyncio.create_task(self._kill(url, sorted(chance.sample(range(1, changes), kills))))
        bodies = [message(range(n, changes, messages)) for n in range(messages)]
        answers = [await self.until_taken(body, f"msg_{n}") for n, body in enumerate(bodies)]
        self.found.seconds = round(time.monotonic() - began, 1)
        await killing
        inquiring.cancel()
        await asyncio.gather(inquiring, return_exceptions=True)
        for n, body in enumerate(bodies):
            self.found.told_otherwise += await self.until_taken(body, f"msg_{n}") != answers[n]
        self.found.alone_ms, self.found.beside_ms = (
            round(statistics.median(times or [0.0]) * 1e3, 1) for times in (alone, self.times)
        )
        self.found.changes = sum("act" in each for answer in answers for each in answer)

    async def until_taken(self, body: bytes, id_: str) -> list[dict[str, Any]]:
        """Send a message until it is; what became of its items."""
        async with asyncio.timeout(PATIENCE):
            while True:
                self.found.sent += 1
                with contextlib.suppress(httpx.TransportError):
                    async with httpx.AsyncClient(timeout=PATIENCE) as http:
                        answer = await http.post(
                            f"{self.url}/hooks/changes/tax", content=body, headers=_signed(body, id_)
                        )
                    if answer.status_code == 202:
                        items: list[dict[str, Any]] = answer.json()["items"]
                        return items
                    print(f"{answer.status_code} {answer.text}", file=sys.stderr)
                await asyncio.sleep(0.2)

    async def _kill(self, url: str, when: list[int]) -> None:
        with contextlib.closing(open_to_read(url)) as store:
            for changes in when:
                query = select(func.count()).select_from(matter)
                while True:
                    with store.engine.connect() as connection:
                        if connection.execute(query).scalar_one() >= changes:
                            break
                    await asyncio.sleep(0.01)
                victim = random.choice(self.workers())
                os.kill(victim, signal.SIGKILL)
                self.found.kills += 1
                print(f"killed {victim} at {changes}", file=sys.stderr)
                await until_async("another worker", functools.partial(self._replaced, victim))

    async def inquire(self, pause: float = 0.02) -> None:
        """One inquiry after the other, `pause` seconds between, each about another organisation, at each of `at` in
        turn; of a killed worker there is no answer (`unanswered`)."""
        while True:
            self._inquirer += 1
            token = self.issuer.token(
                aud=self.url, client_id="environment-agency", sub=f"e.lind.{self._inquirer // 500}", scope="inquire"
            )
            subject = {"scheme": "LEI", "value": organisation(500_000 + self._inquirer).lei}
            began = time.monotonic()
            try:
                async with httpx.AsyncClient(timeout=PATIENCE) as http:
                    answer = await http.post(
                        f"{self.at[self._inquirer % len(self.at)]}/graphql",
                        json={"query": ASKED, "variables": {"id": subject}},
                        headers={
                            "authorization": token.decode(),
                            "accept": "application/graphql-response+json",
                        },
                    )
            except httpx.TransportError:
                self.unanswered += 1
            else:
                self.times.append(time.monotonic() - began)
                self.found.inquiries += 1
                if answer.status_code != 200 or "receipt" not in answer.text:
                    self.found.failed += 1
                    print(f"{answer.status_code} {answer.text}", file=sys.stderr)
            await asyncio.sleep(pause)


def _sources() -> dict[str, Any]:
    """`sources.yaml`: departments that nobody hears from, and the one that reports changes."""
    departments: dict[str, Any] = {}
    about = {"id": "id", "version": "version", "document": "document", "effective": "effective"}
    for dataset in load(POLICIES, []).published.values():
        entry = departments.setdefault(
            dataset.department, {"kind": "rest", "base_url": "http://127.0.0.1:9", "datasets": {}}
        )
        entry["datasets"][dataset.id] = {
            "path": f"/{dataset.id}/{{scheme}}/{{value}}",
            "records": "items",
            "record": {**about, "subject": {"scheme": "scheme", "value": "subject"}},
            "fields": {field: field for field in dataset.fields},
        }
    departments["tax"]["changes"] = {"secret_file": "tax.hook", "changes_an_hour": 1_000_000}
    return {"departments": departments}


def message(numbers: range, always: str = "") -> bytes:
    """Changes, by number: each of another organisation's record."""
    items = [
        {
            "subject": {"scheme": "LEI", "value": organisation(n).lei},
            "dataset": "tax-arrears",
            "record": f"N-{n}",
            "version": "1",
            "event": always or ("corrected" if n % 2 else "withdrawn"),
            "reason": f"change {n}",
            **({"newVersion": "2"} if n % 2 or always == "corrected" else {}),
        }
        for n in numbers
    ]
    return json.dumps({"type": "records.changed", "timestamp": "2026-11-24T09:30:00Z", "data": items}).encode()


def _signed(body: bytes, id_: str) -> dict[str, str]:
    stamp = str(int(time.time()))
    signature = hmac.digest(SECRET, f"{id_}.{stamp}.".encode() + body, hashlib.sha256)
    return {
        "webhook-id": id_,
        "webhook-timestamp": stamp,
        "webhook-signature": "v1," + base64.b64encode(signature).decode(),
    }


def _beside(pid: int) -> bool:
    """Whether a process is beside those that serve."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        return any(each in command for each in (b"gateway.ledger.projections.worker", b"gateway.recall.worker"))
    except OSError:
        return False


def judge(found: Found, url: str, folder: Path, changes: int) -> None:
    """Hold what stands to what was sent."""
    private = key_files.load(folder / "ledger.key")
    verifiers = key_files.verifiers(private, configured.ORIGIN, map(str, range(1, 65)))
    entered: Counter[str] = Counter()
    with contextlib.closing(open_store(url)) as store:
        try:
            verify_store(store, verifiers)
        except VerificationFailed as error:
            print(error, file=sys.stderr)
            found.broken += 1
        with contextlib.closing(store.reader()) as reader:
            for head in read.heads(reader):
                for each in read.read_entries(reader, head.id, 0, head.size):
                    told = each.read_told() if each.told is not None else None
                    if isinstance(told, entries.Acted) and told.what != "rules-activated":
                        entered[told.reason] += 1
        with store.engine.connect() as connection:
            reported = connection.execute(select(func.count()).select_from(matter)).scalar_one()
            last = connection.execute(select(fact_head.c.change)).scalar_one()
            numbers = [*connection.execute(select(fact.c.change)).scalars()]
            numbers += connection.execute(select(fact.c.ended).where(fact.c.ended.is_not(None))).scalars()
    found.entries = entered.total()
    found.lost = sum(entered[f"change {n}"] == 0 for n in range(changes)) + abs(changes - reported)
    found.doubled = found.entries - len(entered)
    found.numbers_wrong = len(set(range(1, last + 1)) ^ set(numbers)) + len(numbers) - len(set(numbers))


def run(
    changes: int, messages: int, kills: int, store: str, folder: Path, seed: int, alone_for: float = ALONE
) -> Found:
    """One run; `store` is `sqlite` or `postgresql`. Inquiries are timed so many seconds before."""
    with contextlib.ExitStack() as stack:
        url = f"sqlite:///{folder / 'ledger.db'}"
        if store == "postgresql":
            server = stack.enter_context(postgres(fsync="on"))
            url = server.url(server.database())
        guard = Guard()
        stack.callback(guard.close)
        scene = Scene(folder, url, guard)
        with _served(scene):
            asyncio.run(scene.run(url, changes, messages, kills, random.Random(seed), alone_for))
        judge(scene.found, url, folder, changes)
        return scene.found


@contextlib.contextmanager
def _served(scene: Scene) -> Iterator[None]:
    try:
        scene.start()
        yield
    finally:
        scene.stop()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.changes", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--changes", type=int, default=10_000, metavar="N")
    parser.add_argument("--messages", type=int, default=10, metavar="N")
    parser.add_argument("--kills", type=int, default=3, metavar="N")
    parser.add_argument("--store", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--seed", type=int, default=None, help="of the random moments (default: another each time)")
    asked = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended then, too
    seed = random.randrange(1 << 32) if asked.seed is None else asked.seed
    print(f"seed {seed}", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="dutybound-faults-") as folder:
        found = run(asked.changes, asked.messages, asked.kills, asked.store, Path(folder), seed)
    print(msgspec.json.encode(found).decode())
    return 0 if found.sound else 1


if __name__ == "__main__":
    sys.exit(main())
