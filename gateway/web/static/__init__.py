"""The pages' style and scripts: bundles that `make assets` makes and the repository keeps, so that nothing needs Node.

`source/` is what they are made from, with the packages that `package-lock.json` pins; `built/` is what is served.
Invariant: a file's address names its content, so a browser that keeps it for a year never has an old one.
"""

from __future__ import annotations

import functools
import hashlib
import zlib
from pathlib import Path
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

FOLDER = Path(__file__).parent / "built"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".txt": "text/plain"}
_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept-Encoding",
}
_YEAR = "public, max-age=31536000, immutable"
_GZIP = 31
"""How zlib is told to pack as gzip does."""
_NAMED = "part-"
"""How files begin whose name has a digest of their content, as the bundler names what several scripts share."""


class _File(NamedTuple):
    content: bytes
    tag: str
    media: str


def _read(file: Path) -> _File:
    content = file.read_bytes()
    return _File(content, hashlib.sha256(content).hexdigest()[:16], _TYPES[file.suffix])


@functools.cache
def _packed(name: str) -> bytes:
    """A file's content, packed at its first request: most processes that import this serve no page."""
    gzip = zlib.compressobj(9, wbits=_GZIP)
    return gzip.compress(_FILES[name].content) + gzip.flush()


_FILES = {file.name: _read(file) for file in sorted(FOLDER.iterdir()) if file.suffix in _TYPES}


def address(name: str) -> str:
    """The address of a bundle as it is now, below the gateway's own; raises `KeyError` where there is none."""
    return f"static/{name}?v={_FILES[name].tag}"


def static_route() -> Route:
    """`GET /static/{name}`: the bundles, packed for whoever takes that."""

    async def endpoint(request: Request) -> Response:
        name = request.path_params["name"]
        file = _FILES.get(name)
        if file is None:
            return Response(status_code=404, headers={**_ALWAYS, "Cache-Control": "no-store"})
        fixed = name.startswith(_NAMED) or request.query_params.get("v") == file.tag
        headers = {**_ALWAYS, "ETag": f'W/"{file.tag}"', "Cache-Control": _YEAR if fixed else "no-cache"}
        if any(each.strip() == headers["ETag"] for each in request.headers.get("if-none-match", "").split(",")):
            return Response(status_code=304, headers=headers)
        if _takes_gzip(request.headers.get("accept-encoding", "")):
            return Response(_packed(name), headers={**headers, "Content-Encoding": "gzip"}, media_type=file.media)
        return Response(file.content, headers=headers, media_type=file.media)

    return Route("/static/{name}", endpoint, methods=["GET"])


def _takes_gzip(accepted: str) -> bool:
    for each in accepted.lower().split(","):
        coding, _, quality = each.partition(";")
        if coding.strip() == "gzip":
            return quality.strip().replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
