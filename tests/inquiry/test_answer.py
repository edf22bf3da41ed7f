"""What only the whole path shows: consents are named in the entry, and what ends on the way is not released."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

import pytest

from gateway.storage.subjects import facts
from tests.world import Ask, World, new_subject, opened

INCOME = "{ person(id: $id) { incomeStatements { year } } }"
QUERY = "query($id: IdentifierInput!) @inquiry(purpose: SUBSIDY_ASSESSMENT%s) " + INCOME
LICENCE = "query($id: IdentifierInput!) @inquiry(purpose: LICENCE_RENEWAL) { organisation(id: $id) { name } }"


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with opened() as made:
        yield made


def test_the_consents_that_permits_rest_on_are_named_for_oversight(world: World) -> None:
    subject, today = new_subject("person"), world.today()
    asker = world.requester("labour-office", official="l.moreau")

    def consent(purpose: str, until: datetime.date) -> str:
        terms = {"income-statements": None}
        who = {"issuer": asker.issuer, "client": asker.client}
        engine = world.store.engine
        return facts.grant_consent(
            engine, subject, **who, purpose=purpose, datasets=terms, until=until, now=world.now
        ).id

    day = datetime.timedelta(days=1)
    first, second = consent("SUBSIDY_ASSESSMENT", today), consent("SUBSIDY_ASSESSMENT", today + day)
    consent("SUBSIDY_ASSESSMENT", today - day)
    consent("LICENCE_RENEWAL", today + day)
    variables = {"id": {"scheme": subject.scheme, "value": subject.value}}

    (entry,) = world.ask(Ask(asker, QUERY % "", variables)).entries
    assert set(entry.oversight.consents) == {first, second}
    (entry,) = world.ask(Ask(asker, QUERY % f', consent: "{second}"', variables)).entries
    assert entry.oversight.consents == (second,)


def test_a_token_that_expires_while_departments_answer_releases_nothing(world: World) -> None:
    subject = new_subject()
    asker = world.requester("environment-agency", official="e.lind", expires=world.now.timestamp() + 1)

    def later() -> None:
        world.now += datetime.timedelta(seconds=2)

    world.departments["market"].meanwhile = later
    reply = world.ask(Ask(asker, LICENCE, {"id": {"scheme": subject.scheme, "value": subject.value}}))
    world.calm()
    assert reply.codes == ["UNAUTHENTICATED"]
    assert "data" not in reply.said
    assert len(reply.entries) == 1
