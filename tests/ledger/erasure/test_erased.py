"""One of two subjects of an inquiry is erased: what is left is read, proved and exported."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from connectors.base import Subject
from gateway.errors import VerificationFailed
from gateway.ledger.commands.receipt_files import check_presented
from gateway.ledger.entry import entries
from gateway.ledger.entry.receipt import check_data, check_extension, read_file, verify_receipt
from gateway.ledger.export import as_csv, as_fhir
from gateway.ledger.export.select import Chosen, choose, one
from gateway.ledger.stored import read
from gateway.ledger.verify.store import verify_store
from tests.ledger.pair import OTHER, disclosed_pair, erase
from tests.ledger.support import DATA, SUBJECT, VERIFIERS, disclosed, opened, receipt_of, refused, store_in


class Erased(NamedTuple):
    """What there was before, and what there is after."""

    answer: bytes
    alone: bytes
    pair: Chosen
    single: Chosen
    refusal: Chosen
    found: Callable[[Subject], list[int]]


@pytest.fixture(params=[SUBJECT, OTHER], ids=["first", "second"])
async def erased(request: pytest.FixtureRequest, tmp_path: Path) -> Erased:
    """An inquiry about two, another about the first of them and a refusal about it; then one of the two erased."""
    store = store_in(tmp_path)
    async with opened(store) as ledger:
        answer = await disclosed_pair(ledger, 1)
        alone = await disclosed(ledger, 2)
        await refused(ledger, 3)
        await erase(store, ledger, request.param)
    assert [each.size for each in verify_store(store, VERIFIERS, rows=False)] == [4]

    def found(subject: Subject) -> list[int]:
        with contextlib.closing(store.reader()) as reader:
            return [each.entry.index for each in choose(reader, entries.Looked(subject.scheme, subject.value))]

    with contextlib.closing(store.reader()) as reader:
        pair, single, refusal = (one(reader, "1", index) for index in range(3))
    return Erased(answer, alone, pair, single, refusal, found)


async def test_before_everything_is_each_subjects_own(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    async with opened(store) as ledger:
        answer = await disclosed_pair(ledger, 1)
    with contextlib.closing(store.reader()) as reader:
        (entry,) = read.read_entries(reader, 1, 0, 1)
    assert entry.told is not None
    assert entry.oversight is not None
    bodies = [body or b"" for body in (*(entry.told.bodies or ()), *(entry.oversight.bodies or ()))]
    for own, foreign in (((0, 2), (b"M-1", b"M-9", b"c-2", b"flood")), ((1, 3), (b"N-1", b"N-9", b"c-1"))):
        assert not [word for at in own for word in foreign if word in bodies[at]]
    told, seen = entry.read_told(), entry.read_oversight()
    assert isinstance(told, entries.Inquiry)
    assert msgspec.to_builtins(told.cautions) == msgspec.json.decode(answer)["extensions"]["inquiry"]["cautions"]
    assert [(each.subject, each.record) for each in seen.withheld] == [
        (0, "tax-arrears/N-9@2"),
        (1, "tax-arrears/M-9@1"),
    ]
    assert (seen.consents, seen.consents_of) == (("c-1", "c-2"), (0, 1))


def test_the_others_data_are_there(erased: Erased) -> None:
    (gone,) = erased.pair.entry.erased
    place = erased.pair.entry.keys.index(gone)
    told, seen = erased.pair.told, erased.pair.oversight
    assert isinstance(told, entries.Inquiry)
    assert [subject == entries.ERASED for subject in told.disclosed] == [place == 0, place == 1]
    left = told.disclosed[1 - place]
    assert left.datasets[0].records == [["tax-arrears/N-1@3"], ["tax-arrears/M-1@3"]][1 - place]
    assert [caution.record for caution in told.cautions] == [["N-1"], ["M-1"]][1 - place]
    assert [each.subject for each in seen.withheld] == [1 - place]
    assert seen.consents == [("c-1",), ("c-2",)][1 - place]
    assert told.declaration.case == "MR-2026-17"
    assert told.data.sha256
    assert erased.found((SUBJECT, OTHER)[1 - place])[0] == 0
    assert erased.found((SUBJECT, OTHER)[place]) == []


def test_receipts_of_before_and_of_after_verify(erased: Erased) -> None:
    proved, checked = check_presented(read_file(erased.answer), VERIFIERS)
    assert checked
    again = verify_receipt(erased.pair.receipt, VERIFIERS)
    assert (again.leaf, again.index, again.told) == (proved.leaf, 0, erased.pair.told)
    check_data(again, DATA)
    inquiry = msgspec.json.decode(erased.answer)["extensions"]["inquiry"]
    check_extension(again, inquiry)
    for changed in ([], 1, [{**each, "disputed": None} for each in inquiry["cautions"]]):
        with pytest.raises(VerificationFailed, match="cautions"):
            check_extension(again, {**inquiry, "cautions": changed})
    before = verify_receipt(receipt_of(erased.alone), VERIFIERS)
    assert verify_receipt(erased.single.receipt, VERIFIERS).leaf == before.leaf


def test_of_an_inquiry_about_one_nothing_is_left_but_that_it_was_made(erased: Erased) -> None:
    proved = verify_receipt(erased.single.receipt, VERIFIERS)
    told = proved.told
    assert isinstance(told, entries.Inquiry)
    if not erased.single.entry.erased:
        assert told.disclosed[0].value == SUBJECT.value
        check_data(proved, DATA)
        return
    assert (told.disclosed, told.cautions, told.data) == ([entries.ERASED], [], entries.Data())
    assert (told.declaration, told.requester.client) == (entries.Declared("TENDER_QUALIFICATION"), "market-regulator")
    assert [duty.type for duty in told.obligations] == ["purpose-only", "delete-by"]
    with pytest.raises(VerificationFailed, match="was erased"):
        check_data(proved, DATA)
    refusal = erased.refusal.told
    assert isinstance(refusal, entries.Refused)
    assert (refusal.code, refusal.message, refusal.subjects) == ("QUOTA_EXCEEDED", "", [entries.Named("", "", "")])
    assert refusal.declaration == entries.Declared("TENDER_QUALIFICATION")


def test_no_format_has_anything_of_it(erased: Erased) -> None:
    (gone,) = erased.pair.entry.erased
    place = erased.pair.entry.keys.index(gone)
    chosen = [erased.pair] + ([erased.single, erased.refusal] if place == 0 else [])
    text = "".join((*as_fhir.as_ndjson(chosen), *as_csv.as_csv(chosen)))
    words = ((SUBJECT.value, "N-1", "N-9"), (OTHER.value, "M-1", "M-9", "flood"))
    assert not [word for word in words[place] if word in text]
    assert "erased" in text
    assert words[1 - place][0] in text


async def test_what_comes_after_is_sealed_by_a_new_key_and_read(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    async with opened(store) as ledger:
        await disclosed_pair(ledger, 1)
        await erase(store, ledger, SUBJECT)
        await disclosed_pair(ledger, 2)
    verify_store(store, VERIFIERS, rows=False)
    with contextlib.closing(store.reader()) as reader:
        before, _, after = read.read_entries(reader, 1, 0, 3)
    assert (len(before.erased), after.erased) == (1, ())
    assert before.keys[1] == after.keys[1]
    assert before.keys[0] != after.keys[0]
    told = after.read_told()
    assert isinstance(told, entries.Inquiry)
    assert [subject.value for subject in told.disclosed] == [SUBJECT.value, OTHER.value]


async def test_nothing_is_passed_off_as_erased_by_the_erasure_of_another(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    async with opened(store) as ledger:
        await disclosed_pair(ledger, 1)
        await erase(store, ledger, OTHER)
    verify_store(store, VERIFIERS, rows=False)
    with contextlib.closing(store.reader()) as reader:
        (entry,) = read.read_entries(reader, 1, 0, 1)
    (gone,) = entry.erased
    there = next(key for key in entry.keys if key != gone)
    with contextlib.closing(store.connect()) as file:
        row = file.execute("SELECT id, subjects FROM entry ORDER BY id").fetchone()
        changed = row[1].replace(there.to_bytes(8, "big"), gone.to_bytes(8, "big"))
        assert changed != row[1]
        file.execute("UPDATE entry SET subjects = ? WHERE id = ?", (changed, row[0]))
    with pytest.raises(VerificationFailed, match="entry 0: the keys of its part about its subjects were exchanged"):
        verify_store(store, VERIFIERS, rows=False)


async def test_a_destroyed_key_that_still_names_its_subject_is_found(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    async with opened(store) as ledger:
        await disclosed(ledger)
        await erase(store, ledger, SUBJECT)
    with contextlib.closing(store.connect()) as file:
        file.execute("UPDATE subject_key SET scheme = 'LEI', value = '5493001KJTIIGC8Y1R12'")
    with pytest.raises(VerificationFailed, match="erasure `x-1` destroyed still names its subject"):
        verify_store(store, VERIFIERS, rows=False)
