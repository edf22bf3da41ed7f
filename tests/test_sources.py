"""`sources.yaml` against the catalogue: what a start refuses, each with its place (Arts. 20, 37, 44)."""

from __future__ import annotations

import functools
import shutil
from pathlib import Path
from string import Template

import pytest

from connectors.kinds import KINDS
from deploy.demo.configuration import USUAL
from gateway import sources
from gateway.catalogue.load import load
from gateway.catalogue.model import Catalogue
from gateway.errors import Problem
from tests.configured import secret
from tests.planted import Mistake, plant

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
    connectors = sources.load(file, catalogue(), KINDS, problems).connectors
    assert problems == []
    assert set(connectors) == set(catalogue().departments)
    for connector in connectors.values():
        await connector.close()


REGISTER = "departments.market.datasets.organisation-register"
PENALTIES = "departments.market.datasets.market-penalties"


def mistake(right: str, wrong: str, at: str, told: str) -> Mistake:
    return Mistake("sources.yaml", right, wrong, at, told)


MISTAKES = {
    "adverse without document": mistake(
        "{id: caseNo, version: rev, document: decision.paper,",
        "{id: caseNo, version: rev,",
        "{id",
        f"{PENALTIES}.record: `market-penalties` is adverse: map `document`, the decision that each record rests on",
    ),
    "display without effective": mistake(
        "{id: caseNo, version: rev, document: decision.paper, effective: decision.inForce,",
        "{id: caseNo, version: rev, document: decision.paper,",
        "{id",
        f"{PENALTIES}.record: `market-penalties` has a display period: map `effective`",
    ),
    "dataset without a source, told at its department": mistake(
        "  tax:  ",
        "  tax:  ",
        "tax:",
        "departments.tax: the published dataset `tax-awards` has no source; add it to `tax",
    ),
    "constant scheme that is none": mistake(
        "document: filing, effective: enteredOn, subject: {scheme: holder.idType,",
        "document: filing, effective: enteredOn, subject: {scheme: {const: LEY},",
        "LEY",
        f"{REGISTER}.record.subject.scheme.const: unknown `LEY` (did you mean `LEI`?)",
    ),
    "dataset of another department": mistake(
        "      tax-awards:",
        "      wage-arrears:",
        "wage-arrears",
        "departments.tax.datasets.wage-arrears: `tax` has no data",
    ),
    "misspelt dataset": mistake(
        "      tax-awards:",
        "      tax-award:",
        "tax-award",
        "departments.tax.datasets.tax-award: `tax` has no dataset `tax-award` in the catalogue (did you mean `tax-a",
    ),
    "misspelt department": mistake(
        "  tax:  ",
        "  taxx:  ",
        "taxx",
        "departments.taxx: the catalogue has no department `taxx` (did you mean `tax`?)",
    ),
    "misspelt kind": mistake(
        "kind: graphql",
        "kind: grahpql",
        "grahpql",
        "departments.courts.kind: unknown `grahpql` (did you mean `graphql`?)",
    ),
    "no kind": mistake(
        "    kind: graphql\n    url",
        "    url",
        "url",
        "departments.courts: `kind` is missing; one of rest, graphql, sql, xroad",
    ),
    "misspelt key": mistake(
        "base_url: http://127.0.0.1:9/api",
        "base_ulr: http://127.0.0.1:9/api",
        "base_ulr",
        "departments.market.base_ulr: unknown key `base_ulr` (did you mean `base_url`?)",
    ),
    "field that there is not": mistake(
        "trade, status: licence",
        "trade, statsu: licence",
        "statsu",
        "departments.market.datasets.business-licences.fields.statsu: unknown key `statsu` (did you mean `status`?)",
    ),
    "field that is not mapped": mistake(
        "{name: firm.title, legalForm: firm.form,",
        "{name: firm.title,",
        "{name",
        f"{REGISTER}.fields: `legalForm` is missing",
    ),
    "record without version": mistake(
        "{id: entryNo, version: rev,",
        "{id: entryNo,",
        "{id",
        f"{REGISTER}.record: `version` is missing",
    ),
    "misspelt part of a record": mistake(
        "document: filing",
        "documnet: filing",
        "documnet",
        f"{REGISTER}.record.documnet: unknown key `documnet` (did you mean `document`?)",
    ),
    "broken path of a field": mistake(
        "name: firm.title",
        "name: firm..title",
        "firm..title",
        f"{REGISTER}.fields.name: `firm..title` must be a path of names with dots between, such as `amt.total`",
    ),
    "value and parent at once": mistake(
        "{name: firm.title",
        "{name: firm",
        "{name",
        f"{REGISTER}.fields: `firm` cannot be both a value and",
    ),
    "key twice": mistake(
        "records: entries",
        "records: entries\n        records: rows",
        "records: rows",
        f"{REGISTER}.records: appears twice",
    ),
    "plain http": mistake(
        "http://127.0.0.1:9/api",
        "http://market.example",
        "http://market",
        "departments.market.base_url: `http://market.example` must be https (http is for loopback only); or write",
    ),
    "password in the address": mistake(
        "postgresql+psycopg://gateway@127.0.0.1:9/labour",
        "postgresql+psycopg://gateway:pw@127.0.0.1/labour",
        "postgresql",
        "departments.labour.url: a password does not belong here; write it into a file and name that in"
        " `password_file`",
    ),
    "secret file that is not there": mistake(
        "    entities: true",
        "    entities: true\n    auth: {kind: bearer_file, file: none}",
        "none",
        "departments.courts.auth.file: there is no file `none` (seen from this file's folder)",
    ),
    "misspelt kind of auth": mistake(
        "    entities: true",
        "    entities: true\n    auth: {kind: bearer_fiel, file: none}",
        "bearer_fiel",
        "departments.courts.auth.kind: unknown `bearer_fiel` (did you mean `bearer_file`?)",
    ),
    "template without its hole": mistake(
        "/subjects/{scheme}/{value}/licences",
        "/licences",
        "/licences",
        "departments.market.datasets.business-licences.path: `/licences` must hold `{value}`",
    ),
    "column with a space": mistake(
        "id: notice_no",
        "id: notice no",
        "notice no",
        "departments.tax.datasets.tax-arrears.record.id: `notice no` must be the name of a column",
    ),
    "no GraphQL field": mistake(
        "field: insolvencies",
        'field: "insolvencies {"',
        '"',
        "departments.courts.datasets.insolvency-proceedings.field: `insol",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_where_it_stands_with_its_fix(tmp_path: Path, name: str) -> None:
    (tmp_path / "sources.yaml").write_text(shipped())
    planted = (MISTAKES[name],) if "at its department" not in name else (MISTAKES["misspelt dataset"], MISTAKES[name])
    expected = plant(tmp_path, *planted)
    told = [
        str(each).replace(f"{tmp_path}/", "") for each in problems_of(tmp_path, (tmp_path / "sources.yaml").read_text())
    ]
    assert [each for each in expected if not any(problem.startswith(each) for problem in told)] == [], told
    assert "gateway:pw" not in str(told)


def with_changes(text: str, said: str) -> str:
    return text.replace("    kind: graphql\n", f"    kind: graphql\n    changes: {said}\n")


SECRET = "whsec_" + "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB"


async def test_a_department_says_how_its_changes_are_reported(tmp_path: Path) -> None:
    secret(tmp_path / "hook", f"{SECRET}\n{SECRET}\n")
    for said, expected in (
        ("{secret_file: hook, changes_an_hour: 7}", sources.Changes((b"A" * 24, b"A" * 24), 7)),
        ("{secret_file: hook}", sources.Changes((b"A" * 24, b"A" * 24), sources.CHANGES_AN_HOUR)),
        ("{changes_an_hour: 0}", sources.Changes((), 0)),
    ):
        (tmp_path / "sources.yaml").write_text(with_changes(shipped(), said))
        problems: list[Problem] = []
        found = sources.load(tmp_path / "sources.yaml", catalogue(), KINDS, problems)
        assert problems == []
        assert found.changes == {"courts": expected}
        assert set(found.connectors) == set(catalogue().departments)
        for connector in found.connectors.values():
            await connector.close()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("{secret_file: gone}", "changes.secret_file: there is no file `gone`"),
        ("{secret_file: short}", "changes.secret_file: the file must hold secrets as `whsec_`"),
        ("{secret_file: open}", "changes.secret_file: the file `open` may be read by others"),
        ("{secret: hook}", "changes.secret: unknown key `secret` (did you mean `secret_file`?)"),
        ("{secret_file: hook, changes_an_hour: many}", "changes_an_hour: `many` must be a whole number"),
        ("5", "changes: must be a mapping"),
    ],
)
def test_what_is_wrong_with_changes_is_told_with_its_line(tmp_path: Path, said: str, told: str) -> None:
    secret(tmp_path / "hook", SECRET)
    secret(tmp_path / "short", "whsec_QUFB")
    secret(tmp_path / "open", SECRET).chmod(0o644)
    text = with_changes(shipped(), said)
    (problem,) = problems_of(tmp_path, text)
    assert told in str(problem)
    assert f"changes: {said}" in text.splitlines()[problem.line - 1]
    assert SECRET not in str(problem)


