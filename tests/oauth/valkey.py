"""A Valkey server of the tests' own, on loopback."""

from __future__ import annotations

import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.waiting import until


class ValkeyServer:
    """`valkey-server` on a free port, without anything on disk; `stop` kills it, and `start` has an empty one there."""

    def __init__(self, folder: Path) -> None:
        binary = shutil.which("valkey-server")
        if binary is None:
            pytest.fail("valkey-server is missing (Debian: apt-get install valkey-server)")
        port = self._port = free_port()
        self._command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
        self.url = f"valkey://127.0.0.1:{port}"
        self.start()

    def start(self) -> None:
        """Start it, at the same port, and return once it answers."""
        port = self._port
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        until("valkey-server to answer", lambda: self._answers(port), despite=(OSError,))

    def _answers(self, port: int) -> bool:
        assert self._process.poll() is None, "valkey-server did not start"
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
