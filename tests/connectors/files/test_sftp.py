"""Deliveries by SFTP, from a real OpenSSH server whose host key is pinned."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors import files
from connectors.delivered.report import Outcome
from tests.configured import secret
from tests.connectors.asking import ACME, ask, fetch, places, written
from tests.connectors.files.delivering import SHAPES, Department, usual
from tests.connectors.files.hanging import hanging
from tests.connectors.files.server import Server, sshd
from tests.ports import free_port


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with sshd(tmp_path_factory.mktemp("sshd")) as running:
        yield running


@pytest.fixture
def registry(server: Server, tmp_path: Path) -> Department:
    return Department(tmp_path, folder=None, sftp=server.config(tmp_path / "out"))


def unreached(registry: Department, **change: Any) -> str:
    connector = registry.connected(sftp={**registry.config["sftp"], **change})
    found = connector.deliver(lambda _, value: value)
    assert found.outcome is Outcome.UNREACHED, found
    return str(found.troubles[0])


async def test_a_delivery_is_pulled(registry: Department) -> None:
    assert "nothing was delivered yet" in str((await asyncio.to_thread(registry.take)).troubles[0])
    await asyncio.to_thread(registry.deliver)
    [record] = (await fetch(registry.connector, ask("arrears", "period")))[ACME, "arrears"]  # type: ignore[misc]
    assert record.f_period == "2025"  # type: ignore[attr-defined]
    assert (await asyncio.to_thread(registry.take)).outcome is Outcome.UNCHANGED
    assert await registry.connector.examine() == []


def test_a_large_file_comes_whole(registry: Department) -> None:
    contents = usual()
    row = contents["arrears.csv"][2].splitlines(keepends=True)
    rows = b"".join(row[1].replace(b"N-1", f"N-{number}".encode()) for number in range(20_000))
    registry.write({**contents, "arrears.csv": ("arrears", "csv", row[0] + rows, 20_000)})
    found = registry.take()
    assert found.outcome is Outcome.TAKEN
    assert found.datasets["arrears"].records == 20_000


def test_another_host_key_than_the_pinned_one_is_never_spoken_to(registry: Department, server: Server) -> None:
    registry.write(usual())
    assert "host key is none of" in unreached(registry, known_hosts_file=server.known_hosts("stranger"))


def test_another_key_is_refused(registry: Department, server: Server) -> None:
    registry.write(usual())
    assert "refuses the user or its key" in unreached(registry, key_file=str(server.folder / "stranger"))


def test_a_server_out_of_reach_or_too_slow_says_so(registry: Department, server: Server) -> None:
    registry.write(usual())
    port = free_port()
    hosts = registry.folder / "hosts"
    hosts.write_text((server.folder / "known_hosts").read_text().replace(f":{server.port} ", f":{port} "))
    assert "cannot be reached" in unreached(registry, port=port, known_hosts_file=str(hosts))
    assert "longer than `sftp.within`" in unreached(registry, within="1ms")


def test_links_and_folders_are_not_followed(registry: Department) -> None:
    registry.write(usual())
    file, aside = registry.out / "arrears.csv", registry.folder / "aside.csv"
    file.rename(aside)
    file.symlink_to(aside)
    assert "arrears.csv: is a link" in registry.refused()
    file.unlink()
    file.mkdir()
    assert "is no file" in registry.refused()
    file.rmdir()
    assert "arrears.csv: is not there" in registry.refused()
    aside.rename(file)
    assert registry.take().outcome is Outcome.TAKEN


def test_a_partial_upload_is_not_read(registry: Department) -> None:
    registry.write(usual())
    whole = (registry.out / "arrears.csv").read_bytes()
    for cut in (0, len(whole) // 2, len(whole) - 1):
        (registry.out / "arrears.csv").write_bytes(whole[:cut])
        assert "its upload is not over" in registry.refused()
    (registry.out / "arrears.csv").write_bytes(whole)
    assert registry.take().outcome is Outcome.TAKEN


def test_nothing_but_what_is_listed_is_looked_at(registry: Department) -> None:
    """What else lies there has no part, whatever it is called."""
    registry.write(usual())
    (registry.out / "..%2f").write_text("x")
    (registry.out / "arrears.csv.part").write_text("x")
    os.mkfifo(registry.out / "pipe")
    assert registry.take().outcome is Outcome.TAKEN


@pytest.mark.parametrize(
    ("change", "place", "words"),
    [
        ({"host": None}, "sftp", "`host` is missing"),
        ({"known_hosts_file": "open"}, "sftp.known_hosts_file", "needs lines as `ssh-keyscan` prints them"),
        ({"key_file": "open"}, "sftp.key_file", "may be read by others"),
        ({"password": "x"}, "sftp.password", "unknown key"),
    ],
)
def test_a_wrong_address_says_where_and_what(
    registry: Department, change: dict[str, Any], place: str, words: str
) -> None:
    secret(registry.folder / "open", "x\n").chmod(0o644)
    sftp = {key: value for key, value in {**registry.config["sftp"], **change}.items() if value is not None}
    node = written({**registry.config, "sftp": sftp}, registry.folder)
    files.build(node, SHAPES)
    assert place in places(node, words)


def test_a_server_that_hangs_within_a_file_is_given_up_in_time(registry: Department, server: Server) -> None:
    """It answers neither the read nor that the file is closed."""
    registry.write(usual())
    with hanging(server) as port:
        hosts = registry.folder / "hosts"
        hosts.write_text((server.folder / "known_hosts").read_text().replace(f":{server.port} ", f":{port} "))
        said = unreached(registry, port=port, known_hosts_file=str(hosts), within="3s")
    assert said == "the server takes longer than `sftp.within`"
