"""One request to a room: whose it is, what it asks of the API, and the page or the way on that comes of it.

Rooms are written on this alone. `entered` makes a route of a room: it lets in who is signed in and has the role, takes
a form only where it is theirs, and tells each refusal of the API as a page.
"""

from __future__ import annotations

import datetime
import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gateway.bounds import multipart
from gateway.bounds.body import read
from gateway.console import guarding
from gateway.console.calling import Answered, Api, ApiRefused
from gateway.console.guarding import COOKIE, HEADERS
from gateway.console.rendering import Pages
from gateway.console.repeating import Turns, digest, done_before
from gateway.console.sessions import Done, Kept, Session, Sessions
from gateway.errors import BodyRefused

MOST_FORM, MOST_FIELDS = 64 * 1024, 400
"""Bytes and fields that a form may have."""

_RULES = (("console.proposals", "/console/proposals"), ("console.history", "/console/history"))
_SOURCES = ("console.sources", "/console/sources")

ROOMS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "self": (
        ("my.overview", "/my/"),
        ("my.looked", "/my/looked"),
        ("my.consents", "/my/consents"),
        ("my.matters", "/my/matters"),
        ("my.keeping", "/my/keeping"),
        ("my.copy", "/my/copy"),
    ),
    "steward": (
        ("console.home", "/console/"),
        ("console.matters", "/console/matters"),
        ("console.changes", "/console/changes"),
        ("console.recalls", "/console/recalls"),
        _SOURCES,
        *_RULES,
    ),
    "officer": (
        ("console.home", "/console/"),
        ("console.refusals", "/console/refusals"),
        ("console.drafts", "/console/drafts"),
        ("console.matrix", "/console/matrix"),
        *_RULES,
    ),
    "oversight": (
        ("console.home", "/console/"),
        ("console.findings", "/console/findings"),
        ("console.emergencies", "/console/emergencies"),
        ("console.inquiries", "/console/inquiries"),
        ("console.overdue", "/console/overdue"),
        ("console.suspensions", "/console/suspensions"),
        _SOURCES,
        _RULES[0],
        ("console.activations", "/console/activations"),
        ("console.ledger", "/console/ledger"),
    ),
    "receipts": (
        ("console.home", "/console/"),
        ("console.receipt", "/console/receipt"),
    ),
}
"""Of each role the rooms that its pages lead to: the name of the room's text, and its path."""


class Parts:
    """What all visits share. `defect` is called with what nobody expected, and the id that people can quote.

    `department` gives the department of those who sign in by a login, `""` where it is of none.
    """

    def __init__(
        self,
        pages: Pages,
        sessions: Sessions,
        api: Api,
        now: Callable[[], float],
        origin: str,
        defect: Callable[[str, BaseException], None],
        department: Callable[[str], str],
    ) -> None:
        self.pages, self.sessions, self.api, self.now, self.origin = pages, sessions, api, now, origin
        self.defect, self.department = defect, department
        self.turns = Turns()


