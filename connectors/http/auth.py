"""How a department knows the gateway: not at all, by a token in a file, by OAuth client credentials, or by certificate.

Secrets come from files only. A token is kept until shortly before it ends and asked for once, however many inquiries
wait for it. mTLS is the transport's affair: it presents the certificate, and nothing is added to a request.
RFC 6749 section 4.4 (client credentials, HTTP Basic), RFC 9449 (DPoP).
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote_plus, urlencode

import msgspec

from connectors.base import Config, Failure, Fault
from connectors.http.dpop import NONCE, Proving
from connectors.http.pooled_transport import PooledTransport
from connectors.http.transport import FAILURES, Response, TransportFault, TransportOptions
from connectors.mapping import numbers

_MARGIN = 30.0
"""Seconds before a token's end at which it is not used any more."""
_REREAD = 30.0
"""Seconds after which a token file is read again: secrets are rotated beneath us."""
MAX_ANSWER = 64 * 1024
"""Bytes of a token endpoint's answer."""
_LONGEST = 10.0**9
"""Seconds that a token lasts at most: what says more is none."""
_decode = msgspec.json.Decoder(float_hook=numbers.finite).decode
_HINTS = {
    "invalid_client": "are `client_id` and `client_secret_file` right?",
    "invalid_scope": "is `scope` one that this client may have?",
    "unauthorized_client": "may this client use `client_credentials`?",
    "unsupported_grant_type": "it knows no `client_credentials`",
    "invalid_request": "what is in its own log?",
    "invalid_grant": "what is in its own log?",
    "invalid_dpop_proof": "does it know DPoP, and is this machine's clock right?",
    "use_dpop_nonce": "it asks for a nonce again and again",
}
"""What an error of a token endpoint (RFC 6749 section 5.2, RFC 9449 section 5) asks whoever reads it."""


def _refused(why: str) -> Failure:
    return Failure(Fault.UNAVAILABLE, True, f"no access token: `token_url` {why}")


