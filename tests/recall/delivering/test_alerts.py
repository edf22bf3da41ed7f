"""What wants a person is told to the operator: by an id alone, once, whichever process ends, break-glass first."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import datetime
import io
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine, insert, update

from gateway.config.outgoing import AlertSettings
from gateway.recall.delivering.alerts import (
    FOUND,
    GLASS,
    OTHERS,
    OVERDUE,
    REVIEW,
    ROLLED_BACK,
    STOPPED,
    SUSPENDED,
    UNREPORTED,
    URGENT,
    WIDENS,
    Alerts,
)
from gateway.storage.recall import work as queue
from gateway.storage.recall.recalls import Work, job, recall, recall_job
from gateway.storage.recall.work import alerted, delivery_stop, lane_of
from gateway.storage.rules.proposals import proposal
from gateway.storage.rules.rulesets import activation, rule_set
from gateway.storage.subjects.acts import matter
from gateway.storage.tables import micros
from gateway.storage.watch.findings import Glass, deciding, finding
from gateway.telemetry.log import Log
from gateway.web.hooks import verify
from gateway.web.messages.sending import Sender
from tests.acts.conftest import bare, desk, place, server, store
from tests.acts.desk import Desk, days
from tests.recall.delivering.test_deliver import LOOPBACK
from tests.recall.receiving import ISSUER, Recipient, recalled, recipients, works

__all__ = ["bare", "desk", "place", "server", "store"]

SECRET = b"a" * 32


class Watch:
    """Alerts of some kinds on a desk; `lines` are the log's, `counted` by kind."""

    def __init__(self, desk: Desk, to: Recipient | None, kinds: Sequence[str] = (*URGENT, *OTHERS)) -> None:
        self.desk, self._lines = desk, io.StringIO()
        self.counted: collections.Counter[str] = collections.Counter()
        self.heard: list[str | None] = []
        told = None if to is None else AlertSettings(to.url, (SECRET,))
        self.alerts = Alerts(
            desk.office, kinds, told, Sender(LOOPBACK), Log(self._lines),
            lambda _, why: self.heard.append(why), lambda kind: self.counted.update([kind]),
        )  # fmt: skip

    async def turn(self) -> bool:
        worked = await self.alerts.turn()
        await self.alerts.settled()
        return worked

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._lines.getvalue().splitlines()]


@contextlib.asynccontextmanager
async def watching(desk: Desk, to: Recipient | None, *kinds: str) -> AsyncIterator[Watch]:
    made = Watch(desk, to, kinds or (*URGENT, *OTHERS))
    try:
        yield made
    finally:
        await made.alerts.close()


def broken(desk: Desk, inquiry: str) -> str:
    """A use of break-glass, as an inquiry's transaction opens its review; its finding."""
    use = Glass(inquiry, micros(desk.now), ISSUER, "ambulance", "health", "d.night", "EMERGENCY")
    with desk.store.engine.begin() as connection:
        connection.execute(use.opening("somebody broke the glass"))  # type: ignore[call-overload]
    return use.finding


def said(one: Recipient) -> list[tuple[str, dict[str, str]]]:
    return [(told["type"], told["data"]) for told in (msgspec.json.decode(body) for _, body in one.taken)]


async def test_a_use_of_break_glass_is_told_once_by_its_id_alone(desk: Desk) -> None:
    with recipients("operations") as [one]:
        async with watching(desk, one) as watch, watching(desk, one) as other:
            id_ = broken(desk, "i-1")
            while (await watch.turn()) | (await other.turn()):
                pass
    assert said(one) == [(GLASS, {"finding": id_})]
    ((headers, body),) = one.taken
    assert verify([SECRET], headers, body, desk.now.timestamp()) == headers["webhook-id"]
    lines = watch.lines + other.lines
    assert lines == [{"event": "alert", "level": "warning", "kind": GLASS, "finding": id_}]
    assert watch.counted + other.counted == {GLASS: 1}
    assert works(desk.store.engine) == []


