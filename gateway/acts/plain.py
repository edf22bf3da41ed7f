"""Acts that are no GraphQL: JSON routes of stewards and officers, and the answer where one cannot be done.

A caller is authenticated as one of `/graphql` is, before its body is read; a proof of possession is for the route's own
address. What is refused is a problem (RFC 9457): `detail` says why, `code` and `reason` are those of acts, and
`problems` are what is wrong in a file, each with its line.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.mapping import duplicate_keys
from gateway.acts import inputs
from gateway.acts.called import Acted
from gateway.bounds.body import read
from gateway.errors import BodyRefused, Code, Refusal
from gateway.inquiry.authenticate import Authenticator
from gateway.inquiry.types import Requester
from gateway.ledger.acting.planned import not_found

_T = TypeVar("_T")

MAX_BODY = 64 * 1024
READING = 16
"""Bodies that are read at a time."""

_STATUS = {Code.MATTER_NOT_FOUND: 404, Code.CONFLICT: 409}
_OF_REASONS = {"ARGUMENT": 400, "SIGN_IN": 403, "SECOND_PERSON": 403}
"""Of `MATTER_INVALID`; of every other reason it is 409."""
_ALWAYS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_AS_IT_IS = "/:@!$&'()*+,;="
"""What stands in an address unencoded (RFC 3986, 3.3), beside letters, digits and `-._~`."""
_encode = msgspec.json.Encoder(enc_hook=str).encode


class Asked(NamedTuple):
    """One request: who asks, its body, what its path names, and the parameters of its address."""

    requester: Requester
    body: bytes
    path: dict[str, str]
    query: Mapping[str, str] = {}

    def of(self, type: type[_T]) -> _T:
        """The body as a value; raises `Refusal` `ARGUMENT`."""
        try:
            given = msgspec.json.decode(self.body, type=type)
            if (wrong := duplicate_keys.check(self.body)) is None:
                return given
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise inputs.wrong(f"the body is not what this takes: {str(error)[:300]}") from None
        twice = wrong == "duplicate keys"
        raise inputs.wrong("an object of the body has a key twice; keep one" if twice else f"the body is {wrong}")


Do = Callable[[Asked], Awaitable[Acted]]


class Plain:
    """Makes the routes. `public_url` is the gateway's, for proofs; `defect` is called with what nobody expected."""

    def __init__(
        self,
        authenticator: Callable[[], Authenticator],
        public_url: str,
        defect: Callable[[str, BaseException], None],
    ) -> None:
        self._authenticator, self._public_url, self._defect = authenticator, public_url.rstrip("/"), defect
        self._reading = 0

    def route(self, method: str, path: str, do: Do, most: int = MAX_BODY) -> Route:
        """A route by which an act is done, or something is read; its body has `most` bytes."""

        async def endpoint(request: Request) -> Response:
            try:
                done = await do(await self._asked(request, most))
            except Refusal as refusal:
                return told(refusal)
            except Exception as error:
                quoted = secrets.token_hex(8)
                self._defect(quoted, error)
                message = f"The gateway failed. Quote `{quoted}` when you report it."
                return told(Refusal(Code.INTERNAL, message, id=quoted))
            content = done.value if done.act is None else {**done.value, "act": msgspec.Raw(done.act)}
            return Response(_encode(content), 200, _ALWAYS, "application/json")

        return Route(path, endpoint, methods=[method])

    async def _asked(self, request: Request, most: int) -> Asked:
        authenticator, headers = self._authenticator(), request.scope["headers"]
        address = self._public_url + quote(request.scope["path"], safe=_AS_IT_IS)
        named = dict(request.path_params)
        credentials = authenticator.credentials(headers)
        requester = await authenticator.authenticate(credentials, request.method, headers, address)
        if self._reading >= READING:
            message = "too many bodies are read now; send it again"
            raise Refusal(Code.LEDGER_UNAVAILABLE, message, headers={"Retry-After": "1"})
        self._reading += 1
        try:
            body = await read(request, most)
        except BodyRefused as error:
            raise Refusal(Code.REQUEST_INVALID, error.told, status=error.status) from None
        finally:
            self._reading -= 1
        if any("\0" in each for each in named.values()):  # of which PostgreSQL cannot be asked
            raise not_found()
        return Asked(requester, body, named, dict(request.query_params))


def of_file(message: str, problems: Sequence[object]) -> Refusal:
    """A file will not do: what is wrong with it, each with its line."""
    refusal = inputs.wrong(message)
    refusal.extensions["problems"] = [str(each) for each in problems]
    return refusal


def told(refusal: Refusal) -> Response:
    """A refusal as a problem."""
    status = _STATUS.get(refusal.code, refusal.status)
    if refusal.code is Code.MATTER_INVALID:
        status = _OF_REASONS.get(str(refusal.extensions.get("reason")), 409)
    content: dict[str, Any] = {
        "status": status, "code": refusal.code.value, "detail": refusal.message, **refusal.extensions
    }  # fmt: skip
    return Response(_encode(content), status, {**_ALWAYS, **refusal.headers}, "application/problem+json")