def test_the_mistakes_of_one_file_are_told_together(tmp_path: Path) -> None:
    (tmp_path / "sources.yaml").write_text(shipped())
    names = ("field that is not mapped", "misspelt part of a record", "plain http", "template without its hole",
             "misspelt kind of auth", "no GraphQL field", "column with a space", "password in the address")  # fmt: skip
    expected = plant(tmp_path, *(MISTAKES[name] for name in names))
    told = [
        str(each).replace(f"{tmp_path}/", "") for each in problems_of(tmp_path, (tmp_path / "sources.yaml").read_text())
    ]
    assert [each for each in expected if not any(problem.startswith(each) for problem in told)] == [], told
    assert len(told) == len(expected)


@pytest.mark.parametrize("text", ["", "departments: {}\n", "departments: []\n", "a: [\n", "departments: {tax: 5}\n"])
def test_a_broken_file_is_a_problem_and_no_traceback(tmp_path: Path, text: str) -> None:
    assert problems_of(tmp_path, text)


def test_a_missing_file_is_a_problem(tmp_path: Path) -> None:
    problems: list[Problem] = []
    assert sources.load(tmp_path / "none.yaml", catalogue(), KINDS, problems)[:2] == ({}, {})
    assert len(problems) == 1


def test_who_is_meant_is_told_by_the_address_where_records_do_not_tell_it(tmp_path: Path) -> None:
    text = """departments:
  courts:
    kind: rest
    base_url: https://courts.example
    datasets:
      enforcement-cases:
        path: /cases/{value}
        record: {id: a, version: b, document: c, effective: d, subject: {not_returned: old}}
        fields: {courtFile: f, claim: g, currency: h, status: i, openedAt: j}
"""
    words = "must use `{scheme}` too: one value can be that of several subjects (LEI, PIN)"
    told = [str(each) for each in problems_of(tmp_path, text) if words in str(each)]
    assert [each.partition(": ")[0] for each in told] == [f"{tmp_path}/sources.yaml:7:15"], told
    for right in (
        text.replace("{value}", "{scheme}/{value}"),
        text.replace("{not_returned: old}", "{scheme: s, value: v}"),
    ):
        assert words not in str(problems_of(tmp_path, right))


