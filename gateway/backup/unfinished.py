"""Hidden folders of a run that is not done. Each is locked while its run lasts, so that a later run can remove what
one left that was killed: a copy of the store, which may not be sealed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def folder(parent: Path, prefix: str) -> Iterator[Path]:
    """A new folder in `parent`, for its owner only, which goes afterwards; what killed runs left there goes before.

    `prefix` begins the names of such folders. Raises `OSError`.
    """
    for left in parent.glob(f"{prefix}*"):
        with contextlib.suppress(OSError), alone(left):
            shutil.rmtree(left)
    made = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    try:
        with alone(made):
            yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Lock a folder of this account's; raises `OSError` where it is another's, or somebody has the lock."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if os.fstat(descriptor).st_uid != os.getuid():
            raise PermissionError(f"`{folder}` is another account's")
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
