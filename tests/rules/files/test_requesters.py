"""The requesters' loader: issuers, grants, their days and datasets; and the calendar."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from gateway.catalogue.load import load as load_catalogue
from gateway.errors import ConfigurationError, Problem
from gateway.rules.files.requesters import PUBLIC
from gateway.rules.load import Read, load, read
from gateway.rules.model import Notices, Recalls
from tests.rules.policies import SHIPPED, copy, edited, entry, grant, position, problems, shipped

FILE = "requesters.yaml"
NOTICES = "{url: 'https://portal.example/notices', secret_file: portal.secret}"
SECRET = "whsec_" + "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB"
SECOND = """      - purpose: TENDER_QUALIFICATION
        datasets: [organisation-register]
        from: {first}
        until: 2029-12-31
        agreed_by: Data exchange agreement 2028/001
      - purpose: LICENCE_RENEWAL
"""


def test_the_shipped_requesters_and_their_grants() -> None:
    assert {entry.client: len(entry.grants) for entry in shipped().policies.requesters.values()} == {
        "market-regulator": 2,
        "environment-agency": 1,
        "labour-office": 2,
        "tax-service": 1,
        "civil-court": 1,
        "citizen-portal": 1,
        "open-record": 1,
        **dict.fromkeys(["market-stewards", "tax-stewards", "courts-stewards", "environment-stewards"], 0),
        **dict.fromkeys(["labour-stewards", "oversight", "policy-office"], 0),
    }
    assert [each.client for each in shipped().policies.requesters.values() if each.reports_changes] == ["tax-service"]
    assert entry("market-regulator").registry == "market"
    assert entry("civil-court").roles == {"court"}
    assert grant("labour-office/TENDER_QUALIFICATION").valid_until.isoformat() == "2025-12-31"


@pytest.mark.parametrize("title", ["Ministry of Health", "Credit Register", "Union of Municipalities"])
def test_a_department_is_named_by_its_field_of_work(tmp_path: Path, title: str) -> None:
    directory = edited(tmp_path, FILE, "  policy: Policy Office", f"  policy: {title}")
    file = directory / FILE
    file.write_text(file.read_text().replace("title: Citizen Portal", f"title: Portal of the {title}"))
    assert problems(directory) == []


def test_a_department_that_provides_nothing_has_a_case_registry_too(tmp_path: Path) -> None:
    directory = edited(tmp_path, FILE, "registry: courts", "registry: ombudsman")
    (told,) = problems(directory)
    assert "unknown `ombudsman`" in told.message
    assert "portal" in told.message
    file = directory / FILE
    file.write_text(
        file.read_text().replace("  policy: Policy Office\n", "  policy: Policy Office\n  ombudsman: Ombudsman\n")
    )
    assert problems(directory) == []


def test_an_issuers_name_stands_for_its_url_and_the_public_for_itself() -> None:
    rule_set = load(SHIPPED, {"login": "https://login.example"})
    assert ("https://login.example", "civil-court") in rule_set.policies.requesters
    assert PUBLIC in rule_set.policies.requesters


def test_an_unknown_issuer_is_told_with_the_nearest() -> None:
    with pytest.raises(ConfigurationError) as raised:
        load(SHIPPED, {"logins": "https://login.example"})
    assert "unknown issuer `login` (did you mean `logins`?)" in raised.value.problems[0].message


@pytest.mark.parametrize(
    ("before", "after", "word", "says"),
    [
        ("purpose: TENDER_QUALIFICATION", "purpose: TENDER_QUALIFCATION", "TENDER_QUALIFCATION", "did you mean `TEND"),
        ("          - tax-arrears\n", "          - tax-arears\n", "tax-arears", "did you mean `tax-arrears`?"),
        ("          - tax-arrears\n", "          - tax-awards\n", "tax-awards", "a grant never widens its purpose"),
        ("          - tax-arrears\n", '          - "*"\n', '"*"', "never all at once"),
        ("          - tax-arrears\n", "          - business-licences\n", "", "appears twice"),
        ("until: 2028-12-31", "until: 2025-12-31", "2025-12-31", "is before `from`"),
        ("from: 2026-01-01", "from: 2026-02-30", "2026-02-30", "must be a date"),
        ("department: market\n", "department: markt\n", "markt", "did you mean `market`?"),
        ("roles: [department]", "roles: [departement]", "departement", "did you mean `department`?"),
        ("roles: [department]", "roles: []", "[]", "at least one role"),
        ("registry: market", "registry: markets", "markets", "did you mean `market`?"),
        ("    client: market-regulator\n", "    client: market regulator\n", "market regulator", "a client id: ASCII"),
        ("client: open-record", "client: closed-record", "closed-record", "has one client only"),
        ("agreed_by: Data", "agreed-by: Data", "agreed-by", "did you mean `agreed_by`?"),
        ("reports_changes: true", "reports_changes: sometimes", "sometimes", "must be true or false"),
        (
            "    roles: [portal]\n",
            "    roles: [portal]\n    reports_changes: true\n",
            "",
            "`portal` provides no dataset",
        ),
        ("    roles: [oversight]\n", f"    roles: [oversight]\n    notices: {NOTICES}\n", "notices: {url", "`portal`"),
        (
            "    roles: [portal]\n",
            "    roles: [portal]\n    notices: {url: 'http://portal.example', secret_file: s}\n",
            "'http://portal",
            "must be https",
        ),
        (
            "    roles: [portal]\n",
            "    roles: [portal]\n    notices: {url: 'https://portal.example'}\n",
            "{url:",
            "`secret_file` is missing",
        ),
        (
            "    roles: [court]\n",
            "    roles: [court]\n    recalls: {url: 'https://courts.example/recalls'}\n",
            "recalls: {url",
            "needs both `url` and `secret_file`",
        ),
        (
            "    roles: [court]\n",
            "    roles: [court]\n    recalls: {term: ten days}\n",
            "ten days",
            "must be a term",
        ),
        (
            "    roles: [court]\n",
            "    roles: [court]\n    succeeds: [labour-office]\n",
            "",
            "`labour-office`, which is registered and answers itself",
        ),
        ("    roles: [court]\n", "    roles: [court]\n    succeeds: old-court\n", "old-court", "must list the ids"),
        ("  policy: Policy Office", "  policy: Social Scoring Office", "Social Scoring", "`scoring` in `Social"),
        ("  court: A court in", "  blacklister: A court in", "blacklister:", "`blacklister` in `blacklister` names a"),
        ("title: Citizen Portal", "title: Ranking of citizens", "Ranking of", "`ranking` in `Ranking of citizens`"),
    ],
)
def test_a_mistake_is_told_where_it_stands(tmp_path: Path, before: str, after: str, word: str, says: str) -> None:
    directory = edited(tmp_path, FILE, before, after)
    found = [problem for problem in problems(directory) if says in problem.message]
    assert found, problems(directory)
    assert found[0].file.endswith(FILE)
    if word:
        assert (found[0].line, found[0].column) == position(directory, FILE, word)


def test_how_a_recipient_is_told_of_recalls(tmp_path: Path) -> None:
    told = "    recalls: {url: 'https://courts.example/recalls', secret_file: court.secret, term: PT12H}\n"
    directory = edited(tmp_path, FILE, "    roles: [court]\n", f"    roles: [court]\n{told}    succeeds: [old-court]\n")
    (directory / "court.secret").write_text(SECRET)
    (directory / "court.secret").chmod(0o600)
    at, other = (load(directory, {"login": url}) for url in ("https://login.example", "https://other.example"))
    who = ("https://login.example", "civil-court")
    found = at.policies.requesters[who]
    assert (found.recalls.url, found.recalls.term) == ("https://courts.example/recalls", timedelta(hours=12))
    assert found.succeeds == {(who[0], "old-court")}
    assert at.digest == other.digest != shipped().digest
    assert entry("market-regulator").recalls == Recalls()
    read_there, wrong = deployed(directory)
    assert not wrong
    assert read_there.rules is not None
    assert [client for _, client in read_there.rules.requesters.recall_secrets] == ["civil-court"]
    assert not read_there.rules.requesters.secrets


def test_grants_for_one_purpose_never_overlap(tmp_path: Path) -> None:
    again = SECOND.format(first="2028-12-31")
    directory = edited(tmp_path, FILE, "      - purpose: LICENCE_RENEWAL\n", again)
    assert [problem.message.split(" (")[0] for problem in problems(directory)] == [
        "overlaps another grant for TENDER_QUALIFICATION"
    ]


def test_a_second_grant_for_one_purpose_is_numbered(tmp_path: Path) -> None:
    again = SECOND.format(first="2029-01-01")
    directory = edited(tmp_path, FILE, "      - purpose: LICENCE_RENEWAL\n", again)
    ids = [grant.id for grant in entry("market-regulator", load(directory)).grants]
    assert ids == [
        "market-regulator/TENDER_QUALIFICATION",
        "market-regulator/TENDER_QUALIFICATION#2",
        "market-regulator/LICENCE_RENEWAL",
    ]


def test_one_client_of_two_issuers_has_grants_of_two_names(tmp_path: Path) -> None:
    twin = """  - issuer: https://other.example
    client: tax-service
    title: A namesake elsewhere
    department: tax
    roles: [court]
    grants:
      - purpose: OPEN_RECORD
        datasets: [tax-awards]
        from: 2026-01-01
        until: 2026-12-31
        agreed_by: Nothing
