"""Every mistake of every file is told in one go, with its place: by `dutybound check`, and by a start."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from deploy.demo import configuration
from gateway import cli
from gateway.init import shipped
from gateway.ledger.proof import key_files
from gateway.texts.words import ENGLISH
from tests import configured
from tests.planted import Mistake, plant

ROOT = Path(__file__).parents[1]


KEY = "w+0a0b0c0d+AAAA"
MISTAKES = (
    Mistake("gateway.yaml", "policies:", "drain: 1 second\npolicies:", "1 second", "drain: `1 second` must be a"),
    Mistake("gateway.yaml", "\nledger:", "\nsource_watch: {state: watched.json, every: 200h}\nledger:", "200h",
            "source_watch.every: `200h` must be at most 604800s"),
    Mistake("gateway.yaml", "sources:", "surces: x\nsources:", "surces", "surces: unknown key `surces` (did you mean"),
    Mistake("gateway.yaml", "key_file: ledger.key",
            f"witnesses: [{{name: w, url: https://w.example, key: {KEY}}}], key_file: ledger.key",
            KEY, "ledger.witnesses.0.key: "),
    Mistake("gateway.yaml", "market: {kind: case-rest", "market: {kind: case-rset", "case-rset",
            "case_registries.market.kind: unknown `case-rset` (did you mean `case-rest`?)"),
    Mistake("gateway.yaml", "courts: {kind: case-rest", "courts: {kind: case-rest, timeout: 1m", "1m",
            "case_registries.courts.timeout: `1m` must be at most 30s"),
    Mistake("gateway.yaml", "\nwebhooks:", "\nsecrets_file: gone\nwebhooks:", "gone",
            "secrets_file: the file `gone` cannot be read (No such file or directory): put it back, or make one with"
            " `dutybound keys secrets`"),
    Mistake("sources.yaml", "path: /operators/{scheme}/{value}/permits", "path: /permits", "/permits",
            "departments.environment.datasets.emission-permits.path: `/permits` must hold `{value}`"),
    Mistake("sources.yaml", "{scheme: idScheme,", "{scheme: id-scheme,", "id-scheme",
            "departments.courts.keys.scheme: `id-scheme` must be a GraphQL name"),
    Mistake("sources.yaml", "table: arrears", "table: a-b", "a-b", "departments.tax.datasets.tax-arrears.table: `a-b`"),
    Mistake("sources.yaml", "tax-awards:", "tax-award:", "tax-award", "departments.tax.datasets.tax-award: `tax` has"),
    Mistake("sources.yaml", "  tax: ", "  tax: ", "tax:", "departments.tax: the published dataset `tax-awards` has no"),
    Mistake("sources.yaml", "    kind: graphql\n", "    kind: graphql\n    changes: {secret_file: gone}\n", "gone",
            "departments.courts.changes.secret_file: there is no file `gone`"),
    Mistake("policies/requesters.yaml", "roles: [portal]\n",
            "roles: [portal]\n    notices: {url: 'https://portal.example', secret_file: lost}\n", "lost",
            "requesters.5.notices.secret_file: there is no file `lost`"),
    Mistake("policies/identifiers.yaml", "PIN:\n", "EIK: {title: Number, subjects: [organisation], pattern: x}\nPIN:\n",
            "EIK", "EIK: `organisation` has the scheme `LEI` already"),
    Mistake("policies/calendar.yaml", "recall: 10", "recall: ten", "ten", "terms.recall: `ten` must be a whole number"),
    Mistake("policies/rules/licence-renewal.cedar", '"LICENCE_RENEWAL"', '"LICENSE_RENEWAL"', "LICENSE_RENEWAL",
            "@id licence-renewal: unknown purpose `Action::\"LICENSE_RENEWAL\"` (did you mean `LICENCE_RENEWAL`?)"),
)  # fmt: skip
VARIABLE = "DUTYBOUND_LIMITS__DEADLINE: `soon` must be a duration, as `5s` or `250ms`"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The demo's files, with nothing wrong, and nothing of the environment over them."""
    monkeypatch.setattr(shipped, "policies", lambda: tmp_path / "policies")
    shutil.copytree(ROOT / "policies", tmp_path / "policies")
    place = configuration.Place(tmp_path / "var", dict(configuration.USUAL))
    place.run.mkdir(parents=True)
    configuration.write(place)
    configured.by_folder(place.config)
    for name in ("gateway.yaml", "sources.yaml"):
        (tmp_path / name).write_text((place.run / name).read_text())
    shutil.copytree(place.run / "logins", tmp_path / "logins")
    key_files.generate(tmp_path / "ledger.key")
    key_files.generate(tmp_path / "webhooks.key")
    return tmp_path


