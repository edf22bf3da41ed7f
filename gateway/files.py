"""Files that are the gateway's own: replaced as a whole, and read by nobody else."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path


def readable_by_others(path: Path) -> str:
    """What is wrong with the rights to a file that holds a secret, and the fix; nothing where all is right.

    Raises `OSError`.
    """
    mode = path.stat().st_mode
    if not mode & (stat.S_IRWXG | stat.S_IRWXO):
        return ""
    return f"may be read by others (mode {stat.S_IMODE(mode):04o}); run `chmod 600 {path}`"


def replace_file(path: Path, content: bytes) -> None:
    """Write `path` anew, readable by its owner only, and on the disk when this returns; raises `OSError`.

    Whoever reads it, also after a crash, finds the old content or the new one.
    """
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "wb") as file:
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
