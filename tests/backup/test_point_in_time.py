"""PostgreSQL's files and its archived log, restored to a time as the page has it; then what is missing is named."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Iterator

import pytest

from gateway.storage.store import open_store
from tests.configured import ORIGIN
from tests.docs.reading import ROOT, fences
from tests.services import Postgres, without_files
from tests.storage.conftest import Place
from tests.storage.office import LEI, SAID, Office
from tests.waiting import until

PAGE = ROOT / "deploy" / "README.md"
COPY, RESTORE = (
    fence.text for fence in fences(PAGE) if fence.language == "sh host" and "/backups/2026-11-27" in fence.text
)
TARGET = "2026-11-27 03:00:00+00"


def here(commands: str, server: Postgres) -> str:
    """The page's commands and settings with the places of the test, and an account that its server knows."""
    for there, place in (
        ("/archive", server.folder / "archive"),
        ("/backups/2026-11-27", server.folder / "copy"),
        ("host=a user=replicator", f"host=127.0.0.1 port={server.port} user=postgres"),
    ):
        commands = commands.replace(there, str(place))
    return commands


@pytest.fixture
def settings() -> dict[str, str]:
    """What the page has of the server, but for how long a log waits that nobody writes to."""
    rows = re.findall(r"^\| `(archive_\w+)` \| `([^`]+)`", PAGE.read_text("utf-8"), re.M)
    assert [name for name, _ in rows] == ["archive_mode", "archive_command", "archive_timeout"]
    return {name: value for name, value in rows if name != "archive_timeout"}


@pytest.fixture
def server(settings: dict[str, str]) -> Iterator[Postgres]:
    with without_files(fsync="on") as found:
        found.shell("mkdir archive")
        archiving = {name: here(value, found) for name, value in settings.items()}
        found.make()
        found.start(**archiving)
        yield found


@pytest.fixture
def place(server: Postgres) -> Iterator[Place]:
    found = Place(server.url(server.database()), server)
    open_store(found.url).close()
    yield found
    found.close()


@contextlib.contextmanager
def restored(lost: Postgres, to: str) -> Iterator[Postgres]:
    """Another server, started by the page's commands on the lost one's copy and archive."""
    with without_files(fsync="on") as server:
        *files, start, _ = here(RESTORE, lost).replace("/var/lib/postgresql/18/main", str(server.data)).splitlines()
        server.shell("\n".join(files))
        options = shlex.split(shlex.split(start)[-1].replace(TARGET, to))
        server.start(**dict(option.split("=", 1) for option in options if option != "-c"))
        with server.connect("postgres") as connection:
            until("it to be restored", lambda: connection.execute("SELECT pg_is_in_recovery()").fetchone() == (False,))
        yield server


def test_it_is_as_of_that_time_and_what_came_after_is_named(office: Office, server: Postgres) -> None:
    office.serve(1, 2)
    server.shell(here(COPY, server))
    office.serve(3)
    with server.connect("postgres") as connection:
        [target] = connection.execute("SELECT now()::text").fetchone() or [None]
    id_ = office.ran("ledger", "erase", "request", "--subject", LEI, *SAID).split()[2].rstrip(",")
    office.ran("ledger", "erase", "approve", id_, "--by", "B. Judge")
    office.serve(4, 5)
    published = office.sizes()
    with server.connect("postgres") as connection:
        [last] = connection.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone() or [None]
        until("the log to be archived", (server.folder / "archive" / str(last)).exists)
    office.place.close()
    server.kill()

    with restored(server, str(target)) as again:
        database = office.place.url.rpartition("/")[2]
        office.move(Place(again.url(database), again))
        assert office.sizes()["1"] == 3 < published["1"]
        assert "shard `commands`: the store has 0 entries, and the head file" in office.refused("ledger", "verify")
        office.ran("ledger", "erase", "again", "--receipt", f"erasure-{id_}.receipt", "--by", "B. Judge")
        office.serve(6)
        assert office.verify() == 0, office.err
        assert f"sealed: {ORIGIN}/1 at 3; shard 2 goes on" in office.out
        office.place.close()
