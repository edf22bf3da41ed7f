"""Consent, field by field: granted, revoked, asked for and declined, and nothing beyond what was shown."""

from __future__ import annotations

import contextlib
import datetime
from typing import Any

import msgspec
import pytest

from connectors.base import Subject
from gateway.acts import inputs
from gateway.acts import office as offices
from gateway.acts.matters.clocks import Clocks
from gateway.errors import Code, Refusal
from gateway.inquiry.facts import FactsReader
from gateway.inquiry.types import Narrowing
from gateway.ledger.entry import describe
from gateway.ledger.verify.store import verify_store
from gateway.storage.subjects.kinds import SubjectFacts
from tests.acts.desk import ISSUER, Desk, days, organisation, person
from tests.ledger.support import VERIFIERS

LABOUR = {"issuer": ISSUER, "client": "labour-office"}
PURPOSE = "SUBSIDY_ASSESSMENT"
INCOME = [{"dataset": "income-statements", "fields": ["taxableIncome", "year"]}]
UNTIL = datetime.date(2027, 3, 1)


def wanted(**more: Any) -> dict[str, Any]:
    return {"requester": LABOUR, "purpose": PURPOSE, "fields": INCOME, "until": UNTIL} | more


async def facts_of(desk: Desk, subject: Subject) -> SubjectFacts:
    source = desk.store.facts()
    try:
        found = await FactsReader(source, desk.office.zone).read([subject], desk.now, ("", ""))
    finally:
        source.close()
    return found.subjects[subject]


async def test_a_consent_counts_until_it_is_revoked(desk: Desk) -> None:
    who = person()
    mine = desk.subject(who)
    given = await desk.ask(mine, "grantConsent", **wanted())
    assert given["requester"] == {**LABOUR, "department": "labour"}
    assert (given["until"], given["revoked"]) == (UNTIL, None)
    (consent,) = (await facts_of(desk, who)).consents
    assert (consent.id, consent.client, consent.purpose) == (given["id"], "labour-office", PURPOSE)
    assert consent.datasets == {"income-statements": frozenset(["taxableIncome", "year"])}
    desk.now += days(1)
    revoked = await desk.ask(mine, "revokeConsent", id=given["id"])
    assert revoked == given | {"revoked": desk.now}
    assert (await facts_of(desk, who)).consents == ()
    assert await desk.refused(mine, "revokeConsent", id=given["id"]) == "STATE"
    first, second = desk.acts()
    assert [first.what, second.what] == ["consent-granted", "consent-revoked"]
    assert (first.scheme, first.value, first.by, first.changes) == (who.scheme, who.value, "p-1", (1,))
    assert (second.changes, second.matter) == ((2,), given["id"])
    verify_store(desk.store, VERIFIERS)


async def test_a_subjects_receipt_proves_the_day_and_not_what_it_was_about(desk: Desk) -> None:
    who = person()
    given = await desk.ask(desk.subject(who), "grantConsent", **wanted())
    told = desk.proved().told
    assert (told.what, told.id, told.at) == ("consent-granted", desk.done[-1]["id"], desk.now)
    assert (told.value, told.matter, told.fields, told.by) == (None, "", {}, "")
    assert given["id"] not in desk.done[-1]["receipt"]


NO_CONSENT = [
    ({"fields": []}, "ARGUMENT"),
    ({"fields": [{"dataset": "income-statements", "fields": []}]}, "ARGUMENT"),
    ({"fields": [*INCOME, *INCOME]}, "ARGUMENT"),
    ({"fields": [{"dataset": "income-statements", "fields": ["year", "year"]}]}, "ARGUMENT"),
    ({"fields": [{"dataset": "income-statements", "fields": ["salary"]}]}, "ARGUMENT"),
    ({"fields": [{"dataset": "no-such", "fields": ["year"]}]}, "ARGUMENT"),
    ({"fields": [{"dataset": "business-licences", "fields": ["number"]}]}, "ARGUMENT"),
    ({"fields": [{"dataset": "wage-arrears", "fields": ["amount"]}]}, "ARGUMENT"),
    ({"until": datetime.date(2026, 11, 23)}, "ARGUMENT"),
    ({"until": datetime.date(2027, 11, 25)}, "ARGUMENT"),
    ({"requester": {"issuer": ISSUER, "client": "nobody"}}, "ARGUMENT"),
    ({"requester": {"issuer": ISSUER, "client": "citizen-portal"}}, "ARGUMENT"),
    ({"requester": {"issuer": ISSUER, "client": "market-regulator"}}, "ARGUMENT"),
    ({"purpose": "COURT_ENFORCEMENT"}, "ARGUMENT"),
    ({"request": "0" * 32}, "MATTER_NOT_FOUND"),
    ({"reference": "x" * 257}, "ARGUMENT"),
    ({"reference": "a\x00b"}, "ARGUMENT"),
]


