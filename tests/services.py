"""A real PostgreSQL for the tests, from the same wheel that the demo's departments run.

Nothing but the lock file is needed, so there is no test that is skipped where it is missing. Each server has a folder
and a free loopback port of its own and ends with the process that started it, however that ends. As root it runs as
`nobody`, since PostgreSQL refuses to run as root.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg

from deploy.demo.departments.postgres import _ENVIRONMENT, PACKAGE, _groups, account, binaries, run_as
from deploy.demo.guard import Guard
from deploy.demo.processes import descendants
from tests.ports import free_port
from tests.waiting import until

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "16MB",
    "max_connections": "60",
    "wal_level": "replica",
    "max_wal_senders": "4",
    "autovacuum": "off",  # it would go round the databases, of which each test has its own
    "log_line_prefix": "%m [%p] ",
}

PROGRAMS = PACKAGE / "pginstall" / "bin"
"""PostgreSQL's client programs, of the servers' version."""


class Postgres:
    """One server. `settings` override the usual ones; `fsync` is off unless they say otherwise."""

    def __init__(self, guard: Guard, **settings: str) -> None:
        self._guard, self._who = guard, account()
        self.folder = Path(tempfile.mkdtemp(prefix="dutybound-tests-"))
        guard.remove(self.folder)
        if self._who.uid is not None and self._who.gid is not None:
            os.chown(self.folder, self._who.uid, self._who.gid)
        self._bin, self.data = binaries(self._who, self.folder), self.folder / "data"
        self.port = free_port()
        self._settings = {"fsync": "off", **_SETTINGS, **settings}
        self._strategy = "WAL_LOG" if self._settings["fsync"] == "on" else "FILE_COPY"
        self._numbers = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None
        self._kept: psycopg.Connection[tuple[object, ...]] | None = None

    def make(self) -> None:
        """Initialise its files."""
        self._run("initdb", "-D", str(self.data), "-U", "postgres", "-E", "UTF8", "--auth=trust", "--no-sync",
                  "--locale=C")  # fmt: skip

    def copy(self, primary: Postgres, name: str) -> None:
        """Make its files a standby's, under the name that the primary knows it by."""
        self._run("pg_basebackup", "-D", str(self.data), "-R", "-X", "stream", "--checkpoint=fast", "--no-sync",
                  "-d", f"host=127.0.0.1 port={primary.port} user=postgres application_name={name}")  # fmt: skip

    def shell(self, commands: str) -> None:
        """Run commands as the server's account, with its programs; each has to succeed."""
        done = run_as(self._who, ["sh", "-ec", f"PATH={self._bin}:$PATH\n{commands}"], self.folder)
        assert done.returncode == 0, f"{commands}: {done.stderr}"

    def _run(self, command: str, *options: str) -> None:
        done = run_as(self._who, [str(self._bin / command), *options], self.folder)
        assert done.returncode == 0, f"{command} failed: {done.stderr}"

    def start(self, **settings: str) -> None:
        """Start it, with more settings where they are given, and return once it answers."""
        settings = {**self._settings, **settings, "port": str(self.port)}
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._bin / "postgres"), "-D", str(self.data), *options], user=self._who.uid,
                group=self._who.gid, extra_groups=_groups(self._who), cwd=self.folder, env=_ENVIRONMENT,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self._guard.watch(self._process.pid, signal.SIGQUIT)
        process = self._process

        def connected() -> bool:
            assert process.poll() is None, (self.folder / "log").read_text()
            self.connect("postgres").close()
            return True

        until("PostgreSQL to answer", connected, despite=(psycopg.OperationalError,))

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it: SIGINT closes connections, SIGQUIT does so without writing anything down."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait()
            self._guard.forget(self._process.pid)
            self._process = None

    def kill(self) -> None:
        """End it as its machine would by losing power: every process of it at once, by SIGKILL."""
        for pid in descendants(self.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.stop(signal.SIGKILL)

    @property
    def pid(self) -> int:
        """The process id of the running server, whose descendants do its work."""
        assert self._process is not None, "it was started"
        return self._process.pid

    def promote(self) -> None:
        """Make a standby the primary, and return once it is."""
        with self.connect("postgres") as connection:
            assert connection.execute("SELECT pg_promote()").fetchone() == (True,)

    def connect(self, database: str) -> psycopg.Connection[tuple[object, ...]]:
        """A superuser's connection, in autocommit mode."""
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user="postgres", dbname=database, autocommit=True, connect_timeout=10
        )

    def _administrator(self) -> psycopg.Connection[tuple[object, ...]]:
        """A superuser's connection that is kept: to make one takes longer than to make a database."""
        if self._kept is not None:
            try:
                self._kept.execute("SELECT")
            except psycopg.OperationalError:  # the server ended it
                self._kept.close()
                self._kept = None
        self._kept = self._kept or self.connect("postgres")
        return self._kept

    def database(self, template: str = "template1") -> str:
        """A new database of its own, empty or with all of another that nobody has open: its name."""
        name = f"test_{next(self._numbers)}"
        # Files are copied as they are where nothing waits for the disk: a quarter of the time.
        create = f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY {self._strategy}"
        self._administrator().execute(create.encode())
        return name

    def empty(self, database: str) -> None:
        """Have an empty database where one was."""
        self.drop(database)
        self._administrator().execute(f"CREATE DATABASE {database}".encode())

    def drop(self, database: str) -> None:
        """Remove a database, whoever has it open."""
        connection = self._administrator()
        connection.execute("SET synchronous_commit = local")  # a test may have had no standby follow
        connection.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)".encode())
        connection.execute("RESET synchronous_commit")

    def dump(self, database: str) -> bytes:
        """A database as its own tool writes it."""
        address = f"host=127.0.0.1 port={self.port} user=postgres dbname={database}"
        done = run_as(self._who, [str(self._bin / "pg_dump"), "-d", address], self.folder)
        assert done.returncode == 0, done.stderr
        return str(done.stdout).encode()

    def set(self, name: str, value: str) -> None:
        """Change a setting of the running server, and return once sessions see it."""
        with self.connect("postgres") as connection:
            connection.execute(f"ALTER SYSTEM SET {name} = '{value}'".encode())
            connection.execute("SELECT pg_reload_conf()")
            shown = f"SHOW {name}".encode()
            until(f"{name} to be {value!r}", lambda: connection.execute(shown).fetchone() == (value,))

    def hold_commits(self) -> None:
        """Wait for a standby that there is not, and return once a commit does wait: that comes after the reload."""
        self.set("synchronous_standby_names", "nobody")
        until("a commit to wait", self._holds_one)

    def _holds_one(self) -> bool:
        """Whether a new commit waits; it is ended then."""
        writer = self.connect("postgres")
        pid = str(writer.info.backend_pid).encode()
        thread = threading.Thread(target=_write, args=(writer,), daemon=True)
        thread.start()
        with self.connect("postgres") as watching:
            event = b"SELECT wait_event FROM pg_stat_activity WHERE pid = " + pid

            def settled() -> bool:
                return not thread.is_alive() or watching.execute(event).fetchone() == ("SyncRep",)

            until("a commit to wait or end", settled)
            if waits := thread.is_alive():
                watching.execute(b"SELECT pg_terminate_backend(" + pid + b")")
                thread.join()
        return waits

    def url(self, database: str) -> str:
        """As `store` in gateway.yaml."""
        return f"postgresql+asyncpg://postgres@127.0.0.1:{self.port}/{database}"


