"""Differences between a mapping and a department's system, planted one at a time, and how each must be explained.

A case changes what the healthy department has (`rows`), how it answers (`answer`), or what `sources.yaml` says
(`config`). `key` is the key that the report must lead to, and `words` what it must say.
"""

from __future__ import annotations

import copy
import gzip
import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from connectors.base import FieldType
from tests.connectors.servers import answer

VALUE = "529900T8BM49AURSDO55"
TITLE = "the secret title of the record"
FIELDS = {
    "title": FieldType.STRING, "workers": FieldType.INT, "open": FieldType.BOOLEAN, "amount": FieldType.DECIMAL,
    "day": FieldType.DATE, "at": FieldType.DATETIME,
}  # fmt: skip


def row(number: int) -> dict[str, Any]:
    """A record as the healthy department has it."""
    return {
        "no": f"A-{number}", "rev": number + 7, "paper": f"P-{number}",
        "holder": {"type": "LEI", "id": VALUE},
        "name": TITLE, "workers": 12, "open": True, "amount": {"total": "1250.50"}, "day": "2026-03-31",
        "at": "2026-03-31T08:30:00Z",
    }  # fmt: skip


def rest(url: str) -> dict[str, Any]:
    """What `sources.yaml` says of the healthy department with a REST interface."""
    return {
        "kind": "rest", "base_url": url, "limits": {"timeout": "20s", "retries": 0, "records": 50},
        "datasets": {"tax-awards": {
            "path": "/awards/{scheme}/{value}", "records": "result.items",
            "record": {"id": "no", "version": "rev", "document": "paper",
                       "subject": {"scheme": "holder.type", "value": "holder.id"}},
            "fields": {"title": "name", "workers": "workers", "open": "open", "amount": "amount.total", "day": "day",
                       "at": "at"},
        }},
    }  # fmt: skip


Rows = list[dict[str, Any]]


class Planted(NamedTuple):
    """One difference. `answer` makes the bytes of an answer of the rows and of the request's target.

    `ends`: the connection is closed after it.
    """

    name: str
    key: str
    words: str
    rows: Callable[[Rows], Any] | None = None
    answer: Callable[[Rows, str], bytes] | None = None
    config: Callable[[dict[str, Any]], Any] | None = None
    kind: str = "wrong"
    row: int = 0
    ends: bool = False


def healthy(rows: Rows, target: str = "") -> bytes:
    """The answer of the healthy department, which has nothing of anybody else than `VALUE`."""
    return answer({"result": {"items": rows if VALUE in target or "/LEI/" not in target else []}})


def each(change: Callable[[dict[str, Any]], Any]) -> Callable[[Rows], None]:
    """A change of every record."""

    def all_of(rows: Rows) -> None:
        for one in rows:
            change(one)

    return all_of


def put(name: str, value: Any) -> Callable[[Rows], None]:
    """Another value in every record; `a.b` leads down."""

    def change(one: dict[str, Any]) -> None:
        *parents, last = name.split(".")
        for parent in parents:
            one = one[parent]
        one[last] = value

    return each(change)


def renamed(old: str, new: str) -> Callable[[Rows], None]:
    """Another name for a value in every record."""
    return each(lambda one: one.__setitem__(new, one.pop(old)))


def dataset(**changes: Any) -> Callable[[dict[str, Any]], None]:
    """Other keys of the dataset."""
    return lambda config: config["datasets"]["tax-awards"].update(changes)


def limits(**changes: Any) -> Callable[[dict[str, Any]], None]:
    """Other limits of the department."""
    return lambda config: config["limits"].update(changes)


def _page(rows: Rows, link: str) -> bytes:
    return answer({"result": {"items": rows}, "next": link})


def _endless(rows: Rows, target: str) -> bytes:
    number = int(target.partition("page=")[2] or 0)
    mine = copy.deepcopy(rows)
    for one in mine:
        one["no"] += f"-{number}"
    return _page(mine, str(number + 1))


_counter = itertools.count()


def _unstable(rows: Rows, _target: str) -> bytes:
    return healthy([{**one, "name": f"{one['name']} {next(_counter)}"} for one in rows])


def _flood(rows: Rows, _target: str) -> bytes:
    content = json.dumps({"result": {"items": rows}}).encode()
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in content)
    return b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


def _cut(rows: Rows, _target: str) -> bytes:
    return healthy(rows)[:-20]


def _short(rows: Rows, _target: str) -> bytes:
    return answer(json.dumps({"result": {"items": rows}}).encode()[:-20])


def _bomb(_rows: Rows, _target: str) -> bytes:
    return answer(gzip.compress(b" " * 3_000_000), content_encoding="gzip")


PAGED = dataset(paging={"next": "next", "param": "page", "max_pages": 5})
LINKED = dataset(paging={"next": "next"})
_TAGGED = "<html><body>Please log in</body></html>"