async def test_what_is_no_consent_is_refused(desk: Desk) -> None:
    for change, reason in NO_CONSENT:
        assert await desk.refused(desk.subject(person()), "grantConsent", **wanted(**change)) == reason, change
        assert desk.acts() == [], change


async def test_a_consent_needs_a_sign_in_of_the_last_minutes(desk: Desk) -> None:
    assert await desk.refused(desk.subject(person(), signed_in=601), "grantConsent", **wanted()) == "SIGN_IN"
    unknown = desk.who("citizen-portal", "self", identifier=person()[1:], person="p-1")
    assert await desk.refused(unknown, "grantConsent", **wanted()) == "SIGN_IN"
    await desk.ask(desk.subject(person(), signed_in=599), "grantConsent", **wanted())


async def test_a_clerk_who_gives_it_for_somebody_signed_in_within_them_too(desk: Desk) -> None:
    who = person()
    behalf = {"subject": {"scheme": who.scheme, "value": who.value}, "proof": "identity card 4711"}
    clerk = desk.official("tax", "t.counter", "counter")
    for since in (None, desk.now.timestamp() - 601):
        old = msgspec.structs.replace(clerk, auth_time=since)
        assert await desk.refused(old, "grantConsent", **wanted(), onBehalf=behalf) == "SIGN_IN", since
    there = msgspec.structs.replace(clerk, auth_time=desk.now.timestamp() - 599)
    await desk.ask(there, "grantConsent", **wanted(), onBehalf=behalf)


async def test_a_subject_acts_through_a_portal_only(desk: Desk) -> None:
    who = person()
    employer = desk.who("market-regulator", "self", identifier=who[1:], person="p-1", auth_time=desk.now.timestamp())
    assert await desk.refused(employer, "grantConsent", **wanted()) == Code.FORBIDDEN


async def test_anothers_consent_is_as_one_that_does_not_exist(desk: Desk) -> None:
    one, other = desk.subject(person(), "p-1"), desk.subject(person(), "p-2")
    given = await desk.ask(one, "grantConsent", **wanted())
    told = []
    for id_ in (given["id"], "0" * 32):
        with pytest.raises(Refusal) as raised:
            await desk.ask(other, "revokeConsent", id=id_)
        told.append((raised.value.code, raised.value.message, raised.value.extensions))
    assert told[0] == told[1]
    assert told[0][0] == Code.MATTER_NOT_FOUND


async def test_asking_is_limited(desk: Desk) -> None:
    who, mine = person(), None
    labour = desk.who("labour-office", "inquire", official="l.petrova")
    asked = {"subject": {"scheme": who.scheme, "value": who.value}, "purpose": PURPOSE, "fields": INCOME,
             "until": UNTIL, "words": "To work out your benefit."}  # fmt: skip
    request = await desk.ask(labour, "requestConsent", **asked)
    assert (request["state"], request["words"]) == ("OPEN", "To work out your benefit.")
    for official in ("l.petrova", *(f"official {n}" for n in range(9))):
        other = desk.who("labour-office", "inquire", official=official)
        assert await desk.refused(other, "requestConsent", **asked) == "LIMIT"
    mine = desk.subject(who)
    more = [{"dataset": "income-statements", "fields": ["currency", "year"]}]
    assert await desk.refused(mine, "grantConsent", **wanted(request=request["id"], fields=more)) == "ARGUMENT"
    later = wanted(request=request["id"], until=UNTIL + days(1))
    assert await desk.refused(mine, "grantConsent", **later) == "ARGUMENT"
    assert await desk.refused(desk.subject(person()), "declineConsentRequest", id=request["id"]) == "MATTER_NOT_FOUND"
    declined = await desk.ask(mine, "declineConsentRequest", id=request["id"])
    assert (declined["state"], declined["words"]) == ("DECLINED", request["words"])
    assert await desk.refused(mine, "grantConsent", **wanted(request=request["id"])) == "STATE"
    desk.now += days(89)
    assert await desk.refused(labour, "requestConsent", **asked) == "LIMIT"
    desk.now += days(1)
    await desk.ask(labour, "requestConsent", **asked | {"until": desk.now.date() + days(10)})
    assert (await facts_of(desk, who)).consents == ()


