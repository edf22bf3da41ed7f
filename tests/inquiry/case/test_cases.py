"""Case verification against a case registry on loopback that tells the truth, tells rubbish, or does not answer."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from connectors.base import Subject
from gateway.errors import Code, Refusal
from gateway.inquiry.case.registries import CaseRegistries
from tests.inquiry.registry import ASKS, OFFICIAL, ORG, OTHER, STRANGER, Simulator, http, rest, told, verify
from tests.ports import free_port


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def cases(simulator: Simulator) -> AsyncIterator[CaseRegistries]:
    registry = rest(simulator.url, timeout=5.0, max_bytes=2000)
    cases = CaseRegistries({"market": registry, "fresh": rest(simulator.url, cache=0.0)}, Clock())
    yield cases
    await cases.close()


async def refused(cases: CaseRegistries, case: str = "C-1", **given: Any) -> Refusal:
    asked: Mapping[str, Any] = {"registry": "market", "official": OFFICIAL, "subjects": [ORG], **given}
    with pytest.raises(Refusal) as refusal:
        await cases.verify(case=case, **asked)
    assert (refusal.value.code, refusal.value.status) == (Code.CASE_NOT_VERIFIED, 403)
    return refusal.value


async def test_an_open_case_of_this_official_that_names_the_subject_is_verified(
    cases: CaseRegistries, simulator: Simulator
) -> None:
    await cases.verify("market", "C-1", OFFICIAL, [ORG], ASKS)
    await cases.verify("market", "C-2", OFFICIAL, [OTHER, ORG], ASKS)
    assert [head.split("\r\n")[0] for head in simulator.requests] == [
        "GET /cases/C-1 HTTP/1.1",
        "GET /cases/C-2 HTTP/1.1",
    ]
    assert not any(ORG.value in head or OFFICIAL in head for head in simulator.requests)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"case": "closed"}, "case `closed` is closed"),
        ({"case": "C-9"}, "case `C-9` is unknown to its registry"),
        ({"subjects": [OTHER]}, "case `C-1` does not name the subject of this inquiry"),
        ({"subjects": [ORG, OTHER]}, "case `C-1` does not name every subject of this inquiry"),
        ({"subjects": [Subject("person", "PIN", ORG.value)]}, "case `C-1` does not name the subject of this inquiry"),
        ({"official": STRANGER}, "case `C-1` is not assigned to the official who asks"),
        ({"official": STRANGER, "case": "closed"}, "case `closed` is not assigned to the official who asks"),
        ({"official": None}, "this purpose needs an official; send a token issued on an official's behalf"),
        ({"registry": "nowhere"}, "no case registry is configured for this requester, so no case can be verified"),
    ],
)
async def test_what_does_not_verify_is_told_in_the_callers_terms(
    cases: CaseRegistries, given: dict[str, Any], says: str
) -> None:
    refusal = await refused(cases, **given)
    assert (refusal.message, refusal.extensions) == (says, {})


async def test_without_an_official_the_registry_is_not_asked(cases: CaseRegistries, simulator: Simulator) -> None:
    await refused(cases, official=None)
    assert simulator.calls == 0


@pytest.mark.parametrize("case", ["", ".", "..", "C-1\r\nX: y", "x" * 201, "\ud800"])
async def test_what_cannot_be_a_case_is_unknown_without_a_call(
    cases: CaseRegistries, simulator: Simulator, case: str
) -> None:
    assert (await refused(cases, case)).message == "the case is unknown to its registry"
    assert simulator.calls == 0


async def test_a_case_is_one_segment_of_the_path(cases: CaseRegistries, simulator: Simulator) -> None:
    await cases.verify("market", "a/b c", OFFICIAL, [ORG], ASKS)
    await refused(cases, "../admin?x#y")
    assert [head.split(" ")[1] for head in simulator.requests] == ["/cases/a%2Fb%20c", "/cases/..%2Fadmin%3Fx%23y"]


BODY = json.dumps(told("C-1")).encode()


RUBBISH: dict[str, Any] = {
    "a fault": http(BODY, "500 Internal Server Error"),
    "unauthorized": http(BODY, "401 Unauthorized"),
    "a redirect": http(BODY, "302 Found", "Location: /cases/C-2"),
    "no content": http(BODY, "204 No Content"),
    "nothing": http(b""),
    "a page": http(b"<html>"),
    "not UTF-8": http(b"\xff\xfe"),
    "a list": http(b"[]"),
    "null": http(b"null"),
    "deep": http(b"[" * 900),
    "compressed": http(gzip.compress(BODY), "200 OK", "Content-Encoding: gzip"),
    "too large": http(json.dumps(told("C-1", notes="x" * 2000)).encode()),
    "a key twice": http(BODY[:-1] + b', "open": true}'),
    "cut short": http(BODY[:40], "200 OK").replace(b"Content-Length: 40", b"Content-Length: 400\r\nConnection: close"),
    "bad chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\n",
    "not HTTP": b"SSH-2.0-OpenSSH_9.6\r\nConnection: close\r\n\r\n",
    "another case": told("C-2"),
    "open is a number": told("C-1") | {"open": 1},
    "open is text": told("C-1") | {"open": "true"},
    "open is null": told("C-1") | {"open": None},
    "no subjects": told("C-1") | {"subjects": None},
    "a subject without value": told("C-1") | {"subjects": [{"scheme": "LEI"}]},
    "officials is text": told("C-1") | {"officials": OFFICIAL},
    "subjects missing": {"id": "C-1", "open": True, "officials": [OFFICIAL]},
}


@pytest.mark.parametrize("answer", RUBBISH.values(), ids=RUBBISH.keys())
async def test_a_registry_that_answers_anything_else_refuses_and_may_be_asked_again(
    cases: CaseRegistries, simulator: Simulator, answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    simulator.answers["C-1"] = answer
    refusal = await refused(cases)
    assert refusal.extensions == {"retryable": True}
    assert refusal.message == "the registry of case `C-1` cannot be reached or understood now; ask again later"
    assert not any(word in caplog.text for word in (ORG.value, OFFICIAL, "C-1"))
    assert simulator.calls == 1, "no redirect is followed, nothing is tried again"


async def test_a_registry_that_is_slow_is_out_of_reach(simulator: Simulator) -> None:
    simulator.answers["C-1"] = None
    simulator.answers["C-2"] = http(BODY, "200 OK").replace(BODY, b"").replace(b"Length: ", b"Length: 9")  # and stalls
    cases = CaseRegistries({"market": rest(simulator.url, timeout=0.1)})
    for case in ("C-1", "C-2"):
        assert (await refused(cases, case)).extensions == {"retryable": True}
    await cases.close()


async def test_a_registry_that_is_down_is_out_of_reach() -> None:
    cases = CaseRegistries({"market": rest(f"http://127.0.0.1:{free_port()}")})
    assert (await refused(cases)).extensions == {"retryable": True}
    await cases.close()


async def test_a_verified_answer_is_kept_for_its_time_and_no_longer(
    cases: CaseRegistries, simulator: Simulator
) -> None:
    timer = Clock()
    cases = CaseRegistries({"market": rest(simulator.url)}, timer)
    await verify(cases, subjects=[ORG, OTHER])
    timer.now = 29.9
    await verify(cases, subjects=[OTHER, ORG])
    assert simulator.calls == 1
    simulator.answers["C-2"] = told("C-2", open=False)
    timer.now = 30.1
    with pytest.raises(Refusal):
        await verify(cases, subjects=[ORG, OTHER])
    await cases.close()


@pytest.mark.parametrize(
    "other",
    [
        {"requester": ("https://login.example", "tax-service")},
        {"requester": ("https://other.example", "market-regulator")},
        {"requester": None},
        {"subjects": [OTHER]},
        {"case": "C-1"},
        {"registry": "fresh"},
    ],
)
async def test_a_kept_answer_is_for_exactly_what_was_asked(
    cases: CaseRegistries, simulator: Simulator, other: dict[str, Any]
) -> None:
    await verify(cases)
    await verify(cases, **other)
    assert simulator.calls == 2


async def test_a_kept_answer_is_not_for_another_official(cases: CaseRegistries) -> None:
    await verify(cases)
    with pytest.raises(Refusal):
        await verify(cases, official=STRANGER)


async def test_what_was_refused_is_asked_again(cases: CaseRegistries, simulator: Simulator) -> None:
    with pytest.raises(Refusal):
        await verify(cases, case="closed")
    simulator.answers["closed"] = told("closed")
    await verify(cases, case="closed")
    assert simulator.calls == 2


async def test_nothing_that_is_kept_names_anyone(cases: CaseRegistries) -> None:
    await verify(cases)
    (kept,) = (dict(cache) for cache in cases._verified.values() if cache)
    ((case, held),) = kept.items()
    assert (len(case), [len(key) for key in held], list(held.values())) == (16, [16], [30.0])


async def test_the_same_question_of_one_requester_is_asked_once_at_a_time(
    cases: CaseRegistries, simulator: Simulator
) -> None:
    simulator.release.clear()
    asked = [asyncio.ensure_future(verify(cases, case="C-1")) for _ in range(4)]
    asked += [asyncio.ensure_future(verify(cases, case="C-1", requester=("https://login.example", "tax-service")))]
    for _ in range(2):
        await simulator.arrived.acquire()
    asked[0].cancel()
    await asyncio.sleep(0)
    simulator.release.set()
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(outcomes[0], asyncio.CancelledError)
    assert outcomes[1:] == [None] * 4
    assert simulator.calls == 2
    assert cases._calls == {}


async def test_those_who_share_a_refusal_each_get_their_own(cases: CaseRegistries, simulator: Simulator) -> None:
    outcomes = await asyncio.gather(*(verify(cases, case="closed") for _ in range(2)), return_exceptions=True)
    assert [type(each) for each in outcomes] == [Refusal, Refusal]
    assert outcomes[0] is not outcomes[1]
    assert simulator.calls == 1


async def test_a_change_that_the_registry_tells_of_counts_at_once(cases: CaseRegistries, simulator: Simulator) -> None:
    await verify(cases)
    await verify(cases, case="C-1")
    simulator.answers["C-2"] = told("C-2") | {"officials": [STRANGER]}
    await verify(cases)
    cases.changed("market", "C-2")
    with pytest.raises(Refusal):
        await verify(cases)
    calls = simulator.calls
    await verify(cases, case="C-1")
    assert simulator.calls == calls, "another case is kept"
    cases.changed("market")
    await verify(cases, case="C-1")
    assert simulator.calls == calls + 1


async def test_an_answer_from_before_a_change_is_not_used_after_it(cases: CaseRegistries, simulator: Simulator) -> None:
    simulator.release.clear()
    before = asyncio.ensure_future(verify(cases))
    await simulator.arrived.acquire()
    cases.changed("market", "C-2")
    joined = asyncio.ensure_future(verify(cases))
    await asyncio.sleep(0)
    simulator.release.set()
    await asyncio.gather(before, joined)
    assert simulator.calls == 2, "the answer under way when the change was told is asked for anew, once for both"
