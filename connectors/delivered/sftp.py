"""A department's place that is reached by SFTP: its host key is pinned, the login is by key, and only files are read.

Nothing of this machine's own SSH has a say: no agent, no configuration, no known hosts but those of `known_hosts_file`.
Only the manifest, its signature and the files that it lists are looked at, by their bare names, in the one folder.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import msgspec

from connectors.base import UnreachedError
from connectors.delivered.manifest import Listed
from connectors.delivered.place import BLOCK, Copied
from connectors.delivered.report import refused

if TYPE_CHECKING:
    import asyncssh

_T = TypeVar("_T")
_KEEPALIVE = 15.0
_ENDING = 5.0
"""Seconds until what was given up is left to itself."""


class Address(msgspec.Struct, frozen=True):
    """Where and as whom. `known_hosts` has the lines of the server's keys; `within` seconds bound all of one pull."""

    host: str
    port: int
    user: str
    folder: str
    key_file: Path
    known_hosts: str
    within: float
    connect: float = 20.0


class Sftp:
    """Fills `connectors.delivered.place.Place`; for one pull, in one thread."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._runner = asyncio.Runner()
        self._connection: asyncssh.SSHClientConnection | None = None
        self._client: asyncssh.SFTPClient | None = None
        self._end = 0.0

    def small(self, name: str, most: int) -> bytes | None:
        """See `Place`."""
        return self._run(self._small(name, most))

    def copy(self, listed: Listed, to: BinaryIO) -> None:
        """See `Place`."""
        self._run(self._copy(listed, to))

    def close(self) -> None:
        """See `Place`."""
        if self._connection is not None:
            self._connection.abort()
            self._connection = self._client = None
        self._runner.close()

    def _run(self, work: Coroutine[Any, Any, _T]) -> _T:
        import asyncssh

        try:
            return self._runner.run(self._bounded(work))
        except TimeoutError:
            raise UnreachedError("the server takes longer than `sftp.within`") from None
        except asyncssh.HostKeyNotVerifiable:
            raise UnreachedError(
                "the server's host key is none of `known_hosts_file`; ask the department which"
            ) from None
        except asyncssh.PermissionDenied:
            raise UnreachedError("the server refuses the user or its key (`user`, `key_file`)") from None
        except asyncssh.SFTPError as error:
            raise UnreachedError(f"the server gives an error of SFTP ({type(error).__name__})") from None
        except (asyncssh.Error, OSError) as error:
            raise UnreachedError(f"the server cannot be reached ({type(error).__name__})") from None

    async def _bounded(self, work: Coroutine[Any, Any, _T]) -> _T:
        now = asyncio.get_running_loop().time()
        self._end = self._end or now + self._address.within
        task = asyncio.ensure_future(work)
        if not (await asyncio.wait({task}, timeout=max(0.0, self._end - now)))[0]:
            # A file that is open would be closed by asking the server, which may never answer.
            if self._connection is not None:
                self._connection.abort()
            task.cancel()
            await asyncio.wait({task}, timeout=_ENDING)
            raise TimeoutError
        return task.result()

    async def _sftp(self) -> asyncssh.SFTPClient:
        import asyncssh

        if self._client is None:
            address = self._address
            self._connection = await asyncssh.connect(
                address.host, address.port, username=address.user, client_keys=[str(address.key_file)],
                known_hosts=address.known_hosts.encode(), config=None, agent_path=None, preferred_auth=["publickey"],
                gss_auth=False, gss_kex=False, x509_trusted_certs=None, connect_timeout=address.connect,
                login_timeout=address.connect, keepalive_interval=_KEEPALIVE, compression_algs=None,
            )  # fmt: skip
            self._client = await self._connection.start_sftp_client()
        return self._client

    async def _open(self, name: str) -> asyncssh.SFTPClientFile | None:
        import asyncssh

        client, path = await self._sftp(), f"{self._address.folder.rstrip('/')}/{name}"
        try:
            _regular(await client.lstat(path), name)
            file = await client.open(path, "rb", encoding=None)
        except asyncssh.SFTPNoSuchFile:
            return None
        except asyncssh.SFTPPermissionDenied:
            raise refused("may not be read by the user that is named in `sftp`", name) from None
        _regular(await file.stat(), name)
        return file

    async def _small(self, name: str, most: int) -> bytes | None:
        file = await self._open(name)
        if file is None:
            return None
        async with file:
            found = await _read(file, most + 1)
        if len(found) > most:
            raise refused(f"is larger than {most // 1024} KiB", name)
        return found

    async def _copy(self, listed: Listed, to: BinaryIO) -> None:
        file = await self._open(listed.name)
        if file is None:
            raise refused("is not there", listed.name)
        copied = Copied(listed, to)
        async with file:
            while block := await _read(file, BLOCK):
                copied.take(block)
        copied.end()


async def _read(file: asyncssh.SFTPClientFile, most: int) -> bytes:
    found = await file.read(most)
    return found.encode() if isinstance(found, str) else bytes(found)  # it is bytes, as the file was opened


def _regular(found: asyncssh.SFTPAttrs, name: str) -> None:
    import asyncssh

    if found.type == asyncssh.FILEXFER_TYPE_SYMLINK:
        raise refused("is a link; put the file itself there", name)
    if found.type != asyncssh.FILEXFER_TYPE_REGULAR:
        raise refused("is no file, but a folder, a pipe or a device", name)


def file_of(path: Path) -> str:
    """The text of a file that names host keys. Raises `ValueError` where it names none."""
    text = path.read_text("utf-8", "strict")
    lines = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines or any(len(words) < 3 for words in lines):
        raise ValueError(f"needs lines as `ssh-keyscan` prints them: host, kind of key, key ({os.fspath(path)})")
    return text
