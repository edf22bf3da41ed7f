"""Every vector that any version wrote is verified by this one; and new ones can be made."""

from __future__ import annotations

import datetime
from pathlib import Path

import msgspec
import pytest

from gateway.errors import VerificationFailed
from gateway.ledger.commands.receipt_files import check_presented
from gateway.ledger.entry import entries
from gateway.ledger.entry.parts import OF_SUBJECT
from gateway.ledger.entry.receipt import Proved, read_file, verify_receipt
from gateway.ledger.export.package_check import check_package
from gateway.ledger.proof import key_files
from gateway.ledger.verify.published import tile_client
from gateway.ledger.verify.published.assurance import check_extends, claim_of, published, read_checkpoint
from gateway.ledger.verify.published.follow import follow
from tests.ledger.entry.test_words import NEVER_WRITTEN
from tests.ledger.pair import OTHER
from tests.ledger.support import SUBJECT
from tests.ledger.values import KINDS
from tests.vectors import make, make_act, make_not_released, make_pruned

HERE = Path(__file__).resolve().parent
VERSIONS = sorted(path for path in HERE.iterdir() if (path / "ledger.pub").exists())
LATER = datetime.datetime(2100, 1, 1, tzinfo=datetime.UTC)


def files(version: Path, folder: str, count: int) -> list[Path]:
    """The files of a folder, at least so many: a vector that was lost is not a vector that verifies."""
    found = sorted((version / folder).iterdir())
    assert len(found) >= count
    return found


def check(version: Path) -> None:
    verifiers = key_files.read_verifiers(version / "ledger.pub")
    log = tile_client.from_folder(version / "log")
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
    tree = tile_client.TileTree(log, newest.size)
    for path in files(version, "checkpoints", 3):
        check_extends(tree.node, read_checkpoint(path.read_text(), verifiers, path.name), newest, path.name)
    assert check_package(version / "evidence", verifiers).manifest.entries == 4
    for path in files(version, "refused", 9):
        with pytest.raises(VerificationFailed):
            verify_receipt(path.read_text(), verifiers)
    if version.name != "v1":
        check_erased(version, {path.stem: proved for path, proved in proofs})


def check_erased(version: Path, proofs: dict[str, Proved]) -> None:
    """Of whom was erased the receipts of before still say everything, and those of after nothing."""
    before, after = proofs["of-two"].told, proofs["one-of-two-erased"].told
    assert isinstance(before, entries.Inquiry)
    assert isinstance(after, entries.Inquiry)
    assert proofs["of-two"].leaf == proofs["one-of-two-erased"].leaf
    assert [subject.value for subject in before.disclosed] == [SUBJECT.value, OTHER.value]
    assert after.disclosed == [before.disclosed[0], entries.ERASED]
    assert (after.data, after.declaration) == (before.data, before.declaration)
    assert proofs["of-other"].leaf == proofs["erased"].leaf
    held, left = proofs["of-other"].told, proofs["erased"].told
    assert isinstance(held, entries.Hold)
    assert isinstance(left, entries.Hold)
    assert ((held.scheme, held.value), (left.scheme, left.value)) == (OTHER[1:], (None, None))
    assert (left.id, left.reason) == (held.id, held.reason)
    erasure = proofs["erasure"].told
    assert isinstance(erasure, entries.Erasure)
    assert len(erasure.keys) == 1
    for path in ("receipts/one-of-two-erased.txt", "receipts/erased.txt", "evidence/entries/1-000000000007.json"):
        assert OTHER.value not in (version / path).read_text()


def test_there_are_vectors() -> None:
    assert [path.name for path in VERSIONS][:2] == ["v1", "v2"]


def _alone(name: str) -> Proved:
    folder = HERE / name
    return verify_receipt((folder / "receipt.txt").read_text(), key_files.read_verifiers(folder / "shard.pub"))


def test_what_was_not_released_verifies() -> None:
    assert _alone("not-released-v1").told == make_not_released.TOLD


def test_what_was_pruned_verifies() -> None:
    assert _alone("pruned-v1").told == make_pruned.TOLD


def test_every_kind_of_entry_is_in_some_vector() -> None:
    found: set[type[entries.Told]] = {entries.Gap, entries.ShardChange}  # those are in `proof-v1`
    for version in VERSIONS:
        verifiers = key_files.read_verifiers(version / "ledger.pub")
        for path in (version / "receipts").iterdir():
            proved = verify_receipt(path.read_text(), verifiers)
            found.add(type(proved.told))
            name = path.stem.removeprefix("act-")
            if name in NEVER_WRITTEN:
                assert isinstance(proved.told, entries.Unknown)
                assert (proved.told.kind, proved.told.subjects) == (
                    name,
                    (SUBJECT[1:],) if name != "activation" else (),
                )
            elif name != path.stem:
                assert proved.told == make.ACTS[name]
    found |= {type(_alone("not-released-v1").told), type(_alone("pruned-v1").told), type(_act("receipt").told)}
    assert found == {*KINDS, entries.Unknown}, "a new kind needs a vector: `python -m tests.vectors.make`"


def _act(name: str) -> Proved:
    folder = HERE / "act-v1"
    return verify_receipt((folder / f"{name}.txt").read_text(), key_files.read_verifiers(folder / "shard.pub"))


def test_an_act_verifies_and_concealed_too() -> None:
    whole, closed = _act("receipt"), _act("concealed")
    assert whole.told == make_act.TOLD
    assert isinstance(closed.told, entries.Acted)
    assert (closed.leaf, closed.told.id, closed.left_out) == (whole.leaf, whole.told.id, True)
    nothing = entries.Acted(entries.VERSION, "", make_act.TOLD.at, entries.OWN, "")
    left = {member: getattr(nothing, member) for member in OF_SUBJECT[entries.Acted]}
    assert closed.told == msgspec.structs.replace(make_act.TOLD, **left)


@pytest.mark.parametrize("version", VERSIONS, ids=lambda path: path.name)
def test_what_an_earlier_version_wrote_verifies(version: Path) -> None:
    check(version)


def test_new_vectors_can_be_made(tmp_path: Path) -> None:
    make.make(tmp_path / "new")
    check(tmp_path / "new")
