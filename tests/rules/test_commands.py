"""`dutybound rules check | explain | matrix | calendar`, as they are typed."""

from __future__ import annotations

import argparse
import csv
import io
from pathlib import Path

import holidays
import msgspec
import pytest

from gateway.errors import Problem
from gateway.inquiry.tested import inquire
from gateway.rules import commands
from gateway.rules.decide.guards import inactive
from gateway.rules.explain import changes, matrix
from gateway.rules.files import calendar
from tests.rules.policies import ALL, SHIPPED, TODAY, copy, edited, entry, shipped

Run = tuple[int, str, str]


def run(capsys: pytest.CaptureFixture[str], *words: str, policies: Path = SHIPPED) -> Run:
    parser = argparse.ArgumentParser(prog="dutybound")
    commands.register(parser.add_subparsers(required=True), inquire)
    arguments = parser.parse_args(["rules", words[0], "--policies", str(policies), *words[1:]])
    code = arguments.run(arguments)
    out, err = capsys.readouterr()
    return code, out, err


def explained(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    code, out, err = run(capsys, "explain", *words, "--on", TODAY.isoformat())
    assert (code, err) == (0, "")
    return out


def test_check_says_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "check")
    assert (code, err) == (0, "")
    assert "18 rules, 6 purposes, 14 requesters with 9 grants, 15 published datasets: no problem" in out
    assert shipped().digest in out


def test_check_tells_every_problem_and_exits_1(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    directory = edited(tmp_path, "rules/open-record.cedar", "OPEN_RECORD", "OPEN_RECRD")
    code, out, err = run(capsys, "check", policies=directory)
    assert (code, out) == (1, "")
    assert 'open-record.cedar:6:39: @id open-record: unknown purpose `Action::"OPEN_RECRD"`' in err
    assert "(did you mean `OPEN_RECORD`?)" in err
    assert "1 problem; nothing was loaded" in err


def test_explain_a_permit(capsys: pytest.CaptureFixture[str]) -> None:
    out = explained(capsys, "market-regulator", "TENDER_QUALIFICATION", "organisation", "tax-arrears.amount")
    assert "PERMITTED by tender-qualification (Art. 19, 22(1), 28(1))" in out
    assert "necessary because: The exclusion ground has a threshold" in out
    assert "permits where the purpose is `TENDER_QUALIFICATION`, and the requester has the role `department`" in out
    assert "It takes:\n  - a token with the scope `inquire` or `inquire:tax-arrears`\n  - the case is verified" in out


def test_explain_a_denial_and_what_it_would_take(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("labour-office", "SUBSIDY_ASSESSMENT", "person", "incomeStatements.year")
    out = explained(capsys, *asked)
    assert "DENIED: CONSENT_REQUIRED, by rule consent-missing (Art. 23, 24, 25, 42)" in out
    assert "It would take:\n  - the subject's consent to `labour-office`" in out
    assert "PERMITTED by subsidy-assessment" in explained(capsys, *asked, "--given", "scope,consent")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "the requester is missing: name requester, purpose"),
        (["market-regulator", "TENDER_QUALIFICATION"], "the kind of subject is missing"),
        (["market-regulator", "TENDER_QUALIFICATION", "organisation"], "the field is missing"),
        (["--inquiry", "i-1", "--by", "P. Officer"], "`--reason` is missing"),
        (["market-regulator", "--inquiry", "i-1"], "and not both"),
    ],
)
def test_explain_says_what_is_missing(capsys: pytest.CaptureFixture[str], words: list[str], says: str) -> None:
    code, out, err = run(capsys, "explain", *words)
    assert (code, out, says in err) == (2, "", True)


def test_a_day_that_is_none_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(capsys, "matrix", "--on", "tomorrow")
    assert (ended.value.code, "`tomorrow` is no day; write one as `2026-12-31`" in capsys.readouterr().err) == (2, True)


