"""Every refusal of the catalogue, each with the place that it is notified at; and what is next to it and allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.catalogue import checks, words
from gateway.catalogue.checks import needs_document
from tests.catalogue.policies import adverse, catalogue_of, dataset, problems_of

DISPLAY = {"min": "P3M", "max": "P3Y", "from": "effective"}


def penalty(**changes: Any) -> dict[str, Any]:
    return adverse(**{"category": "administrative-penalty", **changes})


def field(name: str = "number", title: str = "What it holds", **changes: Any) -> dict[str, Any]:
    return {name: {"type": "String", "title": title, **changes}}


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    # name: (datasets, path of the problem below `datasets`, part of the message)
    "scoring dataset": ({"credit-scores": dataset()}, "credit-scores", "`scores` in `credit-scores`"),
    "scoring dataset with an override": (
        {"credit-scores": dataset(override="we call every notice a score")},
        "credit-scores",
        "no such dataset may be shared",
    ),
    "list-membership dataset": ({"dishonest-persons-list": dataset()}, "dishonest-persons-list", "list of people"),
    "blacklist dataset": ({"tax-blacklist": dataset()}, "tax-blacklist", "`blacklist`"),
    "rating in a title": ({"marks": dataset(title="Ratings of firms")}, "marks.title", "`ratings`"),
    "special dataset id": ({"union-fees": dataset()}, "union-fees", "union membership"),
    "special dataset title": ({"notices": dataset(title="Medical notices")}, "notices", "health data"),
    "special field": ({"notices": dataset({"religion": "String"})}, "notices.fields.religion", "religion or belief"),
    "special field title": (
        {"notices": dataset(fields=field("mark", "Ethnic origin"))},
        "notices.fields.mark",
        "ethnicity",
    ),
    "scoring field": ({"notices": dataset({"trustRating": "Int"})}, "notices.fields.trustRating", "`rating`"),
    "list field": ({"notices": dataset({"onBlacklist": "Boolean"})}, "notices.fields.onBlacklist", "`blacklist`"),
    "override without a reason": (
        {"notices": dataset(fields=field("union", override="ok"))},
        "notices.fields.union.override",
        "is no reason",
    ),
    "override of nothing": (
        {"notices": dataset(fields=field(override="nothing to see here"))},
        "notices.fields.number.override",
        "nothing to override",
    ),
    "dataset override of nothing": (
        {"notices": dataset(override="nothing to see here")},
        "notices.override",
        "nothing to override",
    ),
    "open non-public": (
        {"notices": dataset(information="non_public", disclosure="open")},
        "notices.disclosure",
        "not for non-public information",
    ),
    "open adverse": ({"notices": adverse(disclosure="open")}, "notices.disclosure", "only where a law provides for it"),
    "law of openness of a shared dataset": (
        {"notices": adverse(open_law="Openness Act")},
        "notices.open_law",
        "belongs to an `open` dataset",
    ),
    "adverse without display": (
        {"notices": adverse(display=None)},
        "notices",
        "the term for which its records are shown",
    ),
    "adverse without an end": (
        {"notices": adverse(display={"min": "P3M", "from": "effective"})},
        "notices.display",
        "shown for ever",
    ),
    "adverse on the subject itself": ({"notices": adverse(shape="subject")}, "notices.shape", "`shape: subject`"),
    "penalty over three years": (
        {"notices": penalty(display={**DISPLAY, "max": "P37M"})},
        "notices.display.max",
        "over 3 years",
    ),
    "penalty over three years in days": (
        {"notices": penalty(display={**DISPLAY, "max": "P1100D"})},
        "notices.display.max",
        "over 3 years",
    ),
    "penalty under three months": (
        {"notices": penalty(display={**DISPLAY, "min": "P2M"})},
        "notices.display.min",
        "under `P3M`",
    ),
    "penalty without a minimum": (
        {"notices": penalty(display={"max": "P3Y", "from": "effective"})},
        "notices.display",
        "has no `min`",
    ),
    "safety penalty under a year": (
        {"notices": penalty(category="administrative-penalty-safety")},
        "notices.display.min",
        "under `P1Y`",
    ),
    "penalty that is not adverse": ({"notices": penalty(nature="neutral")}, "notices.nature", "nature: adverse"),
    "minimum over maximum": (
        {"notices": adverse(display={"min": "P2Y", "max": "P1Y", "from": "effective"})},
        "notices.display.min",
        "longer than `max`",
    ),
    "two registers of one kind": (
        {"first": dataset(shape="subject"), "second": dataset({"name": "String"}, shape="subject")},
        "second.shape",
        "only one published dataset per kind",
    ),
    "a field called record": ({"notices": dataset({"record": "String"})}, "notices.fields.record", "has itself"),
    "a register's field called scheme": (
        {"notices": dataset({"scheme": "String"}, shape="subject")},
        "notices.fields.scheme",
        "has itself",
    ),
    "a type called Record": ({"record": dataset()}, "record", "`Record`"),
    "a type called Organisation": ({"organisation": dataset()}, "organisation", "`Organisation`"),
    "a type called RecordMeta": ({"record-meta": dataset()}, "record-meta", "`RecordMeta`"),
    "a dataset called value": ({"value": dataset()}, "value", "which subjects have"),
    "one type of two datasets": ({"tax-2": dataset(), "tax2": dataset()}, "tax2", "the same type `Tax2`"),
    "a register's field called like a dataset": (
        {"notices": dataset(), "register": dataset({"notices": "String"}, shape="subject")},
        "register.fields.notices",
        "also the field of dataset `notices`",
    ),
    "no scheme for a kind": ({"notices": dataset(subjects=["person"])}, "notices.subjects", "names persons"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(tmp_path: Path, case: str) -> None:
    datasets, path, message = REFUSED[case]
    identifiers = {"LEI": {"title": "Legal Entity Identifier", "subjects": ["organisation"], "module": "stdnum.lei"}}
    found = problems_of(tmp_path, datasets, identifiers)
    assert [problem.path for problem in found if message in problem.message] == [f"datasets.{path}"], found
    assert all(problem.line > 1 and problem.column > 1 and problem.file.endswith("tax.yaml") for problem in found)


@pytest.mark.parametrize("category", words.SPECIAL)
def test_every_special_category_is_refused_when_declared(tmp_path: Path, category: str) -> None:
    found = problems_of(tmp_path, {"notices": dataset(category=category, override="we really need to have it")})
    assert any(problem.path == "datasets.notices.category" and "may not be" in problem.message for problem in found)


ALLOWED: dict[str, dict[str, Any]] = {
    "an adverse dataset": {"notices": adverse()},
    "an overridden field": {"notices": dataset(fields=field("union", override="the customs union of the goods"))},
    "an overridden scoring field": {"notices": dataset(fields=field("labelNumber", override="number on the bottle"))},
    "an overridden dataset": {"union-fees": dataset(override="fees of the customs union")},
    "an open adverse dataset by law": {"notices": adverse(disclosure="open", open_law="Openness Act, Art. 4")},
    "a long penalty by law": {"notices": penalty(display={**DISPLAY, "max": "P5Y", "law": "Penalties Act, Art. 9"})},
    "an endless adverse display by law": {
        "notices": adverse(display={"min": "P3M", "from": "effective", "law": "Archives Act"})
    },
    "an adverse dataset over three years": {"notices": adverse(display={**DISPLAY, "max": "P5Y"})},
    "a safety penalty of a year": {
        "notices": penalty(category="administrative-penalty-safety", display={**DISPLAY, "min": "P12M"})
    },
    "a register beside a draft of its successor": {
        "first": dataset(shape="subject"),
        "second": dataset(shape="subject", status="draft"),
    },
    "a retired dataset of the same type": {"tax-2": dataset(), "tax2": dataset(status="retired")},
    "registers of two kinds with the same fields": {
        "first": dataset(shape="subject"),
        "second": dataset(shape="subject", subjects=["person"]),
    },
    "record fields called scheme and value": {"notices": dataset({"scheme": "String", "value": "Decimal"})},
}


@pytest.mark.parametrize("case", ALLOWED)
def test_allowed(tmp_path: Path, case: str) -> None:
    assert catalogue_of(tmp_path, ALLOWED[case]).datasets.keys() == ALLOWED[case].keys()


@pytest.mark.parametrize("check", [*checks.ON_DATASET, *checks.ON_ALL], ids=lambda check: check.__name__)
def test_every_check_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, check: Any) -> None:
    """With one check taken away, something that is refused above is not."""
    cases = [*(datasets for datasets, _, _ in REFUSED.values()), {"notices": dataset(category="health")}]
    with_all = [len(problems_of(tmp_path, datasets)) for datasets in cases]
    for name in ("ON_DATASET", "ON_ALL"):
        monkeypatch.setattr(checks, name, tuple(other for other in getattr(checks, name) if other is not check))
    assert [len(problems_of(tmp_path, datasets)) for datasets in cases] != with_all


def test_adverse_datasets_need_a_document_of_each_record(tmp_path: Path) -> None:
    made = catalogue_of(tmp_path, {"bad": adverse(), "plain": dataset(), "good": dataset(nature="favourable")})
    assert {name for name, entry in made.datasets.items() if needs_document(entry)} == {"bad"}
