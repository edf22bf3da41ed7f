"""What looks like a file of a policies folder and would not be read is named, wherever it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.activation.archive import packed
from gateway.catalogue.load import load as load_catalogue
from gateway.catalogue.unread import unread
from gateway.errors import ConfigurationError, Problem
from gateway.rules.load import load
from tests.rules.policies import copy

LEFT_OUT = {
    "rules/no-wages.cedar.txt": "rename it to `no-wages.cedar`",
    "rules/no-wages.CEDAR": "rename it to `no-wages.cedar`",
    "rules/no-wages.yaml": "a file of `rules` ends with `.cedar`",
    "no-wages.cedar": "put it into `rules`",
    "rules/2026/no-wages.cedar": "put its files into `rules` itself",
    "Rules/no-wages.cedar": "rename it to `rules`",
    "catalogue/customs.yml": "rename it to `customs.yaml`",
    "catalogue/customs.YAML": "rename it to `customs.yaml`",
    "catalogue/old/customs.yaml": "put its files into `catalogue` itself",
    "tests/wages.yml": "rename it to `wages.yaml`",
    "officers.yml": "rename it to `officers.yaml`",
    "Officers.yaml": "rename it to `officers.yaml`",
    "purposes.yaml.txt": "rename it to `purposes.yaml`",
}
NOBODYS = [
    "README.md",
    "rules/notes.txt",
    "rules/a.cedar~",
    "purposes.yaml.bak",
    "rules/.cedar",
    ".git/a.yaml",
    "ci.yml",
]


def write(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("forbid (principal, action, resource);")


@pytest.mark.parametrize(("name", "fix"), LEFT_OUT.items())
def test_it_is_named_with_what_to_do(name: str, fix: str, tmp_path: Path) -> None:
    write(tmp_path, name)
    ((path, message),) = unread(tmp_path)
    at = path.relative_to(tmp_path).as_posix()
    assert name.startswith(at)
    assert (message.startswith("would not be read"), message.endswith(fix)) == (True, True)


def test_what_is_read_and_what_is_nobodys_is_not(tmp_path: Path) -> None:
    folder = copy(tmp_path)
    for name in NOBODYS:
        write(folder, name)
    assert list(unread(folder)) == []


def test_a_rule_that_would_not_be_read_is_neither_loaded_without_nor_packed_without(tmp_path: Path) -> None:
    folder = copy(tmp_path)
    write(folder, "rules/no-wages.cedar.txt")
    for read in (load, packed):
        with pytest.raises(ConfigurationError) as refused:
            read(folder)
        (problem,) = refused.value.problems
        assert (Path(problem.file).name, problem.message[:17]) == ("no-wages.cedar.txt", "would not be read")


def test_a_catalogue_of_which_some_would_not_be_read_is_not_whole(tmp_path: Path) -> None:
    """So nothing is called unknown because of it."""
    folder = copy(tmp_path)
    (folder / "catalogue/tax.yaml").rename(folder / "catalogue/tax.yml")
    problems: list[Problem] = []
    assert not load_catalogue(folder, problems).whole
    assert [Path(each.file).name for each in problems] == ["tax.yml"]


def test_a_folder_that_leads_elsewhere_is_not_listed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    write(tmp_path, "elsewhere/secret.yml")
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/tests").symlink_to(tmp_path / "elsewhere")
    assert list(unread(tmp_path / "policies")) == []
