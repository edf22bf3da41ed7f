"""The policies that a command line names: a folder, or a folder of a git revision, as `git:REVISION[:FOLDER]`.

A revision is written to a temporary folder by `git archive`, without what a link or a name could lead out of it.
Nothing of it is run.
"""

from __future__ import annotations

import contextlib
import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from gateway.errors import CommandRefused, printable

_GIT = "git:"
_FOLDER = "policies"
_MOST = 64 * 1024**2


@contextlib.contextmanager
def folder(name: str) -> Iterator[Path]:
    """The folder that is named, while the context lasts; raises `CommandRefused` where there is none."""
    if not name.startswith(_GIT):
        if not Path(name).is_dir():
            raise CommandRefused(f"`{name}` is no folder; name a policies folder, or `git:REVISION[:FOLDER]`")
        yield Path(name)
        return
    revision, _, inside = name.removeprefix(_GIT).partition(":")
    with tempfile.TemporaryDirectory(prefix="dutybound-") as temporary:
        _extract(_archive(name, revision, inside or _FOLDER), name, Path(temporary))
        yield Path(temporary)


def _archive(name: str, revision: str, inside: str) -> bytes:
    if not revision or revision.startswith("-"):
        raise CommandRefused(f"`{name}` names no revision; write `git:REVISION[:FOLDER]`, such as `git:HEAD~1`")
    command = ["git", "archive", "--format=tar", f"{revision}:./{inside}"]
    try:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:  # noqa: S603
            content, told = _read(running.stdout), _read(running.stderr)
            running.kill()  # where it wrote more than is read
    except OSError as error:
        raise CommandRefused(f"`{name}` cannot be read: git cannot be run ({error.strerror})") from None
    if len(content) > _MOST:
        raise CommandRefused(f"`{name}` is larger than {_MOST // 1024**2} MiB; name the policies folder")
    if not content:
        said = told.decode("utf-8", "replace").strip().splitlines()
        raise CommandRefused(f"`{name}` cannot be read: {printable(said[-1]) if said else 'git failed'}")
    return content


def _read(stream: IO[bytes] | None) -> bytes:
    return stream.read(_MOST + 1) if stream is not None else b""


def _extract(archive: bytes, name: str, to: Path) -> None:
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(to, filter="data")
    except tarfile.TarError as error:
        raise CommandRefused(f"`{name}` cannot be read: {error}") from None
