"""One request to a room: whose it is, what it asks of the API, and the page or the way on that comes of it.

Rooms are written on this alone. `entered` makes a route of a room: it lets in who is signed in and has the role, takes
a form only where it is theirs, and tells each refusal of the API as a page.
"""

from __future__ import annotations

import datetime
import re
import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from gateway.console import guarding
from gateway.console.calling import Answered, Api, ApiRefused
from gateway.console.forms import MOST_FORM, is_large, own_form
from gateway.console.guarding import COOKIE, HEADERS
from gateway.console.rendering import Pages
from gateway.console.repeating import Turns, digest
from gateway.console.sessions import Kept, Session, Sessions

_ANSWERED = re.compile("[?&]answer=([^&]*)$")
"""The last parameter of an address, which names the page by which a form was answered."""
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
        self.turns = Turns(sessions, now)


class Visit:
    """One request of somebody signed in."""

    def __init__(self, parts: Parts, request: Request, session: Session, form: Mapping[str, list[str]]) -> None:
        self.parts, self.request, self.session = parts, request, session
        self.words = parts.pages.words
        self._form = form
        self._said: dict[str, str] | None = None

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
        self._said = {"text": said, "receipt": receipt, **words}
        return away(self.parts.pages.url(path))

    async def once(self, room: Room) -> Response:
        """The answer to a form, as a place that it leads to; where the same was sent just before, where that led."""
        sessions, word = self.parts.sessions, guarding.held(self.request.headers, COOKIE)
        sent = digest(str(self.request.url), self._form)
        before = await self.parts.turns.begin(word, sent)
        if before is not None:
            if (said := before.said) is not None:
                await sessions.amend(word, lambda session: session.tell(said))
            return away(before.place)
        self.session.kept, answer = None, None
        try:
            answer = await self._apart(word, await _answered(self, room))
        finally:
            await sessions.amend(word, lambda session: self._note(session, sent, answer))
        return answer

    async def _apart(self, word: str, answer: Response) -> Response:
        """A page that answers a form, at an address of its own: nobody who comes back to it has to send again."""
        page = _back(self.parts, self.request)
        if not isinstance(answer, HTMLResponse) or not guarding.room(page, ""):
            return answer
        self.session.kept = self.session.kept or self.form(page)
        name = secrets.token_hex(16)
        held = msgspec.json.encode((answer.status_code, bytes(answer.body).decode()))
        await self.parts.sessions.hold(word, name, held)
        return away(self.parts.pages.url(f"{page}{'&' if '?' in page else '?'}answer={name}"))

    def _note(self, session: Session, sent: str, answer: Response | None) -> None:
        """Note what came of a form: where it led, what was done, and what was typed until that is entered."""
        place = "" if answer is None else answer.headers.get("location", "")
        self.parts.turns.end(session, sent, place, self._said)
        if place:
            session.kept = self.session.kept
        if self._said is not None:
            session.tell(self._said)

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
        hint = quote(self.session.subject)
        way = f"/login/{quote(self.session.login)}?fresh=1&login_hint={hint}&next={quote(next_)}"
        return await self.page("again.html", status=403, way=self.parts.pages.url(way))

    def form(self, path: str) -> Kept | None:
        """What was typed, for the page at a path; None of a button alone."""
        typed = {name: value for name, value in self._form.items() if name != "csrf"}
        return Kept(path, typed, self.parts.now()) if typed else None


Room = Callable[[Visit], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]


def away(place: str) -> Response:
    """Lead to a place with a GET."""
    return RedirectResponse(place, 303, headers=dict(HEADERS))


async def framed(
    parts: Parts, template: str, session: Session | None, room: str, status: int, request: Request, **values: Any
) -> Response:
    """A page in its frame. What the session had to show once is shown here."""
    told = [*getattr(request.state, "told", ()), *values.pop("told", ())]
    if session is not None and session.told:
        word = guarding.held(request.headers, COOKIE)
        told += await parts.sessions.amend(word, Session.tells) or []
    rooms = [] if session is None else list(dict.fromkeys(each for role in session.roles for each in ROOMS[role]))
    frame = {
        "session": session,
        "rooms": rooms,
        "room": room,
        "told": [(parts.pages.words(each["text"], **each), each.get("receipt", "")) for each in told],
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
            found = await own_form(parts.origin, request, session, most)
            if found is None:
                large = is_large(request, most)
                told, code = ("large", 413) if large else ("form", 403)
                back, typed = _back(parts, request), getattr(request.state, "typed", {})
                return await framed(
                    parts, "refused.html", session, "", code, request, why=told, quoted="", back=back,
                    written=(typed.get("reason") or [""])[0],
                )  # fmt: skip
            form = found
        elif (named := _ANSWERED.search(str(request.url))) is not None:
            return await _shown(parts, request, word, named[1])
        else:
            if session.told:
                session = await parts.turns.settled(word, session)
            if (typed := session.typed_at(_back(parts, request), parts.now())) is not None:
                form, request.state.told = typed, [{"text": "again.kept"}]
        visit = Visit(parts, request, session, form)
        by_form = request.method == "POST" and request.headers.get("accept") != "application/json"
        return await (visit.once(room) if by_form else _answered(visit, room))

    return safely(parts, route)


async def _shown(parts: Parts, request: Request, word: str, name: str) -> Response:
    """The page by which a form was answered, once; whoever comes back to it gets its form, with what they wrote."""
    held = await parts.sessions.shown(word, name)
    if held is None:
        return away(parts.pages.url(_back(parts, request)))
    status, page = msgspec.json.decode(held, type=tuple[int, str])
    return HTMLResponse(page, status, headers=dict(HEADERS))


async def _answered(visit: Visit, room: Room) -> Response:
    """The room's page; where the API refuses, a page about that."""
    try:
        return await room(visit)
    except ApiRefused as refused:
        return await _refused(visit, refused)


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
    form = None if over is None else await own_form(parts.origin, request, over, most)
    if over is not None and form is not None:
        visit = Visit(parts, request, over, form)
        await parts.sessions.close(word, over, visit.form(_back(visit.parts, visit.request)))


def _here(request: Request) -> str:
    """The page that was asked for, or the one whose form was sent; of one that answers a form, that form's."""
    try:
        asked = request.method in ("GET", "HEAD")
        page = urlsplit(str(request.url) if asked else request.headers.get("referer", ""))
    except ValueError:  # such as of an address with half a bracket
        return "/"
    path = page.path + (f"?{page.query}" if page.query else "")
    return guarding.local_path(_ANSWERED.sub("", path), "/")


def _back(parts: Parts, request: Request) -> str:
    return _here(request).removeprefix(parts.pages.base) or "/"
