"""A form that is sent twice is answered as it was the first time: nothing is done twice, and nobody reads otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from gateway.console.repeating import AGAIN, Turns, digest, done_before
from gateway.console.sessions import Done
from tests.conftest import World
from tests.console.proposing import amount, proposed
from tests.console.test_journey import other
from tests.console.test_sessions import session
from tests.console.visitor import Visitor

RECORD = {"dataset": "income-statements", "record": "IS-P00000-2"}


def twice(visitor: Visitor, path: str, form: dict[str, Any], page: httpx.Response) -> None:
    """Send a form as a double click does: both lead to the page that shows what was done."""
    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(lambda _: visitor.post(path, form, page), range(2))
    assert (first.status_code, second.status_code) == (303, 303), (first.text, second.text)
    assert first.headers["location"] == second.headers["location"]


def test_an_objection_that_is_sent_twice_is_filed_once(visitor: Visitor) -> None:
    visitor.sign_in("subject")
    form = visitor.get("/my/object?dataset=income-statements&record=IS-P00000-2")
    before = visitor.get("/my/matters").text.count("/withdraw")
    twice(visitor, "/my/object", {**RECORD, "reason": "It is not mine."}, form)
    page = visitor.get("/my/matters")
    assert "Your objection was entered." in page.text
    assert "Receipt" in page.text
    assert page.text.count("/withdraw") == before + 1
    assert visitor.post("/my/object", {**RECORD, "reason": "Another."}, form).status_code == 409  # is another form
    way = page.text.partition('action="/my/matters/')[2].partition('"')[0]
    twice(visitor, f"/my/matters/{way}", {}, page)
    assert "You took it back. It was entered." in visitor.get("/my/matters").text


def test_a_change_that_is_reported_twice_is_one_that_a_second_steward_confirms_once(visitor: Visitor) -> None:
    visitor.sign_in("steward")
    given = {
        "event": "CORRECTED", "scheme": "LEI", "value": visitor.told["subjects"]["ordinary"]["value"],
        "dataset": "tax-arrears", "record": "TA-00000-1", "new_version": "77", "reason": "Sent twice.",
        "checked": "yes",
    }  # fmt: skip
    twice(visitor, "/console/report", given, visitor.get("/console/report"))
    page = visitor.get("/console/changes")
    assert page.text.count("Sent twice.") == 1
    second = other(visitor, "second-steward")
    page = second.get("/console/changes")
    way = page.text.partition("Sent twice.")[2].partition('action="')[2].partition('"')[0]
    twice(second, way, {}, page)
    assert "Confirmed." in second.get("/console/changes").text


def test_a_proposal_that_is_refused_twice_reads_as_refused(world: World) -> None:
    told = dict(world.told)
    one = f"/console/proposals/{proposed(told, world.region.place.policies, amount, 'It is sent twice.', 'p.costa')}"
    officer = Visitor(told)
    officer.sign_in("officer")
    twice(officer, f"{one}/refuse", {"reason": "No."}, officer.get(f"{one}/refuse"))
    assert "The proposal was refused. It was entered." in officer.get(one).text


def test_a_form_is_the_same_for_some_seconds_only() -> None:
    sent = digest("/my/keeping", {"out": ["yes"], "dataset": ["volunteering"]})
    assert digest("/my/keeping", {"dataset": ["volunteering"], "out": ["yes"]}) == sent
    assert digest("/my/keeping", {"dataset": ["volunteering"], "out": ["no"]}) != sent
    assert digest("/my/other", {"dataset": ["volunteering"], "out": ["yes"]}) != sent
    done = Done(sent, 1000.0, "/my/keeping", {"text": "done.kept"})
    assert done_before(session(done=done), sent, 1000.0 + AGAIN) == done
    assert done_before(session(done=done), sent, 1001.0 + AGAIN) is None
    assert done_before(session(done=done), "another", 1000.0) is None
    assert done_before(session(), sent, 1000.0) is None


async def test_the_same_form_waits_and_no_other_does() -> None:
    turns, order = Turns(), list[tuple[str, bool]]()

    async def send(word: str, sent: str, then: Callable[[], Any]) -> None:
        async with turns.of(word, sent) as waited:
            order.append((word + sent, waited))
            await then()

    begun, end = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        begun.set()
        await end.wait()

    first = asyncio.create_task(send("a", "1", hold))
    await begun.wait()
    second = asyncio.create_task(send("a", "1", end.wait))
    await asyncio.sleep(0)
    for word, sent in (("a", "2"), ("b", "1")):
        await asyncio.wait_for(send(word, sent, lambda: asyncio.sleep(0)), 5)
    assert order == [("a1", False), ("a2", False), ("b1", False)]
    end.set()
    await asyncio.gather(first, second)
    assert order[-1] == ("a1", True)
    assert not turns._locks
