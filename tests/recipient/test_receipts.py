"""What a receipt says was received, as the ledger writes receipts, and nothing of what cannot be read."""

from __future__ import annotations

import base64
import datetime
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.recipient.receipts import Record, opened, within
from tests.docs.reading import ROOT
from tests.recipient.kit import LEI, receipt

names = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=8)
subjects = st.tuples(st.sampled_from(["organisation", "person"]), st.sampled_from(["LEI", "PIN"]), names)
given_ = st.dictionaries(
    subjects,
    st.dictionaries(
        st.sampled_from(["tax-arrears", "business-licences"]),
        st.lists(st.tuples(names, names.filter(lambda text: "@" not in text)), max_size=3, unique=True),
        max_size=2,
    ),
    min_size=1,
    max_size=3,
)


@given(given_, st.data())
def test_it_says_what_the_ledger_wrote_but_for_whom_was_erased(given: dict, data: st.DataObject) -> None:
    erased = data.draw(st.sets(st.integers(0, len(given) - 1)))
    written = {
        whom: {name: [f"{record}@{version}" for record, version in records] for name, records in datasets.items()}
        for whom, datasets in given.items()
    }
    received = opened(receipt("I-7", written, datetime.date(2027, 1, 2), sorted(erased)))
    assert received is not None
    assert (received.inquiry, received.purpose) == ("I-7", "TENDER_QUALIFICATION")
    assert received.delete_by == datetime.date(2027, 1, 2)
    expected = [
        Record(*whom, dataset, record, version, ("period", "amount"))
        for place, (whom, datasets) in enumerate(given.items())
        if place not in erased
        for dataset, records in datasets.items()
        for record, version in records
    ]
    assert list(received.records) == expected


def test_receipts_of_both_versions_that_the_ledger_ever_wrote_are_read() -> None:
    files = sorted((ROOT / "tests" / "vectors").glob("v*/receipts/*"))
    read = {file.parts[-3]: [] for file in files}
    for file in files:
        read[file.parts[-3]].append(opened(within(file.read_text("utf-8"))))
    assert set(read) == {"v1", "v2"}
    for received in read.values():
        assert any(each and each.records for each in received)


def test_what_gave_nothing_is_none() -> None:
    extra = b"\x02" + bytes(32) + b"\x01" + bytes(32)
    body = json.dumps({"kind": "refusal", "v": 2, "id": "R-1", "at": "2026-11-24T12:00:00Z"}).encode()
    text = base64.b64encode(extra + len(body).to_bytes(4, "big") + body).decode()
    assert opened(f"c2sp.org/tlog-proof@v1\nextra {text}\nindex 0\n\n") is None


@given(st.data())
def test_whatever_is_broken_is_one_sentence(data: st.DataObject) -> None:
    text = receipt()
    at = data.draw(st.integers(0, len(text) - 1))
    broken = data.draw(
        st.sampled_from([text[:at], text[:at] + "\0" + text[at + 1 :], text[:at] + "A" + text[at + 1 :]])
    )
    try:
        opened(broken)
    except ValueError as error:
        said = str(error)
    else:
        said = "it is read"
    assert said
    assert "\n" not in said
    assert opened(text) is not None


@pytest.mark.parametrize(
    "content",
    [
        lambda text: text,
        lambda text: json.dumps({"data": {}, "extensions": {"inquiry": {"id": "I-1", "receipt": text}}}),
        lambda text: json.dumps({"inquiry": {"receipt": text}}),
        lambda text: json.dumps({"receipt": text}),
    ],
)
def test_it_is_found_in_an_answer(content) -> None:  # type: ignore[no-untyped-def]
    text = receipt()
    assert within(content(text)) == text


@pytest.mark.parametrize("file", sorted((ROOT / "tests" / "vectors").glob("v*/receipts/*"))[:2], ids=str)
def test_a_receipt_whose_end_is_missing_is_not_taken(file: Path) -> None:
    text = within(file.read_text("utf-8"))
    for cut in (*range(1, 70), 90, 120, 200):
        for short in (text[:-cut], f"{text[:-cut]}\n"):
            if short != text:
                with pytest.raises(ValueError, match="it is cut short"):
                    within(short)
                with pytest.raises(ValueError, match="it is cut short"):
                    within(json.dumps({"receipt": short}))


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"extensions": []}', '{"extensions": {"inquiry": {}}}', "1"])
def test_what_is_no_answer_is_said(content: str) -> None:
    with pytest.raises(ValueError, match=r"neither|no `extensions"):
        within(content)


def test_an_erased_subject_leaves_the_others() -> None:
    other = ("organisation", "LEI", "529900T8BM49AURSDO55")
    received = opened(receipt(given={LEI: {"tax-arrears": ["A@1"]}, other: {"tax-arrears": ["B@1"]}}, erased=[0]))
    assert received is not None
    assert [each.record for each in received.records] == ["B"]