AHEAD = """
  archives:
    kind: rest
    base_url: http://127.0.0.1:9/api
    changes: {changes_an_hour: 5}
    datasets:
      building-permits:
        path: /subjects/{scheme}/{value}/permits
        records: permits
        record: {id: no, version: rev, subject: {scheme: owner.scheme, value: owner.id}}
        fields: {number: no}
"""


async def test_what_an_active_set_does_not_have_yet_is_passed_over_and_told(tmp_path: Path) -> None:
    """A source is there before the set that publishes its dataset is active, and stays where that is rolled back."""
    tax = (
        "      tax-offices:\n        table: office\n        record: {id: no, version: rev}\n        fields: {no: no}\n"
    )
    file = tmp_path / "sources.yaml"
    file.write_text(shipped().replace("      tax-arrears:\n", f"{tax}      tax-arrears:\n") + AHEAD)
    for active, wrong in ((True, 0), (False, 2)):
        problems: list[Problem] = []
        found = sources.load(file, catalogue(), KINDS, problems, active=active)
        told = found.beyond if active else [str(each) for each in problems]
        assert [len(problems), len(told)] == [wrong, 2]
        assert any("the catalogue has no department `archives`" in each for each in told)
        assert any("`tax` has no dataset `tax-offices` in the catalogue" in each for each in told)
        assert set(found.connectors) == set(found.made_of) == set(catalogue().departments)
        assert found.changes == {}
        for connector in found.connectors.values():
            await connector.close()


