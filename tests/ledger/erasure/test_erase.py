"""`dutybound ledger erase` as people run it: two of them, with what it refuses, tells and leaves."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import datetime
import getpass
import json
import sqlite3
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from connectors.base import Subject
from gateway.ledger.entry import entries
from gateway.ledger.entry.registry import ROOT
from gateway.ledger.erasure import erase
from gateway.ledger.proof import key_files
from gateway.ledger.stored import read
from gateway.ledger.verify.store import verify_store
from gateway.storage import destruction
from gateway.storage.migrating import migrate_store
from gateway.storage.subjects import facts
from tests import configured
from tests.ledger.erasure.erasing import LEI, OTHER, Desk, desk, files, told
from tests.ledger.support import (
    AT,
    BY,
    KEY,
    ORIGIN,
    SUBJECT,
    disclosed,
    opened,
    receipt_of,
    store_in,
)

__all__ = ["desk"]

OLD = Path(__file__).parents[2] / "vectors" / "store-v1" / "store.sql"


# Two people


def test_one_requests_and_another_approves(desk: Desk) -> None:
    id_ = desk.request()
    assert f"dutybound ledger erase approve {id_} --config {desk.config} --by NAME" in desk.out
    assert desk("erase", "list") == 0
    assert f"waits for a second person: {LEI}" in desk.out
    assert desk.approve(id_) == 0
    today = datetime.datetime.now(datetime.UTC).date()
    until = {(today + datetime.timedelta(days=days)).isoformat() for days in (34, 35)}
    out = desk.out
    assert f"erased: erasure {id_}, entry 2 of {ORIGIN}/commands\n" in out
    assert "unreadable: what 5 entries have about the subject\n" in out
    assert any(f"backups: they contain the keys until {day};" in out for day in until)
    assert "such as an opt-out, which keep their effect (none)\n" in out
    assert "receipts already issued" in out
    assert f"one account of this system, `{getpass.getuser()}`, requested and approved it" in desk.err
    desk.verify()
    assert desk("erase", "list") == 0
    assert "carried out, approved by B. Judge" in desk.out
    assert SUBJECT.value not in desk.out
    assert SUBJECT.value not in str(list(told(desk.folder)))
    assert OTHER[1] in str(list(told(desk.folder))), "what the same entry says of another stays"
    [done] = [each for each in told(desk.folder) if isinstance(each, entries.Erasure)]
    assert (done.requested_by, done.by, done.reason) == ("A. Clerk", "B. Judge", "court order 7")
    receipt = desk.folder / f"erasure-{id_}.receipt"
    assert desk.run("ledger", "verify-receipt", "--key", desk.folder / "ledger.pub", receipt) == 0
    assert f"carried out erasure {id_}" in desk.out


def test_the_account_is_entered_beside_the_name(desk: Desk) -> None:
    assert desk.approve(desk.request()) == 0
    store = store_in(desk.folder)
    with contextlib.closing(store.reader()) as reader:
        officials = {
            type(each.read_told()).__name__: each.read_oversight().official
            for head in read.heads(reader)
            for each in read.read_entries(reader, head.id, 0, head.size)
        }
    store.close()
    assert officials["ErasureRequest"] == officials["Erasure"] == getpass.getuser()


@pytest.mark.parametrize("name", ["A. Clerk", "a.  CLERK ", "\uff21. Clerk"])
def test_nobody_approves_their_own_request(desk: Desk, name: str) -> None:
    id_ = desk.request()
    assert desk.approve(id_, by=name) == 1
    assert desk.err == f"A. Clerk requested erasure `{id_}`; another person has to approve it\n"
    assert SUBJECT.value in str(list(told(desk.folder)))


def test_what_is_asked_in_vain_is_told(desk: Desk) -> None:
    def fails(message: str, *arguments: object) -> None:
        assert desk(*arguments) == 1, desk.out
        assert message in desk.err

    who = ("--by", "A. Clerk", "--reason", "order")
    fails(
        "the ledger has nothing about this subject", "erase", "request", "--subject", "LEI:529900T8BM49AURSDO55", *who
    )
    fails("there is no erasure `no1`", "erase", "approve", "no1", "--by", "B")
    fails("there is no erasure `no1`", "erase", "withdraw", "no1", *who)
    fails("holds no entry of an erasure `no1`", "erase", "again", "no1", "--by", "B")
    fails("give a name and a reason", "erase", "request", "--subject", LEI, "--by", " ", "--reason", "x")
    fails("over 4000 characters", "erase", "request", "--subject", LEI, "--by", "A", "--reason", "x" * 4001)
    fails(
        "leave the identifier out of it", "erase", "request", "--subject", LEI, "--by", "A",
        "--reason", f"of {SUBJECT.value.lower()}",
    )  # fmt: skip
    id_ = desk.request()
    fails(
        f"erasure `{id_}` of this subject was requested by A. Clerk already", "erase", "request", "--subject", LEI, *who
    )
    fails("give who approves", "erase", "approve", id_, "--by", " ")
    (desk.folder / "taken").touch()
    fails("exists already", "erase", "approve", id_, "--by", "B. Judge", "--out", "taken")
    assert desk.approve(id_) == 0
    fails(f"erasure `{id_}` was carried out by B. Judge already", "erase", "approve", id_, "--by", "C", "--out", "x")
    fails("nothing to do", "erase", "again", id_, "--by", "C", "--out", "x")
    assert desk("erase", "again", "--by", "C") == 2
    desk.verify()


def test_without_its_backups_said_nothing_is_erased(desk: Desk) -> None:
    id_ = desk.request()
    configured.write(desk.folder)
    assert desk.approve(id_) == 1
    assert "ledger.backups: set how long backups of the store are kept, as `backups: P35D`" in desk.err
    configured.write(desk.folder, ledger={"backups": "35 days"})
    assert desk.approve(id_) == 1
    assert "days or weeks, as `P35D`" in desk.err
    assert SUBJECT.value in str(list(told(desk.folder)))
    configured.write(desk.folder, ledger={"backups": "P5W"})
    assert desk.approve(id_) == 0
    [done] = [each for each in told(desk.folder) if isinstance(each, entries.Erasure)]
    assert done.backups_until == done.at.date() + datetime.timedelta(days=35)


def test_a_request_can_be_taken_back(desk: Desk) -> None:
    id_ = desk.request()
    assert desk("erase", "withdraw", id_, "--by", "A. Clerk", "--reason", "the order fell") == 0
    assert desk.approve(id_) == 1
    assert f"erasure `{id_}` was withdrawn by A. Clerk already" in desk.err
    assert desk("erase", "list") == 0
    assert "withdrawn by A. Clerk" in desk.out
    assert SUBJECT.value not in desk.out
    events = [each.event for each in told(desk.folder) if isinstance(each, entries.ErasureRequest)]
    assert events == ["requested", "withdrawn"]
    assert desk.approve(desk.request()) == 0
    desk.verify()


def test_what_is_open_is_named_before_and_refused(desk: Desk) -> None:
    assert desk("hold", "place", "--subject", LEI, "--by", "C. Auditor", "--reason", "audit 9") == 0
    hold = desk.out.split()[2].rstrip(",")
    id_ = desk.request()
    assert f"it cannot be approved yet: hold `{hold}` is open; lift it" in desk.err
    assert desk.approve(id_) == 1
    assert f"erasure `{id_}` is refused: hold `{hold}` is open; lift it with" in desk.err
    assert desk("hold", "lift", hold, "--by", "C. Auditor", "--reason", "audit ended") == 0
    assert desk.approve(id_) == 0
    desk.verify()


def test_facts_in_force_stay_and_are_told(desk: Desk) -> None:
    store = store_in(desk.folder)
    facts.set_opt_out(store.engine, Subject("organisation", SUBJECT.scheme, SUBJECT.value), "awards", True, AT)
    store.close()
    assert desk.approve(desk.request()) == 0
    assert "which keep their effect (1 of kind opt-out)" in desk.out
    store = store_in(desk.folder)
    assert destruction.in_force(store.engine, SUBJECT.scheme, SUBJECT.value) == {"opt-out": 1}
    store.close()


# What others have, and what leaves afterwards


def test_old_receipts_and_answers_verify_and_exports_say_erased(desk: Desk) -> None:
    assert desk.approve(desk.request()) == 0
    for name in ("answer.json",):
        assert desk.run("ledger", "verify-receipt", "--key", desk.folder / "ledger.pub", desk.folder / name) == 0
        assert "data: exactly what was disclosed" in desk.out
        assert desk.run("ledger", "show", "--key", desk.folder / "ledger.pub", desk.folder / name) == 0
        assert SUBJECT.value in desk.out, "it says what it said"
    who = ("--by", "C. Auditor", "--reason", "audit")
    for out in ("whole", "whole.zip"):
        assert desk("export", "--from", "2026-01-01", *who, "--out", out) == 0
        assert desk.run("ledger", "verify", desk.folder / out, "--key", desk.folder / "ledger.pub") == 0
    page = (desk.folder / "whole" / "summary.html").read_text()
    assert page.count("a subject that was erased") >= 4
    assert OTHER[1] in page
    for form in ("csv", "fhir"):
        assert desk("export", "--from", "2026-01-01", *who, "--out", f"all.{form}", "--format", form) == 0
    rows = list(csv.DictReader((desk.folder / "all.csv").read_text().splitlines()))
    assert [row["subject_kind"] for row in rows if row["id"] == "inquiry-3"] == ["erased", "organisation"]
    assert [row["outcome"][:11] for row in rows if row["kind"] == "an erasure"] == ["carried out"]
    events = [json.loads(line) for line in (desk.folder / "all.fhir").read_text().splitlines()]
    assert sum({"name": "subject", "description": "erased"} in each["entity"] for each in events) == 3
    exported = [*(desk.folder / "whole").rglob("*"), *desk.folder.glob("all.*")]
    written = [path for path in exported if path.is_file()]
    assert len(written) >= 19
    assert not any(SUBJECT.value.encode() in path.read_bytes() for path in written)
    assert desk("export", "--subject", LEI, *who, "--out", "mine") == 1
    assert "What was erased is not found" in desk.err
    assert desk("export", "--subject", LEI, *who, "--out", "mine", "--anyway") == 0
    assert desk.run("ledger", "verify", desk.folder / "mine", "--key", desk.folder / "ledger.pub") == 0
    desk.verify()


async def test_receipts_of_erased_entries_are_still_served(desk: Desk) -> None:
    private = key_files.load(desk.folder / "ledger.key")
    store = store_in(desk.folder)
    async with opened(store, private=private) as ledger:
        id_ = (await erase.request(ledger, (SUBJECT.scheme, SUBJECT.value), "A", "order", "a")).id
        await erase.approve(ledger, id_, "B", "b", (), datetime.timedelta(days=1))
        own = ledger.own(*BY)
        (desk.folder / "own").write_text(own[0].receipt.text)
    store.close()
    assert len(own) == 3
    assert desk.run("ledger", "verify-receipt", "--key", desk.folder / "ledger.pub", desk.folder / "own") == 0
    assert desk.run("ledger", "show", "--key", desk.folder / "ledger.pub", desk.folder / "own") == 0
    assert "a subject that was erased" in desk.out
    answer = json.loads((desk.folder / "answer.json").read_bytes())
    assert receipt_of((desk.folder / "answer.json").read_bytes()) == answer["extensions"]["inquiry"]["receipt"]


# Entries of version 1


@pytest.mark.parametrize("also_new", [False, True])
async def test_entries_of_version_1_are_counted_and_stay(desk: Desk, also_new: bool) -> None:
    for file in files(desk.folder):
        file.unlink()
    with contextlib.closing(sqlite3.connect(desk.folder / "ledger.db")) as connection:
        connection.executescript(OLD.read_text())
    migrate_store(f"sqlite:///{desk.folder / 'ledger.db'}")
    store = store_in(desk.folder)
    for number in range(4):  # its entries were decided from so many, and the vector has none
        facts.withdraw(store.engine, Subject("organisation", *OTHER), "tax-arrears", f"N-{number}", AT)
    assert erase.of_version_1(store, (SUBJECT.scheme, SUBJECT.value)) == 5
    assert erase.of_version_1(store, OTHER) == 0
    if not also_new:
        asked = ("erase", "request", "--subject", LEI, "--by", "A. Clerk", "--reason", "order")
        assert await asyncio.to_thread(desk, *asked) == 1
        assert desk.err == "only entries of version 1 name this subject (5), and those cannot be erased alone\n"
        return
    (desk.folder / "ledger.key").unlink()
    write_key(desk.folder / "ledger.key")
    async with opened(store) as ledger:
        await disclosed(ledger, 9)
    id_ = await asyncio.to_thread(desk.request)
    said = "stays readable: 5 entries of version 1 name the subject; their contents cannot be erased alone\n"
    assert said in desk.out
    assert await asyncio.to_thread(desk.approve, id_) == 0
    assert said in desk.out
    assert "unreadable: what 2 entries have" in desk.out
    assert str(list(told(desk.folder))).count(SUBJECT.value) >= 5
    assert len(verify_store(store, key_files.verifiers(KEY, ORIGIN, [ROOT, "1"]))) == 3
    store.close()


def write_key(path: Path) -> None:
    pem = KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.touch(mode=0o600)
    path.write_bytes(pem)
