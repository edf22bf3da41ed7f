"""The trials are commands that there are; and one that does not hold, says nothing or does not end is told."""

from __future__ import annotations

import importlib

import pytest

from tests.faults import trials


@pytest.mark.parametrize("name", trials.TRIALS)
def test_each_is_a_command_that_knows_its_options(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    module, *options = trials.TRIALS[name]
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(f"tests.faults.{module}").main([*options, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert all(option in shown for option in options if option.startswith("--"))


@pytest.mark.parametrize(
    ("code", "holds", "told"),
    [
        ("print('{}')", True, "{}"),
        ("print('{}'); exit(1)", False, "{}"),
        ("pass", False, ""),
        ("print(1); print(2)", True, "2"),
    ],
)
def test_what_became_of_it(code: str, holds: bool, told: str) -> None:
    ended = trials.run("it", ["-c", code])
    assert (ended.holds, ended.told) == (holds, told)
    assert ("DOES NOT HOLD" in str(ended)) != holds


def test_one_that_does_not_end_is_ended() -> None:
    assert not trials.run("it", ["-c", "import time; time.sleep(3600)"], 0.5).holds


def test_the_summary_says_which_did_not_hold(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(trials, "run", lambda name, _: trials.Ended(name, "{}", name != "lag", 1.0))
    assert trials.main(["--only", "lag", "soak"]) == 1
    assert capsys.readouterr().out.endswith('{"holds": false, "wrong": ["lag"], "seconds": 2}\n')
    assert trials.main(["--only", "soak"]) == 0
