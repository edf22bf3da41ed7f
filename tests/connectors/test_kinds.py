"""The registry of kinds, and what no connector may do."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import connectors
from connectors import graphql, rest, sql
from connectors.http import endpoint
from connectors.kinds import KINDS

FILES = sorted(Path(connectors.__file__).parent.glob("*.py"))


def test_the_kinds_are_those_of_the_contract() -> None:
    assert list(KINDS)[:3] == ["rest", "graphql", "sql"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_no_connector_imports_the_gateway(file: Path) -> None:
    imported = [
        name
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
    ]
    assert not [name for name in imported if name.split(".")[0] == "gateway"]


def test_the_readme_names_every_key() -> None:
    text = (Path(connectors.__file__).parent / "README.md").read_text("utf-8")
    keys = {*rest.DEPARTMENT_KEYS, *graphql.DEPARTMENT_KEYS, *sql.DEPARTMENT_KEYS, *endpoint.KEYS}
    for key in keys - {"datasets"}:
        assert re.search(rf"\b{key}\b", text), key
