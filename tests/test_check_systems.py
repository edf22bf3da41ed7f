"""`dutybound check`: who may read the secrets, and with `--connect` whether the systems of others are there."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.demo import configuration
from gateway import cli
from gateway.ledger.proof import key_files
from gateway.storage.store import open_store
from tests import configured
from tests.configured import secret
from tests.conftest import World
from tests.ports import free_port

WEBHOOK = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"


def said(capsys: pytest.CaptureFixture[str], folder: Path, *options: str) -> tuple[int, str]:
    """The status of `dutybound check`, and all that it printed."""
    try:
        status = cli.main(["check", "--config", str(folder / "gateway.yaml"), *options])
    finally:
        out, err = capsys.readouterr()
    assert "Traceback" not in err
    return status, out + err


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The demo's files, with the ports of a demo that does not run."""
    place = configuration.Place(tmp_path / "var", {name: free_port() for name in configuration.USUAL})
    place.run.mkdir(parents=True)
    configuration.write(place)
    configured.by_folder(place.config)
    key_files.generate(place.run / "ledger.key")
    return place.run


def test_all_is_fine_until_somebody_looks(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, folder)[0] == 0
    status, told = said(capsys, folder, "--connect")
    assert status == 1
    for name in ("market", "tax", "courts", "environment", "labour"):
        assert f"sources.yaml: departments.{name}: " in told, told
    for name in ("market", "courts"):
        assert f"gateway.yaml: case_registries.{name}: `http://127.0.0.1:" in told
    assert told.count("gives no answer") == 2
    assert told.count("no connection, or it broke") == 3
    assert told.count("the database cannot be read") == 2


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_webhook_secret_that_others_may_read(folder: Path, mode: int, capsys: pytest.CaptureFixture[str]) -> None:
    config = folder / "gateway.yaml"
    config.write_text(
        config.read_text().replace("market: {kind: case-rest", "market: {webhook: {secret_file: hook}, kind: case-rest")
    )
    hook = secret(folder / "hook", WEBHOOK)
    assert said(capsys, folder)[0] == 0
    hook.chmod(mode)
    status, told = said(capsys, folder)
    assert status == 1
    assert f"the file `hook` may be read by others (mode {mode:04o}); run `chmod 600 {hook}`" in told
    assert WEBHOOK.strip() not in told


def test_a_store_that_others_may_read(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = folder / "gateway.db"
    open_store(f"sqlite:///{store}").close()
    assert said(capsys, folder)[0] == 0
    store.chmod(0o644)
    status, told = said(capsys, folder)
    assert status == 1
    assert f"`{store}` may be read by others (mode 0644); run `chmod 600 {store}`" in told


def test_systems_that_are_there_are_not_told(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    status, told = said(capsys, world.region.place.run, "--connect")
    assert (status, "departments." in told, "case_registries." in told) == (0, False, False), told
