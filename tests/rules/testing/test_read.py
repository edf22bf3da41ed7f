"""Files of policy tests: what they say, what is refused, and where it is told."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import Subject
from gateway.rules.model import Reason
from gateway.rules.testing.model import Expected, Narrowed
from tests.rules.policies import shipped
from tests.rules.testing.files import FILE, edit, loaded, place


def test_what_is_written_is_what_is_asked_and_expected(tmp_path: Path) -> None:
    tests, problems = loaded(place(tmp_path, FILE))
    assert problems == []
    first, second = tests
    [(label, posed)] = first.inquiries
    assert label == ""
    assert (posed.asker.issuer, posed.asker.client, posed.asker.official) == ("login", "market-regulator", "e.marin")
    assert posed.subject == Subject("organisation", "LEI", "529900T8BM49AURSDO55")
    assert posed.now.isoformat() == "2026-06-15T12:00:00+03:00"
    assert (posed.case, posed.case_verified) == ("T-1", True)
    published = shipped().policies.catalogue.datasets
    assert len(first.expected) == sum(len(dataset.fields) for dataset in published.values())
    line = FILE.splitlines().index("      tax-arrears: [period, amount, currency]") + 1
    assert first.expected["tax-arrears", "amount"] == Expected(True, line)
    reason = first.expected["market-penalties", "amount"]
    assert (reason.reason, reason.rule, reason.says_why) == (Reason.PURPOSE_NOT_PERMITTED, "outside-purpose", True)
    assert first.expected["tax-awards", "title"] == Expected(False, first.line)
    [consent] = second.inquiries[0][1].consents
    assert (consent.client, consent.until) == ("labour-office", datetime.date(2026, 12, 31))
    assert consent.datasets == {"income-statements": {"year"}}


def test_a_test_asks_for_each_of_its_requesters_subjects_and_moments(tmp_path: Path) -> None:
    text = edit("    requester: regulator", "    requesters: [regulator, clerk]")
    text = text.replace(
        "    subject: firm", "    subjects: [firm, ana]\n    now: [2026-01-01 00:00, 2026-01-02T00:00Z]"
    )
    tests, problems = loaded(place(tmp_path, text))
    assert problems == []
    labels = [label for label, _ in tests[0].inquiries]
    assert len(labels) == 8
    assert labels[0] == "by `regulator`, about `firm`, at 2026-01-01 00:00"
    assert tests[0].inquiries[-1][1].now == datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)


def test_a_token_is_narrowed_as_it_is_written(tmp_path: Path) -> None:
    narrowed = "[{purpose: LICENCE_RENEWAL, case: tender, datasets: [tax-arrears], subject: firm}, {}]"
    text = edit("    scopes: [inquire]\n  clerk", f"    scopes: []\n    acr: gold\n    narrowed: {narrowed}\n  clerk")
    tests, problems = loaded(place(tmp_path, text))
    assert problems == []
    asker = tests[0].inquiries[0][1].asker
    one = Narrowed("LICENCE_RENEWAL", "T-1", frozenset({"tax-arrears"}), ("LEI", "529900T8BM49AURSDO55"))
    assert (asker.narrowing, asker.scopes, asker.acr) == ((one, Narrowed()), frozenset(), "gold")


@pytest.mark.parametrize(
    ("before", "after", "word", "says"),
    [
        ("client: market-regulator", "client: market-reglator", "market-reglator", "did you mean `market-regulator`?"),
        ("client: market-regulator", "client: market-regulator\n    issuer: logn", "market-regulator", "of `logn`"),
        ("purpose: TENDER_QUALIFICATION", "purpose: TENDER_QUALIFCATION", "TENDER_QUALIFCATION", "did you mean"),
        ("      tax-arrears: [", "      tax-arears: [", "tax-arears", "did you mean `tax-arrears`?"),
        ("[period, amount,", "[period, amont,", "amont", "field `amont` of `tax-arrears` (did you mean `amount`"),
        ("[period, amount,", "[period, period,", "period, cur", "appears twice"),
        ("      tax-arrears: [period, amount, currency]", "      market-inspections: [result]", "market-i", "not publ"),
        ("[period, amount, currency]", "[]", "[]", "names no field of `tax-arrears`"),
        ("[period, amount, currency]", "all", "all\n", "must be a list"),
        ("market-penalties.amount:", "market-penalties.amont:", "market-penalties.amont", "did you mean `amount`?"),
        ("market-penalties.amount:", "market-penalties.conduct:", "market-penalties.conduct", "is permitted above"),
        ("market-penalties.amount:", "tax-arrears:", "tax-arrears: {", "every field of `tax-arrears` is permitted"),
        ("reason: PURPOSE_NOT_PERMITTED", "reason: PURPOSE_NOT_PERMITED", "PURPOSE_NOT_PERMITED", "did you mean"),
        ("rule: outside-purpose", "rule: outside-porpose", "outside-porpose", "did you mean `outside-purpose`?"),
        ("rules: [consent-missing]", "rules: [consent-mising]", "consent-mising", "did you mean `consent-missing`?"),
        ("{reason: PURPOSE_NOT_PERMITTED, rule: outside-purpose}", "{}", "{}", "gives no reason of the denial"),
        ("subject: firm", "subject: frm", "frm\n", "did you mean `firm`?"),
        ("case: tender\n", "case: tendr\n", "tendr", "did you mean `tender`?"),
        ("requester: regulator", "requester: regulatr", "regulatr", "did you mean `regulator`?"),
        ("consents: [given]", "consents: [gven]", "gven", "did you mean `given`?"),
        ("    requester: regulator\n", "", "name: arrears", "needs `requester`, or `requesters`"),
        ("subject: firm", "subject: firm\n    subjects: [ana]", "name: arrears", "needs `subject`, or `subjects`"),
        ("kind: organisation", "kind: organization", "organization", "did you mean `organisation`?"),
        ("529900T8BM49AURSDO55", "529900T8BM49AURSDO56", "529900T8BM49AURSDO56", "is not a valid LEI"),
        ("9001011237", "9001011238", "9001011238", "is not a valid PIN"),
        ("verified: true", "verified: yes", "yes", "must be true or false"),
        ("now: 2026-06-15 12:00", "now: 2026-06-15", "2026-06-15", "must be a moment"),
        ("now: 2026-06-15 12:00", "now: 2026-02-30 12:00", "2026-02-30", "must be a moment"),
        ("now: 2026-06-15 12:00", "now: []", "[]\n", "names no moment"),
        ("until: 2026-12-31", "until: 2026-13-31", "2026-13-31", "must be a date"),
        ("{income-statements: [year]}", "{income-statements: [yaer]}", "yaer", "did you mean `year`?"),
        ("{income-statements: [year]}", "[]", "[]\n", "a consent to nothing"),
        ("to: clerk", "to: clark", "clark", "did you mean `clerk`?"),
        ("name: one year is told", "name: arrears are told", "arrears are told\n    requester: clerk", "another test"),
        ("    case: tender\n", "    case: tender\n    permit: {}\n", "permit: {}", "did you mean `permits`?"),
        ("    case: tender\n", "    case: tender\n    supposing: {}\n", "{}\n", "supposes nothing"),
        ("    case: tender\n", "    case: tender\n    supposing: {without: [x]}\n", "x]", "unknown `x`"),
        (
            "    case: tender\n", "    case: tender\n    supposing: {datasets: {tax-arrears: {nature: advers}}}\n",
            "advers}", "did you mean `adverse`?",
        ),
        (
            "    case: tender\n", "    case: tender\n    supposing: {requesters: {regulator: {roles: [cort]}}}\n",
            "cort]", "did you mean `court`?",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_told_where_it_stands(tmp_path: Path, before: str, after: str, word: str, says: str) -> None:
    text = edit(before, after)
    _, problems = loaded(place(tmp_path, text))
    found = [problem for problem in problems if says in problem.message]
    assert found, problems
    offset = text.index(word)
    line, column = text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)
    assert (found[0].line, found[0].column) == (line, column)
    assert found[0].file.endswith("tests/some.yaml")


def test_one_test_asks_only_so_often(tmp_path: Path) -> None:
    moments = ", ".join(f"2026-01-{day:02} {hour:02}:00" for day in range(1, 27) for hour in range(4))
    _, [problem] = loaded(place(tmp_path, edit("    subject: firm", f"    subject: firm\n    now: [{moments}]")))
    assert "asks 104 times; split it" in problem.message


def test_a_file_without_tests_is_refused(tmp_path: Path) -> None:
    _, [problem] = loaded(place(tmp_path, FILE[: FILE.index("tests:")] + "tests: []\n"))
    assert "holds no test" in problem.message
    _, [problem] = loaded(place(tmp_path / "more", ""))
    assert "is empty" in problem.message


@given(st.integers(0, len(FILE) - 1), st.text(alphabet="a1:-[]{}#&*!|>'\"\n\t ,", max_size=3), st.integers(0, 12))
@settings(max_examples=60, deadline=None)
def test_a_broken_file_never_raises(tmp_path_factory: pytest.TempPathFactory, at: int, put: str, removed: int) -> None:
    folder = tmp_path_factory.mktemp("broken") / "tests"
    folder.mkdir()
    (folder / "some.yaml").write_text(FILE[:at] + put + FILE[at + removed :], encoding="utf-8")
    tests, problems = loaded(folder.parent)
    assert tests or problems
    for problem in problems:
        assert problem.line > 0
        assert problem.message
