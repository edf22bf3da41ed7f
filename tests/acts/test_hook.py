"""The signed webhook of a department's system: each item once, and what became of it; nobody else gets an answer."""

from __future__ import annotations

import asyncio
import base64
import datetime
import hashlib
import hmac
import itertools
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text
from starlette.applications import Starlette

from connectors.base import Subject
from gateway.acts import hook as hooked
from gateway.acts.hook import ChangeHook
from gateway.errors import Code, Refusal
from gateway.ledger.acting.planned import Planned
from gateway.ledger.acting.writer import Done
from gateway.ledger.verify.store import verify_store
from gateway.sources import Changes as Reporting
from gateway.storage.subjects.acts import matter, message
from gateway.storage.subjects.facts import fact, fact_head
from tests.acts.desk import Desk, desk_on, organisation, person
from tests.ledger.support import VERIFIERS
from tests.storage.conftest import Place
from tests.waiting import until_async

SECRET, OLDER = b"s" * 24, b"o" * 32
REPORTING = {"tax": Reporting((SECRET, OLDER), 1_000_000), "market": Reporting((b"m" * 24,)), "labour": Reporting()}
_ids = itertools.count(1)


def item(of: Subject | None = None, event: str = "withdrawn", **more: Any) -> dict[str, Any]:
    of = of or organisation()
    subject = {"scheme": of.scheme, "value": of.value}
    new = {"newVersion": "2"} if event == "corrected" else {}
    return {
        "subject": subject, "dataset": "tax-arrears", "record": "N-1", "version": "1", "event": event, "reason": "why",
    } | new | more  # fmt: skip


def listed(*items: Any) -> bytes:
    return json.dumps({"type": "records.changed", "timestamp": "2026-11-24T09:30:00Z", "data": items}).encode()


def single(one: Any) -> bytes:
    return json.dumps({"type": "record.changed", "timestamp": "2026-11-24T09:30:00Z", "data": one}).encode()


