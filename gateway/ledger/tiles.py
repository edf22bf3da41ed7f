"""The public face of the ledger: c2sp.org/tlog-tiles over HTTP. Hashes and commitments only.

`<shard>/checkpoint`, `<shard>/tile/<L>/<N>[.p/<W>]` and `<shard>/tile/entries/<N>[.p/<W>]`, for every shard in the
store, whichever process holds it. Only what is committed is served. An entry in a bundle is the 32-byte leaf: a salted
commitment that tells nothing of what was said.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.errors import StoreUnavailable, VerificationFailed
from gateway.ledger.ledger import Ledger
from gateway.ledger.read import TILE_BITS, TILE_WIDTH, Head, StoredTree, heads
from gateway.storage.port import Reader, Store

_PATH = re.compile(r"(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/)*)([0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")
_PREFIX = (32).to_bytes(2, "big")
_DEEPEST = 63


def checkpoint(store: Store, shard: str) -> bytes | None:
    """The signed checkpoint of a shard; None where there is no such shard."""

    def read(reader: Reader, head: Head) -> bytes:
        return head.checkpoint.encode()

    return _read(store, shard, read)


def tile(store: Store, shard: str, path: str) -> bytes | None:
    """What stands at `tile/<path>` of a shard; None where nothing does (yet), or the path is not canonical.

    Raises `VerificationFailed` where the store should have it and has not.
    """
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    kind, above, last, partial = match.groups()
    number = int(above.replace("x", "").replace("/", "") + last)
    level = 0 if kind == "entries" else int(kind)
    width = int(partial) if partial else TILE_WIDTH
    if above.startswith("x000/") or level > _DEEPEST or (partial and width >= TILE_WIDTH):
        return None

    def read(reader: Reader, head: Head) -> bytes | None:
        first = number * TILE_WIDTH
        if (head.size >> level * TILE_BITS) - first < width:
            return None
        tree = StoredTree(reader, head.id, head.size)
        if kind == "entries":
            return b"".join(_PREFIX + leaf for leaf in tree.leaves(first, first + width))
        return b"".join(tree.tile(level, number)[:width])

    return _read(store, shard, read)


def _read(store: Store, shard: str, read: Callable[[Reader, Head], bytes | None]) -> bytes | None:
    with contextlib.closing(store.reader()) as reader:
        head = next((head for head in heads(reader) if head.name == shard), None)
        return read(reader, head) if head else None


def routes(ledger: Ledger) -> list[Route]:
    """`/ledger/<shard>/checkpoint` and `/ledger/<shard>/tile/...`, served from the ledger's store."""

    def serve(found: Callable[[], bytes | None], media: str, cache: str) -> Response:
        try:
            body = found()
        except (StoreUnavailable, VerificationFailed):
            return Response("the ledger's store cannot be read now\n", 503, media_type="text/plain")
        if body is None:
            return Response("there is nothing here\n", 404, media_type="text/plain")
        return Response(body, headers={"Cache-Control": cache}, media_type=media)

    def get_checkpoint(request: Request) -> Response:
        shard = request.path_params["shard"]
        return serve(lambda: checkpoint(ledger.store, shard), "text/plain; charset=utf-8", "no-cache")

    def get_tile(request: Request) -> Response:
        shard, path = request.path_params["shard"], request.path_params["path"]
        media, cache = "application/octet-stream", "public, max-age=31536000, immutable"
        return serve(lambda: tile(ledger.store, shard, path), media, cache)

    return [
        Route("/ledger/{shard}/checkpoint", get_checkpoint),
        Route("/ledger/{shard}/tile/{path:path}", get_tile),
    ]
