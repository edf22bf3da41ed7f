"""`dutybound rules diff`, as it is typed: folders and git revisions, its forms, and its exit codes."""

from __future__ import annotations

import csv
import io
import os
import subprocess
from pathlib import Path

import pytest

from gateway import cli
from gateway.rules.compare import forms
from tests.rules.policies import SHIPPED, copy, edited

PEOPLE = "    person-register: {names: [name]}"
MORE = PEOPLE.replace("name]", "name, registeredOn]")


def run(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    code = cli.main(["rules", "diff", *map(str, words)])
    return code, *capsys.readouterr()


def test_the_same_in_other_words_is_no_difference(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = edited(tmp_path, "purposes.yaml", "TENDER_QUALIFICATION:", "# another comment\nTENDER_QUALIFICATION:")
    code, out, err = run(capsys, SHIPPED, folder)
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "No difference: both mean the same."


def test_what_differs_is_told_and_exits_1(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, err = run(capsys, SHIPPED, edited(tmp_path, "purposes.yaml", PEOPLE, MORE))
    assert (code, err) == (1, "")
    assert "2 fields open and none closes; 2 of what opens about people, none not public." in out
    assert (
        "\nOpens\n+ The Labour Office, for SUBSIDY_ASSESSMENT, will also see `person-register.registeredOn` of persons."
        " [people]\n  Because the purpose lists the field now. Art. 19, 23, 24, 42; Employment Promotion Act, Art. 48;"
        " held 2026-01-01 to"
    ) in out
    assert "\nDiffers too\n* SUBSIDY_ASSESSMENT, `person-register`: it lists registeredOn now.\n" in out


def test_the_csv_has_each_cell_and_no_formula(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = edited(tmp_path, "purposes.yaml", PEOPLE, MORE)
    path = folder / "requesters.yaml"
    path.write_text(path.read_text().replace("client: labour-office", "client: =HYPERLINK(1)", 1))
    code, out, _ = run(capsys, SHIPPED, folder, "--csv")
    assert code == 1
    rows = list(csv.DictReader(io.StringIO(out)))
    assert tuple(rows[0]) == forms.COLUMNS
    opened = [row for row in rows if row["effect"] == "widens" and row["client"] == "tax-service"]
    assert [(row["dataset"], row["field"], row["before"], row["after"], row["people"]) for row in opened] == [
        ("person-register", "registeredOn", "denied", "permitted", "yes")
    ]
    assert "'=HYPERLINK(1)" in {row["client"] for row in rows}
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nowhere", "`nowhere` is no folder"),
        ("git:", "`git:` names no revision"),
        ("git:--output=x", "names no revision"),
        ("git:nothing", "`git:nothing` cannot be read: fatal: "),
    ],
)
def test_what_cannot_be_compared_is_told_and_exits_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository(tmp_path, monkeypatch)
    code, out, err = run(capsys, SHIPPED, name)
    assert (code, out) == (2, "")
    assert says in err
    assert len(err.splitlines()) == 1


def test_policies_with_mistakes_are_told_with_their_places(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = edited(tmp_path, "rules/open-record.cedar", "OPEN_RECORD", "OPEN_RECRD")
    code, out, err = run(capsys, SHIPPED, folder)
    assert (code, out) == (2, "")
    assert 'open-record.cedar:6:39: @id open-record: unknown purpose `Action::"OPEN_RECRD"`' in err


def repository(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A git repository with the shipped policies, as the working folder."""
    if not (folder / "policies").exists():
        copy(folder)
    monkeypatch.chdir(folder)
    for name in [name for name in os.environ if name.startswith("GIT_")]:  # a hook that runs these tests sets some
        monkeypatch.delenv(name)
    git("init", "-q")
    commit()


def git(*words: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example", "-c", "core.hooksPath=/dev/null"]
    subprocess.run(["git", *identity, *words], check=True, capture_output=True)


def commit() -> None:
    git("add", "-A")
    git("commit", "-q", "-m", "Policies")


def test_a_revision_is_compared_with_the_folder(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository(tmp_path, monkeypatch)
    purposes = tmp_path / "policies" / "purposes.yaml"
    purposes.write_text(purposes.read_text().replace(PEOPLE, MORE))
    assert run(capsys, "git:HEAD", "policies")[0] == 1
    commit()
    code, out, _ = run(capsys, "git:HEAD~1:policies", "git:HEAD")
    assert code == 1
    assert "will also see `person-register.registeredOn`" in out
    assert run(capsys, "git:HEAD", "policies")[0] == 0


def test_nothing_of_a_revision_leaves_its_folder(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository(tmp_path, monkeypatch)
    (tmp_path / "outside.yaml").write_text("time_zone: UTC\n")
    calendar = tmp_path / "policies" / "calendar.yaml"
    calendar.unlink()
    calendar.symlink_to(tmp_path / "outside.yaml")
    commit()
    code, out, err = run(capsys, "git:HEAD~1", "git:HEAD")
    assert (code, out) == (2, "")
    assert "`git:HEAD` cannot be read: " in err


def test_a_page_is_written_once(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder, page = edited(tmp_path, "purposes.yaml", PEOPLE, MORE), tmp_path / "diff.html"
    code, out, _ = run(capsys, SHIPPED, folder, "--html", page)
    assert code == 1
    assert out.startswith("2 fields open and none closes")
    assert "<h2>Opens</h2>" in page.read_text("utf-8")
    code, _, err = run(capsys, SHIPPED, folder, "--html", page)
    assert (code, err) == (2, f"`{page}` cannot be written (File exists)\n")
