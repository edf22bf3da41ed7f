"""Deliveries that take each other's place while inquiries run: each sees one delivery, whole, and never a half."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from connectors.base import Failure
from connectors.delivered import index
from connectors.delivered.report import Outcome
from tests.connectors.asking import ACME, BETA, ask, fetch
from tests.connectors.files.delivering import AWARD, ROW, Department

ROWS, DELIVERIES = 300, 12


async def test_no_inquiry_sees_two_deliveries(tmp_path: Path) -> None:
    registry = Department(tmp_path)
    registry.connector = registry.connected(limits={"timeout": "30s"})

    def deliver(number: int) -> None:
        rows = [{**ROW, "no": f"N-{n}", "rev": str(number), "period": str(number)} for n in range(ROWS)]
        taken = registry.deliver(rows, [{**AWARD, "rev": str(number), "title": str(number)}])
        assert taken.outcome is Outcome.TAKEN

    deliver(1)
    over = threading.Event()
    seen: set[str] = set()

    async def inquire() -> None:
        while not over.is_set():
            outcomes = await fetch(
                registry.connector, ask("arrears", "period"), ask("awards", "title", BETA), within=30.0
            )
            arrears, awards = outcomes[ACME, "arrears"], outcomes[BETA, "awards"]
            assert not isinstance(arrears, Failure)
            assert not isinstance(awards, Failure)
            assert len(arrears) == ROWS
            told = {record.f_period for record in arrears} | {record.f_title for record in awards}  # type: ignore[attr-defined]
            assert len(told) == 1
            seen.update(told)

    async def replace() -> None:
        try:
            for number in range(2, DELIVERIES + 2):
                await asyncio.to_thread(deliver, number)
        finally:
            over.set()

    await asyncio.gather(replace(), *(inquire() for _ in range(4)))
    assert len(seen) > 1
    last = await fetch(registry.connector, ask("awards", "title", BETA))
    assert [record.f_title for record in last[BETA, "awards"]] == [str(DELIVERIES + 1)]  # type: ignore[union-attr]
    await registry.connector.close()


def test_whoever_reads_keeps_what_was_there(tmp_path: Path) -> None:
    registry = Department(tmp_path)
    registry.deliver([ROW] + [{**ROW, "no": f"N-{number}"} for number in range(2, 5000)])
    reader = index._opened(tmp_path / "index" / index.FILE)
    rows = reader.execute('SELECT m_id FROM "d-arrears"')
    assert rows.fetchone() == ("N-1",)
    assert registry.deliver([{**ROW, "no": "N-9999"}]).outcome is Outcome.TAKEN
    assert len(rows.fetchall()) == 4998
    reader.close()


def test_an_intake_that_is_killed_leaves_what_was_there(tmp_path: Path) -> None:
    """What it had begun is cleared away by the next."""
    registry = Department(tmp_path)
    registry.deliver()
    before = (tmp_path / "index" / index.FILE).read_bytes()
    left = tmp_path / "index" / "quarantine-left"
    left.mkdir()
    (left / f".{index.FILE}").write_bytes(before[:1000])
    assert registry.take().outcome is Outcome.UNCHANGED
    assert not left.exists()
    assert (tmp_path / "index" / index.FILE).read_bytes() == before
