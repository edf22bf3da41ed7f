"""`dutybound source deliver` on a whole configuration: what it takes in, prints, and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway import cli
from tests.connecting.delivering.labour import FINDING, Labour


@pytest.fixture
def labour(tmp_path: Path) -> Labour:
    return Labour(tmp_path)


def deliver(labour: Labour, *options: str) -> int:
    return cli.main(["source", "deliver", "--config", str(labour.gateway), *options])


def test_a_delivery_is_taken_in_and_told(labour: Labour, capsys: pytest.CaptureFixture[str]) -> None:
    assert deliver(labour, "labour") == 1
    assert "nothing was delivered yet" in capsys.readouterr().out
    labour.hand_over(FINDING, {**FINDING, "file_no": "F-2"})
    assert deliver(labour, "labour") == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert first.startswith("delivery 1, as of ")
    assert first.endswith(": taken in")
    assert "  wage-arrears             2 records" in lines
    assert deliver(labour, "labour") == 0
    assert "nothing new" in capsys.readouterr().out
    labour.hand_over(FINDING)
    assert deliver(labour, "labour", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["outcome"], told["sequence"]) == ("taken", 2)
    assert told["datasets"]["wage-arrears"] == {"records": 1, "vanished": 1}


def test_what_is_wrong_is_told_by_its_place_and_without_a_value(
    labour: Labour, capsys: pytest.CaptureFixture[str]
) -> None:
    labour.hand_over({**FINDING, "unpaid": "12 and a half"}, {**FINDING, "file_no": "F-2", "id_value": "X"})
    assert deliver(labour, "labour") == 1
    told = capsys.readouterr().out
    assert "wage.csv, row 2, column `unpaid`: must be a Decimal" in told
    assert "wage.csv, row 3, column `id_value`: is no subject's identifier in its canonical form" in told
    assert "half" not in told
    assert FINDING["id_value"] not in told


def test_who_does_not_deliver_is_told(labour: Labour, capsys: pytest.CaptureFixture[str]) -> None:
    assert deliver(labour, "labur") == 1
    assert "no department `labur` is of `kind: files` (did you mean `labour`?)" in capsys.readouterr().err
    assert deliver(labour, "tax") == 1
    labour.index.touch()
    labour.hand_over(FINDING)
    assert deliver(labour, "labour") == 1
    assert "the index cannot be written" in capsys.readouterr().err
