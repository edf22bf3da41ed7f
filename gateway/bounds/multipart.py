"""A form with a file (`multipart/form-data`, RFC 7578), as browsers send it, and no other multipart.

Invariant: each byte is looked at so many times and no more, whatever is sent: the parser of e-mail in the standard
library takes half a minute for 60 KB of semicolons, and would hold up everybody meanwhile.
"""

from __future__ import annotations

import re

_KIND = re.compile(
    r'multipart/form-data *; *boundary=(?:"([0-9A-Za-z\'()+_,./:=? -]{1,70})"|([0-9A-Za-z\'+_.-]{1,70}))', re.I
)
_NAMED = re.compile(rb'content-disposition: *form-data *; *name="([^"]{1,200})"(?: *;.*)?', re.I)
_LONGEST_HEAD = 4 * 1024


def fields(kind: str, body: bytes, most: int) -> dict[str, list[str]]:
    """The fields of a form by name, a file as its text. `kind` is its media type, with the boundary.

    Raises `ValueError` for whatever is none, has more than `most` fields, or is not UTF-8.
    """
    found = _KIND.fullmatch(kind.strip())
    if found is None:
        raise ValueError("this is no multipart form")
    mark = b"\r\n--" + (found[1] or found[2]).encode()
    before, *parts = (b"\r\n" + body).split(mark, most + 1)
    if before or not parts or parts.pop().rstrip() != b"--":
        raise ValueError("a multipart form begins and ends with its boundary, and has not too many parts")
    fields: dict[str, list[str]] = {}
    for part in parts:
        name, content = _field(part)
        fields.setdefault(name, []).append(content)
    return fields


def _field(part: bytes) -> tuple[str, str]:
    head, ended, content = part.partition(b"\r\n\r\n")
    if not ended or not head.startswith(b"\r\n") or len(head) > _LONGEST_HEAD:
        raise ValueError("a part of the form has no head")
    names = [named[1] for line in head.split(b"\r\n") if (named := _NAMED.fullmatch(line)) is not None]
    if len(names) != 1:
        raise ValueError("a part of the form has no name, or several")
    return names[0].decode("utf-8"), content.decode("utf-8")
