"""A round of `tests.faults.races`: it finds nothing wrong, and does find what is planted."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest
from sqlalchemy import Engine

from gateway.storage.projections import projecting as kept
from tests.faults import races
from tests.services import Postgres, postgres
from tests.waiting import until


def raced(server: Postgres) -> races.Found:
    """A run in which something raced."""
    seeds = itertools.count()

    def found() -> races.Found | None:
        found = races.races(server, 1.0, next(seeds))
        return found if found.raced else None

    return until("something to race", found)


def test_no_disclosure_that_raced_a_change_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(engine: Engine, low: int, subjects: Iterable[tuple[str, str]]) -> list[kept.Changed]:
        return []

    with postgres() as server:
        found = raced(server)
        assert found.sound, found
        monkeypatch.setattr(kept, "changes_since", nothing)
        found = raced(server)
        assert found.missed == found.raced
        assert not found.sound


@pytest.mark.parametrize("wrong", ["missed", "made_up", "lost", "projected_wrong", "failed"])
def test_what_must_be_none_is_none(wrong: str) -> None:
    assert races.Found(rounds=1, raced=1).sound
    assert not races.Found(**{"rounds": 1, "raced": 1, wrong: 1}).sound
    assert not races.Found(rounds=1).sound, "nothing raced: the round tried nothing"
