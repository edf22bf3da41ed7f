"""A page whose content takes seconds begins at once, reports that, and ends with the content or with why not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import StreamingResponse

from gateway.console.calling import ApiRefused
from gateway.console.drafting.later import Work, later
from gateway.console.names import Named, Names
from gateway.console.rendering import Pages
from gateway.console.visiting import Visit
from gateway.rules.load import load
from gateway.texts import words
from gateway.texts.words import Words

FAILED = ["licence.yaml: <b>denied</b>, not permitted"]


@pytest.fixture(scope="module")
def pages() -> Pages:
    rules, texts = load(Path("policies")), Words(words.read())
    return Pages(texts, Names(lambda: Named.of(rules), texts), "")


@pytest.fixture
def defects() -> list[tuple[str, BaseException]]:
    return []


@pytest.fixture
def visit(pages: Pages, defects: list[tuple[str, BaseException]]) -> Visit:
    parts: Any = SimpleNamespace(pages=pages, defect=lambda *found: defects.append(found))
    request = Request({"type": "http", "query_string": b"", "headers": [], "path_params": {"id": "0" * 32}})
    return Visit(parts, request, None, {})  # type: ignore[arg-type]


async def told(visit: Visit, work: Work) -> list[str]:
    """The parts of the page as they come."""
    page = await later(visit, "tests", work, id_="0" * 32)
    assert isinstance(page, StreamingResponse)
    assert page.headers["cache-control"] == "no-store"
    return [str(each, "utf-8") async for each in page.body_iterator]  # type: ignore[arg-type]


async def test_it_begins_before_the_content_is_there(visit: Visit) -> None:
    ready = asyncio.Event()

    async def work() -> Mapping[str, Any]:
        await ready.wait()
        return {"found": {"problems": [], "failures": FAILED, "tests": 3}}

    page = await later(visit, "tests", work, id_="0" * 32)
    assert isinstance(page, StreamingResponse)
    parts: AsyncIterator[Any] = aiter(page.body_iterator)
    begin = str(await anext(parts), "utf-8")
    assert 'class="note running"' in begin
    assert "The tests do not pass" not in begin
    ready.set()
    content = str(await anext(parts), "utf-8")
    assert "The tests do not pass" in content
    assert "&lt;b&gt;denied&lt;/b&gt;" in content
    assert str(await anext(parts), "utf-8").rstrip().endswith("</html>")


async def test_a_refusal_is_a_notice_on_the_page(visit: Visit) -> None:
    async def work() -> Mapping[str, Any]:
        raise ApiRefused(503, "DECISION_UNAVAILABLE", "others are looked at now", {})

    _, content, end = await told(visit, work)
    assert 'class="note bad"' in content
    assert "</html>" in end


async def test_a_defect_is_a_notice_with_an_id_and_no_word_of_what_failed(
    visit: Visit, defects: list[tuple[str, BaseException]]
) -> None:
    async def work() -> Mapping[str, Any]:
        raise ValueError("a secret")

    _, content, _ = await told(visit, work)
    [(id_, error)] = defects
    assert (id_ in content, "secret" in content, str(error)) == (True, False, "a secret")


async def test_it_goes_on_when_the_reader_leaves(visit: Visit) -> None:
    begun, ready, made = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work() -> Mapping[str, Any]:
        begun.set()
        await ready.wait()
        made.set()
        return {"found": {"problems": [], "failures": [], "tests": 1}}

    page = await later(visit, "tests", work, id_="0" * 32)
    assert isinstance(page, StreamingResponse)

    async def read() -> None:
        async for _ in page.body_iterator:
            pass

    reader = asyncio.create_task(read())
    await begun.wait()
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    ready.set()
    await asyncio.wait_for(made.wait(), 60)
