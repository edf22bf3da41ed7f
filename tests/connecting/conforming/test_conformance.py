"""`dutybound source conformance`, by the demo's files: a department's system, its own connector, and the report."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from connectors.contract.checks import CHECKS
from deploy.demo import configuration
from deploy.demo.organisations import organisation
from gateway import cli
from gateway.ledger.proof import key_files
from tests import configured
from tests.ports import free_port

PAGE = Path(__file__).parents[3] / "connectors" / "README.md"
WITH, WITHOUT = organisation(30_001).lei, organisation(30_002).lei
SUBJECTS: dict[str, Any] = {
    "nobody": "Made by the labour office's test desk; its register has neither",
    "holding": [{"scheme": "LEI", "value": WITH, "records": {"wage-arrears": 2}}],
    "unknown": [{"scheme": "LEI", "value": WITHOUT}],
}
VIEWS = {
    "v_resident": "full_name, enrolled",
    "v_wage_finding": "work_month, workers, unpaid, unit",
    "v_voluntary_work": "work_year, hours_done",
    "v_contract": "employer, first_day, wage, unit",
}
TAX = ("tax-arrears", "tax-registrations", "tax-awards", "income-statements")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The demo's files, with a labour office that is a SQLite file of two findings about one organisation."""
    place = configuration.Place(tmp_path / "var", {name: free_port() for name in configuration.USUAL})
    place.run.mkdir(parents=True)
    configuration.write(place)
    configured.by_folder(place.config)
    key_files.generate(place.run / "ledger.key")
    sources = place.run / "sources.yaml"
    sources.write_text(
        re.sub(r"url: postgresql\+psycopg://\S+/labour", "url: sqlite:///labour.db", sources.read_text())
    )
    with closing(sqlite3.connect(place.run / "labour.db")) as file, file:
        for view, columns in VIEWS.items():
            file.execute(f"CREATE TABLE {view} (file_no, edition, paper, since, id_scheme, id_value, {columns})")
        for number in (1, 2):
            row = (f"W-{number}", "1", "D", "2026-01-02", "LEI", WITH, "2025-11", 7, "120.50", "EUR")
            file.execute(f"INSERT INTO v_wage_finding VALUES ({', '.join('?' * len(row))})", row)
    (place.run / "subjects.yaml").write_text(json.dumps(SUBJECTS))
    return place.run


def run(capsys: pytest.CaptureFixture[str], folder: Path, department: str, *options: str) -> tuple[int, str]:
    """The command's status, and all that it printed."""
    places = ["--config", str(folder / "gateway.yaml"), "--subjects", str(folder / "subjects.yaml")]
    status = cli.main(["source", "conformance", department, *places, *options])
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    for value in (WITH, WITHOUT, "W-1", "120.50"):
        assert value not in out + err
    return status, out + err


def test_a_system_that_keeps_the_contract_conforms(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, text = run(capsys, folder, "labour")
    assert status == 0, text
    assert "\nlabour conforms: " in text
    status, written = run(capsys, folder, "labour", "--json")
    report = json.loads(written)
    assert (status, report["conforms"], report["department"], report["kind"]) == (0, True, "labour", "sql")
    results = {each["check"]: each["result"] for each in report["checks"]}
    assert list(results) == list(CHECKS)
    assert {name for name, result in results.items() if result == "not tried"} == {"credentials", "encrypted"}
    assert report["subjects"] == {"nobody": SUBJECTS["nobody"], "holding": 1, "unknown": 1}


def test_one_that_does_not_says_which_check_and_why(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect(folder / "labour.db")) as file, file:
        file.execute("UPDATE v_wage_finding SET workers = 'seven' WHERE file_no = 'W-1'")
    status, text = run(capsys, folder, "labour")
    assert status == 1
    assert "wage-arrears: a record is faulty (column `workers` holds another type than the mapped one)" in text
    assert "\nlabour does not conform: " in text


def test_a_departments_own_connector_is_checked_too(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one of the page, with a fault that is planted in it afterwards."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    monkeypatch.syspath_prepend(str(folder))
    for module, text in (("folder", code), ("broken", code.replace("return []", "return invalid('none')"))):
        (folder / f"{module}.py").write_text(text)
        monkeypatch.delitem(sys.modules, module, raising=False)
        sources = folder / "sources.yaml"
        entry = {"kind": module, "folder": "from-tax", "datasets": {name: _mapped(name) for name in TAX}}
        before, _, after = sources.read_text().partition("\n  tax:")
        sources.write_text(f"{before}\n  tax: {json.dumps(entry)}\n{after[after.index('  labour:') :]}")
        for name in TAX:
            (folder / "from-tax" / name).mkdir(parents=True, exist_ok=True)
        made = {"awards": [{"no": "A-1", "rev": "1", "holder": WITH, "name": "Prize", "day": "2026-01-02"}]}
        (folder / "from-tax" / "tax-awards" / f"LEI-{WITH}.json").write_text(json.dumps(made))
        holding = [{"scheme": "LEI", "value": WITH, "records": {"tax-awards": 1}}]
        (folder / "subjects.yaml").write_text(json.dumps({**SUBJECTS, "holding": holding}))
        status, text = run(capsys, folder, "tax", "--connector", f"{module}:build")
        failed = [line.split()[1] for line in text.splitlines() if line.strip().startswith("failed")]
        assert (status, failed) == ((0, []) if module == "folder" else (1, ["nothing"])), text


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise OSError('no folder')", "`odd:build` raised `OSError` (no folder); report it by `config.problem`"),
        ("return 7", "`odd:build` gave no connector, but `int`; return one"),
        ("return Odd()", "it raised `OSError` as it was made or closed"),
    ],
)
def test_one_that_raises_where_it_is_made_or_closed_is_no_traceback(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, body: str, said: str
) -> None:
    fetch = "    async def fetch(self, request):\n        return {}\n"
    close = f"class Odd:\n{fetch}    async def close(self):\n        raise OSError"
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "odd", raising=False)
    (folder / "odd.py").write_text(f"{close}\ndef build(config, shapes):\n    {body}\n")
    sources = folder / "sources.yaml"
    before, _, after = sources.read_text().partition("\n  labour:")
    more = re.search(r"\n  \w+:", after)
    names = "wage-arrears", "person-register", "volunteering", "employment-contracts"
    entry = {"kind": "odd", "datasets": {name: {} for name in names}}
    sources.write_text(f"{before}\n  labour: {json.dumps(entry)}\n{after[more.start() :] if more else ''}")
    status, text = run(capsys, folder, "labour", "--connector", "odd:build")
    assert (status, said in text) == (1, True), text