class Auth(Protocol):
    """What makes the `Authorization` header. Where `changes` is false there is none to make."""

    changes: bool
    reads: frozenset[str]
    """The headers of an answer, in lower case, that `heard` looks at."""

    async def authorization(self, end: float) -> str | Failure:
        """The header's value, by the time `end` on the event loop's clock."""
        ...

    def at_hand(self, now: float) -> str | None:
        """The header's value, where it is valid at `now` and is all that a request shows; None where it is not."""
        ...

    def shown_by(self, authorization: str, method: str, url: str) -> dict[str, str]:
        """The headers by which one request shows it, in lower case: made anew each time."""
        ...

    def heard(self, answer: Response) -> bool:
        """Keep what an answer asks for; whether a refusal may end if the same is asked with it."""
        ...

    def forget(self) -> None:
        """The department refused what was given: get a new one next time."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...


class _Plain:
    """What is shown is the header alone."""

    reads: frozenset[str] = frozenset()

    def shown_by(self, authorization: str, method: str, url: str) -> dict[str, str]:
        """See `Auth`."""
        return {"authorization": authorization}

    def heard(self, answer: Response) -> bool:
        """See `Auth`."""
        return False


class NoAuth(_Plain):
    """Nothing is added to a request."""

    changes = False

    async def authorization(self, end: float) -> str | Failure:
        """Never asked for."""
        return _refused("is none")

    def at_hand(self, now: float) -> str | None:
        """Never asked for."""
        return None

    def forget(self) -> None:
        """There is nothing to forget."""

    async def close(self) -> None:
        """There is nothing to release."""


class BearerFile(_Plain):
    """A token from a file, read again from time to time."""

    changes = True

    def __init__(self, file: Path) -> None:
        self._file = file
        self._value = ""
        self._until = 0.0

    async def authorization(self, end: float) -> str | Failure:
        """See `Auth`."""
        now = asyncio.get_running_loop().time()
        if now >= self._until:
            try:
                token = self._file.read_text("ascii").strip()
            except (OSError, ValueError):
                return Failure(Fault.UNAVAILABLE, True, "the token file cannot be read")
            self._value, self._until = f"Bearer {token}", now + _REREAD
        return self._value

    def at_hand(self, now: float) -> str | None:
        """See `Auth`."""
        return self._value if now < self._until else None

    def forget(self) -> None:
        """See `Auth`."""
        self._until = 0.0

    async def close(self) -> None:
        """There is nothing to release."""


class ClientCredentials(_Plain):
    """An OAuth access token, shared by all inquiries until shortly before it ends.

    With `dpop` it is bound to a key of this process, and each request proves that (RFC 9449); then a token that is not
    bound is none.
    """

    changes = True

    def __init__(
        self,
        token_url: str,
        client_id: str,
        secret_file: Path,
        scope: str | None,
        options: TransportOptions,
        *,
        dpop: bool = False,
    ) -> None:
        self._proving = Proving() if dpop else None
        self._issuers = Proving(self._proving.key) if self._proving is not None else None  # it has its own nonces
        self.reads = frozenset({NONCE}) if dpop else frozenset()
        self._token_url = token_url
        self._client_id = client_id
        self._secret_file = secret_file
        self._scope = scope
        self._timeout = options.timeout
        own = msgspec.structs.replace(options, connections=1, max_bytes=MAX_ANSWER, gzip=False, shown=self.reads)
        self._transport = PooledTransport(own)
        self._asking: asyncio.Task[Failure | None] | None = None
        self._value = ""
        self._until = 0.0

    async def authorization(self, end: float) -> str | Failure:
        """See `Auth`."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._until:
            return self._value
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        try:
            # Shielded: an inquiry that gives up must not take the token from the others that wait for it.
            async with asyncio.timeout_at(end):
                failed = await asyncio.shield(self._asking)
        except TimeoutError:
            return FAILURES[TransportFault.TIMEOUT]._replace(detail="no whole answer of `token_url` in time")
        return failed or self._value

    def at_hand(self, now: float) -> str | None:
        """See `Auth`."""
        return self._value if now < self._until and self._proving is None else None

    async def _ask(self) -> Failure | None:
        """Get a token; or why there is none."""
        form = {"grant_type": "client_credentials", **({"scope": self._scope} if self._scope else {})}
        try:
            secret = self._secret_file.read_text("utf-8").strip()
            # RFC 6749 section 2.3.1: both are form-encoded before they go into HTTP Basic.
            pair = f"{quote_plus(self._client_id)}:{quote_plus(secret)}"
            headers = {
                "accept": "application/json",
                "authorization": f"Basic {base64.b64encode(pair.encode()).decode()}",
                "content-type": "application/x-www-form-urlencoded",
            }
            answer = await self._send(headers, urlencode(form).encode())
        except (ValueError, OSError):
            return Failure(Fault.UNAVAILABLE, True, "no access token: `client_secret_file` cannot be read")
        if not isinstance(answer, Response):
            return _refused(f"gives none: {FAILURES[answer].detail}")
        try:
            granted: Any = _decode(answer.body)
        except (ValueError, RecursionError):
            granted = None
        if answer.status != 200:
            error = str(granted.get("error")) if isinstance(granted, dict) else ""
            hint = _HINTS.get(error)
            named = f" ({error})" if error in _HINTS else ""
            return _refused(f"answers with status {answer.status}{named}{f'; {hint}' if hint else ''}")
        why = self._keep(granted) if isinstance(granted, dict) else "answers with no JSON object"
        return _refused(why) if why else None

    def _keep(self, granted: Mapping[str, Any]) -> str:
        """Keep the token of an answer; or what is wrong with it."""
        token, lasts = granted.get("access_token"), granted.get("expires_in", 60)
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
            return "answers without an `access_token`"
        kind = "DPoP" if self._proving is not None else "Bearer"
        said = str(granted.get("token_type", "Bearer")).lower()  # a server that names none knows no other
        if said != kind.lower():
            asked = "`dpop: true` asks for one that is bound" if kind == "DPoP" else "is it one for `dpop: true`?"
            return f"gives a token that is not of type `{kind}`; {asked}"
        if not isinstance(lasts, int | float) or not 0 <= lasts <= _LONGEST:
            return "gives a token whose `expires_in` is no number of seconds"
        self._value = f"{kind} {token}"
        self._until = asyncio.get_running_loop().time() + max(lasts - _MARGIN, lasts / 2)
        return ""

    async def _send(self, headers: dict[str, str], body: bytes) -> Response | TransportFault:
        """Ask the token endpoint, and once more with the nonce that it may ask for."""
        if self._issuers is None:
            return await self._transport.send("POST", self._token_url, headers, body, self._timeout)
        for again in (True, False):
            sent = {**headers, "dpop": self._issuers.proof("POST", self._token_url)}
            answer = await self._transport.send("POST", self._token_url, sent, body, self._timeout)
            heard = isinstance(answer, Response) and self._issuers.heard(answer)
            if not (again and heard and isinstance(answer, Response) and answer.status in (400, 401)):
                break
        return answer

    def shown_by(self, authorization: str, method: str, url: str) -> dict[str, str]:
        """See `Auth`."""
        if self._proving is None:
            return {"authorization": authorization}
        token = authorization.partition(" ")[2]
        return {"authorization": authorization, "dpop": self._proving.proof(method, url, token)}

    def heard(self, answer: Response) -> bool:
        """See `Auth`."""
        return self._proving is not None and self._proving.heard(answer)

    def forget(self) -> None:
        """See `Auth`."""
        self._until = 0.0

    async def close(self) -> None:
        """See `Auth`."""
        if self._asking is not None:
            self._asking.cancel()
        await self._transport.close()