def _write(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    with contextlib.suppress(psycopg.Error):
        connection.execute("SELECT pg_logical_emit_message(true, 'test', 'a commit to wait with')")
    connection.close()


@contextlib.contextmanager
def without_files(**settings: str) -> Iterator[Postgres]:
    """A server that has no files yet and does not run; gone at the end."""
    guard = Guard()
    server = Postgres(guard, **settings)
    try:
        yield server
    finally:
        server.stop(signal.SIGQUIT)
        guard.close()


@contextlib.contextmanager
def postgres(**settings: str) -> Iterator[Postgres]:
    """A running server, gone at the end."""
    with without_files(**settings) as server:
        server.make()
        server.start()
        yield server


@contextlib.contextmanager
def follower(primary: Postgres, name: str, **settings: str) -> Iterator[Postgres]:
    """A running synchronous standby of a running primary, which has no other."""
    with without_files(**settings) as standby:
        standby.copy(primary, name)
        standby.start()
        primary.set("synchronous_standby_names", name)
        yield standby


@contextlib.contextmanager
def replicated(**settings: str) -> Iterator[tuple[Postgres, Postgres]]:
    """A running primary and its running synchronous standby, named `standby`."""
    with postgres(**settings) as primary, follower(primary, "standby", **settings) as standby:
        yield primary, standby
