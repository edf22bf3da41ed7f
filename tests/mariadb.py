"""A real MariaDB for the tests, from Debian's package `mariadb-server-core`, which starts no service of its own.

Each server has a folder and a free loopback port of its own and ends with the process that started it, however that
ends. As root it runs as `nobody`. `root` may do everything; `gateway` may read every database, and no more.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pymysql
import pytest

from deploy.demo.departments.postgres import _groups, account
from deploy.demo.guard import Guard
from tests.ports import free_port
from tests.waiting import until

_SHARE = Path("/usr/share/mariadb")
_SCRIPTS = ("mariadb_system_tables.sql", "mariadb_performance_tables.sql", "mariadb_system_tables_data.sql")
_ACCOUNTS = (
    "FLUSH PRIVILEGES;",
    "CREATE USER gateway@'127.0.0.1';",
    "GRANT SELECT, SHOW VIEW ON *.* TO gateway@'127.0.0.1';",
)
_SETTINGS = {
    "bind-address": "127.0.0.1",
    "skip-name-resolve": "ON",
    "innodb-buffer-pool-size": "16M",
    "innodb-log-file-size": "8M",
    "innodb-flush-log-at-trx-commit": "0",
    "innodb-flush-method": "nosync",
    "key-buffer-size": "1M",
    "aria-pagecache-buffer-size": "8M",
    "innodb-undo-tablespaces": "0",
    "performance-schema": "OFF",
    "max-connections": "60",
    "max-allowed-packet": "512M",
    "character-set-server": "utf8mb4",
    "default-time-zone": "+02:00",  # a session that is read in must set its own
}


class MariaDB:
    """One server. `settings` override the usual ones; `certificate` names its file and its key's: it has copies."""

    def __init__(self, guard: Guard, certificate: Sequence[Path] = (), **settings: str) -> None:
        self._guard, self._who = guard, account()
        found = shutil.which("mariadbd", path=f"{os.defpath}:/usr/sbin")
        if found is None:
            pytest.fail("mariadbd is missing: install it (Debian: apt-get install mariadb-server-core)")
        self._program = found
        self.folder = Path(tempfile.mkdtemp(prefix="dutybound-tests-"))
        guard.remove(self.folder)
        self._data = self.folder / "data"
        self._data.mkdir()
        copies = [Path(shutil.copy(file, self.folder)) for file in certificate]
        settings |= dict(zip(("ssl-cert", "ssl-key"), map(str, copies), strict=False))
        if self._who.uid is not None and self._who.gid is not None:
            for each in (self.folder, self._data, *copies):
                os.chown(each, self._who.uid, self._who.gid)
        self.port = free_port()
        self._settings = {**_SETTINGS, "port": str(self.port), **settings}
        self._numbers = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None

    def _command(self, *options: str) -> list[str]:
        named = [f"--{name}={value}" for name, value in self._settings.items()]
        places = [f"--datadir={self._data}", f"--socket={self.folder / 'socket'}", f"--tmpdir={self.folder}"]
        return [self._program, "--no-defaults", *places, *named, *options]

    def make(self) -> None:
        """Make its files, with both accounts."""
        scripts = [(_SHARE / name).read_text() for name in _SCRIPTS]
        lines = ["CREATE DATABASE mysql;", "USE mysql;", "SET @auth_root_socket = NULL;", *scripts, *_ACCOUNTS]
        done = subprocess.run(
            self._command("--bootstrap"), input="\n".join(lines), user=self._who.uid, group=self._who.gid,
            extra_groups=_groups(self._who), cwd=self.folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"mariadbd --bootstrap failed: {done.stderr}"

    def start(self) -> None:
        """Start it, and return once it answers."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command(), user=self._who.uid, group=self._who.gid, extra_groups=_groups(self._who),
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self._guard.watch(self._process.pid, signal.SIGKILL)
        process = self._process

        def connected() -> bool:
            assert process.poll() is None, (self.folder / "log").read_text()
            self.connect("mysql").close()
            return True

        until("MariaDB to answer", connected, despite=(pymysql.OperationalError,))

    def stop(self) -> None:
        """End it at once: its files are removed anyhow."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._guard.forget(self._process.pid)
            self._process = None

    def connect(self, database: str) -> pymysql.connections.Connection[Any]:
        """The superuser's connection, in autocommit mode, to which names are quoted as in standard SQL."""
        return pymysql.connect(
            host="127.0.0.1", port=self.port, user="root", database=database, autocommit=True, connect_timeout=10,
            ssl_disabled=True, sql_mode="ANSI_QUOTES,PIPES_AS_CONCAT",
            init_command="SET time_zone = '+00:00'",
        )  # fmt: skip

    def run(self, database: str, *statements: str) -> None:
        """Run statements as the superuser."""
        with self.connect(database) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def database(self) -> str:
        """A new database of its own: its name."""
        name = f"test_{next(self._numbers)}"
        self.run("mysql", f"CREATE DATABASE {name}")
        return name

    def url(self, database: str) -> str:
        """As `url` in `sources.yaml`."""
        return f"mariadb+pymysql://gateway@127.0.0.1:{self.port}/{database}"


@contextlib.contextmanager
def mariadb(certificate: Sequence[Path] = (), **settings: str) -> Iterator[MariaDB]:
    """A running server, gone at the end."""
    guard = Guard()
    try:
        server = MariaDB(guard, certificate, **settings)
        try:
            server.make()
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        guard.close()


_RUNNING = pytest.StashKey[dict[tuple[tuple[str, str], ...], MariaDB]]()


def kept_running(config: pytest.Config, **settings: str) -> MariaDB:
    """The worker's server with these settings, to its end."""
    running = config.stash.setdefault(_RUNNING, {})
    wanted = tuple(sorted(settings.items()))
    if wanted not in running:
        made = contextlib.ExitStack()
        config.add_cleanup(made.close)
        running[wanted] = made.enter_context(mariadb(**settings))
    return running[wanted]
