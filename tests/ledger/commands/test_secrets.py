"""`dutybound keys secrets`: what sessions, nonces and counts are keyed by, in a file of its own, and its next."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway import cli
from gateway.config.oauth import DPoPSettings
from gateway.console.sealing import Sealer
from gateway.identity.dpop import Proofs, nonce_secret
from gateway.identity.replay import OwnReplays
from gateway.storage.sealing import key_file


def run(*words: str) -> int:
    return cli.main(["keys", "secrets", *words])


def test_secrets_are_made_once_and_followed_by_their_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "secrets.key"
    assert run("--out", str(path)) == 0
    assert "name it with `secrets_file`" in capsys.readouterr().out
    (first,) = key_file.load(path).keys
    assert run("--out", str(path)) == 1
    assert "never overwritten" in capsys.readouterr().err
    assert run("--out", str(path), "--next") == 0
    second, before = key_file.load(path).keys
    assert before == first != second
    assert run("--out", str(path), "--next") == 0
    third, before = key_file.load(path).keys
    assert before == second != third
    assert path.stat().st_mode & 0o077 == 0


def test_what_was_made_before_the_next_is_taken_and_nothing_else() -> None:
    old, new = b"o" * 32, b"n" * 32
    sealed = Sealer([old], "session").sealed(b"who", b"salt")
    assert Sealer([new, old], "session").opened(sealed, b"salt") == b"who"
    assert Sealer([new], "session").opened(sealed, b"salt") is None
    assert Sealer([old], "session").opened(Sealer([new, old], "session").sealed(b"who")) is None

    def proofs(*of: bytes) -> Proofs:
        return Proofs("https://gateway.example", DPoPSettings(), [*map(nonce_secret, of)], OwnReplays())

    given = proofs(old).nonce(1e9)
    assert proofs(new, old)._ours(given, 1e9, "")
    assert not proofs(new)._ours(given, 1e9, "")
    assert proofs(new, old).nonce(1e9) == proofs(new).nonce(1e9) != given
