"""The edge of an inquiry: HTTP bytes -> `GraphQLRequest`, and `Refusal` -> HTTP bytes. Pure.

GraphQL over HTTP (GraphQL Foundation): POST of `application/json` in UTF-8, answered as
`application/graphql-response+json` or `application/json`. The `Inquiry` header is an RFC 9651 dictionary. Invariants:
any bytes give a request or a `Refusal`, never another exception; a body has one meaning (no repeated keys, no NaN, no
lone surrogates); members that the specification reserves for later are passed over, those it names are checked. What
the document means is `plan`'s affair, who asks `authenticate`'s.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import msgspec
from http_sfv.dictionary import Dictionary
from http_sfv.item import Item
from http_sfv.types import Token

from connectors.mapping import duplicate_keys, numbers
from gateway.errors import OF_ACTS, Code, Refusal
from gateway.inquiry.types import Answer

MAX_BODY = 64 * 1024
MAX_NESTING = 32
MAX_HEADER = 2048
DECLARED = ("purpose", "case", "document", "consent", "reference", "recall")


class Media(enum.StrEnum):
    """The media types of an answer."""

    RESPONSE = "application/graphql-response+json"
    JSON = "application/json"


_CONTENT_TYPE = {media: f"{media}; charset=utf-8" for media in Media}
_PERSISTED = "Persisted queries are not kept here; send the document as `query`, and no `persistedQuery`."
_OUT_OF_RANGE = "A number in the body is out of range."
_TOO_DEEP = f"The body is nested more than {MAX_NESTING} deep."
_decode = msgspec.json.Decoder(float_hook=numbers.finite).decode


class GraphQLRequest(msgspec.Struct, frozen=True):
    """A well-formed request. `inquiry` is the `Inquiry` header as it came (see `declared`), `None` without one."""

    query: str
    operation_name: str | None
    variables: Mapping[str, Any]
    inquiry: bytes | None
    media: Media


def media_of(headers: Iterable[tuple[bytes, bytes]]) -> Media:
    """The media type to answer in, also where the request itself is refused."""
    accepts = [value for name, value in headers if name == b"accept"]
    return (_acceptable(b",".join(accepts)) if accepts else Media.JSON) or Media.JSON


def read(
    method: str, headers: Iterable[tuple[bytes, bytes]], body: bytes, body_limit: int = MAX_BODY
) -> GraphQLRequest:
    """Check and decode one request. `headers` as in ASGI (lower-case names); `body_limit` in bytes.

    Raises `Refusal`: `REQUEST_INVALID` (400, 405, 406, 413, 415).
    """
    named = dict(headers := [*headers])
    if len(named) != len(headers):
        named = _joined(headers)
    if named.get(b"content-encoding", b"").strip().lower() not in (b"", b"identity"):
        raise _invalid("The body is compressed; send it as it is.", 415)
    accept, content_type = named.get(b"accept"), named.get(b"content-type")
    if method != "POST":
        raise _invalid(f"`{method[:20]}` cannot run an operation here; use POST.", 405, Allow="POST")
    media = Media.JSON if accept is None else _acceptable(accept)
    if media is None:
        raise _invalid(f"The answer is `{Media.RESPONSE}` or `{Media.JSON}`; accept one of them.", 406)
    if content_type is None or not _is_json(content_type):
        raise _invalid("The Content-Type must be `application/json`, in UTF-8.", 415)
    if len(body) > body_limit:
        raise too_large(body_limit)
    query, operation_name, variables = _usually(body) or _operation(body)
    return GraphQLRequest(query, operation_name, variables, named.get(b"inquiry"), media)


def _joined(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Headers by name, where some come several times: these are one list, but of encodings the first other one."""
    named: dict[bytes, bytes] = {}
    for name, value in headers:
        before = named.get(name)
        if before is None or (name == b"content-encoding" and before.strip().lower() in (b"", b"identity")):
            named[name] = value
        elif name != b"content-encoding":
            named[name] = b"several" if name == b"content-type" else before + b"," + value
    return named


def too_large(body_limit: int) -> Refusal:
    """The refusal of a body over `body_limit` bytes."""
    return _invalid(f"The body is longer than {body_limit} bytes.", 413)


