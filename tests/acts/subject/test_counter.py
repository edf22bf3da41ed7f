"""What a department's counter did for a subject is in the subject's history, by the department's name."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from connectors.base import Subject
from gateway.acts.called import Acted, Called
from gateway.acts.handlers import handlers
from gateway.acts.subject import history
from gateway.inquiry.http.request import Media
from gateway.inquiry.types import Requester
from gateway.ledger.projections import extract
from tests.acts.looking import Looking
from tests.world import new_subject, opened

ISSUER = "https://login.example"
RECORD = {"dataset": "income-statements", "record": "I-1", "version": "3"}
PROOF = "identity card 4711"


class Counter:
    """A counter of the labour office, and one person who comes there."""

    def __init__(self, looking: Looking) -> None:
        self.looking, self.subject = looking, new_subject("person")
        self._handlers = handlers(looking.office)
        world = looking.world
        clerk = world.requester("labour-stewards", scopes=("counter",), official="l.clerk")
        self.clerk = msgspec.structs.replace(clerk, auth_time=world.now.timestamp())
        self.until = world.today() + datetime.timedelta(days=30)

    async def _act(self, who: Requester, field: str, given: dict[str, Any]) -> Any:
        done = await self._handlers[field](who, Called(field, given, {}, Media.RESPONSE, _rendered))
        assert isinstance(done, Acted)
        return done.value

    def act(self, who: Requester, field: str, **given: Any) -> Any:
        self.looking.world.now += datetime.timedelta(seconds=1)
        return self.looking.world.run(self._act(who, field, given))

    def at_counter(self, field: str, of: Subject | None = None, **given: Any) -> Any:
        subject = of or self.subject
        behalf = {"subject": {"scheme": subject.scheme, "value": subject.value}, "proof": PROOF}
        return self.act(self.clerk, field, **given, onBehalf=behalf)

    def rows(self, of: Subject | None = None) -> list[dict[str, Any]]:
        """The whole history, as it is made, without a look of the subject's own."""
        world, subject = self.looking.world, of or self.subject
        with contextlib.closing(world.store.reader()) as reader:
            page = history.page(reader, world.policies, subject[1:], world.now, {"first": 100})
        found: list[dict[str, Any]] = page["items"]
        return found


async def _rendered(value: Any) -> bytes:
    return msgspec.json.encode(value)


@pytest.fixture
def counter() -> Iterator[Counter]:
    with opened() as world:
        yield Counter(Looking(world))


def test_every_act_of_a_counter_is_told_by_the_departments_name(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = counter.looking.office.rules
    kinds = {"identity card": "[0-9]{4,12}"}
    monkeypatch.setattr(rules, "requesters", msgspec.structs.replace(rules.requesters, proofs=kinds))
    asked = {
        "requester": {"issuer": ISSUER, "client": "tax-service"}, "purpose": "SUBSIDY_ASSESSMENT",
        "fields": [{"dataset": "income-statements", "fields": ["year"]}], "until": counter.until,
    }  # fmt: skip
    consent = counter.at_counter("grantConsent", **asked)
    counter.at_counter("revokeConsent", id=consent["id"])
    tax = counter.looking.world.requester("tax-service", scopes=("inquire",), official="t.one")
    named = {"scheme": counter.subject.scheme, "value": counter.subject.value}
    request = {name: each for name, each in asked.items() if name != "requester"}
    wanted = counter.act(tax, "requestConsent", **request, subject=named, words="Please.")
    counter.at_counter("declineConsentRequest", id=wanted["id"])
    filed = counter.at_counter("fileObjection", record=RECORD, reason="It is not mine.")
    applied = counter.at_counter("applyForRestoration", record=RECORD, reason="All is paid.")
    counter.at_counter("withdrawMatter", id=applied["id"])
    counter.at_counter("setOptOut", dataset="volunteering", optedOut=True)
    counter.at_counter("setOptOut", dataset="volunteering", optedOut=False)
    record, showed = ["income-statements/I-1@3"], "whoever came showed: identity card"
    for _ in range(2):
        rows = counter.rows()
        assert [(each["outcome"], each["records"], each["told"]) for each in rows] == [
            ("at its counter: gave a consent for you", [], [f"its id is {consent['id']}", showed]),
            ("at its counter: took a consent back for you", [], [f"its id is {consent['id']}", showed]),
            ("at its counter: declined a consent for you", [], [f"its id is {wanted['id']}", showed]),
            ("at its counter: filed an objection for you", record, [f"its id is {filed['id']}", showed]),
            (
                "at its counter: filed an application for restoration for you",
                record,
                [f"its id is {applied['id']}", showed],
            ),
            ("at its counter: took back for you what was filed", record, [f"its id is {applied['id']}", showed]),
            ("at its counter: had volunteering kept back for you", [], [showed]),
            ("at its counter: ended for you that volunteering is kept back", [], [showed]),
        ]
        assert {(each["what"], each["department"]) for each in rows} == {("OWN", "labour")}
        assert [each["purpose"] for each in rows[:4]] == ["SUBSIDY_ASSESSMENT"] * 3 + [None]
        said = msgspec.json.encode(rows)
        for hidden in (PROOF, "l.clerk", "It is not mine.", "All is paid."):
            assert hidden.encode() not in said
        counter.looking.project()
    assert {each["filedBy"] for each in (filed, applied)} == {"labour"}


def test_a_proof_of_no_kind_is_oversights_alone(counter: Counter) -> None:
    counter.at_counter("setOptOut", dataset="volunteering", optedOut=True)
    (row,) = counter.rows()
    assert (row["outcome"], row["told"]) == ("at its counter: had volunteering kept back for you", [])


def test_what_the_subject_did_itself_is_not_a_row_and_anothers_is_not_there(counter: Counter) -> None:
    mine = msgspec.structs.replace(counter.looking.who(counter.subject), person="p-1")
    counter.act(mine, "fileObjection", record=RECORD, reason="It is not mine.")
    other = new_subject("person")
    counter.at_counter("fileObjection", of=other, record=RECORD, reason="It is not mine.")
    for _ in range(2):
        assert counter.rows() == []
        assert [each["what"] for each in counter.rows(other)] == ["OWN"]
        counter.looking.project()


def test_every_act_that_is_shown_has_its_words() -> None:
    assert set(history._AT_COUNTER) == extract.AT_COUNTER
