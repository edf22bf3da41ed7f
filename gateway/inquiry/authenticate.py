"""Step 1: credentials -> Requester.

Access tokens of configured issuers: RFC 9068 JWTs, verified here, and opaque ones, asked about (RFC 7662); by RFC 6750,
or bound to a key or a certificate (`gateway.identity`). Invariants: the signature counts before any claim but `iss`;
the issuer, the audience and the type are equal to the character; `alg` is one of three asymmetric ones, tied to the
key; a JWT is never asked about instead of verified; a bound token counts with its proof only, anew at every request.
What a token may do comes from its scopes and from the rule set in force, looked up anew for every request: an
activation counts from the next one on. Keys are `gateway.issuers`' affair, what claims mean `gateway.inquiry.claims`'.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from cachetools import LRUCache
from joserfc import jws
from joserfc.errors import JoseError, UnsupportedAlgorithmError

from gateway.errors import Code, Refusal
from gateway.identity.introspection import Introspector, opaque_issuer
from gateway.inquiry import claims
from gateway.inquiry.types import Requester
from gateway.issuers import ALGORITHMS, Issuer, IssuerUnavailable
from gateway.rules.model import RequesterEntry

MAX_TOKEN = 8 * 1024

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


class _Verified(msgspec.Struct):
    """A token that was verified, and the Requester last made from it for `entry`.

    `thumbprint` is that of the key it was verified with; `None` where no signature was. It counts until `until`, in
    seconds since the epoch, which is not after it expires.
    """

    issuer: Issuer
    thumbprint: str | None
    until: float
    requester: Requester
    binding: claims.Binding | None
    entry: RequesterEntry | None = None


class Authenticator:
    """Turns what a request shows into a `Requester`.

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
        self._introspectors = {
            name: Introspector(issuer, issuer.settings.introspection)
            for name, issuer in self._issuers.items()
            if issuer.settings.introspection is not None
        }
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

    async def authenticate(
        self, authorization: bytes | None, method: str = "POST", headers: Iterable[tuple[bytes, bytes]] = ()
    ) -> Requester:
        """Who asks; raises `Refusal` `UNAUTHENTICATED` with a description of what is wrong with the token.

        `authorization` is what `credentials` gives. `method` and `headers` are the request's, for proofs.
        """
        if authorization is None:
            raise self._refused("A bearer token is needed: send `Authorization: Bearer <token>`.", error=None)
        if len(authorization) > MAX_TOKEN:
            raise self._refused(f"The token is longer than {MAX_TOKEN} bytes.")
        digest = hashlib.sha256(authorization).digest()
        now = self._clock().timestamp()
        known = self._verified.get(digest)
        if known is None or known.until <= now or not known.issuer.in_force(known.thumbprint, now):
            known = self._verified[digest] = await self._verify(authorization, now)
        else:
            known.issuer.freshen(now)
        entry = self._registered(known.requester.issuer, known.requester.client)
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
            signed = jws.extract_compact(token, registry=_REGISTRY)
            header = msgspec.convert(signed.protected, _Header)
            payload: dict[str, Any] = msgspec.json.decode(signed.payload or b"", type=dict[str, Any])
        except (JoseError, msgspec.MsgspecError, ValueError, TypeError, RecursionError) as error:
            introspector = opaque_issuer(self._introspectors.values(), token)
            if introspector is None:
                raise self._refused("The token is not a JWT access token.") from error
            return await self._opaque(introspector, token, now)
        issuer, thumbprint = await self._signer(signed, header, payload.get("iss"))
        verified = self._accept(payload, issuer, thumbprint, now)
        introspector = self._introspectors.get(issuer.settings.issuer)
        if introspector is not None and introspector.settings.jwts:
            await self._in_force(introspector, token, now)
            verified.until = min(verified.until, now + introspector.settings.keep)
        return verified

    async def _signer(self, signed: jws.CompactSignature, header: _Header, named: object) -> tuple[Issuer, str]:
        """The issuer whose signature a JWT has, and the thumbprint of its key."""
        if header.alg not in ALGORITHMS:
            raise self._refused(f"The token must be signed with one of {', '.join(ALGORITHMS)}.")
        if (header.typ or "").lower() not in _TYPES:
            raise self._refused("The token is not an access token: its `typ` must be `at+jwt`.")
        if header.crit is not None:
            raise self._refused("The token's header has a `crit` extension that is not understood.")
        issuer = self._issuers.get(named) if isinstance(named, str) else None
        if issuer is None:
            raise self._refused("The token is not from an issuer that is trusted here.")
        try:
            key = await issuer.key(header.kid, header.alg)
        except IssuerUnavailable as error:
            message = "The keys of the token's issuer are out of reach; try later."
            raise self._refused(message, retryable=True) from error
        if key is None:
            raise self._refused("The token is signed with a key that its issuer does not publish.")
        try:
            valid = jws.validate_compact(signed, key.jwk, registry=_REGISTRY)
        except (JoseError, ValueError, TypeError):
            valid = False
        if not valid:
            raise self._refused("The token's signature is wrong.")
        return issuer, key.thumbprint

    async def _opaque(self, introspector: Introspector, token: bytes, now: float) -> _Verified:
        answer = await self._in_force(introspector, token, now)
        try:
            payload = claims.introspected(answer, introspector.issuer.settings.issuer)
        except claims.Unfit as error:
            raise self._refused(str(error)) from error
        verified = self._accept(payload, introspector.issuer, None, now)
        verified.until = min(verified.until, now + introspector.settings.keep)
        return verified

    async def _in_force(self, introspector: Introspector, token: bytes, now: float) -> dict[str, Any]:
        try:
            answer = await introspector.claims(token, now)
        except IssuerUnavailable as error:
            message = "The token's issuer cannot be asked about it now; try later."
            raise self._refused(message, retryable=True) from error
        if answer is None:
            raise self._refused("The token is unknown to its issuer, expired or revoked; get a new one.")
        return answer

    def _accept(self, payload: dict[str, Any], issuer: Issuer, thumbprint: str | None, now: float) -> _Verified:
        try:
            requester, binding = claims.requester(payload, self._audience, issuer.settings.official_claim, now)
        except claims.Unfit as error:
            raise self._refused(str(error)) from error
        if binding is not None:
            raise self._refused("The token is bound to a key and cannot be used as a plain bearer token.")
        return _Verified(issuer, thumbprint, requester.expires, requester, binding)


def _registered(requester: Requester, entry: RequesterEntry | None) -> Requester:
    """The same token's requester with what the rule set in force says of its client."""
    if entry is None:
        return msgspec.structs.replace(requester, department="", roles=frozenset(), grants=(), registry=None)
    return msgspec.structs.replace(
        requester, department=entry.department, roles=entry.roles, grants=entry.grants, registry=entry.registry
    )


def _quotable(text: str) -> str:
    """Text as RFC 6750 lets it stand in a challenge's quoted string."""
    return "".join(c if " " <= c <= "~" and c not in '"\\' else "'" for c in text)[:300]
