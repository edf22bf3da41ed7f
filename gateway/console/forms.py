"""The fields of a form that a browser sent: read within bounds, and taken only where the session's own page sent it."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qs

from starlette.requests import Request

from gateway.bounds import multipart
from gateway.bounds.body import read
from gateway.console import guarding
from gateway.console.sessions import Session
from gateway.errors import BodyRefused

MOST_FORM, MOST_FIELDS = 64 * 1024, 400
"""Bytes and fields that a form may have."""


async def own_form(
    origin: str, request: Request, session: Session, most: int = MOST_FORM
) -> Mapping[str, list[str]] | None:
    """The fields of a form that this session's own page sent; None for every other."""
    if not guarding.is_own(request.headers, origin):
        return None
    fields = await read_form(request, most)
    given = {name: values[0] for name, values in (fields or {}).items()}
    request.state.typed = fields or {}
    return fields if fields is not None and guarding.is_theirs(session, given) else None


def is_large(request: Request, most: int) -> bool:
    """Whether a form has more than `most` bytes, by its headers."""
    length = request.headers.get("content-length", "")
    return length.isascii() and length.isdigit() and (len(length) > 18 or int(length) > most)


async def read_form(request: Request, most: int = MOST_FORM) -> dict[str, list[str]] | None:
    """The fields of a form; None where it is none, or too large. A file that was chosen is a field of its text."""
    kind = request.headers.get("content-type", "")
    media = kind.partition(";")[0].strip().lower()
    if media not in ("application/x-www-form-urlencoded", "multipart/form-data"):
        return None
    try:
        body = await read(request, most)
        if media == "multipart/form-data":
            return multipart.fields(kind, body, MOST_FIELDS)
        return parse_qs(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except (BodyRefused, ValueError):
        return None
