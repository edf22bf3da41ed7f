"""Evidence: what is in it, that it verifies offline by itself, that nothing in it can be changed, and its own entry."""

from __future__ import annotations

import csv
import fcntl
import getpass
import io
import json
import stat
from html.parser import HTMLParser
from pathlib import Path

import pytest

from gateway.errors import VerificationFailed
from gateway.ledger.commands import register
from gateway.ledger.entry import entries
from gateway.ledger.export import package_write
from gateway.ledger.export.package_check import check_package
from gateway.ledger.log import operator, taking
from gateway.ledger.proof import key_files
from gateway.ledger.verify.store import verify_store
from gateway.storage.store import open_copy
from tests.ledger.conftest import Run
from tests.ledger.exporting import LEI, WHO, Export, views
from tests.ledger.support import KEY, ORIGIN, SUBJECT


@pytest.mark.parametrize("out", ["evidence", "evidence.zip"])
def test_a_package_holds_the_entries_and_verifies_offline(folder: Path, export: Export, run: Run, out: str) -> None:
    assert export("--subject", LEI, "--out", folder / out) == 0
    assert "written: 4 entries" in run.out
    assert f"entered: this view is entry 0 of {ORIGIN}/commands" in run.out
    assert run("ledger", "verify", folder / out, "--key", folder / "ledger.pub") == 0
    assert run.out == (
        f"whole: evidence of subject LEI {SUBJECT.value}, 4 entries, each with its proof\n"
        f"made: by A. Auditor, {views(folder)[0].at.isoformat()}: complaint <b>12</b> of 2026\n"
        "searched: every entry so far (2 of 1, 1 of 2, 1 of commands, 4 of root), each opened and checked against"
        " its shard's tree\n"
    )
    assert run("ledger", "verify", folder / out) == 0
    assert "the package's own word" in run.out
    key_files.write_verifiers(folder / "other.pub", KEY, ORIGIN, ["1", "2"])
    assert run("ledger", "verify", folder / out, "--key", folder / "other.pub") == 1
    assert "`registry.json`: no key that you trust is one of" in run.err


def test_each_receipt_in_it_is_a_receipt(folder: Path, export: Export, run: Run) -> None:
    assert export("--case", "MR-2026-17", "--out", folder / "evidence") == 0
    receipts = sorted((folder / "evidence" / "entries").glob("*.txt"))
    assert [path.stem for path in receipts] == [f"1-{0:012}", f"1-{1:012}", f"2-{0:012}", f"commands-{0:012}"]
    for path in receipts:
        assert run("ledger", "verify-receipt", "--key", folder / "ledger.pub", path) == 0
        assert run("ledger", "show", "--key", folder / "ledger.pub", path) == 0
    assert run("ledger", "verify-receipt", "--key", folder / "ledger.pub", receipts[3]) == 0
    assert "A. Auditor looked at case MR-2026-17" in run.out
    assert run("ledger", "show", "--key", folder / "ledger.pub", receipts[3]) == 0
    assert "Who looked into the ledger" in run.out


def test_the_view_is_entered_before_anything_is_written(
    folder: Path, export: Export, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*arguments: object) -> None:
        raise VerificationFailed("the disk burst")

    monkeypatch.setattr(package_write, "write_package", fails)
    assert export("--subject", LEI, "--out", folder / "evidence") == 1
    assert run.err == "the disk burst\n"
    assert not (folder / "evidence").exists()
    [view] = views(folder)
    assert (view.by, view.reason, view.requester.client) == (
        "A. Auditor",
        "complaint <b>12</b> of 2026",
        "command line",
    )
    assert view.looked == entries.Looked(scheme=SUBJECT.scheme, value=SUBJECT.value)
    assert view.parts == ("told", "oversight")


def test_the_account_that_looks_is_entered_beside_the_name_that_is_said(folder: Path, export: Export) -> None:
    assert export("--subject", LEI, "--out", folder / "evidence") == 0
    made = json.loads((folder / "evidence" / "entries" / f"commands-{0:012}.json").read_text())
    assert made["told"]["general"]["text"]["by"] == "A. Auditor"
    assert made["oversight"]["general"]["text"]["official"] == getpass.getuser()


