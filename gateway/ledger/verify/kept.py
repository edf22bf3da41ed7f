"""What was found whole, remembered in a file, so that a check that was stopped continues, and the next one is short.

A line is a stretch of a shard: the SHA-256 of its rows and of its subjects' keys, and what was found of it. Where they
are still the same bytes, nothing of it is opened again; its leaves are hashed each time, and held to the signed head.

The file is worth no more than who wrote it. So each line has a code (HMAC) by a key made of the ledger's own: who
could make one up could as well sign another ledger. A line that was cut short, as by a crash, counts for nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from importlib.metadata import version
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.errors import ConfigurationError, Problem, VerificationFailed
from gateway.ledger.stored.read import Head
from gateway.ledger.verify.stretch import Checked

_CODE = 64


class Line(msgspec.Struct, frozen=True):
    """A stretch that was found whole by a version of the software."""

    version: str
    origin: str
    checked: Checked


class Kept:
    """The file; raises `ConfigurationError` where it cannot be used, `VerificationFailed` where it was altered."""

    def __init__(self, path: Path, private: Ed25519PrivateKey) -> None:
        self._path, self._version, self.reused = path, version("dutybound"), 0
        derived = HKDF(SHA256(), 32, None, b"dutybound ledger verify --resume")
        self._key = derived.derive(private.private_bytes_raw())
        self._found: dict[tuple[str, int, int], Checked] = {}
        try:
            content = path.read_bytes() if path.exists() else b""
            whole = content[: content.rfind(b"\n") + 1]
            for number, line in enumerate(whole.splitlines(), 1):
                self._read(number, line)
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.ftruncate(self._file, len(whole))
            os.lseek(self._file, 0, os.SEEK_END)
        except OSError as error:
            raise ConfigurationError([Problem(str(path), 0, 0, "", f"cannot be used ({error.strerror})")]) from error

    def _read(self, number: int, line: bytes) -> None:
        code, body = line[:_CODE], line[_CODE + 1 :]
        if not hmac.compare_digest(code, self._code(body)):
            raise VerificationFailed(
                f"`{self._path}`: line {number} was altered, or made with another ledger's key: remove the file, and"
                " everything is checked again"
            )
        found = msgspec.json.decode(body, type=Line)
        if found.version == self._version:
            self._found[found.origin, found.checked.first, found.checked.last] = found.checked

    def _code(self, body: bytes) -> bytes:
        return hmac.new(self._key, body, hashlib.sha256).hexdigest().encode()

    def digest(self, head: Head, first: int, last: int) -> bytes:
        """The digest by which a stretch was found whole; empty where it was not."""
        found = self._found.get((head.origin, first, last))
        return found.digest if found is not None else b""

    def taken(self, head: Head, checked: Checked) -> Checked:
        """What was found of a stretch, now or before; what is found now is remembered."""
        if not checked.same:
            if checked.digest:
                line = Line(self._version, head.origin, msgspec.structs.replace(checked, hashes=b""))
                body = msgspec.json.encode(line)
                os.write(self._file, self._code(body) + b" " + body + b"\n")
            return checked
        self.reused += checked.last - checked.first
        before = self._found[head.origin, checked.first, checked.last]
        return msgspec.structs.replace(before, hashes=checked.hashes, same=True)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)
