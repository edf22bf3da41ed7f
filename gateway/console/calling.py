"""How a page asks: it calls the API of this very process, with the access token of whoever looks at it.

So a page decides nothing: scopes, rules, bounds, entries and `view` acts are those of every other client. What is asked
goes through the whole application, from its headers on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import unquote

import msgspec

Message = MutableMapping[str, Any]
Application = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]

_ACCEPT = "application/graphql-response+json"


_decode = msgspec.json.Decoder(float_hook=float).decode


class ApiRefused(Exception):
    """The API refused: its code, its own words for whoever asked, and the rest of its answer."""

    def __init__(self, status: int, code: str, message: str, more: Mapping[str, Any]) -> None:
        super().__init__(f"{code}: {message}")
        self.status, self.code, self.message, self.more = status, code, message, more

    @property
    def reason(self) -> str:
        """What kind of refusal it is, where the code has several."""
        return str(self.more.get("reason", ""))


class Answered(msgspec.Struct):
    """What the API answered: the value, and of an act its id, time and receipt."""

    data: Any
    act: Mapping[str, Any] | None = None
    errors: list[Any] = []


class Api:
    """The API of one process. `application` is the whole gateway; it is asked for once it is there."""

    def __init__(self, application: Callable[[], Application]) -> None:
        self._application = application

    async def ask(self, token: str, client: Any, document: str, variables: Mapping[str, Any]) -> Answered:
        """The answer to an operation; raises `ApiRefused` where any of it was refused."""
        body = msgspec.json.encode({"query": document, "variables": variables})
        status, told = await self.send(token, client, "POST", "/graphql", body, _ACCEPT)
        errors = told.get("errors") if isinstance(told, dict) else None
        if errors or not isinstance(told, dict):
            first = errors[0] if errors else {}
            more = first.get("extensions", {})
            raise ApiRefused(status, str(more.get("code", "INTERNAL")), str(first.get("message", "")), more)
        return Answered(told.get("data"), told.get("extensions", {}).get("act"))

    async def call(self, token: str, client: Any, method: str, path: str, value: Any = None) -> Any:
        """What a JSON route answers; raises `ApiRefused`."""
        body = b"" if value is None else msgspec.json.encode(value)
        status, told = await self.send(token, client, method, path, body, "application/json")
        if status >= 400:
            more = told if isinstance(told, dict) else {}
            raise ApiRefused(status, str(more.get("code", "INTERNAL")), str(more.get("detail", "")), more)
        return told

    async def send(self, token: str, client: Any, method: str, path: str, body: bytes, accept: str) -> tuple[int, Any]:
        """Status and JSON of one request, sent on behalf of `client` (ASGI's address and port)."""
        place, _, query = path.partition("?")
        headers = [
            (b"host", b"pages"),
            (b"authorization", b"Bearer " + token.encode("ascii", "replace")),
            (b"accept", accept.encode()),
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ]
        scope: Message = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "https",
            "path": unquote(place), "raw_path": place.encode(), "query_string": query.encode(), "root_path": "",
            "headers": headers, "client": client, "server": ("pages", None), "extensions": {},
        }  # fmt: skip
        sent, told = iter([{"type": "http.request", "body": body, "more_body": False}]), _Told()

        async def receive() -> Message:
            return next(sent, {"type": "http.disconnect"})

        await self._application()(scope, receive, told.take)
        try:
            return told.status, _decode(told.body)
        except msgspec.DecodeError:
            return told.status, None


class _Told:
    """What the application sends, as it comes."""

    def __init__(self) -> None:
        self.status, self.body = 500, b""

    async def take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")
