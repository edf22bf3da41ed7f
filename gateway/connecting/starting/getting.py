"""A description's bytes: of a file, or of the one address that was given. Nothing else is ever fetched.

No redirect is followed, no proxy is asked, nothing is decompressed, and a token goes to that address alone. What has no
end is given up at a bound, in bytes and in time.
"""

from __future__ import annotations

import re
import ssl
import time
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx

from connectors.http.origins import origin_of
from gateway.errors import CommandRefused, printable
from gateway.files import readable_by_others
from gateway.saying import in_words
from gateway.values import is_loopback

MOST_BYTES = 8 << 20
"""Bytes of a description. The largest public ones of whole states' offices have about two MiB."""
MOST_SECONDS = 30.0
_STEP = 10.0
"""Seconds that one reading may take."""


class Asking(NamedTuple):
    """How the given address is asked: `token_file` holds a bearer token, `ca_file` one more authority to trust."""

    token_file: Path | None = None
    ca_file: Path | None = None


def is_address(place: str) -> bool:
    """Whether it is an address over HTTP, and not a file."""
    return place.lower().startswith(("http://", "https://"))


def shown(place: str) -> str:
    """A file's name, or an address without what in it may be a secret: a user, a password, a query."""
    if not is_address(place):
        return printable(place)
    scheme, _, rest = place.partition("://")
    before = re.split(r"[?#]", rest, maxsplit=1)[0]
    host, slash, path = before.rpartition("@")[2].partition("/")
    return printable(f"{scheme}://{host}{slash}{path}")


def of_file(path: Path) -> bytes:
    """What a file holds; raises `CommandRefused`."""
    try:
        with path.open("rb") as opened:
            content = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise CommandRefused(
            f"`{printable(str(path))}` cannot be read ({error.strerror}); name a file that is there"
        ) from error
    if len(content) > MOST_BYTES:
        raise CommandRefused(
            f"`{printable(str(path))}` is larger than {MOST_BYTES >> 20} MiB; leave out what is not needed"
        )
    return content


def origin(address: str) -> str:
    """The one spelling of an address's origin; raises `CommandRefused` where nothing may be fetched from there."""
    try:
        parts = urlsplit(address)
        found = origin_of(parts)
    except ValueError:
        raise CommandRefused(
            f"`{shown(address)}` is no address to fetch from; write https:// and the rest, without user or password"
        ) from None
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise CommandRefused(
            f"`{shown(address)}` is not encrypted, so that anybody between could change it; use https://, or save the"
            " description and name the file"
        )
    return found


def of_address(address: str, asking: Asking, body: bytes | None = None) -> bytes:
    """What the address answers to GET, or to POST where there is a JSON `body`; raises `CommandRefused`."""
    origin(address)
    headers = {"accept": "application/json, application/yaml;q=0.9, */*;q=0.1", "accept-encoding": "identity"}
    if body is not None:
        headers["content-type"] = "application/json"
    if asking.token_file is not None:
        headers["authorization"] = f"Bearer {_token(asking.token_file)}"
    try:
        with (
            httpx.Client(verify=_trusted(asking.ca_file), trust_env=False, timeout=_STEP) as client,
            client.stream("GET" if body is None else "POST", address, headers=headers, content=body) as answer,
        ):
            return _read(shown(address), answer, asked=body is not None)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        why = str(error) or in_words(error)
        raise CommandRefused(f"`{shown(address)}` cannot be fetched: {printable(why)}") from error


def _read(address: str, answer: httpx.Response, *, asked: bool) -> bytes:
    if answer.is_redirect:
        raise CommandRefused(f"`{address}` leads elsewhere, which is not followed; name the address that it leads to")
    if answer.status_code != 200:
        why = f"`{address}` answers with status {answer.status_code}; name the address of the description,"
        off = (
            " Introspection may be switched off there: then have it saved as JSON, and name the file." if asked else ""
        )
        raise CommandRefused(f"{why} and a token for it by --token-file where it needs one.{off}")
    if answer.headers.get("content-encoding", "identity").lower() != "identity":
        raise CommandRefused(f"`{address}` sends what is compressed, without being asked to; save it and name the file")
    end, content = time.monotonic() + MOST_SECONDS, bytearray()
    for chunk in answer.iter_raw():
        content += chunk
        if len(content) > MOST_BYTES:
            raise CommandRefused(f"`{address}` sends more than {MOST_BYTES >> 20} MiB, which is no description")
        if time.monotonic() > end:
            raise CommandRefused(f"`{address}` took more than {MOST_SECONDS:g} s; save the description, name the file")
    return bytes(content)


def _token(file: Path) -> str:
    try:
        if wrong := readable_by_others(file):
            raise CommandRefused(f"`{file}` {wrong}")
        token = file.read_text("ascii").strip()
    except (OSError, ValueError) as error:
        raise CommandRefused(f"`{file}` cannot be read as a token ({in_words(error)})") from error
    if not token or not token.isprintable() or " " in token:
        raise CommandRefused(f"`{file}` must hold a token: one line of printable text without spaces")
    return token


def _trusted(ca_file: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except (OSError, ssl.SSLError) as error:
            raise CommandRefused(f"`{ca_file}` must be a PEM file with a certificate of an authority") from error
    return context
