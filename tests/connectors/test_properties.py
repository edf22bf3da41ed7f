"""On random JSON the generated decoders agree with a slow reading in plain Python: equal records, or invalid."""

from __future__ import annotations

import datetime
import decimal
import json
import re
import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connectors.base import Faulty, Subject
from connectors.mapping import duplicate_keys
from connectors.mapping.decoding import Decoder
from tests.connectors.test_mapping import ALL, FLAT, NESTED, NESTED_ROW, ROW, SHAPE, WHO, mapping, values

DECODERS = {
    (name, fields): Decoder(mapping(config), fields)
    for name, config in (("flat", FLAT), ("nested", NESTED))
    for fields in (ALL, ("count",), ("amount", "text"))
}


class Invalid(Exception):
    """The reference's verdict."""


def at(row: Any, path: str) -> Any:
    """What stands at a dotted path; nothing where a parent is null or missing."""
    for part in path.split("."):
        if row is None:
            return None
        if not isinstance(row, dict):
            raise Invalid
        row = row.get(part)
    return row


def number(text: str) -> str:
    if not re.fullmatch(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", text, re.ASCII):
        raise Invalid
    value = decimal.Decimal(text)
    if not value.is_finite() or not -64 < value.adjusted() < 64:
        raise Invalid
    return format(value, "f")


class Number(str):
    """A JSON number with a point or an exponent, as it was written."""


def typed(kind: str, value: Any) -> Any:
    """One value as the mapping's type says, or `Invalid`."""
    if value is None:
        return None
    text = isinstance(value, str) and not isinstance(value, Number)
    whole = type(value) is int
    if kind == "String" and text:
        return value
    if kind == "Int" and whole and -(2**31) <= value < 2**31:
        return value
    if kind == "Boolean" and type(value) is bool:
        return value
    if kind == "Decimal" and (isinstance(value, str) or whole):
        return number(str(value))
    if kind == "Date" and text and re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
        try:
            return datetime.date.fromisoformat(value)
        except ValueError:
            raise Invalid from None
    if kind == "DateTime" and text and (moment := _moment(value)) is not None:
        return moment
    if kind in ("id", "document") and (whole or text):
        said = unicodedata.normalize("NFC", str(value)).strip()
        if said and len(said) <= 256 and all(c == " " or unicodedata.category(c)[0] not in "CZ" for c in said):
            return said
        if kind == "document" and not said:
            return None
    if kind == "note" and text:
        return value if value.strip() else None
    raise Invalid


def _moment(value: str) -> datetime.datetime | None:
    pattern = r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)"
    match = re.fullmatch(pattern, value, re.ASCII)
    if match is None:
        return None
    try:
        zone = "+00:00" if match[4] in "Zz" else match[4]
        return datetime.datetime.fromisoformat(f"{match[1]}T{match[2]}{(match[3] or '')[:7]}{zone}")
    except ValueError:
        return None


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise Invalid
    return dict(pairs)


def no_constant(_: str) -> None:
    raise Invalid


def reference(config: Any, body: bytes, fields: tuple[str, ...], subject: Subject) -> list[dict[str, Any]] | None:
    """The records as dictionaries, read slowly; nothing where the dataset is invalid."""
    try:
        whole = json.loads(body.decode(), object_pairs_hook=unique, parse_float=Number, parse_constant=no_constant)
        return _records(config, whole, fields, subject)
    except (Invalid, ValueError, RecursionError):
        return None


def _records(config: Any, whole: Any, fields: tuple[str, ...], subject: Subject) -> list[dict[str, Any]]:
    rows = at(whole, config["records"])
    if not isinstance(rows, list):
        raise Invalid
    records = []
    for row in rows:
        if not isinstance(row, dict):
            raise Invalid
        says = config["record"]
        if (at(row, says["subject"]["scheme"]), at(row, says["subject"]["value"])) != (subject.scheme, subject.value):
            raise Invalid
        try:
            records.append(_sound(config, row, fields))
        except Invalid:
            records.append(_shown(says, row))
    return records


