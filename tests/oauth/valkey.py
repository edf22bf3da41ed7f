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
    """`valkey-server` on a free port, without anything on disk; `stop` kills it."""

    def __init__(self, folder: Path) -> None:
        binary = shutil.which("valkey-server")
        if binary is None:
            pytest.fail("valkey-server is missing (Debian: apt-get install valkey-server)")
        port = free_port()
        options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
        self._process = subprocess.Popen([binary, *options], stdout=subprocess.DEVNULL)
        self.url = f"valkey://127.0.0.1:{port}"
        until("valkey-server to answer", lambda: self._answers(port), despite=(OSError,))

    def _answers(self, port: int) -> bool:
        assert self._process.poll() is None, "valkey-server did not start"
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
