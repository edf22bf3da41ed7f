"""The signing key's file and the public keys' file: what is refused, and why."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from gateway.errors import ConfigurationError
from gateway.ledger.proof import key_files
from tests.ledger.support import ORIGIN


def test_a_full_disk_leaves_no_key_behind(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with pytest.raises(ConfigurationError, match="cannot be written"):
            key_files.generate(tmp_path / "ledger.key")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def test_a_key_is_read_as_it_was_made(tmp_path: Path) -> None:
    made = key_files.generate(tmp_path / "k")
    assert key_files.load(tmp_path / "k").private_bytes_raw() == made.private_bytes_raw()


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    key_files.generate(tmp_path / "k")
    (tmp_path / "k").chmod(0o640)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        key_files.load(tmp_path / "k")


def test_what_is_no_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="keys generate"):
        key_files.load(tmp_path / "nowhere")
    other = tmp_path / "other"
    other.touch(0o600)
    other.write_bytes(b"nothing")
    with pytest.raises(ConfigurationError, match="not a whole PEM"):
        key_files.load(other)
    other.write_bytes(
        generate_private_key(SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    with pytest.raises(ConfigurationError, match="not an Ed25519 key"):
        key_files.load(other)
    with pytest.raises(ConfigurationError, match="cannot be written"):
        key_files.generate(tmp_path / "no" / "folder")


def test_public_keys_are_read_with_comments_and_told_apart_by_line(tmp_path: Path) -> None:
    made = key_files.verifiers(key_files.generate(tmp_path / "k"), ORIGIN, ["1", "2"])
    file = tmp_path / "p"
    file.write_text(f"# ours\n\n{made[0]}\n{made[1]}\n")
    assert key_files.read_verifiers(file) == made
    file.write_text(f"{made[0]}\n{made[1]}x\n")
    with pytest.raises(ConfigurationError, match="p:2:1"):
        key_files.read_verifiers(file)
    file.write_text("# nothing\n")
    with pytest.raises(ConfigurationError, match="no verifier key"):
        key_files.read_verifiers(file)
    file.write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match="public key file"):
        key_files.read_verifiers(file)
