"""REST departments that answer in XML: the same records and faults as by JSON, and no way in for a hostile document."""

from __future__ import annotations

import asyncio
import datetime
import re
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors import rest
from connectors.base import DatasetShape, Explained, Failure, Faulty, FieldType, RecordRequest, Subject
from connectors.mapping.decoding import Decoder, read_mapping
from connectors.mapping.xml_answers import DEPTH, ELEMENTS, XmlDecoder, read_xml_path
from tests.connectors.asking import ACME, BETA, SHAPES, ask, connected, fault, fetch, places, told, written
from tests.connectors.servers import Handler, Request, always, answer, serve

XML: dict[str, Any] = {
    "format": "xml",
    "path": "/{scheme}/{value}",
    "records": "reply.list.notice",
    "record": {
        "id": "@no", "version": "@rev", "document": "decision", "effective": "decision@on",
        "subject": {"scheme": "owner@type", "value": "owner"},
    },
    "fields": {"period": "period", "amount": "sum.total", "secret": "sum.total@unit"},
}  # fmt: skip


def config(url: str, **more: Any) -> dict[str, Any]:
    arrears = {**XML, **more}
    return {"kind": "rest", "base_url": url, "limits": {"retries": 0}, "datasets": {"arrears": arrears}}


def notice(number: int = 1, subject: Subject = ACME, period: str = "2025", total: str = "10.50", more: str = "") -> str:
    return (
        f"<notice no='N-{number}' rev='1'>"
        f"<decision on='2026-01-01'>D-{number}</decision><owner type='{subject.scheme}'>{subject.value}</owner>"
        f"<period>{escape(period)}</period><sum><total unit='EUR'>{total}</total></sum>{more}</notice>"
    )


def reply(*notices: str, before: str = "") -> bytes:
    return f"{before}<reply><list>{''.join(notices)}</list></reply>".encode()


async def one(body: bytes, **more: Any) -> Any:
    async with (
        serve(always(answer(body, content_type="application/xml"))) as server,
        connected(rest.build, config(server.url, **more)) as connector,
    ):
        return (await fetch(connector, ask("arrears", "period amount")))[ACME, "arrears"]


async def test_records_by_elements_and_attributes() -> None:
    async with (
        serve(always(answer(reply(notice(1), notice(2, total="7"))))) as server,
        connected(rest.build, config(server.url)) as connector,
    ):
        outcomes = await fetch(connector, ask("arrears", "period amount secret"))
    assert told(outcomes[ACME, "arrears"], "period", "amount", "secret") == [
        ("2025", "10.50", "EUR"),
        ("2025", "7", "EUR"),
    ]
    first: Any = outcomes[ACME, "arrears"][0]  # type: ignore[index]  # no failure, as was seen
    assert (first.m_id, first.m_document, first.m_effective) == ("N-1", "D-1", datetime.date(2026, 1, 1))
    assert server.requests[0].headers["accept"] == "application/xml"
    assert [name for name in server.requests[0].names if name == "accept"] == ["accept"]


