"""Every vector that any version wrote is verified by this one; and new ones can be made."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from gateway.errors import VerificationFailed
from gateway.ledger import entries, keys, tilelog
from gateway.ledger.follow import follow
from gateway.ledger.package import check_package
from gateway.ledger.presented import check_presented
from gateway.ledger.published import check_extends, claim_of, published, read_checkpoint
from gateway.ledger.receipt import read_file, verify_receipt
from tests.vectors import make

HERE = Path(__file__).resolve().parent
VERSIONS = sorted(path for path in HERE.iterdir() if (path / "ledger.pub").exists())
LATER = datetime.datetime(2100, 1, 1, tzinfo=datetime.UTC)


def files(version: Path, folder: str, count: int) -> list[Path]:
    """The files of a folder, at least so many: a vector that was lost is not a vector that verifies."""
    found = sorted((version / folder).iterdir())
    assert len(found) >= count
    return found


def check(version: Path) -> None:
    verifiers = keys.read_verifiers(version / "ledger.pub")
    log = tilelog.from_folder(version / "log")
    proofs = [(path, verify_receipt(path.read_text(), verifiers)) for path in files(version, "receipts", 5)]
    assert {type(proved.told) for _, proved in proofs} >= {entries.Inquiry, entries.Refused, entries.View}
    claims = [claim_of(path.name, proved) for path, proved in proofs]
    whole = follow(log, verifiers, None, claims, LATER)
    assert whole.published == claims
    for path, proved in proofs:
        assert published(proved, verifiers, None, log)[0].assurance == "published", path
    for path in files(version, "answers", 3):
        proved, data_checked = check_presented(read_file(path.read_bytes()), verifiers)
        assert data_checked, path
    newest = read_checkpoint(log.checkpoint(), verifiers, "here")
    tree = tilelog.TileTree(log, newest.size)
    for path in files(version, "checkpoints", 3):
        check_extends(tree.node, read_checkpoint(path.read_text(), verifiers, path.name), newest, path.name)
    assert check_package(version / "evidence", verifiers).manifest.entries == 4
    for path in files(version, "refused", 9):
        with pytest.raises(VerificationFailed):
            verify_receipt(path.read_text(), verifiers)


def test_there_are_vectors() -> None:
    assert [path.name for path in VERSIONS][:1] == ["v1"]


@pytest.mark.parametrize("version", VERSIONS, ids=lambda path: path.name)
def test_what_an_earlier_version_wrote_verifies(version: Path) -> None:
    check(version)


def test_new_vectors_can_be_made(tmp_path: Path) -> None:
    make.make(tmp_path / "new")
    check(tmp_path / "new")