def _mapped(name: str) -> dict[str, Any]:
    record = {"id": "no", "version": "rev", "subject": {"scheme": {"const": "LEI"}, "value": "holder"}}
    more = {"document": "doc", "effective": "day"}
    fields = {
        "tax-arrears": {"period": "period", "amount": "amount", "currency": "currency"},
        "tax-registrations": {"registeredOn": "day", "vatRegistered": "vat", "status": "state"},
        "tax-awards": {"title": "name", "awardedOn": "day"},
        "income-statements": {"year": "year", "taxableIncome": "taxable", "currency": "currency"},
    }[name]
    if name == "income-statements":
        record = {**record, "subject": {"scheme": {"const": "PIN"}, "value": "holder"}}
    return {"records": "awards", "record": {**record, **({} if name == "tax-awards" else more)}, "fields": fields}


def test_the_report_can_be_signed_and_the_signature_checked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By the commands of the page."""
    section = PAGE.read_text("utf-8").partition("## Does it keep the contract?")[2].partition("\n## ")[0]
    (commands,) = re.findall(r"```sh\n(dutybound source conformance.*?)```", section, re.DOTALL)
    first, *others = commands.strip().splitlines()
    _, report = run(capsys, folder, "labour", "--json")
    file = first.rpartition("> ")[2]
    (folder / file).write_text(report)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "desk"], cwd=folder, check=True)
    (folder / "signers").write_text(f"desk@labour.example {(folder / 'desk.pub').read_text()}")
    for command in others:
        subprocess.run(["sh", "-e", "-c", command], cwd=folder, check=True, capture_output=True)
    (folder / file).write_text(report.replace('"failed"', '"passed"') + " ")
    assert subprocess.run(["sh", "-e", "-c", others[-1]], cwd=folder, check=False, capture_output=True).returncode


def test_the_page_has_every_check_and_what_it_demands() -> None:
    section = PAGE.read_text("utf-8").partition("## Does it keep the contract?")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([a-z ]+)` \| (.+)\. \|$", section.partition("| check |")[2], re.MULTILINE)
    assert rows == [(name, (check.__doc__ or "").strip()) for name, check in CHECKS.items()]


def test_the_file_of_the_page_is_read(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (text,) = re.findall(r"```yaml\n(# subjects.yaml\n.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    (folder / "subjects.yaml").write_text(text)
    status, said = run(capsys, folder, "labour")
    assert status == 1
    assert "asked about 2 subjects with records and 1 without" in said
    assert "wage-arrears: 0 records; the file of subjects has 2" in said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"nobody": None}, "`nobody` is missing"),
        ({"holding": []}, "name at least one subject"),
        ({"holding": [{"scheme": "LEI", "value": WITH, "records": {"wages": 1}}]}, "maps no dataset `wages`"),
        ({"holding": [{"scheme": "LEI", "value": "X", "records": {}}]}, "is not a valid LEI; check its length"),
        ({"holding": [{"scheme": "PIN", "value": "1234567897", "records": {"wage-arrears": 1}}]}, "about persons"),
        ({"unknown": [{"scheme": "LEI", "value": WITH}]}, "appears twice"),
        ({"unknown": [{"scheme": "XX", "value": WITH}]}, "`XX`"),
        ({"others": []}, "unknown key `others`"),
    ],
)
def test_a_wrong_file_of_subjects_says_where_and_what(
    change: dict[str, Any], words: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = {key: value for key, value in {**SUBJECTS, **change}.items() if value is not None}
    (folder / "subjects.yaml").write_text(json.dumps(written))
    status, text = run(capsys, folder, "labour")
    assert status == 1
    assert re.search(rf"subjects\.yaml:1:\d+: .*{re.escape(words)}", text), text


@pytest.mark.parametrize(
    ("department", "connector", "words"),
    [
        ("labor", "", "has no department `labor` (did you mean `labour`?)"),
        ("labour", "folder", "must be a module and its function"),
        ("labour", "no_such_module:build", "cannot be imported"),
        ("labour", "json:build", "has no function `build`"),
        ("labour", "json:loads", "has `kind: sql` for `labour`; write `kind: json` there"),
    ],
)
def test_a_wrong_call_says_what(
    department: str, connector: str, words: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, text = run(capsys, folder, department, *(["--connector", connector] if connector else []))
    assert status == 1
    assert words in text