def refused(refusal: Refusal, media: Media, inquiry_extension: bytes | None) -> Answer:
    """The answer for a refusal: without `data`, but where an act came to nothing.

    `inquiry_extension` is the JSON of `extensions.inquiry`.
    Under `application/json` a GraphQL request error is 200, as clients of that media type expect.
    """
    extensions = {"code": refusal.code.value, **refusal.extensions}
    error: dict[str, Any] = {"message": refusal.message}
    if refusal.locations:
        error["locations"] = refusal.locations
    if refusal.path is not None:
        error["path"] = refusal.path
    error["extensions"] = extensions
    also = [{"message": text, "locations": at, "extensions": extensions} for text, at in refusal.also]
    content: dict[str, Any] = {"errors": [error, *also]}
    if refusal.code in OF_ACTS:
        content = {"data": None, **content}
    if inquiry_extension is not None:
        content["extensions"] = {"inquiry": msgspec.Raw(inquiry_extension)}
    lenient = media is Media.JSON and refusal.code.value.startswith("GRAPHQL_")
    headers = {"content-type": _CONTENT_TYPE[media], **{name.lower(): v for name, v in refusal.headers.items()}}
    return Answer(200 if lenient else refusal.status, headers, msgspec.json.encode(content))


def refused_at_once(refusal: Refusal, headers: Iterable[tuple[bytes, bytes]]) -> Answer:
    """A refusal that has no inquiry behind it, in the media type that the request's headers ask for."""
    return refused(refusal, media_of(headers), None)


def _invalid(message: str, status: int = 400, **headers: str) -> Refusal:
    return Refusal(Code.REQUEST_INVALID, message, status=status, headers=headers)


class _Usual(msgspec.Struct, rename={"operation_name": "operationName"}, forbid_unknown_fields=True):
    """A body as most are: texts, and objects of texts."""

    query: str
    variables: dict[str, str | dict[str, str]] | msgspec.UnsetType = msgspec.UNSET
    operation_name: str | msgspec.UnsetType | None = msgspec.UNSET


_usual = msgspec.json.Decoder(_Usual).decode


