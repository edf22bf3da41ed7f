"""`sources.yaml` against the catalogue: what a start refuses, each with its place (Arts. 20, 37, 44)."""

from __future__ import annotations

import functools
from pathlib import Path
from string import Template

import pytest

from connectors.kinds import KINDS
from deploy.demo.configuration import USUAL
from gateway import sources
from gateway.catalogue.load import load
from gateway.catalogue.model import Catalogue
from gateway.errors import Problem

ROOT = Path(__file__).parents[1]


@functools.cache
def catalogue() -> Catalogue:
    problems: list[Problem] = []
    found = load(ROOT / "policies", problems)
    assert problems == []
    return found


def shipped() -> str:
    return Template((ROOT / "deploy" / "demo" / "sources.yaml").read_text("utf-8")).substitute(dict.fromkeys(USUAL, 9))


def problems_of(folder: Path, text: str) -> list[Problem]:
    file = folder / "sources.yaml"
    file.write_text(text)
    problems: list[Problem] = []
    sources.load(file, catalogue(), KINDS, problems)
    return problems


async def test_the_shipped_sources_have_nothing_wrong_and_every_department(tmp_path: Path) -> None:
    file = tmp_path / "sources.yaml"
    file.write_text(shipped())
    problems: list[Problem] = []
    connectors = sources.load(file, catalogue(), KINDS, problems)
    assert problems == []
    assert set(connectors) == set(catalogue().departments)
    for connector in connectors.values():
        await connector.close()


MISTAKES = {
    "adverse without document": (
        "record: {id: caseNo, version: rev, document: decision.paper,", "record: {id: caseNo, version: rev,",
        "`market-penalties` is adverse: map `document`, the decision that each record rests on",
    ),
    "display without effective": (
        "document: decision.paper, effective: decision.inForce,", "document: decision.paper,",
        "`market-penalties` has a display period: map `effective`",
    ),
    "dataset without a source": (
        "      tax-awards:", "      tax-arrears-of-old:",
        "the published dataset `tax-awards` has no source; add it to `tax.datasets`",
    ),
    "dataset of another department": (
        "      tax-awards:", "      wage-arrears:", "`tax` has no dataset `wage-arrears` in the catalogue",
    ),
    "misspelt dataset": (
        "      tax-awards:", "      tax-award:",
        "`tax` has no dataset `tax-award` in the catalogue (did you mean `tax-awards`?)",
    ),
    "misspelt department": ("  tax:  ", "  taxx:  ", "the catalogue has no department `taxx` (did you mean `tax`?)"),
    "misspelt kind": ("    kind: graphql", "    kind: grahpql", "`grahpql`"),
    "no kind": ("    kind: graphql\n", "", "`kind` is missing; one of rest, graphql, sql"),
    "misspelt key": ("    base_url: http://127.0.0.1:9/api", "    base_ulr: http://127.0.0.1:9/api", "`base_ulr`"),
    "field that there is not": ("trade, status: licence", "trade, statsu: licence", "has no field `statsu`"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_where_it_stands(tmp_path: Path, name: str) -> None:
    old, new, message = MISTAKES[name]
    text = shipped()
    assert text.count(old) == 1
    problems = problems_of(tmp_path, text.replace(old, new))
    [told] = [problem for problem in problems if message in problem.message]
    assert told.file.endswith("sources.yaml")
    assert told.line > 0


def test_a_mistake_points_at_its_line(tmp_path: Path) -> None:
    old, new, message = MISTAKES["adverse without document"]
    text = shipped().replace(old, new)
    [told] = problems_of(tmp_path, text)
    assert message in told.message
    assert new in text.splitlines()[told.line - 1]


@pytest.mark.parametrize("text", ["", "departments: {}\n", "departments: []\n", "a: [\n", "departments: {tax: 5}\n"])
def test_a_broken_file_is_a_problem_and_no_traceback(tmp_path: Path, text: str) -> None:
    assert problems_of(tmp_path, text)


def test_a_missing_file_is_a_problem(tmp_path: Path) -> None:
    problems: list[Problem] = []
    assert sources.load(tmp_path / "none.yaml", catalogue(), KINDS, problems) == {}
    assert len(problems) == 1
