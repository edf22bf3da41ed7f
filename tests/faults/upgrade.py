"""Two versions beside each other on one PostgreSQL, while one takes the other's place: no inquiry fails.

    python -m tests.faults.upgrade [--before REVISION] [--inquiries 100]

The version before is its own code, of the history, in a virtual environment of its own: the last tag, if it has the
tables of today, or else the first commit that has them. A version refuses a store of a later step, so where the step
changed, gateways are stopped to upgrade (`dutybound store migrate --plan`). Real are both gateways, of two workers
each, the server and the signatures. Inquiries go to the version before, then to both in turn, then to the new one, as a
load balancer sends them; the version before is stopped only then.

Prints one line of JSON, and exits with 1 where an inquiry failed or had no answer, one has no entry, or the ledger is
not whole.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import re
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

import httpx
import msgspec

from deploy.demo.guard import Guard
from deploy.demo.processes import Child
from gateway.errors import VerificationFailed
from gateway.ledger.proof import key_files
from gateway.ledger.stored import read
from gateway.ledger.verify.store import verify_store
from gateway.storage import schema
from gateway.storage.store import open_to_read
from tests import configured
from tests.docs.reading import ROOT
from tests.faults.changes import Scene
from tests.ports import free_port
from tests.services import postgres
from tests.waiting import until_async

AT_ONCE = 3
"""Inquiries that are under way at a time."""


class Found(msgspec.Struct):
    """What a run found, as it is printed. `both` are inquiries while both versions served."""

    before: str
    step: str
    inquiries: int = 0
    both: int = 0
    failed: int = 0
    unanswered: int = 0
    shards: int = 0
    entries: int = 0
    whole: bool = False
    seconds: float = 0.0

    @property
    def sound(self) -> bool:
        wrong = self.failed + self.unanswered
        return self.whole and self.both > 0 and not wrong and self.entries >= self.inquiries and self.shards >= 4


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=True).stdout


def version_before() -> str:
    """The last tag, if it has the tables of today; or else the first commit that has them."""
    tags = _git("tag", "--merged", "HEAD~1", "--sort=-creatordate").decode().split()
    if tags and _step(_git("show", f"{tags[0]}:gateway/storage/schema.py").decode()) == schema.LATEST:
        return tags[0]
    found = _git("log", f'-SLATEST = "{schema.LATEST}"', "--format=%H", "--", "gateway/storage/schema.py").decode()
    assert found, f"no commit has the tables of step {schema.LATEST}: commit it, or fetch all of the history"
    return found.split()[-1]


def _step(text: str) -> str:
    return re.findall(r'^LATEST = "(\d+)"', text, re.M)[0]


def installed(revision: str, folder: Path) -> list[str]:
    """Install a version apart from this one; how its Python is called."""
    tree, environment = folder / "tree", folder / "environment"
    tree.mkdir(parents=True)
    subprocess.run(["tar", "-x", "-C", tree], input=_git("archive", revision), check=True)
    step = _step((tree / "gateway" / "storage" / "schema.py").read_text("utf-8"))
    assert step == schema.LATEST, f"{revision} has step {step}, this one {schema.LATEST}: they never serve together"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    [packages] = environment.glob("lib/python*/site-packages")
    # Its own code first; then the packages of this environment, without what their `.pth` would add: this code.
    (packages / "before.pth").write_text(f"{tree}\n{sysconfig.get_paths()['purelib']}\n")
    python = [str(environment / "bin" / "python"), "-P"]
    asked = [*python, "-c", "import gateway; print(gateway.__file__)"]
    where = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    assert Path(where).is_relative_to(tree), where
    return python


async def _inquire(scene: Scene, many: int) -> None:
    """Have so many more inquiries answered, or left without an answer."""
    wanted = scene.found.inquiries + scene.unanswered + many
    await until_async("inquiries to be answered", lambda: scene.found.inquiries + scene.unanswered >= wanted)


async def _upgrade(scene: Scene, newer: Child, port: int, found: Found, many: int) -> None:
    """Load all the time: the version before, both, the new one."""
    url = f"http://127.0.0.1:{port}"
    load = [asyncio.create_task(scene.inquire()) for _ in range(AT_ONCE)]
    await _inquire(scene, many)
    await asyncio.to_thread(newer.start)
    await asyncio.to_thread(newer.ready, port=port)
    ready = f"{url}/health/ready"
    await until_async("the new version to be ready", lambda: httpx.get(ready).status_code == 200)
    alone = scene.found.inquiries
    scene.at = [scene.url, url]
    await _inquire(scene, many)
    scene.at = [url]
    found.both = scene.found.inquiries - alone
    await _inquire(scene, 2 * AT_ONCE)  # whatever went to the version before is answered by then
    await asyncio.to_thread(scene.rest)
    await _inquire(scene, many)
    for each in load:
        each.cancel()
    await asyncio.gather(*load, return_exceptions=True)


def run(folder: Path, before: str, many: int) -> Found:
    """Upgrade once."""
    found, began = Found(before, schema.LATEST), time.monotonic()
    with contextlib.ExitStack() as stack:
        python = installed(before, folder / "before")
        server = stack.enter_context(postgres(fsync="on"))
        url = server.url(server.database())
        guard = Guard()
        stack.callback(guard.close)
        scene = Scene(folder, url, guard, python=python)
        port = free_port()
        command = [
            sys.executable,
            "-m",
            "gateway.cli",
            "serve",
            "--config",
            str(folder / "gateway.yaml"),
            "--workers",
            "2",
        ]
        newer = Child("newer", command, folder, guard, {"DUTYBOUND_LISTEN": f"127.0.0.1:{port}"})
        stack.callback(newer.stop)
        stack.callback(scene.stop)
        scene.start()
        asyncio.run(_upgrade(scene, newer, port, found, many))
        newer.stop()
        found.inquiries, found.failed, found.unanswered = scene.found.inquiries, scene.found.failed, scene.unanswered
        judge(found, url, folder)
    found.seconds = round(time.monotonic() - began, 1)
    return found


def judge(found: Found, url: str, folder: Path) -> None:
    """Hold the ledger to what was answered."""
    private = key_files.load(folder / "ledger.key")
    verifiers = key_files.verifiers(private, configured.ORIGIN, map(str, range(1, 65)))
    with contextlib.closing(open_to_read(url)) as store:
        try:
            verify_store(store, verifiers)
            found.whole = True
        except VerificationFailed as error:
            print(error, file=sys.stderr)
        with contextlib.closing(store.reader()) as reader:
            sizes = [head.size for head in read.heads(reader) if head.name.isdecimal()]
    found.shards, found.entries = len(sizes), sum(sizes)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.upgrade", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--before", metavar="REVISION", help="the version before (default: the last tag)")
    parser.add_argument("--inquiries", type=int, default=100, metavar="N", help="of each of the three parts")
    asked = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended then, too
    with tempfile.TemporaryDirectory(prefix="dutybound-upgrade-") as folder:
        found = run(Path(folder), asked.before or version_before(), asked.inquiries)
    print(msgspec.json.encode(found).decode())
    return 0 if found.sound else 1


if __name__ == "__main__":
    sys.exit(main())
