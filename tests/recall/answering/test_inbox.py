"""A recipient sees what it has to do, and answers it: its own alone, once, all of a list or none."""

from __future__ import annotations

import datetime

import pytest

from gateway.ledger.verify.store import verify_store
from gateway.recall import own
from gateway.recall.answering import inbox
from gateway.storage.recall import recalls
from tests.ledger.support import VERIFIERS
from tests.recall.telling import ENVIRONMENT, MARKET, RENEWAL, TERM, Telling


def test_an_inbox_has_what_is_to_be_done_oldest_first(region: Telling) -> None:
    async def go() -> None:
        first = await region.received(region.firm("A-1", "A-2"))
        ids = [await region.told(first, "update"), *[await region.recalled() for _ in range(3)]]
        await region.recalled(client=ENVIRONMENT)
        items = await region.inbox()
        assert [(each["id"], each["sequence"]) for each in items] == list(zip(ids, range(1, 5), strict=True))
        one = items[0]
        about = first.told.disclosed[0]
        assert (one["scheme"], one["value"], one["inquiry"]) == (about.scheme, about.value, first.told.id)
        assert (one["action"], one["state"], one["outcome"]) == ("UPDATE", "OPEN", None)
        fields = ["number", "status"]
        of = {"dataset": "business-licences", "version": "1", "fields": fields}
        assert one["records"] == [{**of, "record": "A-1"}, {**of, "record": "A-2"}]
        assert datetime.datetime.fromisoformat(one["due"]) == region.world.now + TERM
        page = await region.act(region.system(), "recalls", first=3)
        rest = await region.inbox(after=page.value["next"])
        assert [each["id"] for each in (*page.value["items"], *rest)] == ids
        viewed = region.views()
        assert [(each.format, each.requester.client) for each in viewed] == [("recalls", MARKET)] * 3

    region.world.run(go())


def test_what_is_applied_leaves_the_inbox_and_what_is_refused_stays(region: Telling) -> None:
    async def go() -> None:
        one, two, three = [await region.recalled() for _ in range(3)]
        said = await region.answered(one)
        assert (said.value["state"], said.value["outcome"]) == ("ACKNOWLEDGED", "APPLIED")
        await region.answered(two, "PASSED_ON", passedOnTo=["The Bank", "The Bank", "A lawyer"])
        refused = await region.answered(three, "REFUSED", reason="Archives Act, Art. 3")
        assert (refused.value["state"], refused.value["outcome"]) == ("ACKNOWLEDGED", "REFUSED")
        assert [(each["id"], each["outcome"]) for each in await region.inbox()] == [(three, "REFUSED")]
        assert region.to_tell() == {three}
        entered = region.entered("acknowledged")
        assert [(each.recall, each.outcome) for each in entered] == [
            (one, "applied"), (two, "passed-on"), (three, "refused")]  # fmt: skip
        assert entered[1].passed_on == ("The Bank", "A lawyer")
        assert entered[2].reason == "Archives Act, Art. 3"
        assert {each.to.client for each in entered if each.to} == {MARKET}
        (found,) = region.entered("onward-disclosure-found")
        assert (found.recall, found.passed_on) == (two, ("The Bank", "A lawyer"))
        applied = await region.answered(three)
        assert (applied.value["state"], applied.value["outcome"]) == ("ACKNOWLEDGED", "APPLIED")
        assert await region.inbox() == []

    region.world.run(go())


def test_twice_is_once(region: Telling) -> None:
    async def go() -> None:
        one = await region.recalled()
        first = await region.answered(one)
        region.at = 1
        again = await region.answered(one)
        assert (again.value, again.act) == (first.value, first.act)
        assert len(region.entered("acknowledged")) == 1
        taken_back = await region.answered(one, "REFUSED", reason="Archives Act, Art. 3")
        assert taken_back.code == "STATE"
        more = await region.answered(one, "PASSED_ON", passedOnTo=["The Bank"])
        assert more.value["outcome"] == "PASSED_ON"
        less = await region.answered(one)
        assert (less.value["outcome"], less.act) == ("PASSED_ON", more.act)
        with_reference = [await region.answered(await region.recalled(), reference="r-1") for _ in range(2)]
        assert [each.code for each in with_reference] == ["OK", "REFERENCE"]

    region.world.run(go())


