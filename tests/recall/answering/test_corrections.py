"""`@inquiry(recall:)`: what was corrected is fetched, those records and fields alone, without a case."""

from __future__ import annotations

import asyncio
import datetime
from collections import Counter
from typing import Any

import msgspec
import pytest

from connectors.base import Subject
from gateway.inquiry import answer
from gateway.inquiry.beside import fetches, recalled
from gateway.inquiry.types import Requester
from gateway.storage.subjects import facts as written
from tests.recall.telling import DATASET, DAY, ENVIRONMENT, LICENCES, LOOK, MARKET, PERMITS, Telling
from tests.world import Case, Held, values

TENDER = "TENDER_QUALIFICATION"
HOUR = datetime.timedelta(hours=1)


def corrected(region: Telling, subject: Subject, *records: str) -> None:
    """The records have another version, and there is one more."""
    made = values(region.world.catalogue.datasets[DATASET], 7)
    region.world.held[subject, DATASET] = [Held(each, made, "2") for each in (*records, "R-new")]


async def told(region: Telling, subject: Subject, **more: Any) -> str:
    return await region.told(await region.received(subject), "update", **more)


def licences(said: Any) -> list[tuple[str, str]]:
    found = said.said["data"]["organisation"]["businessLicences"]
    return [(each["record"]["id"], each["record"]["version"]) for each in found]


def test_the_records_that_were_recalled_and_no_others(region: Telling) -> None:
    async def go() -> None:
        subject = region.firm("R-1", "R-2")
        id_ = await told(region, subject)
        corrected(region, subject, "R-1", "R-2")
        said = await region.look(subject, LICENCES, recall=id_)
        assert licences(said) == [("R-1", "2"), ("R-2", "2")]
        found = region.found(said)
        assert found.told.declaration.recall == id_
        assert not found.told.counted
        (given,) = found.told.disclosed[0].datasets
        assert given.records == ["business-licences/R-1@2", "business-licences/R-2@2"]
        assert said.said["extensions"]["inquiry"]["receipt"]
        header = f'purpose=LICENCE_RENEWAL, recall="{id_}"'.encode()
        query = LOOK.replace("@inquiry(purpose: %s%s)", "") % ("", LICENCES)
        by_header = await _by_header(region, region.asker(), query, subject, header)
        assert licences(by_header) == licences(said)

    region.world.run(go())


async def _by_header(region: Telling, who: Requester, query: str, subject: Subject, header: bytes) -> Any:
    from tests.acts.whole.replicas import Said
    from tests.world import Ask

    named = {"id": {"scheme": subject.scheme, "value": subject.value}}
    got = await answer.answer(region.replica.journey, *region.world.sent(Ask(who, query, named, header)))
    return Said(got.status, got.body, msgspec.json.decode(got.body))


def test_it_needs_no_case_and_counts_against_no_frequency(region: Telling) -> None:
    async def go() -> None:
        subject = region.firm()
        region.world.registries.known["C-1"] = Case("market", {subject}, {"m.ivanova"})
        first = await region.received(subject, LICENCES, purpose=TENDER, case="C-1")
        id_ = await region.told(first, "update")
        corrected(region, subject, "R-1")
        region.world.registries.reachable = False
        region.world.registries.known.clear()
        counted = []
        right = region.replica.journey.admission.reserve

        class Counts:
            def reserve(self, purpose: Any, asked: Any) -> Any:
                counted.append(asked)
                return right(purpose, asked)

        region.replica.journey = msgspec.structs.replace(region.replica.journey, admission=Counts())
        said = await region.look(subject, LICENCES, purpose=TENDER, recall=id_)
        assert licences(said) == [("R-1", "2")]
        assert counted == []
        refused = await region.look(subject, LICENCES, purpose=TENDER, recall=id_, case="C-1")
        assert "without a case" in refused.said["errors"][0]["message"]

    region.world.run(go())


def test_nothing_else_can_be_had_with_it(region: Telling) -> None:
    async def go() -> None:
        subject = region.firm()
        id_ = await told(region, subject)
        for selected in (f"{LICENCES} {PERMITS}", "businessLicences { validUntil }", PERMITS, "name"):
            said = await region.look(subject, selected, recall=id_)
            assert (said.status, said.code) == (400, "INQUIRY_INVALID"), selected
            assert "`number`, `status`" in said.said["errors"][0]["message"]
        other = await region.look(subject, LICENCES, purpose=TENDER, recall=id_)
        assert "LICENCE_RENEWAL" in other.said["errors"][0]["message"]
        assert (await region.look(subject, "businessLicences { record { id } }", recall=id_)).code == "OK"

    region.world.run(go())


def unknown(region: Telling) -> None:
    """One that is not the caller's, not of this subject, or no correction, is told as one that does not exist."""

    async def go() -> None:
        subject = region.firm()
        of = await region.received(subject)
        others = await region.told(await region.received(subject, client=ENVIRONMENT), "update")
        marks = [await region.told(of, each) for each in ("delete", "mark-disputed", "clear-disputed")]
        elsewhere = await told(region, region.firm())
        told_of = {}
        for id_ in ("0" * 32, others, *marks, elsewhere):
            said = await region.look(subject, LICENCES, recall=id_)
            assert (said.status, "data" in said.said) == (400, False)
            told_of[id_] = [(each["message"], each["extensions"]) for each in said.said["errors"]]
        assert all(each == told_of["0" * 32] for each in told_of.values())

    region.world.run(go())


def test_anothers_recall_is_as_good_as_not_there(region: Telling) -> None:
    unknown(region)


