"""A restore, from the backup to the last recall: the store is lost, put back, and what it lacks is named and repeated.

    python -m tests.faults.drill --store sqlite|postgresql --key file|service

Real are the gateway's processes, the network (loopback), the store, PostgreSQL's programs and the commands, as people
type them. Recipients have records of a department that corrects them, and take no message yet; then the backup is made,
while somebody inquires. Inquiries go on, and a subject is erased. The store is lost. A restore without the ledger's key
is refused. Then it is restored, the erasure repeated by its receipt, and the gateway started: it goes on in
other shards, whose first entry names the gaps, and sends the recipients what they did not take.

The store is sealed by a key in a file, or by one that a key service unwraps. It is away three times: while the gateway
serves, which goes on; then a restore and a start are refused, say so, and succeed once it is back.

Prints one line of JSON, and exits with 1 unless `whole` is true and nothing is lost: `gaps` are the shards with less
than was published, `named` those that another shard's first entry names, `missing` the entries in them. `readable` keys
of the erased subject are left, and `untold` recalls were not delivered. `served_without_key` inquiries were answered
while the store's key was away.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import os
import re
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import func, select

from deploy.demo.guard import Guard
from deploy.demo.organisations import organisation
from gateway import cli
from gateway.config import store_key
from gateway.config.store_key import StoreKey
from gateway.storage import destruction
from gateway.storage.recall.recalls import recall, recall_job
from gateway.storage.sealing import key_file
from gateway.storage.store import Store, open_store, open_to_read
from tests.faults.changes import Scene, message
from tests.faults.recall import ANSWERS_OF_ONE, LIMITS, Size, disclose, recipients
from tests.recall.receiving import Recipient
from tests.services import PROGRAMS, Postgres, postgres
from tests.storage.sealing.kms import Kms
from tests.storage.sealing.test_outside import by_kms
from tests.waiting import until_async

ERASED = organisation(500_001).lei
"""The first organisation that is asked about."""


class DrillError(Exception):
    """What the drill cannot go on after."""


class Found(msgspec.Struct):
    """What a run found, as it is printed."""

    store: str
    key: str
    inquiries: int = 0
    failed: int = 0
    recalls: int = 0
    untold: int = 0
    gaps: int = 0
    missing: int = 0
    named: int = 0
    readable: int = 0
    key_away_named: bool = False
    store_key_away_named: bool = False
    served_without_key: int = 0
    whole: bool = False
    restore_seconds: float = 0.0
    seconds: float = 0.0

    @property
    def sound(self) -> bool:
        lost = self.failed + self.untold + self.readable + self.gaps - self.named
        named = self.key_away_named and self.store_key_away_named
        return self.whole and named and min(self.served_without_key, self.gaps, self.recalls) > 0 and not lost


class StoreKeyFile:
    """The key of the store in a file of a folder."""

    def __init__(self, folder: Path) -> None:
        self.key: StoreKey = folder / "store.key"
        self._file, self._away = folder / "store.key", folder / "store.key.away"
        key_file.generate(self._file)
        self.setting: dict[str, Any] = {"store_key_file": "store.key"}

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Nobody has the key meanwhile."""
        self._file.rename(self._away)
        try:
            yield
        finally:
            self._away.rename(self._file)

    def close(self) -> None:
        """Nothing runs."""


class StoreKeyService:
    """The key of the store as a key service unwraps it: a folder has it wrapped, and the command that asks."""

    def __init__(self, folder: Path) -> None:
        self._kms = Kms()
        key_file.generate(folder / "store.key")
        self._kms.wrap(folder / "store.key")
        command = by_kms(folder, self._kms)
        self.key: StoreKey = command
        self.setting: dict[str, Any] = {"store_key_command": list(command.words)}

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """The service answers nobody meanwhile."""
        self._kms.away = True
        try:
            yield
        finally:
            self._kms.away = False

    def close(self) -> None:
        """End the service."""
        self._kms.close()


KEYS: dict[str, type[StoreKeyFile] | type[StoreKeyService]] = {"file": StoreKeyFile, "service": StoreKeyService}
AWAY = "the key of the store is missing. Nothing was changed"


