"""Makes a vector of a store: `python -m tests.vectors.make_store tests/vectors/store-v2`, when a format has grown.

A store of SQLite as SQL, with entries about two subjects, one of whom was erased. Kept as made, like the others.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime
import sqlite3
import tempfile
from pathlib import Path

from tests.ledger.pair import OTHER, disclosed_pair, erase
from tests.ledger.support import AT, disclosed, opened, refused, store_in
from tests.vectors.make import fixed_salts

NEXT_DAY = AT + datetime.timedelta(days=1)


def make(folder: Path) -> None:
    """Write it into a new folder."""
    with tempfile.TemporaryDirectory() as place, fixed_salts():
        asyncio.run(_make(Path(place)))
        with contextlib.closing(sqlite3.connect(Path(place) / "ledger.db")) as connection:
            lines = list(connection.iterdump())
    folder.mkdir(parents=True)
    (folder / "store.sql").write_text("\n".join(lines) + "\n")


async def _make(place: Path) -> None:
    store = store_in(place)
    async with opened(store) as ledger:
        await disclosed(ledger, 1)
        await disclosed_pair(ledger, 2)
        await refused(ledger, 3)
        await erase(store, ledger, OTHER)
        await disclosed_pair(ledger, 4, NEXT_DAY)
    store.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make a vector of a store.")
    parser.add_argument("folder", type=Path, help="a new folder")
    make(parser.parse_args().folder)
