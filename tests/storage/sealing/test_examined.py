"""What is said of a store that is sealed, or not yet, by commands that only look at it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway import cli
from gateway.config import settings
from gateway.ledger.proof import key_files
from gateway.storage.store import examine_store, open_store
from tests import stores
from tests.configured import ORIGIN
from tests.ledger.support import KEY, disclosed, opened
from tests.services import postgres
from tests.storage.conftest import Place


@pytest.fixture
def public(tmp_path: Path) -> Path:
    key_files.write_verifiers(tmp_path / "ledger.pub", KEY, ORIGIN, ["1", "2", "3"])
    return tmp_path / "ledger.pub"


async def test_a_copy_is_verified_as_far_as_its_keys_go(
    sealed: Place, key: Path, public: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with opened(sealed.open()) as ledger:
        await disclosed(ledger, 1)
    words = ["ledger", "verify", "--store", sealed.url, "--key", str(public)]
    assert cli.main(words) == 0
    said = capsys.readouterr().out
    assert f"whole: {ORIGIN}/1, 1 entry" in said
    assert "not opened: the contents of the entries" in said
    assert cli.main([*words, "--store-key", str(key)]) == 0
    said = capsys.readouterr().out
    assert f"whole: {ORIGIN}/1, 1 entry" in said
    assert "not opened" not in said


async def test_a_leaf_that_was_altered_is_found_without_the_key(
    sealed: Place, public: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = sealed.open()
    async with opened(store) as ledger:
        await disclosed(ledger, 1)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE entry SET leaf = subjects")
    assert cli.main(["ledger", "verify", "--store", sealed.url, "--key", str(public)]) == 1
    assert "the leaves do not give the root of its head" in capsys.readouterr().err


def test_a_plain_store_with_a_key_is_told_of(tmp_path: Path, key: Path) -> None:
    stores.make(tmp_path / "store.db")
    url = f"sqlite:///{tmp_path / 'store.db'}"
    assert "not sealed by it" in "".join(examine_store(url, "gateway.yaml", single_node=True, key=key))
    assert examine_store(url, "gateway.yaml", single_node=True) == []
    open_store(url, key=key).close()  # nothing was entered yet
    assert examine_store(url, "gateway.yaml", single_node=True, key=key) == []


def test_an_empty_database_is_shown_as_one_that_the_first_start_fills(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["init", "--yes"]) == 0
    with postgres(fsync="on") as server:
        url = server.url(server.database())
        monkeypatch.setenv("DUTYBOUND_STORE", url)
        found = settings.load(Path("gateway.yaml"), dict(os.environ))
        assert found.store == url
        assert found.store_key is not None
        told = examine_store(url, "gateway.yaml", single_node=True, key=found.store_key)
        assert "--finish" not in "".join(told)
        capsys.readouterr()
        assert cli.main(["status"]) == 1
        shown = capsys.readouterr().out
        assert "no tables yet; the first start makes them" in shown
        assert "relation" not in shown
        assert "step None" not in shown
