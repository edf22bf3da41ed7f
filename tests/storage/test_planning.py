"""The plan of a migration is of the steps themselves, and touches nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import create_engine

from gateway import cli
from gateway.storage import schema
from gateway.storage.migrations.planning import _step, plan
from tests import configured, stores


def test_every_step_is_planned_in_order_with_what_it_does() -> None:
    steps = {step.number: step for step in plan("0001")}
    assert next(iter(steps)) == "0002"
    assert list(steps)[-1] == schema.LATEST
    assert len(steps) == int(schema.LATEST) - 1
    assert all(step.does and step.about for step in steps.values())
    assert steps["0021"].additive
    assert steps["0021"].does == ("makes the table `console_session`",)
    assert not steps["0019"].additive
    assert any("`projected`" in each for each in steps["0019"].does)
    assert any("adds `recall_job.since`" in each for each in steps["0019"].does)
    assert not steps["0025"].additive
    assert plan(schema.LATEST) == []


@pytest.mark.parametrize(
    "statement", ["UPDATE t SET a = 1", "DROP TABLE t", "ALTER TABLE t RENAME TO u", "DELETE FROM t"]
)
def test_what_changes_what_is_there_is_not_additive(statement: str) -> None:
    assert not _step("1", "", ["CREATE TABLE u (a INTEGER)", statement]).additive
    assert _step(
        "1", "", ["CREATE TABLE u (a INTEGER)", "CREATE INDEX i ON t (a)", "ALTER TABLE t ADD COLUMN b INTEGER"]
    ).additive


def test_the_command_prints_it_and_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = configured.write(tmp_path, store="sqlite:///older.db")
    older = tmp_path / "older.db"
    stores.make_older(older, "0022")
    assert cli.main(["store", "migrate", "--plan", "--config", str(config)]) == 0
    said = capsys.readouterr().out
    assert "are of step 0022" in said
    assert "step 0023, only adds" in said
    assert "step 0025, changes what is there" in said
    with create_engine(f"sqlite:///{older}").connect() as connection:
        assert schema.version(connection).number == "0022"


def test_where_nothing_is_to_be_done_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = configured.write(tmp_path)
    stores.make(tmp_path / "ledger.db")
    assert cli.main(["store", "migrate", "--plan", "--config", str(config)]) == 0
    assert "nothing is to be done" in capsys.readouterr().out


def test_of_no_store_there_is_no_plan_and_none_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = configured.write(tmp_path)
    assert cli.main(["store", "migrate", "--plan", "--config", str(config)]) == 1
    assert "is not there yet" in capsys.readouterr().err
    assert not (tmp_path / "ledger.db").exists()


@pytest.mark.parametrize("planned", [True, False])
@pytest.mark.parametrize(("what", "why"), [("garbage", "not a database"), ("folder", "Is a directory")])
def test_what_is_no_store_is_refused_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str, why: str, planned: bool
) -> None:
    config, file = configured.write(tmp_path), tmp_path / "ledger.db"
    if what == "folder":
        file.mkdir()
    else:
        file.write_bytes(b"no database" * 1000)
        file.chmod(0o600)
    assert cli.main(["store", "migrate", "--config", str(config), *(["--plan"] if planned else [])]) == 1
    said = capsys.readouterr().err
    assert f"{config}:" in said
    assert why in said
    assert "Errno" not in said
