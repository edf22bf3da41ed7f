"""What keeps others out of a page: which forms count, where a sign-in may lead, and which headers a browser gets.

Invariants: a form counts only with its session's own token, and from this gateway's own pages where the browser says
from where; a sign-in leads to a path of this gateway and nowhere else; no page is kept by a cache, framed, or runs or
loads anything that does not come from here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hmac import compare_digest

from starlette.datastructures import Headers

from gateway.console.sessions import Session

COOKIE, SIGNING_IN = "__Host-dutybound", "__Host-dutybound-login"

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "; ".join(
        [
            "default-src 'none'",
            "style-src 'self'",
            "script-src 'self'",
            "connect-src 'self'",
            "img-src 'self' data:",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        ]
    ),
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with none at all, browsers would not say from where a form comes
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Robots-Tag": "noindex",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
"""What goes with each page."""

_PATH = re.compile(r"/(?![/\\])[A-Za-z0-9._~%!$&'()*+,;=:@/?-]*")
_LONGEST_PATH = 500
_ROOMS = ("/my/", "/console/")


def local_path(given: str | None, otherwise: str) -> str:
    """The path of this gateway that was given; `otherwise` where it is anything else, such as another's address."""
    if given and len(given) <= _LONGEST_PATH and _PATH.fullmatch(given) and ".." not in given:
        return given
    return otherwise


def room(given: str | None, otherwise: str) -> str:
    """The page of a room that was given; `otherwise` where it is anything else, such as the way out."""
    path = local_path(given, "")
    return path if path.startswith(_ROOMS) else otherwise


def is_own(headers: Mapping[str, str], origin: str) -> bool:
    """Whether a request that changes something comes from our own pages, as far as the browser reports its origin."""
    site = headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    said = headers.get("origin")
    return said is None or said == origin


def is_theirs(session: Session, form: Mapping[str, str]) -> bool:
    """Whether a form was made for this session."""
    return compare_digest(form.get("csrf", "").encode(), session.csrf.encode())


def held(headers: Headers, name: str) -> str:
    """The cookie of this name that the browser sent; nothing where there is none.

    Ours are never quoted. What reads quoted ones in the standard library takes 20 seconds for one of 120 KB,
    before anybody has signed in (CVE-2024-7592).
    """
    for pair in ";".join(headers.getlist("cookie")).split(";"):
        key, _, value = pair.partition("=")
        if key.strip() == name:
            return value.strip()
    return ""


def cookie(name: str, value: str, seconds: int | None = None) -> str:
    """A `Set-Cookie` that no script reads, no other site sends in a form, and no other host can set (`__Host-`)."""
    lasts = "" if seconds is None else f"; Max-Age={seconds}"
    return f"{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax{lasts}"
