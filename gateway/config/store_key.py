"""Where the key of the store is: in a file (`store_key_file`), or with a command that prints it (`store_key_command`).

A command is how a key management service, a hardware token or an encrypted file is asked: it prints what a key file
has. It is run once by a process that starts, without a shell, and what it printed is held in memory: nobody is asked
while inquiries are answered. Processes that one has started are handed it (`handed`, `take`), also when they are
started again. Nothing that it printed is ever shown, on either of its outputs.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from pathlib import Path
from typing import NamedTuple

import msgspec

from gateway.documents import Node
from gateway.errors import StoreUnavailable

PATIENCE = 30.0
"""Seconds that a command may take."""
MOST = 64 * 1024
"""Bytes that a command may print."""

_held: dict[tuple[str, ...], bytes] = {}


class KeyAway(StoreUnavailable):
    """A command did not print anything that is to be used; why, and what to do."""


class KeyCommand(NamedTuple):
    """A program with its arguments, run in the folder of `gateway.yaml`."""

    words: tuple[str, ...]
    folder: Path

    def printed(self, *, again: bool = False) -> bytes:
        """What it prints, asked once in a process's life, or `again`; raises `KeyAway`."""
        found = None if again else _held.get(self.words)
        if found is None:
            found = _held[self.words] = self._run()
        return found

    def _run(self) -> bytes:
        try:
            process = subprocess.Popen(  # noqa: S603 - the operator's own
                self.words,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise KeyAway(f"cannot be started ({error.strerror})") from error
        late = threading.Event()

        def end() -> None:
            late.set()
            _kill(process.pid)

        timer = threading.Timer(PATIENCE, end)
        timer.start()
        with process:
            assert process.stdout is not None, "it is a pipe"
            printed = process.stdout.read(MOST + 1)
            if len(printed) > MOST:
                _kill(process.pid)
            status = process.wait()
            timer.cancel()
            timer.join()
        if late.is_set():
            raise KeyAway(f"took more than {PATIENCE:g} s")
        if len(printed) > MOST:
            raise KeyAway(f"printed more than {MOST} bytes")
        if status:
            raise KeyAway(f"ended with status {status}")
        return printed


StoreKey = Path | KeyCommand


def read_store_key(file: Node, command: Node) -> StoreKey | None:
    """The keys `store_key_file` and `store_key_command`; both at once become a problem."""
    if command.is_null:
        return None if file.is_null else file.any_path()
    if not file.is_null:
        command.problem("stands beside `store_key_file`; keep the one that has the key")
    words = tuple(each.text() for each in command.items())
    if not words:
        command.problem("must be a program with its arguments, as `[openssl, rsautl, -decrypt]`")
        return None
    return KeyCommand(words, command.folder)


def handed() -> bytes:
    """What commands printed, for a process of ours to `take`; nothing where none was asked."""
    return msgspec.json.encode(list(_held.items())) if _held else b""


def take(given: bytes) -> None:
    """Hold the key that a process before this one received."""
    if given:
        _held.update(msgspec.json.decode(given, type=list[tuple[tuple[str, ...], bytes]]))


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
