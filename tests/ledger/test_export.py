"""Evidence: what is in it, that it verifies offline by itself, that nothing in it can be changed, and its own entry."""

from __future__ import annotations

import csv
import fcntl
import getpass
import hashlib
import io
import json
import shutil
import stat
import zipfile
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import VerificationFailed
from gateway.inquiry.types import Subject
from gateway.ledger import commands, entries, evidence, keys, read
from gateway.ledger.note import Signer
from gateway.ledger.package import check_package
from gateway.ledger.verify import verify_store
from gateway.storage.store import open_copy
from tests.ledger.conftest import Run
from tests.ledger.support import KEY, ORIGIN, SUBJECT, disclosed, opened, refused, store_in

LEI = f"{SUBJECT.scheme}:{SUBJECT.value}"
WHO = ("--by", "A. Auditor", "--reason", "complaint <b>12</b> of 2026")


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """A store with two inquiries and a refusal, in two shards, and its configuration."""
    private = keys.generate(tmp_path / "ledger.key")
    keys.write_verifiers(tmp_path / "ledger.pub", private, ORIGIN, ["1", "2", "3"])
    store = store_in(tmp_path)
    async with opened(store, private=private) as ledger:
        await disclosed(ledger, 1)
        await refused(ledger, 2)
        async with opened(store, private=private) as other:
            await disclosed(other, 3)
    store.close()
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "purposes.yaml").write_text("purposes: {}\n")
    (tmp_path / "sources.yaml").write_text("departments: {}\n")
    (tmp_path / "gateway.yaml").write_text(
        "listen: 127.0.0.1:8080\npublic_url: http://127.0.0.1:8080\nstore: sqlite:///ledger.db\npolicies: policies\n"
        f"sources: sources.yaml\nledger: {{origin: {ORIGIN}, key_file: ledger.key}}\n"
        "oauth: {audience: http://127.0.0.1:8080, issuers: [{issuer: http://127.0.0.1:9}]}\n"
    )
    return tmp_path


@pytest.fixture
def export(folder: Path, run: Run) -> Callable[..., int]:
    def export(*arguments: object) -> int:
        return run("ledger", "export", "--config", folder / "gateway.yaml", *WHO, *arguments)

    return export


def views(folder: Path) -> list[entries.View]:
    """Every view of the ledger that the ledger holds."""
    store = open_copy(folder / "ledger.db")
    reader = store.reader()
    found = []
    for head in read.heads(reader):
        for entry in read.read_entries(reader, head.id, 0, head.size):
            assert entry.told is not None
            told = entry.read_told()
            if isinstance(told, entries.View):
                found.append(told)
    reader.close()
    store.close()
    return found


Export = Callable[..., int]


@pytest.mark.parametrize("out", ["evidence", "evidence.zip"])
def test_a_package_holds_the_entries_and_verifies_offline(folder: Path, export: Export, run: Run, out: str) -> None:
    assert export("--subject", LEI, "--out", folder / out) == 0
    assert "written: 4 entries" in run.out
    assert f"entered: this view is entry 2 of {ORIGIN}/1" in run.out
    assert run("ledger", "verify", folder / out, "--key", folder / "ledger.pub") == 0
    assert run.out == (
        f"whole: evidence of subject LEI {SUBJECT.value}, 4 entries, each with its proof\n"
        f"made: by A. Auditor, {views(folder)[0].at.isoformat()}: complaint <b>12</b> of 2026\n"
    )
    assert run("ledger", "verify", folder / out) == 0
    assert "the package's own word" in run.out
    keys.write_verifiers(folder / "other.pub", KEY, ORIGIN, ["1", "2"])
    assert run("ledger", "verify", folder / out, "--key", folder / "other.pub") == 1
    assert "no key that you trust signed it" in run.err


