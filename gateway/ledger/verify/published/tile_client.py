"""A log as others see it: c2sp.org/tlog-tiles, read over HTTP or from a folder that holds a copy of what is served.

Nothing that is read is trusted here. What is missing, of the wrong size or cannot be had is a `VerificationFailed`
that names the tile. Over HTTP: no redirects, bounded bytes, a fault is tried again a few times.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import cachetools
import httpx

from gateway.errors import VerificationFailed
from gateway.ledger.entry.registry import MAX_REGISTRY
from gateway.ledger.proof.merkle import HASH_SIZE, node_hash
from gateway.ledger.stored.read import TILE_BITS, TILE_WIDTH
from gateway.saying import in_words
from gateway.storage.archive.tile_names import tile_number

MAX_CHECKPOINT = 64 * 1024
MAX_TILE = TILE_WIDTH * (2 + HASH_SIZE)
TRIES = 4
_LENGTH = HASH_SIZE.to_bytes(2, "big")

Get = Callable[[str, int], bytes | None]
"""(path, most bytes that it may have) -> what stands there; None where nothing does."""


class TileLog:
    """One shard's log. `place` is where it is, for messages."""

    def __init__(self, get: Get, place: str) -> None:
        self._get, self.place = get, place

    def find_checkpoint(self) -> str | None:
        """The signed note that is served now, as it is; None where there is none."""
        content = self._get("checkpoint", MAX_CHECKPOINT)
        try:
            return None if content is None else content.decode()
        except UnicodeDecodeError as error:
            raise VerificationFailed(f"the checkpoint at {self.place} is not UTF-8; it was altered") from error

    def find_registry(self) -> bytes | None:
        """The registry, where this is a ledger's own address; None where there is none."""
        return self._get("registry", MAX_REGISTRY)

    def checkpoint(self) -> str:
        """The signed note that is served now; raises `VerificationFailed` where there is none."""
        found = self.find_checkpoint()
        if found is None:
            raise VerificationFailed(f"there is no checkpoint at {self.place}: no log is there, or it was removed")
        return found

    def hashes(self, level: int, number: int, width: int) -> list[bytes]:
        """The first `width` hashes of a tile."""
        name = f"tile/{level}/{tile_number(number)}"
        content = self._tile(name, width, HASH_SIZE)
        return [content[at : at + HASH_SIZE] for at in range(0, len(content), HASH_SIZE)]

    def leaves(self, number: int, width: int) -> list[bytes]:
        """The first `width` entries of a bundle: 32-byte leaves."""
        name = f"tile/entries/{tile_number(number)}"
        size = len(_LENGTH) + HASH_SIZE
        content = self._tile(name, width, size)
        rows = [content[at : at + size] for at in range(0, len(content), size)]
        for offset, row in enumerate(rows):
            if not row.startswith(_LENGTH):
                raise VerificationFailed(f"entry {number * TILE_WIDTH + offset} is not 32 bytes in `{name}`")
        return [row[len(_LENGTH) :] for row in rows]

    def _tile(self, name: str, width: int, size: int) -> bytes:
        content = None
        if width < TILE_WIDTH:
            content = self._get(f"{name}.p/{width}", MAX_TILE)
        if content is None:
            content = self._get(name, MAX_TILE)
            if content is not None and len(content) > width * size:
                content = content[: width * size]
        if content is None:
            raise VerificationFailed(f"`{name}` is missing at {self.place}: it was removed, or the log cut short")
        if len(content) != width * size:
            raise VerificationFailed(f"`{name}` has {len(content)} bytes, and not {width * size}; it was altered")
        return content


class TileTree:
    """The complete subtrees of a log's tree of `size` leaves, from its tiles (`node` is a `merkle.Node`)."""

    def __init__(self, log: TileLog, size: int) -> None:
        self._log, self._size = log, size
        self._tiles: cachetools.LRUCache[tuple[int, int], list[bytes]] = cachetools.LRUCache(1024)

    def node(self, level: int, position: int) -> bytes:
        tile_level, above = divmod(level, TILE_BITS)
        number, offset = divmod(position << above, TILE_WIDTH)
        tile = self._tiles.get((tile_level, number))
        if tile is None:
            width = min(TILE_WIDTH, (self._size >> tile_level * TILE_BITS) - number * TILE_WIDTH)
            tile = self._tiles[tile_level, number] = self._log.hashes(tile_level, number, width)
        return fold(tile[offset : offset + (1 << above)])


def fold(row: list[bytes]) -> bytes:
    """The hash of a complete subtree over a power of two of hashes."""
    while len(row) > 1:
        row = [node_hash(left, right) for left, right in zip(row[::2], row[1::2], strict=True)]
    return row[0]


def from_folder(folder: Path) -> TileLog:
    """A log from a folder with `checkpoint` and `tile/` in it."""

    def get(path: str, most: int) -> bytes | None:
        try:
            with (folder / path).open("rb") as file:
                content = file.read(most + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise VerificationFailed(f"`{folder / path}` cannot be read ({error.strerror})") from error
        return _bounded(content, path, most)

    return TileLog(get, f"`{folder}`")


def from_url(client: httpx.Client, url: str, *, pause: Callable[[float], None] = time.sleep) -> TileLog:
    """A shard's log from its URL (`https://gateway.example/ledger/1`). Several threads may read from it."""
    base = url.rstrip("/")

    def get(path: str, most: int) -> bytes | None:
        where = f"`{base}/{path}`"
        reason = ""
        for tried in range(TRIES):
            if tried:
                pause(0.25 * 2**tried)
            try:
                with client.stream("GET", f"{base}/{path}") as answer:
                    if answer.status_code in (404, 410):
                        return None
                    if answer.status_code == 200:
                        content = b""
                        for chunk in answer.iter_raw():
                            content += chunk
                            if len(content) > most:
                                break
                        return _bounded(content, path, most)
                    reason = f"it answers {answer.status_code}"
                    if answer.status_code < 500 and answer.status_code != 429:
                        break
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                reason = str(error) or in_words(error)
        raise VerificationFailed(f"{where} cannot be had ({reason}); nothing beyond it was checked")

    return TileLog(get, f"`{base}`")


def shard_url(url: str, shard: str) -> str:
    """A shard's URL, from that of its gateway (`https://host`), of its ledger (`.../ledger`), or its own."""
    path = urlsplit(url).path.rstrip("/")
    if not path:
        return f"{url.rstrip('/')}/ledger/{shard}"
    return f"{url.rstrip('/')}/{shard}" if path.rpartition("/")[2] == "ledger" else url


def ledger_url(url: str) -> str:
    """The ledger's URL, from that of its gateway or of a shard."""
    base = shard_url(url, "")
    return base.rstrip("/") if base != url else url.rstrip("/").rpartition("/")[0]


def _bounded(content: bytes, path: str, most: int) -> bytes:
    if len(content) > most:
        raise VerificationFailed(f"`{path}` has more than {most} bytes; that is no part of a log")
    return content


def http_client() -> httpx.Client:
    """A client for following logs: it follows no redirect, and waits at most 30 s for anything."""
    return httpx.Client(timeout=30, follow_redirects=False, headers={"Accept-Encoding": "identity"})
