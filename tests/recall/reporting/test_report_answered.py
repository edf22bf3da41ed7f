"""What recipients answer, and what becomes of those who do not, is what the report counts."""

from __future__ import annotations

import datetime

from gateway.recall.reporting.listing import suspensions
from tests.recall.reporting.histories import reported
from tests.recall.reporting.test_report import ALL
from tests.recall.telling import DAY, Telling

HOUR = datetime.timedelta(hours=1)


def test_what_is_overdue_and_suspended_is_counted(region: Telling) -> None:
    async def go() -> None:
        subject = region.firm()
        await region.told(await region.received(subject), term=HOUR)
        await region.later(HOUR)
        await region.later(HOUR)
        found = reported(region.replica.store, ALL).of("market")
        assert (found.sent, found.unanswered, found.overdue, found.suspensions) == (1, 1, 1, 1)
        assert len(suspensions(region.replica.store.engine, None)) == 1

    region.world.run(go())


def test_each_answer_is_counted_by_its_last_word(region: Telling) -> None:
    async def go() -> None:
        ids = [await region.recalled(term=9 * DAY) for _ in range(4)]
        await region.later(HOUR)
        assert (await region.answered(ids[0])).code == "OK"
        assert (await region.answered(ids[1], "REFUSED", reason="Archives Act, article 3")).code == "OK"
        assert (await region.answered(ids[2], "REFUSED", reason="Archives Act, article 3")).code == "OK"
        await region.later(HOUR)
        assert (await region.answered(ids[2], "PASSED_ON", passedOnTo=["the archive"])).code == "OK"
        found = reported(region.replica.store, ALL).of("market")
        assert (found.sent, found.acknowledged, found.passed_on, found.refused, found.unanswered) == (4, 2, 1, 1, 1)
        assert (found.p50, found.p95, found.overdue) == (3_600_000_000, 7_200_000_000, 0)

    region.world.run(go())


def test_the_end_of_a_suspension_is_counted(region: Telling) -> None:
    async def go() -> None:
        id_ = await region.suspended()
        assert (await region.answered(id_)).code == "OK"
        found = reported(region.replica.store, ALL).of("market")
        assert (found.acknowledged, found.overdue, found.suspensions, found.suspensions_ended) == (1, 1, 1, 1)
        assert suspensions(region.replica.store.engine, None) == []

    region.world.run(go())
