"""The catalogue file that `policies/README.md` gives to start from is one, draft or published."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gateway.catalogue.load import load
from gateway.errors import Problem
from tests.docs.reading import ROOT, fences

[EXAMPLE] = [each for each in fences(ROOT / "policies" / "README.md") if each.text.startswith("# catalogue/")]


@pytest.mark.parametrize("status", ["draft", "published"])
def test_the_file_to_start_from_is_a_catalogue_file(status: str, tmp_path: Path) -> None:
    policies = tmp_path / "policies"
    shutil.copytree(ROOT / "policies", policies)
    name = EXAMPLE.text.splitlines()[0].removeprefix("# ")
    (policies / name).write_text(EXAMPLE.text.replace("status: draft", f"status: {status}"))
    problems: list[Problem] = []
    catalogue = load(policies, problems)
    assert problems == []
    assert str(catalogue.datasets["building-permits"].status) == status
