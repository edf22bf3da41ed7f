"""A review that any version entered is read by this one, member by member, and shown by `verify-receipt`."""

from __future__ import annotations

import datetime
from pathlib import Path

import msgspec
import pytest

from gateway.errors import VerificationFailed
from gateway.ledger.entry import entries
from gateway.ledger.entry.receipt import verify_receipt
from gateway.ledger.proof import key_files
from gateway.ledger.verify.published import tile_client
from gateway.ledger.verify.published.assurance import claim_of
from gateway.ledger.verify.published.follow import follow
from tests.ledger.conftest import Run, run
from tests.vectors import make_review

__all__ = ["run"]

HERE = Path(__file__).resolve().parent
VERSIONS = sorted(path for path in HERE.iterdir() if (path / "review.pub").exists())
LATER = datetime.datetime(2100, 1, 1, tzinfo=datetime.UTC)


def check(version: Path, run: Run) -> None:
    verifiers = key_files.read_verifiers(version / "review.pub")
    receipt = (version / "review.txt").read_text()
    proved = verify_receipt(receipt, verifiers)
    assert isinstance(proved.told, entries.Reviewed)
    assert msgspec.structs.replace(proved.told, v=entries.VERSION) == make_review.REVIEWED
    oversight = entries.read_oversight((version / "oversight.json").read_bytes())
    assert oversight.official == make_review.OFFICIAL
    claim = claim_of("the review", proved)
    assert follow(tile_client.from_folder(version / "log"), verifiers, None, [claim], LATER).published == [claim]
    with pytest.raises(VerificationFailed):
        verify_receipt(receipt.replace("index 2", "index 1"), verifiers)
    assert run("ledger", "verify-receipt", "--key", version / "review.pub", version / "review.txt") == 0
    assert "review review-1: O. Overseer found finding-7 improper" in run.out


def test_there_are_vectors() -> None:
    assert [path.name for path in VERSIONS][:1] == ["review-v1"]


@pytest.mark.parametrize("version", VERSIONS, ids=lambda path: path.name)
def test_what_an_earlier_version_wrote_is_read(version: Path, run: Run) -> None:
    check(version, run)


def test_new_vectors_can_be_made(tmp_path: Path, run: Run) -> None:
    make_review.make(tmp_path / "new")
    check(tmp_path / "new", run)