@pytest.mark.parametrize(
    "body",
    [
        reply(notice(), before="\ufeff<?xml version='1.0'?><!-- a --><?a b?>"),
        reply(notice(period="é"), before="<?xml version='1.0' encoding='ISO-8859-1'?>").decode().encode("latin-1"),
        reply(notice()).decode().encode("utf-16"),
        reply(notice()).replace(b"reply>", b"r:reply>").replace(b"r:reply>", b"r:reply xmlns:r='x' xmlns='y'>", 1),
        reply(notice()).replace(b"<period>2025", b"<period><![CDATA[20]]><!-- x -->25"),
        reply(notice(more="<other>1</other><other>2</other>")),
    ],
    ids=["declared", "latin-1", "utf-16", "namespaces", "cdata", "others"],
)  # fmt: skip
async def test_however_xml_is_written_it_is_the_same(body: bytes) -> None:
    assert told(await one(body), "period", "amount") == [("é" if b"\xe9" in body else "2025", "10.50")]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "not XML"),
        (b"{}", "not XML"),
        (reply(notice())[:-9], "not XML"),
        (reply(notice()) + b"<a/>", "not XML"),
        (reply("<a>\xff</a>").decode().encode("latin-1"), "not XML"),
        (reply(notice(), before="<?xml version='1.0' encoding='nonsense'?>"), "not XML"),
        (reply(notice(), before="<?xml version='1.0' encoding='UTF-7'?>"), "not XML"),
        (reply(notice(), before="<?xml version='1.0' encoding='Shift_JIS'?>"), "not XML"),
        (reply(notice(), before="<!DOCTYPE reply>"), "DTD"),
        (reply(notice(period="x"), before="<!DOCTYPE r [<!ENTITY a 'b'>]>"), "DTD"),
        (reply(notice(), before="<!DOCTYPE r SYSTEM 'http://127.0.0.1:1/x.dtd'>"), "DTD"),
        (reply(notice()).replace(b"2025", b"&secret;"), "not XML"),
        (reply(notice(more="<a>" * DEPTH + "</a>" * DEPTH)), "too deep"),
        (reply(notice(more="<a/>" * ELEMENTS)), "more elements"),
        (reply(notice()).replace(b"reply", b"answer"), "not the document"),
        (reply(notice()).replace(b"list", b"items"), "place of the records is missing"),
        (reply(notice()).replace(b"notice", b"letter"), "`records` may name it wrongly"),
        (reply("nothing found"), "`records` may name it wrongly"),
        (reply(notice()).replace(b"<list>", b"<list/><list>"), "appears twice"),
        (reply(notice(more="<period>2026</period>")), "appears twice"),
        (reply(notice(more="<sum/>")), "appears twice"),
        (reply(notice()).replace(b"no=", b"x:no='7' xmlns:x='urn:x' no="), "appears twice"),
        (reply(notice(subject=BETA)), "another subject"),
        (reply(notice(), notice(2, subject=BETA)), "another subject"),
        (reply(notice()).replace(b"<owner type='LEI'>", b"<owner type='LEI'>\n"), "another subject"),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_all_of_an_answer_makes_it_invalid(body: bytes, says: str) -> None:
    outcome = await one(body)
    assert isinstance(outcome, Failure)
    assert outcome.fault.value == "SOURCE_INVALID"
    assert says in outcome.detail
    assert "secret" not in outcome.detail


async def test_no_records_are_an_empty_list() -> None:
    assert await one(b"<reply><list/></reply>") == []
    assert await one(b"<reply><list> \n </list><count>0</count></reply>") == []


@pytest.mark.parametrize(
    "wrong",
    [
        notice(2, total="1 0"), notice(2, total="<a>1</a>"), notice(2).replace("2026-01-01", "2026-02-31"),
        notice(2).replace("rev='1'", ""), notice(2).replace("no='N-2'", "no=''"), notice(2, total="--5"),
    ],
)  # fmt: skip
async def test_a_faulty_record_is_faulty_alone(wrong: str) -> None:
    records = await one(reply(notice(1), wrong))
    assert [isinstance(record, Faulty) for record in records] == [False, True]


async def test_what_is_nil_or_empty_is_no_value_but_for_text() -> None:
    nil = "<period xsi:nil='true' xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'/>"
    body = reply(notice(1, period="", total=" "), notice(2).replace("<period>2025</period>", nil))
    assert told(await one(body), "period", "amount") == [("", None), (None, "10.50")]


async def test_pages_and_batches_are_as_by_json() -> None:
    async def pages(request: Request, writer: asyncio.StreamWriter) -> None:
        more = b"" if "after=2" in request.target else b"<page next='2'/>"
        body = reply(notice(len(server.requests)))
        writer.write(answer(body.replace(b"</reply>", more + b"</reply>")))

    paging = {"paging": {"next": "reply.page@next", "param": "after"}}
    async with serve(pages) as server, connected(rest.build, config(server.url, **paging)) as connector:
        outcomes = await fetch(connector, ask("arrears", "period"))
    assert told(outcomes[ACME, "arrears"], "period") == [("2025",), ("2025",)]
    assert len(server.requests) == 2
    batch = {"batch": {"path": "/all?type={scheme}&ids={values}"}}
    both: Handler = always(answer(reply(notice(1), notice(2, BETA, period="2024"))))
    async with serve(both) as server, connected(rest.build, config(server.url, **batch)) as connector:
        outcomes = await fetch(connector, ask("arrears", "period", ACME, BETA))
    assert [told(outcomes[each, "arrears"], "period") for each in (ACME, BETA)] == [[("2025",)], [("2024",)]]


async def test_a_mapping_is_tried_by_the_same_reading() -> None:
    body = answer(reply(notice(total="much")))
    async with serve(always(body)) as server, connected(rest.build, config(server.url)) as connector:
        assert isinstance(connector, Explained)
        request = RecordRequest((ask("arrears", "period amount"),), asyncio.get_running_loop().time() + 10)
        found = [each.key for each in await connector.explain(request)]
    assert found == [("datasets", "arrears", "fields", "amount")]


