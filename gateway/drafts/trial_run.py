"""The simulation of a draft, in its own process: see `trial_child`."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from gateway.activation.loading import Reading, loaded
from gateway.config import store_key
from gateway.config.store_key import KeyCommand, StoreKey
from gateway.drafts.trial_child import TELL_EVERY, Trying
from gateway.simulation.compare import Comparison
from gateway.simulation.simulate import Simulation
from gateway.storage.store import open_to_read


def lines(asked: Trying) -> Iterator[bytes]:
    """How far it is, about once a second, and its result."""
    how = Reading(asked.issuers or None, None, None)
    comparison = Comparison(loaded(asked.candidate, None, how), loaded(asked.active, None, how))
    simulation = Simulation(comparison, asked.since, asked.until)
    told = 0.0
    with (
        contextlib.closing(open_to_read(asked.url, key=_key(asked))) as store,
        contextlib.closing(store.reader()) as reader,
    ):
        for progress in simulation.run(reader):
            if time.monotonic() - told >= TELL_EVERY:
                told = time.monotonic()
                yield msgspec.json.encode({"done": progress.done, "of": progress.of, "left": round(progress.left)})
    yield msgspec.json.encode({"result": simulation.result()})


def _key(asked: Trying) -> StoreKey | None:
    if asked.command:
        store_key.take(asked.handed)
        return KeyCommand(asked.command, Path())
    return Path(asked.key) if asked.key else None
