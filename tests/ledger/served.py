"""A log as files, path by path as tlog-tiles has them, and a real HTTP server that serves them: to be tampered with."""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

from gateway.ledger.log import tiles
from gateway.ledger.proof import tlog_proof
from gateway.ledger.proof.leaf import open_extra
from gateway.ledger.proof.merkle import Tree, inclusion_proof, leaf_hash
from gateway.ledger.proof.note import Signer, parse_checkpoint
from gateway.ledger.verify.published.follower_state import Reached
from gateway.ledger.verify.published.tile_client import TileLog, fold, tile_number
from gateway.storage.port import Store
from tests.ledger.support import KEY, ORIGIN

Files = dict[str, bytes]


def size_of(files: Files) -> int:
    return parse_checkpoint(files["checkpoint"].decode().rpartition("\n\n")[0] + "\n").size


def published(store: Store, shard: str = "1") -> Files:
    """Everything that a gateway serves of a shard at this moment."""
    checkpoint = tiles.checkpoint(store, shard)
    assert checkpoint is not None
    files = {"checkpoint": checkpoint}
    for path in paths(size_of(files)):
        content = tiles.tile(store, shard, path.removeprefix("tile/"))
        assert content is not None, path
        files[path] = content
    return files


def paths(size: int) -> list[str]:
    found = [f"tile/entries/{name}" for name in _tiles(size)]
    level = 0
    while size:
        found += [f"tile/{level}/{name}" for name in _tiles(size)]
        size, level = size >> 8, level + 1
    return found


def _tiles(count: int) -> list[str]:
    full = [tile_number(number) for number in range(count >> 8)]
    return [*full, f"{tile_number(count >> 8)}.p/{count & 255}"] if count & 255 else full


def leaves_of(files: Files) -> list[bytes]:
    size, found = size_of(files), []
    for name in _tiles(size):
        content = files[f"tile/entries/{name}"]
        found += [content[at + 2 : at + 34] for at in range(0, len(content), 34)]
    return found


def receipt_over(extra: bytes, others: int) -> str:
    """A receipt of shard 1 in a tree with so many other leaves: what can be made up by whoever has the key."""
    row = [leaf_hash(open_extra(extra).leaf), *(bytes([number]) * 32 for number in range(others))]
    tree = Tree().grow(row).tree
    path = inclusion_proof(lambda level, at: Tree().grow(row[at << level : at + 1 << level]).tree.root, 0, len(row))
    lines = b"".join(tlog_proof.path_line(b"", sibling) for sibling in path)
    signed = Signer(f"{ORIGIN}/1", KEY).checkpoint(tree.size, tree.root)
    return tlog_proof.write(extra, 0, lines, signed.encode()).decode()


def made_of(leaves: list[bytes], shard: str = "1") -> Files:
    """A log with these leaves, whole and signed: what an operator can make who holds the key and rewrites the past."""
    rows: list[list[bytes]] = [list(map(leaf_hash, leaves))]
    files: Files = {}
    for number, name in enumerate(_tiles(len(leaves))):
        part = leaves[number << 8 : number + 1 << 8]
        files[f"tile/entries/{name}"] = b"".join(b"\x00\x20" + leaf for leaf in part)
    while rows[-1]:
        row, level = rows[-1], len(rows) - 1
        for number, name in enumerate(_tiles(len(row))):
            files[f"tile/{level}/{name}"] = b"".join(row[number << 8 : number + 1 << 8])
        rows.append([fold(row[at << 8 : at + 1 << 8]) for at in range(len(row) >> 8)])
    last = tuple(tuple(row[len(row) >> 8 << 8 :]) for row in rows)
    root = Reached(len(leaves), last).tree().root
    files["checkpoint"] = Signer(f"{ORIGIN}/{shard}", KEY).checkpoint(len(leaves), root).encode()
    return files


def log_of(files: Files) -> TileLog:
    """The log without HTTP."""
    return TileLog(lambda path, most: files.get(path), "here")


def write(files: Files, folder: Path) -> None:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)


@contextlib.contextmanager
def serving(shards: dict[str, Files], failing: dict[str, int] | None = None) -> Iterator[str]:
    """The gateway's URL: shards by name, below `/ledger/`. `failing` paths answer with a status, so many times."""
    failing = failing if failing is not None else {}

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            _, _, rest = self.path.partition("/ledger/")
            shard, _, path = rest.partition("/")
            content = shards.get(shard, {}).get(path)
            status = 404 if content is None else 200
            if failing.get(path, 0):
                failing[path] -= 1
                status, content = 503, b""
            self.send_response(status)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *arguments: object) -> None:
            """Tests say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
