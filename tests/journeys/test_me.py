"""A subject sees itself over HTTP, with a real token: what is held, and who looked, at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tests.journeys.asking import entered, post
from tests.journeys.test_grants import own_token

if TYPE_CHECKING:
    from tests.conftest import World

LOOK = """query($id: IdentifierInput!) @inquiry(purpose: LICENCE_RENEWAL) {
  organisation(id: $id) { businessLicences { number } } }"""
HISTORY = """query($after: String, $first: Int) { me { value accessHistory(after: $after, first: $first) {
  items { id what department purpose outcome records } next completeUntil } } }"""
HELD = "{ me { scheme value datasets { dataset { id } available records { record { id } values { field value } } } } }"


def history(world: World, subject: Mapping[str, str]) -> list[dict[str, Any]]:
    """Every row, page by page."""
    token, after = own_token(world, subject), None
    found: list[dict[str, Any]] = []
    while True:
        reply = post(world.graphql, token, HISTORY, {"after": after, "first": 20})
        assert not reply.errors
        page = reply.data["me"]["accessHistory"]
        found += page["items"]
        if (after := page["next"]) is None:
            return found


def test_an_inquiry_is_in_the_history_once_it_is_answered(world: World) -> None:
    own, other = world.subject("ordinary"), world.subject("mitigated")
    for _ in range(5):
        reply = world.ask("market-regulator", LOOK, {"id": own}, official="m.ivanova")
        asked = reply.inquiry["id"]
        (row,) = [each for each in history(world, own) if each["id"] == asked]
        assert (row["what"], row["department"], row["outcome"]) == ("INQUIRY", "market", "answered")
        assert all(each["id"] != asked for each in history(world, other))


def test_a_look_leaves_its_one_entry_and_no_receipt(world: World) -> None:
    own = world.subject("ordinary")
    with entered(world):
        reply = post(world.graphql, own_token(world, own), HELD)
    assert not reply.errors
    assert reply.data["me"]["value"] == own["value"]
    held = {each["dataset"]["id"]: each for each in reply.data["me"]["datasets"]}
    assert all(each["available"] for each in held.values())
    assert any(each["records"] for each in held.values())
    assert "receipt" not in reply.inquiry
    assert history(world, own)[-2]["what"] == "OWN"


def test_who_has_no_records_sees_that(world: World) -> None:
    reply = post(world.graphql, own_token(world, world.subject("unknown")), HELD)
    assert all(each["available"] and each["records"] == [] for each in reply.data["me"]["datasets"])
