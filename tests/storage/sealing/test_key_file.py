"""The key outside the store, as a file: it wraps, its follower takes its place, and what is wrong with it is said."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError
from gateway.storage.sealing import key_file
from gateway.storage.sealing.key_file import KeyFile, NotWrapped

ROOT = os.urandom(32)


def test_a_new_file_is_its_owners_and_is_never_overwritten(tmp_path: Path) -> None:
    made = key_file.generate(tmp_path / "store.key")
    assert stat.S_IMODE((tmp_path / "store.key").stat().st_mode) == 0o600
    read = key_file.load(tmp_path / "store.key")
    assert read.name == made.name
    assert read.unwrap(made.wrap(ROOT)) == ROOT
    with pytest.raises(ConfigurationError, match="never overwritten"):
        key_file.generate(tmp_path / "store.key")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        key_file.generate(tmp_path / "nowhere" / "store.key")


def test_another_key_unwraps_nothing(tmp_path: Path) -> None:
    one, other = (key_file.generate(tmp_path / name) for name in ("one", "other"))
    assert one.name != other.name
    for wrong in (one.wrap(ROOT), one.wrap(ROOT)[:-1], b""):
        with pytest.raises(NotWrapped):
            other.unwrap(wrong)


def test_a_key_and_its_next_both_unwrap_until_the_next_is_alone(tmp_path: Path) -> None:
    path = tmp_path / "store.key"
    before = key_file.generate(path)
    key_file.replace(path, before.followed_by_its_next())
    both = key_file.load(path)
    assert both.several
    assert both.unwrap(before.wrap(ROOT)) == ROOT
    (path.parent / f".{path.name}-a1b2c3d4.unfinished").write_bytes(both.encode())  # of a rotation that was killed
    copies = [path.parent / f".{path.name}-{end}" for end in ("20261128", "before-rotation")]
    for each in copies:
        each.write_bytes(both.encode())
    (path.parent / f".{path.name}-old").mkdir()
    key_file.replace(path, both.first_alone())
    assert sorted(each.name for each in path.parent.iterdir()) == sorted(
        [path.name, f".{path.name}-old", *(each.name for each in copies)]
    )
    after = key_file.load(path)
    assert after.name == both.name != before.name
    assert not after.several
    assert after.unwrap(both.wrap(ROOT)) == ROOT
    with pytest.raises(NotWrapped):
        after.unwrap(before.wrap(ROOT))


KEY = b"QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="
ABOUT = b"# The key that unwraps a store's own keys.\n"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it is empty"),
        (ABOUT, "it has comments alone"),
        (ABOUT[:12], "it has comments alone"),
        (ABOUT.strip() + KEY, "it has comments alone"),
        (ABOUT[2:] + KEY, "line 1 is no base64, or was cut short"),
        (ABOUT + KEY[:-9], "line 2 is no base64, or was cut short"),
        (ABOUT + KEY[:-8], "line 2 has 27 bytes in base64, and a key has 32"),
        (ABOUT + KEY + b"\n\n" + KEY[:8], "line 4 has 6 bytes in base64, and a key has 32"),
        (ABOUT + KEY + b"\0", "line 2 is no base64, or was cut short"),
        (b"\xef\xbb\xbf" + ABOUT + KEY, "it is no text in ASCII"),
        ((ABOUT + KEY).decode().encode("utf-16"), "it is no text in ASCII"),
    ],
)
def test_a_file_without_a_whole_key_is_refused_for_what_is_wrong(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "store.key"
    path.touch(0o600)
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="holds no key of a store") as caught:
        key_file.load(path)
    assert f"writes it: {why}. Put the whole file back" in str(caught.value)
    assert b"QUFB" not in str(caught.value).encode()


def test_a_file_that_is_away_or_that_others_may_read_is_refused_with_the_fix(tmp_path: Path) -> None:
    path = tmp_path / "store.key"
    with pytest.raises(ConfigurationError, match=r"the key of the store is missing\. Nothing was changed"):
        key_file.load(path)
    key_file.generate(path)
    path.chmod(0o640)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        key_file.load(path)


def test_what_it_is_called_says_nothing_of_it() -> None:
    key = bytes(range(32))
    assert KeyFile((key,)).name not in key.hex()