SHAPE = DatasetShape(
    "all",
    {"text": FieldType.STRING, "count": FieldType.INT, "yes": FieldType.BOOLEAN, "sum": FieldType.DECIMAL,
     "day": FieldType.DATE, "at": FieldType.DATETIME},
)  # fmt: skip
VALUES = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=8),
    st.sampled_from(["true", "false", "1", "0", "yes", "7", "-7", "+7", " 7\n", "+12.50",
                     "+", "+-7", "+1e-7", "2147483648", "12.50", "1e-7", "NaN", "2026-02-30",
                     "2026-02-28", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00", ""]),
)  # fmt: skip


@given(st.fixed_dictionaries(dict.fromkeys(SHAPE.fields, VALUES)))
@settings(max_examples=60, deadline=None)
def test_a_value_is_judged_as_its_json_is(values: dict[str, str]) -> None:
    """By another reading of the rules: what XML's text is as JSON, written by hand for each type."""
    record = {"id": "@i", "version": "@v", "subject": {"scheme": {"const": "LEI"}, "value": "@s"}}
    fields = {name: name for name in SHAPE.fields}
    keys = written({"records": "all.one", "record": record, "fields": fields}).mapping(any_key=True)
    mapped = read_mapping(keys, SHAPE, read_xml_path)
    names = tuple(sorted(SHAPE.fields))
    about = {"@i": "1", "@v": "1", "@s": ACME.value}
    plain: dict[str, Any] = {name: text.strip(" \t\r\n") or None for name, text in values.items()}
    plain["text"] = values["text"].replace("\r\n", "\n").replace("\r", "\n")
    count, sum_ = plain["count"] or "", plain["sum"] or ""
    if re.fullmatch("[0-9]+", count[1:] if count[:1] in ("+", "-") else count):
        plain["count"] = int(count)
    if re.match("[+][0-9]", sum_):
        plain["sum"] = sum_[1:]
    plain["yes"] = {"true": True, "1": True, "false": False, "0": False}.get(plain["yes"], plain["yes"])
    inner = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in values.items())
    attributes = " ".join(f"{name[1:]}={quoteattr(value)}" for name, value in about.items())
    body = f"<all><one {attributes}>{inner}</one></all>".encode()
    by_json = Decoder(mapped, names).one(answer({"all": {"one": [{**about, **plain}]}}).partition(b"\r\n\r\n")[2], ACME)
    by_xml = XmlDecoder(mapped, names).one(body, ACME)
    for [record] in (by_json, by_xml):
        if isinstance(record, Faulty):
            record.m_reason = ""  # of several wrong values, each way names the first
    assert repr(by_xml) == repr(by_json)


@pytest.mark.parametrize("total", ["+10.50", " 10.50 ", "\n  10.50\n"])
async def test_a_number_may_have_a_plus_and_space_around_it(total: str) -> None:
    (record,) = await one(reply(notice(total=total)))
    assert record.f_amount == "10.50"


@pytest.mark.parametrize("total", ["+ 10.50", "++1", "+-1", "10 .50"])
async def test_and_nothing_else(total: str) -> None:
    (record,) = await one(reply(notice(total=total)))
    assert isinstance(record, Faulty)


@pytest.mark.parametrize(
    ("change", "where", "words"),
    [
        ({"format": "soap"}, "format", "one of"),
        ({"records": "notice"}, "records", "as `findings.finding`"),
        ({"records": "reply.list@x"}, "records", "as `findings.finding`"),
        ({"records": None}, "format", "as `findings.finding`"),
        ({"fields": {**XML["fields"], "period": "x:period"}}, "fields.period", "without prefixes"),
        ({"fields": {**XML["fields"], "period": "@a.b"}}, "fields.period", "without prefixes"),
        ({"fields": {**XML["fields"], "period": "sum"}}, "fields", "cannot be both a value and the parent"),
        ({"paging": {"next": "page@next"}}, "paging", "must begin at the answer's root"),
    ],
)
def test_a_wrong_configuration_says_where_and_what(change: dict[str, Any], where: str, words: str) -> None:
    arrears = {key: value for key, value in {**XML, **change}.items() if value is not None}
    node = written({**config("https://tax.example"), "datasets": {"arrears": arrears}})
    rest.build(node, SHAPES)
    assert f"datasets.arrears.{where}" in [each.path for each in node.problems if words in each.message], node.problems
    assert places(node, words)


async def test_a_broken_answer_is_the_contracts_fault() -> None:
    async with serve(always(answer(b"<a>", 500))) as server, connected(rest.build, config(server.url)) as connector:
        assert await fault(connector) == "SOURCE_UNAVAILABLE"