def test_what_was_not_said_before_is_entered(region: Telling) -> None:
    async def go() -> None:
        one = await region.recalled()
        refused = await region.answered(one, "REFUSED", reason="Archives Act, Art. 3")
        same = await region.answered(one, "REFUSED", reason="Archives Act, Art. 3")
        other = await region.answered(one, "REFUSED", reason="Archives Act, Art. 4")
        assert same.act == refused.act != other.act
        passed = await region.answered(one, "PASSED_ON", passedOnTo=["The Bank"])
        more = await region.answered(one, "PASSED_ON", passedOnTo=["The Bank", "A lawyer"])
        less = await region.answered(one, "PASSED_ON", passedOnTo=["A lawyer"])
        assert less.act == more.act != passed.act
        assert [each.reason or each.passed_on for each in region.entered("acknowledged")] == [
            "Archives Act, Art. 3", "Archives Act, Art. 4", ("The Bank",), ("The Bank", "A lawyer")]  # fmt: skip
        assert len(region.entered("onward-disclosure-found")) == 2
        for which in (0, 1):
            verify_store(region.both.each[which].store, VERIFIERS)

    region.world.run(go())


TOO_LITTLE = [
    ({"outcome": "REFUSED"}, "the law"),
    ({"outcome": "PASSED_ON"}, "passedOnTo"),
    ({"outcome": "PASSED_ON", "passedOnTo": ["  "]}, "passedOnTo"),
    ({"outcome": "PASSED_ON", "passedOnTo": [f"N {number}" for number in range(101)]}, "at most 100"),
    ({"outcome": "APPLIED", "passedOnTo": ["The Bank"]}, "leave it out"),
]


def test_an_answer_that_says_too_little_is_told_what_lacks(region: Telling) -> None:
    async def go() -> None:
        one = await region.recalled()
        for given, says in TOO_LITTLE:
            said = await region.act(region.system(), "acknowledgeRecall", id=one, **given)
            assert said.code == "ARGUMENT", given
            assert says in said.said["errors"][0]["message"]
            assert region.row(one).outcome is None

    region.world.run(go())


def test_a_list_is_answered_whole_or_not_at_all(region: Telling) -> None:
    async def go() -> None:
        ids = [await region.recalled() for _ in range(5)]
        anothers = await region.recalled(client=ENVIRONMENT)
        who = region.system()
        for wrong in (anothers, "0" * 32):
            said = await region.act(who, "acknowledgeRecalls", ids=[*ids, wrong], outcome="APPLIED")
            assert said.code == "MATTER_NOT_FOUND"
        assert {region.row(each).state for each in (*ids, anothers)} == {"open"}
        await region.answered(ids[0])
        said = await region.act(who, "acknowledgeRecalls", ids=[*ids, ids[1]], outcome="APPLIED", reference="all")
        assert [each["id"] for each in said.value] == ids
        assert {each["outcome"] for each in said.value} == {"APPLIED"}
        assert sorted(each.recall for each in region.entered("acknowledged")) == sorted(ids)
        assert len({each.id for each in region.entered("acknowledged")}) == 5
        again = await region.act(who, "acknowledgeRecalls", ids=[*ids, ids[1]], outcome="APPLIED", reference="all")
        assert (again.value, again.act) == (said.value, said.act)
        many = await region.act(who, "acknowledgeRecalls", ids=[f"{n:032x}" for n in range(101)], outcome="APPLIED")
        assert many.code == "ARGUMENT"
        passed = await region.act(who, "acknowledgeRecalls", ids=ids, outcome="PASSED_ON")
        assert passed.code == "ARGUMENT"

    region.world.run(go())


def test_a_hundred_at_once(region: Telling) -> None:
    async def go() -> None:
        of = await region.received(region.firm())
        ids = [await region.told(of) for _ in range(100)]
        said = await region.act(region.system(), "acknowledgeRecalls", ids=ids, outcome="APPLIED")
        assert len(said.value) == 100
        assert len(region.entered("acknowledged")) == 100

    region.world.run(go())