def test_explain_advises_no_impossibility(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """What no request can change is told as that, with what an officer would have to change."""
    directory = edited(
        tmp_path,
        "rules/licence-renewal.cedar",
        'public"\n}',
        'public"\n}\nunless { resource.nature == Nature::"adverse" }',
    )
    asked = ("environment-agency", "LICENCE_RENEWAL", "organisation", "environmental-penalties.amount")
    code, out, _ = run(capsys, "explain", *asked, "--on", TODAY.isoformat(), policies=directory)
    assert code == 0
    assert "the dataset's nature is not `adverse`. No request brings that about" in out
    _, _, told = out.partition("No change of the request permits it.\n")
    assert told.startswith(
        "It would take:\n  - a rule that permits `environmental-penalties.amount` to `environment-agency` for "
        "LICENCE_RENEWAL, by a policy officer\n    No rule permits `environmental-penalties.amount`"
    )
    assert "or:" not in told


def test_explain_tells_every_smallest_set(capsys: pytest.CaptureFixture[str]) -> None:
    out = explained(
        capsys, "tax-service", "TENDER_QUALIFICATION", "person", "market-inspections.result", "--given", "none"
    )
    assert "DENIED: PURPOSE_NOT_PERMITTED" in out
    assert "No change of the request permits it." in out
    for line in (
        "a token with the scope `inquire` or `inquire:market-inspections`",
        "a grant for TENDER_QUALIFICATION to `tax-service` that lists `market-inspections`, by the agreement",
        "`person` among the subjects of TENDER_QUALIFICATION, by a policy officer",
        "`market-inspections` published in the catalogue, by the department",
        "a `registry` for `tax-service`, which can verify its cases, by a policy officer",
        "the case is verified",
    ):
        assert f"  - {line}\n" in f"{out}\n", line


def test_explain_of_what_no_change_permits() -> None:
    """A special category, had one ever come past the loader."""
    at = changes.Situation(
        entry("market-regulator"),
        shipped().policies.purposes["TENDER_QUALIFICATION"],
        "organisation",
        msgspec.structs.replace(shipped().policies.catalogue.datasets["tax-arrears"], category="health"),
        "amount",
        ALL,
        TODAY,
    )
    assert changes.smallest(shipped(), at) == ()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("labour-office", "TENDER_QUALIFICATION", "organisation", "wage-arrears.period"), "GRANT_INACTIVE"),
        (
            ("labour-office", "TENDER_QUALIFICATION", "organisation", "wage-arrears.period"),
            "the grant labour-office/TENDER_QUALIFICATION in force: it holds from 2024-01-01 to 2025-12-31, by the",
        ),
        (("tax-service", "OPEN_RECORD", "organisation", "tax-awards.title"), "You hold no grant for OPEN_RECORD"),
        (
            ("market-regulator", "TENDER_QUALIFICATION", "organisation", "market-inspections.result"),
            "does not have this field of `market-inspections`",
        ),
    ],
)
def test_explain_what_no_rule_decides(capsys: pytest.CaptureFixture[str], words: tuple[str, ...], says: str) -> None:
    assert says in explained(capsys, *words)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("market-reglator", "OPEN_RECORD", "person", "a.b"), "did you mean `market-regulator`?"),
        (("civil-court", "COURT_ENFORCMENT", "person", "person-register.name"), "did you mean `COURT_ENFORCEMENT`?"),
        (("civil-court", "COURT_ENFORCEMENT", "person", "person-registr.name"), "did you mean `person-register`?"),
        (("civil-court", "COURT_ENFORCEMENT", "person", "person-register.nam"), "did you mean `name`?"),
        (("civil-court", "TENDER", "person", "person-register.name"), "`TENDER`; one of TENDER_QUALIFICATION, "),
        (("civil-court", "COURT_ENFORCEMENT", "person", "person-register.name", "--given", "scop"), "`scope`?"),
    ],
)
def test_explain_suggests_what_was_meant(capsys: pytest.CaptureFixture[str], words: tuple[str, ...], says: str) -> None:
    code, out, err = run(capsys, "explain", *words)
    assert (code, out) == (2, "")
    assert says in err


def test_matrix_as_csv_has_every_cell(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "matrix", "--csv")
    assert code == 0
    table = list(csv.DictReader(io.StringIO(out)))
    policies = shipped().policies
    fields = sum(len(dataset.fields) * len(dataset.subjects) for dataset in policies.catalogue.published.values())
    assert len(table) == fields * sum(len(entry.grants) for entry in policies.requesters.values())
    assert tuple(table[0]) == matrix.COLUMNS
    by = {(row["grant"], row["subject"], row["dataset"], row["field"]): row for row in table}
    permit = by["civil-court/COURT_ENFORCEMENT", "person", "enforcement-cases", "claim"]
    assert (permit["answer"], permit["takes"], permit["rule"]) == ("permit", "case official", "court-enforcement")
    assert by["labour-office/SUBSIDY_ASSESSMENT", "person", "volunteering", "hours"]["takes"] == "consent"
    denied = by["market-regulator/TENDER_QUALIFICATION", "organisation", "market-penalties", "amount"]
    assert (denied["answer"], denied["reason"]) == ("deny", "PURPOSE_NOT_PERMITTED")
    assert all(row["advice"] and row["reason"] for row in table if row["answer"] == "deny")


