"""What is out of order is reported as soon as it is, and no more as soon as it is not."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from gateway.manage import reporter
from gateway.manage.hub import Hub
from gateway.manage.link import SUPERVISOR, Link
from gateway.manage.reporter import Reporter
from gateway.manage.states import States
from gateway.telemetry.metrics import Metrics
from tests.waiting import until_async


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr(reporter, "EVERY", 600.0)  # nothing is reported just because time passed
    with Hub(1) as hub:
        yield hub


async def test_health_follows_what_failed_at_once(hub: Hub) -> None:
    fine, written = True, []
    states = States(lambda event, /, **facts: written.append(event))
    heard = states.of("ledger")

    async def checks() -> dict[str, bool]:
        return {"ledger": fine}

    link = Link(os.environ[SUPERVISOR], lambda: None)
    made = Reporter(link, Metrics([]), checks, list, lambda: "1", states)
    try:
        heard("", None)
        for _ in range(2):
            fine = False
            heard("", "its disk is full; make room there")
            await until_async("it to be unready", lambda: hub.health()["processes"][:1] and not ready(hub))
            assert hub.health()["troubles"][0]["part"] == "ledger"
            fine = True
            heard("", None)
            await until_async("it to be ready", lambda: ready(hub))
            assert hub.health()["troubles"] == []
    finally:
        made.close()


def ready(hub: Hub) -> bool:
    return bool(hub.health()["status"] == "ready")
