"""`scene`: a region in which one subject has everything, and so has another."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acts.whole.placed import Scene
from tests.acts.whole.replicas import Replicas
from tests.storage.conftest import Place
from tests.world import Held, new_subject, opened, values


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with opened() as world:
        both = Replicas(world, Place(f"sqlite:///{world.path}"))
        world.run(both.__aenter__())
        made = Scene(world, both)
        made.one, made.two, made.firm = new_subject("person"), new_subject("person"), new_subject()
        world.held[made.firm, "business-licences"] = [
            Held("R-first-firm", values(world.catalogue.datasets["business-licences"]))
        ]
        ids = world.run(made.everything(made.one, "first"))
        world.run(made.everything(made.two, "second"))
        made.ids = ids | world.run(made.cursors(made.one))
        yield made
        world.run(both.__aexit__())
