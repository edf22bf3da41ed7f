"""The parts of `gateway.yaml` for whose tokens count and how their holders prove that they are theirs.

`oauth`: issuers (RFC 8414), introspection (RFC 7662), proofs of possession (RFC 9449). `tls`: client certificates
(RFC 8705), of connections that end here or at a proxy that is trusted for them. Invariant: secrets stand in files.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Collection, Mapping
from pathlib import Path

import msgspec

from gateway.documents import Node
from gateway.values import MOST_NAME, Network, is_name, suggest

SCOPES = ("inquire", "receipts", "steward", "counter", "recalls", "officer", "oversight", "self")
"""What a token may open; and `inquire:<dataset>` for each published dataset."""

PEOPLE = ("self", "steward", "officer", "oversight", "receipts")
"""The scopes of people at the pages, which decide the rooms that they see."""

KEEP, MAX_KEEP = 30.0, 300.0
"""Seconds that an issuer's word on a token is kept, where nothing else is said and at most."""

MAX_LIFETIME = 86_400.0
"""Seconds that a token may live, where nothing else is said: so long a stolen one serves at most."""

NOT_TOLD = "not_told"
"""In the place of an issuer's audience: its introspection answers do not say whom a token is for."""

_SECONDS = {("D", False): 86_400, ("W", False): 604_800, ("H", True): 3600, ("M", True): 60, ("S", True): 1}

_SHORT = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"

MAX_PROOF_AGE = 300.0
"""The oldest that a proof of possession may be, in seconds."""


class IntrospectionSettings(msgspec.Struct, frozen=True):
    """How an issuer is asked about its opaque tokens (RFC 7662); without `url` its metadata has the address.

    Exactly one of `secret_file` (HTTP Basic) and `key_file` (`private_key_jwt`: PEM or JWK) is there. Opaque tokens
    that begin with `token_prefix` are this issuer's. `jwts` has its JWTs looked at too. An answer is kept for at most
    `keep` seconds: a revocation counts within them.
    """

    client_id: str
    secret_file: Path | None = None
    key_file: Path | None = None
    url: str | None = None
    token_prefix: str = ""
    jwts: bool = False
    keep: float = KEEP


class AccessTokenSettings(msgspec.Struct, frozen=True):
    """What an issuer's JWTs are like where they are not those of RFC 9068: their `typ`, and the claim of the client."""

    typ: str = "at+jwt"
    client_claim: str = "client_id"


class IssuerSettings(msgspec.Struct, frozen=True):
    """One authorization server. `issuer` is compared exactly; `name` is what `requesters.yaml` may call it.

    `official_claim` names the claim that holds the official, instead of `act.sub` and `sub`; `person_claim` the one
    that all accounts of one human share, where one may have several. Without `jwks_url` the keys are found by RFC 8414
    or OpenID discovery, or at `metadata_url`. `audience` is what its tokens must be for, where that is not everybody's.
    Without `audience_told` an introspection answer need not say it.
    """

    issuer: str
    name: str
    official_claim: str | None = None
    jwks_url: str | None = None
    introspection: IntrospectionSettings | None = None
    audience: str | None = None
    audience_told: bool = True
    metadata_url: str | None = None
    access_tokens: AccessTokenSettings = AccessTokenSettings()
    person_claim: str | None = None


class DPoPSettings(msgspec.Struct, frozen=True):
    """Which proofs of possession count (RFC 9449).

    A proof is at most `max_age` seconds old. `nonce` says whether it must have one of ours, which no proof made ahead
    of time has.
    """

    nonce: bool = True
    max_age: float = 60.0


class LoginSettings(msgspec.Struct, frozen=True):
    """How people sign in at the pages: a client that an issuer knows, and with which scopes it asks for their tokens.

    A requester is (issuer, client), so that people of a department sign in through a client of it.
    `name` stands in addresses, `title` on the page where people choose.
    """

    issuer: str
    client_id: str
    secret_file: Path
    name: str
    title: str
    scopes: tuple[str, ...]


class OAuthSettings(msgspec.Struct, frozen=True):
    """Whose tokens count, the audience that they must be for, how many seconds one may live, and how people sign in."""

    audience: str
    issuers: tuple[IssuerSettings, ...]
    dpop: DPoPSettings = DPoPSettings()
    max_lifetime: float = MAX_LIFETIME
    login: tuple[LoginSettings, ...] = ()

    @property
    def aliases(self) -> Mapping[str, str]:
        """Issuer name -> issuer URL, as the rule set's loader wants it."""
        return {issuer.name: issuer.issuer for issuer in self.issuers}


