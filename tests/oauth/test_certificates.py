"""Tokens that a real authorization server bound to a client certificate (RFC 8705): TLS of our own, and a proxy's."""

from __future__ import annotations

import base64
import ipaddress
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from joserfc.jwk import ECKey

from gateway.config.oauth import IssuerSettings, TLSSettings
from gateway.identity.certificates import ClientCertificates
from gateway.identity.replay import OwnReplays
from tests.connectors.certificates import Authority as CertificateAuthority
from tests.inquiry.issuer import TestIssuer
from tests.oauth.authority import AUDIENCE, Authority, proof
from tests.oauth.gate import METADATA, Gate, settings
from tests.oauth.serving import Serving, ask
from tests.oauth.test_dpop import proofs

PROXY = TLSSettings(proxies=(ipaddress.ip_network("10.0.0.0/24"), ipaddress.ip_network("fd00::/8")))


class Client:
    """A client's certificate, in the forms in which it is shown."""

    def __init__(self, ca: CertificateAuthority, name: str) -> None:
        self.files = ca.issue(name, client=True)
        self.certificate = x509.load_pem_x509_certificate(self.files[0].read_bytes())
        self.pem = self.files[0].read_text("ascii")
        self.sfv = f":{base64.b64encode(self.certificate.public_bytes(Encoding.DER)).decode()}:"


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    return CertificateAuthority(tmp_path_factory.mktemp("ca"), "clients")


@pytest.fixture(scope="module")
def mine(ca: CertificateAuthority) -> Client:
    return Client(ca, "mine")


@pytest.fixture(scope="module")
def other(ca: CertificateAuthority) -> Client:
    return Client(ca, "other")


@pytest.fixture(scope="module")
def token(authority: Authority, mine: Client) -> str:
    return authority.token("bound", certificate=mine.certificate)


def through(peer: str | None, *headers: tuple[str, str], tls: TLSSettings = PROXY, chain: Any = ()) -> Any:
    """The headers that a request has after its connection was looked at."""
    raw = [(name.lower().encode(), value.encode()) for name, value in headers]
    scope = {"headers": raw, "client": (peer, 5) if peer else None, "extensions": {"tls": {"client_cert_chain": chain}}}
    return [(name.decode(), value.decode()) for name, value in ClientCertificates(tls).vouched(scope)]


@pytest.fixture
def gate(http: httpx.AsyncClient, authority: Authority, tmp_path: Path) -> Gate:
    return Gate(http, [settings(authority, tmp_path)], client_certificates=True)


@pytest.mark.parametrize("kind", ["jwt", "opaque"])
async def test_a_bound_token_counts_with_its_certificate_and_no_other(
    gate: Gate, authority: Authority, mine: Client, other: Client, kind: str
) -> None:
    token = authority.token("bound", kind, certificate=mine.certificate)
    for peer in ("10.0.0.7", "::ffff:10.0.0.7", "fd00::1"):
        shown = through(peer, ("Client-Cert", mine.sfv), ("X", "y"))
        requester = await gate(f"Bearer {token}", *shown)
    assert (requester.client, requester.scheme) == ("bound", "Bearer")
    swapped = await gate.refusal(f"Bearer {token}", *through("10.0.0.7", ("Client-Cert", other.sfv)))
    assert "another client certificate" in swapped.message
    challenge = swapped.headers["WWW-Authenticate"]
    assert challenge.startswith(f'Bearer resource_metadata="{METADATA}", error="invalid_token", error_description=')
    assert "connect with it" in (await gate.refusal(f"Bearer {token}", *through("10.0.0.7"))).message


async def test_nobody_but_a_proxy_is_believed(gate: Gate, token: str, mine: Client) -> None:
    for peer in ("10.0.1.7", "127.0.0.1", "::1", "", None, "unix:", "10.0.0.7.evil.example"):
        shown = through(peer, ("Client-Cert", mine.sfv))
        assert shown == []
        assert "connect with it" in (await gate.refusal(f"Bearer {token}", *shown)).message


