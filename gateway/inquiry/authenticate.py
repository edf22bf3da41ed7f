"""Step 1: credentials -> Requester.

Access tokens of configured issuers: RFC 9068 JWTs, verified here, and opaque ones, asked about (RFC 7662); by RFC 6750,
or bound to a key or a certificate (`gateway.identity`). Invariants: the signature counts before any claim but `iss`;
the issuer, the audience and the type are equal to the character; `alg` is one of three asymmetric ones, tied to the
key; a JWT is never asked about instead of verified; a bound token counts with its proof only, anew at every request.
What a token may do comes from its scopes and from the rule set in force, looked up anew for every request: an
activation counts from the next one on. Keys are `gateway.identity.issuers`' affair, what claims mean
`gateway.inquiry.beside.claims`'.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Callable, Collection, Container, Iterable
from typing import Any

import msgspec
from joserfc import jws
from joserfc.errors import JoseError

from gateway.bounds.recent import Recent
from gateway.config.oauth import MAX_LIFETIME
from gateway.errors import Code, IssuerUnavailable, Refusal, Unfit
from gateway.identity import certificates
from gateway.identity.dpop import Proofs
from gateway.identity.introspection import Introspector, opaque_issuer
from gateway.identity.issuers import ALGORITHMS, REGISTRY, Issuer
from gateway.identity.jwt import RepeatedMember, read_jwt
from gateway.inquiry.beside import claims
from gateway.inquiry.beside.claims import Binding
from gateway.inquiry.beside.scopes import lack
from gateway.inquiry.types import Requester
from gateway.rules.model import RequesterEntry
from gateway.values import suggest

MAX_TOKEN = 8 * 1024
RETRY_AFTER = 5
"""Seconds after which to ask again, where whoever vouches for a token is out of reach."""

Registered = Callable[[str, str], RequesterEntry | None]
"""From (issuer, client) to its entry in a rule set."""

_JOSE = b"eyJ"
"""What a JOSE header begins with: a token that has one, and is no JWT that can be read, is not taken for opaque."""
_TYPES = frozenset({"at+jwt", "application/at+jwt"})


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
    binding: Binding | None
    entry: RequesterEntry | None = None


class Authenticator:
    """Turns what a request shows into a `Requester`.

    `registered` gives the entry of (issuer, client) in the rule set in force, or `None`; it is called for every request
    and must be a look-up. `clock` gives an aware datetime that never falls. `metadata_url` is the RFC 9728 address that
    refusals point to. Tokens that are bound to a key are taken with a proof that `proofs` takes; with
    `client_certificates`, those that are bound to a certificate on a connection that showed it. At most `remembered`
    tokens are kept, by their SHA-256.
    """

    def __init__(
        self,
        issuers: Iterable[Issuer],
        *,
        audience: str,
        metadata_url: str,
        registered: Registered,
        clock: Callable[[], datetime.datetime],
        proofs: Proofs | None = None,
        client_certificates: bool = False,
        max_lifetime: float = MAX_LIFETIME,
        remembered: int = 4096,
    ) -> None:
        self._issuers = {issuer.settings.issuer: issuer for issuer in issuers}
        self._introspectors = {
            name: Introspector(issuer, issuer.settings.introspection)
            for name, issuer in self._issuers.items()
            if issuer.settings.introspection is not None
        }
        self._audience, self._max_lifetime = audience, max_lifetime
        self._metadata_url = metadata_url
        self._registered = registered
        self._clock = clock
        self._proofs = proofs
        self._client_certificates = client_certificates
        self._verified: Recent[bytes, _Verified] = Recent(remembered)

    def credentials(self, headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
        """The `Authorization` header of an ASGI header list (lower-case names), or `None`; several are refused."""
        found = [value for name, value in headers if name == b"authorization"]
        if len(found) > 1:
            raise self._refused("There is more than one Authorization header; send one.")
        return found[0] if found else None

    async def authenticate(
        self,
        authorization: bytes | None,
        method: str = "POST",
        headers: Iterable[tuple[bytes, bytes]] = (),
        url: str | None = None,
        registered: Registered | None = None,
    ) -> Requester:
        """Who asks; raises `Refusal` `UNAUTHENTICATED` with a description of what is wrong with the token.

        It is `DECISION_UNAVAILABLE` (503) where that cannot be known now: the issuer is out of reach.

        `authorization` is what `credentials` gives. `method` and `headers` are the request's, for proofs, and so is
        `url`, where it is not that of inquiries. `registered` is of the rule set that the request goes by, where it
        comes with one.
        """
        if authorization is None:
            raise self._refused("A token is needed: send `Authorization: Bearer <token>`.", error=None)
        try:
            known = await self._known(authorization)
            if known.binding is not None:
                await self._prove(known.binding, authorization, method, headers, url)
        except Unfit as unfit:
            scheme = unfit.scheme or ("DPoP" if authorization[:5].lower() == b"dpop " else "Bearer")
            raise self._unfit(unfit, scheme) from unfit
        entry = (registered or self._registered)(known.requester.issuer, known.requester.client)
        if entry is not known.entry:
            known.requester, known.entry = registered_as(known.requester, entry), entry
        return known.requester

    async def _known(self, authorization: bytes) -> _Verified:
        """The token, verified now or before; raises `Unfit`."""
        if len(authorization) > MAX_TOKEN:
            raise Unfit(f"The token is longer than {MAX_TOKEN} bytes.")
        digest = hashlib.sha256(authorization).digest()
        now = self._clock().timestamp()
        known = self._verified.get(digest)
        if known is None or known.until <= now or not known.issuer.in_force(known.thumbprint, now):
            known = self._verified.keep(digest, await self._verify(authorization, now))
        else:
            known.issuer.freshen(now)
        return known

    async def _prove(
        self,
        binding: Binding,
        authorization: bytes,
        method: str,
        headers: Iterable[tuple[bytes, bytes]],
        url: str | None,
    ) -> None:
        """Have whoever sends a bound token prove that it is its holder, anew for every request; raises `Unfit`."""
        if binding.certificate is not None:
            if not self._client_certificates:
                raise Unfit("The token is bound to a client certificate, and none is seen here.")
            certificates.check(headers, binding.certificate)
        if binding.key is not None:
            if self._proofs is None:
                raise Unfit("The token is bound to a key, and no proof of it is taken here.")
            token = authorization.partition(b" ")[2].strip(b" ")
            proof = _single(headers, b"dpop")
            await self._proofs.check(proof, token, binding.key, method, self._clock().timestamp(), url)

    def check_scope(
        self, requester: Requester, datasets: Container[str], asked: Collection[str] = (), *, on_behalf: bool = False
    ) -> None:
        """Refuse a token that opens no part of the gateway at all, or not the root fields that are `asked` for.

        `FORBIDDEN`, with the scope that would. `datasets` are those that there are; `on_behalf`: it is an act for
        somebody else.
        """
        lacks = lack(requester, datasets, asked, on_behalf=on_behalf)
        if lacks is not None:
            challenge = self._challenge("insufficient_scope", lacks.message, requester.scheme)
            headers = {"WWW-Authenticate": f'{challenge}, scope="{lacks.scope}"'}
            raise Refusal(Code.FORBIDDEN, lacks.message, headers=headers)

    def check_expiry(self, requester: Requester, now: datetime.datetime) -> None:
        """Raise `Refusal` where its token's time ran out while its inquiry ran."""
        if requester.expires <= now.timestamp():
            raise self.expired(requester)

    def expired(self, requester: Requester) -> Refusal:
        """The refusal of a token whose time ran out while its inquiry ran."""
        return self._unfit(
            Unfit("The token expired while the inquiry ran; ask again with a new one."), requester.scheme
        )

    def _unfit(self, unfit: Unfit, scheme: str) -> Refusal:
        if unfit.retryable:  # nothing is said of the token: a client that hears 401 throws a good one away
            headers = {"Retry-After": str(RETRY_AFTER)}
            return Refusal(Code.DECISION_UNAVAILABLE, unfit.message, headers=headers, retryable=True)
        refusal = self._refused(unfit.message, unfit.error, scheme)
        if unfit.nonce is not None:
            refusal.headers["DPoP-Nonce"] = unfit.nonce
        return refusal

    def _refused(self, message: str, error: str | None = "invalid_token", scheme: str = "Bearer") -> Refusal:
        headers = {"WWW-Authenticate": self._challenge(error, message, scheme)}
        return Refusal(Code.UNAUTHENTICATED, message, headers=headers)

    def _challenge(self, error: str | None, description: str, scheme: str) -> str:
        """One challenge with what is wrong; every scheme that is taken, where no token came."""
        bearer = f'Bearer resource_metadata="{self._metadata_url}"'
        dpop = f'DPoP resource_metadata="{self._metadata_url}", algs="{" ".join(ALGORITHMS)}"'
        if error is None:
            return bearer if self._proofs is None else f"{bearer}, {dpop}"
        told = f'error="{error}", error_description="{_quotable(description)}"'
        return f"{dpop if scheme == 'DPoP' else bearer}, {told}"

    async def _verify(self, authorization: bytes, now: float) -> _Verified:
        scheme, _, token = authorization.partition(b" ")
        token = token.strip(b" ")
        if scheme.lower() not in (b"bearer", b"dpop") or not token:
            raise Unfit("The Authorization header must be `Bearer <token>` or `DPoP <token>`.")
        verified = await self._read(token, now)
        bound = verified.binding is not None and verified.binding.key is not None
        if bound and scheme.lower() == b"bearer":
            message = "The token is bound to a key and cannot be used as a plain bearer token; send it as `DPoP`."
            raise Unfit(message, scheme="DPoP")
        if not bound and scheme.lower() == b"dpop":
            raise Unfit("The token is not bound to a key: there is nothing that a DPoP proof could prove.")
        if bound:
            verified.requester = msgspec.structs.replace(verified.requester, scheme="DPoP")
        return verified

    async def _read(self, token: bytes, now: float) -> _Verified:
        try:
            signed = read_jwt(token)
            header = msgspec.convert(signed.protected, _Header)
            payload: dict[str, Any] = msgspec.json.decode(signed.payload or b"", type=dict[str, Any])
        except RepeatedMember as error:
            raise Unfit("The token has a member twice: its issuer must write each once.") from error
        except (JoseError, msgspec.MsgspecError, ValueError, TypeError, RecursionError) as error:
            jose = token.startswith(_JOSE) and b"." in token
            introspector = None if jose else opaque_issuer(self._introspectors.values(), token)
            if introspector is None:
                raise Unfit("The token is not a JWT access token.") from error
            return await self._opaque(introspector, token, now)
        issuer, thumbprint = await self._signer(signed, header, payload.get("iss"))
        verified = self._accept(payload, issuer, thumbprint, header.typ, now)
        introspector = self._introspectors.get(issuer.settings.issuer)
        if introspector is not None and introspector.settings.jwts:
            await self._in_force(introspector, token, now)
            verified.until = min(verified.until, now + introspector.settings.keep)
        return verified

    async def _signer(self, signed: jws.CompactSignature, header: _Header, named: object) -> tuple[Issuer, str]:
        """The issuer whose signature a JWT has, and the thumbprint of its key."""
        if header.alg not in ALGORITHMS:
            raise Unfit(f"The token must be signed with one of {', '.join(ALGORITHMS)}.")
        if header.crit is not None:
            raise Unfit("The token's header has a `crit` extension that is not understood.")
        issuer = self._issuers.get(named) if isinstance(named, str) else None
        wanted = issuer.settings.access_tokens.typ if issuer is not None else "at+jwt"
        typ = (header.typ or "").lower()
        if typ not in _TYPES and typ != wanted.lower():
            raise Unfit(f"The token is not an access token: its `typ` must be `{wanted}`.")
        if issuer is None:
            who = f", but from `{named[:100]}`{suggest(named, self._issuers)}" if isinstance(named, str) else ""
            raise Unfit(f"The token is not from an issuer that is trusted here{who}.")
        try:
            key = await issuer.key(header.kid, header.alg)
        except IssuerUnavailable as error:
            message = "The keys of the token's issuer are out of reach; try later."
            raise Unfit(message, retryable=True) from error
        if key is None:
            raise Unfit("The token is signed with a key that its issuer does not publish.")
        try:
            valid = jws.validate_compact(signed, key.jwk, registry=REGISTRY)
        except (JoseError, ValueError, TypeError):
            valid = False
        if not valid:
            raise Unfit("The token's signature is wrong.")
        return issuer, key.thumbprint

    async def _opaque(self, introspector: Introspector, token: bytes, now: float) -> _Verified:
        answer = await self._in_force(introspector, token, now)
        settings = introspector.issuer.settings
        payload = claims.introspected(answer, settings.issuer, now)
        if not settings.audience_told:
            payload.setdefault("aud", settings.audience or self._audience)
        verified = self._accept(payload, introspector.issuer, None, None, now)
        verified.until = min(verified.until, now + introspector.settings.keep)
        return verified

    async def _in_force(self, introspector: Introspector, token: bytes, now: float) -> dict[str, Any]:
        try:
            answer = await introspector.claims(token, now)
        except IssuerUnavailable as error:
            message = "The token's issuer cannot be asked about it now; try later."
            raise Unfit(message, retryable=True) from error
        if answer is None:
            raise Unfit("The token is unknown to its issuer, expired or revoked; get a new one.")
        return answer

    def _accept(
        self, payload: dict[str, Any], issuer: Issuer, thumbprint: str | None, typ: str | None, now: float
    ) -> _Verified:
        settings = issuer.settings
        terms = claims.Terms(
            settings.audience or self._audience,
            self._max_lifetime,
            settings.official_claim,
            settings.access_tokens.client_claim if typ is not None else "client_id",
            settings.person_claim,
            typed=typ is None or typ.lower() in _TYPES,
        )
        requester, binding = claims.requester(payload, terms, now)
        return _Verified(issuer, thumbprint, requester.expires, requester, binding)


def _single(headers: Iterable[tuple[bytes, bytes]], wanted: bytes) -> bytes | None:
    """The one header of this name, or `None`; raises `Unfit` for several."""
    found = [value for name, value in headers if name == wanted]
    if len(found) > 1:
        raise Unfit(f"There is more than one {wanted.decode()} header; send one.", "invalid_dpop_proof")
    return found[0] if found else None


def registered_as(requester: Requester, entry: RequesterEntry | None) -> Requester:
    """The same token's requester with what the rule set in force has about its client."""
    if entry is None:
        return msgspec.structs.replace(
            requester, department="", roles=frozenset(), grants=(), registry=None, reports_changes=False
        )
    return msgspec.structs.replace(
        requester,
        department=entry.department,
        roles=entry.roles,
        grants=entry.grants,
        registry=entry.registry,
        reports_changes=entry.reports_changes,
    )


def _quotable(text: str) -> str:
    """Text as RFC 6750 lets it stand in a challenge's quoted string."""
    return "".join(c if " " <= c <= "~" and c not in '"\\' else "'" for c in text)[:300]
