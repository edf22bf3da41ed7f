"""Other ways in which a department over HTTP sends its moods: through X-Road, and in XML; and the faults of both."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape

from tests.faults.moods import SECRET, Asked, Mood, answer

_STATUS = re.compile(rb"^HTTP/1\.1 (?!1)\d\d\d [^\r\n]*\r\n", re.MULTILINE)
_NAME = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)
_HEADS = 65_536
"""Bytes in which all heads of an answer are: the department has to stay quick, however large that is."""
_HASH = base64.b64encode(hashlib.sha512(b"a question").digest()).decode()


def of_x_road(head: bytes, service: str) -> tuple[str, ...]:
    """The headers that a security server adds to the answer to a question with this head."""
    sent = {
        name.lower(): value
        for name, _, value in (line.partition(": ") for line in head.decode("latin-1").split("\r\n")[1:])
    }
    return (
        f"x-road-id: {sent.get('x-road-id', '')}",
        f"x-road-client: {sent.get('x-road-client', '')}",
        f"x-road-service: {service}",
        "x-road-request-id: f92591a3-6bf0-49b1-987b-0dd78c034cc3",
        f"x-road-request-hash: {_HASH}",
    )


def signed(sent: bytes, headers: tuple[str, ...]) -> bytes:
    """An answer with these headers, after its status line; an interim one has none."""
    lines = "".join(f"{line}\r\n" for line in headers).encode()
    return _STATUS.sub(lambda found: found[0] + lines, sent[:_HEADS]) + sent[_HEADS:]


def _otherwise(change: Callable[[tuple[str, ...]], tuple[str, ...]]) -> Mood:
    return lambda asked: signed(asked.well(), change(asked.headers))


def _instead(name: str, value: str) -> Mood:
    return _otherwise(lambda lines: tuple(f"{name}: {value}" if line.startswith(name) else line for line in lines))


X_ROAD: dict[str, Mood] = {
    "no headers of X-Road": _otherwise(lambda lines: ()),
    "no id of X-Road": _otherwise(lambda lines: lines[1:]),
    "two ids of X-Road": _otherwise(lambda lines: (*lines, *lines[:1])),
    "another question's id": _instead("x-road-id", "4711"),
    "another client": _instead("x-road-client", "EE/GOV/1/other"),
    "another service": _instead("x-road-service", "EE/GOV/2/other/all"),
    "no hash": _instead("x-road-request-hash", SECRET),
    "an error of X-Road": lambda a: answer(
        json.dumps({"type": "Server.ServerProxy.ServiceFailed", "message": SECRET, "detail": SECRET}).encode(),
        "500 Oops", "X-Road-Error: Server.ServerProxy.ServiceFailed",
    ),
    "an error of X-Road with a 404": lambda a: signed(
        answer(SECRET.encode(), "404 Where", f"X-Road-Error: {SECRET}"), a.headers
    ),
}  # fmt: skip
"""What only a security server can have wrong."""


def in_xml(sent: bytes) -> bytes:
    """A whole answer in JSON as one in XML; one in anything else as it is."""
    head, _, body = sent.partition(b"\r\n\r\n")
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return sent
    status = head.partition(b"\r\n")[0].decode().removeprefix("HTTP/1.1 ")
    return answer(_element("reply", value).encode(), status)


def _element(name: str, value: Any) -> str:
    name = name if _NAME.fullmatch(name) else "other"
    if isinstance(value, dict):
        inner = "".join(_element(each, held) for each, held in value.items())
    elif isinstance(value, list):
        inner = "".join(_element("item", each) for each in value)
    else:
        inner = "" if value is None else escape(value if isinstance(value, str) else json.dumps(value))
    return f"<{name}>{inner}</{name}>"


def _xml(change: Callable[[bytes], bytes]) -> Mood:
    def mood(asked: Asked) -> bytes:
        return answer(change(in_xml(asked.well()).partition(b"\r\n\r\n")[2]))

    return mood


_LAUGHS = b"<!DOCTYPE reply [<!ENTITY a 'ha'>%s]>" % b"".join(
    b"<!ENTITY %c '%s'>" % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9)
)
XML: dict[str, Mood] = {
    "a DTD": _xml(lambda body: b"<!DOCTYPE reply SYSTEM 'file:///etc/passwd'>" + body),
    "a thousand laughs": _xml(lambda body: _LAUGHS + body.replace(b"R-1", b"&j;")),
    "an entity of nobody": _xml(lambda body: body.replace(b"R-1", b"&r;")),
    "an element twice": _xml(lambda body: body.replace(b"<m_id>R-1</m_id>", b"<m_id>R-1</m_id>" * 2)),
    "another root": _xml(lambda body: body.replace(b"reply>", b"fault>")),
    "other elements": _xml(lambda body: body.replace(b"item>", b"row>")),
    "deep elements": _xml(lambda body: body.replace(b"R-1", b"<a>" * 50_000 + b"</a>" * 50_000)),
    "many elements": _xml(lambda body: body.replace(b"</item>", b"<a/>" * 200_000 + b"</item>")),
    "XML cut short": _xml(lambda body: body[:-9]),
    "bytes of no encoding": _xml(lambda body: body.replace(b"R-1", b"\xff\xfe")),
}
"""What only XML can have wrong."""
