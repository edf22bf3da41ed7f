"""`policies/ARTICLES.md` is true: files, tests, articles, rules, purposes and restraints."""

from __future__ import annotations

import re

import pytest

from gateway.documents import read
from gateway.errors import Problem
from gateway.inquiry.restrain import RESTRAINTS
from tests.docs.reading import ROOT, code, missing, section, table

PAGE = ROOT / "policies" / "ARTICLES.md"
CARRIED_OUT = table(section(PAGE, "Carried out"))
NOT_YET = table(section(PAGE, "Not yet carried out"))

ASKED = (
    "18", "19", "20", "21", "22(1)", "22(3)", "23", "24", "25", "26", "27", "28(1)", "28(2)", "28(3)", "28(4)", "28(5)",
    "28(6)", "33", "37", "41(2)", "42", "43", "44", "45", "46", "47(1)", "47(2)", "48", "48(1)", "49",
)  # fmt: skip
"""Every article that asks something of this software."""
OUTSIDE = ("31", "32", "34", "35", "36", "38", "39", "40")
"""Articles that it stays away from, by design."""

_ARTICLE = re.compile(r"\d+(\(\d+\))*")


def articles(cell: str) -> list[str]:
    found = [part.strip() for part in cell.split(",")]
    assert all(_ARTICLE.fullmatch(part) for part in found), f"`{cell}` must be articles with commas between"
    return found


def named() -> set[str]:
    return {article for row in (*CARRIED_OUT, *NOT_YET) for article in articles(row[0])}


def occurs(article: str, among: set[str]) -> bool:
    """Whether the article, or a part of it, is among them."""
    return article in among or any(other.startswith(f"{article}(") for other in among)


@pytest.mark.parametrize("row", CARRIED_OUT, ids=[row[0] for row in CARRIED_OUT])
def test_every_row_names_files_and_tests_that_exist(row: list[str]) -> None:
    _, requirement, files, tests = row
    assert requirement
    assert code(files)
    assert missing(code(files)) == []
    assert code(tests)
    assert all(name.startswith("tests/") and "::test_" in name for name in code(tests))
    assert missing(code(tests)) == []


def test_every_article_is_carried_out_or_said_to_be_missing() -> None:
    assert sorted(set(ASKED) - named()) == []
    assert sorted(named() - set(ASKED)) == []
    assert all(missing_part for _, missing_part in NOT_YET)


def test_what_is_outside_is_said_and_nowhere_carried_out() -> None:
    text = section(PAGE, "Not carried out, by design")
    assert sorted(re.findall(r"\d+", text.partition("|")[0])) == sorted(OUTSIDE)
    for what, files, tests in table(text):
        assert code(files), what
        assert code(tests), what
        assert missing(code(files) + code(tests)) == [], what
    assert not {article.split("(")[0] for article in named()} & set(OUTSIDE)


def test_every_article_of_a_rule_has_its_row() -> None:
    rules = sorted((ROOT / "policies" / "rules").glob("*.cedar"))
    assert rules
    for rule in rules:
        [said] = re.findall(r'^@article\("([^"]*)"\)', rule.read_text("utf-8"), re.MULTILINE)
        for article in articles(said):
            assert occurs(article, named()), f"{rule.name} rests on {article}, which {PAGE.name} does not have"


def test_every_rule_that_forbids_is_named_in_a_row() -> None:
    files = {name for row in CARRIED_OUT for name in code(row[2])}
    for rule in (ROOT / "policies" / "rules").glob("*.cedar"):
        if re.search(r"^forbid\b", rule.read_text("utf-8"), re.MULTILINE):
            assert f"policies/rules/{rule.name}" in files


def test_every_article_of_a_purpose_has_its_row() -> None:
    problems: list[Problem] = []
    node = read(ROOT / "policies" / "purposes.yaml", problems)
    assert node is not None
    purposes = node.plain()
    assert len(purposes) > 3
    for name, purpose in purposes.items():
        for article in purpose["articles"]:
            assert occurs(article, named()), f"{name} rests on {article}, which {PAGE.name} does not have"


@pytest.mark.parametrize("restraint", RESTRAINTS, ids=[restraint.name for restraint in RESTRAINTS])
def test_every_restraint_has_its_row(restraint: object) -> None:
    name, article = restraint.name, restraint.article  # type: ignore[attr-defined]
    rows = [row for row in CARRIED_OUT if article in articles(row[0]) and name in code(row[1])]
    assert len(rows) == 1
    assert "gateway/inquiry/restrain.py" in code(rows[0][2])
