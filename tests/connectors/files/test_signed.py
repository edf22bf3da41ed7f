"""Only what the department signed is read: its manifest, its files, their bytes."""

from __future__ import annotations

import os
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from connectors.delivered import index
from connectors.delivered.report import Outcome
from connectors.kit import sshsig
from tests.connectors.asking import ACME, ask, fetch
from tests.connectors.files.delivering import KEY, ROW, Department, csv, registry, usual

__all__ = ["registry"]


def test_a_delivery_without_its_departments_signature_is_refused(registry: Department) -> None:
    said = registry.write(usual())
    body = (registry.out / "manifest.json").read_bytes()
    (registry.out / "manifest.json").write_bytes(body.replace(b'"sequence": 1', b'"sequence": 2'))
    assert "is not over these words" in registry.refused()
    registry.sign(said, Ed25519PrivateKey.generate())
    assert "`signers_file` does not have" in registry.refused()
    registry.sign(said, namespace="dutybound-rules")
    assert "another namespace" in registry.refused()
    (registry.out / "manifest.json.sig").write_bytes(b"\xff")
    assert "is no SSH signature" in registry.refused()
    (registry.out / "manifest.json.sig").unlink()
    assert "sign the manifest" in registry.refused()
    registry.sign(said)
    assert registry.take().outcome is Outcome.TAKEN
    (registry.out / "manifest.json").unlink()
    assert registry.take().outcome is Outcome.UNREACHED


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sequence": 0}, "`$.sequence`"),
        ({"asOf": "2026-01-01T00:00:00"}, "`$.asOf`"),
        ({"files": []}, "`$.files`"),
        ({"more": 1}, "unknown field `more`"),
        ({"name": "../arrears.csv"}, "`$.files[0].name`"),
        ({"name": ".hidden"}, "a file's name has 1 to 128 of the letters A to Z and a to z, digits"),
        ({"name": "awards.jsonl"}, "names a file twice"),
        ({"name": "manifest.json"}, "or itself"),
        ({"format": "xlsx"}, "`$.files[0].format`"),
        ({"dataset": "pensions"}, "a dataset that `sources.yaml` does not map"),
        ({"dataset": "awards"}, "has no file of `arrears`"),
        ({"rows": 2}, "has 1 rows; the manifest has 2"),
        ({"size": 2**49}, "more bytes than `limits.delivery`"),
    ],
)
def test_a_manifest_says_nothing_else(registry: Department, change: dict[str, Any], words: str) -> None:
    said = registry.write(usual())
    target = said if {*change} & {"sequence", "asOf", "files", "more"} else said["files"][0]
    registry.sign({**said, **change} if target is said else {**said, "files": [{**target, **change}, said["files"][1]]})
    assert words in registry.refused()
    assert not (registry.folder / "index" / index.FILE).exists()


def test_a_key_that_stands_twice_is_refused(registry: Department) -> None:
    registry.write(usual())
    body = (registry.out / "manifest.json").read_bytes().replace(b'"sequence": 1', b'"sequence": 9, "sequence": 1')
    (registry.out / "manifest.json").write_bytes(body)
    (registry.out / "manifest.json.sig").write_text(sshsig.sign(KEY, body, "dutybound-delivery"))
    assert "duplicate keys" in registry.refused()


def test_only_the_bytes_that_were_signed_are_read(registry: Department) -> None:
    registry.write(usual())
    good = (registry.out / "arrears.csv").read_bytes()
    for content, words in (
        (good[:-20], "its upload is not over"),
        (good.replace(b"2025", b"2024"), "another SHA-256"),
        (good + b"x", "more bytes than in the manifest"),
    ):
        (registry.out / "arrears.csv").write_bytes(content)
        assert words in registry.refused()
        assert [*(registry.folder / "index").glob("quarantine-*")] == []
    (registry.out / "arrears.csv").write_bytes(good)
    assert registry.take().outcome is Outcome.TAKEN


async def test_a_file_that_is_swapped_between_check_and_use_has_no_part_in_anything(registry: Department) -> None:
    """The files are changed after they were copied, while the intake reads on."""
    registry.write(usual())
    intake = registry.connector._intake
    indexed = intake._indexed

    def swapped(*arguments: Any) -> Any:
        (registry.out / "arrears.csv").write_bytes(csv([{**ROW, "period": "forged"}]))
        return indexed(*arguments)

    intake._indexed = swapped  # type: ignore[method-assign]
    assert registry.take().outcome is Outcome.TAKEN
    [record] = (await fetch(registry.connector, ask("arrears", "period")))[ACME, "arrears"]  # type: ignore[misc]
    assert record.f_period == "2025"  # type: ignore[attr-defined]


def test_links_pipes_and_folders_are_no_files(registry: Department) -> None:
    registry.write(usual())
    file, aside = registry.out / "arrears.csv", registry.folder / "aside.csv"
    file.rename(aside)
    file.symlink_to(aside)
    assert "is a link" in registry.refused()
    file.unlink()
    assert "is not there" in registry.refused()
    os.mkfifo(file)
    assert "is no file" in registry.refused()
    file.unlink()
    file.mkdir()
    assert "is no file" in registry.refused()
    file.rmdir()
    (registry.out / "manifest.json").rename(registry.folder / "manifest.json")
    (registry.out / "manifest.json").symlink_to(registry.folder / "manifest.json")
    assert "manifest.json: is a link" in registry.refused()
