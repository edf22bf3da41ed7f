"""Two versions on one store, as while an upgrade goes on: the one before wrote it, this one goes on, then it again.

The version before is its own code, of the history, in a virtual environment of its own. It is one of the same tables: a
version refuses a store of a later step. There is none of these tables that does not know the kind `act` yet, so that it
is made not to: its word for that kind is another. Where a later step comes, `BEFORE` has to be the first of that step.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import json
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from gateway.ledger.entry import entries
from gateway.ledger.entry.parts import split
from gateway.ledger.entry.receipt import concealed, verify_receipt
from gateway.ledger.entry.unknown import Tally
from gateway.ledger.export.select import choose
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.projections.lookups import who_looked
from gateway.ledger.projections.projector import Projector
from gateway.ledger.proof import key_files
from gateway.ledger.proof.tlog_proof import Receipt
from gateway.ledger.verify.store import verify_store
from gateway.storage.port import Store
from gateway.storage.tables import entry
from tests.docs.reading import ROOT
from tests.ledger.said import ABOUT
from tests.ledger.support import AT, BY, KEY, ORIGIN, SUBJECT, VERIFIERS, opened
from tests.storage.conftest import Place

BEFORE = "04f6946f419f5f12cadd9c27cb8557b81b35ddbe"
WHO = entries.Who(*BY, "market")
LEI = (SUBJECT.scheme, SUBJECT.value)

SCRIPT = """
import asyncio, contextlib, json, sys
from pathlib import Path

import gateway
from gateway.ledger.entry import entries
from gateway.ledger.entry.receipt import verify_receipt
from gateway.ledger.projections.lookups import who_looked
from gateway.ledger.projections.projector import Projector
from gateway.ledger.stored import read
from gateway.storage.store import open_store
from tests.ledger.pair import disclosed_pair
from tests.ledger.support import SUBJECT, VERIFIERS, disclosed, opened, receipt_of, refused

do, url, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
assert Path(gateway.__file__).is_relative_to(Path.cwd()), gateway.__file__
store = open_store(url)


async def write(first):
    async with opened(store) as ledger:
        receipts = [receipt_of(await disclosed(ledger, first)), receipt_of(await disclosed_pair(ledger, first + 1))]
        receipts.append(await refused(ledger, first + 2))
    for number, receipt in enumerate(receipts, first):
        (folder / f"before-{number}.txt").write_text(receipt)


if do != "read":
    asyncio.run(write(int(do)))
projector = Projector(store)
while projector.turn():
    pass
told = {}
with contextlib.closing(store.reader()) as reader:
    for head in read.heads(reader):
        for entry in read.read_entries(reader, head.id, 0, head.size):
            said = entry.read_told()
            told[entry.index] = [type(said).__name__, said.id, getattr(said, "kind", "")]
    looks = who_looked(reader, SUBJECT.scheme, SUBJECT.value, exact=True)
