"""The ledger as implementations not written here see it: tiles, checkpoints, proofs, signatures, and the receipts.

tlog-scales (PyPI) is a client of c2sp.org/tlog-tiles with verifiers of its own for RFC 9162 inclusion and consistency;
@noble/ed25519 and Node check the signed notes. A receipt is taken apart here by the specification's text alone.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tlog_scales.backend import HttpBackend, LocalBackend
from tlog_scales.reader import TilesReader
from tlog_scales.signing import Vkey
from tlog_scales.tlog import Checkpoint, InclusionProof, InclusionProofInvalid

from gateway import cli
from tests.conformance.conftest import Client
from tests.conformance.test_clients import EXAMPLE
from tests.conftest import World
from tests.ledger import served
from tests.ledger.support import AT, BY, VERIFIERS, opened, store_in


class Receipt(NamedTuple):
    """A c2sp.org/tlog-proof, read by its specification."""

    leaf: bytes
    index: int
    path: list[bytes]
    checkpoint: str

    @classmethod
    def read(cls, text: str) -> Receipt:
        head, _, checkpoint = text.partition("\n\n")
        header, extra, index, *path = head.split("\n")
        assert header == "c2sp.org/tlog-proof@v1"
        leaf = _leaf(base64.b64decode(extra.removeprefix("extra ")))
        return cls(leaf, int(index.removeprefix("index ")), list(map(base64.b64decode, path)), checkpoint)

    def check(self, vkey: Vkey) -> Checkpoint:
        """Verify it with the other implementation, and give its checkpoint."""
        checkpoint = Checkpoint.from_text(self.checkpoint)
        checkpoint.verify(vkey)
        InclusionProof(self.index, checkpoint.size, self.path).check(_leaf_hash(self.leaf), checkpoint.root_hash)
        return checkpoint


def _leaf(extra: bytes) -> bytes:
    """What an `extra` opens, by the words of the format alone: of version 2, or 1."""
    if extra[:1] == b"\x01":
        told = _sha256(b"dutybound/told/v1\n", extra[1:33], extra[65:])
        return _sha256(b"dutybound/leaf/v1\n", told, extra[33:65])
    assert extra[:1] == b"\x02"
    digests, prefix, at = [], b"dutybound/general/v2\n", 33
    while at < len(extra):
        if extra[at] == 0:
            digests.append(extra[at + 1 : at + 33])
            at += 33
        else:
            size = int.from_bytes(extra[at + 33 : at + 37], "big")
            digests.append(_sha256(prefix, extra[at + 1 : at + 33], extra[at + 37 : at + 37 + size]))
            at += 37 + size
        prefix = b"dutybound/subject/v2\n"
    return _sha256(b"dutybound/leaf/v2\n", _sha256(b"dutybound/told/v2\n", *digests), extra[1:33])


def _sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def _leaf_hash(leaf: bytes) -> bytes:
    return _sha256(b"\x00", leaf)


class Live(NamedTuple):
    """The running gateway's log: its URL, its key, and receipts that it gave."""

    url: str
    key: Path
    vkey: str
    answers: list[Mapping[str, Any]]


@pytest.fixture(scope="module")
def live(world: World) -> Live:
    about = world.told["ledger"]
    subject = world.subject("ordinary")
    variables = {"id": subject, "case": world.case("market-regulator", subject)}
    replies = [world.ask("market-regulator", EXAMPLE, variables, official="m.ivanova") for _ in range(3)]
    key = Path(about["public_key_file"])
    [vkey] = [line for line in key.read_text().splitlines() if line.startswith(f"{about['origin']}/{about['shard']}+")]
    return Live(f"{world.told['gateway']}/ledger/{about['shard']}", key, vkey, [reply.body for reply in replies])


def test_a_tlog_client_verifies_the_running_gateway(live: Live) -> None:
    reader = TilesReader(HttpBackend(live.url))
    published = reader.get_checkpoint()
    vkey = Vkey.from_string(live.vkey)
    published.verify(vkey)
    assert published.origin == vkey.name
    assert reader.calculate_root_hash() == published.root_hash
    for answer in live.answers:
        receipt = Receipt.read(answer["extensions"]["inquiry"]["receipt"])
        then = receipt.check(vkey)
        assert reader.get_entry(receipt.index) == receipt.leaf
        proof = reader.get_inclusion_proof(receipt.index, published.size)
        proof.check(_leaf_hash(receipt.leaf), published.root_hash)
        reader.get_consistency_proof(then.size, published.size).check(then.root_hash, published.root_hash)


def test_other_implementations_of_ed25519_verify_the_notes(live: Live, client: Client) -> None:
    notes = [Receipt.read(answer["extensions"]["inquiry"]["receipt"]).checkpoint for answer in live.answers]
    for note in notes:
        assert client("note", {"note": note, "vkey": live.vkey}) == {"matches": 1, "noble": [True], "node": [True]}
    altered = notes[0].replace("\n", "\n1", 1)
    assert client("note", {"note": altered, "vkey": live.vkey}) == {"matches": 1, "noble": [False], "node": [False]}


def test_our_own_follower_agrees(live: Live, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    receipts = tmp_path / "receipts"
    receipts.mkdir()
    for number, answer in enumerate(live.answers):
        (receipts / f"{number}.txt").write_text(answer["extensions"]["inquiry"]["receipt"])
    gateway = live.url.partition("/ledger")[0]
    command = ["ledger", "verify", gateway, "--key", str(live.key), "--receipts", str(receipts)]
    assert cli.main([*command, "--state", str(tmp_path / "state")]) == 0
    assert f"receipts: {len(live.answers)} published" in capsys.readouterr().out


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[TilesReader, list[tuple[int, bytes]], list[str]]:
    """A log of 700 entries as the gateway serves it; its size and root on the way; and the receipts."""
    folder = tmp_path_factory.mktemp("large")
    store = store_in(folder)

    async def fill() -> tuple[list[tuple[int, bytes]], list[str]]:
        heads, receipts = [], []
        async with opened(store) as ledger:
            for count in (1, 2, 5, 120, 128, 1, 255, 188):
                made = await asyncio.gather(*(ledger.append(b"%d" % n, b"", AT, BY) for n in range(count)))
                receipts += [receipt.text for receipt in made]
                head = Checkpoint.from_text(served.published(store)["checkpoint"].decode())
                heads.append((head.size, head.root_hash))
        return heads, receipts

    heads, receipts = asyncio.run(fill())
    served.write(served.published(store), folder / "served")
    reader = TilesReader(LocalBackend(folder / "served"))
    assert reader.get_checkpoint().size == 700
    return reader, heads, receipts


def test_a_tlog_client_verifies_a_log_with_upper_tiles(
    large: tuple[TilesReader, list[tuple[int, bytes]], list[str]],
) -> None:
    reader, heads, receipts = large
    published = reader.get_checkpoint()
    vkey = Vkey.from_string(str(VERIFIERS[0]))
    published.verify(vkey)
    assert reader.calculate_root_hash() == published.root_hash
    for old, old_root in heads:
        for new, new_root in heads:
            if old <= new:
                reader.get_consistency_proof(old, new).check(old_root, new_root)
    assert len(receipts) == 700
    for text in receipts[::7]:
        receipt = Receipt.read(text)
        receipt.check(vkey)
        assert reader.get_entry(receipt.index) == receipt.leaf
        reader.get_inclusion_proof(receipt.index, 700).check(_leaf_hash(receipt.leaf), published.root_hash)
    moved = Receipt.read(receipts[7])._replace(index=8)
    with pytest.raises(InclusionProofInvalid):
        moved.check(vkey)
