"""X-Road's message protocol for REST (PR-REST 1.0, `r1`), as a client of a security server speaks it.

A question names its client and its service, and has an id of its own (`X-Road-Id`), which the answer repeats beside
them. So an answer counts only where it says, once each, that it is to this question, of this client, to this service;
then it is nobody else's, and its connection may carry any other question. Where `X-Road-Error` stands, a security
server speaks and not the service: that is reported apart, in words of our own, and never means "no records".
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

import msgspec

from connectors.base import Config, Failure, Fault
from connectors.http.calling import RETRYABLE, Asking, Caller, Kind, Reading, Tried
from connectors.http.pooled_transport import Opening
from connectors.http.transport import Response
from connectors.kit.source import invalid

Identifier = tuple[str, ...]
"""The parts of what X-Road names: instance, member class, member code, and so on."""

_ANSWERED = ("x-road-client", "x-road-service", "x-road-id", "x-road-request-id", "x-road-request-hash")
SHOWN = frozenset({*_ANSWERED, "x-road-error"})
"""The headers of an answer that X-Road itself writes."""
RESERVED = frozenset({*SHOWN, "x-road-represented-party", "x-road-userid", "x-road-issue"})
"""The headers that nobody sets by hand."""
MEANT = {
    **dict.fromkeys(RESERVED, ()),
    "x-road-id": ("inquiry",),
    "x-road-issue": ("purpose", "case"),
    "x-road-userid": ("official",),
}
"""What of an inquiry can be forwarded by a header of X-Road; by any other of its headers nothing can."""
_HASH = 64
"""Bytes of a SHA-512."""
_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


class Named(NamedTuple):
    """Who asks for what, and for whom; `represented` is empty where it is for the client itself."""

    client: Identifier
    service: Identifier
    represented: Identifier = ()


_PERMANENT = {
    "accessdenied": "it does not let the client use the service",
    "unknownservice": "it knows no such service",
    "unknownmember": "it knows no such member or subsystem",
    "servicedisabled": "the service is switched off",
    "invalidrequest": "it does not read the request",
    "badrequest": "it does not read the request",
    "internalclientcertmissing": "it asks for a client certificate",
    "sslauthenticationfailed": "it does not take the certificate",
}
_PASSING = {
    "servicefailed": "it has no answer of the service",
    "networkerror": "it does not reach the other side",
    "hostnotfound": "it does not reach the other side",
    "outdatedglobalconf": "its global configuration is outdated",
    "databaseerror": "its database fails",
    "timestampingfailed": "it cannot time-stamp",
}
_SIDES = (
    ("server.serverproxy.", "the provider's security server"),
    ("server.clientproxy.", "the client's security server"),
    ("client.", "a security server"),
)


def read_identifier(config: Config, least: int, most: int, example: str) -> Identifier:
    """What X-Road names, as its addresses have it: parts with `/` between, percent-encoded where that is needed."""
    text = config.text(what=f"parts with `/` between, as `{example}`")
    if _ESCAPE.search(text):
        config.problem("has a `%` that no two hexadecimal digits follow; write `%25` for the character itself")
        return ()
    parts = tuple(unquote(part) for part in text.split("/"))
    if not least <= len(parts) <= most:
        many = f"{least}" if least == most else f"{least} to {most}"
        config.problem(f"has {len(parts)} parts; write {many} with `/` between, as `{example}`")
    elif not all(part.strip(".") and part.strip() == part and part.isprintable() and "\ufffd" not in part
                 for part in parts):  # fmt: skip
        config.problem(f"has a part that is empty, or holds what cannot be used in an address; write it as `{example}`")
    else:
        return parts
    return ()


def written(identifier: Identifier) -> str:
    """The identifier as an address or a header has it: each part in UTF-8, percent-encoded (PR-REST, 4.2)."""
    return "/".join([quote(part, safe="") for part in identifier])


class XroadCaller(Caller):
    """A way out through a security server; `named` has the client and the service."""

    address_key = "security_server"

    def __init__(self, named: Named, security_server: str, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._named, self._security_server = named, security_server
        self._fixed = {"x-road-client": written(named.client)}
        if named.represented:
            self._fixed["x-road-represented-party"] = written(named.represented)

    def opening(self, kind: Kind, url: str) -> Opening | None:
        """See `Caller`: an answer of X-Road takes more to be believed, so that no question is sent at once."""
        return None

    async def ask(self, asking: Asking, came: Response | None = None, fresh: bool = False) -> Any | Failure:
        """See `Caller`. A question that is asked again has the same id: both are the same message."""
        sent, own = self._headed(asking.headers)

        def checked(answer: Response) -> Reading:
            wrong = self._wrong(answer, own)
            if wrong is not None:
                return Reading(wrong, True, False)
            reading = asking.read(answer)
            return Reading(reading.told, reading.wrong, True)  # its id says whose it is, whomever it names

        kind = msgspec.structs.replace(asking.kind, lane=self)
        return await super().ask(msgspec.structs.replace(asking, kind=kind, read=checked, headers=sent), came, fresh)

    async def attempt(
        self, method: str, url: str, body: bytes | None, end: float, headers: Mapping[str, str] | None = None
    ) -> Tried:
        """See `Caller`. An answer that is not the service's to this question is a `Failure`."""
        sent, own = self._headed(headers)
        tried = await super().attempt(method, url, body, end, sent)
        if isinstance(tried.answer, Response) and (wrong := self._wrong(tried.answer, own)) is not None:
            return Tried(wrong, tried.seconds, "service")
        return tried

    def _headed(self, headers: Mapping[str, str] | None) -> tuple[dict[str, str], str]:
        """This question's headers, and its id: new each time, after what is forwarded as one."""
        sent = {**self._fixed, **(headers or {})}
        before = sent.get("x-road-id")
        own = sent["x-road-id"] = f"{before}-{secrets.token_hex(8)}" if before else secrets.token_hex(16)
        return sent, own

    def _wrong(self, answer: Response, own: str, service: Identifier | None = None) -> Failure | None:
        """Why an answer is none of the service's to this question; `own` is its id."""
        said: dict[str, str] = {}
        for name, value in answer.headers:
            if name in said:
                return invalid("an X-Road header appears twice")
            said[name] = value
        if "x-road-error" in said:
            return _refused(said["x-road-error"])
        missing = [name for name in _ANSWERED if not said.get(name)]
        if missing:
            return invalid("an answer without the headers of X-Road")
        if said["x-road-id"] != own:
            return invalid("the answer is to another question, by its `X-Road-Id`")
        if _read(said["x-road-client"]) != self._named.client:
            return invalid("the answer is to another client, by its `X-Road-Client`")
        if _read(said["x-road-service"]) != (service or self._named.service):
            return invalid("the answer is of another service, by its `X-Road-Service`")
        if not _is_hash(said["x-road-request-hash"]):
            return invalid("`X-Road-Request-Hash` is no SHA-512")
        return None

    def _refused(self, answer: Response) -> Failure:
        """Whose status it is: a security server's, the service's, or of something that stands between."""
        errors = [value for name, value in answer.headers if name == "x-road-error"]
        if len(errors) > 1:
            return invalid("an X-Road header appears twice")
        if errors:
            return _refused(errors[0])
        by = (
            "of the service"
            if any(name == "x-road-service" for name, _ in answer.headers)
            else "without X-Road's headers"
        )
        return Failure(Fault.UNAVAILABLE, answer.status in RETRYABLE, f"status {answer.status} {by}")

    async def examine(self, url: str) -> list[str]:
        """See `base.Examined`: X-Road is asked what the client may use there."""
        service = (*self._named.service[:-1], "allowedMethods")
        address, where = f"{self._security_server}/r1/{written(service)}", f"`{self._security_server}`"
        sent, own = self._headed(None)
        answer = await self.once(address, sent)
        if isinstance(answer, Failure):
            return [f"{where}: {answer.detail}"]
        wrong = self._wrong(answer, own, service)
        if wrong is not None:
            return [f"{where}: {wrong.detail}"]
        if answer.status != 200:
            return [f"{where}: status {answer.status} of `allowedMethods`"]
        try:
            allowed = msgspec.json.decode(answer.body, type=_Allowed).service
        except msgspec.MsgspecError:
            return [f"{where}: `allowedMethods` does not answer as X-Road prescribes"]
        if self._named.service[-1] not in {each.service_code for each in allowed}:
            return [f"{where}: the client may not use `{written(self._named.service)}`, or there is no such service"]
        return []


class _Service(msgspec.Struct):
    service_code: str = ""


class _Allowed(msgspec.Struct):
    service: list[_Service] = []


def _read(text: str) -> Identifier:
    return tuple(unquote(part) for part in text.split("/"))


def _is_hash(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == _HASH
    except (binascii.Error, ValueError):
        return False


def _refused(error: str) -> Failure:
    """What a security server says by `X-Road-Error`, in words of our own: what it wrote is not told on."""
    code = re.sub(r"[^a-z]", "", error.rpartition(".")[2].lower())
    lower = error.lower()
    who = next((words for start, words in _SIDES if lower.startswith(start)), "X-Road")
    what = _PERMANENT.get(code) or _PASSING.get(code) or "an error of another kind, which its own log has"
    passes = code in _PASSING or (code not in _PERMANENT and not lower.startswith("client."))
    return Failure(Fault.UNAVAILABLE, passes, f"{who}: {what}")