async def test_a_field_that_an_active_set_does_not_have_is_passed_over_and_told(tmp_path: Path) -> None:
    """It stands there before the set that has it, and after it. What the active set has and nothing maps is missing."""
    file, old = tmp_path / "sources.yaml", shipped()
    field = next(line for line in old.splitlines() if line.lstrip().startswith("fields: {"))
    both = field.replace("fields: {", "fields: {renamed: n.new, ")
    at = f"{file}:{old.splitlines().index(field) + 1}:"
    file.write_text(old.replace(field, both, 1))
    for active in (True, False):
        problems: list[Problem] = []
        found = sources.load(file, catalogue(), KINDS, problems, active=active)
        told = found.beyond if active else [str(each) for each in problems]
        assert [len(problems), len(found.beyond)] == ([0, 1] if active else [1, 0])
        assert told[0].startswith(at)
        assert "renamed" in told[0]
        assert active is ("nobody is asked for it until a rule set with it is active" in told[0])
        for connector in found.connectors.values():
            await connector.close()
    file.write_text(old.replace(field, both.replace("{renamed: n.new, ", "{renamed: n.new, x", 1), 1))
    problems = []
    sources.load(file, catalogue(), KINDS, problems, active=True)
    assert [str(each) for each in problems if "is missing" in str(each)]


async def test_one_file_serves_the_set_before_a_field_was_renamed_and_the_one_after(tmp_path: Path) -> None:
    """So a restart before the activation is no outage, and a rollback after it none either."""
    file, policies = tmp_path / "sources.yaml", tmp_path / "policies"
    file.write_text(shipped().replace("legalForm: firm.form,", "legalForm: firm.form, formOfLaw: firm.form,"))
    shutil.copytree(ROOT / "policies", policies)
    (renamed,) = (each for each in (policies / "catalogue").rglob("*.yaml") if "legalForm:" in each.read_text())
    renamed.write_text(renamed.read_text().replace("legalForm:", "formOfLaw:"))
    wrong: list[Problem] = []
    later = load(policies, wrong)
    assert wrong == []
    for of, other in ((catalogue(), "formOfLaw"), (later, "legalForm")):
        problems: list[Problem] = []
        found = sources.load(file, of, KINDS, problems, active=True)
        assert problems == []
        assert [f"has no field `{other}`" in each for each in found.beyond] == [True]
        for connector in found.connectors.values():
            await connector.close()


async def test_a_test_subject_that_an_active_set_does_not_take_is_passed_over_and_told(tmp_path: Path) -> None:
    file = tmp_path / "sources.yaml"
    given = "    test_subjects: {LEI: [not-one], OTHER: [x]}\n"
    file.write_text(shipped().replace("    kind: rest\n", f"    kind: rest\n{given}", 1))
    for active in (True, False):
        problems: list[Problem] = []
        found = sources.load(file, catalogue(), KINDS, problems, active=active)
        assert [len(problems), len(found.beyond)] == ([0, 2] if active else [2, 0])
        assert set(found.test_subjects.values()) <= {()}
        for connector in found.connectors.values():
            await connector.close()
