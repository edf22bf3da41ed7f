"""PostgreSQL stopped and started under load: no answer without its entry, nothing lost, service back by itself.

    python -m tests.faults.store_restart --rounds 10

prints the same line of JSON as `tests.faults.kill` (`kills` are stops of the server) and exits with 1 unless what must
be zero is. The server is ended now in order, now without writing anything down, at a random moment, and stays away for
a random time. While it is away nobody may be answered; afterwards the same two workers must enter more, each in its own
shard, without anybody's help.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import time
from pathlib import Path

from tests.faults.loaded import Counts, FaultError, Loaded, loaded, report
from tests.services import Postgres, postgres

LATEST = 1.0
"""Seconds from the moment when all is well to the stop, at most."""
LONGEST = 4.0
"""Seconds that the server stays away, at most."""


def run(rounds: int, folder: Path, seed: int) -> Counts:
    """Stop and start the server so many times; raises `FaultError` where the gateway does not get over it."""
    chance = random.Random(seed)
    with postgres(fsync="on") as server, loaded(folder, seed, server.url(server.database())) as scene:
        for number in range(1, rounds + 1):
            time.sleep(chance.uniform(0, LATEST))
            _restart(scene, server, chance)
            scene.check()
            print(f"{number} of {rounds}: {scene.counts} {dict(scene.replied)}", file=sys.stderr)
        scene.clients.stop()
        return scene.finish()


def _restart(scene: Loaded, server: Postgres, chance: random.Random) -> None:
    workers = scene.workers()
    server.stop(chance.choice([signal.SIGINT, signal.SIGQUIT]))
    scene.counts.kills += 1
    scene.clients.store_away = True
    time.sleep(chance.uniform(0, LONGEST))
    scene.clients.store_away = False
    server.start()
    scene.wait_for("the store to be read", lambda: bool(scene.shards()))
    scene.until_all_enter()
    if scene.workers() != workers:
        raise FaultError(f"workers {workers} ran before the store went away, and {scene.workers()} run now")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.store_restart", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--rounds", type=int, default=10, metavar="N", help="how many times (default: 10)")
    parser.add_argument("--seed", type=int, default=None, help="of the random moments (default: another each time)")
    asked = parser.parse_args(arguments)
    return report(lambda folder, seed: run(asked.rounds, folder, seed), asked.seed)


if __name__ == "__main__":
    sys.exit(main())