class Visit:
    """One request of somebody signed in."""

    def __init__(self, parts: Parts, request: Request, session: Session, form: Mapping[str, list[str]]) -> None:
        self.parts, self.request, self.session = parts, request, session
        self.words = parts.pages.words
        self._form = form
        self._sent = ""

    async def ask(self, document: str, **variables: Any) -> Answered:
        """What the API answers to this person; raises `ApiRefused`."""
        token, client = self.session.token, self.request.scope.get("client")
        return await self.parts.api.ask(token, client, document, variables)

    async def call(self, method: str, path: str, value: Any = None) -> Any:
        """What a JSON route answers to this person; raises `ApiRefused`."""
        token, client = self.session.token, self.request.scope.get("client")
        return await self.parts.api.call(token, client, method, path, value)

    def query(self, name: str) -> str:
        """A parameter of the address; nothing where there is none."""
        return self.request.query_params.get(name, "")

    def field(self, name: str) -> str:
        """A field of the form, or of the one that was kept for this page, trimmed; nothing where there is none."""
        return (self._form.get(name) or [""])[0].strip()

    def has(self, name: str) -> bool:
        """Whether the form has a field of this name."""
        return name in self._form

    def typed(self, name: str) -> str:
        """What stands in a field: what was typed, or else what the address begins it with."""
        return self.field(name) if name in self._form else self.query(name)

    def fields(self, name: str) -> list[str]:
        """All values of a field."""
        return list(self._form.get(name, ()))

    @property
    def today(self) -> datetime.date:
        """The day that the clocks of the place show."""
        return self.words.here(datetime.datetime.fromtimestamp(self.parts.now(), datetime.UTC)).date()

    @property
    def fresh(self) -> bool:
        """Whether they showed just now who they are."""
        return self.session.fresh(self.parts.now())

    async def page(self, template: str, room: str = "", status: int = 200, **values: Any) -> Response:
        """A page in the frame of this person's rooms; `room` is the name of the one that it stands in."""
        return await framed(self.parts, template, self.session, room, status, self.request, **values)

    async def go(self, path: str, said: str, done: Answered, **words: str) -> Response:
        """Lead on to a page of ours, which shows what was `done` with its receipt: `said` names the text."""
        receipt = str((done.act or {}).get("receipt") or "")
        self.session.said = {"text": said, "receipt": receipt, **words}
        self.session.done = Done(self._sent, self.parts.now(), path, self.session.said)
        return await self._led(path)

    async def once(self, room: Room) -> Response:
        """The answer to a form; where the same was sent just before, the page that it led to."""
        word = guarding.held(self.request.headers, COOKIE)
        self._sent = digest(str(self.request.url), self._form)
        async with self.parts.turns.of(word, self._sent) as waited:
            if waited:  # what the one before did stands in the session
                self.session = await self.parts.sessions.found(word) or self.session
            before = done_before(self.session, self._sent, self.parts.now())
            if before is None:
                return await _answered(self, room)
            self.session.said = before.said
            return await self._led(before.place)

    async def _led(self, path: str) -> Response:
        await self.parts.sessions.keep(guarding.held(self.request.headers, COOKIE), self.session)
        return away(self.parts.pages.url(path))

    async def missing(self, back: str, text: str = "refused.MATTER_NOT_FOUND") -> Response:
        """There is nothing here that is theirs to see; `text` names what is shown about that."""
        text = self.words(text)
        return await self.page(
            "refused.html", status=404, why="api", text=text, quoted="", back=back, written=self.field("reason")
        )

    async def again(self, next_: str) -> Response:
        """Ask them to show again who they are, and come back, to what they typed where they sent a form."""
        if self.request.method == "POST":
            self.session.kept = self.form(next_)
            await self.parts.sessions.keep(guarding.held(self.request.headers, COOKIE), self.session)
        hint = quote(self.session.subject)
        way = f"/login/{quote(self.session.login)}?fresh=1&login_hint={hint}&next={quote(next_)}"
        return await self.page("again.html", status=403, way=self.parts.pages.url(way))

    def form(self, path: str) -> Kept | None:
        """What was typed, for the page at a path; None of a button alone."""
        typed = {name: value for name, value in self._form.items() if name != "csrf"}
        return Kept(path.partition("?")[0], typed) if typed else None


Room = Callable[[Visit], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]


def away(place: str) -> Response:
    """Lead to a place with a GET."""
    return RedirectResponse(place, 303, headers=dict(HEADERS))


async def framed(
    parts: Parts, template: str, session: Session | None, room: str, status: int, request: Request, **values: Any
) -> Response:
    """A page in its frame. What the session had to show once is shown here."""
    said = session.said if session is not None else None
    if session is not None and said is not None:
        session.said = None
        await parts.sessions.keep(guarding.held(request.headers, COOKIE), session)
    rooms = [] if session is None else list(dict.fromkeys(each for role in session.roles for each in ROOMS[role]))
    told = None if said is None else parts.pages.words(said["text"], **said)
    receipt = "" if said is None else said.get("receipt", "")
    frame = {
        "session": session,
        "rooms": rooms,
        "room": room,
        "told": told,
        "receipt": receipt,
        "waits": 0,
        "wrong": [],
        "turning_down": ("", ""),
    }
    return parts.pages.page(template, frame | values, status)


def safely(parts: Parts, endpoint: Endpoint) -> Endpoint:
    """The endpoint, where a defect is a page with an id to quote, and a store out of reach one that explains it."""

    async def route(request: Request) -> Response:
        try:
            return await endpoint(request)
        except SQLAlchemyError:
            quoted, code, status = "", "LEDGER_UNAVAILABLE", 503
        except Exception as error:
            quoted, code, status = secrets.token_hex(8), "INTERNAL", 500
            parts.defect(quoted, error)
        return await framed(parts, "refused.html", None, "", status, request, why=code, quoted=quoted)

    return route


def entered(parts: Parts, roles: str | Collection[str], room: Room, most: int = MOST_FORM) -> Endpoint:
    """The route of a room for those with a role, or one of several; with the role `""` for whoever is signed in.

    A form has `most` bytes.
    """
    let_in = {roles} if isinstance(roles, str) else set(roles)

    async def route(request: Request) -> Response:
        word = guarding.held(request.headers, COOKIE)
        session = await parts.sessions.found(word) if word else None
        if session is None:
            await _held(parts, request, word, most)
            return away(parts.pages.url(f"/login?next={quote(_here(request))}"))
        if "" not in let_in and let_in.isdisjoint(session.roles):
            return await framed(parts, "refused.html", session, "", 403, request, why="role", quoted="")
        form: Mapping[str, list[str]] = {}
        if request.method not in ("GET", "HEAD"):
            found = await own_form(parts, request, session, most)
            if found is None:
                large = _is_large(request, most)
                told, code = ("large", 413) if large else ("form", 403)
                back, typed = _back(parts, request), getattr(request.state, "typed", {})
                return await framed(
                    parts, "refused.html", session, "", code, request, why=told, quoted="", back=back,
                    written=(typed.get("reason") or [""])[0],
                )  # fmt: skip
            form = found
        elif session.kept is not None and session.kept.path == _path(parts, request):
            form, session.kept, session.said = session.kept.fields, None, session.said or {"text": "again.kept"}
        visit = Visit(parts, request, session, form)
        return await (_answered(visit, room) if request.method in ("GET", "HEAD") else visit.once(room))

    return safely(parts, route)


