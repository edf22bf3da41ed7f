"""A token's claims -> a Requester, and what its holder must prove besides.

Follows RFC 9068 (claims), RFC 7662 (an introspection answer has the same claims), RFC 8693 (`act`: the outermost actor
is the official, those before it are told to oversight and decide nothing), OpenID Connect (`auth_time`), RFC 9396
(`authorization_details` that are not understood refuse the token, since they narrow it) and RFC 7800 (`cnf`: a
confirmation that is not understood refuses the token too). Of `authorization_details` an entry is another API's only if
its type is well formed and cannot be ours misspelt: whoever wrote ours wrongly meant to narrow. A subject's own token
(`self`) opens nothing else, and its `sub` is the human who signed in, never an official.
Whether a token is genuine is `authenticate`'s affair. Pure.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, NamedTuple, TypeVar

import msgspec

from gateway.config.oauth import MAX_LIFETIME, SCOPES
from gateway.errors import Unfit
from gateway.inquiry.types import Narrowing, Requester
from gateway.values import MOST_NAME, is_name

_T = TypeVar("_T")

LEEWAY = 5.0
"""Seconds that an issuer's clock may be ahead of ours. There is none for `exp`: what has expired has expired."""
MAX_ACTORS = 9
_TYPE = "subject-inquiry"
_FOREIGN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~:/?#@!$&'()*+,;=%-]{0,255}")
"""What another API's type may look like: a name or a URI."""
_LETTERS = re.sub(r"[^a-z]", "", _TYPE)
_SLIPS = 3
"""So many letters missing, added or exchanged make a type ours, misspelt."""


class Terms(msgspec.Struct, frozen=True):
    """What one issuer's tokens must be: for this audience, and in force for at most `max_lifetime` seconds.

    `official_claim` names the claim that holds the official, instead of `act.sub` and `sub`; `person_claim` the one
    that all accounts of one human share; `client_claim` the one of the client. Not `typed`: their header does not tell
    access tokens from an `id_token`.
    """

    audience: str
    max_lifetime: float = MAX_LIFETIME
    official_claim: str | None = None
    client_claim: str = "client_id"
    person_claim: str | None = None
    typed: bool = True


class Binding(NamedTuple):
    """What a token is bound to: the thumbprint of a DPoP key (`jkt`), of a client certificate (`x5t#S256`), or both."""

    key: str | None
    certificate: str | None


_NARROWING = ("act", "cnf", "authorization_details")
"""Claims that take something from a token: where one says nothing, nobody knows what was meant."""

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
    auth_time: _Seconds | None = None
    cnf: _Confirmation | None = None
    authorization_details: list[dict[str, Any]] = []
    identifier: Any = None


class _Identifier(msgspec.Struct, forbid_unknown_fields=True):
    scheme: str
    value: str


class _Own(msgspec.Struct, forbid_unknown_fields=True):
    """The identifier of whoever signed in: one that could be a scheme's."""

    scheme: Annotated[str, msgspec.Meta(pattern="^[A-Z][A-Z0-9_]{0,30}\\Z")]
    value: Annotated[str, msgspec.Meta(pattern="^[!-~]{1,64}\\Z")]


_Named = Annotated[str, msgspec.Meta(pattern="^[^:]+:.+$")]
"""`<scheme>:<value>`: where `identifier` stands in `authorization_details`, RFC 9396 (2.2) wants a string."""


class _Detail(msgspec.Struct, forbid_unknown_fields=True):
    type: str
    purpose: str | None = None
    case: str | None = None
    datasets: list[str] | None = None
    identifier: _Identifier | _Named | None = None


