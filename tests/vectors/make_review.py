"""Makes vectors of a review: `python -m tests.vectors.make_review tests/vectors/review-v2`, when its format has grown.

A person's verdict on inquiries, entered and proven like an inquiry itself; the receipt of another kind beside it. Kept
as made, like the others (`make`).
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import tempfile
from pathlib import Path

from gateway.ledger.entry import entries
from tests.ledger import served
from tests.ledger.support import AT, BY, VERIFIERS, opened, refused, store_in
from tests.vectors.make import fixed_salts

REVIEWED = entries.Reviewed(
    v=entries.VERSION,
    id="review-1",
    at=AT + datetime.timedelta(days=1),
    requester=entries.Who(*BY, "market"),
    by="O. Overseer",
    finding="finding-7",
    detector="browsing",
    verdict="improper",
    reason="no case names these companies",
    entries=("1-0", "1-1"),
)
OFFICIAL = "m.ivanova"


def make(folder: Path) -> None:
    """Write all of them into a new folder."""
    with tempfile.TemporaryDirectory() as place, fixed_salts():
        files = asyncio.run(_make(Path(place)))
    folder.mkdir(parents=True)
    served.write(files, folder)


async def _make(place: Path) -> dict[str, bytes]:
    files = {"review.pub": "".join(f"{verifier}\n" for verifier in VERIFIERS[:1]).encode()}
    store = store_in(place)
    oversight = entries.encode(entries.Oversight(entries.VERSION, OFFICIAL))
    async with opened(store) as ledger:
        for number in range(2):
            await refused(ledger, number)
        receipt = await ledger.append(entries.encode(REVIEWED), oversight, REVIEWED.at, BY)
    files["review.txt"] = receipt.text.encode()
    files["oversight.json"] = oversight
    files |= {f"log/{path}": content for path, content in served.published(store).items()}
    store.close()
    return files


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make a folder of vectors of a review.")
    parser.add_argument("folder", type=Path, help="a new folder")
    make(parser.parse_args().folder)
