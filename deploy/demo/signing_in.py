"""How the demo's people sign in: OpenID Connect's code flow with PKCE (S256), on authlib, with a click for a password.

Only in the demo: whoever names somebody in `login_hint` is taken for them, and `/as/<person>` begins at the gateway's
own login with such a hint. A code is good once, for a minute, for the client and address that it was made for.
"""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
from authlib.oauth2.rfc6749 import OAuth2Error
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc6749.models import AuthorizationCodeMixin
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import UserInfo
from authlib.oidc.core.grants import OpenIDCode
from joserfc.jwk import KeySet
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

import gateway.console
from deploy.demo.persons import PERSONS, Person

GOOD = 60
"""Seconds that a code is good for."""
STYLE = Path(gateway.console.__file__).parent / "assets" / "style.css"
HEADERS = {
    "Content-Security-Policy": "; ".join(
        ["default-src 'none'", "style-src 'self'", "img-src data:", "base-uri 'none'", "frame-ancestors 'none'"]
    ),
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}


class Code(msgspec.Struct, AuthorizationCodeMixin):  # type: ignore[misc]
    """A code that was given out."""

    client: str
    redirect_uri: str
    scope: str
    person: Person
    nonce: str | None
    code_challenge: str
    code_challenge_method: str
    at: float

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str | None:
        return self.nonce

    def get_auth_time(self) -> int:
        return int(self.at)

    def get_acr(self) -> None:
        """Not disclosed."""

    def get_amr(self) -> None:
        """Not disclosed."""


class SignedIn:
    """Somebody who signed in, as a token describes them."""

    def __init__(self, person: Person, at: float) -> None:
        self.person = person
        self.claims: dict[str, Any] = {"auth_time": int(at)}
        if person.identifier is not None:
            scheme, value = person.identifier
            self.claims["identifier"] = {"scheme": scheme, "value": value}

    def get_user_id(self) -> str:
        return self.person.id


class S256(CodeChallenge):  # type: ignore[misc]
    """PKCE, with S256 and nothing else."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ("S256",)


class ByCode(AuthorizationCodeGrant):  # type: ignore[misc]
    """The code grant. `server.codes` are those that were given out."""

    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic",)

    def save_authorization_code(self, code: str, request: Any) -> None:
        data = request.payload.data
        self.server.codes[code] = Code(
            request.client.client_id, data["redirect_uri"], request.scope, request.user.person, data.get("nonce"),
            data["code_challenge"], data["code_challenge_method"], time.time(),
        )  # fmt: skip

    def query_authorization_code(self, code: str, client: Any) -> Code | None:
        found: Code | None = self.server.codes.pop(code, None)  # whatever comes of it, it was used
        fits = found is not None and found.client == client.client_id and time.time() - found.at < GOOD
        return found if fits else None

    def delete_authorization_code(self, authorization_code: Code) -> None:
        """It is gone since it was asked for."""

    def authenticate_user(self, authorization_code: Code) -> SignedIn:
        return SignedIn(authorization_code.person, authorization_code.at)


class IdTokens(OpenIDCode):  # type: ignore[misc]
    """ID tokens, signed with the key that signs now. `key` gives it."""

    def __init__(self, issuer: str, key: Callable[[], KeySet]) -> None:
        super().__init__(require_nonce=True)
        self._issuer, self._key = issuer, key

    def exists_nonce(self, nonce: str, request: Any) -> bool:
        return False  # a nonce is the client's to compare

    def get_client_algorithm(self, client: Any) -> str:
        return "ES256"

    def get_encode_header(self, client: Any) -> dict[str, Any]:
        return {"alg": "ES256", "kid": self._key().keys[0].kid}

    def get_client_claims(self, client: Any) -> dict[str, Any]:
        return {"iss": self._issuer}

    def resolve_client_private_key(self, client: Any) -> Any:
        return self._key().keys[0]

    def generate_user_info(self, user: SignedIn, scope: str) -> UserInfo:
        return UserInfo(sub=user.person.id, name=user.person.name)


def routes(server: Any, gateway_url: str, request_of: Callable[[Request, dict[str, str]], Any]) -> list[Route]:
    """Where people sign in. `request_of` makes authlib's request of ours and its parameters."""

    async def authorize(request: Request) -> Response:
        given = dict(request.query_params)
        if len(given) < len(request.query_params.multi_items()) or "code_challenge" not in given:
            return JSONResponse({"error": "invalid_request", "error_description": "PKCE (S256), and each once"}, 400)
        asked = request_of(request, given)
        try:
            grant = server.get_consent_grant(asked)
        except OAuth2Error as error:
            refused: Response = server.handle_error_response(asked, error)
            return refused
        person = PERSONS.get(given.get("login_hint", ""))
        if person is None or person.client != grant.client.client_id:
            people = [each for each in PERSONS.values() if each.client == grant.client.client_id]
            return _page("Who are you?", people, lambda each: f"?{urlencode({**given, 'login_hint': each.id})}")
        back: Response = server.create_authorization_response(asked, SignedIn(person, time.time()), grant)
        return back

    async def everybody(request: Request) -> Response:
        return _page("Look around as anybody", PERSONS.values(), lambda each: f"/as/{each.id}")

    async def as_person(request: Request) -> Response:
        person = PERSONS.get(request.path_params["person"])
        if person is None:
            return Response(status_code=404)
        hint = urlencode({"login_hint": person.id, "next": request.query_params.get("next", person.home)})
        return RedirectResponse(f"{gateway_url}/login/{person.client}?{hint}", 303, headers=HEADERS)

    async def style(request: Request) -> Response:
        return Response(STYLE.read_text(), media_type="text/css")

    return [
        Route("/", everybody),
        Route("/as/{person}", as_person),
        Route("/authorize", authorize),
        Route("/style.css", style),
    ]


def _page(title: str, people: Iterable[Person], way: Callable[[Person], str]) -> Response:
    cards = "".join(
        f'<li class="card"><h2>{html.escape(each.role)}</h2><p>{html.escape(each.name)}</p>'
        f'<p><a class="button" href="{html.escape(way(each))}">Go on as {html.escape(each.name)}</a></p></li>\n'
        for each in people
    )
    return HTMLResponse(
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{title} - the demo\'s sign-in</title><link rel="icon" href="data:,">'
        '<link rel="stylesheet" href="/style.css"></head>\n<body><main class="in">\n'
        f'<h1>{title}</h1><p class="lead">This is the demo, on this machine only. All people, organisations and '
        "records are invented. One click signs you in.</p>\n"
        f'<ul class="cards3">\n{cards}</ul></main></body></html>\n',
        headers=HEADERS,
    )
