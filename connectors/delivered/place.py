"""Where a department puts its files: a folder here, or one that is reached by SFTP. Nothing else is read of it.

A file is copied into quarantine while it is hashed, and only the copy is read on: what is swapped at the place
meanwhile has another hash, or no part in anything.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol

from connectors.base import UnreachedError
from connectors.delivered.manifest import Listed
from connectors.delivered.report import refused

BLOCK = 2**18
_TEMPORARY = "the file is cut short, or its upload is not over; upload `manifest.json` and its signature last"


class Place(Protocol):
    """Where files are pulled from. Every method raises `UnreachedError`, or `RefusedError` where a name is no file."""

    def small(self, name: str, most: int) -> bytes | None:
        """All of a small file; None where there is none. One of more than `most` bytes is refused."""

    def copy(self, listed: Listed, to: BinaryIO) -> None:
        """Write the listed file's bytes to `to`; `Copied` refuses all that are not the listed ones."""

    def close(self) -> None:
        """End the connection, where there is one."""


class Copied:
    """Takes a file's blocks and writes them on, as long as they may be those of the listed one."""

    def __init__(self, listed: Listed, to: BinaryIO) -> None:
        self._listed, self._to = listed, to
        self._hash, self._left = hashlib.sha256(), listed.size

    def take(self, block: bytes) -> None:
        """The next block. Raises `RefusedError` where there are more bytes than listed."""
        self._left -= len(block)
        if self._left < 0:
            raise refused("has more bytes than in the manifest", self._listed.name)
        self._hash.update(block)
        self._to.write(block)

    def end(self) -> None:
        """Raises `RefusedError` unless the bytes were exactly the listed ones."""
        if self._left:
            raise refused(_TEMPORARY, self._listed.name)
        if self._hash.hexdigest() != self._listed.sha256:
            raise refused(
                "has another SHA-256 than in the manifest: the file or the manifest was changed", self._listed.name
            )


class Folder:
    """A folder on this machine."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def small(self, name: str, most: int) -> bytes | None:
        """See `Place`."""
        with contextlib.ExitStack() as held:
            file = self._open(name, held)
            if file is None:
                return None
            found = file.read(most + 1)
        if len(found) > most:
            raise refused(f"is larger than {most // 1024} KiB", name)
        return found

    def copy(self, listed: Listed, to: BinaryIO) -> None:
        """See `Place`."""
        with contextlib.ExitStack() as held:
            file = self._open(listed.name, held)
            if file is None:
                raise refused("is not there", listed.name)
            copied = Copied(listed, to)
            pour(file.read, copied.take)
            copied.end()

    def close(self) -> None:
        """See `Place`."""

    def _open(self, name: str, held: contextlib.ExitStack) -> BinaryIO | None:
        try:
            folder = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise UnreachedError(f"the folder cannot be read ({error.strerror})") from None
        held.callback(os.close, folder)
        try:
            # A pipe would keep whoever opens it waiting; a link could lead anywhere.
            opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        except FileNotFoundError:
            return None
        except OSError as error:
            link = os.path.islink(self._path / name)
            raise refused("is a link; put the file itself there" if link else _unread(error), name) from None
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            os.close(opened)
            raise refused("is no file, but a folder, a pipe or a device", name)
        return held.enter_context(os.fdopen(opened, "rb", buffering=0))


def _unread(error: OSError) -> str:
    return f"cannot be read ({error.strerror})"


def pour(read: Callable[[int], bytes | None], take: Callable[[bytes], None]) -> None:
    """All that `read` gives, block by block. Raises `UnreachedError`."""
    while True:
        try:
            block = read(BLOCK)
        except OSError as error:
            raise UnreachedError(f"a file cannot be read to its end ({error.strerror})") from None
        if not block:
            return
        take(block)
