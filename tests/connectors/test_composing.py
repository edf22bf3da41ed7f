"""Text in one form: as NFC gives it, and in time however many marks it has."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.composing import MOST_MARKS, composed

MARKS = "\u0345\u0315\u0300\u0327\u0f73\u0344"
texts = st.text(st.one_of(st.characters(), st.sampled_from("a\u00e9\u1f84\uac00" + MARKS)), max_size=80)


def _longest(said: str) -> int:
    """The most marks in a row, of the text taken apart."""
    most = now = 0
    for each in unicodedata.normalize("NFD", said):
        now = now + 1 if unicodedata.combining(each) else 0
        most = max(most, now)
    return most


@given(texts)
def test_what_has_few_marks_in_a_row_is_composed(said: str) -> None:
    if _longest(said) <= MOST_MARKS:
        assert composed(said) == unicodedata.normalize("NFC", said)
    else:  # a letter's own two or three marks may be the ones too many, and so may the two that one stands for
        try:
            assert composed(said) == unicodedata.normalize("NFC", said)
            assert _longest(said) <= 2 * MOST_MARKS + 3
        except ValueError:
            pass


@pytest.mark.parametrize("mark", MARKS)
def test_more_marks_in_a_row_than_any_language_has_are_refused(mark: str) -> None:
    assert composed("a" + mark * MOST_MARKS) == unicodedata.normalize("NFC", "a" + mark * MOST_MARKS)
    for said in ("a" + mark * (MOST_MARKS + 1), "a" + MARKS * 100_000, mark * 1_000_000):
        with pytest.raises(ValueError, match="more than 30 marks"):
            composed(said)


def test_every_mark_of_this_unicode_is_known() -> None:
    wrong = [
        at
        for at in range(sys.maxunicode + 1)
        if not 0xD800 <= at < 0xE000
        and unicodedata.combining(unicodedata.normalize("NFD", chr(at))[0])
        and not _refused(chr(at))
    ]
    assert wrong == []


def _refused(mark: str) -> bool:
    try:
        composed(mark * (MOST_MARKS + 1))
    except ValueError:
        return True
    return False