def _sound(config: Any, row: Any, fields: tuple[str, ...]) -> dict[str, Any]:
    says = config["record"]
    record = {
        "m_id": typed("id", at(row, says["id"])),
        "m_version": typed("id", at(row, says["version"])),
        "m_document": typed("document", at(row, says["document"])),
        "m_effective": typed("Date", at(row, says["effective"])),
        "m_mitigation": typed("note", at(row, says["mitigation"])),
    }
    if record["m_id"] is None or record["m_version"] is None:
        raise Invalid
    for name in fields:
        record["f_" + name] = typed(SHAPE.fields[name], at(row, config["fields"][name]))
    return record


def _shown(says: Any, row: Any) -> dict[str, Any]:
    """What a record shows of itself where a value of it is wrong."""
    shown: dict[str, Any] = {"m_id": "", "m_version": "", "m_document": None, "m_effective": None}
    unread = set()
    for name, kind in {"id": "id", "version": "id", "document": "document", "effective": "Date"}.items():
        try:
            value = typed(kind, at_or_nothing(row, says[name]))
        except Invalid:
            unread.add("m_" + name)
            continue
        if value is not None:
            shown["m_" + name] = value
        elif kind == "id":
            unread.add("m_" + name)
    return {**shown, "unread": unread}


def at_or_nothing(row: Any, path: str) -> Any:
    try:
        return at(row, path)
    except Invalid:
        return None


def seen(record: Any) -> dict[str, Any]:
    if not isinstance(record, Faulty):
        return values(record)
    names = ("m_id", "m_version", "m_document", "m_effective", "unread")
    return {name: getattr(record, name) for name in names}


def agree(config: Any, name: str, body: bytes) -> None:
    for (kind, fields), decoder in DECODERS.items():
        if kind != name:
            continue
        expected = reference(config, body, fields, WHO)
        for _ in every_way(decoder):
            got = decoder.one(body, WHO)
            if expected is None:
                assert isinstance(got, str), (body, got)
            else:
                assert isinstance(got, list), (body, got)
                assert [seen(record) for record in got] == expected, body


def every_way(decoder: Decoder) -> Iterator[None]:
    """Whatever the decoder hopes for: that Decimals are texts, that some are numbers, or nothing any more."""
    for _ in range(2):
        before = decoder._strict
        decoder._tries = 1
        yield
        if decoder._strict is before:
            decoder._strict, decoder._other = decoder._other, before
    decoder._tries = 0
    yield


texts = st.one_of(
    st.text(st.characters(exclude_categories=("Cs",)), max_size=8),
    st.sampled_from(
        [
            "",
            " ",
            ":",
            '":',
            '" :',
            "\\",
            "LEI",
            WHO.value,
            "2026-01-31",
            "2026-02-01T10:00:00+02:00",
            "2026-02-01 10:00:00.25z",
            "2026-12-31T23:59:59.9999999Z",
            "2026-12-31T23:59:59.0000000000Z",
            "1.5",
            "1_5",
            " 15",
            "+15",
            "\u0661",
            "1E-7",
            "NaN",
            " N-1  ",
            "n" * 257,
            "e\u0301",
            "N\u200b1",
            "N\u202e1",
        ]
    ),
)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**40), 2**40), st.floats(-1e6, 1e6, allow_nan=False), texts
)
keys = st.one_of(st.sampled_from([*ROW, *NESTED_ROW, "items", "data", "n", "id", "type"]), texts)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4), max_leaves=12
)
separators = st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : "), (",\n", "\t:\r")])


@st.composite
def rows(draw: st.DrawFn, good: dict[str, Any]) -> dict[str, Any]:
    """A good row with some of its values, at any depth, replaced or left out, and others added."""
    row = dict(good)
    for key in draw(st.lists(st.sampled_from(sorted(good)), max_size=2)):
        inner = row.get(key)
        if inner and isinstance(inner, dict) and draw(st.booleans()):
            row[key] = draw(rows(inner))
        elif draw(st.booleans()):
            row[key] = draw(anything)
        else:
            row.pop(key, None)
    if draw(st.booleans()):
        row[draw(keys)] = draw(anything)
    return row


def dump(value: Any, glue: tuple[str, str], ascii_only: bool) -> bytes:
    return json.dumps(value, separators=glue, ensure_ascii=ascii_only).encode()


@settings(max_examples=120, deadline=None)
@given(st.lists(rows(ROW), max_size=3), separators, st.booleans())
def test_flat_records_are_read_as_the_reference_reads_them(found: Any, glue: tuple[str, str], ascii_only: bool) -> None:
    agree(FLAT, "flat", dump({"items": found}, glue, ascii_only))


