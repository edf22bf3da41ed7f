"""Every vector of what vouches for a ledger is accepted by this version, and refused where it must be."""

from __future__ import annotations

import datetime
import hashlib
import json
import shutil
from pathlib import Path

import pytest

from gateway.errors import VerificationFailed
from gateway.ledger.entry import entries
from gateway.ledger.entry.receipt import verify_receipt
from gateway.ledger.entry.registry import read_document
from gateway.ledger.log.head_file import HeadFile
from gateway.ledger.proof import key_files
from gateway.ledger.proof.note import note_body, open_note, parse_checkpoint
from gateway.ledger.verify.published import gaps, tile_client
from gateway.ledger.verify.published.follow import follow
from gateway.ledger.witness.server import RequestRefused, Witness
from tests.ledger.support import ORIGIN
from tests.ledger.witness.test_witness import NAME, SECRET
from tests.vectors import make_proof

HERE = Path(__file__).resolve().parent
VERSIONS = sorted(path for path in HERE.iterdir() if (path / "root.pub").exists())
LATER = datetime.datetime(2100, 1, 1, tzinfo=datetime.UTC)


def check(version: Path, place: Path) -> None:
    trusted = key_files.read_verifiers(version / "root.pub")
    registry = read_document((version / "registry.json").read_bytes(), trusted)
    listed_keys = {name.rpartition("/")[2]: len(listed.keys) for name, listed in registry.shards.items()}
    assert listed_keys.pop("commands", 2) == 2, "those of before there was a shard of commands have none"
    assert listed_keys == {"root": 2, "1": 2, "2": 1}
    assert registry.shards[f"{ORIGIN}/1"].sealed == 5
    known = registry.verifiers
    told = {path.stem: verify_receipt(path.read_text(), known) for path in sorted((version / "receipts").iterdir())}
    assert set(told) == {"first-key", "second-key", "lost", "gap"}
    with pytest.raises(VerificationFailed):
        verify_receipt((version / "receipts" / "first-key.txt").read_text(), trusted)
    gap = told["gap"].told
    assert isinstance(gap, entries.Gap)
    assert (gap.size, parse_checkpoint(note_body(gap.remembered)).size, told["gap"].index) == (5, 7, 0)
    for shard in ("root", "1", "2"):
        log = tile_client.from_folder(version / "log" / shard)
        whole = follow(log, [listed.key for listed in registry.shards.values()], None, [], LATER, shard=shard)
        remembered = HeadFile(version / "heads.json").remembered(whole.origin)
        assert remembered is not None
        assert whole.size == (5 if shard == "1" else remembered.checkpoint.size), shard
    check_witness(version / "witness", place)
    if version.name != "proof-v1":
        assert list(gaps.explain(registry, registry.gaps)) == [f"{ORIGIN}/1"]
        check_following(version, place)


def check_following(version: Path, place: Path) -> None:
    """A witness that follows the registry: what it answered, and what it kept."""
    trusted = key_files.read_verifiers(version / "root.pub")
    registry = (version / "registry.json").read_bytes()
    anew = Witness(NAME, SECRET, trusted, place / "following-anew.json", lambda: make_proof.COSIGNED_AT)
    response = (version / "following" / "add-registry.response").read_text()
    assert anew.add_registry(registry) == response, "Ed25519 gives one signature"
    anew.close()
    shutil.copy(version / "following" / "state.json", place / "following.json")
    kept = Witness(NAME, SECRET, trusted, place / "following.json")
    root = hashlib.sha256(f"{ORIGIN}/root".encode()).hexdigest()
    assert kept.registry(root) == registry
    assert kept.checkpoint(root) is not None
    for shard in ("1", "2"):
        head = (version / "log" / shard / "checkpoint").read_text()
        assert kept.add_checkpoint(f"old 0\n\n{head}".encode()).startswith(f"— {NAME} ")
    kept.close()


def check_witness(folder: Path, place: Path) -> None:
    keys_ = [*key_files.read_verifiers(folder / "log.pub"), *key_files.read_verifiers(folder / "witness.pub")]
    for path in sorted(folder.glob("*.request")):
        note = path.read_text().partition("\n\n")[2]
        assert len(open_note(note + path.with_suffix(".response").read_text(), keys_)[1]) == 2
    state = place / "seen.json"
    shutil.copy(folder / "state.json", state)
    seen = json.loads(state.read_bytes())["logs"]
    assert len(open_note(seen[f"{ORIGIN}/1"], keys_)[1]) == 2
    kept = Witness(NAME, SECRET, keys_, state)
    with pytest.raises(RequestRefused) as caught:
        kept.add_checkpoint((folder / "40.fork").read_bytes())
    assert caught.value.status == 422
    kept.close()
    anew = Witness(NAME, SECRET, keys_, place / "anew.json", lambda: make_proof.COSIGNED_AT)
    for name in ("0-7", "7-8", "8-40"):
        if name == "8-40":
            with pytest.raises(RequestRefused):
                anew.add_checkpoint((folder / "8.fork").read_bytes())
        line = anew.add_checkpoint((folder / f"{name}.request").read_bytes())
        assert line == (folder / f"{name}.response").read_text(), "Ed25519 gives one signature"
    anew.close()


def test_there_are_vectors() -> None:
    assert [path.name for path in VERSIONS][:1] == ["proof-v1"]


@pytest.mark.parametrize("version", VERSIONS, ids=lambda path: path.name)
def test_what_an_earlier_version_wrote_is_accepted(version: Path, tmp_path: Path) -> None:
    check(version, tmp_path)


def test_new_vectors_can_be_made(tmp_path: Path) -> None:
    make_proof.make(tmp_path / "new")
    check(tmp_path / "new", tmp_path)