def refusals(folder: Path, command: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    capsys.readouterr()
    assert cli.main([command, "--config", str(folder / "gateway.yaml")]) == 1
    *problems, last = capsys.readouterr().err.replace(f"{folder}/", "").splitlines()
    assert last == f"{len(problems)} problem{'s' * (len(problems) > 1)}; nothing was started"
    return problems


@pytest.mark.parametrize("command", ["check", "serve"])
def test_the_mistakes_of_all_files_are_told_together(
    folder: Path, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["check", "--config", str(folder / "gateway.yaml")]) == 0
    monkeypatch.setenv("DUTYBOUND_LIMITS__DEADLINE", "soon")
    expected = [VARIABLE, *plant(folder, *MISTAKES)]
    problems = refusals(folder, command, capsys)
    unsaid = [each for each in expected if not any(problem.startswith(each) for problem in problems)]
    assert unsaid == [], problems
    assert len(problems) == len(expected), problems


def test_what_one_file_lacks_is_not_told_of_another(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Datasets, issuers and policies that could not be read are told where they are wrong, and nowhere else."""
    bad = Mistake("policies/catalogue/tax.yaml", "  tax-awards:\n", "  tax-awards:\n    titel: x\n", "titel", "")
    key = Mistake("sources.yaml", "table: arrears", "table: a-b", "a-b", "departments.tax.datasets.tax-arrears.table:")
    expected = plant(folder, bad, key)
    problems = refusals(folder, "check", capsys)
    assert [each for each in problems if each.startswith("sources.yaml")] == [
        each for each in problems if each.startswith(expected[1])
    ]
    assert any(each.startswith(expected[0]) for each in problems)


def test_a_timeout_that_can_never_end_anything_is_warned_about(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def told() -> list[str]:
        capsys.readouterr()
        assert cli.main(["check", "--config", str(folder / "gateway.yaml")]) == 0
        return [line for line in capsys.readouterr().out.splitlines() if "not sooner than `limits.deadline`" in line]

    assert told() == []
    sources = folder / "sources.yaml"
    sources.write_text(sources.read_text().replace("timeout: 4s", "timeout: 5s", 1))
    (line,) = told()
    assert f"{sources}:" in line
    assert ".limits.timeout: " in line


@pytest.mark.parametrize("key", ["policies", "sources", "ledger", "oauth", "store"])
def test_a_missing_part_of_the_configuration_is_one_problem(
    folder: Path, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (folder / "gateway.yaml").read_text()
    lines = text.splitlines(keepends=True)
    start = next(index for index, line in enumerate(lines) if line.startswith(f"{key}:"))
    end = next(index for index in range(start + 1, len(lines)) if not lines[index].startswith(" "))
    (folder / "gateway.yaml").write_text("".join(lines[:start] + lines[end:]))
    assert refusals(folder, "check", capsys) == [f"gateway.yaml:2:1: `{key}` is missing"]


HIDING = (
    Mistake("gateway.yaml", "ledger: {", "ledger: &a {", "&a", "anchors, aliases and tags are not allowed"),
    Mistake("gateway.yaml", "policies:", "drain: 1 second\npolicies:", "1 second", "drain: `1 second` must be a"),
    Mistake("sources.yaml", "REST\n    kind: rest", "REST\n    kind: rset", "rset",
            "departments.market.kind: unknown `rset` (did you mean `rest`?)"),
    Mistake("sources.yaml", "name: firm.title", "name: 5..x", "5..x", "departments.market.datasets.organisation-reg"),
    Mistake("sources.yaml", "table: arrears", "tabel: arrears", "tabel", "departments.tax.datasets.tax-arrears.tabel"),
    Mistake("policies/catalogue/tax.yaml", "\ntitle: Tax", "\ntitel: Tax", "titel", "titel: unknown key `titel` (did"),
    Mistake("policies/identifiers.yaml", "stdnum.lei", "stdnum.lie", "stdnum.lie", "LEI.module: python-stdnum has no"),
    Mistake("policies/purposes.yaml", "VendorSelectionAssessment\n  subjects: [organisation]",
            "VendorSelectionAssessment\n  subjects: [organization]", "organization",
            "TENDER_QUALIFICATION.subjects.0: unknown `organization`"),
    Mistake("policies/requesters.yaml", "2028-12-31\n        agreed_by: Data exchange agreement 2025/114",
            "2028-12-32\n        agreed_by: Data exchange agreement 2025/114", "2028-12-32",
            "requesters.0.grants.0.until: `2028-12-32` must be a date"),
    Mistake("policies/rules/open-record.cedar", "permit (", "permi (", "permi", "is not Cedar: invalid policy effect"),
    Mistake("policies/rules/scope-missing.cedar", "context.scope", "context.scop", "scop",
            "@id scope-missing: unknown `context.scop` (did you mean `scope`?)"),
    Mistake("policies/watch.yaml", "run: 8", "run: -8", "-8", "sequential-identifiers.run: `-8` must be a whole"),
)  # fmt: skip


def test_no_mistake_hides_another_or_makes_one_up(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expected = plant(folder, *HIDING)
    problems = refusals(folder, "check", capsys)
    unsaid = [each for each in expected if not any(problem.startswith(each) for problem in problems)]
    assert unsaid == [], problems
    assert len(problems) == len(expected), problems


@pytest.mark.parametrize("name", ["catalogue/tax.yaml", "purposes.yaml", "requesters.yaml", "identifiers.yaml"])
def test_a_file_of_policies_that_cannot_be_read_is_one_problem(
    folder: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "policies" / name).write_text("a: [")
    (told,) = refusals(folder, "check", capsys)
    assert told.startswith(f"policies/{name}:1:")


WATCHED = (
    Mistake(
        "policies/watch.yaml", "on_duty: []", "on_duty: [nobody]", "nobody", "out-of-hours.on_duty.0: `requesters."
    ),
    Mistake("policies/watch.yaml", "LEI: {letters", "XXX: {letters", "XXX", "sequential-identifiers.numbers.XXX: "),
    Mistake("policies/watch.yaml", "officials: {}", "officials: {nobody/b: {LEI: x}}", "nobody/b", "own-identifier."),
)


@pytest.mark.parametrize("command", [("check", "--config", "gateway.yaml"), ("rules", "check")])
def test_names_in_what_is_watched_are_looked_up(
    folder: Path, command: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    expected = plant(folder, *WATCHED)
    assert cli.main(list(command)) == 1
    *problems, _ = capsys.readouterr().err.splitlines()
    assert all(any(problem.startswith(each) for problem in problems) for each in expected), problems
    assert len(problems) == len(expected)


@pytest.mark.parametrize("command", ["check", "serve"])
def test_texts_that_lack_some_are_refused(folder: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    (folder / "other.toml").write_text(ENGLISH.read_text("utf-8").replace('leave = "Sign out"\n', "", 1), "utf-8")
    config = folder / "gateway.yaml"
    config.write_text(f"texts: other.toml\n{config.read_text('utf-8')}", "utf-8")
    assert cli.main([command, "--config", str(config)]) == 1
    assert "other.toml: frame.leave: is missing; in English it is `Sign out`" in capsys.readouterr().err


def test_a_scheme_that_there_is_not_is_told_of_sources(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (folder / "sources.yaml").read_text()
    (folder / "sources.yaml").write_text(text.replace("scheme: holder.idType", "scheme: {const: LIE}", 1))
    (told,) = refusals(folder, "check", capsys)
    assert "record.subject.scheme.const: unknown `LIE` (did you mean `LEI`?)" in told


def test_a_list_of_holidays_that_ends_soon_is_warned_of(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "--config", str(folder / "gateway.yaml")]) == 0
    assert "calendar.yaml" not in capsys.readouterr().out
    (folder / "policies" / "calendar.yaml").write_text("time_zone: Europe/Sofia\nholidays: [2026-01-01]\n")
    assert cli.main(["check", "--config", str(folder / "gateway.yaml")]) == 0
    warning = f"warning       {folder}/policies/calendar.yaml: the holidays are listed until 2026-12-31"
    assert warning in capsys.readouterr().out