class Drill:
    """The gateway, the people who operate it, and where the store is."""

    def __init__(
        self,
        folder: Path,
        url: str,
        scene: Scene,
        receiver: Recipient,
        server: Postgres | None,
        key: StoreKeyFile | StoreKeyService,
    ) -> None:
        self.folder, self.url, self.scene, self.receiver, self._server = folder, url, scene, receiver, server
        self.config, self.key = folder / "gateway.yaml", key
        kind = next(name for name, each in KEYS.items() if isinstance(key, each))
        self.found = Found("postgresql" if server is not None else "sqlite", kind)

    async def before(self, corrected: int) -> Path:
        """Serve, recall, back up, go on, and erase; gives the receipt of the erasure."""
        await self.inquire(3)
        answered = self.scene.found.inquiries
        with self.key.away():
            await self.inquire(3)
        self.found.served_without_key = self.scene.found.inquiries - answered
        self.receiver.usual = 503
        await self.scene.until_taken(message(range(corrected), always="corrected"), "msg_0")
        await until_async("the recalls to be selected", lambda: self.recalls() == corrected * ANSWERS_OF_ONE)
        inquiring = asyncio.create_task(self.scene.inquire())
        try:
            await asyncio.to_thread(self.run, "backup --out copy")
        finally:
            inquiring.cancel()
            await asyncio.gather(inquiring, return_exceptions=True)
        await self.inquire(3)
        asked = f"ledger erase request --subject LEI:{ERASED} --by 'C. Auditor' --reason 'judgment 7/2026'"
        said = await asyncio.to_thread(self.run, asked)
        id_ = re.findall(r"erasure (\w+)", said)[0]
        await until_async("whoever received it to be found", self._selected)
        await asyncio.to_thread(self.run, f"ledger erase approve {id_} --by 'B. Judge' --out erasure.receipt")
        return self.folder / "erasure.receipt"

    async def inquire(self, least: int) -> None:
        """Inquire until so many more were answered."""
        wanted = self.scene.found.inquiries + least
        inquiring = asyncio.create_task(self.scene.inquire())
        await until_async("inquiries to be answered", lambda: self.scene.found.inquiries >= wanted)
        inquiring.cancel()
        await asyncio.gather(inquiring, return_exceptions=True)

    def lose(self) -> None:
        """The disk of the store is gone; the gateway ends."""
        self.scene.rest()
        if self._server is not None:
            self._server.empty(self.url.rpartition("/")[2])
            return
        for each in self.folder.glob("ledger.db*"):
            each.unlink()

    def restore(self, receipt: Path) -> None:
        """Put the backup back, first without a key, and repeat the erasure."""
        key, away = self.folder / "ledger.key", self.folder / "away"
        key.rename(away)
        status, said = self._ran("restore copy")
        self.found.key_away_named = status == 1 and "needs the key `ledger.key_file`" in said
        away.rename(key)
        with self.key.away():
            status, said = self._ran("restore copy")
        restore_refused = status == 1 and (AWAY in said or "needs the key `store_key_file`" in said)
        began = time.monotonic()
        said = self.run("restore copy")
        self.found.restore_seconds = round(time.monotonic() - began, 2)
        gaps = re.findall(r"^gap: \S+/(\S+) has (\d+) entr(?:y|ies), and (\d+) were published", said, re.M)
        self.found.gaps = len(gaps)
        self.found.missing = sum(int(published) - int(there) for _, there, published in gaps)
        self.run(f"ledger erase again --receipt {receipt} --by 'B. Judge'")
        with self.key.away():
            status, said = self._ran("serve")
        self.found.store_key_away_named = restore_refused and status == 1 and AWAY in said

    async def after(self) -> None:
        """Serve again, until every recall was told."""
        told, self.receiver.taken = self.receiver.taken, []
        print(f"{len(told)} messages were refused before", file=sys.stderr)
        self.receiver.usual = 204
        self.scene.start()
        await self.inquire(3)
        self.found.recalls = self.recalls()
        with contextlib.suppress(AssertionError):
            await until_async("the recipients to be told", lambda: len(set(self.receiver.ids)) >= self.found.recalls)
        self.found.untold = self.found.recalls - len(set(self.receiver.ids))

    def judge(self) -> None:
        """Hold what stands to what was entered."""
        self.found.inquiries, self.found.failed = self.scene.found.inquiries, self.scene.found.failed
        status, said = self._ran("ledger verify")
        self.found.whole = status == 0
        self.found.named = len(re.findall(r"^sealed: ", said, re.M))
        if status:
            print(said, file=sys.stderr)
        with self._reading() as store:
            self.found.readable = len(destruction.keys_of(store.engine, "LEI", ERASED))

    def recalls(self) -> int:
        """The recalls of corrected records."""
        with self._reading() as store, store.engine.connect() as connection:
            return int(connection.execute(select(func.count()).select_from(recall)).scalar_one())

    def _selected(self) -> bool:
        with self._reading() as store, store.engine.connect() as connection:
            states = connection.execute(select(recall_job.c.state).where(recall_job.c.cause == "erased")).scalars()
            return set(states) == {"selected"}

    def _reading(self) -> contextlib.closing[Store]:
        return contextlib.closing(open_to_read(self.url, key=self.key.key))

    def run(self, command: str) -> str:
        """Run a command that is to succeed; what it printed."""
        status, said = self._ran(command)
        if status:
            raise DrillError(f"`dutybound {command}`: {said}")
        return said

    def _ran(self, command: str) -> tuple[int, str]:
        store_key._held.clear()  # a command asks for the key anew
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            status = cli.main([*shlex.split(command), "--config", str(self.config)])
        print(f"dutybound {command}: {status}", file=sys.stderr)
        return status, said.getvalue()


