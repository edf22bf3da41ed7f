"""PostgreSQL's own `pg_dump` and `pg_restore`, run with the address of the store.

The password goes by the environment, not by the command line, which others on the machine may read.
"""

from __future__ import annotations

import os
import shutil
import subprocess

from sqlalchemy.engine import URL

from gateway.config.settings import PREFIX
from gateway.errors import CommandRefused
from gateway.storage.engines.address import dsn

_FIXES = {
    "server version mismatch": "install PostgreSQL's client programs of the server's version, or of a later one",
    "unsupported version": "install PostgreSQL's client programs of the version that made the backup, or a later one",
    "No space left": "make room on the disk",
    "permission denied": "let the store's role own its database",
    "lock timeout": "wait until the migration that holds the tables is over",
}
"""What a program reports when it fails, and what to do then."""


def run(tool: str, url: URL, *options: str) -> None:
    """Run one of them to its end; raises `CommandRefused` with its first error and the fix."""
    program = shutil.which(tool)
    if program is None:
        raise CommandRefused(
            f"`{tool}` is not installed here; install PostgreSQL's client programs of the server's version, or of a"
            " later one"
        )
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    environment |= {"PGTARGETSESSIONATTRS": "read-write", "PGAPPNAME": f"dutybound {tool}", "LC_ALL": "C"}
    if url.password is not None:
        environment["PGPASSWORD"] = str(url.password)
    command = [program, "--no-password", f"--dbname={dsn(url._replace(password=None))}", *options]
    done = subprocess.run(  # noqa: S603 - the program of that name, with our own options
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode:
        lines = done.stderr.splitlines() or [f"it ended with {done.returncode}"]
        # The first error alone: what follows may quote rows.
        why = next((line for line in lines if "error:" in line), lines[0])
        fix = next((f"; {fix}" for sign, fix in _FIXES.items() if sign in done.stderr), "")
        raise CommandRefused(f"`{tool}` failed: {why}{fix}")
