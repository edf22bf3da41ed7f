"""Receipts and the ledger, by the commands and the public tiles, on the store of a running gateway."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import pytest

from deploy.demo.client import Reply
from deploy.demo.processes import ROOT
from gateway import cli
from tests.journeys.asking import OFFICIALS, document, entries, inquire

if TYPE_CHECKING:
    from tests.conftest import World

RECEIPTS = """query($after: String, $first: Int) { receipts(after: $after, first: $first) {
  id receipt ruleSet time cursor obligations { id type properties { name value } }
  cautions { dataset record disputed mitigation } } }"""


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def dutybound(*arguments: str) -> Done:
    """One command, in this process: only `test_the_live_store_verifies` pays for one of its own."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = cli.main(list(arguments))
    return Done(status, out.getvalue(), err.getvalue())


def verify(world: World, file: Path, content: str) -> Done:
    file.write_text(content)
    return dutybound("ledger", "verify-receipt", "--key", str(world.region.place.public_key), str(file))


def tender(world: World) -> Reply:
    return inquire(
        world, "market-regulator", "TENDER_QUALIFICATION", "{ name taxArrears { amount } }", world.subject("ordinary")
    )


def test_an_answer_proves_itself_and_an_altered_one_does_not(world: World, tmp_path: Path) -> None:
    body: Any = tender(world).body
    done = verify(world, tmp_path / "answer.json", json.dumps(body))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("signed: entry ")
    assert "exactly what was disclosed" in done.stdout
    body["data"]["organisation"]["taxArrears"][0]["amount"] = "0.01"
    altered = verify(world, tmp_path / "altered.json", json.dumps(body))
    assert (altered.returncode, altered.stdout) == (1, "")
    assert "changed" in altered.stderr