"""
    directory = edited(tmp_path, FILE, "  - issuer: public ", twin + "\n  - issuer: public ")
    requesters = load(directory).policies.requesters
    assert requesters["login", "tax-service"].grants[0].id == "login/tax-service/SUBSIDY_ASSESSMENT"
    theirs = requesters["https://other.example", "tax-service"].grants[0]
    assert theirs.id == "https://other.example/tax-service/OPEN_RECORD"


def test_a_requester_stands_once(tmp_path: Path) -> None:
    directory = edited(tmp_path, FILE, "client: environment-agency", "client: tax-service")
    assert any("`tax-service` of `login` appears twice" in problem.message for problem in problems(directory))


def test_an_unknown_time_zone_is_told_with_the_nearest(tmp_path: Path) -> None:
    directory = edited(tmp_path, "calendar.yaml", "Europe/Sofia", "Europe/Sofa")
    (problem,) = problems(directory)
    assert "did you mean `Europe/Sofia`?" in problem.message
    assert (problem.line, problem.column) == position(directory, "calendar.yaml", "Europe/Sofa")


@pytest.mark.parametrize("file", ["purposes.yaml", "requesters.yaml", "calendar.yaml"])
def test_a_missing_file_is_a_problem(tmp_path: Path, file: str) -> None:
    directory = copy(tmp_path)
    (directory / file).unlink()
    assert any(problem.file.endswith(file) and "cannot be read" in problem.message for problem in problems(directory))


def notified(tmp_path: Path, notices: str = NOTICES) -> Path:
    return edited(tmp_path, FILE, "    roles: [portal]\n", f"    roles: [portal]\n    notices: {notices}\n")


def deployed(directory: Path) -> tuple[Read, list[Problem]]:
    found: list[Problem] = []
    return read(directory, load_catalogue(directory, found), None, found, secrets=directory), found


def test_a_portals_notices_are_signed_with_the_secrets_of_a_file(tmp_path: Path) -> None:
    directory = notified(tmp_path)
    (file := directory / "portal.secret").touch(0o600)
    file.write_text(f"{SECRET}\n{SECRET}\n")
    found, wrong = deployed(directory)
    assert wrong == []
    assert found.rules is not None
    assert entry("citizen-portal", found.rules).notices == Notices("https://portal.example/notices", "portal.secret")
    assert found.requesters.secrets == {("login", "citizen-portal"): (b"A" * 24, b"A" * 24)}
    assert found.rules.digest != shipped().digest
    file.write_text(SECRET)
    again, _ = deployed(directory)
    assert again.rules is not None
    assert again.rules.digest == found.rules.digest, "a changed secret is no other rule set"


@pytest.mark.parametrize(
    ("text", "mode", "told"),
    [
        (None, 0o600, "there is no file `portal.secret`"),
        ("whsec_QUFB", 0o600, "the file must hold secrets as `whsec_`"),
        (SECRET, 0o644, "the file `portal.secret` may be read by others"),
    ],
)
def test_what_is_wrong_with_a_notices_secret_is_told_where_it_is_deployed(
    tmp_path: Path, text: str | None, mode: int, told: str
) -> None:
    directory = notified(tmp_path)
    if text is not None:
        (directory / "portal.secret").write_text(text)
        (directory / "portal.secret").chmod(mode)
    assert problems(directory) == [], "away from a deployment there are no secrets"
    _, (wrong,) = deployed(directory)
    assert told in wrong.message
    assert (wrong.line, wrong.column) == position(directory, FILE, "portal.secret")
    assert SECRET not in str(wrong)


def with_proofs(tmp_path: Path, *kinds: str) -> Path:
    return edited(tmp_path, FILE, "\nrequesters:\n", "\n".join(["", "proofs:", *kinds, "", "requesters:", ""]))


def test_what_a_counter_takes_for_proof_is_part_of_the_digest(tmp_path: Path) -> None:
    other = load(with_proofs(tmp_path, '  passport: "[A-Za-z0-9]{6,12}"'))
    assert other.requesters.proofs == {"passport": "[A-Za-z0-9]{6,12}"}
    assert shipped().requesters.proofs == {}
    assert other.digest != shipped().digest


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ('  anything: ".*"', "proves nothing"),
        ('  letters: "[A-Za-z]{3,}"', "no fewer than 4 characters"),
        ('  open: "("', "is not a regular expression"),
        ('  "7": "[0-9]{9}"', "must be what a document is called"),
    ],
)
def test_a_kind_of_proof_that_proves_nothing_is_a_problem(tmp_path: Path, written: str, says: str) -> None:
    found = problems(with_proofs(tmp_path, written))
    assert any(says in str(each) for each in found), found
