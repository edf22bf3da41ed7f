"""`dutybound ledger hold`: placed, listed, lifted, and each with its entry."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from gateway.errors import LedgerUnavailable
from gateway.ledger.acting import writer
from gateway.ledger.entry import entries
from gateway.ledger.erasure import hold, named
from gateway.ledger.log import operator
from gateway.ledger.log.operator import ActRefused
from gateway.ledger.proof import key_files
from gateway.ledger.stored import read
from gateway.storage.subjects import erasure as kept
from tests.ledger.erasure.erasing import LEI, Desk, desk, told
from tests.ledger.support import SUBJECT, opened, store_in

__all__ = ["desk"]
NAME = (SUBJECT.scheme, SUBJECT.value)


def test_a_hold_is_placed_listed_and_lifted(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    assert desk("hold", "list") == 0
    assert desk.out == "there is no hold\n"
    with monkeypatch.context() as before:  # reasons were not looked at
        before.setattr(operator, "check_line", lambda text, what: None)
        assert desk("hold", "place", "--subject", LEI, "--by", "C. Auditor", "--reason", "audit\x1b[2K 9") == 0
    id_ = desk.out.split()[2].rstrip(",")
    assert desk("hold", "list") == 0
    assert f"{id_}   " in desk.out
    assert f"on {LEI}, placed by C. Auditor: audit\\x1b[2K 9\n" in desk.out
    lift = ("hold", "lift", id_, "--by", "D. Head", "--reason", "audit ended")
    assert desk(*lift) == 0
    assert desk("hold", "list") == 0
    assert "lifted by D. Head" in desk.out
    assert SUBJECT.value not in desk.out, "a lifted hold names nobody"
    assert desk(*lift) == 1
    assert desk.err == f"hold `{id_}` was lifted by D. Head already\n"
    acts = [each for each in told(desk.folder) if isinstance(each, entries.Hold)]
    assert [(each.event, each.hold, each.by, each.reason, each.value) for each in acts] == [
        ("placed", id_, "C. Auditor", "audit\x1b[2K 9", SUBJECT.value),
        ("lifted", id_, "D. Head", "audit ended", SUBJECT.value),
    ]
    views = [each for each in told(desk.folder) if isinstance(each, entries.View)]
    assert [(each.reason, each.looked.value) for each in views] == [("a list of the holds", SUBJECT.value)]
    desk.verify()


def test_a_list_that_cannot_be_entered_names_nobody(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    assert desk("hold", "place", "--subject", LEI, "--by", "C. Auditor", "--reason", "audit 9") == 0
    assert desk("erase", "request", "--subject", LEI, "--by", "C. Auditor", "--reason", "asked for") == 0

    async def unavailable(*_: object) -> None:
        raise LedgerUnavailable("no entry can be made now")

    monkeypatch.setattr(operator, "enter", unavailable)
    for command in ("hold", "erase"):
        assert desk(command, "list") == 1
        assert SUBJECT.value not in desk.out + desk.err


def test_what_is_missing_is_told(desk: Desk) -> None:
    for arguments, said in (
        (("lift", "no1", "--by", "D", "--reason", "x"), "there is no hold `no1`"),
        (("place", "--subject", LEI, "--by", "D", "--reason", " "), "give a name and a reason"),
        (
            ("place", "--subject", LEI, "--by", "D\u202e", "--reason", "x"),
            "has U+202E (right-to-left override) as character 2",
        ),
        (
            ("place", "--subject", LEI, "--by", "D", "--reason", "a\nb"),
            "has U+000A (a line end) as character 2",
        ),
        (
            ("place", "--subject", LEI, "--by", "D", "--reason", "\x1b[2K"),
            "the reason has U+001B (an escape) as",
        ),
        (("place", "--subject", LEI, "--by", "D", "--reason", f"of {SUBJECT.value}"), "leave the identifier out of it"),
    ):
        assert desk("hold", *arguments) == 1
        assert said in desk.err
    with pytest.raises(SystemExit) as ended:
        desk("hold", "place", "--subject", "nobody", "--by", "D", "--reason", "x")
    assert ended.value.code == 2
    assert not [each for each in told(desk.folder) if isinstance(each, entries.Hold)]


async def test_of_two_who_lift_a_hold_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that finds it open for ever, which it is not, fails in its transaction: there is one entry of its end."""
    store = store_in(tmp_path)
    async with opened(store) as ledger, opened(store) as other:
        id_ = (await hold.place(ledger, NAME, "C. Auditor", "audit 9", "c")).id
        with store.engine.connect() as connection:
            seen = kept.one_hold(connection, id_)
        await hold.lift(ledger, id_, "D. Head", "ended", "d")
        with pytest.raises(ActRefused, match="was lifted by"):
            await hold.lift(other, id_, "E. Late", "ended", "e")
        monkeypatch.setattr(kept, "one_hold", lambda connection, id_: seen)
        monkeypatch.setattr(writer, "_TRIES", 5)
        with pytest.raises(ActRefused, match="somebody acted at the same moment, again and again"):
            await hold.lift(other, id_, "E. Late", "ended", "e")
        assert other.healthy
    with contextlib.closing(store.reader()) as reader:
        acts = [each.read_told() for head in read.heads(reader) for each in read.read_entries(reader, head.id, 0, 99)]
    assert [act.by for act in acts if isinstance(act, entries.Hold)] == ["C. Auditor", "D. Head"]


async def test_who_is_named_is_somebody_or_in_the_ledger(desk: Desk) -> None:
    """`place` and `request` alike; whoever an entry names already can be named again, whatever the check says."""
    private, wrong = key_files.load(desk.folder / "ledger.key"), "LEI:5493001KJTIIGC8Y1R13"
    said = ("--by", "C. Auditor", "--reason", "audit 9")
    for subject, why in (
        ("LEI:1", "it is not a valid LEI"),
        (wrong, "it is not a valid LEI"),
        ("LEI:969500t3mbs4sqamhj99", "it is not a valid LEI"),
        ("LEI:529900t8bm49aursdo55", "it is written `LEI:529900T8BM49AURSDO55` in the ledger"),
        ("LIE:5493001KJTIIGC8Y1R12", "(did you mean `LEI`?)"),
    ):
        for command in (("hold", "place"), ("erase", "request")):
            before = len(list(told(desk.folder)))
            assert await asyncio.to_thread(desk, *command, "--subject", subject, *said) == 1
            assert f"no entry names `{subject}`" in desk.err
            assert why in desk.err
            assert len(list(told(desk.folder))) == before
    unknown = ("hold", "place", "--subject", "LEI:529900T8BM49AURSDO55")
    assert await asyncio.to_thread(desk, *unknown, *said) == 0

    store = store_in(desk.folder)
    async with opened(store, private=private) as ledger:
        await hold.place(
            ledger, ("LEI", wrong.removeprefix("LEI:")), "C. Auditor", "from before there was a check", "c"
        )
    store.close()
    for command in (("hold", "place"), ("erase", "request")):
        assert await asyncio.to_thread(desk, *command, "--subject", wrong, *said) == 0, desk.err


def test_who_entries_of_version_1_name_can_be_held(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """They have no key that names anybody: they are read."""
    monkeypatch.setattr(named, "of_version_1", lambda store, subject, progress: subject[1] == "1")
    place = ("hold", "place", "--by", "C. Auditor", "--reason", "audit 9", "--subject")
    assert desk(*place, "LEI:1") == 0
    assert desk(*place, "LEI:2") == 1
