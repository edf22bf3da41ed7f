"""`/open/transparency`: the report of a closed month, as a page, as JSON and as CSV. It names nobody.

Nothing is counted here: months are counted beside (`gateway.transparency.counting`), and one that is closed changes no
more, so each is made once for a rule set's names.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import msgspec
from cachetools import LRUCache
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.bounds.address import came_from
from gateway.inquiry.journey import Journey
from gateway.public.figures_page import PATH, FiguresPage
from gateway.public.gate import Gate
from gateway.storage.port import Store
from gateway.storage.projections import transparency as kept
from gateway.texts.words import Words
from gateway.transparency import figures
from gateway.values import Network
from gateway.web.page import wants_page

_FORMS = ("html", "json", "csv")
_ALWAYS = {"Vary": "Accept", "X-Content-Type-Options": "nosniff"}
_KEPT = 64


class Transparency:
    """`using` gives what is served now, for the names of departments and purposes."""

    def __init__(
        self,
        store: Store,
        using: Callable[[], AbstractContextManager[Journey]],
        gate: Gate,
        proxies: tuple[Network, ...],
        words: Words,
    ) -> None:
        self._store, self._using, self._gate, self._proxies = store, using, gate, proxies
        self._words, self._page = words, FiguresPage(words)
        self._made: LRUCache[tuple[str, str], dict[str, Any]] = LRUCache(_KEPT)

    def routes(self) -> list[Route]:
        """The report, and its forms for computers."""
        return [
            Route(PATH, self._report, methods=["GET"]),
            Route(PATH + ".json", self._report, methods=["GET"]),
            Route(PATH + ".csv", self._report, methods=["GET"]),
        ]

    async def _report(self, request: Request) -> Response:
        ending = request.url.path.rpartition(".")[2]
        form = ending if ending in _FORMS else "html" if wants_page(request) else "json"
        peer = request.client.host if request.client else ""
        if wait := self._gate.wait(came_from(peer, request.scope["headers"], self._proxies)):
            return self._error(429, "crowded", form, {"Retry-After": str(math.ceil(wait))})
        try:
            closed = await asyncio.to_thread(kept.months, self._store.engine)
            wanted = request.query_params.get("month") or (closed[0].month if closed else "")
            found = next((each for each in closed if each.month == wanted), None)
            if found is None and (closed or "month" in request.query_params):
                return self._error(404, "not_closed", form)
            told = None if found is None else await self._told(found)
        except SQLAlchemyError:
            return self._error(503, "unreadable", form, {"Retry-After": "5"})
        months = [each.month for each in closed]
        headers = {**_ALWAYS, "Cache-Control": "public, max-age=3600" if told else "no-cache"}
        if form == "html":
            return self._page.frame.response(self._page.body(told, months), headers=headers)
        if form == "csv":
            name = f'attachment; filename="transparency-{wanted or "none"}.csv"'
            content = figures.as_csv(told or {"figures": (), "totals": ()})
            return Response(content, 200, {**headers, "Content-Disposition": name}, "text/csv; charset=utf-8")
        content_ = msgspec.json.encode({**(told or {}), "months": months})
        return Response(content_, 200, headers, "application/json")

    async def _told(self, month: kept.Month) -> dict[str, Any]:
        with self._using() as journey:
            rules = journey.serving().rules
        key = (month.month, rules.digest)
        if key not in self._made:
            counts = await asyncio.to_thread(kept.counts, self._store.engine, month.month)
            self._made[key] = figures.document(rules.policies, month, counts)
        return self._made[key]

    def _error(self, status: int, name: str, form: str, headers: dict[str, str] | None = None) -> Response:
        """Why there is no report, in the form that was asked for; CSV has none of its own."""
        always = {**_ALWAYS, "Cache-Control": "no-store", **(headers or {})}
        said = self._words(f"transparency.errors.{name}")
        if form == "html":
            return self._page.frame.response(self._page.without(said), status=status, headers=always)
        return Response(msgspec.json.encode({"error": said.unescape()}), status, always, "application/json")
