"""Processes that end while many ask: what was begun is answered and entered, or fails as the contract says."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import httpx
import pytest

from gateway import cli
from tests.faults.conftest import Bad
from tests.waiting import until_async

ALL = "{ name businessLicences { number } wageArrears { workersAffected } }"
WELL = {"name": "text", "businessLicences": [{"number": "text"}], "wageArrears": [{"workersAffected": 7}]}


async def one(client: httpx.AsyncClient, bad: Bad) -> Any:
    headers, body = bad.request(ALL)
    response = await client.post(f"{bad.url}/graphql", content=body, headers=headers)
    assert response.status_code == 200, response.text
    return response.json()


def each_is_entered(bad: Bad, bodies: list[Any]) -> None:
    answered = [body["extensions"]["inquiry"]["id"] for body in bodies]
    assert sorted(answered) == sorted(bad.entered())


async def test_a_gateway_that_is_ended_answers_what_it_began(own: Bad, capsys: pytest.CaptureFixture[str]) -> None:
    own.mood("wage-arrears", "slow")
    async with httpx.AsyncClient(timeout=60) as client:
        asked = [asyncio.create_task(one(client, own)) for _ in range(30)]
        await until_async("all to wait for the department", lambda: own.waiting() == len(asked))
        os.kill(own.gateway.pid, signal.SIGTERM)
        bodies = await asyncio.gather(*asked)
    for body in bodies:
        assert body["data"]["organisation"] == {**WELL, "wageArrears": None}
        assert [error["extensions"]["code"] for error in body["errors"]] == ["SOURCE_TIMEOUT"]
    each_is_entered(own, bodies)
    await until_async("the gateway to end", lambda: own.gateway.ended() is not None)
    assert own.gateway.ended() == 0
    log = own.gateway.log.read_text()
    assert "Traceback" not in log
    assert cli.main(["ledger", "verify", "--config", str(own.folder / "gateway.yaml")]) == 0
    assert f", {len(bodies)} entries," in capsys.readouterr().out


async def test_a_department_that_is_killed_costs_its_records_until_it_is_back(own: Bad) -> None:
    bodies: list[Any] = []
    stop = asyncio.Event()

    async def keep_asking(client: httpx.AsyncClient) -> None:
        while not stop.is_set():
            bodies.append(await one(client, own))

    async with httpx.AsyncClient(timeout=60) as client:
        asking = [asyncio.create_task(keep_asking(client)) for _ in range(8)]
        await until_async("forty answers", lambda: len(bodies) >= 40)
        own.department.kill()
        failing = len(bodies)
        await until_async("forty refusals", lambda: sum("errors" in body for body in bodies[failing:]) >= 40)
        await asyncio.to_thread(own.department.start)
        await asyncio.to_thread(own.department.ready)
        await until_async("twenty whole answers in a row", lambda: not any("errors" in body for body in bodies[-20:]))
        stop.set()
        await asyncio.gather(*asking)
    assert not any("errors" in body for body in bodies[:40] + bodies[-8:])
    for body in bodies:
        for error in body.get("errors", ()):
            assert error["extensions"]["code"] in ("SOURCE_UNAVAILABLE", "SOURCE_INVALID", "SOURCE_TIMEOUT")
            assert body["data"]["organisation"][error["path"][1]] is None
        lost = {error["path"][1] for error in body.get("errors", ())}
        assert {name: value for name, value in body["data"]["organisation"].items() if name not in lost} == {
            name: value for name, value in WELL.items() if name not in lost
        }
    each_is_entered(own, bodies)
    assert own.entries() == len(bodies)
