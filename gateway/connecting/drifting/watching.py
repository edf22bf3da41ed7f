"""One look of a watch, whoever takes it: what drifted is remembered, logged, counted, sent to the operator and entered
as findings."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Sequence
from pathlib import Path

import msgspec

from gateway.config.settings import Settings
from gateway.connecting.department import opened
from gateway.connecting.drifting import entering, remembered, telling
from gateway.connecting.drifting.delivered import Withdrawn
from gateway.connecting.drifting.looking import looked
from gateway.connecting.drifting.remembered import Compared, Remembered
from gateway.manage.link import Link
from gateway.storage import store
from gateway.storage.subjects import facts
from gateway.telemetry.log import Log
from gateway.telemetry.metrics import written


async def look(
    config: Path, state: Path, metrics: Path | None, named: str | None, log: Log, link: Link | None = None
) -> Compared:
    """Look at all departments, or the one that is named, and compare with the last look (`state`).

    What is counted goes to the file `metrics`, and over the `link`, where there are such. Raises `DutyboundError`.
    Findings are entered last: where that fails, the next look enters them.
    """
    before = remembered.read(state)
    now = datetime.datetime.now(datetime.UTC)
    async with opened(config, named) as found:
        drifts, records = await looked(found, before.records, now, _withdrawn(found.settings))
        settings, watched = found.settings, [each.name for each in found.each]
    others = {id_: each for id_, each in before.drifts.items() if each.department not in watched}
    held = {id_: each for id_, each in before.drifts.items() if each.department in watched}
    told = remembered.compared(held, drifts)
    await asyncio.to_thread(telling.alert, settings, told.began, now)
    telling.log(log, told)
    kept = {each.id: each for each in (*others.values(), *told.began, *told.lasting)}
    remembered.write(state, msgspec.json.encode(Remembered(kept, records)))
    counts = telling.counted(kept.values(), watched, now)
    if metrics is not None:
        remembered.write(metrics, written(counts.collect()))
    if link is not None:
        await asyncio.to_thread(link.tell, counts)
    await asyncio.to_thread(entering.enter, config, drifts, watched if named is not None else None)
    return told


def _withdrawn(settings: Settings) -> Withdrawn:
    """What the store has of a dataset's records as withdrawn; each look-up raises what opening a store does."""

    def looked_up(dataset: str, records: Sequence[str]) -> set[tuple[str, str, str]]:
        with store.opened(settings) as place, place.engine.connect() as connection:
            return facts.withdrawn(connection, dataset, records)

    return looked_up
