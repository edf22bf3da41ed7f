"""One look at departments' systems: what of them does not fit, each with the key of `sources.yaml`."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Mapping

from connectors.base import Mismatch
from gateway.connecting.department import Department, Departments, placed
from gateway.connecting.drifting import delivered
from gateway.connecting.drifting.remembered import Drift, id_of
from gateway.connecting.trying.run import Trial, tried
from gateway.errors import printable


async def looked(
    found: Departments,
    records: Mapping[str, int],
    at: datetime.datetime,
    withdrawn: delivered.Withdrawn | None = None,
) -> tuple[dict[str, Drift], dict[str, int]]:
    """What does not fit now, by id, and how many records the test subjects have, as long as they are no fewer.

    `records` is what they had before; `withdrawn` looks up what was reported as that.
    """
    drifts: dict[str, Drift] = {}
    counts = dict(records)
    for department in found.each:
        for dataset in department.datasets.values():
            trial = await tried(department, found.catalogue, (), found.settings.limits.deadline, dataset)
            name = f"{department.name}/{dataset.id}"
            for each in (*trial.found, *_fewer(trial, counts.get(name, 0))):
                drift = _drift(department, dataset.id, each, at)
                drifts.setdefault(drift.id, drift)
            if trial.declared and trial.records > counts.get(name, 0):
                counts[name] = trial.records
        for each, apart in await asyncio.to_thread(delivered.mismatches, department, at, withdrawn):
            drift = _drift(department, each.key[1] if each.key[:1] == ("datasets",) else "", each, at, apart)
            drifts.setdefault(drift.id, drift)
    return drifts, counts


def _fewer(trial: Trial, before: int) -> list[Mismatch]:
    if trial.found or not trial.declared or trial.records >= before:
        return []
    what = f"the test subjects have {trial.records} records, and had {before}: were some removed without a report?"
    return [Mismatch(("datasets", trial.dataset), what, "unstable")]


def _drift(department: Department, dataset: str, each: Mismatch, at: datetime.datetime, apart: str = "") -> Drift:
    where = placed(department, each)
    of_one = dataset if each.key[:1] == ("datasets",) else ""
    id_ = id_of(department.name, where.path, each.kind, apart)
    words = printable(f"line {where.line}, {where.path}: {where.message}")
    return Drift(id_, department.name, of_one, where.path, each.kind, str(where), at.isoformat(), words)
