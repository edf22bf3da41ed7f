"""A process that appends until it is killed, and prints each receipt (as one line of JSON) once it has it."""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from pathlib import Path

from tests.ledger.support import disclosed, opened, store_in


async def main(folder: Path, at_once: int) -> None:
    numbers = itertools.count()
    async with opened(store_in(folder)) as ledger:

        async def append() -> None:
            while True:
                number = next(numbers)
                print(json.dumps([number, (await disclosed(ledger, number)).decode()]), flush=True)

        await asyncio.gather(*(append() for _ in range(at_once)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