def test_each_receipt_in_it_is_a_receipt(folder: Path, export: Export, run: Run) -> None:
    assert export("--case", "MR-2026-17", "--out", folder / "evidence") == 0
    receipts = sorted((folder / "evidence" / "entries").glob("*.txt"))
    assert [path.stem for path in receipts] == [f"1-{0:012}", f"1-{1:012}", f"1-{2:012}", f"2-{0:012}"]
    for path in receipts:
        assert run("ledger", "verify-receipt", "--key", folder / "ledger.pub", path) == 0
        assert run("ledger", "show", "--key", folder / "ledger.pub", path) == 0
    assert run("ledger", "verify-receipt", "--key", folder / "ledger.pub", receipts[2]) == 0
    assert "A. Auditor looked at case MR-2026-17" in run.out
    assert run("ledger", "show", "--key", folder / "ledger.pub", receipts[2]) == 0
    assert "Who looked into the ledger" in run.out


def test_the_view_is_entered_before_anything_is_written(
    folder: Path, export: Export, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*arguments: object) -> None:
        raise VerificationFailed("the disk burst")

    monkeypatch.setattr(evidence, "write_package", fails)
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
    made = json.loads((folder / "evidence" / "entries" / f"1-{2:012}.json").read_text())
    assert made["told"]["general"]["text"]["by"] == "A. Auditor"
    assert made["oversight"]["general"]["text"]["official"] == getpass.getuser()


def test_without_a_durable_entry_nothing_is_opened(folder: Path, export: Export, run: Run) -> None:
    holding = [(folder / f"ledger.db.shard-{number}.lock").open("w") for number in range(1, 65)]
    for file in holding:
        fcntl.flock(file, fcntl.LOCK_EX)
    assert export("--subject", LEI, "--out", folder / "evidence") == 1
    assert "every shard is held" in run.err
    assert not (folder / "evidence").exists()
    for file in holding:
        file.close()
    assert views(folder) == []


def test_a_view_can_be_exported_and_the_store_verifies_with_it(folder: Path, export: Export, run: Run) -> None:
    for number in range(3):
        assert export("--subject", LEI, "--out", folder / f"evidence-{number}") == 0
    assert "written: 6 entries" in run.out, "whoever looked is in the next evidence about the subject"
    store = open_copy(folder / "ledger.db")
    whole = verify_store(store, keys.read_verifiers(folder / "ledger.pub"))
    assert [shard.size for shard in whole] == [3, 5, 1], "the registry first"
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


def test_only_what_is_asked_for_is_in_it(folder: Path, export: Export, run: Run) -> None:
    other = Subject("organisation", "LEI", "5493000000000000000X")
    assert export("--subject", f"LEI:{other.value}", "--out", folder / "evidence") == 0
    assert "written: 1 entries" in run.out, "its own entry"
    assert export("--subject", LEI, "--case", "another", "--out", folder / "more") == 0
    assert "written: 1 entries" in run.out
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


def test_wrong_calls_are_told(folder: Path, export: Export, run: Run) -> None:
    assert export("--out", folder / "x") == 2
    assert export("--subject", "5493001KJTIIGC8Y1R12", "--out", folder / "x") == 2
    assert "SCHEME:VALUE" in run.err
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
    assert not page.tags & {"script", "img", "link", "iframe", "b"}
    assert all(link.startswith("#") for link in page.links)
    for said in ("A. Auditor", "complaint <b>12</b> of 2026", "order <b>4</b>", "tax-arrears/N-1@3", "m.ivanova"):
        assert said in page.text
    for said in ("tax-arrears/N-9@2: display-ended", "QUOTA_EXCEEDED", "5ec0de (not in this package)"):
        assert said in page.text