def apart(region: Telling) -> None:
    """Nobody sees or answers what is another's: it is as if it were not there."""

    async def go() -> None:
        anothers = await region.recalled(client=ENVIRONMENT)
        assert anothers not in [each["id"] for each in await region.inbox()]
        told = []
        for id_ in (anothers, "0" * 32):
            said = [
                await region.answered(id_),
                await region.act(region.system(), "acknowledgeRecalls", ids=[id_], outcome="APPLIED"),
            ]
            told.append([(each.status, each.body) for each in said])
        assert told[0] == told[1]
        assert region.row(anothers).state == "open"

    region.world.run(go())


def test_another_recipients_recall_is_as_good_as_not_there(region: Telling) -> None:
    apart(region)


@pytest.mark.parametrize("forgets", ["whose it is", "whose the page is"])
def test_a_recipient_that_reaches_anothers_is_found(
    region: Telling, forgets: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if forgets == "whose it is":
        everybody = frozenset((each.issuer, each.client) for each in region.world.policies.requesters.values())
        monkeypatch.setattr(own, "answered_by", lambda rules, who: everybody)
    else:
        monkeypatch.setattr(inbox.recalls, "of_clients", lambda clients: recalls.recall.c.id.is_not(None))
    with pytest.raises(AssertionError):
        apart(region)


def test_who_may(region: Telling) -> None:
    async def go() -> None:
        one = await region.recalled()
        for who in (region.system(MARKET, "inquire"), region.both.steward("tax", "s.one")):
            assert (await region.act(who, "recalls")).code == "FORBIDDEN"
            assert (await region.act(who, "acknowledgeRecall", id=one, outcome="APPLIED")).code == "FORBIDDEN"
            assert (await region.act(who, "attestDeletion", until="2026-01-01")).code == "FORBIDDEN"
        official = region.system(MARKET, "recalls", official="m.ivanova")
        assert (await region.act(official, "acknowledgeRecall", id=one, outcome="APPLIED")).code == "OK"

    region.world.run(go())


def test_who_follows_answers_for_who_is_gone(region: Telling, monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> None:
        of = await region.received(region.firm())
        gone = (of.told.requester.issuer, "old-system")
        one = await region.told(of, client=gone)
        assert await region.inbox() == []
        monkeypatch.setattr(own, "answered_by", lambda rules, who: frozenset([who, gone]))
        monkeypatch.setattr(inbox, "answered_by", own.answered_by)
        assert [each["id"] for each in await region.inbox()] == [one]
        assert (await region.answered(one)).code == "OK"

    region.world.run(go())


def test_what_was_deleted_on_time_is_attested(region: Telling) -> None:
    async def go() -> None:
        early = [await region.recalled("mark-disputed"), await region.recalled("delete")]
        region.world.now += datetime.timedelta(days=20)
        late = await region.recalled()
        region.world.now += datetime.timedelta(days=15)  # of 30 days, by which the first are to be deleted
        today = region.world.today()
        future = await region.act(region.system(), "attestDeletion", until=(today + datetime.timedelta(1)).isoformat())
        assert future.code == "ARGUMENT"
        said = await region.act(region.system(), "attestDeletion", until=today.isoformat(), reference="a")
        assert said.value is True
        assert [(region.row(each).state, region.row(each).outcome) for each in (*early, late)] == [
            ("acknowledged", "applied"), ("acknowledged", "applied"), ("open", None)]  # fmt: skip
        again = await region.act(region.system(), "attestDeletion", until=today.isoformat(), reference="a")
        assert again.act == said.act
        (attested,) = region.entered("deletion-attested")
        assert (attested.until, attested.to.client if attested.to else "") == (today, MARKET)
        assert len(region.entered("acknowledged")) == 2

    region.world.run(go())


def test_the_purpose_that_the_others_rest_on(region: Telling) -> None:
    assert region.world.policies.purposes[RENEWAL].delete_after.text == "P30D"
