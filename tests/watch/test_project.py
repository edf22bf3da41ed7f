"""From entries to looks: who asked, for what, with which outcome, and no subject's name."""

from __future__ import annotations

import datetime

import msgspec
import pytest

from gateway.ledger.entry import entries
from gateway.rules.files.thresholds import Numbers
from gateway.storage.tables import SHARD_BITS
from gateway.watch.model import ANSWERED, DENIED, OUT_OF_REACH, Actor, Look, place
from gateway.watch.project import Names, Projection
from tests.watch.looks import NOON

WHO = entries.Who("https://login.example", "market-regulator", "market")
VALUE = "5493001KJTIIGC8Y1R12"
NAMES = Names(b"secret", {"LEI": Numbers(True, 2), "PIN": Numbers(False, 1)})


def projected(told: entries.Told, ignored: tuple[str, ...] = ()) -> Look | None:
    return Projection(NAMES, ignored).look(5, told, entries.Oversight(entries.VERSION, "m.ivanova"))


def answered(datasets: list[entries.Dataset], errors: tuple[str, ...] = (), purpose: str = "TENDER") -> entries.Inquiry:
    disclosed = [entries.Disclosed("organisation", "LEI", VALUE, datasets)]
    data = entries.Data(bytes(32), bytes(32))
    declared = entries.Declared(purpose, "C-1")
    return entries.Inquiry(1, "id", NOON, WHO, None, declared, "", [], disclosed, data, errors=errors)


def refused(code: str, retryable: bool = False, subjects: int = 1) -> entries.Refused:
    named = [entries.Named("organisation", "LEI", VALUE)] * subjects
    declared = entries.Declared("TENDER")
    return entries.Refused(1, "id", NOON, WHO, "", code, "", None, declared, named, retryable)


def test_an_answer_names_who_asked_and_no_subject() -> None:
    look = projected(answered([entries.Dataset("tax-arrears", ("amount",))]))
    assert look is not None
    assert (look.entry, look.at, look.purpose, look.case, look.outcome) == (5, NOON, "TENDER", "C-1", ANSWERED)
    assert look.actor == Actor("https://login.example", "market-regulator", "m.ivanova")
    (seen,) = look.subjects
    assert seen.key == NAMES.blind("LEI", VALUE)
    assert seen.key != Names(b"another", {}).blind("LEI", VALUE)
    assert seen.ordinal == int(VALUE[:-2], 36)
    assert VALUE.encode() not in seen.key


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        (answered([], (DENIED,)), DENIED),
        (answered([], ()), ANSWERED),
        (answered([entries.Dataset("a", ("b",))], (DENIED,)), ANSWERED),
        (refused("QUOTA_EXCEEDED"), "QUOTA_EXCEEDED"),
        (refused("CASE_NOT_VERIFIED"), "CASE_NOT_VERIFIED"),
        (refused("CASE_NOT_VERIFIED", retryable=True), OUT_OF_REACH),
    ],
)
def test_the_outcome(told: entries.Told, outcome: str) -> None:
    look = projected(told)
    assert look is not None
    assert look.outcome == outcome


def test_what_names_nobody_or_is_a_subjects_own_gives_no_look() -> None:
    assert projected(refused("IDENTIFIER_INVALID", subjects=0)) is None
    assert projected(answered([], purpose="SUBJECT_ACCESS"), ("SUBJECT_ACCESS",)) is None
    everybody = msgspec.structs.replace(answered([]), requester=entries.Who("public", "open-record"))
    assert projected(everybody) is None
    undeclared = entries.Refused(1, "id", NOON, WHO, "", "INQUIRY_REQUIRED", "")
    assert projected(undeclared) is None


def test_serial_numbers_follow_one_another_by_the_schemes_own_count() -> None:
    assert [NAMES.seen("PIN", value).ordinal for value in ("1000000091", "1000000103")] == [100000009, 100000010]
    assert NAMES.seen("LEI", "52990000000000000Z00").ordinal == int("52990000000000000Z", 36)
    assert NAMES.seen("VAT", "123").ordinal is None
    assert NAMES.seen("PIN", "ABC1").ordinal is None


def test_a_time_is_the_entrys_own() -> None:
    look = projected(refused("FORBIDDEN"))
    assert look is not None
    assert look.at.utcoffset() == datetime.timedelta()


def test_an_entry_is_named_by_its_shard_and_index() -> None:
    assert place((3 << SHARD_BITS) + 17) == "3-17"
