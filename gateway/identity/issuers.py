"""The authorization servers whose tokens count: where their keys are, and which are in force now.

Metadata by RFC 8414, else OpenID Connect Discovery; keys by RFC 7517. Invariants: only configured issuers are ever
asked; nothing that a token says (`jku`, `x5u`, `jwk`) leads to a key; answers are bounded in bytes and time, and no
redirect is followed; whatever tokens arrive, an issuer is asked at most once per interval; an issuer that is down
hurts its own tokens only, and its last keys serve on for a bounded time. Which claims a token needs is for others.
"""

from __future__ import annotations

import asyncio
import contextlib
import warnings
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec
from joserfc import jws
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from connectors.http.bounded import bounded_client
from connectors.http.transport import TransportOptions
from connectors.mapping import duplicate_keys
from gateway.config.oauth import IssuerSettings
from gateway.errors import IssuerUnavailable
from gateway.manage.states import Heard
from gateway.saying import in_words
from gateway.values import is_loopback

VerificationKey = RSAKey | ECKey | OKPKey

MAX_BYTES = 256 * 1024
MAX_KEYS = 64
_KINDS: Mapping[tuple[str, str | None], tuple[str, type[VerificationKey]]] = {
    ("RSA", None): ("RS256", RSAKey),
    ("EC", "P-256"): ("ES256", ECKey),
    ("OKP", "Ed25519"): ("EdDSA", OKPKey),
}
ALGORITHMS = tuple(algorithm for algorithm, _ in _KINDS.values())


class _Registry(jws.JWSRegistry):
    """joserfc's registry of the allowed algorithms. Its `EdDSA` means Ed25519 here (the keys are no others), so the
    warning that RFC 9864 calls the name ambiguous would tell nobody anything."""

    max_header_length = 4096

    def get_alg(self, name: str) -> Any:
        if name not in ALGORITHMS:
            raise UnsupportedAlgorithmError(name)
        return self.algorithms[name]


REGISTRY = _Registry(strict_check_header=False)
"""What signatures are read and checked with."""


class Ages(msgspec.Struct, frozen=True):
    """Bounds in seconds: keys are asked for again when `refresh` old and never used past `stale`.

    `interval` is the least time between two requests to an issuer; `timeout` bounds one request as a whole.
    """

    refresh: float = 600.0
    stale: float = 6 * 3600.0
    interval: float = 1.0
    timeout: float = 4.0


class Key(msgspec.Struct, frozen=True, eq=False):
    """A public key and the one algorithm it verifies; `thumbprint` (RFC 7638) identifies it, whatever its id."""

    kid: str | None
    algorithm: str
    thumbprint: str
    jwk: VerificationKey


def new_client() -> httpx.AsyncClient:
    """A client fit for asking issuers: one question per connection, no redirects, no proxy from the environment.

    Bounded are the wait, the body and all that stands around it. A connection is never used again: nothing in an
    introspection's answer names its token, so that one that came late could be taken for another token's.
    """
    return bounded_client(TransportOptions(3.0, 64, MAX_BYTES, gzip=False), httpx.create_ssl_context(trust_env=False))


