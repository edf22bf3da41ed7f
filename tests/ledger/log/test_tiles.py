"""tlog-tiles over HTTP: a client that has only the URL and the public key rebuilds the tree and checks it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from gateway.ledger.log.ledger import Ledger
from gateway.ledger.log.tiles import routes
from gateway.ledger.proof.leaf import open_extra
from gateway.ledger.proof.merkle import Node, Tree, consistency_proof, leaf_hash, verify_consistency
from gateway.ledger.proof.note import open_note, parse_checkpoint
from gateway.ledger.proof.tlog_proof import Receipt, parse
from tests.ledger.support import AT, BY, VERIFIERS, opened, store_in


class Log:
    """What a follower of the log has: an HTTP client, and nothing of ours."""

    def __init__(self, ledger: Ledger) -> None:
        app = Starlette(routes=list(routes(ledger)))
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway.example/ledger/1/")

    async def checkpoint(self) -> tuple[int, bytes]:
        answer = await self.http.get("checkpoint")
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        checkpoint = parse_checkpoint(open_note(answer.text, VERIFIERS)[0])
        return checkpoint.size, checkpoint.root

    async def tile(self, level: str, number: int, width: int) -> bytes:
        partial = f".p/{width}" if width < 256 else ""
        answer = await self.http.get(f"tile/{level}/{number:03}{partial}")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/octet-stream"
        assert "immutable" in answer.headers["cache-control"]
        return answer.content

    async def hashes(self, level: int, count: int) -> list[bytes]:
        found = []
        for first in range(0, count, 256):
            content = await self.tile(str(level), first // 256, min(256, count - first))
            found += [content[at : at + 32] for at in range(0, len(content), 32)]
        assert len(found) == count
        return found

    async def leaves(self, count: int) -> list[bytes]:
        found = []
        for first in range(0, count, 256):
            content = await self.tile("entries", first // 256, min(256, count - first))
            assert all(content[at : at + 2] == b"\x00\x20" for at in range(0, len(content), 34))
            found += [content[at + 2 : at + 34] for at in range(0, len(content), 34)]
        return found


def nodes_of(hashes: list[bytes]) -> Node:
    return lambda level, at: Tree().grow(hashes[at << level : at + 1 << level]).tree.root


async def append(ledger: Ledger, count: int) -> list[Receipt]:
    return await asyncio.gather(*(ledger.append(b"%d" % n, b"", AT, BY) for n in range(count)))


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    async with opened(store_in(tmp_path)) as ledger:
        yield ledger


async def test_the_empty_log_has_a_checkpoint_and_no_tile(ledger: Ledger) -> None:
    log = Log(ledger)
    assert await log.checkpoint() == (0, Tree().root)
    assert (await log.http.get("tile/0/000")).status_code == 404


@pytest.mark.parametrize("count", [1, 255, 256, 257, 700])
async def test_the_tree_is_rebuilt_from_what_is_served(ledger: Ledger, count: int) -> None:
    receipts = await append(ledger, count)
    log = Log(ledger)
    size, root = await log.checkpoint()
    assert size == count
    leaves, hashes = await log.leaves(size), await log.hashes(0, size)
    assert leaves == [open_extra(parse(receipt.text).extra).leaf for receipt in receipts]
    assert hashes == [leaf_hash(leaf) for leaf in leaves]
    assert Tree().grow(hashes).tree.root == root
    upper = await log.hashes(1, size >> 8)
    assert upper == [Tree().grow(hashes[at << 8 : at + 1 << 8]).tree.root for at in range(size >> 8)]


async def test_every_checkpoint_is_consistent_with_the_last_one_seen(ledger: Ledger) -> None:
    log = Log(ledger)
    seen = await log.checkpoint()
    for count in (1, 3, 300, 200):
        await append(ledger, count)
        now = await log.checkpoint()
        hashes = await log.hashes(0, now[0])
        path = consistency_proof(nodes_of(hashes), seen[0], now[0])
        assert verify_consistency(*seen, *now, path)
        assert (await log.http.get("tile/0/000.p/1")).content == hashes[0]
        seen = now


@pytest.mark.parametrize(
    "path",
    [
        *("tile/0/001", "tile/0/000.p/4", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/03", "tile/0/0"),
        *("tile/0/x000/000", "tile/0/x000/000.p/3", "tile/1/000.p/1", "tile/64/000.p/1", "tile/00/000.p/3"),
        *("tile/entries/001.p/1", "tile/data/000", "tile/0/x999/x999/x999/999.p/1", "tile/0/000.p/3/", "tile/"),
        *("tile/0/", "tile/-1/000"),
        *("tile/0/00%D9%A1", "../2/checkpoint", "tile/0/000.p/%2033"),
    ],
)  # fmt: skip
async def test_what_does_not_exist_is_not_found(ledger: Ledger, path: str) -> None:
    await append(ledger, 3)
    log = Log(ledger)
    assert (await log.http.get("tile/0/000.p/3")).status_code == 200
    assert (await log.http.get(path)).status_code == 404
