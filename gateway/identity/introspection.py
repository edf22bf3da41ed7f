"""Asks an issuer whether a token is in force (RFC 7662), for tokens that only it can read.

Invariants: a token is shown to its own issuer only (`token_prefix` tells whose an opaque one is); whatever tokens
arrive, at most `TOGETHER` questions are under way at once, one for each token, and what is not in force is not asked
about again for `REFUSED_FOR` seconds; tokens that were in force before are asked about before all others, and of these
each address has its turn, so that strangers wait for strangers; an issuer that is down refuses its own tokens only. How
long a good answer is kept is the caller's affair, within the `keep` of the issuer's settings.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import warnings
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote_plus

import msgspec
from cachetools import LRUCache
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, OKPKey, RSAKey, import_key

from gateway.bounds.address import asked_from, share_of
from gateway.bounds.turns import Turns
from gateway.config.oauth import IntrospectionSettings
from gateway.errors import Crowded, IssuerUnavailable
from gateway.identity.issuers import Issuer
from gateway.saying import in_words

TOGETHER = 32
EACH = 16
"""Of these, questions about what one address sent."""
WAITING = 256
"""Tokens of one address that may wait to be asked about, and `WAIT` is how many seconds each may."""
WAIT = 5.0
REFUSED_FOR = 5.0
_TOKEN = re.compile(rb"[A-Za-z0-9._~+/-]+=*")
_SIGNED_FOR = 60


class Introspector:
    """Asks one issuer, by its `settings`."""

    def __init__(self, issuer: Issuer, settings: IntrospectionSettings) -> None:
        self.issuer = issuer
        self.settings = settings
        self._running: dict[bytes, asyncio.Task[dict[str, Any] | None]] = {}
        self._refused: LRUCache[bytes, float] = LRUCache(4096)
        self._good: LRUCache[bytes, None] = LRUCache(4096)
        self._turns = Turns(TOGETHER, EACH, WAITING)

    async def claims(self, token: bytes, now: float) -> dict[str, Any] | None:
        """The token's claims, or `None` where it is not in force; raises `IssuerUnavailable`.

        `now` in seconds since the epoch. Whoever asks about the same token at once shares one question.
        """
        digest = hashlib.sha256(token).digest()
        if self._refused.get(digest, 0.0) > now:
            return None
        task = self._running.get(digest)
        if task is None:
            task = self._running[digest] = asyncio.create_task(self._in_turn(token, known=digest in self._good))
            task.add_done_callback(lambda done: self._done(digest, done))
        claims = await asyncio.shield(task)
        if claims is None:
            self._refused[digest] = now + REFUSED_FOR
            self._good.pop(digest, None)
        else:
            self._good[digest] = None
        return claims

    def _done(self, digest: bytes, task: asyncio.Task[dict[str, Any] | None]) -> None:
        del self._running[digest]
        if not task.cancelled():
            task.exception()

    async def _in_turn(self, token: bytes, *, known: bool) -> dict[str, Any] | None:
        address = share_of(asked_from.get())
        try:
            async with asyncio.timeout(WAIT):
                await self._turns.take(address, first=known)
        except (Crowded, TimeoutError) as error:
            raise IssuerUnavailable("too many tokens wait to be asked about") from error
        try:
            return await self._ask(token)
        finally:
            self._turns.give(address)

    async def _ask(self, token: bytes) -> dict[str, Any] | None:
        url = self.settings.url or await self.issuer.endpoint("introspection_endpoint")
        form = {"token": token.decode("ascii"), "token_type_hint": "access_token"}
        try:
            own, auth = self._credentials()
        except (OSError, ValueError, JoseError) as error:
            raise IssuerUnavailable(f"the gateway's own credentials cannot be read: {in_words(error)}") from error
        answer = await self.issuer.post(url, form | own, auth)
        return answer if answer.get("active") is True else None

    def _credentials(self) -> tuple[dict[str, str], tuple[str, str] | None]:
        """What shows the issuer who asks: form members, and a pair for HTTP Basic. Files are read anew each time."""
        client = self.settings.client_id
        if self.settings.secret_file is not None:
            secret = self.settings.secret_file.read_text("utf-8").strip()
            return {}, (quote_plus(client), quote_plus(secret))  # RFC 6749, 2.3.1
        from authlib.oauth2.rfc7523 import private_key_jwt_sign  # fifty modules, only where a key is configured

        assert self.settings.key_file is not None
        key, algorithm = _signing_key(self.settings.key_file.read_text("utf-8"))
        header = {"kid": key.kid} if key.kid else {}
        signed = private_key_jwt_sign(
            key, client, self.issuer.settings.issuer, alg=algorithm, header=header, expires_in=_SIGNED_FOR
        )
        kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        return {"client_id": client, "client_assertion_type": kind, "client_assertion": signed}, None


def _signing_key(text: str) -> tuple[RSAKey | ECKey | OKPKey, str]:
    """A private key, PEM or JWK, and the algorithm that it signs with; raises `ValueError`, `JoseError`."""
    with warnings.catch_warnings(action="ignore", category=SecurityWarning):  # the kind of a PEM key is found out
        key = import_key(msgspec.json.decode(text, type=dict[str, Any]) if text.lstrip().startswith("{") else text)
    if key.is_private:
        if isinstance(key, RSAKey):
            return key, "RS256"
        if isinstance(key, ECKey) and key.curve_name == "P-256":
            return key, "ES256"
        if isinstance(key, OKPKey):
            return key, "EdDSA"
    raise ValueError("not a private key: RSA, P-256 or Ed25519")


def opaque_issuer(introspectors: Iterable[Introspector], token: bytes) -> Introspector | None:
    """Who is asked about an opaque token: the issuer with the longest prefix that it begins with."""
    if not _TOKEN.fullmatch(token):
        return None
    fitting = [each for each in introspectors if token.startswith(each.settings.token_prefix.encode())]
    return max(fitting, key=lambda each: len(each.settings.token_prefix), default=None)