class Issuer:
    """One authorization server and its keys.

    `http` gives the client to use; `now` seconds since the epoch, never falling. `heard` is told when its keys are out
    of reach, and when they are not any more.
    """

    def __init__(
        self,
        settings: IssuerSettings,
        http: Callable[[], httpx.AsyncClient],
        now: Callable[[], float],
        ages: Ages | None = None,
        heard: Heard | None = None,
    ) -> None:
        self.settings = settings
        self._http = http
        self._now = now
        self._ages = ages or Ages()
        self._heard = heard
        self._keys: dict[str, Key] = {}
        self._read_at = float("-inf")
        self._asked_at = float("-inf")
        self._metadata: Mapping[str, Any] | None = None
        self._discovered_at = float("-inf")
        self._failed_at = float("-inf")
        self._discovery = asyncio.Lock()
        self._refresh: asyncio.Task[None] | None = None

    async def key(self, kid: str | None, algorithm: str) -> Key | None:
        """The key in force with this id and algorithm; asks the issuer where it is unknown or the keys are old.

        Without an id the only key for the algorithm is meant. Raises `IssuerUnavailable` where no keys may be used.
        """
        now = self._now()
        if now - self._read_at > self._ages.stale or (
            self._find(kid, algorithm) is None and (self._asking() or now - self._asked_at >= self._ages.interval)
        ):
            await self._ask(now)
        else:
            self.freshen(now)
        found = self._find(kid, algorithm)
        if found is None and self._asked_at > self._read_at:  # it may have published the key since
            raise IssuerUnavailable("was asked a moment ago without success")
        return found

    async def endpoint(self, name: str) -> str:
        """The address that the issuer's metadata gives for `name`, as `jwks_uri`; raises `IssuerUnavailable`."""
        url = (await self._described()).get(name)
        if not isinstance(url, str) or not _allowed(url):
            raise IssuerUnavailable(f"its metadata has no usable {name}")
        return url

    async def promises(self, name: str) -> bool:
        """Whether the issuer's metadata has `true` for `name`; raises `IssuerUnavailable`."""
        return (await self._described()).get(name) is True

    async def _described(self) -> Mapping[str, Any]:
        """The issuer's metadata, read at most once an interval, and again when `stale`.

        Whoever waited while it was read without success is refused with it, and does not read it once more.
        """
        async with self._discovery:
            now = self._now()
            if self._metadata is None or now - self._discovered_at > self._ages.stale:
                if now - self._failed_at < self._ages.interval:
                    raise IssuerUnavailable("its metadata was asked for a moment ago without success")
                try:
                    async with _bounded(self._ages.timeout):
                        self._metadata = await self._discover()
                except BaseException:
                    self._failed_at = self._now()
                    raise
                self._discovered_at = now
            return self._metadata

    async def post(self, url: str, form: Mapping[str, str], auth: tuple[str, str] | None) -> dict[str, Any]:
        """The issuer's JSON answer to a form, with HTTP Basic `auth` where given; raises `IssuerUnavailable`."""
        async with _bounded(self._ages.timeout):
            return await self._send("POST", url, data=dict(form), auth=auth)

    def in_force(self, thumbprint: str | None, now: float) -> bool:
        """Whether a key is still published, as far as was heard within the `stale` bound; no key always is."""
        return thumbprint is None or (thumbprint in self._keys and now - self._read_at <= self._ages.stale)

    def freshen(self, now: float) -> None:
        """Ask in the background where the keys are due."""
        if now - self._read_at > self._ages.refresh and now - self._asked_at >= self._ages.interval:
            self._begin(now).add_done_callback(_heard)

    def _find(self, kid: str | None, algorithm: str) -> Key | None:
        found = [key for key in self._keys.values() if key.algorithm == algorithm and kid in (None, key.kid)]
        return found[0] if len(found) == 1 else None

    def _asking(self) -> bool:
        return self._refresh is not None and not self._refresh.done()

    def _begin(self, now: float) -> asyncio.Task[None]:
        if self._refresh is None or self._refresh.done():
            self._asked_at = now
            self._refresh = asyncio.create_task(self._read(now))
        return self._refresh

    async def _ask(self, now: float) -> None:
        """Read the keys again, together with whoever else waits for them; a caller's cancellation stops nobody else."""
        if not self._asking() and now - self._asked_at < self._ages.interval:
            raise IssuerUnavailable("was asked a moment ago without success")
        await asyncio.shield(self._begin(now))

    async def _read(self, now: float) -> None:
        try:
            async with _bounded(self._ages.timeout):
                keys = _keys(await self._send("GET", self.settings.jwks_url or await self.endpoint("jwks_uri")))
        except IssuerUnavailable as error:
            self._metadata = None  # it may have moved: ask where the keys are
            self._tell(str(error))
            raise
        self._tell(None)
        self._keys, self._read_at = keys, now

    def _tell(self, why: str | None) -> None:
        if self._heard is not None:
            self._heard(self.settings.name, why)

    async def _discover(self) -> dict[str, Any]:
        issuer = self.settings.issuer
        parts = urlsplit(issuer)
        path = parts.path.rstrip("/")
        known = f"{parts.scheme}://{parts.netloc}/.well-known/oauth-authorization-server"
        places = [
            f"{known}{path}",
            f"{issuer.rstrip('/')}/.well-known/openid-configuration",
            *([known] if path else []),
        ]
        why = ""
        for place in [self.settings.metadata_url] if self.settings.metadata_url else places:
            try:
                metadata = await self._send("GET", place)
            except IssuerUnavailable as error:
                why = str(error)
                continue
            if metadata.get("issuer") == issuer:
                return metadata
            why = "its metadata names another issuer"
        raise IssuerUnavailable(f"it has no metadata: {why}")

    async def _send(self, method: str, url: str, **content: Any) -> dict[str, Any]:
        headers = {"Accept": "application/json, application/jwk-set+json"}
        answer = await self._http().request(method, url, headers=headers, follow_redirects=False, **content)
        if answer.status_code != 200:
            refused = method == "POST" and answer.status_code == 400
            raise IssuerUnavailable(f"it answered {answer.status_code}", refused=refused)
        if duplicate_keys.check(answer.content) == "duplicate keys":
            raise IssuerUnavailable("its answer has a member twice")
        try:
            return msgspec.json.decode(answer.content, type=dict[str, Any])
        except (msgspec.DecodeError, RecursionError) as error:
            raise IssuerUnavailable("its answer is not a JSON object") from error


