"""What a subject, a steward or a requester sees without naming anything has nothing of another's."""

from __future__ import annotations

import re
from typing import Any

import pytest

from connectors.base import Subject
from gateway.acts.subject import history, own
from gateway.storage.subjects import acts as rows
from tests.acts.whole import asking
from tests.acts.whole.placed import Scene


def pages(scene: Scene, subject: Subject, department: str, office: str) -> list[bytes]:
    """All that a subject, its department's steward and whoever asked it for its consent see without naming anything."""
    schema, both, world = scene.replica.schema, scene.both, scene.world
    mine, steward = both.subject(subject, "p-page"), both.steward(department, "s.page")
    by = both.who(office, "inquire", "receipts", official="o.page")
    told = both.who(office, "recalls")
    every = [(mine, "me"), (steward, "matters"), (steward, "changes"), (by, "consentRequests"), (by, "receipts")]
    every += [(told, "recalls"), (told, "suspensions")]
    said = [world.run(scene.replica.ask(who, asking.operation(schema, name, ()), {})) for who, name in every]
    assert all(each.code == "OK" for each in said)
    return [each.body for each in said]


def apart(scene: Scene) -> None:
    """The pages of others have nothing of `one`; its own have all of it."""
    secret = [each for name, each in scene.ids.items() if "cursor" not in name] + [scene.one.value, "words of first"]
    for body in pages(scene, scene.two, "courts", "tax-service"):
        assert not [each for each in secret if each.encode() in body], body
    own = b"".join(pages(scene, scene.one, "tax", "labour-office"))
    shown_to_nobody = {scene.ids["act"], scene.ids["opt-out"]}
    assert not [each for each in secret if each not in shown_to_nobody and each.encode() not in own]


def test_no_page_has_anything_of_another(scene: Scene) -> None:
    apart(scene)


def _pages_of_every_department(monkeypatch: pytest.MonkeyPatch, _scene: Scene) -> None:
    right = rows.matters

    def matters(connection: Any, *conditions: Any, **more: Any) -> Any:
        kept = [each for each in conditions if not re.search(r"department|issuer|client", str(each))]
        return right(connection, *kept, **more)

    monkeypatch.setattr(rows, "matters", matters)


def _own_of_everybody(monkeypatch: pytest.MonkeyPatch, scene: Scene) -> None:
    right = own.of_subject
    monkeypatch.setattr(own, "of_subject", lambda office, _, *more: right(office, scene.one, *more))


def _history_of_everybody(monkeypatch: pytest.MonkeyPatch, scene: Scene) -> None:
    right = history.page

    def page(reader: Any, policies: Any, _: Any, *more: Any) -> Any:
        return right(reader, policies, scene.one[1:], *more)

    monkeypatch.setattr(history, "page", page)


@pytest.mark.parametrize("shows", [_pages_of_every_department, _own_of_everybody, _history_of_everybody])
def test_a_page_that_shows_anothers_is_found(scene: Scene, shows: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shows(monkeypatch, scene)
    with pytest.raises(AssertionError):
        apart(scene)
