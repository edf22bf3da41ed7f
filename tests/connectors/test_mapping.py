"""Typed records out of a source's bytes, or a reason; never an exception, never another subject's record."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest

from connectors.base import DatasetShape, Faulty, FieldType, Record, Subject
from connectors.mapping.decoding import DATASET_KEYS, MOST_FAULTY, Decoder, Mapped, read_mapping
from tests.connectors.asking import places, written

SHAPE = DatasetShape(
    "all-types",
    {
        "text": FieldType.STRING,
        "count": FieldType.INT,
        "flag": FieldType.BOOLEAN,
        "amount": FieldType.DECIMAL,
        "day": FieldType.DATE,
        "moment": FieldType.DATETIME,
    },
)
FLAT: dict[str, Any] = {
    "records": "items",
    "record": {
        "id": "no", "version": "rev", "document": "doc", "effective": "eff", "mitigation": "mit",
        "subject": {"scheme": "idType", "value": "idNo"},
    },
    "fields": {"text": "t", "count": "c", "flag": "b", "amount": "a", "day": "d", "moment": "m"},
}  # fmt: skip
NESTED = {
    "records": "data.items",
    "record": {
        "id": "key.no", "version": "key.rev", "document": "key.doc", "effective": "eff", "mitigation": "mit",
        "subject": {"scheme": "who.id.type", "value": "who.id.no"},
    },
    "fields": {"text": "v.t", "count": "v.n.c", "flag": "v.n.b", "amount": "v.n.a", "day": "eff", "moment": "m"},
}  # fmt: skip
ALL = tuple(sorted(SHAPE.fields))
WHO = Subject("organisation", "LEI", "529900T8BM49AURSDO55")
ROW = {
    "no": "7", "rev": 2, "doc": "D-1", "eff": "2026-01-31", "mit": None, "idType": "LEI", "idNo": WHO.value,
    "t": "é", "c": -5, "b": True, "a": "12.50", "d": "2026-02-01", "m": "2026-02-01T10:00:00+02:00",
}  # fmt: skip
NESTED_ROW = {
    "key": {"no": "7", "rev": 2, "doc": "D-1"}, "eff": "2026-01-31", "who": {"id": {"type": "LEI", "no": WHO.value}},
    "v": {"t": "é", "n": {"c": -5, "b": True, "a": 12.5}}, "m": "2026-02-01T10:00:00Z",
}  # fmt: skip


def mapping(config: Any = FLAT, shape: DatasetShape = SHAPE) -> Mapped:
    node = written(config)
    mapped = read_mapping(node.mapping((), DATASET_KEYS), shape)
    assert node.problems == []
    return mapped


def decode(rows: Any, fields: tuple[str, ...] = ALL) -> list[Record] | str:
    body = rows if isinstance(rows, bytes) else json.dumps({"items": rows}).encode()
    return Decoder(mapping(), fields).one(body, WHO)


def values(record: Record) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__struct_fields__ if name[:2] in ("m_", "f_")}


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": "), (" ,\n", "\t:\r\n")])
def test_a_record_is_typed_renamed_and_complete(separators: tuple[str, str]) -> None:
    records = decode(json.dumps({"items": [ROW]}, separators=separators).encode())
    assert isinstance(records, list)
    assert values(records[0]) == {
        "m_id": "7",
        "m_version": "2",
        "m_document": "D-1",
        "m_effective": datetime.date(2026, 1, 31),
        "m_mitigation": None,
        "f_text": "é",
        "f_count": -5,
        "f_flag": True,
        "f_amount": "12.50",
        "f_day": datetime.date(2026, 2, 1),
        "f_moment": datetime.datetime(2026, 2, 1, 8, tzinfo=datetime.UTC),
    }
    assert isinstance(records[0], Record)


def test_dotted_paths_are_flattened() -> None:
    body = json.dumps({"data": {"items": [NESTED_ROW]}, "more": {"x": 1}}).encode()
    records = Decoder(mapping(NESTED), ALL).one(body, WHO)
    assert isinstance(records, list)
    assert values(records[0]) == {
        **values(records[0]),
        "m_id": "7",
        "m_version": "2",
        "m_document": "D-1",
        "f_text": "é",
        "f_count": -5,
        "f_amount": "12.5",
        "f_day": datetime.date(2026, 1, 31),
    }


@pytest.mark.parametrize("parent", [None, "absent"])
def test_a_missing_parent_leaves_its_fields_empty(parent: Any) -> None:
    row = {**NESTED_ROW, "v": parent}
    if parent == "absent":
        del row["v"]
    records = Decoder(mapping(NESTED), ALL).one(json.dumps({"data": {"items": [row]}}).encode(), WHO)
    assert isinstance(records, list)
    assert (records[0].f_text, records[0].f_count, records[0].f_amount) == (None, None, None)  # type: ignore[attr-defined]


def test_only_requested_fields_come_out() -> None:
    records = decode([ROW], ("count",))
    assert isinstance(records, list)
    assert [name for name in records[0].__struct_fields__ if name.startswith("f_")] == ["f_count"]


@pytest.mark.parametrize("key", ["m_document", "m_mitigation", "m_effective"])
def test_a_source_fills_nothing_that_is_not_mapped(key: str) -> None:
    record = {name: FLAT["record"][name] for name in ("id", "version", "subject")}
    body = json.dumps({"items": [{**ROW, key: "2026-01-31"}]}).encode()
    records = Decoder(mapping({**FLAT, "record": record}), ALL).one(body, WHO)
    assert isinstance(records, list)
    assert getattr(records[0], key) is None


def test_a_source_fills_nothing_that_nests_elsewhere() -> None:
    row = {**NESTED_ROW, "[m_id]": "8", "m_id": "9", "n0": {"m_id": "10"}, "f_text": "b"}
    records = Decoder(mapping(NESTED), ALL).one(json.dumps({"data": {"items": [row]}}).encode(), WHO)
    assert isinstance(records, list)
    assert is_faulty(records) or (records[0].m_id, values(records[0])["f_text"]) == ("7", "é")


def test_a_field_that_was_not_asked_for_may_be_anything() -> None:
    assert isinstance(decode([{**ROW, "t": {"deep": [1]}}], ("count",)), list)


@pytest.mark.parametrize("key", ["doc", "eff", "mit", "t", "c", "b", "a", "d", "m"])
def test_whatever_is_not_mandatory_may_be_null_or_missing(key: str) -> None:
    for row in ({**ROW, key: None}, {name: value for name, value in ROW.items() if name != key}):
        records = decode([row])
        assert isinstance(records, list)
        assert list(values(records[0]).values()).count(None) == (1 if key == "mit" else 2)


@pytest.mark.parametrize("blank", ["", " ", "\t\u00a0"])
def test_a_blank_document_is_none(blank: str) -> None:
    records = decode([{**ROW, "doc": blank, "mit": blank}])
    assert isinstance(records, list)
    assert (records[0].m_document, records[0].m_mitigation) == (None, None)


def test_decimals_keep_every_digit() -> None:
    body = json.dumps({"items": [ROW]}).replace('"12.50"', "12345678901234567890.000000000000000001").encode()
    records = decode(body)
    assert isinstance(records, list)
    assert records[0].f_amount == "12345678901234567890.000000000000000001"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("no", None), ("no", ""), ("no", True), ("no", 1.5), ("no", ["7"]), ("rev", None), ("rev", ""),
        ("idType", None), ("idType", "PIN"), ("idNo", None), ("idNo", "other"), ("idNo", 7),
        ("idNo", WHO.value.lower()),
        ("doc", []), ("eff", "2026-02-30"), ("eff", "2026-01-01T00:00:00Z"), ("eff", 20260101), ("mit", 1),
        ("t", 1), ("t", ["x"]), ("c", "1"), ("c", 1.5), ("c", 2**31), ("c", -(2**31) - 1), ("c", True), ("c", 10**30),
        ("b", 1), ("b", "true"), ("a", "NaN"), ("a", "sNaN"), ("a", "Infinity"), ("a", "-Infinity"), ("a", "12,5"),
        ("a", ""), ("a", True), ("a", "1e999999"), ("a", "1e-999999"), ("a", {}), ("d", "01.02.2026"), ("d", ""),
        ("m", "2026-02-01T10:00:00"), ("m", "2026-02-01"), ("m", 1700000000), ("m", "2026-02-01T25:00:00Z"),
    ],
)  # fmt: skip
def test_any_other_type_makes_a_record_faulty(key: str, value: Any) -> None:
    """It shows what it can of itself; of a subject that it does not name, nobody can say whose it is."""
    found = decode([ROW, {**ROW, key: value}])
    if key in ("idType", "idNo"):
        assert isinstance(found, str)
        return
    assert isinstance(found, list)
    sound, wrong = found
    assert (type(sound) is Faulty, type(wrong) is Faulty) == (False, True)
    assert isinstance(wrong, Faulty)
    assert str(value) not in wrong.m_reason or len(str(value)) < 6
    for name, attribute in {"no": "m_id", "rev": "m_version", "doc": "m_document", "eff": "m_effective"}.items():
        assert (attribute in wrong.unread) == (name == key)
        if name != key:
            assert getattr(wrong, attribute) == getattr(sound, attribute)


@pytest.mark.parametrize("key", ["no", "rev", "idType", "idNo"])
def test_identity_version_and_subject_are_mandatory(key: str) -> None:
    found = decode([{name: value for name, value in ROW.items() if name != key}])
    if key in ("idType", "idNo"):
        assert isinstance(found, str)
    else:
        assert isinstance(found, list)
        assert [type(each) for each in found] == [Faulty]


def test_whoever_sends_more_faulty_records_than_are_read_again_has_no_answer() -> None:
    faulty = {key: value for key, value in ROW.items() if key != "no"}
    found = decode([ROW] + [faulty] * MOST_FAULTY)
    assert isinstance(found, list)
    assert len(found) == 1 + MOST_FAULTY
    assert decode([faulty] * (MOST_FAULTY + 1) + [ROW]) == "more than 1000 of its records cannot be used"


GOOD = json.dumps(ROW).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"null", b"[]", b"{}", b"1", b"<html>", b'{"items": null}', b'{"items": {}}', b'{"items": [null]}',
        b'{"items": [[]]}', b'{"items": "x"}', b'{"items": []} {}', b'{"items": []', b'\xef\xbb\xbf{"items": []}',
        b'{"items": [' + GOOD + b",]}",
        b'{"items": [' + GOOD[:-1] + b', "x": NaN}]}',
        b'{"items": [' + GOOD[:-1] + b', "x": -Infinity}]}',
        b'{"items": [' + GOOD[:-1] + b', "c": 1e999}]}',
        b'{"items": [' + GOOD[:-1] + b', "x": "\xff"}]}',
        b'{"items": [' + GOOD[:-1] + b', "\xc3": 1}]}',
        b'{"items": [' + GOOD[:-1] + b', "x": "\\ud800"}]}',
        b'{"items": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"items": [], "x": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}",
        '{"items": []}'.encode("utf-16"),
    ],
)  # fmt: skip
def test_whatever_is_not_the_mapped_shape_is_a_reason(body: bytes) -> None:
    assert isinstance(decode(body), str)


def _twice(key: str, value: str, glue: str = ":") -> list[bytes]:
    return [
        b'{"items": [' + GOOD[:-1] + f', "{key}"{glue}{value}}}]}}'.encode(),
        b'{"items": [{' + f'"{key}"{glue}{value},'.encode() + GOOD[1:] + b"]}",
    ]


@pytest.mark.parametrize(
    "body",
    [
        *_twice("no", '"8"'), *_twice("t", '"other"'), *_twice("t", '"é"'), *_twice("a", "1", " :"),
        *_twice("a", "1", "\n:"), *_twice("\\u0061", "1"), *_twice("no", '"a\\":b"'), *_twice("c", "-5", " \t: "),
        b'{"items": [], "items": [' + GOOD + b"]}",
        b'{"items": [], "x": {"y": 1, "y": 1}}',
        b'{"items": [' + GOOD[:-1] + b', "x": {"y": [{"z": 1, "z": 2}]}}]}',
        b'{"items": [' + GOOD[:-1] + b', "x": 1, "x": 1, "y" : 1}]}',
    ],
)  # fmt: skip
def test_a_key_that_stands_twice_fails_the_dataset(body: bytes) -> None:
    for fields in (ALL, ("count",)):
        assert decode(body, fields) == "duplicate keys"


def test_a_key_that_stands_twice_is_found_where_every_mapped_key_is_there() -> None:
    """The quick way: exactly the mapped keys, compact, no colon in any text."""
    row = {**ROW, "m": None}
    body = json.dumps({"items": [row, row]}, separators=(",", ":")).encode()
    decoder = Decoder(mapping(), ALL)
    assert isinstance(decoder.one(body, WHO), list)
    assert decoder.one(body.replace(b'"c":-5', b'"c":-5,"c":-5', 1), WHO) == "duplicate keys"
    assert decoder.one(body.replace(b'"items"', b'"items":[],"items"', 1), WHO) == "duplicate keys"


def test_one_path_may_be_read_twice() -> None:
    shape = DatasetShape("d", {"number": FieldType.STRING, "decidedOn": FieldType.DATE})
    config = {
        "record": {
            "id": "no",
            "version": "rev",
            "document": "no",
            "effective": "on",
            "subject": {"not_returned": "x"},
        },
        "fields": {"number": "no", "decidedOn": "on"},
    }
    decoder = Decoder(mapping(config, shape), ("decidedOn", "number"))
    records = decoder.one(b'[{"no": "1", "rev": "a", "on": "2026-01-01"}]', WHO)
    assert isinstance(records, list)
    assert [values(record) for record in records] == [
        {
            "m_id": "1",
            "m_version": "a",
            "m_document": "1",
            "m_effective": datetime.date(2026, 1, 1),
            "m_mitigation": None,
            "f_decidedOn": datetime.date(2026, 1, 1),
            "f_number": "1",
        }
    ]
    (wrong,) = decoder.one(b'[{"no": 1, "rev": "a", "on": null}]', WHO)
    assert isinstance(wrong, Faulty)


def test_a_constant_scheme_must_be_the_asked_one() -> None:
    shape = DatasetShape("d", {"x": FieldType.INT})
    config = {
        "record": {"id": "no", "version": "rev", "subject": {"scheme": {"const": "LEI"}, "value": "lei"}},
        "fields": {"x": "x"},
    }
    decoder = Decoder(mapping(config, shape), ("x",))
    body = json.dumps([{"no": 1, "rev": 1, "lei": WHO.value}]).encode()
    assert isinstance(decoder.one(body, WHO), list)
    assert isinstance(decoder.one(body, WHO._replace(scheme="PIN")), str)


def test_a_batch_is_told_apart_and_takes_nobody_else() -> None:
    decoder = Decoder(mapping(), ALL)
    other = WHO._replace(value="B")
    body = json.dumps({"items": [ROW, {**ROW, "idNo": "B"}, ROW]}).encode()
    told = decoder.many(body, (WHO, other))
    assert not isinstance(told, str)
    assert {subject: len(records) for subject, records in told.items()} == {WHO: 2, other: 1}
    assert isinstance(decoder.many(body, (WHO,)), str)


@pytest.mark.parametrize(
    ("change", "path", "words"),
    [
        ({"record": None}, (), "`record` is missing"),
        ({"record": {**FLAT["record"], "documnt": "x"}}, ("record", "documnt"), "did you mean `document`?"),  # type: ignore[dict-item]
        ({"record": {"version": "v", "subject": {"not_returned": "x"}}}, ("record",), "`id` is missing"),
        ({"record": {"id": "i", "version": "v"}}, ("record",), "`subject` is missing"),
        ({"fields": {"txt": "t"}}, ("fields", "txt"), "did you mean `text`?"),
        ({"fields": {name: "t" for name in ALL if name != "count"}}, ("fields",), "`count` is missing"),
        ({"fields": {**FLAT["fields"], "text": "a..b"}}, ("fields", "text"), "with dots between"),  # type: ignore[dict-item]
        ({"fields": {**FLAT["fields"], "text": "a.b"}}, ("fields",), "both a value and"),  # type: ignore[dict-item]
        ({"fields": {**FLAT["fields"], "text": "d"}}, ("fields",), "cannot be read as"),  # type: ignore[dict-item]
        ({"fields": {**FLAT["fields"], "text": []}}, ("fields", "text"), "must be a path"),  # type: ignore[dict-item]
    ],
)
def test_a_wrong_mapping_says_where_and_what(change: Any, path: tuple[str, ...], words: str) -> None:
    node = written({**FLAT, **change})
    read_mapping(node.mapping((), DATASET_KEYS), SHAPE)
    assert places(node, words) == [".".join(path)], node.problems


def is_faulty(found: list[Record] | str) -> bool:
    """Whether the one record is there for its subject, and cannot be used."""
    return isinstance(found, str) or [type(each) for each in found] == [Faulty]


@pytest.mark.parametrize(
    "value",
    ["1_000", " 12", "12 ", "+5", "\u0661\u0662", "\uff11", "1.", ".5", "1e", "0x1", "", "1,5", "--1", "1\n"],
)
def test_what_only_python_reads_as_a_number_is_none(value: str) -> None:
    assert is_faulty(decode([{**ROW, "a": value}]))


@pytest.mark.parametrize("raw", [b"007", b"+1", b".5", b"1.", b"-", b"1_0", b"true", b"[1]", b"{}"])
def test_a_number_is_written_as_json_writes_it(raw: bytes) -> None:
    body = json.dumps({"items": [ROW]}).encode().replace(b'"a": "12.50"', b'"a": ' + raw)
    assert raw in body
    assert is_faulty(decode(body))


@pytest.mark.parametrize("written", ['"1E-7"', "1e-7", '"0.0000001"', '"\\u0031E-7"'])
def test_the_same_number_is_read_however_it_is_written(written: str) -> None:
    body = json.dumps({"items": [ROW]}).replace('"a": "12.50"', f'"a": {written}').encode()
    records = decode(body)
    assert isinstance(records, list)
    assert values(records[0])["f_amount"] == "0.0000001"


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("2026-12-31T23:59:59.9999999Z", "2026-12-31T23:59:59.999999+00:00"),
        ("2026-12-31T23:59:59.999999999+02:00", "2026-12-31T23:59:59.999999+02:00"),
        ("2026-02-01T10:00:00.123456789-00:30", "2026-02-01T10:00:00.123456-00:30"),
        ("2026-02-01T10:00:00.1234560Z", "2026-02-01T10:00:00.123456+00:00"),
        ("2026-02-01T10:00:00.5Z", "2026-02-01T10:00:00.500000+00:00"),
    ],
)
def test_a_moment_is_never_rounded_into_another_second(written: str, kept: str) -> None:
    """.NET and SQL Server send seven digits as a rule."""
    for mapped, rows in ((FLAT, [{**ROW, "m": written}]), (NESTED, [{**NESTED_ROW, "m": written}])):
        body = json.dumps({"items": rows, "data": {"items": rows}}).encode()
        records = Decoder(mapping(mapped), ALL).one(body, WHO)
        assert isinstance(records, list)
        assert values(records[0])["f_moment"].isoformat() == kept


@pytest.mark.parametrize("offset", ["+0100", "-0000", "+01", "+1:00", "", "+01:0", "+24:00"])
@pytest.mark.parametrize("second", ["00", "00.5", "00.1234567"])
def test_an_offset_has_hours_a_colon_and_minutes(second: str, offset: str) -> None:
    assert is_faulty(decode([{**ROW, "m": f"2026-02-01T10:00:{second}{offset}"}]))


@pytest.mark.parametrize("digits", [10, 11, 100_000])
def test_a_moment_has_nine_digits_of_a_second_at_most(digits: int) -> None:
    assert is_faulty(decode([{**ROW, "m": f"2026-02-01T10:00:00.{'0' * digits}Z"}]))
