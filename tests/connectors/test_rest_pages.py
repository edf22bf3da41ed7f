"""REST departments that answer in pages: each is asked for on the one origin, and there is an end."""

from __future__ import annotations

import asyncio

import pytest

from connectors import rest
from connectors.base import Failure, Faulty
from tests.connectors.asking import ACME, ask, connected, fault, fetch, told
from tests.connectors.rest_source import config, path, row
from tests.connectors.servers import Request, always, answer, by_path, serve
from tests.waiting import until_async


async def test_pages_by_token() -> None:
    pages: dict[str, bytes] = {
        path(): answer({"items": [row(1)], "next": "p 2"}),
        path() + "?page=p+2": answer({"items": [row(2)], "next": 3}),
        path() + "?page=3": answer({"items": [row(3)], "next": None}),
    }
    paging = {"paging": {"next": "next", "param": "page"}}
    async with serve(by_path(pages)) as server, connected(rest.build, config(server.url, paging)) as connector:
        outcomes = await fetch(connector, ask("arrears", "period"))
    assert told(outcomes[ACME, "arrears"], "period") == [("2025-1",), ("2025-2",), ("2025-3",)]


@pytest.mark.parametrize("link", ["?cursor=2", "/other?cursor=2", "next-page"])
async def test_pages_by_link(link: str) -> None:
    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        first = request.target == path()
        writer.write(answer({"items": [row(1 if first else 2)], "links": {"next": link if first else ""}}))

    paging = {"paging": {"next": "links.next"}}
    async with serve(handle) as server, connected(rest.build, config(server.url, paging)) as connector:
        outcomes = await fetch(connector, ask("arrears", "period"))
    assert len(told(outcomes[ACME, "arrears"], "period")) == 2
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "link", ["//evil.example/x", "http://127.0.0.1:1/x", "\\\\evil\\x", "http://u:p@127.0.0.1/", "x\ny"]
)
async def test_a_link_to_another_origin_is_not_followed(link: str) -> None:
    paging = {"paging": {"next": "next"}}
    async with (
        serve(always(answer({"items": [row()], "next": link}))) as server,
        connected(rest.build, config(server.url, paging)) as connector,
    ):
        assert await fault(connector) == "SOURCE_INVALID"
    assert len(server.requests) == 1


@pytest.mark.parametrize("link", ["http://{host}:0000{port}?n={n}/", "HTTP://{host}:{port}/x?n={n}", "?n={n}#here"])
async def test_links_are_followed_on_the_one_origin_however_they_are_written(link: str) -> None:
    """Each spelling was an origin of its own, whose connection nobody closed."""
    count = 0

    async def onward(_: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        last = count % 10 == 0
        told = link.format(host="127.0.0.1", port=server.port, n=count)
        writer.write(answer({"items": [row(count)], "next": None if last else told}))

    paging = {"paging": {"next": "next"}}
    async with serve(onward) as server, connected(rest.build, config(server.url, paging, concurrency=4)) as connector:
        for _ in range(5):
            outcomes = await fetch(connector, ask("arrears", "period"))
            assert len(told(outcomes[ACME, "arrears"])) == 10
        await until_async("the connections to be few", lambda: server.connections <= 4)
    assert {request.headers["host"] for request in server.requests} == {f"127.0.0.1:{server.port}"}


async def test_pages_without_end_are_refused() -> None:
    count = 0

    async def onward(_: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        writer.write(answer({"items": [row(count)], "next": f"?p={count}"}))

    for handler, most in ((onward, 5), (always(answer({"items": [], "next": "?p=same"})), 2)):
        paging = {"paging": {"next": "next", "max_pages": 5}}
        async with serve(handler) as server, connected(rest.build, config(server.url, paging)) as connector:
            assert await fault(connector) == "SOURCE_INVALID"
        assert len(server.requests) == most


async def test_a_record_that_comes_twice_over_pages_is_invalid() -> None:
    pages = {
        path(): answer({"items": [row(1), row(2)], "next": "2"}),
        path() + "?page=2": answer({"items": [row(2), row(3)]}),
    }
    paging = {"paging": {"next": "next", "param": "page"}}
    async with serve(by_path(pages)) as server, connected(rest.build, config(server.url, paging)) as connector:
        assert await fault(connector) == "SOURCE_INVALID"


async def test_records_whose_ids_cannot_be_read_may_stand_on_two_pages() -> None:
    unseen = {**row(1), "noticeNo": "\u200b"}
    pages = {
        path(): answer({"items": [unseen], "next": "2"}),
        path() + "?page=2": answer({"items": [unseen]}),
    }
    paging = {"paging": {"next": "next", "param": "page"}}
    async with serve(by_path(pages)) as server, connected(rest.build, config(server.url, paging)) as connector:
        (outcome,) = (await fetch(connector, ask("arrears", "period amount"))).values()
    assert not isinstance(outcome, Failure)
    assert [(type(record), record.m_id) for record in outcome] == [(Faulty, "")] * 2


async def test_a_page_that_fails_fails_the_dataset() -> None:
    pages = {path(): answer({"items": [row(1)], "next": "2"}), path() + "?page=2": answer({}, 500)}
    paging = {"paging": {"next": "next", "param": "page"}}
    async with serve(by_path(pages)) as server, connected(rest.build, config(server.url, paging)) as connector:
        assert await fault(connector) == "SOURCE_UNAVAILABLE"
