"""Reading the catalogue: what is shipped, where problems are told, and a digest that only depends on what is said."""

from __future__ import annotations

import functools
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.catalogue.load import load
from gateway.catalogue.model import Catalogue, Status
from gateway.documents import read
from gateway.errors import Problem
from tests.catalogue.policies import adverse, catalogue_of, dataset, problems_of, write

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "policies"


def test_the_shipped_catalogue_has_nothing_wrong_and_five_departments() -> None:
    problems: list[Problem] = []
    catalogue = load(SHIPPED, problems)
    assert problems == []
    assert list(catalogue.departments) == ["courts", "environment", "labour", "market", "tax"]
    assert catalogue.datasets["market-inspections"].status is Status.DRAFT
    assert set(catalogue.datasets) - set(catalogue.published) == {"market-inspections"}
    arrears = catalogue.datasets["tax-arrears"]
    assert (arrears.graphql_name, arrears.type_name, list(arrears.fields)) == (
        "taxArrears",
        "TaxArrears",
        ["period", "amount", "currency"],
    )
    assert arrears.display
    assert arrears.display.max
    assert arrears.display.max.months == 36
    assert {entry.id for entry in catalogue.datasets.values() if entry.shape == "subject"} == {
        "organisation-register",
        "person-register",
    }


WRONG: dict[str, tuple[str, str, tuple[int, int]]] = {
    "misspelt key": ("natur: adverse", "unknown key `natur` (did you mean `nature`?)", (6, 5)),
    "misspelt word": ("nature: advers", "unknown `advers` (did you mean `adverse`?)", (6, 13)),
    "unknown type": (
        "fields: {amount: {type: Float, title: Amount}}",
        "unknown `Float`; one of String, Int, Boolean, Decimal, Date, DateTime",
        (6, 29),
    ),
    "no fields": ("fields: {}", "lists no field", (6, 13)),
    "fields as a list": ("fields: [a]", "must be a mapping", (6, 13)),
    "no basis": ("basis: []", "names no law", (6, 12)),
    "basis without law": ("basis: [{article: '1'}]", "`law` is missing", (6, 13)),
    "no subjects": ("subjects: []", "names no kind of subject", (6, 15)),
    "unknown category": ("category: misc", "unknown `misc`", (6, 15)),
    "period": ("display: {max: 3 years, from: effective}", "`3 years` must be a period such as `P3M`", (6, 20)),
    "display from": ("display: {max: P1Y, from: decidedOn}", "unknown `decidedOn`", (6, 31)),
    "display without from": ("display: {max: P1Y}", "`from` is missing", (6, 14)),
    "restorable": ("restorable: yes", "`yes` must be true or false", (6, 17)),
    "field name": ("fields: {__typename: {type: String, title: T}}", "`__typename` must be a camelCase name", (6, 14)),
    "field name with a hyphen": ("fields: {tax-id: {type: String, title: T}}", "`tax-id` must be a camelCase", (6, 14)),
    "field without title": ("fields: {amount: {type: String}}", "`title` is missing", (6, 22)),
    "empty title": ("title: ''", "`` must be text", (6, 12)),
    "null": ("title:", "must be text", (6, 5)),
    "twice": ("status: draft\n    status: published", "appears twice", (7, 5)),
    "half a character": ('title: "a\\ud800b"', "has half of a character", (6, 12)),
    "alias": ("title: *other", "anchors, aliases and tags are not allowed", (6, 12)),
}
REST = {
    "title": "title: Notices",
    "status": "status: published",
    "subjects": "subjects: [organisation]",
    "information": "information: public",
    "disclosure": "disclosure: shared",
    "nature": "nature: neutral",
    "basis": "basis: [{law: Notices Act}]",
    "fields": "fields: {number: {type: String, title: Number}}",
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_read_is_told_where_it_stands(tmp_path: Path, case: str) -> None:
    line, message, place = WRONG[case]
    rest = [text for key, text in REST.items() if key != line.partition(":")[0]]
    head = ["department: tax", "title: Tax Service", "datasets:", "  # the one below is wrong", "  notices:"]
    folder = write(tmp_path, {})
    file = folder / "catalogue" / "tax.yaml"
    file.write_text("\n".join([*head, f"    {line}", *(f"    {text}" for text in rest)]), encoding="utf-8")
    problems: list[Problem] = []
    found = load(folder, problems)
    assert found.broken == frozenset(found.datasets), "what is wrong counts as known, and as nothing to rely on"
    assert (str(file), *place) in [problem[:3] for problem in problems if message in problem.message], problems


@pytest.mark.parametrize(
    "name", ["Tax-Arrears", "tax_arrears", "-tax", "tax-", "9tax", "__tax", "steuerrückstände", ""]
)
def test_a_dataset_id_is_kebab_case(tmp_path: Path, name: str) -> None:
    assert any(
        "must be a dataset's id in lower case" in problem.message
        for problem in problems_of(tmp_path, {name: dataset()})
    )


def test_an_id_stands_once_over_all_files(tmp_path: Path) -> None:
    write(tmp_path, {"notices": dataset()}, department="customs")
    problems = problems_of(tmp_path, {"notices": dataset()})
    assert len(problems) == 1
    assert problems[0].file.endswith("tax.yaml")
    assert "`notices` is already in" in problems[0].message
    assert "customs.yaml" in problems[0].message


def test_a_department_has_one_file(tmp_path: Path) -> None:
    write(tmp_path, {"notices": dataset()})
    other = (tmp_path / "catalogue" / "tax.yaml").read_text().replace("notices", "letters")
    (tmp_path / "catalogue" / "tax2.yaml").write_text(other)
    problems: list[Problem] = []
    load(tmp_path, problems)
    assert ["one file per department" in problem.message for problem in problems] == [True]


def test_a_file_that_would_not_be_read_is_told(tmp_path: Path) -> None:
    write(tmp_path, {"notices": dataset()})
    (tmp_path / "catalogue" / "customs.yml").write_text("department: customs")
    problems: list[Problem] = []
    load(tmp_path, problems)
    assert [problem.message for problem in problems] == ["would not be read; rename it to `customs.yaml`"]


def test_an_empty_or_missing_folder_is_told(tmp_path: Path) -> None:
    problems: list[Problem] = []
    catalogue = load(tmp_path / "nowhere", problems)
    assert (catalogue.datasets, catalogue.schemes) == ({}, {})
    assert sorted(Path(problem.file).name for problem in problems) == ["catalogue", "identifiers.yaml"]


def test_one_broken_dataset_does_not_hide_another(tmp_path: Path) -> None:
    problems: list[Problem] = []
    folder = write(tmp_path, {"broken": dataset(nature="bad"), "whole": dataset()})
    found = load(folder, problems)
    assert (list(found.datasets), found.broken) == (["broken", "whole"], {"broken"})
    assert len(problems) == 1


def test_a_department_is_not_named_by_scores_and_may_be_by_its_field_of_work(tmp_path: Path) -> None:
    for number, (changed, wrong) in enumerate(
        [
            ({"title": "Ministry of Health"}, []),
            ({"title": "Office of Social Credit Scores"}, ["title"]),
            ({"department": "people-ranking"}, ["department"]),
        ]
    ):
        folder = write(tmp_path / str(number), BASE)
        (file,) = (folder / "catalogue").glob("*.yaml")
        file.write_text(json.dumps(json.loads(file.read_text()) | changed))
        problems: list[Problem] = []
        load(folder, problems)
        assert [(each.path, each.file, each.line) for each in problems] == [(path, str(file), 1) for path in wrong]


def _shuffled(value: Any, seed: random.Random) -> Any:
    if isinstance(value, dict):
        keys = list(value)
        seed.shuffle(keys)
        return {key: _shuffled(value[key], seed) for key in keys}
    return value


def _load(folder: Path) -> Catalogue:
    problems: list[Problem] = []
    catalogue = load(folder, problems)
    assert problems == []
    return catalogue


@functools.cache
def _shipped() -> tuple[list[Any], str]:
    """What the shipped files of the catalogue say, identifiers last, and their digest."""
    nodes = [read(file, []) for file in (*SHIPPED.glob("catalogue/*.yaml"), SHIPPED / "identifiers.yaml")]
    return [node.plain() for node in nodes if node], _load(SHIPPED).digest


@given(st.randoms(use_true_random=False), st.sampled_from([None, 1, 3]))
@settings(max_examples=20, deadline=None)
def test_the_digest_does_not_depend_on_order_or_format(
    tmp_path_factory: pytest.TempPathFactory, seed: random.Random, indent: int | None
) -> None:
    folder = tmp_path_factory.mktemp("policies")
    (folder / "catalogue").mkdir()
    said, digest = _shipped()
    assert len(said) == len([*SHIPPED.glob("catalogue/*.yaml")]) + 1
    names = [f"{chr(97 + seed.randrange(26))}{number}.yaml" for number in range(len(said) - 1)]
    for each, name in zip(said, [f"catalogue/{name}" for name in names] + ["identifiers.yaml"], strict=True):
        (folder / name).write_text(json.dumps(_shuffled(each, seed), indent=indent), encoding="utf-8")
    assert _load(folder).digest == digest


BASE: dict[str, Any] = {"notices": adverse(restorable=True)}
CHANGES: dict[str, dict[str, Any]] = {
    "title": {"title": "Other notices"},
    "status": {"status": "approved"},
    "subjects": {"subjects": ["organisation", "person"]},
    "disclosure": {"disclosure": "authorised"},
    "basis": {"basis": [{"law": "Notices Act", "article": "2"}]},
    "display": {"display": {"min": "P4M", "max": "P3Y", "from": "effective"}},
    "restorable": {"restorable": False},
    "field type": {"fields": {"number": {"type": "Int", "title": "What it holds"}}},
    "field title": {"fields": {"number": {"type": "String", "title": "What it held"}}},
    "category": {"category": "administrative-penalty"},
}


@pytest.mark.parametrize("case", CHANGES)
def test_the_digest_depends_on_everything_that_is_said(tmp_path: Path, case: str) -> None:
    before = catalogue_of(tmp_path / "a", BASE).digest
    after = catalogue_of(tmp_path / "b", {"notices": BASE["notices"] | CHANGES[case]}).digest
    assert before != after
    assert len(after) == 64


def test_the_digest_depends_on_identifier_schemes(tmp_path: Path) -> None:
    digests = set()
    for number, pattern in enumerate(["[0-9]{10}", "[0-9]{11}"]):
        folder = write(
            tmp_path / str(number),
            {"notices": dataset()},
            {"LEI": {"title": "Number", "subjects": ["organisation"], "pattern": pattern}},
        )
        digests.add(_load(folder).digest)
    assert len(digests) == 2


def test_a_department_says_what_can_be_done_about_its_decisions(tmp_path: Path) -> None:
    assert set(_load(SHIPPED).remedies) == set(_load(SHIPPED).departments)
    digests = set()
    for number, said in enumerate([None, "Complain to the head.", "Go to the court.", ["a"]]):
        folder = write(tmp_path / str(number), BASE)
        (file,) = (folder / "catalogue").glob("*.yaml")
        file.write_text(json.dumps(json.loads(file.read_text()) | ({} if said is None else {"remedy": said})))
        problems: list[Problem] = []
        catalogue = load(folder, problems)
        digests.add(catalogue.digest)
        assert list(catalogue.remedies.values()) == ([said] if isinstance(said, str) else [])
        assert [each.path for each in problems] == (["remedy"] if isinstance(said, list) else [])
    assert len(digests) == 3


# --- broken files never give a traceback, always a problem with a line

SOURCE = (SHIPPED / "catalogue" / "tax.yaml").read_text(encoding="utf-8")
PIECES = st.sampled_from(
    ["", " ", "\n", "\t", ":", "- ", "{", "}", "[", "]", "'", '"', "&a ", "*a", "!!int ", "|", ">", "#", "%", "? ",
     "null", "~", "\x00", "\x07", "\ufeff", "é", "\u2028", "<<: ", "---\n", "...", "P3M", "true",
     "0x1F", "[" * 600, "{a: " * 300]
)  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn) -> str:
    text = SOURCE
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 30)))
        text = text[:start] + draw(PIECES | st.text(max_size=5)) + text[end:]
    return text


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*REST, "x"]), inner, max_size=5),
    max_leaves=12,
)