def requester(payload: Mapping[str, Any], terms: Terms, now: float) -> tuple[Requester, Binding | None]:
    """The requester that a genuine token makes at `now` (seconds since the epoch), without what a rule set has about
    it.

    Raises `Unfit`.
    """
    if terms.client_claim != "client_id":
        payload = _with_client(payload, terms.client_claim)
    for claim in _NARROWING:
        if payload.get(claim, claim) is None:
            raise Unfit(f"A claim of the token is wrong: `{claim}` is null; leave it out, or give it a value.")
    try:
        claims = msgspec.convert(payload, _Claims)
        narrowing = tuple(_narrowings(claims.authorization_details))
        scopes = frozenset(claims.scope.split(" ")) - {""}  # RFC 6749, 3.3: no other space divides
        identifier = _within(claims.identifier, _Own, "identifier") if "self" in scopes else None
    except msgspec.ValidationError as error:
        raise Unfit(f"A claim of the token is wrong: {_claim(error)}.") from error
    audiences = [claims.aud] if isinstance(claims.aud, str) else claims.aud
    if terms.audience not in audiences:
        found = ", ".join(f"`{_short(each)}`" for each in audiences[:3]) or "nobody"
        raise Unfit(f"The token is for another audience: {found}, and not `{terms.audience}`, which is this gateway.")
    if not terms.typed:
        _refuse_id_token(payload, claims.client_id in audiences)
    if not claims.client_id or not claims.sub:
        raise Unfit("The token must name its `client_id` and `sub`.")
    if claims.exp <= now:
        raise Unfit("The token has expired; get a new one.")
    if claims.nbf > now + LEEWAY or claims.iat > now + LEEWAY:
        raise Unfit("The token is not valid yet; compare the clocks.")
    if claims.auth_time is not None and claims.auth_time > now + LEEWAY:
        raise Unfit("The token's human signs in later than now (`auth_time`); compare the clocks.")
    if claims.exp - claims.iat > terms.max_lifetime:
        raise Unfit(f"The token lives too long: at most {terms.max_lifetime:.0f} seconds from `iat` to `exp`.")
    binding = None if claims.cnf is None else Binding(claims.cnf.jkt, claims.cnf.x5t)
    if binding == (None, None):
        raise Unfit("The token is bound in a way that is not understood here: its `cnf` is empty.")
    actors = tuple(_actors(claims.act))
    if identifier is not None:
        _check_own(claims, scopes, actors)
        official = None
    else:
        official = _official(payload, claims, actors, terms.official_claim)
    made = Requester(
        issuer=claims.iss,
        client=claims.client_id,
        official=official,
        scopes=scopes,
        expires=claims.exp,
        acr=claims.acr,
        narrowing=narrowing,
        identifier=(identifier.scheme, identifier.value) if identifier else None,
        actors=actors[1:],
        auth_time=claims.auth_time,
        person=_person(payload, claims.sub if identifier else None, official, terms.person_claim),
    )
    _check_names(made)
    return made, binding


def _check_names(made: Requester) -> None:
    """Raises `Unfit` where somebody whom an entry would name cannot be entered."""
    named = (("issuer", made.issuer), ("client", made.client), ("official", made.official), ("person", made.person))
    for what, name in (*named, *(("actor", each) for each in made.actors)):
        if name is not None and not is_name(name):
            raise Unfit(
                f"The token's {what} cannot be entered: its name must have 1 to {MOST_NAME} characters, not all of them"
                " spaces, and no control characters."
            )


def introspected(answer: Mapping[str, Any], issuer: str, now: float) -> dict[str, Any]:
    """An introspection answer as the claims of a token; raises `Unfit` where it is another issuer's or no access token.

    What RFC 7662 leaves open and RFC 9068 does not is filled in: the issuer is the one that was asked, a client that
    acts for itself is its own `sub`, the token was made by now. `exp` and `aud` stay mandatory.
    """
    if answer.get("iss", issuer) != issuer:
        raise Unfit("The token is from another issuer than the one that knows it.")
    kind = str(answer.get("token_type", "Bearer")).lower()
    if kind not in ("bearer", "dpop"):
        raise Unfit("The token is not an access token.")
    confirmation = answer.get("cnf")
    if kind == "dpop" and not (isinstance(confirmation, dict) and "jkt" in confirmation):
        raise Unfit(
            "The token's issuer marks it as bound to a key (`token_type`), but does not name the key: `cnf.jkt`."
        )
    return {"iss": issuer, "sub": answer.get("client_id"), "iat": now, **answer}


def _with_client(payload: Mapping[str, Any], claim: str) -> Mapping[str, Any]:
    """The claims with the client where RFC 9068 has it; raises `Unfit` where they name two, or none."""
    named = payload.get(claim)
    if not isinstance(named, str) or not named:
        raise Unfit(f"A claim of the token is wrong: `{claim}` must name its client.")
    if payload.get("client_id", named) != named:
        raise Unfit(f"The token names two clients: one in `client_id`, another in `{claim}`.")
    return {**payload, "client_id": named}


_OF_LOGIN = ("nonce", "at_hash", "c_hash", "s_hash", "events")
"""What OpenID Connect puts into tokens that tell a client who signed in, or out."""


def _refuse_id_token(payload: Mapping[str, Any], for_its_client: bool) -> None:
    """Raises `Unfit` for what is, or may be, a token that tells its client who signed in."""
    kind = payload.get("typ", payload.get("token_use", "Bearer"))
    if not isinstance(kind, str) or kind.lower() not in ("bearer", "dpop", "access"):
        raise Unfit(f"The token is no access token: its claims call it `{_short(kind)}`.")
    for claim in _OF_LOGIN:
        if claim in payload:
            raise Unfit(f"The token is no access token: it has `{claim}`, as an `id_token` has.")
    if for_its_client or not isinstance(payload.get("scope"), str):
        raise Unfit("The token may be an `id_token`: it is for the client that shows it, or has no `scope`.")


