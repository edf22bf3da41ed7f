"""A sealed copy of any length opens by its key, whole and in order, or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.backup import sealing
from gateway.errors import CommandRefused, ConfigurationError

KEY = bytes(32)
PIECE = 64


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "_PIECE", PIECE)


def sealed(folder: Path, content: bytes) -> Path:
    (folder / "plain").write_bytes(content)
    sealing.seal(KEY, folder / "plain", folder / "sealed")
    return folder / "sealed"


@pytest.mark.parametrize("length", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE])
def test_it_opens_as_it_was(tmp_path: Path, length: int) -> None:
    content = os.urandom(length)
    sealing.unseal(KEY, sealed(tmp_path, content), tmp_path / "opened")
    assert (tmp_path / "opened").read_bytes() == content


@pytest.mark.parametrize("change", ["cut", "last", "swapped", "flipped", "salt", "nothing", "longer"])
def test_whatever_was_changed_does_not_open(tmp_path: Path, change: str) -> None:
    file = sealed(tmp_path, os.urandom(3 * PIECE))
    content, head, size = file.read_bytes(), 48, PIECE + 16
    pieces = [content[at : at + size] for at in range(head, len(content), size)]
    assert len(pieces) == 3
    made = {
        "cut": content[:-1],
        "last": content[:-size],
        "swapped": content[:head] + b"".join((pieces[1], pieces[0], pieces[2])),
        "flipped": content[:-20] + bytes((content[-20] ^ 1,)) + content[-19:],
        "salt": content[: head - 1] + bytes((content[head - 1] ^ 1,)) + content[head:],
        "nothing": b"",
        "longer": content + b"x",
    }
    file.write_bytes(made[change])
    with pytest.raises(CommandRefused, match=r"does not open|is no sealed copy"):
        sealing.unseal(KEY, file, tmp_path / "opened")


def test_a_file_of_a_key_that_was_cut_is_refused_as_one_of_a_backup(tmp_path: Path) -> None:
    sealing.key_of(tmp_path / "backup.key", make=True)
    (tmp_path / "backup.key").write_bytes((tmp_path / "backup.key").read_bytes()[:-10])
    with pytest.raises(ConfigurationError, match=r"holds no key of a backup.*line 2 has \d+ bytes|line 2 is no base64"):
        sealing.key_of(tmp_path / "backup.key")