async def test_a_header_of_another_name_has_the_place_of_the_usual_one(gate: Gate, token: str, mine: Client) -> None:
    """As nginx writes it: PEM in percent-encoding. The client's own `Client-Cert` is dropped."""
    tls = TLSSettings(client_certificate_header="X-SSL-Cert", proxies=PROXY.proxies)
    pem = quote(mine.pem)
    await gate(f"Bearer {token}", *through("10.0.0.7", ("X-SSL-Cert", pem), ("Client-Cert", "x"), tls=tls))
    assert through("10.0.0.7", ("Client-Cert", mine.sfv), tls=tls) == []
    assert through("10.9.0.7", ("X-SSL-Cert", pem), tls=tls) == []


@pytest.mark.parametrize(
    "shown", ["", ":::", ":not base64:", "mine", "-----BEGIN%20CERTIFICATE-----", ":" + "A" * 20_000 + ":"]
)
async def test_what_is_no_certificate_is_refused(gate: Gate, token: str, shown: str) -> None:
    assert (
        "certificate" in (await gate.refusal(f"Bearer {token}", *through("10.0.0.7", ("Client-Cert", shown)))).message
    )


async def test_two_certificates_are_refused(gate: Gate, token: str, mine: Client) -> None:
    both = through("10.0.0.7", ("Client-Cert", mine.sfv), ("Client-Cert", mine.sfv))
    assert "More than one" in (await gate.refusal(f"Bearer {token}", *both)).message


async def test_where_no_certificate_can_be_seen_a_bound_token_is_refused(
    http: httpx.AsyncClient, authority: Authority, token: str, mine: Client
) -> None:
    blind = Gate(http, [settings(authority)])
    assert "none is seen here" in (await blind.refusal(f"Bearer {token}", ("Client-Cert", mine.sfv))).message


async def test_a_token_bound_to_both_needs_both(http: httpx.AsyncClient, mine: Client) -> None:
    issuer, key = TestIssuer(), ECKey.generate_key("P-256")
    gate = Gate(http, [IssuerSettings(issuer.url, "own")], proofs=proofs(OwnReplays()), client_certificates=True)
    thumbprint = base64.urlsafe_b64encode(mine.certificate.fingerprint(hashes.SHA256())).rstrip(b"=").decode()
    cnf = {"jkt": key.thumbprint(), "x5t#S256": thumbprint}
    token = issuer.token(cnf=cnf).decode().removeprefix("Bearer ")
    shown = through("10.0.0.7", ("Client-Cert", mine.sfv))
    await gate(f"DPoP {token}", ("DPoP", proof(key, token)), *shown)
    assert "connect with it" in (await gate.refusal(f"DPoP {token}", ("DPoP", proof(key, token)))).message
    assert "send a proof" in (await gate.refusal(f"DPoP {token}", *shown)).message
    await gate.refusal(f"Bearer {token}", *shown)
    issuer.close()


@pytest.fixture(scope="module")
def serving(
    authority: Authority, ca: CertificateAuthority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serving]:
    cert_file, key_file = ca.issue("server")
    tls = {"cert_file": str(cert_file), "key_file": str(key_file), "client_ca_file": str(ca.ca_file)}
    issuer = IssuerSettings(authority.url, "login")
    started = Serving(tmp_path_factory.mktemp("direct"), issuer, AUDIENCE, tls)
    try:
        started.ready(ssl.create_default_context(cafile=str(ca.ca_file)))
        yield started
    finally:
        started.stop()


def context(ca: CertificateAuthority, client: Client | None = None) -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=str(ca.ca_file))
    if client is not None:
        made.load_cert_chain(*client.files)
    return made


def test_direct_tls(
    serving: Serving, ca: CertificateAuthority, authority: Authority, token: str, mine: Client, other: Client
) -> None:
    """The certificate of the connection counts, and no header; a bearer token needs none."""
    with httpx.Client(verify=context(ca, mine)) as client:
        for _ in range(2):
            answer = ask(client, serving.url, f"Bearer {token}", ("Client-Cert", other.sfv))
            assert answer.status_code == 200, answer.text
        assert client.get(f"{serving.url}/.well-known/oauth-protected-resource").json()[
            "tls_client_certificate_bound_access_tokens"
        ]
    for shown in (other, None):
        with httpx.Client(verify=context(ca, shown)) as client:
            answer = ask(client, serving.url, f"Bearer {token}", ("Client-Cert", mine.sfv))
            assert answer.status_code == 401
            assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
            assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
            assert ask(client, serving.url, f"Bearer {authority.token()}").status_code == 200


