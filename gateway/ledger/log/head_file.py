"""`ledger.head_file`: the highest checkpoints published, in a small file outside the store.

A store that was set back (an old backup, a standby that was behind) cannot tell by itself that it was: this file can.
So it belongs on another disk, or another machine's. JSON: `{"v": 1, "heads": {<origin>: <signed note>}}`, replaced as a
whole and synced before a publication counts; several processes write to it in turn, by a lock on a file beside it.

Invariant: a log's remembered size never falls.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from gateway.errors import LedgerUnavailable
from gateway.files import replace_file
from gateway.ledger.proof.note import Checkpoint, note_body, parse_checkpoint
from gateway.nouns import counted

VERSION = 1
_NOBODYS: Mapping[str, str] = MappingProxyType({})


class SeenOutside(NamedTuple):
    """A checkpoint that somebody outside the store has seen; `by` names who, for messages."""

    by: str
    note: str

    @property
    def checkpoint(self) -> Checkpoint:
        return parse_checkpoint(note_body(self.note))


class _File(msgspec.Struct):
    v: int
    heads: dict[str, str]


class HeadFile:
    """The file; made with the first checkpoint. Every call blocks, and raises `LedgerUnavailable` where it fails."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def remembered(self, origin: str) -> SeenOutside | None:
        """The highest checkpoint of a log that was published."""
        note = self._read().get(origin)
        return None if note is None else SeenOutside(f"the head file `{self.path}`", note)

    def all(self) -> list[SeenOutside]:
        """The highest checkpoint of every log that was published."""
        return [SeenOutside(f"the head file `{self.path}`", note) for note in self._read().values()]

    def remember(self, origin: str, note: str, others: Mapping[str, str] = _NOBODYS) -> None:
        """Write a published checkpoint down, unless a higher one stands there; on the disk when it returns.

        `others` are checkpoints of logs that other processes enter into, by origin: what is not higher is passed over.
        """
        with self._alone():
            heads = self._read()
            old = heads.get(origin)
            if old is not None and _size(old) > _size(note):
                raise LedgerUnavailable(
                    f"`{self.path}` remembers {counted(_size(old), 'entry')} of `{origin}`, and the store has"
                    f" {_size(note)}: it"
                    " was set back; start the gateway again, which then reports what to do"
                )
            grown = {
                name: each for name, each in others.items() if name not in heads or _size(each) > _size(heads[name])
            }
            if old != note or grown:
                after = _File(VERSION, heads | grown | {origin: note})
                self._write(msgspec.json.format(msgspec.json.encode(after), indent=1))

    def _read(self) -> dict[str, str]:
        try:
            found = msgspec.json.decode(self.path.read_bytes(), type=_File)
            for note in found.heads.values():
                _size(note)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise LedgerUnavailable(
                f"the head file `{self.path}` cannot be read ({error}); without it nobody can know whether the store"
                " was set back. Restore it, or remove it if you know that the store was not set back"
            ) from error
        if found.v != VERSION:
            raise LedgerUnavailable(f"the head file `{self.path}` is of version {found.v}; this one knows {VERSION}")
        return found.heads

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            descriptor = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise LedgerUnavailable(f"no lock beside the head file `{self.path}` ({error.strerror})") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _write(self, content: bytes) -> None:
        try:
            replace_file(self.path, content)
        except OSError as error:
            raise LedgerUnavailable(f"the head file `{self.path}` cannot be written ({error.strerror})") from error


def _size(note: str) -> int:
    return parse_checkpoint(note_body(note)).size
