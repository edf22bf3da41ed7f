"""Two versions beside each other on one PostgreSQL, while one takes the other's place: no inquiry fails.

    python -m tests.faults.upgrade [--before REVISION] [--step] [--inquiries 100]

The version before is its own code, of the history, in a virtual environment of its own: the last tag, if it may serve
the tables of today, or else the first commit that has them. With `--step` the new version is this one with a further
step that only adds, invented here, and the version before is this one. Where the steps differ, the store is migrated by
the new version while the one before serves. Real are both gateways, of two workers each, the server and the signatures.
Inquiries go to the version before, then to both in turn, then to the new one, as a load balancer sends them; the
version before is stopped only then.

Prints one line of JSON, and exits with 1 where an inquiry failed or had no answer, one has no entry, or the ledger is
not whole.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import re
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import httpx
import msgspec
from sqlalchemy import create_engine

from deploy.demo.guard import Guard
from deploy.demo.processes import Child
from gateway.errors import VerificationFailed
from gateway.ledger.proof import key_files
from gateway.ledger.stored import read
from gateway.ledger.verify.store import verify_store
from gateway.storage import schema
from gateway.storage.migrations import planning
from gateway.storage.store import open_to_read
from tests import configured
from tests.docs.reading import ROOT
from tests.faults.changes import Scene
from tests.ports import free_port
from tests.services import postgres
from tests.waiting import until_async

Migrating = Callable[[], None]
AT_ONCE = 3
"""Inquiries that are under way at a time."""
PAUSE = 0.1
"""Seconds that each rests between two: a gateway starts meanwhile."""


class Found(msgspec.Struct):
    """What a run found, as it is printed. `both` are inquiries while both versions served."""

    before: str
    step: str
    to: str
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
    """The last tag, if it may serve the tables of today; or else the first commit that has them."""
    with create_engine("sqlite://").connect() as connection:
        steps = planning.scripts(planning.configured(connection))
    oldest = planning.readable_from((each.revision, each.module.additive) for each in steps)
    tags = _git("tag", "--merged", "HEAD~1", "--sort=-creatordate").decode().split()
    if tags and _step(_git("show", f"{tags[0]}:gateway/storage/schema.py").decode()) >= oldest:
        return tags[0]
    return first_of(schema.LATEST)


def first_of(step: str) -> str:
    """The first commit whose tables are of a step."""
    found = _git("log", f'-SLATEST = "{step}"', "--format=%H", "--", "gateway/storage/schema.py").decode()
    assert found, f"no commit has the tables of step {step}: commit it, or fetch all of the history"
    return found.split()[-1]


def _step(text: str) -> str:
    return str(re.findall(r'^LATEST = "(\d+)"', text, re.M)[0])


class Version(NamedTuple):
    """A version: how its Python is called, and the step of its tables."""

    python: list[str]
    step: str


THIS = Version([sys.executable], schema.LATEST)


def before_it(revision: str, folder: Path) -> Version:
    """A version of the history, installed apart from this one."""
    tree = folder / "tree"
    tree.mkdir(parents=True)
    subprocess.run(["tar", "-x", "-C", tree], input=_git("archive", revision), check=True)
    found = installed(folder)
    assert found.step >= planning.KEPT_SINCE, f"{revision} has step {found.step}: it serves no other than its own"
    return found


def after_it(folder: Path) -> Version:
    """This version with a step more, which gives the ledger's tables a column, installed apart from it."""
    tree, number = folder / "tree", f"{int(schema.LATEST) + 1:04}"
    tree.mkdir(parents=True)
    files = _git("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    compiled = [str(each.relative_to(ROOT)) for each in (ROOT / "gateway").rglob("__pycache__")]
    files += b"".join(f"{each}\0".encode() for each in compiled)  # of what is not altered, it need not be made again
    packed = subprocess.run(["tar", "-c", "--null", "-T", "-"], cwd=ROOT, input=files, capture_output=True, check=True)
    subprocess.run(["tar", "-x", "-C", tree], input=packed.stdout, check=True)
    storage = tree / "gateway" / "storage"
    known = (storage / "schema.py").read_text("utf-8")
    (storage / "schema.py").write_text(known.replace(f'LATEST = "{schema.LATEST}"', f'LATEST = "{number}"'), "utf-8")
    tables = ["shard", "entry", "entry_requester", "subtree", "subject_key", "fact"]
    (storage / "migrations" / "versions" / f"{number}_invented.py").write_text(
        INVENTED.format(number=number, before=schema.LATEST, tables=tables)
    )
    return installed(folder)


INVENTED = """\"\"\"A column more in tables of the ledger.\"\"\"

import sqlalchemy as sa
from alembic import op

revision = "{number}"
down_revision = "{before}"
additive = True


def upgrade() -> None:
    op.create_table("invented", sa.Column("id", sa.Integer, primary_key=True))
    for table in {tables}:
        op.add_column(table, sa.Column("invented", sa.Integer, nullable=False, server_default="7"))
"""


def installed(folder: Path) -> Version:
    """Install the version in `folder`'s tree."""
    tree, environment = folder / "tree", folder / "environment"
    step = _step((tree / "gateway" / "storage" / "schema.py").read_text("utf-8"))
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    [packages] = environment.glob("lib/python*/site-packages")
    # Its own code first; then the packages of this environment, without what their `.pth` would add: this code.
    (packages / "before.pth").write_text(f"{tree}\n{sysconfig.get_paths()['purelib']}\n")
    python = [str(environment / "bin" / "python"), "-P"]
    asked = [*python, "-c", "import gateway; print(gateway.__file__)"]
    where = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    assert Path(where).is_relative_to(tree), where
    return Version(python, step)


def migrate(newer: Version, folder: Path) -> None:
    """Bring the store along by the new version, while the one before serves it."""
    command = [*newer.python, "-m", "gateway.cli", "store", "migrate", "--config", str(folder / "gateway.yaml")]
    planned = subprocess.run([*command, "--plan"], cwd=folder, capture_output=True, text=True, check=True).stdout
    assert "migrate while gateways serve" in planned, planned
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


async def _inquire(scene: Scene, many: int) -> None:
    """Have so many more inquiries answered, or left without an answer."""
    wanted = scene.found.inquiries + scene.unanswered + many
    await until_async("inquiries to be answered", lambda: scene.found.inquiries + scene.unanswered >= wanted)


async def _upgrade(scene: Scene, newer: Child, port: int, found: Found, many: int, migrating: Migrating | None) -> None:
    """Load all the time: the version before, both, the new one."""
    url = f"http://127.0.0.1:{port}"
    load = [asyncio.create_task(scene.inquire(PAUSE)) for _ in range(AT_ONCE)]
    await _inquire(scene, many)
    if migrating is not None:
        await asyncio.to_thread(migrating)
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


def run(folder: Path, before: str | None, many: int, *, step: bool = False) -> Found:
    """Upgrade once: from a revision, or else from this version; to this version, or with `step` to one with a step."""
    began = time.monotonic()
    older = before_it(before, folder / "before") if before else THIS
    new = after_it(folder / "after") if step else THIS
    found = Found(before or "this version", older.step, new.step)
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(postgres(fsync="on"))
        url = server.url(server.database())
        guard = Guard()
        stack.callback(guard.close)
        scene = Scene(folder, url, guard, python=older.python)
        port = free_port()
        served = ["serve", "--config", str(folder / "gateway.yaml"), "--workers", "2"]
        command = [*new.python, "-m", "gateway.cli", *served]
        newer = Child("newer", command, folder, guard, {"DUTYBOUND_LISTEN": f"127.0.0.1:{port}"})
        stack.callback(newer.stop)
        stack.callback(scene.stop)
        scene.start()
        migrating = None if new.step == older.step else functools.partial(migrate, new, folder)
        asyncio.run(_upgrade(scene, newer, port, found, many, migrating))
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
    parser.add_argument("--step", action="store_true", help="to this version with a step more, from this version")
    parser.add_argument("--inquiries", type=int, default=100, metavar="N", help="of each of the three parts")
    asked = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended then, too
    with tempfile.TemporaryDirectory(prefix="dutybound-upgrade-") as folder:
        before = asked.before or (None if asked.step else version_before())
        found = run(Path(folder), before, asked.inquiries, step=asked.step)
    print(msgspec.json.encode(found).decode())
    return 0 if found.sound else 1


if __name__ == "__main__":
    sys.exit(main())
