"""An id with a NUL, which PostgreSQL takes in no text, is refused as what it is: nothing fails, on either store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.ledger.log.tiles import checkpoint
from tests.acts.whole.placed import Scene
from tests.acts.whole.replicas import together
from tests.acts.whole.slots import slots
from tests.acts.whole.test_others_ids import IDENTIFIERS
from tests.storage.conftest import Place, place, server
from tests.world import new_subject

__all__ = ["place", "server"]

TOLD = ("ARGUMENT", "INQUIRY_INVALID", "CONSENT_REQUIRED", "GRAPHQL_VARIABLES_INVALID")


@pytest.fixture
def scene(place: Place) -> Iterator[Scene]:
    with together(place) as (world, both):
        yield Scene(world, both)


def test_it_is_refused_wherever_an_id_is_taken(scene: Scene) -> None:
    tried = 0
    for slot in sorted(slots(scene.replica.schema)):
        if slot in IDENTIFIERS or slot.endswith(".subject"):
            continue
        scene.asker = new_subject("person")
        said = scene.world.run(scene.replica.ask(*scene.asked(slot, "a\0b", scene.asker)))
        assert said.code in TOLD, (slot, said.said)
        tried += 1
    assert tried >= 25


def test_no_shard_is_called_so(scene: Scene) -> None:
    assert checkpoint(scene.replica.store, "1\0") is None
