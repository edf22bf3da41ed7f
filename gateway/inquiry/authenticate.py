"""Step 1: credentials -> Requester.

RFC 6750 bearer tokens that are RFC 9068 JWTs of a configured issuer. Invariants: the signature counts before any claim
but `iss`; the issuer, the audience and the type are equal to the character; `alg` is one of three asymmetric ones, tied
to the key; a bound token (`cnf`) is not a bearer token; `authorization_details` that are not understood refuse the
token, since they narrow it. What a token may do comes from its scopes and from the rule set in force, looked up anew
for every request: an activation counts from the next one on. Keys are `gateway.issuers`' affair.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal

import msgspec
from cachetools import LRUCache
from joserfc import jws
from joserfc.errors import JoseError, UnsupportedAlgorithmError

from gateway.errors import Code, Refusal
from gateway.inquiry.types import Narrowing, Requester
from gateway.issuers import ALGORITHMS, Issuer, IssuerUnavailable
from gateway.rules.model import RequesterEntry

MAX_TOKEN = 8 * 1024
LEEWAY = 5.0
"""Seconds that an issuer's clock may be ahead of ours. There is none for `exp`: what has expired has expired."""

_SCOPES = frozenset({"inquire", "steward", "recalls", "officer", "oversight", "self"})
_TYPES = frozenset({"at+jwt", "application/at+jwt"})


class _Registry(jws.JWSRegistry):
    """joserfc's registry of the allowed algorithms. Its `EdDSA` means Ed25519 here (the keys are no others), so the
    warning that RFC 9864 calls the name ambiguous would tell nobody anything."""

    max_header_length = 4096

    def get_alg(self, name: str) -> Any:
        if name not in ALGORITHMS:
            raise UnsupportedAlgorithmError(name)
        return self.algorithms[name]


_REGISTRY = _Registry(strict_check_header=False)


class _Header(msgspec.Struct):
    alg: str
    typ: str | None = None
    kid: str | None = None
    crit: Any = None


_Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e12)]


class _Claims(msgspec.Struct):
    """The claims that count; a boolean is no number here."""

    iss: str
    aud: str | list[str]
    exp: _Seconds
    iat: _Seconds
    sub: str
    client_id: str
    nbf: _Seconds = 0
    scope: str = ""
    act: dict[str, Any] | None = None
    acr: str | None = None
    cnf: Any = None
    authorization_details: list[dict[str, Any]] = []
    identifier: Any = None


class _Identifier(msgspec.Struct, forbid_unknown_fields=True):
    scheme: str
    value: str


class _Detail(msgspec.Struct, forbid_unknown_fields=True):
    type: Literal["subject-inquiry"]
    purpose: str | None = None
    case: str | None = None
    datasets: list[str] | None = None
    identifier: _Identifier | None = None


class _Verified(msgspec.Struct):
    """A token that was verified, and the Requester last made from it for `entry`."""

    issuer: Issuer
    thumbprint: str
    client: str
    expires: float
    requester: Requester
    entry: RequesterEntry | None


