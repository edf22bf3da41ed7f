"""The files of a policies folder as one value, and back: what the store keeps of a rule set, and a proposal sends.

A version byte, then the zlib-compressed MessagePack of [[name, content], ...] by name. It holds what the loader reads,
the tests and the officers, and nothing else: no secret, no page. Content is addressed by the digest of what the files
say (`RuleSet.digest`), not by these bytes.

Invariants: a name is one of `NAMED`, or a file right below `catalogue`, `rules` or `tests`; so nothing is ever written
elsewhere. What is too much is refused before it is read or unpacked: `MOST_FILES`, `MOST_FILE` and `MOST` bytes.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from gateway.catalogue.unread import BELOW, NAMED, unread
from gateway.errors import CommandRefused, ConfigurationError, Problem

MOST_FILES = 2_000
MOST_FILE = 1024 * 1024
MOST = 8 * 1024 * 1024
"""Bytes of all files together."""
MOST_PACKED = 4 * 1024 * 1024

_VERSION = b"\x01"
_STEM = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
_NAME = re.compile(
    "|".join([*map(re.escape, NAMED), *(rf"{folder}/{_STEM}\.{suffix}" for folder, suffix in BELOW.items())])
)
_decode = msgspec.msgpack.Decoder(list[tuple[str, bytes]]).decode


class NotPacked(CommandRefused):
    """The bytes are not an archive's; the message explains why."""


def packed(folder: Path) -> bytes:
    """The contents of a folder's files; raises `ConfigurationError` with all that is wrong with them,
    `CommandRefused`."""
    if not folder.is_dir():
        raise CommandRefused(f"`{folder}` is no folder; name the folder of the policies")
    problems = [Problem(str(path), 0, 0, "", wrong) for path, wrong in unread(folder)]
    found: dict[str, bytes] = {}
    whole = folder.resolve()
    for path in _files(folder):
        name = path.relative_to(folder).as_posix()
        if wrong := _wrong(name, path, whole):
            problems.append(Problem(str(path), 0, 0, "", wrong))
            continue
        try:
            found[name] = path.read_bytes()
        except OSError as error:
            problems.append(Problem(str(path), 0, 0, "", f"cannot be read ({error.strerror})"))
    if not problems and (wrong := too_much(found)):
        problems.append(Problem(str(folder), 0, 0, "", wrong))
    if problems:
        raise ConfigurationError(problems)
    return pack(found)


def pack(files: Mapping[str, bytes]) -> bytes:
    """The bytes of files by name."""
    return _VERSION + zlib.compress(msgspec.msgpack.encode(sorted(files.items())), 9)


def unpacked(files: bytes) -> dict[str, bytes]:
    """The files by name; raises `NotPacked`."""
    if len(files) > MOST_PACKED:
        raise NotPacked(f"is over {MOST_PACKED:,} bytes")
    if files[:1] != _VERSION:
        raise NotPacked("is of a form that this version does not know")
    unzip = zlib.decompressobj()
    try:
        plain = unzip.decompress(files[1:], 2 * MOST)
        if not unzip.eof or unzip.unused_data:
            raise NotPacked("is cut short, or too much")
        listed = _decode(plain)
    except (zlib.error, msgspec.MsgspecError) as error:
        raise NotPacked("is damaged") from error
    found = dict(listed)
    if len(found) != len(listed) or [name for name, _ in listed] != sorted(found):
        raise NotPacked("has its files in another order, or one of them twice")
    for name in found:
        if not is_name(name):
            raise NotPacked(f"has the file `{name[:100]}`, which is none of a rule set's")
    if wrong := too_much(found):
        raise NotPacked(wrong)
    return found


@contextlib.contextmanager
def laid_out(files: bytes) -> Iterator[Path]:
    """The files in a folder of their own, which only this account can read, as long as this lasts.

    Raises `NotPacked`.
    """
    found = unpacked(files)
    with tempfile.TemporaryDirectory(prefix="dutybound-rules-") as made:
        folder = Path(made)
        for name in BELOW:
            (folder / name).mkdir()
        for name, content in found.items():
            (folder / name).write_bytes(content)
        yield folder


def _files(folder: Path) -> Iterator[Path]:
    """What the loader takes for the rule set's, in order."""
    for name in NAMED:
        if (path := folder / name).exists() or path.is_symlink():
            yield path
    for below, suffix in BELOW.items():
        found = (folder / below).glob(f"*.{suffix}")
        yield from sorted(path for path in found if below == "rules" or not path.name.startswith("."))


def _wrong(name: str, path: Path, whole: Path) -> str:
    if not is_name(name):
        return "needs a name of letters, digits, `.`, `_` and `-`; rename it"
    if not path.resolve().is_relative_to(whole):
        return "leads out of the folder (a symbolic link); put the file itself there"
    if not path.is_file():
        return "is no file"
    if (size := path.stat().st_size) > MOST_FILE:
        return f"has {size:,} bytes; a file of a rule set has at most {MOST_FILE:,}"
    return ""


def is_name(name: str) -> bool:
    """Whether a file of a rule set can have this name."""
    return _NAME.fullmatch(name) is not None


def too_much(files: Mapping[str, bytes]) -> str:
    """In what files are too much for a rule set; nothing where they are not."""
    if len(files) > MOST_FILES:
        return f"holds {len(files):,} files; a rule set has at most {MOST_FILES:,}"
    if any(len(content) > MOST_FILE for content in files.values()):
        return f"holds a file of over {MOST_FILE:,} bytes"
    size = sum(map(len, files.values()))
    return f"holds {size:,} bytes; a rule set has at most {MOST:,}" if size > MOST else ""