class TLSSettings(msgspec.Struct, frozen=True):
    """Where client certificates come from (RFC 8705).

    With `cert_file` connections end here, and a client's certificate is one that `client_ca_file` vouches for. With
    `proxies` they end at one of these, which says in the header `client_certificate_header` (RFC 9440) what certificate
    the client showed; the header counts from nobody else.
    """

    cert_file: Path | None = None
    key_file: Path | None = None
    client_ca_file: Path | None = None
    client_certificate_header: str = "Client-Cert"
    proxies: tuple[Network, ...] = ()

    @property
    def client_certificates(self) -> bool:
        """Whether a certificate can be seen at all."""
        return self.client_ca_file is not None or bool(self.proxies)


def read_oauth(node: Node) -> OAuthSettings:
    """The key `oauth`; of no issuer where anything is wrong with it."""
    before = len(node.problems)
    keys = node.mapping(("audience", "issuers"), ("dpop", "max_lifetime", "login"))
    issuers: list[IssuerSettings] = []
    for item in keys["issuers"].items():
        issuer = _issuer(item)
        if any(issuer.issuer == other.issuer or issuer.name == other.name for other in issuers):
            item.problem(f"issuer `{issuer.name}` appears twice; keep one")
        if (asked := issuer.introspection) and any(
            other.introspection and other.introspection.token_prefix == asked.token_prefix for other in issuers
        ):
            item.problem("another issuer's opaque tokens begin alike; give each its own `token_prefix`")
        issuers.append(issuer)
    if "issuers" in keys and not issuers and not keys["issuers"].told:
        keys["issuers"].problem("must name at least one issuer")
    dpop, audience, lifetime = _dpop(keys["dpop"]), keys["audience"].text(), _lifetime(keys["max_lifetime"])
    login = _logins(keys["login"], [issuer.issuer for issuer in issuers]) if "login" in keys else ()
    return OAuthSettings(audience, tuple(issuers) if len(node.problems) == before else (), dpop, lifetime, login)


def _logins(node: Node, issuers: Collection[str]) -> tuple[LoginSettings, ...]:
    """The key `login`: one client, or a list of them."""
    found: list[LoginSettings] = []
    for item in [node] if node.is_mapping else node.items():
        login = _login(item, issuers)
        if any(login.name == other.name for other in found):
            item.problem(f"two ways to sign in are called `{login.name}`; give each its own `name`")
        found.append(login)
    return tuple(found)


def _login(node: Node, issuers: Collection[str]) -> LoginSettings:
    keys = node.mapping(("issuer", "client_id", "client_secret_file"), ("name", "title", "scopes"))
    issuer, client = keys["issuer"].url(), keys["client_id"].text()
    if issuer and issuer not in issuers:
        keys["issuer"].problem(f"`{issuer}` is none of `oauth.issuers`{suggest(issuer, issuers)}")
    name = keys["name"].text(client, pattern=_SHORT, what="a short name, as `citizens`")
    if client and not re.fullmatch(_SHORT, name):
        node.problem(f"`{client}` cannot be used in an address as it is: give it a `name`, as `citizens`")
    scopes = tuple(each.choice(PEOPLE) for each in keys["scopes"].items()) if "scopes" in keys else PEOPLE
    return LoginSettings(
        issuer, client, keys["client_secret_file"].private_file(), name, keys["title"].text(name), scopes
    )


def _lifetime(node: Node) -> float:
    """`P1D` as seconds."""
    text = node.text("P1D", pattern=r"P[1-9][0-9]{0,2}[DW]|PT[1-9][0-9]{0,3}[HMS]", what="a period as `P1D` or `PT8H`")
    return int(text.strip("PTDWHMS")) * _SECONDS[text[-1], "T" in text] if text else MAX_LIFETIME


def _dpop(node: Node) -> DPoPSettings:
    keys = node.mapping((), ("nonce", "max_age"))
    max_age = keys["max_age"].duration(60.0)
    if max_age > MAX_PROOF_AGE:
        keys["max_age"].problem(f"must be at most {MAX_PROOF_AGE:.0f}s: every proof is remembered for that long")
    return DPoPSettings(keys["nonce"].boolean(True), max_age)


