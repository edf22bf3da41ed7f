"""What names a record is the same to acts and to restraints, however its department writes it, over every kind.

Of any text as a record's id: the record is faulty, or naming it in an act as it is shown finds it, so that a withdrawal
holds it back.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import example, given
from hypothesis import strategies as st

from connectors import base, graphql
from connectors.base import DatasetShape, Failure, Faulty, FieldType, Record
from connectors.database.table import RowLimits, read_table
from connectors.delivered.values import TYPED
from connectors.kinds import KINDS
from connectors.mapping.decoding import Decoder
from connectors.mapping.graphql_documents import read_source
from gateway.acts import inputs
from gateway.errors import Refusal
from gateway.inquiry.restrain import restrain
from gateway.inquiry.types import Released
from gateway.storage.subjects.kinds import SubjectFacts
from tests import world as worlds
from tests.connectors.asking import written
from tests.connectors.test_mapping import mapping

POLICIES = worlds.rule_set().policies
ARREARS, PURPOSE = POLICIES.catalogue.datasets["tax-arrears"], POLICIES.purposes["TENDER_QUALIFICATION"]
TODAY, WHO = worlds.NOON.date(), worlds.new_subject()
SHAPE = DatasetShape("tax-arrears", {"period": FieldType.STRING})
RECORD = {
    "id": "id", "version": "rev", "document": "doc", "effective": "day", "subject": {"scheme": "type", "value": "no"},
}  # fmt: skip
FLAT: dict[str, Any] = {"record": RECORD, "fields": {"period": "period"}}
NESTED = {**FLAT, "record": {**RECORD, "id": "key.id", "version": "key.rev"}}
ROW = {
    "id": "N-1",
    "rev": "1",
    "doc": "D-1",
    "day": TODAY.isoformat(),
    "type": WHO.scheme,
    "no": WHO.value,
    "period": "",
}

Read = Callable[[dict[str, Any]], Any]


def flat(row: dict[str, Any]) -> Any:
    return Decoder(mapping(FLAT, SHAPE), ("period",)).one(json.dumps([row]).encode(), WHO)


def nested(row: dict[str, Any]) -> Any:
    body = json.dumps([{**row, "key": {"id": row["id"], "rev": row["rev"]}}]).encode()
    return Decoder(mapping(NESTED, SHAPE), ("period",)).one(body, WHO)


def batch(row: dict[str, Any]) -> Any:
    told = Decoder(mapping(FLAT, SHAPE), ("period",)).many(json.dumps([row]).encode(), (WHO, worlds.new_subject()))
    return told if isinstance(told, str) else told[WHO]


def by_graphql(row: dict[str, Any]) -> Any:
    told = {"datasets": {"tax-arrears": {"field": "arrears", **FLAT}}, "entities": True}
    source = read_source(written(told).mapping((), graphql.DEPARTMENT_KEYS), {"tax-arrears": SHAPE})
    return source.datasets["tax-arrears"].read(msgspec.Raw(json.dumps([row]).encode()), ("period",), WHO)


def by_sql(row: dict[str, Any]) -> Any:
    table = read_table(written({"table": "arrears", **FLAT}), SHAPE, RowLimits(10, 1 << 20), "sqlite")
    with ENGINE.connect() as connection:
        connection.exec_driver_sql(f"CREATE TEMPORARY TABLE arrears ({', '.join(ROW)})")
        connection.exec_driver_sql(f"INSERT INTO arrears VALUES ({', '.join('?' * len(ROW))})", tuple(row.values()))
        told = table.read(connection, ("period",), (WHO,))
        connection.rollback()
        connection.exec_driver_sql("DROP TABLE IF EXISTS temp.arrears")
    return told if isinstance(told, str) else told[WHO]


ENGINE = sa.create_engine("sqlite://")
OVER_HTTP: tuple[Read, ...] = (flat, nested, batch)
READ: Mapping[str, tuple[Read, ...]] = {
    "rest": OVER_HTTP, "graphql": (by_graphql,), "sql": (by_sql,), "xroad": OVER_HTTP,
}  # fmt: skip
EACH = [*dict.fromkeys(read for several in READ.values() for read in several)]

padding = st.text(" \t\n\r\u00a0\u2000\u3000", max_size=3)
odd = st.sampled_from(
    ["e\u0301", "\u0301", "\u200b", "\ufeff", "\u202e", "\u2066", "\x00", "\u00ad", "\u00e9", "N", "-"]
)
names = st.one_of(
    st.text(max_size=12),
    st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=8).map(
        lambda said: unicodedata.normalize("NFD", said)
    ),
    st.lists(odd, max_size=6).map("".join),
    st.integers(250, 260).map(lambda count: "n" * count),
    st.integers(250, 260).map(lambda count: "e\u0301" * count),
)
texts = st.builds("{}{}{}".format, padding, names, padding)


def read_by(read: Read, name: str, said: object) -> list[Record]:
    records = read({**ROW, name: said})
    assert not isinstance(records, str | Failure), records
    found: list[Record] = records
    return found


def meets(read: Read, said: object) -> None:
    """A withdrawal of the record as it is shown holds it back, or it is not shown."""
    records = read_by(read, "id", said)
    (record,) = records
    try:
        name = inputs.named(said, "record")
    except Refusal:
        assert isinstance(record, Faulty)
        assert (record.m_id, record.m_version) == ("", "1")
        assert "m_id" in record.unread
        assert isinstance(restrained(records), Failure)
        return
    shown = restrained(records)
    assert isinstance(shown, Released)
    assert [each.m_id for each in shown.records] == [name]
    assert inputs.named(record.m_id, "record") == name
    told = restrained(records, f"tax-arrears/{name}")
    assert isinstance(told, Released)
    assert told.records == []


def restrained(records: list[Record], *withdrawn: str) -> Any:
    return restrain(ARREARS, PURPOSE, WHO, records, SubjectFacts(withdrawn=frozenset(withdrawn)), TODAY)[0]


def test_every_kind_of_source_is_read_here() -> None:
    assert {*READ, "files"} == set(KINDS)


@given(texts)
def test_a_delivery_with_a_name_that_has_no_form_is_refused(said: str) -> None:
    """`files` reads names as a delivery is taken in: a row that the others show as faulty is never in the index."""
    try:
        name = base.named(said)
    except ValueError:
        with pytest.raises(ValueError, match=r"id, version or document|without the character NUL"):
            TYPED["id"](said)
    else:
        assert TYPED["id"](said) == name


@given(st.sampled_from(EACH), texts)
@example(nested, "")
def test_a_withdrawal_of_a_record_as_it_is_shown_holds_it_back(read: Read, said: str) -> None:
    meets(read, said)


@pytest.mark.parametrize("read", EACH)
@pytest.mark.parametrize("number", [0, -7, 2**62])
def test_a_number_is_named_as_its_digits(read: Read, number: int) -> None:
    meets(read, number)


@pytest.mark.parametrize("read", [flat, nested, batch, by_graphql])
def test_a_number_that_is_too_long_to_name_makes_a_record_faulty(read: Read) -> None:
    assert [type(record) for record in read_by(read, "id", 10**300)] == [Faulty]


@given(st.sampled_from(EACH), texts)
def test_versions_and_documents_have_the_same_form(read: Read, said: str) -> None:
    try:
        name: str | None = inputs.named(said, "it")
    except Refusal:
        name = None
    (versioned,), (resting,) = read_by(read, "rev", said), read_by(read, "doc", said)
    assert isinstance(versioned, Faulty) is (name is None)
    assert versioned.m_version == (name or "")
    assert versioned.m_id == "N-1"  # so that what is known of it is still found
    assert isinstance(resting, Faulty) is (name is None and bool(said.strip()))  # blank is no document
    assert resting.m_document == name


@pytest.fixture
def _as_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "named", lambda said: said)


@pytest.mark.parametrize("read", EACH)
@pytest.mark.parametrize("said", ["N-1   ", "\tN-1", "Cafe\u0301-1", "N\u200b1", "N\u202e1", "n" * 257])
@pytest.mark.usefixtures("_as_it_came")
def test_ids_as_they_came_would_be_found_out(read: Read, said: str) -> None:
    with pytest.raises(AssertionError):
        meets(read, said)


@given(texts)
def test_a_name_is_in_its_own_form(said: str) -> None:
    try:
        name = base.named(said)
    except ValueError:
        with pytest.raises(Refusal):
            inputs.named(said, "it")
        return
    assert base.named(name) == inputs.named(said, "it") == name


def test_what_is_long_is_not_composed() -> None:
    """A hundred thousand marks out of order would take minutes."""
    with pytest.raises(ValueError, match="256"):
        base.named("e" + "\u0301\u0316" * 100_000)
    assert base.named("\u03b1\u0313\u0301\u0345" * 256) == "\u1f84" * 256


nearly = (
    st.text(st.sampled_from("aZ0 |-\n\t\x7f\u00e9\u0301\u200b"), max_size=6)
    | st.sampled_from(["n" * base.MOST_NAMED, "n" * (base.MOST_NAMED + 1), "n " * (base.MOST_NAMED // 2) + "n"])
    | st.just(7)
)


@given(st.lists(nearly, min_size=1, max_size=6))
@example(["N 1", "a|b", "n" * base.MOST_NAMED])
@example(["N 1 \n N 2"])
@example(["n" * 250, "n" * (base.MOST_NAMED + 1), "N 1"])
def test_names_that_are_looked_at_together_are_each_as_they_are_kept(said: list[Any]) -> None:
    if base.are_named(said):
        assert [base.named(each) for each in said] == said


def test_usual_names_need_no_second_look() -> None:
    assert base.are_named(["N-1", "D 2026/17", "1", "n" * base.MOST_NAMED])
    assert base.are_named(["n" * base.MOST_NAMED] * 5 + ["N 1"] * 200)
    assert not base.are_named(["N-1", ""])