class Authenticator:
    """Turns a bearer token into a `Requester`.

    `registered` gives the entry of (issuer, client) in the rule set in force, or `None`; it is called for every request
    and must be a look-up. `clock` gives an aware datetime that never falls. `metadata_url` is the RFC 9728 address that
    refusals point to. At most `remembered` tokens are kept, by their SHA-256.
    """

    def __init__(
        self,
        issuers: Iterable[Issuer],
        *,
        audience: str,
        metadata_url: str,
        registered: Callable[[str, str], RequesterEntry | None],
        clock: Callable[[], datetime.datetime],
        remembered: int = 4096,
    ) -> None:
        self._issuers = {issuer.settings.issuer: issuer for issuer in issuers}
        self._audience = audience
        self._metadata_url = metadata_url
        self._registered = registered
        self._clock = clock
        self._verified: LRUCache[bytes, _Verified] = LRUCache(remembered)

    def credentials(self, headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
        """The `Authorization` header of an ASGI header list (lower-case names), or `None`; several are refused."""
        found: bytes | None = None
        for name, value in headers:
            if name == b"authorization":
                if found is not None:
                    raise self._refused("There is more than one Authorization header; send one.")
                found = value
        return found

    async def authenticate(self, authorization: bytes | None) -> Requester:
        """Who asks; raises `Refusal` `UNAUTHENTICATED` with a description of what is wrong with the token."""
        if authorization is None:
            raise self._refused("A bearer token is needed: send `Authorization: Bearer <token>`.", error=None)
        if len(authorization) > MAX_TOKEN:
            raise self._refused(f"The token is longer than {MAX_TOKEN} bytes.")
        digest = hashlib.sha256(authorization).digest()
        now = self._clock().timestamp()
        known = self._verified.get(digest)
        if known is None or not known.issuer.in_force(known.thumbprint, now):
            known = await self._verify(authorization, now)
            self._verified[digest] = known
        elif known.expires <= now:
            raise self._refused("The token has expired; get a new one.")
        else:
            known.issuer.freshen(now)
        entry = self._registered(known.issuer.settings.issuer, known.client)
        if entry is not known.entry:
            known.requester, known.entry = _registered(known.requester, entry), entry
        return known.requester

    def check_scope(self, requester: Requester) -> None:
        """Refuse a token that opens no part of the gateway at all: `FORBIDDEN`, with the scope that would."""
        if requester.scopes.isdisjoint(_SCOPES) and not any(s.startswith("inquire:") for s in requester.scopes):
            raise self.forbidden("inquire", "The token has no scope for this gateway; ask for `inquire`.")

    def forbidden(self, scope: str, message: str) -> Refusal:
        """`FORBIDDEN` for want of `scope` (RFC 6750 `insufficient_scope`)."""
        challenge = f'{self._challenge("insufficient_scope", message)}, scope="{_quotable(scope)}"'
        return Refusal(Code.FORBIDDEN, message, headers={"WWW-Authenticate": challenge})

    def _refused(self, message: str, error: str | None = "invalid_token", **extensions: Any) -> Refusal:
        headers = {"WWW-Authenticate": self._challenge(error, message)}
        return Refusal(Code.UNAUTHENTICATED, message, headers=headers, **extensions)

    def _challenge(self, error: str | None, description: str) -> str:
        challenge = f'Bearer resource_metadata="{self._metadata_url}"'
        if error:
            challenge += f', error="{error}", error_description="{_quotable(description)}"'
        return challenge

    async def _verify(self, authorization: bytes, now: float) -> _Verified:
        scheme, _, token = authorization.partition(b" ")
        token = token.strip(b" ")
        if scheme.lower() != b"bearer" or not token:
            raise self._refused("The Authorization header must be `Bearer <token>`.")
        try:
            unverified = jws.extract_compact(token, registry=_REGISTRY)
            header = msgspec.convert(unverified.protected, _Header)
            payload: dict[str, Any] = msgspec.json.decode(unverified.payload or b"", type=dict[str, Any])
        except (JoseError, msgspec.MsgspecError, ValueError, TypeError, RecursionError) as error:
            raise self._refused("The token is not a JWT access token.") from error
        if header.alg not in ALGORITHMS:
            raise self._refused(f"The token must be signed with one of {', '.join(ALGORITHMS)}.")
        if (header.typ or "").lower() not in _TYPES:
            raise self._refused("The token is not an access token: its `typ` must be `at+jwt`.")
        if header.crit is not None:
            raise self._refused("The token's header has a `crit` extension that is not understood.")
        named = payload.get("iss")
        issuer = self._issuers.get(named) if isinstance(named, str) else None
        if issuer is None:
            raise self._refused("The token is not from an issuer that is trusted here.")
        try:
            key = await issuer.key(header.kid, header.alg)
        except IssuerUnavailable as error:
            raise self._refused(
                "The keys of the token's issuer are out of reach; try later.", retryable=True
            ) from error
        if key is None:
            raise self._refused("The token is signed with a key that its issuer does not publish.")
        try:
            valid = jws.validate_compact(unverified, key.jwk, registry=_REGISTRY)
        except (JoseError, ValueError, TypeError):
            valid = False
        if not valid:
            raise self._refused("The token's signature is wrong.")
        return self._accept(payload, issuer, key.thumbprint, now)

    def _accept(self, payload: dict[str, Any], issuer: Issuer, thumbprint: str, now: float) -> _Verified:
        try:
            claims = msgspec.convert(payload, _Claims)
            narrowing = tuple(map(_narrowing, filter(_is_inquiry, claims.authorization_details)))
            scopes = frozenset(claims.scope.split())
            identifier = msgspec.convert(claims.identifier, _Identifier) if "self" in scopes else None
        except msgspec.ValidationError as error:
            raise self._refused(f"A claim of the token is wrong: {_claim(error)}.") from error
        if self._audience not in ([claims.aud] if isinstance(claims.aud, str) else claims.aud):
            raise self._refused("The token is for another audience.")
        if not claims.client_id or not claims.sub:
            raise self._refused("The token must name its `client_id` and `sub`.")
        if claims.exp <= now:
            raise self._refused("The token has expired; get a new one.")
        if claims.nbf > now + LEEWAY or claims.iat > now + LEEWAY:
            raise self._refused("The token is not valid yet; compare the clocks.")
        if claims.cnf is not None:
            raise self._refused("The token is bound to a key and cannot be used as a plain bearer token.")
        requester = Requester(
            issuer=claims.iss,
            client=claims.client_id,
            official=_official(payload, claims, issuer.settings.official_claim),
            scopes=scopes,
            expires=claims.exp,
            acr=claims.acr,
            narrowing=narrowing,
            identifier=(identifier.scheme, identifier.value) if identifier else None,
        )
        return _Verified(issuer, thumbprint, claims.client_id, requester.expires, requester, None)


def _registered(requester: Requester, entry: RequesterEntry | None) -> Requester:
    """The same token's requester with what the rule set in force says of its client."""
    if entry is None:
        return msgspec.structs.replace(requester, department="", roles=frozenset(), grants=(), registry=None)
    return msgspec.structs.replace(
        requester, department=entry.department, roles=entry.roles, grants=entry.grants, registry=entry.registry
    )


def _official(payload: Mapping[str, Any], claims: _Claims, official_claim: str | None) -> str | None:
    if official_claim is not None:
        named = payload.get(official_claim)
        return named if isinstance(named, str) and named else None
    actor = claims.act.get("sub") if claims.act else None
    if isinstance(actor, str) and actor and actor != claims.client_id:
        return actor
    return claims.sub if claims.sub != claims.client_id else None


def _is_inquiry(detail: Mapping[str, Any]) -> bool:
    return detail.get("type") == "subject-inquiry"


def _narrowing(raw: dict[str, Any]) -> Narrowing:
    detail = msgspec.convert(raw, _Detail)
    return Narrowing(
        purpose=detail.purpose,
        case=detail.case,
        datasets=None if detail.datasets is None else frozenset(detail.datasets),
        identifier=None if detail.identifier is None else (detail.identifier.scheme, detail.identifier.value),
    )


def _claim(error: msgspec.ValidationError) -> str:
    """What msgspec says of the shape of a claim, which quotes names of claims and no value but a wrong `type`'s."""
    return str(error).replace("`$.", "`")


def _quotable(text: str) -> str:
    """Text as RFC 6750 lets it stand in a challenge's quoted string."""
    return "".join(c if " " <= c <= "~" and c not in '"\\' else "'" for c in text)[:300]
