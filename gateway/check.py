"""`dutybound check`: everything that a start would refuse, with file, line and fix; nothing is started or written.

A store that is there is looked at as a start would look at it; one that is not is not made. It also tells what a start
lets pass: grants and rules that can have no effect, and mistakes in `watch.yaml`.
"""

from __future__ import annotations

import asyncio
import datetime
import os
from pathlib import Path

from connectors.base import CaseRegistry, Connector, Examined
from gateway import app, settings, sources
from gateway.errors import ConfigurationError, Problem
from gateway.ledger.log.build import examine_registry, warnings
from gateway.rules.check import reach
from gateway.rules.decide import guards
from gateway.settings import Settings
from gateway.storage.store import examine_store
from gateway.watch import thresholds
from gateway.web import listen


def check(config: Path, workers: int = 1, connect: bool = False) -> int:
    """Check a configuration, for so many workers, and all that it points at; where `connect`, others' systems too.

    Raises `ConfigurationError` with every problem found.
    """
    problems: list[Problem] = []
    read = app.read(config, os.environ, problems)
    if read is None:
        raise ConfigurationError(problems)
    found, policies, parts = read
    if policies is not None:
        thresholds.examine(found.policies, policies, problems)
    with app.noting(problems), settings.placing(found):
        if found.host and (wrong := listen.hindrance(found.host)):
            raise ConfigurationError([Problem(str(found.file), 0, 0, "listen", wrong)])
    hindrances: list[str] = []
    if found.store:
        with app.noting(problems), settings.placing(found):
            hindrances = examine_store(found.store, str(found.file), single_node=found.single_node)
            if parts is not None:
                examine_registry(found.store, found.ledger, str(found.file))
    if parts is not None:
        today = guards.day(datetime.datetime.now(datetime.UTC), parts.rules.policies.time_zone)
        problems += reach.check(parts.rules, found.policies, today)
        if connect and not problems:
            problems += asyncio.run(_systems(found, parts))
    if parts is None or problems:
        raise ConfigurationError(problems)
    published = parts.rules.policies.catalogue.published
    print(f"{config}: fine")
    print(f"  rule set      {parts.rules.digest}")
    print(f"  datasets      {len(published)} published, of {len(parts.connectors)} departments")
    print(f"  purposes      {', '.join(parts.rules.policies.purposes)}")
    late = sources.late(found.sources, found.limits.deadline)
    for warning in (*settings.warnings(found, workers), *late, *warnings(found.ledger), *hindrances):
        print(f"  warning       {warning}")
    return 0


async def _systems(found: Settings, parts: app.Loaded) -> list[Problem]:
    """What is wrong with the systems of departments and case registries. They are asked about nobody."""
    named: list[tuple[Path, str, Connector | CaseRegistry]] = [
        *((found.sources, f"departments.{name}", each) for name, each in parts.connectors.items()),
        *((found.file, f"case_registries.{name}", each) for name, each in parts.cases.sources.items()),
    ]
    asked = [(file, path, each) for file, path, each in named if isinstance(each, Examined)]
    told = await asyncio.gather(*(each.examine() for _, _, each in asked))
    for _, _, system in named:
        await system.close()
    return [
        Problem(str(file), 0, 0, path, wrong)
        for (file, path, _), found_wrong in zip(asked, told, strict=True)
        for wrong in found_wrong
    ]
