"""`kill -9` of a worker at random moments under load: no answer without its entry, and a new worker goes on.

    python -m tests.faults.kill --rounds 50 --store sqlite|postgresql

prints one line of JSON and exits with 1 unless what must be zero is. After each kill the gateway has to start another
worker by itself, which takes the shard of the killed one over (its epoch rises, no shard is added) and enters more.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import sys
import time
from pathlib import Path

from tests.faults.loaded import WORKERS, Counts, FaultError, Loaded, loaded, report
from tests.services import postgres

SOONEST, LATEST = 0.0, 1.0
"""Seconds between the moment when all is well and the kill."""


def run(rounds: int, store: str, folder: Path, seed: int) -> Counts:
    """Kill so many workers, one after the other; raises `FaultError` where the gateway does not get over it."""
    chance = random.Random(seed)
    with contextlib.ExitStack() as stack:
        url = None
        if store == "postgresql":
            server = stack.enter_context(postgres(fsync="on"))
            url = server.url(server.database())
        scene = stack.enter_context(loaded(folder, seed, url))
        for number in range(1, rounds + 1):
            time.sleep(chance.uniform(SOONEST, LATEST))
            kill(scene, chance.choice(scene.workers()))
            scene.check()
            print(f"{number} of {rounds}: {scene.counts} {dict(scene.replied)}", file=sys.stderr)
        scene.clients.stop()
        return scene.finish()


def kill(scene: Loaded, victim: int) -> None:
    """Kill one worker; back once another has entered something in its shard."""
    before = scene.shards()
    os.kill(victim, signal.SIGKILL)
    scene.counts.kills += 1

    def taken_over() -> bool:
        now = scene.shards()
        return any(now[name].epoch > row.epoch for name, row in before.items() if name in now)

    scene.wait_for(f"another worker to take over the shard of {victim}", taken_over)
    workers = scene.workers()
    if victim in workers or len(workers) != WORKERS:
        raise FaultError(f"{victim} was killed, and {workers} run")
    scene.until_all_enter()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.kill", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=50, metavar="N", help="how many workers to kill (default: 50)")
    parser.add_argument("--store", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--seed", type=int, default=None, help="of the random moments (default: another each time)")
    asked = parser.parse_args(arguments)
    return report(lambda folder, seed: run(asked.rounds, asked.store, folder, seed), asked.seed)


if __name__ == "__main__":
    sys.exit(main())
