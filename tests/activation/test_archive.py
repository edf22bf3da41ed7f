"""From a folder's files to bytes and back: what belongs to a rule set, and nothing else, within its bounds."""

from __future__ import annotations

import os
import shutil
import tempfile
import zlib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.activation import archive
from gateway.activation.archive import NotPacked, laid_out, pack, packed, unpacked
from gateway.activation.loading import Reading, loaded
from gateway.catalogue.unread import NAMED
from gateway.errors import CommandRefused, ConfigurationError
from gateway.rules.load import load

POLICIES = Path("policies")
ALONE = Reading(None, None, None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(POLICIES, tmp_path / "policies")
    return tmp_path / "policies"


def refused(folder: Path) -> str:
    with pytest.raises(ConfigurationError) as found:
        packed(folder)
    return str(found.value)


def test_the_shipped_policies_come_back_with_their_digest(folder: Path) -> None:
    files = packed(folder)
    assert len(files) < 60_000
    assert loaded(files, load(POLICIES).digest, ALONE).digest == load(POLICIES).digest
    assert {Path(name).suffix for name in unpacked(files)} == {".yaml", ".cedar"}


def test_comments_and_order_are_no_part_of_the_digest(folder: Path) -> None:
    text = (folder / "watch.yaml").read_text("utf-8")
    (folder / "watch.yaml").write_text(f"# ours\n{text}", "utf-8")
    assert load(folder).digest == load(POLICIES).digest


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("calendar.yaml", "objection: 7", "objection: 8"),
        ("watch.yaml", "officials: 7", "officials: 8"),
        ("identifiers.yaml", "Legal Entity Identifier", "The Legal Entity Identifier"),
        ("requesters.yaml", "until: 20", "until: 21"),
    ],
)
def test_the_digest_covers_every_file(folder: Path, name: str, before: str, after: str) -> None:
    text = (folder / name).read_text("utf-8")
    if before not in text:
        before, after = "time_zone: Europe/Sofia", "time_zone: Europe/Paris"
    assert before in text
    (folder / name).write_text(text.replace(before, after, 1), "utf-8")
    assert load(folder).digest != load(POLICIES).digest


def test_a_holiday_and_thresholds_with_mistakes_change_the_digest(folder: Path) -> None:
    digests = {load(folder).digest}
    for name in ("watch.yaml", "watch.yaml"):
        with (folder / name).open("a", encoding="utf-8") as file:
            file.write("unknown: 1\n")
        digests.add(load(folder).digest)
    (folder / "watch.yaml").unlink()
    digests.add(load(folder).digest)
    assert len(digests) == 4


def test_links_out_of_the_folder_long_files_and_odd_names_are_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.cedar").write_text("secret")
    (folder / "rules" / "out.cedar").symlink_to(tmp_path / "elsewhere.cedar")
    (folder / "rules" / "with space.cedar").write_text("")
    (folder / "catalogue" / "long.yaml").write_bytes(b"#" * (archive.MOST_FILE + 1))
    (folder / "tests").mkdir(exist_ok=True)
    (folder / "tests" / "a.yaml").mkdir()
    said = refused(folder)
    assert "out.cedar: leads out of the folder" in said
    assert "with space.cedar: needs a name" in said
    assert "long.yaml: has 1,048,577 bytes" in said
    assert "a.yaml: is no file" in said
    assert "secret" not in said


def test_links_within_the_folder_are_followed(folder: Path) -> None:
    whole = packed(folder)
    (folder / "..data").mkdir()
    for name in ("purposes.yaml", "watch.yaml"):
        (folder / name).rename(folder / "..data" / name)
        (folder / name).symlink_to(Path("..data") / name)
    assert packed(folder) == whole


@given(st.dictionaries(st.sampled_from([*NAMED, "rules/a.cedar", "tests/b-1.yaml"]), st.binary(max_size=200)))
def test_what_is_packed_comes_back(files: dict[str, bytes]) -> None:
    assert unpacked(pack(files)) == files
    with laid_out(pack(files)) as folder:
        found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        assert found == files
        assert os.stat(folder).st_mode & 0o077 == 0
    assert not folder.exists()


@given(st.binary(max_size=300))
def test_any_other_bytes_are_refused(said: bytes) -> None:
    for each in (said, b"\x01" + said, b"\x01" + zlib.compress(said)):
        with pytest.raises(NotPacked):
            unpacked(each)


@pytest.mark.parametrize(
    "name", ["../x.yaml", "/etc/x.yaml", "rules/../x.cedar", "rules/.x.cedar", "rules/x.yaml", "ledger.key", "a\n.yaml"]
)
def test_a_file_that_is_none_of_a_rule_sets_is_refused(name: str) -> None:
    with pytest.raises(NotPacked, match="none of a rule set's"):
        unpacked(pack({name: b""}))


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = b"\x01" + zlib.compress(b"\0" * (64 * 1024 * 1024))
    with pytest.raises(NotPacked, match="too much"):
        unpacked(bomb)
    with pytest.raises(NotPacked, match="over 4,194,304 bytes"):
        unpacked(b"\x01" + bytes(archive.MOST_PACKED))


def test_files_twice_or_out_of_order_are_refused() -> None:
    for listed in ([("watch.yaml", b""), ("calendar.yaml", b"")], [("watch.yaml", b""), ("watch.yaml", b"x")]):
        with pytest.raises(NotPacked, match="another order"):
            unpacked(b"\x01" + zlib.compress(msgspec.msgpack.encode(listed)))


def test_problems_are_told_by_the_files_own_names_and_another_digest_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="rule set 0123456789ab: its files have the digest"):
        loaded(packed(folder), "0123456789ab" + "0" * 52, ALONE)
    (folder / "purposes.yaml").write_text("A: 1\n", "utf-8")
    with pytest.raises(ConfigurationError) as found:
        loaded(packed(folder), "0123456789ab", ALONE)
    assert "rule set 0123456789ab: purposes.yaml:1:4" in str(found.value)
    assert tempfile.gettempdir() not in str(found.value)


def test_what_is_no_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(CommandRefused, match="nope` is no folder; name the folder of the policies"):
        archive.packed(tmp_path / "nope")
