"""A store that is not there: no command makes an empty one in its place, or takes it for a store of which nothing is
known."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway import cli
from gateway.ledger.proof import key_files
from gateway.storage.store import open_store
from tests import configured
from tests.storage.conftest import Place

WHO = ("--by", "P. Auditor", "--reason", "complaint 12/2026")
COMMANDS = (
    ("ledger", "hold", "list"),
    ("ledger", "erase", "list"),
    ("ledger", "rebuild"),
    ("ledger", "archive", "--to", "archive", *WHO),
    ("recalls", "report"),
    ("watch", "findings"),
    ("store", "migrate"),
    ("store", "migrate", "--finish"),
    ("store", "rotate"),
    ("store", "rotate", "--names"),
    ("keys", "rotate"),
)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_no_command_makes_one(tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    config = configured.write(tmp_path, store_key_file="store.key")
    key_files.generate(tmp_path / "ledger.key")
    assert cli.main(["store", "key", "--out", str(tmp_path / "store.key")]) == 0
    before = {each: each.read_bytes() for each in tmp_path.iterdir() if each.is_file()}
    capsys.readouterr()
    assert cli.main([*words, "--config", str(config)]) == 1
    assert "store: is not there yet" in capsys.readouterr().err
    assert {each: each.read_bytes() for each in tmp_path.iterdir() if each.is_file()} == before


def test_nor_are_tables_made_in_an_empty_database(
    bare: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configured.write(tmp_path, store=bare.url, durability="single-node")
    assert cli.main(["watch", "findings", "--config", str(config)]) == 1
    assert "store: is not there yet" in capsys.readouterr().err
    for planned in ([], ["--plan"]):
        assert cli.main(["store", "migrate", *planned, "--config", str(config)]) == 1
        assert "store: is not there yet" in capsys.readouterr().err
    open_store(bare.url).close()
    assert cli.main(["store", "migrate", "--plan", "--config", str(config)]) == 0
