"""How commands call a running gateway with a token, and print what it answers.

That token, and nothing that is typed, decides who acts and what they may. Raises `CommandRefused` for whatever keeps a
command from being done, with the gateway's own words where it has some.
"""

from __future__ import annotations

import argparse
import ipaddress
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gateway.errors import CommandRefused, printable
from gateway.files import readable_by_others
from gateway.saying import in_words

TIMEOUT = 30.0
"""Seconds."""
GRAPHQL = "application/graphql-response+json"
_DETAILS = ("code", "reason")


def add_arguments(parser: argparse.ArgumentParser, *, token: bool = True) -> None:
    """Add where the gateway is, and whose token is sent."""
    parser.add_argument("--gateway", required=True, metavar="URL", help="where the gateway is, such as its public URL")
    if token:
        parser.add_argument(
            "--token-file", required=True, type=Path, metavar="FILE", help="the access token of whoever acts"
        )


def asked(given: argparse.Namespace, query: Mapping[str, Any]) -> Any:
    """What the gateway answers to a GraphQL request."""
    told = called(given, "POST", "/graphql", query, GRAPHQL)
    errors = told.get("errors") if isinstance(told, dict) else None
    if errors:
        raise CommandRefused("\n".join(_error(each) for each in errors))
    return told


def called(
    given: argparse.Namespace,
    method: str,
    path: str,
    body: Any = None,
    accept: str = "application/json",
    within: float = TIMEOUT,
) -> Any:
    """The JSON that the gateway answers at a path, `within` seconds; `body` is sent as JSON, where there is one."""
    import httpx

    url = checked(given.gateway)
    headers = {"accept": accept}
    if getattr(given, "token_file", None) is not None:
        headers["authorization"] = f"Bearer {token(given.token_file)}"
    try:
        answer = httpx.request(method, f"{url}{path}", json=body, headers=headers, timeout=within)
        told = answer.json()
    except httpx.HTTPError as error:
        raise CommandRefused(f"the gateway at {url} does not answer ({in_words(error)}); is it running?") from None
    except ValueError:
        raise CommandRefused(f"{url} is no gateway: it answered {answer.status_code}, and not in JSON") from None
    if isinstance(told, dict) and "detail" in told and answer.is_error:
        raise CommandRefused(_problem(told))
    if answer.is_error and not (isinstance(told, dict) and "errors" in told):
        raise CommandRefused(f"{url} answered {answer.status_code}, without a reason")
    return told


def expected(given: argparse.Namespace, told: Any, *keys: str) -> dict[str, Any]:
    """What was answered, which has these keys. Raises `CommandRefused` where another than a gateway answered."""
    if isinstance(told, dict) and told.keys() >= {*keys}:
        return told
    raise CommandRefused(f"{given.gateway} is no gateway of this version: it answered in another form")


def _error(error: Mapping[str, Any]) -> str:
    """An error of GraphQL, on a line."""
    extensions = error.get("extensions", {})
    return _told(error.get("message"), extensions)


def _problem(told: Mapping[str, Any]) -> str:
    """A problem (RFC 9457), with what is wrong in files per line each."""
    lines = [_told(told["detail"], told)]
    for each in told.get("problems", ()):
        lines.append(printable(str(each)))
    return "\n".join(lines)


def _told(message: object, details: Mapping[str, Any]) -> str:
    named = [str(details[name]) for name in _DETAILS if name in details]
    return printable(f"{message} ({', '.join(named)})" if named else str(message))


def checked(url: str) -> str:
    """A gateway's address, to which a token may be sent."""
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and _loopback(parts.hostname or "")):
        return url.rstrip("/").removesuffix("/graphql")
    raise CommandRefused(f"`{url}` must begin with https://: a token is sent there (http:// on this machine only)")


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def token(file: Path) -> str:
    """The one access token that a file has."""
    try:
        if wrong := readable_by_others(file):
            raise CommandRefused(f"`{file}` holds a token and {wrong}")
        found = file.read_text("ascii").strip()
    except (OSError, ValueError) as error:
        raise CommandRefused(f"the token in `{file}` cannot be read ({in_words(error)})") from None
    if not found or len(found.split()) != 1:
        raise CommandRefused(f"`{file}` must hold one access token, and nothing else")
    return found


def show(value: Any) -> None:
    """Print a value as JSON."""
    lines(json.dumps(value, indent=2, ensure_ascii=False).splitlines())


def lines(told: list[str]) -> None:
    """Print lines, without what a terminal would act on."""
    try:
        for line in told:
            print(printable(line))
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise CommandRefused(f"it is done, and cannot be printed ({error.strerror})") from None
