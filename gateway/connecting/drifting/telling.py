"""Who hears of drift: the log, metrics in a file, and the operator at the address in `alerts`."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterable

from sqlalchemy import insert, select

from gateway.config.settings import Settings
from gateway.connecting.drifting.remembered import Compared, Drift
from gateway.manage.sources import Drifts
from gateway.recall.delivering.alerts import DRIFT, LANE
from gateway.storage.recall.recalls import Work, work
from gateway.storage.recall.work import alerted
from gateway.storage.store import opened
from gateway.storage.tables import micros
from gateway.telemetry.log import Log


def log(to: Log, found: Compared) -> None:
    """A line for each drift that began or ended."""
    for event, level, drifts in (("drift_began", "warning", found.began), ("drift_ended", "info", found.ended)):
        for each in drifts:
            to.state(
                event, level=level, drift=each.id, department=each.department, dataset=each.dataset, key=each.key,
                kind=each.kind, what=each.what,
            )  # fmt: skip


def counted(drifts: Iterable[Drift], watched: Iterable[str], at: datetime.datetime) -> Drifts:
    """How many drifts there are, and when it was looked; 0 of each department that was watched and is in order."""
    counts = Counter(f"{each.department} {each.dataset} {each.kind}" for each in drifts)
    return Drifts({**{f"{each}  wrong": 0 for each in watched}, **counts}, at.timestamp())


def alert(settings: Settings, began: Iterable[Drift], at: datetime.datetime) -> None:
    """Notify the operator of what began, by the process that sends the other alerts; once for each beginning."""
    if settings.alerts is None:
        return
    with opened(settings) as store, store.engine.begin() as connection:
        for each in began:
            name = f"{DRIFT}:{each.department} {each.id} {at.isoformat()}"
            if connection.execute(select(alerted.c.id).where(alerted.c.id == name)).first() is None:
                connection.execute(insert(alerted).values(id=name, at=micros(at)))
                row = Work(name, "alert", name, LANE, micros(at), 0, 0, 0)
                connection.execute(insert(work).values(**row._asdict()))
