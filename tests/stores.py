"""Stores with nothing in them yet: their tables are made once a process and copied, which takes a tenth of the time.

Also stores as versions before made them.
"""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from gateway.storage import migrations
from gateway.storage.engines.sqlite import SqliteStore
from gateway.storage.store import open_file


@functools.cache
def _empty() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        open_file(path).close()
        assert [each.name for each in Path(folder).iterdir()] == [path.name], "all of it is in its file"
        return path.read_bytes()


def make(path: Path) -> None:
    """Make the file of an empty store; it is not opened, which takes ten times as long."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(0o600)
    path.write_bytes(_empty())


def store_at(path: Path) -> SqliteStore:
    """Open the store in the file; an empty one where there is no file."""
    if not path.exists():
        make(path)
    return open_file(path)


def make_older(path: Path, step: str) -> None:
    """Make the file of an empty store whose tables are of an earlier step."""
    path.touch(mode=0o600)
    steps = Config()
    steps.set_main_option("script_location", str(Path(migrations.__file__).parent))
    with create_engine(f"sqlite:///{path}").begin() as connection:
        steps.attributes["connection"] = connection
        command.upgrade(steps, step)
