"""Hours of inquiries in minutes: whether memory stays where it is, and every answer right and entered.

    python -m tests.faults.soak --minutes 10

asks a gateway over five departments as fast as a few clients can, about a fixed population of subjects, while one
department after the other misbehaves; prints one line of JSON: the gateway's memory (KiB) at the start and after each
minute, how many answers were checked, how many of them were wrong, and how many have no entry. It exits with 1 where an
answer is wrong or has no entry, or where memory grew in the second half of the run by more than 5 %: what is kept is
bounded, and full by then.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import random
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx
import msgspec

from tests.faults.kinds import ALL, Kinds, expected
from tests.faults.matrix import ask, processes
from tests.faults.moods import MOODS
from tests.faults.streams import COPIES, ENDLESS

CLIENTS = 4
MOOD = 5.0
"""Seconds for which a department is in one mood."""
GROWTH = 1.05
SUBJECTS = 2000
"""Frequency is counted for each subject as long as its purpose's period, so that new ones without end would be kept."""
_QUICK = [mood for mood in (*MOODS, *ENDLESS, *COPIES) if "MB" not in mood and mood not in ("deep", "1E-7")]
"""What costs little, so that many are asked; and has no values but the usual ones."""


class Found(msgspec.Struct):
    """What a run found, as it is printed."""

    memory: list[int] = []
    answers: int = 0
    wrong: int = 0
    without_entry: int = 0

    @property
    def sound(self) -> bool:
        half = self.memory[len(self.memory) // 2 :]
        plateau = len(half) < 2 or half[-1] <= GROWTH * half[0]
        return bool(self.answers) and plateau and not self.wrong and not self.without_entry


def resident(scene: Kinds) -> int:
    """What the gateway's processes have in memory now, in KiB."""
    total = 0
    for place in processes(scene):
        with contextlib.suppress(OSError):
            (line,) = [line for line in (place / "status").read_text().splitlines() if line.startswith("VmRSS")]
            total += int(line.split()[1])
    return total


class Soak:
    """The clients of one run."""

    def __init__(self, scene: Kinds) -> None:
        self._scene, self.found = scene, Found()
        self._lock, self._over = threading.Lock(), threading.Event()
        self._seen: set[str] = set()

    def run(self, seconds: float, every: float) -> Found:
        """Ask for so long, and note the memory at the start and `every` so many seconds."""
        self._until(20)
        threads = [threading.Thread(target=self._keep_asking) for _ in range(CLIENTS)]
        moods = threading.Thread(target=self._change_moods)
        self.found.memory.append(resident(self._scene))
        for thread in (*threads, moods):
            thread.start()
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(every, left))
            self.found.memory.append(resident(self._scene))
        self._over.set()
        for thread in (*threads, moods):
            thread.join()
        self.found.without_entry += len(self._seen - self._scene.entered().keys())
        return self.found

    def _until(self, answers: int) -> None:
        with httpx.Client() as client:
            for _ in range(answers):
                self._one(client)

    def _keep_asking(self) -> None:
        with httpx.Client() as client:
            while not self._over.is_set():
                self._one(client)

    def _one(self, client: httpx.Client) -> None:
        self._scene.wrap(SUBJECTS)
        value, reply, _ = ask(self._scene, ALL, client)
        failed = {error["path"][1] for error in reply.get("errors", ()) if error["path"]}
        good = True
        for dataset, (name, told) in zip(ALL, reply["data"]["organisation"].items(), strict=True):
            good = good and (told is None if name in failed else told in (expected(dataset, value), []))
        inquiry = reply["extensions"]["inquiry"]["id"]  # a subject's own answer has no receipt: the store is asked
        with self._lock:
            self.found.answers += 1
            self.found.wrong += not good
            self.found.without_entry += inquiry in self._seen
            self._seen.add(inquiry)

    def _change_moods(self) -> None:
        chance = random.Random(1)
        for dataset in itertools.cycle(ALL):
            with contextlib.suppress(AssertionError):
                self._scene.mood(dataset, chance.choice(_QUICK))
            if self._over.wait(MOOD):
                self._scene.mood(dataset)
                return
            self._scene.mood(dataset)


def soak(folder: Path, seconds: float, every: float = 60.0) -> Found:
    """A gateway of its own, asked for so long."""
    scene = Kinds(folder, "rest")
    try:
        scene.start()
        return Soak(scene).run(seconds, every)
    finally:
        scene.stop()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0, metavar="N")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="dutybound-soak-") as folder:
        found = soak(Path(folder) / "soak", asked.minutes * 60)
    print(json.dumps(msgspec.to_builtins(found)))
    return 0 if found.sound else 1


if __name__ == "__main__":
    sys.exit(main())
