"""The region's authorization server, on authlib: tokens for client systems and for the officials behind them.

Follows RFC 6749 (client credentials; errors), RFC 8414 and OpenID Connect discovery (metadata), RFC 7517 (JWKS),
RFC 9068 (`at+jwt` access tokens), RFC 8693 (`act` names the official) and RFC 9396 (`authorization_details`). Two keys
are published at a time and kind, so that tokens outlive a rotation by one. Besides the standard parameters of
`POST /token` a client may send `official`, one of its own, and the citizen portal `identifier_scheme` and
`identifier_value`: which citizen or organisation signed in at it, and as which `person`, one of its own by default.
Whoever is behind a token signed in just now, or `auth_age` seconds ago (`auth_time`). `POST /rotate` makes new keys.
How people sign in at the gateway's pages is in `signing_in.py`.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from secrets import compare_digest
from typing import Any
from urllib.parse import parse_qsl

from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin, OAuth2Request
from authlib.oauth2.rfc6749.errors import InvalidRequestError, InvalidScopeError
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from joserfc.jwk import ECKey, KeyParameters, KeySet, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.demo.clients import REGISTERED, Client
from deploy.demo.persons import PERSONS
from deploy.demo.serve import arguments, serve
from deploy.demo.signing_in import S256, ByCode, Code, IdTokens, SignedIn, routes

OPENID = "openid"
"""The scope of whoever wants to know who signed in."""
RETURN = "/login/return"
"""Where in the gateway people come back to."""
LIFETIME = 3600
"""Seconds that an access token is good for."""


class Keys:
    """The signing keys: by algorithm, the newest first, at most two."""

    def __init__(self) -> None:
        self._serial = 0
        self._keys: dict[str, list[RSAKey | ECKey]] = {"ES256": [], "RS256": []}
        self.rotate()

    def rotate(self) -> None:
        """Sign with new keys from now on; the ones before stay published, older ones do not."""
        self._serial += 1
        for algorithm, ring in self._keys.items():
            parameters: KeyParameters = {
                "kid": f"{algorithm.lower()}-{int(time.time())}-{self._serial}",
                "use": "sig",
                "alg": algorithm,
            }
            made: RSAKey | ECKey
            if algorithm == "ES256":
                made = ECKey.generate_key("P-256", parameters)
            else:
                made = RSAKey.generate_key(2048, parameters)
            self._keys[algorithm] = [made, *ring[:1]]

    def signing(self, algorithm: str) -> KeySet:
        """The key that signs now, alone in its set."""
        return KeySet([self._keys[algorithm][0]])

    def published(self) -> dict[str, Any]:
        """The JWKS: public parts only."""
        return dict(KeySet([key for ring in self._keys.values() for key in ring]).as_dict(private=False))


class RegisteredClient(ClientMixin):  # type: ignore[misc]
    """A client as authlib asks about it."""

    def __init__(self, client_id: str, secret: str, entry: Client, redirect_uri: str) -> None:
        self.client_id, self.secret, self.entry, self.redirect_uri = client_id, secret, entry, redirect_uri

    def get_client_id(self) -> str:
        return self.client_id

    def get_allowed_scope(self, scope: str | None) -> str:
        """All that was asked for, or its first scope where nothing was; more than it has is refused."""
        if not scope:
            return self.entry.scopes[0]
        if not set(scope.split()) - {OPENID} <= set(self.entry.scopes):
            raise InvalidScopeError(description="the client may not ask for this scope")
        return scope

    def check_client_secret(self, client_secret: str) -> bool:
        return compare_digest(client_secret.encode(), self.secret.encode())

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method in ("client_secret_basic", "client_secret_post")

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "client_credentials" or (grant_type == "authorization_code" and self.has_people)

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code" and self.has_people

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri == self.redirect_uri

    def get_default_redirect_uri(self) -> str:
        return self.redirect_uri

    @property
    def has_people(self) -> bool:
        """Whether somebody signs in through it."""
        return any(each.client == self.client_id for each in PERSONS.values())


class Behalf:
    """On whose behalf the client asks; becomes claims of the token."""

    def __init__(self, client_id: str, claims: Mapping[str, Any], person: str | None) -> None:
        self.client_id, self.claims, self.person = client_id, claims, person

    def get_user_id(self) -> str:
        """Of a citizen the person; else `sub` stays the client: the official is its actor, not its subject."""
        return self.person or self.client_id


class ClientCredentials(ClientCredentialsGrant):  # type: ignore[misc]
    """The client credentials grant, with an official, a signed-in citizen or authorization details."""

    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic", "client_secret_post")

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        client: RegisteredClient = self.request.client
        form: Mapping[str, str] = self.request.payload.data
        scope = client.get_allowed_scope(form.get("scope"))
        behalf = Behalf(client.client_id, _claims(client, form, scope), _person(form, scope))
        token = self.generate_token(user=behalf, scope=scope, include_refresh_token=False)
        return 200, token, self.TOKEN_RESPONSE_HEADER


def _claims(client: RegisteredClient, form: Mapping[str, str], scope: str) -> dict[str, Any]:
    claims: dict[str, Any] = {}
    if official := form.get("official"):
        if official not in client.entry.officials:
            raise InvalidRequestError(description="`official` is not an official of this client")
        claims["act"] = {"sub": official}
    if "self" in scope.split():
        scheme, value = form.get("identifier_scheme"), form.get("identifier_value")
        if not scheme or not value:
            raise InvalidRequestError(description="scope `self` needs `identifier_scheme` and `identifier_value`")
        claims["identifier"] = {"scheme": scheme, "value": value}
    if "act" in claims or "identifier" in claims:
        claims["auth_time"] = int(time.time()) - _age(form)
    if details := form.get("authorization_details"):
        try:
            parsed = json.loads(details)
        except ValueError:
            parsed = None
        if not isinstance(parsed, list) or not all(isinstance(d, dict) and "type" in d for d in parsed):
            raise InvalidRequestError(description="`authorization_details` must be a JSON array of objects with `type`")
        claims["authorization_details"] = parsed
    return claims


def _person(form: Mapping[str, str], scope: str) -> str | None:
    """Who signed in as a subject: whoever is named, else one person for each identifier."""
    if "self" not in scope.split():
        return None
    named = f"{form.get('identifier_scheme')}:{form.get('identifier_value')}"
    return form.get("person") or f"person-{hashlib.sha256(named.encode()).hexdigest()[:12]}"


def _age(form: Mapping[str, str]) -> int:
    age = form.get("auth_age", "0")
    if not (age.isascii() and age.isdecimal() and len(age) < 10):
        raise InvalidRequestError(description="`auth_age` must be seconds, as `600`")
    return int(age)


class TokenGenerator(JWTBearerTokenGenerator):  # type: ignore[misc]
    """RFC 9068 tokens for one audience, signed with the current key of one algorithm."""

    def __init__(self, issuer: str, audience: str, keys: Keys, algorithm: str) -> None:
        super().__init__(issuer=issuer, alg=algorithm, expires_generator=lambda client, grant_type: LIFETIME)
        self._audience, self._keys = audience, keys

    def get_jwks(self) -> KeySet:
        return self._keys.signing(self.alg)

    def get_audiences(self, client: RegisteredClient, user: Behalf | SignedIn, scope: str) -> str:
        return self._audience

    def get_extra_claims(
        self, client: RegisteredClient, grant_type: str, user: Behalf | SignedIn, scope: str
    ) -> dict[str, Any]:
        return dict(user.claims)


class FormRequest(OAuth2Request):  # type: ignore[misc]
    """A request whose parameters have been read already; authlib itself is synchronous."""

    def __init__(self, request: Request, form: dict[str, str]) -> None:
        super().__init__(request.method, str(request.url), headers=request.headers)
        self._form, self.payload = form, BasicOAuth2Payload(form)

    @property
    def form(self) -> dict[str, str]:
        return self._form


class Issuer(AuthorizationServer):  # type: ignore[misc]
    """authlib's server, on Starlette's requests and responses."""

    def __init__(self, issuer: str, audience: str, secrets: Mapping[str, str]) -> None:
        super().__init__()
        self.keys = Keys()
        back = f"{audience}{RETURN}"
        self.codes: dict[str, Code] = {}
        self._clients = {name: RegisteredClient(name, secrets[name], entry, back) for name, entry in REGISTERED.items()}
        generators = {alg: TokenGenerator(issuer, audience, self.keys, alg) for alg in ("ES256", "RS256")}
        self.register_token_generator(
            "default", lambda *, client, **rest: generators[client.entry.algorithm](client=client, **rest)
        )
        self.register_grant(ClientCredentials)
        self.register_grant(ByCode, [S256(), IdTokens(issuer, lambda: self.keys.signing("ES256"))])

    def query_client(self, client_id: str) -> RegisteredClient | None:
        return self._clients.get(client_id)

    def create_oauth2_request(self, request: FormRequest) -> FormRequest:
        return request

    def handle_response(self, status: int, body: Any, headers: list[tuple[str, str]]) -> Response:
        if status == 302:
            return Response(status_code=status, headers=dict(headers))
        return JSONResponse(body, status, dict(headers))

    def save_token(self, token: dict[str, Any], request: Any) -> None:
        """Tokens are not remembered: each describes itself."""

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens."""


