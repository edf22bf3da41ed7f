"""A package of evidence that was changed, by whoever holds it or by whoever holds the ledger's key."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import VerificationFailed
from gateway.ledger.export import package_write
from gateway.ledger.export.package_check import check_package
from gateway.ledger.proof import key_files
from gateway.ledger.proof.note import Signer
from tests.ledger.exporting import LEI, Export
from tests.ledger.support import ORIGIN


@pytest.fixture
def whole(folder: Path, export: Export) -> Path:
    assert export("--subject", LEI, "--out", folder / "evidence") == 0
    return folder / "evidence"


def sign_again(
    package: Path, change: Callable[[dict[str, Any]], None] = lambda manifest: None, shard: str = "commands"
) -> None:
    """Make the manifest fit the files, and sign it, as only whoever holds the ledger's key can."""
    manifest = json.loads((package / "manifest.json").read_text())
    manifest["files"] = {
        path.relative_to(package).as_posix(): {
            "size": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in sorted(package.rglob("*"))
        if path.is_file() and not path.name.startswith("manifest.")
    }
    change(manifest)
    content = json.dumps(manifest).encode()
    (package / "manifest.json").write_bytes(content)
    private = key_files.load(package.parent / "ledger.key")
    (package / "manifest.note").write_text(Signer(f"{ORIGIN}/{shard}", private).sign(package_write.note_text(content)))


def broken(package: Path) -> str:
    with pytest.raises(VerificationFailed) as failed:
        check_package(package, key_files.read_verifiers(package.parent / "ledger.pub"))
    assert "\n" not in str(failed.value)
    return str(failed.value)


def test_any_changed_file_is_found(whole: Path) -> None:
    files = [path for path in sorted(whole.rglob("*")) if path.is_file()]
    assert len(files) == 2 * 4 + 3 + 5
    for path in files:
        content = path.read_bytes()
        for at in (0, len(content) // 2, len(content) - 1):
            path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
            assert path.name in broken(whole) or "manifest.json" in broken(whole)
        path.unlink()
        assert path.name in broken(whole)
        path.write_bytes(content)
    (whole / "entries" / "more.txt").write_text("x")
    assert "`entries/more.txt` is not in its manifest: it was added" in broken(whole)


def test_who_holds_the_key_cannot_change_what_was_entered_either(whole: Path) -> None:
    name, view = f"entries/1-{0:012}", f"entries/commands-{0:012}"
    words = (whole / f"{name}.json").read_text()
    (whole / f"{name}.json").write_text(words.replace("TENDER_QUALIFICATION", "COURT_ENFORCEMENT"))
    sign_again(whole)
    assert f"`{name}.txt`: its words are not those that its receipt proves" in broken(whole)
    (whole / f"{name}.json").write_text(words.replace("display-ended", "restored"))
    sign_again(whole)
    assert "what only oversight may open is not what its receipt has the digest of" in broken(whole)
    (whole / f"{name}.json").write_text(words)
    sign_again(whole, lambda manifest: manifest.update(by="Somebody Else"))
    assert "its manifest is not as entered" in broken(whole)
    sign_again(whole, lambda manifest: manifest.update(view=name), "1")
    assert "the entry of this view of the ledger itself, is missing" in broken(whole)
    for ending in ("txt", "json"):
        (whole / f"{name}.{ending}").unlink()
    sign_again(whole, lambda manifest: manifest.update(view=view))
    assert "it holds 3 entries; its manifest has 4" in broken(whole)


def test_the_entries_of_another_ledger_are_not_taken_for_these(whole: Path) -> None:
    receipt = (whole / f"entries/2-{0:012}.txt").read_text()
    (whole / f"entries/1-{0:012}.txt").write_text(receipt)
    sign_again(whole)
    assert "does not lead to the checkpoint" in broken(whole)


def test_a_broken_zip_is_one_sentence(whole: Path) -> None:
    packed = whole.parent / "packed.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for path in whole.rglob("*"):
            if path.is_file():
                file.write(path, path.relative_to(whole).as_posix())
    assert check_package(packed, None).manifest.entries == 4
    content = bytearray(packed.read_bytes())
    for at in range(200, len(content) - 4000, 997):
        content[at] ^= 0xFF
    packed.write_bytes(content)
    broken(packed)
    shutil.copy(whole / "summary.html", whole.parent / "no.zip")
    broken(whole.parent / "no.zip")


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_whatever_a_zip_is_packed_by_a_change_is_one_sentence(tmp_path: Path, method: int) -> None:
    packed = tmp_path / "packed.zip"
    with zipfile.ZipFile(packed, "w", method) as file:
        file.writestr("manifest.json", b'{"format": "dutybound-evidence"}' * 20)
    content = packed.read_bytes()
    for at in range(0, len(content), 3):
        packed.write_bytes(content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :])
        with pytest.raises(VerificationFailed) as failed:
            check_package(packed, [])
        assert "\n" not in str(failed.value)