def test_without_a_durable_entry_nothing_is_opened(
    folder: Path, export: Export, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking, "_PATIENCE", 0.1)
    with (folder / "ledger.db.shard-commands.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert export("--subject", LEI, "--out", folder / "evidence") == 1
    assert run.err == "shard `commands` is held by another process\n"
    assert not (folder / "evidence").exists()
    assert views(folder) == []


def test_a_view_can_be_exported_and_the_store_verifies_with_it(folder: Path, export: Export, run: Run) -> None:
    for number in range(3):
        assert export("--subject", LEI, "--out", folder / f"evidence-{number}") == 0
    assert "written: 6 entries" in run.out, "whoever looked is in the next evidence about the subject"
    store = open_copy(folder / "ledger.db")
    whole = verify_store(store, key_files.read_verifiers(folder / "ledger.pub"))
    assert [shard.size for shard in whole] == [4, 2, 1, 3], "the registry first"
    store.close()


def test_a_period_is_from_its_first_day_through_its_last(folder: Path, export: Export, run: Run) -> None:
    for since, until, count in [
        ("2026-11-24", "2026-11-24", 3),
        ("2026-11-25", "2026-12-31", 0),
        ("2026-01-01", "2026-11-23", 0),
        ("2026-11-24T10:30:00+01:00", "2026-11-24T09:30:01Z", 3),
        ("2026-11-24T09:00:00Z", "2026-11-24T09:30:00Z", 0),
    ]:
        out = folder / f"{since}-{until}.csv".replace(":", "")
        assert export("--from", since, "--until", until, "--format", "csv", "--out", out) == 0
        rows = csv.DictReader(io.StringIO(out.read_text(), newline=""))
        assert len([row for row in rows if row["kind"] != "a view of the ledger"]) == count, (since, until)
    for wrong in ("yesterday", "2026-02-30", "2026-11-24T09:30:00"):
        assert export("--from", wrong, "--out", folder / "x") == 2


@pytest.mark.parametrize("form", ["package", "csv", "fhir"])
@pytest.mark.parametrize(
    "asked", [("--subject", "LEI:5493000000000000000X"), ("--case", "none"), ("--subject", LEI, "--case", "another")]
)
def test_evidence_of_what_no_entry_names_is_written_only_where_it_is_insisted_on(
    folder: Path, export: Export, run: Run, asked: tuple[str, ...], form: str
) -> None:
    out = folder / "evidence"
    for before in range(2):
        assert export(*asked, "--format", form, "--out", out) == 1, "that somebody looked names nobody"
        assert not out.exists()
        assert "`--anyway`" in run.err
        assert f"entry {before} of" in run.err
    assert len(views(folder)) == 2, "to learn that there is nothing is to look"
    assert export(*asked, "--format", form, "--out", out, "--anyway") == 0
    assert "written: 3 entries" in run.out, "its own, and the two looks before"
    if form == "package":
        assert run("ledger", "verify", out, "--key", folder / "ledger.pub") == 0


def test_a_package_of_nothing_says_so(folder: Path, export: Export, run: Run) -> None:
    assert export("--case", "none", "--out", folder / "evidence", "--anyway") == 0
    assert "written: 1 entry" in run.out, "its own entry"
    assert "no entry fits but that of this view" in run.err
    assert run("ledger", "verify", folder / "evidence", "--key", folder / "ledger.pub") == 0


def test_told_only_leaves_oversights_part_out(folder: Path, export: Export, run: Run) -> None:
    assert export("--subject", LEI, "--told-only", "--out", folder / "evidence") == 0
    assert run("ledger", "verify", folder / "evidence", "--key", folder / "ledger.pub") == 0
    for path in (folder / "evidence").rglob("*"):
        if path.is_file():
            assert b"m.ivanova" not in path.read_bytes()
            assert b"display-ended" not in path.read_bytes()
    assert views(folder)[0].parts == ("told",)


def test_evidence_is_for_its_owner_only_and_never_overwritten(folder: Path, export: Export, run: Run) -> None:
    for out in ("evidence", "evidence.zip"):
        assert export("--subject", LEI, "--out", folder / out) == 0
        assert not (folder / out).stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)
        assert export("--subject", LEI, "--out", folder / out) == 1
        assert "never overwritten" in run.err
    for path in (folder / "evidence").rglob("*"):
        assert not path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO), path
    assert export("--subject", LEI, "--out", folder / "missing" / "evidence") == 1
    assert len(views(folder)) == 2, "what could not be written was not looked at"


def test_a_package_that_is_not_whole_is_no_store(folder: Path, export: Export, run: Run) -> None:
    out = folder / "evidence.zip"
    assert export("--subject", LEI, "--out", out) == 0
    for part in (out.read_bytes()[:1000], b""):
        out.write_bytes(part)
        assert run("ledger", "verify", out, "--key", folder / "ledger.pub") == 1
        assert "evidence.zip` cannot be read as a package" in run.err
        assert "it was cut short or altered; have it sent again" in run.err


