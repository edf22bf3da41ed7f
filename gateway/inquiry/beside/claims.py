"""What a token says -> a Requester, and what its holder must prove besides.

Follows RFC 9068 (claims), RFC 7662 (an introspection answer has the same claims), RFC 8693 (`act`: the outermost actor
is the official, those before it are told to oversight and decide nothing), RFC 9396 (`authorization_details` that are
not understood refuse the token, since they narrow it) and RFC 7800 (`cnf`: a confirmation that is not understood
refuses the token too). Whether a token is genuine is `authenticate`'s affair. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple

import msgspec

from gateway.errors import Unfit
from gateway.inquiry.types import Narrowing, Requester

LEEWAY = 5.0
"""Seconds that an issuer's clock may be ahead of ours. There is none for `exp`: what has expired has expired."""
MAX_ACTORS = 8


class Binding(NamedTuple):
    """What a token is bound to: the thumbprint of a DPoP key (`jkt`), of a client certificate (`x5t#S256`), or both."""

    key: str | None
    certificate: str | None


_Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e12)]
_Thumbprint = Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9_-]{43}$")]


class _Confirmation(msgspec.Struct, forbid_unknown_fields=True):
    jkt: _Thumbprint | None = None
    x5t: _Thumbprint | None = msgspec.field(default=None, name="x5t#S256")


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
    cnf: _Confirmation | None = None
    authorization_details: list[dict[str, Any]] = []
    identifier: Any = None


class _Identifier(msgspec.Struct, forbid_unknown_fields=True):
    scheme: str
    value: str


_Named = Annotated[str, msgspec.Meta(pattern="^[^:]+:.+$")]
"""`<scheme>:<value>`: where `identifier` stands in `authorization_details`, RFC 9396 (2.2) wants a string."""


class _Detail(msgspec.Struct, forbid_unknown_fields=True):
    type: Literal["subject-inquiry"]
    purpose: str | None = None
    case: str | None = None
    datasets: list[str] | None = None
    identifier: _Identifier | _Named | None = None


def requester(
    payload: Mapping[str, Any], audience: str, official_claim: str | None, now: float
) -> tuple[Requester, Binding | None]:
    """The requester that a genuine token makes at `now` (seconds since the epoch), without what a rule set says of it.

    Raises `Unfit`.
    """
    try:
        claims = msgspec.convert(payload, _Claims)
        narrowing = tuple(map(_narrowing, filter(_is_inquiry, claims.authorization_details)))
        scopes = frozenset(claims.scope.split())
        identifier = msgspec.convert(claims.identifier, _Identifier) if "self" in scopes else None
    except msgspec.ValidationError as error:
        raise Unfit(f"A claim of the token is wrong: {_claim(error)}.") from error
    if audience not in ([claims.aud] if isinstance(claims.aud, str) else claims.aud):
        raise Unfit("The token is for another audience.")
    if not claims.client_id or not claims.sub:
        raise Unfit("The token must name its `client_id` and `sub`.")
    if claims.exp <= now:
        raise Unfit("The token has expired; get a new one.")
    if claims.nbf > now + LEEWAY or claims.iat > now + LEEWAY:
        raise Unfit("The token is not valid yet; compare the clocks.")
    binding = None if claims.cnf is None else Binding(claims.cnf.jkt, claims.cnf.x5t)
    if binding == (None, None):
        raise Unfit("The token is bound in a way that is not understood here: its `cnf` is empty.")
    made = Requester(
        issuer=claims.iss,
        client=claims.client_id,
        official=_official(payload, claims, official_claim),
        scopes=scopes,
        expires=claims.exp,
        acr=claims.acr,
        narrowing=narrowing,
        identifier=(identifier.scheme, identifier.value) if identifier else None,
        actors=_earlier(claims.act),
    )
    return made, binding


def introspected(answer: Mapping[str, Any], issuer: str) -> dict[str, Any]:
    """An introspection answer as the claims of a token; raises `Unfit` where it is another issuer's or no access token.

    What RFC 7662 leaves open and RFC 9068 does not is filled in: the issuer is the one that was asked, a client that
    acts for itself is its own `sub`. `exp` and `aud` stay mandatory.
    """
    if answer.get("iss", issuer) != issuer:
        raise Unfit("The token is from another issuer than the one that knows it.")
    if str(answer.get("token_type", "Bearer")).lower() not in ("bearer", "dpop"):
        raise Unfit("The token is not an access token.")
    return {"iss": issuer, "sub": answer.get("client_id"), "iat": 0, **answer}


def _official(payload: Mapping[str, Any], claims: _Claims, official_claim: str | None) -> str | None:
    if official_claim is not None:
        named = payload.get(official_claim)
        return named if isinstance(named, str) and named else None
    actor = claims.act.get("sub") if claims.act else None
    if isinstance(actor, str) and actor and actor != claims.client_id:
        return actor
    return claims.sub if claims.sub != claims.client_id else None


def _earlier(act: dict[str, Any] | None) -> tuple[str, ...]:
    """Who acted before the outermost actor, the latest first (RFC 8693, 4.1); raises `Unfit` where that is unclear."""
    found: list[str] = []
    inner = act.get("act") if act else None
    while inner is not None:
        actor = inner.get("sub") if isinstance(inner, dict) else None
        if not isinstance(actor, str) or len(found) == MAX_ACTORS:
            raise Unfit("A claim of the token is wrong: `act` must name each actor by `sub`, at most nine of them.")
        found.append(actor)
        inner = inner.get("act")
    return tuple(found)


def _is_inquiry(detail: Mapping[str, Any]) -> bool:
    return detail.get("type") == "subject-inquiry"


def _narrowing(raw: dict[str, Any]) -> Narrowing:
    detail = msgspec.convert(raw, _Detail)
    identifier: tuple[str, str] | None = None
    if isinstance(detail.identifier, _Identifier):
        identifier = (detail.identifier.scheme, detail.identifier.value)
    elif detail.identifier is not None:
        scheme, _, value = detail.identifier.partition(":")
        identifier = (scheme, value)
    return Narrowing(
        purpose=detail.purpose,
        case=detail.case,
        datasets=None if detail.datasets is None else frozenset(detail.datasets),
        identifier=identifier,
    )


def _claim(error: msgspec.ValidationError) -> str:
    """What msgspec says of the shape of a claim, which quotes names of claims and no value but a wrong `type`'s."""
    return str(error).replace("`$.", "`")