@contextlib.asynccontextmanager
async def _bounded(seconds: float) -> AsyncIterator[None]:
    """Bounds a request to an issuer and tells its failures as one: `IssuerUnavailable`."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except (TimeoutError, httpx.HTTPError, httpx.InvalidURL) as error:
        raise IssuerUnavailable(str(error) or in_words(error)) from error


def _heard(task: asyncio.Task[None]) -> None:
    """Take note of a background request's end: its failure is told when the keys are needed."""
    if not task.cancelled():
        task.exception()


def _allowed(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    except ValueError:
        return False


def _keys(document: dict[str, Any]) -> dict[str, Key]:
    """The keys of a JWK set that may verify signatures, by thumbprint; what is unknown or unfit is passed over."""
    listed = document.get("keys")
    if not isinstance(listed, list):
        raise IssuerUnavailable("its key set has no `keys`")
    keys: dict[str, Key] = {}
    for jwk in listed[:MAX_KEYS]:
        if isinstance(jwk, dict) and (key := read_key(jwk)):
            keys[key.thumbprint] = key
    return keys


def read_key(jwk: dict[str, Any]) -> Key | None:
    """A JWK's public part, where it is a key that may verify signatures; else `None`."""
    kty, crv = jwk.get("kty"), jwk.get("crv")
    if not isinstance(kty, str) or not isinstance(crv, str | None):
        return None
    kind = _KINDS.get((kty, crv))
    kid, uses = jwk.get("kid"), jwk.get("key_ops", ["verify"])
    if kind is None or not isinstance(kid, str | None) or jwk.get("use", "sig") != "sig":
        return None
    algorithm, key_type = kind
    if jwk.get("alg", algorithm) != algorithm or not isinstance(uses, list) or "verify" not in uses:
        return None
    public: dict[str, Any] = {name: jwk[name] for name in ("kty", "crv", "n", "e", "x", "y") if name in jwk}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            key = key_type.import_key(public)
            return Key(kid, algorithm, key.thumbprint(), key)
    except (JoseError, ValueError, TypeError, Warning):
        return None