def test_a_certificate_of_strangers_ends_the_connection(
    serving: Serving, ca: CertificateAuthority, tmp_path: Path, token: str
) -> None:
    stranger = Client(CertificateAuthority(tmp_path, "strangers"), "mine")
    with httpx.Client(verify=context(ca, stranger)) as client, pytest.raises(httpx.TransportError):
        ask(client, serving.url, f"Bearer {token}")


def test_no_session_is_resumed(serving: Serving, ca: CertificateAuthority, mine: Client) -> None:
    """Who resumes one shows no certificate: one that has expired since would go on counting."""
    showing, session = context(ca, mine), None
    for _ in range(2):
        with (
            socket.create_connection(("127.0.0.1", serving.port), timeout=40) as plain,
            showing.wrap_socket(plain, server_hostname="127.0.0.1", session=session) as connection,
        ):
            connection.sendall(b"GET /health/live HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            assert connection.recv(8) == b"HTTP/1.1"
            session = connection.session
            assert not connection.session_reused
    assert session is None or not session.has_ticket


def test_old_tls_is_refused(serving: Serving, ca: CertificateAuthority, mine: Client) -> None:
    old = context(ca, mine)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with httpx.Client(verify=old) as client, pytest.raises(httpx.TransportError):
        client.get(f"{serving.url}/health/live")


def test_who_shakes_no_hands_is_let_go(serving: Serving) -> None:
    with socket.create_connection(("127.0.0.1", serving.port), timeout=40) as silent:
        assert silent.recv(1) == b""


def test_behind_a_proxy(authority: Authority, tmp_path: Path, token: str, mine: Client, other: Client) -> None:
    """The server reports who the peer is: here the test is the trusted proxy."""
    issuer = IssuerSettings(authority.url, "login")
    started = Serving(tmp_path, issuer, AUDIENCE, {"proxies": ["127.0.0.0/8"]})
    try:
        started.ready()
        with httpx.Client() as client:
            assert ask(client, started.url, f"Bearer {token}", ("Client-Cert", mine.sfv)).status_code == 200
            for shown in ((("Client-Cert", other.sfv),), ()):
                answer = ask(client, started.url, f"Bearer {token}", *shown)
                assert (answer.status_code, 'error="invalid_token"' in answer.headers["WWW-Authenticate"]) == (
                    401,
                    True,
                )
    finally:
        started.stop()


def test_dpop_over_http(authority: Authority, tmp_path: Path) -> None:
    """A client that follows the challenges is served: a nonce is given, taken, and a replay is refused."""
    started = Serving(tmp_path, IssuerSettings(authority.url, "login"), AUDIENCE, None)
    try:
        started.ready()
        key = ECKey.generate_key("P-256")
        token, url = authority.token(proof_key=key), f"{started.url}/graphql"
        with httpx.Client() as client:
            first = ask(client, started.url, f"DPoP {token}", ("DPoP", proof(key, token, url=url)))
            assert first.status_code == 401
            assert 'error="use_dpop_nonce"' in first.headers["WWW-Authenticate"]
            shown = proof(key, token, url=url, nonce=first.headers["DPoP-Nonce"])
            assert ask(client, started.url, f"DPoP {token}", ("DPoP", shown)).status_code == 200
            again = ask(client, started.url, f"DPoP {token}", ("DPoP", shown))
            assert (again.status_code, 'error="invalid_dpop_proof"' in again.headers["WWW-Authenticate"]) == (401, True)
            told = client.get(f"{started.url}/.well-known/oauth-protected-resource").json()
            assert told["dpop_signing_alg_values_supported"] == ["RS256", "ES256", "EdDSA"]
            assert told["tls_client_certificate_bound_access_tokens"] is False
    finally:
        started.stop()
