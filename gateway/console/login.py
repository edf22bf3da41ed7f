"""Signing in at an issuer: OpenID Connect's code flow, with PKCE (S256), state and nonce.

Follows OpenID Connect Core 1.0 (3.1; 4 for `login_hint`), RFC 6749 (4.1), RFC 7636, RFC 8707 (`resource`) and RFC 9207
(`iss`, without which nobody comes back where the issuer's metadata promises it). Invariants: only the configured issuer
is asked, through the bounded client of `gateway.identity.issuers`; a code counts only with the state, verifier and
nonce that the same browser was given, once begun and within `WITHIN`; the ID token is verified before anything in it
counts; of the access token nothing is read: the API judges it at each request. What an issuer does wrong is told to the
operator, without any value that it sent.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from hmac import compare_digest

import msgspec
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jws
from joserfc.errors import ClaimError, JoseError

from gateway.config.oauth import LoginSettings
from gateway.console.sessions import FRESH, Session
from gateway.errors import IssuerUnavailable
from gateway.identity.issuers import ALGORITHMS, REGISTRY, Issuer
from gateway.identity.jwt import RepeatedMember, read_jwt
from gateway.manage.states import Heard

WITHIN = 600
"""Seconds in which somebody who began to sign in has to come back."""
TOGETHER = 8
"""So many sign-ins are finished at the same time."""
_LEEWAY = 30
_LONGEST_NAME = 80


class NotSignedIn(Exception):
    """A sign-in came to nothing; `why` names the text for whoever tried: refused, stale, unreachable or unfit.

    `cause` is for the operator, where the issuer has to be put right.
    """

    def __init__(self, why: str, cause: str | None = None) -> None:
        super().__init__(why)
        self.why, self.cause = why, cause


class Begun(msgspec.Struct):
    """What the browser holds, sealed, while somebody signs in. `next` is the page that they want."""

    login: str
    state: str
    nonce: str
    verifier: str
    next: str
    until: float
    fresh: bool


class _Answer(msgspec.Struct):
    access_token: str
    token_type: str
    id_token: str
    expires_in: float = 300.0
    scope: str | None = None


class _Claims(msgspec.Struct):
    sub: str
    name: str | None = None
    auth_time: float = 0.0


class SignIn:
    """One way to sign in. `returns` is the address that the issuer sends people back to.

    `heard` is told by the name of this way what is wrong with it, or that it works.
    """

    def __init__(
        self,
        settings: LoginSettings,
        issuer: Issuer,
        audience: str,
        returns: str,
        now: Callable[[], float],
        heard: Heard,
    ) -> None:
        self.settings, self._heard = settings, heard
        self._issuer, self._audience, self._returns, self._now = issuer, audience, returns, now
        self._secret = settings.secret_file.read_text("utf-8").strip()
        self._turns = asyncio.Semaphore(TOGETHER)

    async def begin(self, next_: str, hint: str | None, *, fresh: bool) -> tuple[str, Begun]:
        """The issuer's address to go to, and what to hold meanwhile; raises `NotSignedIn`.

        With `fresh` they show again who they are, whether the issuer knows them already or not.
        """
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        begun = Begun(self.settings.name, state, nonce, verifier, next_, self._now() + WITHIN, fresh)
        more = {"nonce": nonce, "code_challenge": create_s256_code_challenge(verifier), "code_challenge_method": "S256"}
        more["resource"] = self._audience
        if hint:
            more["login_hint"] = hint
        if fresh:
            more |= {"prompt": "login", "max_age": str(FRESH)}
        scope = " ".join(("openid", *self.settings.scopes))
        try:
            place = await self._issuer.endpoint("authorization_endpoint")
        except IssuerUnavailable as error:
            self._heard(self.settings.name, str(error))
            raise NotSignedIn("unreachable") from error
        uri = prepare_grant_uri(place, self.settings.client_id, "code", self._returns, scope, state, **more)
        return str(uri), begun

    async def finish(self, begun: Begun, given: Mapping[str, str]) -> Session:
        """Who came back; raises `NotSignedIn`."""
        if self._now() > begun.until or not compare_digest(given.get("state", "").encode(), begun.state.encode()):
            raise NotSignedIn("stale")
        try:
            named = "iss" in given or await self._issuer.promises("authorization_response_iss_parameter_supported")
        except IssuerUnavailable as error:
            raise NotSignedIn("unreachable") from error
        if named and given.get("iss") != self._issuer.settings.issuer:
            raise NotSignedIn("unfit")
        if "error" in given or not given.get("code"):
            raise NotSignedIn("refused")
        form = {"grant_type": "authorization_code", "code": given["code"], "redirect_uri": self._returns}
        form["code_verifier"] = begun.verifier
        try:
            async with self._turns:
                answer, claims = await self._answered(form, begun)
        except NotSignedIn as error:
            if error.cause is not None:
                self._heard(self.settings.name, error.cause)
            raise
        self._heard(self.settings.name, None)
        scope = self.settings.scopes if answer.scope is None else tuple(answer.scope.split())
        return Session(
            begun.login, answer.access_token, scope, claims.sub, (claims.name or claims.sub)[:_LONGEST_NAME],
            claims.auth_time, self._now() + answer.expires_in, secrets.token_urlsafe(24),
        )  # fmt: skip

    async def _answered(self, form: Mapping[str, str], begun: Begun) -> tuple[_Answer, _Claims]:
        """What the issuer answers to a code, and its ID token says; raises `NotSignedIn`."""
        try:
            place = await self._issuer.endpoint("token_endpoint")
            told = await self._issuer.post(place, form, (self.settings.client_id, self._secret))
            answer = msgspec.convert(told, _Answer)
            claims = await self._claims(answer, begun)
        except IssuerUnavailable as error:
            if error.refused:  # the code was used, is over, or is another sign-in's
                raise NotSignedIn("stale") from error
            raise NotSignedIn("unreachable", str(error)) from error
        except msgspec.ValidationError as error:  # names a member and a type, and no value
            raise NotSignedIn("unfit", f"its answer to a code: {error}") from error
        if answer.token_type.lower() != "bearer":
            raise NotSignedIn("unfit", "its answer to a code: `token_type` is not `Bearer`")
        if begun.fresh and self._now() - claims.auth_time > FRESH:
            raise NotSignedIn("unfit", "the ID token's `auth_time` is not of now, though `prompt=login` was asked for")
        return answer, claims

    async def _claims(self, answer: _Answer, begun: Begun) -> _Claims:
        """What the ID token says; raises `NotSignedIn`, `IssuerUnavailable`."""
        try:
            signed = read_jwt(answer.id_token.encode())
            header = signed.protected
            if header.get("alg") not in ALGORITHMS or "crit" in header:
                raise NotSignedIn("unfit", f"the ID token needs an `alg` of {', '.join(ALGORITHMS)}, and no `crit`")
            key = await self._issuer.key(header.get("kid"), header["alg"])
            if key is None or not jws.validate_compact(signed, key.jwk, registry=REGISTRY):
                raise NotSignedIn("unfit", "the ID token is not signed by a key of its `jwks_uri`")
            claims = CodeIDToken(
                msgspec.json.decode(signed.payload or b"", type=dict),
                dict(header),
                {
                    "iss": {"essential": True, "value": self._issuer.settings.issuer},
                    "aud": {"essential": True, "value": self.settings.client_id},
                },
                {"nonce": begun.nonce, "client_id": self.settings.client_id, "access_token": answer.access_token}
                | ({"max_age": FRESH} if begun.fresh else {}),
            )
            claims.validate(now=int(self._now()), leeway=_LEEWAY)
            return msgspec.convert(dict(claims), _Claims)
        except ClaimError as error:
            at = f"`{error.claim}` of the ID token" if error.claim else "the ID token"
            raise NotSignedIn("unfit", f"{at}: {error.error.replace('_', ' ')}") from error
        except (JoseError, RepeatedMember, msgspec.MsgspecError, ValueError, TypeError, RecursionError) as error:
            form = "one signed JWT, with each member once, and claims as OpenID Connect has them"
            raise NotSignedIn("unfit", f"the ID token cannot be read: it must be {form}") from error
