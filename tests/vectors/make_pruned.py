"""Makes the vector of a pruning: `python -m tests.vectors.make_pruned FOLDER`.

One receipt and the key that it verifies with. Kept as made, like the others (`make`).
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import tempfile
from pathlib import Path

from gateway.ledger.entry import entries
from gateway.ledger.entry.parts import split
from tests.ledger import served
from tests.ledger.support import AT, BY, VERIFIERS, opened, refused, store_in
from tests.vectors.make import fixed_salts

TOLD = entries.Pruned(
    v=entries.VERSION,
    id="pruned-1",
    at=AT + datetime.timedelta(days=1),
    requester=entries.Who("", "command line"),
    by="R. Keeper",
    reason="ten years are over",
    before=datetime.date(2016, 11, 25),
    retention="P10Y",
    below={"1": 1_000, "commands": 7},
    backups_until=datetime.date(2026, 12, 30),
)


def make(folder: Path) -> None:
    """Write all of it into a new folder."""
    with tempfile.TemporaryDirectory() as place, fixed_salts():
        files = asyncio.run(_make(Path(place)))
    folder.mkdir(parents=True)
    served.write(files, folder)


async def _make(place: Path) -> dict[str, bytes]:
    store, parts = store_in(place), split(TOLD)
    async with opened(store) as ledger:
        await refused(ledger, 0)
        receipt = await ledger.append(parts.told, parts.oversight, TOLD.at, BY, (), parts.subjects)
    store.close()
    return {"shard.pub": f"{VERIFIERS[0]}\n".encode(), "receipt.txt": receipt.text.encode()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make the vector of a pruning.")
    parser.add_argument("folder", type=Path, help="a new folder")
    make(parser.parse_args().folder)