async def test_a_request_lapses_and_closes_the_door(desk: Desk) -> None:
    who = person()
    labour = desk.who("labour-office", "inquire", official="l.petrova")
    asked = {"subject": {"scheme": who.scheme, "value": who.value}, "purpose": PURPOSE, "fields": INCOME,
             "until": UNTIL, "words": "To work out your benefit."}  # fmt: skip
    request = await desk.ask(labour, "requestConsent", **asked)
    desk.now += days(30)
    assert await desk.refused(desk.subject(who), "grantConsent", **wanted(request=request["id"])) == "STATE"
    assert await desk.refused(labour, "requestConsent", **asked) == "LIMIT"
    page = await desk.ask(labour, "consentRequests", first=20)
    assert [(each["id"], each["state"]) for each in page["items"]] == [(request["id"], "DECLINED")]
    desk.now += days(90)
    await desk.ask(labour, "requestConsent", **asked | {"until": desk.now.date() + days(10)})


async def test_a_granted_request_is_closed_and_its_words_are_in_no_table(desk: Desk) -> None:
    who = person()
    labour = desk.who("labour-office", "inquire", official="l.petrova")
    asked = {"subject": {"scheme": who.scheme, "value": who.value}, "purpose": PURPOSE, "fields": INCOME,
             "until": UNTIL, "words": "Zu Ihrem Antrag z4711z"}  # fmt: skip
    request = await desk.ask(labour, "requestConsent", **asked)
    await desk.ask(desk.subject(who), "grantConsent", **wanted(request=request["id"]))
    page = await desk.ask(labour, "consentRequests", first=1)
    assert page["items"][0] | {"state": ""} == request | {"state": ""}
    assert page["items"][0]["state"] == "GRANTED"
    others = await desk.ask(desk.who("tax-service", "inquire"), "consentRequests", first=20)
    assert others == {"items": [], "next": None}
    with desk.store.engine.connect() as connection:
        for table in ("act", "matter", "fact", "act_count"):
            assert "z4711z" not in str(connection.exec_driver_sql(f"SELECT * FROM {table}").all())