AUTH_KINDS = ("none", "bearer_file", "client_credentials", "mtls")


def read_auth(
    keys: Mapping[str, Config], timeout: float, connections: int, max_bytes: int, max_chunks: int
) -> tuple[Auth, TransportOptions]:
    """The `auth` and `tls` keys of a department, and the transport's options that follow from them."""
    tls = keys["tls"].mapping((), ("ca_file",))
    ca_file = read_authorities(tls["ca_file"]) if tls else None
    options = TransportOptions(timeout, connections, max_bytes, max_chunks, ca_file=ca_file)
    config = keys["auth"]
    kind = config.mapping(any_key=True)["kind"]
    match kind.text("none"):
        case "none":
            config.mapping((), ("kind",))
        case "bearer_file":
            return BearerFile(config.mapping(("kind", "file"))["file"].private_file()), options
        case "client_credentials":
            own = config.mapping(
                ("kind", "token_url", "client_id", "client_secret_file"), ("scope", "dpop", "allow_plain_http")
            )
            token_url = own["token_url"].url(own["allow_plain_http"].boolean(False))
            secret_file = own["client_secret_file"].private_file()
            scope = own["scope"].text("") or None
            dpop = own["dpop"].boolean(False)
            client_id = own["client_id"].text()
            return ClientCredentials(token_url, client_id, secret_file, scope, options, dpop=dpop), options
        case "mtls":
            own = config.mapping(("kind", "cert_file", "key_file"))
            cert_file, key_file = own["cert_file"].existing_file(), own["key_file"].private_file()
            try:
                if cert_file.is_file() and key_file.is_file():
                    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(cert_file, key_file, password="")
            except (ssl.SSLError, OSError):
                own["cert_file"].problem("must be a PEM certificate, and `key_file` its unencrypted PEM key")
            return NoAuth(), msgspec.structs.replace(options, cert_file=cert_file, key_file=key_file)
        case _:
            kind.choice(AUTH_KINDS)
    return NoAuth(), options


def read_authorities(config: Config) -> Path:
    """A PEM file with certificates of authorities, which is tried now and not in the first inquiry."""
    file = config.existing_file()
    try:
        if file.is_file():
            ssl.create_default_context(cafile=str(file))
    except (ssl.SSLError, OSError):
        config.problem("must be a PEM file with at least one CA certificate")
    return file
