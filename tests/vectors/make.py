"""Makes a folder of test vectors: `python -m tests.vectors.make tests/vectors/v2`, once, when a format has grown.

What was made is kept as it is: every later version accepts it (`test_vectors.py`). Keys, salts and times are fixed, so
that a vector tells nothing and can be made again by the version that made it.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import datetime
import hashlib
import itertools
import os
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from gateway.ledger.commands import export
from gateway.ledger.entry import describe, entries, parts
from gateway.ledger.entry.unknown import clean
from gateway.ledger.export import package_write
from gateway.ledger.export.select import choose, one
from gateway.ledger.log import operator
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.proof.note import Signer
from tests.ledger import served
from tests.ledger.pair import OTHER, disclosed_pair, erase
from tests.ledger.said import SAID
from tests.ledger.support import AT, KEY, ORIGIN, VERIFIERS, disclosed, opened, receipt_of, refused, store_in

LOOKED = entries.Looked(case="MR-2026-17")
ACTS = {
    getattr(told, "what", describe.tag(told)): told
    for told, _, _ in SAID
    if isinstance(told, entries.Done) and not isinstance(told, entries.Erasure | entries.Pruned)
}
"""An entry of each kind that people make, and of each act; of erasures there is a real one."""
HOLD = entries.Hold(
    entries.VERSION, "hold-2", AT, entries.Who("", "command line"), "placed", "h-2", "A. Auditor", "court", *OTHER[1:]
)
OF_TWO, OF_OTHER = 7, 257
"""Where the entries are that name whom is erased: beside another, and alone."""


@contextlib.contextmanager
def fixed_salts() -> Iterator[None]:
    """What is random is a counter's digest instead."""
    counter = itertools.count()
    with mock.patch.object(os, "urandom", lambda size: hashlib.shake_256(b"%d" % next(counter)).digest(size)):
        yield


def make(folder: Path) -> None:
    """Write all vectors into a new folder."""
    with tempfile.TemporaryDirectory() as place, fixed_salts():
        files = asyncio.run(_make(Path(place)))
    folder.mkdir(parents=True)
    served.write(files, folder)


async def _make(place: Path) -> dict[str, bytes]:
    files: dict[str, bytes] = {"ledger.pub": "".join(f"{verifier}\n" for verifier in VERIFIERS[:1]).encode()}
    store = store_in(place)

    def keep(name: str, answer: bytes) -> None:
        files[f"answers/{name}.json"] = answer
        files[f"receipts/{name}.txt"] = receipt_of(answer).encode()
        head = served.published(store)
        files[f"checkpoints/{served.size_of(head)}.txt"] = head["checkpoint"]

    async with opened(store) as ledger:
        keep("first", await disclosed(ledger, 1))
        files["receipts/refusal.txt"] = (await refused(ledger, 2)).encode()
        grouped = await asyncio.gather(*(disclosed(ledger, number) for number in range(3, 8)))
        keep("grouped", grouped[2])
        keep("of-two", await disclosed_pair(ledger, 8))
        for name, act in ACTS.items():
            files[f"receipts/act-{clean(name)}.txt"] = await _entered(ledger, act)
        day = datetime.timedelta(days=1)
        await asyncio.gather(*(disclosed(ledger, number, AT + day) for number in range(8 + len(ACTS), 256)))
        keep("full-tile", await disclosed(ledger, 257, AT + day))
        files["receipts/of-other.txt"] = await _entered(ledger, HOLD)
        files["receipts/erasure.txt"] = (await erase(store, ledger, OTHER, AT + day)).text.encode()

    def view(at: datetime.datetime) -> entries.View:
        who = operator.CLIENT
        parts = ("told", "oversight")
        return entries.View(
            entries.VERSION, "view-1", AT + 2 * day, who, "A. Auditor", "vectors", LOOKED, parts, "package"
        )

    async with opened(store) as ledger:
        entered, receipt = await export.enter(ledger, view)
    files["receipts/view.txt"] = receipt.text.encode()
    files |= {f"log/{path}": content for path, content in served.published(store).items()}
    with contextlib.closing(store.reader()) as reader:
        own = one(reader, receipt.shard, receipt.index)
        chosen = [own, *(each for each in choose(reader, LOOKED) if each.entry.index in (0, 1, OF_TWO))]
        files["receipts/one-of-two-erased.txt"] = one(reader, receipt.shard, OF_TWO).receipt.encode()
        files["receipts/erased.txt"] = one(reader, receipt.shard, OF_OTHER).receipt.encode()
        packed = place / "evidence.zip"
        with package_write.opened(packed) as sink:
            at = (receipt.shard, receipt.index)
            policies = ("5ec0de", {"purposes.yaml": b"purposes: {}\n"})
            package_write.write_package(sink, entered, at, chosen, policies, Signer(f"{ORIGIN}/1", KEY))
    with zipfile.ZipFile(packed) as package:
        files |= {f"evidence/{name}": package.read(name) for name in package.namelist()}
    files |= {f"refused/{name}.txt": text for name, text in _wrong(files).items()}
    store.close()
    return files


async def _entered(ledger: Ledger, told: entries.Told) -> bytes:
    made = parts.split(told, entries.Oversight(entries.VERSION, "m.ivanova"))
    who = (told.requester.issuer, told.requester.client)
    receipt = await ledger.append(made.told, made.oversight, AT, who, subjects=made.subjects)
    return receipt.text.encode()


def _wrong(files: dict[str, bytes]) -> dict[str, bytes]:
    """Receipts that no version may accept."""
    good = files["receipts/grouped.txt"].decode()
    head, _, note = good.partition("\n\n")
    lines = head.split("\n")
    moved = int(lines[2].removeprefix("index ")) + 1
    first = files["receipts/first.txt"].decode()
    erased = files["receipts/erased.txt"].decode()
    extra = erased.split("\n")[1].removeprefix("extra ")
    opened = bytearray(base64.b64decode(extra))
    opened[-1] ^= 1
    made = {
        "index-moved": good.replace(f"\n{lines[2]}\n", f"\nindex {moved}\n"),
        "path-cut-short": "\n".join(lines[:-1]) + "\n\n" + note,
        "path-too-long": "\n".join([*lines, lines[-1]]) + "\n\n" + note,
        "checkpoint-of-another-tree": head + "\n\n" + first.partition("\n\n")[2],
        "told-by-another": good.replace(lines[1], first.split("\n")[1]),
        "size-altered": good.replace("\n7\n", "\n8\n"),
        "signature-cut-short": good.rstrip("\n")[:-8] + "\n",
        "no-signature": good.rpartition("\n\n")[0] + "\n\n",
        "another-header": good.replace("tlog-proof@v1", "tlog-proof@v0", 1),
        "digest-of-the-erased-altered": erased.replace(extra, base64.b64encode(opened).decode()),
    }
    assert all(text not in (good, erased) for text in made.values())
    return {name: text.encode() for name, text in made.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make a folder of test vectors.")
    parser.add_argument("folder", type=Path, help="a new folder")
    make(parser.parse_args().folder)
