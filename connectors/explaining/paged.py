"""Records over pages, looked at page by page; and signs of pages that `sources.yaml` does not map."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from connectors.base import DatasetRequest, Subject
from connectors.explaining import records
from connectors.explaining.noted import Noted, plain
from connectors.http.endpoint import Endpoint, Question
from connectors.http.transport import Response

_NEXT = {"next", "nextpage", "nextlink", "nexturl", "nexttoken", "nextpagetoken", "continuation", "continuationtoken",
         "@odata.nextlink", "cursor", "nextcursor"}  # fmt: skip
_MORE = {"hasmore", "hasnext", "hasnextpage", "more", "truncated"}
_TOTAL = {"total", "totalcount", "totalresults", "totalelements", "totalitems"}

Ask = Callable[[Question, bool], Awaitable[Response | None]]
"""(question, whether it is the first page's) -> its answer, or nothing after noting why."""


async def explain(
    ask: Ask, endpoint: Endpoint, dataset: DatasetRequest, subject: Subject, noted: Noted, most: int
) -> None:
    """Note what is wrong with one subject's records of a dataset; at most `most` records may come."""
    question = endpoint.question(subject, dataset.fields)
    if question is None:
        noted.add(("path",), "the identifier cannot be used in a question")
        return
    first = url = question.url
    seen, count = {first}, 0
    known: set[tuple[str, str]] = set()
    while True:
        answer = await ask(Question(url, question.body), url == first)
        body = endpoint.json(answer.body, dataset.fields) if answer is not None else None
        if isinstance(body, str):
            noted.add(("format",), body)
            return
        one = endpoint.mapped.one_record
        value = records.document(body, noted, records.names_of(endpoint.mapped), null=one) if body is not None else None
        rows = records.rows_at(value, endpoint.mapped, noted, subject) if value is not None else None
        if rows is None:
            return
        records.const(endpoint.mapped, subject, noted, rows)
        records.explain(rows, endpoint.mapped, dataset.fields, subject, noted, count + 1)
        count += len(rows)
        if count > most:
            what = f"more than {most} records of one subject (`limits.records`), {count} so far"
            noted.add(("path",), what, kind="unbounded")
            return
        if endpoint.paging is None:
            if not one:
                _unmapped_pages(value, len(rows), noted)
            return
        came = {name for row in rows if (name := records.name_of(row, endpoint.mapped)) is not None}
        if came & known:
            noted.add(
                ("paging",), "a record comes again on a later page; sort by what does not change", kind="unstable"
            )
            return
        known |= came
        if wrong := records.no_link(value, endpoint.next_path):
            noted.add(("paging", "next"), f"is {wrong}; must be text, a number, or null where no page follows")
            return
        link = records.text_at(value, endpoint.next_path)
        if link is None:
            return
        following = endpoint.paging.url(first, url, link)
        if following is None:
            noted.add(("paging", "next"), "leads to another origin than `base_url`, or is no address; only pages of the"
                      " same origin are followed")  # fmt: skip
            return
        if following in seen or len(seen) >= endpoint.paging.max_pages:
            again = "a page leads to one that was there already" if following in seen else (
                f"there are more than {endpoint.paging.max_pages} pages (`paging.max_pages`)"
            )  # fmt: skip
            noted.add(("paging",), f"{again}, so the list has no end that is reached", kind="unbounded")
            return
        seen.add(following)
        url = following


def _unmapped_pages(value: Any, rows: int, noted: Noted) -> None:
    """Note where an answer says that there is more than was read of it."""
    levels = [value, *value.values()] if isinstance(value, dict) else []
    for level in levels:
        for name, held in level.items() if isinstance(level, dict) else ():
            word = str(name).lower().replace("_", "").replace("-", "")
            more = (
                (word in _NEXT and isinstance(held, str) and bool(held.strip()))
                or (word in _NEXT and isinstance(held, dict) and isinstance(held.get("href"), str))
                or (word in _MORE and held is True)
                or (word in _TOTAL and type(held) is int and held > rows)
            )
            if more and plain(name):
                what = f"`{name}` shows that there is more than the {rows} records read; map the pages with `paging`"
                noted.add(("path",), what, kind="unbounded")
                return