def test_who_forgets_whose_it_is_is_found(region: Telling, monkeypatch: pytest.MonkeyPatch) -> None:
    async def find(self: recalled.StoredRecalls, who: Any, id_: str) -> Any:
        return self._one(id_)

    monkeypatch.setattr(recalled.StoredRecalls, "find", find)
    with pytest.raises(AssertionError):
        unknown(region)


def test_who_shows_more_than_was_recalled_is_found(region: Telling, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recalled.Correction, "of", lambda self, fetched: dict(fetched))
    with pytest.raises(AssertionError):
        test_the_records_that_were_recalled_and_no_others(region)


def test_a_suspension_does_not_keep_from_what_ends_it(region: Telling) -> None:
    async def go() -> None:
        subject = region.firm()
        id_ = await told(region, subject, term=HOUR)
        corrected(region, subject, "R-1")
        await region.later(HOUR)
        await region.later(HOUR)
        assert (await region.look(subject)).code == "GRANT_INACTIVE"
        assert licences(await region.look(subject, LICENCES, recall=id_)) == [("R-1", "2")]
        await region.answered(id_)
        assert licences(await region.look(subject))[0] == ("R-1", "2")

    region.world.run(go())


def test_restraints_hold_and_a_missing_record_is_an_empty_list(region: Telling) -> None:
    async def go() -> None:
        subject = region.firm("R-1", "R-2")
        id_ = await told(region, subject)
        written.withdraw(region.replica.store.engine, subject, DATASET, "R-1", region.world.now)
        assert licences(await region.look(subject, LICENCES, recall=id_)) == [("R-2", "1")]
        region.world.held[subject, DATASET] = []
        assert licences(await region.look(subject, LICENCES, recall=id_)) == []

    region.world.run(go())


def test_not_once_it_was_answered_or_the_answer_is_to_be_deleted(region: Telling) -> None:
    async def go() -> None:
        subject = region.firm()
        id_ = await told(region, subject)
        await region.answered(id_, "REFUSED", reason="Archives Act, Art. 3")
        said = await region.look(subject, LICENCES, recall=id_)
        assert "you refused" in said.said["errors"][0]["message"]
        other = await told(region, subject)
        assert (await region.look(subject, LICENCES, recall=other)).code == "OK"
        await region.answered(id_)
        said = await region.look(subject, LICENCES, recall=id_)
        assert "you answered" in said.said["errors"][0]["message"], "no ticket to look on without a case"
        region.world.now += 31 * DAY
        said = await region.look(subject, LICENCES, recall=other)
        assert "to be deleted" in said.said["errors"][0]["message"]

    region.world.run(go())


def test_ten_within_a_day_of_each_recall_and_no_more(region: Telling) -> None:
    async def go() -> None:
        subject = region.firm()
        id_, other = await told(region, subject), await told(region, subject)
        first = region.world.now
        for _ in range(fetches.MOST):
            region.at = 1 - region.at  # what another process served counts by its entry
            assert (await region.look(subject, LICENCES, recall=id_)).code == "OK"
            region.world.now += datetime.timedelta(minutes=1)
        region.world.now += HOUR
        await region.both.again(region.at, killed=False)
        said = await region.look(subject, LICENCES, recall=id_)
        more = said.said["errors"][0]["extensions"]
        assert (said.status, said.code, more["quota"]) == (429, "QUOTA_EXCEEDED", "recall")
        resets = datetime.datetime.fromisoformat(more["resetsAt"])
        assert datetime.timedelta() <= resets - (first + DAY) <= datetime.timedelta(minutes=1)
        assert (await region.look(subject, LICENCES, recall=other)).code == "OK", "each recall has its own bound"
        assert (await region.look(subject)).code == "OK", "and an inquiry is not counted by it"
        region.world.now = resets
        assert (await region.look(subject, LICENCES, recall=id_)).code == "OK"
        assert (await region.look(subject, LICENCES, recall=id_)).code == "QUOTA_EXCEEDED"

    region.world.run(go())


def test_ten_at_once_are_no_more(region: Telling) -> None:
    async def go() -> None:
        subject = region.firm()
        id_ = await told(region, subject)
        many = await asyncio.gather(*(region.look(subject, LICENCES, recall=id_) for _ in range(3 * fetches.MOST)))
        assert Counter(each.code for each in many) == {"OK": fetches.MOST, "QUOTA_EXCEEDED": 2 * fetches.MOST}

    region.world.run(go())


def test_what_is_fetched_is_to_be_deleted_with_what_it_corrects(region: Telling) -> None:
    async def go() -> None:
        subject = region.firm()
        of = await region.received(subject)
        region.world.now += 10 * DAY
        id_ = await region.told(of, "update")
        again = region.found(await region.look(subject, LICENCES, recall=id_))
        assert again.told.obligations == of.told.obligations
        last = datetime.date.fromisoformat(of.told.obligations[-1].properties["date"])
        region.world.now += (last - region.world.today()).days * DAY
        assert (await region.look(subject, LICENCES, recall=id_)).code == "OK"
        region.world.now += DAY
        said = await region.look(subject, LICENCES, recall=id_)
        assert "to be deleted" in said.said["errors"][0]["message"]

    region.world.run(go())


def test_the_scope_of_recalls_is_no_scope_to_inquire(region: Telling) -> None:
    async def go() -> None:
        subject = region.firm()
        id_ = await told(region, subject)
        query = LOOK % (", $recall: ID", "LICENCE_RENEWAL", ", recall: $recall", LICENCES)
        given = {"id": {"scheme": subject.scheme, "value": subject.value}, "recall": id_}
        said = await region.replica.ask(region.both.who(MARKET, "recalls", official="m.ivanova"), query, given)
        assert said.code == "SCOPE_MISSING"

    region.world.run(go())