OVER_REST = (
    Planted("a wrong path, which answers 404", "", "Many systems answer 404 to a wrong one",
            answer=lambda *_: answer({}, 404)),
    Planted("a wrong path that means no records by another status", "path", "no such address",
            answer=lambda *_: answer({}, 404), config=dataset(no_records=[204])),
    Planted("no credential", "auth", "does not know the gateway (401)", answer=lambda *_: answer({}, 401)),
    Planted("no right", "auth", "lets it not look here (403)", answer=lambda *_: answer({}, 403)),
    Planted("a login page", "", "an HTML page, not JSON", answer=lambda *_: answer(_TAGGED.encode())),
    Planted("an empty answer", "", "the answer is empty", answer=lambda *_: answer(b"")),
    Planted("the wrong path of the list", "records", "did you mean `items`?", config=dataset(records="result.item")),
    Planted("a list that stands higher", "records", "leave `records` out", answer=lambda rows, _: answer(rows)),
    Planted("an object instead of a list", "records", "give a list",
            answer=lambda rows, _: answer({"result": {"items": rows[0]}})),
    Planted("a list instead of one record", "one_record", "leave `one_record` out", config=dataset(one_record=True)),
    Planted("a field that is not there", "fields.title", "`name` is in no record",
            rows=each(lambda one: one.pop("name"))),
    Planted("a field of another name", "fields.workers", "did you mean `workersCount`?",
            rows=renamed("workers", "workersCount")),
    Planted("a nested field that lies flat", "fields.amount", "its parent must be an object",
            rows=put("amount", "12.00")),
    Planted("a number as text", "fields.workers", "text that holds a whole number", rows=put("workers", "12"), row=1),
    Planted("yes and no as letters", "fields.open", "text that stands for yes or no", rows=put("open", "Y")),
    Planted("a number instead of text", "fields.title", "is a whole number; must be text", rows=put("name", 5)),
    Planted("another form of date", "fields.day", "text of the form `99.99.9999`", rows=put("day", "31.03.2026")),
    Planted("a date as a number", "fields.day", "is a whole number", rows=put("day", 1774915200)),
    Planted("a decimal comma", "fields.amount", "a decimal comma", rows=put("amount.total", "1.771,93")),
    Planted("a moment without an offset", "fields.at", "without an offset", rows=put("at", "2026-03-31T08:30:00")),
    Planted("an id that is null in one record", "record.id", "`no` is null", row=2,
            rows=lambda rows: rows[1].__setitem__("no", None)),
    Planted("a version that is not there", "record.version", "`rev` is not there",
            rows=each(lambda one: one.pop("rev"))),
    Planted("a version that is the id", "record.version", "is the same as the id",
            rows=each(lambda one: one.__setitem__("rev", one["no"]))),
    Planted("another scheme", "record.subject.scheme", "another scheme than `LEI`", rows=put("holder.type", "VAT")),
    Planted("a subject with blanks", "record.subject.value", "blanks around the identifier",
            rows=put("holder.id", f"  {VALUE} ")),
    Planted("a subject in small letters", "record.subject.value", "in other letters",
            rows=put("holder.id", VALUE.lower())),
    Planted("another subject", "record.subject.value", "another subject", rows=put("holder.id", "5493001KJTIIGC8Y1R12"),
            row=1),
    Planted("an id that several records have", "record.id", "the same id and version, but other contents",
            rows=lambda rows: rows[1].update(no="A-1", rev=8, workers=13)),
    Planted("a name that appears twice", "", "`rev` appears twice",
            answer=lambda rows, _: answer(json.dumps({"result": {"items": rows}}).replace(
                '"rev": 8', '"rev": 8, "rev": 9').encode())),
    Planted("a link that is an object", "paging.next", "is an object; must be text, a number, or null", config=LINKED,
            answer=lambda rows, _: answer({"result": {"items": rows}, "next": {"href": "/next"}})),
    Planted("a number out of range", "fields.amount", "is a number of more than 64 digits before the point",
            answer=lambda rows, _: answer(
                json.dumps({"result": {"items": rows}}).replace('"1250.50"', "1e999999999").encode())),
    Planted("a page on another origin", "paging.next", "another origin", config=LINKED,
            answer=lambda rows, _: _page(rows, "http://other.example/awards?page=2")),
    Planted("pages without end", "paging", "more than 5 pages", config=PAGED, answer=_endless, kind="unbounded"),
    Planted("pages that nobody mapped", "path", "map the pages with `paging`",
            answer=lambda rows, _: _page(rows, "/awards?page=2"), kind="unbounded"),
    Planted("more records than a subject may have", "path", "more than 50 records", kind="unbounded",
            rows=lambda rows: rows.extend(row(number) for number in range(10, 70))),
    Planted("a body that becomes large", "path", "more than 1048576 bytes", answer=_bomb, kind="unbounded"),
    Planted("a flood of chunks", "path", "more than 300 chunks", answer=_flood, config=limits(chunks=300),
            kind="unbounded"),
    Planted("another encoding", "", "not UTF-8 at byte",
            answer=lambda rows, _: answer(json.dumps({"result": {"items": [{**rows[0], "name": "Züri"}]}},
                                                     ensure_ascii=False).encode("latin-1"))),
    Planted("a redirect", "path", "sends on to another one", answer=lambda *_: answer({}, 302, location="/other")),
    Planted("too many questions", "limits.concurrency", "come back in 30 s",
            answer=lambda *_: answer({}, 429, retry_after="30")),
    Planted("a failure of its own", "path", "fails by itself (500)", answer=lambda *_: answer({}, 500)),
    Planted("a question that it does not understand", "path", "does not understand the question",
            answer=lambda *_: answer({}, 400)),
    Planted("a method that it does not take", "path", "does not take this method", answer=lambda *_: answer({}, 405)),
    Planted("a body that is cut off", "path", "ends before the answer is whole", answer=_cut, ends=True),
    Planted("a body that was written short", "", "ends in the middle", answer=_short),
    Planted("a damaged gzip", "path", "a damaged gzip", answer=lambda *_: answer(b"no gzip", content_encoding="gzip")),
    Planted("other contents at each answer", "record.version", "(`title`)", answer=_unstable, kind="unstable"),
)  # fmt: skip
"""By the name of each: what a department with a REST interface can do."""


def cases() -> Iterator[Planted]:
    """Every case of a department with a REST interface; no two have one name."""
    assert len({case.name for case in OVER_REST}) == len(OVER_REST)
    yield from OVER_REST
