"""A form that is sent twice is answered as it was the first time: nothing is done twice, and nobody reads otherwise."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from gateway.console.repeating import AGAIN, SETTLES, WAITED, Turns, digest
from gateway.console.sessions import Sent, Session, Sessions, T
from tests.conftest import World
from tests.console.proposing import amount, proposed
from tests.console.test_journey import other
from tests.console.test_sessions import SECRET, Clock, Place, bare, clock, place, server, session, sessions, store
from tests.console.visitor import Visitor

__all__ = ["Place", "bare", "clock", "place", "server", "sessions", "store"]

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


def test_three_acts_at_once_show_three_receipts(visitor: Visitor) -> None:
    page = visitor.sign_in("other-subject")
    kinds = re.findall(r'href="/my/object\?dataset=([a-z-]+)">', page.text)[:3]
    page = visitor.get(f"/my/object?dataset={kinds[0]}")
    forms = [{"dataset": kind, "reason": "A record is missing."} for kind in kinds]
    with ThreadPoolExecutor(3) as threads:
        answers = list(threads.map(lambda form: visitor.post("/my/object", form, page), forms))
    assert [each.headers.get("location") for each in answers] == ["/my/matters"] * 3
    after = visitor.get("/my/matters")
    assert after.text.count("Your objection was entered.") == 3
    assert len(set(re.findall(r"<pre [^>]*>([^<]+)</pre>", after.text))) == 3
    assert "Your objection was entered." not in visitor.get("/my/matters").text
    for way in set(re.findall(r'action="(/my/matters/[0-9a-f]+/withdraw)"', after.text)):
        visitor.post(way, {}, after)


def test_forms_differ_by_where_they_are_sent_and_by_every_field() -> None:
    sent = digest("/my/keeping", {"out": ["yes"], "dataset": ["volunteering"]})
    assert digest("/my/keeping", {"dataset": ["volunteering"], "out": ["yes"]}) == sent
    assert digest("/my/keeping", {"dataset": ["volunteering"], "out": ["no"]}) != sent
    assert digest("/my/other", {"dataset": ["volunteering"], "out": ["yes"]}) != sent


SAID = {"text": "done.kept", "receipt": "r"}


async def test_a_form_is_the_same_for_some_seconds_only(sessions: Sessions, clock: Clock) -> None:
    word, turns = await sessions.begin(session(), None), Turns(sessions, clock)
    assert await turns.begin(word, "a") is None
    await sessions.amend(word, lambda one: turns.end(one, "a", "/my/keeping", SAID))
    clock.now += AGAIN
    assert await turns.begin(word, "a") == Sent("a", 1000.0, "/my/keeping", SAID)
    assert await turns.begin(word, "b") is None
    clock.now += 1
    assert await turns.begin(word, "a") is None


async def test_a_form_that_was_refused_is_meant_anew(sessions: Sessions, clock: Clock) -> None:
    word, turns = await sessions.begin(session(), None), Turns(sessions, clock)
    for led in ("/my/object?answer=1", ""):  # a page of its own, and an answer that cannot be kept
        assert await turns.begin(word, "a") is None
        await sessions.amend(word, lambda one, led=led: turns.end(one, "a", led, None))
    assert await turns.begin(word, "a") is None


class Met(Sessions):
    """Sessions that know when one was looked at."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.looked = asyncio.Event()

    async def amend(self, cookie: str, change: Callable[[Session], T]) -> T | None:
        found = await super().amend(cookie, change)
        self.looked.set()
        return found


@pytest.mark.parametrize("said", [SAID, None])
async def test_the_same_form_waits_for_another_process_and_no_other_does(
    sessions: Sessions, clock: Clock, said: dict[str, str] | None
) -> None:
    word, another = await sessions.begin(session(), None), await sessions.begin(session(), None)
    one, other = Turns(sessions, clock), Turns(Sessions(sessions._engine, [SECRET], clock), clock)
    assert await one.begin(word, "a") is None
    met = Met(sessions._engine, [SECRET], clock)
    second = asyncio.create_task(Turns(met, clock).begin(word, "a"))
    await asyncio.wait_for(met.looked.wait(), 5)
    for whose, form in ((word, "b"), (another, "a")):
        assert await asyncio.wait_for(other.begin(whose, form), 5) is None
    assert not second.done()
    await sessions.amend(word, lambda session: one.end(session, "a", "/my/", said))
    assert await asyncio.wait_for(second, 5) == Sent("a", 1000.0, "/my/", said)


async def test_a_form_is_taken_up_where_the_process_that_had_it_ended(sessions: Sessions, clock: Clock) -> None:
    word, turns = await sessions.begin(session(), None), Turns(sessions, clock)
    assert await turns.begin(word, "a") is None
    second = asyncio.create_task(turns.begin(word, "a"))
    clock.now += WAITED + 1
    assert await asyncio.wait_for(second, 5) is None


async def test_a_page_that_shows_what_was_done_waits_for_the_other_forms(sessions: Sessions, clock: Clock) -> None:
    word, turns = await sessions.begin(session(), None), Turns(sessions, clock)
    for form in ("a", "b"):
        await turns.begin(word, form)
    await sessions.amend(word, lambda one: turns.end(one, "a", "/my/", None))
    found = await sessions.found(word)
    assert found is not None
    waiting = asyncio.create_task(turns.settled(word, found))
    await sessions.amend(word, lambda one: turns.end(one, "b", "/my/other", SAID))
    assert [each.place for each in (await asyncio.wait_for(waiting, 5)).sent] == ["/my/", "/my/other"]
    await turns.begin(word, "c")
    clock.now += SETTLES + 1
    assert (await asyncio.wait_for(turns.settled(word, await sessions.found(word) or found), 5)).sent[-1].form == "c"
