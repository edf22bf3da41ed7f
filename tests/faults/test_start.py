"""The run that measures a start, on few entries: it says how long it took, and the start read little."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from gateway.config import settings
from gateway.ledger.projections import unprojected
from gateway.storage.store import open_configured
from tests.bench import data, world
from tests.faults import start
from tests.ports import free_port


def test_a_short_run_says_how_long_a_start_takes(capsys: pytest.CaptureFixture[str]) -> None:
    start.main(["--entries", "600"])
    found = msgspec.json.decode(capsys.readouterr().out, type=start.Start)
    assert (found.store, found.entries) == ("sqlite", 600)
    assert found.ready_s > 0


def test_a_start_reads_what_is_not_projected_yet(tmp_path: Path) -> None:
    departments = dict.fromkeys(data.DEPARTMENTS, "http://127.0.0.1:9")
    config = world.write(tmp_path / "own", departments, start.ISSUER, free_port())
    asyncio.run(start.fill(config, 4_000))
    store = open_configured(settings.load(config, {}))
    try:
        reader = store.reader()
        read = unprojected.counted(reader, 0, lambda entry: entry.index)
        reader.close()
    finally:
        store.close()
    assert 0 < len(read) <= start.LEFT + 6 * 256
    assert read == list(range(4_000 - len(read), 4_000))


@pytest.mark.parametrize(("seconds", "sound"), [(2.99, True), (3.01, False)])
def test_it_fails_where_a_start_took_too_long(seconds: float, sound: bool) -> None:
    assert start.Start("sqlite", 1, 1, seconds).sound is sound