def test_matrix_as_text_tells_what_is_not_permitted_too(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "matrix", "--on", TODAY.isoformat())
    assert code == 0
    block = out.split("\n\n")[0].splitlines()
    assert block[0] == "market-regulator/TENDER_QUALIFICATION, organisation (2026-01-01 to 2028-12-31)"
    assert "  market-penalties         decisionNumber, conduct, decidedOn   not: amount, currency   with case" in block
    assert block[-1].startswith("  denied, PURPOSE_NOT_PERMITTED: emission-permits, ")


@pytest.mark.parametrize(
    ("day", "stands"), [("2025-12-31", "not begun"), ("2026-06-15", "holds"), ("2029-01-01", "ended")]
)
def test_the_matrix_marks_grants_that_do_not_hold(capsys: pytest.CaptureFixture[str], day: str, stands: str) -> None:
    _, out, _ = run(capsys, "matrix", "--on", day)
    head = "market-regulator/TENDER_QUALIFICATION, organisation (2026-01-01 to 2028-12-31"
    marked = "" if stands == "holds" else f", {stands.upper()}: nothing is permitted now"
    assert out.splitlines()[0] == f"{head}{marked})"
    _, out, _ = run(capsys, "matrix", "--csv", "--on", day)
    rows = [row for row in csv.DictReader(io.StringIO(out)) if row["grant"] == "market-regulator/TENDER_QUALIFICATION"]
    assert {(row["from"], row["until"], row["standing"]) for row in rows} == {("2026-01-01", "2028-12-31", stands)}


def test_the_matrix_marks_a_suspended_grant(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    agreed = "        agreed_by: Data exchange agreement 2025/114\n"
    directory = edited(tmp_path, "requesters.yaml", agreed, f"{agreed}        suspended: true\n")
    _, out, _ = run(capsys, "matrix", "--on", "2026-06-15", policies=directory)
    assert "(2026-01-01 to 2028-12-31, SUSPENDED: nothing is permitted now)" in out.splitlines()[0]
    _, out, _ = run(capsys, "matrix", "--csv", "--on", "2026-06-15", policies=directory)
    stands = {row["grant"]: row["standing"] for row in csv.DictReader(io.StringIO(out))}
    assert stands["market-regulator/TENDER_QUALIFICATION"] == "suspended"
    assert stands["labour-office/TENDER_QUALIFICATION"] == "ended"


def test_every_grant_of_the_matrix_tells_its_days() -> None:
    for requester in shipped().policies.requesters.values():
        for grant in requester.grants:
            ended = inactive(grant, TODAY)
            assert (ended is None) is (grant.valid_until >= TODAY)


@pytest.mark.parametrize(("country", "make_up"), [("BG", []), ("HU", ["2026-01-10", "2026-08-08"])])
def test_a_proposed_calendar_can_be_pasted(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, country: str, make_up: list[str]
) -> None:
    code, out, err = run(capsys, "calendar", "--country", country, "--years", "2026-2027")
    assert (code, err) == (0, "")
    (tmp_path / "calendar.yaml").write_text(f"time_zone: Europe/Sofia\n{out}")
    wrong: list[Problem] = []
    found = calendar.load(tmp_path, wrong)
    assert wrong == []
    known = holidays.country_holidays(country, years=(2026, 2027))
    assert found.holidays == {day for day in known if day.weekday() < 5}
    assert [day.isoformat() for day in sorted(found.make_up)] == make_up


@pytest.mark.parametrize(
    ("country", "years", "says"),
    [
        ("BX", "2027", "unknown country `BX`"),
        ("DE-BX", "2027", "`DE` has no part `BX`"),
        ("BG", "2030-2027", "must be 1 to 20 years"),
        ("BG", "2000-2027", "must be 1 to 20 years"),
        ("BG", "soon", "`soon` must be 1 to 20 years"),
        ("BG", "1500", "no holiday of `BG` in 1500"),
    ],
)
def test_what_cannot_be_proposed_is_told(
    capsys: pytest.CaptureFixture[str], country: str, years: str, says: str
) -> None:
    code, out, err = run(capsys, "calendar", "--country", country, "--years", years)
    assert (code, out) == (2, "")
    assert says in err


def test_check_warns_of_a_list_that_ends(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    directory = copy(tmp_path)
    file = directory / "calendar.yaml"
    file.write_text("\n".join(line for line in file.read_text().splitlines() if "- 20" not in line) + "\n")
    file.write_text(file.read_text().replace("holidays:", "holidays: [2026-03-03]"))
    code, out, _ = run(capsys, "check", policies=directory)
    assert code == 0
    assert f"warning: {file}: the holidays are listed until 2026-12-31" in out


def test_check_warns_where_nobody_could_approve_another_set(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    directory = copy(tmp_path)
    (directory / "officers.yaml").unlink()
    code, out, _ = run(capsys, "check", policies=directory)
    assert code == 0
    assert f"warning: {directory / 'officers.yaml'}: there is none, so that this set cannot be proposed" in out
