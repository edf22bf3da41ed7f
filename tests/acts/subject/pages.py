"""Pages of `accessHistory` as they are made, and entries beside the usual ones."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from connectors.base import Subject
from gateway.acts.subject import history
from gateway.ledger.entry import entries
from gateway.ledger.entry.parts import split
from tests.acts.looking import Looking
from tests.world import Held, World, new_subject, opened, values


@pytest.fixture
def looking() -> Iterator[Looking]:
    """Of a world of its own: the clock of a ledger never falls."""
    with opened() as world:
        yield Looking(world)


def held(world: World) -> Subject:
    subject = new_subject()
    dataset = world.catalogue.datasets["business-licences"]
    world.held[subject, dataset.id] = [Held("L-1", values(dataset), effective=world.today())]
    return subject


def shown(looking: Looking, subject: Subject, first: int = 50, after: str | None = None, **more: Any) -> dict[str, Any]:
    """A page as it is made, without a look of the subject's own that made it longer."""
    with contextlib.closing(looking.world.store.reader()) as reader:
        asked = {"first": first, "after": after, **more}
        return history.page(reader, looking.world.policies, subject[1:], looking.world.now, asked)


def every_page(looking: Looking, subject: Subject) -> bytes:
    """All that any page of any size shows."""
    pages = []
    for first, newest in itertools.product((1, 2, 3, 50), (False, True)):
        after = None
        while True:
            page = shown(looking, subject, first, after, newest=newest)
            pages.append(page)
            if (after := page["next"]) is None:
                break
    return msgspec.json.encode(pages)


def enter(looking: Looking, told: entries.Told, oversight: entries.Oversight = entries.NOTHING) -> None:
    parts = split(told, oversight)
    world = looking.world
    world.run(world.ledger.append(parts.told, parts.oversight, told.at, ("", ""), (), parts.subjects))


def others(looking: Looking, subject: Subject) -> dict[str, tuple[entries.Told, bool]]:
    """An entry of each other kind that names a subject, and whether the subject is shown it."""
    at, who = looking.world.now, entries.Who("", "command line")
    name = {"scheme": subject.scheme, "value": subject.value}
    looked = entries.Looked(**name)
    v = entries.VERSION
    return {
        "view": (entries.View(v, "view", at, who, "op", "free text of theirs", looked, ("told",), "csv"), True),
        "list": (entries.View(v, "list", at, who, "op", "holds", looked, (), "list"), False),
        "hold": (entries.Hold(v, "hold", at, who, "placed", "h1", "op", "court", **name), False),
        "erase": (entries.ErasureRequest(v, "erase", at, who, "requested", "e1", "op", "why", **name), False),
        "change": (entries.Acted(v, "change", at, who, "change-reported", outcome="corrected", dataset="tax-arrears",
                                 record="T-1", version="2", reason="typed wrong", **name), True),
        "filed": (entries.Acted(v, "filed", at, who, "objection-filed", reason="mine", **name), False),
        "counter": (entries.Acted(v, "counter", at, who, "objection-filed", proof="card 7", **name), True),
        "unlisted": (entries.Acted(v, "unlisted", at, who, "objection-decided", proof="card 7", **name), False),
        "later": (entries.Acted(v, "later", at, who, "of-a-later-version", **name), False),
    }  # fmt: skip
