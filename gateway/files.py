"""Files that are the gateway's own: replaced as a whole, and read by nobody else."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

UNFINISHED = ".unfinished"
"""How the name of a file ends until it is whole: before that stand its own name, and eight characters of `tempfile`."""
RANDOM = "[a-z0-9_]{8}"


def readable_by_others(path: Path) -> str:
    """What is wrong with a file that holds a secret, or with the rights to it, and the fix; nothing where all is right.

    Whoever reads it asks first: a pipe would have nothing, or no end. Raises `OSError`.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        return "is no plain file; name one"
    if not mode & (stat.S_IRWXG | stat.S_IRWXO):
        return ""
    return f"may be read by others (mode {stat.S_IMODE(mode):04o}); run `chmod 600 {path}`"


def also_named(path: Path) -> str:
    """What is wrong with a file that stands elsewhere too, and the fix; nothing where it stands here alone.

    What belongs to it beside it, as a lock or a journal, would be another one there. Raises `OSError`.
    """
    if path.stat().st_nlink > 1:
        return "has another name too (a hard link), under which it could be served a second time; remove one of them"
    mounts = Path("/proc/self/mountinfo")
    if mounts.exists():
        target = str(path.resolve()).replace(" ", r"\040")
        if any(line.split(" ", 5)[4] == target for line in mounts.read_text("utf-8", "replace").splitlines()):
            return "is mounted by itself, and could be served a second time elsewhere; mount its folder"
    return ""


def not_writable(path: Path, *, make_folder: bool = False) -> str:
    """Why a file cannot be written, there or to be made, and the fix; nothing where it can. Nothing is tried.

    `make_folder`: whoever writes it makes its folder.
    """
    try:
        return _not_writable(path, make_folder)
    except OSError as error:  # a folder above that this account may not look into, or a name that is too long
        return f"cannot be used ({error.strerror})"


def _not_writable(path: Path, make_folder: bool) -> str:
    if path.is_dir():
        return "is a folder; name a file in it"
    if path.exists():
        return "" if path.is_file() and os.access(path, os.R_OK | os.W_OK) else "cannot be written; change its rights"
    folder = path.parent
    while make_folder and not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        return f"would be in `{folder}`, which is no folder; " + ("name another" if folder.exists() else "make it")
    return "" if os.access(folder, os.W_OK | os.X_OK) else f"cannot be made: `{folder}` cannot be written to"


def temporary_of(path: Path) -> tuple[int, str]:
    """A new file beside `path`, for what is to become it: its descriptor, and its name. Raises `OSError`."""
    return tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-", suffix=UNFINISHED)


def is_temporary_of(path: Path) -> Callable[[str], object]:
    """Whether a name in the folder of `path` is one that `temporary_of` gives."""
    return re.compile(rf"\.{re.escape(path.name)}-{RANDOM}{re.escape(UNFINISHED)}").fullmatch


def new_file(path: Path, content: bytes) -> None:
    """Write a file that is not there yet, readable by its owner only: whole and on the disk, or not at all.

    Raises `OSError`; `FileExistsError` where there is one.
    """
    handle, temporary = temporary_of(path)
    try:
        with os.fdopen(handle, "wb") as file:
            _being_written(file)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            os.link(temporary, path)  # unlike a rename, never over a file that is there
    finally:
        Path(temporary).unlink(missing_ok=True)


def replace_file(path: Path, content: bytes, *, clear: bool = True) -> None:
    """Write `path` anew, readable by its owner only, and on the disk when this returns; raises `OSError`.

    Whoever reads it, also after a crash, finds the old content or the new one. What was left of `path` by a process
    that was killed while it wrote is removed, unless `clear` is false: that looks at every name in the folder.
    """
    if clear:
        _clear(path)
    handle, temporary = temporary_of(path)
    try:
        with os.fdopen(handle, "wb") as file:
            _being_written(file)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _being_written(file: BinaryIO) -> None:
    """Have whoever clears up see that a file is being written: before anything is in it."""
    with contextlib.suppress(OSError):  # a file system without locks
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _clear(path: Path) -> None:
    with contextlib.suppress(OSError):  # a folder that may not be looked into
        for name in filter(is_temporary_of(path), os.listdir(path.parent)):
            with contextlib.suppress(OSError):  # it went meanwhile, or is being written
                if (path.parent / name).lstat().st_size:  # else it may be one that nobody has locked yet
                    remove_unused(path.parent / name)


def remove_unused(unfinished: Path) -> None:
    """Remove a file that nobody is writing any more; raises `OSError` where somebody is."""
    if not stat.S_ISREG(unfinished.lstat().st_mode):
        return
    descriptor = os.open(unfinished, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        unfinished.unlink()
    finally:
        os.close(descriptor)