def build(issuer: str, audience: str, secrets: Mapping[str, str]) -> Starlette:
    """The authorization server at the address `issuer`; `secrets` by client id."""
    server = Issuer(issuer, audience, secrets)
    metadata = AuthorizationServerMetadata(
        issuer=issuer,
        token_endpoint=f"{issuer}/token",
        authorization_endpoint=f"{issuer}/authorize",
        jwks_uri=f"{issuer}/jwks",
        grant_types_supported=["client_credentials", "authorization_code"],
        response_types_supported=["code"],
        code_challenge_methods_supported=["S256"],
        subject_types_supported=["public"],
        id_token_signing_alg_values_supported=["ES256"],
        token_endpoint_auth_methods_supported=["client_secret_basic", "client_secret_post"],
        scopes_supported=sorted({OPENID} | {scope for client in REGISTERED.values() for scope in client.scopes}),
        authorization_details_types_supported=["subject-inquiry"],
    )

    async def token(request: Request) -> Response:
        pairs = parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True)
        form = dict(pairs)
        if len(form) < len(pairs):
            return JSONResponse({"error": "invalid_request", "error_description": "a parameter is repeated"}, 400)
        response: Response = server.create_token_response(FormRequest(request, form))
        return response

    async def described(request: Request) -> Response:
        return JSONResponse(metadata)

    async def jwks(request: Request) -> Response:
        return JSONResponse(server.keys.published(), headers={"Cache-Control": "max-age=300"})

    async def rotate(request: Request) -> Response:
        server.keys.rotate()
        return JSONResponse(server.keys.published())

    return Starlette(
        routes=[
            Route("/.well-known/oauth-authorization-server", described),
            Route("/.well-known/openid-configuration", described),
            Route("/jwks", jwks),
            Route("/token", token, methods=["POST"]),
            Route("/rotate", rotate, methods=["POST"]),
            *routes(server, audience, FormRequest),
        ]
    )


def main() -> None:
    """Serve until asked to end. `clients.json` in the data folder has the clients' secrets."""
    parser = arguments("The invented region's authorization server.")
    parser.add_argument("--audience", required=True, help="the gateway's address, `aud` of every token")
    options = parser.parse_args()
    secrets = json.loads(Path(options.data, "clients.json").read_text())
    serve(build(f"http://127.0.0.1:{options.port}", options.audience, secrets), options.port)


if __name__ == "__main__":
    main()
