"""Makes the vectors of an act: `python -m tests.vectors.make_act FOLDER`.

A receipt, the same with its subject's part closed, and the key that both verify with. Kept as made, like the others.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import tempfile
from pathlib import Path

from gateway.ledger.entry import entries
from gateway.ledger.entry.parts import split
from gateway.ledger.entry.receipt import concealed
from tests.ledger import served
from tests.ledger.said import ABOUT
from tests.ledger.support import AT, BY, VERIFIERS, opened, refused, store_in
from tests.vectors.make import fixed_salts

TOLD = entries.Acted(
    v=entries.VERSION,
    id="act-1",
    at=AT + datetime.timedelta(days=1),
    requester=entries.Who(*BY, "market"),
    what="objection-decided",
    due=datetime.date(2026, 12, 3),
    outcome="upheld",
    calendar="ca1e",
    provisional=True,
    rule_set="5ec0de",
    **ABOUT,
)


def make(folder: Path) -> None:
    """Write all of it into a new folder."""
    with tempfile.TemporaryDirectory() as place, fixed_salts():
        files = asyncio.run(_make(Path(place)))
    folder.mkdir(parents=True)
    served.write(files, folder)


async def _make(place: Path) -> dict[str, bytes]:
    store, parts = store_in(place), split(TOLD, entries.Oversight(entries.VERSION, "s.steward"))
    async with opened(store) as ledger:
        await refused(ledger, 0)
        receipt = await ledger.append(parts.told, parts.oversight, TOLD.at, BY, (), parts.subjects)
    store.close()
    return {
        "shard.pub": f"{VERIFIERS[0]}\n".encode(),
        "receipt.txt": receipt.text.encode(),
        "concealed.txt": concealed(receipt).text.encode(),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make the vectors of an act.")
    parser.add_argument("folder", type=Path, help="a new folder")
    make(parser.parse_args().folder)
