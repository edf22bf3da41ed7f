"""What is a value of each type, and a record in the form in which the gateway keeps it."""

from __future__ import annotations

import datetime
from typing import Any

import msgspec
import pytest

from connectors.base import Faulty, FieldType, Record
from connectors.fitting import FITS, fits

DAY = datetime.date(2026, 2, 28)
AT = datetime.datetime(2026, 2, 28, 12, tzinfo=datetime.UTC)
VALUES: dict[FieldType, list[Any]] = {
    FieldType.STRING: ["", "text", "\U0001f600", "7"],
    FieldType.INT: [0, -(2**31), 2**31 - 1],
    FieldType.BOOLEAN: [True, False],
    FieldType.DECIMAL: ["0", "-7.50", "123456789012345678901234567890.1"],
    FieldType.DATE: [DAY],
    FieldType.DATETIME: [AT],
}
OF_NONE: list[Any] = [
    2**31, -(2**31) - 1, 1.5, b"text", "half \udc00", [], {}, ["text"], {"a": "text"}, object(), float("nan"),
    AT.replace(tzinfo=None), type("Text", (str,), {})("text"), type("Number", (int,), {})(7),
    type("Day", (datetime.date,), {})(2026, 2, 28), msgspec.Raw(b"1"),
]  # fmt: skip
NO_DECIMAL = ["", ".5", "5.", "1e5", "+1", " 1", "1\n", "NaN", "\u0661", "0x1", "1_0"]


@pytest.mark.parametrize("kind", FieldType)
def test_a_value_fits_its_type_and_no_other(kind: FieldType) -> None:
    assert all(map(FITS[kind], VALUES[kind]))
    texts = {FieldType.STRING, FieldType.DECIMAL}
    others = [each for of in FieldType if of is not kind and {of, kind} != texts for each in VALUES[of]]
    assert [each for each in [*others, *OF_NONE] if FITS[kind](each)] == []
    assert [each for each in NO_DECIMAL if FITS[FieldType.DECIMAL](each)] == []


def test_a_record_shows_itself_as_it_is_kept() -> None:
    fields = {"x": FieldType.INT, "y": FieldType.DATE}
    made: Any = msgspec.defstruct("Made", [("f_x", Any), ("f_y", Any)], bases=(Record,), kw_only=True)
    good = made(m_id="1", m_version="2", m_document="D", m_effective=DAY, m_mitigation="paid", f_x=1, f_y=None)
    assert fits(good, fields)
    assert fits(made(m_id="1", m_version="2", f_x=None, f_y=DAY), fields)
    for name, value in {
        "m_id": "", "m_version": 2, "m_document": 4, "m_effective": AT, "m_mitigation": ["paid"], "f_x": "1", "f_y": AT
    }.items():  # fmt: skip
        wrong = msgspec.structs.replace(good)
        setattr(wrong, name, value)
        assert not fits(wrong, fields), name


def test_a_faulty_record_has_no_fields_and_may_not_show_its_name() -> None:
    faulty = Faulty(m_id="", m_version="1", m_reason="why", unread=frozenset(["m_id"]))
    assert fits(faulty, {"x": FieldType.INT})
    faulty.m_effective = "2026-02-28"  # type: ignore[assignment]
    assert not fits(faulty, {"x": FieldType.INT})
