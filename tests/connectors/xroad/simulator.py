"""A pair of X-Road security servers and the services behind them, as X-Road's published protocol has them.

Written from "X-Road: Message Protocol for REST" (PR-REST 1.0) and "Service Metadata Protocol for REST" (PR-MREST), and
from nothing of the connector: what it takes for a request, an identifier and an answer is its own reading of them. A
`mood` makes the next answers wrong, in the ways in which security servers and what stands around them can be.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

from tests.connectors.servers import Request

Identifier = tuple[str, ...]
Service = Callable[[Request, str], tuple[int, Any]]
"""From the request and the target as the service sees it (`/path?query`) to its status and its JSON."""

_SEGMENT = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})+")


class Answered(NamedTuple):
    """An answer before it is bytes: headers in order, so that one can appear twice."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def raw(self) -> bytes:
        lines = [f"HTTP/1.1 {self.status} X", *(f"{name}: {value}" for name, value in self.headers)]
        return "\r\n".join([*lines, f"Content-Length: {len(self.body)}", "", ""]).encode() + self.body


class Refused(Exception):
    """A security server ends the exchange itself (PR-REST, 4.6)."""

    def __init__(self, status: int, type_: str, message: str) -> None:
        self.status, self.type, self.message = status, type_, message


_NAMED = 5
"""The first segments of an address name its service, whatever they are (X-Road 7, `RestRequest`)."""


def parts(text: str, least: int, most: int) -> Identifier:
    """An identifier: its parts percent-encoded one by one (4.2)."""
    segments = text.split("/")
    if not least <= len(segments) <= most or not all(_SEGMENT.fullmatch(segment) for segment in segments):
        raise Refused(400, "Client.BadRequest", f"Invalid identifier {text}")
    return tuple(unquote(segment, errors="strict") for segment in segments)


class SecurityServers:
    """The client's and the provider's. `allowed` are the pairs (client, service) that may be used."""

    def __init__(self, services: Mapping[Identifier, Service], allowed: set[tuple[Identifier, Identifier]]) -> None:
        self._services, self._allowed = services, allowed
        self.mood = "well"
        self.log: list[tuple[Identifier, Identifier, dict[str, str]]] = []
        """Of every message that reached its service: client, service, and the headers of X-Road."""
        self._before: bytes | None = None

    async def handle(self, request: Request, writer: asyncio.StreamWriter) -> None:
        """As `tests.connectors.servers` wants it."""
        try:
            answered = self._exchange(request)
        except Refused as refused:
            answered = _error(refused)
        raw = self._changed(answered).raw()
        if self.mood == "the answer before" and self._before is not None:
            raw, self._before = self._before, raw
        self._before = raw if self._before is None else self._before
        writer.write(raw)

    def _exchange(self, request: Request) -> Answered:
        for name in {name for name in request.names if name.startswith("x-road-")}:
            if request.names.count(name) > 1:
                raise Refused(400, "Client.DuplicateHeaderField", f"{name} appears twice")
        path, mark, query = request.target.partition("?")
        version, *segments = path.removeprefix("/").split("/")
        if version != "r1":
            raise Refused(400, "Client.BadRequest", "not r1")
        client = parts(request.headers.get("x-road-client", ""), 3, 4)
        if self.mood.startswith("error "):
            raise Refused(400 if "Client.B" in self.mood else 500, self.mood.removeprefix("error "), "simulated")
        if segments[-1] == "allowedMethods":
            named = parts("/".join(segments), _NAMED, _NAMED)
            met = self._allowed_methods(client, named[:-1])
            return _by_x_road(request, client, named, 200, met)
        service = parts("/".join(segments[:_NAMED]), _NAMED, _NAMED)
        if service not in self._services:
            raise Refused(500, "Server.ServerProxy.UnknownService", f"Unknown service: {service}")
        if (client, service) not in self._allowed:
            raise Refused(500, "Server.ServerProxy.AccessDenied", "Request is not allowed")
        if "x-road-represented-party" in request.headers:
            parts(request.headers["x-road-represented-party"], 1, 2)
        shown = {name: value for name, value in request.headers.items() if name.startswith("x-road-")}
        self.log.append((client, service, shown))
        target = "".join(f"/{segment}" for segment in segments[_NAMED:]) + mark + query
        status, body = self._services[service](request, target)
        return _by_x_road(request, client, service, status, body)

    def _allowed_methods(self, client: Identifier, provider: Identifier) -> Any:
        names = ["xroad_instance", "member_class", "member_code", "subsystem_code"]
        about = {**dict(zip(names, provider, strict=False)), "object_type": "SERVICE", "service_type": "OPENAPI"}
        codes = [service[-1] for who, service in self._allowed if who == client and service[:-1] == provider]
        return {"service": [{**about, "service_code": code, "endpoint_list": []} for code in codes]}

    def _changed(self, answered: Answered) -> Answered:
        status, headers, body = answered
        match self.mood.partition(" "):
            case ("without", _, name):
                headers = [each for each in headers if each[0] != name]
            case ("twice", _, name):
                headers = [*headers, *(each for each in headers if each[0] == name)]
            case ("other", _, said):
                other, _, value = said.partition("=")
                headers = [(name, value if name == other else was) for name, was in headers]
            case ("bare", _, said):  # of something that stands before the security server
                status, headers, body = int(said), [("Content-Type", "text/html")], b"<html>"
            case ("beside", _, _):  # an error that comes with an answer
                headers = [*headers, ("X-Road-Error", "Server.ServerProxy.InternalError")]
        return Answered(status, headers, body)


def _by_x_road(request: Request, client: Identifier, service: Identifier, status: int, body: Any) -> Answered:
    content = json.dumps(body).encode()
    heads = "".join(f"{name}:{value}\r\n" for name, value in request.headers.items()).encode()
    digest = hashlib.sha512(hashlib.sha512(heads).digest() + hashlib.sha512(request.body).digest()).digest()
    if not request.body:
        digest = hashlib.sha512(heads).digest()
    encoded = {key: "/".join(map(_encoded, value)) for key, value in (("client", client), ("service", service))}
    return Answered(
        status,
        [
            ("Content-Type", "application/json;charset=utf-8"),
            ("x-road-id", request.headers.get("x-road-id") or str(uuid.uuid4())),
            ("x-road-client", encoded["client"]),
            ("x-road-service", encoded["service"]),
            ("x-road-request-id", str(uuid.uuid4())),
            ("x-road-request-hash", base64.b64encode(digest).decode()),
        ],
        content,
    )


def _error(refused: Refused) -> Answered:
    body = {"type": refused.type, "message": refused.message, "detail": str(uuid.uuid4())}
    headers = [("Content-Type", "application/json;charset=utf-8"), ("X-Road-Error", refused.type)]
    return Answered(refused.status, headers, json.dumps(body).encode())


def _encoded(part: str) -> str:
    kept = set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
    return "".join(chr(byte) if byte in kept else f"%{byte:02X}" for byte in part.encode())
