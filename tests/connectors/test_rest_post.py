"""Look-ups by POST: identifiers in the body alone, as JSON values, and sent again only where that is safe."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors import rest
from connectors.base import Explained, Failure, RecordRequest, Subject
from tests.connectors.asking import ACME, BETA, SHAPES, ask, connected, fault, fetch, places, told, written
from tests.connectors.rest_source import ARREARS, config, row
from tests.connectors.servers import Handler, Request, always, answer, hang_up, serve

POST: dict[str, Any] = {
    "method": "POST",
    "path": "/search",
    "body": {"who": {"type": "{scheme}", "number": "{value}"}, "note": "all {of} it", "open": True, "pages": [1, "x"]},
}


def by_body(status: int = 200) -> Handler:
    """Answer about whoever the body names."""

    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        asked = json.loads(request.body)
        who = asked["who"]
        numbers = who["number"] if isinstance(who["number"], list) else [who["number"]]
        found = [row(n, Subject("organisation", who["type"], number)) for n, number in enumerate(numbers)]
        writer.write(answer({"items": found}, status))

    return handle


async def test_a_look_up_has_its_identifier_in_the_body_alone() -> None:
    async with serve(by_body()) as server, connected(rest.build, config(server.url, POST)) as connector:
        outcomes = await fetch(connector, ask("arrears", "period", ACME, BETA))
    assert told(outcomes[BETA, "arrears"], "period") == [("2025-0",)]
    for request in server.requests:
        assert (request.method, request.target) == ("POST", "/search")
        assert request.headers["content-type"] == "application/json"
        assert not any(each.value in str(request.headers) for each in (ACME, BETA))
    sent = sorted((json.loads(request.body) for request in server.requests), key=lambda each: each["who"]["number"])
    assert sent[0] == {**POST["body"], "who": {"type": "LEI", "number": ACME.value}}


@given(st.text(st.characters(codec="utf-8"), min_size=1))
@settings(max_examples=50, deadline=None)
def test_an_identifier_never_leaves_its_place(value: str) -> None:
    async def check() -> None:
        subject = Subject("organisation", "LEI", value)
        async with serve(by_body()) as server, connected(rest.build, config(server.url, POST)) as connector:
            outcomes = await fetch(connector, ask("arrears", "period", subject))
        assert told(outcomes[subject, "arrears"], "period") == [("2025-0",)]
        assert json.loads(server.requests[0].body) == {**POST["body"], "who": {"type": "LEI", "number": value}}

    asyncio.run(check())


async def test_what_json_cannot_hold_is_not_sent() -> None:
    subject = Subject("organisation", "LEI", "\ud800")
    async with serve(by_body()) as server, connected(rest.build, config(server.url, POST)) as connector:
        assert isinstance((await fetch(connector, ask("arrears", "period", subject)))[subject, "arrears"], Failure)
    assert server.requests == []


async def test_a_batch_names_its_subjects_in_a_list() -> None:
    batch = {**POST, "batch": {"body": {"who": {"type": "{scheme}", "number": "{values}"}}, "max": 2}}
    async with serve(by_body()) as server, connected(rest.build, config(server.url, batch)) as connector:
        outcomes = await fetch(connector, ask("arrears", "period", ACME, BETA))
    assert [told(outcomes[each, "arrears"], "period") for each in (ACME, BETA)] == [[("2025-0",)], [("2025-1",)]]
    [request] = server.requests
    assert json.loads(request.body) == {"who": {"type": "LEI", "number": [ACME.value, BETA.value]}}


@pytest.mark.parametrize(("safe", "asked"), [(None, 1), (False, 1), (True, 3)])
@pytest.mark.parametrize("handler", [always(answer({}, 503)), hang_up], ids=["503", "hangs up"])
async def test_it_is_sent_again_only_where_that_is_safe(handler: Handler, safe: bool | None, asked: int) -> None:
    source = {**POST, **({} if safe is None else {"safe": safe})}
    limits = {"retries": 2, "breaker": {"failures": 50}}
    async with serve(handler) as server, connected(rest.build, config(server.url, source, **limits)) as connector:
        assert await fault(connector) == "SOURCE_UNAVAILABLE"
    assert len(server.requests) == asked


async def test_what_is_not_safe_has_a_connection_of_its_own() -> None:
    """On one that was used before, an answer could be an older one, and the question would have to be asked again."""
    for safe, opened in ((False, 3), (True, 1)):
        source = {**POST, "safe": safe}
        async with serve(by_body()) as server, connected(rest.build, config(server.url, source)) as connector:
            for _ in range(3):
                await fetch(connector, ask("arrears", "period"))
        assert server.opened == opened


async def test_an_echo_does_not_have_it_sent_again() -> None:
    async def repeats(request: Request, writer: asyncio.StreamWriter) -> None:
        if len(server.requests) > 1:
            writer.close()
        writer.write(answer({"items": [row()]}, **{"x_question": request.headers["x-question"]}))

    async with serve(repeats) as server:
        source = {**config(server.url, POST), "echo": "X-Question"}
        async with connected(rest.build, source) as connector:
            await fetch(connector, ask("arrears", "period"))
            assert await fault(connector, ask("arrears", "period")) == "SOURCE_UNAVAILABLE"
    assert len(server.requests) == 2


async def test_pages_have_the_same_body() -> None:
    async def pages(request: Request, writer: asyncio.StreamWriter) -> None:
        more = {} if "after=2" in request.target else {"next": "2"}
        writer.write(answer({"items": [row(len(server.requests))], **more}))

    source = {**POST, "safe": True, "paging": {"next": "next", "param": "after"}}
    async with serve(pages) as server, connected(rest.build, config(server.url, source)) as connector:
        outcomes = await fetch(connector, ask("arrears", "period"))
    assert told(outcomes[ACME, "arrears"], "period") == [("2025-1",), ("2025-2",)]
    assert [request.target for request in server.requests] == ["/search", "/search?after=2"]
    assert len({request.body for request in server.requests}) == 1


@pytest.mark.parametrize(
    ("change", "where", "words"),
    [
        ({"body": None}, "method", "needs a `body`"),
        ({"method": None}, "body", "for `method: POST` only"),
        ({"method": "PUT"}, "method", "one of"),
        ({"method": None, "body": None, "safe": True, "path": "/{value}"}, "safe", "for `method: POST` only"),
        ({"body": ["{value}"]}, "body", "must be a JSON object"),
        ({"body": {"a": "{scheme}"}}, "body", "must have `{value}`"),
        ({"body": {"a": "{valu}", "b": "{value}"}}, "body", "`{valu}` is no hole"),
        ({"body": {"a": "LEI-{value}", "b": "{value}"}}, "body", "must be the hole alone"),
        ({"path": "/search/{value}"}, "path", "`{value}` is not one of {scheme}"),
        ({"paging": {"next": "next"}}, "paging", "needs a `param`"),
        ({"batch": {"path": "/search?ids={values}"}}, "batch", "`body` is missing"),
        ({"batch": {"body": {"ids": "{value}"}}}, "batch.body", "must have `{values}`"),
    ],
)
def test_a_wrong_configuration_says_where_and_what(change: dict[str, Any], where: str, words: str) -> None:
    arrears = {key: value for key, value in {**ARREARS, **POST, **change}.items() if value is not None}
    node = written({**config("https://tax.example"), "datasets": {"arrears": arrears}})
    rest.build(node, SHAPES)
    assert f"datasets.arrears.{where}" in places(node, words), node.problems


def test_one_address_with_two_bodies_is_two_lists() -> None:
    def arrears(number: int) -> dict[str, Any]:
        return {**ARREARS, **POST, "body": {"kind": number, "id": "{value}"}}

    for one, other, alike in ((1, 2, []), (1, 1, ["datasets.awards"])):
        awards = {**arrears(other), "fields": {"title": "name"}}
        node = written({**config("https://tax.example"), "datasets": {"arrears": arrears(one), "awards": awards}})
        rest.build(node, SHAPES)
        assert places(node, "is the same list") == alike


async def test_a_mapping_is_tried_by_the_same_look_up() -> None:
    async with serve(by_body()) as server, connected(rest.build, config(server.url, POST)) as connector:
        assert isinstance(connector, Explained)
        deadline = asyncio.get_running_loop().time() + 10
        assert [*await connector.explain(RecordRequest((ask("arrears", "period"),), deadline))] == []
    assert {request.method for request in server.requests} == {"POST"}
    assert json.loads(server.requests[0].body)["who"]["number"] == ACME.value