proved = {path.name: type(verify_receipt(path.read_text(), VERIFIERS).told).__name__ for path in folder.glob("*.txt")}
print(json.dumps({"told": told, "stopped": len(projector.stopped), "looks": len(looks.places), "proved": proved}))
"""


class Before:
    """The version before, installed apart from this one."""

    def __init__(self, folder: Path) -> None:
        self._tree, environment = folder / "tree", folder / "environment"
        self._tree.mkdir()
        packed = subprocess.run(["git", "archive", BEFORE], cwd=ROOT, capture_output=True)
        assert packed.returncode == 0, f"{BEFORE} is not in the history: fetch all of it ({packed.stderr.decode()})"
        subprocess.run(["tar", "-x", "-C", self._tree], input=packed.stdout, check=True)
        kinds = self._tree / "gateway" / "ledger" / "entry" / "acts.py"
        known = kinds.read_text()
        assert known.count('tag="act"') == 1
        kinds.write_text(known.replace('tag="act"', 'tag="not-known-yet"'))
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
        [packages] = environment.glob("lib/python*/site-packages")
        # Its own code first; then the packages of this environment, without what these `.pth` would add: this code.
        (packages / "before.pth").write_text(f"{self._tree}\n{sysconfig.get_paths()['purelib']}\n")
        self._python = environment / "bin" / "python"

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        command = [str(self._python), *map(str, arguments)]
        return subprocess.run(command, cwd=self._tree, capture_output=True, text=True, timeout=120, env={})

    def script(self, do: object, url: str, folder: Path) -> dict[str, Any]:
        done = self.run("-c", SCRIPT, do, url, folder)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Before:
    return Before(tmp_path_factory.mktemp("before"))


LATER = entries.Dataset("tax-arrears", ("amount",), ["tax-arrears/N-1@3"], until=[20_000])
RESTS = entries.DecidedOn(0, 28, 1, {"permits": ("number",)})
NEW: list[tuple[entries.Known, entries.Oversight]] = [
    (
        entries.Acted(entries.VERSION, "act-1", AT, WHO, "objection-filed", AT.date(), **{**ABOUT, "proof": ""}),
        entries.Oversight(entries.VERSION),
    ),
    (
        entries.Acted(entries.VERSION, "act-2", AT, entries.OWN, "over-bounds", rule_set="5ec0de"),
        entries.Oversight(entries.VERSION),
    ),
    (
        entries.Inquiry(
            *(entries.VERSION, "later-1", AT, WHO, None, entries.Declared("TENDER_QUALIFICATION"), "5ec0de", []),
            disclosed=[entries.Disclosed(*SUBJECT, [LATER])],
            data=entries.Data(bytes(32), bytes(32)),
        ),
        entries.Oversight(entries.VERSION, "m.ivanova", 0, decided=[RESTS]),
    ),
]


async def append(ledger: Ledger, told: entries.Known, oversight: entries.Oversight) -> Receipt:
    made = split(told, oversight)
    by = (told.requester.issuer, told.requester.client)
    return await ledger.append(made.told, made.oversight, max(told.at, ledger.floor), by, (), made.subjects)


async def write(store: Store, folder: Path) -> None:
    async with opened(store) as ledger:
        receipts = [await append(ledger, *each) for each in NEW]
    for number, receipt in enumerate(receipts):
        (folder / f"new-{number}.txt").write_text(receipt.text)
    (folder / "new-concealed.txt").write_text(concealed(receipts[0]).text)


def check(store: Store, folder: Path) -> None:
    """This version finds all of it whole, and reads every entry and receipt."""
    projector, unknown = Projector(store), Tally()
    while projector.turn():
        pass
    assert projector.stopped == {}
    [whole] = verify_store(store, VERIFIERS, unknown=unknown, rows=False)  # what was only entered has no rows
    assert len(unknown) == 0
    with contextlib.closing(store.reader()) as reader:
        every = list(choose(reader, entries.Looked(since=AT - datetime.timedelta(days=1))))
        assert len(every) == whole.size
        named = list(choose(reader, entries.Looked(*LEI)))
        assert len(who_looked(reader, *LEI, exact=True).places) == len(named)
    told = {each.told.id: each.told for each in every}
    for new, _ in NEW:
        if new.id in told:
            assert told[new.id] == new
    for path in folder.glob("*.txt"):
        proved = verify_receipt(path.read_text(), VERIFIERS).told
        assert path.stem == "new-concealed" or proved == told[proved.id]


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)  # as an upgrade without a stop is
def test_it_and_this_one_serve_one_store_in_turn(place: Place, before: Before, tmp_path: Path) -> None:
    folder, key = tmp_path / "receipts", tmp_path / "ledger.pub"
    folder.mkdir()
    key_files.write_verifiers(key, KEY, ORIGIN, ["1"])

    written = before.script(1, place.url, folder)
    assert {each[0] for each in written["told"].values()} == {"Inquiry", "Refused"}
    store = place.open()
    check(store, folder)
    asyncio.run(write(store, folder))
    check(store, folder)
    place.close()

    found = before.script("read", place.url, folder)
    assert (found["stopped"], found["looks"]) == (0, 5)
    kinds = [each[0] for each in found["told"].values()]
    assert kinds == ["Inquiry", "Inquiry", "Refused", "Unknown", "Unknown", "Inquiry"]
    assert [each[2] for each in found["told"].values() if each[0] == "Unknown"] == ["act", "act"]
    assert {found["proved"][f"new-{name}.txt"] for name in (0, 1, "concealed")} == {"Unknown"}
    assert {found["proved"][name] for name in ("new-2.txt", "before-1.txt", "before-2.txt")} == {"Inquiry"}

    command = ("from gateway.cli import main; raise SystemExit(main())", "ledger", "verify", "--store", place.url)
    verified = before.run("-c", *command, "--key", key, "--receipts", folder)
    assert verified.returncode == 0, verified.stderr
    assert f"whole: {ORIGIN}/1, 6 entries" in verified.stdout
    assert "unknown: 2 entries of kinds that this version does not know (`act` 2)" in verified.stdout
    assert "receipts: 7 in the store" in verified.stdout

    again = before.script(11, place.url, folder)  # and goes on writing
    assert (again["stopped"], len(again["told"])) == (0, 9)
    check(place.open(), folder)


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_what_it_finds_wrong_is_said_by_it(place: Place, before: Before, tmp_path: Path) -> None:
    """A fault planted in an entry of a kind that it does not know: its `ledger verify` names the entry."""
    key = tmp_path / "ledger.pub"
    key_files.write_verifiers(key, KEY, ORIGIN, ["1"])
    store = place.open()
    asyncio.run(write(store, tmp_path))
    with store.engine.begin() as connection:
        connection.execute(update(entry).where(entry.c.leaf.is_not(None)).values(leaf=bytes(32)))
    place.close()
    command = ("from gateway.cli import main; raise SystemExit(main())", "ledger", "verify", "--store", place.url)
    verified = before.run("-c", *command, "--key", key)
    assert verified.returncode == 1
    assert "entry 0: its payload is not what its leaf commits to" in verified.stderr
