"""All of recall in any order: who was recalled is as a specification of its own says, on both stores."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from gateway.recall.selecting import making, select
from gateway.recall.selecting.expiring import Expiring
from gateway.recall.selecting.select import Selecting
from gateway.recall.selecting.shortening import Shortening
from tests.recall.playing import LABOUR, Whole
from tests.recall.telling import ENVIRONMENT, MARKET
from tests.storage.conftest import Place

SLOW = {"deadline": None, "suppress_health_check": list(HealthCheck)}
LICENCE_A, LICENCE_B = ("business-licences", "A"), ("business-licences", "B")
PENALTY_A, PENALTY_B = ("environmental-penalties", "A"), ("environmental-penalties", "B")


def test_everybody_is_recalled_and_nobody_else_once_in_effect() -> None:
    run_state_machine_as_test(Whole, settings=settings(max_examples=5, stateful_step_count=16, **SLOW))


def scene(where: Place | None = None) -> None:
    """All of it once; races and a lagging source meet whoever selects going away for days."""
    whole = Whole()
    whole.where = where
    whole.begin()
    try:
        whole.grants()
        for client in (MARKET, ENVIRONMENT, LABOUR):
            whole.asks(client)
        whole.changes(LICENCE_A, "corrected")
        whole.asks(MARKET)
        whole.changes(PENALTY_B, "lagging")
        whole.selects(2)
        whole.selects(0)
        whole.asks(ENVIRONMENT)
        whole.races(MARKET, LICENCE_B, "withdrawn", selects=True)
        whole.restarts(0, killed=True)
        whole.waits(1)
        whole.revokes()
        whole.changes(PENALTY_A, "disputed")
        whole.asks(ENVIRONMENT)
        whole.changes(LICENCE_A, "corrected")
        whole.settled()
        whole.answers(0, "REFUSED")
        whole.decides(PENALTY_A)
        whole.waits(9)
        whole.forgets()
        whole.changes(PENALTY_A, "withdrawn")
    finally:
        whole.teardown()


def shortened(where: Place | None = None) -> None:
    """Periods of display: shorter, longer while somebody asks, and shorter again when nobody looked between."""
    whole = Whole()
    whole.where = where
    whole.begin()
    try:
        for client in (MARKET, ENVIRONMENT):
            whole.asks(client)
        whole.shortens("P1090D")
        whole.selects(1)
        whole.settled()
        whole.answers(0, "REFUSED")
        whole.shortens("P3Y")
        whole.asks(ENVIRONMENT)
        whole.shortens("P1090D")
        whole.settled()
        whole.waits(9)
    finally:
        whole.teardown()


def test_a_scene_of_periods_is_as_the_model_says(place: Place) -> None:
    shortened(None if place.kind == "sqlite" else place)


def test_a_scene_of_all_of_it_is_as_the_model_says(place: Place) -> None:
    scene(None if place.kind == "sqlite" else place)


FAULTS: dict[str, tuple[Any, str, Any]] = {
    "what raced is not asked for": (select, "raced_since", lambda reader, since: []),
    "nobody looks at what came while none selected": (Selecting, "_begun", lambda self, now: now),
    "a lagging source is not thought of": (select, "_superseded", lambda job, received, newer: frozenset()),
    "asked again": (making, "left", lambda action, items, told, disputed: tuple(items)),
    "whoever knew is told too": (
        select, "touched", lambda job, share, facts, newer=(), _as=select.touched: _as(job, share, None, newer)
    ),
    "what is to be deleted by now is not let be": (
        select, "affected", lambda job, dataset, items, answer, today, _as=select.affected: _as(
            job, dataset, items, answer._replace(delete_by=None), today
        ),
    ),
    "a day that is over is not noted": (Expiring, "_due", lambda self: False),
}  # fmt: skip

OF_PERIODS: dict[str, tuple[Any, str, Any]] = {
    "a shortened period is not noted": (Shortening, "_due", lambda self: None),
    "what came while it was longer is not looked at": (Shortening, "_epoch", lambda self, connection: 1),
}


@pytest.mark.long_cases("nobody looks", "a lagging source", "asked again", "whoever knew is told too")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where, name, wrong = FAULTS[fault]
    monkeypatch.setattr(where, name, wrong)
    with pytest.raises(AssertionError):
        scene()


@pytest.mark.parametrize("fault", OF_PERIODS)
def test_a_planted_fault_of_periods_is_found(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where, name, wrong = OF_PERIODS[fault]
    monkeypatch.setattr(where, name, wrong)
    with pytest.raises(AssertionError):
        shortened()
