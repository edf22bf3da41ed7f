"""The usual answer, read without a parser: it comes whole in one piece, with 200, its length and no other framing.

Nearly all of a department's answers are so. What is matched is less than what HTTP allows, and a parser would read each
of it alike; everything else is left to it.
"""

from __future__ import annotations

import re

_MEANT = (
    "content-length|transfer-encoding|content-encoding|retry-after|upgrade|connection|proxy-connection|keep-alive|te"
    "|trailer"
)
"""Headers that say something of the answer or its connection."""
_LINE = rf"(?:(?!(?:{_MEANT}):)[a-z0-9-]++:[ -~]*+|connection: ?keep-alive|keep-alive: ?[a-z0-9=, ]*+)\r\n"
_usual = re.compile(
    rf"http/1\.1 200 [ -~]*+\r\n(?:{_LINE}){{0,32}}+content-length: ?([0-9]{{1,9}}+)\r\n(?:{_LINE}){{0,32}}+".encode()
).fullmatch


def body(answer: bytes, limit: int) -> bytes | None:
    """The body of a usual answer, if all of it is at most `limit` bytes; None where a parser must read it."""
    end = answer.find(b"\r\n\r\n") + 4
    head = _usual(answer[: end - 2].lower()) if 4 < end <= 4096 else None
    return answer[end:] if head is not None and int(head[1]) == len(answer) - end <= limit else None
