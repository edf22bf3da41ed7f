"""Proofs that whoever sends a token holds the key that it is bound to (RFC 9449).

Invariants: a proof is for exactly one token, method and address, is signed with the token's own key by an asymmetric
algorithm, is no older than `max_age` and counts once, on every replica that shares the memory of proofs. Where nonces
are asked for, a proof has one of ours, which were given out within the last two `NONCE_LIFE`; they are made from the
time, the memory's name and a secret, so that replicas with one secret take each other's, and none from before a memory
was lost. A memory out of reach refuses.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from cachetools import LRUCache
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from joserfc import jws
from joserfc.errors import JoseError

from gateway.config.oauth import DPoPSettings
from gateway.errors import Unfit
from gateway.identity.issuers import ALGORITHMS, REGISTRY, Key, read_key
from gateway.identity.jwt import RepeatedMember, read_jwt
from gateway.identity.replay import Forgotten, Replays, ReplaysUnavailable

MAX_PROOF = 4096
MAX_URL = 2048
LEEWAY = 5.0
"""Seconds that a client's clock may be ahead of ours."""
NONCE_LIFE = 120.0

_URL = re.compile(r"[!-~]+")
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


def _refused(message: str) -> Unfit:
    return Unfit(message, "invalid_dpop_proof")


def _unchecked() -> Unfit:
    return Unfit("DPoP proofs cannot be checked for reuse now; try later.", retryable=True)


class _Header(msgspec.Struct):
    typ: str
    alg: str
    jwk: dict[str, Any]
    crit: Any = None


class _Claims(msgspec.Struct):
    jti: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    htm: str
    htu: str
    iat: Annotated[float, msgspec.Meta(ge=0, le=1e12)]
    ath: str
    nonce: str | None = None


