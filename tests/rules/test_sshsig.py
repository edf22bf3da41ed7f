"""Signatures of officers: ours and those of a real `ssh-keygen` are one and the same, and nothing else is one."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import VerificationFailed
from gateway.rules import sshsig

MESSAGE = "rule set 5f3c\nreason Ünïcode, and a line\n".encode()
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def line(private: Ed25519PrivateKey, comment: str = "olsen@policy") -> str:
    return f"{private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()} {comment}"


KEY = sshsig.public_key(line(PRIVATE))


def keygen(folder: Path, *arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["ssh-keygen", *arguments], cwd=folder, input=given, capture_output=True, check=False)


def test_what_ssh_keygen_signs_verifies_here_and_the_other_way_round(tmp_path: Path) -> None:
    assert keygen(tmp_path, "-q", "-t", "ed25519", "-N", "", "-f", "key").returncode == 0
    (tmp_path / "words").write_bytes(MESSAGE)
    assert keygen(tmp_path, "-Y", "sign", "-n", sshsig.NAMESPACE, "-f", "key", "words").returncode == 0
    key = sshsig.public_key((tmp_path / "key.pub").read_text())
    theirs = (tmp_path / "words.sig").read_text()
    assert sshsig.read(theirs).key == key
    sshsig.verify(theirs, MESSAGE, key)
    with pytest.raises(VerificationFailed, match="not over these words"):
        sshsig.verify(theirs, MESSAGE + b" ", key)

    (tmp_path / "ours.sig").write_text(sshsig.sign(PRIVATE, MESSAGE))
    (tmp_path / "allowed").write_text(f"olsen {KEY}\n")
    verify = ("-Y", "verify", "-f", "allowed", "-I", "olsen", "-n", sshsig.NAMESPACE, "-s", "ours.sig")
    assert keygen(tmp_path, *verify, given=MESSAGE).returncode == 0
    assert keygen(tmp_path, *verify, given=MESSAGE + b" ").returncode != 0

    assert keygen(tmp_path, "-Y", "sign", "-n", "file", "-f", "key", "words", given=b"y\n").returncode == 0
    with pytest.raises(VerificationFailed, match="another namespace; sign with `-n dutybound-rules`"):
        sshsig.read((tmp_path / "words.sig").read_text())
    assert keygen(tmp_path, "-q", "-t", "ecdsa", "-N", "", "-f", "other").returncode == 0
    (tmp_path / "words.sig").unlink()
    assert keygen(tmp_path, "-Y", "sign", "-n", sshsig.NAMESPACE, "-f", "other", "words").returncode == 0
    with pytest.raises(VerificationFailed, match="of another kind"):
        sshsig.read((tmp_path / "words.sig").read_text())


@given(st.binary(max_size=200))
def test_every_message_has_its_signature(message: bytes) -> None:
    armored = sshsig.sign(PRIVATE, message)
    sshsig.verify(armored, message, KEY)
    with pytest.raises(VerificationFailed):
        sshsig.verify(armored, message + b"\n", KEY)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_no_altered_byte_passes(at: int, by: int) -> None:
    armored = sshsig.sign(PRIVATE, MESSAGE)
    lines = armored.strip().splitlines()
    raw = bytearray(base64.b64decode("".join(lines[1:-1])))
    raw[at % len(raw)] ^= by
    forged = "\n".join([lines[0], base64.b64encode(raw).decode(), lines[-1]])
    with pytest.raises(VerificationFailed):
        sshsig.verify(forged, MESSAGE, KEY)


@pytest.mark.parametrize("armored", ["", "x", "\n" * 9_000, sshsig.sign(PRIVATE, b"")[:-40], "Ä" * 300])
def test_what_is_no_signature_is_told_as_that(armored: str) -> None:
    with pytest.raises(VerificationFailed, match="no SSH signature"):
        sshsig.read(armored)


def test_another_key_is_told() -> None:
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    with pytest.raises(VerificationFailed, match="another key"):
        sshsig.verify(sshsig.sign(other, MESSAGE), MESSAGE, KEY)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "must be an SSH public key"),
        ("ssh-rsa AAAA", "must be an SSH public key"),
        ("ssh-ed25519", "must be an SSH public key"),
        ("ssh-ed25519 AAAA", "cut short, or altered"),
        (KEY[:-8], "cut short, or altered"),
        (KEY.replace("AAAAC3", "AAAAC4"), "cut short, or altered"),
    ],
)
def test_a_malformed_key_is_told(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        sshsig.public_key(text)
