"""`dutybound ledger ...` and `dutybound keys ...` as a person runs them: a process, its output and its exit code."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from gateway.ledger.proof import key_files
from tests import configured
from tests.ledger.conftest import Run
from tests.ledger.support import DATA, KEY, ORIGIN, disclosed, opened, receipt_of, refused, store_in


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    key_files.write_verifiers(tmp_path / "ledger.pub", KEY, ORIGIN, ["1", "2"])
    async with opened(store_in(tmp_path)) as ledger:
        answer = await disclosed(ledger)
        (tmp_path / "answer.json").write_bytes(answer)
        (tmp_path / "receipt").write_text(receipt_of(answer))
        (tmp_path / "refused").write_text(await refused(ledger))
    return tmp_path


async def test_a_receipt_verifies(folder: Path, run: Run) -> None:
    assert run("ledger", "verify-receipt", "--key", folder / "ledger.pub", folder / "receipt") == 0
    assert run.out == (
        f"signed: entry 0 of {ORIGIN}/1, in a tree of 1\n"
        "inquiry inquiry-1: market-regulator asked at 2026-11-24T09:30:00+00:00 for TENDER_QUALIFICATION"
        " and received 1 record\n"
        "data: not presented, so not checked\n"
    )


async def test_an_answer_verifies_with_its_data(folder: Path, run: Run) -> None:
    assert run("ledger", "verify-receipt", "--key", folder / "ledger.pub", folder / "answer.json") == 0
    assert run.out.endswith("data: exactly what was disclosed\n")


async def test_a_refusal_verifies(folder: Path, run: Run) -> None:
    assert run("ledger", "verify-receipt", "--key", folder / "ledger.pub", folder / "refused") == 0
    assert "refused at 2026-11-24T09:30:00+00:00 with QUOTA_EXCEEDED; nothing was disclosed" in run.out


async def test_changed_data_fail(folder: Path, run: Run) -> None:
    answer = (folder / "answer.json").read_bytes()
    (folder / "answer.json").write_bytes(answer.replace(b"2026 Q1", b"2026 Q2"))
    assert run("ledger", "verify-receipt", "--key", folder / "ledger.pub", folder / "answer.json") == 1
    assert run.out == ""
    assert run.err == "the data are not what was disclosed: they were changed after they left the gateway\n"


async def test_a_changed_caution_fails(folder: Path, run: Run) -> None:
    answer = (folder / "answer.json").read_bytes()
    (folder / "answer.json").write_bytes(answer.replace(b'"disputed":true', b'"disputed":false'))
    assert run("ledger", "verify-receipt", "--key", folder / "ledger.pub", folder / "answer.json") == 1
    assert "`cautions` is not what was entered" in run.err


async def test_files_that_are_not_what_they_should_be(folder: Path, run: Run) -> None:
    garbage = folder / "garbage"
    for content in (b"", b"\x00" * 100, b"{}", b"\xff\xfe", (folder / "receipt").read_bytes()[:-30]):
        garbage.write_bytes(content)
        assert run("ledger", "verify-receipt", "--key", folder / "ledger.pub", garbage) == 1
        assert run.err.count("\n") == 1
        assert run("ledger", "verify-receipt", "--key", garbage, folder / "receipt") == 1
        assert run("ledger", "show", "--key", folder / "ledger.pub", "--answer", garbage, folder / "receipt") == 1
        assert run("ledger", "verify", "--key", folder / "ledger.pub", "--store", garbage) == 1
    assert run("ledger", "verify-receipt", "--key", folder / "ledger.pub", folder / "nowhere") == 1
    assert run("ledger", "verify-receipt", "--key", folder / "ledger.pub", folder) == 1


async def test_a_sheet_without_a_key_says_that_it_proves_nothing(folder: Path, run: Run) -> None:
    assert run("ledger", "show", folder / "receipt") == 0
    words = " ".join(run.out.split())
    assert "unverified: no public key was given" in words
    assert "(C2SP signed-note) was not checked: that takes `--key`;" in words
    assert "public key above" not in words
    text = (folder / "receipt").read_text()
    (folder / "other").write_text(text.replace("index 0", "index 1", 1) if "index 0\n" in text else text[:-40])
    assert run("ledger", "show", folder / "other") == 1


async def test_the_sheet_as_text(folder: Path, run: Run) -> None:
    command = ("ledger", "show", "--key", folder / "ledger.pub", "--answer", folder / "answer.json", folder / "receipt")
    assert run(*command) == 0
    for said in (
        "Receipt of inquiry inquiry-1",
        "market-regulator, of the department `market`",
        "TENDER_QUALIFICATION",
        "MR-2026-17",
        "organisation LEI 5493001KJTIIGC8Y1R12",
        "tax-arrears/N-1@3",
        "delete it by Monday 22 February 2027",
        "mitigation: flood of 2025",
        "byte for byte what was disclosed",
    ):
        assert said in run.out
    assert "(C2SP signed-note) was checked with the public key above;" in " ".join(run.out.split())
    assert "display-ended" not in run.out
    assert "m.ivanova" not in run.out


async def test_the_sheet_says_what_things_are_called_and_what_was_refused(folder: Path, run: Run) -> None:
    catalogue = {
        "departments": {"market": "Market Regulation Authority"},
        "purposes": [
            {
                "id": "TENDER_QUALIFICATION", "title": "Qualification of a <tenderer>",
                "basis": [{"law": "Public Procurement Act", "article": "54"}],
            }
        ],
        "datasets": [{"id": "tax-arrears", "title": "Notices of tax arrears", "fields": []}],
    }  # fmt: skip
    (folder / "catalogue.json").write_text(json.dumps(catalogue))
    answer = json.loads((folder / "answer.json").read_text())
    denied = {"code": "UNAUTHORIZED_FIELD_OR_TYPE", "articles": ["19", "28(1)"]}
    answer["errors"] = [
        {"message": "Leave `amount` out.", "extensions": denied},
        {"message": "Leave `amount` out.", "extensions": denied},
        {
            "message": "TENDER_QUALIFICATION does not cover `tax-arrears.period`, nor `other.period`.",
            "extensions": denied,
        },
        {"message": "A department is late.", "extensions": {"code": "SOURCE_TIMEOUT"}},
    ]
    (folder / "refused.json").write_text(json.dumps(answer))
    command = ("ledger", "show", "--key", folder / "ledger.pub", "--catalogue", folder / "catalogue.json")
    assert run(*command, "--answer", folder / "refused.json", folder / "receipt") == 0
    said = " ".join(run.out.split())
    assert "market-regulator, of the department Market Regulation Authority (market)" in said
    assert "Qualification of a <tenderer> (TENDER_QUALIFICATION)" in said
    assert "Law: Public Procurement Act, article 54" in said
    assert "Notices of tax arrears (tax-arrears)" in said
    assert said.count("Leave `amount` out. articles 19, 28(1)") == 1
    covers = "Qualification of a <tenderer> (TENDER_QUALIFICATION) does not cover period of Notices of tax arrears"
    assert f"{covers} (tax-arrears), nor `other.period`." in said
    assert "from the answer that was presented, not from the receipt" in said
    assert "A department is late" not in said
    assert run(*command, "--html", folder / "receipt") == 0
    assert "Qualification of a &lt;tenderer&gt;" in run.out
    assert "What was refused" not in run.out
    (folder / "catalogue.json").write_text("[]")
    assert run(*command, folder / "receipt") == 1
    assert "this is no catalogue" in run.err


class Page(HTMLParser):
    """The tags of a page, and every address it names."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.addresses: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "action")]

    def handle_data(self, data: str) -> None:
        self.text += data