class Proofs:
    """Checks proofs for requests to `url`, the public address of what is asked.

    The first of `secrets` makes the nonces, and those of each count: replicas share them. `replays` remembers the
    proofs that were taken.
    """

    def __init__(self, url: str, settings: DPoPSettings, secrets: Sequence[bytes], replays: Replays) -> None:
        self._url = _normal(url)
        self._settings = settings
        self._secrets = secrets
        self._replays = replays
        self._keys: LRUCache[str, tuple[dict[str, Any], Key]] = LRUCache(1024)

    async def check(
        self, proof: bytes | None, token: bytes, thumbprint: str, method: str, now: float, url: str | None = None
    ) -> None:
        """Take the proof for this token, bound to the key with this thumbprint; raises `Unfit`.

        `now` in seconds since the epoch. `url` is what is asked, where it is another than usual.
        """
        asked = self._url if url is None else _normal(url)
        if proof is None:
            raise _refused("The token is bound to a key: send a proof of it in the DPoP header.")
        if len(proof) > MAX_PROOF:
            raise _refused(f"The DPoP proof is longer than {MAX_PROOF} bytes.")
        claims = self._verified(proof, thumbprint)
        if claims.htm != method:
            raise _refused(f"The DPoP proof is for another method: its `htm` must be `{method}`.")
        if len(claims.htu) > MAX_URL or asked is None or _normal(claims.htu) != asked:
            raise _refused(f"The DPoP proof is for another address: its `htu` must be `{asked}`.")
        if not hmac.compare_digest(claims.ath.encode(), _b64(hashlib.sha256(token).digest())):
            raise _refused("The DPoP proof is for another token: its `ath` must be the token's SHA-256.")
        try:
            memory = await self._replays.memory()
        except ReplaysUnavailable as error:
            raise _unchecked() from error
        if self._settings.nonce and not self._ours(claims.nonce, now, memory):
            raise self._without(now, memory)
        if not now - self._settings.max_age <= claims.iat <= now + LEEWAY:
            raise _refused("The DPoP proof is too old, or from the future: compare the clocks.")
        try:
            seen = hashlib.sha256(f"{thumbprint}\n{claims.jti}".encode()).digest()[:16]
            first = await self._replays.first(seen, self._settings.max_age + LEEWAY + 1, now, memory)
        except ReplaysUnavailable as error:
            raise _unchecked() from error
        except Forgotten:
            raise await self._after_loss(now) from None
        if not first:
            raise _refused("The DPoP proof was used before; make a new one for every request.")

    def _verified(self, proof: bytes, thumbprint: str) -> _Claims:
        try:
            signed = read_jwt(proof)
            header = msgspec.convert(signed.protected, _Header)
            claims = msgspec.json.decode(signed.payload or b"", type=_Claims)
        except RepeatedMember as error:
            raise _refused("The DPoP proof has a member twice: write each once.") from error
        except msgspec.ValidationError as error:
            raise _refused(f"The DPoP proof is incomplete: {str(error).replace('`$.', '`')}.") from error
        except (JoseError, msgspec.MsgspecError, ValueError, TypeError, RecursionError) as error:
            raise _refused("The DPoP header is not a proof: it must be one signed JWT.") from error
        if header.typ.lower() not in ("dpop+jwt", "application/dpop+jwt"):
            raise _refused("The DPoP header is not a proof: its `typ` must be `dpop+jwt`.")
        if header.alg not in ALGORITHMS:
            raise _refused(f"The DPoP proof must be signed with one of {', '.join(ALGORITHMS)}.")
        if header.crit is not None:
            raise _refused("The DPoP proof's header has a `crit` extension that is not understood.")
        key = self._key(header.jwk, thumbprint)
        if header.alg != key.algorithm:
            raise _refused("The DPoP proof is signed with another algorithm than its key is for.")
        try:
            valid = jws.validate_compact(signed, key.jwk, registry=REGISTRY)
        except (JoseError, ValueError, TypeError):
            valid = False
        if not valid:
            raise _refused("The DPoP proof's signature is wrong.")
        return claims

    def _key(self, jwk: dict[str, Any], thumbprint: str) -> Key:
        """The key of a proof, which must be the one that the token is bound to; read once."""
        known = self._keys.get(thumbprint)
        if known is not None and known[0] == jwk:
            return known[1]
        if not _PRIVATE.isdisjoint(jwk):
            raise _refused("The DPoP proof shows a private key: make a new pair, and keep that one secret.")
        key = read_key(jwk)
        if key is None:
            raise _refused("The DPoP proof's key must be RSA (2048 bits or more), P-256 or Ed25519.")
        if key.thumbprint != thumbprint:
            raise _refused("The DPoP proof is by another key than the one that the token is bound to.")
        self._keys[thumbprint] = (jwk, key)
        return key

    def _without(self, now: float, memory: str) -> Unfit:
        message = "The DPoP proof must have the nonce that the DPoP-Nonce header gives."
        return Unfit(message, "use_dpop_nonce", nonce=self.nonce(now, memory))

    async def _after_loss(self, now: float) -> Unfit:
        """Why a proof is refused that was meant for a memory that is gone: it may have been used before."""
        if not self._settings.nonce:
            return _refused("What remembers DPoP proofs has begun anew: make a new proof.")
        try:
            return self._without(now, await self._replays.memory())
        except ReplaysUnavailable:
            return _unchecked()

    def nonce(self, now: float, memory: str = "") -> str:
        """The nonce that is given out at `now`, for proofs that the memory of that name will remember."""
        return self._made(self._secrets[0], int(now // NONCE_LIFE), memory)

    def _ours(self, nonce: str | None, now: float, memory: str) -> bool:
        turn = int(now // NONCE_LIFE)
        given = (nonce or "").encode()
        made = [self._made(secret, each, memory) for secret in self._secrets for each in (turn, turn - 1)]
        return any(hmac.compare_digest(given, each.encode()) for each in made)

    @staticmethod
    def _made(secret: bytes, turn: int, memory: str) -> str:
        return _b64(hmac.digest(secret, b"dpop nonce %d %b" % (turn, memory.encode()), "sha256")).decode()


def nonce_secret(of: bytes) -> bytes:
    """A secret for nonces, from one that all processes share, and which cannot be found from it (RFC 5869)."""
    return HKDF(SHA256(), 32, None, b"dutybound dpop nonces").derive(of)


def _b64(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


@lru_cache(256)
def _normal(url: str) -> str | None:
    """A URL as RFC 9449 compares it: normal scheme, host, port and path, without query and fragment.

    None for what is no address of a request: `urlsplit` would drop tabs and line ends, and pass over who is named
    before the host.
    """
    if not _URL.fullmatch(url):
        return None
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return None
    if not host or "@" in parts.netloc:
        return None
    if ":" in host:
        host = f"[{host}]"
    if port not in (None, {"https": 443, "http": 80}.get(parts.scheme)):
        host += f":{port}"
    return f"{parts.scheme}://{host}{parts.path or '/'}"
