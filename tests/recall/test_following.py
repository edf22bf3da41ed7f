"""The process that recalls watches beside the workers, as `dutybound watch follow` does, and its metrics are served."""

from __future__ import annotations

import asyncio
import io
import shutil
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError
from gateway.ledger.log import operator
from gateway.ledger.proof import key_files
from gateway.recall.following import Following
from gateway.recall.worker import rules_of, run
from gateway.storage.watch import findings as kept
from gateway.telemetry.log import Log
from tests import configured, stores
from tests.acts.desk import desk_on
from tests.waiting import until_async
from tests.watch.looks import POLICIES


@pytest.fixture
def config(tmp_path: Path) -> Path:
    key_files.generate(tmp_path / "ledger.key")
    stores.make(tmp_path / "ledger.db")
    shutil.copytree(POLICIES, tmp_path / "policies")
    return configured.write(tmp_path)


async def test_the_ledger_is_followed_by_the_process(config: Path) -> None:
    stopping, lines = asyncio.Event(), io.StringIO()
    with operator.opened(config) as place:
        rules = rules_of(place.settings)
        task = asyncio.create_task(run(place, rules, Log(lines), stopping))
        await until_async("a first look", lambda: kept.read_cursors(place.store.engine)[0] > 0)
        stopping.set()
        await task
    assert lines.getvalue() == ""


async def test_what_is_wrong_in_watch_yaml_stops_the_watch_alone(config: Path) -> None:
    (config.parent / "policies" / "watch.yaml").write_text("sequence: 7\n")
    with operator.opened(config) as place:
        rules = rules_of(place.settings)
        async with desk_on(place.store) as desk:
            desk.office._rules = lambda: rules
            following = Following(desk.office)
            for _ in range(2):
                with pytest.raises(ConfigurationError):
                    await following.turn()
