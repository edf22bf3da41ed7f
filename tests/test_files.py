"""Files that are replaced as a whole, and what a process that is killed on the way leaves of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError
from gateway.files import UNFINISHED, new_file, readable_by_others, replace_file
from gateway.ledger.log.head_file import HeadFile
from gateway.ledger.proof import key_files
from gateway.ledger.proof.note import Signer
from gateway.storage.sealing import key_file
from tests.ledger.support import KEY, ORIGIN

KILLED = """
import os, signal, sys
from pathlib import Path
from gateway.files import replace_file
os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
replace_file(Path(sys.argv[1]), b"half")
"""


def killed_writing(path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", KILLED, path], timeout=60, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert unfinished(path)


def unfinished(path: Path) -> list[Path]:
    return [each for each in path.parent.iterdir() if each.name.startswith(f".{path.name}-")]


def test_what_a_killed_writer_left_is_removed_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "a [b].json"
    killed_writing(path)
    (tmp_path / f".{path.name}-20261128").write_text("somebody else's")
    replace_file(path, b"whole")
    assert path.read_bytes() == b"whole"
    assert [each.name for each in unfinished(path)] == [f".{path.name}-20261128"]


def test_what_another_is_writing_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, sync, mid = tmp_path / "heads.json", os.fsync, list[list[Path]]()

    def meanwhile(descriptor: int) -> None:
        monkeypatch.setattr(os, "fsync", sync)
        other = tempfile.mkstemp(
            dir=tmp_path, prefix=f".{path.name}-", suffix=UNFINISHED
        )  # of one that has not written anything yet
        os.close(other[0])
        replace_file(path, b"second")
        mid.append(unfinished(path))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", meanwhile)
    replace_file(path, b"first")
    assert len(mid[0]) == 2
    assert path.read_bytes() == b"first"


def test_the_head_file_keeps_none_of_it(tmp_path: Path) -> None:
    path, signer = tmp_path / "ledger.heads.json", Signer(f"{ORIGIN}/1", KEY)
    killed_writing(path)
    HeadFile(path).remember(f"{ORIGIN}/1", signer.checkpoint(1, bytes(32)))
    assert not unfinished(path)


def test_a_pipe_is_no_secret(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "key", 0o600)
    assert readable_by_others(tmp_path / "key") == "is no plain file; name one"
    for load in (key_file.load, key_files.load):
        with pytest.raises(ConfigurationError, match="is no plain file; name one"):
            load(tmp_path / "key")


def test_a_new_file_is_whole_though_another_clears_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, link = tmp_path / "new", os.link

    def meanwhile(temporary: str, to: Path) -> None:
        replace_file(path, b"another's")
        path.unlink()
        link(temporary, to)

    monkeypatch.setattr(os, "link", meanwhile)
    new_file(path, b"whole")
    assert path.read_bytes() == b"whole"