def test_no_byte_of_a_receipt_may_change(world: World, tmp_path: Path) -> None:
    receipt: str = tender(world).inquiry["receipt"]
    assert verify(world, tmp_path / "receipt", receipt).returncode == 0
    body = receipt.index("\n") + 1
    for place in range(body, len(receipt), max(1, (len(receipt) - body) // 60)):
        flipped = receipt[:place] + ("A" if receipt[place] != "A" else "B") + receipt[place + 1 :]
        done = verify(world, tmp_path / "flipped", flipped)
        assert done.returncode == 1, flipped
        assert "Traceback" not in done.stderr
        assert done.stdout == ""


def test_a_refusal_has_a_receipt_too(world: World, tmp_path: Path) -> None:
    query = "query($id: IdentifierInput!) { organisation(id: $id) { name } }"
    reply = world.ask("market-regulator", query, {"id": world.subject("ordinary")})
    assert reply.codes == ["INQUIRY_REQUIRED"]
    done = verify(world, tmp_path / "refusal", reply.inquiry["receipt"])
    assert done.returncode == 0
    assert "INQUIRY_REQUIRED" in done.stdout


def test_another_key_does_not_verify(world: World, tmp_path: Path) -> None:
    made = dutybound(
        "keys", "generate", "--origin", "demo.dutybound.example/ledger", "--out", str(tmp_path / "other.key")
    )
    assert made.returncode == 0, made.stderr
    file = tmp_path / "receipt"
    file.write_text(tender(world).inquiry["receipt"])
    done = dutybound("ledger", "verify-receipt", "--key", str(tmp_path / "other.pub"), str(file))
    assert (done.returncode, done.stdout) == (1, "")


def test_a_receipt_shows_as_a_sheet(world: World, tmp_path: Path) -> None:
    file = tmp_path / "answer.json"
    file.write_text(json.dumps(tender(world).body))
    for option in ([], ["--html"]):
        done = dutybound("ledger", "show", "--key", str(world.region.place.public_key), *option, str(file))
        assert done.returncode == 0, done.stderr
        for word in ("TENDER_QUALIFICATION", world.subject("ordinary")["value"], "tax-arrears"):
            assert word in done.stdout


def test_a_package_calls_things_as_the_active_policies_do(world: World, tmp_path: Path) -> None:
    tender(world)
    config, out = str(world.region.place.config), tmp_path / "evidence"
    about = f"LEI:{world.subject('ordinary')['value']}"
    who = ("--by", "A. Auditor", "--reason", "Audit 7", "--subject", about, "--out", str(out))
    done = dutybound("ledger", "export", "--config", config, *who)
    assert done.returncode == 0, done.stderr
    page = (out / "summary.html").read_text("utf-8")
    for said in (
        "Market Regulation Authority (market)", "Notices of tax arrears (tax-arrears)", "(TENDER_QUALIFICATION)",
        "from the policies that were active when this was made",
    ):  # fmt: skip
        assert said in page


def test_the_live_store_verifies(world: World) -> None:
    tender(world)
    command = [sys.executable, "-m", "gateway.cli", "ledger", "verify", "--config", str(world.region.place.config)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("whole: demo.dutybound.example/ledger/")


def test_receipts_are_the_callers_own_page_by_page(world: World) -> None:
    asked = [tender(world).inquiry for _ in range(3)]
    rows: list[dict[str, Any]] = []
    after = None
    while page := world.ask(
        "market-regulator", RECEIPTS, {"after": after, "first": 7}, official=OFFICIALS["market-regulator"]
    ).data["receipts"]:
        assert len(page) <= 7
        rows += page
        after = page[-1]["cursor"]
        if len(page) < 7:
            break
    ids = [row["id"] for row in rows]
    assert len(set(ids)) == len(ids)
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
    mine = [row for row in rows if row["id"] in {one["id"] for one in asked}]
    assert [row["id"] for row in mine] == [one["id"] for one in asked]
    for row, one in zip(mine, asked, strict=True):
        assert row["ruleSet"] == one["ruleSet"]
        assert [duty["type"] for duty in row["obligations"]] == [duty["type"] for duty in one["obligations"]]
        assert row["receipt"].splitlines()[1] == one["receipt"].splitlines()[1]  # what was told, and its salts
    others = world.ask("civil-court", RECEIPTS, {"first": 100}, official=OFFICIALS["civil-court"]).data["receipts"]
    assert not {row["id"] for row in others} & set(ids)


def test_a_past_receipt_verifies(world: World, tmp_path: Path) -> None:
    tender(world)
    row = world.ask("market-regulator", RECEIPTS, {"first": 1}, official=OFFICIALS["market-regulator"]).data[
        "receipts"
    ][0]
    assert verify(world, tmp_path / "past", row["receipt"]).returncode == 0


@pytest.mark.parametrize(
    "variables", [{"first": 0}, {"first": -1}, {"first": 101}, {"after": "nowhere"}, {"after": ""}]
)
def test_a_page_that_cannot_be_is_refused(world: World, variables: dict[str, Any]) -> None:
    reply = world.ask("market-regulator", RECEIPTS, variables)
    if variables == {"after": ""}:
        assert reply.status == 200  # the beginning
        return
    assert (reply.status, reply.codes) == (400, ["GRAPHQL_VARIABLES_INVALID"])
    assert "data" not in reply.body


def test_a_refused_page_refuses_the_inquiry_beside_it(world: World) -> None:
    query = document("LICENCE_RENEWAL", "organisation", "{ name } receipts(first: 0) { id }")
    before = entries(world)
    reply = world.ask("market-regulator", query, {"id": world.subject("ordinary")})
    assert (reply.status, reply.codes) == (400, ["GRAPHQL_VARIABLES_INVALID"])
    assert "data" not in reply.body
    assert entries(world) == before + 1


def test_checkpoint_and_tiles_are_hashes_only(world: World) -> None:
    tender(world)
    at = f"{world.told['gateway']}/ledger/{world.told['ledger']['shard']}"
    origin, size, root, *_ = httpx.get(f"{at}/checkpoint").text.splitlines()
    assert origin == f"{world.told['ledger']['origin']}/{world.told['ledger']['shard']}"
    assert len(base64.b64decode(root)) == 32
    width = min(int(size), 256)
    tile = "000" if width == 256 else f"000.p/{width}"
    hashes = httpx.get(f"{at}/tile/0/{tile}")
    assert len(hashes.content) == 32 * width
    commitments = httpx.get(f"{at}/tile/entries/{tile}").content
    assert len(commitments) == 34 * width
    assert all(commitments[n * 34 : n * 34 + 2] == b"\x00\x20" for n in range(width))
    assert world.subject("ordinary")["value"].encode() not in commitments


@pytest.mark.parametrize(
    "path",
    ["tile/0/999", "tile/0/000.p/0", "tile/0/000.p/300", "tile/9/000", "tile/x", "tile/entries/999", "../1/x", ""],
)
def test_what_the_log_does_not_have_is_not_found(world: World, path: str) -> None:
    at = f"{world.told['gateway']}/ledger/{world.told['ledger']['shard']}/{path}"
    assert httpx.get(at).status_code == 404
    assert httpx.get(f"{world.told['gateway']}/ledger/nobody/checkpoint").status_code == 404
