"""`ledger verify` and `verify-receipt` as an auditor runs them: a URL, a copy of a log, and a folder of receipts."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from gateway.ledger.log.ledger import Ledger
from gateway.ledger.proof import key_files
from gateway.ledger.proof.tlog_proof import Receipt
from tests.ledger.conftest import Run
from tests.ledger.served import Files, leaves_of, made_of, published, serving, write
from tests.ledger.support import AT, BY, KEY, ORIGIN, disclosed, opened, receipt_of, refused, store_in


@pytest.fixture
async def log(tmp_path: Path) -> Files:
    """A log of three entries, its public keys beside it, and its receipts in a folder."""
    receipts = tmp_path / "receipts"
    receipts.mkdir()
    key_files.write_verifiers(tmp_path / "ledger.pub", KEY, ORIGIN, ["1", "2", "3"])
    store = store_in(tmp_path)
    async with opened(store) as ledger:
        first = await disclosed(ledger, 1)
        (tmp_path / "checkpoint").write_bytes(published(store)["checkpoint"])
        (receipts / "answer.json").write_bytes(first)
        (receipts / "receipt").write_text(receipt_of(await disclosed(ledger, 2)))
        (receipts / "refused").write_text(await refused(ledger, 3))
    return published(store)


async def test_a_gateway_is_verified_by_its_url(log: Files, tmp_path: Path, run: Run) -> None:
    key = ("--key", tmp_path / "ledger.pub")
    with serving({"1": log, "3": made_of([bytes(32)], "3")}) as url:
        assert run("ledger", "verify", url, *key, "--receipts", tmp_path / "receipts") == 0
        assert [line.partition(", root")[0] for line in run.out.splitlines()] == [
            f"whole: {ORIGIN}/1, 3 entries",
            f"whole: {ORIGIN}/3, 1 entry",
            "receipts: 3 published",
        ]
        assert run("ledger", "verify", f"{url}/ledger/", *key) == 0
        assert f"whole: {ORIGIN}/1, 3 entries, 0 of them new" in run.out
        assert run("ledger", "verify", f"{url}/ledger/3", *key, "--receipts", tmp_path / "receipts") == 0
        assert f"receipts: 3 signed, of a log that was not looked at (`{ORIGIN}/1`)" in run.out
    with serving({"3": made_of([bytes(32)], "3")}) as url:
        assert run("ledger", "verify", url, *key) == 1
        assert "there is no checkpoint" in run.err, "a shard that was seen must be there"
    with serving({}) as url:
        assert run("ledger", "verify", url, *key, "--state", tmp_path / "other") == 1
        assert "no log" in run.err


async def test_what_was_seen_is_remembered_between_runs(log: Files, tmp_path: Path, run: Run) -> None:
    leaves = leaves_of(log)
    command = ("--key", tmp_path / "ledger.pub", "--state", tmp_path / "state")
    with serving({"1": log}) as url:
        assert run("ledger", "verify", url, *command) == 0
    with serving({"1": made_of([*leaves[:2], bytes(32), bytes(32)])}) as url:
        assert run("ledger", "verify", url, *command) == 1
    assert run.err.count("\n") == 1
    assert "it was forked: the tree of 3 entries of the last checkpoint seen is no beginning" in run.err
    assert "both checkpoints are kept in" in run.err


async def test_a_copy_of_a_log_and_of_a_store_is_verified(log: Files, tmp_path: Path, run: Run) -> None:
    write(log, tmp_path / "copy")
    key = ("--key", tmp_path / "ledger.pub")
    assert run("ledger", "verify", tmp_path / "copy", *key) == 0
    assert run.out.startswith(f"whole: {ORIGIN}/1, 3 entries, root ")
    shutil.rmtree(tmp_path / "copy" / "tile" / "entries")
    assert run("ledger", "verify", tmp_path / "copy", *key) == 1
    assert "`tile/entries/000` is missing" in run.err
    assert run("ledger", "verify", tmp_path / "ledger.db", *key) == 0
    assert run.out.startswith(f"whole: {ORIGIN}/1, 3 entries, root ")


async def test_a_receipt_in_the_folder_that_does_not_verify_is_named(log: Files, tmp_path: Path, run: Run) -> None:
    text = (tmp_path / "receipts" / "receipt").read_text()
    (tmp_path / "receipts" / "receipt").write_text(text.replace("index 1", "index 0"))
    with serving({"1": log}) as url:
        command = ("ledger", "verify", url, "--key", tmp_path / "ledger.pub", "--receipts")
        assert run(*command, tmp_path / "receipts") == 1
        assert f"`{tmp_path / 'receipts' / 'receipt'}`: this receipt does not verify" in run.err
        (tmp_path / "none").mkdir()
        assert run(*command, tmp_path / "none") == 1
        assert "holds no receipt" in run.err
        assert run(*command, tmp_path / "nowhere") == 1


async def test_wrong_calls_are_told(log: Files, tmp_path: Path, run: Run) -> None:
    assert run("ledger", "verify") == 1
    assert run.err.startswith("gateway.yaml: does not exist")
    assert run("ledger", "verify", tmp_path / "ledger.db", "--store", tmp_path / "ledger.db") == 2
    assert run("ledger", "verify", "http://127.0.0.1:9") == 2
    assert "--key" in run.err
    assert run("ledger", "verify", tmp_path / "nowhere", "--key", tmp_path / "ledger.pub") == 1
    assert "does not exist" in run.err


async def test_a_receipt_is_published_where_the_log_covers_it(log: Files, tmp_path: Path, run: Run) -> None:
    base = ("ledger", "verify-receipt", "--key", tmp_path / "ledger.pub")
    receipts = tmp_path / "receipts"
    with serving({"1": log}) as url:
        for named in (url, f"{url}/ledger", f"{url}/ledger/1"):
            assert run(*base, "--log", named, receipts / "answer.json") == 0
            assert run.out.startswith(f"published: entry 0 of {ORIGIN}/1, in a tree of 1\n")
        leaves = leaves_of(log)
        assert run(*base, "--log", url, "--published", tmp_path / "checkpoint", receipts / "receipt") == 0
        assert run.out.startswith("signed: entry 1 ")
        assert "is older than this receipt" in run.err
    with serving({"1": made_of([bytes(32), *leaves[1:]])}) as url:
        assert run(*base, "--log", url, receipts / "answer.json") == 1
        assert "forked: entry 0 that it publishes is not that of this receipt" in run.err
    with serving({"1": made_of(leaves, "2")}) as url:
        assert run(*base, "--log", url, receipts / "answer.json") == 1
        assert f"is of `{ORIGIN}/2`, not of `{ORIGIN}/1`" in run.err


async def test_a_published_checkpoint_is_enough_for_a_receipt_of_its_tree(log: Files, tmp_path: Path, run: Run) -> None:
    base = ("ledger", "verify-receipt", "--key", tmp_path / "ledger.pub", "--published")
    assert run(*base, tmp_path / "checkpoint", tmp_path / "receipts" / "answer.json") == 0
    assert run.out.startswith("published: entry 0 ")
    (tmp_path / "later").write_bytes(log["checkpoint"])
    assert run(*base, tmp_path / "later", tmp_path / "receipts" / "answer.json") == 0
    assert run.out.startswith("signed: entry 0 ")
    assert "`--log URL` shows whether it contains" in run.err
    (tmp_path / "other").write_bytes(made_of([bytes(32)])["checkpoint"])
    assert run(*base, tmp_path / "other", tmp_path / "receipts" / "answer.json") == 1
    assert "it was forked" in run.err
    (tmp_path / "other").write_bytes(log["checkpoint"].replace(b"\n3\n", b"\n1\n"))
    assert run(*base, tmp_path / "other", tmp_path / "receipts" / "answer.json") == 1
    assert "was altered" in run.err


async def test_entries_of_kinds_that_are_not_known_are_told(tmp_path: Path, run: Run) -> None:
    store, key = store_in(tmp_path), ("--key", tmp_path / "ledger.pub")
    key_files.write_verifiers(tmp_path / "ledger.pub", KEY, ORIGIN, ["1"])
    async with opened(store) as ledger:
        await disclosed(ledger, 1)
        receipts = [await enter(ledger, kind) for kind in ("later", "later", "c\x1b[31m")]
    store.close()
    assert run("ledger", "verify", "--store", tmp_path / "ledger.db", *key) == 0
    assert run.out.splitlines()[1:] == [
        "unknown: 3 entries of kinds that this version does not know (`c\N{REPLACEMENT CHARACTER}"
        "\N{REPLACEMENT CHARACTER}31m` 1, `later` 2): proven as all others, but shown by a later version only"
    ]
    (tmp_path / "receipt").write_text(receipts[0].text)
    said = "an entry of a kind that this version does not know (`later`)"
    assert run("ledger", "verify-receipt", tmp_path / "receipt", *key) == 0
    assert run.out.splitlines()[1] == f"{said}, {AT.isoformat()}: made {said}"
    for form in ((), ("--html",)):
        assert run("ledger", "show", tmp_path / "receipt", *key, *form) == 0
        assert said in run.out


async def enter(ledger: Ledger, kind: str) -> Receipt:
    said = {"kind": kind, "v": 2, "id": "e", "at": AT, "requester": {"issuer": BY[0], "client": BY[1]}}
    return await ledger.append(msgspec.json.encode(said), b'{"v":2}', AT, BY)


@pytest.mark.parametrize("target", ["http://[::1", "https://", "http://gateway.example:port"])
def test_what_is_no_url_is_refused_in_words(tmp_path: Path, run: Run, target: str) -> None:
    key_files.write_verifiers(tmp_path / "ledger.pub", KEY, ORIGIN, ["1"])
    assert run("ledger", "verify", target, "--key", tmp_path / "ledger.pub") == 2
    assert run.err == f"`{target}` is no URL; write it as `https://gateway.example`\n"
