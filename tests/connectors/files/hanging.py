"""An SFTP server that hangs within a file, as one before a dead disk does: it answers its opening, and nothing more."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import asyncssh

from tests.connectors.files.server import Server
from tests.ports import free_port


class _Files(asyncssh.SFTPServer):
    async def read(self, file_obj: Any, offset: int, size: int) -> bytes:
        await asyncio.Event().wait()
        return b""


@contextlib.contextmanager
def hanging(server: Server) -> Iterator[int]:
    """Run it while the block runs, with the keys of another server; its port."""
    port, loop = free_port(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def listening() -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1", port, server_host_keys=[str(server.folder / "host")], sftp_factory=_Files,
            authorized_client_keys=str(server.folder / "authorized"),
        )  # fmt: skip

    async def ended(acceptor: asyncssh.SSHAcceptor) -> None:
        acceptor.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    acceptor = asyncio.run_coroutine_threadsafe(listening(), loop).result()
    try:
        yield port
    finally:
        asyncio.run_coroutine_threadsafe(ended(acceptor), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