def _usually(body: bytes) -> tuple[str, str | None, Mapping[str, Any]] | None:
    """What `_operation` gives of a usual body; None where that has to look, as `_check` does at its colons."""
    try:
        content = _usual(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    query, variables, operation_name = content.query, content.variables, content.operation_name
    colons = 1 + query.count(":")
    if operation_name is msgspec.UNSET:
        operation_name = None
    else:
        colons += 1 if operation_name is None else 1 + operation_name.count(":")
    if variables is msgspec.UNSET:
        variables = {}
    else:
        colons += 1 + len(variables) + "".join(variables).count(":")
        for each in variables.values():
            if isinstance(each, str):
                colons += each.count(":")
            else:
                colons += len(each) + "".join(each).count(":") + "".join(each.values()).count(":")
    return (query, operation_name, variables) if colons == body.count(b":") and b"\\u" not in body else None


def _operation(body: bytes) -> tuple[str, str | None, Mapping[str, Any]]:
    try:
        content = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _invalid(_unreadable(body, error)) from error
    if type(content) is not dict:
        several = type(content) is list
        raise _invalid(
            "One request carries one operation, not a list." if several else "The body must be a JSON object."
        )
    _check(content, body)
    query = content.get("query")
    if type(query) is not str:
        extensions = content.get("extensions")
        only = query is None and type(extensions) is dict and "persistedQuery" in extensions
        raise _invalid(_PERSISTED if only else "`query` must be a string: the GraphQL document.")
    operation_name = content.get("operationName")
    if operation_name is not None and type(operation_name) is not str:
        raise _invalid("`operationName` must be a string or null.")
    variables = content.get("variables")
    if variables is None:
        variables = {}
    elif type(variables) is not dict:
        raise _invalid("`variables` must be an object or null.")
    extensions = content.get("extensions")
    if extensions is not None:
        if type(extensions) is not dict:
            raise _invalid("`extensions` must be an object or null.")
        if "persistedQuery" in extensions:
            raise _invalid(_PERSISTED)
    return query, operation_name, variables


def _unreadable(body: bytes, error: Exception) -> str:
    """Why the body could not be decoded."""
    if not body:
        return "The body is empty; send a JSON object."
    if isinstance(error, msgspec.ValidationError):
        return _OUT_OF_RANGE
    if isinstance(error, RecursionError):
        return _TOO_DEEP
    if isinstance(error, UnicodeDecodeError):
        return "The body is not in UTF-8."
    if duplicate_keys.slow_check(body) in ("not JSON", "not UTF-8"):
        return "The body is not JSON."
    return "The body has half of a surrogate pair, as `\\ud83d`, in a text; send the whole character."


def _check(content: dict[str, Any], body: bytes) -> None:
    """Refuse repeated keys, integers over 64 bits, and nesting past `MAX_NESTING`.

    A decoder drops all but the last of equal keys. Every key, dropped ones too, has one colon in the body outside of
    strings; so unless the body holds more colons than the decoded keys and strings account for, nothing was dropped.
    An escape `\\u` may hide a colon of a string: then the body is read again the slow way.
    """
    colons = 0
    level: list[Any] = [content]
    for _ in range(MAX_NESTING):
        deeper: list[Any] = []
        for value in level:
            if type(value) is dict:
                colons += len(value)
                for key, child in value.items():
                    if ":" in key:
                        colons += key.count(":")
                    if type(child) is str:
                        colons += child.count(":")
                    elif child is not None:
                        deeper.append(child)
            elif type(value) is list:
                deeper.extend(value)
            elif type(value) is str:
                colons += value.count(":")
            elif type(value) is int and not -(2**63) <= value < 2**63:
                raise _invalid(_OUT_OF_RANGE)
        if not deeper:
            break
        level = deeper
    else:
        raise _invalid(_TOO_DEEP)
    if colons == body.count(b":") and b"\\u" not in body:
        return
    if duplicate_keys.slow_check(body) is not None:
        raise _invalid("The body has the same key twice in one object; keep one.")


@lru_cache(maxsize=256)
def _is_json(content_type: bytes) -> bool:
    essence, *parameters = content_type.lower().split(b";")
    if essence.strip() != b"application/json":
        return False
    for parameter in parameters:
        name, _, value = parameter.partition(b"=")
        if name.strip() == b"charset" and value.strip().strip(b'"') not in (b"utf-8", b"utf8"):
            return False
    return True


@lru_cache(maxsize=256)
def _acceptable(accept: bytes) -> Media | None:
    """The preferred media type of an `Accept` header, `None` where neither will do (RFC 9110, 12.5.1).

    `*/*` means `application/json`: who knows of the newer type names it.
    """
    exact: dict[bytes, float] = {}
    for part in accept.lower().split(b",")[:64]:
        essence, *parameters = (piece.strip() for piece in part.split(b";"))
        quality = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition(b"=")
            if name.strip() == b"q":
                quality = _quality(value.strip())
            elif name.strip() == b"charset" and value.strip(b' "') not in (b"utf-8", b"utf8"):
                quality = 0.0
        if essence:
            exact[essence] = max(quality, exact.get(essence, 0.0))
    wild = exact.get(b"application/*", exact.get(b"*/*", 0.0))
    json_quality = exact.get(b"application/json", wild)
    response_quality = exact.get(b"application/graphql-response+json", wild)
    if b"application/graphql-response+json" in exact and response_quality and response_quality >= json_quality:
        return Media.RESPONSE
    if json_quality:
        return Media.JSON
    return Media.RESPONSE if response_quality else None


def _quality(text: bytes) -> float:
    try:
        quality = float(text)
    except ValueError:
        return 0.0
    return quality if 0.0 <= quality <= 1.0 else 0.0


class _Once(Dictionary):
    """A dictionary that refuses a key that comes twice, and keeps which, instead of keeping the last."""

    twice = ""

    def __setitem__(self, key: str, value: Any) -> None:
        if key in self.data:
            self.twice = key
            raise ValueError(key)
        super().__setitem__(key, value)


def declared(header: bytes | None) -> Mapping[str, str] | None:
    """What an `Inquiry` header declares, `None` without one; raises `Refusal` with `INQUIRY_INVALID`.

    Apart from `read`, because whoever is refused here has asked about a subject already, and that is entered.
    """
    return None if header is None else _declared(header)


@lru_cache(maxsize=512)
def _declared(header: bytes) -> Mapping[str, str]:
    if len(header) > MAX_HEADER:
        raise Refusal(Code.INQUIRY_INVALID, f"The `Inquiry` header is longer than {MAX_HEADER} bytes.")
    dictionary = _Once()
    try:
        dictionary.parse(header)
    except (ValueError, IndexError, TypeError, RecursionError) as error:
        message = 'The `Inquiry` header is not a dictionary such as `purpose=TENDER_QUALIFICATION, case="C-1"`.'
        if dictionary.twice:
            message = f"The `Inquiry` header has `{dictionary.twice[:60]}` twice; keep one."
        raise Refusal(Code.INQUIRY_INVALID, message) from error
    declared: dict[str, str] = {}
    for key, item in dictionary.items():
        if key not in DECLARED:
            known = ", ".join(f"`{name}`" for name in DECLARED)
            message = f"The `Inquiry` header has an unknown key, `{key[:60]}`; it may have {known}."
            raise Refusal(Code.INQUIRY_INVALID, message)
        token = key == "purpose"
        if not isinstance(item, Item) or item.params or type(item.value) is not _type(token):
            what = "a token, as `purpose=TENDER_QUALIFICATION`" if token else f'a string, as `{key}="..."`'
            what += ", without parameters" if isinstance(item, Item) and item.params else ""
            raise Refusal(Code.INQUIRY_INVALID, f"`{key}` in the `Inquiry` header must be {what}.")
        declared[key] = str(item.value)
    return MappingProxyType(declared)


def _type(token: bool) -> type[str]:
    return Token if token else str
