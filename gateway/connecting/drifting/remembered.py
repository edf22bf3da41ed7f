"""What the watch remembers between two looks, in one JSON file: what does not fit since when, and how much there was.

No value and no identifier of anybody is in it.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from gateway.errors import CommandRefused
from gateway.saying import in_words


class Drift(msgspec.Struct, frozen=True):
    """One thing that does not fit: where in `sources.yaml`, of which kind, in words, and since which moment.

    `words` are `what` without the file's place, for whoever reads findings.
    """

    id: str
    department: str
    dataset: str
    key: str
    kind: str
    what: str
    since: str
    words: str = ""


class Remembered(msgspec.Struct, frozen=True):
    """`drifts` by id; `records` of the test subjects, by `department/dataset`, as they were when all was well."""

    drifts: dict[str, Drift] = {}
    records: dict[str, int] = {}


class Compared(NamedTuple):
    """What a look found: what began, what has lasted, and what has ended since the last one."""

    began: list[Drift]
    lasting: list[Drift]
    ended: list[Drift]


def id_of(department: str, key: str, kind: str, apart: str = "") -> str:
    """The same as long as the same key is wrong in the same way, however it is worded; `apart` distinguishes some."""
    return hashlib.sha256(f"{department}\n{key}\n{kind}\n{apart}".encode()).hexdigest()[:32]


def compared(before: Mapping[str, Drift], now: Mapping[str, Drift]) -> Compared:
    """Two looks, by id; what lasts keeps the moment since when it does."""
    began = [drift for id_, drift in now.items() if id_ not in before]
    lasting = [msgspec.structs.replace(drift, since=before[id_].since) for id_, drift in now.items() if id_ in before]
    return Compared(began, lasting, [drift for id_, drift in before.items() if id_ not in now])


def read(file: Path) -> Remembered:
    """What was remembered, nothing where there is no file yet. Raises `CommandRefused`."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Remembered)
    except FileNotFoundError:
        return Remembered()
    except (OSError, ValueError, RecursionError) as error:
        raise CommandRefused(f"`{file}` is not what a watch remembered ({in_words(error)}); remove it") from None


def write(file: Path, text: bytes) -> None:
    """Replace a file as a whole, so that whoever reads it sees one look or the other. Raises `CommandRefused`."""
    made = None
    try:
        with tempfile.NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}.", delete=False) as made:
            made.write(text)
        Path(made.name).chmod(0o644)  # a collector of metrics reads it by another account
        os.replace(made.name, file)
    except OSError as error:
        if made is not None:
            Path(made.name).unlink(missing_ok=True)
        raise CommandRefused(f"`{file}` cannot be written ({error.strerror})") from None
