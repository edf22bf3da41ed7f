"""`dutybound source watch` as an operator runs it: what is remembered, counted, logged and told."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from gateway.ledger.log import operator
from gateway.recall.delivering.alerts import LANE
from gateway.storage.recall.recalls import work
from gateway.storage.store import open_store
from tests.configured import secret
from tests.connecting.test_commands import VALUE, folder, permit, run, written
from tests.connectors.servers import Request, answer, serve

__all__ = ["folder"]  # a fixture


async def test_drift_is_remembered_counted_logged_and_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong: list[str] = []

    async def department(request: Request, writer: asyncio.StreamWriter) -> None:
        held: dict[str, Any] = permit(1)
        for name in wrong:
            held.pop(name)
        if request.target.endswith("/sanctions"):
            held |= {
                "actNo": "1",
                "breach": "x",
                "sum": "2",
                "sumCurrency": "EUR",
                "actDate": "2026-01-01",
                "remark": "y",
            }
        writer.write(answer({"results": [held] if VALUE in request.target else [], "paging": {}}))

    secret(folder / "alerts.secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n")
    config, state, metrics = folder / "gateway.yaml", folder / "watched.json", folder / "drift.prom"
    told_to = "\nalerts: {url: https://operations.example/alerts, secret_file: alerts.secret}\n"
    text = "\n".join(line for line in config.read_text().splitlines() if not line.startswith(("store:", "alerts:")))
    config.write_text(f"{text}\nstore: sqlite:///watched.db{told_to}")

    async def look() -> tuple[int, dict[str, Any], list[dict[str, Any]]]:
        status = await run(
            "watch", "environment", "--config", str(config), "--state", str(state), "--metrics", str(metrics),
            "--once", "--json",
        )  # fmt: skip
        captured = capsys.readouterr()
        return status, json.loads(captured.out), [json.loads(line) for line in captured.err.splitlines()]

    open_store(f"sqlite:///{folder / 'watched.db'}").close()
    async with serve(department) as server:
        written(folder, server.port)
        assert await look() == (0, {"drifts": [], "ended": []}, [])
        assert 'dutybound_source_drift{dataset="",department="environment",kind="wrong"} 0.0' in metrics.read_text()
        wrong.append("substance")
        status, told, logged = await look()
        (drift,) = told["drifts"]
        assert (status, drift["dataset"], drift["key"].rpartition(".")[2]) == (1, "emission-permits", "pollutant")
        assert [(each["event"], each["drift"]) for each in logged] == [("drift_began", drift["id"])]
        assert 'dataset="emission-permits",department="environment",kind="wrong"} 1.0' in metrics.read_text()
        again = await look()
        assert (again[0], again[1]["drifts"][0]["since"], again[2]) == (1, drift["since"], [])
        wrong.clear()
        status, told, logged = await look()
    assert (status, told["drifts"], told["ended"][0]["id"]) == (0, [], drift["id"])
    assert [each["event"] for each in logged] == ["drift_ended"]
    store = open_store(f"sqlite:///{folder / 'watched.db'}")
    with store.engine.connect() as connection:
        rows = connection.execute(select(work.c.lane, work.c.what)).all()
    store.close()
    assert [(row.lane, row.what.rpartition(" ")[0]) for row in rows] == [
        (LANE, f"source.drift:environment {drift['id']}")
    ]


async def test_what_was_remembered_is_read_or_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with operator.opened(folder / "gateway.yaml", make=True):
        pass
    state = folder / "watched.json"
    state.write_text("[1]")
    assert await run("watch", "--config", str(folder / "gateway.yaml"), "--state", str(state), "--once") == 1
    assert "is not what a watch remembered" in capsys.readouterr().err
    assert await run("watch", "--config", str(folder / "gateway.yaml"), "--state", str(state), "--every", "0") == 1
    assert "1 second to 30 days" in capsys.readouterr().err


async def test_without_the_ledgers_key_nobody_is_asked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def department(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answer({"results": [], "paging": {}}))

    (folder / "ledger.key").unlink()
    async with serve(department) as server:
        written(folder, server.port)
        config = ("--config", str(folder / "gateway.yaml"), "--state", str(folder / "watched.json"))
        assert await run("watch", "environment", *config, "--once") == 1
        assert server.requests == []
    assert "it needs its key and the store" in capsys.readouterr().err
    assert not (folder / "watched.json").exists()
