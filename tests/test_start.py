"""`dutybound serve` begins with what serving needs, and with nothing else."""

from __future__ import annotations

import argparse
import dataclasses
import gc
import subprocess
import sys
from pathlib import Path

import pytest

from gateway import cli
from gateway.catalogue.graphql import act_types, oversight_types, recall_types, shared_types

NOT_TO_SERVE = {
    "rich", "authlib", "alembic", "valkey",
    "gateway.catalogue.commands", "gateway.ledger.commands.register", "gateway.rules.commands",
    "gateway.storage.commands", "gateway.watch.commands", "gateway.serving.certificates",
}  # fmt: skip

MEANWHILE = {"uvicorn", "gateway.app", "gateway.served", "gateway.inquiry.plan"}
"""What those that serve need, and nobody else: imported by a thread while a start waits for the store."""

PROBE = """
import sys
from gateway import cli
from gateway.catalogue.graphql import act_types, oversight_types, recall_types, shared_types
cli.main(["serve", "--config", "there-is-none.yaml"])
print(*sys.modules)
"""


def test_a_start_imports_nothing_that_serving_does_not_need(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, cwd=tmp_path, check=False)
    imported = set(done.stdout.split())
    assert "gateway.serving.serve" in imported
    assert not (NOT_TO_SERVE | MEANWHILE) & imported


def test_strawberry_has_no_annotation_to_evaluate() -> None:
    for module in (act_types, oversight_types, recall_types, shared_types):
        types = [each for each in vars(module).values() if dataclasses.is_dataclass(each)]
        assert types
        assert [each for each in types if any(isinstance(of, str) for of in each.__annotations__.values())] == []


def test_a_receipt_is_verified_without_the_connectors_libraries(tmp_path: Path) -> None:
    command = 'cli.main(["ledger", "verify-receipt", "--key", "none.pub", "none"])'
    probe = f"import sys\nfrom gateway import cli\n{command}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, cwd=tmp_path, check=False)
    imported = set(done.stdout.split())
    assert "gateway.ledger.commands.register" in imported
    assert not {"gateway.check", "connectors.kinds", "connectors.database", "pymysql"} & imported


def test_what_a_start_leaves_out_is_there_for_everything_else() -> None:
    """`--help` has all commands, and so has the parser that no word cuts short."""
    everything, serving = cli._parser().format_help(), cli._parser("serve").format_help()
    assert "catalogue" in everything
    assert "catalogue" not in serving


def _below(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    found = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
    return dict(found[0].choices) if found else {}


def _said(parser: argparse.ArgumentParser) -> list[str]:
    return [parser.format_help(), *(text for each in _below(parser).values() for text in _said(each))]


def test_each_first_word_has_its_part_whole_and_no_part_is_without_one() -> None:
    everything = _below(cli._parser())
    assert set(everything) == {"demo", "serve", "check", *(word for words in cli._PARTS for word in words)}
    for word, whole in everything.items():
        assert _said(_below(cli._parser(word))[word]) == _said(whole)


def test_a_start_that_is_refused_collects_garbage_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["serve", "--config", str(tmp_path / "there-is-none.yaml")]) == 1
    assert gc.isenabled()
    assert "there-is-none.yaml" in capsys.readouterr().err
