"""Serve one ASGI application of the demo on loopback: uvicorn in this process, one readiness line, an orderly end.

Prints `ready <url>` once the port takes connections, so that whoever started the process need not guess. Ends on SIGINT
or SIGTERM. The pid of the process is the server's: killing it takes the server down.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp


def arguments(description: str) -> argparse.ArgumentParser:
    """The options that every server of the demo takes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--port", type=int, required=True, help="the loopback port to listen at")
    parser.add_argument("--data", type=Path, required=True, help="the folder of the region's stores")
    return parser


def serve(app: ASGIApp, port: int) -> None:
    """Serve `app` at the loopback `port` until SIGINT or SIGTERM."""
    asyncio.run(_serve(app, port))


class _Server(uvicorn.Server):
    """Leaves signals to this module: by uvicorn's own way a process ends by the signal, and not in order."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._ending = asyncio.Event()

    def end(self) -> None:
        """Take no more requests, and end once those under way are answered."""
        self.should_exit = True
        self._ending.set()

    async def main_loop(self) -> None:
        """Serve until the end. uvicorn looks for it ten times a second, which is most of what an idle region does."""
        while not await self.on_tick(0):  # it renews the date that answers have
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), 1.0)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take none."""
        yield


async def _serve(app: ASGIApp, port: int) -> None:
    try:
        listener = socket.create_server(("127.0.0.1", port))
    except OSError as error:
        raise SystemExit(f"port {port} cannot be listened at: choose another with --port") from error
    server = _Server(uvicorn.Config(app, ws="none", log_level="error", access_log=False, timeout_graceful_shutdown=5))
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, server.end)
    serving = loop.create_task(server.serve([listener]))
    while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    if server.started:
        print(f"ready http://127.0.0.1:{port}", flush=True)
    await serving
