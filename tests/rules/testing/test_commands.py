"""`dutybound rules test`, as it is typed: what it says, what it writes, and how it ends."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from gateway import cli
from gateway.errors import printable
from tests.rules.policies import SHIPPED, edited
from tests.rules.testing.files import FILE, edit, place

Run = tuple[int, str, str]


def run(capsys: pytest.CaptureFixture[str], policies: Path, *words: str) -> Run:
    code = cli.main(["rules", "test", "--policies", str(policies), *words])
    out, err = capsys.readouterr()
    return code, out, err


def test_what_comes_as_expected_is_told_in_a_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, err = run(capsys, place(tmp_path, FILE))
    assert (code, err) == (0, "")
    assert out.startswith("2 tests, 106 expectations (")
    assert out.endswith("per second): all as expected\n")


def test_a_failure_says_what_was_expected_what_came_and_why(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    text = edit("conduct, decidedOn]\n      env", "conduct]\n      env").replace("    case: tender\n", "", 1)
    text = text.replace("[year]\n    denied", "[year, taxableIncome]\n    denied").replace(
        "CONSENT_REQUIRED", "NO_RULE"
    )
    directory = place(tmp_path, text)
    code, out, err = run(capsys, directory)
    assert (code, err) == (1, "")
    file = directory / "tests" / "some.yaml"
    lines = text.splitlines()
    test, line = (
        lines.index("  - name: one year is told") + 1,
        lines.index("      income-statements: [year, taxableIncome]") + 1,
    )
    assert f"{file}:{test}: FAILED: one year is told" in out
    assert (
        f"  {file}:{line}: `income-statements`: taxableIncome\n"
        "    expected: permitted\n"
        "    got: denied, CONSENT_REQUIRED, by rule consent-missing (Art. 23, 24, 25, 42)\n"
        "      `income-statements` is not public: ask the subject for consent"
    ) in out
    assert "      rule consent-missing forbids where " in out
    assert "    expected: denied, NO_RULE, by exactly these rules: consent-missing\n" in out
    assert (
        "`tax-arrears`: period, amount, currency\n    expected: permitted\n    got: denied, NO_RULE, by rule case-"
        in out
    )
    assert "2 tests, 106 expectations" in out
    assert "2 of them failed" in out


def test_what_opens_is_told_with_the_rule_that_opens_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    directory = place(tmp_path, edit("decidedOn]\n      env", "decidedOn]\n      env").replace(", decidedOn]", "]", 1))
    code, out, _ = run(capsys, directory)
    assert code == 1
    assert "`market-penalties`: decidedOn\n    expected: denied\n    got: permitted (Art. 19, 22(1), 28(1))\n" in out
    assert "      rule tender-qualification permits where the purpose is `TENDER_QUALIFICATION`" in out


def test_a_widened_policy_fails_the_shipped_tests(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    widened = "names: [decisionNumber, conduct, amount, decidedOn]"
    directory = edited(tmp_path, "purposes.yaml", "names: [decisionNumber, conduct, decidedOn]", widened)
    code, out, _ = run(capsys, directory)
    assert code == 1
    assert (
        "`market-penalties`: amount\n    expected: denied, by exactly these rules: outside-purpose\n    got: permitted"
        in out
    )


def test_some_tests_are_named_by_file_name_or_pattern(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    directory = place(tmp_path, FILE)
    for names, count in ((["some"], 2), (["one year is told"], 1), (["*told"], 2), (["arrears*"], 1)):
        assert run(capsys, directory, *names)[1].startswith(f"{count} test")
    code, out, err = run(capsys, directory, "sone")
    assert (code, out) == (1, "")
    assert err == "no test and no file is called `sone` (did you mean `some`?)\n"


def test_coverage_tells_what_no_test_proves_and_a_threshold_fails(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    directory = place(tmp_path, FILE)
    code, out, err = run(capsys, directory, "--coverage", "--threshold", "23")
    assert (code, out.splitlines()[0]) == (1, "rules: 4 of 18")
    assert "  court-enforcement      NO TEST" in out
    assert "  consent-missing             1" in out
    assert "reasons of denials: 2 of 9" in out
    assert "22 % is covered, less than 23 %" in err
    assert run(capsys, directory, "--threshold", "22")[0] == 0
    code, out, _ = run(capsys, SHIPPED, "--coverage", "--threshold", "100")
    assert code == 0
    assert "NO TEST" not in out


def test_the_result_as_junit(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    directory = place(
        tmp_path,
        edit("name: one year is told", 'name: "one \\u001b[31m <year> & more"').replace("[year]\n    d", "[]\n    d"),
    )
    directory = place(
        tmp_path / "other",
        directory.joinpath("tests/some.yaml")
        .read_text()
        .replace("[]\n    d", "[currency]\n    d", 1)
        .replace("income-statements.currency", "volunteering"),
    )
    file = tmp_path / "result.xml"
    code, _, _ = run(capsys, directory, "--junit", str(file))
    assert code == 1
    root = ET.parse(file).getroot()
    assert {name: root.get(name) for name in ("tests", "failures", "errors")} == {
        "tests": "2",
        "failures": "1",
        "errors": "0",
    }
    [suite] = root
    assert suite.get("name") == "some"
    first, second = suite.findall("testcase")
    assert first.find("failure") is None
    assert second.get("name") == printable("one \x1b[31m <year> & more")
    failure = second.find("failure")
    assert failure is not None
    assert failure.text is not None
    assert "expected: permitted" in failure.text


def test_files_with_mistakes_are_an_error_in_junit_too(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    directory, file = place(tmp_path, edit("firm:", "frm:")), tmp_path / "result.xml"
    code, out, err = run(capsys, directory, "--junit", str(file))
    assert (code, out) == (1, "")
    assert "did you mean `frm`?" in err
    assert "1 problem; nothing was tested" in err
    root = ET.parse(file).getroot()
    assert root.get("errors") == "1"
    assert "did you mean" in ET.tostring(root, encoding="unicode")


def test_without_tests_nothing_is_known_to_hold(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    directory = place(tmp_path, FILE)
    (directory / "tests" / "some.yaml").unlink()
    code, out, err = run(capsys, directory)
    assert (code, out) == (1, "")
    assert "holds no test (`*.yaml`)" in err


def test_policies_that_do_not_load_are_not_tested(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    directory = edited(tmp_path, "rules/open-record.cedar", "resource.disclosure", "resource.disclosre")
    code, out, err = run(capsys, directory)
    assert (code, out) == (1, "")
    assert "open-record.cedar:8" in err
    assert "did you mean `disclosure`?" in err


@pytest.mark.parametrize("words", [("--threshold", "101"), ("--threshold", "most")])
def test_a_wrong_call_is_2(capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(capsys, SHIPPED, *words)
    assert ended.value.code == 2
    assert "must be a whole number from 0 to 100" in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_told_before_anything_runs(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, SHIPPED, "--junit", str(SHIPPED))
    assert (code, out) == (1, "")
    assert "is a folder; name a file in it" in err
