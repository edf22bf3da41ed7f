"""The way in and out: the first page, signing in, coming back from the issuer, signing out.

Invariants: nothing is stored before somebody has signed in; whoever signs in gets a new session, and the one that the
browser had before is over; signing out is a form of the session's own. `login_hint` is passed on as OpenID Connect says
(Core 4): what an issuer makes of it is its own affair, and here it opens nothing.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from urllib.parse import quote

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.config.oauth import PEOPLE
from gateway.console import guarding
from gateway.console.forms import own_form
from gateway.console.guarding import COOKIE, SIGNING_IN
from gateway.console.login import WITHIN, Begun, NotSignedIn, SignIn
from gateway.console.sealing import Sealer
from gateway.console.sessions import Kept, Session
from gateway.console.visiting import Endpoint, Parts, away, framed, safely

RETURN = "/login/return"
"""Where an issuer sends people back to; the address that it has to know of each client."""
_LONGEST_HINT = 200
_HOMES: Mapping[str, str] = {each: "/my/" if each == "self" else "/console/" for each in PEOPLE}


class Entrance:
    """The routes of those who are not signed in. `ways` are the ways to sign in, by name."""

    def __init__(self, parts: Parts, ways: Mapping[str, SignIn], secrets: Sequence[bytes]) -> None:
        self._parts, self._ways, self._sealer = parts, ways, Sealer(secrets, "signing in")

    def routes(self) -> list[Route]:
        """Every route of the entrance."""
        every: list[tuple[str, str, Endpoint]] = [
            ("GET", "/", self._first),
            ("GET", "/login", self._choose),
            ("GET", RETURN, self._return),
            ("GET", "/login/{name}", self._begin),
            ("POST", "/logout", self._leave),
            ("GET", "/assets/{name}", self._parts.pages.file),
        ]
        return [Route(path, safely(self._parts, endpoint), methods=[method]) for method, path, endpoint in every]

    async def _session(self, request: Request) -> Session | None:
        word = guarding.held(request.headers, COOKIE)
        return await self._parts.sessions.found(word) if word else None

    async def _first(self, request: Request) -> Response:
        session = await self._session(request)
        if session is not None and session.roles:
            return away(self._parts.pages.url(home(session)))
        return await self._choose(request)

    async def _choose(self, request: Request) -> Response:
        return await self._entrance(request)

    async def _entrance(self, request: Request, why: str = "", status: int = 200) -> Response:
        next_ = guarding.room(request.query_params.get("next"), "")
        ways = [
            (way.settings.title, self._parts.pages.url(f"/login/{name}" + (f"?next={quote(next_)}" if next_ else "")))
            for name, way in self._ways.items()
        ]
        session = await self._session(request)
        return await framed(self._parts, "login.html", session, "", status, request, ways=ways, why=why)

    async def _begin(self, request: Request) -> Response:
        way = self._ways.get(request.path_params["name"])
        if way is None:
            return await self._entrance(request, "unknown", 404)
        asked = request.query_params
        next_ = guarding.room(asked.get("next") or self._own(asked.get("target_link_uri")), "")
        hint = (asked.get("login_hint") or "")[:_LONGEST_HINT] or None
        try:
            place, begun = await way.begin(next_, hint, fresh=asked.get("fresh") == "1")
        except NotSignedIn as error:
            return await self._entrance(request, error.why, 503)
        response = away(place)
        sealed = base64.urlsafe_b64encode(self._sealer.sealed(msgspec.json.encode(begun))).decode()
        response.headers.append("set-cookie", guarding.cookie(SIGNING_IN, sealed, WITHIN))
        return response

    def _own(self, address: str | None) -> str | None:
        """The path of an address of ours."""
        own = self._parts.origin + self._parts.pages.base
        return address.removeprefix(own) if address and address.startswith(f"{own}/") else None

    async def _return(self, request: Request) -> Response:
        begun = self._begun(guarding.held(request.headers, SIGNING_IN))
        way = self._ways.get(begun.login) if begun is not None else None
        try:
            if begun is None or way is None:
                raise NotSignedIn("stale")
            given = request.query_params
            if len(given.multi_items()) != len(given):
                raise NotSignedIn("unfit")
            session = await way.finish(begun, given)
        except NotSignedIn as error:
            response = await self._entrance(request, error.why, 503 if error.why == "unreachable" else 403)
        else:
            before = guarding.held(request.headers, COOKIE)
            session.kept = await self._kept(before, session)
            word = await self._parts.sessions.begin(session, before)
            response = away(self._parts.pages.url(guarding.room(begun.next, home(session))))
            response.headers.append("set-cookie", guarding.cookie(COOKIE, word))
        response.headers.append("set-cookie", guarding.cookie(SIGNING_IN, "", 0))
        return response

    async def _kept(self, before: str, session: Session) -> Kept | None:
        """The form that the same person was sending when they had to sign in again."""
        sessions = self._parts.sessions
        old = (await sessions.found(before) or await sessions.closed(before)) if before else None
        same = old is not None and (old.login, old.subject) == (session.login, session.subject)
        return old.kept if old is not None and same else None

    def _begun(self, cookie: str) -> Begun | None:
        try:
            text = self._sealer.opened(base64.urlsafe_b64decode(cookie))
        except (binascii.Error, ValueError):
            return None
        return None if text is None else msgspec.json.decode(text, type=Begun)

    async def _leave(self, request: Request) -> Response:
        session = await self._session(request)
        if session is not None:
            if await own_form(self._parts.origin, request, session) is None:
                return await framed(self._parts, "refused.html", session, "", 403, request, why="form", quoted="")
            await self._parts.sessions.end(guarding.held(request.headers, COOKIE))
        response = away(self._parts.pages.url("/login"))
        response.headers.append("set-cookie", guarding.cookie(COOKIE, "", 0))
        response.headers["Clear-Site-Data"] = '"cache"'
        return response


def home(session: Session) -> str:
    """The first page of somebody's rooms."""
    return next((_HOMES[role] for role in session.roles), "/login")
