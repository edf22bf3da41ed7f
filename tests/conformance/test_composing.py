"""`dutybound rules check --compose`: the schema of the policies, by Apollo's own composition."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.cli import main
from tests.docs.reading import ROOT

HERE = Path(__file__).resolve().parent


def check(*more: str) -> int:
    return main(["rules", "check", "--policies", str(ROOT / "policies"), *more])


def package(folder: Path, script: str) -> Path:
    """A folder with another composition in it."""
    for name, text in (("@apollo/composition", script), ("graphql", "export const parse = (text) => text;")):
        (there := folder / "node_modules" / name).mkdir(parents=True)
        (there / "package.json").write_text(json.dumps({"name": name, "type": "module", "main": "index.js"}))
        (there / "index.js").write_text(text)
    return folder


pytestmark = pytest.mark.usefixtures("client")


def test_the_shipped_schema_is_composed() -> None:
    assert check("--compose", str(HERE)) == 0


def test_what_is_refused_is_told_in_its_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refusing = package(
        tmp_path,
        "export const composeServices = ([{ typeDefs }]) =>"
        ' ({ errors: typeDefs.includes("type TaxArrears") ? [new Error("TaxArrears is not shareable")] : [] });',
    )
    assert check("--compose", str(refusing)) == 1
    assert "refuses the schema: TaxArrears is not shareable" in capsys.readouterr().err


def test_without_the_package_it_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check("--compose", str(tmp_path)) == 2
    assert "npm install @apollo/composition" in capsys.readouterr().err


def test_a_package_that_fails_is_no_approval(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check("--compose", str(package(tmp_path, "throw new Error('broken');"))) == 2
    assert "composition failed" in capsys.readouterr().err
