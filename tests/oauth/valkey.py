"""A Valkey server of the tests' own, on loopback."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest


class ValkeyServer:
    """`valkey-server` on a free port, without anything on disk; `stop` kills it."""

    def __init__(self, folder: Path) -> None:
        binary = shutil.which("valkey-server")
        if binary is None:
            pytest.fail("valkey-server is missing (Debian: apt-get install valkey-server)")
        for _ in range(5):
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
            self._process = subprocess.Popen([binary, *options], stdout=subprocess.DEVNULL)
            self.url = f"valkey://127.0.0.1:{port}"
            if self._answers(port):
                return
        pytest.fail("valkey-server did not start")

    def _answers(self, port: int) -> bool:
        while self._process.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                    connection.sendall(b"PING\r\n")
                    return connection.recv(16).startswith(b"+PONG")
            except OSError:
                time.sleep(0.02)
        return False

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
