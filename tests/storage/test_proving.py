"""What proves works on both databases: evidence out of a store in use, and its published log followed."""

from __future__ import annotations

import asyncio
import datetime
from pathlib import Path

import pytest

from gateway import cli
from gateway.ledger.entry import entries
from gateway.ledger.export.package_check import check_package
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.proof import key_files
from gateway.ledger.verify.published.follow import follow
from tests import configured
from tests.ledger.served import log_of, published
from tests.ledger.support import ORIGIN, SUBJECT, disclosed, opened, refused
from tests.services import Postgres
from tests.storage.conftest import Place, kept_running


@pytest.fixture(scope="session")
def server(pytestconfig: pytest.Config) -> Postgres:
    """One that keeps what it commits: a configuration that names another is refused."""
    return kept_running(pytestconfig, fsync="on")


@pytest.fixture
def config(place: Place, tmp_path: Path) -> Path:
    """A configuration of the store, with its keys beside it."""
    private = key_files.generate(tmp_path / "ledger.key")
    key_files.write_verifiers(tmp_path / "ledger.pub", private, ORIGIN, ["1", "commands"])
    durability = "single-node" if place.kind == "postgresql" else None
    return configured.write(tmp_path, store=place.url, durability=durability)


async def test_evidence_of_a_store_that_a_gateway_uses(
    place: Place, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, store = config.parent, place.open()
    command = ["ledger", "export", "--config", str(config), "--by", "A. Auditor", "--reason", "complaint 12"]
    subject = ["--subject", f"{SUBJECT.scheme}:{SUBJECT.value}", "--out", str(folder / "evidence.zip")]

    async def export(ledger: Ledger) -> int:
        running = asyncio.create_task(asyncio.to_thread(cli.main, [*command, *subject]))
        while not running.done():
            await refused(ledger)
            await asyncio.sleep(0.01)
        return await running

    async with opened(store, private=key_files.load(folder / "ledger.key")) as ledger:
        for number in range(260):
            await disclosed(ledger, number)
        assert await export(ledger) == 0, capsys.readouterr().err
    verifiers = key_files.read_verifiers(folder / "ledger.pub")
    whole = check_package(folder / "evidence.zip", verifiers).manifest
    assert whole.entries >= 261
    assert whole.view.startswith("entries/commands-")
    assert whole.looked == entries.Looked(scheme=SUBJECT.scheme, value=SUBJECT.value)
    now = datetime.datetime.now(datetime.UTC)
    assert follow(log_of(published(store, "1")), verifiers, None, [], now).size > 260
    assert follow(log_of(published(store, "commands")), verifiers, None, [], now).size == 1
    assert cli.main(["ledger", "verify", "--config", str(config), "--key", str(folder / "ledger.pub")]) == 0
    assert cli.main(["ledger", "verify", place.url, "--key", str(folder / "ledger.pub")]) == 0
