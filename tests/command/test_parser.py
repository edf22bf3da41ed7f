"""The command line's one style: what holds of every command, and how a wrong call is answered."""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from gateway import cli
from gateway.command.examples import EXAMPLES
from tests.docs.commands import Command, commands, groups

ALL = sorted(commands().items())
EACH = pytest.mark.parametrize("command", [each for _, each in ALL], ids=[" ".join(words) for words, _ in ALL])
MEANS = {
    "--config": {"FILE"},
    "--policies": {"FOLDER"},
    "--gateway": {"URL"},
    "--token-file": {"FILE"},
    "--since": {"DAY"},
    "--until": {"DAY", "MOMENT"},
    "--subject": {"SCHEME:VALUE", "COLUMN"},
    "--reason": {"TEXT"},
    "--by": {"NAME"},
    "--first": {"N"},
    "--after": {"CURSOR"},
    "--every": {"SECONDS"},
    "--reference": {"TEXT"},
    "--receipt": {"FILE"},
}
"""What stands behind an option, wherever it is: a moment where a time matters, a column where a log names one."""


def _arguments(command: Command) -> list[argparse.Action]:
    left = (argparse._HelpAction, argparse._SubParsersAction)
    return [action for action in command.parser._actions if not isinstance(action, left)]


def _said(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    try:
        status = cli.main(list(argv))
    except SystemExit as ended:
        status = int(ended.code or 0)
    said = capsys.readouterr()
    return status, said.out, said.err


@EACH
def test_help_is_a_sentence_every_argument_s_meaning_and_an_example(command: Command) -> None:
    shown = command.parser.format_help()
    words = " ".join(command.words)
    described = " ".join(shown.split("\n\n")[1].split())
    assert described.startswith(f"{command.help[0].upper()}{command.help[1:]}.")
    assert [action.dest for action in _arguments(command) if not action.help] == []
    assert shown.endswith(f"\nexample:\n  {f'dutybound {words} {EXAMPLES[words]}'.strip()}\n")


def test_every_example_is_of_a_command_and_the_parser_reads_it() -> None:
    assert sorted(EXAMPLES) == [" ".join(words) for words, _ in ALL]
    for words, example in EXAMPLES.items():
        given = cli._parser().parse_args([*words.split(), *shlex.split(example)])
        assert given.shown.prog == f"dutybound {words}"


@EACH
def test_the_same_name_means_the_same(command: Command) -> None:
    for action in _arguments(command):
        for name in action.option_strings:
            if name in MEANS and not action.choices:
                assert action.metavar in MEANS[name], name
        assert action.choices or action.nargs == 0 or str(action.metavar).isupper() or "/" in str(action.metavar)
        assert action.metavar not in ("DIR", "DATE")


@EACH
def test_no_command_needs_its_configuration_named(command: Command) -> None:
    for action in _arguments(command):
        if action.dest == "config":
            assert not action.required
            usual = "client.yaml" if command.words == ("recalls", "client") else "gateway.yaml"
            assert action.default in (None, Path(usual))
            assert f"default: {usual}" in (action.help or "")


def test_alone_it_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert _said(capsys) == (0, cli._parser().format_help(), "")
    for group in sorted(groups() - set(commands())):
        status, out, _ = _said(capsys, *group)
        assert (status, out.split("\n")[0]) == (0, f"usage: dutybound {' '.join(group)} [-h] COMMAND ...")
        assert re.search(r"^    \w", out, re.MULTILINE)


def test_the_version_is_the_package_s(capsys: pytest.CaptureFixture[str]) -> None:
    assert _said(capsys, "--version") == (0, f"dutybound {version('dutybound')}\n", "")


@pytest.mark.parametrize(
    ("words", "near"),
    [
        (("srve",), "`dutybound srve` (did you mean `serve`?); `dutybound --help` lists them"),
        (
            ("rules", "maxtrix"),
            "`dutybound rules maxtrix` (did you mean `matrix`?); `dutybound rules --help` lists them",
        ),
        (("ledger", "erase", "aprove"), "`dutybound ledger erase aprove` (did you mean `approve`?)"),
        (("zzz",), "`dutybound zzz`; `dutybound --help` lists them"),
    ],
)
def test_what_is_no_command_is_refused_with_the_nearest(
    words: tuple[str, ...], near: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = _said(capsys, *words)
    assert (status, out) == (2, "")
    assert f"there is no command {near}" in err


@pytest.mark.parametrize(
    "call",
    [
        "ledger export --from 2026-01-01 --by X --reason Y --out z --config g.yaml",
        "recalls report --from 2026-01-01 --by year",
        "ledger reconcile --department d --log l --by X --reason Y --from 2026-01-01",
    ],
)
def test_what_it_was_called_before_still_works(call: str) -> None:
    given = cli._parser().parse_args(shlex.split(call))
    assert str(given.since) == "2026-01-01"
    assert given.by in ("X", "year")


def test_a_configuration_that_is_not_there_is_told_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for call in (["check"], ["serve"], ["ledger", "verify"], ["rules", "status"], ["rules", "diff", "active", "."]):
        status, out, err = _said(capsys, *call)
        assert (status, out) in ((1, ""), (2, ""))
        assert err.startswith("gateway.yaml: does not exist; name the file with `--config`"), call


@pytest.mark.parametrize("command", [each for _, each in ALL if "--policies" in each.parser._option_string_actions])
def test_policies_that_are_not_there_are_one_sentence(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    words = " ".join(command.words)
    call = shlex.split(f"{words} {EXAMPLES[words]} --policies away")
    assert _said(capsys, *call) == (1, "", "`away` is no folder; name the folder of the policies\n")


ROOT = Path(__file__).parents[2]
RECEIPT = "tests/vectors/proof-v1/receipts/first-key.txt"
LONG = "x" * 300
"""A name that no file can have: the system refuses it as it refuses a folder that an account may not look into."""


@pytest.mark.parametrize(
    "call",
    [
        ["rules", "check", "--policies", LONG],
        ["rules", "diff", LONG, LONG],
        ["catalogue", "diff", LONG, LONG],
        ["ledger", "verify", LONG],
        ["keys", "generate", "--origin", "a/b", "--out", LONG],
        ["init", "--yes", "--out", LONG],
        ["check", "--config", LONG],
        ["status", "--config", LONG],
    ],
    ids=" ".join,
)
def test_a_path_that_the_system_refuses_is_named_with_its_word(
    call: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = _said(capsys, *call)
    assert (status, out) in ((1, ""), (2, ""))
    assert LONG in err.splitlines()[0]
    assert "(File name too long)" in err


@pytest.mark.parametrize("call", ["--version", "catalogue docs", f"ledger show {RECEIPT}"])
@pytest.mark.parametrize(
    ("shell", "status", "err"),
    [
        ("{} > /dev/full", 1, "this ended before it was done: No space left on device\n"),
        ("{} | true; exit ${{PIPESTATUS[0]}}", 141, ""),
        ("{} >&-", 0, ""),
    ],
    ids=["full", "left", "none"],
)
def test_output_that_nobody_takes_is_no_success_and_no_traceback(call: str, shell: str, status: int, err: str) -> None:
    command = shlex.join([sys.executable, "-m", "gateway.cli", *call.split()])
    run = subprocess.run(["bash", "-c", shell.format(command)], capture_output=True, text=True, cwd=ROOT)
    assert (run.returncode, run.stderr) == (status, err)
