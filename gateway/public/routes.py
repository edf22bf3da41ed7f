"""`/open/organisations`: the open record as a page and as JSON, and who may ask how often.

A request takes its turn first (`gateway.public.gate`); then its address is read; then it is an inquiry like others.
Where the rules open nothing to everybody, that is all that is said, and nothing is entered: it is about nobody.
Invariants: whatever names no organisation is refused in the same bytes, a person's identifier too; an answer that the
client has already, a 304, is made and entered as any other is; nothing is kept by anybody on the way.
"""

from __future__ import annotations

import datetime
import hashlib
import math
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from urllib.parse import quote

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from gateway.bounds.address import came_from
from gateway.inquiry.journey import Journey
from gateway.public.gate import Gate
from gateway.public.record import OpenRecords, Shown, opened, subject_of
from gateway.public.record_page import PATH, RecordPage, Schemes, called
from gateway.texts.words import Words
from gateway.values import Network
from gateway.web.page import wants_page

_ALWAYS = {"Cache-Control": "no-cache", "X-Robots-Tag": "noindex", "Vary": "Accept"}
_JSON = "application/json"
_LONGEST = 200


class _Answered(Response):
    """What is entered where it does not leave after all."""

    unsent: Callable[[], Awaitable[None]] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except BaseException:
            if self.unsent is not None:
                await self.unsent()
            raise


class Routes:
    """`using` gives the ports of an inquiry's steps, for as long as they are used."""

    def __init__(
        self,
        using: Callable[[], AbstractContextManager[Journey]],
        records: OpenRecords,
        gate: Gate,
        proxies: tuple[Network, ...],
        now: Callable[[], datetime.datetime],
        words: Words,
    ) -> None:
        self._using, self._records, self._gate, self._proxies, self._now = using, records, gate, proxies, now
        self._page = RecordPage(words)

    def routes(self) -> list[Route]:
        """The form, and the record."""
        return [
            Route(PATH, self._form, methods=["GET"]),
            Route(PATH + "/{scheme}/{value}", self._record, methods=["GET"]),
        ]

    async def _form(self, request: Request) -> Response:
        """Which record is wanted: then its address."""
        scheme, value = request.query_params.get("scheme", ""), request.query_params.get("value", "").strip()
        with self._using() as journey:
            schemes, closed = _schemes(journey), not opened(journey.serving())
        if closed:
            return self._told(404, "closed", [], page=True)
        if value and any(scheme == name for name, _ in schemes):
            address = f"{PATH}/{scheme}/{quote(value[:_LONGEST], safe='')}"
            return RedirectResponse(address, 303, {"Cache-Control": "no-store", "X-Robots-Tag": "noindex"})
        words = self._page.words
        content = self._page.plain(words("record.heading"), words("record.form_lead"), schemes)
        return self._page.frame.response(content, headers={**_ALWAYS})

    async def _record(self, request: Request) -> Response:
        value, dot, ending = request.path_params["value"].rpartition(".")
        if not dot or ending not in ("json", "html"):
            value, ending = request.path_params["value"], ""
        page = ending == "html" or (not ending and wants_page(request))
        peer = request.client.host if request.client else ""
        gate, address = self._gate, came_from(peer, request.scope["headers"], self._proxies)
        with self._using() as journey:
            schemes = _schemes(journey)
            if wait := gate.wait(address):
                headers = {"Retry-After": str(math.ceil(wait))}
                return self._told(429, "crowded", schemes, page=page, headers=headers)
            if not opened(journey.serving()):
                return self._told(404, "closed", [], page=page)
            catalogue = journey.serving().rules.policies.catalogue
            scheme = request.path_params["scheme"]
            subject = subject_of(catalogue, scheme, value) if len(value) <= _LONGEST else None
            if subject is None:
                return self._told(404, "missing", schemes, page=page)
            gate.busy += 1
            try:
                shown = await self._records.look(journey, subject)
            finally:
                gate.busy -= 1
            if shown.status != 200:
                return self._told(shown.status, "unshown", schemes, page=page, headers={"Retry-After": "5"})
            today = self._now().astimezone(journey.serving().zone).date()
        framed = self._one(shown, schemes, today) if page else None
        return _answered(request, shown, framed)

    def _one(self, shown: Shown, schemes: Schemes, today: datetime.date) -> Response:
        title = self._page.words("record.title_of", name=called(shown.document))
        return self._page.of_one.response(self._page.body(shown.document, schemes, today), title=title)

    def _told(
        self, status: int, name: str, schemes: Schemes, *, page: bool, headers: dict[str, str] | None = None
    ) -> Response:
        """What is said where no record is shown."""
        always = {**_ALWAYS, "Cache-Control": "no-store", **(headers or {})}
        said = self._page.words(f"record.{name}")
        if page:
            content = self._page.plain(self._page.words("record.none_shown"), said, schemes)
            return self._page.of_one.response(content, status=status, headers=always)
        always["X-Content-Type-Options"] = "nosniff"
        return Response(msgspec.json.encode({"error": said.unescape()}), status, always, _JSON)


def _schemes(journey: Journey) -> list[tuple[str, str]]:
    catalogue = journey.serving().rules.policies.catalogue
    return [(each.name, each.title) for each in catalogue.schemes.values() if "organisation" in each.subjects]


def _answered(request: Request, shown: Shown, framed: Response | None) -> Response:
    body = bytes(framed.body) if framed is not None else shown.content
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {**_ALWAYS, "ETag": tag}
    if framed is None:
        headers |= {"X-Content-Type-Options": "nosniff"}
    else:
        headers |= {name: value for name, value in framed.headers.items() if name not in ("content-length",)}
    given = request.headers.get("if-none-match", "")
    same = tag in (each.strip().removeprefix("W/") for each in given.split(","))
    answer = _Answered(b"" if same else body, 304 if same else 200, headers, None if framed is not None else _JSON)
    answer.unsent = shown.unsent
    return answer
