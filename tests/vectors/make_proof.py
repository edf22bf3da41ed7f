"""Makes a folder of vectors of what vouches for a ledger: `python -m tests.vectors.make_proof tests/vectors/proof-v2`.

The registry with a key that was rotated, receipts from before and after, a gap with its sealed shard, cosigned
checkpoints, what witnesses are asked, and the two files that remember. Kept as made, like the others (`make`).
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.clock import machines
from gateway.ledger.entry.registry import ROOT
from gateway.ledger.log import registrar
from gateway.ledger.log.head_file import HeadFile
from gateway.ledger.log.publish import Publisher
from gateway.ledger.log.registrar import Registrar
from gateway.ledger.proof import key_files
from gateway.ledger.proof.note import Cosigner
from gateway.ledger.witness.server import Witness
from tests.ledger import served
from tests.ledger.log.test_gap import restore, save
from tests.ledger.support import KEY, ORIGIN, opened, refused, store_in
from tests.ledger.witness.test_witness import FORK, LOG, NAME, SECRET, SHARD
from tests.vectors.make import fixed_salts

NEW = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
COSIGNED_AT = 1_700_000_000


def make(folder: Path) -> None:
    """Write all of them into a new folder."""
    with tempfile.TemporaryDirectory() as place, fixed_salts():
        files = asyncio.run(_ledger(Path(place))) | _witness(Path(place))
        files |= _following(Path(place), files["registry.json"])
    folder.mkdir(parents=True)
    served.write(files, folder)


async def _ledger(place: Path) -> dict[str, bytes]:
    files = {"root.pub": f"{key_files.verifiers(KEY, ORIGIN, [ROOT])[0]}\n".encode()}

    async def entered(private: Ed25519PrivateKey, count: int) -> str:
        store = store_in(place)
        publisher = Publisher(store, ORIGIN, machines, head_file=HeadFile(place / "heads.json"), every=60)
        async with opened(store, private=private, publisher=publisher, registered=True) as ledger:
            receipts = [await refused(ledger, number) for number in range(count)]
        store.close()
        return receipts[-1]

    files["receipts/first-key.txt"] = (await entered(KEY, 3)).encode()
    store = store_in(place)
    await Registrar(store, KEY, ORIGIN, Publisher(store, ORIGIN, machines)).rotate(NEW)
    await Registrar(store, NEW, ORIGIN, Publisher(store, ORIGIN, machines)).resign(["1", ROOT])
    store.close()
    files["receipts/second-key.txt"] = (await entered(NEW, 2)).encode()
    save(place, "backup")
    files["receipts/lost.txt"] = (await entered(NEW, 2)).encode()
    restore(place, "backup")
    await entered(NEW, 1)
    store = store_in(place)
    files["heads.json"] = (place / "heads.json").read_bytes()
    files["registry.json"] = registrar.document(store) or b""
    async with opened(store, private=NEW) as ledger:
        (gap,) = [own for own in ledger.own("", "ledger", first=99) if own.receipt.shard not in (ROOT, "1")]
    files["receipts/gap.txt"] = gap.receipt.text.encode()
    for shard in (ROOT, "1", "2"):
        files |= {f"log/{shard}/{path}": content for path, content in served.published(store, shard).items()}
    store.close()
    return files


def _witness(place: Path) -> dict[str, bytes]:
    state = place / "seen.json"
    files = {"witness/witness.pub": f"{Cosigner(NAME, SECRET).verifier}\n".encode()}
    witness = Witness(NAME, SECRET, key_files.verifiers(KEY, ORIGIN, ["1"]), state, lambda: COSIGNED_AT)
    for old, new in ((0, 7), (7, 8), (8, 40)):
        request = LOG.request(old, new)
        files[f"witness/{old}-{new}.request"] = request
        files[f"witness/{old}-{new}.response"] = witness.add_checkpoint(request).encode()
        files[f"witness/{new}.fork"] = FORK.request(new, 40)
    files["witness/state.json"] = state.read_bytes()
    files["witness/log.pub"] = f"{key_files.verifiers(KEY, ORIGIN, [SHARD.rpartition('/')[2]])[0]}\n".encode()
    witness.close()
    return files


def _following(place: Path, registry: bytes) -> dict[str, bytes]:
    """A witness that was given the root's key and, then, the registry."""
    state = place / "following.json"
    witness = Witness(NAME, SECRET, key_files.verifiers(KEY, ORIGIN, [ROOT]), state, lambda: COSIGNED_AT)
    response = witness.add_registry(registry)
    witness.close()
    return {"following/add-registry.response": response.encode(), "following/state.json": state.read_bytes()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    make(parser.parse_args().folder)