async def _answered(visit: Visit, room: Room) -> Response:
    """The room's page; where the API refuses, a page about that."""
    try:
        return await room(visit)
    except ApiRefused as refused:
        return await _refused(visit, refused)


async def own_form(
    parts: Parts, request: Request, session: Session, most: int = MOST_FORM
) -> Mapping[str, list[str]] | None:
    """The fields of a form that this session's own page sent; None for every other."""
    if not guarding.is_own(request.headers, parts.origin):
        return None
    fields = await read_form(request, most)
    given = {name: values[0] for name, values in (fields or {}).items()}
    request.state.typed = fields or {}
    return fields if fields is not None and guarding.is_theirs(session, given) else None


def _is_large(request: Request, most: int) -> bool:
    """Whether a form says that it has more than `most` bytes."""
    length = request.headers.get("content-length", "")
    return length.isascii() and length.isdigit() and (len(length) > 18 or int(length) > most)


async def read_form(request: Request, most: int = MOST_FORM) -> dict[str, list[str]] | None:
    """The fields of a form; None where it is none, or too large. A file that was chosen is a field of its text."""
    kind = request.headers.get("content-type", "")
    media = kind.partition(";")[0].strip().lower()
    if media not in ("application/x-www-form-urlencoded", "multipart/form-data"):
        return None
    try:
        body = await read(request, most)
        if media == "multipart/form-data":
            return multipart.fields(kind, body, MOST_FIELDS)
        return parse_qs(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except (BodyRefused, ValueError):
        return None


async def _refused(visit: Visit, refused: ApiRefused) -> Response:
    """A refusal of the API, as a page."""
    if refused.code == "UNAUTHENTICATED":  # the token is over, and the session with it
        kept = visit.form(_back(visit.parts, visit.request)) if visit.request.method == "POST" else None
        await visit.parts.sessions.close(guarding.held(visit.request.headers, COOKIE), visit.session, kept)
        return away(visit.parts.pages.url(f"/login?next={quote(_here(visit.request))}"))
    if refused.reason == "SIGN_IN":
        return await visit.again(_back(visit.parts, visit.request))
    if refused.reason == "ARGUMENT" and visit.request.method == "GET":  # such as a cursor that is none
        return await visit.page("refused.html", status=404, why="page", quoted="")
    return await visit.page(
        "refused.html", status=status(refused), why="api", text=why(visit, refused),
        quoted=str(refused.more.get("id", "")), back=_back(visit.parts, visit.request), written=visit.field("reason"),
    )  # fmt: skip


def status(refused: ApiRefused) -> int:
    """The status of a page that shows a refusal."""
    return refused.status if refused.status >= 400 else 404 if refused.code == "MATTER_NOT_FOUND" else 409


def why(visit: Visit, refused: ApiRefused) -> Any:
    """A refusal in words for whoever looks."""
    kind = f"refused.{refused.code}.{refused.reason}" if refused.reason else f"refused.{refused.code}"
    return visit.words.get(kind, str(visit.words.get(f"refused.{refused.code}", refused.message)))


async def _held(parts: Parts, request: Request, word: str, most: int) -> None:
    """Hold the form that was sent when the session was over already, until the same person signs in again."""
    over = await parts.sessions.closed(word) if word and request.method == "POST" else None
    form = None if over is None else await own_form(parts, request, over, most)
    if over is not None and form is not None:
        visit = Visit(parts, request, over, form)
        await parts.sessions.close(word, over, visit.form(_back(visit.parts, visit.request)))


def _path(parts: Parts, request: Request) -> str:
    return request.url.path.removeprefix(parts.pages.base)


def _here(request: Request) -> str:
    """The page that was asked for, or the one whose form was sent."""
    if request.method in ("GET", "HEAD"):
        query = request.url.query
        return guarding.local_path(request.url.path + (f"?{query}" if query else ""), "/")
    try:
        sent_from = urlsplit(request.headers.get("referer", ""))
    except ValueError:  # such as of an address with half a bracket
        return "/"
    return guarding.local_path(sent_from.path + (f"?{sent_from.query}" if sent_from.query else ""), "/")


def _back(parts: Parts, request: Request) -> str:
    return _here(request).removeprefix(parts.pages.base) or "/"