async def test_the_sheet_as_a_page_that_needs_nothing_and_carries_no_script(folder: Path, run: Run) -> None:
    assert run("ledger", "show", "--html", "--key", folder / "ledger.pub", folder / "answer.json") == 0
    page = Page()
    page.feed(run.out)
    assert not page.tags & {"script", "img", "iframe", "b"}
    assert set(page.addresses) == {"data:,", "#main"}, "no icon, and its own content"
    assert "order <b>4</b>" in page.text
    assert "byte for byte what was disclosed" in page.text


async def test_the_sheet_of_a_refusal(folder: Path, run: Run) -> None:
    assert run("ledger", "show", "--key", folder / "ledger.pub", folder / "refused") == 0
    assert "QUOTA_EXCEEDED" in run.out
    assert "nothing was disclosed" in run.out


async def test_a_store_verifies(folder: Path, run: Run) -> None:
    for store in (folder / "ledger.db", f"sqlite:///{folder / 'ledger.db'}"):
        assert run("ledger", "verify", "--key", folder / "ledger.pub", "--store", store) == 0
        assert run.out.startswith(f"whole: {ORIGIN}/1, 2 entries, root ")
    assert run("ledger", "verify", "--key", folder / "ledger.pub", "--store", folder / "nowhere.db") == 1
    assert run("ledger", "verify", "--key", folder / "ledger.pub", "--store", store, "--config", "gateway.yaml") == 2