@settings(max_examples=120, deadline=None)
@given(st.lists(rows(NESTED_ROW), max_size=3), separators, st.booleans())
def test_nested_records_are_read_as_the_reference_reads_them(
    found: Any, glue: tuple[str, str], ascii_only: bool
) -> None:
    agree(NESTED, "nested", dump({"data": {"items": found}}, glue, ascii_only))


amounts = st.sampled_from(
    ["12.50", "-0", "007.5", "1E-7", "1,2", "1,", "", " 1", "1" * 31, "9" * 70, "\u0661", "n", None, 12, -1.5, 1e30]
)


@settings(max_examples=120, deadline=None)
@given(st.lists(amounts, max_size=4), st.booleans())
def test_decimals_are_read_alike_as_texts_and_as_numbers(found: list[Any], ascii_only: bool) -> None:
    flat = [{**ROW, "a": amount, "m": None} for amount in found]
    agree(FLAT, "flat", dump({"items": flat}, (",", ":"), ascii_only))
    nested = [{**NESTED_ROW, "v": {"t": "x", "n": {"c": 1, "b": None, "a": amount}}, "m": None} for amount in found]
    for row in nested:
        row["key"] = {**row["key"], "rev": "2"}
    agree(NESTED, "nested", dump({"data": {"items": nested}}, (",", ":"), ascii_only))


def test_a_decoder_learns_which_way_a_source_writes_decimals() -> None:
    decoder = Decoder(mapping(FLAT), ALL)
    texts, numbers = decoder._strict, decoder._other
    for amount, way in (("1.5", texts), (1.5, numbers), (2, numbers), ("2", numbers), (None, numbers)):
        body = dump({"items": [{**ROW, "a": amount, "m": None}]}, (",", ":"), True)
        assert isinstance(decoder.one(body, WHO), list)
        assert decoder._strict is way


@settings(max_examples=80, deadline=None)
@given(anything, separators)
def test_any_json_is_records_or_invalid(found: Any, glue: tuple[str, str]) -> None:
    for body in (
        dump(found, glue, True),
        dump({"items": found}, glue, True),
        dump({"data": {"items": found}}, glue, True),
    ):
        agree(FLAT, "flat", body)
        agree(NESTED, "nested", body)


GOOD = dump({"items": [{**ROW, "m": None}, {**ROW, "m": None}]}, (",", ":"), True)


@settings(max_examples=120, deadline=None)
@given(st.integers(0, len(GOOD)), st.integers(0, 12), st.binary(max_size=6))
@example(len(GOOD) - 3, 0, b',"a":1')
@example(1, 0, b'"x":{"y":1,"y":1},')
def test_damaged_bytes_are_read_as_the_reference_reads_them(place: int, cut: int, put: bytes) -> None:
    agree(FLAT, "flat", GOOD[:place] + put + GOOD[place + cut :])


class Pairs(dict[str, Any]):
    """An object whose keys may stand more than once."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__({"": None} if pairs else {})
        self._pairs = pairs

    def items(self) -> Any:
        return self._pairs


few_keys = st.sampled_from(["a", "b", ":", '"', 'a":', "\\", "é"])
repeating = st.recursive(
    st.sampled_from([1, "x", ":", 'a":', "a :", "\\"]),
    lambda inner: st.lists(inner, max_size=3) | st.lists(st.tuples(few_keys, inner), max_size=4).map(Pairs),
    max_leaves=10,
)


@settings(max_examples=200, deadline=None)
@given(repeating, separators, st.booleans())
def test_keys_that_stand_twice_are_always_found_and_never_imagined(
    found: Any, glue: tuple[str, str], ascii_only: bool
) -> None:
    body = dump(found, glue, ascii_only)
    try:
        json.loads(body, object_pairs_hook=unique)
        twice = False
    except Invalid:
        twice = True
    assert duplicate_keys.check(body) == ("duplicate keys" if twice else None)


def test_a_decoder_without_the_check_would_be_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault that the properties above exist for, planted."""
    body = GOOD.replace(b'"c":-5', b'"c":-5,"c":7', 1)
    agree(FLAT, "flat", body)
    monkeypatch.setattr(duplicate_keys, "check", lambda _: None)
    with pytest.raises(AssertionError):
        agree(FLAT, "flat", body)
