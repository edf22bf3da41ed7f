"""Archiving and pruning on PostgreSQL, as on SQLite."""

from __future__ import annotations

import asyncio
import datetime
from pathlib import Path

from sqlalchemy import text

from gateway.clock import machines
from gateway.config import settings
from gateway.ledger.log.build import ledger_of
from gateway.ledger.projections.projector import Projector
from gateway.ledger.proof import key_files
from gateway.storage.store import open_configured
from tests import configured
from tests.ledger.conftest import Run
from tests.ledger.support import ORIGIN, disclosed
from tests.services import postgres

OLD, YOUNG = 260, 10
WHO = ("--by", "R. Keeper", "--reason", "ten years are over")


def test_rows_leave_and_what_is_too_old_becomes_unreadable(tmp_path: Path, run: Run) -> None:
    now = machines()
    private = key_files.generate(tmp_path / "ledger.key")
    with postgres(fsync="on") as server:
        ledger_keys = {"archive": "archive", "retention": "P10Y", "backups": "P35D"}
        config = configured.write(
            tmp_path, store=server.url(server.database()), durability="single-node", ledger=ledger_keys
        )
        found = settings.load(config, {})
        store = open_configured(found)

        async def fill() -> None:
            ledger = ledger_of(store, found.ledger, private, machines)
            await ledger.start()
            old = now.replace(year=now.year - 11, month=3, day=5)
            await asyncio.gather(*(disclosed(ledger, n, old) for n in range(OLD)))
            await asyncio.gather(*(disclosed(ledger, n, now - datetime.timedelta(days=9)) for n in range(YOUNG)))
            await ledger.close()

        asyncio.run(fill())
        projector = Projector(store)
        while projector.turn():
            pass
        projector.close()
        assert run("ledger", "archive", "--config", config, *WHO, "--remove") == 0, run.err
        assert "removed: 256 rows" in run.out
        with store.engine.connect() as connection:
            query = "SELECT count(*) FROM entry JOIN shard ON entry.id >> 40 = shard.id WHERE shard.name = '1'"
            assert connection.execute(text(query)).scalar_one() == OLD + YOUNG - 256
        assert run("ledger", "verify", "--config", config, "--jobs", 2) == 0, run.err
        assert run("ledger", "prune", "--config", config, *WHO) == 0, run.err
        assert f"pruned: 1 day of {ORIGIN}/1; 0 entries kept readable" in run.out
        assert run("ledger", "verify", "--config", config) == 0, run.err
        assert f"whole: {ORIGIN}/1, {OLD + YOUNG} entries" in run.out
        store.close()
