"""A real SFTP server: Debian's sshd, on loopback, as whoever runs the tests, with keys of its own."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.ports import free_port
from tests.waiting import until

SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")


class Server(NamedTuple):
    """Where it listens, and the files that a client needs."""

    folder: Path
    port: int

    def config(self, folder: Path, **more: Any) -> dict[str, Any]:
        """The `sftp` key, for files in `folder`."""
        return {
            "host": "127.0.0.1", "port": self.port, "user": getpass.getuser(), "folder": str(folder),
            "key_file": str(self.folder / "client"), "known_hosts_file": str(self.folder / "known_hosts"), **more,
        }  # fmt: skip

    def known_hosts(self, key: str) -> str:
        """A file that pins a key, by the name of its file."""
        kind, blob, *_ = (self.folder / f"{key}.pub").read_text().split()
        file = self.folder / f"known_hosts-{key}"
        file.write_text(f"[127.0.0.1]:{self.port} {kind} {blob}\n")
        return str(file)


@contextlib.contextmanager
def sshd(folder: Path) -> Iterator[Server]:
    """Run it while the block runs."""
    assert SSHD, "sshd is missing: run `.ci/services`"
    for key in ("host", "client", "stranger"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key], check=True)
    (folder / "authorized").write_bytes((folder / "client.pub").read_bytes())
    server = Server(folder, free_port())
    shutil.copy(server.known_hosts("host"), folder / "known_hosts")
    configuration = [
        f"Port {server.port}", "ListenAddress 127.0.0.1", f"HostKey {folder / 'host'}", "PidFile none", "UsePAM no",
        f"AuthorizedKeysFile {folder / 'authorized'}", "PasswordAuthentication no", "StrictModes no",
        "KbdInteractiveAuthentication no", "Subsystem sftp internal-sftp", "LogLevel ERROR", "PermitRootLogin yes",
    ]  # fmt: skip
    (folder / "sshd_config").write_text("\n".join(configuration) + "\n")
    if os.getuid() == 0:  # as root it looks for its own folder, which only its package's service makes
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([SSHD, "-D", "-e", "-f", folder / "sshd_config"], stderr=log)
        try:
            until("sshd listens", lambda: process.poll() is not None or _listens(server.port))
            assert process.poll() is None, (folder / "log").read_text()
            yield server
        finally:
            process.terminate()
            process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