class Department:
    """A department's system, in front of the gateway's route."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        hook = ChangeHook(desk.office, REPORTING, lambda: desk.now.timestamp())
        self.app = Starlette(routes=hook.routes())

    async def send(self, body: bytes, name: str = "tax", id_: str | None = None, **given: Any) -> httpx.Response:
        stamp = str(int(self.desk.now.timestamp()) + given.get("late", 0))
        id_ = id_ or f"msg_{next(_ids)}"
        signed = hmac.new(given.get("secret", SECRET), f"{id_}.{stamp}.".encode() + body, hashlib.sha256).digest()
        headers = {
            "webhook-id": id_, "webhook-timestamp": stamp,
            "webhook-signature": "v1," + base64.b64encode(signed).decode(),
        }  # fmt: skip
        headers = {key: value for key, value in headers.items() if key != given.get("without")}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://gateway") as http:
            return await http.post(f"/hooks/changes/{name}", content=given.get("sent", body), headers=headers)

    async def items(self, body: bytes, id_: str | None = None, **given: Any) -> list[dict[str, Any]]:
        answer = await self.send(body, id_=id_, **given)
        assert answer.status_code == 202, answer.text
        found: list[dict[str, Any]] = answer.json()["items"]
        return found


@pytest.fixture
def department(desk: Desk) -> Department:
    return Department(desk)


def changes(desk: Desk) -> list[str]:
    with desk.store.engine.connect() as connection:
        return list(connection.execute(select(fact.c.kind).order_by(fact.c.change)).scalars())


async def test_one_change_is_taken_and_named_as_the_departments(department: Department) -> None:
    (found,) = await department.items(single(item(event="corrected")))
    assert found.keys() == {"act", "change", "state"}
    assert found["state"] == "DECIDED"
    (told,) = department.desk.acts()
    assert (told.id, told.matter) == (found["act"]["id"], found["change"])
    assert told.at.isoformat().replace("+00:00", "Z") == found["act"]["at"]
    assert (told.requester.client, told.requester.department) == ("webhook", "tax")
    assert told.requester.issuer == "/hooks/changes/tax"
    assert (told.version, told.new_version, told.reason) == ("1", "2", "why")
    assert changes(department.desk) == ["correction"]
    verify_store(department.desk.store, VERIFIERS)


async def test_good_and_bad_items_of_a_list_each_have_their_answer(department: Department) -> None:
    who = organisation()
    items = [
        item(who), item(who), item(event="expired"), {"subject": 1}, None, item(person()), item(dataset="none"),
        item(event="corrected", newVersion=None), item(who, "reinstated"), item(reason="x" * 4_001),
        item(dataset="market-penalties"), item(subject={"scheme": "LEI", "value": "1"}), item(event="corrected"),
    ]  # fmt: skip
    found = await department.items(listed(*items))
    codes = [
        each.get("error", {}).get("reason") or each.get("error", {}).get("code") or each["state"] for each in found
    ]
    assert codes == [
        "DECIDED", "STATE", "ARGUMENT", "ARGUMENT", "ARGUMENT", "ARGUMENT", "ARGUMENT", "ARGUMENT",
        "AWAITS_CONFIRMATION", "ARGUMENT", "ARGUMENT", "IDENTIFIER_INVALID", "DECIDED",
    ]  # fmt: skip
    assert [each["error"] for each in (found[6], found[10])] == [found[5]["error"]] * 2  # another's is as none
    assert found[5]["error"]["message"].startswith("`dataset` is no dataset of yours"), "by the key of the message"
    assert len(department.desk.acts()) == 3
    assert changes(department.desk) == ["withdrawal", "correction"]


@pytest.mark.parametrize("id_", ["", "m" * 257])
async def test_an_id_that_is_none_is_named(department: Department, id_: str) -> None:
    answer = await department.send(single(item()), without="webhook-id" if not id_ else None, id_=id_)
    assert (answer.status_code, "of 256 characters at most" in answer.json()["error"]) == (401, True)


async def test_a_message_that_comes_again_has_the_same_outcome(department: Department) -> None:
    desk, who = department.desk, organisation()
    # The first item could be done once the second is: it was refused, and stays so.
    body = listed(item(who, "reinstated"), item(who), item(event="corrected"), item(event="none"))
    first = await department.items(body, "msg_a")
    for after in (datetime.timedelta(0), datetime.timedelta(days=1), datetime.timedelta(days=88)):
        desk.now += after
        assert await department.items(body, "msg_a") == first
    assert len(desk.acts()) == 2
    altered = await department.send(listed(item(who)), id_="msg_a")
    assert (altered.status_code, "webhook-id" in altered.json()["error"]) == (400, True)
    other = await department.items(body, "msg_b")
    assert [each.get("state") for each in other] == ["AWAITS_CONFIRMATION", None, None, None]
    desk.now += datetime.timedelta(days=2)
    await department.items(single(item(event="corrected")))
    with desk.store.engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(message)).scalar_one() == 2, "older ones are gone"
    assert len(desk.acts()) == 4


async def test_what_was_erased_since_is_not_done_again(department: Department) -> None:
    body = listed(item(), item(event="corrected"), item(event="none"))
    await department.items(body, "msg_a")
    with department.desk.store.engine.begin() as connection:  # as an erasure does
        connection.execute(text("UPDATE act SET repeat = NULL, arguments = NULL WHERE number = 1"))
    found = await department.items(body, "msg_a")
    codes = [each.get("error", {}).get("code", each.get("state")) for each in found]
    assert codes == ["MATTER_NOT_FOUND", "DECIDED", "MATTER_INVALID"]
    assert len(department.desk.acts()) == 2


async def test_the_same_message_twice_at_once_is_done_once(place: Place) -> None:
    async with desk_on(place.open()) as one, desk_on(place.open()) as other:
        body = listed(*(item(event="corrected") for _ in range(40)))
        sent = [Department(desk).items(body, "msg_a") for desk in (one, other, one, other)]
        found = await asyncio.gather(*sent)
        assert found[1:] == found[:1] * 3
        assert len(one.acts()) == 40


NOT_SIGNED = [
    {"secret": b"x" * 24},
    {"secret": b"m" * 24},
    {"name": "market"},
    {"name": "nobody"},
    {"name": "labour", "secret": b""},
    {"sent": single(item(event="corrected"))},
    {"late": -301},
    {"late": 301},
    {"without": "webhook-id"},
    {"without": "webhook-timestamp"},
    {"without": "webhook-signature"},
]


async def test_what_the_department_did_not_sign_just_now_is_refused(department: Department) -> None:
    for changed in NOT_SIGNED:
        answer = await department.send(single(item()), **changed)
        assert answer.status_code == 401, changed
        assert department.desk.acts() == [], changed


async def test_an_unknown_department_answers_like_a_wrong_signature(department: Department) -> None:
    body = single(item())
    several = [await department.send(body, name=name, secret=b"x" * 24) for name in ("tax", "nobody", "labour")]
    assert {(each.status_code, each.content) for each in several} == {(401, several[0].content)}
    assert len({tuple(sorted(each.headers.items())) for each in several}) == 1


async def test_an_older_secret_serves_while_it_is_changed(department: Department) -> None:
    assert len(await department.items(single(item()), secret=OLDER)) == 1


NO_MESSAGES = [
    b"", b"[]", b"\xff", b"{", b'{"type":"record.changed"}', b'{"type":"record.removed","data":{}}',
    b'{"type":"records.changed","data":{}}', b'{"type":"records.changed","data":[]}',
    b'{"type":"records.changed","type":"record.changed","data":{}}', b"[" * 100_000,
    listed(*([None] * 1_001)),
]  # fmt: skip


async def test_a_message_that_is_none_is_refused_as_a_whole(department: Department) -> None:
    for body in NO_MESSAGES:
        answer = await department.send(body)
        assert answer.status_code == 400, body[:80]
        assert answer.json()["error"], body[:80]
        assert department.desk.acts() == [], body[:80]


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        (b'"\xed\xa0\x80"', "the message is not UTF-8: it has bytes that are no character, or half of one"),
        (b'"\xff"', "the message is not UTF-8: it has bytes that are no character, or half of one"),
        (b"NaN", "the message is not JSON"),
        (b'"\\ud800"', "a text of the message has half of a character (`\\ud800` to `\\udfff`); write the whole one"),
        (b'"x", "reason": "y"', "an object of the message has a key twice; keep one"),
    ],
)
async def test_a_message_is_refused_for_what_is_wrong_with_it(department: Department, reason: bytes, why: str) -> None:
    answer = await department.send(single(item()).replace(b'"why"', reason))
    assert (answer.status_code, answer.json()) == (400, {"error": why})


async def test_a_body_is_bounded(department: Department, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooked, "MAX_BODY", 1_000)
    assert (await department.send(listed(*(item() for _ in range(10))))).status_code == 413
    assert department.desk.acts() == []


async def test_a_flood_of_withdrawals_waits_for_a_steward(place: Place) -> None:
    async with desk_on(place.open()) as desk:
        department = Department(desk)
        hook = ChangeHook(desk.office, {"tax": Reporting((SECRET,), 10)}, lambda: desk.now.timestamp())
        department.app = Starlette(routes=hook.routes())
        found = await department.items(listed(*(item() for _ in range(100))))
        assert [each["state"] for each in found].count("DECIDED") == 10
        assert changes(desk) == ["withdrawal"] * 10
        assert all("error" not in each for each in await department.items(listed(*(item() for _ in range(5)))))
        assert changes(desk) == ["withdrawal"] * 10


async def test_what_could_be_done_later_is_to_be_sent_again(
    department: Department, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, body = department.desk, listed(*(item() for _ in range(20)), item(event="none"))
    real, done = desk.writer.act, itertools.count()

    async def act(planned: Planned) -> Done:
        if next(done) % 2:
            raise Refusal(Code.CONFLICT, "somebody acted at the same moment", retryable=True)
        return await real(planned)

    monkeypatch.setattr(desk.writer, "act", act)
    answer = await department.send(body, id_="msg_a")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
    assert 0 < len(desk.acts()) < 20
    monkeypatch.setattr(desk.writer, "act", real)
    found = await department.items(body, "msg_a")
    assert [each.get("state", "-") for each in found] == ["DECIDED"] * 20 + ["-"]
    assert len(desk.acts()) == 20
    with desk.store.engine.connect() as connection:
        assert connection.execute(select(fact_head.c.change)).scalar_one() == 20


async def test_past_a_days_bound_the_rest_is_for_another_day(
    department: Department, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooked, "CLIENT_ACTS", 7)
    body = listed(*(item() for _ in range(10)))
    assert (await department.send(body, id_="msg_a")).status_code == 429
    assert len(department.desk.acts()) == 7
    department.desk.now += datetime.timedelta(days=1)
    assert len(await department.items(body, "msg_a")) == 10
    assert len(department.desk.acts()) == 10


async def test_messages_of_a_department_are_taken_one_after_the_other_and_few_wait(
    department: Department, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, real, going = department.desk, department.desk.writer.act, asyncio.Event()
    running = most = 0

    async def act(planned: Planned) -> Done:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await going.wait()
        running -= 1
        return await real(planned)

    monkeypatch.setattr(desk.writer, "act", act)
    several = [asyncio.create_task(department.send(single(item()))) for _ in range(8)]
    await until_async("three to be refused", lambda: sum(each.done() for each in several) == 3)
    others = asyncio.create_task(department.send(single(item(dataset="market-penalties")), "market", secret=b"m" * 24))
    await until_async("another department's to be taken", lambda: running == 2)
    going.set()
    statuses = sorted([(await each).status_code for each in several])
    assert statuses == [202] * 5 + [503] * 3
    assert (await others).status_code == 202
    assert most == 2


async def test_no_table_has_what_a_message_says(department: Department) -> None:
    words = "SECRET-WORDS"
    await department.items(
        listed(item(reason=words), item(reason=words, event=words), item(reason=words, dataset=words), {words: words}),
        "msg_SECRET-WORDS",
    )
    with department.desk.store.engine.connect() as connection:
        for table in ("act", "matter", "fact", "message", "act_count"):
            assert words not in str(connection.execute(text(f"SELECT * FROM {table}")).all())


_GOOD = st.sampled_from(["corrected", "withdrawn"])
_BAD: list[Callable[[dict[str, Any]], Any]] = [
    lambda one: one | {"event": "restored"},
    lambda one: one | {"reason": ""},
    lambda one: one | {"record": None},
    lambda one: one | {"subject": {"scheme": "LEI", "value": "x"}},
    lambda one: one | {"dataset": "income-statements"},
    lambda one: [one],
    lambda one: "record",
]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=st.lists(st.tuples(_GOOD, st.none() | st.sampled_from(_BAD)), min_size=1, max_size=40), cut=st.integers(0))
async def test_whatever_a_list_has_the_good_is_done_once_and_the_bad_is_told(
    place: Place, drawn: list[tuple[str, Callable[[dict[str, Any]], Any] | None]], cut: int
) -> None:
    sent = [item(event=event) if bad is None else bad(item(event=event)) for event, bad in drawn]
    good = [event for event, bad in drawn if bad is None]
    async with desk_on(place.open()) as desk:
        department, id_ = Department(desk), f"msg_{next(_ids)}"
        before, kinds = len(desk.acts()), len(changes(desk))
        real, left = desk.writer.act, iter(range(cut % (len(good) + 1)))

        async def act(planned: Planned) -> Done:
            if next(left, None) is None:
                raise Refusal(Code.LEDGER_UNAVAILABLE, "not now")
            return await real(planned)

        desk.writer.act = act  # type: ignore[method-assign]
        first = await department.send(listed(*sent), id_=id_)
        assert first.status_code == (202 if cut % (len(good) + 1) == len(good) else 503)
        desk.writer.act = real  # type: ignore[method-assign]
        found = await department.items(listed(*sent), id_)
        assert ["error" in each for each in found] == [bad is not None for _, bad in drawn]
        assert await department.items(listed(*sent), id_) == found
        assert len(desk.acts()) - before == len(good)
        names = {"corrected": "correction", "withdrawn": "withdrawal"}
        assert sorted(changes(desk)[kinds:]) == sorted(names[event] for event in good)
        with desk.store.engine.connect() as connection:
            of = connection.execute(select(matter.c.id)).scalars().all()
        assert {each["change"] for each in found if "change" in each} <= set(of)