async def test_pages_of_requests_go_on_where_they_ended(desk: Desk) -> None:
    labour = desk.who("labour-office", "inquire")
    made = []
    for n in range(5):
        who = person()
        asked = {"subject": {"scheme": who.scheme, "value": who.value}, "purpose": PURPOSE, "fields": INCOME,
                 "until": UNTIL, "words": f"{n}"}  # fmt: skip
        made.append((await desk.ask(labour, "requestConsent", **asked))["id"])
        desk.now += datetime.timedelta(seconds=n % 2)
    found, after = [], None
    while True:
        page = await desk.ask(labour, "consentRequests", first=2, after=after)
        found += [each["id"] for each in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert sorted(found) == sorted(made)
    assert await desk.refused(labour, "consentRequests", first=2, after="nonsense") == "ARGUMENT"


async def test_opting_out_and_back(desk: Desk) -> None:
    who = organisation()
    mine = desk.subject(who)
    set_ = await desk.ask(mine, "setOptOut", dataset="tax-awards", optedOut=True, reference="r")
    assert set_ == {"dataset": "tax-awards", "optedOut": True, "since": desk.now}
    assert await desk.ask(mine, "setOptOut", dataset="tax-awards", optedOut=True, reference="r") == set_
    assert (await facts_of(desk, who)).opted_out == {"tax-awards"}
    assert await desk.refused(mine, "setOptOut", dataset="tax-awards", optedOut=True) == "STATE"
    assert await desk.refused(mine, "setOptOut", dataset="tax-arrears", optedOut=True) == "ARGUMENT"
    assert await desk.refused(mine, "setOptOut", dataset="tax-awards", optedOut=False, reference="r") == "REFERENCE"
    await desk.ask(mine, "setOptOut", dataset="tax-awards", optedOut=False)
    assert (await facts_of(desk, who)).opted_out == frozenset()
    assert [each.what for each in desk.acts()] == ["opt-out-set", "opt-out-lifted"]
    assert desk.done[0] | {"receipt": ""} == desk.done[1] | {"receipt": ""}


async def test_a_counter_acts_for_whom_it_has_before_it(desk: Desk) -> None:
    who = organisation()
    behalf = {"subject": {"scheme": who.scheme, "value": who.value}, "proof": "register extract 12/2026"}
    counter = desk.official("tax", "t.counter", "counter")
    await desk.ask(counter, "setOptOut", dataset="tax-awards", optedOut=True, onBehalf=behalf)
    (told,) = desk.acts()
    assert (told.value, told.proof, told.by) == (who.value, behalf["proof"], "")
    assert desk.proved().told.value is None
    assert describe.deed(told).by == "a counter (tax-stewards of tax), for whoever came,"
    steward = desk.official("tax", "t.steward")
    assert await desk.refused(steward, "setOptOut", dataset="tax-awards", optedOut=False, onBehalf=behalf) == "ARGUMENT"


async def test_no_more_than_twenty_acts_a_day(desk: Desk) -> None:
    mine = desk.subject(organisation())
    for n in range(20):
        await desk.ask(mine, "setOptOut", dataset="tax-awards", optedOut=n % 2 == 0)
    assert await desk.refused(mine, "setOptOut", dataset="tax-awards", optedOut=True) == Code.QUOTA_EXCEEDED
    await desk.ask(desk.subject(organisation()), "setOptOut", dataset="tax-awards", optedOut=True)
    desk.now += days(1)
    await desk.ask(mine, "setOptOut", dataset="tax-awards", optedOut=True)


async def test_a_token_asks_for_no_more_than_it_opens(desk: Desk) -> None:
    who = person()
    asked = {"subject": {"scheme": who.scheme, "value": who.value}, "purpose": PURPOSE, "fields": INCOME,
             "until": UNTIL, "words": "To work out your benefit."}  # fmt: skip
    for scopes in (["inquire:volunteering"], ["inquire:income"]):
        assert await desk.refused(desk.who("labour-office", *scopes), "requestConsent", **asked) == Code.FORBIDDEN
    narrowed = desk.who("labour-office", "inquire", narrowing=(Narrowing(purpose=PURPOSE),))
    assert await desk.refused(narrowed, "requestConsent", **asked) == Code.FORBIDDEN
    await desk.ask(desk.who("labour-office", "inquire:income-statements"), "requestConsent", **asked)


async def test_a_subject_can_always_revoke(desk: Desk) -> None:
    """After all acts of its day: that counts, and the next one of another kind is refused."""
    mine = desk.subject(person())
    given = await desk.ask(mine, "grantConsent", **wanted())
    quota = Code.QUOTA_EXCEEDED
    for n in range(19):
        await desk.ask(mine, "setOptOut", dataset="volunteering", optedOut=n % 2 == 0)
    assert await desk.refused(mine, "setOptOut", dataset="volunteering", optedOut=False) == quota
    revoked = await desk.ask(mine, "revokeConsent", id=given["id"])
    assert revoked["revoked"] == desk.now
    assert await desk.refused(mine, "setOptOut", dataset="volunteering", optedOut=False) == quota
    verify_store(desk.store, VERIFIERS)


async def test_what_is_over_a_days_bounds_is_entered_as_one_count_an_hour(desk: Desk) -> None:
    mine, clocks = desk.subject(organisation()), Clocks(desk.office, lambda *_: None, lambda *_: None)
    await clocks.turn()
    for n in range(25):
        with contextlib.suppress(Refusal):
            await desk.ask(mine, "setOptOut", dataset="tax-awards", optedOut=n % 2 == 0)
    await clocks.turn()
    assert [each.what for each in desk.acts()].count("over-bounds") == 0
    desk.now += datetime.timedelta(hours=1)
    for _ in range(2):
        await clocks.turn()
    (told,) = [each for each in desk.acts() if each.what == "over-bounds"]
    assert (told.outcome, told.requester.client, told.value) == ("subject-acts: 5", "citizen-portal", None)
    verify_store(desk.store, VERIFIERS)


def test_text_is_kept_as_it_reads() -> None:
    assert inputs.text(" one\r\ntwo ", "reason") == "one\ntwo"
    for nothing in ("\u200b", "\ufeff\u2060 ", "\n\t", ""):
        with pytest.raises(Refusal, match="is empty of words"):
            inputs.text(nothing, "reason")
    for wrong in ("a\u202eb", "a\x00", "a\x1b[1m", "a\u2066b", "a\ud800", "\ue000a", "a\rb"):
        with pytest.raises(Refusal, match="control characters"):
            inputs.text(wrong, "reason")
    with pytest.raises(Refusal, match=r"U\+001B \(an escape\) as character 4; leave them out"):
        inputs.text("a\n\t\x1b[1m", "reason")
    with pytest.raises(Refusal, match=r"one line of plain text, and has U\+000A \(a line end\) as character 2"):
        inputs.named("a\nb", "reference")
    assert inputs.text("x" * 4000, "reason")
    for marks in ("a" + "\u0345\u0315\u0300\u0327" * 15_000, "a" + "\u0345\u0315\u0300\u0327" * 1_000_000):
        with pytest.raises(Refusal, match=r"at most 4,000"):  # at once: to put them in order takes hours
            inputs.text(marks, "reason")
        assert inputs.plain(marks) == marks
    with pytest.raises(Refusal, match="no text that one can read: more than 30 marks"):
        inputs.text("a" + "\u0345\u0315" * 1_000, "reason")
    with pytest.raises(Refusal, match="4,001 characters"):
        inputs.text("x" * 4001, "reason")


async def test_what_a_counter_does_leaves_a_subjects_own_acts_to_it(desk: Desk) -> None:
    who = organisation()
    behalf = {"subject": {"scheme": who.scheme, "value": who.value}, "proof": "identity card 4711"}
    counter, mine = desk.official("tax", "t.counter", "counter"), desk.subject(who)
    for n in range(20):
        await desk.ask(counter, "setOptOut", dataset="tax-awards", optedOut=n % 2 == 0, onBehalf=behalf)
    over = {"dataset": "tax-awards", "optedOut": True}
    assert await desk.refused(counter, "setOptOut", **over, onBehalf=behalf) == Code.QUOTA_EXCEEDED
    await desk.ask(mine, "setOptOut", **over)


async def test_an_official_at_a_counter_acts_for_so_many_a_day(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offices, "COUNTER_ACTS", 3)
    clocks = Clocks(desk.office, lambda *_: None, lambda *_: None)
    await clocks.turn()
    counter, other = desk.official("tax", "t.counter", "counter"), desk.official("tax", "t.other", "counter")

    def asked(who: Subject) -> dict[str, Any]:
        behalf = {"subject": {"scheme": who.scheme, "value": who.value}, "proof": "identity card 4711"}
        return {"dataset": "tax-awards", "optedOut": True, "onBehalf": behalf}

    for _ in range(3):
        await desk.ask(counter, "setOptOut", **asked(organisation()))
    last = organisation()
    assert await desk.refused(counter, "setOptOut", **asked(last)) == Code.QUOTA_EXCEEDED
    await desk.ask(other, "setOptOut", **asked(last))
    await desk.ask(desk.subject(organisation()), "setOptOut", dataset="tax-awards", optedOut=True)
    desk.now += datetime.timedelta(hours=1)
    await clocks.turn()
    (told,) = [each for each in desk.acts() if each.what == "over-bounds"]
    assert (told.outcome, told.requester.client, told.value) == ("counter-acts: 1", "tax-stewards", None)


async def test_a_repeat_may_differ_in_how_it_was_sent(desk: Desk) -> None:
    who, labour = person(), desk.who("labour-office", "inquire", official="l.petrova")
    asked = {
        "subject": {"scheme": who.scheme, "value": who.value},
        "purpose": PURPOSE,
        "fields": INCOME,
        "until": UNTIL,
    }
    first = await desk.ask(labour, "requestConsent", **asked, words="For your\nbenefit", reference="r")
    again = await desk.ask(labour, "requestConsent", **asked, words=" For your\r\nbenefit ", reference=" r")
    assert again == first
    assert await desk.refused(labour, "requestConsent", **asked, words="For you", reference="r") == "REFERENCE"
