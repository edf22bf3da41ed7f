"""The primary killed under load, and its standby promoted: no answer without its entry, service back by itself.

    python -m tests.faults.failover

prints the same line of JSON as `tests.faults.kill` (`kills` is the one failover) and exits with 1 unless what must be
zero is. The primary and its synchronous standby are two real servers; the gateway has both in its store's URL. All
processes of the primary are killed at a random moment, and for a random time there is no primary at all: nobody may be
answered. Then the standby is promoted, by whoever does that in a real installation, and the same two workers must find
it, and enter more, each in its own shard.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

from tests.faults.loaded import Counts, FaultError, loaded, report
from tests.services import Postgres, replicated

LATEST = 1.0
"""Seconds from the moment when all is well to the kill, at most."""
LONGEST = 2.0
"""Seconds without a primary, at most."""


def url(primary: Postgres, standby: Postgres, database: str) -> str:
    """A store's URL that names both."""
    return f"{primary.url(database)}?host=127.0.0.1:{standby.port}"


def run(folder: Path, seed: int) -> Counts:
    """Fail over once; raises `FaultError` where the gateway does not get over it."""
    chance = random.Random(seed)
    with (
        replicated(fsync="on") as (primary, standby),
        loaded(folder, seed, url(primary, standby, primary.database())) as scene,
    ):
        workers = scene.workers()
        time.sleep(chance.uniform(0, LATEST))
        primary.kill()
        scene.counts.kills += 1
        scene.clients.store_away = True
        time.sleep(chance.uniform(0, LONGEST))
        scene.clients.store_away = False
        standby.promote()
        scene.wait_for("the new primary to be read", lambda: bool(scene.shards()))
        scene.until_all_enter()
        if scene.workers() != workers:
            raise FaultError(f"workers {workers} ran before the primary was killed, and {scene.workers()} run now")
        scene.clients.stop()
        return scene.finish()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.failover", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--seed", type=int, default=None, help="of the random moments (default: another each time)")
    return report(run, parser.parse_args(arguments).seed)


if __name__ == "__main__":
    sys.exit(main())
