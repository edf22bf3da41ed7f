"""What answers a subject's own token: no proof to show to others, no duty about its own data (Art. 43)."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from connectors.base import Subject
from gateway.inquiry.types import Requester
from gateway.ledger.entry import entries
from gateway.ledger.entry.inquiry_parts import split_inquiry
from tests.world import Ask, Reply, World, new_subject, opened

OWN = "query($id: IdentifierInput!) @inquiry(purpose: SUBJECT_ACCESS) { organisation(id: $id) { name } }"
LICENCE = "query($id: IdentifierInput!) @inquiry(purpose: LICENCE_RENEWAL) { organisation(id: $id) { name } }"
ASKED = {"id", "obligations", "cautions", "ruleSet"}


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with opened() as made:
        yield made


def oneself(world: World, subject: Subject, *, client: str = "citizen-portal", also: str = "") -> Requester:
    scopes = ["self", also] if also else ["self"]
    made = world.requester(client, scopes=scopes, identifier=(subject.scheme, subject.value))
    return msgspec.structs.replace(made, person="a citizen")


def asked(world: World, requester: Requester, query: str, subject: Subject) -> Reply:
    return world.ask(Ask(requester, query, {"id": {"scheme": subject.scheme, "value": subject.value}}))


def test_an_answer_is_entered_and_has_no_receipt(world: World) -> None:
    subject = new_subject()
    reply = asked(world, oneself(world, subject), OWN, subject)
    assert reply.answer.status == 200
    assert "organisation" in reply.data
    assert set(reply.inquiry) == ASKED
    assert b"c2sp.org" not in reply.answer.body
    (entry,) = reply.entries
    assert isinstance(entry.told, entries.Inquiry)
    assert entry.told.id == reply.inquiry["id"]
    assert entry.oversight.by_subject
    assert entry.oversight.by == "a citizen"
    parts = split_inquiry(entry.told, entry.oversight)
    assert b"a citizen" not in parts.oversight, "it stands in the subject's part, and goes with it"
    assert b"a citizen" in parts.subjects[0].oversight


def test_its_obligations_leave_the_subject_free(world: World) -> None:
    subject = new_subject()
    reply = asked(world, oneself(world, subject), OWN, subject)
    assert [duty["type"] for duty in reply.inquiry["obligations"]] == ["purpose-only"]
    (entry,) = reply.entries
    assert isinstance(entry.told, entries.Inquiry)
    assert [duty.type for duty in entry.told.obligations] == ["purpose-only"]


def test_a_refusal_has_none_either(world: World) -> None:
    subject = new_subject()
    reply = asked(world, oneself(world, subject), OWN.replace(" @inquiry(purpose: SUBJECT_ACCESS)", ""), subject)
    assert reply.codes == ["INQUIRY_REQUIRED"]
    assert set(reply.inquiry) == ASKED
    (entry,) = reply.entries
    assert isinstance(entry.told, entries.Refused)
    assert entry.oversight.by_subject


@pytest.mark.parametrize("client", ["environment-agency", "not-registered"])
@pytest.mark.parametrize("also", ["", "inquire"])
def test_a_client_that_is_no_portal_has_none_of_it_and_its_try_is_entered(world: World, client: str, also: str) -> None:
    """An employer's system, say, through which its people shall sign in."""
    subject = new_subject()
    for query in (OWN, LICENCE):
        reply = asked(world, oneself(world, subject, client=client, also=also), query, subject)
        assert reply.codes == ["FORBIDDEN"]
        assert "no role `portal`" in reply.errors[0]["message"]
        assert set(reply.inquiry) == ASKED
        (entry,) = reply.entries
        assert isinstance(entry.told, entries.Refused)
        assert entry.oversight.by_subject
        assert reply.asked == {}


def test_a_scope_beside_it_brings_no_receipt_and_frees_nobody_of_a_duty(world: World) -> None:
    """No token has both (`test_self_tokens.py`); if one had, it would be no way around either."""
    subject = new_subject()
    portal = oneself(world, subject, also="inquire")
    grants = world.requester("environment-agency").grants
    both = msgspec.structs.replace(portal, client="environment-agency", grants=grants)
    reply = asked(world, both, LICENCE, subject)
    assert set(reply.inquiry) == ASKED
    assert {"no-onward-disclosure", "delete-by"} <= {duty["type"] for duty in reply.inquiry["obligations"]}


def test_everybody_else_has_a_receipt_and_every_duty(world: World) -> None:
    subject = new_subject()
    reply = asked(world, world.requester("environment-agency", official="e.lind"), LICENCE, subject)
    assert set(reply.inquiry) == {*ASKED, "receipt"}
    assert [duty["type"] for duty in reply.inquiry["obligations"]] == [
        "purpose-only",
        "no-onward-disclosure",
        "delete-by",
    ]
    assert not reply.entries[0].oversight.by_subject