def _problems_of_text(folder: Path, name: str, content: bytes) -> tuple[Catalogue, list[Problem]]:
    write(folder, {"whole": dataset()})
    (folder / name).write_bytes(content)
    problems: list[Problem] = []
    return load(folder, problems), problems


@given(damaged())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_damaged_file_gives_a_catalogue_or_problems_with_lines(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    content = text.encode("utf-8", "surrogatepass")
    catalogue, problems = _problems_of_text(folder, "catalogue/other.yaml", content)
    assert all(problem.line >= 1 and problem.column >= 1 and problem.message for problem in problems)
    assert problems or "tax-arrears" in catalogue.datasets


@given(st.dictionaries(st.sampled_from(["tax-arrears", "x", "__a"]), ANYTHING, max_size=3) | ANYTHING)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_value_for_the_datasets_gives_problems_with_lines(
    tmp_path_factory: pytest.TempPathFactory, value: Any
) -> None:
    folder = tmp_path_factory.mktemp("values")
    content = json.dumps({"department": "other", "title": "Other", "datasets": value}).encode()
    catalogue, problems = _problems_of_text(folder, "catalogue/other.yaml", content)
    assert problems
    assert all(problem.line >= 1 and problem.column >= 1 and problem.message for problem in problems)
    assert set(catalogue.datasets) - catalogue.broken == {"whole"}


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
@settings(max_examples=60, deadline=None)
def test_any_bytes_for_the_identifiers_give_problems_with_lines(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    folder = tmp_path_factory.mktemp("bytes")
    _, problems = _problems_of_text(folder, "identifiers.yaml", content)
    assert problems
    assert all(problem.line >= 1 and problem.column >= 1 and problem.message for problem in problems)
