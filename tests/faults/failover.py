"""Two gateways under load while their primary is killed and its standby promoted: no answer without its entry.

    python -m tests.faults.failover

prints a line of JSON, as `tests.faults.kill` does (`kills` is the one failover), and exits with 1 unless what must be
zero is. Real are both PostgreSQL servers, of which one is the other's synchronous standby; two gateways of two workers
each, which have both servers in their store's URL; and the Valkey that they share. Clients ask as through a load
balancer (`tests.faults.balancer`).

1. All processes of the primary are killed at a random moment, and for a random time there is no primary at all: nobody
   may be answered, and what is refused can be asked again (`unclear` are replies that do not say so).
2. The standby is promoted, by whoever does that in a real installation, and a third server becomes its synchronous
   standby. The same four workers must find it, and enter more, each in its own shard: `back_s` is how long that took
   from the promotion on. Until the third server follows, nobody may be answered by one machine alone.
3. One gateway is stopped and started again. Each question must have a reply: `drained_failed` had none. A busy machine
   may refuse some with a clear error, `drained_refused`; on a quiet one there are none.

One client has a quota of `quota` subjects: before, and after all that, both gateways together answer it about so many
(`quota_answered`), and both refuse it then. A proof of possession that one took counts at neither again
(`proofs_twice`).
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

import msgspec

from tests.faults import shared
from tests.faults.balancer import readiness
from tests.faults.loaded import Counts, FaultError, Loaded, loaded, report
from tests.faults.shared import Shared
from tests.oauth.valkey import ValkeyServer
from tests.services import Postgres, replicated, without_files

LATEST = 1.0
"""Seconds from the moment when all is well to the kill, at most."""
LONGEST = 2.0
"""Seconds without a primary, at most."""
GATEWAYS = 2


class Failover(Counts):
    """What one run found, as it is printed."""

    drained_failed: int = 0
    drained_refused: int = 0
    proofs_twice: int = 0
    quota: int = shared.MOST
    quota_answered: int = 0
    quota_refused_by: int = 0
    back_s: float = 0.0

    @property
    def sound(self) -> bool:
        held = self.quota_answered == self.quota and self.quota_refused_by == GATEWAYS
        return super().sound and held and not self.drained_failed and not self.proofs_twice


def url(primary: Postgres, standby: Postgres, database: str) -> str:
    """A store's URL that names both."""
    return f"{primary.url(database)}?host=127.0.0.1:{standby.port}"


def run(folder: Path, seed: int) -> Failover:
    """Fail over once; raises `FaultError` where the gateways do not get over it."""
    chance = random.Random(seed)
    valkey = ValkeyServer(folder)
    try:
        with (
            replicated(fsync="on") as (primary, standby),
            loaded(
                folder,
                seed,
                url(primary, standby, primary.database()),
                gateways=GATEWAYS,
                adjust=shared.adjust,
                durability="replicated",
                valkey=valkey.url,
                drain="3s",
            ) as scene,
        ):
            client = Shared(folder, scene.gateways.ports, scene.clients.issuer, scene.clients.issuer_url)
            client.use(shared.MOST // 2)
            client.prove()
            time.sleep(chance.uniform(0, LATEST))
            workers = scene.workers()
            began = _promote(scene, primary, standby, chance.uniform(0, LONGEST))
            with without_files(fsync="on") as third:
                _follow(scene, standby, third)
                back = time.monotonic() - began
                if scene.workers() != workers:
                    raise FaultError(f"workers {workers} ran before the primary was killed; now {scene.workers()} run")
                failed, refused = _drain(scene, 1)
                client.use(shared.MOST)
                client.again()
                scene.clients.stop()
                counts = scene.finish()
                print(dict(scene.replied), file=sys.stderr)
            return Failover(
                **msgspec.structs.asdict(counts),
                drained_failed=failed,
                drained_refused=refused,
                proofs_twice=client.twice,
                quota_answered=len(client.answered),
                quota_refused_by=len(client.refused),
                back_s=round(back, 1),
            )
    finally:
        valkey.stop()


def _promote(scene: Loaded, primary: Postgres, standby: Postgres, without: float) -> float:
    """Kill the primary, and promote the standby after so many seconds; when that was."""
    primary.kill()
    scene.counts.kills += 1
    scene.clients.store_away = True
    time.sleep(without)
    began = time.monotonic()
    standby.promote()
    scene.wait_for("the new primary to be read", lambda: bool(scene.shards()))
    return began


def _follow(scene: Loaded, primary: Postgres, standby: Postgres) -> None:
    """Make the next standby; until then an answer would have its entry on one machine, and is one too many."""
    standby.copy(primary, "third")
    standby.start()
    scene.clients.store_away = False
    primary.set("synchronous_standby_names", "third")
    scene.until_all_enter()


def _drain(scene: Loaded, number: int) -> tuple[int, int]:
    """Stop one gateway and start it again, as for a new version; how many questions had no reply, and no answer."""
    for port in scene.gateways.ports:
        scene.wait_for("both gateways to be ready", lambda port=port: readiness(port) == 200)  # type: ignore[misc]
    scene.check()
    broken, refused = scene.clients.broken, scene.failed
    scene.gateways.drain(number)
    scene.gateways.start(number)
    scene.wait_for("the gateway to be ready again", lambda: readiness(scene.gateways.ports[number]) == 200)
    scene.until_all_enter()
    scene.check()
    return scene.clients.broken - broken, scene.failed - refused


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.failover", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--seed", type=int, default=None, help="of the random moments (default: another each time)")
    return report(run, parser.parse_args(arguments).seed)


if __name__ == "__main__":
    sys.exit(main())
