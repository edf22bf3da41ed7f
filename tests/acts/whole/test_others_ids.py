"""With another's id nobody learns anything: the answer is, byte for byte, the one to an id that does not exist.

Every place of the schema that takes an id, a cursor or an identifier is tried, by another subject of the same portal,
at a counter, by another department's steward, and by another requester, with every kind of id that a subject has. An
act that is taken has an id and a time of its own; nothing else differs. A resolver that forgets to check is found.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from graphql import extend_schema, parse
from sqlalchemy import select

from connectors.base import Subject, SubjectKind
from gateway.acts import consents
from gateway.acts.matters import deciding
from gateway.acts.subject import history
from gateway.inquiry.beside.recalled import StoredRecalls
from gateway.recall import own as own_recalls
from gateway.storage.subjects import acts as rows
from gateway.storage.subjects.facts import fact
from tests.acts.whole.placed import Asked, Scene, named
from tests.acts.whole.replicas import Said
from tests.acts.whole.slots import slots
from tests.world import new_subject

IDENTIFIERS = ("person.id", "organisation.id", "organisations.ids", "_entities.representations")
"""What takes an identifier of a subject, beside `subject` itself."""
COUNTED = ("grantConsent", "revokeConsent", "declineConsentRequest", "fileObjection", "applyForRestoration",
           "withdrawMatter", "setOptOut")  # fmt: skip
"""What a counter does for a subject, too."""
NOT_ASKED = ("GRAPHQL_VALIDATION_FAILED", "GRAPHQL_VARIABLES_INVALID", "IDENTIFIER_INVALID")
_OWN = (
    (re.compile(rb"c2sp\.org/tlog-proof[^\"]*"), b"RECEIPT"),
    (re.compile(rb"(?<=\")[0-9a-f]{32}(?=\")"), b"ID"),
    (re.compile(rb"\d{4}-\d\d-\d\dT[\d:.]+Z"), b"TIME"),
)


def none_like(id_: str) -> str:
    """An id that nothing has, or a cursor at a place where nothing stands, of the same form."""
    if "first" in id_:
        return id_.replace("first", "nihil")
    return id_[:-1] + id_[-1].translate(str.maketrans("0123456789abcdef", "1234567890bcdefa"))


def as_told(said: Said, asked: Asked, given: str, other: Subject) -> tuple[int, bytes]:
    """An answer, but for what was given, who asked, and what every answer has of its own."""
    body = said.body.replace(given.encode(), b"GIVEN").replace(other.value.encode(), b"MYSELF")
    for pattern, instead in _OWN:
        body = pattern.sub(instead, body)
    return said.status, body


def tried(scene: Scene, slot: str, way: str = "") -> int:
    """Put everything of `one` into a slot, and something that is not there; gives how much was tried."""
    world, count = scene.world, 0
    kind: SubjectKind | None = "organisation" if slot.startswith("organisation") else "person"
    if slot not in IDENTIFIERS and not slot.endswith(".subject"):
        kind = None
    if kind is not None:
        held, nobody = scene.firm if kind == "organisation" else scene.one, new_subject(kind)
        pairs: list[tuple[Any, Any, str, str]] = [(named(held), named(nobody), held.value, nobody.value)]
    else:
        pairs = [(each, none_like(each), each, none_like(each)) for each in scene.ids.values()]
    secret = [*scene.every_id(), *scene.ids.values(), scene.one.value, "first"]
    for real, none, real_text, none_text in pairs:
        told = []
        for value, text in ((real, real_text), (none, none_text)):
            other = scene.asker = new_subject("person")
            asked = scene.asked(slot, value, other, way)
            known = scene.every_id()
            said = world.run(scene.replica.ask(*asked))
            assert said.code not in NOT_ASKED or slot.endswith(".after"), said.said
            told.append(as_told(said, asked, text, other))
            rest = said.body.replace(text.encode(), b"")
            leaked = [each for each in secret if each in known | {"first"} and each != text and each.encode() in rest]
            assert not leaked, (slot, said.body)
        assert told[0] == told[1], slot
        count += 1
    return count


def every_slot(scene: Scene) -> list[tuple[str, str]]:
    """Each slot, with each way to it."""
    found = sorted(slots(scene.replica.schema))
    counters = [slot for slot in found if slot.partition(".")[0] in COUNTED and "onBehalf" not in slot]
    return [(slot, "") for slot in found] + [(slot, "counter") for slot in counters]


def test_with_anothers_ids_nobody_learns_anything(scene: Scene) -> None:
    counted = {(slot, way): tried(scene, slot, way) for slot, way in every_slot(scene)}
    assert len(scene.ids) >= 15
    assert min(counted.values()) >= 1
    assert len([each for each in counted.values() if each >= 15]) >= 30


def _whose_a_matter_is(monkeypatch: pytest.MonkeyPatch, scene: Scene) -> None:
    right = rows.one

    def one(connection: Any, id_: str) -> Any:
        found = right(connection, id_)
        return found and found._replace(scheme=scene.asker.scheme, value=scene.asker.value, department="courts")

    monkeypatch.setattr(rows, "one", one)


def _whose_a_consent_is(monkeypatch: pytest.MonkeyPatch, _scene: Scene) -> None:
    def own_(_self: Any, seen: Any, _party: Any, id_: str) -> Any:
        found = seen.connection.execute(select(fact).where(fact.c.id == id_, fact.c.kind == "consent"))
        row = found.mappings().first()
        if row is None:
            raise consents.not_found()
        return row

    monkeypatch.setattr(consents.Consents, "_own", own_)


def _whose_a_look_is(monkeypatch: pytest.MonkeyPatch, scene: Scene) -> None:
    right = history.visible_access
    monkeypatch.setattr(history, "visible_access", lambda store, _, *more: right(store, scene.one[1:], *more))


def _that_it_is_as_if_not_there(monkeypatch: pytest.MonkeyPatch, _scene: Scene) -> None:
    right = rows.one

    def own_(seen: Any, actor: Any, id_: str) -> Any:
        row = right(seen.connection, id_)
        if row is not None and row.department != actor.department:
            raise deciding.invalid("STATE", "this is another department's")
        raise deciding.not_found()

    monkeypatch.setattr(deciding, "own", own_)


def _whose_a_recall_is(monkeypatch: pytest.MonkeyPatch, scene: Scene) -> None:
    everybody = frozenset(scene.world.policies.requesters)
    monkeypatch.setattr(own_recalls, "answered_by", lambda rules, who: everybody)


def _whose_correction_it_is(monkeypatch: pytest.MonkeyPatch, scene: Scene) -> None:
    async def find(self: StoredRecalls, _who: Any, id_: str) -> Any:
        found = self._one(id_)
        return found and found._replace(scheme=scene.asker.scheme, value=scene.asker.value)

    monkeypatch.setattr(StoredRecalls, "find", find)


BY_ROW = ("withdrawMatter.id", "declineConsentRequest.id", "grantConsent.request", "decideObjection.id",
          "decideRestoration.id", "confirm.id", "decline.id")  # fmt: skip


@pytest.mark.parametrize(
    ("slot", "forgets"),
    [
        *((slot, _whose_a_matter_is) for slot in BY_ROW),
        ("revokeConsent.id", _whose_a_consent_is),
        ("fileObjection.access", _whose_a_look_is),
        ("decideObjection.id", _that_it_is_as_if_not_there),
        ("decideRestoration.id", _that_it_is_as_if_not_there),
        ("acknowledgeRecall.id", _whose_a_recall_is),
        ("acknowledgeRecalls.ids", _whose_a_recall_is),
        ("@inquiry.recall", _whose_correction_it_is),
    ],
)
def test_a_resolver_that_forgets_is_found(
    scene: Scene, slot: str, forgets: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgets(monkeypatch, scene)
    with pytest.raises(AssertionError):
        tried(scene, slot)


def test_what_is_added_to_the_schema_is_not_passed_over(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    added = """extend type Mutation { cancel(id: ID!, of: RecordInput!): Matter! }
      extend type Me { recall(id: ID): Matter }"""
    more = extend_schema(scene.replica.schema, parse(added))
    new = slots(more) - slots(scene.replica.schema)
    assert new == {"cancel.id", "cancel.of.dataset", "cancel.of.record", "me.recall.id"}
    monkeypatch.setattr(scene.replica, "schema", more)
    for slot in new:
        with pytest.raises(AssertionError):
            tried(scene, slot)
