"""Clients that ask gateways under a fault, each on a connection of its own, and keep every whole reply."""

from __future__ import annotations

import contextlib
import http.client
import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from tests.bench import data, world
from tests.waiting import PATIENCE

CLIENTS = 8
PAUSE, MEANWHILE = 0.05, 0.5
"""Seconds that a client rests at most between two questions: the load is bounded; and while something is waited for,
which comes sooner on a machine that is not busy."""
GROUP = data.GROUPS["50"]


class Reply(NamedTuple):
    """A whole reply; `store_away` where it was both asked for and given while there was no store."""

    status: int
    content: bytes
    store_away: bool


class Clients:
    """Threads that ask, each question on a connection of its own, so that every worker is asked again and again.

    `at` gives the port for the next question. `broken` counts questions that had no whole reply.
    `store_away` is set by whoever took the store away: an answer wholly from within that time cannot have an entry.
    """

    def __init__(self, folder: Path, at: Callable[[], int], issuer: world.Issuer, issuer_url: str, seed: int) -> None:
        self.issuer, self.issuer_url, self._at, self._seed = issuer, issuer_url, at, seed
        self._bodies = world.bodies(folder / "bodies", GROUP, world.DIRECTIVE).read_bytes().splitlines()
        self._tokens = world.tokens(folder / "tokens", issuer, issuer_url).read_text().split()
        self.store_away, self.broken, self.pause = False, 0, PAUSE
        self.replies: list[Reply] = []
        self._lock, self._over, self._ask_on = threading.Lock(), threading.Event(), threading.Event()
        self._ask_on.set()
        self._threads = [threading.Thread(target=self._ask, args=(n,), daemon=True) for n in range(CLIENTS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Return once no question is under way."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    @contextlib.contextmanager
    def at_rest(self) -> Iterator[None]:
        """Nobody begins another question inside."""
        self._ask_on.clear()
        try:
            yield
        finally:
            self._ask_on.set()

    @contextlib.contextmanager
    def slower(self) -> Iterator[None]:
        """They ask less often inside."""
        self.pause = MEANWHILE
        try:
            yield
        finally:
            self.pause = PAUSE

    def take(self) -> list[Reply]:
        """Every whole reply since the last call."""
        with self._lock:
            got, self.replies = self.replies, []
        return got

    def _ask(self, number: int) -> None:
        chance = random.Random(f"{self._seed} {number}")
        while not self._over.is_set():
            headers = {
                "content-type": "application/json",
                "accept": "application/graphql-response+json",
                "authorization": f"Bearer {chance.choice(self._tokens)}",
            }
            self._ask_on.wait()
            away = self.store_away
            connection = http.client.HTTPConnection("127.0.0.1", self._at(), timeout=PATIENCE)
            try:
                connection.request("POST", "/graphql", chance.choice(self._bodies), headers)
                response = connection.getresponse()
                content = response.read()
                with self._lock:
                    self.replies.append(Reply(response.status, content, away and self.store_away))
            except (OSError, http.client.HTTPException):
                # No reply, or half of one, is no answer: that is what killing a process does to who waits for it.
                with self._lock:
                    self.broken += 1
            finally:
                connection.close()
            self._over.wait(chance.uniform(0, self.pause))