def read_tls(node: Node) -> TLSSettings:
    """The key `tls`."""
    files = ("cert_file", "key_file", "client_ca_file")
    keys = node.mapping((), (*files, "client_certificate_header", "proxies"))
    found = {
        name: keys[name].private_file() if name == "key_file" else keys[name].existing_file()
        for name in files
        if name in keys
    }
    if found and len(found) != len(files):
        node.problem(
            "needs `cert_file`, `key_file` and `client_ca_file` together; without client certificates let a "
            "proxy speak TLS"
        )
    elif found:
        _check_pair(keys, found)
    if found and "proxies" in keys:
        keys["proxies"].problem("connections end either here (`cert_file`) or at a proxy; keep one")
    if "client_certificate_header" in keys and "proxies" not in keys:
        keys["client_certificate_header"].problem("counts from trusted proxies only; name them in `proxies`")
    proxies = [each for item in keys["proxies"].items() if (each := item.network()) is not None]
    header = keys["client_certificate_header"].text(
        "Client-Cert", pattern=r"[A-Za-z0-9-]{1,64}", what="the name of a header"
    )
    return TLSSettings(**found, client_certificate_header=header, proxies=tuple(proxies))


def _check_pair(keys: Mapping[str, Node], files: Mapping[str, Path]) -> None:
    """Tell which of the files a server could not use: it reads them as OpenSSL does."""
    if any(key.told for key in keys.values()):
        return
    for name in ("cert_file", "client_ca_file"):
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(files[name])
        except OSError:  # OpenSSL's own error is one
            keys[name].problem(f"the file `{keys[name].text()}` holds no PEM certificate")
    pair = (files["cert_file"], files["key_file"])
    try:
        if not keys["cert_file"].told:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*pair, password=lambda: "")
    except OSError:
        keys["key_file"].problem(
            f"the file `{keys['key_file'].text()}` is not the private key of the certificate in `cert_file`, "
            "as PEM without a password"
        )


def _issuer(node: Node) -> IssuerSettings:
    claims = ("official_claim", "person_claim")
    optional_keys = ("name", *claims, "introspection", "jwks_url", "audience", "metadata_url", "access_tokens")
    keys = node.mapping(("issuer",), optional_keys)
    issuer, audience = keys["issuer"].url(), None if keys["audience"].is_null else keys["audience"].text()
    if issuer and not is_name(issuer):
        keys["issuer"].problem(f"must be at most {MOST_NAME} characters: it stands in every entry")
    if audience == NOT_TOLD and keys["introspection"].is_null:
        keys["audience"].problem("`not_told` is for an issuer that is asked about its tokens: add `introspection`")

    def optional(key: str, pattern: str, what: str) -> str | None:
        return None if keys[key].is_null else keys[key].text(pattern=pattern, what=what)

    return IssuerSettings(
        issuer,
        optional("name", r"[a-z0-9][a-z0-9._-]*", "a short name in lower case, as `login`") or issuer,
        optional("official_claim", r"\S+", "the name of a claim"),
        None if keys["jwks_url"].is_null else keys["jwks_url"].url(),
        None if keys["introspection"].is_null else _introspection(keys["introspection"]),
        None if audience == NOT_TOLD else audience,
        audience != NOT_TOLD,
        None if keys["metadata_url"].is_null else keys["metadata_url"].url(),
        _access_tokens(keys["access_tokens"]),
        optional("person_claim", r"\S+", "the name of a claim"),
    )


def _access_tokens(node: Node) -> AccessTokenSettings:
    keys = node.mapping((), ("typ", "client_claim"))
    claim = keys["client_claim"].text("client_id", pattern=r"\S+", what="the name of a claim")
    return AccessTokenSettings(keys["typ"].choice(("at+jwt", "JWT"), default="at+jwt"), claim)


def _introspection(node: Node) -> IntrospectionSettings:
    keys = node.mapping(
        ("client_id",), ("client_secret_file", "client_key_file", "url", "token_prefix", "jwts", "keep")
    )
    files = [name for name in ("client_secret_file", "client_key_file") if name in keys]
    if len(files) != 1:
        node.problem("needs either `client_secret_file` or `client_key_file`: how the gateway shows who it is")
    keep = keys["keep"].duration(KEEP)
    if keep > MAX_KEEP:
        keys["keep"].problem(f"must be at most {MAX_KEEP:.0f}s: a revoked token is accepted for that long")
    return IntrospectionSettings(
        client_id=keys["client_id"].text(),
        secret_file=keys["client_secret_file"].private_file() if "client_secret_file" in keys else None,
        key_file=keys["client_key_file"].private_file() if "client_key_file" in keys else None,
        url=keys["url"].url() if "url" in keys else None,
        token_prefix=keys["token_prefix"].text("", pattern=r"[A-Za-z0-9._~+/-]{0,64}", what="how tokens begin"),
        jwts=keys["jwts"].boolean(False),
        keep=keep,
    )