@contextlib.contextmanager
def _at(folder: Path) -> Iterator[None]:
    """Commands are run in the folder, and find PostgreSQL's programs."""
    path = os.environ["PATH"]
    os.environ["PATH"] = f"{PROGRAMS}{os.pathsep}{path}"
    try:
        with contextlib.chdir(folder):
            yield
    finally:
        os.environ["PATH"] = path


def _unwatched(watch: Path) -> None:
    """Nothing is found about who inquires: an open review keeps its subject from being erased."""
    detectors = re.findall(r"^([a-z-]+):", watch.read_text("utf-8"), re.M)
    watch.write_text("".join(f"{each}: {{off: A drill asks at any hour.}}\n" for each in detectors), "utf-8")


def run(store: str, folder: Path, corrected: int = 20, key: str = "file") -> Found:
    """One drill; `store` is `sqlite` or `postgresql`, `key` one of `KEYS`."""
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        stack.enter_context(_at(folder))
        url, server = f"sqlite:///{folder / 'ledger.db'}", None
        if store == "postgresql":
            server = stack.enter_context(postgres(fsync="on"))
            url = server.url(server.database())
        guard = Guard()
        stack.callback(guard.close)
        receiver = Recipient()
        stack.callback(receiver.close)
        kept = KEYS[key](folder)
        stack.callback(kept.close)
        policies = recipients(folder, receiver, 2)
        _unwatched(policies / "watch.yaml")
        scene = Scene(folder, url, guard, {
            "policies": str(policies), "limits": LIMITS, "ledger": {"backups": "P35D"},
            "webhooks": {"networks": ["127.0.0.0/8"]}, **kept.setting,
        })  # fmt: skip
        with contextlib.closing(open_store(url, single_node=True, key=kept.key)) as opened:
            size = Size(disclosures=corrected * ANSWERS_OF_ONE, recipients=2, corrected=corrected)
            asyncio.run(disclose(opened, folder, scene.issuer.url, size))
        drill = Drill(folder, url, scene, receiver, server, kept)
        stack.callback(scene.stop)
        scene.start()
        receipt = asyncio.run(drill.before(corrected))
        drill.lose()
        drill.restore(receipt)
        asyncio.run(drill.after())
        scene.rest()
        drill.judge()
        drill.found.seconds = round(time.monotonic() - began, 1)
        return drill.found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.drill", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--store", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--key", choices=list(KEYS), default="file", help="where the key of the store is")
    parser.add_argument("--corrected", type=int, default=20, metavar="N", help="records that are corrected")
    asked = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended then, too
    with tempfile.TemporaryDirectory(prefix="dutybound-drill-") as folder:
        found = run(asked.store, Path(folder), asked.corrected, asked.key)
    print(msgspec.json.encode(found).decode())
    return 0 if found.sound else 1


if __name__ == "__main__":
    sys.exit(main())
