"""Compose's file is its own, its configuration the gateway's, and its two databases keep a commit on both."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from deploy.demo.departments.postgres import _groups, account, binaries
from deploy.demo.guard import Guard
from gateway import cli
from gateway.config import settings
from gateway.errors import ConfigurationError
from gateway.storage.store import open_store
from tests.deploy.files import DEPLOY
from tests.ports import free_port
from tests.waiting import until


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder as an operator has it who made its secrets."""
    made = tmp_path_factory.mktemp("compose")
    for name in ("compose", "grafana", "prometheus"):
        shutil.copytree(DEPLOY / name, made / name, ignore=shutil.ignore_patterns("secrets"))
    dutybound = str(Path(sys.executable).with_name("dutybound"))
    for status in (0, 1):  # a second time nothing is changed
        command = ["sh", "secrets.sh"]
        done = subprocess.run(
            command, cwd=made / "compose", env={**os.environ, "DUTYBOUND": dutybound}, capture_output=True, check=False
        )
        assert done.returncode == status, done.stderr
    return made / "compose"


def composed(folder: Path) -> Any:
    done = subprocess.run(
        ["docker-compose", "config", "--format", "json"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_compose_takes_it_and_its_files_are_there(folder: Path) -> None:
    services = composed(folder)["services"]
    assert set(services) == {"gateway", "primary", "standby", "valkey", "prometheus", "grafana"}
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges"], name
        assert service["user"] not in ("root", "0", "0:0"), name
        for port in service.get("ports", ()):
            assert port["host_ip"] == "127.0.0.1", f"{name} can be reached by everybody"
        bound = (
            [each["source"] for each in service["volumes"] if each["type"] == "bind"] if "volumes" in service else []
        )
        assert [source for source in bound if not Path(source).exists()] == [], name
    cli._parser("serve").parse_args(services["gateway"]["command"])


def test_a_key_that_there_is_not_is_found(folder: Path, tmp_path: Path) -> None:
    text = (folder / "compose.yaml").read_text("utf-8").replace("stop_grace_period", "stop_grace")
    (tmp_path / "compose.yaml").write_text(text, "utf-8")
    with pytest.raises(AssertionError, match="stop_grace"):
        composed(tmp_path)


def test_secrets_are_files_for_their_containers_alone(folder: Path) -> None:
    files = [file for file in (folder / "secrets").rglob("*") if file.is_file()]
    assert len(files) == 8
    assert {file.stat().st_mode & 0o077 for file in files} == {0}
    text = (folder / "compose.yaml").read_text("utf-8") + (folder / "config" / "gateway.yaml").read_text("utf-8")
    assert not any(file.read_text("utf-8", "replace").strip() in text for file in files)


def test_its_configuration_is_the_gateways(folder: Path) -> None:
    text = (folder / "config" / "gateway.yaml").read_text("utf-8")
    state = folder.parent / "state"
    state.mkdir()
    placed = text.replace("/run/dutybound/", f"{folder}/secrets/gateway/").replace("/var/lib/dutybound/", f"{state}/")
    file = folder.parent / "gateway.yaml"
    file.write_text(placed, "utf-8")
    shutil.copy(folder / "config" / "sources.yaml", file.parent)
    found = settings.load(file, {})
    assert found.manage is not None
    assert (found.port, found.manage.port) == (8080, 9464)
    gateway = composed(folder)["services"]["gateway"]
    assert gateway["stop_grace_period"] == "1m30s"
    assert found.drain + 2 * found.limits.deadline + 20 < 90


class Databases:
    """The primary and its standby, started by the scripts of their containers, as the account that has the files."""

    def __init__(self, folder: Path, guard: Guard) -> None:
        self._who, self._guard = account(), guard
        self._folder = folder
        self.passwords = folder / "passwords"
        self._bin = binaries(self._who, folder)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self.port = free_port()

    def start(self, name: str, port: int, *arguments: str) -> None:
        """Start one."""
        environment = {
            "PATH": f"{self._bin}:{os.defpath}", "PGDATA": str(self._folder / name / "18" / "docker"),
            "PASSWORDS": str(self.passwords), "LC_ALL": "C",
        }  # fmt: skip
        small = [f"port={port}", "unix_socket_directories=", "shared_buffers=16MB", "wal_keep_size=0"]
        options = [part for each in small for part in ("-c", each)]
        command = ["sh", str(self._folder / "postgres" / f"{name}.sh"), *arguments, *options]
        with (self._folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command, env=environment, cwd=self._folder, stdout=log, stderr=log, user=self._who.uid,
                group=self._who.gid, extra_groups=_groups(self._who), start_new_session=True,
            )  # fmt: skip
        self._guard.watch(process.pid, signal.SIGQUIT)
        self._running[name] = process

    def alive(self) -> bool:
        """Whether both run; fails with the log of one that ended."""
        for name, process in self._running.items():
            assert process.poll() is None, (self._folder / f"{name}.log").read_text("utf-8")[-2000:]
        return True

    def stop(self) -> None:
        """End them, and wait."""
        for process in self._running.values():
            process.send_signal(signal.SIGQUIT)
            process.wait(60)
            self._guard.forget(process.pid)


@pytest.fixture
def databases(folder: Path) -> Iterator[Databases]:
    guard, who = Guard(), account()
    place = Path(tempfile.mkdtemp(prefix="dutybound-tests-"))  # where the account may go, as it may not in pytest's
    guard.remove(place)
    shutil.copytree(folder / "secrets" / "postgres", place / "passwords")
    shutil.copytree(folder / "postgres", place / "postgres")
    for each in (place, *place.rglob("*")):
        if who.uid is not None and who.gid is not None:
            os.chown(each, who.uid, who.gid)
    running = Databases(place, guard)
    try:
        yield running
    finally:
        running.stop()
        guard.close()


def test_a_commit_is_on_both_and_the_gateway_comes_in_by_its_password(
    folder: Path, databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    databases.start("primary", databases.port)
    url = f"postgresql+asyncpg://dutybound@127.0.0.1:{databases.port}/dutybound"
    passwords = (folder / "secrets" / "gateway" / "pgpass").read_text("utf-8")
    mine = tmp_path / "pgpass"
    mine.touch(mode=0o600)
    mine.write_text(passwords.replace("primary:5432", f"127.0.0.1:{databases.port}"), "utf-8")
    monkeypatch.setenv("PGPASSFILE", str(mine))

    def answers() -> bool:
        assert databases.alive()
        psycopg.connect(url.replace("+asyncpg", ""), connect_timeout=10).close()
        return True

    until("the primary to answer", answers, despite=(psycopg.OperationalError,))
    databases.start("standby", free_port(), "127.0.0.1", str(databases.port))

    def follows() -> bool:
        assert databases.alive()
        with psycopg.connect(url.replace("+asyncpg", ""), connect_timeout=10) as connection:
            found = connection.execute("SELECT sync_state FROM pg_stat_replication").fetchall()
        return found == [("sync",)]

    until("the standby to follow", follows)
    open_store(url, single_node=False).close()  # which makes its tables, and refuses what would not be on both
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "none"))
    with pytest.raises(ConfigurationError):
        open_store(url, single_node=False)