def test_the_policies_in_force_are_in_it(folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for digest, there in (("5ec0de", True), ("another", False)):
        parser = commands.argparse.ArgumentParser()
        commands.register(parser.add_subparsers(), lambda configured, digest=digest: digest)
        out = folder / f"evidence-{digest}"
        config = ("ledger", "export", "--config", str(folder / "gateway.yaml"), *WHO)
        arguments = parser.parse_args([*config, "--subject", LEI, "--out", str(out)])
        assert arguments.run(arguments) == 0
        assert (out / "policies" / "purposes.yaml").exists() is there
        assert check_package(out, None).manifest.policies == (digest if there else None)


# A package that was changed


@pytest.fixture
def whole(folder: Path, export: Export) -> Path:
    assert export("--subject", LEI, "--out", folder / "evidence") == 0
    return folder / "evidence"


def sign_again(package: Path, change: Callable[[dict[str, Any]], None] = lambda manifest: None) -> None:
    """Make the manifest fit the files, and sign it, as only whoever holds the ledger's key can."""
    manifest = json.loads((package / "manifest.json").read_text())
    manifest["files"] = {
        path.relative_to(package).as_posix(): {
            "size": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in sorted(package.rglob("*"))
        if path.is_file() and not path.name.startswith("manifest.")
    }
    change(manifest)
    content = json.dumps(manifest).encode()
    (package / "manifest.json").write_bytes(content)
    private = keys.load(package.parent / "ledger.key")
    (package / "manifest.note").write_text(Signer(f"{ORIGIN}/1", private).sign(evidence.note_text(content)))


def broken(package: Path) -> str:
    with pytest.raises(VerificationFailed) as failed:
        check_package(package, keys.read_verifiers(package.parent / "ledger.pub"))
    assert "\n" not in str(failed.value)
    return str(failed.value)


def test_any_changed_file_is_found(whole: Path) -> None:
    files = [path for path in sorted(whole.rglob("*")) if path.is_file()]
    assert len(files) == 2 * 4 + 2 + 4
    for path in files:
        content = path.read_bytes()
        for at in (0, len(content) // 2, len(content) - 1):
            path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
            assert path.name in broken(whole) or "manifest.json" in broken(whole)
        path.unlink()
        assert path.name in broken(whole)
        path.write_bytes(content)
    (whole / "entries" / "more.txt").write_text("x")
    assert "`entries/more.txt` is not in its manifest: it was added" in broken(whole)


def test_who_holds_the_key_cannot_change_what_was_entered_either(whole: Path) -> None:
    name = f"entries/1-{0:012}"
    words = (whole / f"{name}.json").read_text()
    (whole / f"{name}.json").write_text(words.replace("TENDER_QUALIFICATION", "COURT_ENFORCEMENT"))
    sign_again(whole)
    assert f"`{name}.txt`: its words are not those that its receipt proves" in broken(whole)
    (whole / f"{name}.json").write_text(words.replace("display-ended", "restored"))
    sign_again(whole)
    assert "what only oversight may open is not what its receipt has the digest of" in broken(whole)
    (whole / f"{name}.json").write_text(words)
    sign_again(whole, lambda manifest: manifest.update(by="Somebody Else"))
    assert "its manifest does not say what was entered" in broken(whole)
    sign_again(whole, lambda manifest: manifest.update(view=name))
    assert "the entry of this view of the ledger itself, is missing" in broken(whole)
    for ending in ("txt", "json"):
        (whole / f"{name}.{ending}").unlink()
    sign_again(whole)
    assert "it holds 3 entries, and its manifest says 4" in broken(whole)


def test_the_entries_of_another_ledger_are_not_taken_for_these(whole: Path) -> None:
    receipt = (whole / f"entries/2-{0:012}.txt").read_text()
    (whole / f"entries/1-{0:012}.txt").write_text(receipt)
    sign_again(whole)
    assert "does not lead to the checkpoint" in broken(whole)


def test_a_broken_zip_is_one_sentence(whole: Path) -> None:
    packed = whole.parent / "packed.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for path in whole.rglob("*"):
            if path.is_file():
                file.write(path, path.relative_to(whole).as_posix())
    assert check_package(packed, None).manifest.entries == 4
    content = bytearray(packed.read_bytes())
    for at in range(200, len(content) - 4000, 997):
        content[at] ^= 0xFF
    packed.write_bytes(content)
    broken(packed)
    shutil.copy(whole / "summary.html", whole.parent / "no.zip")
    broken(whole.parent / "no.zip")


# Further formats


def test_csv_has_a_row_for_each_dataset(folder: Path, export: Export) -> None:
    assert export("--subject", LEI, "--format", "csv", "--out", folder / "entries.csv") == 0
    rows = list(csv.DictReader(io.StringIO((folder / "entries.csv").read_text(), newline="")))
    kinds = [(row["kind"], row["official"], row["dataset"], row["records"]) for row in rows]
    assert kinds == [
        ("a view of the ledger", "A. Auditor", "", ""),
        ("inquiry", "m.ivanova", "tax-arrears", "tax-arrears/N-1@3"),
        ("refused inquiry", "m.ivanova", "", ""),
        ("inquiry", "m.ivanova", "tax-arrears", "tax-arrears/N-1@3"),
    ]
    assert rows[1]["fields"] == "amount period"
    assert rows[1]["withheld"] == "tax-arrears/N-9@2 (display-ended)"
    assert rows[2]["outcome"] == "QUOTA_EXCEEDED: enough today"
    assert export("--subject", LEI, "--format", "csv", "--told-only", "--out", folder / "told.csv") == 0
    assert "m.ivanova" not in (folder / "told.csv").read_text()


def test_a_cell_is_never_a_formula(folder: Path, run: Run) -> None:
    command = (
        "ledger",
        "export",
        "--config",
        folder / "gateway.yaml",
        "--by",
        "=1+1",
        "--reason",
        "@x",
        "--case",
        "+1",
    )
    assert run(*command, "--format", "csv", "--out", folder / "entries.csv") == 0
    [row] = csv.DictReader(io.StringIO((folder / "entries.csv").read_text(), newline=""))
    assert (row["official"], row["purpose"], row["case"]) == ("'=1+1", "'@x", "'+1")


def test_fhir_says_who_asked_about_whom_and_why(folder: Path, export: Export) -> None:
    assert export("--subject", LEI, "--format", "fhir", "--out", folder / "entries.ndjson") == 0
    view, inquiry, refusal, _ = map(json.loads, (folder / "entries.ndjson").read_text().splitlines())
    assert {event["resourceType"] for event in (view, inquiry, refusal)} == {"AuditEvent"}
    assert inquiry["purposeOfEvent"] == [{"text": "TENDER_QUALIFICATION"}]
    assert [agent["who"]["identifier"]["value"] for agent in inquiry["agent"]] == ["market-regulator", "m.ivanova"]
    assert [agent["requestor"] for agent in inquiry["agent"]] == [False, True]
    subject, case, entry = inquiry["entity"]
    assert subject["what"]["identifier"] == {"type": {"text": "LEI"}, "value": SUBJECT.value}
    assert {"type": "tax-arrears: record", "valueString": "tax-arrears/N-1@3"} in subject["detail"]
    assert {"type": "withheld", "valueString": "tax-arrears/N-9@2 (display-ended)"} in subject["detail"]
    assert case["what"]["identifier"]["value"] == "MR-2026-17"
    assert entry["what"]["identifier"]["value"] == f"{ORIGIN}/1/0"
    assert (refusal["outcome"], refusal["outcomeDesc"]) == ("4", "QUOTA_EXCEEDED: enough today")
    assert view["agent"][1]["who"]["identifier"]["value"] == "A. Auditor"
    assert export("--subject", LEI, "--format", "fhir", "--told-only", "--out", folder / "told.ndjson") == 0
    told = (folder / "told.ndjson").read_text()
    assert "m.ivanova" not in told
    assert "display-ended" not in told