async def test_a_store_verifies_by_the_configuration_that_names_it(folder: Path, run: Run) -> None:
    config = configured.write(folder)
    assert run("ledger", "verify", "--config", config) == 1
    assert "keys generate" in run.err
    key_files.generate(folder / "ledger.key")
    assert run("ledger", "verify", "--config", config) == 1
    assert "no key that you trust" in run.err
    assert run("ledger", "verify", "--config", config, "--key", folder / "ledger.pub") == 0
    assert run("ledger", "verify", "--config", config, "--store", "x.db") == 2


async def test_keys_are_made_once_and_kept_to_their_owner(tmp_path: Path, run: Run) -> None:
    command = ("keys", "generate", "--origin", ORIGIN, "--out", tmp_path / "ledger.key", "--shards", 2)
    assert run(*command) == 0
    assert stat.S_IMODE((tmp_path / "ledger.key").stat().st_mode) == 0o600
    private = key_files.load(tmp_path / "ledger.key")
    assert key_files.read_verifiers(tmp_path / "ledger.pub") == key_files.verifiers(
        private, ORIGIN, ["root", "commands", "recalls", "1", "2", "open", "open-2"]
    )
    before = (tmp_path / "ledger.key").read_bytes()
    assert run(*command) == 1
    assert "exists already" in run.err
    (tmp_path / "ledger.pub").unlink()
    assert run(*command) == 1
    assert (tmp_path / "ledger.key").read_bytes() == before
    for origin in ("a b", "a+b", ""):
        assert run("keys", "generate", "--origin", origin, "--out", tmp_path / "other.key") == 2
        assert run.err.startswith(f"--origin: `{origin}` is no name of a ledger")
        assert "shards" not in run.err
    for shards in (0, 65):
        assert run("keys", "generate", "--origin", ORIGIN, "--out", tmp_path / "other.key", "--shards", shards) == 2
        assert run.err == f"--shards: a ledger has 1 to 64 shards, not {shards}\n"
    assert not (tmp_path / "other.key").exists()


def test_the_real_command_ends_well(folder: Path) -> None:
    command = ["ledger", "verify-receipt", "--key", str(folder / "ledger.pub"), str(folder / "answer.json")]
    done = subprocess.run([sys.executable, "-m", "gateway.cli", *command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("signed: entry 0 ")


async def test_an_answer_laid_out_for_reading_still_verifies(folder: Path, run: Run) -> None:
    answer = (folder / "answer.json").read_bytes()
    (folder / "answer.json").write_bytes(msgspec.json.format(answer, indent=2))
    assert DATA not in (folder / "answer.json").read_bytes()
    assert run("ledger", "verify-receipt", "--key", folder / "ledger.pub", folder / "answer.json") == 0
