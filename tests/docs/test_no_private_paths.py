"""No file of the project names a place on somebody's machine: a home, a work folder, a temporary one, a private index.

The patterns are put together here from parts, so that this file passes too.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.reading import INSTALLED, ROOT, files

_FOLDERS = ("home", "root", "Users", "work", "workspace", "tmp", "mnt", "media", "srv")
_ABSOLUTE = re.compile(
    r"(?:^|[\s\"'`(\[=:,])" + "(?:file://)?" + "/(?:" + "|".join(_FOLDERS) + r")/[\w.-]", re.MULTILINE
)
_DRIVE = re.compile(r"\b[A-Z]:\\(?:Users|work|temp)\\", re.IGNORECASE)
_PRIVATE_NETWORK = re.compile(r"https?://(?:10|192\.168|172\.(?:1[6-9]|2\d|3[01]))\.\d+(?:\.\d+)+")
PATTERNS = {"absolute path": _ABSOLUTE, "drive": _DRIVE, "private network": _PRIVATE_NETWORK}

PUBLIC_INDEXES = {"pypi.org", "files.pythonhosted.org", "registry.npmjs.org"}
_NOT_OURS = INSTALLED | {"var", "dist", "build"}


def ours() -> list[Path]:
    """Every text file of the project: what is not ignored, made by a tool, or installed."""
    found = files(ROOT, lambda name: _seen(name) and name not in _NOT_OURS)
    return [path for path in found if _seen(path.name) and path.is_file() and not path.name.endswith((".pyc", ".db"))]


def _seen(name: str) -> bool:
    return not name.startswith(".") or name in (".ci", ".github", ".gitignore")


def told(text: str) -> list[str]:
    return [f"{name}: {found[0].strip()}" for name, pattern in PATTERNS.items() for found in pattern.finditer(text)]


def test_no_file_names_a_place_on_a_machine() -> None:
    texts = {path: path.read_text("utf-8", errors="replace") for path in ours()}
    assert len(texts) > 200
    wrong = {str(path.relative_to(ROOT)): told(text) for path, text in texts.items() if told(text)}
    assert wrong == {}


@pytest.mark.parametrize(
    "lock",
    [
        "uv.lock",
        "tests/conformance/package-lock.json",
        "tests/bench/apollo/package-lock.json",
        "tests/bench/node-rest/package-lock.json",
        "tests/connectors/apollo/package-lock.json",
    ],
)
def test_locks_name_public_indexes_only(lock: str) -> None:
    text = (ROOT / lock).read_text("utf-8")
    sources = re.findall(r'(?:registry = |"resolved": |url = )"https?://([^/"]+)', text)
    assert set(sources) <= PUBLIC_INDEXES


@pytest.mark.parametrize(
    "text",
    [
        'PATH = "{}home{}ann{}notes.md"',
        "see {}work{}main",
        "cd {}root{}.cache",
        "`{}Users{}ann`",
        "file:{0}{0}{0}tmp{0}x",
        "C:\\Users\\ann",
        "http:{}{}192.168.0.7",
    ],
)
def test_a_planted_path_is_found(text: str) -> None:
    assert told(text.format(*["/"] * 4))


@pytest.mark.parametrize(
    "text", ["{}health{}live", "https:{0}{0}gateway.example{0}data{0}x", "{}subjects{}LEI", "~{}.local{}state"]
)
def test_other_paths_are_not(text: str) -> None:
    assert told(text.format(*["/"] * 4)) == []
