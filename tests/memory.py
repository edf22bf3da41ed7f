"""Where the tests keep their files: in memory, where there is enough of it.

A store's test waits for the disk and little else, and a new PostgreSQL database costs fifteen times as much on one. A
process that is killed loses nothing that it wrote, on either.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import MutableMapping
from pathlib import Path

SHARED = Path("/dev/shm")
ENOUGH = 2 << 30
"""Bytes that have to be free: many containers have 64 MiB there."""


def usable(folder: Path) -> bool:
    """Whether files fit there and programs that were copied there run."""
    try:
        about = os.statvfs(folder)
    except OSError:
        return False
    return (
        os.access(folder, os.W_OK | os.X_OK)
        and about.f_bavail * about.f_frsize >= ENOUGH
        and not about.f_flag & os.ST_NOEXEC
    )


def use(environment: MutableMapping[str, str], folder: Path = SHARED) -> None:
    """Have temporary files made there, by this process and those that it starts; not where somebody said where."""
    if "TMPDIR" not in environment and usable(folder):
        environment["TMPDIR"] = str(folder)
        tempfile.tempdir = None  # so that it is looked up again
