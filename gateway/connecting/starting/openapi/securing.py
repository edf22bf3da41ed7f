"""How a described system identifies who asks: a skeleton of `auth`, whose secrets stand in files. Pure.

A description never says where a secret is sent: what it names as an address is taken only where it is the same origin
as the address that the description was fetched from, and is marked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

from connectors.http.origins import origin_of
from gateway.connecting.starting.model import Lines, Note, Part, Said
from gateway.connecting.starting.openapi.references import LeavesError, References
from gateway.connecting.starting.reading import mapping, sequence, text


def same_origin(address: str, named: str) -> str:
    """Where `named` leads from the fetched `address`, without user, query and fragment; nothing where it leads away.

    A file has no address: then nothing leads to the same place.
    """
    if not address or not named.isprintable() or " " in named or "\\" in named or "{" in named:
        return ""
    try:
        to = urlsplit(urljoin(address, named))
        origin = origin_of(to)
        if origin != origin_of(urlsplit(address)):
            return ""
    except ValueError:
        return ""
    path = to.path.rstrip("/")
    return f"{origin}{path}" if path.isascii() and not any(mark in path for mark in "\"'<>#?") else ""


def auth(document: Mapping[str, Any], department: str, address: str, references: References) -> list[tuple[str, Part]]:
    """The key `auth`, by the first security scheme that the document asks for; or a note that it asks for none."""
    for name, scheme in _asked(document, references):
        said = _auth(scheme, department, address)
        if said is not None:
            return [("auth", Lines((("", Note(f"guess: the document asks for `{name}`")), *said)))]
        what = " ".join(filter(None, [text(scheme.get("type")), text(scheme.get("scheme"))]))
        why = f"the document asks for `{name}` ({what}); one of none, bearer_file, client_credentials, mtls"
        return [("auth", Lines((("kind", Said(None, why)),)))]
    return [("auth", Lines((("kind", Said("none", "the document asks for nothing")),)))]


def _asked(document: Mapping[str, Any], references: References) -> Iterator[tuple[str, Mapping[str, Any]]]:
    schemes = mapping(mapping(document.get("components")).get("securitySchemes"))
    listed = [name for each in sequence(document.get("security")) for name in mapping(each)]
    for name in [*listed, *(() if "security" in document else schemes)]:
        try:
            yield name, references.followed(schemes.get(name))[0]
        except LeavesError:
            continue


def _auth(scheme: Mapping[str, Any], department: str, address: str) -> list[tuple[str, Part]] | None:
    kind, how = text(scheme.get("type")), text(scheme.get("scheme")).lower()
    if kind == "http" and how == "bearer":
        return [("kind", Said("bearer_file")), ("file", Said(f"{department}.token", "a file that holds the token"))]
    if kind == "mutualTLS":
        return [
            ("kind", Said("mtls")),
            ("cert_file", Said(f"{department}.crt", "the gateway's certificate")),
            ("key_file", Said(f"{department}.key", "its key")),
        ]
    flow = mapping(mapping(scheme.get("flows")).get("clientCredentials"))
    if kind == "oauth2" and flow:
        token_url = same_origin(address, text(flow.get("tokenUrl"))) if text(flow.get("tokenUrl")) else ""
        where = "where tokens are got; the document names an address elsewhere, to which no secret is sent"
        return [
            ("kind", Said("client_credentials")),
            ("token_url", Said(token_url, "of the document") if token_url else Said(None, where)),
            ("client_id", Said(None, "as the department registered the gateway")),
            ("client_secret_file", Said(f"{department}.secret", "a file that holds the secret")),
        ]
    return None
