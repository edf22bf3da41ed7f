"""A copy of the database does not show whom anything was done about. One was sealed from its first row on, the other
was written plain and sealed later."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.ledger.erasure import hold
from gateway.ledger.verify.store import verify_store
from gateway.storage.keys import finishing
from gateway.storage.sealing import key_file
from gateway.storage.store import open_store
from tests.acts.erasing import erased
from tests.acts.whole.replicas import Replicas
from tests.acts.whole.test_dumped import Doing, projected
from tests.ledger.support import VERIFIERS, opened
from tests.storage.conftest import Place
from tests.world import World, new_subject
from tests.world import opened as world_opened

PEOPLE = ("o.one", "o.two", "s.one", "s.two", "c.lerk", "A. Keeper", "A. Clerk", "B. Judge", "keeper-account")
WORDS = ("It was late.", "It was proper.", "at night", "matter 9 of the court", "court order 7")


@pytest.fixture
def world() -> Iterator[World]:
    with world_opened() as made:
        yield made


@contextlib.contextmanager
def doing(world: World, place: Place) -> Iterator[Doing]:
    both = Replicas(world, place)
    world.run(both.__aenter__())
    try:
        yield Doing(world, both)
    finally:
        world.run(both.__aexit__())


def told(copy: bytes, *named: str) -> list[str]:
    """Which of these a copy has, as text or as PostgreSQL writes bytes."""
    return [each for each in named if each.encode() in copy or each.encode().hex().encode() in copy]


def everything(world: World, place: Place) -> tuple[str, ...]:
    """Have everything done about a subject, and be held; what then must not be told."""
    one = new_subject("person")
    with doing(world, place) as made:
        world.run(made.everything_over(one, "m4711m"))
        store = made.replica.store

        async def held() -> None:
            async with opened(store) as ledger:
                await hold.place(ledger, one[1:], "A. Keeper", "matter 9 of the court", "keeper-account")

        world.run(held())
        projected(store)
    return (one.value, "m4711m", *PEOPLE, *WORDS)


@pytest.mark.parametrize("first", ["sealed", "plain"])
def test_a_copy_tells_nothing(world: World, place: Place, tmp_path: Path, first: str) -> None:
    key = tmp_path / "store.key"
    key_file.generate(key)
    place.key = key if first == "sealed" else None
    named = everything(world, place)
    if first == "plain":
        assert set(told(place.dump(), *named)) >= {named[0], "m4711m", "o.one", "A. Keeper", "at night"}
        place.close()
        with contextlib.closing(open_store(place.url)) as store:
            assert finishing.finish(store, key, "gateway.yaml", lambda *_: None)
        place.key = key
    assert told(place.dump(), *named) == []
    with contextlib.closing(place.open()) as store:
        verify_store(store, VERIFIERS)
    two = new_subject("person")
    with doing(world, place) as made:  # it goes on
        world.run(made.everything_over(two, "m4712m"))
        projected(made.replica.store)
        world.run(erased(made.replica.store, two))
    assert told(place.dump(), two.value, "m4712m", *named) == []
    with contextlib.closing(place.open()) as store:
        verify_store(store, VERIFIERS)