def _short(found: object) -> str:
    text = str(found)
    return text if len(text) <= 100 else f"{text[:100]}..."


def _official(
    payload: Mapping[str, Any], claims: _Claims, actors: tuple[str, ...], official_claim: str | None
) -> str | None:
    if official_claim is not None:
        named = payload.get(official_claim)
        if named is not None and (not isinstance(named, str) or not named):
            raise Unfit(f"A claim of the token is wrong: `{official_claim}` must name the official.")
        return named
    if actors and actors[0] != claims.client_id:
        return actors[0]
    return claims.sub if claims.sub != claims.client_id else None


def _check_own(claims: _Claims, scopes: frozenset[str], actors: tuple[str, ...]) -> None:
    """Raises `Unfit` where a subject's own token opens something else, or does not say which human it is."""
    others = [each for each in scopes - {"self"} if each in SCOPES or each.startswith("inquire:")]
    if others:
        raise Unfit(
            f"A subject's own token has the scope `self` and no other of this gateway, and not `{min(others)}`."
        )
    if claims.sub == claims.client_id:
        raise Unfit("A subject's own token must name in `sub` the human who signed in, and not its client.")
    if any(actor != claims.client_id for actor in actors):
        raise Unfit("A subject's own token is used by nobody else: it must name no actor (`act`) but its client.")


def _person(payload: Mapping[str, Any], own: str | None, official: str | None, person_claim: str | None) -> str | None:
    """The human behind a token, by the name that all its accounts share; raises `Unfit` where it is left out."""
    if person_claim is None or (own is None and official is None):
        return own
    named = payload.get(person_claim)
    if not isinstance(named, str) or not named:
        raise Unfit(f"A claim of the token is wrong: `{person_claim}` must name the person.")
    return named


def _actors(act: Any) -> Iterator[str]:
    """Who acted, the outermost actor first (RFC 8693, 4.1); raises `Unfit` where that is unclear."""
    count = 0
    while act is not None:
        actor = act.get("sub") if isinstance(act, dict) else None
        if not isinstance(actor, str) or not actor or count == MAX_ACTORS:
            raise Unfit("A claim of the token is wrong: `act` must name each actor by `sub`, at most nine of them.")
        yield actor
        count, act = count + 1, act.get("act")


def _narrowings(details: list[dict[str, Any]]) -> Iterator[Narrowing]:
    """The entries that are meant for this gateway; raises `Unfit` where that cannot be told of one."""
    for detail in details:
        kind = detail.get("type")
        if kind == _TYPE:
            yield _narrowing(detail)
        elif not isinstance(kind, str) or not _FOREIGN.fullmatch(kind) or _is_near(kind):
            found = f"nearly `{_TYPE}`" if isinstance(kind, str) else f"no text, as `{_TYPE}`"
            raise Unfit(f"A claim of the token is wrong: a `type` of `authorization_details` is {found}.")


def _is_near(kind: str) -> bool:
    """Whether a type may be ours, misspelt: by its letters alone, within a longer one, or but for a few."""
    letters = re.sub(r"[^a-z]", "", unicodedata.normalize("NFKC", kind).casefold())
    return _LETTERS in letters or _slips(letters, _LETTERS) <= _SLIPS


def _slips(one: str, other: str) -> int:
    """How many letters must be added, dropped or exchanged to make one word of the other (Levenshtein)."""
    row = list(range(len(other) + 1))
    for count, letter in enumerate(one, 1):
        before, row[0] = row[0], count
        for at, wanted in enumerate(other, 1):
            before, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, before + (letter != wanted))
    return row[-1]


def _narrowing(raw: dict[str, Any]) -> Narrowing:
    for name, value in raw.items():
        if value is None:
            raise Unfit(f"A claim of the token is wrong: `{name}` of `authorization_details` is null; leave it out.")
    detail = _within(raw, _Detail, "authorization_details")
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


def _within(given: object, kind: type[_T], claim: str) -> _T:
    """What stands in a claim; raises `Unfit`, which names it."""
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        raise Unfit(f"A claim of the token is wrong: in `{claim}`, {_claim(error)}.") from error


def _claim(error: msgspec.ValidationError) -> str:
    """What msgspec says of the shape of a claim, which quotes names of claims and no value but a wrong `type`'s."""
    return str(error).replace("`$.", "`")
