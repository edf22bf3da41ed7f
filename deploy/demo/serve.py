"""Serve one ASGI application of the demo on loopback: granian in this process, one readiness line, an orderly end.

Prints `ready <url>` once the port takes connections, so that whoever started the process need not guess. Ends on SIGINT
or SIGTERM. The pid of the process is the server's: killing it takes the server down.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from pathlib import Path

from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server.embed import Server
from starlette.types import ASGIApp, Receive, Scope, Send


def arguments(description: str) -> argparse.ArgumentParser:
    """The options that every server of the demo takes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--port", type=int, required=True, help="the loopback port to listen at")
    parser.add_argument("--data", type=Path, required=True, help="the folder of the region's stores")
    return parser


def serve(app: ASGIApp, port: int) -> None:
    """Serve `app` at the loopback `port` until SIGINT or SIGTERM."""
    asyncio.run(_serve(app, port))


async def _serve(app: ASGIApp, port: int) -> None:
    async def target(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, send)  # granian asks for a plain function, Starlette is an object

    server = Server(
        target, address="127.0.0.1", port=port, interface=Interfaces.ASGINL, websockets=False, log_level=LogLevels.error
    )
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stop.set)
    serving = loop.create_task(server.serve())
    stopping = loop.create_task(stop.wait())
    await _listening(port, serving)
    print(f"ready http://127.0.0.1:{port}", flush=True)
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        serving.result()
    server.stop()  # type: ignore[no-untyped-call]
    await serving


async def _listening(port: int, serving: asyncio.Task[None]) -> None:
    while True:
        if serving.done():
            serving.result()
            raise SystemExit(f"port {port} cannot be listened at: choose another with --port")
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.01)
            continue
        writer.close()
        return