def test_a_reason_writes_no_line_of_its_own_to_a_terminal(
    folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused; one that was entered before it was is printed as escapes."""
    view = ("--subject", LEI, "--by", "a", "--reason", "x\x1b[1A\x1b[2K\nwhole: all")
    assert run("ledger", "export", "--config", folder / "gateway.yaml", *view, "--out", folder / "evidence") == 2
    assert "the reason has U+001B (an escape) as character 2" in run.err
    assert not (folder / "evidence").exists()
    monkeypatch.setattr(operator, "check_line", lambda text, what: None)
    assert run("ledger", "export", "--config", folder / "gateway.yaml", *view, "--out", folder / "evidence") == 0
    assert run("ledger", "verify", folder / "evidence", "--key", folder / "ledger.pub") == 0
    assert "x\\x1b[1A\\x1b[2K\\nwhole: all" in run.out
    assert run.out.count("\nwhole:") + run.out.startswith("whole:") == 1


def test_wrong_calls_are_told(folder: Path, export: Export, run: Run) -> None:
    assert export("--out", folder / "x") == 2
    assert export("--subject", "5493001KJTIIGC8Y1R12", "--out", folder / "x") == 2
    assert "SCHEME:VALUE" in run.err
    assert export("--since", "2026-11-30", "--until", "2026-11-01", "--out", folder / "x") == 2
    assert "there is no such period" in run.err
    blank = ("ledger", "export", "--config", folder / "gateway.yaml", "--by", " ", "--reason", "x")
    assert run(*blank, "--subject", LEI, "--out", folder / "x") == 2
    assert views(folder) == []


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "action")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_summary_reads_without_the_software(folder: Path, export: Export) -> None:
    assert export("--subject", LEI, "--out", folder / "evidence") == 0
    page = Page()
    page.feed((folder / "evidence" / "summary.html").read_text())
    assert not page.tags & {"script", "img", "iframe", "b"}
    assert all(link.startswith("#") or link == "data:," for link in page.links), "which is no icon"
    for said in ("A. Auditor", "complaint <b>12</b> of 2026", "order <b>4</b>", "tax-arrears/N-1@3", "m.ivanova"):
        assert said in page.text
    for said in ("tax-arrears/N-9@2: display-ended", "QUOTA_EXCEEDED", "5ec0de (not in this package)"):
        assert said in page.text


def test_the_summary_says_what_things_are_called(folder: Path, export: Export, run: Run) -> None:
    law = {"law": "Act 7"}
    catalogue = {
        "departments": {"market": "Market <Regulation> Authority"},
        "purposes": [{"id": "TENDER_QUALIFICATION", "title": "Qualification of a tenderer", "basis": [law]}],
        "datasets": [
            {
                "id": "tax-arrears", "title": "Notices of tax arrears",
                "fields": [{"name": "amount", "title": "Amount due"}, {"name": "period", "title": "Tax period"}],
            }
        ],
    }  # fmt: skip
    file = folder / "catalogue.json"
    file.write_text(json.dumps(catalogue))
    named = ("--subject", LEI, "--catalogue", file)
    assert export(*named, "--out", folder / "evidence") == 0
    page, plain = Page(), Page()
    text = (folder / "evidence" / "summary.html").read_text()
    page.feed(text)
    for said in (
        "Market <Regulation> Authority (market)", "Qualification of a tenderer (TENDER_QUALIFICATION)", "Act 7",
        "Notices of tax arrears (tax-arrears)", "Amount due (amount)", "from the catalogue that was given",
    ):  # fmt: skip
        assert said in page.text
    assert "<Regulation>" not in text
    assert run("ledger", "verify", "--key", folder / "ledger.pub", folder / "evidence") == 0
    assert export("--subject", LEI, "--out", folder / "plain") == 0
    plain.feed((folder / "plain" / "summary.html").read_text())
    assert "Names of things" not in plain.text
    before = len(views(folder))
    assert export(*named, "--format", "csv", "--out", folder / "x.csv") == 2
    file.write_text("[]")
    assert export(*named, "--out", folder / "x") == 1
    assert "this is no catalogue" in run.err
    file.unlink()
    assert export(*named, "--out", folder / "x") == 1
    assert len(views(folder)) == before


CATALOGUE = b'{"departments": {}, "datasets": [{"id": "tax-arrears", "title": "Notices of arrears"}]}'
"""A catalogue as `/open/catalogue` answers it, for what the page needs of it."""


def test_the_policies_in_force_are_in_it(folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for digest, there in (("5ec0de", True), ("another", False)):
        parser = register.argparse.ArgumentParser()
        register.register(
            parser.add_subparsers(),
            lambda _: lambda _, value: value,
            lambda configured, digest=digest: (digest, CATALOGUE),
        )
        out = folder / f"evidence-{digest}"
        config = ("ledger", "export", "--config", str(folder / "gateway.yaml"), *WHO)
        arguments = parser.parse_args([*config, "--subject", LEI, "--out", str(out)])
        assert arguments.run(arguments) == 0
        assert (out / "policies" / "purposes.yaml").exists() is there
        page = (out / "summary.html").read_text()
        for said in ("Notices of arrears (tax-arrears)", "from the policies that were active when this was made"):
            assert said in page
        assert check_package(out, None).manifest.policies == (digest if there else None)
