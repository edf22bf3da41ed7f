"""The usual answer, read without a parser: it comes whole in one piece, with 200, its length and no other framing.

Nearly all of a department's answers are so. What is matched is less than what HTTP allows, and a parser would read each
of it alike; everything else is left to it.
"""

from __future__ import annotations

import re

_MAX_HEAD = 4096
_MEANT = (
    "content-length|transfer-encoding|content-encoding|retry-after|upgrade|connection|proxy-connection|keep-alive|te"
    "|trailer"
)
"""Headers that say something of the answer or its connection."""
_LINE = rf"\r\n(?:(?!(?:{_MEANT}):)[a-z0-9-]++:[ -~]*+|connection: ?keep-alive|keep-alive: ?[a-z0-9=, ]*+)"
_usual = re.compile(
    rf"http/1\.1 200 [ -~]*+(?:{_LINE}){{0,32}}+\r\ncontent-length: ?([0-9]{{1,9}}+)(?:{_LINE}){{0,32}}+".encode()
).fullmatch


def body(answer: bytes, limit: int) -> bytes | None:
    """The body of a usual answer, if all of it is at most `limit` bytes; None where a parser must read it."""
    head, end, content = answer.partition(b"\r\n\r\n")
    usual = _usual(head.lower()) if end and len(head) <= _MAX_HEAD and head.startswith(b"HTTP/") else None
    return content if usual is not None and int(usual[1]) == len(content) <= limit else None