async def test_while_nothing_is_due_nothing_is_taken(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    taken, take = list[str](), queue.take

    def noted(engine: Engine, lane: str, *more: int) -> list[Work]:
        taken.append(lane)
        return take(engine, lane, *more)

    monkeypatch.setattr(queue, "take", noted)
    with recipients("operations") as [one]:
        async with watching(desk, one, GLASS) as watch:
            assert not await watch.turn()
            recalled(desk.store.engine, "tender-office")  # work, of another lane
            assert not await watch.turn()
            assert taken == []
            broken(desk, "i-1")
            assert await watch.turn()
            assert taken == [f"alerts {GLASS}"]
    assert len(one.taken) == 1


async def test_each_kind_is_told_by_what_it_is_about(desk: Desk) -> None:
    engine = desk.store.engine
    glass = broken(desk, "i-1")
    desk.now += days(30)
    overdue, still_open = recalled(engine, "tender-office"), recalled(engine, "tender-office")
    suspension = {
        "id": "5" * 32, "kind": "suspension", "state": "open", "issuer": ISSUER, "client": "tender-office",
        "dataset": "tax-arrears", "purpose": "TENDER_QUALIFICATION", "filed": 1, "filed_in": 1, "provisional": 0,
        "told": 0,
    }  # fmt: skip
    found = {
        "id": "out-of-hours-1", "pattern": "out-of-hours-1", "part": 1, "detector": "out-of-hours", "article": "27",
        "at": 1, "issuer": ISSUER, "client": "a", "purpose": "P", "words": "one look",
    }  # fmt: skip
    with engine.begin() as connection:
        connection.execute(update(recall).where(recall.c.id == overdue).values(state="overdue"))
        connection.execute(insert(matter).values(**suspension))
        connection.execute(insert(finding).values(**found))
        connection.execute(insert(delivery_stop).values(lane=lane_of(ISSUER, "tender-office"), at=1, filed_in=77))
        now = micros(desk.now)
        for cause, id_ in (("unreported", "7" * 32), ("corrected", "8" * 32)):
            row = job(cause, ("LEI", "x"), now, id=id_, selected=now, filed_in=1)
            connection.execute(insert(recall_job).values(**row))
        connection.execute(insert(rule_set).values(digest="d", files=b"", at=1))
        for epoch, how in ((1, "bootstrap"), (2, "proposal"), (3, "rollback")):
            connection.execute(insert(activation).values(epoch=epoch, digest="d", how=how, at=1, filed_in=1))
        for id_, noted, state in (("p-1", 1, "checked"), ("p-2", None, "checked"), ("p-3", 1, "active")):
            proposed = {"digest": "d", "base": "d", "base_epoch": 1, "author": b"", "officer": "", "at": 1, "lapses": 2}
            row = {**proposed, "id": id_, "noted": noted, "state": state, "filed_in": 1}
            connection.execute(insert(proposal).values(**row))
    with recipients("operations") as [one]:
        async with watching(desk, one) as watch:
            while await watch.turn():
                pass
    told = dict(said(one))
    assert told == {
        GLASS: {"finding": glass}, REVIEW: {"finding": glass}, FOUND: {"finding": "out-of-hours-1"},
        SUSPENDED: {"suspension": suspension["id"]}, OVERDUE: {"recall": overdue}, STOPPED: {"client": "tender-office"},
        UNREPORTED: {"entry": "7" * 32}, WIDENS: {"proposal": "p-1"}, ROLLED_BACK: {"epoch": "3"},
    }  # fmt: skip
    assert still_open not in str(told)
    assert len(one.taken) == len(told)
    head = {"event": "alert", "level": "warning"}
    lines = sorted(watch.lines, key=lambda line: str(line["kind"]))
    assert lines == [{**head, "kind": kind, **about} for kind, about in sorted(told.items())]


async def test_what_was_reviewed_is_not_told_and_a_review_not_before_it_is_overdue(desk: Desk) -> None:
    id_ = broken(desk, "i-1")
    with recipients("operations") as [one]:
        async with watching(desk, one, REVIEW) as watch:
            assert not await watch.turn()
            with desk.store.engine.begin() as connection:
                connection.execute(deciding(id_, "A. Auditor", "proper", "asked", 1))  # type: ignore[call-overload]
            desk.now += days(60)
            assert not await watch.turn()
        async with watching(desk, one, GLASS) as watch:
            assert not await watch.turn()
    assert one.taken == []


async def test_one_that_is_not_taken_is_sent_again_and_the_next_process_goes_on(desk: Desk) -> None:
    with recipients("operations") as [one]:
        one.answers = [500, 302]
        async with watching(desk, one) as watch:
            broken(desk, "i-1")
            await watch.turn()
            assert watch.heard[-1] is not None
            desk.now += datetime.timedelta(seconds=3)
            await watch.turn()
        async with watching(desk, one) as after:
            desk.now += datetime.timedelta(seconds=30)
            await after.turn()
            assert (after.lines, after.heard) == ([], [None])
    assert len({headers["webhook-id"] for headers, _ in one.taken}) == 1
    assert len(one.taken) == 3
    assert works(desk.store.engine) == []


async def test_without_an_address_the_log_and_the_metric_have_it(desk: Desk) -> None:
    async with watching(desk, None) as watch:
        id_ = broken(desk, "i-1")
        assert await watch.turn()
        assert not await watch.turn()
    assert [line["finding"] for line in watch.lines] == [id_]
    assert works(desk.store.engine) == []


async def test_a_use_of_break_glass_waits_for_no_other_alert(desk: Desk) -> None:
    found = {"part": 1, "detector": "out-of-hours", "article": "27", "at": 1, "issuer": "i", "client": "c"}
    with desk.store.engine.begin() as connection:
        for number in range(300):
            ids = {"id": f"f-{number}", "pattern": f"f-{number}", "purpose": "P", "words": "w"}
            connection.execute(insert(finding).values(**found, **ids))
    with recipients("operations") as [one]:
        one.answers = [None] * 8
        async with watching(desk, one, *OTHERS) as others, watching(desk, one, *URGENT) as urgent:
            await others.alerts.turn()
            await asyncio.sleep(0)
            id_ = broken(desk, "i-1")
            one.answers = []
            await urgent.turn()
            assert (GLASS, {"finding": id_}) in said(one)


async def test_a_process_that_forgets_what_it_told_tells_it_again(desk: Desk) -> None:
    with recipients("operations") as [one]:
        async with watching(desk, one) as watch:
            broken(desk, "i-1")
            await watch.turn()
            with desk.store.engine.begin() as connection:
                connection.execute(alerted.delete())
            await watch.turn()
    assert len(one.taken) == 2, "as it would without its row"
