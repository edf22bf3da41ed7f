"""The public face of the ledger: c2sp.org/tlog-tiles over HTTP. Hashes and commitments only.

`<shard>/checkpoint`, `<shard>/tile/<L>/<N>[.p/<W>]` and `<shard>/tile/entries/<N>[.p/<W>]`, for every shard in the
store, whichever process holds it. Only what is committed is served, and of checkpoints the published one; its
`Last-Modified` is when it was published, and is renewed while nothing is entered. An entry in a bundle is the 32-byte
leaf: a salted commitment that tells nothing of what was said. `/ledger/registry` has the shards and their keys.
"""

from __future__ import annotations

import contextlib
import datetime
import email.utils
import re
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.errors import StoreUnavailable, VerificationFailed
from gateway.ledger.log import registrar
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.log.publish import read_published
from gateway.ledger.stored.read import TILE_BITS, TILE_WIDTH, Head, StoredTree, heads
from gateway.storage.port import Reader, Store

_PATH = re.compile(r"(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/)*)([0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")
_PREFIX = (32).to_bytes(2, "big")
_DEEPEST = 63


def checkpoint(store: Store, shard: str) -> bytes | None:
    """The published checkpoint of a shard; None where there is no such shard.

    A shard of which nothing was ever published is one of an earlier version's: that is, its last checkpoint.
    """
    found = _checkpoint(store, shard)
    return found[0] if found else None


def _checkpoint(store: Store, shard: str) -> tuple[bytes, datetime.datetime | None] | None:
    if "\0" in shard:  # of which PostgreSQL cannot be asked
        return None
    with contextlib.closing(store.reader()) as reader:
        if found := read_published(reader, shard):
            return found.checkpoint.encode(), found.at
        head = next((head for head in heads(reader) if head.name == shard), None)
        return (head.checkpoint.encode(), None) if head else None


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

    registry = registrar.Published(ledger.store)

    def serve(found: Callable[[], bytes | None], media: str, headers: dict[str, str]) -> Response:
        try:
            body = found()
        except (StoreUnavailable, VerificationFailed):
            return Response("the ledger's store cannot be read now\n", 503, media_type="text/plain")
        if body is None:
            return Response("there is nothing here\n", 404, media_type="text/plain")
        return Response(body, headers=headers, media_type=media)

    async def get_checkpoint(request: Request) -> Response:
        shard = request.path_params["shard"]
        headers = {"Cache-Control": "no-cache"}

        def found() -> bytes | None:
            read = _checkpoint(ledger.store, shard)
            if read is None:
                return None
            if read[1] is not None:
                headers["Last-Modified"] = email.utils.format_datetime(read[1], usegmt=True)
            return read[0]

        await ledger.published(shard)
        return await run_in_threadpool(serve, found, "text/plain; charset=utf-8", headers)

    def get_tile(request: Request) -> Response:
        shard, path = request.path_params["shard"], request.path_params["path"]
        headers = {"Cache-Control": "public, max-age=31536000, immutable"}
        return serve(lambda: tile(ledger.store, shard, path), "application/octet-stream", headers)

    def get_registry(request: Request) -> Response:
        return serve(registry.document, "application/json", {"Cache-Control": "no-cache"})

    return [
        Route("/ledger/registry", get_registry),
        Route("/ledger/{shard}/checkpoint", get_checkpoint),
        Route("/ledger/{shard}/tile/{path:path}", get_tile),
    ]
